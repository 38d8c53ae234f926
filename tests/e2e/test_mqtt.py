"""MQTT as devices use it: publish and subscribe, permissions, limits, keep alive, broken packets.

connection.md 5 to 7 and 13.
"""

import struct
import time

import pytest

from harness import together
from rawclient import (CONNACK, PINGREQ_PACKET, PINGRESP, PUBACK, PUBLISH, SUBACK, UNSUBACK, Closed, connect_packet,
                       packet, puback_packet, publish_packet, remaining_length, subscribe_packet, text,
                       unsubscribe_packet)

KIB = 1024
REFUSED = 0x80


@pytest.fixture
def client(server, device):
    found = server.sign_in(device)
    found.device = device
    found.echo = device.topic("user/echo")
    yield found
    found.close()


# ---- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("asked", [0, 1, 2])
def test_delivery_has_the_quality_of_the_publisher(client, asked, qos):
    """The granted value is min(asked, 1); messages come as they were published (connection.md 6.1)."""
    assert client.subscribe((client.echo, asked)) == [min(asked, 1)]
    client.publish(client.echo, b"\x00payload\xff", qos=qos)
    got = client.expect_publish()
    assert (got.topic, got.payload) == (client.echo, b"\x00payload\xff")
    assert (got.qos, got.retain, got.dup) == (qos, False, False)
    if qos:
        assert got.packet_id != 0
        client.puback(got)
    client.expect_silence()


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)) * 4])
def test_payloads(client, payload):
    client.subscribe(client.echo)
    client.publish(client.echo, payload, qos=1)
    assert client.expect_publish().payload == payload


def test_operator_reaches_a_device_and_hears_it(server, client):
    down, up = client.device.topic("user/down"), client.device.topic("user/up")
    assert client.subscribe(down) == [1]
    server.operator_publish(down, "hello device", qos=1)
    got = client.expect_publish()
    assert (got.topic, got.payload, got.qos) == (down, b"hello device", 1)
    client.puback(got)
    server.operator_publish(down, "again", qos=0)
    assert client.expect_publish().qos == 0
    listener = server.operator(client.device.topic("user/#"))
    client.publish(up, "hello operator", qos=1)
    client.publish(up, "bye", qos=0)
    assert [listener.next(), listener.next()] == [(up, "hello operator"), (up, "bye")]
    listener.end()


def test_devices_do_not_hear_each_other(server, client):
    other = server.device()
    with server.sign_in(other) as second:
        assert second.subscribe(client.echo) == [REFUSED]
        second.subscribe(other.topic("user/echo"))
        client.publish(client.echo, "mine", qos=1)
        second.publish(client.echo, "not yours", qos=1)
        second.expect_silence()
    client.subscribe(client.echo)
    client.expect_silence()


def test_order_is_kept(client):
    client.subscribe(client.echo)
    for i in range(60):
        client.publish(client.echo, b"%d" % i, qos=i % 2, wait=False)
    got = []
    while len(got) < 60:
        found = client.receive()
        if found.type == PUBLISH:
            got.append(int(found.payload))
            if found.qos:
                client.puback(found)
    assert got == list(range(60))


def test_one_delivery_for_overlapping_filters(client):
    client.subscribe(client.echo, client.device.topic("user/#"))
    client.publish(client.echo, "once", qos=1)
    client.puback(client.expect_publish())
    client.expect_silence()


def test_unsubscribe(client):
    client.subscribe(client.echo)
    client.unsubscribe(client.echo)
    client.publish(client.echo, "nobody", qos=1)
    client.expect_silence()
    client.unsubscribe(client.echo, "never/subscribed")


def test_unsubscribe_with_flags_zero(client):
    """C SDK 4.x sends A0 instead of A2 (connection.md 6.4)."""
    client.subscribe(client.echo)
    client.unsubscribe(client.echo, first_byte=0xA0)
    client.publish(client.echo, "nobody", qos=1)
    client.expect_silence()


def test_retain_is_cleared_and_nothing_kept(server, client):
    client.subscribe(client.echo)
    client.publish(client.echo, "keep me", qos=1, retain=True)
    got = client.expect_publish()
    assert (got.payload, got.retain) == (b"keep me", False)
    client.puback(got)
    client.unsubscribe(client.echo)
    client.subscribe(client.echo)
    client.expect_silence()


def test_will_is_accepted_and_never_published(server):
    device = server.device()
    listener = server.operator(device.topic("#"))
    with server.client() as client:
        assert client.connect(*device.credentials(), will=(device.topic("user/up"), "gone", 1, True))[1] == 0
        client.drop()
    server.wait_status(device, "OFFLINE")
    with server.sign_in(device) as client:
        client.publish(device.topic("user/up"), "marker", qos=1)
    assert listener.next() == (device.topic("user/up"), "marker")
    listener.end()


def test_packets_in_one_write_are_answered_in_order(server, device):
    """What follows CONNECT in the same write waits for it and is not lost (connection.md 17 row 33).

    SUBACK and UNSUBACK wait for the disk and may come after answers that need not (MQTT 3.1.1 section 4.6)."""
    topic = device.topic("user/echo")
    with server.client() as client:
        client.send(connect_packet(*device.credentials()) + subscribe_packet(7, [(topic, 1)])
                    + publish_packet(topic, "early", 1, 8) + unsubscribe_packet(9, [topic]) + PINGREQ_PACKET)
        order = [client.receive() for _ in range(6)]
    kinds = [p.type for p in order if p.type != PUBLISH]
    assert kinds[0] == CONNACK
    assert [k for k in kinds if k in (SUBACK, UNSUBACK)] == [SUBACK, UNSUBACK]
    assert sorted(kinds) == sorted([CONNACK, SUBACK, PUBACK, UNSUBACK, PINGRESP])
    assert [p.payload for p in order if p.type == PUBLISH] == [b"early"]


def test_version_31(server, device):
    with server.sign_in(device, level=3) as client:
        assert client.subscribe(device.topic("user/echo")) == [1]
        client.publish(device.topic("user/echo"), "three", qos=1)
        assert client.expect_publish().payload == b"three"


# ---- at least once ---------------------------------------------------------------------------------------------------


def test_unacknowledged_message_comes_again_with_dup(server, device):
    client = server.sign_in(device, clean=False)
    client.subscribe(device.topic("user/echo"))
    for word in ("one", "two", "three"):
        client.publish(device.topic("user/echo"), word, qos=1)
    first = [client.expect_publish() for _ in range(3)]
    assert not any(p.dup for p in first)
    client.puback(first[1])
    client.ping()  # the acknowledgement has been read
    client.drop()
    with server.sign_in(device, clean=False) as again:
        assert again.session_present == 1
        got = [again.expect_publish() for _ in range(2)]
        assert [(p.payload, p.dup, p.packet_id) for p in got] == [
            (b"one", True, first[0].packet_id), (b"three", True, first[2].packet_id)]
        for p in got:
            again.puback(p)
        again.ping()
    with server.sign_in(device, clean=False) as again:
        again.expect_silence()


def test_clean_session_discards_unacknowledged_messages(server, device):
    client = server.sign_in(device, clean=False)
    client.subscribe(device.topic("user/echo"))
    client.publish(device.topic("user/echo"), "left", qos=1)
    client.expect_publish()
    client.drop()
    with server.sign_in(device, clean=True) as again:
        assert again.session_present == 0
        again.expect_silence()


def test_window_of_unacknowledged_messages(client):
    """100 are on their way at most; each acknowledgement lets the next one out, in order."""
    client.subscribe(client.echo)
    for i in range(150):
        client.publish(client.echo, b"%d" % i, qos=1, wait=False)
    got, acknowledged = [], 0
    while len(got) < 100 or acknowledged < 150:
        found = client.receive()
        got += [found] if found.type == PUBLISH else []
        acknowledged += found.type == PUBACK
    assert len(got) == 100
    numbers = [p.packet_id for p in got]
    assert len(set(numbers)) == 100 and 0 not in numbers
    client.ping()
    assert client.inbox == []
    for i in range(150):
        client.puback(got[i])
        if len(got) < 150:
            got.append(client.expect_publish())
    assert [int(p.payload) for p in got] == list(range(150))
    client.expect_silence()


def test_unknown_and_repeated_acknowledgements_are_harmless(client):
    client.subscribe(client.echo)
    client.publish(client.echo, "x", qos=1)
    got = client.expect_publish()
    client.puback(got)
    client.puback(got)
    client.send(puback_packet(4711))
    client.ping()


def test_repeated_publish_is_acknowledged_again(client):
    for dup in (False, True, True):
        client.publish(client.device.topic("user/up"), "same", qos=1, packet_id=5, dup=dup)


def test_packet_ids_up_to_the_last(client):
    for number in (1, 255, 256, 65535):
        client.publish(client.device.topic("user/up"), "x", qos=1, packet_id=number)


# ---- permissions -----------------------------------------------------------------------------------------------------

FILTERS = [  # filter after {me} = pk/dn, other = another device; whether it is granted (connection.md 13)
    ("/{me}/user/echo", True), ("/{me}/user/down", True), ("/{me}/user/get", True), ("/{me}/user/#", True),
    ("/{me}/user/many/a/b", True), ("/{me}/user/many/#", True), ("/{me}/user/door/error", True),
    ("/{me}/user/+/error", True),
    ("/sys/{me}/thing/event/property/post_reply", True), ("/sys/{me}/thing/event/+/post_reply", True),
    ("/sys/{me}/thing/event/#", True), ("/sys/{me}/thing/#", True), ("/sys/{me}/_thing/event/notify", True),
    ("/sys/{me}/rrpc/request/+", True), ("/sys/{me}/app/down", True), ("/sys/{me}/broadcast/request/+", True),
    ("/shadow/get/{me}", True), ("/ota/device/upgrade/{me}", True), ("/ota/device/request/{me}", True),
    ("/ext/session/{me}/combine/login_reply", True), ("/ext/ntp/{me}/response", True), ("/ext/error/{me}", True),
    ("/ext/notify", True), ("/broadcast/{pk}/all", True), ("/broadcast/{pk}/#", True),
    ("/{me}/user/up", False), ("/{me}/user/unknown", False),
    ("#", False), ("/#", False), ("+/+/user/echo", False), ("/+/+/user/echo", False), ("/{pk}/#", False),
    ("/{pk}/+/user/echo", False), ("/sys/#", False), ("/sys/{pk}/+/thing/#", False), ("/{pk}/{other}/user/echo", False),
    ("/sys/{pk}/{other}/thing/service/property/set", False), ("/broadcast/other/all", False), ("/broadcast/#", False),
    ("/as/mqtt/status/{me}", False), ("/as/#", False), ("$SYS/#", False), ("/shadow/get/{pk}/{other}", False),
    ("/ext/rrpc/+/x", False), ("{me}/user/echo", False), ("/{pk}/{dn}x/user/echo", False),
    ("/{pk}/{DN}/user/echo", False)]


def fill(pattern, device, other):
    me = f"{device.product_key}/{device.device_name}"
    return pattern.format(me=me, pk=device.product_key, dn=device.device_name, DN=device.device_name.upper(),
                          other=other.device_name)


def test_which_filters_are_granted(server, client):
    other = server.device()
    for pattern, granted in FILTERS:
        found = client.subscribe(fill(pattern, client.device, other))
        assert found == [1 if granted else REFUSED], pattern
    client.ping()


def test_refused_filters_do_not_take_the_others_with_them(client):
    assert client.subscribe("#", client.echo, "/sys/#", client.device.topic("user/down")) == [REFUSED, 1, REFUSED, 1]
    client.publish(client.echo, "works", qos=1)
    assert client.expect_publish().payload == b"works"


def test_rrpc_on_custom_topics_needs_the_announcement(server):
    device = server.device()
    topic = f"/ext/rrpc/+{device.topic('user/echo')}"
    with server.sign_in(device) as client:
        assert client.subscribe(topic) == [REFUSED]
    with server.sign_in(device, extra=",ext=1") as client:
        assert client.subscribe(topic) == [1]


PUBLISHES = [
    ("/{me}/user/up", True), ("/{me}/user/echo", True), ("/{me}/user/update", True), ("/{me}/user/update/error", True),
    ("/sys/{me}/thing/event/property/post", True), ("/sys/{me}/_thing/service/post", True),
    ("/sys/{me}/rrpc/response/123", True), ("/shadow/update/{me}", True), ("/ota/device/inform/{me}", True),
    ("/ota/device/progress/{me}", True), ("/ext/ntp/{me}/request", True), ("/sys/{me}/app/up", True),
    ("/{me}/user/down", False), ("/{me}/user/get", False), ("/{me}/user/unknown", False),
    ("/{pk}/{other}/user/up", False), ("/sys/{pk}/{other}/thing/event/property/post", False),
    ("/broadcast/{pk}/all", False), ("/ext/notify", False), ("/shadow/get/{me}", False),
    ("/ota/device/upgrade/{me}", False), ("/as/mqtt/status/{me}", False), ("anything", False),
    ("/ext/error/{me}", False), ("$SYS/x", False)]


def test_which_publishes_are_passed_on(server, client):
    """A refused publish gets its PUBACK, reaches nobody and leaves the connection alone."""
    other = server.device()
    listener = server.operator("#", "$SYS/#")
    for pattern, _ in PUBLISHES:
        client.publish(fill(pattern, client.device, other), pattern, qos=1)
    client.publish(client.device.topic("user/up"), "the end", qos=1)
    patterns = [pattern for pattern, _ in PUBLISHES]
    heard = []
    while (found := listener.next())[1] != "the end":
        if found[1] in patterns:
            heard.append(found[1])
    assert heard == [pattern for pattern, passed in PUBLISHES if passed]
    listener.end()


def test_refused_publish_is_logged(server, client):
    start = len(server.log())
    client.publish(client.device.topic("user/down"), "no", qos=1)
    client.ping()
    server.wait_log("9236", client.device.device_name, start=start)


def test_long_topics(client):
    room = 128 - len(client.device.topic("user/many/"))
    longest = client.device.topic("user/many/" + "x" * room)
    assert len(longest) == 128
    assert client.subscribe(longest, longest + "x") == [1, REFUSED]
    client.publish(longest + "x", "too long", qos=1)
    client.ping()


def test_deep_topics(client):
    seven = client.device.topic("user/many/5/6/7")
    assert seven.count("/") == 7
    assert client.subscribe(seven, seven + "/8") == [1, REFUSED]


def test_filters_in_one_subscribe(client):
    codes = client.subscribe(*[client.device.topic(f"user/many/{i}") for i in range(12)])
    assert codes == [1] * 8 + [REFUSED] * 4


def test_subscriptions_of_a_device(server):
    device = server.device()
    with server.sign_in(device) as client:
        codes = []
        for start in range(0, 104, 8):
            codes += client.subscribe(*[device.topic(f"user/many/{i}") for i in range(start, start + 8)])
        assert codes == [1] * 100 + [REFUSED] * 4
        assert client.subscribe(device.topic("user/many/5")) == [1], "subscribing again what is subscribed"
        client.unsubscribe(device.topic("user/many/5"))
        assert client.subscribe(device.topic("user/many/new"), device.topic("user/many/newer")) == [1, REFUSED]


# ---- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "ws", "wss"])
def test_payload_sizes(server, transport):
    """256 KiB arrive, up to 1 MiB is thrown away with its acknowledgement, more ends the connection."""
    device = server.device()
    client = server.sign_in(device, transport)
    client.subscribe(device.topic("user/echo"))
    client.publish(device.topic("user/echo"), b"a" * 256 * KIB, qos=1, timeout=15)
    got = client.expect_publish(15)
    assert got.payload == b"a" * 256 * KIB
    client.puback(got)
    for size in (256 * KIB + 1, 600 * KIB, 1024 * KIB):
        client.publish(device.topic("user/echo"), b"b" * size, qos=1, timeout=15)
    client.publish(device.topic("user/echo"), "still here", qos=1)
    assert client.expect_publish().payload == b"still here"
    try:
        client.publish(device.topic("user/echo"), b"c" * (1024 * KIB + 1), qos=1, wait=False)
    except Closed:
        pass
    assert client.wait_closed(10) == []


def test_declared_length_is_checked_before_the_payload(client):
    client.send(b"\x32" + remaining_length(256 * KIB * KIB - 1) + text(client.echo))
    client.wait_closed(3)


# ---- keep alive ------------------------------------------------------------------------------------------------------


def test_keep_alive(make_server):
    """Silence for one and a half times the interval ends the connection; only whole packets break the silence."""
    server = make_server({"auth.keep_alive_min_s": "1"}, devices=12)
    slack = server.slack

    def closed_after(transport, keep_busy, until):
        device = server.device()
        client = server.sign_in(device, transport, keep_alive=1)
        start = time.monotonic()
        try:
            while time.monotonic() - start < until:
                keep_busy(client)
                deadline = time.monotonic() + 0.25
                while time.monotonic() < deadline:
                    try:
                        client._more(deadline - time.monotonic())
                        client.ready.clear()
                    except AssertionError as silence_or_end:
                        if isinstance(silence_or_end, Closed):
                            raise
        except Closed:
            return time.monotonic() - start
        client.close()
        return None

    def nothing(_):
        return None

    def ping(client):
        client.send(PINGREQ_PACKET)

    def half_a_packet(client):
        if not hasattr(client, "begun"):
            client.begun = True
            client.send(b"\x30\x7f")
        else:
            client.send(b"\x00")

    def websocket_ping(client):
        client.ws.send_frame(9, b"still here")

    silent = 1.5 + 2 * slack
    results = together(
        lambda: closed_after("tcp", nothing, silent), lambda: closed_after("tls", nothing, silent),
        lambda: closed_after("ws", nothing, silent), lambda: closed_after("tcp", half_a_packet, silent),
        lambda: closed_after("ws", websocket_ping, silent), lambda: closed_after("tcp", ping, 3.5),
        lambda: closed_after("wss", ping, 3.5))
    for seconds in results[:5]:
        assert seconds is not None and 1.3 < seconds < silent, results
    assert results[5:] == [None, None], results
    server.wait_log("Keepalive timeout")


# ---- broken packets --------------------------------------------------------------------------------------------------

CONNECT_ERRORS = {
    "publish first": publish_packet("a", "b"),
    "connect flags": b"\x11\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
    "reserved flag": connect_packet("a", "b", "c", flags=0xC3),
    "empty body": packet(0x10),
    "cut after the name": packet(0x10, text("MQTT")),
    "cut after the flags": packet(0x10, text("MQTT") + b"\x04\xc2"),
    "cut in the client id": packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c\x00\x0aabc"),
    "user name missing": packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text("a")),
    "password missing": packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text("a") + text("b")),
    "bytes too many": packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text("a") + text("b") + text("c") + b"x"),
    "client id not utf-8": connect_packet(b"\xff\xfe", "a&b", "c"),
    "client id with zero": connect_packet(b"a\x00b", "a&b", "c"),
    "user name not utf-8": connect_packet("a", b"\xc0\x80&b", "c"),
    "user name with a surrogate": connect_packet("a", b"\xed\xa0\x80&b", "c"),
    "password without user name": connect_packet("a", None, "c"),
    "will qos without will": connect_packet("a", "b", "c", flags=0xCA),
    "will retain without will": connect_packet("a", "b", "c", flags=0xE2),
    "will qos 3": connect_packet("a", "b", "c", will=("t", "m", 3, False)),
    "length of five bytes": b"\x10\xff\xff\xff\xff\x7f",
    "length of 256 MiB": b"\x10\xff\xff\xff\x7f" + text("MQTT"),
}


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("name", CONNECT_ERRORS)
def test_broken_connect_closes_without_an_answer(server, name, transport):
    client = server.client(transport)
    client.send(CONNECT_ERRORS[name])
    assert client.wait_closed(3 * server.slack) == []
    client.close()


@pytest.mark.parametrize("protocol, level", [("MQTT", 3), ("MQTT", 6), ("MQTT", 0x84), ("MQIsdp", 4), ("MQXX", 4)])
def test_unknown_protocol_versions(server, device, protocol, level):
    client = server.client()
    client.send(connect_packet(*device.credentials(), name=protocol, level=level))
    assert client.receive().raw == b"\x20\x02\x00\x01"
    assert client.wait_closed() == []


def test_version_5_is_told_what_devices_may_do(server, device):
    """connection.md 8: announced, so that a client of the standard does not have to try."""
    client = server.client()
    client.send(connect_packet(*device.credentials(), level=5))
    answer = client.receive().raw
    assert answer[0] == 0x20 and answer[2:4] == b"\x00\x00"
    properties = answer[5:]
    assert b"\x24\x01" in properties, "Maximum QoS 1"
    assert b"\x25\x00" in properties, "no retained messages"
    assert b"\x2a\x00" in properties, "no shared subscriptions"
    assert b"\x21\x00\x64" in properties, "Receive Maximum 100"
    client.close()


@pytest.mark.parametrize("username, password", [(None, None), ("dev&pk", None)])
def test_missing_credentials(server, username, password):
    client = server.client()
    client.send(connect_packet("x|securemode=3|", username, password))
    assert client.receive().raw == b"\x20\x02\x00\x04"
    client.wait_closed()


def packets_that_end_a_connection(device):
    echo = device.topic("user/echo")
    return {
        "second connect": connect_packet(*device.credentials()),
        "connack": b"\x20\x02\x00\x00",
        "suback": b"\x90\x03\x00\x01\x00",
        "unsuback": b"\xb0\x02\x00\x01",
        "pingresp": b"\xd0\x00",
        "type 0": b"\x00\x00",
        "type 15": b"\xf0\x00",
        "qos 2 publish": publish_packet(echo, "x", 2, 1),
        "qos 3 publish": publish_packet(echo, "x", 3, 1),
        "packet id 0": publish_packet(echo, "x", 1, 0),
        "empty topic": publish_packet("", "x"),
        "topic with +": publish_packet(echo + "/+", "x"),
        "topic with #": publish_packet(device.topic("user/#"), "x", 1, 3),
        "topic not utf-8": publish_packet(b"/a/\xff", "x"),
        "topic with zero": publish_packet(b"/a/\x00b", "x"),
        "topic longer than the packet": packet(0x30, b"\x00\x50abc"),
        "publish without topic": packet(0x30),
        "publish without packet id": packet(0x32, text(echo) + b"\x01"),
        "subscribe flags": subscribe_packet(1, [(echo, 1)], 0x80),
        "subscribe flags 3": subscribe_packet(1, [(echo, 1)], 0x83),
        "subscribe packet id 0": subscribe_packet(0, [(echo, 1)]),
        "subscribe nothing": subscribe_packet(1, []),
        "subscribe qos 3": subscribe_packet(1, [(echo, 3)]),
        "subscribe reserved bits": subscribe_packet(1, [(echo, 0x81)]),
        "subscribe without qos": packet(0x82, b"\x00\x01" + text(echo)),
        "subscribe empty filter": subscribe_packet(1, [("", 1)]),
        "subscribe a#": subscribe_packet(1, [(device.topic("a#"), 1)]),
        "subscribe #/a": subscribe_packet(1, [(device.topic("#/a"), 1)]),
        "subscribe a+": subscribe_packet(1, [(device.topic("a+/b"), 1)]),
        "subscribe not utf-8": subscribe_packet(1, [(b"/\xff", 1)]),
        "unsubscribe nothing": unsubscribe_packet(1, []),
        "unsubscribe packet id 0": unsubscribe_packet(0, [echo]),
        "unsubscribe flags 1": unsubscribe_packet(1, [echo], 0xA1),
        "puback flags": b"\x42\x02\x00\x01",
        "puback too long": b"\x40\x03\x00\x01\x00",
        "puback too short": b"\x40\x01\x00",
        "puback packet id 0": b"\x40\x02\x00\x00",
        "pingreq flags": b"\xc1\x00",
        "pingreq with body": b"\xc0\x01\x00",
        "disconnect flags": b"\xe1\x00",
        "disconnect with body": b"\xe0\x01\x00",
        "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
        "long subscribe": b"\x82" + remaining_length(300_000) + struct.pack(">H", 1),
    }


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_broken_packets_close(server, transport):
    device = server.device()
    wrong = {}
    for name, data in packets_that_end_a_connection(device).items():
        with server.sign_in(device, transport) as client:
            client.send(data)
            try:
                late = client.wait_closed(3 * server.slack)
            except AssertionError as error:
                wrong[name] = str(error)
                continue
            if late:
                wrong[name] = late
    assert wrong == {}
    server.sign_in(device, transport).close()


def test_every_short_packet(server):
    """All first bytes with small bodies, before and after the sign-in: any answer will do while the server lives."""
    device = server.device()
    bodies = [b"", b"\x00", b"\x00\x01", b"\x00\x01a", b"\x00\x01a\x01", b"\xff\xff", b"\x00\x00\x00\x00\x00"]
    for first in range(256):
        client = server.sign_in(device) if first % 2 else server.client()
        try:
            for body in bodies:
                client.send(packet(first, body))
        except Closed:
            pass
        client.close()
    server.sign_in(device).close()
    assert server.alive()
