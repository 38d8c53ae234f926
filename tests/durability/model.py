"""The reference checker: what a broker owes its clients over any number of lives, and whether it paid.

Clients report what they do and see, in the order in which it happens to them; one thread reports for all of them, so a
counter of reports serves as the clock. `violations` then holds the record against these rules:

* stored     a QoS 1 message whose publisher got PUBACK, or a QoS 2 message whose publisher got PUBREC or PUBCOMP,
             arrives in every session that was persistent and had the subscription granted before the message was first
             sent, unless the client unsubscribed or ended the session afterwards. A publisher whose session ended
             before PUBCOMP is owed nothing: a broker may keep a QoS 2 message back until PUBREL;
* once       a message that is delivered with QoS 2 arrives at most once in a session, acknowledged or not;
* order      for each session, publisher, topic and QoS (of publication and of delivery), first arrivals come in the
             order of publishing. Repetitions at QoS 1 may come at any later time: they are re-deliveries;
* truth      nothing arrives that was never published, with another topic or payload, in a session without a matching
             subscription, or with a QoS other than the lower of publication and subscription;
* sessions   a session that has granted subscriptions, or owes its publisher the end of a QoS 2 exchange, is still
             there when its client returns.

"Arrives" means: is handed to the application by a client that follows the standard, so QoS 2 repetitions with the
packet identifier of an unfinished exchange have been dropped before.
"""

import collections
import dataclasses


def topic_matches(topic_filter, topic):
    wanted, found = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(found) or level not in ("+", found[i]):
            return False
    return len(wanted) == len(found)


@dataclasses.dataclass
class Violation:
    rule: str     # stored, once, order, truth or sessions
    text: str     # in words
    history: list  # lines: what happened to the message, with the lives of the server in between

    def __str__(self):
        return "\n".join([f"[{self.rule}] {self.text}", *(f"    {line}" for line in self.history)])


@dataclasses.dataclass
class Message:
    publisher: str
    serial: int
    topic: str
    qos: int
    payload: bytes
    tick: int                       # when it was first sent
    acknowledged: str = ""          # the packet that made the broker answerable for it
    refused: bool = False           # the broker said no: nothing is owed
    given_up: bool = False          # the session of the publisher ended before the exchange did
    events: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return f"{self.publisher}#{self.serial} (QoS {self.qos}, topic {self.topic})"


@dataclasses.dataclass
class Subscription:
    topic_filter: str
    qos: int
    asked: int        # tick of SUBSCRIBE: messages may come from here on
    granted: int = 0  # tick of SUBACK, messages must come from here on; 0 = not yet
    ended: int = 0    # tick of UNSUBSCRIBE, nothing is owed from here on; 0 = not


class Session:
    """What one client has seen between the making and the end of a session."""

    def __init__(self, client, number, persistent):
        self.client = client
        self.name = client if number == 1 else f"{client} (session {number})"
        self.number = number
        self.persistent = persistent
        self.ended = False
        self.subscriptions = []
        self.arrived = collections.defaultdict(list)     # (publisher, serial) -> [(tick, QoS)]
        self.first_arrivals = collections.defaultdict(list)  # (publisher, topic, QoS, QoS) -> [serial]

    def expected_qos(self, message):
        """The QoS that a message has to come with; nothing when it does not concern this session."""
        granted = [s.qos for s in self.subscriptions if topic_matches(s.topic_filter, message.topic)]
        return min(message.qos, max(granted)) if granted else None

    def is_owed(self, message):
        if not self.persistent or self.ended or not message.acknowledged or message.refused or message.given_up:
            return False
        return any(s.granted and s.granted < message.tick and not s.ended and s.qos > 0
                   and topic_matches(s.topic_filter, message.topic) for s in self.subscriptions)


class Model:
    def __init__(self):
        self.tick = 0
        self.messages = {}   # (publisher, serial) -> Message
        self.sessions = []
        self.current = {}    # client -> Session
        self.lives = []      # (tick, text)
        self.found = []      # violations seen at once
        self.open_messages = {}  # acknowledged and perhaps not everywhere yet, for `missing`

    def _now(self):
        self.tick += 1
        return self.tick

    # -- what clients and the test report ----------------------------------------------------------------------------

    def server(self, text):
        """Something that happened to the server: killed, started, stopped, its power cut."""
        self.lives.append((self._now(), f"server {text}"))

    def connected(self, client, clean, session_present, owed=()):
        """CONNACK arrived. `owed`: (publisher, serial) of QoS 2 messages after PUBREC and before PUBCOMP."""
        now = self._now()
        session = self.current.get(client)
        if session is not None and session_present and not clean and session.persistent:
            return
        if session_present and clean:
            self._find("sessions", f"{client} asked for a clean session and was told that an old one is there", [])
        if session is not None and session.persistent and not clean and not session.ended:
            granted = [s.topic_filter for s in session.subscriptions if s.granted and not s.ended]
            if granted or owed:
                what = [f"subscriptions {', '.join(granted)}"] if granted else []
                what += [f"the unfinished QoS 2 messages {', '.join(f'{p}#{n}' for p, n in owed)}"] if owed else []
                self._find("sessions", f"the session of {client} is gone, with {' and '.join(what)}",
                           self._lines([(now, f"{client} was told that it has no session")]))
        if session is not None:
            session.ended = True
        number = session.number + 1 if session is not None else 1
        self.current[client] = Session(client, number, not clean)
        self.sessions.append(self.current[client])

    def ended(self, client):
        """The client has asked for the end of its session."""
        self._now()
        self.current[client].ended = True

    def subscribing(self, client, topic_filter, qos):
        self.current[client].subscriptions.append(Subscription(topic_filter, qos, self._now()))

    def granted(self, client, topic_filter, qos):
        """SUBACK arrived, with this QoS."""
        now = self._now()
        for subscription in self.current[client].subscriptions:
            if subscription.topic_filter == topic_filter and not subscription.granted:
                subscription.granted, subscription.qos = now, qos
                return
        self._find("truth", f"{client} got a SUBACK for {topic_filter}, which it had not asked for", [])

    def unsubscribing(self, client, topic_filter):
        now = self._now()
        for subscription in self.current[client].subscriptions:
            if subscription.topic_filter == topic_filter and not subscription.ended:
                subscription.ended = now

    def published(self, publisher, serial, topic, qos, payload):
        """PUBLISH was sent for the first time."""
        message = Message(publisher, serial, topic, qos, payload, self._now())
        assert (publisher, serial) not in self.messages, f"{message} is published twice by the test"
        self.messages[publisher, serial] = message
        message.events.append((message.tick, f"{publisher} published it"))

    def published_again(self, publisher, serial):
        message = self.messages[publisher, serial]
        message.events.append((self._now(), f"{publisher} sent it again"))

    def told(self, publisher, serial, packet):
        """PUBACK, PUBREC or PUBCOMP arrived, without an error."""
        message = self.messages[publisher, serial]
        message.events.append((self._now(), f"{publisher} got {packet}"))
        wrong = (packet == "PUBACK") != (message.qos == 1) or not message.qos
        if wrong:
            self._find("truth", f"{message} was answered by {packet}", self._lines(message.events))
        if not message.acknowledged:
            message.acknowledged = packet
            self.open_messages[publisher, serial] = message

    def refused(self, publisher, serial, reason):
        message = self.messages[publisher, serial]
        message.refused = True
        message.events.append((self._now(), f"{publisher} was refused: {reason}"))

    def given_up(self, publisher, serial):
        """The publisher lost its session and will not send the message again."""
        message = self.messages[publisher, serial]
        message.given_up = message.qos == 2
        message.events.append((self._now(), f"{publisher} gave it up"))

    def received(self, client, publisher, serial, topic, qos, payload, dup=False):
        """A message was handed to the application."""
        now = self._now()
        session = self.current[client]
        message = self.messages.get((publisher, serial))
        how = f"{session.name} received it with QoS {qos}{' and DUP' if dup else ''}"
        if message is None:
            self._find("truth", f"{client} received {publisher}#{serial} on {topic}, which nobody has published",
                       self._lines([(now, how)]))
            return
        message.events.append((now, how))
        self._check_truth(session, message, topic, qos, payload)
        arrivals = session.arrived[publisher, serial]
        arrivals.append((now, qos))
        if len(arrivals) == 1:
            self._check_order(session, message, qos)
        elif qos == 2 or arrivals[0][1] == 2:
            self._find("once", f"{message} arrived {len(arrivals)} times at {session.name}, which is to get it once",
                       self._lines(message.events))
        elif qos == 0 or arrivals[0][1] == 0:
            self._find("once", f"{message} arrived {len(arrivals)} times at {session.name} though with QoS 0",
                       self._lines(message.events))

    # -- judgement ---------------------------------------------------------------------------------------------------

    def _check_truth(self, session, message, topic, qos, payload):
        wanted = session.expected_qos(message)
        fault = ""
        if topic != message.topic:
            fault = f"came on the topic {topic}"
        elif payload != message.payload:
            fault = f"came with other bytes: {payload[:60]!r} in place of {message.payload[:60]!r}"
        elif wanted is None:
            fault = f"came to {session.name}, which has not subscribed to it"
        elif wanted != qos:
            fault = f"came to {session.name} with QoS {qos} in place of {wanted}"
        if fault:
            self._find("truth", f"{message} {fault}", self._lines(message.events))

    def _check_order(self, session, message, qos):
        serials = session.first_arrivals[message.publisher, message.topic, message.qos, qos]
        serials.append(message.serial)
        if len(serials) < 2 or serials[-2] < serials[-1]:
            return
        late, early = serials[-1], max(serials[:-1])
        serials[-1] = early  # report each message that came late once, and go on with the newest
        overtaker = self.messages[message.publisher, early]
        if self.messages[message.publisher, late].refused:
            return
        self._find("order", f"{message} arrived at {session.name} after {overtaker}, which was published later",
                   self._lines([*message.events, *((t, f"{overtaker}: {text}") for t, text in overtaker.events)]))

    def missing(self):
        """(session, message) for what is owed and has not arrived: what a test waits for before it judges."""
        found = []
        for key, message in list(self.open_messages.items()):
            lacking = [s for s in self.sessions if s.is_owed(message) and key not in s.arrived]
            found += [(session, message) for session in lacking]
            if not lacking:
                del self.open_messages[key]
        return found

    def violations(self):
        """Everything that is wrong, after the clients have had all the time they need."""
        lost = []
        for session, message in self.missing():
            text = f"{message} was acknowledged by {message.acknowledged} and never arrived at {session.name}"
            owed = next(s for s in session.subscriptions if s.granted and s.granted < message.tick
                        and topic_matches(s.topic_filter, message.topic))
            lost.append(Violation("stored", text, self._lines(
                [(owed.granted, f"{session.name} was granted {owed.topic_filter} with QoS {owed.qos}"),
                 *message.events])))
        return self.found + lost

    def check(self, limit=5):
        """AssertionError with the first violations, in words."""
        found = self.violations()
        more = [f"... and {len(found) - limit} more"] if len(found) > limit else []
        assert not found, "\n".join([f"{len(found)} violations", *map(str, found[:limit]), *more])

    def counts(self):
        acknowledged = sum(1 for m in self.messages.values() if m.acknowledged)
        arrivals = sum(len(a) for s in self.sessions for a in s.arrived.values())
        return {"published": len(self.messages), "acknowledged": acknowledged, "arrived": arrivals}

    def _find(self, rule, text, history):
        self.found.append(Violation(rule, text, history))

    def _lines(self, events):
        """The events in their order, with what happened to the server in between."""
        events = sorted(events)
        first, last = (events[0][0], events[-1][0]) if events else (0, 0)
        around = [life for life in self.lives if first <= life[0] <= last]
        before = [life for life in self.lives if life[0] < first][-1:]
        after = [life for life in self.lives if life[0] > last][:2]
        return [f"{tick:>8}  {text}" for tick, text in sorted(set([*before, *events, *around, *after]))]
