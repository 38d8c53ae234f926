"""Nothing is created or lost by a refused request: what the server keeps, before and after all kinds of them."""

import contextlib
import re
import sqlite3
import time

import pytest

from authority import Authority
from harness import PRODUCT_KEY, PRODUCT_SECRET, Device
from rawclient import Closed, connect_packet
from registering import register, register_packet, sign_registration
from test_device_http import login, post_form, post_json, preauth, publish, request
from test_http_doctor import Request, expired
from test_tickets import of_device
from test_tls_psk import identity_of, key_of, shake

ON, OFF, OPEN, X509 = "a1RefOn", "a1RefOff", "a1RefOpen", "a1RefX509"


def kept(server):
    """All rows of the registry, and how many sessions and subscriptions there are."""
    with contextlib.closing(sqlite3.connect(f"file:{server.data}/registry.db?mode=ro", uri=True)) as registry:
        rows = list(registry.iterdump())
    metrics = server.http("/metrics").body.decode()
    numbers = re.findall(r"^(mooring_(?:sessions|subscriptions|retained_messages)) (\d+)", metrics, re.M)
    assert len(numbers) >= 2, metrics
    return rows, sorted(numbers)


def settled(server):
    """kept(), once nothing changes any more: presence is written a moment later, counts are taken each second."""
    deadline = time.monotonic() + 10 * server.slack
    last = kept(server)
    while True:
        time.sleep(1.1)
        if (now := kept(server)) == last:
            return now
        last = now
        assert time.monotonic() < deadline, "the registry goes on changing"


def sends(server, packet, transport="tcp", **options):
    """The code that the packet is answered with; none: the connection was closed."""
    with server.client(transport, **options) as client:
        client.send(packet)
        try:
            return client.receive().body[1]
        except Closed:
            return None


@pytest.fixture
def house(make_server, tmp_path):
    """Something of everything that could get lost."""
    server = make_server(devices=6)
    for product, mode in ((ON, "on"), (OFF, "off"), (OPEN, "on-without-preregistration")):
        server.create_product(product, PRODUCT_SECRET, (), ("--dynamic-registration", mode))
    server.cli("device", "create", "--product-key", ON, "--device-name", "fresh", "--without-secret")
    server.create_device("taken", product_key=ON)
    server.sign_in(Device(ON, "taken", server.show(Device(ON, "taken", ""))["deviceSecret"])).close()
    server.ca = Authority(tmp_path / "ca")
    server.cli("authority", "add", server.ca.file)
    server.cli("product", "create", "--product-key", X509, "--auth-type", "x509", "--first-use", "create")
    server.cli("account", "create", "back-end", "--password", "secret", "--allow", "all:#")
    server.wait_log("1 private authorities are in use")
    return server


class Things:
    """What a refused attempt may be made with."""

    def __init__(self, server, victim):
        self.victim, self.other = victim, server.device()
        self.pair = register(server, OPEN, PRODUCT_SECRET, "paired", "regnwl")[1]
        self.ticket, self.revoked = of_device(server, victim), of_device(server, victim)
        server.cli("ticket", "revoke", self.revoked["id"])
        self.token, self.iot = login(server, victim), preauth(server, victim).json["data"]
        self.expired = expired(server, self.token)
        self.forged = Authority(server.folder / "foreign", "foreign").device("forged")


def refuse_sign_ins(server, has):
    client_id, user, password = has.victim.client_id(",_ss=1"), has.victim.username, has.victim.password()
    wrong = [(client_id, user, "00" * 32), (client_id, user, ""), (client_id, user + "x", password),
             ("|securemode=9|", user, password), (client_id, "nobody&" + PRODUCT_KEY, password),
             (client_id, "x&a1Nothing", password), ("x", "back-end", "wrong"), ("x", "nobody", "wrong"),
             ("x", "ticket:" + "a" * 16, "x"), ("x", has.ticket["username"], "wrong"),
             ("x", has.revoked["username"], has.revoked["password"]),
             ("x", has.iot["iotId"], has.iot["iotToken"][:-1]), ("x", has.iot["iotId"], has.token),
             (f"{has.pair['clientId']}|authType=connwl|", f"paired&{OPEN}", "^1^1^aa"),
             ("other|authType=connwl|", f"paired&{OPEN}", has.pair["deviceToken"])]
    for level in (3, 4, 5):
        for clean in (True, False):
            for one in wrong:
                assert sends(server, connect_packet(*one, clean=clean, level=level)) != 0, one
        assert sends(server, connect_packet(client_id, user, password, keep_alive=10, level=level)) != 0
    shake(server, identity_of(has.victim), key_of(has.victim, secret="wrong"))
    shake(server, identity_of(Device(PRODUCT_KEY, "nobody", "x")), key_of(has.victim))
    for shown, user in ((has.forged, "&"), (has.forged, f"forged&{X509}"), (None, "&"), (None, f"forged&{X509}")):
        context = shown.load_into(server.tls()) if shown else server.tls()
        packet = connect_packet(".|securemode=2,signmethod=hmacsha256|", user, "", level=4)
        assert sends(server, packet, "tls", tls=context) not in (0, None)
    for raw in (b"\x10\xff\xff\xff\xff\x01", b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", b"GET / HTTP/9\r\n\r\n"):
        with contextlib.closing(server.stream()) as stream:
            stream.send(raw)
            stream.wait_closed()


def refuse_registrations(server):
    for auth_type, product, name, secret in (
            ("register", ON, "fresh", "wrong"), ("register", ON, "absent", PRODUCT_SECRET),
            ("register", OFF, "any", PRODUCT_SECRET), ("register", ON, "taken", PRODUCT_SECRET),
            ("regnwl", ON, "new", PRODUCT_SECRET), ("regnwl", OPEN, "new", "wrong"),
            ("regnwl", OPEN, "bad name!", PRODUCT_SECRET), ("regnwl", "a1Nothing", "new", PRODUCT_SECRET)):
        assert register(server, product, secret, name, auth_type)[0] != 0, (auth_type, product, name)
    assert sends(server, register_packet(OPEN, PRODUCT_SECRET, "plain", "regnwl")) != 0, "not over a plain connection"
    for name, secret in (("fresh", "wrong"), ("absent", PRODUCT_SECRET), ("taken", PRODUCT_SECRET)):
        fields = {"productKey": ON, "deviceName": name, "random": "1", "signMethod": "hmacsha256",
                  "sign": sign_registration(secret, name, ON, "1")}
        assert post_form(server, "/auth/register/device", fields).code not in (0, 200)
        assert post_form(server, "/auth/register/device", fields, tls=False).code == 460


def refuse_requests(server, has):
    wrong = Request(has.victim)
    wrong.secret = "wrong"
    assert post_json(server, "/auth", wrong.fields()).code == 20000
    assert post_form(server, "/auth/devicename", wrong.fields()).code == 401
    for body in (b"{", b"\xff" * 100, b"a=%zz", b"x" * 9000):
        for path in ("/auth", "/auth/register/device", "/auth/devicename", "/auth/bootstrap"):
            answer = request(server, path, body, {"Content-Type": "application/json"})
            assert answer.status == 413 or answer.code in (460, 10001)
    topic = has.victim.topic("user/update")
    for bad in (None, "x", has.token[:-1], has.expired, has.iot["iotToken"]):
        assert publish(server, bad, topic).code in (20001, 20002, 20003)
    assert publish(server, has.token, has.other.topic("user/update")).code == 30001
    assert publish(server, has.token, topic, b"x" * 140_000).code == 10001


def test_nothing_is_created_or_lost(house):
    server = house
    victim, away = server.device(), server.device()
    with server.sign_in(away, clean=False) as client:
        assert client.subscribe(away.topic("user/get")) == [1]
        client.disconnect()
        client.wait_closed()
    server.operator_publish(away.topic("user/get"), "waits", qos=1)
    with server.sign_in(victim) as client:
        assert client.subscribe(victim.topic("user/get")) == [1]
        has = Things(server, victim)
        at_first = settled(server)
        refuse_sign_ins(server, has)
        refuse_registrations(server)
        refuse_requests(server, has)
        assert settled(server) == at_first
        # Nobody was displaced, and what waits still does.
        assert client.ping() < 5
        for level in (4, 5):
            for clean in (True, False):
                packet = connect_packet(away.client_id(), away.username, "00" * 32, clean=clean, level=level)
                assert sends(server, packet) != 0
        server.operator_publish(victim.topic("user/get"), "still here", qos=1)
        assert client.expect_publish().payload == b"still here"
    with server.sign_in(away, clean=False) as client:
        assert client.expect_publish().payload == b"waits"
