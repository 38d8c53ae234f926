"""PUBLISH and the delivery of each QoS: chapters 3.3 to 3.7, 4.3 and 4.6. Retained messages: test_v311_retain."""

import pytest

from lab import NARROW_ACCOUNT, NARROW_PASSWORD, ack, statement
from rawclient import packet, publish_packet, text


def pair(lab, topic, qos):
    """A subscriber and a publisher."""
    subscriber, publisher = lab.connect("s"), lab.connect("p")
    assert subscriber.subscribe((topic, qos)) == [qos]
    return subscriber, publisher


def fence(publisher, subscriber, topic, qos=1):
    """Shows that nothing else is on its way: the next message of the publisher is the next to arrive."""
    publisher.publish_fully(topic, "fence", qos)
    subscriber.take_message(topic, "fence", qos)


# ---- flags and topic -------------------------------------------------------------------------------------------------


@statement("MQTT-3.3.1-4")
@pytest.mark.parametrize("flags", [0x06, 0x07, 0x0E, 0x0F], ids=hex)
def test_qos_3_closes(lab, flags):
    client = lab.connect()
    client.send(packet(0x30 | flags, text(lab.topic("a")) + b"\x00\x01m"))
    client.expect_closed()


@statement("MQTT-3.3.1-2")
@pytest.mark.parametrize("flags", [0x08, 0x09], ids=hex)
def test_dup_with_qos_0_closes(lab, flags):
    client = lab.connect()
    client.send(packet(0x30 | flags, text(lab.topic("a")) + b"m"))
    client.expect_closed()


@statement("MQTT-3.3.2-2", "MQTT-4.7.1-1")
@pytest.mark.parametrize("topic", ["#", "+", "a/#", "a/+/b", "a#", "+a", "a/b+"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_topic_with_wildcards_closes(lab, topic, qos):
    client = lab.connect()
    client.send(publish_packet(topic, "m", qos, 1))
    client.expect_closed()


@statement("MQTT-4.7.3-1")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_topic_closes(lab, qos):
    client = lab.connect()
    client.send(publish_packet("", "m", qos, 1))
    client.expect_closed()


@statement("MQTT-3.3.1-3")
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_not_passed_on(lab, qos):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    publisher.publish_fully(topic, "m", qos, dup=True)
    subscriber.take_message(topic, "m", qos, dup=False)
    fence(publisher, subscriber, topic)


@statement("MQTT-3.3.4-1", "MQTT-4.3.1-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2")
def test_each_qos_has_its_answer(lab):
    client = lab.connect()
    topic = lab.topic("nobody")
    client.send(publish_packet(topic, "m"))
    client.expect_still_open()
    client.send(publish_packet(topic, "m", 1, 10))
    client.expect_raw(b"\x40\x02\x00\x0a")
    client.expect_still_open()
    client.send(publish_packet(topic, "m", 2, 11))
    client.expect_raw(b"\x50\x02\x00\x0b")
    client.expect_still_open()
    client.send(b"\x62\x02\x00\x0b")
    client.expect_raw(b"\x70\x02\x00\x0b")
    client.expect_still_open()


@statement("MQTT-3.3.5-2")
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_a_publish_that_is_not_permitted_is_acknowledged_and_dropped(lab, qos, retain):
    topic = lab.topic("forbidden")
    subscriber, publisher = pair(lab, topic, 2)
    narrow = lab.connect("n", username=NARROW_ACCOUNT, password=NARROW_PASSWORD)
    narrow.publish_fully(topic, "dropped", qos, retain=retain)
    narrow.expect_still_open()
    fence(publisher, subscriber, topic)
    subscriber.subscribe((topic, 2))
    subscriber.expect_still_open()


def test_what_is_permitted_is_delivered(lab):
    topic = f"narrow/{lab.prefix}/a"
    subscriber = lab.connect("s")
    subscriber.subscribe((topic, 2))
    narrow = lab.connect("n", username=NARROW_ACCOUNT, password=NARROW_PASSWORD)
    for qos in (0, 1, 2):
        narrow.publish_fully(topic, "m", qos)
        subscriber.take_message(topic, "m", qos)


# ---- delivery --------------------------------------------------------------------------------------------------------


@statement("MQTT-3.8.4-6", "MQTT-4.3.1-1", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_delivered_qos_is_the_lower_one(lab, published, granted):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, granted)
    publisher.publish_fully(topic, "m", published)
    subscriber.take_message(topic, "m", min(published, granted))
    fence(publisher, subscriber, topic, min(1, granted))
    subscriber.expect_still_open()


@statement("MQTT-4.3.3-1")
def test_qos_2_of_the_server_step_by_step(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    publisher.publish_fully(topic, "m", 2)
    number = subscriber.expect_message(topic, "m", 2).packet_id
    subscriber.expect_still_open()
    subscriber.send(ack(0x50, number))
    subscriber.expect_raw(ack(0x62, number))
    subscriber.expect_still_open()
    subscriber.send(ack(0x70, number))
    subscriber.expect_still_open()
    fence(publisher, subscriber, topic, 2)


@statement("MQTT-4.3.3-2")
@pytest.mark.parametrize("dup", [True, False])
def test_a_repeated_qos_2_message_is_delivered_once(lab, dup):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    publisher.send(publish_packet(topic, "m", 2, 77))
    publisher.expect_raw(ack(0x50, 77))
    for _ in range(3):
        publisher.send(publish_packet(topic, "m", 2, 77, dup=dup))
        publisher.expect_raw(ack(0x50, 77))
    publisher.send(ack(0x62, 77))
    publisher.expect_raw(ack(0x70, 77))
    subscriber.take_message(topic, "m", 2)
    fence(publisher, subscriber, topic)


@statement("MQTT-4.3.3-2")
def test_after_pubcomp_the_packet_id_is_a_new_message(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    for word in ("first", "second", "third"):
        publisher.send(publish_packet(topic, word, 2, 5, dup=word == "third"))
        publisher.expect_raw(ack(0x50, 5))
        publisher.send(ack(0x62, 5))
        publisher.expect_raw(ack(0x70, 5))
        subscriber.take_message(topic, word, 2)
    subscriber.expect_still_open()


@statement("MQTT-4.3.3-2")
def test_pubrel_is_always_answered(lab):
    """A repeated PUBREL, and one for a packet id that the server no longer or never knew."""
    client = lab.connect()
    client.publish_fully(lab.topic("a"), "m", 2)
    for number in (client.next_id, client.next_id, 4711):
        client.send(ack(0x62, number))
        client.expect_raw(ack(0x70, number))


@statement("MQTT-4.3.2-2")
def test_after_puback_the_packet_id_is_a_new_message(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 1)
    for word, dup in (("first", False), ("second", False), ("third", True)):
        publisher.send(publish_packet(topic, word, 1, 5, dup=dup))
        publisher.expect_raw(ack(0x40, 5))
        subscriber.take_message(topic, word, 1)
    subscriber.expect_still_open()


@statement("MQTT-4.3.2-1")
def test_a_late_puback_does_not_hold_up_the_connection(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 1)
    publisher.publish_fully(topic, "one", 1)
    one = subscriber.expect_message(topic, "one", 1)
    publisher.publish_fully(topic, "two", 1)
    two = subscriber.expect_message(topic, "two", 1)
    subscriber.expect_still_open()
    subscriber.send(ack(0x40, two.packet_id) + ack(0x40, one.packet_id))
    subscriber.expect_still_open()
    fence(publisher, subscriber, topic)


@statement("MQTT-4.3.3-1")
def test_the_same_pubrec_twice_is_answered_twice(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    publisher.publish_fully(topic, "m", 2)
    number = subscriber.expect_message(topic, "m", 2).packet_id
    for _ in range(2):
        subscriber.send(ack(0x50, number))
        subscriber.expect_raw(ack(0x62, number))
    subscriber.send(ack(0x70, number))
    subscriber.expect_still_open()


@statement("MQTT-4.5.0-1", "MQTT-3.3.2-3", "MQTT-4.1.0-2")
def test_everybody_who_subscribed_gets_the_message(lab):
    topic = lab.topic("a/b")
    live = [lab.connect(f"l{index}", transport=transport) for index, transport in enumerate(("tcp", "ws", "tcp", "ws"))]
    filters = (topic, lab.topic("+/b"), lab.topic("#"), lab.topic("a/+"))
    for client, wanted in zip(live, filters):
        assert client.subscribe((wanted, 1)) == [1]
    absent = lab.connect("a", clean=False)
    absent.subscribe((topic, 1))
    absent.leave()
    other = lab.connect("o")
    other.subscribe((lab.topic("b/a"), 1))
    lab.connect("p").publish_fully(topic, "m", 1)
    for client in live:
        client.take_message(topic, "m", 1)
        client.expect_still_open()
    absent = lab.connect("a", clean=False, session_present=1)
    absent.take_message(topic, "m", 1)
    fence(lab.connect("f"), other, lab.topic("b/a"))
    lab.forget("a")


@pytest.mark.parametrize("qos", [1, 2])
def test_a_client_that_never_acknowledges_delays_nobody(lab, qos):
    topic = lab.topic("a")
    mute, publisher = pair(lab, topic, qos)
    other = lab.connect("o")
    other.subscribe((topic, qos))
    for index in range(200):
        publisher.publish_fully(topic, str(index), qos)
        other.take_message(topic, str(index), qos)
    for index in range(10):
        mute.expect_message(topic, str(index), qos)


# ---- overlapping subscriptions ---------------------------------------------------------------------------------------


@statement("MQTT-3.3.5-1")
@pytest.mark.parametrize("qos", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 0, 1)])
def test_overlapping_subscriptions_get_one_message_with_the_highest_qos(lab, qos):
    client, publisher = lab.connect("s"), lab.connect("p")
    topic = lab.topic("a/b")
    assert client.subscribe(*zip((topic, lab.topic("+/b"), lab.topic("#")), qos)) == list(qos)
    for published in (0, 1, 2):
        publisher.publish_fully(topic, f"m{published}", published)
        client.take_message(topic, f"m{published}", min(published, max(qos)))
    client.expect_still_open()
    # Without the strongest, the next one counts.
    strongest = (topic, lab.topic("+/b"), lab.topic("#"))[qos.index(max(qos))]
    client.unsubscribe(strongest)
    publisher.publish_fully(topic, "less", 2)
    client.take_message(topic, "less", sorted(qos)[1])
    fence(publisher, client, topic, min(1, sorted(qos)[1]))


# ---- order -----------------------------------------------------------------------------------------------------------


@statement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_arrive_in_their_order(lab, qos):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, qos)
    count = 60
    for index in range(count):
        publisher.send(publish_packet(topic, str(index), qos, index + 1))
    if qos == 2:
        publisher.send(b"".join(ack(0x62, index + 1) for index in range(count)))
    for index in range(count):
        subscriber.take_message(topic, str(index), qos)
    subscriber.expect_still_open()


@statement("MQTT-4.6.0-6")
def test_order_holds_for_each_publisher(lab):
    subscriber = lab.connect("s")
    topic = lab.topic("a")
    subscriber.subscribe((topic, 1))
    publishers = {name: lab.connect(name, transport=transport) for name, transport in
                  (("a", "tcp"), ("b", "ws"), ("c", "tcp"), ("d", "ws"))}
    for index in range(20):
        for name, publisher in publishers.items():
            publisher.send(publish_packet(topic, f"{name} {index}", 1, index + 1))
    seen = {name: [] for name in publishers}
    for _ in range(20 * len(publishers)):
        got = subscriber.expect_publish()
        subscriber.puback(got)
        name, index = got.payload.decode().split()
        seen[name].append(int(index))
    assert all(found == list(range(20)) for found in seen.values()), seen


@statement("MQTT-4.6.0-2")
def test_pubacks_come_in_the_order_of_the_publishes(lab):
    client = lab.connect()
    numbers = [*range(100, 70, -1), *range(1, 31)]
    client.send(b"".join(publish_packet(lab.topic(str(number)), "m", 1, number) for number in numbers))
    for number in numbers:
        client.expect_raw(ack(0x40, number))
    client.expect_still_open()


@statement("MQTT-4.6.0-3", "MQTT-4.6.0-4")
def test_pubrecs_and_pubcomps_come_in_order(lab):
    client = lab.connect()
    numbers = [*range(30, 20, -1), *range(1, 11)]
    client.send(b"".join(publish_packet(lab.topic(str(number)), "m", 2, number) for number in numbers))
    for number in numbers:
        client.expect_raw(ack(0x50, number))
    client.send(b"".join(ack(0x62, number) for number in numbers))
    for number in numbers:
        client.expect_raw(ack(0x70, number))
    client.expect_still_open()


@statement("MQTT-4.6.0-4")
def test_pubrels_of_the_server_come_in_the_order_of_the_pubrecs(lab):
    topic = lab.topic("a")
    subscriber, publisher = pair(lab, topic, 2)
    for index in range(8):
        publisher.publish_fully(topic, str(index), 2)
    numbers = [subscriber.expect_message(topic, str(index), 2).packet_id for index in range(8)]
    shuffled = numbers[4:] + numbers[:4]
    subscriber.send(b"".join(ack(0x50, number) for number in shuffled))
    for number in shuffled:
        subscriber.expect_raw(ack(0x62, number))
    subscriber.send(b"".join(ack(0x70, number) for number in shuffled))
    fence(publisher, subscriber, topic)


def test_half_done_exchanges_of_many_ids_go_on_side_by_side(lab):
    """QoS 1 and 2, publishing and receiving, all open at once on one connection."""
    client = lab.connect()
    topic = lab.topic("a")
    client.subscribe((topic, 2))
    client.send(b"".join(publish_packet(topic, str(number), 2 if number % 2 else 1, number) for number in range(1, 9)))
    got, answers = [], []

    def receive_until(answered, delivered):
        """A QoS 2 message may be delivered when it comes or when it is released; the order is kept either way."""
        while len(answers) < answered or len(got) < delivered:
            found = client.receive()
            if found.type == 3:
                got.append(found)
            else:
                answers.append(found.raw)

    receive_until(8, 4)
    assert answers == [ack(0x50 if number % 2 else 0x40, number) for number in range(1, 9)]
    client.send(b"".join(ack(0x62, number) for number in range(1, 9, 2)))
    receive_until(12, 8)
    assert answers[8:] == [ack(0x70, number) for number in range(1, 9, 2)]
    assert sorted(found.payload for found in got) == [str(number).encode() for number in range(1, 9)]
    for qos in (1, 2):
        numbers = [int(found.payload) for found in got if found.qos == qos]
        assert numbers == sorted(numbers), f"QoS {qos}: {numbers}"
    client.send(b"".join(ack(0x50 if found.qos == 2 else 0x40, found.packet_id) for found in got))
    receive_until(16, 8)
    assert answers[12:] == [ack(0x62, found.packet_id) for found in got if found.qos == 2]
    client.send(b"".join(ack(0x70, found.packet_id) for found in got if found.qos == 2))
    client.expect_still_open()
