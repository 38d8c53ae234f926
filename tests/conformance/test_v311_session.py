"""Sessions that outlive their connection, and what is sent again: chapters 3.1.2.4, 3.2.2.2, 4.1, 4.4 and 4.6."""

import pytest

from lab import QUIET_S, ack, statement
from rawclient import PUBLISH, publish_packet


@pytest.fixture
def kept_session(lab):
    """`kept_session(present)`: a connection of a client whose session is stored. Removed at the end."""
    yield lambda present=1, **options: lab.connect("kept", clean=False, session_present=present, **options)
    lab.forget("kept")


# ---- session present and clean session -------------------------------------------------------------------------------


@statement("MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.2.2-3", "MQTT-4.1.0-1")
def test_a_session_is_stored_and_continued(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    assert client.subscribe((topic, 1)) == [1]
    client.leave()
    publisher = lab.connect("p")
    for _ in range(3):
        client = kept_session()
        publisher.publish_fully(topic, "m", 1)
        client.take_message(topic, "m", 1)
        client.expect_still_open()
        client.leave()


@statement("MQTT-3.1.2-4", "MQTT-3.2.2-2")
@pytest.mark.parametrize("end", ["drop", "close", "leave"])
def test_a_session_is_stored_however_the_connection_ends(lab, kept_session, end):
    getattr(kept_session(0), end)()
    kept_session().leave()


@statement("MQTT-3.1.2-4", "MQTT-3.1.4-2", "MQTT-3.2.2-2")
@pytest.mark.parametrize("other", ["tcp", "ws"])
def test_a_session_moves_to_the_newer_connection(lab, kept_session, other):
    topic = lab.topic("a")
    older = kept_session(0)
    older.subscribe((topic, 1))
    newer = kept_session(transport=other)
    older.expect_closed()
    lab.connect("p").publish_fully(topic, "m", 1)
    newer.take_message(topic, "m", 1)
    newer.expect_still_open()


@statement("MQTT-3.1.2-6", "MQTT-3.1.4-3", "MQTT-3.2.2-1", "MQTT-3.2.2-3")
def test_clean_session_drops_what_was_stored(lab):
    topic = lab.topic("a")
    client = lab.connect(clean=False)
    client.subscribe((topic, 1))
    client.leave()
    publisher = lab.connect("p")
    publisher.publish_fully(topic, "waiting", 1)
    client = lab.connect(clean=True, session_present=0)
    publisher.publish_fully(topic, "not subscribed", 1)
    client.expect_still_open()
    client.leave()
    client = lab.connect(clean=False, session_present=0)
    client.expect_still_open()
    client.leave()
    lab.forget()


@statement("MQTT-3.1.2-6", "MQTT-3.1.4-3")
@pytest.mark.parametrize("end", ["drop", "leave"])
def test_a_clean_session_ends_with_its_connection(lab, end):
    topic = lab.topic("a")
    client = lab.connect(clean=True)
    client.subscribe((topic, 2))
    client.publish_fully(topic, "unacknowledged", 2)
    client.expect_message(topic, "unacknowledged", 2)
    client.send(publish_packet(lab.topic("b"), "unreleased", 2, 9))
    client.expect_raw(ack(0x50, 9))
    getattr(client, end)()
    client = lab.connect(clean=False, session_present=0)
    lab.connect("p").publish_fully(topic, "m", 2)
    client.expect_still_open()
    client.leave()
    lab.forget()


@statement("MQTT-3.1.2-6", "MQTT-3.1.4-2")
def test_a_clean_session_taken_over_is_not_continued(lab):
    topic = lab.topic("a")
    older = lab.connect("c", clean=True)
    older.subscribe((topic, 1))
    newer = lab.connect("c", clean=False, session_present=0)
    older.expect_closed()
    lab.connect("p").publish_fully(topic, "m", 1)
    newer.expect_still_open()
    newer.leave()
    lab.forget("c")


@statement("MQTT-3.1.3-2")
def test_sessions_belong_to_their_client_id(lab):
    topic = lab.topic("a")
    names = ("x", "X", "x ", "xx")
    for name in names:
        client = lab.connect(name, clean=False)
        client.subscribe((f"{topic}/{name}", 1))
        client.leave()
    publisher = lab.connect("p")
    for name in names:
        publisher.publish_fully(f"{topic}/{name}", name, 1)
    for name in names:
        client = lab.connect(name, clean=False, session_present=1)
        client.take_message(f"{topic}/{name}", name, 1)
        client.expect_still_open()
        client.leave()
        lab.forget(name)


# ---- messages for the absent -----------------------------------------------------------------------------------------


@statement("MQTT-3.1.2-5", "MQTT-4.5.0-1", "MQTT-4.6.0-6")
def test_messages_above_qos_0_wait_in_their_order(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 2))
    client.leave()
    publisher = lab.connect("p")
    for index in range(30):
        publisher.publish_fully(topic, str(index), 1 + index % 2)
    client = kept_session()
    order = {1: [], 2: []}
    for _ in range(30):
        got = client.expect_publish()
        assert not got.dup and not got.retain
        order[got.qos].append(int(got.payload))
        client.send(ack(0x40 if got.qos == 1 else 0x50, got.packet_id))
        if got.qos == 2:
            released = client.expect(6)
            assert released.raw == ack(0x62, got.packet_id)
            client.send(ack(0x70, got.packet_id))
    assert order == {1: list(range(0, 30, 2)), 2: list(range(1, 30, 2))}
    client.expect_still_open()


@statement("MQTT-3.1.2-5")
@pytest.mark.parametrize("granted", [1, 2])
@pytest.mark.parametrize("published", [1, 2])
def test_waiting_messages_have_the_lower_qos(lab, kept_session, published, granted):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, granted))
    client.leave()
    lab.connect("p").publish_fully(topic, "m", published)
    kept_session().take_message(topic, "m", min(published, granted))


@statement("MQTT-3.1.2-5")
def test_unsubscribed_topics_are_not_stored(lab, kept_session):
    client = kept_session(0)
    client.subscribe((lab.topic("a"), 1), (lab.topic("b"), 1))
    client.unsubscribe(lab.topic("a"))
    client.leave()
    publisher = lab.connect("p")
    publisher.publish_fully(lab.topic("a"), "no", 1)
    publisher.publish_fully(lab.topic("b"), "yes", 1)
    client = kept_session()
    client.take_message(lab.topic("b"), "yes", 1)
    client.expect_still_open()


@statement("MQTT-3.1.2-5", "MQTT-3.3.5-1")
def test_overlapping_subscriptions_store_one_message(lab, kept_session):
    topic = lab.topic("a/b")
    client = kept_session(0)
    client.subscribe((lab.topic("#"), 1), (lab.topic("+/b"), 2), (topic, 0))
    client.leave()
    lab.connect("p").publish_fully(topic, "m", 2)
    client = kept_session()
    client.take_message(topic, "m", 2)
    client.expect_still_open()


@statement("MQTT-3.1.2-5")
def test_what_was_acknowledged_does_not_come_again(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 2))
    publisher = lab.connect("p")
    for qos in (1, 2):
        publisher.publish_fully(topic, "m", qos)
        client.take_message(topic, "m", qos)
    client.expect_still_open()
    client.drop()
    kept_session().expect_still_open()


# ---- sent again ------------------------------------------------------------------------------------------------------


@statement("MQTT-4.4.0-1", "MQTT-4.6.0-1", "MQTT-3.3.1-1", "MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("end", ["drop", "leave"])
def test_unacknowledged_messages_come_again_in_order_with_dup(lab, kept_session, qos, end):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, qos))
    publisher = lab.connect("p")
    for index in range(8):
        publisher.publish_fully(topic, str(index), qos)
    numbers = [client.expect_message(topic, str(index), qos).packet_id for index in range(8)]
    getattr(client, end)()
    if end == "leave":  # the server may not know of a drop yet, and would send this to nobody
        publisher.publish_fully(topic, "new", qos)
    client = kept_session()
    if end == "drop":
        publisher.publish_fully(topic, "new", qos)
    for index, number in enumerate(numbers):
        client.take_message(topic, str(index), qos, dup=True, packet_id=number)
    client.take_message(topic, "new", qos, dup=False)
    client.expect_still_open()
    client.drop()
    kept_session().expect_still_open()


@statement("MQTT-4.4.0-1", "MQTT-4.3.2-1")
def test_only_the_unacknowledged_come_again(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 1))
    publisher = lab.connect("p")
    for index in range(6):
        publisher.publish_fully(topic, str(index), 1)
    numbers = [client.expect_message(topic, str(index), 1).packet_id for index in range(6)]
    for index in (0, 1, 4):
        client.send(ack(0x40, numbers[index]))
    client.expect_still_open()
    client.drop()
    client = kept_session()
    for index in (2, 3, 5):
        client.take_message(topic, str(index), 1, dup=True, packet_id=numbers[index])
    client.expect_still_open()


@statement("MQTT-4.4.0-1", "MQTT-4.3.3-1")
def test_after_pubrec_only_pubrel_comes_again(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 2))
    lab.connect("p").publish_fully(topic, "m", 2)
    number = client.expect_message(topic, "m", 2).packet_id
    client.send(ack(0x50, number))
    client.expect_raw(ack(0x62, number))
    for _ in range(2):
        client.drop()
        client = kept_session()
        client.expect_raw(ack(0x62, number))
        client.expect_still_open()
    client.send(ack(0x70, number))
    client.expect_still_open()
    client.drop()
    kept_session().expect_still_open()


@statement("MQTT-4.4.0-1", "MQTT-4.6.0-1")
def test_all_stages_at_once(lab, kept_session):
    """Messages before PUBACK, before PUBREC and before PUBCOMP: each goes on from where it was."""
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 2))
    publisher = lab.connect("p")
    numbers = {}
    for word, qos in (("released", 2), ("sent 2", 2), ("sent 1", 1)):
        publisher.publish_fully(topic, word, qos)
        numbers[word] = client.expect_message(topic, word, qos).packet_id
    client.send(ack(0x50, numbers["released"]))
    client.expect_raw(ack(0x62, numbers["released"]))
    client.drop()
    client = kept_session()
    found = [client.receive().raw for _ in range(3)]
    assert sorted(found) == sorted([ack(0x62, numbers["released"]),
                                    publish_packet(topic, "sent 2", 2, numbers["sent 2"], dup=True),
                                    publish_packet(topic, "sent 1", 1, numbers["sent 1"], dup=True)])
    client.expect_still_open()
    client.send(ack(0x40, numbers["sent 1"]) + ack(0x70, numbers["released"]) + ack(0x50, numbers["sent 2"]))
    client.expect_raw(ack(0x62, numbers["sent 2"]))
    client.send(ack(0x70, numbers["sent 2"]))
    client.expect_still_open()


@statement("MQTT-4.4.0-1")
def test_nothing_is_sent_again_on_a_connection_that_lasts(lab):
    """3.1.1 sends again after a reconnect only."""
    topic = lab.topic("a")
    client = lab.connect()
    client.subscribe((topic, 2))
    client.publish_fully(topic, "one", 1)
    client.expect_message(topic, "one", 1)
    client.publish_fully(topic, "two", 2)
    number = client.expect_message(topic, "two", 2).packet_id
    client.send(ack(0x50, number))
    client.expect_raw(ack(0x62, number))
    client.expect_silence(QUIET_S)
    client.expect_still_open()


@statement("MQTT-4.3.3-2", "MQTT-4.1.0-1")
@pytest.mark.parametrize("dup", [True, False])
def test_a_qos_2_message_repeated_after_a_reconnect_is_delivered_once(lab, kept_session, dup):
    topic = lab.topic("a")
    watcher = lab.connect("w")
    watcher.subscribe((topic, 2))
    client = kept_session(0)
    client.send(publish_packet(topic, "once", 2, 21))
    client.expect_raw(ack(0x50, 21))
    client.drop()
    client = kept_session()
    client.send(publish_packet(topic, "once", 2, 21, dup=dup))
    client.expect_raw(ack(0x50, 21))
    client.send(ack(0x62, 21))
    client.expect_raw(ack(0x70, 21))
    watcher.take_message(topic, "once", 2)
    client.publish_fully(topic, "fence", 2)
    watcher.take_message(topic, "fence", 2)
    watcher.expect_still_open()


@statement("MQTT-4.3.3-2")
def test_a_pubrel_after_a_reconnect_completes_the_exchange(lab, kept_session):
    topic = lab.topic("a")
    watcher = lab.connect("w")
    watcher.subscribe((topic, 2))
    client = kept_session(0)
    client.send(publish_packet(topic, "once", 2, 22))
    client.expect_raw(ack(0x50, 22))
    client.drop()
    client = kept_session()
    client.send(ack(0x62, 22))
    client.expect_raw(ack(0x70, 22))
    watcher.take_message(topic, "once", 2)
    client.send(publish_packet(topic, "new", 2, 22))
    client.expect_raw(ack(0x50, 22))
    client.send(ack(0x62, 22))
    client.expect_raw(ack(0x70, 22))
    watcher.take_message(topic, "new", 2)
    watcher.expect_still_open()


@statement("MQTT-2.3.1-4", "MQTT-3.3.1-3")
def test_a_new_message_never_gets_the_packet_id_of_one_sent_again(lab, kept_session):
    topic = lab.topic("a")
    client = kept_session(0)
    client.subscribe((topic, 1))
    publisher = lab.connect("p")
    used = set()
    for round_ in range(4):
        publisher.publish_fully(topic, f"new {round_}", 1)
        for got in [client.receive() for _ in range(round_ + 1)]:
            assert got.type == PUBLISH
            is_new = got.payload == f"new {round_}".encode()
            assert got.dup != is_new and (got.packet_id in used) != is_new, repr(got)
            used.add(got.packet_id)
        client.expect_still_open()
        client.drop()
        client = kept_session()
    for round_ in range(4):
        client.take_message(topic, f"new {round_}", 1, dup=True)


# ---- over restarts of the server -------------------------------------------------------------------------------------


@statement("MQTT-4.1.0-1", "MQTT-3.1.2-4", "MQTT-3.1.2-5", "MQTT-4.4.0-1", "MQTT-3.1.2-7")
@pytest.mark.parametrize("hard", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_everything_acknowledged_outlives_a_restart(own_lab, hard):
    """Subscriptions, waiting messages, retained messages and every stage of QoS 1 and 2, in both directions."""
    lab = own_lab
    topic = lab.topic("a")
    absent = lab.connect("absent", clean=False)
    absent.subscribe((topic, 2))
    absent.leave()
    client = lab.connect("c", clean=False)
    client.subscribe((topic, 2))
    publisher = lab.connect("p", clean=False)
    numbers = {}
    for word, qos in (("released", 2), ("sent 2", 2), ("sent 1", 1), ("done", 1)):
        publisher.publish_fully(topic, word, qos)
        numbers[word] = client.expect_message(topic, word, qos).packet_id
    client.send(ack(0x40, numbers["done"]) + ack(0x50, numbers["released"]))
    client.expect_raw(ack(0x62, numbers["released"]))
    client.expect_still_open()
    publisher.publish_fully(lab.topic("retained"), "kept", 1, retain=True)
    publisher.send(publish_packet(lab.topic("b"), "half", 2, 31))
    publisher.expect_raw(ack(0x50, 31))

    lab.restart(hard)

    client = lab.connect("c", clean=False, session_present=1)
    # A PUBACK is not answered, so a crash may forget it; what the server answered it has kept.
    found = [client.receive().raw for _ in range(3)]
    wanted = [ack(0x62, numbers["released"]), publish_packet(topic, "sent 2", 2, numbers["sent 2"], dup=True),
              publish_packet(topic, "sent 1", 1, numbers["sent 1"], dup=True)]
    if hard and sorted(found) != sorted(wanted):
        wanted.append(publish_packet(topic, "done", 1, numbers["done"], dup=True))
        found.append(client.receive().raw)
    assert sorted(found) == sorted(wanted)
    client.expect_still_open()
    absent = lab.connect("absent", clean=False, session_present=1)
    for word, qos in (("released", 2), ("sent 2", 2), ("sent 1", 1), ("done", 1)):
        # After a restart the server may not know whether it had sent them: DUP says no more than that.
        absent.take_message(topic, word, qos, dup=None)
    absent.expect_still_open()
    watcher = lab.connect("w")
    watcher.subscribe((lab.topic("b"), 2), (lab.topic("retained"), 2))
    watcher.take_message(lab.topic("retained"), "kept", 1, retain=True)
    publisher = lab.connect("p", clean=False, session_present=1)
    publisher.send(publish_packet(lab.topic("b"), "half", 2, 31, dup=True))
    publisher.expect_raw(ack(0x50, 31))
    publisher.send(ack(0x62, 31))
    publisher.expect_raw(ack(0x70, 31))
    # Delivered before the restart, when nobody had subscribed, or now, when it was released; but once.
    publisher.publish_fully(lab.topic("b"), "fence", 2)
    got = watcher.expect_publish()
    if got.payload == b"half":
        got = watcher.expect_publish()
    assert got.payload == b"fence"


@statement("MQTT-3.1.2-6")
def test_clean_sessions_do_not_outlive_a_restart(own_lab):
    lab = own_lab
    topic = lab.topic("a")
    client = lab.connect("c")
    client.subscribe((topic, 1))
    lab.restart(hard=True)
    client = lab.connect("c", clean=False, session_present=0)
    lab.connect("p").publish_fully(topic, "m", 1)
    client.expect_still_open()
