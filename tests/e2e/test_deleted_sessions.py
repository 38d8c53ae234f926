"""What a deleted device leaves behind: nothing, and least of all its subscriptions to a later device of the same name.

Deleted alone or with its product, while the server runs or while it is stopped, made again before or after the server
had its turn.
"""

import sqlite3
import time

import pytest

from harness import PRODUCT_KEY, Device
from rawclient import Silence

DOWN = "user/down"


def subscribe(server, device, clean=True, stay=False):
    client = server.sign_in(device, clean=clean)
    assert client.subscribe(device.topic(DOWN)) == [1]
    if stay:
        return client
    client.disconnect()
    client.wait_closed()
    return None


def hears_the_operator(server, device):
    """Signs in without subscribing; tells whether a message to the device arrives."""
    with server.sign_in(device) as client:
        server.operator_publish(device.topic(DOWN), "to whom it may concern", qos=1)
        try:
            got = client.expect_publish(0.7)
        except Silence:
            client.ping()
            return False
        client.puback(got)
        assert got.topic == device.topic(DOWN)
        return True


def registry(server, sql, *values):
    """The first row of a statement on the server's own file."""
    database = sqlite3.connect(server.data / "registry.db", timeout=10)
    try:
        with database:
            return database.execute(sql, values).fetchone()
    finally:
        database.close()


def left_to_do(server):
    """Deletions that the server has not dealt with yet."""
    return registry(server, "SELECT count(*) FROM deleted_device")[0]


def wait_done(server, timeout=10.0):
    deadline = time.monotonic() + timeout * server.slack
    while (left := left_to_do(server)) != 0:
        assert time.monotonic() < deadline, f"{left} deletions are still waiting\n{server.log()[-2000:]}"
        time.sleep(0.05)


def delete_product(server):
    server.cli("product", "delete", "--product-key", PRODUCT_KEY, "--with-devices")


def test_the_check_itself(make_server):
    """A device that was not deleted is heard, also after a restart; otherwise the tests below prove nothing."""
    server = make_server()
    device = server.device()
    subscribe(server, device)
    assert hears_the_operator(server, device)
    server.restart()
    assert hears_the_operator(server, device)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "offline"])
def test_deleted_while_running(make_server, clean, connected):
    server = make_server()
    device, other = server.device(), server.device()
    subscribe(server, other)
    client = subscribe(server, device, clean, stay=connected)
    server.device_command("delete", device)
    if connected:
        assert client.wait_closed() == [], "a deleted device is not told that another one displaced it"
    again = server.create_device(device.device_name, device.device_secret)
    assert not hears_the_operator(server, again)
    wait_done(server)
    server.restart()
    assert not hears_the_operator(server, again)
    assert hears_the_operator(server, other)


def test_deleted_while_stopped(make_server):
    """Deleted and made again before the server had its turn, and only deleted."""
    server = make_server()
    again, later, other = server.device(), server.device(), server.device()
    for device in (again, later, other):
        subscribe(server, device, clean=False)
    server.keep_ports()
    server.stop()
    for device in (again, later):
        server.device_command("delete", device)
    assert left_to_do(server) == 2
    server.create_device(again.device_name, again.device_secret)
    server.start()
    with server.sign_in(again, clean=False) as client:
        assert client.session_present == 0
    assert not hears_the_operator(server, again)
    wait_done(server)
    server.create_device(later.device_name, later.device_secret)
    assert not hears_the_operator(server, later)
    assert hears_the_operator(server, other)


@pytest.mark.parametrize("by_server", [True, False], ids=["erased", "kept for comparison"])
def test_stored_session_is_erased(make_server, by_server):
    """A new device that is given the life of the deleted one by force finds what is stored for that: nothing, unless
    the deletion was hidden from the server."""
    server = make_server()
    device = server.device()
    subscribe(server, device)
    server.keep_ports()
    server.stop()
    life = registry(server, "SELECT life FROM device WHERE device_name = ?", device.device_name)[0]
    server.device_command("delete", device)
    if not by_server:
        registry(server, "DELETE FROM deleted_device")
    server.start()
    wait_done(server)
    server.stop()
    server.create_device(device.device_name, device.device_secret)
    registry(server, "UPDATE device SET life = ? WHERE device_name = ?", life, device.device_name)
    server.start()
    assert hears_the_operator(server, device) == (not by_server)


def test_deleted_several_times_while_stopped(make_server):
    server = make_server()
    device = server.device()
    subscribe(server, device)
    server.keep_ports()
    server.stop()
    for _ in range(3):
        server.device_command("delete", device)
        server.create_device(device.device_name, device.device_secret)
    server.start()
    assert not hears_the_operator(server, device)
    wait_done(server)
    subscribe(server, device)
    server.restart()
    assert hears_the_operator(server, device), "its own subscription is not taken for a left-over"


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_product_deleted_with_its_devices(make_server, running):
    server = make_server(devices=30)
    devices = [server.device() for _ in range(4)]
    clients = [subscribe(server, d, stay=running and i == 0) for i, d in enumerate(devices)]
    server.keep_ports()
    if not running:
        server.stop()
    delete_product(server)
    if running:
        assert clients[0].wait_closed() == []
    else:
        assert left_to_do(server) == 30
    server.seed(30)  # the same names again
    if not running:
        server.start()
    for device in devices:
        assert not hears_the_operator(server, device)
    wait_done(server)
    server.restart()
    for device in devices:
        assert not hears_the_operator(server, device)


def test_live_connection_of_a_device_made_again_is_left_alone(make_server):
    """Many deletions keep the server busy while devices of the same names sign in and subscribe."""
    server = make_server(devices=3000)
    devices = [server.device() for _ in range(10)]
    for device in devices:
        subscribe(server, device)
    delete_product(server)
    server.seed(3000)
    clients = [server.sign_in(device) for device in devices]
    for client, device in zip(clients, devices):
        assert client.subscribe(device.topic(DOWN)) == [1]
    wait_done(server, 30)
    for client, device in zip(clients, devices):
        server.operator_publish(device.topic(DOWN), "still here", qos=1)
        client.puback(client.expect_publish())
        client.close()
    server.restart(hard=True)
    for device in devices[:3]:
        assert hears_the_operator(server, device)


def test_deletion_before_kill_9_is_not_forgotten(make_server):
    server = make_server(devices=2000)
    device = server.device()
    subscribe(server, device)
    server.keep_ports()
    delete_product(server)
    server.kill()
    server.start()
    wait_done(server, 30)
    server.create_product()
    server.create_device(device.device_name, device.device_secret)
    assert not hears_the_operator(server, device)


def test_unused_names_cost_nothing(make_server):
    """Devices that never signed in are dealt with as well."""
    server = make_server()
    made = server.create_device("neverused1")
    server.device_command("delete", made)
    wait_done(server)
    assert server.device_command("show", Device(PRODUCT_KEY, "neverused1", ""), check=False).status == 1
