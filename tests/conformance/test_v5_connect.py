"""CONNECT and CONNACK: chapters 3.1 and 3.2, without the Will Message (test_v5_will.py)."""

import string
import time

import pytest

import wire5 as w
from lab import NARROW_ACCOUNT, NARROW_PASSWORD, connack, statement
from lab import Client as Client311
from lab5 import stored
from rawclient import Closed, connect_packet, packet, text
from wire5 import prop, props

ALPHABET = string.digits + string.ascii_letters
OTHER_PACKETS = {
    "PUBLISH": w.publish("t"), "PUBLISH QoS 1": w.publish("t", qos=1, packet_id=1), "PUBACK": w.ack(w.PUBACK, 1),
    "PUBREC": w.ack(w.PUBREC, 1), "PUBREL": w.ack(w.PUBREL, 1), "PUBCOMP": w.ack(w.PUBCOMP, 1),
    "SUBSCRIBE": w.subscribe(1, [("t", 0)]), "UNSUBSCRIBE": w.unsubscribe(1, ["t"]), "PINGREQ": w.PINGREQ_PACKET,
    "DISCONNECT": w.disconnect(), "AUTH": w.auth(0x18, props(authentication_method="m")), "reserved": b"\0\0",
}
UNKNOWN_METHOD = props(authentication_method="no such method")


def answer_bytes(lab5, data):
    """What the server answers to these bytes until it closes, not looked at as packets."""
    client = lab5.raw(data)
    found = b""
    try:
        while True:
            if not client.ws:
                found += client.stream.receive(client.wait_s)
                continue
            opcode, payload = client.ws.receive_frame(client.wait_s)
            if opcode == 8:
                return found
            found += payload
    except Closed:
        return found


def expect_not_accepted(client, *reasons):
    """Closed without an answer, or after one CONNACK with one of these reason codes."""
    late = client.wait_closed(client.wait_s)
    if late:
        assert len(late) == 1 and late[0].type == w.CONNACK and late[0].reason in reasons, repr(late)


def expect_version_refusal(data):
    if data not in (b"", b"\x20\x02\x00\x01"):
        got = w.Packet(data)
        assert got.type == w.CONNACK and got.reason in (
            w.UNSUPPORTED_PROTOCOL_VERSION, w.MALFORMED_PACKET, w.PROTOCOL_ERROR), repr(got)


# ---- 3.1.0, 3.1.2 ----------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.0-1", "MQTT-3.14.0-1")
@pytest.mark.parametrize("name", OTHER_PACKETS)
def test_anything_but_connect_as_first_packet_closes(lab5, name):
    """The version is not known yet, so at most a CONNACK may come, and never a DISCONNECT."""
    expect_not_accepted(lab5.raw(OTHER_PACKETS[name]), w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-3.1.0-2", "MQTT-3.2.0-2")
def test_a_second_connect_is_a_protocol_error(lab5):
    client = lab5.connect("one")
    client.send(w.connect(lab5.client_id("one")))
    assert client.expect_disconnect(w.PROTOCOL_ERROR)
    client = lab5.raw(w.connect(lab5.client_id("two")) * 2)
    client.expect_connack()
    client.expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-3.1.2-1")
@pytest.mark.parametrize("name", ["mqtt", "MQTTX", "MQT", "", "MQIsdp", "\ufeffMQTT"])
def test_another_protocol_name_is_not_accepted(lab5, name):
    """An answer may be of either form: the client may be of any version."""
    expect_version_refusal(answer_bytes(lab5, w.connect(lab5.client_id(), name=name)))


@statement("MQTT-3.1.2-2")
@pytest.mark.parametrize("level", [0, 1, 2, 6, 7, 127, 255])
def test_an_unknown_protocol_version_is_not_accepted(lab5, level):
    expect_version_refusal(answer_bytes(lab5, w.connect(lab5.client_id(), level=level)))


@statement("MQTT-3.1.2-3")
def test_the_reserved_connect_flag_is_malformed(lab5):
    for flags in (0x01, 0x03):
        lab5.raw(w.connect(lab5.client_id(), flags=flags)).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-4")
def test_clean_start_discards_the_session(lab5):
    topic = lab5.topic("t")
    client = lab5.stored("s").subscribed(topic, qos=1)
    client.leave()
    publisher = lab5.connect("p")
    publisher.publish(topic, b"while away", qos=1)
    client = lab5.stored("s", clean=True, session_present=False)
    publisher.publish(topic, b"after", qos=1)
    lab5.fence(publisher, client)
    client.leave(properties=props(session_expiry_interval=0), reason=0)


@statement("MQTT-3.1.2-5")
def test_without_clean_start_the_session_goes_on(lab5):
    topic = lab5.topic("t")
    lab5.stored("s").subscribed(topic, qos=2).leave()
    publisher = lab5.connect("p")
    publisher.publish(topic, b"one", qos=1)
    publisher.publish(topic, b"two", qos=2)
    client = lab5.resume("s")
    client.take_message(topic, b"one", 1)
    client.take_message(topic, b"two", 2)
    publisher.publish(topic, b"three", qos=1)
    client.take_message(topic, b"three", 1)


@statement("MQTT-3.1.2-6")
def test_without_clean_start_and_session_a_new_session_begins(lab5):
    client = lab5.stored("s", clean=False, session_present=False).subscribed(lab5.topic("t"))
    client.leave()
    lab5.resume("s")


@statement("MQTT-3.1.2-16")
def test_a_user_name_without_its_flag_is_malformed(lab5):
    lab5.raw(w.connect("x", flags=0x02, username="name")).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-17")
def test_a_user_name_flag_without_user_name_is_malformed(lab5):
    lab5.raw(w.connect("x", flags=0x82)).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-18")
def test_a_password_without_its_flag_is_malformed(lab5):
    lab5.raw(w.connect("x", flags=0x82, username="name", password=b"secret")).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-19")
def test_a_password_flag_without_password_is_malformed(lab5):
    lab5.raw(w.connect("x", flags=0xC2, username="name")).expect_refused(w.MALFORMED_PACKET)
    lab5.raw(w.connect("x", flags=0x42)).expect_refused(w.MALFORMED_PACKET)


# ---- keep alive ------------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-22", "MQTT-3.2.2-22")
def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(lab5):
    client = lab5.connect(keep_alive=1)
    assert "server_keep_alive" not in client.connack.properties
    start = time.monotonic()
    client.expect_disconnect(w.KEEP_ALIVE_TIMEOUT, timeout=3 * lab5.slack)
    assert time.monotonic() - start > 1.4


@statement("MQTT-3.1.2-22")
def test_any_packet_counts_for_the_keep_alive(lab5):
    """PUBLISH and SUBSCRIBE as well as PINGREQ. A keep alive of 0 never ends."""
    client, forever = lab5.connect(keep_alive=1), lab5.connect("forever", keep_alive=0)
    for data in (w.publish(lab5.topic("t")), w.PINGREQ_PACKET, w.subscribe(1, [(lab5.topic("t"), 0)])):
        time.sleep(0.8)
        client.send(data)
    assert client.receive().type == w.PINGRESP
    assert client.receive().type == w.SUBACK
    client.quiet()
    forever.quiet()


# ---- properties of CONNECT -------------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-23")
def test_a_session_with_expiry_outlives_its_connection(lab5):
    for end in ("leave", "drop"):
        topic = lab5.topic(end)
        client = lab5.stored(end).subscribed(topic, qos=1)
        getattr(client, end)()
        publisher = lab5.connect()
        publisher.publish(topic, b"kept", qos=1)
        # DUP may be set: the server may have sent it before it saw the connection end.
        got = lab5.resume(end).message()
        assert (got.topic, got.payload, got.qos) == (topic, b"kept", 1)


@statement("MQTT-3.1.2-23")
def test_without_session_expiry_the_session_ends_with_the_connection(lab5):
    for properties in (b"", props(session_expiry_interval=0)):
        lab5.connect("s", properties=properties).subscribed(lab5.topic("t"), qos=1).leave()
        lab5.connect("s", clean=False, session_present=False).leave()


@statement("MQTT-3.1.2-23")
def test_a_session_may_last_for_ever(lab5):
    lab5.stored("s", 0xFFFFFFFF).subscribed(lab5.topic("t")).leave()
    lab5.resume("s").leave(0, props(session_expiry_interval=0))


@statement("MQTT-3.1.2-23")
def test_the_session_expiry_of_the_last_connect_counts(lab5):
    lab5.stored("s").leave()
    lab5.connect("s", clean=False, session_present=True).leave()
    lab5.connect("s", clean=False, session_present=False)


@statement("MQTT-3.1.2-24", "MQTT-3.1.2-25")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_too_large_for_the_client_counts_as_delivered(lab5, qos):
    """With a Receive Maximum of 1 the next message would wait for ever if the large one held a place."""
    topic, limit = lab5.topic("t"), 120
    publisher = lab5.connect("p")
    client = lab5.connect("s", properties=props(maximum_packet_size=limit, receive_maximum=1))
    client.subscribed(topic, qos=qos)
    fitting = limit - len(w.publish(topic, b"", qos, 1 if qos else None))  # Remaining Length stays at one byte
    for payload in (b"x" * (fitting + 1), b"y" * fitting, b"z" * 1000, b"end"):
        publisher.publish(topic, payload, qos=qos)
    client.take_message(topic, b"y" * fitting, qos)
    client.take_message(topic, b"end", qos)
    client.quiet()


@statement("MQTT-3.1.2-25")
def test_a_message_too_large_for_one_reaches_the_others(lab5):
    topic = lab5.topic("t")
    small = lab5.connect("small", properties=props(maximum_packet_size=100)).subscribed(topic, qos=1)
    large = lab5.connect("large").subscribed(topic, qos=1)
    publisher = lab5.connect("p")
    assert publisher.publish(topic, b"x" * 500, qos=1).reason in (w.SUCCESS, w.NO_MATCHING_SUBSCRIBERS)
    large.take_message(topic, b"x" * 500, 1)
    lab5.fence(publisher, small)


@statement("MQTT-3.1.2-26", "MQTT-3.3.2-11")
def test_aliases_of_the_server_stay_within_the_clients_maximum(lab5):
    client = lab5.connect("s", properties=props(topic_alias_maximum=2)).subscribed(lab5.topic("#"))
    for _ in range(3):
        for number in range(5):
            client.publish(lab5.topic(f"t{number}"), b"x")
    topics = []
    for got in client.messages(15):
        assert got.properties.get("topic_alias", 1) in (1, 2)
        topics.append(got.topic)
    assert topics == [lab5.topic(f"t{number}") for number in range(5)] * 3


@statement("MQTT-3.1.2-27")
@pytest.mark.parametrize("properties", [b"", props(topic_alias_maximum=0)], ids=["absent", "zero"])
def test_without_a_maximum_the_server_sends_no_aliases(lab5, properties):
    topic = lab5.topic("t")
    client = lab5.connect("s", properties=properties).subscribed(topic)
    for _ in range(5):
        client.publish(topic, b"x", properties=props(topic_alias=1))
        assert client.expect_message(topic, b"x").properties == {}


@statement("MQTT-3.1.2-28")
@pytest.mark.parametrize("properties", [b"", props(request_response_information=0)], ids=["absent", "zero"])
def test_response_information_comes_only_on_request(lab5, properties):
    assert "response_information" not in lab5.connect(properties=properties).connack.properties


def provoke_replies(lab5, client):
    """Replies of each kind, most of them with a reason to explain."""
    topic = lab5.topic("replies")
    yield client.publish(topic, qos=1)
    yield client.publish(topic, qos=2)
    client.send(w.ack(w.PUBREL, 4711))
    yield client.expect_ack(w.PUBCOMP, 4711)
    client.send(w.ack(w.PUBREC, 4712))
    yield client.expect_ack(w.PUBREL, 4712)
    yield client.subscribe(topic, qos=2)
    yield client.unsubscribe(topic, lab5.topic("never subscribed"))


@statement("MQTT-3.1.2-29")
def test_without_problem_information_replies_hold_codes_alone(lab5):
    client = lab5.connect(properties=props(request_problem_information=0))
    for got in provoke_replies(lab5, client):
        assert "reason_string" not in got.properties and not got.user_properties(), repr(got)


@statement("MQTT-3.1.2-29")
def test_without_problem_information_messages_keep_their_user_properties(lab5):
    topic = lab5.topic("t")
    client = lab5.connect(properties=props(request_problem_information=0)).subscribed(topic)
    client.publish(topic, properties=w.users(("a", "b")))
    assert client.expect_message(topic).user_properties() == [("a", "b")]


# ---- payload of CONNECT ----------------------------------------------------------------------------------------------


@statement("MQTT-3.1.3-1")
def test_all_fields_of_connect_in_their_order(lab5):
    topic = f"narrow/{lab5.prefix}/will"
    watcher = lab5.connect("w").subscribed(topic, qos=2)
    client = lab5.connect("s", username=NARROW_ACCOUNT, password=NARROW_PASSWORD.encode(),
                          will=w.will(topic, b"\0payload\xff", 1, properties=props(content_type="type")))
    client.drop()
    assert watcher.take_message(topic, b"\0payload\xff", 1).properties == {"content_type": "type"}
    lab5.connect("s", clean=False, session_present=False, username=NARROW_ACCOUNT,
                 password=NARROW_PASSWORD.encode())


@statement("MQTT-3.1.3-2")
def test_sessions_are_told_apart_by_the_exact_client_identifier(lab5):
    name = lab5.client_id("Name")
    names = [name, name.upper(), name + " ", name + "\u00e9", name + "e\u0301", name + "/#"]
    for index, each in enumerate(names):
        client = lab5.connect(client_id=each, properties=stored()).subscribed(lab5.topic(f"{index}"), qos=1)
        client.leave()
    publisher = lab5.connect("p")
    for index, each in enumerate(names):
        publisher.publish(lab5.topic(f"{index}"), each, qos=1)
    for index, each in enumerate(names):
        client = lab5.connect(client_id=each, clean=False, session_present=True)
        client.take_message(lab5.topic(f"{index}"), each, 1)
        client.quiet()


@statement("MQTT-3.1.3-3")
def test_a_connect_without_client_identifier_field_is_malformed(lab5):
    lab5.raw(w.connect(payload=b"")).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.3-4", "MQTT-3.1.3-8")
@pytest.mark.parametrize("name", [b"\xff", b"ab\xed\xa0\x80", b"a\0"], ids=["no utf8", "surrogate", "null"])
def test_a_client_identifier_that_is_no_string_is_refused(lab5, name):
    lab5.raw(w.connect(name)).expect_refused(w.MALFORMED_PACKET, w.CLIENT_IDENTIFIER_NOT_VALID)


@statement("MQTT-3.1.3-5")
def test_client_identifiers_of_1_to_23_digits_and_letters_are_accepted(lab5):
    for name in ["a", "Z", "0", ALPHABET[:23], ALPHABET[23:46], ALPHABET[39:62]]:
        client = lab5.connect(client_id=name)
        assert "assigned_client_identifier" not in client.connack.properties
        client.leave()


@statement("MQTT-3.1.3-2")
@pytest.mark.parametrize("size", [24, 256, 65535])
def test_long_client_identifiers_name_sessions_too(lab5, size):
    name = lab5.client_id().ljust(size, "x")
    lab5.connect(client_id=name, properties=stored()).leave()
    lab5.connect(client_id=name, clean=False, session_present=True).leave()


@statement("MQTT-3.1.3-6", "MQTT-3.2.2-16")
@pytest.mark.parametrize("clean", [True, False])
def test_a_client_without_identifier_is_given_a_new_one(lab5, clean):
    names = {lab5.connect(client_id="", clean=clean).connack.properties["assigned_client_identifier"]
             for _ in range(10)}
    assert len(names) == 10 and "" not in names


@statement("MQTT-3.1.3-7")
def test_the_assigned_identifier_is_that_of_the_session(lab5):
    topic = lab5.topic("t")
    client = lab5.connect(client_id="", properties=stored()).subscribed(topic, qos=1)
    name = client.connack.properties["assigned_client_identifier"]
    client.leave()
    lab5.connect("p").publish(topic, b"x", qos=1)
    client = lab5.connect(client_id=name, clean=False, session_present=True)
    assert "assigned_client_identifier" not in client.connack.properties
    client.take_message(topic, b"x", 1)


@statement("MQTT-3.1.3-12")
@pytest.mark.parametrize("name", [b"\xff", b"a\0"], ids=["no utf8", "null"])
def test_a_user_name_that_is_no_string_is_malformed(lab5, name):
    lab5.raw(w.connect("x", username=name, password=b"x")).expect_refused(w.MALFORMED_PACKET)


# ---- 3.1.4 what the server does --------------------------------------------------------------------------------------


@statement("MQTT-3.1.4-1", "MQTT-4.13.2-1", "MQTT-3.2.2-7")
@pytest.mark.parametrize("data, reason", [
    (w.connect("x", property_length=b"\x80\x80\x80\x80\x01"), w.MALFORMED_PACKET),
    (w.connect("x", properties=props(receive_maximum=0)), w.PROTOCOL_ERROR),
    (w.connect("x", properties=UNKNOWN_METHOD), w.BAD_AUTHENTICATION_METHOD),
], ids=["malformed", "protocol error", "method"])
def test_a_connect_with_a_fault_is_answered_and_closed(lab5, data, reason):
    lab5.raw(data).expect_refused(reason)


@statement("MQTT-3.1.4-2")
@pytest.mark.parametrize("name", [NARROW_ACCOUNT, "nobody"])
def test_a_wrong_password_is_refused_and_closed(lab5, name):
    lab5.raw(w.connect(lab5.client_id(), username=name, password=b"wrong")).expect_refused(0x86, w.NOT_AUTHORIZED)


@statement("MQTT-3.1.4-3")
@pytest.mark.parametrize("clean", [True, False])
def test_a_second_connection_takes_the_session_over(lab5, clean):
    first = lab5.stored("s")
    second = lab5.stored("s", clean=clean, session_present=not clean)
    first.expect_disconnect(w.SESSION_TAKEN_OVER)
    second.quiet()


@statement("MQTT-3.1.4-3")
def test_a_takeover_by_the_other_transport(lab5):
    first = lab5.stored("s")
    second = lab5.resume("s", transport="ws" if lab5.transport == "tcp" else "tcp")
    first.expect_disconnect(w.SESSION_TAKEN_OVER)
    second.quiet()


@statement("MQTT-3.1.4-4")
def test_a_takeover_with_clean_start_begins_anew(lab5):
    topic = lab5.topic("t")
    first = lab5.stored("s").subscribed(topic, qos=1)
    second = lab5.stored("s")
    first.expect_disconnect(w.SESSION_TAKEN_OVER)
    second.publish(topic, b"x", qos=1)
    second.quiet()


@statement("MQTT-3.1.4-5", "MQTT-3.2.2-8")
def test_an_accepted_connect_is_answered_with_success(lab5):
    client = lab5.attempt()
    got = client.expect_connack(w.SUCCESS)
    assert got.raw[0] == 0x20 and got.raw[2:4] == b"\0\0"


@statement("MQTT-3.1.4-6")
def test_nothing_after_a_refused_connect_is_processed(lab5):
    topic = lab5.topic("t")
    watcher = lab5.connect("w").subscribed(topic, qos=1)
    for refused in (w.connect("x", properties=UNKNOWN_METHOD), w.connect("x", flags=0x03)):
        lab5.raw(refused + w.publish(topic, b"smuggled", 1, 1)).wait_closed(2 * lab5.slack)
    lab5.fence(lab5.connect("p"), watcher)


@statement("MQTT-3.1.4-5")
def test_packets_sent_before_the_connack_are_processed_after_it(lab5):
    topic = lab5.topic("t")
    client = lab5.raw(w.connect(lab5.client_id()) + w.subscribe(1, [(topic, 1)]) + w.publish(topic, b"x", 1, 2))
    client.expect_connack()
    assert client.receive().type == w.SUBACK
    client.expect_ack(w.PUBACK, 2)
    client.take_message(topic, b"x", 1)


# ---- 3.2 CONNACK -----------------------------------------------------------------------------------------------------


@statement("MQTT-3.2.0-1")
def test_connack_comes_before_waiting_messages(lab5):
    topic = lab5.topic("t")
    lab5.stored("s").subscribed(topic, qos=1).leave()
    publisher = lab5.connect("p")
    for number in range(10):
        publisher.publish(topic, str(number), qos=1)
    client = lab5.resume("s")
    for number in range(10):
        client.take_message(topic, str(number), 1)


@statement("MQTT-3.2.2-1")
def test_the_connack_flags_hold_session_present_alone(lab5):
    assert lab5.stored("s").connack.raw[2] == 0
    assert lab5.stored("s", clean=False, session_present=True).connack.raw[2] == 1


@statement("MQTT-3.2.2-2")
def test_session_present_is_0_after_clean_start(lab5):
    lab5.stored("s").leave()
    lab5.stored("s", clean=True, session_present=False).leave()


@statement("MQTT-3.2.2-3")
def test_session_present_tells_whether_the_session_existed(lab5):
    lab5.stored("s", clean=False, session_present=False).leave()
    lab5.stored("s", clean=False, session_present=True).leave()


@statement("MQTT-3.2.2-6")
def test_session_present_is_0_in_a_refusal(lab5):
    lab5.stored("s").leave()
    client = lab5.attempt("s", clean=False, properties=stored() + UNKNOWN_METHOD)
    assert client.expect_refused(w.BAD_AUTHENTICATION_METHOD).raw[2] == 0
    lab5.resume("s")


@statement("MQTT-3.2.2-9")
def test_maximum_qos_is_left_out_because_qos_2_is_supported(lab5):
    client = lab5.connect()
    assert "maximum_qos" not in client.connack.properties
    assert client.publish(lab5.topic("t"), qos=2).reason < 0x80


@statement("MQTT-3.2.2-10")
def test_every_requested_qos_is_accepted(lab5):
    client = lab5.connect()
    got = client.subscribe(*[(lab5.topic(f"{qos}"), qos) for qos in (0, 1, 2)])
    assert got.reasons == [0, 1, 2]


@statement("MQTT-3.2.2-12")
def test_a_will_qos_is_accepted_exactly_up_to_the_announced_maximum(lab5):
    announced = lab5.connect().connack.properties.get("maximum_qos", 2)
    for qos in (0, 1, 2):
        client = lab5.attempt("will", will=w.will(lab5.topic("t"), qos=qos))
        if qos <= announced:
            client.expect_connack()
        else:
            client.expect_refused(0x9B)


@statement("MQTT-3.2.2-13")
def test_a_retained_will_is_accepted_exactly_if_retained_messages_are(lab5):
    announced = lab5.connect().connack.properties.get("retain_available", 1)
    client = lab5.attempt("will", will=w.will(lab5.topic("t"), retain=True))
    if announced:
        client.expect_connack()
        client.leave()
    else:
        client.expect_refused(0x9A)


@statement("MQTT-3.2.2-15")
def test_a_packet_above_the_announced_size_is_refused(lab5):
    """The head of the packet is enough for that: its body is never sent."""
    client = lab5.connect()
    limit = client.connack.properties["maximum_packet_size"]
    assert limit >= 2_000_000
    client.send(b"\x30" + w.remaining_length(limit))
    client.expect_disconnect(w.PACKET_TOO_LARGE)


@statement("MQTT-3.2.2-15")
def test_a_packet_of_2_megabytes_passes(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=1)
    payload = bytes(range(256)) * 7800
    client.publish(topic, payload, qos=1)
    client.take_message(topic, payload, 1)


@statement("MQTT-3.2.2-17", "MQTT-3.3.2-9")
def test_a_topic_alias_above_the_announced_maximum_is_refused(lab5):
    client = lab5.connect()
    announced = client.connack.properties["topic_alias_maximum"]
    assert 10 <= announced < 65535
    client.send(w.publish(lab5.topic("t"), properties=props(topic_alias=announced + 1)))
    client.expect_disconnect(w.TOPIC_ALIAS_INVALID)


@statement("MQTT-3.2.2-19", "MQTT-3.2.2-20")
def test_a_refusal_fits_the_size_that_the_client_takes(lab5):
    """Five bytes are a CONNACK without properties."""
    for limit in (5, 6, 12, 40):
        client = lab5.attempt(properties=props(maximum_packet_size=limit) + UNKNOWN_METHOD)
        assert len(client.expect_refused(w.BAD_AUTHENTICATION_METHOD).raw) <= limit


def test_the_announced_capabilities_are_those_of_a_complete_broker(lab5):
    found = lab5.connect().connack.properties
    assert found.get("receive_maximum", 65535) >= 10
    for name in ("retain_available", "wildcard_subscription_available", "subscription_identifier_available",
                 "shared_subscription_available"):
        assert found.get(name, 1) == 1, name
    assert not {"response_information", "server_reference", "authentication_method", "server_keep_alive"} & set(found)


@pytest.mark.parametrize("level, name", [(4, "MQTT"), (3, "MQIsdp")], ids=["3.1.1", "3.1"])
def test_older_versions_are_served_beside(lab5, level, name):
    """A message with properties reaches an older client without them, and the other way round."""
    topic = lab5.topic("t")
    newer = lab5.connect("new").subscribed(topic)
    older = lab5.open(Client311)
    older.send(connect_packet(lab5.client_id("old"), level=level, name=name))
    older.expect_raw(connack())
    assert older.subscribe(topic, qos=1) == [1]
    newer.publish(topic, b"down", properties=w.users(("a", "b")) + prop("content_type", "t"))
    assert older.receive().raw == packet(0x30, text(topic) + b"down")
    assert newer.expect_message(topic, b"down").user_properties() == [("a", "b")]
    older.send(packet(0x30, text(topic) + b"up"))
    assert newer.expect_message(topic, b"up").properties == {}
