"""Chapters 1 and 2: strings, integers, fixed header, packet identifiers, properties. Truncation of every packet."""

import struct

import pytest

import wire5 as w
from lab import statement
from rawclient import packet, remaining_length, text
from wire5 import prop, props

BAD_UTF8 = {
    "stray continuation": b"\xc3\x28", "surrogate": b"\xed\xa0\x80", "overlong": b"\xc0\xaf", "no character": b"\xff",
    "cut off": b"\xe2\x82", "beyond U+10FFFF": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
}
SURROGATE = BAD_UTF8["surrogate"]


def strings_of_connect(bad):
    """CONNECT packets with `bad` in each of their strings."""
    return {
        "client identifier": w.connect(bad),
        "will topic": w.connect("x", will=w.will(bad)),
        "user name": w.connect("x", username=bad, password=b"x"),
        "user property name": w.connect("x", properties=w.users((bad, "value"))),
        "user property value": w.connect("x", properties=w.users(("name", bad))),
        "authentication method": w.connect("x", properties=prop("authentication_method", bad)),
        "will content type": w.connect("x", will=w.will("t", properties=prop("content_type", bad))),
        "will response topic": w.connect("x", will=w.will("t", properties=prop("response_topic", bad))),
        "will user property": w.connect("x", will=w.will("t", properties=w.users((bad, "value")))),
    }


def strings_of_others(bad):
    """Packets of a connected client with `bad` in each of their strings."""
    return {
        "topic name": w.publish(bad),
        "response topic": w.publish("t", properties=prop("response_topic", bad)),
        "content type": w.publish("t", properties=prop("content_type", bad)),
        "PUBLISH user property name": w.publish("t", properties=w.users((bad, "value"))),
        "PUBLISH user property value": w.publish("t", properties=w.users(("name", bad))),
        "SUBSCRIBE filter": w.subscribe(1, [(bad, 0)]),
        "SUBSCRIBE user property": w.subscribe(1, [("t", 0)], w.users((bad, "value"))),
        "UNSUBSCRIBE filter": w.unsubscribe(1, [bad]),
        "UNSUBSCRIBE user property": w.unsubscribe(1, ["t"], w.users((bad, "value"))),
        "PUBACK reason string": w.ack(w.PUBACK, 1, 0, prop("reason_string", bad)),
        "PUBREL reason string": w.ack(w.PUBREL, 1, 0, prop("reason_string", bad)),
        "DISCONNECT reason string": w.disconnect(0, prop("reason_string", bad)),
        "DISCONNECT user property": w.disconnect(0, w.users(("name", bad))),
    }


# ---- 1.5 data representation -----------------------------------------------------------------------------------------


@statement("MQTT-1.5.4-1")
@pytest.mark.parametrize("kind", BAD_UTF8)
def test_every_form_of_broken_utf8_is_malformed(lab5, kind):
    lab5.after_connect(w.publish(b"t/" + BAD_UTF8[kind])).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-1.5.4-1")
@pytest.mark.parametrize("place", strings_of_others(b""))
def test_broken_utf8_in_any_string_is_malformed(lab5, place):
    lab5.after_connect(strings_of_others(SURROGATE)[place]).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-1.5.4-1")
@pytest.mark.parametrize("place", strings_of_connect(b""))
def test_broken_utf8_in_any_string_of_connect_is_malformed(lab5, place):
    lab5.raw(strings_of_connect(SURROGATE)[place]).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-1.5.4-2")
@pytest.mark.parametrize("place", strings_of_others(b""))
def test_the_null_character_in_any_string_is_malformed(lab5, place):
    lab5.after_connect(strings_of_others(b"a\0b")[place]).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-1.5.4-2")
@pytest.mark.parametrize("place", strings_of_connect(b""))
def test_the_null_character_in_any_string_of_connect_is_malformed(lab5, place):
    lab5.raw(strings_of_connect(b"a\0b")[place]).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-1.5.4-3")
def test_a_byte_order_mark_is_a_character(lab5):
    topic, marked = lab5.topic("bom"), lab5.topic("bom") + "\ufeff"
    client = lab5.connect().subscribed(marked)
    client.publish(topic, b"without")
    client.publish(marked, b"with", properties=prop("content_type", "\ufefftext") + w.users(("\ufeffa", "\ufeffb")))
    got = client.expect_message(marked, b"with")
    assert got.properties["content_type"] == "\ufefftext"
    assert got.user_properties() == [("\ufeffa", "\ufeffb")]


@statement("MQTT-1.5.5-1")
@pytest.mark.parametrize("size", [127, 128, 16383, 16384, 2_000_000])
def test_lengths_are_sent_in_the_fewest_bytes(lab5, size):
    """Remaining Length of the forwarded packet is exactly `size`; the decoder refuses longer encodings."""
    client = lab5.connect()
    topic = lab5.topic("size")
    client.subscribed(topic)
    data = w.publish(topic, b"x" * (size - len(topic) - 3))
    assert data[1:].startswith(remaining_length(size))
    client.send(data)
    client.expect_raw(data)


@statement("MQTT-1.5.5-1")
@pytest.mark.parametrize("data", [
    b"\xc0\x80\x00",
    packet(0x30, text("t") + b"\x80\x00"),
    packet(0x82, b"\0\1\3\x0b\x81\x00" + text("t") + b"\0"),
    packet(0x82, b"\0\1\x05\x0b\x81\x80\x80\x00" + text("t") + b"\0"),
], ids=["remaining length", "property length", "subscription identifier", "subscription identifier of four bytes"])
def test_an_integer_in_more_bytes_than_needed_is_malformed(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("data", [
    b"\x30\xff\xff\xff\xff\x01",
    packet(0x30, text("t") + b"\x80\x80\x80\x80\x01"),
    packet(0x82, b"\0\1\x06\x0b\x80\x80\x80\x80\x01" + text("t") + b"\0"),
], ids=["remaining length", "property length", "subscription identifier"])
def test_an_integer_of_five_bytes_is_malformed(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-1.5.7-1")
@pytest.mark.parametrize("pair", [(SURROGATE, "b"), ("a", SURROGATE), ("a\0", "b"), ("a", "b\0")])
def test_both_strings_of_a_pair_are_checked(lab5, pair):
    lab5.after_connect(w.publish("t", properties=w.users(("fine", "fine"), pair))).expect_disconnect(
        w.MALFORMED_PACKET)


# ---- 2.1 fixed header ------------------------------------------------------------------------------------------------

RESERVED_FLAGS = {
    "PUBACK": w.ack(w.PUBACK, 1), "PUBREC": w.ack(w.PUBREC, 1), "PUBREL": w.ack(w.PUBREL, 1),
    "PUBCOMP": w.ack(w.PUBCOMP, 1), "SUBSCRIBE": w.subscribe(1, [("t", 0)]), "UNSUBSCRIBE": w.unsubscribe(1, ["t"]),
    "PINGREQ": w.PINGREQ_PACKET, "DISCONNECT": w.disconnect(), "AUTH": w.auth(),
}


def with_flags(data, flags):
    return bytes([data[0] & 0xF0 | flags]) + data[1:]


@statement("MQTT-2.1.3-1")
@pytest.mark.parametrize("name", RESERVED_FLAGS)
def test_any_other_value_of_reserved_flags_is_malformed(lab5, name):
    data = RESERVED_FLAGS[name]
    for flags in {1, 2, 4, 8, 15, 0} - {data[0] & 0x0F}:
        lab5.after_connect(with_flags(data, flags)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-2.1.3-1")
def test_a_connect_with_flags_is_not_accepted(lab5):
    for flags in (1, 2, 4, 8, 15):
        client = lab5.raw(w.connect(lab5.client_id(), first_byte=0x10 | flags))
        late = client.wait_closed(client.wait_s)
        assert [(got.type, got.reason) for got in late] in ([], [(w.CONNACK, w.MALFORMED_PACKET)]), repr(late)


@statement("MQTT-4.13.1-1")
def test_the_reserved_packet_type_is_refused(lab5):
    lab5.after_connect(b"\x00\x00").expect_disconnect(w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("data", [
    packet(0x20, b"\0\0\0"), packet(0x90, b"\0\1\0\0"), packet(0xB0, b"\0\1\0\0"), packet(0xD0),
], ids=["CONNACK", "SUBACK", "UNSUBACK", "PINGRESP"])
def test_a_packet_that_only_servers_send_is_a_protocol_error(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("data", [
    packet(0xC0, b"\0"),
    packet(0x40, b"\0\1\0\0\0"),
    packet(0x62, b"\0\1\0\0\0"),
    packet(0x82, b"\0\1\0" + text("t") + b"\0\0"),
    packet(0xA2, b"\0\1\0" + text("t") + b"\0"),
    packet(0xE0, b"\0\0\0"),
], ids=["PINGREQ", "PUBACK", "PUBREL", "SUBSCRIBE", "UNSUBSCRIBE", "DISCONNECT"])
def test_bytes_after_the_end_of_a_packet_are_malformed(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.MALFORMED_PACKET)


# ---- 2.2.1 packet identifiers ----------------------------------------------------------------------------------------


@statement("MQTT-2.2.1-2")
def test_a_message_of_qos_0_has_no_packet_identifier(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=2)
    client.publish(topic, b"payload")
    client.expect_raw(packet(0x30, text(topic) + b"\0" + b"payload"))


@statement("MQTT-2.2.1-3")
@pytest.mark.parametrize("data", [
    w.publish("t", qos=1, packet_id=0), w.publish("t", qos=2, packet_id=0), w.subscribe(0, [("t", 0)]),
    w.unsubscribe(0, ["t"]),
], ids=["QoS 1", "QoS 2", "SUBSCRIBE", "UNSUBSCRIBE"])
def test_packet_identifier_0_is_refused(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-2.2.1-4")
def test_packet_identifiers_of_the_server_are_not_zero_and_not_in_use(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=2)
    for number in range(20):
        client.publish(topic, str(number), qos=1 + number % 2)
    used = set()
    for got in client.messages(20):
        assert got.packet_id and got.packet_id not in used
        used.add(got.packet_id)
    client.quiet()


@statement("MQTT-2.2.1-5")
@pytest.mark.parametrize("number", [1, 0x1234, 65535])
def test_acknowledgements_name_the_packet_they_answer(lab5, number):
    client, topic = lab5.connect(), lab5.topic("t")
    assert client.publish(topic, qos=1, packet_id=number).packet_id == number
    assert client.publish(topic, qos=2, packet_id=number).packet_id == number
    client.subscribed(topic, qos=2)
    client.publish(topic, qos=2)
    got = client.message()
    client.send(w.ack(w.PUBREC, got.packet_id))
    assert client.expect(w.PUBREL).packet_id == got.packet_id


@statement("MQTT-2.2.1-6")
@pytest.mark.parametrize("number", [1, 0x1234, 65535])
def test_suback_and_unsuback_name_the_packet_they_answer(lab5, number):
    client = lab5.connect()
    assert client.subscribe(lab5.topic("t"), packet_id=number).packet_id == number
    assert client.unsubscribe(lab5.topic("t"), packet_id=number).packet_id == number


# ---- 2.2.2 properties ------------------------------------------------------------------------------------------------


@statement("MQTT-2.2.2-1")
def test_no_properties_are_a_length_of_zero(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=1)
    client.publish(topic, b"payload", qos=1)
    got = client.message()
    assert got.raw == packet(0x32, text(topic) + struct.pack(">H", got.packet_id) + b"\0payload")


@statement("MQTT-2.2.2-1")
@pytest.mark.parametrize("data", [packet(0x30, text("t")), packet(0x32, text("t") + b"\0\1"), packet(0x82, b"\0\1"),
                                  packet(0xA2, b"\0\1")], ids=["QoS 0", "QoS 1", "SUBSCRIBE", "UNSUBSCRIBE"])
def test_a_packet_without_property_length_is_malformed(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.MALFORMED_PACKET)


# name: (what the property table calls the packet, the packet with these properties)
CARRIERS = {
    "CONNECT": (w.CONNECT, lambda p, n=None: w.connect("x", properties=p, property_length=n)),
    "will": (w.WILL, lambda p, n=None: w.connect("x", will=w.will("t", properties=p, property_length=n))),
    "PUBLISH": (w.PUBLISH, lambda p, n=None: w.publish("t", properties=p, property_length=n)),
    "PUBACK": (w.PUBACK, lambda p, n=None: w.ack(w.PUBACK, 1, 0, p, n)),
    "PUBREC": (w.PUBREC, lambda p, n=None: w.ack(w.PUBREC, 1, 0, p, n)),
    "PUBREL": (w.PUBREL, lambda p, n=None: w.ack(w.PUBREL, 1, 0, p, n)),
    "PUBCOMP": (w.PUBCOMP, lambda p, n=None: w.ack(w.PUBCOMP, 1, 0, p, n)),
    "SUBSCRIBE": (w.SUBSCRIBE, lambda p, n=None: w.subscribe(1, [("t", 0)], p, n)),
    "UNSUBSCRIBE": (w.UNSUBSCRIBE, lambda p, n=None: w.unsubscribe(1, ["t"], p, n)),
    "DISCONNECT": (w.DISCONNECT, lambda p, n=None: w.disconnect(0, p, n)),
}
# Properties that the table allows in the packet and the text allows servers only.
OF_SERVERS = {("DISCONNECT", "server_reference"), ("PUBLISH", "subscription_identifier")}


def sample(name):
    return prop(name, w.SAMPLES[w.PROPERTIES[name][1]])


def expect_fault(lab5, carrier, data, *reasons):
    if CARRIERS[carrier][0] in (w.CONNECT, w.WILL):
        lab5.raw(data).expect_refused(*reasons)
    else:
        lab5.after_connect(data).expect_disconnect(*reasons)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_property_of_another_packet_is_malformed(lab5, carrier):
    kind, make = CARRIERS[carrier]
    for name, (_, _, where) in w.PROPERTIES.items():
        if kind not in where:
            expect_fault(lab5, carrier, make(sample(name)), w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_property_that_comes_twice_is_a_protocol_error(lab5, carrier):
    kind, make = CARRIERS[carrier]
    for name, (_, _, where) in w.PROPERTIES.items():
        if kind not in where or name == "user_property" or (carrier, name) in OF_SERVERS:
            continue
        twice = sample(name) * 2
        if name == "authentication_data":
            twice += sample("authentication_method")
        expect_fault(lab5, carrier, make(twice), w.PROTOCOL_ERROR)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_unknown_property_is_malformed(lab5, carrier):
    for identifier in (b"\x00", b"\x04", b"\x2b", b"\x7f", b"\xff\x01"):
        expect_fault(lab5, carrier, CARRIERS[carrier][1](identifier + b"\0"), w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_property_length_beyond_the_packet_is_malformed(lab5, carrier):
    for length in (200, 20_000, 268_435_455):
        expect_fault(lab5, carrier, CARRIERS[carrier][1](w.users(("a", "b")), length), w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_property_that_leaves_its_block_is_malformed(lab5, carrier):
    """The block ends inside the user property, whose rest would be read as what follows."""
    for length in (1, 2, 3, 4, 6):
        expect_fault(lab5, carrier, CARRIERS[carrier][1](w.users(("a", "b")), length), w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier, properties, reasons", [
    ("CONNECT", props(receive_maximum=0), [w.PROTOCOL_ERROR]),
    ("CONNECT", props(maximum_packet_size=0), [w.PROTOCOL_ERROR]),
    ("CONNECT", props(request_problem_information=2), [w.PROTOCOL_ERROR]),
    ("CONNECT", props(request_response_information=2), [w.PROTOCOL_ERROR]),
    ("CONNECT", props(authentication_data=b"x"), [w.PROTOCOL_ERROR]),
    ("PUBLISH", props(topic_alias=0), [w.TOPIC_ALIAS_INVALID, w.PROTOCOL_ERROR]),
    ("PUBLISH", props(payload_format_indicator=2), [w.PROTOCOL_ERROR, w.MALFORMED_PACKET, w.PAYLOAD_FORMAT_INVALID]),
    ("will", props(payload_format_indicator=2), [w.PROTOCOL_ERROR, w.MALFORMED_PACKET, w.PAYLOAD_FORMAT_INVALID]),
    ("SUBSCRIBE", props(subscription_identifier=0), [w.PROTOCOL_ERROR]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_value_that_a_property_may_not_have_is_refused(lab5, carrier, properties, reasons):
    expect_fault(lab5, carrier, CARRIERS[carrier][1](properties), *reasons)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_user_properties_may_come_often_and_may_be_equal(lab5, carrier):
    """Sent where it does no harm; the answer to the next packet shows that the connection goes on."""
    properties = w.users(*[("same", "same")] * 5, ("", ""), ("empty value", ""))
    if carrier in ("CONNECT", "will"):
        lab5.raw(CARRIERS[carrier][1](properties)).expect_connack()
    elif carrier == "DISCONNECT":
        lab5.after_connect(w.disconnect(0, properties)).expect_closed()
    elif carrier in ("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE"):
        client = lab5.after_connect(CARRIERS[carrier][1](properties))
        client.send(w.PINGREQ_PACKET)
        kinds = [client.receive().type for _ in range(1 if carrier == "PUBLISH" else 2)]
        assert kinds[-1] == w.PINGRESP
    else:
        answer_with_user_properties(lab5, carrier, properties)


def answer_with_user_properties(lab5, carrier, properties):
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=2)
    if carrier == "PUBREL":
        client.send(w.publish(topic, qos=2, packet_id=77))
        client.expect_ack(w.PUBREC, 77)
        client.send(w.ack(w.PUBREL, 77, 0, properties))
        client.expect_ack(w.PUBCOMP, 77)
        return
    client.publish(topic, qos=1 if carrier == "PUBACK" else 2)
    number = client.message().packet_id
    if carrier == "PUBCOMP":
        client.send(w.ack(w.PUBREC, number))
        client.expect_ack(w.PUBREL, number)
    client.send(w.ack(getattr(w, carrier), number, 0, properties))
    if carrier == "PUBREC":
        client.expect_ack(w.PUBREL, number)
    client.quiet()


# ---- truncation ------------------------------------------------------------------------------------------------------


def cuts(data, legal=()):
    """The packet cut after each byte of its body, with a Remaining Length that fits; without the legal body sizes."""
    at = 1
    while data[at] & 0x80:
        at += 1
    body = data[at + 1:]
    return [packet(data[0], body[:size]) for size in range(len(body)) if size not in legal]


_TWO_PROPERTIES = prop("reason_string", "why") + w.users(("a", "b"))
# name: (packet, sizes of the body at which the cut packet is whole again)
CUTS = {
    "PUBLISH": (w.publish("topic", b"", 1, 9, properties=props(
        payload_format_indicator=1, message_expiry_interval=9, content_type="a", response_topic="b",
        correlation_data=b"c", topic_alias=1) + w.users(("a", "b"))), ()),
    "PUBACK": (w.ack(w.PUBACK, 9, 0, _TWO_PROPERTIES), (2, 3)),
    "PUBREC": (w.ack(w.PUBREC, 9, 0x80, _TWO_PROPERTIES), (2, 3)),
    "PUBREL": (w.ack(w.PUBREL, 9, 0, _TWO_PROPERTIES), (2, 3)),
    "PUBCOMP": (w.ack(w.PUBCOMP, 9, 0, _TWO_PROPERTIES), (2, 3)),
    "SUBSCRIBE": (w.subscribe(9, [("filter", 1)], prop("subscription_identifier", 300) + w.users(("a", "b"))), ()),
    "UNSUBSCRIBE": (w.unsubscribe(9, ["filter"], w.users(("a", "b"))), ()),
    "DISCONNECT": (w.disconnect(0, prop("session_expiry_interval", 0) + _TWO_PROPERTIES), (0, 1)),
    "AUTH": (w.auth(0x18, prop("authentication_method", "m") + _TWO_PROPERTIES), ()),
}


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("name", CUTS)
def test_a_packet_cut_anywhere_is_malformed(lab5, name):
    """A cut that leaves no topic filter at all is a protocol error, and so is an AUTH that nobody asked for."""
    for data in cuts(*CUTS[name]):
        lab5.after_connect(data).expect_disconnect(w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-3.1.4-1")
def test_a_connect_cut_anywhere_is_not_accepted(lab5):
    """Cut before the version it may be closed without an answer; later it is answered as malformed."""
    data = w.connect("client", keep_alive=10, properties=props(
        session_expiry_interval=1, receive_maximum=5, maximum_packet_size=5000, topic_alias_maximum=5,
        request_response_information=1, request_problem_information=1) + w.users(("a", "b")),
        will=w.will("topic", b"payload", 1, True, props(will_delay_interval=1, content_type="a")),
        username="name", password=b"secret")
    for size, cut in enumerate(cuts(data)):
        client = lab5.raw(cut)
        if size > 6:
            client.expect_refused(w.MALFORMED_PACKET)
        else:
            late = client.wait_closed(client.wait_s)
            assert [(got.type, got.reason) for got in late] in ([], [(w.CONNACK, w.MALFORMED_PACKET)]), repr(late)


@statement("MQTT-3.1.4-1")
def test_bytes_after_the_end_of_connect_are_malformed(lab5):
    data = w.connect("client")
    lab5.raw(packet(data[0], data[2:] + b"\0")).expect_refused(w.MALFORMED_PACKET)
