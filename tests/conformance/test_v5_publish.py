"""PUBLISH and its acknowledgements: chapters 3.3 to 3.7."""

import time

import pytest

import wire5 as w
from lab import statement
from rawclient import packet, text
from wire5 import prop, props

# ---- flags and retained messages (3.3.1) -----------------------------------------------------------------------------


@statement("MQTT-3.3.1-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_sent_again_has_dup_set(lab5, qos):
    topic = lab5.topic("t")
    client = lab5.stored("s").subscribed(topic, qos=qos)
    client.publish(topic, b"x", qos=qos)
    first = client.expect_message(topic, b"x", qos)
    client.drop()
    again = lab5.resume("s").expect_message(topic, b"x", qos, dup=True)
    assert again.raw == bytes([first.raw[0] | 8]) + first.raw[1:]


@statement("MQTT-3.3.1-2")
def test_dup_in_a_message_of_qos_0_is_malformed(lab5):
    lab5.after_connect(w.publish("t", dup=True)).expect_disconnect(w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-3.3.1-3")
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_of_the_publisher_is_not_passed_on(lab5, qos):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, b"x", qos=qos, dup=True)
    client.take_message(topic, b"x", qos, dup=False)


@statement("MQTT-3.3.1-4")
def test_qos_3_is_malformed(lab5):
    lab5.after_connect(w.publish("t", qos=3, packet_id=1)).expect_disconnect(w.MALFORMED_PACKET)


def retain(lab5, topic, *payloads, qos=1, **fields):
    """Stores retained messages, one after the other; the client that did it."""
    publisher = lab5.connect("retainer")
    for payload in payloads:
        publisher.publish(topic, payload, qos=qos, retain=True, **fields)
    return publisher


@statement("MQTT-3.3.1-5")
def test_a_retained_message_replaces_the_one_before_with_its_qos(lab5):
    topic = lab5.topic("t")
    publisher = retain(lab5, topic, b"one", b"two")
    lab5.connect("a").subscribed(topic, qos=2).take_message(topic, b"two", 1, retain=True)
    publisher.publish(topic, b"three", qos=2, retain=True)
    lab5.connect("b").subscribed(topic, qos=2).take_message(topic, b"three", 2, retain=True)
    publisher.publish(topic, b"four", qos=0, retain=True)
    client = lab5.connect("c")
    publisher.ping()
    client.subscribed(topic, qos=2).expect_message(topic, b"four", 0, retain=True)
    client.quiet()


@statement("MQTT-3.3.1-5")
def test_a_retained_message_keeps_its_properties(lab5):
    topic = lab5.topic("t")
    retain(lab5, topic, b"x", properties=props(content_type="type", correlation_data=b"\0") + w.users(("a", "b")))
    got = lab5.connect("s").subscribed(topic).expect_message(topic, b"x", retain=True)
    assert got.properties == {"content_type": "type", "correlation_data": b"\0", "user_property": [("a", "b")]}


@statement("MQTT-3.3.1-6")
def test_an_empty_retained_message_is_delivered_and_removes(lab5):
    topic = lab5.topic("t")
    publisher = retain(lab5, topic, b"x")
    client = lab5.connect("s").subscribed(topic, retain_handling=2, retain_as_published=True)
    publisher.publish(topic, b"", qos=1, retain=True)
    client.expect_message(topic, b"", retain=True)
    lab5.connect("late").subscribed(topic).quiet()


@statement("MQTT-3.3.1-7")
def test_an_empty_retained_message_is_not_stored(lab5):
    topic = lab5.topic("t")
    retain(lab5, topic, b"", properties=w.users(("a", "b")))
    lab5.connect("s").subscribed(topic).quiet()


@statement("MQTT-3.3.1-8")
def test_a_message_without_retain_leaves_the_retained_one(lab5):
    topic, other = lab5.topic("t"), lab5.topic("other")
    publisher = retain(lab5, topic, b"kept")
    publisher.publish(topic, b"x", qos=1)
    publisher.publish(topic, b"", qos=1)
    publisher.publish(other, b"x", qos=1)
    client = lab5.connect("s").subscribed(topic, other)
    client.expect_message(topic, b"kept", retain=True)
    client.quiet()


@statement("MQTT-3.3.1-9")
def test_retain_handling_0_sends_retained_messages_at_every_subscribe(lab5):
    topics = {lab5.topic(f"r/{number}") for number in range(5)}
    for topic in topics:
        retain(lab5, topic, b"x")
    client = lab5.connect("s")
    for _ in range(2):
        client.subscribed(lab5.topic("r/#"), retain_handling=0)
        assert {got.topic for got in client.messages(5) if got.retain} == topics
        client.quiet()


@statement("MQTT-3.3.1-10")
def test_retain_handling_1_sends_them_to_a_new_subscription_only(lab5):
    topic = lab5.topic("t")
    retain(lab5, topic, b"x")
    client = lab5.connect("s").subscribed(topic, retain_handling=1)
    client.expect_message(topic, b"x", retain=True)
    client.subscribed(topic, retain_handling=1, qos=1)
    client.quiet()
    client.unsubscribe(topic)
    client.subscribed(topic, retain_handling=1)
    client.expect_message(topic, b"x", retain=True)


@statement("MQTT-3.3.1-10")
def test_a_stored_subscription_is_not_new(lab5):
    topic = lab5.topic("t")
    retain(lab5, topic, b"x")
    lab5.stored("s").subscribed(topic, retain_handling=2).leave()
    client = lab5.resume("s").subscribed(topic, retain_handling=1)
    client.quiet()


@statement("MQTT-3.3.1-11")
def test_retain_handling_2_sends_none(lab5):
    topic = lab5.topic("t")
    publisher = retain(lab5, topic, b"x")
    client = lab5.connect("s").subscribed(topic, retain_handling=2)
    client.quiet()
    publisher.publish(topic, b"new", qos=1)
    client.expect_message(topic, b"new")


@statement("MQTT-3.3.1-12")
def test_without_retain_as_published_the_flag_is_cleared(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s").subscribed(topic, retain_as_published=False)
    publisher = retain(lab5, topic, b"one")
    publisher.publish(topic, b"two", qos=1)
    client.expect_message(topic, b"one", retain=False)
    client.expect_message(topic, b"two", retain=False)


@statement("MQTT-3.3.1-13")
def test_retain_as_published_keeps_the_flag(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s").subscribed(topic, retain_as_published=True)
    publisher = retain(lab5, topic, b"one")
    publisher.publish(topic, b"two", qos=1)
    client.expect_message(topic, b"one", retain=True)
    client.expect_message(topic, b"two", retain=False)


# ---- topic name, alias and properties (3.3.2) ------------------------------------------------------------------------


@statement("MQTT-3.3.2-1")
def test_the_topic_name_comes_first(lab5):
    topic = lab5.topic("t/\u00e4/\U0001f600/ /")
    client = lab5.connect().subscribed(topic)
    data = packet(0x30, text(topic) + b"\0payload")
    client.send(data)
    client.expect_raw(data)


@statement("MQTT-3.3.2-1")
@pytest.mark.parametrize("topic", [b"\xff", b"a/\xed\xbf\xbf", b"a\0"], ids=["no utf8", "surrogate", "null"])
def test_a_topic_name_that_is_no_string_is_malformed(lab5, topic):
    lab5.after_connect(w.publish(topic)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
def test_neither_topic_name_nor_alias_is_a_protocol_error(lab5):
    lab5.after_connect(w.publish("")).expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-3.3.2-2", "MQTT-4.7.0-1")
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("topic", ["#", "+", "a/#", "a/+/b", "a+b", "a#"])
def test_a_wildcard_in_a_topic_name_is_refused(lab5, topic, qos):
    lab5.after_connect(w.publish(topic, qos=qos, packet_id=qos or None)).expect_disconnect(
        w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-3.3.2-3")
def test_messages_match_the_filter_of_the_subscription(lab5):
    client = lab5.connect().subscribed(lab5.topic("a/+/c"), lab5.topic("d/#"))
    for name in ("a/b/c", "a/b", "a/b/c/d", "d", "d/e", "dd", "a//c", "A/b/c", "/d"):
        client.publish(lab5.topic(name), name)
    for name in ("a/b/c", "d", "d/e", "a//c"):
        client.expect_message(lab5.topic(name), name)
    client.quiet()


def passed_on(lab5, properties, qos=0, payload=b"payload"):
    """The properties of a message with these properties, at its subscriber."""
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, payload, qos=qos, properties=properties)
    return client.take_message(topic, payload, qos).properties


@statement("MQTT-3.3.2-4")
@pytest.mark.parametrize("value", [0, 1])
def test_the_payload_format_indicator_is_passed_on(lab5, value):
    assert passed_on(lab5, props(payload_format_indicator=value)) == {"payload_format_indicator": value}


@statement("MQTT-3.3.2-4")
def test_a_payload_that_is_not_what_it_says_is_passed_on_or_refused(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=1)
    got = client.publish(topic, b"\xff\xfe", qos=1, properties=props(payload_format_indicator=1))
    if got.reason == w.SUCCESS:
        assert client.expect_message(topic, b"\xff\xfe", 1).properties == {"payload_format_indicator": 1}
    else:
        assert got.reason == w.PAYLOAD_FORMAT_INVALID
        client.quiet()


@statement("MQTT-3.3.2-5", "MQTT-3.3.2-6")
def test_waiting_messages_expire_and_their_interval_counts_down(lab5):
    """For a subscriber that is away and for a retained message, both of which wait for more than a second."""
    topic, kept = lab5.topic("t"), lab5.topic("kept")
    lab5.stored("s").subscribed(topic, qos=1).leave()
    publisher = lab5.connect("p")
    for payload, seconds in ((b"short", 1), (b"long", 100), (b"shorter", 1)):
        publisher.publish(topic, payload, qos=1, properties=props(message_expiry_interval=seconds))
        publisher.publish(kept + payload.decode(), payload, 1, retain=True,
                          properties=props(message_expiry_interval=seconds))
    publisher.publish(topic, b"without", qos=1)
    time.sleep(1.6)
    client = lab5.resume("s")
    got = client.take_message(topic, b"long", 1)
    assert 97 <= got.properties["message_expiry_interval"] <= 99
    assert client.take_message(topic, b"without", 1).properties == {}
    client.quiet()
    client.subscribed(*[kept + name for name in ("short", "shorter", "long")])
    got = client.expect_message(kept + "long", b"long", retain=True)
    assert 97 <= got.properties["message_expiry_interval"] <= 99
    client.quiet()


@statement("MQTT-3.3.2-6")
def test_a_message_that_did_not_wait_keeps_its_expiry_interval(lab5):
    assert passed_on(lab5, props(message_expiry_interval=100)) in [
        {"message_expiry_interval": seconds} for seconds in (99, 100)]
    assert passed_on(lab5, props(message_expiry_interval=0xFFFFFFFF)) in [
        {"message_expiry_interval": seconds} for seconds in (0xFFFFFFFE, 0xFFFFFFFF)]


@statement("MQTT-3.3.2-7")
def test_aliases_do_not_outlive_the_connection(lab5):
    client = lab5.stored("s")
    client.publish(lab5.topic("t"), qos=1, properties=props(topic_alias=1))
    client.leave()
    client = lab5.resume("s")
    client.send(w.publish("", properties=props(topic_alias=1)))
    client.expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-3.3.2-7")
def test_aliases_of_the_server_do_not_outlive_the_connection(lab5):
    topic, maximum = lab5.topic("t"), props(topic_alias_maximum=5)
    client = lab5.stored("s", properties=maximum).subscribed(topic, qos=1)
    for _ in range(3):
        client.publish(topic, b"x", qos=1)
        client.take_message(topic, b"x", 1)
    client.leave()
    client = lab5.resume("s", properties=maximum)
    client.publish(topic, b"x", qos=1)
    assert not client.expect_message(topic, b"x", 1).aliased


@statement("MQTT-4.13.1-1")
def test_an_alias_that_was_never_set_is_a_protocol_error(lab5):
    lab5.after_connect(w.publish("", properties=props(topic_alias=1))).expect_disconnect(w.PROTOCOL_ERROR)


@statement("MQTT-3.3.2-8")
def test_alias_0_is_refused(lab5):
    lab5.after_connect(w.publish("t", properties=props(topic_alias=0))).expect_disconnect(
        w.TOPIC_ALIAS_INVALID, w.PROTOCOL_ERROR)


@statement("MQTT-3.3.2-12")
def test_every_alias_up_to_the_maximum_is_accepted(lab5):
    client = lab5.connect().subscribed(lab5.topic("#"))
    maximum = client.connack.properties["topic_alias_maximum"]
    numbers = [*range(1, min(maximum, 100)), maximum]
    for number in numbers:
        client.publish(lab5.topic(f"t{number}"), b"set", properties=props(topic_alias=number))
    for number in reversed(numbers):
        client.publish("", b"used", properties=props(topic_alias=number))
    for number in numbers:
        client.expect_message(lab5.topic(f"t{number}"), b"set")
    for number in reversed(numbers):
        client.expect_message(lab5.topic(f"t{number}"), b"used")


@statement("MQTT-3.3.2-12")
def test_an_alias_may_be_given_to_another_topic(lab5):
    client = lab5.connect().subscribed(lab5.topic("#"), qos=2)
    for topic, name in (("a", "a"), ("", "a"), ("b", "b"), ("", "b")):
        client.publish(topic and lab5.topic(topic), name, qos=2, properties=props(topic_alias=3))
        client.take_message(lab5.topic(name), name, 2)


@statement("MQTT-3.3.2-13")
@pytest.mark.parametrize("topic", [b"\xff", b"a\0"], ids=["no utf8", "null"])
def test_a_response_topic_that_is_no_string_is_malformed(lab5, topic):
    lab5.after_connect(w.publish("t", properties=props(response_topic=topic))).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.3.2-14")
@pytest.mark.parametrize("topic", ["#", "a/+", "a/#"])
def test_a_wildcard_in_a_response_topic_is_refused(lab5, topic):
    lab5.after_connect(w.publish("t", properties=props(response_topic=topic))).expect_disconnect(
        w.PROTOCOL_ERROR, w.MALFORMED_PACKET, w.TOPIC_NAME_INVALID)


@statement("MQTT-3.3.2-15")
def test_the_response_topic_is_passed_on(lab5):
    for topic in ("back", "/\u00e4//\ufeff ", "$SYS/x"):
        assert passed_on(lab5, props(response_topic=topic), 1) == {"response_topic": topic}


@statement("MQTT-3.3.2-16")
def test_correlation_data_is_passed_on(lab5):
    for data in (b"", b"\0", bytes(range(256)) * 4):
        assert passed_on(lab5, props(correlation_data=data), 2) == {"correlation_data": data}


@statement("MQTT-3.3.2-15", "MQTT-3.3.2-16")
def test_a_request_and_its_response(lab5):
    asker, server = lab5.connect("a"), lab5.connect("b").subscribed(lab5.topic("request"), qos=1)
    asker.subscribed(lab5.topic("response"), qos=1)
    asker.publish(lab5.topic("request"), b"?", qos=1,
                  properties=props(response_topic=lab5.topic("response"), correlation_data=b"7"))
    found = server.take_message(lab5.topic("request"), b"?", 1).properties
    server.publish(found["response_topic"], b"!", qos=1, properties=props(correlation_data=found["correlation_data"]))
    got = asker.take_message(lab5.topic("response"), b"!", 1)
    assert got.properties == {"correlation_data": b"7"}


@statement("MQTT-3.3.2-17")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_user_properties_are_passed_on(lab5, qos):
    pairs = [("name", "value"), ("", ""), ("\u00e4\U0001f600", "\ufeff"), ("long", "x" * 5000)]
    assert passed_on(lab5, w.users(*pairs), qos) == {"user_property": pairs}


@statement("MQTT-3.3.2-18")
def test_user_properties_keep_their_order(lab5):
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("a", "1"), ("B", "0"), ("a", "")]
    between = w.users(*pairs[:3]) + prop("content_type", "t") + w.users(*pairs[3:])
    assert passed_on(lab5, between) == {"user_property": pairs, "content_type": "t"}


@statement("MQTT-3.3.2-19")
@pytest.mark.parametrize("value", [b"\xff", b"a\0"], ids=["no utf8", "null"])
def test_a_content_type_that_is_no_string_is_malformed(lab5, value):
    lab5.after_connect(w.publish("t", properties=props(content_type=value))).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.3.2-20")
def test_the_content_type_is_passed_on(lab5):
    for value in ("", "text/plain; charset=utf-8", "\u00e4"):
        assert passed_on(lab5, props(content_type=value)) == {"content_type": value}


@statement("MQTT-3.3.2-4", "MQTT-3.3.2-15", "MQTT-3.3.2-20")
def test_all_properties_together_reach_a_subscriber_that_was_away(lab5):
    topic = lab5.topic("t")
    lab5.stored("s").subscribed(topic, qos=2).leave()
    lab5.connect("p").publish(topic, b"x", qos=2, properties=props(
        payload_format_indicator=1, message_expiry_interval=1000, content_type="c", response_topic="r",
        correlation_data=b"d", topic_alias=2) + w.users(("a", "b"), ("a", "b")))
    found = lab5.resume("s").take_message(topic, b"x", 2).properties
    assert 998 <= found.pop("message_expiry_interval") <= 1000
    assert found == {"payload_format_indicator": 1, "content_type": "c", "response_topic": "r",
                     "correlation_data": b"d", "user_property": [("a", "b")] * 2}


# ---- actions (3.3.4) -------------------------------------------------------------------------------------------------


@statement("MQTT-3.3.4-1")
def test_the_answer_depends_on_the_qos(lab5):
    client = lab5.connect()
    client.publish(lab5.topic("t"), qos=0)
    client.quiet()
    client.send(w.publish(lab5.topic("t"), qos=1, packet_id=5))
    client.expect_ack(w.PUBACK, 5)
    client.send(w.publish(lab5.topic("t"), qos=2, packet_id=6))
    client.expect_ack(w.PUBREC, 6)
    client.release(6)
    client.quiet()


OVERLAPPING = ("o/#", "o/+/c", "o/b/c", "+/b/+")


@statement("MQTT-3.3.4-2")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_overlapping_subscriptions_give_one_copy_of_the_highest_qos(lab5, qos):
    client = lab5.connect()
    for index, name in enumerate(OVERLAPPING):
        client.subscribed(lab5.topic(name), qos=(1, qos, 0, 0)[index] if qos else 0)
    client.publish(lab5.topic("o/b/c"), b"x", qos=2)
    client.take_message(lab5.topic("o/b/c"), b"x", max(1, qos) if qos else 0)
    client.quiet()


@statement("MQTT-3.3.4-3", "MQTT-3.3.4-4")
def test_one_copy_names_all_matching_subscriptions(lab5):
    client = lab5.connect()
    for index, name in enumerate(OVERLAPPING):
        client.subscribed(lab5.topic(name), qos=1, properties=props(subscription_identifier=index + 1))
    client.subscribed(lab5.topic("o/b/#"), qos=1)
    client.subscribed(lab5.topic("elsewhere"), qos=1, properties=props(subscription_identifier=9))
    client.publish(lab5.topic("o/b/c"), b"x", qos=1)
    got = client.take_message(lab5.topic("o/b/c"), b"x", 1)
    assert sorted(got.properties["subscription_identifier"]) == [1, 2, 3, 4]
    client.quiet()


@statement("MQTT-3.3.4-5")
def test_each_copy_names_the_subscriptions_it_is_for(lab5):
    """However many copies come: together they name each subscription once, and none that has no identifier."""
    client, topic = lab5.connect(), lab5.topic("o/b")
    client.subscribed(topic, properties=props(subscription_identifier=7))
    client.subscribed(lab5.topic("o/+"), properties=props(subscription_identifier=8))
    client.subscribed(lab5.topic("+/b"))
    client.publish(topic, b"x")
    client.ping()
    named = [number for got in client.inbox for number in got.properties.get("subscription_identifier", [])]
    assert sorted(named) == [7, 8]


@statement("MQTT-3.3.4-3")
def test_equal_identifiers_of_matching_subscriptions_and_the_largest_one(lab5):
    client, largest = lab5.connect(), 268_435_455
    for name in ("o/b", "o/+", "o/#"):
        client.subscribed(lab5.topic(name), properties=props(subscription_identifier=largest))
    client.publish(lab5.topic("o/b"), b"x")
    assert set(client.expect_message(lab5.topic("o/b"), b"x").properties["subscription_identifier"]) == {largest}


@statement("MQTT-3.3.4-3")
def test_retained_and_stored_messages_carry_the_identifier_too(lab5):
    topic = lab5.topic("t")
    publisher = retain(lab5, topic, b"x")
    client = lab5.stored("s").subscribed(topic, qos=1, properties=props(subscription_identifier=300))
    got = client.take_message(topic, b"x", 1, retain=True)
    assert got.properties == {"subscription_identifier": [300]}
    client.leave()
    publisher.publish(topic, b"y", qos=1)
    got = lab5.resume("s").take_message(topic, b"y", 1)
    assert got.properties == {"subscription_identifier": [300]}


@statement("MQTT-3.3.4-6")
def test_a_subscription_identifier_from_a_client_is_refused(lab5):
    lab5.after_connect(w.publish("t", properties=props(subscription_identifier=1))).expect_disconnect(
        w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-3.3.4-7")
def test_more_messages_than_the_announced_receive_maximum_are_refused(lab5):
    """Messages of QoS 2 that are not released hold their places."""
    client = lab5.connect()
    maximum = client.connack.properties["receive_maximum"]
    assert 10 <= maximum < 65535
    client.send(b"".join(w.publish(lab5.topic("t"), b"", 2, number) for number in range(1, maximum + 1)))
    for number in range(1, maximum + 1):
        client.expect_ack(w.PUBREC, number)
    client.quiet()
    client.send(w.publish(lab5.topic("t"), b"", 2, maximum + 1))
    client.expect_disconnect(w.RECEIVE_MAXIMUM_EXCEEDED)


@statement("MQTT-3.3.4-7")
def test_acknowledged_messages_free_their_places(lab5):
    client = lab5.connect()
    maximum = client.connack.properties["receive_maximum"]
    for number in range(2 * maximum + 1):
        client.publish(lab5.topic("t"), qos=1 + number % 2)


@statement("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2")
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("maximum", [1, 3])
def test_the_server_keeps_to_the_clients_receive_maximum(lab5, qos, maximum):
    topic = lab5.topic("t")
    client = lab5.connect("s", properties=props(receive_maximum=maximum)).subscribed(topic, qos=qos)
    publisher = lab5.connect("p")
    for number in range(8):
        publisher.publish(topic, str(number), qos=qos)
    waiting = []
    for number in range(8):
        while len(waiting) < maximum and number + len(waiting) < 8:
            waiting.append(client.expect_message(topic, str(number + len(waiting)), qos))
        client.quiet()
        client.acknowledge(waiting.pop(0))


@statement("MQTT-4.9.0-2")
def test_half_acknowledged_messages_of_qos_2_still_hold_their_places(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s", properties=props(receive_maximum=2)).subscribed(topic, qos=2)
    for number in range(3):
        client.publish(topic, str(number), qos=2)
    first, second = client.messages(2)
    for got in (first, second):
        client.send(w.ack(w.PUBREC, got.packet_id))
        client.expect_ack(w.PUBREL, got.packet_id)
    client.quiet()
    client.send(w.ack(w.PUBCOMP, first.packet_id))
    client.take_message(topic, b"2", 2)


@statement("MQTT-4.9.0-2", "MQTT-4.4.0-2")
def test_a_refused_message_frees_its_place(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s", properties=props(receive_maximum=1)).subscribed(topic, qos=2)
    for number, qos in enumerate((1, 2, 1)):
        client.publish(topic, str(number), qos=qos)
    client.acknowledge(client.expect_message(topic, b"0", 1), 0x80)
    client.acknowledge(client.expect_message(topic, b"1", 2), 0x97)
    client.take_message(topic, b"2", 1)
    client.quiet()


@statement("MQTT-3.3.4-10", "MQTT-4.9.0-3")
def test_everything_else_goes_on_while_the_quota_is_used_up(lab5):
    topic = lab5.topic("t")
    client = lab5.connect("s", properties=props(receive_maximum=1)).subscribed(topic, qos=1)
    for number in range(3):
        client.publish(topic, str(number), qos=1)
    first = client.expect_message(topic, b"0", 1)
    client.ping()
    assert client.subscribe(lab5.topic("more"), qos=2).reasons == [2]
    assert client.publish(lab5.topic("none"), qos=2).reason < 0x80
    client.publish(lab5.topic("more"), b"zero", qos=0)
    client.expect_message(lab5.topic("more"), b"zero", 0)
    assert client.unsubscribe(lab5.topic("more")).reasons == [w.SUCCESS]
    client.acknowledge(first)
    client.take_message(topic, b"1", 1)
    client.take_message(topic, b"2", 1)


# ---- acknowledgements (3.4 to 3.7) -----------------------------------------------------------------------------------


@statement("MQTT-3.4.2-1")
def test_puback_tells_whether_anybody_listens(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    assert client.publish(topic, qos=1).reason in (w.SUCCESS, w.NO_MATCHING_SUBSCRIBERS)
    client.subscribed(topic)
    assert client.publish(topic, qos=1).reason == w.SUCCESS


@statement("MQTT-3.5.2-1")
def test_pubrec_tells_whether_anybody_listens(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    assert client.publish(topic, qos=2).reason in (w.SUCCESS, w.NO_MATCHING_SUBSCRIBERS)
    client.subscribed(topic)
    assert client.publish(topic, qos=2).reason == w.SUCCESS


@statement("MQTT-3.6.2-1")
def test_pubrel_tells_whether_the_identifier_is_known(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=2).publish(topic, qos=2)
    got = client.message()
    client.send(w.ack(w.PUBREC, got.packet_id))
    assert client.expect_ack(w.PUBREL, got.packet_id).reason == w.SUCCESS
    client.send(w.ack(w.PUBREC, 4711))
    assert client.expect_ack(w.PUBREL, 4711).reason == w.PACKET_IDENTIFIER_NOT_FOUND


@statement("MQTT-3.7.2-1")
def test_pubcomp_tells_whether_the_identifier_is_known(lab5):
    client = lab5.connect()
    client.send(w.publish(lab5.topic("t"), qos=2, packet_id=9))
    client.expect_ack(w.PUBREC, 9)
    client.send(w.ack(w.PUBREL, 9))
    assert client.expect_ack(w.PUBCOMP, 9).reason == w.SUCCESS
    client.send(w.ack(w.PUBREL, 9))
    assert client.expect_ack(w.PUBCOMP, 9).reason == w.PACKET_IDENTIFIER_NOT_FOUND


@statement("MQTT-3.6.1-1")
@pytest.mark.parametrize("flags", [flags for flags in range(16) if flags != 2])
def test_other_flags_of_pubrel_are_malformed(lab5, flags):
    client = lab5.connect()
    client.send(w.publish(lab5.topic("t"), qos=2, packet_id=9))
    client.expect_ack(w.PUBREC, 9)
    client.send(w.ack(w.PUBREL, 9, flags=flags))
    client.expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("kind, reason", [(w.PUBACK, 0x01), (w.PUBREC, 0x92), (w.PUBREL, 0x10), (w.PUBCOMP, 0x80),
                                          (w.PUBACK, 0xFF)])
def test_a_reason_code_of_another_packet_is_refused(lab5, kind, reason):
    lab5.after_connect(w.ack(kind, 1, reason)).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("form", ["two bytes", "three bytes", "properties"])
def test_acknowledgements_of_every_length_are_understood(lab5, form):
    extra = {"two bytes": (), "three bytes": (0,), "properties": (0, props(reason_string="fine"))}[form]
    client, topic = lab5.connect(), lab5.topic("t")
    client.subscribed(topic, qos=2)
    client.publish(topic, b"1", qos=1)
    client.send(w.ack(w.PUBACK, client.expect_message(topic, b"1", 1).packet_id, *extra))
    client.send(w.publish(topic, b"2", 2, 99))
    client.expect_ack(w.PUBREC, 99)
    client.send(w.ack(w.PUBREL, 99, *extra))
    client.expect_ack(w.PUBCOMP, 99)
    number = client.expect_message(topic, b"2", 2).packet_id
    client.send(w.ack(w.PUBREC, number, *extra))
    client.expect_ack(w.PUBREL, number)
    client.send(w.ack(w.PUBCOMP, number, *extra))
    client.quiet()


def within(lab5, limit, topic):
    """A client that takes packets of `limit` bytes, and an account of what it was sent."""
    client = lab5.connect(properties=props(maximum_packet_size=limit))
    client.topic = lab5.topic(topic)
    return client


@statement("MQTT-3.4.2-2", "MQTT-3.4.2-3")
@pytest.mark.parametrize("limit", [60, 120])
def test_puback_fits_the_size_that_the_client_takes(lab5, limit):
    client = within(lab5, limit, "t" * 500)
    assert len(client.publish(client.topic, qos=1).raw) <= limit


@statement("MQTT-3.5.2-2", "MQTT-3.5.2-3")
@pytest.mark.parametrize("limit", [60, 120])
def test_pubrec_fits_the_size_that_the_client_takes(lab5, limit):
    client = within(lab5, limit, "t" * 500)
    client.send(w.publish(client.topic, qos=2, packet_id=9))
    assert len(client.expect_ack(w.PUBREC, 9).raw) <= limit


@statement("MQTT-3.6.2-2", "MQTT-3.6.2-3")
@pytest.mark.parametrize("limit", [60, 120])
def test_pubrel_fits_the_size_that_the_client_takes(lab5, limit):
    client = within(lab5, limit, "t")
    client.send(w.ack(w.PUBREC, 4711))
    assert len(client.expect_ack(w.PUBREL, 4711).raw) <= limit


@statement("MQTT-3.7.2-2", "MQTT-3.7.2-3")
@pytest.mark.parametrize("limit", [60, 120])
def test_pubcomp_fits_the_size_that_the_client_takes(lab5, limit):
    client = within(lab5, limit, "t")
    client.send(w.ack(w.PUBREL, 4711))
    assert len(client.expect_ack(w.PUBCOMP, 4711).raw) <= limit
