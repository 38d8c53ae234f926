"""SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK: chapters 3.8 to 3.11."""

import pytest

import wire5 as w
from lab import NARROW_ACCOUNT, NARROW_PASSWORD, statement
from rawclient import packet, text
from wire5 import options, props

NARROW = {"username": NARROW_ACCOUNT, "password": NARROW_PASSWORD.encode()}  # may use what is below narrow/

# ---- SUBSCRIBE -------------------------------------------------------------------------------------------------------


@statement("MQTT-3.8.1-1")
@pytest.mark.parametrize("flags", [flags for flags in range(16) if flags != 2])
def test_other_flags_of_subscribe_are_malformed(lab5, flags):
    lab5.after_connect(w.subscribe(1, [("t", 0)], first_byte=0x80 | flags)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.8.3-1")
@pytest.mark.parametrize("topic", [b"\xff", b"a/\xed\xa0\x80", b"a\0"], ids=["no utf8", "surrogate", "null"])
def test_a_filter_that_is_no_string_is_malformed(lab5, topic):
    lab5.after_connect(w.subscribe(1, [("fine", 0), (topic, 0)])).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.8.3-2")
def test_a_subscribe_without_filter_is_a_protocol_error(lab5):
    for properties in (b"", w.users(("a", "b"))):
        lab5.after_connect(w.subscribe(1, [], properties)).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-3.8.3-2")
def test_a_filter_without_options_is_malformed(lab5):
    lab5.after_connect(packet(0x82, b"\0\1\0" + text("t"))).expect_disconnect(w.MALFORMED_PACKET)
    lab5.after_connect(packet(0x82, b"\0\1\0" + text("t") + b"\0" + text("u"))).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.8.3-3")
def test_no_local_keeps_ones_own_messages_away(lab5):
    topic = lab5.topic("t")
    client, other = lab5.connect("s").subscribed(topic, qos=2, no_local=True), lab5.connect("o")
    for qos in (0, 1, 2):
        client.publish(topic, b"own", qos=qos)
    other.publish(topic, b"of another", qos=1)
    client.take_message(topic, b"of another", 1)
    client.quiet()


@statement("MQTT-3.8.3-3")
def test_no_local_counts_for_each_subscription(lab5):
    client = lab5.connect().subscribed(lab5.topic("a/#"), no_local=True).subscribed(lab5.topic("a/b"))
    client.publish(lab5.topic("a/b"), b"x")
    client.expect_message(lab5.topic("a/b"), b"x")
    client.publish(lab5.topic("a/c"), b"x")
    client.quiet()


@statement("MQTT-3.8.3-3")
def test_no_local_goes_by_the_client_identifier(lab5):
    """A will counts as the client's own message, also when the session goes on by another connection."""
    topic = lab5.topic("t")
    lab5.stored("s", will=w.will(topic, b"will")).subscribed(topic, qos=1, no_local=True).drop()
    client = lab5.resume("s")
    client.publish(topic, b"own", qos=1)
    client.quiet()


@statement("MQTT-3.8.3-4")
def test_no_local_on_a_shared_subscription_is_a_protocol_error(lab5):
    lab5.after_connect(w.subscribe(1, [("$share/g/" + lab5.topic("t"), options(no_local=True))])).expect_disconnect(
        w.PROTOCOL_ERROR)


@statement("MQTT-3.8.3-5")
@pytest.mark.parametrize("bits", [0x40, 0x80, 0xC0])
def test_reserved_bits_of_the_options_are_malformed(lab5, bits):
    lab5.after_connect(w.subscribe(1, [(lab5.topic("t"), bits)])).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-4.13.1-1")
@pytest.mark.parametrize("bits", [0x03, 0x30, 0x33], ids=["QoS 3", "retain handling 3", "both"])
def test_option_values_without_meaning_are_protocol_errors(lab5, bits):
    lab5.after_connect(w.subscribe(1, [(lab5.topic("t"), bits)])).expect_disconnect(
        w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-3.8.4-1")
def test_subscribe_is_answered_before_its_retained_messages_or_after(lab5):
    """Messages may overtake the SUBACK; each comes once."""
    topic = lab5.topic("t")
    lab5.connect("p").publish(topic, b"x", qos=1, retain=True)
    client = lab5.connect("s")
    client.send(w.subscribe(7, [(topic, 0)]))
    kinds = sorted(client.receive().type for _ in range(2))
    assert kinds == [w.PUBLISH, w.SUBACK]
    client.quiet()


@statement("MQTT-3.8.4-2")
@pytest.mark.parametrize("number", [1, 256, 65535])
def test_suback_has_the_identifier_of_the_subscribe(lab5, number):
    client = lab5.connect()
    client.send(w.subscribe(number, [(lab5.topic("t"), 0)]))
    assert client.receive().packet_id == number


@statement("MQTT-3.8.4-3")
def test_the_same_filter_again_replaces_the_subscription(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=0, properties=props(subscription_identifier=1), no_local=True)
    client.subscribed(topic, qos=2, properties=props(subscription_identifier=2))
    client.publish(topic, b"x", qos=2)
    got = client.take_message(topic, b"x", 2)
    assert got.properties == {"subscription_identifier": [2]}
    client.subscribed(topic, qos=1, retain_as_published=True)
    client.publish(topic, b"y", qos=2, retain=True)
    assert client.take_message(topic, b"y", 1, retain=True).properties == {}
    client.quiet()
    client.publish(topic, b"", retain=True)


@statement("MQTT-3.8.4-4")
def test_replacing_a_subscription_sends_retained_messages_again(lab5):
    topic = lab5.topic("t")
    client = lab5.connect()
    client.publish(topic, b"kept", qos=1, retain=True)
    for qos in (0, 1, 1):
        client.subscribed(topic, qos=qos, retain_handling=0)
        client.take_message(topic, b"kept", qos, retain=True)
        client.quiet()


@statement("MQTT-3.8.4-4")
def test_replacing_a_subscription_loses_no_message(lab5):
    topic, count = lab5.topic("t"), 60
    publisher, client = lab5.connect("p"), lab5.connect("s").subscribed(topic, qos=1)
    for number in range(count):
        publisher.send(w.publish(topic, str(number), qos=1, packet_id=number + 1))
        client.send(w.subscribe(number + 1, [(topic, options(1, retain_handling=number % 3))]))
        publisher.expect_ack(w.PUBACK, number + 1)
        client.expect_ack(w.SUBACK, number + 1)
    for number in range(count):
        client.take_message(topic, str(number), 1)
    client.quiet()


@statement("MQTT-3.8.4-5")
def test_many_filters_are_taken_one_after_the_other(lab5):
    topic, other = lab5.topic("t"), lab5.topic("u")
    client = lab5.connect()
    got = client.subscribe((topic, 0), (other, 1), (topic, 2), properties=props(subscription_identifier=5))
    assert got.reasons == [0, 1, 2]
    for name, qos in ((topic, 2), (other, 1)):
        client.publish(name, b"x", qos=2)
        assert client.take_message(name, b"x", qos).properties == {"subscription_identifier": [5]}
    client.quiet()


@statement("MQTT-3.8.4-6", "MQTT-3.9.3-1")
def test_suback_has_a_code_for_each_filter_in_order(lab5):
    filters = [(lab5.topic(str(number)), number * 7 % 3) for number in range(50)]
    assert lab5.connect().subscribe(*filters).reasons == [qos for _, qos in filters]


@statement("MQTT-3.8.4-7", "MQTT-3.9.3-2")
def test_a_code_is_the_granted_qos_or_an_error(lab5):
    """The account of this client may subscribe below narrow/ only."""
    client = lab5.connect(**NARROW)
    got = client.subscribe("narrow/" + lab5.prefix, "wide/" + lab5.prefix, ("narrow/#", 2))
    assert got.reasons == [0, w.NOT_AUTHORIZED, 2]


@statement("MQTT-3.8.4-8")
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_messages_come_with_the_lower_qos(lab5, published, granted):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=granted)
    client.publish(topic, b"live", qos=published)
    client.take_message(topic, b"live", min(published, granted))
    client.publish(topic + "/r", b"retained", qos=published, retain=True)
    client.ping()
    client.subscribed(topic + "/r", qos=granted)
    client.take_message(topic + "/r", b"retained", min(published, granted), retain=True)


@statement("MQTT-3.9.2-1", "MQTT-3.9.2-2")
@pytest.mark.parametrize("limit", [60, 120])
def test_suback_fits_the_size_that_the_client_takes(lab5, limit):
    client = lab5.connect(**NARROW, properties=props(maximum_packet_size=limit))
    got = client.subscribe(*["wide/" + "x" * 300] * 10)
    assert got.reasons == [w.NOT_AUTHORIZED] * 10 and len(got.raw) <= limit


@statement("MQTT-4.13.1-1")
def test_topics_of_many_levels_are_taken(lab5):
    for levels in (100, 200):
        topic = lab5.topic("/".join("l" * (levels - lab5.prefix.count("/") - 1)))
        assert topic.count("/") == levels - 1
        client = lab5.connect(f"{levels}").subscribed(topic, topic[:-1] + "+")
        client.publish(topic, b"deep")
        client.expect_message(topic, b"deep")
        client.quiet()


# ---- UNSUBSCRIBE -----------------------------------------------------------------------------------------------------


@statement("MQTT-3.10.1-1")
@pytest.mark.parametrize("flags", [flags for flags in range(16) if flags != 2])
def test_other_flags_of_unsubscribe_are_malformed(lab5, flags):
    lab5.after_connect(w.unsubscribe(1, ["t"], first_byte=0xA0 | flags)).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.10.3-1")
@pytest.mark.parametrize("topic", [b"\xff", b"a/\xed\xa0\x80", b"a\0"], ids=["no utf8", "surrogate", "null"])
def test_a_filter_to_remove_that_is_no_string_is_malformed(lab5, topic):
    lab5.after_connect(w.unsubscribe(1, ["fine", topic])).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-3.10.3-2")
def test_an_unsubscribe_without_filter_is_a_protocol_error(lab5):
    lab5.after_connect(w.unsubscribe(1, [])).expect_disconnect(w.PROTOCOL_ERROR, w.MALFORMED_PACKET)


@statement("MQTT-3.10.4-1")
def test_only_the_very_same_filter_is_removed(lab5):
    names = ["a/+", "a/#", "a/b", "A/b", "a/b/"]
    client = lab5.connect().subscribed(*[lab5.topic(name) for name in names])
    for other in ("a/c", "a", "+/b", "a/B", "a//b"):
        assert client.unsubscribe(lab5.topic(other)).reasons == [w.NO_SUBSCRIPTION_EXISTED]
    for index, name in enumerate(names):
        assert client.unsubscribe(lab5.topic(name)).reasons == [w.SUCCESS]
        client.publish(lab5.topic("a/b"), name)
        client.ping()
        assert bool(client.inbox) == (index < 2)
        client.inbox.clear()


@statement("MQTT-3.10.4-2")
def test_after_unsubscribe_no_more_messages_come(lab5):
    topic = lab5.topic("t")
    publisher, client = lab5.connect("p"), lab5.connect("s").subscribed(topic, qos=1)
    publisher.publish(topic, b"before", qos=1)
    client.take_message(topic, b"before", 1)
    client.unsubscribe(topic)
    publisher.publish(topic, b"after", qos=1)
    lab5.fence(publisher, client)


@statement("MQTT-3.10.4-3")
def test_what_was_begun_before_unsubscribe_is_completed(lab5):
    topic = lab5.topic("t")
    client = lab5.stored("s").subscribed(topic, qos=2)
    client.publish(topic, b"two", qos=2)
    got = client.expect_message(topic, b"two", 2)
    client.publish(topic, b"one", qos=1)
    client.expect_message(topic, b"one", 1)
    client.unsubscribe(topic)
    client.acknowledge(got)
    client.ping()
    client.drop()
    client = lab5.resume("s")
    client.take_message(topic, b"one", 1, dup=True)
    client.quiet()


@statement("MQTT-3.10.4-4", "MQTT-3.10.4-5")
def test_unsuback_comes_whether_or_not_anything_was_removed(lab5):
    client, topic = lab5.connect(), lab5.topic("t")
    for number, reason in ((65535, w.NO_SUBSCRIPTION_EXISTED), (256, w.SUCCESS), (1, w.NO_SUBSCRIPTION_EXISTED)):
        if reason == w.SUCCESS:
            client.subscribed(topic)
        client.send(w.unsubscribe(number, [topic]))
        client_got = client.receive()
        assert (client_got.type, client_got.packet_id, client_got.reasons) == (w.UNSUBACK, number, [reason])


@statement("MQTT-3.10.4-6", "MQTT-3.11.3-1", "MQTT-3.11.3-2")
def test_unsuback_has_a_code_for_each_filter_in_order(lab5):
    client = lab5.connect().subscribed(*[lab5.topic(name) for name in "abc"])
    got = client.unsubscribe(*[lab5.topic(name) for name in "axbyac"])
    gone, none = w.SUCCESS, w.NO_SUBSCRIPTION_EXISTED
    assert got.reasons == [gone, none, gone, none, none, gone]
    for name in "abc":
        client.publish(lab5.topic(name))
    client.quiet()


@statement("MQTT-3.11.2-1", "MQTT-3.11.2-2")
@pytest.mark.parametrize("limit", [60, 120])
def test_unsuback_fits_the_size_that_the_client_takes(lab5, limit):
    client = lab5.connect(properties=props(maximum_packet_size=limit))
    assert len(client.unsubscribe(*[lab5.topic("t" * 300)] * 10).raw) <= limit
