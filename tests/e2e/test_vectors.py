"""The mqtt_connect and mqtt_register vectors of tests/data/sign_vectors.json through real sockets.

Each vector runs over every transport, and as a CONNECT of MQTT 3.1.1 and of MQTT 5 unless it is about the version. What
is compared is every byte of the CONNACK of version 3, the code of version 5, and that a refusal ends the connection.
"""

import contextlib
import hashlib
import hmac
import json
import pathlib
import sqlite3

import pytest

from gateway import Gateway
from harness import Device
from rawclient import CONNACK, Silence, connect_packet

VECTORS = json.loads((pathlib.Path(__file__).parents[1] / "data" / "sign_vectors.json").read_text())
# Needs a client certificate: tests/e2e/test_x509.py.
WITH_CERTIFICATE = {"p40-x509"}
# Its iotToken stands for one that the server issues: tests/e2e/test_device_http.py puts such a one in its place.
ISSUED = {"p41-preauth"}
CONNECTS = [v for v in VECTORS["vectors"] if v["kind"] == "mqtt_connect" and v["id"] not in WITH_CERTIFICATE | ISSUED]
GATEWAYS = [v for v in VECTORS["vectors"] if v["kind"] in ("topo_add", "subdevice_login", "subdevice_register")]
REGISTRATIONS = [v for v in VECTORS["vectors"] if v["kind"] == "mqtt_register"]
SETTINGS = {
    "": {},
    "strictSecureMode": {"auth.strict_secure_mode": "true"},
    "keepAliveOverMax": {"auth.keep_alive_over_max": "clamp"},
}
ASSIGNED_CLIENT_ID = b"\x12\x00"  # the property of MQTT 5 and the first byte of its length
ENCRYPTED = ("tls", "wss")


def config_of(vector):
    return next(iter(vector.get("config", {})), "")


def transports_of(vector):
    # What strict checking answers depends on whether the transport is encrypted.
    if config_of(vector) != "strictSecureMode":
        return ("tcp", "tls", "ws", "wss")
    return ("tls", "wss") if vector["transport"] in ENCRYPTED else ("tcp", "ws")


def levels_of(vector):
    own = vector["connect"]["protocolLevel"]
    # An empty client identifier is right in MQTT 5 (p37).
    return (own,) if own != 4 or vector["id"] == "n23-clientid-empty-v311" else (4, 5)


CASES = [pytest.param(v, t, level, id=f"{v['id']}-{t}-{level}")
         for v in CONNECTS for t in transports_of(v) for level in levels_of(v)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """One server for each configuration the vectors ask for, with the registry of the vector file."""
    from harness import Server

    made = {}
    try:
        for name, settings in SETTINGS.items():
            server = made[name] = Server(tmp_path_factory.mktemp("vectors"), settings)
            for product in VECTORS["registry"]["products"]:
                server.create_product(product["productKey"], product["productSecret"], (),
                                      ("--dynamic-registration", product["dynamicRegistration"]))
            for entry in VECTORS["registry"]["devices"]:
                device = server.create_device(entry["deviceName"], entry["deviceSecret"], entry["productKey"])
                if entry["status"] == "disabled":
                    server.device_command("disable", device)
            give_tokens(server)
            server.start()
        yield made
        for server in made.values():
            server.stop()
    finally:
        for server in made.values():
            server.discard()


def give_tokens(server):
    """The clientId/token pairs of the vector file, which an earlier registration would have issued."""
    with contextlib.closing(sqlite3.connect(server.data / "registry.db")) as registry, registry:
        for entry in VECTORS["registry"]["devices"]:
            if "deviceToken" in entry:
                token = hmac.new(b"mooring token", entry["deviceToken"].encode(), hashlib.sha256).hexdigest()
                key = (entry["productKey"], entry["deviceName"])
                registry.execute("UPDATE device SET device_secret = '' WHERE product_key = ? AND device_name = ?", key)
                registry.execute("INSERT INTO device_token VALUES (?, ?, ?, ?, 'random', 1, 1)",
                                 (*key, entry["clientId"], token))


def test_every_covered_vector_is_here():
    total = sum(v["kind"] == "mqtt_connect" for v in VECTORS["vectors"])
    assert (total, len(CONNECTS), len(REGISTRATIONS)) == (76, 74, 13)


def encode(vector, level):
    connect = vector["connect"]
    return connect_packet(connect["clientId"], connect["username"], connect["password"], connect["keepAlive"],
                          connect["cleanSession"], level)


@pytest.mark.parametrize("vector, transport, level", CASES)
def test_connect(servers, vector, transport, level):
    server = servers[config_of(vector)]
    data = encode(vector, level)
    if "packetHex" in vector and level == vector["connect"]["protocolLevel"]:
        assert data.hex() == vector["packetHex"], "the test client encodes this CONNECT differently from the SDK"
    with server.client(transport) as client:
        if "wsFramesBytes" in vector and level == vector["connect"]["protocolLevel"]:
            at = 0
            for size in vector["wsFramesBytes"]:
                client.send(data[at:at + size])
                at += size
            assert at == len(data)
        else:
            client.send(data)
        answer = client.receive()
        code = vector["expect"]["connackV3"]
        if level == 5:
            assert answer.raw[0] == 0x20 and answer.raw[3] == vector["expect"]["reasonV5"]
            if answer.raw[3] != 0:
                assert client.wait_closed() == [], "something followed the refusal"
            assert (ASSIGNED_CLIENT_ID in answer.raw[5:]) == ("assigned-id" in vector["id"])
        elif code:
            assert answer.raw == bytes([0x20, 2, 0, code])
            assert client.wait_closed() == [], "something followed the refusal"
        else:
            # Session present may be 1: an earlier vector of the same device can have left a session.
            may_be_present = not vector["connect"]["cleanSession"] and vector["connect"]["protocolLevel"] > 3
            assert answer.raw in [bytes([0x20, 2, sp, 0]) for sp in (0, 1)[:2 if may_be_present else 1]]
            assert client.ping() < 5
            client.disconnect()
            assert client.wait_closed() == []


@pytest.fixture(scope="module")
def registering(tmp_path_factory):
    """A server with the products of the vector file, and its devices as the registration vectors want them."""
    from harness import Server

    server = Server(tmp_path_factory.mktemp("registering"))
    try:
        for product in VECTORS["registry"]["products"]:
            server.create_product(product["productKey"], product["productSecret"], (),
                                  ("--dynamic-registration", product["dynamicRegistration"]))
        server.cli("device", "create", "--product-key", "a1ExampleK1", "--device-name", "new001", "--without-secret")
        activated = server.create_device("act001", product_key="a1ExampleK1")
        server.start()
        server.sign_in(activated).close()
        server.wait_status(activated, "OFFLINE")
        yield server
        server.stop()
    finally:
        server.discard()


@pytest.mark.parametrize("level", [3, 4, 5])
@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in REGISTRATIONS])
def test_register(registering, vector, level):
    connect = vector["connect"]
    expect = vector["expect"]
    for transport in {"tls": ("tls", "wss"), "tcp": ("tcp", "ws")}[vector["transport"]]:
        with registering.client(transport) as client:
            client.send(connect_packet(connect["clientId"], connect["username"], connect["password"],
                                       connect["keepAlive"], connect["cleanSession"], level))
            answer = client.receive()
            if level == 5:
                assert answer.raw[0] == 0x20 and answer.raw[3] == expect["reasonV5"]
            else:
                assert answer.raw == bytes([0x20, 2, 0, expect["connackV3"]])
            if not expect["accept"]:
                assert client.wait_closed() == []
                continue
            push = client.receive()
            topic_size = int.from_bytes(push.body[:2], "big")
            assert push.raw[0] == 0x30, "QoS 0, no flags"
            assert push.body[2:2 + topic_size].decode() == expect["push"]["topic"]
            payload = push.body[2 + topic_size + (1 if level == 5 else 0):].decode()
            content = json.loads(payload)
            assert list(content) == expect["push"]["payloadKeys"] and all(content.values())
            assert payload == json.dumps(content, separators=(",", ":"))
            client.disconnect()
            assert client.wait_closed() == []
            device = vector["registered"]
            shown = registering.json("device", "show", "--product-key", device["productKey"], "--device-name",
                                     device["deviceName"])
            assert shown["status"] == "UNACTIVE" and shown["activated"] is None
            assert shown["deviceSecret"] == content.get("deviceSecret", "")


@pytest.fixture(scope="module")
def gateway_device(tmp_path_factory):
    """A server with the registry of the vector file, and the gateway that the vectors are about."""
    from harness import Server

    server = Server(tmp_path_factory.mktemp("gateways"), arguments=("--threads", "3"))
    try:
        for product in VECTORS["registry"]["products"]:
            server.create_product(product["productKey"], product["productSecret"], (),
                                  ("--dynamic-registration", product["dynamicRegistration"]))
        known = {}
        for entry in VECTORS["registry"]["devices"]:
            key = (entry["productKey"], entry["deviceName"])
            if entry["deviceSecret"] is None:
                server.cli("device", "create", "--product-key", key[0], "--device-name", key[1], "--without-secret")
            else:
                known[key] = server.create_device(entry["deviceName"], entry["deviceSecret"], entry["productKey"])
        server.start()
        yield server, known[("a1ExampleK1", "dev001")]
        server.stop()
    finally:
        server.discard()


@pytest.mark.parametrize("transport", ["tls", "wss"])
def test_gateway(gateway_device, transport):
    server, device = gateway_device
    assert len(GATEWAYS) == 6
    # The topology comes first: without it no login is admitted.
    for vector in sorted(GATEWAYS, key=lambda v: v["kind"] != "topo_add"):
        fields, expect = vector["request"]["fields"], vector["expect"]
        child = Device(fields["productKey"], fields["deviceName"], "")
        params = {"topo_add": [fields], "subdevice_login": fields, "subdevice_register": {"proxieds": [fields]}}
        with Gateway(server, device, transport) as gateway:
            answer = gateway.ask(vector["request"]["topic"], params[vector["kind"]])
            assert answer["code"] == expect["code"], (vector["id"], answer)
            if vector["kind"] == "subdevice_login":
                assert gateway.log_out(child) == (200 if expect["accept"] else 520), vector["id"]
            if vector["kind"] == "subdevice_register":
                (made,) = answer["data"]["successes"]
                assert made["deviceName"] == child.device_name and len(made["deviceSecret"]) == 32
                assert answer["data"]["failures"] == []


def test_first_connect_of_a_device_finds_no_session(server):
    device = server.device()
    for clean, expected in ((False, b"\x20\x02\x00\x00"), (True, b"\x20\x02\x00\x00")):
        with server.client() as client:
            client.send(connect_packet(*device.credentials(), clean=clean))
            assert client.receive().raw == expected


@pytest.mark.parametrize("cut", [1, 2, 5, 14, 40])
def test_connect_in_pieces(server, cut):
    device = server.device()
    data = connect_packet(*device.credentials())
    for transport in ("tcp", "ws"):
        with server.client(transport) as client:
            for at in range(0, len(data), cut):
                client.send(data[at:at + cut])
            answer = client.receive()
            assert (answer.type, answer.raw[3]) == (CONNACK, 0)


def test_refusal_is_logged_with_its_reason_but_without_secrets(server):
    device = server.device()
    start = len(server.log())
    password = device.password(secret="another secret")
    with server.client() as client:
        _, code = client.connect(device.client_id(), device.username, password)
        assert code == 4
        client.wait_closed()
    line = server.wait_log(device.device_name, start=start)
    log = server.log()[start:]
    assert "sign" in log.lower(), line
    for secret in (device.device_secret, password, password.lower(), device.password(), device.password().lower()):
        assert secret not in log


def test_limit_of_connects_for_each_device(make_server):
    server = make_server({"limits.connects_per_device_per_minute": "5"})
    busy, other = server.device(), server.device()
    codes = []
    for _ in range(7):
        with server.client() as client:
            codes.append(client.connect(*busy.credentials())[1])
            if codes[-1]:
                client.wait_closed()
    assert codes == [0, 0, 0, 0, 0, 3, 3]
    server.sign_in(other).close()


def test_refusals_make_an_address_wait(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "5"})
    device = server.device()

    def attempt():
        """The CONNACK code of a wrong sign-in, or None when the server does not even read it."""
        try:
            with server.client() as client:
                return client.connect(device.client_id(), device.username, "00" * 32)[1]
        except Silence:
            raise
        except AssertionError:
            return None

    codes = [attempt() for _ in range(12)]
    assert codes[:5] == [4] * 5
    assert 4 not in codes[8:], f"the address was never slowed down: {codes}"


def test_who_was_refused_is_turned_away_on_the_loop_where_it_came_in(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "5", "log.level": "debug"},
                         arguments=("--threads", "4"))
    device = server.device()

    def codes(count):
        found = []
        for _ in range(count):
            with server.client() as client:
                found.append(client.connect(device.client_id(), device.username, "00" * 32)[1])
        return found

    assert codes(5) == [4] * 5
    before = server.log().count("goes on on loop")
    assert codes(30) == [3] * 30
    assert server.log().count("goes on on loop") == before
