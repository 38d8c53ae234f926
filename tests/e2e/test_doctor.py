"""Wrong sign-ins, each made with a device of its own: what the operator is told, and that the device is told nothing."""

import base64
import hashlib
import hmac
import os
import signal
import time

import pytest

import timing
from harness import PRODUCT_KEY, PRODUCT_SECRET, Device
from rawclient import connect_packet

TIME = "1700000000000"
OTHER_SECRET = "f" * 32
DIGESTS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


class Try:
    """A CONNECT that is right until a row of the table breaks it."""

    def __init__(self, device):
        self.dn, self.pk, self.secret = device.device_name, device.product_key, device.device_secret
        self.base = f"{self.pk}.{self.dn}"
        self.method = self.announced = "hmacsha256"
        self.sent_time = self.signed_time = TIME
        self.securemode = 3
        self.extra = ""
        self.username = None
        self.content = None
        self.keep_alive = 60
        self.transform = lambda code: code

    def client_id(self):
        announced = f",signmethod={self.announced}" if self.announced else ""
        sent = f",timestamp={self.sent_time}" if self.sent_time else ""
        return f"{self.base}|securemode={self.securemode}{announced}{sent}{self.extra}|"

    def text(self, base=None):
        base = self.base if base is None else base
        stamp = f"timestamp{self.signed_time}" if self.signed_time else ""
        return f"clientId{base}deviceName{self.dn}productKey{self.pk}{stamp}"

    def code(self):
        content = self.text() if self.content is None else self.content
        return hmac.new(self.secret.encode(), content.encode(), DIGESTS[self.method]).digest()

    def packet(self, level=4):
        password = self.transform(self.code())
        password = password.hex() if isinstance(password, bytes) else password
        username = f"{self.dn}&{self.pk}" if self.username is None else self.username
        return connect_packet(self.client_id(), username, password, keep_alive=self.keep_alive, level=level)


def change(**values):
    def apply(attempt):
        for name, value in values.items():
            setattr(attempt, name, value(attempt) if callable(value) and name != "transform" else value)
    return apply


# What the device did, the name of the finding, a part of the advice. All of these are told code 4.
SIGNATURES = [
    ("sha1 instead of sha256", change(method="hmacsha1"), "other-signmethod", "signmethod=hmacsha1"),
    ("md5 instead of sha256", change(method="hmacmd5"), "other-signmethod", "signmethod=hmacmd5"),
    ("no signmethod", change(announced=""), "signmethod-missing", "signmethod=hmacsha256"),
    ("timestamp not signed", change(signed_time=""), "timestamp-not-signed", "timestamp"),
    ("timestamp not sent", change(sent_time="", signed_time="2524608000000"), "timestamp-not-sent", "2524608000000"),
    ("another timestamp", change(signed_time="2524608000000"), "other-timestamp", "very text"),
    ("timestamp in seconds", change(signed_time=TIME[:10]), "other-timestamp", "very text"),
    ("order of the fields",
     change(content=lambda t: f"productKey{t.pk}deviceName{t.dn}clientId{t.base}timestamp{TIME}"), "field-order", "order"),
    ("values only", change(content=lambda t: f"{t.base}{t.dn}{t.pk}{TIME}"), "values-only", "each word"),
    ("a query string", change(content=lambda t: f"clientId={t.base}&deviceName={t.dn}&productKey={t.pk}&timestamp={TIME}"),
     "field-separators", "directly followed"),
    ("parameters signed, too", change(content=lambda t: t.text(t.client_id())), "client-id-with-parameters", "first '|'"),
    ("signmethod signed, too",
     change(content=lambda t: f"clientId{t.base}deviceName{t.dn}productKey{t.pk}signmethodhmacsha256timestamp{TIME}"),
     "other-parameters-signed", "leave every other"),
    ("bare device name signed", change(content=lambda t: t.text(t.dn)), "other-client-id", "the bare device name"),
    ("pk.dn signed, device name sent", change(content=lambda t: t.text(), base=lambda t: t.dn), "other-client-id",
     "productKey.deviceName"),
    ("pk&dn signed", change(content=lambda t: t.text(f"{t.pk}&{t.dn}")), "other-client-id", "productKey&deviceName"),
    ("names swapped in the text",
     change(content=lambda t: f"clientId{t.base}deviceName{t.pk}productKey{t.dn}timestamp{TIME}"), "signed-names-swapped",
     "deviceName"),
    ("line feed behind the secret", change(secret=lambda t: t.secret + "\n"), "secret-with-newline", "Remove it"),
    ("blank before the secret", change(secret=lambda t: " " + t.secret), "secret-with-blank", "Remove it"),
    ("quotes around the secret", change(secret=lambda t: f'"{t.secret}"'), "secret-in-quotes", "Remove it"),
    ("secret in upper case", change(secret=lambda t: t.secret.upper()), "secret-in-upper-case", "exactly as it was issued"),
    ("secret cut", change(secret=lambda t: t.secret[:-1]), "secret-cut", "32 characters"),
    ("product secret", change(secret=PRODUCT_SECRET), "product-secret", "device secret"),
    ("secret of another device", change(secret="SECRET OF ANOTHER"), "secret-of-other-device", "other000"),
    ("key and text swapped", change(transform=None), "key-and-text-swapped", "as the key"),
    ("base64", change(transform=lambda code: base64.b64encode(code).decode()), "password-base64", "hexadecimal"),
    ("cut password", change(transform=lambda code: code.hex()[:63]), "password-cut", "buffer"),
    ("hexadecimal twice", change(transform=lambda code: code.hex().encode().hex()), "password-hex-twice", "once"),
    ("0x", change(transform=lambda code: "0x" + code.hex()), "password-with-0x", "digits alone"),
    ("line feed behind the password", change(transform=lambda code: code.hex() + "\n"), "password-with-blank", "alone"),
    ("the secret itself", change(transform=None), "secret-as-password", "never the secret"),
    ("no code at all", change(transform=lambda code: "letmein"), "password-no-code", "hexadecimal"),
    ("a wholly other secret", change(secret="nobody has this secret at all..."), "signature-unexplained", "mooring sign"),
    ("method and timestamp", change(method="hmacsha1", signed_time=""), "other-signmethod+timestamp-not-signed",
     "signmethod=hmacsha1"),
    ("line feed and order", change(secret=lambda t: t.secret + "\n",
                                   content=lambda t: f"productKey{t.pk}deviceName{t.dn}clientId{t.base}timestamp{TIME}"),
     "secret-with-newline+field-order", "order"),
    ("securemode besides", change(securemode=2, signed_time=""), "timestamp-not-signed+securemode-mismatch",
     "securemode=3"),
]
# Likewise, with the code that they are told.
CLAIMS = [
    ("device name in lower case", change(username=lambda t: f"{t.dn.lower()}&{t.pk}"), 4, "device-name-case", "Sick"),
    ("product key in lower case", change(username=lambda t: f"{t.dn}&{t.pk.lower()}"), 4, "product-key-case", PRODUCT_KEY),
    ("names swapped", change(username=lambda t: f"{t.pk}&{t.dn}"), 4, "user-name-swapped", "device name first"),
    ("blank behind the user name", change(username=lambda t: f"{t.dn}&{t.pk} "), 4, "user-name-with-blank", "without blanks"),
    ("no such device", change(username=lambda t: f"Nowhere-at-all&{t.pk}"), 4, "device-unknown", "device create"),
    ("no such product", change(username=lambda t: f"{t.dn}x&zzNoProductzz"), 4, "product-unknown", "product create"),
    ("pipe in the user name", change(username=lambda t: f"{t.dn}|{t.pk}"), 4, "user-name-separator", "deviceName&productKey"),
    ("keep alive too short", change(keep_alive=10), 2, "keep-alive-too-short", "30 to 1200"),
    ("keep alive 0", change(keep_alive=0), 2, "keep-alive-zero", "30 to 1200"),
    ("keep alive in milliseconds", change(keep_alive=60000), 2, "keep-alive-in-milliseconds", "clamp"),
    ("unknown signmethod", change(announced="HMAC-SHA1"), 2, "signmethod-unknown", "signmethod=hmacsha1"),
    ("unknown securemode", change(securemode=9), 2, "securemode-unknown", "securemode=3"),
    ("unknown authType", change(extra=",authType=secret"), 2, "authtype-unknown", "authType"),
    ("base too long", change(base="x" * 65), 2, "client-id-length", "Shorten"),
    ("base empty", change(base=""), 2, "client-id-empty", "productKey.deviceName"),
    ("disabled", change(), 5, "device-disabled", "device enable"),
]
SECRETS = set()
TIMED = [f"Timed-{i:03}" for i in range(80)]


@pytest.fixture(scope="module")
def hospital(server):
    """Every row's device, after it has tried; what each was answered, byte by byte."""
    names = [f"Sick-{i:03}" for i in range(len(SIGNATURES) + len(CLAIMS))]
    csv = server.folder / "sick.csv"
    secret_of = {name: hashlib.md5(name.encode()).hexdigest() for name in names}
    lines = [f"{PRODUCT_KEY},{name},{secret}" for name, secret in secret_of.items()]
    lines += [f"{PRODUCT_KEY},{name},{hashlib.md5(name.encode()).hexdigest()}" for name in TIMED]
    lines.append(f"{PRODUCT_KEY},other000,{OTHER_SECRET}")
    csv.write_text("ProductKey,DeviceName,DeviceSecret\n" + "\n".join(lines) + "\n")
    server.cli("device", "import", csv)
    SECRETS.update(secret_of.values(), [OTHER_SECRET, PRODUCT_SECRET])
    answers = {}
    rows = [(what, broken, 4, name) for what, broken, name, _ in SIGNATURES]
    rows += [(what, broken, code, name) for what, broken, code, name, _ in CLAIMS]
    for name, (what, broken, _, finding) in zip(names, rows):
        device = Device(PRODUCT_KEY, name, secret_of[name])
        attempt = Try(device)
        broken(attempt)
        if attempt.secret == "SECRET OF ANOTHER":
            attempt.secret = OTHER_SECRET
        if finding == "key-and-text-swapped":
            text = attempt.text()
            attempt.transform = lambda _, t=text, s=device.device_secret: hmac.new(t.encode(), s.encode(),
                                                                                   hashlib.sha256).digest()
        if finding == "secret-as-password":
            attempt.transform = lambda _, s=device.device_secret: s
        if finding == "device-disabled":
            server.device_command("disable", device)
        stream = server.stream()
        stream.send(attempt.packet())
        got = stream.receive_exactly(4)
        stream.wait_closed()
        answers[what] = (name, attempt, got)
    return answers


def findings(server, attempt, name):
    """They come in the order of their refusals, so many a second."""
    deadline = time.monotonic() + 10 * server.slack
    while True:
        found = findings_so_far(server, attempt, name)
        if found[0]["diagnosis"]["name"] != "not-examined":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def findings_so_far(server, attempt, name):
    username = attempt.username or f"{name}&{PRODUCT_KEY}"
    if "&" not in username:
        found = server.json("device", "log", "--strangers", "--device-name", username)
        assert found, username
        return found
    device, product = username.split("&", 1)
    answer = server.json("device", "doctor", "--product-key", product, "--device-name", device)
    return answer["findings"] or answer["similarRefusals"]


@pytest.mark.parametrize("what,code,finding,advice",
                         [(what, 4, finding, advice) for what, _, finding, advice in SIGNATURES] +
                         [(what, code, finding, advice) for what, _, code, finding, advice in CLAIMS],
                         ids=lambda value: str(value).replace(" ", "-")[:40])
def test_every_mistake_is_named(server, hospital, what, code, finding, advice):
    name, attempt, answer = hospital[what]
    assert answer == bytes([0x20, 2, 0, code])
    found = findings(server, attempt, name)[0]
    assert found["action"] == "refused" and found["answer"] == code
    assert found["diagnosis"]["name"] == finding, found
    assert advice in found["diagnosis"]["advice"], found
    shown = str(found)
    assert not any(secret in shown for secret in SECRETS)


def test_the_doctor_speaks_to_people(server, hospital):
    name, _, _ = hospital["timestamp not signed"]
    told = server.cli("device", "doctor", "--product-key", PRODUCT_KEY, "--device-name", name).out
    assert f"{PRODUCT_KEY}/{name} is UNACTIVE" in told
    assert "code 6600, the device was told 4" in told
    assert "what is wrong: The CONNECT carries a timestamp, but it was not signed." in told
    assert "what to change: Append \"timestamp\"" in told
    logged = server.cli("device", "log", "--product-key", PRODUCT_KEY, "--device-name", name).out
    assert "what is wrong: The CONNECT carries a timestamp" in logged
    server.wait_log("doctor", name, "timestamp-not-signed")


def test_a_name_that_looks_like_it_is_shown_with_the_device(server, hospital):
    name, _, _ = hospital["device name in lower case"]
    answer = server.json("device", "doctor", "--product-key", PRODUCT_KEY, "--device-name", name)
    assert answer["registered"] and not answer["findings"]
    assert answer["similarRefusals"][0]["deviceName"] == name.lower()


def test_a_device_that_never_failed(server, device):
    told = server.cli("device", "doctor", "--product-key", PRODUCT_KEY, "--device-name", device.device_name).out
    assert "No refused sign-in is on record" in told


def test_neither_secrets_nor_codes_reach_a_log(server, hospital):
    server.cli("device", "log", "--strangers")  # everything is written then
    stored = b"".join(path.read_bytes() for path in server.data.glob("journal.db*"))
    assert len(stored) > 10_000
    log = server.log()
    for name, attempt, _ in hospital.values():
        device = Device(PRODUCT_KEY, name, hashlib.md5(name.encode()).hexdigest())
        right = Try(device)
        for word in (device.device_secret, right.code().hex(), attempt.code().hex()):
            assert word.encode() not in stored and word not in log, name


def test_mistakes_cannot_be_told_apart_by_content(server, hospital):
    """MQTT 5 has room for more than a code: reason string, properties. All of it is the same, whatever was wrong."""
    answers = set()
    for index, (_, broken, _, finding) in enumerate(SIGNATURES):
        if "secret" in finding:  # these need what the fixture fills in; their answers over MQTT 3.1.1 were compared there
            continue
        name = f"Sick-{index:03}"
        attempt = Try(Device(PRODUCT_KEY, name, hashlib.md5(name.encode()).hexdigest()))
        broken(attempt)
        if attempt.transform is None:
            continue
        for username in (None, f"Nowhere-at-all&{PRODUCT_KEY}", f"{name}&zzNoProductzz"):
            attempt.username = username
            stream = server.stream()
            stream.send(attempt.packet(level=5))
            answers.add(stream.receive_exactly(5) + stream.wait_closed())
    assert answers == {b"\x20\x03\x00\x86\x00"}


@pytest.mark.alone
def test_mistakes_cannot_be_told_apart_by_time(server, hospital):
    """The answer comes before anybody looks into the case; on the way of an answer a search over thousands of HMACs
    would show. Every attempt is a new case, of devices that have not used up their examinations, and the rounds are as
    slow as the doctor's budget, so that it looks into all of them. Whether a leak would show is checked in the same
    samples (timing.py)."""
    devices = [Device(PRODUCT_KEY, name, hashlib.md5(name.encode()).hexdigest()) for name in TIMED]

    def kind(**values):
        def take(number):
            made = Try(devices[number % len(devices)])
            made.base = f"try{number}"
            change(**values)(made)
            stream = server.stream()
            packet = made.packet()
            begun = time.perf_counter()
            stream.send(packet)
            answer = stream.receive_exactly(4)
            taken = time.perf_counter() - begun
            assert answer == b"\x20\x02\x00\x04"
            stream.wait_closed()
            return taken
        return take

    start = len(server.log())
    timing.assert_alike({
        "other secret": kind(secret="nobody has this secret at all..."),
        "the same again": kind(secret="nobody has this secret at all..."),
        "method": kind(method="hmacsha1"),
        "timestamp": kind(signed_time=""),
        "no code": kind(transform=lambda code: "letmein"),
        "unknown device": kind(username=f"Nowhere-at-all&{PRODUCT_KEY}"),
        "unknown product": kind(username="Sick-000&zzNoProductzz"),
    }, "other secret", server.slack, rounds=40, rounds_max=120, pause=0.35)
    seen = [line for line in server.log()[start:].splitlines() if "signature-unexplained" in line]
    assert len(seen) >= 40, "the doctor looked into most of them meanwhile"


def test_a_reload_reaches_the_doctor(make_server, tmp_path):
    config = tmp_path / "mooring.toml"
    config.write_text("[auth]\nkeep_alive_min_s = 30\n")
    server = make_server(config=config)
    for low in (30, 40):
        config.write_text(f"[auth]\nkeep_alive_min_s = {low}\n")
        start = len(server.log())
        os.kill(server.process.pid, signal.SIGHUP)
        server.wait_log("reload: done", start=start)
        device = server.device()
        attempt = Try(device)
        attempt.keep_alive = 20
        stream = server.stream()
        stream.send(attempt.packet())
        assert stream.receive_exactly(4)[3] == 2
        found = findings(server, attempt, device.device_name)[0]
        assert f"{low} to 1200 seconds" in found["diagnosis"]["advice"]
