"""One port for everything: what the first bytes decide, before and after TLS (connection.md 2.2 and 2.4)."""

import hmac
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import together
from rawclient import CONNACK, Closed, Silence, connect_packet, read_http_response, upgrade_request

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# What small mbedTLS builds offer. Security level 0 is what lets OpenSSL on this side offer it as well.
LEGACY_CIPHERS = ("AES128-SHA", "AES256-SHA256")
TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server that gives a new connection little time."""
    from harness import Server

    settings = {"connect.timeout_ms": str(int(TIMEOUT_S * 1000)), "connect.close_timeout_ms": "500"}
    found = Server(tmp_path_factory.mktemp("hasty"), settings).seed(20)
    try:
        yield found.start()
        found.stop()
    finally:
        found.discard()


# ---- protocols on one listener ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_mqtt_on_every_transport(server, device, transport):
    with server.sign_in(device, transport) as client:
        assert client.subscribe(device.topic("user/echo")) == [1]
        client.publish(device.topic("user/echo"), b"over " + transport.encode(), qos=1)
        got = client.expect_publish()
        assert (got.topic, got.payload) == (device.topic("user/echo"), b"over " + transport.encode())


def test_ready_line(server):
    assert server.ready["pid"] == server.process.pid
    assert server.ready["listeners"] == [{"address": "127.0.0.1", "port": server.port}]
    assert server.ready["console"].startswith("http")
    assert "BEGIN CERTIFICATE" in pathlib.Path(server.ready["rootCertificate"]).read_text()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("target, status, kind", [
    ("/healthz", 200, None), ("/readyz", 200, None), ("/ca.crt", 200, None), ("/", 200, "text/html"),
    ("/nothing/here", 404, "application/json"), ("/healthz/more", 404, "application/json"),
    ("/%2e%2e/%2e%2e/etc/passwd", 404, "application/json"), ("/?x=1", 200, "text/html")])
def test_http_pages(server, encrypted, target, status, kind):
    answer = server.http(target, tls=server.tls() if encrypted else None)
    assert answer.status == status
    if kind:
        assert answer.header("content-type").startswith(kind)
    if status == 404:
        json.loads(answer.body)
    if target == "/ca.crt":
        assert answer.body.decode() == pathlib.Path(server.root_certificate).read_text()


@pytest.mark.parametrize("method, target", [("GET", "/api/v1/products"), ("GET", "/api/v1/devices:export"),
                                            ("POST", "/api/v1/devices:import"), ("GET", "//api/v1/products")])
@pytest.mark.parametrize("headers", [[], ["X-Forwarded-For: 127.0.0.1"], ["Host: mooring.sock"]])
def test_administration_is_not_on_the_network(server, method, target, headers):
    answer = server.http(target, method, headers=headers, body=b'{"rows":[]}' if method == "POST" else b"")
    assert answer.status in (400, 401, 403, 404)
    assert b"items" not in answer.body and server.pool[0].device_secret.encode() not in answer.body


def test_http_head_has_no_body(server):
    assert server.http("/healthz", "HEAD").status == 200


def test_http_post_of_an_unknown_path(server):
    assert server.http("/nothing", "POST", body=b'{"a":1}').status == 404


def test_http_requests_on_one_connection(server):
    stream = server.stream()
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    stream.send(request)
    assert read_http_response(stream).status == 200
    stream.send(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert read_http_response(stream).status == 404
    stream.wait_closed()


@pytest.mark.parametrize("head", [
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(3000)) + b"\r\n"])
def test_oversize_http_head(server, head):
    stream = server.stream()
    try:
        stream.send(head)
    except Closed:
        pass  # the answer may come before everything was sent
    assert read_http_response(stream).status == 431
    stream.close()


@pytest.mark.parametrize("head", [
    b"GET /healthz\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"])
def test_malformed_http_is_refused_or_closed(server, head):
    stream = server.stream()
    stream.send(head)
    data = stream.wait_closed(timeout=5)
    assert data == b"" or data.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 505")), data[:100]


# ---- first bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [
    b"\x00", b"\x01\x02\x03", b"\x20\x02\x00\x00", b"\x30\x05\x00\x01a12", b"\xc0\x00", b"\xff" * 40,
    b"\x80\x2e\x01\x03\x01", b"SSH-2.0-x\r\n", b"\r\n\r\n", b"get / HTTP/1.1"])
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_other_first_bytes_close_at_once(server, first, encrypted):
    stream = server.stream(server.tls() if encrypted else None)
    start = time.monotonic()
    stream.send(first)
    assert stream.wait_closed(3.0 * server.slack) == b""
    assert time.monotonic() - start < 2.0 * server.slack


def test_tls_inside_tls_is_not_taken_up(server):
    stream = server.stream(server.tls())
    stream.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")
    assert stream.wait_closed() == b""


def test_one_budget_for_all_steps_before_the_sign_in(hasty):
    """Silence and every kind of slowness end when the budget of the whole sign-in is used up."""
    tls = hasty.tls()
    connect = connect_packet(*hasty.device().credentials())
    upgrade, _ = upgrade_request()
    masked_connect = b"\x82" + bytes([0x80 | 126]) + struct.pack(">H", len(connect)) + bytes(4) + connect
    cases = {
        "silence": (None, b"", b""),
        "one byte of a TLS record": (None, b"\x16", b""),
        "TLS record in drops": (None, b"\x16\x03\x01\x02\x00\x01", b"\x00"),
        "silence after TLS": (tls, b"", b""),
        "HTTP head in drops": (None, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"y"),
        "header lines without end": (None, b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
        "CONNECT in drops": (None, connect[:5], connect[5:6]),
        "upgrade and nothing more": (None, upgrade, b""),
        "upgrade and pings": (None, upgrade, b"\x89\x80\x00\x00\x00\x00"),
        "upgrade and half a CONNECT": (None, upgrade + masked_connect[:20], b""),
        "empty frames": (None, upgrade, b"\x82\x80\x00\x00\x00\x00"),
    }

    def attempt(context, first, drop):
        stream = hasty.stream(context)
        start = time.monotonic()
        if first:
            stream.send(first)
        while time.monotonic() - start < TIMEOUT_S + 4 * hasty.slack:
            try:
                stream.receive(0.1)
            except Silence:
                pass
            except Closed:
                return time.monotonic() - start
            try:
                if drop:
                    stream.send(drop)
            except (Closed, OSError):
                return time.monotonic() - start
        return None

    took = together(*[lambda c=case: attempt(*c) for case in cases.values()])
    for name, seconds in zip(cases, took):
        assert seconds is not None, f"{name}: still open"
        assert seconds < TIMEOUT_S + 2.5 * hasty.slack, f"{name}: {seconds:.1f} s"
    assert min(took) > TIMEOUT_S * 0.6, f"closed too early: {dict(zip(cases, took))}"
    hasty.sign_in(hasty.device()).close()


def test_signed_in_connections_outlive_the_budget(hasty):
    clients = [hasty.sign_in(hasty.device(), transport) for transport in ("tcp", "tls", "ws", "wss")]
    time.sleep(TIMEOUT_S + 0.7)
    for client in clients:
        client.ping()
        client.close()


# ---- TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_tls_versions(server, version):
    stream = server.stream(server.tls(version, version))
    assert stream.socket.version() == ("TLSv1.2" if version == TLS12 else "TLSv1.3")
    stream.close()


def test_old_tls_versions_are_refused(server):
    context = server.tls(verify=False, ciphers="DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        server.stream(context)


@pytest.mark.parametrize("cipher", LEGACY_CIPHERS)
def test_rsa_key_exchange_of_old_firmware(server, device, cipher):
    """No SNI, no ALPN, one CBC suite with RSA key exchange: a whole conversation, beside TLS 1.3 on the same port."""
    context = server.tls(TLS12, TLS12, f"{cipher}:@SECLEVEL=0")
    context.check_hostname = False
    with server.client("tls", tls=context, server_name=None) as client:
        assert client.stream.socket.cipher()[0] == cipher
        assert client.connect(*device.credentials(securemode=2)) == (0, 0)
        client.subscribe(device.topic("user/echo"))
        client.publish(device.topic("user/echo"), "old", qos=1)
        assert client.expect_publish().payload == b"old"


@pytest.mark.parametrize("cipher", LEGACY_CIPHERS)
def test_openssl_client_without_server_name(server, cipher):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-noservername", "-tls1_2", "-cipher",
         f"{cipher}:@SECLEVEL=0", "-CAfile", server.root_certificate, "-verify_return_error"],
        input=b"", capture_output=True, timeout=20)
    out = done.stdout.decode(errors="replace")
    assert f"Cipher is {cipher}" in out and "Verify return code: 0 (ok)" in out, out + done.stderr.decode()


def test_old_suites_with_a_server_name(server):
    """The C SDKs send the host name they connect to, also those whose TLS library knows nothing newer."""
    context = server.tls(TLS12, TLS12, "AES128-SHA:@SECLEVEL=0", verify=False)
    server.stream(context, server_name="localhost").close()


def test_old_suites_can_be_switched_off(make_server):
    server = make_server({"listener.legacy_tls": "false"}, devices=0)
    context = server.tls(TLS12, TLS12, "AES128-SHA:@SECLEVEL=0", verify=False)
    with pytest.raises((ssl.SSLError, OSError)):
        server.stream(context, server_name=None)
    server.stream(server.tls()).close()


@pytest.mark.parametrize("suite, algorithm", [("ECDHE-RSA-AES128-GCM-SHA256", "rsaEncryption"),
                                              ("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey"),
                                              ("ECDHE-RSA-AES128-SHA", "rsaEncryption")])
def test_certificate_follows_what_the_client_can_use(server, suite, algorithm):
    stream = server.stream(server.tls(TLS12, TLS12, f"{suite}:@SECLEVEL=0"))
    certificate = describe_certificate(stream.socket.getpeercert(binary_form=True))
    stream.close()
    assert f"Public Key Algorithm: {algorithm}" in certificate
    if algorithm == "rsaEncryption":
        assert "Signature Algorithm: sha256WithRSAEncryption" in certificate


def describe_certificate(der):
    return subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-text"], input=der, capture_output=True,
                          check=True).stdout.decode()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_certificate_names_this_machine(server, name):
    server.stream(server.tls(), server_name=name).close()


def test_certificate_names_can_be_set(make_server):
    server = make_server({"tls.names": '["iot.example.com", "192.0.2.7"]'}, devices=0)
    for name in ("iot.example.com", "192.0.2.7"):
        server.stream(server.tls(), server_name=name).close()


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_session_resumption(server, version):
    context = server.tls(version, version)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    first = server.stream(context)
    first.send(request)
    assert read_http_response(first).status == 200  # TLS 1.3 tickets arrive with the first data
    assert not first.socket.session_reused
    session = first.socket.session
    first.close()
    second = server.stream(context, session=session)
    assert second.socket.session_reused
    second.send(request)
    assert read_http_response(second).status == 200
    second.close()


def test_openssl_client_resumes(server, tmp_path):
    def run(*words):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-CAfile",
             server.root_certificate, *words], input=b"", capture_output=True, timeout=20)
        return done.stdout.decode(errors="replace")

    ticket = str(tmp_path / "session")
    assert "New, TLSv1.2" in run("-sess_out", ticket)
    assert "Reused, TLSv1.2" in run("-sess_in", ticket)


def test_tls_required_and_off(make_server):
    required = make_server({"listener.tls": "required"})
    device = required.device()
    with pytest.raises(AssertionError):
        required.sign_in(device)
    required.sign_in(device, "tls").close()
    off = make_server({"listener.tls": "off"}, devices=0)
    with pytest.raises((ssl.SSLError, OSError)):
        off.stream(off.tls())
    assert off.http("/healthz").status == 200


def test_plain_port_of_a_tls_connection_in_small_pieces(server, device):
    """A ClientHello and records that come byte by byte, through a memory BIO."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    stream = server.stream()

    def flush():
        for byte in outgoing.read():
            stream.send(bytes([byte]))

    def until_done(action):
        while True:
            try:
                result = action()
                flush()
                return result
            except ssl.SSLWantReadError:
                flush()
                incoming.write(stream.receive(10))

    until_done(tls.do_handshake)
    until_done(lambda: tls.write(connect_packet(*device.credentials(securemode=2))))
    assert until_done(lambda: tls.read(100)) == b"\x20\x02\x00\x00"
    stream.close()


# ---- listeners -------------------------------------------------------------------------------------------------------


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_several_listeners(make_server):
    addresses = ["127.0.0.1:0", "127.0.0.1:0"] + (["[::1]:0"] if has_ipv6() else [])
    server = make_server(listen=addresses)
    assert len(server.listeners) == len(addresses)
    assert len(set(server.listeners)) == len(addresses)
    device = server.device()
    for address in server.listeners:
        assert server.http("/healthz", address=address).status == 200
        for transport in ("tcp", "ws", "wss"):
            server.sign_in(device, transport, address=address).close()


def test_listeners_of_a_file(make_server, tmp_path):
    config = tmp_path / "two.toml"
    config.write_text('[[listener]]\naddress = "127.0.0.1:0"\n\n'
                      '[[listener]]\naddress = "127.0.0.1:0"\ntls = "required"\n')
    server = make_server(listen=(), config=config)
    plain, encrypted = server.listeners
    assert server.http("/healthz", address=plain).status == 200
    assert server.http("/healthz", address=encrypted, tls=server.tls()).status == 200
    with pytest.raises(AssertionError):
        server.http("/healthz", address=encrypted)


# ---- PROXY protocol --------------------------------------------------------------------------------------------------

V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_v2(source, port):
    body = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", port, 443)
    return V2_SIGNATURE + b"\x21\x11" + struct.pack(">H", len(body)) + body


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory):
    from harness import Server

    settings = {"listener.proxy_protocol": "true", "listener.trusted_proxies": '["127.0.0.1"]'}
    found = Server(tmp_path_factory.mktemp("proxy"), settings).seed(20)
    try:
        yield found.start()
        for extra in found.extra:
            extra.end()
        found.stop()
    finally:
        found.discard()


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
@pytest.mark.parametrize("version", [1, 2])
def test_proxy_header_carries_the_address(behind_proxy, version, transport):
    server = behind_proxy
    device = server.device()
    watcher = server.operator(f"/as/mqtt/status/{device.product_key}/{device.device_name}")
    source = f"203.0.113.{version}"
    header = f"PROXY TCP4 {source} 127.0.0.1 56324 443\r\n".encode() if version == 1 else proxy_v2(source, 56324)
    with server.sign_in(device, transport, before_tls=header):
        assert watcher.next_json()[1]["clientIp"] == source
    watcher.end()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2_SIGNATURE + b"\x20\x00\x00\x00"], ids=["v1", "v2"])
def test_proxy_header_without_an_address(behind_proxy, header):
    """UNKNOWN and LOCAL: what the proxy's own health checks send."""
    behind_proxy.sign_in(behind_proxy.device(), before_tls=header).close()


def test_proxy_header_in_pieces(behind_proxy):
    stream = behind_proxy.stream()
    for byte in b"PROXY TCP4 203.0.113.9 127.0.0.1 1 443\r\n":
        stream.send(bytes([byte]))
    stream.send(connect_packet(*behind_proxy.device().credentials()))
    assert stream.receive_exactly(4)[0] >> 4 == CONNACK
    stream.close()


@pytest.mark.parametrize("first", [
    b"PROXY TCP4 203.0.113.9\r\n", b"PROXY TCP4 203.0.113.999 127.0.0.1 1 2\r\n", b"PROXY " + b"x" * 200,
    V2_SIGNATURE + b"\x41\x11\x00\x0c" + bytes(12), V2_SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_without_a_good_proxy_header_nothing_is_served(behind_proxy, first):
    stream = behind_proxy.stream()
    stream.send(first)
    assert stream.wait_closed() == b""


def test_a_proxied_request_is_not_one_of_this_machine(behind_proxy):
    token = behind_proxy.json("token", "create", "proxied", "--role", "viewer")["token"]
    request = f"GET /api/v1/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    for header in (b"PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\n", b"PROXY UNKNOWN\r\n"):
        stream = behind_proxy.stream()
        stream.send(header + request)
        answer = read_http_response(stream)
        assert answer.status == 403 and json.loads(answer.body)["error"]["code"] == "tls_required"
        stream.close()


# ---- HTTP proxies ----------------------------------------------------------------------------------------------------


def test_an_http_proxy_tells_whose_request_it_is(make_server):
    trusting = make_server({"listener.trusted_proxies": '["127.0.0.1"]'}, devices=1)
    token = trusting.json("token", "create", "t", "--role", "viewer")["token"]

    def ask(server, client, given, *more):
        headers = [f"Authorization: Bearer {given}", *more, *([f"X-Forwarded-For: 6.6.6.6, {client}"] if client else [])]
        return server.http("/api/v1/products", headers=headers).status

    https = "X-Forwarded-Proto: https"
    assert ask(trusting, None, token) == 200, "of this machine"
    assert ask(trusting, "127.0.0.1", token) == 403, "a forwarded one is not"
    assert ask(trusting, "203.0.113.1", token, https) == 200
    # Each client behind the proxy has its own back-off.
    assert [ask(trusting, "203.0.113.1", "wrong", https) for _ in range(21)] == [401] * 20 + [429]
    assert ask(trusting, "203.0.113.2", "wrong", https) == 401
    trusting.wait_log("request from 203.0.113.2 refused")
    # Who is no trusted proxy is not believed, and yet no request of this machine.
    plain = make_server(devices=1)
    token = plain.json("token", "create", "t", "--role", "viewer")["token"]
    assert ask(plain, "203.0.113.1", token, https) == 403
    assert ask(plain, None, token, "Via: 1.1 proxy") == 403


def test_an_http_proxy_counts_for_devices_too(make_server):
    server = make_server({"listener.trusted_proxies": '["127.0.0.1"]', "limits.refusals_per_address_per_minute": "3"}, devices=2)
    bad, good = server.device(), server.device()

    def login(device, client, secret=None):
        content = f"clientIdcdeviceName{device.device_name}productKey{device.product_key}"
        mac = hmac.new((secret or device.device_secret).encode(), content.encode(), "md5").hexdigest()
        body = json.dumps({"productKey": device.product_key, "deviceName": device.device_name, "clientId": "c",
                           "signmethod": "hmacmd5", "sign": mac}).encode()
        headers = ["Content-Type: application/json", f"X-Forwarded-For: {client}", "X-Forwarded-Proto: https"]
        return json.loads(server.http("/auth", "POST", headers=headers, body=body).body)["code"]

    assert [login(bad, "203.0.113.1", "wrong") for _ in range(4)] == [20000] * 3 + [40000]
    assert login(bad, "203.0.113.2") == 0 and login(good, "203.0.113.1") == 0
    with server.client("ws", ws={"headers": ["X-Forwarded-For: 203.0.113.1"]}) as client:
        assert client.connect(*bad.credentials())[1] == 3
    with server.client("ws", ws={"headers": ["X-Forwarded-For: 203.0.113.2"]}) as client:
        assert client.connect(*bad.credentials())[1] == 0
