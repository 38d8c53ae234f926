"""The devices' HTTP interface (connection.md sections 9.3, 11 and 12) with a running server."""

import contextlib
import hmac
import http.client
import json
import time
import urllib.parse

import pytest

from harness import PRODUCT_KEY, PRODUCT_SECRET, Device
from rawclient import PUBACK, connect_packet, read_http_response
from registering import METHODS, sign_registration
from test_vectors import VECTORS

FORM = "application/x-www-form-urlencoded"
ON = "a1HttpOn"


@pytest.fixture(scope="module")
def place(server):
    server.create_product(ON, PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    return server


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json", self.text
        return json.loads(self.text)

    @property
    def code(self):
        assert self.status == 200, f"{self.status} {self.text}"
        return self.json["code"]


def request(server, path, body=b"", headers=None, method="POST", tls=True):
    if tls:
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=server.tls())
    else:
        connection = http.client.HTTPConnection("localhost", server.port, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def post_form(server, path, fields, **options):
    return request(server, path, urllib.parse.urlencode(fields), {"Content-Type": FORM}, **options)


def post_json(server, path, fields, **options):
    return request(server, path, json.dumps(fields), {"Content-Type": "application/json"}, **options)


def signed(device, fields, method="hmacmd5", secret=None):
    content = "".join(name + str(value) for name, value in sorted(fields.items()))
    mac = hmac.new((secret or device.device_secret).encode(), content.encode(), METHODS[method]).hexdigest()
    return {**fields, "signmethod": method, "sign": mac, "version": "default"}


def login_fields(device, method="hmacsha1", secret=None, **more):
    return signed(device, {"productKey": device.product_key, "deviceName": device.device_name, "clientId": "c1", **more},
                  method, secret)


def login(server, device):
    answer = post_json(server, "/auth", login_fields(device))
    assert answer.code == 0, answer.text
    return answer.json["info"]["token"]


def publish(server, token, topic, payload=b"x", **options):
    headers = {"Content-Type": "application/octet-stream"}
    if token is not None:
        headers["password"] = token
    return request(server, "/topic" + topic, payload, headers, **options)


def preauth(server, device, **options):
    fields = signed(device, {"productKey": device.product_key, "deviceName": device.device_name, "clientId": "c1"})
    return post_form(server, "/auth/devicename", {**fields, "resources": "mqtt"}, **options)


# ---- the vectors -----------------------------------------------------------------------------------------------------

HTTP_VECTORS = [v for v in VECTORS["vectors"] if v["kind"].startswith("https_")]


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A server with the registry of the vector file; dev001 has the iotId that the file gives it."""
    from harness import Server

    server = Server(tmp_path_factory.mktemp("examples"))
    try:
        for product in VECTORS["registry"]["products"]:
            server.create_product(product["productKey"], product["productSecret"], (),
                                  ("--dynamic-registration", product["dynamicRegistration"]))
        table = tmp_path_factory.mktemp("csv") / "devices.csv"
        iot_ids = {(p["productKey"], p["deviceName"]): p["iotId"] for p in VECTORS["registry"]["preauth"]}
        rows = ["ProductKey,DeviceName,DeviceSecret,IotId"]
        rows += [f"{d['productKey']},{d['deviceName']},{d['deviceSecret']},{iot_ids.get((d['productKey'], d['deviceName']), '')}"
                 for d in VECTORS["registry"]["devices"] if d["deviceSecret"] and d["productKey"] == "a1ExampleK1"]
        table.write_text("\n".join(rows) + "\n")
        server.cli("device", "import", table)
        server.cli("device", "create", "--product-key", "a1ExampleK1", "--device-name", "new001", "--without-secret")
        server.start()
        yield server
        server.stop()
    finally:
        server.discard()


def at_our_clock(vector):
    """The vector's request as it would be at the server's time: the same distance from its clock, signed anew."""
    fields = dict(vector["request"]["fields"])
    if "serverClockMs" in vector["request"]:
        fields["timestamp"] = str(int(time.time() * 1000) + int(fields["timestamp"]) - vector["request"]["serverClockMs"])
        content = "".join(k + fields[k] for k in sorted(fields) if k not in ("version", "sign", "signmethod"))
        method = METHODS[vector["sign"]["method"]]
        fields["sign"] = hmac.new(vector["sign"]["key"].encode(), content.encode(), method).hexdigest()
    return fields


def test_every_http_vector_is_here():
    assert len(HTTP_VECTORS) == 8


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in HTTP_VECTORS])
def test_vector(examples, vector):
    send = post_json if vector["request"]["contentType"] == "application/json" else post_form
    answer = send(examples, vector["request"]["path"], at_our_clock(vector))
    assert answer.code == vector["expect"]["code"], answer.text
    if vector["kind"] == "https_register" and answer.code == 200:
        content = answer.json
        assert answer.text == json.dumps(content, separators=(",", ":")) and len(answer.text) < 256
        assert list(content["data"]) == ["productKey", "deviceName", "deviceSecret"]


def test_vector_p41_with_a_token_of_this_server(examples):
    """The file's iotToken stands for one that the server has issued; everything else of the vector is as it stands."""
    vector = next(v for v in VECTORS["vectors"] if v["id"] == "p41-preauth")
    device = next(d for d in VECTORS["registry"]["devices"] if d["deviceName"] == "dev001")
    data = preauth(examples, Device(device["productKey"], "dev001", device["deviceSecret"])).json["data"]
    connect = vector["connect"]
    assert data["iotId"] == connect["username"]
    for transport in ("tls", "tcp", "wss"):
        for level in (4, 5):
            with examples.client(transport) as client:
                client.send(connect_packet(connect["clientId"], connect["username"], data["iotToken"],
                                           connect["keepAlive"], connect["cleanSession"], level))
                assert client.receive().raw[3] == 0


# ---- registration ----------------------------------------------------------------------------------------------------


def registration_fields(name, random="r", method="hmacsha256", secret=PRODUCT_SECRET, product_key=ON):
    return {"productKey": product_key, "deviceName": name, "random": random, "signMethod": method,
            "sign": sign_registration(secret, name, product_key, random, method)}


def test_registration_and_its_codes(place):
    place.cli("device", "create", "--product-key", ON, "--device-name", "reg1", "--without-secret")

    def code(**options):
        return post_form(place, "/auth/register/device", registration_fields("reg1", **options)).code

    first = post_form(place, "/auth/register/device", registration_fields("reg1")).json["data"]["deviceSecret"]
    second = post_form(place, "/auth/register/device", registration_fields("reg1")).json["data"]["deviceSecret"]
    assert first != second
    assert code(secret="wrong") == 6600
    assert code(product_key="a1Nobody") == 5005
    assert post_form(place, "/auth/register/device", registration_fields("ghost")).code == 6100
    place.sign_in(Device(ON, "reg1", second)).close()
    place.wait_status(Device(ON, "reg1", second), "OFFLINE")
    assert code() == 6289
    place.device_command("reset", Device(ON, "reg1", ""))
    assert code() == 200
    place.device_command("disable", Device(ON, "reg1", ""))
    assert code() == 6204
    fields = registration_fields("reg1")
    for name in ("productKey", "deviceName", "random", "sign"):
        assert post_form(place, "/auth/register/device", {k: v for k, v in fields.items() if k != name}).code == 460
    assert post_form(place, "/auth/register/device", {**fields, "signMethod": "hmacsha512"}).code == 6292
    place.cli("product", "update", "--product-key", ON, "--dynamic-registration", "off")
    assert code() == 6288
    place.cli("product", "update", "--product-key", ON, "--dynamic-registration", "on")


# ---- pre-authentication ----------------------------------------------------------------------------------------------


def iot_connect(server, iot_id, iot_token, transport="tcp", level=4, keep_alive=60):
    with server.client(transport) as client:
        client.send(connect_packet("any", iot_id, iot_token, keep_alive, True, level))
        return client.receive().raw[3]


def test_preauthentication_then_mqtt(place):
    device = place.device()
    data = preauth(place, device).json["data"]
    assert data["iotId"] == place.show(device)["iotId"]
    assert data["resources"] == {"mqtt": {"host": "localhost", "port": place.port}}
    with place.client("tcp") as client:
        assert client.connect("anything at all", data["iotId"], data["iotToken"])[1] == 0
        assert client.subscribe(device.topic("user/get")) == [1]
        place.wait_status(device, "ONLINE")
        # It is the device: another connection of it takes over.
        place.sign_in(device).close()
        client.wait_closed()


def test_bad_iot_tokens(place):
    device, other = place.device(), place.device()
    good = preauth(place, device).json["data"]
    foreign = preauth(place, other).json["data"]
    for token in (foreign["iotToken"], good["iotToken"][:-1], good["iotToken"] + "x", "^1^1700000000000^feedfacecafe001",
                  "password", ""):
        for level, code in ((4, 3), (5, 0x88)):
            assert iot_connect(place, good["iotId"], token, level=level) == code, token
    assert iot_connect(place, "nobody", "password") == 4
    assert iot_connect(place, good["iotId"], good["iotToken"], keep_alive=10) == 2
    http_token = login(place, device)
    assert iot_connect(place, good["iotId"], http_token) == 3, "a token of the HTTP interface"


def test_preauthentication_codes(place):
    device = place.device()
    fields = signed(device, {"productKey": device.product_key, "deviceName": device.device_name, "clientId": "c1"})
    assert post_form(place, "/auth/devicename", {**fields, "sign": "0" * 32}).code == 401
    assert post_form(place, "/auth/devicename", {**fields, "deviceName": "ghost"}).code == 5001
    assert post_form(place, "/auth/devicename", {**fields, "clientId": ""}).code == 460
    assert request(place, "/auth/devicename", b"a=%", {"Content-Type": FORM}).code == 460
    place.cli("device", "create", "--product-key", ON, "--device-name", "nosecret", "--without-secret")
    assert preauth(place, Device(ON, "nosecret", "x")).code == 6200
    place.device_command("disable", device)
    assert preauth(place, device).code == 6204


def test_tokens_survive_a_restart_and_die_with_the_device(make_server):
    server = make_server(devices=3)
    devices = [server.device() for _ in range(3)]
    mqtt = [preauth(server, d).json["data"] for d in devices]
    http_tokens = [login(server, d) for d in devices]
    assert all(len(t) <= 192 for t in http_tokens)
    server.restart()

    def codes(i):
        return (iot_connect(server, mqtt[i]["iotId"], mqtt[i]["iotToken"]),
                publish(server, http_tokens[i], devices[i].topic("user/update")).code)

    assert [codes(i) for i in range(3)] == [(0, 0)] * 3
    server.device_command("disable", devices[0])
    assert codes(0)[1] in (20000, 20003) and codes(0)[0] in (3, 5)
    server.device_command("enable", devices[0])
    assert codes(0) == (3, 20003), "what was issued before it was disabled stays void"
    server.device_command("delete", devices[1])
    assert codes(1) == (3, 20003)
    server.create_device(devices[1].device_name, devices[1].device_secret)
    assert codes(1) == (3, 20003), "another device of the same name and secret"
    server.device_command("update", devices[2], "--device-secret", "another")
    assert codes(2) == (3, 20003)


def test_bootstrap(place, make_server):
    fields = {"productKey": PRODUCT_KEY, "deviceName": "any", "clientId": "c", "resources": "mqtt"}
    answer = post_form(place, "/auth/bootstrap", fields)
    assert answer.json == {"code": 200, "data": {"resources": {"mqtt": {"host": "localhost", "port": place.port}}},
                           "message": "success"}
    assert post_form(place, "/auth/bootstrap", {}).code == 460
    elsewhere = make_server({"server.public_host": "mqtt.example.org", "server.public_port": "1883"}, devices=0)
    answer = post_form(elsewhere, "/auth/bootstrap", fields)
    assert answer.json["data"]["resources"]["mqtt"] == {"host": "mqtt.example.org", "port": 1883}


# ---- publishing ------------------------------------------------------------------------------------------------------


def test_a_publish_reaches_who_subscribed(place):
    device = place.device()
    operator = place.operator(device.topic("user/#"))
    answer = publish(place, login(place, device), device.topic("user/update"), b"over http")
    assert answer.code == 0
    assert answer.text.startswith('{"code":0,"message":"success","info":{"messageId":')
    number = answer.json["info"]["messageId"]
    assert 2 ** 53 < number < 2 ** 63
    assert operator.next() == (device.topic("user/update"), "over http")
    numbers = [publish(place, login(place, device), device.topic("user/update")).json["info"]["messageId"]
               for _ in range(3)]
    assert len({number, *numbers}) == 4


def test_a_publish_is_stored_before_it_is_acknowledged(make_server):
    """A subscriber that is away gets it after a kill of the server."""
    server = make_server()
    server.cli("account", "create", "backend", "--password", "secret", "--allow", "all:#")
    device = server.device()
    with server.client("tcp") as backend:
        assert backend.connect("b1", "backend", "secret", clean=False)[1] == 0
        assert backend.subscribe(device.topic("user/update")) == [1]
        backend.disconnect()
        backend.wait_closed()
    token = login(server, device)
    for i in range(20):
        assert publish(server, token, device.topic("user/update"), f"m{i}".encode()).code == 0
    server.restart(hard=True)
    with server.client("tcp") as backend:
        assert backend.connect("b1", "backend", "secret", clean=False)[0] == 1
        got = []
        while len(got) < 20:
            message = backend.expect_publish()
            backend.puback(message)
            got.append(message.raw.split(b"m")[-1].decode())
        assert got == [str(i) for i in range(20)]


def test_a_device_hears_its_own_publish_only_where_it_may_subscribe(place):
    device = place.device()
    token = login(place, device)
    with place.sign_in(device) as client:
        assert client.subscribe(device.topic("user/#")) == [1]
        assert publish(place, token, device.topic("user/up"), b"mute").code == 0
        assert publish(place, token, device.topic("user/echo"), b"loud").code == 0
        message = client.expect_publish()
        assert message.raw.endswith(b"loud")


def test_publish_codes(place):
    device, other = place.device(), place.device()
    token = login(place, device)
    topic = device.topic("user/update")
    assert publish(place, None, topic).code == 20002
    assert publish(place, "nonsense", topic).code == 20003
    assert publish(place, token[:-1], topic).code == 20003
    assert publish(place, preauth(place, device).json["data"]["iotToken"], topic).code == 20003
    for foreign in (other.topic("user/update"), device.topic("user/get"), "/broadcast/x/y", "/a"):
        assert publish(place, token, foreign).code == 30001, foreign
    for wrong in (topic + "?qos=1", device.topic("user/%23"), device.topic("%2B"), device.topic("user/%zz"), "/"):
        assert publish(place, token, wrong).code == 10001, wrong
    assert publish(place, token, "/" + urllib.parse.quote(topic[1:], safe="")).code == 0, "encoded slashes"
    assert publish(place, token, topic, b"").code == 0
    assert publish(place, token, topic, b"x" * 131072).code == 0
    assert publish(place, token, topic, b"x" * 131073).code == 10001
    # Longer ones are not even read.
    with contextlib.closing(place.stream(place.tls())) as stream:
        stream.send(f"POST /topic{topic} HTTP/1.1\r\nHost: x\r\npassword: {token}\r\nContent-Length: 300000\r\n\r\n".encode())
        answer = read_http_response(stream)
        assert answer.status == 413 and json.loads(answer.body)["error"]["code"] == "body_too_large"


def test_publishes_are_under_the_rates_of_devices(make_server):
    server = make_server({"limits.qos1_publishes_per_device_per_second": "3"}, devices=2)
    server.create_product("a1Standard", extra=("--profile", "mqtt"))
    server.create_device("free", "s3cr3t", "a1Standard")
    device, other, free = server.device(), server.device(), Device("a1Standard", "free", "s3cr3t")
    topic = device.topic("user/update")
    heard = server.operator(topic)
    tokens = [login(server, d) for d in (device, other, free)]
    connection = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=server.tls())

    def codes(token, to, count=12):
        found = []
        for i in range(count):
            connection.request("POST", "/topic" + to, str(i).encode(), {"password": token})
            found.append(Answer(connection.getresponse()).code)
        return found

    got = codes(tokens[0], topic)
    assert got[:3] == [0] * 3 and 40000 in got and set(got) == {0, 40000}
    published = [str(i) for i, code in enumerate(got) if code == 0]
    assert [heard.next()[1] for _ in published] == published, "what was refused was not delivered"
    server.wait_log("9324", device.device_name)
    assert codes(tokens[1], other.topic("user/update"), 3) == [0] * 3, "each device has its own"
    assert codes(tokens[2], free.topic("user/update")) == [0] * 12, "devices of standard products are not under it"
    # In one with its connection.
    with server.sign_in(other) as client:
        for _ in range(6):
            client.publish(other.topic("user/update"), b"x", qos=1, wait=False)
        for _ in range(3):
            client.expect(PUBACK)
        assert 40000 in codes(tokens[1], other.topic("user/update"), 2)
    connection.close()


def test_a_made_up_token_gets_no_room(place):
    device = place.device()
    topic = device.topic("user/update")
    token = login(place, device)
    seal = token.split("^")[3]
    forged = token.replace(seal, "0" * len(seal))
    assert publish(place, forged, topic, b"x").code == 20003
    for given in (forged, None, "nonsense"):
        lines = [f"POST /topic{topic} HTTP/1.1", "Host: x", "Content-Length: 100000"]
        lines += [f"password: {given}"] if given else []
        with contextlib.closing(place.stream(place.tls())) as stream:
            stream.send(("\r\n".join(lines) + "\r\n\r\n").encode())
            assert read_http_response(stream).status == 413, "before anything of its body"


def test_login_codes(place):
    device = place.device()
    now = int(time.time() * 1000)

    def code(**more):
        return post_json(place, "/auth", login_fields(device, **more)).code

    assert code() == 0 and code(method="hmacmd5") == 0 and code(method="hmacsha256") == 0
    assert code(timestamp=str(now)) == 0 and code(timestamp=now) == 0
    assert code(timestamp=str(now - 895_000)) == 0 and code(timestamp=str(now + 895_000)) == 0
    assert code(timestamp=str(now - 905_000)) == 20000 and code(timestamp=str(now + 905_000)) == 20000
    assert code(timestamp="yesterday") == 10001
    assert code(secret="wrong") == 20000
    assert post_json(place, "/auth", login_fields(Device(PRODUCT_KEY, "ghost", "s"))).code == 20000
    assert post_json(place, "/auth", {**login_fields(device), "signmethod": "none"}).code == 10001


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, code", [("/auth/register/device", 460), ("/auth/devicename", 460),
                                        ("/auth/bootstrap", 460), ("/auth", 10000), ("/topic/a/b", 10000)])
def test_only_over_tls(place, path, code):
    assert request(place, path, b"", tls=False).code == code


def test_without_tls_where_it_ends_in_front(make_server):
    server = make_server({"auth.require_tls": "false"}, devices=1)
    assert preauth(server, server.device(), tls=False).code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"productKey":', b"\x00\xff" * 50, b'{"a":' * 100,
                                  b'{"productKey":["x"],"deviceName":"y"}'])
def test_malformed_bodies_get_their_code(place, body):
    assert request(place, "/auth", body, {"Content-Type": "application/json"}).code == 10001
    for path in ("/auth/register/device", "/auth/devicename", "/auth/bootstrap"):
        assert request(place, path, body, {"Content-Type": FORM}).code == 460


def test_other_paths_methods_and_sizes(place):
    for path in ("/auth/other", "/topic", "/auth/"):
        answer = request(place, path)
        assert answer.status == 404 and answer.json["error"]["code"] == "not_found"
    for method in ("GET", "PUT", "DELETE"):
        answer = request(place, "/auth", method=method)
        assert answer.status == 405 and answer.headers["Allow"] == "POST" and answer.json["error"]
    for path in ("/auth", "/auth/devicename"):
        answer = request(place, path, b"x" * 10_000)
        assert answer.status == 413 and answer.json["error"]["code"] == "body_too_large"
    with contextlib.closing(place.stream(place.tls())) as stream:
        stream.send(b"POST /topic/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        stream.send((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 2 + b"1000\r\nx")
        assert read_http_response(stream).status == 413
    assert place.alive()


def test_refusals_make_an_address_wait(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "5"}, devices=4)
    bad, known, by_mqtt, new = (server.device() for _ in range(4))
    token = login(server, known)
    wrong = login_fields(bad, secret="wrong")
    assert [post_json(server, "/auth", wrong).code for _ in range(6)] == [20000] * 5 + [40000]
    assert post_json(server, "/auth", login_fields(bad)).code == 40000
    assert preauth(server, bad).code == 429
    with server.client() as client:
        assert client.connect(bad.client_id(), bad.username, bad.password())[1] == 3, "whatever door it takes"
    # Who signed in from there before gets in, however large the storm; strangers share what is left.
    storm = [post_json(server, "/auth", login_fields(Device(PRODUCT_KEY, f"no{i}", "x"))).code for i in range(5)]
    assert storm == [20000] * 5
    assert preauth(server, known).code == 200
    assert publish(server, token, known.topic("user/update")).code == 0
    server.sign_in(by_mqtt).close()
    assert login(server, by_mqtt)
    assert login(server, new), "one of a hundred strangers in a second"
    assert server.cli("device", "list").status == 0


def test_a_flood_of_registrations_creates_nothing(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "5"}, devices=0)
    server.create_product(ON, PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    connection = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=server.tls())

    def code(name, **options):
        body = urllib.parse.urlencode(registration_fields(name, **options))
        connection.request("POST", "/auth/register/device", body, {"Content-Type": FORM})
        return Answer(connection.getresponse()).code

    assert [code("ghost") for _ in range(7)] == [6100] * 5 + [429] * 2
    assert code("ghost", secret="wrong") == 429, "it is not looked at"
    assert {code(f"flood{i}") for i in range(150)} <= {6100, 429}
    connection.close()
    assert server.json("product", "show", "--product-key", ON)["deviceCount"] == 0
    rows = server.json("device", "log", "--strangers", "--limit", "500")
    assert len(rows) <= 52 and rows[0]["address"].startswith("127.0.0.1")
    assert sum(row["count"] for row in rows) == 158, "counted all the same"


def test_http_1_0_and_one_connection_for_many_requests(place):
    device = place.device()
    token = login(place, device)
    connection = http.client.HTTPSConnection("localhost", place.port, timeout=10, context=place.tls())
    for _ in range(5):
        connection.request("POST", "/topic" + device.topic("user/update"), b"x", {"password": token})
        assert Answer(connection.getresponse()).code == 0
    connection.close()
    with contextlib.closing(place.stream(place.tls())) as stream:
        body = json.dumps(login_fields(device)).encode()
        stream.send(b"POST /auth HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        data = stream.wait_closed()
        assert b'{"code":0,"message":"success","info":{"token":"' in data


def test_tokens_and_secrets_are_not_logged(place):
    device = place.device()
    tokens = [login(place, device), preauth(place, device).json["data"]["iotToken"]]
    publish(place, tokens[0][:-1], device.topic("user/update"))
    iot_connect(place, place.show(device)["iotId"], tokens[1][:-1])
    place.wait_log("wrong-iot-token")
    for word in (*tokens, device.device_secret):
        assert word not in place.log() and word[:60] not in place.log()
