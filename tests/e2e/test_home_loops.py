"""Connections that arrive on another loop than their session's home and go on there (docs/adr/0008).

Which loop accepts a connection is the kernel's choice, so every test opens enough of them that moves cannot fail to
happen; `moves` counts them.
"""

import contextlib
import socket
import threading
import time

import pytest

from harness import Server, together
from rawclient import (CONNACK, PUBACK, PUBLISH, SUBACK, Closed, WebSocket, connect_packet, frame, publish_packet,
                       split_packets, subscribe_packet, upgrade_request)

TRANSPORTS = ("tcp", "tls", "ws", "wss")
LOOPS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("loops"), {"log.level": "debug"}, arguments=("--threads", str(LOOPS)))
    found.seed(400)
    try:
        yield found.start()
        found.stop()
    finally:
        found.discard()


@contextlib.contextmanager
def moves(server, at_least):
    """What is done inside must take at least so many connections from one loop to another."""
    start = len(server.log())
    yield
    deadline = time.monotonic() + 2
    while (count := server.log()[start:].count("goes on on loop")) < at_least:
        assert time.monotonic() < deadline, f"only {count} connections moved"
        time.sleep(0.05)


def wait_open_files(server, at_most, timeout=5.0):
    deadline = time.monotonic() + timeout * server.slack
    while (found := server.open_files()) > at_most:
        assert time.monotonic() < deadline, f"{found} descriptors are open, {at_most} were"
        time.sleep(0.05)


def credentials(device, transport):
    return device.credentials(securemode=2 if transport in ("tls", "wss") else 3)


def first_packets(device, transport, payload=b"at once"):
    """What an eager client sends before it has heard anything: CONNECT, SUBSCRIBE, PUBLISH."""
    topic = device.topic("user/echo")
    return (connect_packet(*credentials(device, transport)), subscribe_packet(1, [(topic, 1)]),
            publish_packet(topic, payload, 1, 2))


def expect_answers(client, slack, payload=b"at once"):
    """CONNACK first, SUBACK and PUBACK in their order, and the message anywhere after the SUBACK."""
    got = []
    while len(got) < 4:
        got.append(client.receive(5 * slack))
    assert [p.type for p in got if p.type != PUBLISH] == [CONNACK, SUBACK, PUBACK], got
    assert got[0].body == b"\x00\x00", got
    echo = [p for p in got if p.type == PUBLISH]
    assert [p.payload for p in echo] == [payload] and got.index(echo[0]) >= 2, got


# ---- every transport -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connections_work_whichever_loop_accepts_them(server, transport):
    before = server.open_files()
    with moves(server, 20):
        clients = [(server.sign_in(device, transport), device) for device in server.pool[:60]]
    for client, device in clients:
        assert client.subscribe(device.topic("user/echo"), timeout=5 * server.slack) == [1]
    for number, (client, device) in enumerate(clients):
        client.publish(device.topic("user/echo"), b"%d" % number, qos=1)
    for number, (client, _) in enumerate(clients):
        assert client.expect_publish(5 * server.slack).payload == b"%d" % number
        client.close()
    wait_open_files(server, before)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connect_cut_into_pieces(server, transport):
    with moves(server, 5):
        for number, device in enumerate(server.pool[:24]):
            whole = connect_packet(*credentials(device, transport))
            client = server.client(transport)
            for cut in sorted({1 + number % 13, 2 + number * 7 % len(whole), len(whole) - 1 - number % 3}):
                client.send(whole[:cut])
                time.sleep(0.002)
                whole = whole[cut:]
                if not whole:
                    break
            if whole:
                client.send(whole)
            assert client.receive(5 * server.slack).body == b"\x00\x00"
            client.ping()
            client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_packets_right_behind_connect_are_not_lost(server, transport):
    """In one segment, in one frame where there are frames."""
    with moves(server, 15):
        for device in server.pool[:40]:
            client = server.client(transport)
            client.send(b"".join(first_packets(device, transport)))
            expect_answers(client, server.slack)
            client.ping()
            client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connect_and_half_of_the_next_packet(server, transport):
    with moves(server, 10):
        for number, device in enumerate(server.pool[:32]):
            connect, subscribe, publish = first_packets(device, transport)
            rest = subscribe + publish
            half = 1 + number % (len(rest) - 1)
            client = server.client(transport)
            client.send(connect + rest[:half])
            if number % 2:
                time.sleep(0.01)
            client.send(rest[half:])
            expect_answers(client, server.slack)
            client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_much_input_right_behind_connect(server, transport):
    """More than one read takes, more than one TLS record holds."""
    count = 300
    with moves(server, 3):
        for device in server.pool[:10]:
            topic = device.topic("user/up")
            client = server.client(transport)
            connect = connect_packet(*credentials(device, transport))
            packets = [publish_packet(topic, b"x" * 400, 1, number) for number in range(1, count + 1)]
            client.send(connect + b"".join(packets))
            assert client.expect(CONNACK, 5 * server.slack).body == b"\x00\x00"
            assert [client.expect(PUBACK, 5 * server.slack).packet_id for _ in range(count)] == list(
                range(1, count + 1))
            client.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("cut", ["one frame", "frame each", "fragments"])
def test_upgrade_and_first_packets_in_one_segment(server, tls, cut):
    """The answer 101 is still waiting to be sent when the CONNECT behind it wants another loop."""
    context = server.tls() if tls else None
    with moves(server, 8):
        for device in server.pool[:24]:
            packets = first_packets(device, "wss" if tls else "ws")
            if cut == "one frame":
                frames = frame(2, b"".join(packets))
            elif cut == "frame each":
                frames = b"".join(frame(2, p) for p in packets)
            else:  # with a ping between, whose pong is queued before the move as well
                data = b"".join(packets)
                at = len(packets[0])
                frames = frame(2, data[:at], fin=False) + frame(9, b"there?") + frame(0, data[at:at + 5], fin=False)
                frames += frame(0, data[at + 5:])
            stream = server.stream(context)
            request, _ = upgrade_request()
            stream.send(request + frames)
            data = bytearray()
            deadline = time.monotonic() + 5 * server.slack
            ws = WebSocket.__new__(WebSocket)
            ws.stream, ws.data = stream, data
            while b"\r\n\r\n" not in data:
                data += stream.receive(deadline - time.monotonic())
            head, _, rest = bytes(data).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
            data[:] = rest
            got, pongs = [], []
            while len(got) < 4:
                opcode, payload = ws.receive_frame(deadline - time.monotonic())
                if opcode == 10:
                    pongs.append(payload)
                else:
                    assert opcode == 2, opcode
                    got += split_packets(bytearray(payload))
            assert [p.type for p in got if p.type != PUBLISH] == [CONNACK, SUBACK, PUBACK], got
            assert pongs == ([b"there?"] if cut == "fragments" else [])
            ws.close()


def test_address_behind_a_proxy_moves_along(make_server):
    settings = {"listener.proxy_protocol": "true", "listener.trusted_proxies": '["127.0.0.1"]', "log.level": "debug"}
    server = make_server(settings, devices=24, arguments=("--threads", str(LOOPS)))
    with moves(server, 6):
        for number, device in enumerate(server.pool):
            header = f"PROXY TCP4 203.0.113.{number + 1} 127.0.0.1 5000 443\r\n".encode()
            server.sign_in(device, ("tcp", "wss")[number % 2], before_tls=header).close()
            server.wait_log(f"203.0.113.{number + 1}:5000", "online")


# ---- take-over -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "wss"])
def test_the_newest_connection_always_wins(server, transport):
    before = server.open_files()

    def storm(device):
        last = server.sign_in(device, transport)
        for _ in range(40):
            older, last = last, server.sign_in(device, transport)
            assert older.wait_closed(10 * server.slack) == []
            older.close()
        last.ping(10 * server.slack)
        last.close()

    with moves(server, 80):
        together(*[lambda d=device: storm(d) for device in server.pool[:6]])
    wait_open_files(server, before)


def test_connections_of_one_device_at_the_same_time(server):
    """Who wins is open, but one does, and everybody gets an answer or an end."""
    for device in server.pool[100:106]:
        clients = [server.client() for _ in range(12)]
        for client in clients:
            client.send(connect_packet(*device.credentials()))
        alive = []
        for client in clients:
            try:
                assert client.receive(10 * server.slack).body == b"\x00\x00"
                client.ping(10 * server.slack)
                alive.append(client)
            except Closed:
                client.close()
        # One that answered may have been taken over just afterwards.
        for client in list(alive):
            try:
                client.ping(10 * server.slack)
            except Closed:
                alive.remove(client)
                client.close()
        assert len(alive) == 1
        alive[0].close()


# ---- ends on the way -------------------------------------------------------------------------------------------------


def end_abruptly(client, how):
    if how == "reset":
        client.drop()
    elif how == "half":
        client.stream.socket.shutdown(socket.SHUT_WR)
    else:
        client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_clients_that_vanish_on_the_way(server, transport):
    before = server.open_files()
    half_closed = []
    with moves(server, 60):
        for number in range(240):
            device = server.pool[number % len(server.pool)]
            client = server.client(transport)
            connect, subscribe, publish = first_packets(device, transport)
            client.send(connect if number % 2 else connect + subscribe + publish[:9])
            how = ("reset", "close", "half")[number % 3]
            end_abruptly(client, how)
            if how == "half":
                half_closed.append(client)
    for client in half_closed:
        client.stream.wait_closed(10 * server.slack)
        client.close()
    wait_open_files(server, before)
    server.sign_in(server.pool[0], transport).close()


def test_places_in_the_budget_come_back(make_server):
    """With room for 12 connections, 300 one after another would show a single place that is lost."""
    server = make_server({"limits.max_connections": "12", "log.level": "debug"}, devices=20,
                         arguments=("--threads", str(LOOPS)))
    before = server.open_files()
    with moves(server, 60):
        for number in range(300):
            client = server.client("tcp")
            client.send(connect_packet(*server.pool[number % 20].credentials()))
            if number % 3:
                assert client.receive(5 * server.slack).body == b"\x00\x00"
                client.close()
            else:
                client.drop()
            if number % 6 == 5:
                wait_open_files(server, before)
    clients = [server.sign_in(device) for device in server.pool[:12]]
    for client in clients:
        client.ping()
        client.close()


@pytest.mark.parametrize("round_number", range(3))
def test_stop_while_connections_move(make_server, round_number):
    """Ends in time with status 0 and, under a sanitizer, without a leak: `stop` checks all of it."""
    server = make_server({"log.level": "debug", "connect.close_timeout_ms": "500"}, devices=60,
                         arguments=("--threads", str(LOOPS)))
    stopping = threading.Event()
    kept = []

    def connect_and_connect(part, transport):
        number = part
        while not stopping.is_set():
            number += 4
            try:
                client = server.client(transport, timeout=5)
                client.send(b"".join(first_packets(server.pool[number % 60], transport)))
                kept.append(client)
            except (OSError, AssertionError):  # refused or ended: the server is on its way out
                time.sleep(0.001)
            if len(kept) > 60:
                kept.pop(0).close()

    threads = [threading.Thread(target=connect_and_connect, args=(part, transport), daemon=True)
               for part, transport in enumerate(("tcp", "wss", "ws", "tcp"))]
    with moves(server, 20):
        for thread in threads:
            thread.start()
        time.sleep(0.3 + 0.1 * round_number)
        server.stop()  # while they go on
        stopping.set()
        for thread in threads:
            thread.join(10)
    for client in kept:
        client.close()
