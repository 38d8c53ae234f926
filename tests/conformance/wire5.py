"""MQTT 5.0 on plain bytes: every packet and property encoded and decoded, and a client that waits with deadlines.

The encoder refuses nothing. Properties are bytes that a test joins as it likes, lengths and flags can be overridden, so
every malformed variant is one argument away. The decoder refuses everything that a server may not send: unknown reason
codes, properties in the wrong packet or sent twice, lengths that do not add up, strings that are not UTF-8. So each
test also holds the server to the packet formats of chapters 2 and 3.
"""

import struct
import time

from rawclient import Mqtt, packet, remaining_length, text

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ,
 PINGRESP, DISCONNECT, AUTH) = range(1, 16)
PACKET_NAMES = ("reserved CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK "
                "PINGREQ PINGRESP DISCONNECT AUTH").split()
ACKS = (PUBACK, PUBREC, PUBREL, PUBCOMP)

# ---- properties (2.2.2.2) --------------------------------------------------------------------------------------------

BYTE, TWO, FOUR, VARIABLE, STRING, PAIR, BINARY = "byte", "two", "four", "variable", "string", "pair", "binary"
WILL = "will"
_EVERY_REPLY = (CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH)
# name: (identifier, type, packets and the will that may hold it)
PROPERTIES = {
    "payload_format_indicator": (0x01, BYTE, (PUBLISH, WILL)),
    "message_expiry_interval": (0x02, FOUR, (PUBLISH, WILL)),
    "content_type": (0x03, STRING, (PUBLISH, WILL)),
    "response_topic": (0x08, STRING, (PUBLISH, WILL)),
    "correlation_data": (0x09, BINARY, (PUBLISH, WILL)),
    "subscription_identifier": (0x0B, VARIABLE, (PUBLISH, SUBSCRIBE)),
    "session_expiry_interval": (0x11, FOUR, (CONNECT, CONNACK, DISCONNECT)),
    "assigned_client_identifier": (0x12, STRING, (CONNACK,)),
    "server_keep_alive": (0x13, TWO, (CONNACK,)),
    "authentication_method": (0x15, STRING, (CONNECT, CONNACK, AUTH)),
    "authentication_data": (0x16, BINARY, (CONNECT, CONNACK, AUTH)),
    "request_problem_information": (0x17, BYTE, (CONNECT,)),
    "will_delay_interval": (0x18, FOUR, (WILL,)),
    "request_response_information": (0x19, BYTE, (CONNECT,)),
    "response_information": (0x1A, STRING, (CONNACK,)),
    "server_reference": (0x1C, STRING, (CONNACK, DISCONNECT)),
    "reason_string": (0x1F, STRING, _EVERY_REPLY),
    "receive_maximum": (0x21, TWO, (CONNECT, CONNACK)),
    "topic_alias_maximum": (0x22, TWO, (CONNECT, CONNACK)),
    "topic_alias": (0x23, TWO, (PUBLISH,)),
    "maximum_qos": (0x24, BYTE, (CONNACK,)),
    "retain_available": (0x25, BYTE, (CONNACK,)),
    "user_property": (0x26, PAIR, (CONNECT, PUBLISH, WILL, SUBSCRIBE, UNSUBSCRIBE, *_EVERY_REPLY)),
    "maximum_packet_size": (0x27, FOUR, (CONNECT, CONNACK)),
    "wildcard_subscription_available": (0x28, BYTE, (CONNACK,)),
    "subscription_identifier_available": (0x29, BYTE, (CONNACK,)),
    "shared_subscription_available": (0x2A, BYTE, (CONNACK,)),
}
_BY_IDENTIFIER = {identifier: (name, kind, where) for name, (identifier, kind, where) in PROPERTIES.items()}
# Bytes that a value must be one of, where the standard allows fewer than a byte can hold.
_FLAGS = ("payload_format_indicator", "request_problem_information", "request_response_information", "maximum_qos",
          "retain_available", "wildcard_subscription_available", "subscription_identifier_available",
          "shared_subscription_available")
_NEVER_ZERO = ("subscription_identifier", "receive_maximum", "topic_alias", "maximum_packet_size")
# A value of the right form for each property, for tests that go through all of them.
SAMPLES = {
    BYTE: 1, TWO: 7, FOUR: 100_000, VARIABLE: 5, STRING: "text", PAIR: ("name", "value"), BINARY: b"\x00\xff",
}


def binary(data):
    return struct.pack(">H", len(data)) + data


def property_value(kind, value):
    if isinstance(value, bytes) and kind not in (BINARY, STRING):
        return value
    if kind == PAIR:
        return text(value[0]) + text(value[1])
    return {BYTE: lambda v: bytes([v]), TWO: lambda v: struct.pack(">H", v), FOUR: lambda v: struct.pack(">I", v),
            VARIABLE: remaining_length, STRING: text, BINARY: binary}[kind](value)


def prop(name, value):
    """One property. Bytes as the value of a number are sent as they are."""
    identifier, kind, _ = PROPERTIES[name]
    return bytes([identifier]) + property_value(kind, value)


def props(**values):
    """Properties in the order of the arguments; a list repeats the property."""
    out = b""
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            out += prop(name, each)
    return out


def users(*pairs):
    return b"".join(prop("user_property", pair) for pair in pairs)


def property_block(properties, property_length=None):
    """Property Length and properties; `property_length` is an int to lie with, or the bytes of the length itself."""
    if property_length is None:
        property_length = len(properties)
    head = property_length if isinstance(property_length, bytes) else remaining_length(property_length)
    return head + properties


# ---- packets ---------------------------------------------------------------------------------------------------------


def will(topic, payload=b"", qos=0, retain=False, properties=b"", property_length=None):
    """A will for connect(): its connect flags and its part of the payload."""
    return (0x04 | qos << 3 | (0x20 if retain else 0),
            property_block(properties, property_length) + text(topic) + binary(payload))


def connect(client_id="", clean=True, keep_alive=60, properties=b"", will=None, username=None, password=None,
            flags=None, name="MQTT", level=5, property_length=None, first_byte=0x10, payload=None):
    bits = 0x02 if clean else 0
    rest = text(client_id)
    if will is not None:
        bits |= will[0]
        rest += will[1]
    if username is not None:
        bits |= 0x80
        rest += text(username)
    if password is not None:
        bits |= 0x40
        rest += binary(password)
    head = text(name) + bytes([level, bits if flags is None else flags]) + struct.pack(">H", keep_alive)
    head += property_block(properties, property_length)
    return packet(first_byte, head + (rest if payload is None else payload))


def publish(topic, payload=b"", qos=0, packet_id=None, retain=False, dup=False, properties=b"", property_length=None):
    body = text(topic)
    if packet_id is not None:
        body += struct.pack(">H", packet_id)
    payload = payload if isinstance(payload, bytes) else payload.encode()
    first = PUBLISH << 4 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return packet(first, body + property_block(properties, property_length) + payload)


def ack(kind, packet_id, reason=None, properties=None, property_length=None, flags=None):
    """PUBACK, PUBREC, PUBREL or PUBCOMP; without a reason in the form of two bytes, without properties in three."""
    body = struct.pack(">H", packet_id)
    if reason is not None:
        body += bytes([reason])
        if properties is not None:
            body += property_block(properties, property_length)
    flags = (2 if kind == PUBREL else 0) if flags is None else flags
    return packet(kind << 4 | flags, body)


def options(qos=0, no_local=False, retain_as_published=False, retain_handling=0):
    return qos | (4 if no_local else 0) | (8 if retain_as_published else 0) | retain_handling << 4


def subscribe(packet_id, filters, properties=b"", property_length=None, first_byte=0x82):
    """`filters` are (topic filter, subscription options byte)."""
    body = struct.pack(">H", packet_id) + property_block(properties, property_length)
    return packet(first_byte, body + b"".join(text(f) + bytes([o]) for f, o in filters))


def unsubscribe(packet_id, filters, properties=b"", property_length=None, first_byte=0xA2):
    body = struct.pack(">H", packet_id) + property_block(properties, property_length)
    return packet(first_byte, body + b"".join(text(f) for f in filters))


def _reason_packet(first_byte, reason, properties, property_length):
    if reason is None:
        return packet(first_byte)
    body = bytes([reason])
    if properties is not None:
        body += property_block(properties, property_length)
    return packet(first_byte, body)


def disconnect(reason=None, properties=None, property_length=None, first_byte=0xE0):
    return _reason_packet(first_byte, reason, properties, property_length)


def auth(reason=None, properties=None, property_length=None, first_byte=0xF0):
    return _reason_packet(first_byte, reason, properties, property_length)


PINGREQ_PACKET = packet(0xC0)

# ---- what a server may send ------------------------------------------------------------------------------------------

SUCCESS = 0x00
DISCONNECT_WITH_WILL = 0x04
NO_MATCHING_SUBSCRIBERS = 0x10
NO_SUBSCRIPTION_EXISTED = 0x11
UNSPECIFIED_ERROR = 0x80
MALFORMED_PACKET = 0x81
PROTOCOL_ERROR = 0x82
UNSUPPORTED_PROTOCOL_VERSION = 0x84
CLIENT_IDENTIFIER_NOT_VALID = 0x85
NOT_AUTHORIZED = 0x87
SERVER_SHUTTING_DOWN = 0x8B
BAD_AUTHENTICATION_METHOD = 0x8C
KEEP_ALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E
TOPIC_FILTER_INVALID = 0x8F
TOPIC_NAME_INVALID = 0x90
PACKET_IDENTIFIER_IN_USE = 0x91
PACKET_IDENTIFIER_NOT_FOUND = 0x92
RECEIVE_MAXIMUM_EXCEEDED = 0x93
TOPIC_ALIAS_INVALID = 0x94
PACKET_TOO_LARGE = 0x95
PAYLOAD_FORMAT_INVALID = 0x99

_RECEIVED = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
SERVER_REASONS = {
    CONNACK: {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
              0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    PUBACK: _RECEIVED,
    PUBREC: _RECEIVED,
    PUBREL: {0x00, 0x92},
    PUBCOMP: {0x00, 0x92},
    SUBACK: {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    UNSUBACK: {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
    DISCONNECT: {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
                 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
    AUTH: {0x00, 0x18},
}


class Reader:
    """Takes fields off the front of bytes; runs out with an assertion."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        assert self.left() >= size, f"the packet ends {size - self.left()} bytes early: {self.data[:60].hex(' ')}"
        self.at += size
        return self.data[self.at - size:self.at]

    def rest(self):
        return self.take(self.left())

    def byte(self):
        return self.take(1)[0]

    def two(self):
        return struct.unpack(">H", self.take(2))[0]

    def four(self):
        return struct.unpack(">I", self.take(4))[0]

    def binary(self):
        return self.take(self.two())

    def string(self):
        found = self.binary().decode("utf-8")
        assert "\0" not in found, "U+0000 in a string"
        return found

    def pair(self):
        return self.string(), self.string()

    def variable(self):
        value, shift, start = 0, 0, self.at
        while True:
            digit = self.byte()
            value |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
            assert shift < 28, "a variable byte integer of more than four bytes"
        assert remaining_length(value) == self.data[start:self.at], "a variable byte integer longer than needed"
        return value

    def properties(self, kind):
        """{name: value}; user properties and subscription identifiers are lists."""
        inner = Reader(self.take(self.variable()))
        found = {}
        while inner.left():
            identifier = inner.byte()
            assert identifier in _BY_IDENTIFIER, f"unknown property {identifier:#x}"
            name, form, where = _BY_IDENTIFIER[identifier]
            assert kind in where, f"{name} in {PACKET_NAMES[kind]}"
            value = getattr(inner, form)()
            assert name not in _FLAGS or value in (0, 1), f"{name} {value}"
            assert name not in _NEVER_ZERO or value, f"{name} 0"
            if name == "user_property" or (name == "subscription_identifier" and kind == PUBLISH):
                found.setdefault(name, []).append(value)
            else:
                assert name not in found, f"{name} twice"
                found[name] = value
        return found


class Packet:
    """A packet from the server, checked against the standard's format and taken apart.

    Every packet has `type`, `raw` and `properties`; those that have them `packet_id`, `reason`, `reasons`,
    `session_present`, `topic`, `payload`, `qos`, `dup`, `retain`.
    """

    def __init__(self, raw):
        self.raw = raw
        self.type = raw[0] >> 4
        self.flags = raw[0] & 0x0F
        self.properties = {}
        head = Reader(raw[1:])
        size = head.variable()
        body = Reader(head.rest())
        assert body.left() == size
        if self.type != PUBLISH:
            assert self.flags == (2 if self.type == PUBREL else 0), f"flags {self.flags} in {self!r}"
        decode = {CONNACK: self._connack, PUBLISH: self._publish, SUBACK: self._suback, UNSUBACK: self._suback,
                  PINGRESP: lambda _: None, DISCONNECT: self._reason, AUTH: self._reason}
        decode.update({kind: self._ack for kind in ACKS})
        assert self.type in decode, f"a server never sends {self!r}"
        decode[self.type](body)
        assert body.left() == 0, f"{body.left()} bytes too many in {self!r}"

    def __repr__(self):
        return f"{PACKET_NAMES[self.type]}({self.raw[:48].hex(' ')}{' ...' if len(self.raw) > 48 else ''})"

    def _check(self, reason):
        assert reason in SERVER_REASONS[self.type], f"reason code {reason:#04x} is not one of {self!r}"
        return reason

    def _connack(self, body):
        flags = body.byte()
        assert flags in (0, 1), f"Connect Acknowledge Flags {flags:#x}"
        self.session_present = bool(flags)
        self.reason = self._check(body.byte())
        self.properties = body.properties(CONNACK)
        assert not (self.reason and self.session_present), "Session Present in a refusal"

    def _publish(self, body):
        self.qos = self.flags >> 1 & 3
        self.dup = bool(self.flags & 8)
        self.retain = bool(self.flags & 1)
        assert self.qos != 3 and not (self.dup and not self.qos), f"flags of {self!r}"
        self.topic = body.string()
        assert not set(self.topic) & set("+#"), f"a wildcard in the topic name {self.topic}"
        self.packet_id = body.two() if self.qos else None
        assert self.packet_id != 0, "packet identifier 0"
        self.properties = body.properties(PUBLISH)
        assert self.topic or "topic_alias" in self.properties, "neither topic name nor topic alias"
        self.payload = body.rest()

    def _ack(self, body):
        self.packet_id = body.two()
        self.reason = self._check(body.byte()) if body.left() else SUCCESS
        self.properties = body.properties(self.type) if body.left() else {}

    def _suback(self, body):
        self.packet_id = body.two()
        self.properties = body.properties(self.type)
        self.reasons = [self._check(code) for code in body.rest()]
        assert self.reasons, "no reason code"

    def _reason(self, body):
        self.reason = self._check(body.byte()) if body.left() else SUCCESS
        self.properties = body.properties(self.type) if body.left() else {}
        assert "session_expiry_interval" not in self.properties, "a server sends no Session Expiry Interval here"

    def user_properties(self):
        return self.properties.get("user_property", [])


# ---- client ----------------------------------------------------------------------------------------------------------


def codes(values):
    return ", ".join(f"{value:#04x}" for value in values)


class Client(Mqtt):
    """One network connection that speaks MQTT 5 over any transport of rawclient.Mqtt.

    `receive` hands out decoded packets. Messages that arrive while something else is awaited wait in `inbox`. A topic
    name that the server left out for an alias is filled in, and `aliased` says so on the packet. Every wait ends after
    `wait_s`, or after the `timeout` given.
    """

    wait_s = 2.0

    def __init__(self, address, transport="tcp", **stream):
        super().__init__(address, transport, **stream)
        self.client_id = None
        self.connack = None
        self.aliases = {}

    def receive(self, timeout=None):
        got = Packet(super().receive(self.wait_s if timeout is None else timeout).raw)
        if got.type == PUBLISH:
            self._resolve_alias(got)
        return got

    def _resolve_alias(self, got):
        alias = got.properties.get("topic_alias")
        got.aliased = alias is not None and not got.topic
        if got.aliased:
            assert alias in self.aliases, f"topic alias {alias} was never set"
            got.topic = self.aliases[alias]
        elif alias is not None:
            self.aliases[alias] = got.topic

    def expect(self, kind, timeout=None):
        return super().expect(kind, self.wait_s if timeout is None else timeout)

    def expect_raw(self, data):
        """The next packet is this one, byte for byte."""
        got = self.receive()
        assert got.raw == data, f"expected {data[:60].hex(' ')}, got {got!r}"

    # -- connection ----------------------------------------------------------------------------------------------------

    def expect_connack(self, reason=SUCCESS, session_present=False):
        self.connack = self.receive()
        assert self.connack.type == CONNACK, f"not a CONNACK: {self.connack!r}"
        assert self.connack.reason == reason, f"CONNACK {self.connack.reason:#04x}, not {reason:#04x}"
        found = self.connack.session_present
        assert found == session_present, f"Session Present {found}, not {session_present}"
        return self.connack

    def expect_refused(self, *reasons):
        """CONNACK with one of these codes, nothing after it, and the end of the connection."""
        late = self.wait_closed(self.wait_s)
        assert late, f"closed without a CONNACK of {codes(reasons)}"
        assert len(late) == 1 and late[0].type == CONNACK, f"not one CONNACK: {late!r}"
        assert late[0].reason in reasons, f"CONNACK {late[0].reason:#04x}, not {codes(reasons)}"
        return late[0]

    def expect_disconnect(self, *reasons, timeout=None):
        """DISCONNECT with one of these codes, nothing after it, and the end of the connection.

        Messages and acknowledgements of what was sent before are let pass.
        """
        late = self.wait_closed(self.wait_s if timeout is None else timeout)
        assert late and late[-1].type == DISCONNECT, f"closed without a DISCONNECT of {codes(reasons)}: {late!r}"
        self.inbox += [got for got in late if got.type == PUBLISH]
        assert not any(got.type == DISCONNECT for got in late[:-1]), f"more than one DISCONNECT: {late!r}"
        assert late[-1].reason in reasons, f"DISCONNECT {late[-1].reason:#04x}, not {codes(reasons)}"
        return late[-1]

    def expect_closed(self):
        """The end of the connection without any packet."""
        late = self.wait_closed(self.wait_s)
        assert not late, f"before the end of the connection came {late!r}"

    def leave(self, reason=None, properties=None):
        """DISCONNECT; returns when the server has closed, so that the session is known to be offline."""
        self.send(disconnect(reason, properties))
        self.expect_closed()
        self.close()

    def ping(self, timeout=None):
        start = time.monotonic()
        self.send(PINGREQ_PACKET)
        got = self.expect(PINGRESP, timeout)
        assert got.raw == b"\xd0\x00", repr(got)
        return time.monotonic() - start

    def quiet(self):
        """Shows by a PINGREQ round trip that nothing is waiting and nothing comes."""
        self.ping()
        assert not self.inbox and not self.ready, f"unexpected {self.inbox + self.ready!r}"

    # -- messages ------------------------------------------------------------------------------------------------------

    def subscribe(self, *filters, properties=b"", packet_id=None, **option_fields):
        """Subscribes and returns the SUBACK. A filter is text, or (text, options byte)."""
        number = packet_id or self.new_id()
        chosen = options(**option_fields)
        self.send(subscribe(number, [f if isinstance(f, tuple) else (f, chosen) for f in filters], properties))
        return self._expect_suback(SUBACK, number, len(filters))

    def subscribed(self, *filters, **fields):
        """Subscribes; every filter must be granted. The client itself, to be chained."""
        got = self.subscribe(*filters, **fields)
        assert all(reason <= 2 for reason in got.reasons), f"refused: {codes(got.reasons)}"
        return self

    def unsubscribe(self, *filters, properties=b"", packet_id=None):
        number = packet_id or self.new_id()
        self.send(unsubscribe(number, filters, properties))
        return self._expect_suback(UNSUBACK, number, len(filters))

    def _expect_suback(self, kind, packet_id, count):
        got = self.expect_ack(kind, packet_id)
        assert len(got.reasons) == count, f"{len(got.reasons)} reason codes for {count} filters"
        return got

    def publish(self, topic, payload=b"", qos=0, packet_id=None, **fields):
        """Publishes through all acknowledgements; returns PUBACK or PUBREC, None for QoS 0."""
        number = (packet_id or self.new_id()) if qos else None
        self.send(publish(topic, payload, qos, number, **fields))
        if not qos:
            return None
        got = self.expect_ack(PUBACK if qos == 1 else PUBREC, number)
        if qos == 2 and got.reason < 0x80:
            self.release(number)
        return got

    def release(self, packet_id):
        """The second half of QoS 2."""
        self.send(ack(PUBREL, packet_id))
        got = self.expect_ack(PUBCOMP, packet_id)
        assert got.reason == SUCCESS, repr(got)

    def expect_ack(self, kind, packet_id):
        got = self.expect(kind)
        assert got.packet_id == packet_id, f"{got!r} is for {got.packet_id}, not {packet_id}"
        return got

    def message(self, timeout=None):
        """The next message, not acknowledged."""
        return self.inbox.pop(0) if self.inbox else self.expect(PUBLISH, timeout)

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def expect_message(self, topic, payload=b"", qos=0, retain=False, dup=False, timeout=None):
        """The next message is this one. Not acknowledged."""
        got = self.message(timeout)
        payload = payload if isinstance(payload, bytes) else payload.encode()
        wanted = (topic, payload, qos, retain, dup)
        found = (got.topic, got.payload, got.qos, got.retain, got.dup)
        assert found == wanted, f"expected {str(wanted)[:300]}, got {str(found)[:300]}"
        return got

    def take_message(self, topic, payload=b"", qos=0, **fields):
        """`expect_message`, then acknowledged to the end."""
        got = self.expect_message(topic, payload, qos, **fields)
        self.acknowledge(got)
        return got

    def acknowledge(self, got, reason=None):
        """Everything that a receiver answers to a message."""
        if got.qos == 1:
            self.send(ack(PUBACK, got.packet_id, reason))
        elif got.qos == 2:
            self.send(ack(PUBREC, got.packet_id, reason))
            if (reason or 0) < 0x80:
                self.expect_ack(PUBREL, got.packet_id)
                self.send(ack(PUBCOMP, got.packet_id))
