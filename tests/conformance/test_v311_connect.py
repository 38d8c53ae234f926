"""CONNECT and CONNACK: chapters 3.1 and 3.2, without wills (test_v311_will) and sessions (test_v311_session)."""

import string
import struct
import time

import pytest

from lab import ACCOUNT, NARROW_ACCOUNT, NARROW_PASSWORD, PASSWORD, connack, statement
from rawclient import connect_packet, packet, publish_packet, subscribe_packet, text


def connect_with(payload, flags=0x02, level=4, name="MQTT", keep_alive=0):
    """A CONNECT with any flags and payload."""
    return packet(0x10, text(name) + bytes([level, flags]) + struct.pack(">H", keep_alive) + payload)


def closes_without_answer(lab, data):
    client = lab.open()
    client.send(data)
    client.expect_closed()


@statement("MQTT-3.1.4-4", "MQTT-3.2.0-1", "MQTT-3.2.2-1", "MQTT-3.2.2-3", "MQTT-7.0.0-2", "MQTT-7.1.1-1")
@pytest.mark.parametrize("clean", [True, False])
def test_connect_is_accepted(lab, clean):
    client = lab.open()
    client.send(connect_packet(lab.client_id(), clean=clean))
    client.expect_raw(b"\x20\x02\x00\x00")
    client.expect_still_open()
    client.leave()
    if not clean:
        lab.connect().leave()


@statement("MQTT-3.1.0-1")
@pytest.mark.parametrize("data", [b"\xc0\x00", b"\xe0\x00", publish_packet("a", "m"), publish_packet("a", "m", 1, 1),
                                  subscribe_packet(1, [("a", 0)]), b"\x40\x02\x00\x01", b"\x20\x02\x00\x00"],
                         ids=["PINGREQ", "DISCONNECT", "PUBLISH", "PUBLISH 1", "SUBSCRIBE", "PUBACK", "CONNACK"])
def test_another_first_packet_closes(lab, data):
    client = lab.open()
    client.send(data + connect_packet(lab.client_id()))
    client.expect_closed()


@statement("MQTT-3.1.0-2")
@pytest.mark.parametrize("clean", [True, False])
def test_a_second_connect_closes(lab, clean):
    client = lab.connect("a")
    client.send(connect_packet(lab.client_id("a"), clean=clean))
    client.expect_closed()
    other = lab.connect("b")
    other.send(connect_packet(lab.client_id("c"), clean=clean))
    other.expect_closed()


# ---- protocol name, level and flags ----------------------------------------------------------------------------------


@statement("MQTT-3.1.2-1", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
@pytest.mark.parametrize("name", ["MQTTX", "mqtt", "MQIsd", "MQISDP", "XMPP", "", "M" * 200],
                         ids=["longer", "lower case", "shorter", "upper case", "other", "empty", "long"])
def test_an_unknown_protocol_name_is_answered_with_1(lab, name):
    client = lab.open()
    client.send(connect_packet(lab.client_id(), name=name))
    client.expect_raw(connack(code=1))
    client.expect_closed()


@statement("MQTT-3.1.2-2", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
@pytest.mark.parametrize("name, level", [("MQTT", 0), ("MQTT", 1), ("MQTT", 2), ("MQTT", 3), ("MQTT", 6), ("MQTT", 127),
                                         ("MQTT", 132), ("MQTT", 255), ("MQIsdp", 4), ("MQIsdp", 5)])
def test_an_unsupported_level_is_answered_with_1(lab, name, level):
    client = lab.open()
    client.send(connect_with(text(lab.client_id()), level=level, name=name))
    client.expect_raw(connack(code=1))
    client.expect_closed()


@statement("MQTT-3.1.2-3", "MQTT-3.2.2-6")
def test_the_reserved_connect_flag_closes(lab):
    for flags in (0x03, 0x01):
        closes_without_answer(lab, connect_with(text(lab.client_id()), flags))


@statement("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15", "MQTT-3.1.4-1")
@pytest.mark.parametrize("flags", [0x0A, 0x12, 0x1A, 0x22, 0x2A], ids=hex)
def test_will_qos_or_retain_without_will_closes(lab, flags):
    closes_without_answer(lab, connect_with(text(lab.client_id()), flags))


@statement("MQTT-3.1.2-11", "MQTT-3.1.4-1")
def test_a_will_without_will_flag_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(lab.topic("w")) + text("m"), 0x02))


@statement("MQTT-3.1.2-14", "MQTT-3.1.4-1")
@pytest.mark.parametrize("flags", [0x1E, 0x3E], ids=hex)
def test_will_qos_3_closes(lab, flags):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(lab.topic("w")) + text("m"), flags))


@statement("MQTT-3.1.2-9", "MQTT-3.1.4-1")
@pytest.mark.parametrize("will", [b"", text("w"), text("w") + b"\x00", b"\x00\x09w"])
def test_a_will_flag_without_whole_will_closes(lab, will):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + will, 0x06))


@statement("MQTT-3.1.2-22", "MQTT-3.1.4-1")
def test_a_password_flag_without_user_name_flag_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text("p"), 0x42))
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(ACCOUNT) + text(PASSWORD), 0x42))


@statement("MQTT-3.1.2-18", "MQTT-3.1.4-1")
def test_a_user_name_without_flag_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(ACCOUNT), 0x02))


@statement("MQTT-3.1.2-19", "MQTT-3.1.4-1")
def test_a_user_name_flag_without_user_name_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()), 0x82))
    closes_without_answer(lab, connect_with(text(lab.client_id()) + b"\x00", 0x82))


@statement("MQTT-3.1.2-20", "MQTT-3.1.4-1")
def test_a_password_without_flag_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(ACCOUNT) + text(PASSWORD), 0x82))


@statement("MQTT-3.1.2-21", "MQTT-3.1.4-1")
def test_a_password_flag_without_password_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(ACCOUNT), 0xC2))


@statement("MQTT-3.1.3-3", "MQTT-3.1.4-1")
@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x04abc"])
def test_a_connect_without_whole_client_id_closes(lab, payload):
    closes_without_answer(lab, connect_with(payload))


@statement("MQTT-3.1.4-1")
@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x04", b"\x00\x04MQTT", b"\x00\x04MQTT\x04",
                                  b"\x00\x04MQTT\x04\x02", b"\x00\x04MQTT\x04\x02\x00",
                                  b"\x00\x20MQTT\x04\x02\x00\x00\x00\x00"])
def test_a_connect_cut_short_closes(lab, body):
    closes_without_answer(lab, packet(0x10, body))


@statement("MQTT-3.1.4-1", "MQTT-3.2.2-6")
def test_a_connect_with_bytes_left_over_closes(lab):
    closes_without_answer(lab, connect_with(text(lab.client_id()) + b"\x00"))
    closes_without_answer(lab, connect_with(text(lab.client_id()) + text(ACCOUNT) + text(PASSWORD) + b"x", 0xC2))


# ---- payload ---------------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.3-1", "MQTT-3.1.2-9", "MQTT-3.1.2-19", "MQTT-3.1.2-21")
def test_the_fields_of_the_payload_in_their_order(lab):
    watcher = lab.connect("w")
    topic = lab.topic("will")
    assert watcher.subscribe((topic, 1)) == [1]
    client = lab.open()
    client.send(connect_with(text(lab.client_id("c")) + text(topic) + text("message") + text(ACCOUNT) + text(PASSWORD),
                             0xCE))
    client.expect_raw(connack())
    client.close()
    watcher.take_message(topic, "message", 1)
    # In another order they mean something else: here the password stands for the name, and the other way round.
    client = lab.open()
    client.send(connect_with(text(lab.client_id("c")) + text(PASSWORD) + text(ACCOUNT), 0xC2))
    assert client.receive().raw[:3] == b"\x20\x02\x00"
    client.expect_closed()


@statement("MQTT-3.2.2-4", "MQTT-3.2.2-5")
def test_a_wrong_password_is_answered_with_4(lab):
    for password in ("", PASSWORD + "x", PASSWORD.lower(), None, b"\x00\xff\x80"):
        client = lab.open()
        client.send(connect_packet(lab.client_id(), ACCOUNT, password))
        client.expect_raw(connack(code=4))
        client.expect_closed()


def test_accounts_sign_in_with_their_passwords(lab):
    for account, password in ((ACCOUNT, PASSWORD), (NARROW_ACCOUNT, NARROW_PASSWORD)):
        client = lab.open()
        client.send(connect_packet(lab.client_id(), account, password))
        client.expect_raw(connack())
        client.leave()


@statement("MQTT-3.1.3-5")
def test_client_ids_of_1_to_23_letters_and_digits(lab):
    letters = string.digits + string.ascii_lowercase + string.ascii_uppercase
    for size in range(1, 24):
        lab.connect(client_id=letters[:size]).leave()
    for begin in range(0, len(letters), 23):
        lab.connect(client_id=letters[begin:begin + 23]).leave()
        lab.connect(client_id=letters[begin]).leave()


@statement("MQTT-3.1.3-2")
@pytest.mark.parametrize("size", [24, 100, 1024, 65535])
def test_long_client_ids_are_told_apart(lab, size):
    first = (lab.client_id("l") + "x" * size)[:size - 1]
    one = lab.connect(client_id=first + "1", clean=False)
    one.subscribe((lab.topic("a"), 1))
    two = lab.connect(client_id=first + "2", clean=False)
    one.expect_still_open()
    one.leave()
    two.leave()
    lab.connect(client_id=first + "1", clean=False, session_present=1).leave()
    lab.connect(client_id=first + "1").leave()
    lab.connect(client_id=first + "2").leave()


@pytest.mark.parametrize("client_id", ["with blank", "a/b/+/#", "設備", "|%&$\"'<>", "."])
def test_any_text_is_a_client_id(lab, client_id):
    client = lab.connect(client_id=client_id + lab.client_id())
    client.expect_still_open()


@statement("MQTT-3.1.3-6")
def test_empty_client_ids_are_made_unique(lab):
    clients = [lab.connect(client_id="") for _ in range(3)]
    topic = lab.topic("a")
    assert clients[0].subscribe((topic, 1)) == [1]
    clients[1].publish_fully(topic, "m", 1)
    clients[0].take_message(topic, "m", 1)
    for client in clients:
        client.expect_still_open()


@statement("MQTT-3.1.3-7", "MQTT-3.1.3-8", "MQTT-3.1.3-9", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def test_an_empty_client_id_without_clean_session_is_answered_with_2(lab):
    client = lab.open()
    client.send(connect_packet("", clean=False))
    client.expect_raw(connack(code=2))
    client.expect_closed()


# ---- response --------------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.4-2")
@pytest.mark.parametrize("other", ["tcp", "ws"])
def test_the_same_client_id_closes_the_older_connection(lab, other):
    older = lab.connect("same")
    newer = lab.connect("same", transport=other)
    older.expect_closed()
    newer.expect_still_open()


@statement("MQTT-3.1.4-2")
def test_ten_connections_with_one_client_id_leave_the_last(lab):
    clients = [lab.connect("same", clean=False, session_present=int(index > 0)) for index in range(10)]
    for client in clients[:-1]:
        client.expect_closed()
    clients[-1].expect_still_open()
    lab.forget("same")


@statement("MQTT-3.1.4-5")
@pytest.mark.parametrize("refused", ["level", "client id", "malformed"])
def test_what_follows_a_refused_connect_is_not_processed(lab, refused):
    watcher = lab.connect("w")
    topic = lab.topic("a")
    watcher.subscribe((topic, 1))
    data, code = {"level": (connect_packet(lab.client_id("x"), level=6), 1),
                  "client id": (connect_packet("", clean=False), 2),
                  "malformed": (connect_packet(lab.client_id("x"), flags=0x03), None)}[refused]
    client = lab.open()
    client.send(data + publish_packet(topic, "wrong", 1, 1) + connect_packet(lab.client_id("x"))
                + publish_packet(topic, "wrong", 1, 1))
    if code:
        client.expect_raw(connack(code=code))
    client.expect_closed()
    watcher.publish_fully(topic, "right", 1)
    watcher.take_message(topic, "right", 1)
    watcher.expect_still_open()


@statement("MQTT-3.2.0-1")
def test_connack_comes_before_all_else(lab):
    """Packets sent behind CONNECT without waiting, and messages that waited in the session, are answered after it."""
    client = lab.connect(clean=False)
    topic = lab.topic("a")
    client.subscribe((topic, 1))
    client.leave()
    publisher = lab.connect("p")
    publisher.publish_fully(topic, "waited", 1)
    client = lab.open()
    client.send(connect_packet(lab.client_id(), clean=False) + b"\xc0\x00" + subscribe_packet(5, [(topic, 1)]))
    client.expect_raw(connack(session_present=1))
    found = [client.receive() for _ in range(3)]
    assert sorted(got.type for got in found) == [3, 9, 13]
    lab.forget()


# ---- keep alive ------------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-24")
def test_keep_alive(lab):
    """Four clients for the time of one: silent, dribbling, pinging, and without keep alive."""
    watcher = lab.connect("w")
    topic = lab.topic("will")
    watcher.subscribe((topic, 1))
    silent = lab.connect("s", keep_alive=1, will=(topic, b"silent", 1, False))
    began = time.monotonic()
    dribbling = lab.connect("d", keep_alive=1)
    pinging = lab.connect("p", keep_alive=1)
    free = lab.connect("f", keep_alive=0)
    dribble = iter(publish_packet(topic, "never whole" * 10))
    closed = []
    while len(closed) < 2 and time.monotonic() - began < 3 * lab.slack:
        for client in {silent, dribbling} - set(closed):
            if client is dribbling:
                try:
                    client.send(bytes([next(dribble)]))
                except AssertionError:
                    pass  # the close is seen below
            try:
                got = client.receive(0.1)
                raise RuntimeError(f"unexpected {got!r}")
            except AssertionError as end:
                if type(end).__name__ == "Closed":
                    took = time.monotonic() - began
                    assert took >= 1.45, f"closed after {took:.2f} s"
                    closed.append(client)
        pinging.expect_still_open()
    assert len(closed) == 2, "a client that sends no whole packet was not disconnected in time"
    watcher.take_message(topic, "silent", 1)
    pinging.expect_still_open()
    free.expect_still_open()


def test_any_packet_extends_the_keep_alive(lab):
    publishing, acknowledging = lab.connect("p", keep_alive=1), lab.connect("a", keep_alive=1)
    topic = lab.topic("a")
    acknowledging.subscribe((topic, 1))
    began = time.monotonic()
    while time.monotonic() - began < 2.2:
        publishing.publish_fully(topic, "m", 1)
        acknowledging.take_message(topic, "m", 1)
        time.sleep(0.4)
    publishing.expect_still_open()
    acknowledging.expect_still_open()


def test_the_longest_keep_alive_is_accepted(lab):
    client = lab.connect(keep_alive=65535)
    client.expect_still_open()
