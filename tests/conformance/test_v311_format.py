"""Text, fixed headers, lengths, packet ids: chapters 1.5, 2 and 4.8."""

import pytest

from lab import ack, connack, statement
from rawclient import connect_packet, packet, publish_packet, subscribe_packet, text, unsubscribe_packet

# Not UTF-8: a lone lead byte, a lone continuation, an overlong slash, surrogates, beyond U+10FFFF, a cut sequence.
BROKEN_TEXTS = (b"a\xc3(", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"a\xe2\x82")
NULL_TEXTS = (b"\x00", b"a\x00b", b"a\x00")

# Where a text stands: a function from (lab, text) to the bytes to send, and whether a CONNECT goes before them.
PLACES = {
    "client id": (False, lambda lab, bad: connect_packet(lab.client_id().encode() + bad)),
    "will topic": (False, lambda lab, bad: connect_packet(lab.client_id(), will=(bad, "x", 0, False))),
    "user name": (False, lambda lab, bad: connect_packet(lab.client_id(), bad, "x")),
    "topic": (True, lambda lab, bad: publish_packet(lab.topic("").encode() + bad, "x")),
    "topic QoS 1": (True, lambda lab, bad: publish_packet(lab.topic("").encode() + bad, "x", 1, 1)),
    "filter": (True, lambda lab, bad: subscribe_packet(1, [(lab.topic("").encode() + bad, 0)])),
    "second filter": (True, lambda lab, bad: subscribe_packet(1, [(lab.topic("a"), 0), (bad, 0)])),
    "ended filter": (True, lambda lab, bad: unsubscribe_packet(1, [lab.topic("").encode() + bad])),
}


def closes(lab, place, bad):
    after_connect, make = PLACES[place]
    client = lab.connect() if after_connect else lab.open()
    client.send(make(lab, bad))
    client.expect_closed()


@statement("MQTT-1.5.3-1", "MQTT-3.1.3-4", "MQTT-3.1.3-10", "MQTT-3.1.3-11", "MQTT-3.3.2-1", "MQTT-3.8.3-1",
           "MQTT-3.10.3-1")
@pytest.mark.parametrize("place", PLACES)
def test_text_that_is_not_utf8_closes(lab, place):
    for bad in BROKEN_TEXTS:
        closes(lab, place, bad)


@statement("MQTT-1.5.3-2", "MQTT-4.7.3-2")
@pytest.mark.parametrize("place", PLACES)
def test_text_with_a_null_character_closes(lab, place):
    for bad in NULL_TEXTS:
        closes(lab, place, bad)


@statement("MQTT-1.5.3-3", "MQTT-4.7.3-4")
def test_a_zero_width_no_break_space_is_a_character(lab):
    client = lab.connect()
    with_mark, without = "\ufeff" + lab.topic("a"), lab.topic("a")
    assert client.subscribe((with_mark, 0)) == [0]
    client.publish_fully(without, "wrong")
    client.publish_fully(with_mark, "right")
    client.expect_message(with_mark, "right")
    client.expect_still_open()


def test_a_zero_width_no_break_space_counts_in_the_client_id(lab):
    marked = b"\xef\xbb\xbf" + lab.client_id().encode()
    first = lab.connect(client_id=marked)
    lab.connect(client_id=lab.client_id())
    first.expect_still_open()


@pytest.mark.parametrize("word", ["ÄÖ ß", "設備/温度", "\U0001f321", " ", "~"])
def test_any_character_passes_unchanged(lab, word):
    client = lab.connect()
    topic = lab.topic(word)
    assert client.subscribe((topic, 0)) == [0]
    client.publish_fully(topic, word)
    client.expect_message(topic, word)


# ---- fixed header ----------------------------------------------------------------------------------------------------

# Every packet a client may send, with the flags it must have. PUBLISH has flags with a meaning; see test_v311_publish.
FLAGS = {
    "PUBACK": (0x40, b"\x00\x01"), "PUBREC": (0x50, b"\x00\x01"), "PUBREL": (0x62, b"\x00\x01"),
    "PUBCOMP": (0x70, b"\x00\x01"), "SUBSCRIBE": (0x82, b"\x00\x01\x00\x01a\x00"),
    "UNSUBSCRIBE": (0xA2, b"\x00\x01\x00\x01a"), "PINGREQ": (0xC0, b""), "DISCONNECT": (0xE0, b""),
}


@statement("MQTT-2.2.2-1", "MQTT-2.2.2-2", "MQTT-3.6.1-1", "MQTT-3.8.1-1", "MQTT-3.10.1-1", "MQTT-3.14.1-1",
           "MQTT-4.8.0-1")
@pytest.mark.parametrize("name", FLAGS)
def test_wrong_flags_close(lab, name):
    first_byte, body = FLAGS[name]
    for flags in set(range(16)) - {first_byte & 15}:
        client = lab.connect()
        client.send(packet(first_byte & 0xF0 | flags, body))
        client.expect_closed()


@statement("MQTT-2.2.2-2")
def test_connect_with_flags_closes(lab):
    for flags in range(1, 16):
        client = lab.open()
        client.send(bytes([0x10 | flags]) + connect_packet(lab.client_id())[1:])
        client.expect_closed()


@statement("MQTT-2.2.2-1")
def test_packets_of_the_server_have_their_flags(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.send(subscribe_packet(1, [(topic, 2)]))
    client.expect_raw(b"\x90\x03\x00\x01\x02")
    client.send(publish_packet(topic, "m", 2, 2))
    client.expect_raw(ack(0x50, 2))
    client.send(ack(0x62, 2))
    got = [client.receive(), client.receive()]
    got.sort(key=lambda found: found.type)
    assert got[0].raw == publish_packet(topic, "m", 2, got[0].packet_id) and got[1].raw == ack(0x70, 2)
    client.send(ack(0x50, got[0].packet_id))
    client.expect_raw(ack(0x62, got[0].packet_id))
    client.send(ack(0x70, got[0].packet_id) + unsubscribe_packet(3, [topic]))
    client.expect_raw(ack(0xB0, 3))
    client.expect_still_open()


@statement("MQTT-4.8.0-1")
@pytest.mark.parametrize("first_byte", [0x00, 0xF0, 0x20, 0x90, 0xB0, 0xD0], ids=hex)
def test_packet_types_that_no_client_sends_close(lab, first_byte):
    for body in (b"", b"\x00\x01", b"\x00\x01\x00"):
        client = lab.connect()
        client.send(packet(first_byte, body))
        client.expect_closed()


@statement("MQTT-4.8.0-1")
@pytest.mark.parametrize("kind", [0x10, 0x30, 0x40, 0x82, 0xC0], ids=hex)
def test_a_remaining_length_of_five_bytes_closes(lab, kind):
    client = lab.connect()
    client.send(bytes([kind]) + b"\xff\xff\xff\xff\x7f")
    client.expect_closed()


# Lengths that do not fit what they enclose.
MISFITS = {
    "SUBSCRIBE without packet id": b"\x82\x00",
    "SUBSCRIBE with half a packet id": b"\x82\x01\x00",
    "SUBSCRIBE with half a length": b"\x82\x03\x00\x01\x00",
    "SUBSCRIBE with a filter cut short": b"\x82\x06\x00\x01\x00\x05ab",
    "SUBSCRIBE without QoS": b"\x82\x05\x00\x01\x00\x01a",
    "SUBSCRIBE with bytes left over": b"\x82\x07\x00\x01\x00\x01a\x00\x00",
    "UNSUBSCRIBE without packet id": b"\xa2\x00",
    "UNSUBSCRIBE with a filter cut short": b"\xa2\x06\x00\x01\x00\x05ab",
    "UNSUBSCRIBE with bytes left over": b"\xa2\x06\x00\x01\x00\x01a\x00",
    "PUBLISH without topic": b"\x30\x00",
    "PUBLISH with half a length": b"\x30\x01\x00",
    "PUBLISH with a topic cut short": b"\x30\x04\x00\x05ab",
    "PUBLISH QoS 1 without packet id": b"\x32\x03\x00\x01a",
    "PUBLISH QoS 1 with half a packet id": b"\x32\x04\x00\x01a\x00",
    "PUBLISH QoS 2 without packet id": b"\x34\x03\x00\x01a",
    "PUBACK without packet id": b"\x40\x00",
    "PUBACK with half a packet id": b"\x40\x01\x00",
    "PUBACK with bytes left over": b"\x40\x03\x00\x01\x00",
    "PUBREC with half a packet id": b"\x50\x01\x00",
    "PUBREC with bytes left over": b"\x50\x03\x00\x01\x00",
    "PUBREL with half a packet id": b"\x62\x01\x00",
    "PUBREL with bytes left over": b"\x62\x03\x00\x01\x00",
    "PUBCOMP with half a packet id": b"\x70\x01\x00",
    "PUBCOMP with bytes left over": b"\x70\x03\x00\x01\x00",
    "PINGREQ with a body": b"\xc0\x01\x00",
    "DISCONNECT with a body": b"\xe0\x01\x00",
}


@statement("MQTT-4.8.0-1", "MQTT-3.3.2-1", "MQTT-3.10.3-1")
@pytest.mark.parametrize("name", MISFITS)
def test_lengths_that_do_not_fit_close(lab, name):
    client = lab.connect()
    client.send(MISFITS[name])
    client.expect_closed()


def test_a_violation_closes_only_its_own_connection(lab):
    bystander, bad = lab.connect("a"), lab.connect("b")
    topic = lab.topic("a")
    bystander.subscribe((topic, 1))
    bad.send(b"\x00\x00")
    bad.expect_closed()
    bystander.publish_fully(topic, "m", 1)
    bystander.take_message(topic, "m", 1)
    bystander.expect_still_open()


def test_packets_cut_into_single_bytes_are_put_together(lab):
    client = lab.open()
    topic = lab.topic("a")
    stream = connect_packet(lab.client_id()) + subscribe_packet(7, [(topic, 0)]) + publish_packet(topic, "m" * 130)
    for at in range(len(stream)):
        client.send(stream[at:at + 1])
    client.expect_raw(connack())
    client.expect_raw(b"\x90\x03\x00\x07\x00")
    client.expect_message(topic, "m" * 130)
    client.expect_still_open()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16383, 16384, 65535, 65536, 2097151, 2097152])
def test_every_size_of_remaining_length(lab, size):
    client = lab.connect()
    topic = lab.topic("size")
    client.subscribe((topic, 1))
    payload = bytes(index * 7 & 0xFF for index in range(256)) * (size // 256 + 1)
    length = max(size - 4 - len(topic), 0)  # so that the remaining length is `size`
    client.publish_fully(topic, payload[:length], 1)
    client.take_message(topic, payload[:length], 1)
    client.expect_still_open()


# ---- packet ids ------------------------------------------------------------------------------------------------------


@statement("MQTT-2.3.1-1")
@pytest.mark.parametrize("data", [publish_packet("a", "m", 1, 0), publish_packet("a", "m", 2, 0),
                                  subscribe_packet(0, [("a", 0)]), unsubscribe_packet(0, ["a"])],
                         ids=["PUBLISH 1", "PUBLISH 2", "SUBSCRIBE", "UNSUBSCRIBE"])
def test_packet_id_zero_closes(lab, data):
    client = lab.connect()
    client.send(data)
    client.expect_closed()


@statement("MQTT-2.3.1-6", "MQTT-2.3.1-7", "MQTT-3.8.4-2", "MQTT-3.10.4-4")
@pytest.mark.parametrize("number", [1, 2, 255, 256, 32768, 65535])
def test_answers_carry_the_packet_id(lab, number):
    client = lab.connect()
    topic = lab.topic("a")
    client.send(subscribe_packet(number, [(topic, 1)]))
    client.expect_raw(b"\x90\x03" + number.to_bytes(2, "big") + b"\x01")
    client.send(unsubscribe_packet(number, [topic]))
    client.expect_raw(ack(0xB0, number))
    client.send(publish_packet(topic, "m", 1, number))
    client.expect_raw(ack(0x40, number))
    client.send(publish_packet(topic, "m", 2, number))
    client.expect_raw(ack(0x50, number))
    client.send(ack(0x62, number))
    client.expect_raw(ack(0x70, number))
    client.expect_still_open()


@statement("MQTT-2.3.1-3")
def test_a_packet_id_is_free_after_the_last_acknowledgement(lab):
    client = lab.connect()
    topic = lab.topic("a")
    assert client.subscribe((topic, 0)) == [0]
    for round_ in range(3):
        client.send(publish_packet(topic, f"one {round_}", 1, 9))
        assert sorted([client.receive().raw, client.receive().raw]) == sorted(
            [ack(0x40, 9), publish_packet(topic, f"one {round_}")])
        client.send(publish_packet(topic, f"two {round_}", 2, 9))
        assert client.expect(5).raw == ack(0x50, 9)
        client.send(ack(0x62, 9))
        assert client.expect(7).raw == ack(0x70, 9)
        client.expect_message(topic, f"two {round_}")
    client.expect_still_open()


@statement("MQTT-2.3.1-5", "MQTT-4.3.1-1", "MQTT-3.3.1-2")
def test_qos_0_has_no_packet_id(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.subscribe((topic, 2))
    client.publish_fully(topic, b"\x00\x01 payload, no packet id")
    client.expect_message(topic, b"\x00\x01 payload, no packet id")
    client.expect_still_open()


@statement("MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_unacknowledged_messages_of_the_server_have_different_packet_ids(lab, qos):
    subscriber, publisher = lab.connect("s"), lab.connect("p")
    topic = lab.topic("a")
    assert subscriber.subscribe((topic, qos)) == [qos]
    for index in range(10):
        publisher.publish_fully(topic, str(index), qos)
    found = [subscriber.expect_message(topic, str(index), qos).packet_id for index in range(10)]
    assert len(set(found)) == 10
    # Acknowledging some frees theirs and touches no other.
    for number in found[:5]:
        subscriber.send(ack(0x40 if qos == 1 else 0x50, number))
        if qos == 2:
            subscriber.expect_raw(ack(0x62, number))
            subscriber.send(ack(0x70, number))
    for index in range(5):
        publisher.publish_fully(topic, f"more {index}", qos)
    more = [subscriber.expect_message(topic, f"more {index}", qos).packet_id for index in range(5)]
    assert len(set(more + found[5:])) == 10


def test_packet_ids_of_both_directions_are_independent(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.subscribe((topic, 2))
    client.publish_fully(topic, "first", 1)
    got = client.expect_message(topic, "first", 1)
    # The id of the server's unacknowledged message serves for messages of the client meanwhile.
    client.send(publish_packet(lab.topic("b"), "x", 1, got.packet_id))
    client.expect_raw(ack(0x40, got.packet_id))
    client.send(publish_packet(lab.topic("b"), "x", 2, got.packet_id))
    client.expect_raw(ack(0x50, got.packet_id))
    client.send(ack(0x40, got.packet_id) + ack(0x62, got.packet_id))
    client.expect_raw(ack(0x70, got.packet_id))
    client.expect_still_open()


def test_texts_of_two_length_bytes_end_where_they_say(lab):
    """A will message and a topic whose lengths use both bytes."""
    client = lab.open()
    client.send(connect_packet(lab.client_id(), will=("w" * 256, b"m" * 257, 0, False)))
    client.expect_raw(connack())
    topic = lab.topic("t" * 300)
    assert client.subscribe((topic, 0)) == [0]
    client.send(packet(0x30, text(topic) + b"m"))
    client.expect_message(topic, "m")
    client.leave()
