"""The Will Message: chapters 3.1.2.5 to 3.1.2.7, 3.1.3.2, 3.1.4 and 3.14.4."""

import time

import pytest

import wire5 as w
from lab import statement
from lab5 import stored
from wire5 import prop, props


def expect_no_will(lab5, watcher):
    lab5.fence(lab5.connect("fence"), watcher)


# ---- flags -----------------------------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-9")
def test_a_will_flag_needs_properties_topic_and_payload(lab5):
    whole = w.property_block(b"") + w.text("topic") + w.binary(b"payload")
    for size in range(len(whole)):
        lab5.raw(w.connect(flags=0x06, payload=w.text("x") + whole[:size])).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-9")
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_qos_and_retain_of_the_will_are_used(lab5, qos, retain):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic, qos=2, retain_as_published=True)
    lab5.connect("s", will=w.will(topic, b"gone", qos, retain)).drop()
    assert watcher.take_message(topic, b"gone", qos, retain=retain).properties == {}
    watcher.publish(topic, b"", retain=True)


@statement("MQTT-3.1.2-11")
@pytest.mark.parametrize("flags", [0x0A, 0x12, 0x1A])
def test_a_will_qos_without_will_flag_is_malformed(lab5, flags):
    lab5.raw(w.connect("x", flags=flags)).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-12")
def test_will_qos_3_is_malformed(lab5):
    lab5.raw(w.connect("x", will=w.will("t", qos=3))).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-13")
def test_will_retain_without_will_flag_is_malformed(lab5):
    lab5.raw(w.connect("x", flags=0x22)).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-3.1.2-14")
def test_a_will_without_retain_is_not_stored(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic, retain_as_published=True)
    lab5.connect("s", will=w.will(topic, b"gone")).drop()
    watcher.expect_message(topic, b"gone", retain=False)
    lab5.connect("late").subscribed(topic).quiet()


@statement("MQTT-3.1.2-15")
def test_a_will_with_retain_is_stored(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.connect("s", will=w.will(topic, b"gone", retain=True)).drop()
    watcher.expect_message(topic, b"gone", retain=False)
    lab5.connect("late").subscribed(topic).expect_message(topic, b"gone", retain=True)
    watcher.publish(topic, b"", retain=True)


@statement("MQTT-3.1.3-11")
@pytest.mark.parametrize("topic", [b"\xff", b"a\xed\xa0\x80", b"a\0b"], ids=["no utf8", "surrogate", "null"])
def test_a_will_topic_that_is_no_string_is_malformed(lab5, topic):
    lab5.raw(w.connect("x", will=w.will(topic))).expect_refused(w.MALFORMED_PACKET)


@statement("MQTT-4.7.0-1", "MQTT-3.1.4-1")
@pytest.mark.parametrize("topic", ["a/#", "+", "a/+/b"])
def test_a_wildcard_in_the_will_topic_is_refused(lab5, topic):
    lab5.raw(w.connect("x", will=w.will(topic))).expect_refused(
        w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-4.7.3-1", "MQTT-3.1.4-1")
def test_an_empty_will_topic_is_refused(lab5):
    lab5.raw(w.connect("x", will=w.will(""))).expect_refused(
        w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


# ---- when it is published --------------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-7")
def test_the_will_is_published_when_the_connection_breaks(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    client = lab5.connect("s", will=w.will(topic, b"gone"))
    watcher.quiet()
    client.drop()
    watcher.expect_message(topic, b"gone")


ENDINGS = {
    "end of TCP": lambda client: client.close(),
    "DISCONNECT with will": lambda client: client.send(w.disconnect(w.DISCONNECT_WITH_WILL)),
    "DISCONNECT with an error": lambda client: client.send(w.disconnect(w.UNSPECIFIED_ERROR)),
    "protocol error": lambda client: client.send(w.subscribe(1, [])),
    "malformed packet": lambda client: client.send(b"\xc1\x00"),
}


@statement("MQTT-3.1.2-8")
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_end_but_a_normal_disconnect_publishes_the_will(lab5, ending):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic, qos=1)
    ENDINGS[ending](lab5.connect("s", will=w.will(topic, b"gone", 1)))
    watcher.take_message(topic, b"gone", 1)
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-22")
def test_a_keep_alive_timeout_publishes_the_will(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.connect("s", keep_alive=1, will=w.will(topic, b"gone"))
    watcher.expect_message(topic, b"gone", timeout=3 * lab5.slack)


@statement("MQTT-3.1.2-10", "MQTT-3.14.4-3")
@pytest.mark.parametrize("reason", [None, 0])
def test_a_normal_disconnect_discards_the_will(lab5, reason):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.stored("s", will=w.will(topic, b"gone")).leave(reason)
    expect_no_will(lab5, watcher)
    lab5.resume("s").drop()
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.2-10")
def test_a_published_will_is_gone(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.stored("s", will=w.will(topic, b"gone")).drop()
    watcher.expect_message(topic, b"gone")
    lab5.resume("s").drop()
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.2-8")
def test_a_normal_disconnect_discards_a_delayed_will_too(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.connect("s", will=w.will(topic, b"gone", properties=props(will_delay_interval=1))).leave()
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.2-8", "MQTT-3.1.3-9")
def test_a_will_waits_for_its_delay_and_not_for_a_client_that_came_back(lab5):
    """One client stays away, one comes back before the delay of a second is over."""
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(lab5.topic("will/#"))
    away, back = topic + "/away", topic + "/back"
    for name in (away, back):
        lab5.connect(client_id=lab5.client_id(name[-4:]), properties=stored(),
                     will=w.will(name, b"gone", properties=props(will_delay_interval=1))).drop()
    start = time.monotonic()
    watcher.quiet()
    lab5.resume("back")
    got = watcher.expect_message(away, b"gone", timeout=1 + watcher.wait_s)
    assert time.monotonic() - start > 0.9
    assert "will_delay_interval" not in got.properties
    time.sleep(0.2)
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.2-8")
def test_the_end_of_the_session_ends_the_delay_of_the_will(lab5):
    """Without session expiry at once; with one second of it after that second; and when the session is replaced."""
    watcher = lab5.connect("w").subscribed(lab5.topic("will/#"))
    long_delay = props(will_delay_interval=600)
    start = time.monotonic()
    lab5.connect("none", will=w.will(lab5.topic("will/none"), b"gone", properties=long_delay)).drop()
    lab5.stored("one", 1, will=w.will(lab5.topic("will/one"), b"gone", properties=long_delay)).drop()
    watcher.expect_message(lab5.topic("will/none"), b"gone")
    lab5.stored("new", will=w.will(lab5.topic("will/new"), b"gone", properties=long_delay)).drop()
    lab5.stored("new")
    watcher.expect_message(lab5.topic("will/new"), b"gone")
    watcher.expect_message(lab5.topic("will/one"), b"gone", timeout=1 + watcher.wait_s)
    assert time.monotonic() - start > 0.9


@statement("MQTT-3.1.2-8", "MQTT-3.1.4-3")
def test_a_takeover_publishes_the_will_unless_it_is_delayed(lab5):
    watcher = lab5.connect("w").subscribed(lab5.topic("will/#"))
    delay = props(will_delay_interval=600)
    lab5.stored("now", will=w.will(lab5.topic("will/now"), b"gone"))
    lab5.resume("now")
    watcher.expect_message(lab5.topic("will/now"), b"gone")
    lab5.stored("kept", will=w.will(lab5.topic("will/kept"), b"gone", properties=delay))
    lab5.resume("kept")
    lab5.stored("clean", will=w.will(lab5.topic("will/clean"), b"gone", properties=delay))
    lab5.stored("clean")
    watcher.expect_message(lab5.topic("will/clean"), b"gone")
    expect_no_will(lab5, watcher)


@statement("MQTT-3.1.3-9")
def test_the_will_of_the_last_connection_counts(lab5):
    watcher = lab5.connect("w").subscribed(lab5.topic("will/#"))
    lab5.stored("s", will=w.will(lab5.topic("will/first"), b"1", properties=props(will_delay_interval=600))).drop()
    lab5.resume("s", will=w.will(lab5.topic("will/second"), b"2")).drop()
    watcher.expect_message(lab5.topic("will/second"), b"2")
    expect_no_will(lab5, watcher)


# ---- what is published -----------------------------------------------------------------------------------------------


@statement("MQTT-3.1.3-10")
def test_user_properties_of_the_will_keep_their_order(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("a", "0")]
    lab5.connect("s", will=w.will(topic, b"gone", properties=w.users(*pairs))).drop()
    assert watcher.expect_message(topic, b"gone").user_properties() == pairs


@statement("MQTT-3.1.2-9")
def test_the_properties_of_the_will_are_published_with_it(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.connect("s", will=w.will(topic, b"gone", properties=props(
        payload_format_indicator=1, message_expiry_interval=1000, content_type="text/plain", response_topic="back",
        correlation_data=b"\0\xff"))).drop()
    found = watcher.expect_message(topic, b"gone").properties
    assert 999 <= found.pop("message_expiry_interval") <= 1000
    assert found == {"payload_format_indicator": 1, "content_type": "text/plain", "response_topic": "back",
                     "correlation_data": b"\0\xff"}


@statement("MQTT-3.1.2-9")
def test_an_empty_will_payload_is_published(lab5):
    topic = lab5.topic("will")
    watcher = lab5.connect("w").subscribed(topic)
    lab5.connect("s", will=w.will(topic, b"", properties=prop("content_type", ""))).drop()
    assert watcher.expect_message(topic, b"").properties == {"content_type": ""}
