"""Dynamic registration over MQTT (connection.md section 10) with a running server."""

import threading
import time

import pytest

from harness import PRODUCT_SECRET, Device, sign
from rawclient import (CONNACK, PINGREQ_PACKET, PINGRESP, PUBLISH, connect_packet, packet, puback_packet, publish_packet,
                       subscribe_packet)
from registering import read_answer, register, register_packet

ON, OPEN = "a1RegOn", "a1RegOpen"


@pytest.fixture(scope="module")
def place(server):
    """The shared server with a product for each position of the switch."""
    for product_key, mode in ((ON, "on"), (OPEN, "on-without-preregistration")):
        server.create_product(product_key, PRODUCT_SECRET, (), ("--dynamic-registration", mode))
    return server


@pytest.fixture
def name(request):
    return request.node.name.replace("[", ".").replace("]", "")[-60:]


def preregister(server, name, product_key=ON):
    server.cli("device", "create", "--product-key", product_key, "--device-name", name, "--without-secret")


class Staying(threading.Thread):
    """A device that registers and stays, watched while the other tests run."""

    def __init__(self, server, name, level=4):
        super().__init__(daemon=True)
        preregister(server, name)
        self.client = server.client("tls")
        self.started = time.monotonic()
        self.client.send(register_packet(ON, PRODUCT_SECRET, name, level=level))
        self.start()

    def run(self):
        self.packets = self.client.wait_closed(20)
        self.seconds = time.monotonic() - self.started


@pytest.fixture(scope="module", autouse=True)
def staying(place):
    found = [Staying(place, "stays-v4"), Staying(place, "stays-v5", level=5)]
    yield found
    for one in found:
        one.client.close()


def connwl(pair, extra="", client_id=None):
    return connect_packet(f"{client_id or pair['clientId']}|authType=connwl,securemode=-2{extra}|",
                          f"{pair['deviceName']}&{pair['productKey']}", pair["deviceToken"])


def code_of(server, data, transport="tls"):
    with server.client(transport) as client:
        client.send(data)
        return client.receive().body[1]


# What each firmware of table 4.4 sends: base, method, upper case, further parameters.
STYLES = {
    "c-2.3": ("{pk}.{dn}", "hmacsha1", False, "_v=sdk-c-2.3.0,timestamp=2524608000000"),
    "c-3": ("{pk}.{dn}", "hmacsha256", True, "timestamp=2524608000000,_v=sdk-c-3.2.0,gw=0,ext=0"),
    "c-4": ("{dn}.{pk}", "hmacsha256", True, "_v=sdk-c-4.2.0,ext=3,"),
    "js": ("{pk}&{dn}", "hmacsha1", False, "lan=JS|Node,_v=1.2.8"),
    "python": ("{dn}.{pk}", "hmacsha1", False, "lan=Python,_v=1.2.13,sii=Eth|03ACDEFF0032|x"),
    "android": ("{dn}&{pk}", "hmacsha1", True, "_v=1.7.3,lan=Android"),
    "go": ("{pk}.{dn}", "hmacmd5", False, "_v=go"),
}


@pytest.mark.parametrize("style", STYLES)
def test_firmware_of_each_style_registers_and_connects(place, style):
    base, method, upper, extra = STYLES[style]
    name = f"style-{style}"
    preregister(place, name)
    base = base.format(pk=ON, dn=name)
    client_id = f"{base}|securemode=2,authType=register,random=42,signmethod={method},{extra}|"
    code, answer = register(place, ON, PRODUCT_SECRET, name, method=method, upper=upper, random="42",
                            client_id=client_id)
    assert code == 0
    password = sign(answer["deviceSecret"], base, name, ON, method)
    with place.client("tls") as client:
        connected = client.connect(f"{base}|securemode=2,signmethod={method},{extra.replace('timestamp=2524608000000', '')}|",
                                   f"{name}&{ON}", password if upper else password.lower())
        assert connected[1] == 0
    code, answer = register(place, OPEN, PRODUCT_SECRET, name, "regnwl", method=method, upper=upper)
    assert code == 0
    assert code_of(place, connwl(answer, f",{extra}")) == 0


def test_an_activated_device_must_be_reset(place, name):
    preregister(place, name)
    first = register(place, ON, PRODUCT_SECRET, name)[1]["deviceSecret"]
    second = register(place, ON, PRODUCT_SECRET, name)[1]["deviceSecret"]
    assert first != second
    stale = Device(ON, name, first)
    assert code_of(place, connect_packet(*stale.credentials(securemode=2))) == 4, "the last one is valid"
    device = Device(ON, name, second)
    place.sign_in(device).close()
    place.wait_status(device, "OFFLINE")
    assert register(place, ON, PRODUCT_SECRET, name) == (4, None)
    place.sign_in(device).close()
    assert place.device_command("reset", device, "--json").json()["reset"] is True
    place.sign_in(device).close()  # nothing has changed for it yet
    code, answer = register(place, ON, PRODUCT_SECRET, name)
    assert code == 0 and answer["deviceSecret"] != second
    assert code_of(place, connect_packet(*device.credentials())) == 4
    renewed = Device(ON, name, answer["deviceSecret"])
    place.sign_in(renewed).close()
    deadline = time.monotonic() + 5
    while register(place, ON, PRODUCT_SECRET, name)[0] != 4:  # presence is written a moment later
        assert time.monotonic() < deadline


def test_tokens_of_one_name(place, name):
    pairs = [register(place, OPEN, PRODUCT_SECRET, name, "regnwl", random=f"r{i}")[1] for i in range(5)]
    assert len({p["clientId"] for p in pairs}) == len({p["deviceToken"] for p in pairs}) == 5
    assert [code_of(place, connwl(p)) for p in pairs] == [0] * 5
    assert code_of(place, connwl(pairs[0], client_id=pairs[1]["clientId"])) == 4
    assert code_of(place, connwl({**pairs[0], "deviceToken": pairs[0]["deviceToken"][:-1]})) == 4
    misprint = connwl(pairs[2]).replace(b"connwl", b"regnwl")
    assert code_of(place, misprint) == 0
    deadline = time.monotonic() + 5
    while register(place, OPEN, PRODUCT_SECRET, name, "regnwl", random="more")[0] == 0:
        assert time.monotonic() < deadline, "a sixth pair was issued although five are in use"
    device = Device(OPEN, name, "")
    place.device_command("reset", device)
    code, answer = register(place, OPEN, PRODUCT_SECRET, name, "regnwl", random="after")
    assert code == 0 and code_of(place, connwl(answer)) == 0
    assert code_of(place, connwl(pairs[0])) == 4
    place.device_command("delete", device)
    assert code_of(place, connwl(answer)) == 4


def test_a_replayed_registration_adds_no_row(place, name):
    before = place.json("product", "show", "--product-key", OPEN)["deviceCount"]
    data = register_packet(OPEN, PRODUCT_SECRET, name, "regnwl", random="once")
    last = None
    for _ in range(8):
        with place.client("tls") as client:
            client.send(data)
            code, last = read_answer(client)
            assert code == 0
    assert place.json("product", "show", "--product-key", OPEN)["deviceCount"] == before + 1
    assert code_of(place, connwl(last)) == 0


def test_the_switch_is_stored_shown_and_obeyed(place, name):
    product_key = "a1Switch"
    place.create_product(product_key, PRODUCT_SECRET, ())
    preregister(place, name, product_key)

    def switch(mode):
        place.cli("product", "update", "--product-key", product_key, "--dynamic-registration", mode)
        assert place.json("product", "show", "--product-key", product_key)["dynamicRegistration"] == mode
        return (register(place, product_key, PRODUCT_SECRET, name)[0],
                register(place, product_key, PRODUCT_SECRET, f"{name}-2", "regnwl")[0])

    assert place.json("product", "show", "--product-key", product_key)["dynamicRegistration"] == "off"
    assert register(place, product_key, PRODUCT_SECRET, name) == (4, None)
    assert switch("on") == (0, 4)
    assert switch("on-without-preregistration") == (0, 0)
    assert switch("off") == (4, 4)
    assert place.json("product", "show", "--product-key", product_key)["deviceCount"] == 2


@pytest.mark.parametrize("transport", ["tls", "wss"])
@pytest.mark.parametrize("what", ["publish", "subscribe", "connect", "pubrel", "garbage"])
def test_nothing_else_may_be_done(place, what, transport):
    name = f"else-{what}-{transport}"
    preregister(place, name)
    data = {"publish": publish_packet(f"/{ON}/{name}/user/update", b"x", 1, 1),
            "subscribe": subscribe_packet(1, [(f"/{ON}/{name}/user/get", 1)]),
            "connect": register_packet(ON, PRODUCT_SECRET, name),
            "pubrel": packet(0x62, b"\x00\x01"),
            "garbage": b"\xff\xff\xff\xff\xff"}[what]
    with place.client(transport) as client:
        client.send(register_packet(ON, PRODUCT_SECRET, name))
        assert read_answer(client)[0] == 0
        client.send(PINGREQ_PACKET)
        assert client.receive().type == PINGRESP
        client.send(puback_packet(1))
        client.send(PINGREQ_PACKET)
        assert client.receive().type == PINGRESP
        client.send(data)
        assert client.wait_closed() == []
    assert place.show(Device(ON, name, ""))["status"] == "UNACTIVE"


def test_packets_behind_the_connect_are_not_done_either(place, name):
    preregister(place, name)
    with place.client("tls") as client:
        client.send(register_packet(ON, PRODUCT_SECRET, name) + publish_packet(f"/{ON}/{name}/user/update", b"x", 1, 1))
        assert read_answer(client)[0] == 0
        assert client.wait_closed() == []


def test_floods_are_bounded(make_server):
    server = make_server({"limits.registered_devices_per_product": "4", "limits.connects_per_device_per_minute": "5",
                          "limits.refusals_per_address_per_minute": "10"}, devices=0)
    server.create_product(OPEN, PRODUCT_SECRET, (), ("--dynamic-registration", "on-without-preregistration"))
    codes = [register(server, OPEN, PRODUCT_SECRET, f"flood{i}", "regnwl")[0] for i in range(7)]
    assert codes == [0, 0, 0, 0, 4, 4, 4]
    assert server.json("product", "show", "--product-key", OPEN)["deviceCount"] == 4
    # One device asks again and again.
    codes = [register(server, OPEN, PRODUCT_SECRET, "flood0", "regnwl", random=str(i))[0] for i in range(6)]
    assert codes == [0, 0, 0, 0, 3, 3]
    # Wrong signatures make a name wait, for registrations with the right one, too; others behind the address do not.
    codes = [register(server, OPEN, "wrong", "flood1", "regnwl")[0] for i in range(9)]
    assert codes == [4] * 7 + [3, 3]
    assert register(server, OPEN, PRODUCT_SECRET, "flood1", "regnwl")[0] == 3
    assert register(server, OPEN, PRODUCT_SECRET, "flood2", "regnwl")[0] == 0


def test_plain_registration_where_tls_ends_in_front(make_server):
    server = make_server({"auth.require_tls": "false"}, devices=0)
    server.create_product(OPEN, PRODUCT_SECRET, (), ("--dynamic-registration", "on-without-preregistration"))
    assert register(server, OPEN, PRODUCT_SECRET, "plain", "regnwl", transport="tcp")[0] == 0


def test_secrets_are_not_logged(place, name):
    preregister(place, name)
    secret = register(place, ON, PRODUCT_SECRET, name)[1]["deviceSecret"]
    token = register(place, OPEN, PRODUCT_SECRET, name, "regnwl")[1]["deviceToken"]
    place.wait_log(OPEN, name, "registered")
    for word in (secret, token, PRODUCT_SECRET):
        assert word not in place.log()
    assert token.encode() not in (place.data / "registry.db").read_bytes()


def test_a_device_that_stays_is_closed_after_15_seconds(place, staying):
    for one in staying:
        one.join(20)
        assert 14.5 < one.seconds < 15 + 4 * place.slack
    old, new = staying
    assert [p.raw[0] >> 4 for p in old.packets] == [CONNACK, PUBLISH], "no more than the answer"
    assert new.packets[-1].raw == b"\xe0\x01\x98", "DISCONNECT: administrative action"
