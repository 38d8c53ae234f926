"""Tickets: what they open, to whom, how long, and how they end."""

import statistics
import time

import pytest

from harness import PRODUCT_KEY, Server
from rawclient import packet, text

ORIGIN = "https://app.example.com"
MAXIMUM_CONNECT_TIME, ADMINISTRATIVE_ACTION = 0xA0, 0x98


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("tickets")).start()
    found.seed(40)
    found.cli("account", "create", "shop", "--password", "shop password", "--allow", "all:shop/#")
    yield found
    found.stop()


def mint(server, *words):
    return server.json("ticket", "mint", *words)


def of_device(server, device, *words):
    return mint(server, "--product-key", device.product_key, "--device-name", device.device_name, *words)


def connect(server, ticket, transport="ws", code=0, level=4, origin=None, client_id="page-1", password=None, clean=True,
            **options):
    headers = [f"Origin: {origin}"] if origin else []
    extra = {"ws": {"headers": headers}} if transport in ("ws", "wss") else {}
    client = server.client(transport, **extra)
    client.session_present, found = client.connect(client_id, ticket["username"], password or ticket["password"],
                                                   level=level, clean=clean, **options)
    assert found == code, f"CONNACK {found}, not {code}; log: {server.log()[-1500:]}"
    return client


def refused(server, ticket, reason, **options):
    """Refused with the code that tells nothing, and with the reason in the log."""
    start = len(server.log())
    connect(server, ticket, code=4, **options).close()
    server.wait_log(f"({reason})", start=start)


def disconnect_reason(client, timeout=5.0):
    """The reason of the DISCONNECT (MQTT 5) that ends the connection, or none."""
    late = client.wait_closed(timeout)
    return next((packet.body[0] for packet in late if packet.type == 14), None)


def connect5(server, ticket, transport="ws", client_id="page-5", expiry=None, **ws):
    client = server.client(transport, **({"ws": ws} if ws else {}))
    properties = b"" if expiry is None else b"\x11" + expiry.to_bytes(4, "big")
    parts = [text("MQTT"), bytes([5, 0xC2]), (60).to_bytes(2, "big"), bytes([len(properties)]), properties,
             text(client_id), text(ticket["username"]), text(ticket["password"])]
    client.send(packet(0x10, b"".join(parts)))
    answer = client.receive()
    assert answer.type == 2 and answer.body[1] == 0, answer
    return client


# ---- what it opens


@pytest.mark.parametrize("transport", ("tcp", "tls", "ws", "wss"))
def test_a_page_watches_and_commands_one_device(server, transport):
    device = server.device()
    ticket = of_device(server, device)
    lamp = server.sign_in(device)
    assert lamp.subscribe(device.topic("user/down")) == [1]
    with connect(server, ticket, transport) as page:
        assert page.subscribe(device.topic("#"), f"/as/mqtt/status/{PRODUCT_KEY}/{device.device_name}") == [1, 1]
        page.publish(device.topic("user/down"), "on", qos=1)
        got = lamp.expect_publish()
        assert (got.topic, got.payload) == (device.topic("user/down"), b"on")
        lamp.puback(got)
        assert page.expect_publish().payload == b"on", "it sees its own command, too"
        lamp.publish(device.topic("user/up"), "is on", qos=1)
        assert page.expect_publish().payload == b"is on"
        assert server.show(device)["status"] == "ONLINE"
    lamp.ping()  # nobody displaced it
    lamp.close()


def test_outside_of_its_device_nothing_is_permitted(server):
    device, other = server.device(), server.device()
    with connect(server, of_device(server, device)) as page:
        codes = page.subscribe("#", "/+/+/user/#", other.topic("user/#"), "$SYS/#", f"/broadcast/{PRODUCT_KEY}/x")
        assert codes == [0x80] * 5
        watcher = server.operator("#")
        page.publish(other.topic("user/down"), "no", qos=1)
        page.publish(device.topic("user/up"), "not as the device", qos=1)
        page.publish(device.topic("user/down"), "yes", qos=1)
        assert watcher.next()[1] == "yes"
        watcher.end()


def test_the_list_of_a_ticket_narrows_it(server):
    device = server.device()
    ticket = of_device(server, device, "--allow", "subscribe:" + device.topic("user/up"))
    with connect(server, ticket) as page:
        assert page.subscribe(device.topic("user/up"), device.topic("user/down"), device.topic("#")) == [1, 0x80, 0x80]


def test_a_page_acts_as_a_device_beside_the_device(server):
    device = server.device()
    ticket = of_device(server, device, "--as", "device")
    watcher = server.operator(device.topic("#"))
    with server.sign_in(device) as real, connect(server, ticket) as simulator:
        assert simulator.subscribe(device.topic("user/down"), device.topic("user/up")) == [1, 0x80]
        simulator.publish(device.topic("user/up"), "simulated", qos=1)
        assert watcher.next()[1] == "simulated"
        server.operator_publish(device.topic("user/down"), "hello")
        assert simulator.expect_publish().payload == b"hello"
        real.ping()
    watcher.end()


def test_an_account_s_ticket_and_its_own_session(server):
    ticket = mint(server, "--account", "shop", "--allow", "all:shop/page/#")
    account = server.client("tcp")
    assert account.connect("same id", "shop", "shop password")[1] == 0
    with connect(server, ticket, client_id="same id") as page:
        assert page.subscribe("shop/page/1", "shop/other") == [1, 0x80]
        account.publish("shop/page/1", "hello", qos=1)
        assert page.expect_publish().payload == b"hello"
        account.ping()
    account.close()


# ---- to whom


def test_a_ticket_bound_to_an_origin_works_in_its_pages_only(server):
    device = server.device()
    ticket = of_device(server, device, "--origin", "https://App.Example.com:443/", "--origin", "http://localhost:8080")
    assert ticket["origins"] == [ORIGIN, "http://localhost:8080"]
    for transport in ("ws", "wss"):
        connect(server, ticket, transport, origin=ORIGIN).close()
        connect(server, ticket, transport, origin="http://localhost:8080").close()
    refused(server, ticket, "ticket-not-from-page", transport="ws")
    refused(server, ticket, "ticket-not-from-page", transport="tcp")
    refused(server, ticket, "ticket-not-from-page", transport="tls")
    for foreign in ("https://evil.example.com", "http://app.example.com", ORIGIN + ":444", "null", ORIGIN + "/",
                    ORIGIN + ".evil.com", "x" * 300):
        refused(server, ticket, "ticket-origin", origin=foreign)
    server.wait_log("was used from https://evil.example.com")


def test_a_ticket_bound_to_a_client_identifier(server):
    device = server.device()
    exact = of_device(server, device, "--client-id", "kiosk")
    connect(server, exact, client_id="kiosk").close()
    refused(server, exact, "ticket-client-id", client_id="kiosk2")
    prefix = of_device(server, device, "--client-id-prefix", "page-")
    connect(server, prefix, client_id="page-7").close()
    refused(server, prefix, "ticket-client-id", client_id="pag")
    assert 'clientId: "page-" +' in prefix["mqttJs"] and 'clientId: "kiosk"' in exact["mqttJs"]


def test_wrong_tickets_look_alike_and_are_explained(server):
    device = server.device()
    ticket, revoked, short = (of_device(server, device), of_device(server, device),
                              of_device(server, device, "--lifetime", "1s"))
    server.cli("ticket", "revoke", revoked["id"])
    refused(server, {"username": "ticket:" + "a" * 16, "password": "x" * 32}, "ticket-unknown")
    refused(server, ticket, "ticket-secret", password="x" * 32)
    refused(server, revoked, "ticket-revoked")
    refused(server, {"username": "ticket:short", "password": "x"}, "ticket-form")
    time.sleep(1.1)
    refused(server, short, "ticket-expired")
    for secret in (ticket["password"], revoked["password"], "x" * 32):
        assert secret not in server.log()
    times = {}
    wrong = {"username": ticket["username"], "password": "y" * 32}
    nobody = {"username": "ticket:" + "b" * 16, "password": "y" * 32}
    for name, which in (("secret", wrong), ("nobody", nobody), ("revoked", revoked), ("expired", short)) * 25:
        client = server.client("tcp")
        started = time.perf_counter()
        assert client.connect("c", which["username"], which["password"])[1] == 4
        times.setdefault(name, []).append(time.perf_counter() - started)
        client.close()
    typical = {name: statistics.median(found) for name, found in times.items()}
    assert max(typical.values()) - min(typical.values()) < 0.003 * server.slack, typical


# ---- how long


@pytest.mark.parametrize("transport,origin", (("ws", ORIGIN), ("tcp", None)))
def test_the_connection_ends_when_the_ticket_does(server, transport, origin):
    device = server.device()
    words = ["--origin", origin] if origin else []
    ticket = of_device(server, device, "--lifetime", "2s", *words)
    started = time.monotonic()
    modern = connect5(server, ticket, transport, **({"headers": [f"Origin: {origin}"]} if origin else {}))
    old = connect(server, ticket, transport, origin=origin)
    assert disconnect_reason(modern) == MAXIMUM_CONNECT_TIME
    took = time.monotonic() - started
    assert old.wait_closed() == []
    assert 1.2 < took < 2.8 * server.slack, took
    if transport == "ws":
        assert modern.close_code == 1008 and old.close_code == 1008


def test_revoking_ends_connections_at_once(server):
    device = server.device()
    one, two, kept = of_device(server, device), of_device(server, device), of_device(server, server.device())
    first, second, third = connect5(server, one), connect5(server, two), connect5(server, kept)
    server.cli("ticket", "revoke", one["id"])
    assert disconnect_reason(first) == ADMINISTRATIVE_ACTION
    assert server.json("ticket", "revoke", "--all", "--product-key", PRODUCT_KEY, "--device-name",
                       device.device_name)["revoked"] == 1
    assert disconnect_reason(second) == ADMINISTRATIVE_ACTION
    third.send(b"\xc0\x00")
    assert third.receive().type == 13
    third.close()


def test_what_happens_to_the_holder_happens_to_its_tickets(server):
    device = server.device()
    ticket = of_device(server, device)
    page = connect5(server, ticket)
    server.device_command("disable", device)
    assert disconnect_reason(page) == ADMINISTRATIVE_ACTION
    refused(server, ticket, "ticket-holder")
    server.device_command("enable", device)
    page = connect5(server, ticket)
    server.device_command("delete", device)
    assert disconnect_reason(page) == ADMINISTRATIVE_ACTION
    refused(server, ticket, "ticket-unknown")


def test_an_account_that_loses_a_right_loses_it_for_its_tickets(server):
    server.cli("account", "create", "narrow", "--password", "p", "--allow", "all:n/a", "--allow", "all:n/b")
    ticket = mint(server, "--account", "narrow")
    with connect(server, ticket) as page:
        assert page.subscribe("n/a", "n/b") == [1, 1]
        server.cli("account", "update", "narrow", "--remove-allow", "all:n/b")
        deadline = time.monotonic() + 5
        while page.subscribe("n/b") == [1]:
            assert time.monotonic() < deadline
        server.operator_publish("n/b", "no")
        server.operator_publish("n/a", "yes")
        assert page.expect_publish().payload == b"yes"
        server.cli("account", "update", "narrow", "--password", "another")
        page.wait_closed()
    refused(server, ticket, "ticket-revoked")
    again = mint(server, "--account", "narrow")
    page = connect(server, again)
    server.cli("account", "delete", "narrow")
    page.wait_closed()
    refused(server, again, "ticket-unknown")


def test_tickets_survive_a_restart_and_a_crash(tmp_path):
    own = Server(tmp_path / "own").start()
    own.seed(1)
    device = own.device()
    good, revoked = of_device(own, device), of_device(own, device)
    own.cli("ticket", "revoke", revoked["id"])
    for hard in (False, True):
        own.restart(hard)
        connect(own, good).close()
        refused(own, revoked, "ticket-revoked")
    assert good["password"].encode() not in (own.data / "registry.db").read_bytes()
    own.stop()


def test_sessions_are_clean_unless_the_ticket_says_otherwise(server):
    device = server.device()
    plain = of_device(server, device)
    with connect(server, plain, clean=False) as page:
        assert page.subscribe(device.topic("user/up")) == [1]
    assert connect(server, plain, clean=False).session_present == 0
    lasting = of_device(server, device, "--session", "10m")
    with connect(server, lasting, clean=False) as page:
        assert page.subscribe(device.topic("user/up")) == [1]
    server.operator_publish(device.topic("user/up"), "while away", qos=1)
    page = connect(server, lasting, clean=False)
    assert page.session_present == 1 and page.expect_publish().payload == b"while away"
    page.close()
    server.cli("ticket", "revoke", lasting["id"])
    assert "clean: false" in lasting["mqttJs"]


def test_sessions_end_with_their_ticket(tmp_path):
    """Whatever ends it, and also when no server runs meanwhile: nobody could come for what they keep."""
    own = Server(tmp_path / "own").start()
    own.seed(3)
    own.cli("account", "create", "holder", "--password", "p", "--allow", "all:h/#")
    devices = [own.device() for _ in range(3)]

    def subscriptions(count):
        onlooker = own.operator("$SYS/broker/subscriptions/count")
        while int(onlooker.next()[1]) != count + 1:  # the onlooker's own
            pass
        onlooker.end()

    def leaves_a_session(ticket, topic):
        with connect(own, ticket, clean=False) as page:
            assert page.subscribe(topic) == [1]

    tickets = [of_device(own, device, "--session", "10m") for device in devices]
    for ticket, device in zip(tickets, devices):
        leaves_a_session(ticket, device.topic("user/up"))
    leaves_a_session(mint(own, "--account", "holder", "--session", "10m"), "h/x")
    subscriptions(4)
    own.device_command("delete", devices[0])
    subscriptions(3)
    own.cli("account", "delete", "holder")
    subscriptions(2)
    own.cli("ticket", "revoke", tickets[1]["id"])
    subscriptions(1)
    own.stop()
    own.cli("ticket", "revoke", tickets[2]["id"])
    own.start()
    subscriptions(0)
    own.stop()


def test_lasting_sessions_of_a_ticket_are_bounded(tmp_path):
    own = Server(tmp_path / "own", {"limits.sessions_per_ticket": "2", "server.threads": "1"}).start()
    own.seed(1)
    ticket = of_device(own, own.device(), "--session", "10m")
    for name in ("a", "b"):
        connect(own, ticket, client_id=name, clean=False).close()
    connect(own, ticket, client_id="c", clean=False, code=3).close()
    connect(own, ticket, client_id="c").close()
    own.stop()


# ---- the command line


def test_listing_shows_no_secret(server):
    device = server.device()
    ticket = of_device(server, device, "--lifetime", "30m")
    shown = server.cli("ticket", "list", "--product-key", PRODUCT_KEY, "--device-name", device.device_name)
    assert ticket["id"] in shown.out and ticket["password"] not in shown.out
    server.cli("ticket", "revoke", ticket["id"])
    assert server.json("ticket", "list", "--product-key", PRODUCT_KEY, "--device-name", device.device_name) == []
    all_of_it = server.json("ticket", "list", "--all", "--product-key", PRODUCT_KEY, "--device-name", device.device_name)
    assert [entry["state"] for entry in all_of_it] == ["revoked"]


def test_what_is_minted_says_how_to_use_it(server):
    device = server.device()
    words = ["ticket", "mint", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, "--host", "iot.example.com"]
    text_for_people = server.cli(*words).out
    assert 'mqtt.connect("wss://iot.example.com:443/mqtt", {' in text_for_people
    assert 'username: "ticket:' in text_for_people and "password: " in text_for_people


def test_bad_wishes_are_refused(server):
    device = server.device()
    base = ["ticket", "mint", "--product-key", PRODUCT_KEY, "--device-name", device.device_name]
    for more, hint in ((["--lifetime", "2d"], "lifetime"), (["--lifetime", "soon"], "15m"), (["--origin", "*"], "origin"),
                       (["--allow", "subscribe:#"], "beyond the device"), (["--session", "2h"], "session"),
                       (["--as", "root"], "app"), (["--account", "shop"], "excludes")):
        done = server.cli(*base, *more, check=False)
        assert done.status in (1, 2) and hint in done.err, done
    assert server.cli("ticket", "mint", check=False).status != 0
    assert server.cli("ticket", "revoke", check=False).status != 0
    assert "ticket" in server.cli("account", "create", "ticket:x", "--password", "p", check=False).err


# ---- a device's secret in a page


def test_a_device_secret_in_a_page_is_allowed_and_noted(server):
    device = server.device()
    assert server.show(device)["secretUsedInBrowser"] is None
    for _ in range(2):
        client = server.sign_in(device, "ws", ws={"headers": [f"Origin: {ORIGIN}"]})
        client.close()
        server.wait_status(device, "OFFLINE")
    assert server.show(device)["secretUsedInBrowser"] == ORIGIN
    lines = [line for line in server.log().splitlines() if device.device_name in line and "everybody who opens" in line]
    assert len(lines) == 1 and ORIGIN in lines[0]
    server.device_command("update", device, "--device-secret", "f" * 32)
    assert server.show(device)["secretUsedInBrowser"] is None
