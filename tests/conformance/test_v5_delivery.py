"""Delivery: QoS 0, 1 and 2 in both directions, what is sent again and when, and order. Chapters 4.3 to 4.6."""

import time

import pytest

import wire5 as w
from lab import NARROW_ACCOUNT, NARROW_PASSWORD, statement
from rawclient import packet, text
from wire5 import props


def subscriber(lab5, qos, topic, **fields):
    return lab5.stored("s", **fields).subscribed(topic, qos=qos)


# ---- QoS 0 and 1 (4.3.1, 4.3.2) --------------------------------------------------------------------------------------


@statement("MQTT-4.3.1-1")
def test_qos_0_is_sent_once_without_dup(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, b"x")
    client.expect_raw(packet(0x30, text(topic) + b"\0x"))
    client.quiet()


@statement("MQTT-4.3.2-1", "MQTT-4.3.2-2")
def test_qos_1_messages_have_identifiers_of_their_own_and_no_dup(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=1)
    for number in range(10):
        client.publish(topic, str(number), qos=1)
    found = [client.expect_message(topic, str(number), 1, dup=False).packet_id for number in range(10)]
    assert len(set(found)) == 10


@statement("MQTT-4.3.2-3")
def test_qos_1_is_kept_until_its_puback(lab5):
    topic = lab5.topic("t")
    client = subscriber(lab5, 1, topic)
    client.publish(topic, b"x", qos=1)
    number = client.expect_message(topic, b"x", 1).packet_id
    for _ in range(2):
        client.drop()
        client = lab5.resume("s")
        assert client.expect_message(topic, b"x", 1, dup=True).packet_id == number
    client.send(w.ack(w.PUBACK, number))
    client.ping()
    client.drop()
    lab5.resume("s").quiet()


@statement("MQTT-4.3.2-4")
def test_qos_1_is_acknowledged_with_its_identifier(lab5):
    client = lab5.connect()
    for number in (1, 65535, 300):
        client.send(w.publish(lab5.topic("t"), b"x", 1, number))
        client.expect_ack(w.PUBACK, number)
    client.quiet()


@statement("MQTT-4.3.2-5")
@pytest.mark.parametrize("dup", [False, True])
def test_after_puback_the_same_identifier_is_a_new_message(lab5, dup):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=1)
    for payload in (b"same", b"same", b"other"):
        client.publish(topic, payload, qos=1, packet_id=7, dup=dup)
        client.take_message(topic, payload, 1)


# ---- QoS 2 as sender (4.3.3) -----------------------------------------------------------------------------------------


@statement("MQTT-4.3.3-1", "MQTT-4.3.3-2")
def test_qos_2_messages_have_identifiers_of_their_own_and_no_dup(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    for number in range(10):
        client.publish(topic, str(number), qos=2)
    found = [client.expect_message(topic, str(number), 2, dup=False).packet_id for number in range(10)]
    assert len(set(found)) == 10


@statement("MQTT-4.3.3-3")
def test_qos_2_is_kept_until_its_pubrec(lab5):
    topic = lab5.topic("t")
    client = subscriber(lab5, 2, topic)
    client.publish(topic, b"x", qos=2)
    number = client.expect_message(topic, b"x", 2).packet_id
    for _ in range(2):
        client.drop()
        client = lab5.resume("s")
        got = client.expect_message(topic, b"x", 2, dup=True)
        assert got.packet_id == number
    client.acknowledge(got)
    client.quiet()


@statement("MQTT-4.3.3-4")
def test_pubrec_is_answered_with_pubrel(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, b"x", qos=2)
    number = client.expect_message(topic, b"x", 2).packet_id
    client.send(w.ack(w.PUBREC, number))
    got = client.expect_ack(w.PUBREL, number)
    assert got.raw[0] == 0x62 and got.reason == w.SUCCESS


@statement("MQTT-4.3.3-4")
@pytest.mark.parametrize("reason", [0x80, 0x97])
def test_a_refusing_pubrec_is_not_answered_with_pubrel(lab5, reason):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, b"x", qos=2)
    client.send(w.ack(w.PUBREC, client.expect_message(topic, b"x", 2).packet_id, reason))
    client.quiet()


@statement("MQTT-4.3.3-5", "MQTT-4.3.3-6")
def test_pubrel_is_kept_until_its_pubcomp_and_publish_is_not_sent_again(lab5):
    topic = lab5.topic("t")
    client = subscriber(lab5, 2, topic)
    client.publish(topic, b"x", qos=2)
    number = client.expect_message(topic, b"x", 2).packet_id
    client.send(w.ack(w.PUBREC, number))
    client.expect_ack(w.PUBREL, number)
    for _ in range(2):
        client.drop()
        client = lab5.resume("s")
        client.expect_ack(w.PUBREL, number)
        client.quiet()
    client.send(w.ack(w.PUBCOMP, number))
    client.ping()
    client.drop()
    lab5.resume("s").quiet()


@statement("MQTT-4.3.3-7", "MQTT-4.3.3-13")
def test_expiry_does_not_end_what_was_begun(lab5):
    """Sent but not acknowledged, and received but not released, when the message expires."""
    topic = lab5.topic("t")
    client, publisher = subscriber(lab5, 2, topic), lab5.connect("p")
    short = props(message_expiry_interval=1)
    client.publish(topic, b"sent", qos=2, properties=short)
    number = client.expect_message(topic, b"sent", 2).packet_id
    client.drop()
    publisher.send(w.publish(lab5.topic("other"), b"received", 2, 99, properties=short))
    publisher.expect_ack(w.PUBREC, 99)
    time.sleep(1.6)
    publisher.release(99)
    client = lab5.resume("s")
    got = client.expect_message(topic, b"sent", 2, dup=True)
    assert got.packet_id == number
    client.acknowledge(got)
    client.quiet()


# ---- QoS 2 as receiver (4.3.3) ---------------------------------------------------------------------------------------


@statement("MQTT-4.3.3-8")
def test_qos_2_is_answered_with_pubrec(lab5):
    client = lab5.connect()
    for number in (1, 65535, 300):
        client.send(w.publish(lab5.topic("t"), b"x", 2, number))
        client.expect_ack(w.PUBREC, number)
    client.quiet()


@statement("MQTT-4.3.3-9")
def test_after_a_refusing_pubrec_the_same_identifier_is_a_new_message(lab5):
    """The account may publish below narrow/ only."""
    topic = f"narrow/{lab5.prefix}"
    watcher = lab5.connect("w").subscribed(topic, qos=2)
    client = lab5.connect("s", username=NARROW_ACCOUNT, password=NARROW_PASSWORD.encode())
    assert client.publish("wide/" + lab5.prefix, b"refused", qos=2, packet_id=5).reason == w.NOT_AUTHORIZED
    assert client.publish(topic, b"new", qos=2, packet_id=5).reason == w.SUCCESS
    watcher.take_message(topic, b"new", 2)


@statement("MQTT-4.3.3-10")
def test_before_pubrel_the_same_identifier_is_the_same_message(lab5):
    topic = lab5.topic("t")
    watcher = lab5.connect("w").subscribed(topic, qos=2)
    client = lab5.connect("s")
    for dup in (False, True, True, False):
        client.send(w.publish(topic, b"once", 2, 5, dup=dup))
        assert client.expect_ack(w.PUBREC, 5).reason < 0x80
    client.release(5)
    watcher.take_message(topic, b"once", 2)
    lab5.fence(client, watcher)


@statement("MQTT-4.3.3-10")
def test_a_resent_message_is_delivered_once_over_two_connections(lab5):
    topic = lab5.topic("t")
    watcher = lab5.connect("w").subscribed(topic, qos=2)
    client = lab5.stored("s")
    client.send(w.publish(topic, b"once", 2, 5))
    client.expect_ack(w.PUBREC, 5)
    client.drop()
    client = lab5.resume("s")
    client.send(w.publish(topic, b"once", 2, 5, dup=True))
    assert client.expect_ack(w.PUBREC, 5).reason < 0x80
    client.release(5)
    watcher.take_message(topic, b"once", 2)
    lab5.fence(client, watcher)


@statement("MQTT-4.3.3-11")
def test_pubrel_is_answered_with_pubcomp(lab5):
    client = lab5.connect()
    for number in (1, 65535):
        client.send(w.publish(lab5.topic("t"), b"x", 2, number))
        client.expect_ack(w.PUBREC, number)
        client.send(w.ack(w.PUBREL, number))
        assert client.expect_ack(w.PUBCOMP, number).reason == w.SUCCESS
    client.quiet()


@statement("MQTT-4.3.3-11")
def test_pubrel_after_the_connection_was_lost(lab5):
    topic = lab5.topic("t")
    watcher = lab5.connect("w").subscribed(topic, qos=2)
    client = lab5.stored("s")
    client.send(w.publish(topic, b"x", 2, 5))
    client.expect_ack(w.PUBREC, 5)
    client.drop()
    lab5.resume("s").release(5)
    watcher.take_message(topic, b"x", 2)


@statement("MQTT-4.3.3-12")
@pytest.mark.parametrize("dup", [False, True])
def test_after_pubcomp_the_same_identifier_is_a_new_message(lab5, dup):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    for payload in (b"same", b"same", b"other"):
        client.publish(topic, payload, qos=2, packet_id=7, dup=dup)
        client.take_message(topic, payload, 2)


# ---- sending again (4.4), taking over (4.5) --------------------------------------------------------------------------


@statement("MQTT-4.4.0-1")
def test_what_is_not_acknowledged_is_sent_again_in_order_with_its_identifiers(lab5):
    topic = lab5.topic("t")
    client = subscriber(lab5, 2, topic)
    for number in range(6):
        client.publish(topic, str(number), qos=1 + number % 2)
    first = [client.expect_message(topic, str(number), 1 + number % 2) for number in range(6)]
    client.acknowledge(first[0])
    client.send(w.ack(w.PUBREC, first[3].packet_id))
    client.expect_ack(w.PUBREL, first[3].packet_id)
    client.drop()
    client = lab5.resume("s")
    client.expect_ack(w.PUBREL, first[3].packet_id)
    for number in (1, 2, 4, 5):
        again = client.expect_message(topic, str(number), 1 + number % 2, dup=True)
        assert again.packet_id == first[number].packet_id
    client.quiet()


@statement("MQTT-4.4.0-1")
def test_nothing_is_sent_again_while_the_connection_lasts(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed(topic, qos=2)
    client.publish(topic, b"1", qos=1)
    client.publish(topic, b"2", qos=2)
    client.expect_message(topic, b"1", 1)
    client.expect_message(topic, b"2", 2)
    time.sleep(0.5)
    client.quiet()


@statement("MQTT-4.4.0-2")
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x99])
def test_a_message_that_the_client_refused_is_not_sent_again(lab5, qos, reason):
    topic = lab5.topic("t")
    client = subscriber(lab5, qos, topic)
    client.publish(topic, b"x", qos=qos)
    client.acknowledge(client.expect_message(topic, b"x", qos), reason)
    client.ping()
    client.drop()
    lab5.resume("s").quiet()


@statement("MQTT-4.5.0-1")
def test_a_message_is_kept_for_every_session_with_a_matching_subscription(lab5):
    topics = [lab5.topic("a/b"), lab5.topic("a/+"), lab5.topic("#")]
    for index, topic in enumerate(topics):
        lab5.stored(f"s{index}").subscribed(topic, qos=1).leave()
    lab5.connect("p").publish(topics[0], b"x", qos=1)
    for index in range(3):
        client = lab5.resume(f"s{index}")
        client.take_message(topics[0], b"x", 1)
        client.quiet()


# ---- order (4.6) -----------------------------------------------------------------------------------------------------


@statement("MQTT-4.6.0-5")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_one_publisher_stay_in_order(lab5, qos):
    topic, count = lab5.topic("t"), 100
    publisher, client = lab5.connect("p"), lab5.connect("s").subscribed(topic, qos=qos)
    for number in range(count):
        publisher.publish(topic, str(number), qos=qos)
    for number in range(count):
        client.take_message(topic, str(number), qos)


@statement("MQTT-4.6.0-5")
def test_messages_that_waited_come_before_later_ones(lab5):
    topic = lab5.topic("t")
    subscriber(lab5, 1, topic).leave()
    publisher = lab5.connect("p")
    for number in range(30):
        publisher.publish(topic, str(number), qos=1)
    client = lab5.resume("s", properties=props(receive_maximum=3))
    for number in range(30, 40):
        publisher.publish(topic, str(number), qos=1)
    for number in range(40):
        client.take_message(topic, str(number), 1)


@statement("MQTT-4.6.0-6")
def test_every_topic_is_ordered_for_every_subscription(lab5):
    topics = [lab5.topic(f"t/{number}") for number in range(3)]
    publisher = lab5.connect("p")
    clients = [lab5.connect("a").subscribed(lab5.topic("t/#"), qos=1), lab5.connect("b").subscribed(*topics, qos=1)]
    for number in range(30):
        publisher.publish(topics[number % 3], str(number), qos=1)
    for client in clients:
        found = {topic: [] for topic in topics}
        for _ in range(30):
            got = client.message()
            client.acknowledge(got)
            found[got.topic].append(int(got.payload))
        assert [found[topic] for topic in topics] == [list(range(start, 30, 3)) for start in range(3)]


@statement("MQTT-4.6.0-5")
def test_acknowledgements_come_in_the_order_of_the_messages(lab5):
    client = lab5.connect()
    topic = lab5.topic("t")
    client.send(b"".join(w.publish(topic, b"", 1, number) for number in range(1, 11)))
    for number in range(1, 11):
        client.expect_ack(w.PUBACK, number)
    client.send(b"".join(w.publish(topic, b"", 2, number) for number in range(1, 11)))
    for number in range(1, 11):
        client.expect_ack(w.PUBREC, number)
    client.send(b"".join(w.ack(w.PUBREL, number) for number in range(1, 11)))
    for number in range(1, 11):
        client.expect_ack(w.PUBCOMP, number)
