"""PINGREQ, DISCONNECT, AUTH, sessions, authentication, errors: chapters 3.12 to 3.15, 4.1, 4.2, 4.12 and 4.13."""

import time

import pytest

import wire5 as w
from lab import TRANSPORTS, statement
from lab5 import Lab5
from wire5 import prop, props

METHOD = props(authentication_method="SCRAM-SHA-256")
CONTINUE, AGAIN = 0x18, 0x19
QOS_3 = w.publish("t", qos=3, packet_id=1)  # malformed

# ---- 3.12 PINGREQ ----------------------------------------------------------------------------------------------------


@statement("MQTT-3.12.4-1")
def test_every_pingreq_is_answered(lab5):
    client = lab5.after_connect(w.PINGREQ_PACKET * 50)
    for _ in range(50):
        client.expect_raw(b"\xd0\x00")
    client.quiet()


# ---- 3.14 DISCONNECT -------------------------------------------------------------------------------------------------


@statement("MQTT-3.14.0-1")
def test_a_refused_client_gets_no_disconnect(lab5):
    """expect_refused allows one CONNACK and nothing else."""
    lab5.raw(w.connect("x", flags=0x03)).expect_refused(w.MALFORMED_PACKET)
    lab5.raw(w.connect("x", properties=METHOD) + b"\xc1\x00").expect_refused(w.BAD_AUTHENTICATION_METHOD)


@statement("MQTT-3.14.1-1")
@pytest.mark.parametrize("flags", range(1, 16))
def test_flags_of_disconnect_are_malformed(lab5, flags):
    lab5.after_connect(w.disconnect(first_byte=0xE0 | flags)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.14.2-1", "MQTT-3.14.2-2")
@pytest.mark.parametrize("data, reasons", [
    (QOS_3, [w.MALFORMED_PACKET]),
    (w.subscribe(1, []), [w.PROTOCOL_ERROR, w.MALFORMED_PACKET]),
    (w.publish("t", properties=props(topic_alias=65535)), [w.TOPIC_ALIAS_INVALID]),
    (b"\x30\xff\xff\xff\x7f", [w.PACKET_TOO_LARGE]),
], ids=["malformed", "protocol error", "alias", "size"])
def test_the_server_says_why_it_closes(lab5, data, reasons):
    """The decoder holds each DISCONNECT to the codes and properties that a server may send."""
    client = lab5.stored("s")
    client.send(data)
    client.expect_disconnect(*reasons)


@statement("MQTT-3.14.2-1")
def test_a_server_that_stops_says_so_and_keeps_the_session(own_lab):
    with Lab5(own_lab.broker, own_lab.transport) as lab5:
        topic = lab5.topic("t")
        client = lab5.stored("s").subscribed(topic, qos=2)
        own_lab.restart()
        client.expect_disconnect(w.SERVER_SHUTTING_DOWN)
        client = lab5.resume("s")
        client.publish(topic, b"x", qos=2)
        client.take_message(topic, b"x", 2)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("reason", [0x01, 0x03, 0x05, 0x7F, 0x8D, 0x8E, 0xFF])
def test_a_disconnect_with_a_code_that_clients_do_not_have_is_refused(lab5, reason):
    lab5.after_connect(w.disconnect(reason)).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-3.14.2-3", "MQTT-3.14.2-4")
@pytest.mark.parametrize("limit", [60, 120])
def test_a_disconnect_fits_the_size_that_the_client_takes(lab5, limit):
    client = lab5.connect(properties=props(maximum_packet_size=limit))
    client.send(w.publish("x" * 1000 + "/#", qos=1, packet_id=1))
    got = client.expect_disconnect(w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR)
    assert len(got.raw) <= limit


@statement("MQTT-3.14.4-1", "MQTT-3.14.4-2")
def test_after_its_disconnect_the_server_sends_nothing_and_closes(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s").subscribed(topic, qos=1)
    client.send(w.publish(topic, b"x", 1, 9) + w.publish("") + w.publish(topic, b"late", 1, 10) + w.PINGREQ_PACKET)
    client.expect_disconnect(w.PROTOCOL_ERROR)
    assert all(got.payload == b"x" for got in client.inbox)


@statement("MQTT-3.14.4-3")
def test_after_a_disconnect_of_the_client_the_server_closes_and_sends_nothing(lab5):
    topic = lab5.topic("t")
    watcher = lab5.connect("w").subscribed(topic, qos=1)
    client = lab5.connect("s", will=w.will(topic, b"will"))
    client.send(w.disconnect(0) + w.publish(topic, b"late", 1, 9) + w.PINGREQ_PACKET)
    client.expect_closed()
    lab5.fence(lab5.connect("p"), watcher)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("connect_with", [b"", props(session_expiry_interval=0)], ids=["absent", "zero"])
def test_a_session_that_was_to_end_cannot_be_kept_by_disconnect(lab5, connect_with):
    client = lab5.connect("s", properties=connect_with)
    client.send(w.disconnect(0, props(session_expiry_interval=60)))
    client.expect_disconnect(w.PROTOCOL_ERROR)
    lab5.connect("s", clean=False, session_present=False)


def test_disconnect_may_change_the_session_expiry(lab5):
    lab5.stored("end").leave(0, props(session_expiry_interval=0))
    lab5.stored("end", clean=False, session_present=False)
    lab5.stored("more", 1).leave(0, props(session_expiry_interval=100))
    lab5.stored("less", 1000).leave(0, props(session_expiry_interval=1))
    lab5.stored("same", 1).leave(0, w.users(("a", "b")) + prop("reason_string", "bye"))
    time.sleep(1.7)
    lab5.resume("more").leave(0, props(session_expiry_interval=0))
    lab5.stored("less", clean=False, session_present=False)
    lab5.stored("same", clean=False, session_present=False)


# ---- 3.15 AUTH and 4.12 enhanced authentication ----------------------------------------------------------------------


@statement("MQTT-3.15.1-1")
@pytest.mark.parametrize("flags", range(1, 16))
def test_flags_of_auth_are_malformed(lab5, flags):
    lab5.after_connect(w.auth(AGAIN, METHOD, first_byte=0xF0 | flags)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.15.2-1")
@pytest.mark.parametrize("reason", [0x01, 0x17, 0x80, 0xFF])
def test_an_auth_with_another_reason_code_is_refused(lab5, reason):
    lab5.after_connect(w.auth(reason, METHOD)).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-4.12.0-1", "MQTT-4.12.0-4")
@pytest.mark.parametrize("data", [b"", prop("authentication_data", b"\0\xff")], ids=["method", "method and data"])
def test_an_unknown_authentication_method_is_refused(lab5, data):
    for method in ("SCRAM-SHA-1", "", "x" * 1000):
        client = lab5.raw(w.connect(lab5.client_id(), properties=prop("authentication_method", method) + data))
        client.expect_refused(w.BAD_AUTHENTICATION_METHOD)


@statement("MQTT-4.12.0-6")
def test_without_method_the_server_sends_neither_auth_nor_method(lab5):
    """Every later packet passes the decoder; that none of them is an AUTH shows in the types."""
    client = lab5.connect()
    assert "authentication_method" not in client.connack.properties
    assert "authentication_data" not in client.connack.properties
    client.send(w.PINGREQ_PACKET)
    assert client.receive().type == w.PINGRESP


@statement("MQTT-4.12.0-7")
@pytest.mark.parametrize("data", [w.auth(), w.auth(0), w.auth(CONTINUE, METHOD),
                                  w.auth(CONTINUE, METHOD + prop("authentication_data", b"x"))],
                         ids=["empty", "success", "continue", "data"])
def test_an_auth_without_method_in_connect_is_a_protocol_error(lab5, data):
    lab5.after_connect(data).expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-4.12.1-1", "MQTT-4.12.1-2")
def test_re_authentication_without_method_in_connect_is_a_protocol_error(lab5):
    lab5.after_connect(w.auth(AGAIN, METHOD)).expect_disconnect(w.PROTOCOL_ERROR)


# ---- 4.1 sessions, 4.2 connections -----------------------------------------------------------------------------------


@statement("MQTT-4.1.0-1", "MQTT-4.1.0-2")
def test_sessions_last_as_long_as_their_connection_and_their_expiry(lab5):
    """One client stays connected for longer than its expiry, one goes, one goes and comes back in time."""
    topic = lab5.topic("t")
    stays, goes = lab5.stored("stays", 1).subscribed(topic, qos=1), lab5.stored("goes", 1).subscribed(topic, qos=1)
    back = lab5.stored("back", 10).subscribed(topic, qos=1)
    goes.drop()
    back.leave()
    time.sleep(1.7)
    stays.publish(topic, b"x", qos=1)
    stays.take_message(topic, b"x", 1)
    lab5.connect("goes", clean=False, session_present=False).quiet()
    lab5.connect("back", clean=False, session_present=True).take_message(topic, b"x", 1)
    stays.leave()
    lab5.connect("stays", clean=False, session_present=True)


@statement("MQTT-4.1.0-1")
def test_a_session_without_expiry_lasts_as_long_as_its_connection(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=1)
    for number in range(3):
        client.publish(topic, str(number), qos=1)
    for number in range(3):
        client.take_message(topic, str(number), 1)


@statement("MQTT-4.2.0-1")
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_packets_may_be_cut_and_joined_by_the_transport(lab5, transport):
    """One byte at a time, and everything at once."""
    topic = lab5.topic("t")
    whole = w.subscribe(1, [(topic, 1)]) + w.publish(topic, b"x", 1, 2, properties=w.users(("a", "b")))
    client = lab5.open(transport=transport)
    for byte in w.connect(lab5.client_id(), properties=props(receive_maximum=5)):
        client.send(bytes([byte]))
    client.expect_connack()
    for byte in whole:
        client.send(bytes([byte]))
    client.expect_ack(w.SUBACK, 1)
    client.expect_ack(w.PUBACK, 2)
    client.take_message(topic, b"x", 1)
    client.send(whole * 20)
    for _ in range(20):
        client.expect_ack(w.SUBACK, 1)
        client.expect_ack(w.PUBACK, 2)
    for _ in range(20):
        client.take_message(topic, b"x", 1)


# ---- 4.13 errors -----------------------------------------------------------------------------------------------------


@statement("MQTT-4.13.2-1")
def test_an_error_of_one_client_does_not_disturb_another(lab5):
    topic = lab5.topic("t")
    other = lab5.connect("o").subscribed(topic, qos=1)
    for data in (QOS_3, b"\x30\xff\xff\xff\xff\xff", w.subscribe(1, []), w.publish("#")):
        client = lab5.after_connect(w.publish(topic, b"before", 1, 1) + data)
        client.expect_disconnect(w.MALFORMED_PACKET, w.PROTOCOL_ERROR, w.TOPIC_NAME_INVALID)
        other.take_message(topic, b"before", 1)
    other.quiet()


@statement("MQTT-4.13.1-1")
def test_a_session_survives_the_protocol_error_of_its_client(lab5):
    topic = lab5.topic("t")
    client = lab5.stored("s").subscribed(topic, qos=1)
    client.send(QOS_3)
    client.expect_disconnect(w.MALFORMED_PACKET)
    lab5.connect("p").publish(topic, b"x", qos=1)
    lab5.resume("s").take_message(topic, b"x", 1)
