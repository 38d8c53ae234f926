"""TLS-PSK with device secrets, as the platform's C SDKs do without certificates (connection.md 2.5).

The handshakes are those of `openssl s_client` and of the mosquitto tools; hostile ones are made by hand.
"""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

import timing
from harness import Device
from rawclient import connect_packet

VECTORS = json.loads((pathlib.Path(__file__).parents[1] / "data" / "sign_vectors.json").read_text())
T01 = next(v for v in VECTORS["vectors"] if v["kind"] == "tls_psk")
SUITE = "PSK-AES128-CBC-SHA"


def identity_of(device, timestamp="2524608000000", method="hmacsha256"):
    return f"devicename|{method}|{device.product_key}&{device.device_name}|{timestamp}"


def key_of(device, timestamp="2524608000000", secret=None):
    content = f"id{device.product_key}&{device.device_name}timestamp{timestamp}"
    return hmac.new((secret or device.device_secret).encode(), content.encode(), hashlib.sha256).hexdigest().upper()


class PskClient:
    """`openssl s_client` with a pre-shared key; bytes in, bytes out."""

    def __init__(self, server, identity, key, *options, cipher=SUITE, version="-tls1_2"):
        command = ["openssl", "s_client", "-connect", f"{server.host}:{server.port}", version, "-cipher", cipher, "-psk_identity",
                   identity, "-psk", key.encode().hex(), "-quiet", "-nocommands", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.timer = threading.Timer(20, self.process.kill)
        self.timer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def exchange(self, data, answer_bytes):
        """Sends and returns what comes back: `answer_bytes` of it, or less at the end of the connection."""
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        got = b""
        while len(got) < answer_bytes and (more := os.read(self.process.stdout.fileno(), answer_bytes - len(got))):
            got += more
        return got

    def failure(self):
        """What s_client says once the handshake has failed."""
        _, errors = self.process.communicate(timeout=20)
        return errors.decode(errors="replace")


def sign_in(client, device):
    return client.exchange(connect_packet(device.client_id(securemode=2), device.username, device.password()), 4)


def test_vector_t01_through_the_server(make_server):
    server = make_server(devices=0, start=False)
    name = T01["identity"].split("|")[2].split("&")
    server.create_product(name[0], None, ())
    device = server.create_device(name[1], T01["sign"]["key"], name[0])
    server.start()
    assert (identity_of(device), key_of(device)) == (T01["identity"], T01["pskAscii"])
    with PskClient(server, T01["identity"], T01["pskAscii"]) as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"
        assert client.exchange(b"\xc0\x00", 2) == b"\xd0\x00"
    with PskClient(server, T01["identity"], T01["pskAscii"]) as client:
        connect = connect_packet(device.client_id(securemode=2), device.username, device.password(), level=5)
        assert client.exchange(connect, 4)[3] == 0, "MQTT 5"
    assert server.wait_status(device, "OFFLINE")


def test_the_connect_inside_is_checked_as_everywhere(server):
    device = server.device()
    with PskClient(server, identity_of(device), key_of(device)) as client:
        wrong = connect_packet(device.client_id(securemode=2), device.username, device.password(secret="another"))
        assert client.exchange(wrong, 5) == b"\x20\x02\x00\x04"


def test_another_device_than_the_identity_is_refused(server):
    device, other = server.device(), server.device()
    start = len(server.log())
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert sign_in(client, other)[:4] == b"\x20\x02\x00\x04"
    server.wait_log("other-psk-identity", other.device_name, start=start)


def test_an_account_is_refused_inside(server):
    device = server.device()
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert client.exchange(connect_packet("x", "backend", "password"), 4) == b"\x20\x02\x00\x04"


def test_a_disabled_device_is_told_by_its_connect(server):
    device = server.device()
    server.device_command("disable", device)
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert sign_in(client, device)[:4] == b"\x20\x02\x00\x05"


def test_wrong_key_and_unknown_identity_look_alike(server):
    device = server.device()
    unknown = Device(device.product_key, "nobody", device.device_secret)
    foreign = Device("a1NoProduct", "nobody", device.device_secret)
    said = []
    for identity, key in ((identity_of(device), key_of(device, secret="another")), (identity_of(unknown), key_of(unknown)),
                          (identity_of(foreign), key_of(foreign)), ("not an identity at all", key_of(device)),
                          (identity_of(device, method="hmacsha512"), key_of(device))):
        with PskClient(server, identity, key) as client:
            said.append([line.split(":", 1)[-1] for line in client.failure().splitlines() if "alert" in line])
    assert said[0] and all(other == said[0] for other in said), said
    server.wait_log("TLS-PSK", "psk-unknown-device", "nobody")
    server.wait_log("TLS-PSK", "psk-wrong-key", device.device_name)
    server.wait_log("TLS-PSK", "psk-identity-form", "not an identity at all")
    assert key_of(device) not in server.log() and device.device_secret not in server.log()


def shake(server, identity, key):
    with PskClient(server, identity, key) as client:
        assert "alert" in client.failure()


def findings(server, device_name, product_key):
    """What the doctor says, once it has looked."""
    deadline = time.monotonic() + 10 * server.slack
    while True:
        answer = server.json("device", "doctor", "--product-key", product_key, "--device-name", device_name)
        found = answer["findings"] or answer["similarRefusals"]
        if found and all(one.get("diagnosis", {}).get("name") != "not-examined" for one in found):
            return found
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def test_a_failed_handshake_stands_in_the_log_of_its_device(server):
    device = server.device()
    for _ in range(3):
        shake(server, identity_of(device), key_of(device, secret="another"))
    found, = findings(server, device.device_name, device.product_key)
    assert (found["action"], found["name"], found["code"], found["count"]) == ("refused", "psk-wrong-key", 6600, 3)
    assert found["transport"] == "tls" and found["address"].startswith("127.0.0.1")
    assert found["diagnosis"]["name"] == "psk-wrong-key"
    assert "cannot be said what was done instead" in found["diagnosis"]["text"]
    assert f"'id{device.product_key}&{device.device_name}timestamp2524608000000'" in found["diagnosis"]["advice"]
    told = server.cli("device", "log", "--product-key", device.product_key, "--device-name", device.device_name).out
    assert "psk-wrong-key" in told and "what to change" in told
    # A key that was hex-decoded once too often, an identity with a method that is none.
    shake(server, identity_of(device, method="hmacsha512"), key_of(device))
    names = [one["diagnosis"]["name"] for one in findings(server, device.device_name, device.product_key)]
    assert names == ["psk-identity-method", "psk-wrong-key"]
    stored = b"".join(path.read_bytes() for path in server.data.glob("journal.db*"))
    for word in (device.device_secret, key_of(device), key_of(device, secret="another")):
        assert word not in server.log() and word.encode() not in stored and word not in told


def test_strangers_handshakes_are_kept_apart(server):
    device = server.device()
    nobody = Device(device.product_key, device.device_name.upper(), device.device_secret)
    swapped = Device(device.device_name, device.product_key, device.device_secret)
    for stranger in (nobody, swapped):
        shake(server, identity_of(stranger), key_of(stranger))
    assert findings(server, nobody.device_name, nobody.product_key)[0]["diagnosis"]["name"] == "device-name-case"
    assert findings(server, swapped.device_name, swapped.product_key)[0]["diagnosis"]["name"] == "psk-names-swapped"
    shake(server, "no identity of anybody", key_of(device))
    listed = server.json("device", "log", "--strangers", "--device-name", "no identity of anybody")
    assert [(one["name"], one["diagnosis"]["name"]) for one in listed] == [("psk-identity-form", "psk-identity-fields")]
    assert server.json("device", "doctor", "--product-key", device.product_key, "--device-name",
                       device.device_name)["findings"] == []


def test_failed_handshakes_are_under_the_back_off(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "3"}, devices=2)
    device, good = server.device(), server.device()
    with PskClient(server, identity_of(good), key_of(good)) as client:
        assert sign_in(client, good) == b"\x20\x02\x00\x00"
    for _ in range(5):
        shake(server, identity_of(device), key_of(device, secret="another"))
    found = findings(server, device.device_name, device.product_key)
    assert {one["name"]: one["count"] for one in found} == {"psk-wrong-key": 3, "rate-limited": 2}
    with server.client("tls") as client:
        assert client.connect(device.client_id(securemode=2), device.username, device.password())[1] == 3, "any door"
    with PskClient(server, identity_of(good), key_of(good)) as client:
        assert sign_in(client, good) == b"\x20\x02\x00\x00"


def test_a_client_that_leaves_in_the_middle_had_no_wrong_key(server):
    device = server.device()
    start = len(server.log())
    peer = after_hello(server)
    peer.sendall(record(22, key_exchange(identity_of(device).encode())))
    peer.close()
    server.wait_log("psk-broken-off", device.device_name, start=start)
    assert server.json("device", "doctor", "--product-key", device.product_key, "--device-name",
                       device.device_name)["findings"] == []


def test_the_key_follows_the_secret(server):
    device = server.device()
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"
    server.device_command("update", device, "--device-secret", "NewSecretOfTheDevice000000000001")
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert "alert" in client.failure()
    device.device_secret = "NewSecretOfTheDevice000000000001"
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"


def test_any_timestamp(server):
    device = server.device()
    with PskClient(server, identity_of(device, "1700000000"), key_of(device, "1700000000")) as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"


def test_a_resumed_session_keeps_the_identity(server, tmp_path):
    device, other = server.device(), server.device()
    ticket = tmp_path / "ticket"
    with PskClient(server, identity_of(device), key_of(device), "-sess_out", ticket) as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"
        client.exchange(b"\xe0\x00", 1)
        client.process.wait(20)
    for who, answer in ((other, 4), (device, 0)):
        # A wrong key shows that nothing is negotiated anew.
        with PskClient(server, "nobody", "00", "-sess_in", ticket) as client:
            assert sign_in(client, who)[:4] == bytes([0x20, 2, 0, answer])


def test_whoever_offers_certificates_too_gets_them(server):
    device = server.device()
    with PskClient(server, identity_of(device), key_of(device), cipher=f"ECDHE-RSA-AES128-GCM-SHA256:{SUITE}") as client:
        assert sign_in(client, device) == b"\x20\x02\x00\x00"
    other = server.device()
    with PskClient(server, "nobody", "00", cipher=f"ECDHE-RSA-AES128-GCM-SHA256:{SUITE}") as client:
        assert sign_in(client, other) == b"\x20\x02\x00\x00"


@pytest.mark.parametrize("settings", [{"tls.psk": "false"}, {"listener.legacy_tls": "false"}], ids=lambda s: next(iter(s)))
def test_not_offered(make_server, settings):
    server = make_server(settings, devices=1)
    device = server.device()
    with PskClient(server, identity_of(device), key_of(device)) as client:
        assert "handshake failure" in client.failure()
    server.sign_in(device, "tls").close()


def test_mosquitto(server):
    device = server.device()
    heard = server.operator(device.topic("user/up"))
    done = subprocess.run(
        ["mosquitto_pub", "-h", server.host, "-p", str(server.port), "--psk", key_of(device).encode().hex(), "--psk-identity",
         identity_of(device), "--ciphers", SUITE, "--tls-version", "tlsv1.2", "-i", device.client_id(securemode=2), "-u",
         device.username, "-P", device.password(), "-t", device.topic("user/up"), "-m", "hello", "-q", "1"],
        capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done
    assert heard.next() == (device.topic("user/up"), "hello")


def test_many_at_once_with_cold_caches(make_server):
    server = make_server(devices=24)
    devices = [server.device() for _ in range(24)]
    clients = [PskClient(server, identity_of(d), key_of(d)) for d in devices]
    try:
        assert [sign_in(c, d) for c, d in zip(clients, devices)] == [b"\x20\x02\x00\x00"] * 24
    finally:
        for client in clients:
            client.__exit__()


# -- made by hand --------------------------------------------------------------------------------------------------------


def record(kind, body):
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def client_hello():
    body = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\x00\x02\x00\x8c" + b"\x01\x00"
    return record(22, b"\x01" + struct.pack(">I", len(body))[1:] + body)


def key_exchange(identity, claimed=None):
    body = struct.pack(">H", len(identity) if claimed is None else claimed) + identity
    return b"\x10" + struct.pack(">I", len(body))[1:] + body


def receive_exactly(peer, size):
    got = b""
    while len(got) < size:
        more = peer.recv(size - len(got))
        assert more, "closed"
        got += more
    return got


def after_hello(server):
    """A connection on which the server has said everything up to ServerHelloDone."""
    peer = socket.create_connection(server.address, timeout=10)
    peer.sendall(client_hello())
    while True:
        kind, _, size = struct.unpack(">BHH", receive_exactly(peer, 5))
        assert kind == 22
        if receive_exactly(peer, size).endswith(b"\x0e\x00\x00\x00"):
            return peer


def closed(peer):
    """Whatever alert comes, the connection ends."""
    try:
        while peer.recv(4096):
            pass
    except ConnectionResetError:
        pass
    peer.close()
    return True


HUGE = key_exchange(b"x" * 65_533)
HOSTILE = {
    "identity of 65,533 bytes": b"".join(record(22, HUGE[at:at + 16_384]) for at in range(0, len(HUGE), 16_384)),
    "identity of 257 bytes": record(22, key_exchange(b"x" * 257)),
    "empty identity": record(22, key_exchange(b"")),
    "length beyond the message": record(22, key_exchange(b"devicename|", 65_535)),
    "length short of the message": record(22, key_exchange(b"devicename|hmacsha256|a&b|1", 3)),
    "record in pieces of a byte": b"".join(record(22, bytes([b])) for b in key_exchange(b"devicename|hmacsha256|a&b|1")),
    "zero byte": record(22, key_exchange(b"devicename|hmacsha256|a&b\0|1")),
    "alert": record(21, b"\x02\x28"),
    "application data": record(23, b"hello"),
    "garbage": b"\xff" * 600,
    "record length of 65,535": b"\x16\x03\x03\xff\xff\x10\x00\x00\x10\x00\x0e" + b"x" * 300,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_key_exchange(server, data):
    peer = after_hello(server)
    with contextlib.suppress(OSError):  # it may be closed before the last byte
        peer.sendall(data + record(20, b"\x01") + record(22, os.urandom(64)))
        peer.shutdown(socket.SHUT_WR)
    assert closed(peer) and server.alive()


def test_an_identity_in_two_halves_waits_for_the_rest(server):
    """Nothing is lost when TCP cuts the message: the look-up begins once the identity is whole."""
    device = server.device()
    peer = after_hello(server)
    data = record(22, key_exchange(identity_of(device).encode()))
    start = len(server.log())
    for part in (data[:3], data[3:20], data[20:]):
        peer.sendall(part)
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)
    peer.sendall(record(20, b"\x01") + record(22, os.urandom(64)))
    peer.settimeout(10)
    assert closed(peer)
    server.wait_log("TLS-PSK", "psk-wrong-key", device.device_name, start=start)


@pytest.mark.alone
def test_identities_cannot_be_told_apart_by_time(server):
    """From the last byte of the client to the alert: a device's key is looked up and computed, a stranger's no less."""
    devices = [server.device() for _ in range(10)]
    bare = [f"bare{i}" for i in range(10)]
    for name in bare:
        server.cli("device", "create", "--product-key", devices[0].product_key, "--device-name", name, "--without-secret")
    rest = record(20, b"\x01") + record(22, os.urandom(64))

    def kind(identity):
        def take(number):
            peer = after_hello(server)
            packet = record(22, key_exchange(identity(number % 10).encode())) + rest
            begun = time.perf_counter()
            peer.sendall(packet)
            answer = peer.recv(7)
            taken = time.perf_counter() - begun
            assert answer == b"\x15\x03\x03\x00\x02\x02\x14", "bad_record_mac"
            assert closed(peer)
            return taken
        return take

    def named(product_key, device_name):
        return f"devicename|hmacsha256|{product_key}&{device_name}|2524608000000"

    timing.assert_alike({
        "wrong key": kind(lambda i: identity_of(devices[i])),
        "the same again": kind(lambda i: identity_of(devices[i])),
        "no such device": kind(lambda i: named(devices[i].product_key, f"nobody{i}")),
        "no such product": kind(lambda i: named(f"a1Nothing{i}", devices[i].device_name)),
        "no secret": kind(lambda i: named(devices[0].product_key, bare[i])),
    }, "wrong key", server.slack)


def test_silence_in_the_middle_ends_in_time(make_server):
    server = make_server({"connect.timeout_ms": "500"}, devices=1)
    peer = after_hello(server)
    peer.sendall(b"\x16\x03")
    assert closed(peer)
