"""Connections that all end at once: they stand in line for it (docs/adr/0019), and nobody may be able to tell.

The server is stopped while they end, so that it finds all of it in one turn of its loop.
"""

import contextlib
import pathlib
import signal
import time

import pytest

from rawclient import CONNACK, connect_packet, publish_packet

MANY = 400
PASSWORD = "ends-password"
DISPLACED = "Kicked by the same device"


@contextlib.contextmanager
def asleep(server):
    """What is done inside the server finds at once when it wakes up."""
    process = server.process
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert time.monotonic() < deadline, "the server does not stop"
        time.sleep(0.01)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def drop_all(clients, by_reset=True):
    for client in clients:
        client.drop() if by_reset else client.close()


def account_client(server, client_id, **options):
    client = server.client()
    present, code = client.connect(client_id, "ends", PASSWORD, **options)
    assert code == 0, code
    return client, present


def will_of(number):
    return (f"gone/{number}", str(number), 1, False)


@pytest.fixture(name="server")
def fixture_server(make_server):
    # One loop, so that all of them are in one line.
    server = make_server({"log.level": "debug"}, devices=MANY, arguments=("--threads", "1"))
    server.cli("account", "create", "ends", "--password", PASSWORD, "--allow", "all:#")
    return server


@pytest.mark.parametrize("by_reset", [True, False], ids=["reset", "closed"])
def test_who_was_cut_off_and_is_back_at_once_has_displaced_nobody(server, by_reset):
    clients = [server.sign_in(device) for device in server.pool]
    start = len(server.log())
    with asleep(server):
        drop_all(clients, by_reset)
        # The last of the line are the first to be back.
        back = [(server.client(), device) for device in reversed(server.pool[-60:])]
        for client, device in back:
            client.send(connect_packet(*device.credentials()))
    for client, device in back:
        assert client.receive(10 * server.slack).body == b"\x00\x00"
        client.ping()
    deadline = time.monotonic() + 5 * server.slack
    while (log := server.log()[start:]).count(" offline: ") < MANY:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert DISPLACED not in log
    for client, device in back:
        name = f"{device.product_key}/{device.device_name}"
        assert log.count(f"{name} offline") == 1
        assert log.index(f"{name} offline") < log.index(f"{name} online"), "in the order it happened"
        client.close()


def test_what_was_sent_before_the_end_is_done_and_wills_come_once(server):
    watcher, _ = account_client(server, "watcher")
    watcher.subscribe("gone/#", "said/#", qos=1)
    clients = [account_client(server, f"c{number}", will=will_of(number))[0] for number in range(MANY)]
    with asleep(server):
        for number, client in enumerate(clients):
            client.send(publish_packet(f"said/{number}", b"last words", 1, 7))
            client.close()
    heard = {}
    for _ in range(2 * MANY):
        got = watcher.expect_publish(10 * server.slack)
        watcher.puback(got)
        heard.setdefault(got.topic, []).append(len(heard))
    assert {topic: len(times) for topic, times in heard.items()} == {
        f"{kind}/{number}": 1 for kind in ("gone", "said") for number in range(MANY)}
    for number in range(MANY):
        assert heard[f"said/{number}"] < heard[f"gone/{number}"]
    watcher.expect_silence()
    watcher.close()


def test_a_stop_while_ends_stand_in_line_publishes_every_will(server):
    """`stop` asks for an end in time, with status 0."""
    keeper, _ = account_client(server, "keeper", clean=False)
    keeper.subscribe("gone/#", qos=1)
    keeper.close()
    clients = [account_client(server, f"c{number}", will=will_of(number))[0] for number in range(MANY)]
    others = [server.sign_in(device) for device in server.pool[:50]]
    with asleep(server):
        drop_all(clients)
        drop_all(others)
        server.process.send_signal(signal.SIGTERM)
    server.restart()
    keeper, present = account_client(server, "keeper", clean=False)
    assert present
    topics = set()
    for _ in range(MANY):
        got = keeper.expect_publish(10 * server.slack)
        keeper.puback(got)
        topics.add(got.topic)
    assert topics == {f"gone/{number}" for number in range(MANY)}
    keeper.expect_silence()
    keeper.close()
    server.wait_status(server.pool[49], "OFFLINE")


def test_whose_peer_has_gone_takes_nobodys_place(make_server):
    server = make_server({"log.level": "debug", "limits.max_connections": str(MANY)}, devices=2 * MANY,
                         arguments=("--threads", "1"))
    clients = [server.sign_in(device) for device in server.pool[:MANY]]
    with asleep(server):
        drop_all(clients)
        others = [(server.client(), device) for device in server.pool[MANY:]]
        for client, device in others:
            client.send(connect_packet(*device.credentials()))
    for client, _ in others:
        got = client.receive(10 * server.slack)
        assert (got.type, got.body) == (CONNACK, b"\x00\x00")
        client.close()
    assert "limits.max_connections is reached" not in server.log()
