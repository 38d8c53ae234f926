"""A broker in one process that keeps its promises, or breaks one of them on request.

It is there to try the fleet and the checker: with no fault they must find nothing, with each fault they must find it.
"On disk" is a deep copy of its state; `crash` goes back to the last copy, as a server does that is killed. Correct is
the broker that stores before each step that promises something; the faults leave that out or do more than they should.

MQTT 3.1.1 and 5 as the fleet speaks them: QoS 0 to 2, wildcards, persistent sessions; nothing else. It serves its
sockets in the fleet's own thread: `step` is called by the fleet's loop.
"""

import copy
import selectors
import socket
import struct

from fleet import PACKET_ID_NOT_FOUND, answer_packet, publish_packet, without_properties
from model import topic_matches
from rawclient import (CONNECT, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE, packet, split_packets)

FAULTS = ("acknowledges before storing", "forgets sessions", "forgets incoming identifiers",
          "forgets outgoing identifiers", "drops a message of a queue", "delivers QoS 2 twice", "swaps two messages",
          "invents a message", "changes a payload", "delivers with the wrong QoS")
WINDOW = 20


class Session:
    def __init__(self):
        self.filters = {}
        self.waiting = []     # [topic, payload, QoS]
        self.in_flight = {}   # packet identifier -> [topic, payload, QoS, released]
        self.incoming = set() # identifiers of QoS 2 messages of the client before PUBREL
        self.next_id = 0


class Link:
    def __init__(self, connection):
        self.connection, self.incoming, self.outgoing = connection, bytearray(), bytearray()
        self.name, self.level, self.clean = None, 4, True


class FakeBroker:
    def __init__(self, fault=""):
        assert not fault or fault in FAULTS
        self.fault = fault
        self.changed = False
        self.delivered = 0  # counts towards the next fault
        self.sessions = {}
        self.stored = {}
        self.links = {}
        self.selector = selectors.DefaultSelector()
        self.listener = None
        self.listen()

    # -- life --------------------------------------------------------------------------------------------------------

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.address = self.listener.getsockname()

    def crash(self):
        """Everything that was not stored is gone; so are bytes that were not sent."""
        for link in list(self.links.values()):
            self._drop(link)
        self.selector.unregister(self.listener)
        self.listener.close()
        self.sessions = {} if self.fault == "forgets sessions" else copy.deepcopy(self.stored)
        for session in self.sessions.values():
            if self.fault == "forgets incoming identifiers":
                session.incoming.clear()
            if self.fault == "forgets outgoing identifiers":
                session.waiting[:0] = [m[:3] for m in session.in_flight.values() if not m[3]]
                session.in_flight = {n: m for n, m in session.in_flight.items() if m[3]}
                session.next_id += 500

    def store(self):
        self.stored = copy.deepcopy({name: s for name, s in self.sessions.items() if not self._is_clean(name)})

    def close(self):
        for link in list(self.links.values()):
            self._drop(link)
        self.listener.close()
        self.selector.close()

    def _is_clean(self, name):
        return any(link.name == name and link.clean for link in self.links.values())

    def step(self, rng=None):
        """One turn. With a random generator it may end in the middle: returns False where a crash is wanted."""
        for key, _ in self.selector.select(0):
            if key.fileobj is self.listener:
                self._accept()
            elif key.data in self.links.values() and not self._read(key.data):
                self._drop(key.data)
        if self.fault != "acknowledges before storing" and self.changed:
            self.store()
            self.changed = False
        if rng is not None and rng.random() < 0.5:
            return False
        for link in list(self.links.values()):
            self._write(link)
        return True

    # -- sockets -----------------------------------------------------------------------------------------------------

    def _accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        link = Link(connection)
        self.links[id(link)] = link
        self.selector.register(connection, selectors.EVENT_READ, link)

    def _drop(self, link):
        if self.links.pop(id(link), None) is None:
            return
        self.selector.unregister(link.connection)
        link.connection.close()
        if link.clean:
            self.sessions.pop(link.name, None)

    def _write(self, link):
        try:
            if link.outgoing:
                del link.outgoing[:link.connection.send(link.outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(link)

    def _read(self, link):
        try:
            data = link.connection.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        link.incoming += data
        for got in split_packets(link.incoming):
            self.changed = True
            if not self._on_packet(link, got):
                self._write(link)
                return False
        return bool(data)

    # -- protocol ----------------------------------------------------------------------------------------------------

    def _on_packet(self, link, got):
        session = self.sessions.get(link.name)
        if got.type == CONNECT:
            self._on_connect(link, got)
        elif got.type == SUBSCRIBE:
            self._on_subscribe(link, session, got)
        elif got.type == PUBLISH:
            self._on_publish(link, session, got)
        elif got.type == PUBREL:
            known = got.packet_id in session.incoming or link.level != 5
            session.incoming.discard(got.packet_id)
            link.outgoing += answer_packet(PUBCOMP, got.packet_id, 0 if known else PACKET_ID_NOT_FOUND)
        elif got.type == PUBREC:
            session.in_flight[got.packet_id][3] = True
            link.outgoing += answer_packet(PUBREL, got.packet_id)
        elif got.type in (PUBACK, PUBCOMP):
            session.in_flight.pop(got.packet_id, None)
            self._deliver(link.name)
        return got.type != DISCONNECT

    def _on_connect(self, link, got):
        link.level, link.clean = got.body[6], bool(got.body[7] & 2)
        rest = without_properties(link.level, got.body[10:])
        link.name = rest[2:2 + struct.unpack(">H", rest[:2])[0]].decode()
        for other in [o for o in self.links.values() if o.name == link.name and o is not link]:
            self._drop(other)
        if link.clean:
            self.sessions.pop(link.name, None)
        present = link.name in self.sessions
        session = self.sessions.setdefault(link.name, Session())
        link.outgoing += packet(0x20, bytes([present, 0]) + (b"\0" if link.level == 5 else b""))
        for number, (topic, payload, qos, released) in session.in_flight.items():
            link.outgoing += (answer_packet(PUBREL, number) if released else
                              publish_packet(link.level, topic, payload, qos, number, dup=True))
        self._deliver(link.name)

    def _on_subscribe(self, link, session, got):
        data = without_properties(link.level, got.body[2:])
        codes = b""
        while data:
            size = struct.unpack(">H", data[:2])[0]
            session.filters[data[2:2 + size].decode()] = data[2 + size]
            codes += data[2 + size:3 + size]
            data = data[3 + size:]
        link.outgoing += packet(0x90, struct.pack(">H", got.packet_id) + (b"\0" if link.level == 5 else b"") + codes)

    def _on_publish(self, link, session, got):
        payload = without_properties(link.level, got.payload)
        if got.qos != 2 or got.packet_id not in session.incoming:
            self._route(got.topic, payload, got.qos)
        if got.qos == 2:
            session.incoming.add(got.packet_id)
        if got.qos:
            link.outgoing += answer_packet(PUBACK if got.qos == 1 else PUBREC, got.packet_id)

    def _route(self, topic, payload, qos):
        for name, session in self.sessions.items():
            granted = [q for f, q in session.filters.items() if topic_matches(f, topic)]
            if not granted:
                continue
            self._queue(name, session, [topic, payload, min(qos, max(granted))])
            self._deliver(name)

    def _queue(self, name, session, message):
        self.delivered += 1
        now = self.delivered % 40 == 0
        if now and self.fault == "drops a message of a queue" and message[2] and not self._is_clean(name):
            return
        if now and self.fault == "changes a payload":
            message[1] += b"!"
        if now and self.fault == "invents a message":
            message[1] = b"nobody:1:"
        if self.delivered % 7 == 0 and self.fault == "delivers with the wrong QoS":
            message[2] = min(message[2], 1)
        session.waiting.append(message)
        if now and self.fault == "delivers QoS 2 twice" and message[2] == 2:
            session.waiting.append(list(message))
        if self.fault == "swaps two messages" and len(session.waiting) > 1:
            session.waiting.sort(key=lambda m: hash(m[1]) % 3)

    def _deliver(self, name):
        session = self.sessions[name]
        link = next((o for o in self.links.values() if o.name == name), None)
        while link is not None and session.waiting and len(session.in_flight) < WINDOW:
            topic, payload, qos = session.waiting.pop(0)
            number = None
            if qos:
                number = session.next_id = session.next_id % 65535 + 1
                session.in_flight[number] = [topic, payload, qos, False]
            link.outgoing += publish_packet(link.level, topic, payload, qos, number, dup=False)
        if link is None:
            session.waiting = [m for m in session.waiting if m[2]]
