"""The life of a connection and of a device: takeover, offline and online, restarts, disabling.

connection.md 6.3, 6.5 and 14.
"""

import json
import re
import time

import pytest

from rawclient import Closed

STATUS = "/as/mqtt/status"


def status_topic(device):
    return f"{STATUS}/{device.product_key}/{device.device_name}"


# ---- the same device twice -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("older_transport, newer_transport", [("tcp", "tcp"), ("ws", "tls"), ("wss", "ws")])
def test_newer_connection_wins(server, device, older_transport, newer_transport):
    older = server.sign_in(device, older_transport)
    newer = server.sign_in(device, newer_transport)
    assert older.wait_closed() == [], "without ext bit 2 nothing is sent"
    newer.ping()
    server.wait_log("Kicked by the same device", device.device_name)
    newer.close()


@pytest.mark.parametrize("ext", [2, 3])
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_older_connection_is_told_when_it_wants_to_know(server, device, ext, transport):
    older = server.sign_in(device, transport, extra=f",ext={ext}")
    newer = server.sign_in(device)
    late = older.wait_closed()
    assert [(p.topic, p.qos, p.payload) for p in late] == [
        ("/ext/notify", 0, b'{"title":"kick","content":"Kicked by the same device"}')]
    newer.close()


def test_another_client_id_is_still_the_same_device(server, device):
    older = server.sign_in(device)
    newer = server.client()
    assert newer.connect(device.client_id(base="other"), device.username, device.password(base="other"))[1] == 0
    older.wait_closed()
    newer.close()


def test_refused_sign_in_does_not_disturb_the_connection(server, device):
    older = server.sign_in(device)
    intruder = server.client()
    assert intruder.connect(device.client_id(), device.username, device.password(secret="guessed"))[1] == 4
    intruder.wait_closed()
    older.ping()
    older.close()


def test_two_devices_with_one_certificate_take_turns(server, device):
    """They displace each other; whoever came last works, and nothing piles up."""
    before = server.open_files()
    last = server.sign_in(device)
    for turn in range(30):
        older, last = last, server.sign_in(device, ("tcp", "ws")[turn % 2])
        older.wait_closed()
        older.close()
    last.ping()
    assert server.open_files() <= before + 3
    last.close()


# ---- status messages -------------------------------------------------------------------------------------------------


def test_status_messages(server, device):
    watcher = server.operator(f"{STATUS}/#")
    client = server.sign_in(device)
    topic, online = watcher.next_json()
    assert topic == status_topic(device)
    assert online["status"] == "online"
    assert (online["productKey"], online["deviceName"]) == (device.product_key, device.device_name)
    assert online["clientIp"] == "127.0.0.1"
    for key in ("time", "lastTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", online[key]), online
    for key in ("utcTime", "utcLastTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", online[key]), online
    assert online["iotId"] == server.show(device)["iotId"]
    client.disconnect()
    topic, offline = watcher.next_json()
    assert (topic, offline["status"]) == (status_topic(device), "offline")
    assert "offlineReasonCode" in offline and "offlineReasonCode" not in online
    assert offline["utcLastTime"] <= offline["utcTime"]
    assert online["utcLastTime"] <= offline["utcLastTime"]
    watcher.end()


def test_status_messages_of_a_takeover(server, device):
    """Offline of the old one, then online of the new one."""
    watcher = server.operator(status_topic(device))
    older = server.sign_in(device)
    newer = server.sign_in(device, "ws")
    older.wait_closed()
    found = [watcher.next_json()[1] for _ in range(3)]
    assert [m["status"] for m in found] == ["online", "offline", "online"]
    newer.drop()
    assert watcher.next_json()[1]["status"] == "offline"
    watcher.end()


@pytest.mark.parametrize("end", ["disconnect", "close", "reset", "malformed"])
def test_every_end_is_an_offline_message(server, device, end):
    watcher = server.operator(status_topic(device))
    client = server.sign_in(device)
    assert watcher.next_json()[1]["status"] == "online"
    {"disconnect": client.disconnect, "close": client.close, "reset": client.drop,
     "malformed": lambda: client.send(b"\xf0\x00")}[end]()
    assert watcher.next_json()[1]["status"] == "offline"
    watcher.end()


# ---- activation and status -------------------------------------------------------------------------------------------


def test_activation(server, device):
    assert server.show(device)["status"].upper() == "UNACTIVE"
    refused = server.client()
    refused.connect(device.client_id(), device.username, "00" * 32)
    refused.close()
    assert server.show(device)["status"].upper() == "UNACTIVE"
    client = server.sign_in(device)
    server.wait_status(device, "ONLINE")
    client.disconnect()
    first = server.wait_status(device, "OFFLINE")
    activated = {key: value for key, value in first.items() if "activ" in key.lower() and value}
    assert activated, f"no activation time in {first}"
    time.sleep(0.02)
    server.sign_in(device).close()
    second = server.wait_status(device, "OFFLINE")
    assert {key: second[key] for key in activated} == activated, "the activation time is set once"


def test_facts_of_the_connection_are_recorded(server, device):
    client = server.client()
    client.connect(device.client_id(",lan=C,os=linux,mid=module1,pid=partner1"), device.username, device.password())
    deadline = time.monotonic() + 5
    while True:
        found = json.dumps(server.show(device))
        if "test-1.0" in found and "127.0.0.1" in found:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    client.close()


# ---- subscriptions that belong to the device -------------------------------------------------------------------------


def hears_itself(client, device, word):
    client.publish(device.topic("user/echo"), word, qos=1)
    got = client.expect_publish()
    client.puback(got)
    return got.payload == word.encode()


@pytest.mark.parametrize("clean", [True, False])
def test_subscription_outlives_the_connection(server, device, clean):
    with server.sign_in(device, clean=clean) as client:
        client.subscribe(device.topic("user/echo"))
        client.disconnect()
        client.wait_closed()
    with server.sign_in(device, clean=clean) as client:
        assert client.session_present == (0 if clean else 1)
        assert hears_itself(client, device, "still subscribed")
        client.unsubscribe(device.topic("user/echo"))
    with server.sign_in(device, clean=clean) as client:
        client.publish(device.topic("user/echo"), "nobody", qos=1)
        client.expect_silence()


def test_subscriptions_of_sessions_when_scope_is_standard(make_server):
    server = make_server({"session.subscription_scope": "standard"})
    device = server.device()
    with server.sign_in(device, clean=True) as client:
        client.subscribe(device.topic("user/echo"))
        client.disconnect()
        client.wait_closed()
    with server.sign_in(device, clean=True) as client:
        client.publish(device.topic("user/echo"), "nobody", qos=1)
        client.expect_silence()


@pytest.mark.parametrize("hard", [False, True], ids=["restart", "kill -9"])
def test_subscriptions_outlive_the_server(make_server, hard):
    server = make_server()
    clean, lasting, gone = server.device(), server.device(), server.device()
    clients = [server.sign_in(clean, clean=True), server.sign_in(lasting, "ws", clean=False), server.sign_in(gone)]
    for client, device in zip(clients, (clean, lasting, gone)):
        assert client.subscribe(device.topic("user/echo"), device.topic("user/down")) == [1, 1]
    clients[2].unsubscribe(device.topic("user/echo"))
    server.restart(hard)
    for client in clients:
        client.close()
    for device, expected, is_clean in ((clean, 0, True), (lasting, 1, False)):
        with server.sign_in(device, clean=is_clean) as client:
            assert client.session_present == expected
            assert hears_itself(client, device, "after the restart")
    with server.sign_in(gone) as client:
        client.publish(gone.topic("user/echo"), "nobody", qos=1)
        client.expect_silence()


def test_status_is_right_from_connack_on(make_server):
    """Presence is written in batches; whoever asks sees what has happened, not what has been written.

    Asked are lists, and fields that come from the registry alone: `status` of one device is asked of the loops.
    """
    server = make_server()
    device = server.device()

    def listed(status):
        return {found["deviceName"]: found for found in server.json("device", "list", "--status", status)}

    seen = listed("UNACTIVE")[device.device_name]
    assert seen["activated"] is None and seen["lastOnline"] is None
    came, activated = [], set()
    for _ in range(5):
        with server.sign_in(device):
            seen = listed("ONLINE")[device.device_name]
            came.append(seen["lastOnline"])
            activated.add(seen["activated"])
        server.wait_status(device, "OFFLINE")
        assert device.device_name in listed("OFFLINE")
    assert came == sorted(set(came)), "each time it was the newest that was seen"
    assert activated == {came[0]}, "it is activated by the first"
    for _ in range(20):
        server.sign_in(device).close()
    with server.sign_in(device):
        assert listed("ONLINE")[device.device_name]["lastOnline"] > came[-1]


def test_devices_are_offline_after_kill_9(make_server):
    server = make_server()
    device = server.device()
    client = server.sign_in(device)
    server.wait_status(device, "ONLINE")
    time.sleep(0.5)  # presence is gathered for some milliseconds before it is written
    server.restart(hard=True)
    assert server.show(device)["status"].upper() == "OFFLINE"
    client.close()
    server.sign_in(device).close()


def test_many_subscriptions_acknowledged_before_kill_9(make_server):
    """Acknowledged means stored, also when the power goes in the middle of more of them."""
    server = make_server(devices=30)
    devices = [server.device() for _ in range(20)]
    clients = [server.sign_in(d) for d in devices]
    for client, device in zip(clients, devices):
        for i in range(4):
            assert client.subscribe(device.topic(f"user/many/{i}"), device.topic("user/echo")) == [1, 1]
    server.restart(hard=True)
    for client in clients:
        client.close()
    for device in devices:
        with server.sign_in(device) as client:
            assert hears_itself(client, device, "kept")


# ---- what an operator does to a device -------------------------------------------------------------------------------


def test_disable_and_enable(server, device):
    client = server.sign_in(device)
    client.subscribe(device.topic("user/echo"))
    server.device_command("disable", device)
    assert client.wait_closed() == []
    assert server.show(device)["status"].upper() == "DISABLE"
    refused = server.client()
    assert refused.connect(*device.credentials()) == (0, 5)
    assert refused.wait_closed() == []
    server.device_command("enable", device)
    with server.sign_in(device) as client:
        assert hears_itself(client, device, "data are kept")


def test_delete(server, device):
    client = server.sign_in(device, "ws")
    client.subscribe(device.topic("user/echo"))
    server.device_command("delete", device)
    assert client.wait_closed() == []
    refused = server.client()
    assert refused.connect(*device.credentials())[1] == 4
    assert server.device_command("show", device, check=False).status == 1
    again = server.create_device(device.device_name, device.device_secret)
    with server.sign_in(again) as client:
        client.publish(again.topic("user/echo"), "a new device", qos=1)
        client.expect_silence()


def test_kick(server, device):
    client = server.sign_in(device)
    server.device_command("kick", device)
    assert client.wait_closed() == []
    server.sign_in(device).close()


def test_kick_of_a_device_that_is_offline(server, device):
    found = server.device_command("kick", device, check=False)
    assert found.status == 1 and found.err.strip()


def test_new_secret_counts_at_once(server, device):
    server.sign_in(device).close()
    server.device_command("update", device, "--device-secret", "0" * 32)
    old = server.client()
    assert old.connect(*device.credentials())[1] == 4
    device.device_secret = "0" * 32
    server.sign_in(device).close()


def test_new_topic_class_of_a_running_server(server, device):
    """Topic classes are replaced by an update; devices that sign in afterwards have the new rights."""
    server.create_product("a1ClassTst1", classes=("user/first:all",))
    other = server.create_device("classdev", product_key="a1ClassTst1")
    with server.sign_in(other) as client:
        assert client.subscribe(other.topic("user/first"), other.topic("user/second")) == [1, 0x80]
    server.cli("product", "update", "--product-key", "a1ClassTst1", "--topic-class", "user/first:all", "--topic-class",
               "user/second:all")
    with server.sign_in(other) as client:
        assert client.subscribe(other.topic("user/first"), other.topic("user/second")) == [1, 1]


def test_narrower_topic_classes_end_subscriptions(server):
    """Of devices that are connected and of those that are away: what is not permitted any more reaches nobody."""
    server.create_product("a1Narrow001", classes=("user/first:all", "user/second:all"))
    here, away = (server.create_device(name, product_key="a1Narrow001") for name in ("here", "away"))
    client = server.sign_in(here)
    for device, own in ((here, client), (away, server.sign_in(away, clean=False))):
        assert own.subscribe(device.topic("user/first"), device.topic("user/second")) == [1, 1]
        if device is away:
            own.close()
    server.cli("product", "update", "--product-key", "a1Narrow001", "--remove-topic-class", "user/second")
    deadline = time.monotonic() + 5
    while client.subscribe(here.topic("user/second")) == [1]:
        assert time.monotonic() < deadline
    for device in (here, away):
        server.operator_publish(device.topic("user/second"), "no", qos=1)
        server.operator_publish(device.topic("user/first"), "yes", qos=1)
    with server.sign_in(away, clean=False) as returned:
        for one in (client, returned):
            assert one.expect_publish().payload == b"yes"
            one.ping()
    client.close()


def test_device_made_while_running_signs_in_at_once(server):
    for transport in ("tcp", "wss"):
        made = server.create_device(f"fresh-{transport}")
        server.sign_in(made, transport).close()


def test_unknown_device_is_not_remembered_as_unknown(server):
    """Refused before it exists, accepted right after it was created."""
    from harness import PRODUCT_KEY, Device

    coming = Device(PRODUCT_KEY, "coming001", "5" * 32)
    for _ in range(3):
        early = server.client()
        assert early.connect(*coming.credentials())[1] == 4
        early.close()
    server.create_device(coming.device_name, coming.device_secret)
    server.sign_in(coming).close()


def test_closed_connection_raises_closed(server, device):
    """The client of these tests notices the end that the others rely on."""
    client = server.sign_in(device)
    client.disconnect()
    with pytest.raises(Closed):
        client.receive()
