"""Careless and hostile peers, in bounded amounts: nothing they do may cost much, last long or disturb a bystander."""

import os
import pathlib
import random
import resource
import socket
import ssl
import struct
import sys
import time

import pytest

from harness import Lines, Server, together
from rawclient import (PINGREQ_PACKET, Closed, Silence, Stream, WebSocket, connect_packet, frame, packet,
                       publish_packet, remaining_length, text, upgrade_request)

pytestmark = pytest.mark.alone

MIB = 1024 * 1024
CONNECT_TIMEOUT_S = 1.5
STALLED_TIMEOUT_S = 2.0
BYSTANDER_MS = 250


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With little patience, so that the tests need little of it."""
    found = Server(tmp_path_factory.mktemp("hostile"), {
        "connect.timeout_ms": str(int(CONNECT_TIMEOUT_S * 1000)),
        "connect.close_timeout_ms": "500",
        "limits.stalled_output_timeout_ms": str(int(STALLED_TIMEOUT_S * 1000)),
    }).seed(80)
    try:
        yield found.start()
        for extra in found.extra:
            extra.end()
        found.stop()
    finally:
        found.discard()


@pytest.fixture
def bystander(server):
    """Somebody else's round trips while the test does its worst, and the memory it leaves behind."""
    device = server.device()
    script = pathlib.Path(__file__).with_name("bystander.py")
    watcher = Lines([sys.executable, "-B", script, server.host, server.port, *device.credentials(),
                     device.topic("user/echo")], stdin=True)
    watcher.until("ready", 20)
    before = server.memory()
    yield watcher
    time.sleep(1)  # the trouble may be over in an instant; what follows it counts as well
    watcher.process.stdin.close()
    longest, count = watcher.next(40).split()
    watcher.process.wait(10)
    assert int(count) > 5
    assert float(longest) < BYSTANDER_MS * server.slack, f"a bystander waited {longest} ms"
    if not server.sanitizer:
        deadline = time.monotonic() + 5
        while server.memory() > before + 48 * MIB and time.monotonic() < deadline:
            time.sleep(0.2)
        assert server.memory() <= before + 48 * MIB, f"{(server.memory() - before) // MIB} MiB stay behind"


def wait_all_closed(streams, seconds):
    """How many connections the server has not ended within the time."""
    deadline = time.monotonic() + seconds
    still_open = list(streams)
    while still_open and time.monotonic() < deadline:
        for stream in list(still_open):
            try:
                stream.receive(0.001)
            except Silence:
                continue
            except Closed:
                still_open.remove(stream)
        time.sleep(0.02)
    for stream in streams:
        stream.close()
    return len(still_open)


def push(stream, data, seconds, watch=None):
    """Sends `data` again and again without reading, until the time is over or the peer has had enough: (bytes, closed).

    Goes on exactly where a full buffer stopped it, so the peer sees whole packets. `watch` is called on the way.
    """
    stream.socket.settimeout(0.2)
    sent, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            sent += stream.socket.send(data[sent % len(data):])
        except TimeoutError:
            pass
        except OSError:
            return sent, True
        if watch:
            watch()
    return sent, False


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_answers_nobody_reads(server, bystander, transport):
    """PINGREQ without end and no reading: the server stops reading, keeps little, and ends it."""
    device = server.device()
    client = server.sign_in(device, transport, receive_buffer=4096)
    before = server.memory()
    data = PINGREQ_PACKET * 8192
    if transport == "ws":
        data = frame(2, data[:4096]) * 4
    sent, closed = push(client.stream, data, STALLED_TIMEOUT_S + 6 * server.slack)
    assert server.memory() - before < 40 * MIB * server.slack
    assert closed, f"still connected after {sent} bytes of unread answers"
    client.close()


def test_websocket_pings_nobody_reads(server, bystander):
    client = server.sign_in(server.device(), "ws", receive_buffer=4096)
    before = server.memory()
    _, closed = push(client.stream, frame(9, b"p" * 125) * 200, STALLED_TIMEOUT_S + 6 * server.slack)
    assert server.memory() - before < 40 * MIB * server.slack
    assert closed
    client.close()


def test_slow_reader_is_bounded_and_disconnected(server, bystander):
    """A subscriber that stops reading its own flood does not take the server with it."""
    device = server.device()
    client = server.sign_in(device, receive_buffer=4096)
    client.subscribe(device.topic("user/echo"), qos=0)
    before = server.memory()
    sizes = []
    _, closed = push(client.stream, publish_packet(device.topic("user/echo"), b"x" * 16384),
                     STALLED_TIMEOUT_S + 8 * server.slack, lambda: sizes.append(server.memory()))
    client.close()
    assert closed
    peak = max(sizes) - before
    assert peak < 40 * MIB * server.slack, f"{peak // MIB} MiB for one slow reader"


def test_slow_reader_of_somebody_elses_messages(server, bystander):
    """The operator publishes faster than one device reads; other devices get theirs at once."""
    slow, quick = server.device(), server.device()
    stuck = server.sign_in(slow, receive_buffer=4096)
    stuck.subscribe(slow.topic("user/down"), qos=0)
    with server.sign_in(quick) as client:
        client.subscribe(quick.topic("user/down"), qos=0)
        big = "x" * 60_000
        for _ in range(10):
            server.operator_publish(slow.topic("user/down"), big)
            start = time.monotonic()
            server.operator_publish(quick.topic("user/down"), "quick")
            assert client.expect_publish().payload == b"quick"
            assert time.monotonic() - start < 2 * server.slack
    stuck.close()


def test_silent_connections(server, bystander):
    """Silent over tcp, after TLS and after the upgrade: all gone when their time is over."""
    tls = server.tls()
    streams = [server.stream() for _ in range(150)]
    streams += [server.stream(tls) for _ in range(20)]
    upgraded = [WebSocket(server.stream()).stream for _ in range(60)]
    assert wait_all_closed(streams + upgraded, CONNECT_TIMEOUT_S + 4 * server.slack) == 0


def test_headers_without_end(server, bystander):
    """The head is refused at its bound; 20 connections do not bring it their megabytes."""
    def attempt():
        stream = server.stream()
        stream.send(b"GET /mqtt HTTP/1.1\r\nHost: x\r\n")
        sent, closed = push(stream, b"X-Filler: " + b"y" * 4000 + b"\r\n", CONNECT_TIMEOUT_S + 4 * server.slack)
        stream.close()
        return sent, closed

    before = server.memory()
    results = together(*[attempt] * 20)
    assert all(closed for _, closed in results)
    assert server.memory() - before < 30 * MIB * server.slack


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_connect_of_256_mib(server, bystander, transport):
    """Refused at its header, not after having been collected."""
    def attempt():
        client = server.client(transport)
        data = b"\x10\xff\xff\xff\x7f" + text("MQTT") + b"\x04\xc2\x00\x3c"
        try:
            client.send(data)
            late = client.wait_closed(CONNECT_TIMEOUT_S + 3 * server.slack)
        except Closed:
            late = []
        client.close()
        return late

    start = time.monotonic()
    assert together(*[attempt] * 20) == [[]] * 20
    assert time.monotonic() - start < 3 * server.slack


def test_frames_of_256_mib(server, bystander):
    def attempt():
        ws = WebSocket(server.stream())
        ws.send(frame(2, b"\x10", claimed_size=256 * MIB))
        return ws.wait_close_code()

    assert together(*[attempt] * 20) == [1009] * 20


def test_empty_fragments_without_end(server, bystander):
    """A message that never ends, made of nothing."""
    client = server.sign_in(server.device(), "ws")
    client.ws.send_frame(2, b"", fin=False)
    before = server.memory()
    _, closed = push(client.stream, frame(0, b"", fin=False) * 4000, 3 * server.slack)
    assert server.memory() - before < 20 * MIB * server.slack
    assert closed, "empty fragments went on and on"
    client.close()


def test_half_packets_on_many_connections(server, bystander):
    """Devices that begin a large PUBLISH and stop: memory grows with what was sent, no more."""
    clients = [server.sign_in(server.device()) for _ in range(8)]
    before = server.memory()
    for client in clients:
        client.send(b"\x30" + remaining_length(200_000) + text("/x"))
    assert server.memory() - before < 8 * MIB * server.slack, "memory for bytes that were only announced"
    for client in clients:
        client.send(bytes(150_000))
    assert server.memory() - before < 24 * MIB * server.slack
    for client in clients:
        client.close()


def client_hello(server):
    """The first bytes of a TLS client that makes the server sign with RSA in its first answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = server.tls(maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-RSA-AES128-GCM-SHA256", verify=False)
    half = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    return outgoing.read()


def test_many_tls_handshakes_at_once(server, bystander):
    """They cost us nothing and the server a signature each; others wait for a few of them, not for all in front."""
    hello = client_hello(server)
    streams = [server.stream() for _ in range(1200)]
    for stream in streams:
        stream.send(hello)
    assert streams[0].receive(timeout=30)[0] == 22, "a handshake record"
    for stream in streams:
        stream.close()


def test_connection_churn(server, bystander):
    """Connections that come and go in every half-way state."""
    device = server.device()
    connect = connect_packet(*device.credentials())
    upgrade, _ = upgrade_request()
    starts = [b"", b"\x16\x03\x01", b"GET ", connect[:9], connect, upgrade, upgrade + frame(2, connect), b"\x00"]
    before = server.open_files()

    def churn(seed):
        pick = random.Random(seed)
        for _ in range(250):
            stream = Stream(server.address)
            first = pick.choice(starts)
            if first:
                stream.send(first)
            stream.drop() if pick.random() < 0.5 else stream.close()

    together(*[lambda s=seed: churn(s) for seed in range(4)])
    server.sign_in(server.device()).close()
    deadline = time.monotonic() + CONNECT_TIMEOUT_S + 5
    while server.open_files() > before + 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.open_files() <= before + 5


def test_one_device_reconnects_2000_times(server, bystander):
    device = server.device()
    credentials = device.credentials()
    for _ in range(100):
        server.sign_in(device).close()
    files, memory = server.open_files(), server.memory()

    def reconnect(rounds):
        for turn in range(rounds):
            client = server.client()
            try:
                client.send(connect_packet(*credentials))
                if turn % 3:
                    client.receive()
            except Closed:
                pass  # displaced by the next one
            client.close()

    together(*[lambda: reconnect(500)] * 4)
    deadline = time.monotonic() + 5 * server.slack
    while server.open_files() > files + 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.open_files() <= files + 5
    if not server.sanitizer:
        assert server.memory() - memory < 24 * MIB, f"{(server.memory() - memory) // MIB} MiB more"
    server.sign_in(device).close()


def test_refused_sign_ins_are_cheap(server, bystander):
    """A device with a wrong secret that never gives up."""
    device = server.device()
    wrong = connect_packet(device.client_id(), device.username, "00" * 32)
    memory = server.memory()

    def attempts():
        for _ in range(300):
            client = server.client()
            client.send(wrong)
            assert client.receive().raw == b"\x20\x02\x00\x04"
            client.close()

    together(*[attempts] * 3)
    if not server.sanitizer:
        assert server.memory() - memory < 24 * MIB


def test_strange_client_ids_leave_nothing_behind(server, bystander):
    """Unknown devices with sessions to keep: refused before anything is kept for them."""
    memory = server.memory()
    for i in range(300):
        client = server.client()
        client.send(connect_packet(f"id{i}|securemode=3|", f"nobody{i}&a1Nowhere{i:03d}", "00" * 32, clean=False))
        assert client.receive().raw == b"\x20\x02\x00\x04"
        client.close()
    if not server.sanitizer:
        assert server.memory() - memory < 16 * MIB


def test_deep_and_long_filters(server, bystander):
    device = server.device()
    with server.sign_in(device) as client:
        deep = "/".join("a" * 30_000)
        assert client.subscribe(deep) == [0x80]
        client.publish(deep, "x", qos=1)
        assert client.subscribe("+/" * 20_000 + "#") == [0x80]
        client.ping()


def test_seeded_noise(server, bystander):
    """Good beginnings followed by bytes from a seeded generator; the seed is in the failure."""
    device = server.device()
    connect = connect_packet(*device.credentials())

    def noise(seed):
        pick = random.Random(seed)
        mangled = bytearray(connect + publish_packet(device.topic("user/echo"), b"x" * 50, 1, 1) + packet(0xC0))
        for _ in range(pick.randrange(1, 6)):
            mangled[pick.randrange(len(mangled))] = pick.randrange(256)
        start = [b"", connect, upgrade_request()[0], upgrade_request()[0] + frame(2, connect)][seed % 4]
        body = bytes(mangled) if pick.random() < 0.5 else pick.randbytes(pick.randrange(1, 400))
        stream = Stream(server.address)
        try:
            stream.send(start + body)
            stream.receive(0.005)
        except (Closed, Silence):
            pass
        stream.close()

    for seed in range(400):
        noise(seed)
        assert server.alive(), f"the server ended with seed {seed}: {server.log()[-2000:]}"
    server.sign_in(device).close()


def test_tls_noise(server, bystander):
    """Broken records in every stage of a handshake."""
    for seed in range(60):
        pick = random.Random(seed)
        stream = Stream(server.address)
        body = pick.randbytes(pick.randrange(1, 300))
        try:
            stream.send(b"\x16\x03\x01" + struct.pack(">H", pick.choice([len(body), 0, 65535, 16384])) + body)
            stream.receive(0.01)
        except (Closed, Silence):
            pass
        stream.close()
    server.sign_in(server.device(), "tls").close()


def test_peers_that_vanish(server, bystander):
    """Half-closed connections: the peer sends its end and never reads again."""
    streams = []
    for first in (b"", b"GET / HT", connect_packet(*server.device().credentials())):
        stream = Stream(server.address)
        if first:
            stream.send(first)
        stream.socket.shutdown(socket.SHUT_WR)
        streams.append(stream)
    assert wait_all_closed(streams, CONNECT_TIMEOUT_S + 3 * server.slack) == 0


def test_connection_limit(make_server):
    small = make_server({"limits.max_connections": "20"}, devices=1)
    device = small.device()
    streams = [Stream(small.address) for _ in range(40)]
    deadline = time.monotonic() + 3 * small.slack
    closed = set()
    while len(closed) < 20 and time.monotonic() < deadline:
        for stream in streams:
            try:
                stream.receive(0.001)
            except Silence:
                continue
            except Closed:
                closed.add(stream)
    assert len(closed) >= 20, "further connections are closed at once"
    for stream in streams:
        stream.close()
    deadline = time.monotonic() + 5 * small.slack
    while True:
        try:
            small.sign_in(device).close()
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.without_descriptors
def test_a_server_without_descriptors_says_so_once_a_second(make_server):
    server = make_server()
    server.sign_in(server.device()).close()
    usual = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    start = time.monotonic()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (server.open_files(), usual[1]))
    closed, held = 0, []
    while closed < 60 and time.monotonic() - start < 8:
        refused = server.client()
        try:
            refused.wait_closed(timeout=0.2)
            refused.close()
            closed += 1
        except Silence:  # there was a descriptor left, or it waits for one
            held.append(refused)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, usual)
    lines = server.log().count("out of file descriptors")
    assert closed > 0
    # Each loop has a listener of its own.
    assert 1 <= lines <= (time.monotonic() - start + 1) * os.cpu_count(), lines
    for connection in held:
        connection.close()
    server.sign_in(server.device()).close()
