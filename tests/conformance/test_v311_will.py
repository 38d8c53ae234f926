"""Wills: chapters 3.1.2.5 to 3.1.2.7 and 3.14."""

import pytest

from lab import connack, statement
from rawclient import connect_packet, publish_packet, subscribe_packet


class Scene:
    """A watcher that sees the will's topic, and a client with a will."""

    def __init__(self, lab, message=b"will", qos=1, retain=False, clean=True):
        self.lab = lab
        self.topic = lab.topic("will")
        self.watcher = lab.connect("w")
        assert self.watcher.subscribe((self.topic, 2)) == [2]
        self.client = lab.connect("c", will=(self.topic, message, qos, retain), clean=clean)

    def nothing_came(self):
        """A further message on the will's way is the next to arrive."""
        self.lab.connect("f").publish_fully(self.topic, "fence", 1)
        self.watcher.take_message(self.topic, "fence", 1)
        self.watcher.expect_still_open()


ENDS = {
    "FIN": lambda lab, client: client.close(),
    "reset": lambda lab, client: client.drop(),
    "violation": lambda lab, client: (client.send(b"\x00\x00"), client.expect_closed()),
    "DISCONNECT with flags": lambda lab, client: (client.send(b"\xe1\x00"), client.expect_closed()),
    "half a packet": lambda lab, client: (client.send(b"\x30\x10\x00"), client.close()),
    "taken over": lambda lab, client: (lab.connect("c"), client.expect_closed()),
}


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-9", "MQTT-3.1.2-16", "MQTT-3.14.1-1")
@pytest.mark.parametrize("end", ENDS)
def test_the_will_is_published_when_the_connection_ends_without_disconnect(lab, end):
    scene = Scene(lab)
    ENDS[end](lab, scene.client)
    scene.watcher.take_message(scene.topic, "will", 1)
    scene.nothing_came()


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-10", "MQTT-3.14.4-3")
@pytest.mark.parametrize("clean", [True, False])
def test_disconnect_drops_the_will(lab, clean):
    scene = Scene(lab, clean=clean)
    scene.client.leave()
    scene.nothing_came()
    lab.forget("c")
    scene.nothing_came()


@statement("MQTT-3.1.2-10")
def test_a_published_will_is_gone(lab):
    """The session outlives the connection; its will does not come a second time."""
    scene = Scene(lab, clean=False)
    scene.client.drop()
    scene.watcher.take_message(scene.topic, "will", 1)
    again = lab.connect("c", clean=False, session_present=1)
    again.drop()
    lab.connect("c", clean=False, session_present=1).leave()
    scene.nothing_came()
    lab.forget("c")


@statement("MQTT-3.1.2-12")
def test_without_will_flag_nothing_is_published(lab):
    scene = Scene(lab)
    other = lab.connect("o")
    other.drop()
    lab.connect("o")
    scene.nothing_came()


@statement("MQTT-3.1.2-9", "MQTT-3.1.2-16")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_will_has_its_qos(lab, qos):
    scene = Scene(lab, qos=qos)
    scene.client.close()
    scene.watcher.take_message(scene.topic, "will", qos)
    scene.nothing_came()
    # Not retained: a new subscription gets nothing.
    late = lab.connect("l")
    assert late.subscribe((scene.topic, 2)) == [2]
    late.expect_still_open()


@statement("MQTT-3.1.2-17")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_with_retain_is_retained(lab, qos):
    scene = Scene(lab, qos=qos, retain=True)
    scene.client.close()
    scene.watcher.take_message(scene.topic, "will", qos)
    late = lab.connect("l")
    late.send(subscribe_packet(1, [(scene.topic, 2)]))
    late.expect_raw(b"\x90\x03\x00\x01\x02")
    late.take_message(scene.topic, "will", qos, retain=True)
    late.publish_fully(scene.topic, "", 1, retain=True)


@statement("MQTT-3.1.2-17")
def test_an_empty_will_with_retain_removes_the_retained_message(lab):
    publisher = lab.connect("p")
    publisher.publish_fully(lab.topic("will"), "kept", 1, retain=True)
    scene = Scene(lab, message=b"", retain=True)
    scene.watcher.take_message(scene.topic, "kept", 1, retain=True)
    scene.client.close()
    scene.watcher.take_message(scene.topic, "", 1)
    late = lab.connect("l")
    assert late.subscribe((scene.topic, 2)) == [2]
    late.expect_still_open()


@pytest.mark.parametrize("size", [0, 1, 65535])
def test_the_will_message_is_any_bytes(lab, size):
    message = bytes(range(256)) * 256
    scene = Scene(lab, message=message[:size])
    scene.client.close()
    scene.watcher.take_message(scene.topic, message[:size], 1)


@statement("MQTT-4.7.1-1", "MQTT-4.7.3-1")
@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "#", "+"])
def test_a_will_topic_that_is_no_topic_name_closes(lab, topic):
    client = lab.open()
    client.send(connect_packet(lab.client_id(), will=(topic, b"m", 0, False)))
    client.expect_closed()


@statement("MQTT-3.1.2-8")
def test_the_will_of_the_newest_connection_counts(lab):
    scene = Scene(lab)
    scene.client.leave()
    second = lab.connect("c", will=(scene.topic, b"second", 1, False))
    second.leave()
    third = lab.connect("c", will=(scene.topic, b"third", 1, False))
    third.drop()
    scene.watcher.take_message(scene.topic, "third", 1)
    scene.nothing_came()


@statement("MQTT-3.1.2-8")
def test_the_will_of_a_refused_connect_is_not_published(lab):
    scene = Scene(lab)
    refused = lab.open()
    refused.send(connect_packet("", clean=False, will=(scene.topic, b"refused", 1, False)))
    refused.expect_raw(connack(code=2))
    refused.expect_closed()
    scene.nothing_came()


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-5")
def test_the_will_waits_for_absent_subscribers(lab):
    absent = lab.connect("a", clean=False)
    topic = lab.topic("will")
    absent.subscribe((topic, 2))
    absent.leave()
    scene = Scene(lab, qos=2)
    scene.client.close()
    scene.watcher.take_message(topic, "will", 2)
    absent = lab.connect("a", clean=False, session_present=1)
    absent.take_message(topic, "will", 2)
    absent.expect_still_open()
    lab.forget("a")


@statement("MQTT-3.14.4-2")
def test_nothing_is_processed_after_disconnect(lab):
    scene = Scene(lab)
    scene.client.send(b"\xe0\x00" + publish_packet(scene.topic, "late", 1, 1) + b"\xc0\x00")
    scene.client.expect_closed()
    scene.nothing_came()
