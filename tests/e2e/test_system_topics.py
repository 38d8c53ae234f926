"""What the server tells of itself under $SYS, and to whom."""

import time

import pytest

from test_accounts import SUBACK_FAILURE, make_account, sign_in

INTERVAL_S = 2


@pytest.fixture
def accounts(server):
    make_account(server, "watcher", "subscribe:$SYS/#")
    make_account(server, "reader", "all:#")
    yield
    for name in ("watcher", "reader"):
        server.cli("account", "delete", name)


def values(client, wanted, timeout):
    """The newest value of each topic, once all `wanted` ones have come."""
    found = {}
    deadline = time.monotonic() + timeout
    while not wanted <= found.keys():
        message = client.expect_publish(max(deadline - time.monotonic(), 0.01))
        found[message.topic.removeprefix("$SYS/broker/")] = message.payload.decode()
    return found


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_an_account_that_may_read_them_gets_them_at_once(server, accounts, transport):
    time.sleep(INTERVAL_S)
    client = sign_in(server, "watcher", transport)
    assert client.subscribe("$SYS/#", qos=0) == [0]
    found = values(client, {"version", "uptime", "clients/connected", "store/syncs", "store/healthy"}, 5 * server.slack)
    assert found["store/healthy"] == "1"
    # This connection is counted with the next round.
    deadline = time.monotonic() + 3 * INTERVAL_S * server.slack
    while int(found["clients/connected"]) < 1:
        assert time.monotonic() < deadline
        found |= values(client, {"uptime"}, 3 * INTERVAL_S * server.slack)
    client.disconnect()


def test_others_do_not(server, accounts):
    """"#" does not select topics that begin with "$" [MQTT-4.7.2-1], neither as a right nor as a filter."""
    client = sign_in(server, "reader")
    assert client.subscribe("$SYS/#") == [SUBACK_FAILURE]
    assert client.subscribe("#", qos=0) == [0]
    time.sleep(1.2 * INTERVAL_S)
    client.ping()
    assert [m for m in client.inbox if m.topic.startswith("$")] == []
    client.disconnect()


def test_nobody_publishes_there(server, accounts):
    client = sign_in(server, "watcher")
    assert client.subscribe("$SYS/#", qos=0) == [0]
    publisher = sign_in(server, "reader", client_id="c2")
    publisher.publish("$SYS/broker/version", b"forged")
    publisher.ping()
    client.ping()
    assert [m for m in client.inbox if m.payload == b"forged"] == []
