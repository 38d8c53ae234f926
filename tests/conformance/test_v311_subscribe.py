"""SUBSCRIBE, UNSUBSCRIBE and the matching of topics: chapters 3.8 to 3.11 and 4.7."""

import pytest

from lab import NARROW_ACCOUNT, NARROW_PASSWORD, ack, statement
from rawclient import PUBACK, SUBACK, UNSUBACK, packet, publish_packet, subscribe_packet, text, unsubscribe_packet


@statement("MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-5", "MQTT-3.9.3-2")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_subscribe_is_granted_as_asked(lab, qos):
    client = lab.connect()
    client.send(subscribe_packet(0x1234, [(lab.topic("a"), qos)]))
    client.expect_raw(bytes([0x90, 3, 0x12, 0x34, qos]))
    client.expect_still_open()


@statement("MQTT-3.8.3-3", "MQTT-4.8.0-1")
def test_subscribe_without_filter_closes(lab):
    client = lab.connect()
    client.send(b"\x82\x02\x00\x01")
    client.expect_closed()


@statement("MQTT-3.8.3-4")
@pytest.mark.parametrize("options", [3, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x82, 0xFF], ids=hex)
def test_subscribe_with_reserved_bits_or_qos_3_closes(lab, options):
    for before in (b"", text(lab.topic("good")) + b"\x01"):
        client = lab.connect()
        client.send(packet(0x82, b"\x00\x01" + before + text(lab.topic("a")) + bytes([options])))
        client.expect_closed()


BAD_FILTERS = ["", "a#", "a/b#", "#/", "#/a", "a/#/b", "##", "a/##", "+a", "a+", "a/+b", "a/b+/c", "++",
               "a/++", "+#", "a/+#"]


@statement("MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-4.7.3-1")
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_filters_with_misplaced_wildcards_close(lab, bad):
    for filters in ([(bad, 0)], [(lab.topic("good"), 0), (bad, 0)]):
        client = lab.connect()
        client.send(subscribe_packet(1, filters))
        client.expect_closed()


@statement("MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-4.7.3-1")
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_unsubscribing_filters_with_misplaced_wildcards_closes(lab, bad):
    client = lab.connect()
    client.send(unsubscribe_packet(1, [bad]))
    client.expect_closed()


@statement("MQTT-3.8.4-4", "MQTT-3.8.4-5", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def test_several_filters_get_their_codes_in_order(lab):
    client = lab.connect()
    wanted = [2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 2, 1]
    client.send(subscribe_packet(1, [(lab.topic(str(index)), qos) for index, qos in enumerate(wanted)]))
    client.expect_raw(packet(0x90, b"\x00\x01" + bytes(wanted)))
    for index, qos in enumerate(wanted):
        client.publish_fully(lab.topic(str(index)), str(index), 2)
        client.take_message(lab.topic(str(index)), str(index), qos)
    client.expect_still_open()


@statement("MQTT-3.8.4-4")
def test_the_last_of_equal_filters_in_a_packet_counts(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.send(subscribe_packet(1, [(topic, 2), (topic, 0), (topic, 1)]))
    client.expect_raw(b"\x90\x05\x00\x01\x02\x00\x01")
    client.publish_fully(topic, "m", 2)
    client.take_message(topic, "m", 1)
    client.expect_still_open()


@statement("MQTT-3.8.4-5", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def test_a_filter_that_is_not_permitted_is_refused_with_0x80(lab):
    narrow = lab.connect("n", username=NARROW_ACCOUNT, password=NARROW_PASSWORD)
    good = f"narrow/{lab.prefix}/a"
    narrow.send(subscribe_packet(1, [(lab.topic("a"), 2), (good, 2), ("#", 1), (f"narrow/{lab.prefix}/+", 0)]))
    narrow.expect_raw(b"\x90\x06\x00\x01\x80\x02\x80\x00")
    narrow.expect_still_open()
    publisher = lab.connect("p")
    publisher.publish_fully(lab.topic("a"), "secret", 2)
    publisher.publish_fully(good, "m", 2)
    narrow.take_message(good, "m", 2)
    narrow.expect_still_open()


@statement("MQTT-3.8.4-3")
def test_subscribing_again_replaces_the_subscription(lab):
    client = lab.connect()
    topic = lab.topic("a")
    for qos in (0, 2, 1, 0):
        assert client.subscribe((topic, qos)) == [qos]
        client.publish_fully(topic, "m", 2)
        client.take_message(topic, "m", qos)
        client.expect_still_open()
    client.unsubscribe(topic)
    client.publish_fully(topic, "m", 2)
    client.expect_still_open()


@statement("MQTT-3.8.4-3")
def test_subscribing_again_loses_no_message(lab):
    client, publisher = lab.connect("s"), lab.connect("p")
    topic = lab.topic("a")
    client.subscribe((topic, 1))
    for index in range(60):
        publisher.send(publish_packet(topic, str(index), 1, index + 1))
        if index % 6 == 0:
            client.send(subscribe_packet(1000 + index, [(topic, 1)]))
    for index in range(60):
        assert publisher.expect(PUBACK).packet_id == index + 1
    subacks, messages = 0, []
    while subacks < 10 or len(messages) < 60:
        got = client.receive()
        if got.type == SUBACK:
            subacks += 1
        else:
            assert not got.retain and not got.dup and got.qos == 1
            client.puback(got)
            messages.append(int(got.payload))
    assert messages == list(range(60))
    client.expect_still_open()


def test_a_subscription_works_for_what_the_same_client_publishes_next(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.send(subscribe_packet(1, [(topic, 0)]) + publish_packet(topic, "m"))
    found = [client.receive().raw, client.receive().raw]
    assert sorted(found) == sorted([b"\x90\x03\x00\x01\x00", publish_packet(topic, "m")])
    client.expect_still_open()


# ---- UNSUBSCRIBE -----------------------------------------------------------------------------------------------------


@statement("MQTT-3.10.4-1", "MQTT-3.10.4-2", "MQTT-3.10.4-4")
def test_unsubscribe_ends_the_subscription(lab):
    client, publisher = lab.connect("s"), lab.connect("p")
    topic, other = lab.topic("a"), lab.topic("b")
    client.subscribe((topic, 1), (other, 1))
    client.send(unsubscribe_packet(0x0102, [topic]))
    client.expect_raw(ack(0xB0, 0x0102))
    publisher.publish_fully(topic, "no", 1)
    publisher.publish_fully(other, "yes", 1)
    client.take_message(other, "yes", 1)
    client.expect_still_open()


@statement("MQTT-3.10.3-2", "MQTT-4.8.0-1")
def test_unsubscribe_without_filter_closes(lab):
    client = lab.connect()
    client.send(b"\xa2\x02\x00\x01")
    client.expect_closed()


@statement("MQTT-3.10.4-5", "MQTT-3.10.4-1", "MQTT-4.7.3-4")
def test_only_the_same_filter_is_ended(lab):
    client = lab.connect()
    filters = [lab.topic(name) for name in ("a/b", "a/+", "a/#", "#")]
    assert client.subscribe(*filters, qos=0) == [0] * 4
    for name in ("a/c", "A/b", "a/b/", "/a/b", "a", "+/+", "+/#", "a/b/#", "+/b", "a /b"):
        client.unsubscribe(lab.topic(name))
    client.publish_fully(lab.topic("a/b"), "m")
    client.take_message(lab.topic("a/b"), "m")
    for name, still in (("a/b", True), ("a/+", True), ("#", True), ("a/#", False)):
        client.unsubscribe(lab.topic(name))
        client.publish_fully(lab.topic("a/b"), name)
        if still:
            client.take_message(lab.topic("a/b"), name)
        client.expect_still_open()


@statement("MQTT-3.10.4-6", "MQTT-3.10.4-5")
def test_several_filters_get_one_unsuback(lab):
    client = lab.connect()
    topics = [lab.topic(str(index)) for index in range(6)]
    client.subscribe(*topics, qos=0)
    client.send(unsubscribe_packet(7, [topics[0], lab.topic("none"), topics[2], topics[2], topics[5]]))
    client.expect_raw(ack(0xB0, 7))
    for topic in topics:
        client.publish_fully(topic, "m")
    for index in (1, 3, 4):
        client.take_message(topics[index], "m")
    client.expect_still_open()


@statement("MQTT-3.10.4-3")
@pytest.mark.parametrize("qos", [1, 2])
def test_begun_deliveries_are_completed_after_unsubscribe(lab, qos):
    client, publisher = lab.connect("s", clean=False), lab.connect("p")
    topic = lab.topic("a")
    client.subscribe((topic, qos))
    publisher.publish_fully(topic, "begun", qos)
    number = client.expect_message(topic, "begun", qos).packet_id
    client.unsubscribe(topic)
    publisher.publish_fully(topic, "too late", qos)
    client.drop()
    client = lab.connect("s", clean=False, session_present=1)
    client.take_message(topic, "begun", qos, dup=True, packet_id=number)
    client.expect_still_open()
    client.leave()
    lab.forget("s")


@statement("MQTT-3.10.4-3")
def test_a_qos_2_exchange_goes_on_after_unsubscribe(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.subscribe((topic, 2))
    client.publish_fully(topic, "begun", 2)
    number = client.expect_message(topic, "begun", 2).packet_id
    client.unsubscribe(topic)
    client.send(ack(0x50, number))
    client.expect_raw(ack(0x62, number))
    client.send(ack(0x70, number))
    client.expect_still_open()


def test_subscribe_and_unsubscribe_in_one_write(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.send(b"".join(subscribe_packet(2 * index + 1, [(topic, 0)]) + unsubscribe_packet(2 * index + 2, [topic])
                         for index in range(50)) + publish_packet(topic, "m"))
    for index in range(50):
        assert client.expect(SUBACK).packet_id == 2 * index + 1
        assert client.expect(UNSUBACK).packet_id == 2 * index + 2
    client.expect_still_open()


# ---- matching --------------------------------------------------------------------------------------------------------

# (filter, topics that match, topics that do not)
MATCHES = [
    ("sport/tennis/player1/#", ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/s/w"],
     ["sport/tennis/player", "sport/tennis", "sport/tennis/player11"]),
    ("sport/#", ["sport", "sport/", "sport/a/b/c"], ["sports", "spor", "Sport/a"]),
    ("sport/tennis/+", ["sport/tennis/player1", "sport/tennis/", "sport/tennis/+x".replace("+", "p")],
     ["sport/tennis", "sport/tennis/player1/ranking", "sport/tennis/a/"]),
    ("sport/+", ["sport/", "sport/a"], ["sport", "sport//", "/sport/a"]),
    ("sport/+/player", ["sport/a/player", "sport//player"], ["sport/player", "sport/a/b/player", "sport/a/player/"]),
    ("+/+", ["/finance", "a/b", "/", "a/"], ["finance", "a/b/c", "//"]),
    ("/+", ["/finance", "/"], ["finance", "a/b", "//"]),
    ("+", ["finance", " "], ["/finance", "a/b", "finance/"]),
    ("+/tennis/#", ["a/tennis", "a/tennis/b/c", "/tennis"], ["tennis", "a/b/tennis"]),
    ("a//b", ["a//b"], ["a/b", "a/x/b", "a///b"]),
    ("a/+/+/b", ["a///b", "a/x/y/b"], ["a//b"]),
    ("/", ["/"], ["", "//", "a"]),
    ("a b/C", ["a b/C"], ["a b/c", "a  b/C", "ab/C", "a b/C "]),
    ("\u00e4", ["\u00e4"], ["a\u0308", "\u00c4"]),
    ("$sys", ["$sys"], ["$SYS", "sys"]),
]


@statement("MQTT-3.3.2-3", "MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-4.7.3-4")
@pytest.mark.parametrize("wanted, matching, others", MATCHES, ids=[case[0] for case in MATCHES])
def test_matching(lab, wanted, matching, others):
    client = lab.connect()
    fence = lab.prefix + "-fence"
    assert client.subscribe((lab.topic(wanted), 0), (fence, 0)) == [0, 0]
    for name in matching + others:
        client.send(publish_packet(lab.topic(name), name))
    client.send(publish_packet(fence, "fence"))
    for name in matching:
        client.expect_message(lab.topic(name), name)
    client.expect_message(fence, "fence")
    client.expect_still_open()


@statement("MQTT-4.7.1-2", "MQTT-4.7.1-3")
@pytest.mark.parametrize("wanted", ["#", "+/#", "+/+/#", "+/+/a", "+/+/+"])
def test_wildcards_from_the_first_level(lab, wanted):
    client = lab.connect()
    assert client.subscribe((wanted, 0)) == [0]
    client.send(publish_packet(lab.topic("a"), "m"))
    while (got := client.expect_publish()).topic != lab.topic("a"):
        assert got.retain, f"not of this test, and not retained: {got!r}"
    assert got.raw == publish_packet(lab.topic("a"), "m")


@statement("MQTT-4.7.2-1")
@pytest.mark.parametrize("wanted", ["#", "+/#", "+/conformance/#", "+/conformance/+", "+/+/+"])
def test_leading_wildcards_do_not_match_dollar_topics(lab, wanted):
    client, publisher = lab.connect(), lab.connect("p")
    fence = f"{lab.number}/conformance/fence"
    assert client.subscribe((wanted, 1)) == [1]
    for topic in ("$SYS/conformance/a", "$other/conformance/a", "$/conformance/a", "$SYS"):
        publisher.publish_fully(topic, "m", 1)
    publisher.publish_fully(fence, "m", 1)
    while (got := client.expect_publish()).topic != fence:
        assert not got.topic.startswith("$"), got.topic


def test_topics_of_the_server_can_be_subscribed(lab):
    client = lab.connect()
    client.send(subscribe_packet(1, [("$SYS/#", 0), ("$SYS/+", 0), ("$SYS/a", 2)]))
    assert client.expect(SUBACK).raw == b"\x90\x05\x00\x01\x00\x00\x02"
    client.ping()
    assert all(got.topic.startswith("$SYS/") for got in client.inbox), client.inbox


@statement("MQTT-4.7.2-1", "MQTT-4.7.3-4")
def test_a_dollar_inside_a_topic_is_an_ordinary_character(lab):
    client = lab.connect()
    client.subscribe((lab.topic("+/#"), 0))
    for name in ("$a/b", "a/$b", "$SYS/x", "$"):
        client.publish_fully(lab.topic(name), name)
        client.take_message(lab.topic(name), name)


@statement("MQTT-4.7.3-3")
@pytest.mark.parametrize("size", [128, 1024, 65535])
def test_long_topics(lab, size):
    client = lab.connect()
    topic = (lab.topic("t") + "x" * size)[:size]
    assert client.subscribe((topic, 1)) == [1]
    client.publish_fully(topic, "m", 1)
    client.take_message(topic, "m", 1)
    client.publish_fully(topic[:-1] + "y", "other", 1)
    client.unsubscribe(topic)
    client.expect_still_open()


@statement("MQTT-4.7.1-3")
def test_200_levels(lab):
    client = lab.connect()
    topic = "/".join([lab.prefix, *(str(level) for level in range(198))])
    assert topic.count("/") == 199
    filters = (topic, "/".join([lab.prefix, *["+"] * 198]), "/".join([lab.prefix, *["+"] * 197, "#"]), lab.topic("#"))
    for wanted in filters:
        assert client.subscribe((wanted, 2)) == [2]
        client.publish_fully(topic, wanted, 2)
        client.take_message(topic, wanted, 2)
        client.publish_fully(topic.replace("/", "/x", 1)[:-1] if wanted == topic else "x" + topic, "other", 1)
        client.unsubscribe(wanted)
        client.expect_still_open()


def test_many_subscriptions_of_one_client(lab):
    client = lab.connect()
    for begin in range(0, 1000, 100):
        assert client.subscribe(*(lab.topic(f"{index}/+") for index in range(begin, begin + 100)), qos=1) == [1] * 100
    for index in (0, 1, 99, 100, 500, 999):
        client.publish_fully(lab.topic(f"{index}/a"), str(index), 1)
        client.take_message(lab.topic(f"{index}/a"), str(index), 1)
    client.publish_fully(lab.topic("1000/a"), "none", 1)
    client.expect_still_open()
