"""MQTT 3.1 (protocol name MQIsdp, level 3): what differs from 3.1.1, and that the rest works."""

import pytest

from lab import ACCOUNT, PASSWORD, ack, connack
from rawclient import connect_packet, publish_packet, subscribe_packet


def test_connect_is_accepted(lab):
    client = lab.open()
    client.send(connect_packet(lab.client_id(), level=3))
    client.expect_raw(b"\x20\x02\x00\x00")
    client.expect_still_open()
    client.leave()


def test_sign_in_with_an_account(lab):
    lab.connect(level=3, username=ACCOUNT, password=PASSWORD).leave()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_between_3_1_and_3_1_1(lab, qos):
    old, new = lab.connect("o", level=3), lab.connect("n", level=4)
    topic = lab.topic("a")
    assert old.subscribe((topic, 2)) == [2]
    assert new.subscribe((topic, 2)) == [2]
    old.publish_fully(topic, "from old", qos)
    old.take_message(topic, "from old", qos)
    new.take_message(topic, "from old", qos)
    new.publish_fully(topic, "from new", qos)
    old.take_message(topic, "from new", qos)
    new.take_message(topic, "from new", qos)
    old.unsubscribe(topic)
    old.expect_still_open()
    new.expect_still_open()


def test_a_session_is_continued_without_session_present(lab):
    """3.1 has no session present; the byte is reserved. In 3.1.1 the same session shows it."""
    topic = lab.topic("a")
    client = lab.connect(level=3, clean=False)
    client.subscribe((topic, 1))
    client.leave()
    lab.connect("p").publish_fully(topic, "waited", 1)
    client = lab.connect(level=3, clean=False, session_present=0)
    number = client.expect_message(topic, "waited", 1).packet_id
    client.drop()
    client = lab.connect(level=4, clean=False, session_present=1)
    client.take_message(topic, "waited", 1, dup=True, packet_id=number)
    client.expect_still_open()
    client.leave()
    lab.forget()


def test_an_empty_client_id_is_answered_with_2(lab):
    for clean in (True, False):
        client = lab.open()
        client.send(connect_packet("", level=3, clean=clean))
        client.expect_raw(connack(code=2))
        client.expect_closed()


def test_repetitions_carry_dup(lab):
    """3.1 sends SUBSCRIBE, UNSUBSCRIBE and PUBREL again with DUP, which 3.1.1 forbids."""
    client = lab.connect(level=3)
    topic = lab.topic("a")
    for first_byte in (0x82, 0x8A):
        client.send(subscribe_packet(1, [(topic, 2)], first_byte))
        client.expect_raw(b"\x90\x03\x00\x01\x02")
    client.send(publish_packet(topic, "m", 2, 7))
    client.expect_raw(ack(0x50, 7))
    client.send(publish_packet(topic, "m", 2, 7, dup=True))
    assert client.expect(5).raw == ack(0x50, 7)
    client.send(ack(0x6A, 7))
    assert client.expect(7).raw == ack(0x70, 7)
    client.take_message(topic, "m", 2)
    client.send(b"\xaa" + bytes([4 + len(topic)]) + b"\x00\x08\x00" + bytes([len(topic)]) + topic.encode())
    client.expect_raw(ack(0xB0, 8))
    client.expect_still_open()


def test_will_and_retain(lab):
    watcher = lab.connect("w", level=3)
    topic = lab.topic("will")
    watcher.subscribe((topic, 1))
    client = lab.connect("c", level=3, will=(topic, b"gone", 1, True))
    client.close()
    watcher.take_message(topic, "gone", 1)
    late = lab.connect("l", level=3)
    late.subscribe((topic, 1))
    late.take_message(topic, "gone", 1, retain=True)
    late.publish_fully(topic, "", 1, retain=True)


@pytest.mark.parametrize("data", [b"\x00\x00", b"\x20\x02\x00\x00", b"\x36\x05\x00\x01a\x00\x01", b"\x30\x03\x00\x01#",
                                  b"\x82\x06\x00\x01\x00\x01a\x03", b"\x82\x02\x00\x01"],
                         ids=["type 0", "CONNACK", "QoS 3", "wildcard in topic", "subscribe QoS 3", "no filter"])
def test_violations_close(lab, data):
    client = lab.connect(level=3)
    client.send(data)
    client.expect_closed()
