"""What reaches a device without a SUBSCRIBE of its own: `_ss=1` and what the platform pushes. connection.md 6.6, 4.2."""

import pytest

from rawclient import connect_packet

# connection.md 6.6; ${pk}/${dn} is {me}.
LIST = """
/sys/{me}/thing/model/down_raw /sys/{me}/thing/model/up_raw_reply /sys/{me}/thing/event/+/post_reply
/sys/{me}/thing/deviceinfo/update_reply /sys/{me}/thing/deviceinfo/delete_reply /sys/{me}/thing/dynamicTsl/get_reply
/sys/{me}/thing/dsltemplate/get_reply /sys/{me}/rrpc/request/+ /sys/{me}/thing/service/property/set
/sys/{me}/thing/service/property/get /sys/{me}/thing/event/property/history/post_reply /sys/{me}/thing/service/+
/sys/{me}/thing/gateway/permit /sys/{me}/thing/topo/change /sys/{me}/thing/topo/add_reply
/sys/{me}/thing/topo/delete_reply /sys/{me}/thing/topo/get_reply /sys/{me}/thing/sub/register_reply
/sys/{me}/thing/sub/unregister_reply /sys/{me}/thing/disable_reply /sys/{me}/thing/reset_reply
/sys/{me}/thing/config/push /sys/{me}/thing/config/get_reply /sys/{me}/thing/config/log/push
/sys/{me}/thing/lan/prefix/get_reply /sys/{me}/thing/lan/prefix/update /sys/{me}/thing/lan/blacklist/update_reply
/sys/{me}/thing/property/desired/get_reply /sys/{me}/thing/property/desired/delete_reply
/sys/{me}/thing/awss/enrollee/match_reply /sys/{me}/thing/awss/enrollee/checkin
/sys/{me}/thing/awss/enrollee/found_reply /sys/{me}/awss/device/switchap /sys/{me}/thing/cipher/get_reply
/sys/{me}/thing/bootstrap/config/push /sys/{me}/thing/bootstrap/notify
/sys/{me}/thing/proxy/provisioning/product_register_reply /sys/{me}/thing/job/notify /sys/{me}/thing/job/get_reply
/sys/{me}/thing/job/update_reply /sys/{me}/thing/ota/firmware/get_reply /sys/{me}/_thing/event/notify
/sys/{me}/_thing/service/post_reply /ota/device/upgrade/{me} /ota/device/request/{me} /shadow/get/{me}
""".split()


@pytest.fixture(scope="module")
def back_end(server):
    server.cli("account", "create", "back-end", "--password", "back-end-1", "--allow", "all:#")
    client = server.client()
    assert client.connect("back-end", "back-end", "back-end-1")[1] == 0
    yield client
    client.close()


def filters_of(device):
    return [f.format(me=f"{device.product_key}/{device.device_name}") for f in LIST]


def topics_of(device):
    return [f.replace("+", "x") for f in filters_of(device)]


def test_the_whole_list(server, back_end, device):
    client = server.sign_in(device, extra=",_ss=1")
    for topic in topics_of(device):
        back_end.publish(topic, topic.encode(), qos=1)
    for topic in topics_of(device):
        got = client.expect_publish()
        assert (got.topic, got.payload, got.qos) == (topic, topic.encode(), 1)
        client.puback(got)
    client.expect_silence()
    client.close()


def test_without_ss_there_is_none(server, back_end, device):
    with server.sign_in(device) as client:
        for topic in topics_of(device):
            back_end.publish(topic, b"x", qos=1)
        client.expect_silence()


def test_a_hundred_subscriptions_beside_them(server, back_end, device):
    with server.sign_in(device, extra=",_ss=1") as client:
        for filter_ in filters_of(device):  # asked for all the same, one by one, as some firmware does
            assert client.subscribe(filter_) == [1]
        for number in range(100):
            assert client.subscribe(device.topic(f"user/many/{number}")) == [1]
        assert client.subscribe(device.topic("user/many/100")) == [0x80]


def test_unsubscribed_ones_stay_away_until_they_are_asked_for(server, back_end, device):
    reset = device.sys("thing/reset_reply")
    stays = device.sys("thing/config/push")
    with server.sign_in(device, extra=",_ss=1") as client:
        client.unsubscribe(reset)
        back_end.publish(reset, b"1", qos=1)
        client.expect_silence()
    with server.sign_in(device, extra=",_ss=1") as client:
        back_end.publish(reset, b"2", qos=1)
        back_end.publish(stays, b"3", qos=1)
        got = client.expect_publish()
        assert (got.topic, got.payload) == (stays, b"3")
        client.puback(got)
        assert client.subscribe(reset) == [1]
        back_end.publish(reset, b"4", qos=1)
        got = client.expect_publish()
        assert (got.topic, got.payload) == (reset, b"4")
        client.puback(got)


def test_they_survive_a_restart_and_a_connect_without_the_parameter(make_server):
    server = make_server()
    device = server.device()
    topic = device.sys("thing/service/property/set")
    server.sign_in(device, extra=",_ss=1", clean=False).close()
    server.restart(hard=True)
    server.operator_publish(topic, "while away", qos=1)
    with server.sign_in(device, clean=False) as client:
        assert client.expect_publish().payload == b"while away"


def test_a_kill_right_after_connack_forgets_none(make_server):
    """CONNACK is as good as a SUBACK (docs/adr/0010): the list is stored before it. Twenty devices at once, killed with
    the first CONNACK that was read last; each that had one must have the list."""
    server = make_server(devices=20)
    devices = [server.device() for _ in range(20)]
    clients = [server.client() for _ in devices]
    for client, device in zip(clients, devices):
        client.send(connect_packet(*device.credentials(",_ss=1", 3), keep_alive=60, clean=False))
    accepted = []
    for client, device in zip(clients, devices):
        assert client.receive().raw == b"\x20\x02\x00\x00"
        accepted.append(device)
        if len(accepted) == 10:
            break
    server.keep_ports()
    server.kill()
    server.start()
    for device in accepted:
        server.operator_publish(device.sys("thing/service/property/set"), "while away", qos=1)
    for device in accepted:
        with server.sign_in(device, clean=False) as client:
            assert client.expect_publish().payload == b"while away"


def test_what_the_platform_says_needs_no_subscription(server, back_end, device):
    me = f"{device.product_key}/{device.device_name}"
    with server.sign_in(device) as client:
        for topic in (f"/ext/error/{me}", f"/ext/ntp/{me}/response", f"/sys/{me}/broadcast/request/7"):
            server.operator_publish(topic, "platform")
            assert client.expect_publish().topic == topic
            back_end.publish(topic, b"a back end is not the platform")
        client.expect_silence()


def test_rrpc_on_custom_topics_must_be_announced(server, back_end, device):
    request = f"/ext/rrpc/77/{device.topic('user/down')}"
    wish = f"/ext/rrpc/+/{device.topic('user/down')}"
    with server.sign_in(device, extra=",ext=1") as client:
        assert client.subscribe(wish) == [1]
        back_end.publish(request, b"ask")
        assert client.expect_publish().topic == request
        answered = server.operator("/ext/rrpc/#")
        client.publish(request, b"answer", qos=1)
        assert answered.next() == (request, "answer")
        answered.end()
    for extra in ("", ",ext=2"):
        with server.sign_in(device, extra=extra) as client:
            assert client.subscribe(wish) == [0x80]
            back_end.publish(request, b"ask")
            client.expect_silence()
