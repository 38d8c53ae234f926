"""The limits of connection.md 7, as they are without a setting and with one; the profiles; back-off of addresses."""

import os
import re
import signal
import time

import pytest

from harness import TEST_SETTINGS
from rawclient import PUBACK, Silence

RATES = ("qos0_publishes_per_device_per_second", "qos1_publishes_per_device_per_second",
         "deliveries_per_device_per_second", "publishes_per_second", "deliveries_per_second")


def settings(**limits):
    """The test settings with some limits set; None: as it is by itself."""
    found = dict(TEST_SETTINGS)
    for name, value in limits.items():
        found.pop(f"limits.{name}", None)
        if value is not None:
            found[f"limits.{name}"] = str(value)
    return found


def account(server, name="back-end"):
    server.cli("account", "create", name, "--password", "back-end-1", "--allow", "all:#")
    client = server.client()
    assert client.connect(name, name, "back-end-1")[1] == 0
    return client


def burst(client, topic, count, qos):
    """Publishes `count` messages at once; the packet identifiers that are acknowledged before it gets quiet."""
    sent = [client.publish(topic, str(n).encode(), qos=qos, wait=False) for n in range(count)]
    client.ping() if not qos else None
    acknowledged = []
    while qos:
        try:
            acknowledged.append(client.expect(PUBACK, timeout=0.4).packet_id)
        except Silence:
            break
    return sent, acknowledged


def heard(client, seconds=0.5):
    found = []
    while True:
        try:
            found.append(client.expect_publish(timeout=seconds))
        except Silence:
            return found


# ---- publish up ------------------------------------------------------------------------------------------------------


def test_publish_rates_of_a_device(make_server):
    server = make_server(settings(**dict.fromkeys(RATES)), test_settings=False)
    device, other = server.device(), server.device()
    listener = account(server)
    listener.subscribe(device.topic("user/#"), qos=1)
    with server.sign_in(device) as client:
        topic = device.topic("user/update")
        _, acknowledged = burst(client, topic, 25, 1)
        assert 10 <= len(acknowledged) <= 14, "ten, and what time gave back meanwhile"
        assert len(heard(listener)) == len(acknowledged), "what is not acknowledged was not delivered"
        burst(client, topic, 80, 0)
        assert 30 <= len(heard(listener)) <= 45
        line = server.wait_log("9324", device.device_name)
        assert re.search(r"Rate limit:10,current qps:\d+", line), line
        time.sleep(1.1)
        assert len(burst(client, topic, 5, 1)[1]) == 5, "a second later all is well; the connection stayed"
        with server.sign_in(other) as second:
            assert len(burst(second, other.topic("user/update"), 10, 1)[1]) == 10, "each device has its own"


def test_accounts_and_standard_products_are_not_under_them(make_server):
    server = make_server(settings(**dict.fromkeys(RATES)), test_settings=False)
    client = account(server)
    assert len(burst(client, "plain/topic", 150, 1)[1]) == 150
    server.create_product("a1Standard1", extra=("--profile", "mqtt"), classes=("user/up:pub",))
    device = server.create_device("standard1", "secret-of-standard1", product_key="a1Standard1")
    with server.sign_in(device) as client:
        assert len(burst(client, device.topic("user/up"), 100, 1)[1]) == 100


def test_all_devices_together(make_server):
    server = make_server(settings(publishes_per_second=20))
    devices = [server.device() for _ in range(4)]
    clients = [server.sign_in(device) for device in devices]
    start = time.monotonic()
    passed = sum(len(burst(client, device.topic("user/update"), 15, 1)[1]) for client, device in zip(clients, devices))
    seconds = int(time.monotonic() - start) + 2  # begun ones
    assert 20 <= passed <= 20 * seconds and passed < 60
    for client in clients:
        client.close()


# ---- down ------------------------------------------------------------------------------------------------------------


def test_messages_to_a_device(make_server):
    server = make_server(settings(**dict.fromkeys(RATES)), test_settings=False)
    device = server.device()
    client = server.sign_in(device)
    topic = device.topic("user/get")
    client.subscribe(topic)
    sender = account(server)
    for number in range(120):
        sender.publish(topic, str(number).encode(), qos=0)
    sender.ping()
    assert 50 <= len(heard(client)) <= 70
    server.wait_log("Rate limit:50,current qps:", device.device_name)
    client.close()


def test_what_is_not_a_devices_topic_is_not_counted(make_server):
    server = make_server(settings(**dict.fromkeys(RATES)), test_settings=False)
    device = server.device()
    client = server.sign_in(device)
    client.subscribe(f"/broadcast/{device.product_key}/#")
    sender = account(server)
    for number in range(100):
        sender.publish(f"/broadcast/{device.product_key}/all", str(number).encode())
    assert len(heard(client)) == 100
    client.close()


# ---- bandwidth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "wss"])
def test_bandwidth_slows_down_and_drops_nothing(make_server, transport):
    rate = 256 * 1024
    server = make_server(settings(bytes_per_second_per_connection=rate))
    device = server.device()
    client = server.sign_in(device, transport)
    payload = b"x" * 64 * 1024
    topic = device.topic("user/update")
    start = time.monotonic()
    for _ in range(12):  # three seconds' worth; the first second is free
        client.publish(topic, payload, qos=1, timeout=20)
    took = time.monotonic() - start
    assert 1.5 <= took <= 8, took
    client.ping()
    client.close()


# ---- profiles and single settings ------------------------------------------------------------------------------------


def test_the_open_profile_lifts_what_is_for_all_together(make_server):
    server = make_server({"limits.profile": "open"}, test_settings=False)
    device = server.device()
    with server.sign_in(device) as client:
        assert 10 <= len(burst(client, device.topic("user/update"), 25, 1)[1]) <= 14, "a device's own limits stay"


def test_a_setting_wins_over_the_profile(make_server):
    server = make_server({"limits.profile": "open", "limits.publishes_per_second": "5"}, test_settings=False)
    device = server.device()
    with server.sign_in(device) as client:
        assert len(burst(client, device.topic("user/update"), 10, 1)[1]) <= 10
        server.wait_log("Rate limit:5,", device.device_name)


def test_a_reload_takes_a_new_limit(make_server, tmp_path):
    config = tmp_path / "mooring.toml"
    config.write_text("[limits]\nqos1_publishes_per_device_per_second = 3\n")
    without = {k: v for k, v in TEST_SETTINGS.items() if "qos1" not in k}
    server = make_server(without, config=config, test_settings=False)
    device = server.device()
    with server.sign_in(device) as client:
        assert len(burst(client, device.topic("user/update"), 10, 1)[1]) <= 4
        config.write_text("[limits]\nqos1_publishes_per_device_per_second = 0\n")
        os.kill(server.process.pid, signal.SIGHUP)
        server.wait_log("reload: done")
        assert len(burst(client, device.topic("user/update"), 50, 1)[1]) == 50


def test_a_reload_changes_the_rates_of_open_connections(make_server, tmp_path):
    def text(rate, deliveries):
        return (f"[limits]\nbytes_per_second_per_connection = {rate}\n"
                f"deliveries_per_device_per_second = {deliveries}\n")

    config = tmp_path / "mooring.toml"
    config.write_text(text(0, 0))
    names = ("bytes_per_second_per_connection", "deliveries_per_device_per_second")
    server = make_server(settings(**dict.fromkeys(names)), config=config, test_settings=False)
    device = server.device()
    client = server.sign_in(device)
    client.subscribe(device.topic("user/get"))
    sender = account(server)

    def upload_s():
        start = time.monotonic()
        for _ in range(12):
            client.publish(device.topic("user/update"), b"x" * 64 * 1024, qos=1, timeout=20)
        return time.monotonic() - start

    def delivered():
        for _ in range(100):
            sender.publish(device.topic("user/get"), b"x", qos=0)
        sender.ping()
        return len(heard(client))

    assert delivered() == 100
    assert upload_s() < 1
    config.write_text(text(256 * 1024, 20))
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_log("reload: done")
    assert delivered() <= 40
    assert 1.5 <= upload_s() <= 8
    client.close()


# ---- back-off --------------------------------------------------------------------------------------------------------


def attempt(server, device, secret=None, transport="tcp"):
    """The CONNACK code, or None when the connection is closed without one."""
    try:
        with server.client(transport) as client:
            return client.connect(device.client_id(securemode=2 if transport in ("tls", "wss") else 3), device.username,
                                  device.password(secret=secret))[1]
    except Silence:
        raise
    except (AssertionError, OSError):
        return None


def test_good_devices_get_in_beside_bad_ones(make_server):
    server = make_server(settings(refusals_per_address_per_minute=20), devices=40)
    bad = [server.device() for _ in range(10)]
    known, new = server.device(), server.device()
    assert attempt(server, known) == 0
    codes = [attempt(server, device, "wrong") for _ in range(5) for device in bad]
    assert codes[:20] == [4] * 20 and set(codes[20:]) == {3}, codes
    assert attempt(server, known) == 0, "it signed in from here before"
    assert attempt(server, new) == 0, "nobody has refused it"
    assert {attempt(server, device, "wrong", "ws") for device in bad} == {3}
    server.wait_log("too many refused sign-ins")


def test_a_device_is_met_wherever_the_storm_comes_from_one_address(make_server):
    """Guessing names from one address: a hundred a second get an answer, the others are turned away unread."""
    server = make_server(settings(refusals_per_address_per_minute=3), devices=5)
    device = server.device()
    for _ in range(3):
        assert attempt(server, device, "wrong") == 4
    device.device_secret, right = "wrong-again", device.device_secret
    assert attempt(server, device) == 3
    device.device_secret = right
    assert attempt(server, device) == 3, "who was refused waits, even with the right secret"


def test_handshakes_are_not_wasted_on_an_address_that_only_fails(make_server):
    server = make_server(settings(refusals_per_address_per_minute=5), devices=10)
    device, good = server.device(), server.device()
    for _ in range(5):
        assert attempt(server, device, "wrong") == 4
    codes = [attempt(server, device, "wrong", "tls") for _ in range(40)]
    assert codes.count(None) >= 20, codes
    assert set(codes) <= {None, 3}
    assert attempt(server, good) == 0  # over tcp: now somebody has signed in from here
    assert attempt(server, good, transport="tls") == 0


def test_the_rate_of_connects_counts_those_that_get_in(make_server):
    server = make_server(settings(connects_per_second=3), devices=20)
    bad = server.device()
    for _ in range(30):
        assert attempt(server, bad, "wrong") == 4, "a storm of refused ones takes nothing from the good"
    codes = [attempt(server, server.device()) for _ in range(9)]
    assert codes.count(0) >= 3 and set(codes) <= {0, 3}, codes


def test_the_rate_of_connects_is_for_devices(make_server):
    server = make_server(settings(connects_per_second=1, connects_per_device_per_minute=0), devices=1)
    device = server.device()
    account(server).close()
    ticket = server.json("ticket", "mint", "--account", "back-end", "--allow", "subscribe:app/x")

    def within_a_full_second(*credentials):
        """The code for somebody who comes while this second has had its share, before and after."""
        for _ in range(20):
            if attempt(server, device) != 3:
                continue
            with server.client() as client:
                code = client.connect("by-name", *credentials)[1]
            if attempt(server, device) == 3:
                return code
        raise AssertionError("no second was full")

    assert within_a_full_second("back-end", "back-end-1") == 0
    assert within_a_full_second(ticket["username"], ticket["password"]) == 0
