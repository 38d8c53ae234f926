"""A broker for the conformance tests and clients on bare sockets to try it with.

`Lab` is what a test gets: names nobody else uses, and clients that are closed for it. All waits are bounded: `wait_s`
for what must come, `QUIET_S` for what must not and cannot be shown by an answer to something else.
"""

import itertools
import os

import pytest

from harness import Server
from rawclient import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Mqtt, connect_packet, packet, publish_packet

ACCOUNT = "lab"                # what connections without user name act as; may publish and subscribe everything
PASSWORD = "Lab-Password-1"
NARROW_ACCOUNT = "narrow"      # may publish and subscribe below `narrow/`, nothing else
NARROW_PASSWORD = "Narrow-Password-1"
WAIT_S = 2.0
QUIET_S = 0.3
TRANSPORTS = ("tcp", "ws")
OTHER_BROKER = "MOORING_CONFORMANCE_BROKER"

_numbers = itertools.count(1)


def statement(*identifiers):
    """Names the normative statements that a test shows. See statements.py."""
    return pytest.mark.statement(*identifiers)


def ack(first_byte, packet_id):
    """PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70, UNSUBACK 0xB0."""
    return packet(first_byte, packet_id.to_bytes(2, "big"))


def connack(session_present=0, code=0):
    return bytes([0x20, 2, session_present, code])


class Client(Mqtt):
    """MQTT 3.1.1 (and 3.1) with exact expectations. `inbox` keeps what was published while waiting for others."""

    wait_s = WAIT_S

    def receive(self, timeout=None):
        return super().receive(self.wait_s if timeout is None else min(timeout, self.wait_s))

    def expect_raw(self, data):
        """The next packet is this one, byte for byte; PUBLISH packets before it go to the inbox."""
        got = self.receive()
        while got.type == PUBLISH and data[0] >> 4 != PUBLISH:
            self.inbox.append(got)
            got = self.receive()
        assert got.raw == data, f"expected {data[:40].hex(' ')}, got {got!r}"
        return got

    def expect_closed(self):
        """The server closes the connection without another packet."""
        late = self.wait_closed(self.wait_s)
        assert late == [], f"packets before the close: {late!r}"

    def expect_still_open(self):
        """Nothing waits to be read, and the server answers a PINGREQ on the spot."""
        assert self.inbox == [] and self.ready == [], f"unexpected {self.inbox + self.ready!r}"
        self.send(b"\xc0\x00")
        self.expect_raw(b"\xd0\x00")
        assert self.inbox == [], f"unexpected {self.inbox!r}"

    def expect_message(self, topic, payload, qos=0, retain=False, dup=False, packet_id=None):
        """The next packet is exactly this PUBLISH, with whatever packet id unless one is given. Not acknowledged."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        got = self.inbox.pop(0) if self.inbox else self.receive()
        assert got.type == PUBLISH, f"expected a PUBLISH, got {got!r}"
        if qos:
            assert got.packet_id, f"packet id 0 in {got!r}"
        dup = got.dup if dup is None else dup  # None: either
        wanted = publish_packet(topic, payload, qos, packet_id or got.packet_id, retain, dup)
        assert got.raw == wanted, (f"expected {topic[:60]!r} {payload[:60]!r} qos {qos} retain {retain} dup {dup} id "
                                   f"{packet_id}, got {got.topic[:60]!r} {got.payload[:60]!r} qos {got.qos} "
                                   f"retain {got.retain} dup {got.dup} id {got.packet_id}")
        return got

    def take_message(self, topic, payload, qos=0, **options):
        """`expect_message`, then acknowledged to the end."""
        got = self.expect_message(topic, payload, qos, **options)
        if qos == 1:
            self.send(ack(0x40, got.packet_id))
        if qos == 2:
            self.send(ack(0x50, got.packet_id))
            released = self.expect(PUBREL)
            assert released.raw == ack(0x62, got.packet_id), repr(released)
            self.send(ack(0x70, got.packet_id))
        return got

    def publish_fully(self, topic, payload=b"", qos=0, **options):
        """Publishes and takes part in the whole exchange; with QoS 0 a ping shows that the server has read it."""
        if qos == 0:
            self.send(publish_packet(topic, payload, **options))
            self.ping()
            return None
        number = self.new_id()
        self.send(publish_packet(topic, payload, qos, number, **options))
        if qos == 1:
            got = self.expect(PUBACK)
            assert got.raw == ack(0x40, number), repr(got)
        else:
            got = self.expect(PUBREC)
            assert got.raw == ack(0x50, number), repr(got)
            self.send(ack(0x62, number))
            got = self.expect(PUBCOMP)
            assert got.raw == ack(0x70, number), repr(got)
        return number

    def leave(self):
        """DISCONNECT, and the server's close."""
        self.disconnect()
        self.expect_closed()
        self.close()


class OwnBroker:
    """The program, with one listener where everybody without user name is the account `lab`."""

    def __init__(self, folder, settings=None):
        self.server = Server(folder, {"limits.profile": "open", "listener.anonymous_account": ACCOUNT,
                                      **(settings or {})})
        self.slack = self.server.slack
        self.server.cli("account", "create", ACCOUNT, "--password", PASSWORD, "--allow", "all:#", "--allow",
                        "all:$SYS/#")
        self.server.cli("account", "create", NARROW_ACCOUNT, "--password", NARROW_PASSWORD, "--allow",
                        "all:narrow/#")
        self.server.start()

    def address(self, _transport):
        return self.server.address

    def restart(self, hard=False):
        """Ends the server, by SIGTERM or by SIGKILL, and starts it on the same port and data."""
        self.server.restart(hard)

    def stop(self):
        self.server.stop()

    def discard(self):
        self.server.discard()


class OtherBroker:
    """A broker that already runs: "tcp=host:port,ws=host:port". It must know the account `narrow`."""

    slack = 1.0

    def __init__(self, description):
        self.addresses = {}
        for part in description.split(","):
            transport, _, address = part.partition("=")
            host, _, port = address.rpartition(":")
            self.addresses[transport] = (host.strip("[]"), int(port))

    def address(self, transport):
        return self.addresses[transport]

    def stop(self):
        pass

    def discard(self):
        pass


def other_broker():
    return os.environ.get(OTHER_BROKER, "")


class Lab:
    """What one test works with. Use as a context manager; leaving it closes all clients."""

    def __init__(self, broker, transport):
        self.broker = broker
        self.transport = transport
        self.number = next(_numbers)
        self.prefix = f"c{os.getpid()}/{self.number}"
        self.clients = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for client in self.clients:
            client.close()

    @property
    def slack(self):
        return self.broker.slack

    def topic(self, suffix):
        """A topic or filter below the test's own prefix."""
        return f"{self.prefix}/{suffix}"

    def client_id(self, name=""):
        """An identifier of this test; the same name gives the same identifier."""
        return f"c{os.getpid()}x{self.number}{name}"

    def open(self, kind=Client, transport=None, **options):
        """A network connection on which nothing of MQTT was sent yet."""
        transport = transport or self.transport
        client = kind(self.broker.address(transport), transport, **options)
        client.wait_s = WAIT_S * self.slack
        self.clients.append(client)
        return client

    def connect(self, name="", session_present=0, code=0, transport=None, client_id=None, **options):
        """A 3.1.1 client whose CONNACK is as said. `options` are those of rawclient.connect_packet."""
        client = self.open(transport=transport)
        client.client_id = self.client_id(name) if client_id is None else client_id
        options.setdefault("keep_alive", 0)
        client.send(connect_packet(client.client_id, **options))
        client.expect_raw(connack(session_present, code))
        return client

    def forget(self, name="", client_id=None):
        """Ends a stored session, so that tests leave nothing behind on a broker that others share."""
        self.connect(name, client_id=client_id).leave()

    def restart(self, hard=False):
        """Only with the fixture `own_lab`."""
        self.broker.restart(hard)
