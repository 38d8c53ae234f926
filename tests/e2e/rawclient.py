"""A small MQTT and WebSocket client on bare sockets.

Ordinary client libraries refuse to send what a test must send: broken packets, packets cut anywhere, frames without a
mask. This one sends any bytes, waits with a deadline in every call and keeps no thread. Bytes and time only; nothing
here knows about the server under test.
"""

import base64
import hashlib
import os
import socket
import ssl
import struct
import time

WS_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ,
 PINGRESP, DISCONNECT) = range(1, 15)


class Silence(AssertionError):
    """Nothing arrived before the deadline, the connection is still open."""


class Closed(AssertionError):
    """The peer closed the connection. `reset` tells a TCP reset from an orderly end."""

    def __init__(self, text, reset=False):
        super().__init__(text)
        self.reset = reset


# ---- bytes of MQTT packets -------------------------------------------------------------------------------------------


def remaining_length(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(first_byte, body=b""):
    return bytes([first_byte]) + remaining_length(len(body)) + body


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def connect_packet(client_id, username=None, password=None, keep_alive=60, clean=True, level=4, name=None, will=None,
                   flags=None):
    if name is None:
        name = "MQIsdp" if level == 3 else "MQTT"
    bits = 0x02 if clean else 0
    payload = text(client_id)
    if will is not None:
        topic, message, qos, retain = will
        bits |= 0x04 | qos << 3 | (0x20 if retain else 0)
        payload += text(topic) + text(message)
    if username is not None:
        bits |= 0x80
        payload += text(username)
    if password is not None:
        bits |= 0x40
        payload += text(password)
    if flags is not None:
        bits = flags
    properties = b"\x00" if level == 5 else b""
    return packet(0x10, text(name) + bytes([level, bits]) + struct.pack(">H", keep_alive) + properties + payload)


def publish_packet(topic, payload=b"", qos=0, packet_id=None, retain=False, dup=False):
    body = text(topic)
    if qos:
        body += struct.pack(">H", packet_id)
    payload = payload if isinstance(payload, bytes) else payload.encode()
    return packet(0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0), body + payload)


def subscribe_packet(packet_id, filters, first_byte=0x82):
    return packet(first_byte, struct.pack(">H", packet_id) + b"".join(text(f) + bytes([q]) for f, q in filters))


def unsubscribe_packet(packet_id, filters, first_byte=0xA2):
    return packet(first_byte, struct.pack(">H", packet_id) + b"".join(text(f) for f in filters))


def puback_packet(packet_id):
    return packet(0x40, struct.pack(">H", packet_id))


PINGREQ_PACKET = packet(0xC0)
DISCONNECT_PACKET = packet(0xE0)


class Packet:
    """One packet from the server. PUBLISH is taken apart, for the others `body` is what follows the fixed header."""

    def __init__(self, first_byte, body, raw):
        self.type = first_byte >> 4
        self.flags = first_byte & 0x0F
        self.body = body
        self.raw = raw
        if self.type == PUBLISH:
            self.qos = self.flags >> 1 & 3
            self.dup = bool(self.flags & 8)
            self.retain = bool(self.flags & 1)
            size = struct.unpack(">H", body[:2])[0]
            self.topic = body[2:2 + size].decode()
            rest = body[2 + size:]
            self.packet_id = struct.unpack(">H", rest[:2])[0] if self.qos else None
            self.payload = rest[2:] if self.qos else rest
        elif len(body) >= 2 and self.type != CONNACK:
            self.packet_id = struct.unpack(">H", body[:2])[0]

    def __repr__(self):
        return f"Packet(type={self.type}, flags={self.flags}, {self.raw[:40].hex(' ')})"


def split_packets(data):
    """Cuts whole packets off the front of a bytearray."""
    found = []
    while len(data) >= 2:
        size, shift, at = 0, 0, 1
        while True:
            if at >= len(data):
                return found
            digit = data[at]
            size |= (digit & 0x7F) << shift
            shift += 7
            at += 1
            if not digit & 0x80:
                break
            assert at <= 4, f"the server sent a remaining length of more than four bytes: {bytes(data[:8]).hex(' ')}"
        if len(data) < at + size:
            return found
        found.append(Packet(data[0], bytes(data[at:at + size]), bytes(data[:at + size])))
        del data[:at + size]
    return found


# ---- byte streams ----------------------------------------------------------------------------------------------------


class Stream:
    """A TCP or TLS connection with a deadline in every call."""

    def __init__(self, address, tls=None, server_name=None, timeout=10.0, receive_buffer=None, session=None,
                 before_tls=b""):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(tuple(address))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if before_tls:
            self.socket.sendall(before_tls)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name, session=session)

    def send(self, data, timeout=10.0):
        self.socket.settimeout(timeout)
        try:
            self.socket.sendall(data)
        except (TimeoutError, ssl.SSLWantWriteError):
            raise
        except OSError as error:
            raise Closed(f"closed while sending: {error}", reset=True) from error

    def receive(self, timeout=5.0):
        """Some bytes; Silence or Closed otherwise."""
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError) as error:
            raise Silence(f"nothing arrived within {timeout:.2f} s") from error
        except ssl.SSLEOFError as error:
            raise Closed("closed without a TLS goodbye") from error
        except OSError as error:
            raise Closed(f"closed: {error}", reset=True) from error
        if not data:
            raise Closed("closed")
        return data

    def receive_exactly(self, size, timeout=5.0):
        deadline = time.monotonic() + timeout
        data = b""
        while len(data) < size:
            data += self.receive(deadline - time.monotonic())
        return data

    def wait_closed(self, timeout=5.0):
        """Everything that arrives until the peer closes. Silence when it does not close."""
        deadline = time.monotonic() + timeout
        data = b""
        while True:
            try:
                data += self.receive(deadline - time.monotonic())
            except Closed as end:
                self.reset = end.reset
                return data

    def close(self):
        self.socket.close()

    def drop(self):
        """Ends the TCP connection by a reset: no goodbye of any layer."""
        raw = self.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()


# ---- WebSocket -------------------------------------------------------------------------------------------------------


def mask_bytes(data, key):
    if not data:
        return b""
    repeated = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


def frame(opcode, payload=b"", fin=True, masked=True, rsv=0, key=None, claimed_size=None):
    """Bytes of one frame. `claimed_size` writes another length than the payload has."""
    size = len(payload) if claimed_size is None else claimed_size
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4) if key is None else key
    return head + key + mask_bytes(payload, key)


class HttpResponse:
    def __init__(self, head, rest):
        lines = head.decode("latin-1").split("\r\n")
        self.status_line = lines[0]
        self.status = int(lines[0].split()[1])
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.strip().lower(), []).append(value.strip())
        self.body = rest

    def header(self, name):
        return ", ".join(self.headers[name.lower()]) if name.lower() in self.headers else None


def read_http_response(stream, timeout=5.0, head_only=False):
    deadline = time.monotonic() + timeout
    data = b""
    while b"\r\n\r\n" not in data:
        data += stream.receive(deadline - time.monotonic())
    head, _, rest = data.partition(b"\r\n\r\n")
    response = HttpResponse(head, rest)
    if head_only or response.status == 101:
        return response
    size = response.header("content-length")
    if size is not None:
        while len(response.body) < int(size):
            response.body += stream.receive(deadline - time.monotonic())
    return response


def upgrade_request(path="/mqtt", protocols=("mqtt",), headers=(), key=None, host="localhost", version="13",
                    method="GET", http="1.1"):
    """`protocols` is a list with one entry for each Sec-WebSocket-Protocol line."""
    key = base64.b64encode(os.urandom(16)).decode() if key is None else key
    lines = [f"{method} {path} HTTP/{http}", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    if key != "":
        lines.append(f"Sec-WebSocket-Key: {key}")
    if version is not None:
        lines.append(f"Sec-WebSocket-Version: {version}")
    lines += [f"Sec-WebSocket-Protocol: {p}" for p in protocols]
    lines += list(headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), key


class WebSocket:
    """Client side of a WebSocket over a Stream. `receive_frame` hands out frames as they come."""

    def __init__(self, stream, **request):
        self.stream = stream
        self.data = bytearray()
        data, key = upgrade_request(**request)
        stream.send(data)
        self.response = read_http_response(stream)
        if self.response.status != 101:
            raise Closed(f"upgrade refused: {self.response.status_line}")
        expected = base64.b64encode(hashlib.sha1((key + WS_GUID).encode()).digest()).decode()
        assert self.response.header("sec-websocket-accept") == expected, "wrong Sec-WebSocket-Accept"
        assert (self.response.header("upgrade") or "").lower() == "websocket"
        assert "upgrade" in (self.response.header("connection") or "").lower()
        self.data += self.response.body

    def send(self, data):
        self.stream.send(data)

    def send_frame(self, opcode, payload=b"", **options):
        self.stream.send(frame(opcode, payload, **options))

    def _cut_frame(self):
        data = self.data
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        assert not data[1] & 0x80, "the server masked a frame"
        if size == 126:
            size, at = (struct.unpack(">H", data[2:4])[0], 4) if len(data) >= 4 else (1 << 62, 4)
        elif size == 127:
            size, at = (struct.unpack(">Q", data[2:10])[0], 10) if len(data) >= 10 else (1 << 62, 10)
        if len(data) < at + size:
            return None
        found = (data[0] & 0x0F, bytes(data[at:at + size]), bool(data[0] & 0x80), data[0] >> 4 & 7)
        del data[:at + size]
        return found

    def receive_frame(self, timeout=5.0):
        """(opcode, payload) of the next frame, which must be whole and without reserved bits."""
        deadline = time.monotonic() + timeout
        while (found := self._cut_frame()) is None:
            self.data += self.stream.receive(deadline - time.monotonic())
        opcode, payload, fin, rsv = found
        assert rsv == 0, f"reserved bits {rsv} set by the server"
        assert fin, "the server sent a fragment"
        return opcode, payload

    def wait_close_code(self, timeout=5.0, answer=True):
        """Reads up to the close frame, answers it, waits for the end of TCP. The code, or None if there was none."""
        deadline = time.monotonic() + timeout
        while True:
            opcode, payload = self.receive_frame(deadline - time.monotonic())
            if opcode == 8:
                break
        assert len(payload) != 1, "a close frame with one byte"
        code = struct.unpack(">H", payload[:2])[0] if payload else None
        if answer:
            try:
                self.send_frame(8, payload[:2])
            except Closed:
                pass
            self.stream.wait_closed(deadline - time.monotonic())
        return code

    def close(self):
        self.stream.close()


# ---- MQTT over either ------------------------------------------------------------------------------------------------


class Mqtt:
    """MQTT packets over tcp, tls, ws or wss.

    `inbox` keeps PUBLISH packets that arrived while something else was awaited, in their order.
    """

    def __init__(self, address, transport="tcp", tls=None, server_name=None, ws=None, **stream):
        self.transport = transport
        self.stream = Stream(address, tls if transport in ("tls", "wss") else None, server_name, **stream)
        self.ws = WebSocket(self.stream, **(ws or {})) if transport in ("ws", "wss") else None
        self.data = bytearray()
        self.ready = []
        self.inbox = []
        self.next_id = 0
        self.close_code = None
        self.messages_with_many_packets = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def new_id(self):
        self.next_id = self.next_id % 65535 + 1
        return self.next_id

    def send(self, data):
        """Bytes of one or more packets, or a part of one; over WebSocket as one binary frame."""
        if self.ws:
            self.ws.send_frame(2, data)
        else:
            self.stream.send(data)

    def _more(self, timeout):
        if not self.ws:
            self.data += self.stream.receive(timeout)
            found = split_packets(self.data)
        else:
            opcode, payload = self.ws.receive_frame(timeout)
            if opcode == 8:
                self.close_code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
                raise Closed(f"WebSocket close {self.close_code}")
            if opcode in (9, 10):
                return
            assert opcode == 2, f"frame with opcode {opcode}"
            self.data += payload
            found = split_packets(self.data)
            if len(found) != 1 or self.data:
                self.messages_with_many_packets += 1
        self.ready += found

    def receive(self, timeout=5.0):
        """The next packet of any type."""
        deadline = time.monotonic() + timeout
        while not self.ready:
            self._more(deadline - time.monotonic())
        return self.ready.pop(0)

    def expect(self, kind, timeout=5.0):
        """The next packet that is not a PUBLISH must be of this kind; PUBLISH packets go to the inbox."""
        deadline = time.monotonic() + timeout
        while True:
            got = self.receive(deadline - time.monotonic())
            if got.type == PUBLISH and kind != PUBLISH:
                self.inbox.append(got)
                continue
            assert got.type == kind, f"expected packet type {kind}, got {got!r}"
            return got

    def expect_publish(self, timeout=5.0):
        return self.inbox.pop(0) if self.inbox else self.expect(PUBLISH, timeout)

    def expect_silence(self, seconds=0.3):
        """Nothing but silence; a message already in the inbox counts as noise."""
        assert not self.inbox, f"unexpected {self.inbox!r}"
        try:
            got = self.receive(seconds)
        except Silence:
            return
        raise AssertionError(f"unexpected {got!r}")

    def wait_closed(self, timeout=5.0):
        """Packets that still arrive until the server has closed the connection."""
        deadline = time.monotonic() + timeout
        late = []
        try:
            while True:
                late.append(self.receive(deadline - time.monotonic()))
        except Closed as end:
            self.reset = end.reset
        if self.ws and self.close_code is not None:
            try:
                self.ws.send_frame(8, struct.pack(">H", self.close_code))
                self.stream.wait_closed(deadline - time.monotonic())
            except Closed:
                pass
        return late

    # -- what a device does ------------------------------------------------------------------------------------------

    def connect(self, client_id, username=None, password=None, timeout=5.0, **options):
        """Sends CONNECT and returns (session_present, return_code)."""
        self.send(connect_packet(client_id, username, password, **options))
        got = self.receive(timeout)
        assert got.type == CONNACK and got.flags == 0 and len(got.raw) == 4, f"not a CONNACK: {got!r}"
        return got.body[0], got.body[1]

    def subscribe(self, *filters, qos=1, timeout=5.0):
        """Return codes, one for each filter. A filter is text or (text, qos)."""
        number = self.new_id()
        self.send(subscribe_packet(number, [f if isinstance(f, tuple) else (f, qos) for f in filters]))
        got = self.expect(SUBACK, timeout)
        assert got.packet_id == number and got.flags == 0, repr(got)
        codes = list(got.body[2:])
        assert len(codes) == len(filters), f"{len(codes)} return codes for {len(filters)} filters"
        return codes

    def unsubscribe(self, *filters, first_byte=0xA2, timeout=5.0):
        number = self.new_id()
        self.send(unsubscribe_packet(number, filters, first_byte))
        got = self.expect(UNSUBACK, timeout)
        assert got.packet_id == number and got.flags == 0 and len(got.body) == 2, repr(got)

    def publish(self, topic, payload=b"", qos=0, wait=True, timeout=5.0, **options):
        if not qos:
            self.send(publish_packet(topic, payload, **options))
            return None
        number = options.pop("packet_id", None) or self.new_id()
        self.send(publish_packet(topic, payload, qos, number, **options))
        if wait:
            got = self.expect(PUBACK, timeout)
            assert got.packet_id == number and got.flags == 0 and len(got.body) == 2, repr(got)
        return number

    def puback(self, got):
        self.send(puback_packet(got.packet_id))

    def ping(self, timeout=5.0):
        """Seconds until the answer."""
        start = time.monotonic()
        self.send(PINGREQ_PACKET)
        got = self.expect(PINGRESP, timeout)
        assert got.raw == b"\xd0\x00", repr(got)
        return time.monotonic() - start

    def disconnect(self):
        self.send(DISCONNECT_PACKET)

    def close(self):
        self.stream.close()

    def drop(self):
        self.stream.drop()
