"""The checker catches every kind of broken promise, explains it, and accepts what the standard allows."""

import pytest

from model import Model, topic_matches


class Story:
    """A history in short: one publisher `p`, one persistent subscriber `s`."""

    def __init__(self, qos=1, granted=2, clean=False, topic_filter="t/#"):
        self.model = Model()
        self.qos = qos
        self.model.connected("p", False, False)
        self.model.connected("s", clean, False)
        if granted is not None:
            self.model.subscribing("s", topic_filter, granted)
            self.model.granted("s", topic_filter, granted)

    def publish(self, *serials, qos=None, topic="t/a"):
        for serial in serials:
            self.model.published("p", serial, topic, self.qos if qos is None else qos, b"payload %d" % serial)
        return self

    def acknowledge(self, *serials):
        for serial in serials:
            self.model.told("p", serial, "PUBACK" if self.model.messages["p", serial].qos == 1 else "PUBREC")
        return self

    def arrive(self, *serials, qos=None, topic="t/a", payload=None, client="s"):
        for serial in serials:
            self.model.received(client, "p", serial, topic, self.qos if qos is None else qos,
                                payload or b"payload %d" % serial)
        return self

    def rules(self):
        return [v.rule for v in self.model.violations()]


def test_topics_match_as_the_standard_says():
    assert topic_matches("a/+/c", "a/b/c") and topic_matches("a/#", "a") and topic_matches("#", "a/b")
    assert topic_matches("+/+", "/") and not topic_matches("+", "a/b") and not topic_matches("a/b", "a")
    assert not topic_matches("#", "$SYS/x") and topic_matches("$SYS/#", "$SYS/x") and not topic_matches("a/+", "a")


@pytest.mark.parametrize("qos", [1, 2])
def test_a_good_history_has_no_violation(qos):
    story = Story(qos).publish(1, 2, 3).acknowledge(1, 2).arrive(1, 2, 3)
    assert story.rules() == [] and story.model.missing() == []
    story.model.check()


@pytest.mark.parametrize("qos", [1, 2])
def test_a_lost_message_is_found_and_explained(qos):
    story = Story(qos).publish(1, 2).acknowledge(1)
    story.model.server("killed by SIGKILL")
    story.model.server("started")
    story.acknowledge(2).arrive(1)
    found, = story.model.violations()
    packet = "PUBACK" if qos == 1 else "PUBREC"
    assert found.rule == "stored"
    assert found.text == f"p#2 (QoS {qos}, topic t/a) was acknowledged by {packet} and never arrived at s"
    lines = [line.split(None, 1)[1] for line in found.history]
    assert lines == [f"s was granted t/# with QoS 2", "p published it", "server killed by SIGKILL", "server started",
                     f"p got {packet}"]
    with pytest.raises(AssertionError, match="never arrived at s"):
        story.model.check()


def test_qos_2_is_owed_from_pubrec_on_and_to_each_subscriber():
    story = Story(2)
    story.model.connected("s2", False, False)
    story.model.subscribing("s2", "t/a", 1)
    story.model.granted("s2", "t/a", 1)
    story.publish(1).acknowledge(1).arrive(1)
    assert [(s.name, m.serial) for s, m in story.model.missing()] == [("s2", 1)]
    story.arrive(1, qos=1, client="s2")
    assert story.rules() == []


@pytest.mark.parametrize("what", ["not acknowledged", "clean session", "not granted", "granted later", "no match",
                                  "unsubscribed", "ended", "refused", "given up", "QoS 0 subscription",
                                  "QoS 0 message"])
def test_what_is_not_owed_may_be_lost(what):
    if what in ("not granted", "granted later"):
        story = Story(granted=None)
        story.model.subscribing("s", "t/#", 1)
    elif what == "QoS 0 subscription":
        story = Story(granted=0)
    else:
        story = Story(clean=what == "clean session", topic_filter="u/#" if what == "no match" else "t/#")
    story.publish(1, qos=0 if what == "QoS 0 message" else 1)
    if what not in ("not acknowledged", "refused", "QoS 0 message"):
        story.acknowledge(1)
    if what == "granted later":
        story.model.granted("s", "t/#", 1)
    if what == "unsubscribed":
        story.model.unsubscribing("s", "t/#")
    if what == "given up":
        story.publish(2, qos=2).acknowledge(2).arrive(1)
        story.model.given_up("p", 2)
    if what == "ended":
        story.model.ended("s")
    if what == "refused":
        story.model.refused("p", 1, "quota exceeded")
    assert story.rules() == []


def test_a_message_published_after_the_grant_is_owed():
    story = Story(granted=None)
    story.model.subscribing("s", "t/#", 1)
    story.publish(1)
    story.model.granted("s", "t/#", 1)
    story.publish(2).acknowledge(1, 2)
    assert [m.serial for _, m in story.model.missing()] == [2]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_qos_2_twice_is_found(acknowledged):
    story = Story(2).publish(1)
    story.acknowledge(1) if acknowledged else None
    story.arrive(1, 1)
    found, = story.model.violations()
    assert found.rule == "once" and "arrived 2 times at s" in found.text and len(found.history) >= 3


def test_qos_2_message_at_a_qos_1_subscription_may_come_twice():
    assert Story(2, granted=1).publish(1).acknowledge(1).arrive(1, 1, qos=1).rules() == []


def test_qos_2_in_a_new_clean_session_counts_anew():
    story = Story(2, clean=True).publish(1).arrive(1)
    story.model.connected("s", True, False)
    story.model.subscribing("s", "t/#", 2)
    assert story.arrive(1).rules() == []


def test_qos_0_twice_is_found():
    assert Story(0).publish(1).arrive(1, 1).rules() == ["once"]


def test_repetitions_at_qos_1_are_legal_at_any_later_time():
    assert Story().publish(1, 2, 3).acknowledge(1, 2, 3).arrive(1, 2, 1, 2, 3, 1, 3).rules() == []


@pytest.mark.parametrize("qos", [1, 2])
def test_wrong_order_is_found_once_for_each_late_message(qos):
    story = Story(qos).publish(1, 2, 3, 4).acknowledge(1, 2, 3, 4).arrive(1, 4, 2, 3)
    found = story.model.violations()
    assert [v.rule for v in found] == ["order", "order"]
    assert f"p#2 (QoS {qos}, topic t/a) arrived at s after p#4" in found[0].text
    assert any("p#4" in line for line in found[0].history)


def test_order_is_kept_over_a_gap_that_was_not_acknowledged():
    assert Story().publish(1, 2, 3).acknowledge(1, 3).arrive(1, 3).rules() == []
    assert Story().publish(1, 2, 3).acknowledge(1, 3).arrive(1, 3, 2).rules() == ["order"]


def test_topics_qos_and_publishers_have_orders_of_their_own():
    story = Story().publish(1, topic="t/a").publish(2, topic="t/b").publish(3, qos=2)
    story.model.published("q", 1, "t/a", 1, b"payload 1")
    story.arrive(3, qos=2).arrive(2, topic="t/b")
    story.model.received("s", "q", 1, "t/a", 1, b"payload 1")
    assert story.arrive(1).rules() == []


def test_a_message_that_was_refused_and_comes_late_is_no_disorder():
    story = Story().publish(1, 2).acknowledge(2).arrive(2)
    story.model.refused("p", 1, "quota exceeded")
    assert story.arrive(1).rules() == []


@pytest.mark.parametrize("how", [{"topic": "t/b"}, {"payload": b"payload 2"}, {"qos": 0}, {"qos": 2}])
def test_a_changed_message_is_found(how):
    assert Story().publish(1).acknowledge(1).arrive(1, **how).rules() == ["truth"]


def test_a_message_that_nobody_published_is_found():
    story = Story().arrive(7)
    assert story.rules() == ["truth"] and "nobody has published" in str(story.model.violations()[0])


def test_a_message_without_a_subscription_is_found():
    assert Story(granted=None).publish(1).arrive(1).rules() == ["truth"]


def test_a_wrong_acknowledgement_is_found():
    for qos, packet in ((1, "PUBREC"), (1, "PUBCOMP"), (2, "PUBACK"), (0, "PUBACK")):
        story = Story(qos).publish(1)
        story.model.told("p", 1, packet)
        assert "truth" in story.rules(), (qos, packet)


def test_a_lost_session_is_found():
    story = Story()
    story.model.server("killed by SIGKILL")
    story.model.connected("s", False, False)
    found, = story.model.violations()
    assert found.rule == "sessions" and "the session of s is gone, with subscriptions t/#" in found.text
    story = Story(2).publish(1).acknowledge(1).arrive(1)
    story.model.connected("p", False, False, owed=[("p", 1)])
    assert story.rules() == ["sessions"]


def test_a_session_without_anything_in_it_may_be_new():
    story = Story(granted=None)
    story.model.connected("s", False, False)
    assert story.rules() == []


def test_a_session_present_in_a_clean_one_is_found():
    story = Story()
    story.model.connected("s", True, True)
    assert story.rules() == ["sessions"]


def test_a_session_that_was_resumed_goes_on():
    story = Story().publish(1).acknowledge(1)
    story.model.connected("s", False, True)
    assert [m.serial for _, m in story.model.missing()] == [1]
    assert story.arrive(1).rules() == []


def test_a_session_that_vanished_and_its_messages_are_both_reported_once():
    story = Story().publish(1).acknowledge(1)
    story.model.connected("s", False, False)
    assert story.rules() == ["sessions"], "what the vanished session was owed is part of that"


def test_a_subscription_nobody_asked_for_is_found():
    story = Story()
    story.model.granted("s", "other", 1)
    assert story.rules() == ["truth"]
