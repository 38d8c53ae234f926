"""Refused requests of the devices' HTTP interface: what the operator is told, and that the device is told only its code."""

import contextlib
import hashlib
import hmac
import json
import sqlite3
import time

import pytest

from harness import PRODUCT_KEY, PRODUCT_SECRET, Device
from rawclient import read_http_response
from registering import METHODS, sign_registration
from test_device_http import login, post_form, post_json, publish, request


class Request:
    """Fields of a sign-in that are right until a row of the table breaks them."""

    def __init__(self, device):
        self.dn, self.pk, self.secret = device.device_name, device.product_key, device.device_secret
        self.method = self.announced = "hmacsha1"
        self.sent = {"clientId": "c1", "deviceName": self.dn, "productKey": self.pk, "version": "default"}
        self.content = None
        self.transform = bytes.hex

    def right(self, **other):
        signed = {**{k: v for k, v in self.sent.items() if k != "version"}, **other}
        return "".join(k + v for k, v in sorted(signed.items()))

    def fields(self):
        content = self.right() if self.content is None else self.content
        code = hmac.new(self.secret.encode(), content.encode(), METHODS[self.method]).digest()
        method = {"signmethod": self.announced} if self.announced else {}
        return {**self.sent, **method, "sign": self.transform(code)}


def change(**values):
    def apply(made):
        for name, value in values.items():
            setattr(made, name, value(made) if callable(value) and name != "transform" else value)
    return apply


def now_ms():
    return str(int(time.time() * 1000))


# What the device did, its code at /auth and at /auth/devicename, the finding, a part of the advice.
ROWS = [
    ("other secret", change(secret="nobody has this secret"), 20000, 401, "signature-unexplained", "device show"),
    ("sha256 instead of sha1", change(method="hmacsha256"), 20000, 401, "other-signmethod", "signmethod=hmacsha256"),
    ("no signmethod", change(announced=""), 20000, 401, "signmethod-missing", "signmethod=hmacsha1"),
    ("version signed, too", change(content=lambda r: r.right(version="default")), 20000, 401, "other-parameters-signed",
     "version"),
    ("order of the fields", change(content=lambda r: f"productKey{r.pk}deviceName{r.dn}clientIdc1"), 20000, 401,
     "field-order", "in this order"),
    ("values only", change(content=lambda r: f"c1{r.dn}{r.pk}"), 20000, 401, "values-only", "each word"),
    ("pk.dn signed as clientId", change(content=lambda r: r.right(clientId=f"{r.pk}.{r.dn}")), 20000, 401,
     "other-client-id", "as it is sent"),
    ("line feed behind the secret", change(secret=lambda r: r.secret + "\n"), 20000, 401, "secret-with-newline",
     "Remove it"),
    ("product secret", change(secret=PRODUCT_SECRET), 20000, 401, "product-secret", "device secret"),
    ("the secret itself", change(transform=None), 20000, 401, "secret-as-password", "never the secret"),
    ("base64 is no code", change(transform=lambda code: "letmein"), 20000, 401, "password-no-code", "hexadecimal"),
    ("no clientId", change(sent=lambda r: {k: v for k, v in r.sent.items() if k != "clientId"}), 10001, 460,
     "fields-missing", "spelled"),
    ("unknown signmethod", change(announced="HMAC-SHA1"), 10001, 460, "signmethod-unknown", "hmacsha1"),
    ("device name in lower case", change(sent=lambda r: {**r.sent, "deviceName": r.dn.lower()}), 20000, 5001,
     "device-name-case", "Http"),
    ("names swapped", change(sent=lambda r: {**r.sent, "deviceName": r.pk, "productKey": r.dn}), 20000, 5001,
     "names-swapped", "productKey"),
    ("disabled", change(), 20000, 6204, "device-disabled", "device enable"),
]


@pytest.fixture(scope="module")
def clinic(server):
    """Every row's two devices, one for each service, after they have asked; what each was answered."""
    names = [f"Http-{i:02}-{service}" for i in range(len(ROWS)) for service in ("a", "d")]
    csv = server.folder / "http.csv"
    secret_of = {name: hashlib.md5(name.encode()).hexdigest() for name in names}
    rows = [f"{PRODUCT_KEY},{name},{secret}" for name, secret in secret_of.items()]
    csv.write_text("ProductKey,DeviceName,DeviceSecret\n" + "\n".join(rows) + "\n")
    server.cli("device", "import", csv)
    answers = {}
    for i, (what, broken, _, _, finding, _) in enumerate(ROWS):
        for service, path, post in (("a", "/auth", post_json), ("d", "/auth/devicename", post_form)):
            name = f"Http-{i:02}-{service}"
            made = Request(Device(PRODUCT_KEY, name, secret_of[name]))
            broken(made)
            if made.transform is None:
                made.transform = lambda _, secret=secret_of[name]: secret
            if finding == "device-disabled":
                server.device_command("disable", Device(PRODUCT_KEY, name, ""))
            answers[what, service] = (made, post(server, path, made.fields()))
    return answers


def findings(server, product_key, device_name):
    deadline = time.monotonic() + 10 * server.slack
    while True:
        answer = server.json("device", "doctor", "--product-key", product_key, "--device-name", device_name)
        found = answer["findings"] or answer["similarRefusals"]
        if found and found[0].get("diagnosis", {}).get("name") != "not-examined":
            return found
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


@pytest.mark.parametrize("service", ["a", "d"])
@pytest.mark.parametrize("what,login_code,preauth_code,finding,advice", [(w, a, d, f, t) for w, _, a, d, f, t in ROWS],
                         ids=lambda value: str(value).replace(" ", "-")[:40])
def test_every_mistake_is_named(server, clinic, service, what, login_code, preauth_code, finding, advice):
    made, answer = clinic[what, service]
    assert answer.code == (login_code if service == "a" else preauth_code)
    assert set(answer.json) == {"code", "message"}
    product_key = made.sent.get("productKey", PRODUCT_KEY)
    found = findings(server, product_key, made.sent["deviceName"])[0]
    assert found["action"] == "refused" and found["code"] == answer.code and found["transport"] == "https"
    assert found["facts"] == ("POST /auth" if service == "a" else "POST /auth/devicename")
    assert found["diagnosis"]["name"] == finding, found
    assert advice in found["diagnosis"]["advice"], found
    for secret in (made.secret, PRODUCT_SECRET):
        assert secret not in str(found)


def test_answers_tell_no_more_than_their_code(clinic):
    """All wrong signatures look alike, whatever the doctor finds in them."""
    for service, code in (("a", 20000), ("d", 401)):
        texts = {answer.text for (what, one), (_, answer) in clinic.items() if one == service and answer.code == code}
        alike = {text for text in texts if "signature" in text}
        assert len(alike) == 1


def test_nothing_secret_is_kept(server, clinic):
    server.cli("device", "log", "--strangers")  # everything is written then
    stored = b"".join(path.read_bytes() for path in server.data.glob("journal.db*"))
    log = server.log()
    for made, _ in clinic.values():
        for word in (made.fields()["sign"], made.secret):
            if len(word) > 10:
                assert word.encode() not in stored and word not in log


def test_clocks_and_timestamps(server):
    device = server.device()
    for sent, finding in (("1700000000000", "clock-is-off"), ("2524608000000", "timestamp-of-sdk"),
                          (str(int(time.time())), "timestamp-in-seconds")):
        made = Request(device)
        made.sent["timestamp"] = sent
        assert post_json(server, "/auth", made.fields()).code == 20000
        found = findings(server, device.product_key, device.device_name)[0]
        assert (found["name"], found["diagnosis"]["name"]) == ("http-timestamp", finding)
    made = Request(device)
    made.sent["timestamp"] = now_ms()
    made.content = f"clientIdc1deviceName{device.device_name}productKey{device.product_key}"
    assert post_json(server, "/auth", made.fields()).code == 20000
    assert findings(server, device.product_key, device.device_name)[0]["diagnosis"]["name"] == "timestamp-not-signed"
    # The same again at another time is the same mistake.
    made.sent["timestamp"] = str(int(now_ms()) + 1)
    assert post_json(server, "/auth", made.fields()).code == 20000
    assert findings(server, device.product_key, device.device_name)[0]["count"] == 2


def test_registration_in_the_words_of_its_request(server):
    server.create_product("a1HttpReg", PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    server.cli("device", "create", "--product-key", "a1HttpReg", "--device-name", "made", "--without-secret")
    fields = {"productKey": "a1HttpReg", "deviceName": "made", "random": "1", "signMethod": "hmacsha256",
              "sign": sign_registration(PRODUCT_SECRET, "made", "a1HttpReg", "1", "hmacsha1")}
    assert post_form(server, "/auth/register/device", fields).code == 6600
    found = findings(server, "a1HttpReg", "made")[0]
    assert found["diagnosis"]["name"] == "other-signmethod" and found["facts"] == "POST /auth/register/device"
    assert "client identifier" not in str(found) and "the request announces hmacsha256" in found["diagnosis"]["text"]
    del fields["random"]
    assert post_form(server, "/auth/register/device", fields).code == 460
    assert findings(server, "a1HttpReg", "made")[0]["diagnosis"]["name"] == "fields-missing"


def test_bootstrap(server):
    device = server.device()
    assert post_form(server, "/auth/bootstrap", {"deviceName": device.device_name}).code == 460
    row, = server.json("device", "log", "--strangers", "--device-name", device.device_name)
    assert (row["name"], row["facts"]) == ("http-parameter", "POST /auth/bootstrap")
    assert row["diagnosis"]["name"] == "fields-missing" and "productKey" in row["diagnosis"]["text"]


def test_tokens(server):
    device = server.device()
    token = login(server, device)
    topic = device.topic("user/update")
    seal = token.split("^")[3]
    assert publish(server, token.replace(seal, "0" * len(seal)), topic).code == 20003
    found = findings(server, device.product_key, device.device_name)[0]
    assert (found["name"], found["diagnosis"]["name"], found["facts"]) == \
        ("http-token-unknown", "http-token-unknown", "POST /topic")
    assert request(server, "/topic" + topic, b"x", tls=False).code == 10000
    assert token not in server.log()


def expired(server, token):
    """A token as this server would have issued it eight days ago."""
    with contextlib.closing(sqlite3.connect(server.data / "registry.db")) as registry:
        key, = registry.execute("SELECT value FROM server_key WHERE name = 'device-token'").fetchone()
        secret, life, generation = registry.execute(
            "SELECT device_secret, life, token_generation FROM device WHERE product_key = ? AND device_name = ?",
            token.split("^")[4:6]).fetchone()
    product_key, device_name = token.split("^")[4:6]
    end = str(int(time.time() * 1000) - 24 * 3600 * 1000)
    mac = lambda text: hmac.new(key.encode() if isinstance(key, str) else key, text.encode(), hashlib.sha256).hexdigest()  # noqa: E731
    seal = mac(f"seal^http^{end}^{product_key}^{device_name}")[:16]
    bound = mac(f"http^{end}^{product_key}^{device_name}^{life}^{generation}^{secret}")[:32]
    return f"^1^{end}^{seal}{bound}^{product_key}^{device_name}"


def test_an_expired_token_gets_its_code_and_no_room(server):
    device = server.device()
    topic = device.topic("user/update")
    old = expired(server, login(server, device))
    assert publish(server, old, topic, b"x").code == 20001, "it is one of this server's"
    with contextlib.closing(server.stream(server.tls())) as stream:
        stream.send(f"POST /topic{topic} HTTP/1.1\r\nHost: x\r\npassword: {old}\r\nContent-Length: 100000\r\n\r\n".encode())
        answer = read_http_response(stream)  # before anything of its body
        assert answer.status == 200 and json.loads(answer.body)["code"] == 20001
        assert stream.wait_closed() == b""
    found = findings(server, device.product_key, device.device_name)[0]
    assert (found["name"], found["code"], found["count"]) == ("http-token-expired", 20001, 2)
    assert found["diagnosis"]["name"] == "http-token-expired"
