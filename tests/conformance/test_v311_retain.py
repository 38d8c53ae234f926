"""Retained messages: chapter 3.3.1.3. Every test removes what it left."""

import pytest

from lab import statement
from rawclient import SUBACK, publish_packet, subscribe_packet


@pytest.fixture
def kept(lab):
    """`kept(topic, payload, qos)` publishes a retained message, which is removed at the end."""
    publisher = lab.connect("keeper")
    topics = []

    def keep(topic, payload, qos=1, **options):
        topics.append(topic)
        publisher.publish_fully(topic, payload, qos, retain=True, **options)
        return publisher

    yield keep
    for topic in topics:
        publisher.publish_fully(topic, "", 1, retain=True)


@statement("MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-3.3.1-8")
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_new_subscription_gets_the_retained_message(lab, kept, qos, granted):
    topic = lab.topic("a")
    client = kept(topic, "kept", qos)
    assert client.subscribe((topic, granted)) == [granted]
    client.take_message(topic, "kept", min(qos, granted), retain=True)
    client.expect_still_open()


@statement("MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-3.3.1-8")
def test_another_client_gets_it_too(lab, kept):
    topic = lab.topic("a")
    kept(topic, "kept", 2)
    for transport in ("tcp", "ws"):
        client = lab.connect(transport, transport=transport)
        client.subscribe((topic, 2))
        client.take_message(topic, "kept", 2, retain=True)
        client.expect_still_open()


@statement("MQTT-3.3.1-6")
def test_a_wildcard_gets_the_last_message_of_every_topic(lab, kept):
    for name in ("a", "b", "a/b", "a/c", "d/e/f"):
        kept(lab.topic(name), "old")
        kept(lab.topic(name), name)
    for wanted, names in (("#", {"a", "b", "a/b", "a/c", "d/e/f"}), ("+", {"a", "b"}), ("a/#", {"a", "a/b", "a/c"}),
                          ("+/b", {"a/b"}), ("d/+/f", {"d/e/f"}), ("d/+", set())):
        client = lab.connect()
        assert client.subscribe((lab.topic(wanted), 1)) == [1]
        found = {}
        for _ in names:
            got = client.expect_publish()
            client.puback(got)
            assert got.retain and got.qos == 1 and not got.dup
            found[got.topic] = got.payload.decode()
        assert found == {lab.topic(name): name for name in names}
        client.expect_still_open()


@statement("MQTT-3.3.1-6")
def test_several_filters_get_theirs(lab, kept):
    kept(lab.topic("a"), "A")
    kept(lab.topic("b"), "B")
    client = lab.connect()
    client.send(subscribe_packet(3, [(lab.topic("a"), 0), (lab.topic("none"), 0), (lab.topic("b"), 0)]))
    assert client.expect(SUBACK).raw == b"\x90\x05\x00\x03\x00\x00\x00"
    found = {(got.topic, got.payload) for got in (client.expect_publish(), client.expect_publish())}
    assert found == {(lab.topic("a"), b"A"), (lab.topic("b"), b"B")}
    client.expect_still_open()


@statement("MQTT-3.3.1-7")
def test_a_retained_message_with_qos_0_takes_the_place_of_the_old_one(lab, kept):
    """The standard lets a server drop it at any time; this one keeps it."""
    topic = lab.topic("a")
    kept(topic, "old", 1)
    client = kept(topic, "new", 0)
    client.subscribe((topic, 2))
    client.take_message(topic, "new", 0, retain=True)
    client.expect_still_open()


@statement("MQTT-3.3.1-9")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_existing_subscription_gets_it_without_retain(lab, kept, qos):
    topic = lab.topic("a")
    client = lab.connect()
    client.subscribe((topic, 2))
    kept(topic, "live", qos)
    client.take_message(topic, "live", qos, retain=False)
    client.expect_still_open()


@statement("MQTT-3.3.1-10", "MQTT-3.3.1-11")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_message_removes_the_retained_one(lab, kept, qos):
    topic = lab.topic("a")
    keeper = kept(topic, "kept", 1)
    live = lab.connect("live")
    live.subscribe((topic, 2))
    live.take_message(topic, "kept", 1, retain=True)
    keeper.publish_fully(topic, "", qos, retain=True)
    live.take_message(topic, "", qos, retain=False)
    assert keeper.subscribe((topic, 2)) == [2]
    keeper.expect_still_open()


@statement("MQTT-3.3.1-11")
def test_an_empty_retained_message_is_not_stored(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.publish_fully(topic, "", 1, retain=True)
    assert client.subscribe((topic, 2), (lab.topic("#"), 2)) == [2, 2]
    client.expect_still_open()


@statement("MQTT-3.3.1-12")
def test_a_message_without_retain_leaves_the_retained_one(lab, kept):
    topic = lab.topic("a")
    client = kept(topic, "kept", 1)
    client.publish_fully(topic, "passing", 1)
    client.publish_fully(topic, "", 1)
    client.subscribe((topic, 2))
    client.take_message(topic, "kept", 1, retain=True)
    client.expect_still_open()


@statement("MQTT-3.3.1-12")
def test_a_message_without_retain_is_not_stored(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.publish_fully(topic, "passing", 1)
    assert client.subscribe((topic, 2)) == [2]
    client.expect_still_open()


@statement("MQTT-3.1.2-7")
@pytest.mark.parametrize("clean", [True, False])
def test_retained_messages_outlive_the_session(lab, clean):
    topic = lab.topic("a")
    client = lab.connect("k", clean=clean)
    client.publish_fully(topic, "kept", 1, retain=True)
    client.leave()
    lab.forget("k")
    reader = lab.connect("r")
    reader.subscribe((topic, 1))
    reader.take_message(topic, "kept", 1, retain=True)
    reader.publish_fully(topic, "", 1, retain=True)


@statement("MQTT-3.8.4-3")
def test_subscribing_again_brings_it_again(lab, kept):
    topic = lab.topic("a")
    client = kept(topic, "kept", 2)
    for granted in (0, 2, 1, 1):
        assert client.subscribe((topic, granted)) == [granted]
        client.take_message(topic, "kept", granted, retain=True)
        client.expect_still_open()


def test_a_session_that_returns_does_not_get_it_again(lab, kept):
    topic = lab.topic("a")
    kept(topic, "kept", 1)
    client = lab.connect("c", clean=False)
    client.subscribe((topic, 1))
    client.take_message(topic, "kept", 1, retain=True)
    client.leave()
    client = lab.connect("c", clean=False, session_present=1)
    client.expect_still_open()
    client.leave()
    lab.forget("c")


@statement("MQTT-3.3.1-9", "MQTT-3.1.2-5")
def test_what_an_absent_session_missed_comes_without_retain(lab, kept):
    topic = lab.topic("a")
    client = lab.connect("c", clean=False)
    client.subscribe((topic, 1))
    client.leave()
    kept(topic, "missed", 1)
    client = lab.connect("c", clean=False, session_present=1)
    client.take_message(topic, "missed", 1, retain=False)
    client.expect_still_open()
    client.leave()
    lab.forget("c")


def test_a_large_retained_message(lab, kept):
    topic = lab.topic("a")
    payload = bytes(range(256)) * 4000
    client = kept(topic, payload, 1)
    client.subscribe((topic, 1))
    client.take_message(topic, payload, 1, retain=True)


@statement("MQTT-4.7.2-1")
def test_leading_wildcards_bring_no_retained_message_of_dollar_topics(lab):
    """Whatever below $SYS is retained, and however much: the fence is the first of its kind to arrive."""
    client = lab.connect()
    fence = lab.topic("fence")
    assert client.subscribe(("#", 0), ("+/#", 0), ("+/+/+", 0)) == [0, 0, 0]
    client.send(publish_packet(fence, "fence"))
    while (got := client.expect_publish()).topic != fence:
        assert not got.topic.startswith("$"), got.topic
