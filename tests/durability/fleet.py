"""Clients that survive their server: many MQTT clients in one thread, which report to the model.

Each keeps the state that the standard asks of a client over any number of connections: packet identifiers in flight,
PUBLISH sent again with DUP and PUBREL sent again, both in their first order; identifiers of unfinished QoS 2 messages
from the server, so that a repetition is not handed on twice; acknowledgements in the order of the messages. A client
connects again as soon as it can whenever its connection ends.

Half of them speak MQTT 3.1.1, half MQTT 5 (without properties, apart from the session expiry in CONNECT).
"""

import errno
import selectors
import socket
import struct
import time

from rawclient import (CONNACK, DISCONNECT, DISCONNECT_PACKET, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL,
                       SUBACK, packet, remaining_length, split_packets, text)

RETRY_S = 0.02
HANDSHAKE_S = 10.0
SESSION_EXPIRY_S = 7 * 24 * 3600
PACKET_ID_NOT_FOUND = 0x92
# CONNACK codes with which a server may ask to come back later, in MQTT 3.1.1 and 5.
COME_BACK_CODES = {4: (3,), 5: (0x80, 0x83, 0x88, 0x89, 0x8B, 0x97, 0x9F)}


def connect_packet(client_id, level, clean, keep_alive=60):
    properties = b""
    if level == 5:
        expiry = b"" if clean else b"\x11" + struct.pack(">I", SESSION_EXPIRY_S)
        properties = remaining_length(len(expiry)) + expiry
    flags = 0x02 if clean else 0
    return packet(0x10, text("MQTT") + bytes([level, flags]) + struct.pack(">H", keep_alive) + properties
                  + text(client_id))


def publish_packet(level, topic, payload, qos, packet_id, dup):
    number = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | (8 if dup else 0) | qos << 1, text(topic) + number + (b"\0" if level == 5 else b"") + payload)


def subscribe_packet(level, packet_id, filters):
    body = struct.pack(">H", packet_id) + (b"\0" if level == 5 else b"")
    return packet(0x82, body + b"".join(text(f) + bytes([q]) for f, q in filters))


def answer_packet(kind, packet_id, reason=0):
    """PUBACK, PUBREC, PUBREL or PUBCOMP; without a reason code the form is the same in both versions."""
    body = struct.pack(">H", packet_id) + (bytes([reason]) if reason else b"")
    return packet(kind << 4 | (2 if kind == PUBREL else 0), body)


def without_properties(level, data):
    if level != 5:
        return data
    size = shift = at = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return data[at + size:]


class Outgoing:
    """A message on its way to the server."""

    def __init__(self, serial, topic, qos, payload):
        self.serial, self.topic, self.qos, self.payload = serial, topic, qos, payload
        self.released = False  # PUBREC has come: PUBREL is what is sent from now on
        self.recovering = False  # that PUBREL was sent on an earlier connection already


class Client:
    """One client. `topics` with a `rate` (messages per second) make it a publisher, `filters` a subscriber."""

    def __init__(self, fleet, name, level=4, clean=False, filters=(), topics=(), rate=0.0, qos=(1, 2), window=10,
                 sluggish=0.0):
        self.fleet, self.model, self.name, self.level, self.clean = fleet, fleet.model, name, level, clean
        self.filters = list(filters)          # (filter, QoS)
        self.topics, self.rate, self.qos, self.window = list(topics), rate, list(qos), window
        self.sluggish = sluggish              # share of messages after which acknowledgements wait a while
        self.granted = set()                  # filters of the session that SUBACK has confirmed
        self.in_flight = {}                   # packet identifier -> Outgoing, in the order of sending
        self.unfinished = set()               # identifiers of QoS 2 messages from the server before PUBREL
        self.serial = 0
        self.next_id = 0
        self.away = False
        self.refused_codes = []
        self.problem = ""                     # why the server ended the last connection, as far as it said
        self.connection = None
        self.retry_at = 0.0
        self._reset_connection()

    def _reset_connection(self):
        self.connection, self.online, self.writing = None, False, False
        self.incoming, self.outgoing, self.answers = bytearray(), bytearray(), []
        self.answers_wait_until = 0.0
        self.subscribing = {}                 # packet identifier -> filters
        self.next_publish = 0.0

    # -- connection --------------------------------------------------------------------------------------------------

    def open(self, now):
        self._reset_connection()
        self.connection = socket.socket()
        self.connection.setblocking(False)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = now + HANDSHAKE_S
        code = self.connection.connect_ex(tuple(self.fleet.address))
        if code not in (0, errno.EINPROGRESS):
            self.connection.close()
            self.connection, self.retry_at = None, now + RETRY_S
            return
        self.outgoing += connect_packet(self.name, self.level, self.clean)
        self.writing = True
        self.fleet.selector.register(self.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def close(self):
        if self.connection is None:
            return
        self.fleet.selector.unregister(self.connection)
        self.connection.close()
        self._reset_connection()
        self.retry_at = time.monotonic() + RETRY_S

    def leave(self, politely):
        """Stays away until `come_back`."""
        if politely and self.online:
            self._send(DISCONNECT_PACKET)
            self.flush()
        self.close()
        self.away = True

    def come_back(self):
        self.away = False

    def flush(self):
        if self.connection is None or not self.outgoing:
            return
        try:
            sent = self.connection.send(self.outgoing)
            del self.outgoing[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._read()  # what the server said before it went is still there
            self.close()
            return
        if bool(self.outgoing) != self.writing:
            self.writing = bool(self.outgoing)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.writing else 0)
            self.fleet.selector.modify(self.connection, events, self)

    def on_event(self, events):
        if events & selectors.EVENT_READ and not self._read():
            self.close()
        elif events & selectors.EVENT_WRITE:
            self.flush()

    def _read(self):
        """False when the connection has ended."""
        while self.connection is not None:
            try:
                data = self.connection.recv(262144)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            if not data:
                return False
            self.incoming += data
            for got in split_packets(self.incoming):
                self.fleet.last_packet = time.monotonic()
                self._on_packet(got)
        return True

    def _send(self, data):
        self.outgoing += data

    def tick(self, now):
        """What the client does by itself."""
        if self.connection is None:
            if not self.away and self.fleet.address is not None and now >= self.retry_at:
                self.open(now)
            return
        if not self.online:
            assert now < self.deadline, f"{self.name}: no CONNACK within {HANDSHAKE_S} s"
            return
        if self.answers and now >= self.answers_wait_until:
            self._send(b"".join(self.answers))
            self.answers.clear()
        if self.rate and self.fleet.publishing:
            self._publish_what_is_due(now)
        self.flush()

    # -- publisher ---------------------------------------------------------------------------------------------------

    def _new_id(self):
        for _ in range(65535):
            self.next_id = self.next_id % 65535 + 1
            if self.next_id not in self.in_flight and self.next_id not in self.subscribing:
                return self.next_id
        raise AssertionError("no packet identifier is free")

    def _publish_what_is_due(self, now):
        self.next_publish = max(self.next_publish, now - 0.05)  # no more than a moment is made up for
        while now >= self.next_publish and len(self.in_flight) < self.window:
            self.next_publish += 1 / self.rate
            self.publish()

    def publish(self):
        rng = self.fleet.rng
        self.serial += 1
        size = rng.choice((0, 20, 200, 200, 1000, 5000))
        payload = f"{self.name}:{self.serial}:".encode() + bytes([65 + self.serial % 26]) * size
        message = Outgoing(self.serial, rng.choice(self.topics), rng.choice(self.qos), payload)
        number = self._new_id() if message.qos else None
        if message.qos:
            self.in_flight[number] = message
        self.model.published(self.name, message.serial, message.topic, message.qos, payload)
        self._send(publish_packet(self.level, message.topic, payload, message.qos, number, dup=False))

    def _send_again(self):
        for number, message in self.in_flight.items():
            if message.released:
                message.recovering = True
                self._send(answer_packet(PUBREL, number))
                continue
            self.model.published_again(self.name, message.serial)
            self._send(publish_packet(self.level, message.topic, message.payload, message.qos, number, dup=True))

    def _on_answer(self, got):
        reason = got.body[2] if self.level == 5 and len(got.body) > 2 else 0
        message = self.in_flight.get(got.packet_id)
        name = {PUBACK: "PUBACK", PUBREC: "PUBREC", PUBCOMP: "PUBCOMP"}[got.type]
        if message is None:
            assert got.type == PUBREC, f"{self.name}: {name} for the identifier {got.packet_id}, which is not in use"
            self._send(answer_packet(PUBREL, got.packet_id))  # an exchange that ended long ago; the server asks again
            return
        if got.type == PUBCOMP and reason == PACKET_ID_NOT_FOUND and message.recovering:
            reason = 0  # the server had finished, and its PUBCOMP was lost: no error then, says MQTT 5 section 3.7.2.1
        if reason >= 0x80:
            self.refused_codes.append(reason)
            self.model.refused(self.name, message.serial, f"{name} with reason 0x{reason:02x}")
            del self.in_flight[got.packet_id]
            return
        self.model.told(self.name, message.serial, name)
        if got.type == PUBREC:
            message.released = True
            self._send(answer_packet(PUBREL, got.packet_id))
        else:
            del self.in_flight[got.packet_id]

    # -- subscriber --------------------------------------------------------------------------------------------------

    def _subscribe_what_is_missing(self):
        wanted = [pair for pair in self.filters if pair[0] not in self.granted]
        if not wanted:
            return
        number = self._new_id()
        self.subscribing[number] = wanted
        for topic_filter, qos in wanted:
            self.model.subscribing(self.name, topic_filter, qos)
        self._send(subscribe_packet(self.level, number, wanted))

    def _on_suback(self, got):
        wanted = self.subscribing.pop(got.packet_id)
        codes = without_properties(self.level, got.body[2:])
        assert len(codes) == len(wanted), f"{self.name}: {len(codes)} codes for {len(wanted)} filters"
        for (topic_filter, qos), code in zip(wanted, codes):
            if code >= 0x80:
                self.refused_codes.append(code)  # asked for again with the next connection
                continue
            assert code == qos, f"{self.name}: granted QoS {code} of {qos} for {topic_filter}"
            self.granted.add(topic_filter)
            self.model.granted(self.name, topic_filter, code)

    def _on_publish(self, got):
        is_repetition = got.qos == 2 and got.packet_id in self.unfinished
        if not is_repetition:
            payload = without_properties(self.level, got.payload)
            publisher, serial, _ = (payload.split(b":", 2) + [b"", b""])[:3]
            number = int(serial) if serial.isdigit() else -1
            self.model.received(self.name, publisher.decode("latin-1"), number, got.topic, got.qos, payload, got.dup)
        if got.qos == 2:
            self.unfinished.add(got.packet_id)
        if got.qos:
            self._answer(PUBACK if got.qos == 1 else PUBREC, got.packet_id)

    def _answer(self, kind, packet_id):
        self.answers.append(answer_packet(kind, packet_id))
        if self.sluggish and self.fleet.rng.random() < self.sluggish:
            self.answers_wait_until = time.monotonic() + self.fleet.rng.uniform(0.005, 0.06)

    # -- packets -----------------------------------------------------------------------------------------------------

    def _on_packet(self, got):
        if got.type == CONNACK:
            self._on_connack(got)
        elif got.type == PUBLISH:
            self._on_publish(got)
        elif got.type in (PUBACK, PUBREC, PUBCOMP):
            self._on_answer(got)
        elif got.type == PUBREL:
            self.unfinished.discard(got.packet_id)
            self._answer(PUBCOMP, got.packet_id)
        elif got.type == SUBACK:
            self._on_suback(got)
        elif got.type == DISCONNECT and self.level == 5:
            self.problem = f"DISCONNECT 0x{got.body[0] if got.body else 0:02x}"
        else:
            assert got.type == PINGRESP, f"{self.name}: unexpected {got!r}"

    def _on_connack(self, got):
        present, code = got.body[0] & 1, got.body[1]
        if code:
            assert code in COME_BACK_CODES[self.level], f"{self.name}: CONNACK {code}"
            self.problem = f"CONNACK 0x{code:02x}"
            return  # the server closes
        owed = [(self.name, m.serial) for m in self.in_flight.values() if m.released]
        self.model.connected(self.name, self.clean, bool(present), owed)
        self.online = True
        if present:
            self._send_again()
        else:
            self._forget_session()
        self._subscribe_what_is_missing()

    def _forget_session(self):
        for message in self.in_flight.values():
            self.model.given_up(self.name, message.serial)
        self.in_flight.clear()
        self.unfinished.clear()
        self.granted.clear()


class Fleet:
    """All clients, and the loop in which they live. `address` is where the server listens, None while it is down."""

    def __init__(self, model, rng, address=None):
        self.model, self.rng, self.address = model, rng, address
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.publishing = True
        self.last_packet = 0.0

    def add(self, name, **options):
        client = Client(self, name, **options)
        self.clients.append(client)
        return client

    def step(self, longest=0.005):
        now = time.monotonic()
        for client in self.clients:
            client.tick(now)
        for key, events in self.selector.select(longest):
            key.data.on_event(events)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.step(min(left, 0.005))

    def until(self, wanted, timeout, what):
        end = time.monotonic() + timeout
        while not wanted():
            assert time.monotonic() < end, f"{what} within {timeout:.0f} s; {self.report()}"
            self.step()

    def connect(self, timeout=15.0):
        """Everybody who is not away is online, with all subscriptions granted."""
        def ready():
            return all(c.away or (c.online and len(c.granted) == len(c.filters)) for c in self.clients)
        self.until(ready, timeout, "clients are not online")

    def lose_server(self):
        """The server is dead: reads what it said before, and sees the connections end."""
        self.address = None
        self.until(lambda: all(c.connection is None for c in self.clients), 10.0, "connections did not end")

    def settle(self, timeout=20.0, quiet=0.15):
        """Nothing new is published, everybody is there, all that is owed arrives, then there is silence.

        False when something is still missing at the end of the time: the model knows what.
        """
        self.publishing = False
        for client in self.clients:
            client.come_back()
        end = time.monotonic() + timeout
        try:
            self.connect(timeout)
            while time.monotonic() < end:
                self.run(0.03)
                busy = any(c.in_flight or c.answers or c.outgoing for c in self.clients)
                if not busy and time.monotonic() - self.last_packet > quiet and not self.model.missing():
                    return True
            return False
        finally:
            self.publishing = True

    def close(self):
        for client in self.clients:
            client.close()
        self.selector.close()

    def report(self):
        return "; ".join(f"{c.name} {'away' if c.away else 'online' if c.online else 'offline'}"
                         f"{' ' + c.problem if c.problem else ''} in flight {len(c.in_flight)}" for c in self.clients)


def usual_fleet(model, rng, rate=150.0):
    """Three publishers and seven subscribers of every kind. `wanderers` are those that stay away at times."""
    fleet = Fleet(model, rng)
    fleet.add("p1", topics=["lab/p1/a", "lab/p1/b"], rate=rate)
    fleet.add("p2", level=5, topics=["lab/p2/a", "lab/p2/b"], rate=rate)
    fleet.add("p3", topics=["lab/p3/a"], rate=rate / 2, filters=[("lab/p1/#", 2)], window=40)
    fleet.add("p4", clean=True, topics=["lab/p4/a"], rate=rate / 3, qos=(0, 1, 2))
    fleet.add("all2", filters=[("lab/#", 2)])
    fleet.add("all1", level=5, filters=[("lab/+/+", 1)])
    fleet.add("some", filters=[("lab/+/a", 1), ("lab/p2/b", 2)], sluggish=0.05)
    fleet.add("slow2", level=5, filters=[("lab/p2/#", 2), ("lab/p3/a", 2)], sluggish=0.1)
    fleet.add("clean", clean=True, filters=[("lab/#", 2)])
    fleet.wanderers = [fleet.add("away2", filters=[("lab/#", 2)]), fleet.add("away1", level=5, filters=[("lab/#", 1)]),
                       fleet.clients[6]]
    return fleet
