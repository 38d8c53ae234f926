"""Topic names and filters, and shared subscriptions: chapters 4.7 and 4.8."""

import pytest

import wire5 as w
from lab import statement
from rawclient import Closed
from wire5 import props


def expect_filter_refused(lab5, topic_filter):
    """By the code of the filter in SUBACK, or by DISCONNECT; the standard leaves it open."""
    client = lab5.connect()
    client.send(w.subscribe(1, [(topic_filter, 0)]))
    late = []
    try:
        late.append(client.receive())
        if late[0].type == w.SUBACK:
            assert late[0].reasons == [w.TOPIC_FILTER_INVALID], repr(late[0])
            client.ping()
            return
    except Closed:
        raise AssertionError("closed without a reason") from None
    assert late[0].type == w.DISCONNECT, repr(late[0])
    assert late[0].reason in (w.TOPIC_FILTER_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR), repr(late[0])
    client.expect_closed()


def matching(lab5, topic_filter, names):
    """Those of the topic names that the filter matches."""
    client = lab5.connect().subscribed(topic_filter)
    for name in names:
        client.publish(name, name)
    client.ping()
    found = [got.topic for got in client.inbox]
    assert found == [got.payload.decode() for got in client.inbox]
    client.inbox.clear()
    client.close()
    return found


# ---- wildcards (4.7.1) -----------------------------------------------------------------------------------------------


@statement("MQTT-4.7.0-1")
@pytest.mark.parametrize("topic", ["+", "#", "a/+", "a/#", "+/a"])
def test_wildcards_are_for_filters_not_for_names(lab5, topic):
    lab5.connect().subscribed(lab5.topic(topic))
    lab5.after_connect(w.publish(lab5.topic(topic))).expect_disconnect(
        w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET, w.PROTOCOL_ERROR)


@statement("MQTT-4.7.1-1")
@pytest.mark.parametrize("topic", ["#/a", "a/#/b", "a#", "a/b#", "##", "a/#b", "#/"])
def test_a_number_sign_is_the_last_level_or_the_filter_is_refused(lab5, topic):
    expect_filter_refused(lab5, topic)


@statement("MQTT-4.7.1-1")
def test_a_number_sign_stands_for_all_levels_and_for_none(lab5):
    names = [lab5.topic(name) for name in ("s", "s/", "s/a", "s/a/b/c", "s//", "sa", "r", "/s")]
    assert matching(lab5, lab5.topic("s/#"), names) == names[:5]


@statement("MQTT-4.7.1-2")
@pytest.mark.parametrize("topic", ["a+", "+a", "a/b+", "a/+b/c", "++", "+#"])
def test_a_plus_sign_is_a_whole_level_or_the_filter_is_refused(lab5, topic):
    expect_filter_refused(lab5, topic)


@statement("MQTT-4.7.1-2")
def test_a_plus_sign_stands_for_exactly_one_level(lab5):
    names = [lab5.topic(name) for name in ("s/a/t", "s//t", "s/t", "s/a/b/t", "s/a/t/", "s/a", "s/a/T")]
    assert matching(lab5, lab5.topic("s/+/t"), names) == names[:2]
    assert matching(lab5, lab5.topic("s/+"), names) == [names[2], names[5]]
    assert matching(lab5, lab5.topic("+/+/+"), names) == [names[0], names[1], names[6]]


@statement("MQTT-4.7.1-2", "MQTT-4.7.1-1")
def test_both_wildcards_together(lab5):
    names = [lab5.topic(name) for name in ("a", "a/", "a/b", "b/a", "a/b/c")]
    assert matching(lab5, lab5.topic("+/#"), names) == names
    assert matching(lab5, lab5.topic("+/b/#"), names) == [names[2], names[4]]


def publish_dollar(lab5, topic):
    """Publishes to a topic that begins with $, which a server may refuse. Whether it was accepted."""
    client = lab5.connect("dollar")
    client.send(w.publish(topic, b"dollar", 1, 1))
    got = client.receive()
    assert got.type in (w.PUBACK, w.DISCONNECT), repr(got)
    refusals = (w.NOT_AUTHORIZED, w.TOPIC_NAME_INVALID)
    assert got.reason in (w.SUCCESS, w.NO_MATCHING_SUBSCRIBERS, *refusals), repr(got)
    return got.reason not in refusals


@statement("MQTT-4.7.2-1")
@pytest.mark.parametrize("start", ["$mooring-test", "$", "$SYS"])
def test_filters_that_begin_with_a_wildcard_do_not_match_dollar_topics(lab5, start):
    """A name without $ through the same filters shows that they work."""
    ending = f"/{lab5.prefix}/x"
    for topic_filter in ("#", f"+/{lab5.prefix}/#", f"+/{lab5.prefix}/x", "+/+/+/x"):
        client = lab5.connect("s").subscribed(topic_filter, retain_handling=2)
        publish_dollar(lab5, start + ending)
        lab5.connect("p").publish("free" + ending, b"free", qos=1)
        client.expect_message("free" + ending, b"free")
        client.quiet()


@statement("MQTT-4.7.2-1")
def test_filters_that_name_the_dollar_level_match(lab5):
    """If the server takes such messages at all, they reach those who name that level."""
    topic = f"$SYS/{lab5.prefix}/x"
    clients = [lab5.connect(f"s{index}") for index in range(2)]
    for client, last in zip(clients, "#+"):
        client.subscribed(f"$SYS/{lab5.prefix}/{last}")
    accepted = publish_dollar(lab5, topic)
    for client in clients:
        client.expect_message(topic, b"dollar") if accepted else client.quiet()


# ---- names and matching (4.7.3) --------------------------------------------------------------------------------------


@statement("MQTT-4.7.3-1")
def test_an_empty_filter_is_refused(lab5):
    expect_filter_refused(lab5, "")


@statement("MQTT-4.7.3-1")
def test_an_empty_topic_name_is_refused_and_one_character_is_enough(lab5):
    lab5.after_connect(w.publish("", qos=1, packet_id=1)).expect_disconnect(
        w.PROTOCOL_ERROR, w.TOPIC_NAME_INVALID, w.MALFORMED_PACKET)
    for name in ("/", "x", " "):
        assert matching(lab5, name, [name]) == [name]


@statement("MQTT-4.7.3-2")
def test_names_and_filters_with_the_null_character_are_malformed(lab5):
    lab5.after_connect(w.publish("a\0b")).expect_disconnect(w.MALFORMED_PACKET)
    lab5.after_connect(w.subscribe(1, [("a\0b", 0)])).expect_disconnect(w.MALFORMED_PACKET)
    lab5.after_connect(w.unsubscribe(1, ["a\0b"])).expect_disconnect(w.MALFORMED_PACKET)


@statement("MQTT-4.7.3-3")
def test_names_and_filters_of_65535_bytes_are_taken(lab5):
    name = lab5.topic("\u00e4").ljust(65534, "x")
    assert len(name.encode()) == 65535
    assert matching(lab5, name, [name]) == [name]
    assert matching(lab5, lab5.topic("+"), [name]) == [name]


@statement("MQTT-4.7.3-4")
def test_names_are_compared_as_they_are(lab5):
    """No case folding, no composing of accents, no levels taken away or added, no blanks trimmed."""
    names = [lab5.topic(name) for name in (
        "n/Accounts", "n/accounts", "n/\u00e9", "n/e\u0301", "n/a/", "n/a", "n/a//", "/n/a", "n/ a", "n/a ",
        "n/../n/a", "n/%61", "n/\ufb01", "n/fi", "n/\U00010348")]
    for name in names:
        assert matching(lab5, name, names) == [name]


# ---- shared subscriptions (4.8.2) ------------------------------------------------------------------------------------


@statement("MQTT-4.8.2-1")
@pytest.mark.parametrize("topic", ["$share//t", "$share/", "$share/g", "$share/g/"])
def test_a_share_without_name_or_filter_is_refused(lab5, topic):
    expect_filter_refused(lab5, topic)


@statement("MQTT-4.8.2-2")
@pytest.mark.parametrize("topic", ["$share/+/t", "$share/a+b/t", "$share/#/t", "$share/a#/t", "$share/#", "$share/+"])
def test_a_share_name_with_a_wildcard_is_refused(lab5, topic):
    expect_filter_refused(lab5, topic)


@statement("MQTT-4.8.2-2")
@pytest.mark.parametrize("topic", ["$share/g/a/#/b", "$share/g/a+", "$share/g/#a"])
def test_a_share_with_a_broken_filter_is_refused(lab5, topic):
    expect_filter_refused(lab5, topic)


def members(lab5, count, topic, share="g", qos=1, **fields):
    """Clients that share a subscription."""
    return [lab5.stored(f"m{share}{number}", **fields).subscribed(f"$share/{share}/{topic}", qos=qos)
            for number in range(count)]


def collect(clients):
    """The payloads that each of the clients has been sent, acknowledged."""
    found = []
    for client in clients:
        client.ping()
        found.append([])
        while client.inbox:
            got = client.message()
            client.acknowledge(got)
            found[-1].append(got.payload.decode())
    return found


def settle(lab5, publisher, clients):
    for client in clients:
        got_before = list(client.inbox)
        client.inbox.clear()
        topic = lab5.topic(f"settle/{client.new_id()}")
        client.subscribed(topic)
        publisher.publish(topic, b"settle")
        while (got := client.message()).topic != topic:
            got_before.append(got)
        client.unsubscribe(topic)
        client.inbox[:0] = got_before


@statement("MQTT-4.8.2-1")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_member_of_a_share(lab5, qos):
    topic = lab5.topic("t/+")
    clients = members(lab5, 3, topic, qos=qos)
    publisher = lab5.connect("p")
    for number in range(30):
        publisher.publish(lab5.topic(f"t/{number % 4}"), str(number), qos=qos)
    settle(lab5, publisher, clients)
    found = collect(clients)
    assert sorted(sum(found, []), key=int) == [str(number) for number in range(30)]
    assert all(found), f"a member was left out: {found}"
    assert all(each == sorted(each, key=int) for each in found)


@statement("MQTT-4.8.2-1")
def test_every_share_and_every_other_subscription_gets_its_copy(lab5):
    topic = lab5.topic("t")
    clients = [*members(lab5, 1, topic, "one"), *members(lab5, 1, topic, "two"), *members(lab5, 1, topic, "One"),
               lab5.connect("alone").subscribed(topic, qos=1)]
    publisher = lab5.connect("p")
    for number in range(5):
        publisher.publish(topic, str(number), qos=1)
    settle(lab5, publisher, clients)
    assert collect(clients) == [[str(number) for number in range(5)]] * 4


def test_a_shared_subscription_gets_no_retained_messages(lab5):
    topic = lab5.topic("t")
    publisher = lab5.connect("p")
    publisher.publish(topic, b"kept", qos=1, retain=True)
    client, = members(lab5, 1, topic)
    client.quiet()
    publisher.publish(topic, b"live", qos=1, retain=True)
    client.take_message(topic, b"live", 1)
    publisher.publish(topic, b"", qos=1, retain=True)


def test_leaving_a_share_leaves_its_messages_to_the_others(lab5):
    topic = lab5.topic("t")
    first, second = clients = members(lab5, 2, topic)
    assert first.unsubscribe(topic).reasons == [w.NO_SUBSCRIPTION_EXISTED]
    assert first.unsubscribe("$share/g/" + topic).reasons == [w.SUCCESS]
    publisher = lab5.connect("p")
    for number in range(6):
        publisher.publish(topic, str(number), qos=1)
    settle(lab5, publisher, clients)
    assert collect(clients) == [[], [str(number) for number in range(6)]]
    second.leave(0, props(session_expiry_interval=0))


def test_a_shared_subscription_carries_its_identifier(lab5):
    topic = lab5.topic("t")
    client = lab5.connect().subscribed("$share/g/" + topic, properties=props(subscription_identifier=12))
    client.publish(topic, b"x")
    assert client.expect_message(topic, b"x").properties == {"subscription_identifier": [12]}


@statement("MQTT-4.8.2-3")
def test_each_member_has_the_qos_it_was_granted(lab5):
    topic = lab5.topic("t")
    clients = [lab5.connect(f"m{qos}").subscribed("$share/g/" + topic, qos=qos) for qos in (0, 1, 2)]
    publisher = lab5.connect("p")
    for number in range(12):
        publisher.publish(topic, str(number), qos=2)
    settle(lab5, publisher, clients)
    for qos, client in enumerate(clients):
        assert client.inbox and all(got.qos == qos for got in client.inbox)
    assert sum(len(client.inbox) for client in clients) == 12


def one_of_two(lab5, topic):
    """A QoS 2 message that one of two members of a share was sent and has not answered: (that one, the other)."""
    clients = members(lab5, 2, topic, qos=2)
    publisher = lab5.connect("p")
    publisher.publish(topic, b"x", qos=2)
    settle(lab5, publisher, clients)
    first, other = sorted(clients, key=lambda client: -len(client.inbox))
    assert (len(first.inbox), len(other.inbox)) == (1, 0)
    return first, other


@statement("MQTT-4.8.2-4")
def test_a_begun_qos_2_delivery_is_completed_with_the_same_member(lab5):
    topic = lab5.topic("t")
    first, other = one_of_two(lab5, topic)
    number = first.expect_message(topic, b"x", 2).packet_id
    first.drop()
    other.quiet()
    first = lab5.connect(client_id=first.client_id, clean=False, session_present=True)
    got = first.expect_message(topic, b"x", 2, dup=True)
    assert got.packet_id == number
    first.acknowledge(got)
    other.quiet()


@statement("MQTT-4.8.2-5")
def test_a_begun_qos_2_delivery_goes_to_nobody_else_when_the_session_ends(lab5):
    topic = lab5.topic("t")
    first, other = one_of_two(lab5, topic)
    first.expect_message(topic, b"x", 2)
    first.leave(0, props(session_expiry_interval=0))
    lab5.fence(lab5.connect("fence"), other)


@statement("MQTT-4.8.2-6")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_a_member_refused_goes_to_nobody_else(lab5, qos):
    topic = lab5.topic("t")
    clients = members(lab5, 2, topic, qos=qos)
    publisher = lab5.connect("p")
    publisher.publish(topic, b"x", qos=qos)
    settle(lab5, publisher, clients)
    first, other = sorted(clients, key=lambda client: -len(client.inbox))
    first.acknowledge(first.expect_message(topic, b"x", qos), w.UNSPECIFIED_ERROR)
    first.ping()
    lab5.fence(publisher, other)
    lab5.fence(publisher, first)
    first.drop()
    lab5.connect(client_id=first.client_id, clean=False, session_present=True).quiet()
