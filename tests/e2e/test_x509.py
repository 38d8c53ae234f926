"""Sign-in with client certificates (connection.md 4.5 row 4, 11 "X.509"): Python's ssl, openssl s_client and mosquitto_pub
against private authorities that are made for the purpose."""

import json
import pathlib
import ssl
import subprocess
import time

import pytest

from authority import Authority
from harness import Device, run_program
from rawclient import CONNACK, PUBLISH, connect_packet

VECTORS = json.loads((pathlib.Path(__file__).parents[1] / "data" / "sign_vectors.json").read_text())
CLIENT_ID = "x1|securemode=2,signmethod=hmacsha256|"
WHO_ID = ".|securemode=2,signmethod=hmacsha256|"
X509_PRODUCT = "a1X509Prd01"
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def x509(server, ca):
    """The shared server with one authority and a product whose devices sign in with certificates."""
    server.cli("authority", "add", ca.file)
    server.cli("product", "create", "--product-key", X509_PRODUCT, "--auth-type", "x509")
    server.wait_log("1 private authorities are in use")
    return server


def bind(server, device, certificate):
    return server.device_command("bind-certificate", device, certificate)


@pytest.fixture
def bound(x509, ca, request):
    """A device without a secret, and the certificate that is bound to it."""
    device = new_device(x509, request.node.name)
    certificate = ca.device(device.device_name)
    bind(x509, device, certificate.file)
    return device, certificate


def new_device(server, name, product_key=X509_PRODUCT):
    name = "".join(c if c.isalnum() else "-" for c in name)[-40:]
    server.cli("device", "create", "--product-key", product_key, "--device-name", name)
    return Device(product_key, name, "")


def tls(server, certificate=None, version=None):
    context = server.tls(version, version)
    return certificate.load_into(context) if certificate else context


def attempt(server, certificate, username, transport="tls", client_id=CLIENT_ID, password="", level=4, version=None, **options):
    """The CONNACK code of a sign-in with an empty password."""
    with server.client(transport, tls=tls(server, certificate, version), **options) as client:
        client.send(connect_packet(client_id, username, password, level=level))
        return client.expect(CONNACK).raw[3]


def who(server, certificate, **options):
    """What a device is told about itself: topic and payload of the message that follows CONNACK."""
    with server.client("tls", tls=tls(server, certificate, **options)) as client:
        client.send(connect_packet(WHO_ID, "&", ""))
        assert client.expect(CONNACK).raw[3] == 0
        message = client.expect_publish()
        assert message.raw[0] & 0x0F == 0, "QoS 0, not retained"
        return message.topic, message.payload


# -- what must work ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("transport", ["tls", "wss"])
def test_a_bound_certificate_signs_in(x509, bound, version, transport):
    device, certificate = bound
    with x509.client(transport, tls=tls(x509, certificate, version)) as client:
        assert client.connect(CLIENT_ID, device.username, "")[1] == 0
        assert client.ping() < 5
    shown = x509.show(device)
    assert shown["status"] == "ONLINE" or x509.wait_status(device, "OFFLINE")
    assert [c["fingerprint"] for c in shown["certificates"]] == [certificate.fingerprint]
    assert shown["certificates"][0]["notAfter"].startswith(time.strftime("%Y", time.gmtime(time.time() + 364 * 86400)))


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_who_asks_is_told_its_names(x509, bound, version):
    device, certificate = bound
    topic, payload = who(x509, certificate, version=version)
    assert topic == "/ext/auth/identity/response"
    assert payload.decode() == f'{{"productKey":"{device.product_key}","deviceName":"{device.device_name}"}}'
    assert x509.show(device)["status"] == "UNACTIVE", "asking is no activation"
    assert attempt(x509, certificate, device.username) == 0


def test_who_asks_may_do_nothing_else(x509, bound):
    _, certificate = bound
    for version in (4, 5):
        with x509.client("tls", tls=tls(x509, certificate)) as client:
            client.send(connect_packet(WHO_ID, "&", "", level=version))
            client.expect(CONNACK)
            client.expect(PUBLISH)
            assert client.ping() < 5
            client.send(b"\x82\x08\x00\x01\x00\x03a/b\x01" if version == 4 else b"\x82\x09\x00\x01\x00\x00\x03a/b\x01")
            client.wait_closed()


def test_who_asks_may_leave_politely(x509, bound):
    _, certificate = bound
    with x509.client("tls", tls=tls(x509, certificate)) as client:
        client.send(connect_packet(WHO_ID, "&", ""))
        client.expect(CONNACK)
        client.expect(PUBLISH)
        client.disconnect()
        assert client.wait_closed() == []


def test_who_asks_and_stays_is_sent_away(x509, bound):
    _, certificate = bound
    with x509.client("tls", tls=tls(x509, certificate)) as client:
        client.send(connect_packet(WHO_ID, "&", ""))
        client.expect(CONNACK)
        client.expect(PUBLISH)
        started = time.monotonic()
        client.wait_closed(18 * x509.slack)
        assert time.monotonic() - started > 13


def test_mqtt5(x509, bound):
    device, certificate = bound
    with x509.client("tls", tls=tls(x509, certificate)) as client:
        client.send(connect_packet(WHO_ID, "&", "", level=5))
        assert client.expect(CONNACK).raw[3] == 0
        assert client.expect(PUBLISH).raw.endswith(f'"deviceName":"{device.device_name}"}}'.encode())
    assert attempt(x509, certificate, device.username, level=5, client_id="") == 0
    refused(x509, certificate, "stranger&nobody", "certificate-of-other-device", code=0x86, level=5)


def test_bound_by_fingerprint_and_described_at_the_first_sign_in(x509, ca):
    device = new_device(x509, "by-fingerprint")
    certificate = ca.device("whatever")
    colons = ":".join(certificate.fingerprint[i:i + 2] for i in range(0, 64, 2)).upper()
    bind(x509, device, colons)
    assert x509.show(device)["certificates"][0]["notAfter"] is None
    assert attempt(x509, certificate, device.username) == 0
    deadline = time.monotonic() + 5
    while (found := x509.show(device)["certificates"][0])["notAfter"] is None:
        assert time.monotonic() < deadline
    assert found["subject"] == "CN = whatever"


def test_a_device_with_a_secret_may_have_a_certificate_too(x509, ca):
    device = x509.device()
    certificate = ca.device("has-both")
    bind(x509, device, certificate.file)
    assert attempt(x509, certificate, device.username) == 0
    x509.sign_in(device, "tls").close()


def test_vectors_p40_and_n29(make_server, ca):
    server = make_server(devices=0, start=False)
    server.create_product("a1ExampleK1", None, ())
    device = server.create_device("x509dev", None, "a1ExampleK1")
    certificate = ca.device("x509dev")
    server.cli("authority", "add", ca.file)
    bind(server, device, certificate.file)
    server.start()
    for vector in VECTORS["vectors"]:
        if vector["id"] not in ("p40-x509", "n29-x509-no-certificate"):
            continue
        connect = vector["connect"]
        shown = certificate if "clientCertificate" in vector else None
        for level, wanted in ((4, vector["expect"]["connackV3"]), (5, vector["expect"]["reasonV5"])):
            assert attempt(server, shown, connect["username"], client_id=connect["clientId"], password=connect["password"],
                           level=level) == wanted, (vector["id"], level)


def test_an_intermediate_authority(x509, ca, tmp_path):
    middle = Authority(tmp_path / "middle", "middle", parent=ca)
    device = new_device(x509, "below-the-middle")
    certificate = middle.device("below")
    bind(x509, device, certificate.file)
    assert attempt(x509, certificate, device.username) == 0
    certificate.chain = certificate.file
    assert attempt(x509, certificate, device.username) == 4, "the intermediate is missing"


def test_rsa(x509, ca):
    device = new_device(x509, "rsa")
    certificate = ca.device("rsa", key="2048")
    bind(x509, device, certificate.file)
    for version in (TLS12, TLS13):
        assert attempt(x509, certificate, device.username, version=version) == 0


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_a_resumed_session_keeps_the_certificate(x509, ca, bound, version):
    device, certificate = bound
    context = tls(x509, certificate, version)
    with x509.client("tls", tls=context) as client:
        assert client.connect(CLIENT_ID, device.username, "")[1] == 0
        session = client.stream.socket.session
    with x509.client("tls", tls=context, session=session) as client:
        assert client.stream.socket.session_reused
        assert client.connect(CLIENT_ID, device.username, "")[1] == 0
    x509.cli("authority", "revoke", certificate.file)
    with x509.client("tls", tls=context, session=session) as client:
        assert client.stream.socket.session_reused
        assert client.connect(CLIENT_ID, device.username, "")[1] == 4, "revocation is looked up at each sign-in"


def test_mosquitto(x509, bound):
    device, certificate = bound
    heard = x509.operator(device.topic("user/update"))
    done = subprocess.run(
        ["mosquitto_pub", "-h", "localhost", "-p", str(x509.port), "--cafile", x509.root_certificate, "--cert",
         certificate.file, "--key", certificate.key, "-i", CLIENT_ID, "-u", device.username, "-P", "", "-t",
         device.topic("user/update"), "-m", "hello", "-q", "1"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done
    assert heard.next() == (device.topic("user/update"), "hello")


# -- what must be refused ------------------------------------------------------------------------------------------------


def refused(server, certificate, username, word, code=4, **options):
    start = len(server.log())
    assert attempt(server, certificate, username, **options) == code
    server.wait_log("CONNECT refused", word, start=start)


def test_without_a_certificate(x509, bound):
    device, _ = bound
    refused(x509, None, device.username, "certificate-missing")
    refused(x509, None, "&", "certificate-missing", client_id=WHO_ID)


def test_a_plain_connection_has_no_certificate(x509, bound):
    device, _ = bound
    for username in (device.username, "&"):
        with x509.client("tcp") as client:
            assert client.connect(CLIENT_ID, username, "")[1] == 4


def test_the_certificate_of_another_device(x509, bound):
    _, certificate = bound
    other = new_device(x509, "another")
    refused(x509, certificate, other.username, "certificate-of-other-device")
    refused(x509, certificate, "nobody&" + X509_PRODUCT, "certificate-of-other-device")


def test_a_certificate_that_is_bound_to_nobody(x509, ca):
    stranger = ca.device("stranger")
    refused(x509, stranger, "&", "certificate-unbound", client_id=WHO_ID)
    refused(x509, stranger, "stranger&" + X509_PRODUCT, "certificate-unbound")


def test_a_signature_in_a_product_with_certificates(x509, bound):
    device, certificate = bound
    refused(x509, certificate, device.username, "certificate-required", password="00" * 32)


def test_a_user_name_of_only_an_ampersand_with_a_password(x509, bound):
    refused(x509, bound[1], "&", "user-name-form", client_id=WHO_ID, password="x")
    refused(x509, bound[1], "&", "user-name-form", client_id=".|securemode=2,authType=register,random=1|")


def test_a_disabled_device(x509, bound):
    device, certificate = bound
    x509.device_command("disable", device)
    refused(x509, certificate, device.username, "device-disabled", code=5)
    refused(x509, certificate, "&", "device-disabled", code=5, client_id=WHO_ID)


def test_id2_is_refused_and_said_in_the_log(x509):
    device = x509.device()
    for extra in ("securemode=8,authtype=id2", "securemode=2,authtype=id2", "securemode=8"):
        refused(x509, None, device.username, "ID2", client_id=f"c1|{extra},signmethod=hmacsha256|", password="00" * 32)


def test_expired_and_not_yet_valid(x509, ca):
    device = new_device(x509, "dated")
    old = ca.device("old", not_before="20200101000000Z", not_after="20210101000000Z")
    early = ca.device("early", not_before="20700101000000Z", not_after="20710101000000Z")
    for certificate, word in ((old, "certificate-expired"), (early, "certificate-not-yet-valid")):
        bind(x509, device, certificate.file)
        for version in (TLS12, TLS13):
            refused(x509, certificate, device.username, word, version=version)


def test_foreign_and_forged_certificates(x509, ca, tmp_path, bound):
    device, _ = bound
    foreign = Authority(tmp_path / "foreign", "foreign")
    twin = Authority(tmp_path / "twin", "ca")
    assert twin.fingerprint != ca.fingerprint
    for number, authority in enumerate((foreign, twin)):
        certificate = authority.device(f"forged{number}")
        bind(x509, device, certificate.file)
        for version in (TLS12, TLS13):
            refused(x509, certificate, device.username, "certificate-untrusted", version=version)
    # Signed by itself, under the name of the authority.
    alone = Authority(tmp_path / "alone", "alone", subject="/CN=ca/O=Tests")
    refused(x509, alone, "&", "certificate-untrusted", client_id=WHO_ID)
    # The authority's own certificate is no device's.
    refused(x509, ca, "&", "certificate-untrusted", client_id=WHO_ID)
    # Issued by a device.
    refused(x509, bound_below(bound[1], ca, tmp_path), "&", "certificate-untrusted", client_id=WHO_ID)


def bound_below(certificate, ca, folder):
    """A certificate that a device signed with its own key."""
    forger = Authority(folder / "forger", "forger")
    forger.file, forger.key, forger.parent = certificate.file, certificate.key, ca
    return forger.device("below-a-device")


def test_a_certificate_for_servers_only(x509, ca):
    refused(x509, ca.device("web", kind="server"), "&", "certificate-untrusted", client_id=WHO_ID)


def test_without_the_key_the_handshake_fails(x509, ca, bound):
    """Whoever has only the certificate does not get as far as CONNECT."""
    _, certificate = bound
    other = ca.device("thief")
    command = ["openssl", "s_client", "-connect", f"{x509.host}:{x509.port}", "-cert", str(certificate.file), "-key",
               str(other.key)]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("subject", ["/CN=a&b", "/CN=pk\\/dn", "/CN=J\u00fcrgen \u5e2d", "/CN=" + "x" * 64, "/O=no common name",
                                     "/CN=one/CN=two", "/CN=..\\/..\\/etc", "/CN=a|b,c"])
def test_strange_subjects(x509, ca, subject):
    """They are no device names, so first use never makes a device of them; bound explicitly they are as good as any."""
    certificate = ca.device("strange", subject=subject, utf8=True)
    refused(x509, certificate, "&", "certificate-unbound", client_id=WHO_ID)
    device = new_device(x509, f"strange-{certificate.fingerprint[:20]}")
    bind(x509, device, certificate.file)
    assert attempt(x509, certificate, device.username) == 0


def test_an_oversized_chain(x509, ca, bound):
    device, certificate = bound
    huge = ca.device("huge", kind="huge")
    for version in (TLS12, TLS13):
        with pytest.raises((AssertionError, OSError)):
            attempt(x509, huge, "&", client_id=WHO_ID, version=version)
    x509.wait_log("TLS handshake failed", "excessive message size")
    assert attempt(x509, certificate, device.username) == 0


def test_many_certificates_in_a_chain(x509, ca, tmp_path):
    """The number between device and authority is bounded; what is not part of the chain is ignored."""
    parent = ca
    for depth in range(5):
        parent = Authority(tmp_path / str(depth), f"level{depth}", parent=parent)
    certificate = parent.device("deep")
    links, one = [certificate.file.read_bytes()], parent
    while one is not ca:
        links.append(one.file.read_bytes())
        one = one.parent
    certificate.chain = tmp_path / "deep.pem"
    certificate.chain.write_bytes(b"".join(links))
    refused(x509, certificate, "&", "certificate-untrusted", client_id=WHO_ID)


# -- revocation ----------------------------------------------------------------------------------------------------------


def test_revoking_disconnects_and_can_be_taken_back(x509, bound):
    device, certificate = bound
    with x509.client("tls", tls=tls(x509, certificate)) as client:
        assert client.connect(CLIENT_ID, device.username, "")[1] == 0
        x509.cli("authority", "revoke", certificate.fingerprint)
        client.wait_closed()
    refused(x509, certificate, device.username, "certificate-revoked")
    refused(x509, certificate, "&", "certificate-revoked", client_id=WHO_ID)
    x509.cli("authority", "reinstate", certificate.file)
    assert attempt(x509, certificate, device.username) == 0


def test_revoked_by_serial_number(x509, ca, bound):
    device, certificate = bound
    x509.cli("authority", "revoke", "--authority", ca.file, "--serial", certificate.serial)
    refused(x509, certificate, device.username, "certificate-revoked")


def test_unbinding_disconnects(x509, bound):
    device, certificate = bound
    with x509.client("tls", tls=tls(x509, certificate)) as client:
        assert client.connect(CLIENT_ID, device.username, "")[1] == 0
        x509.device_command("unbind-certificate", device, certificate.file)
        client.wait_closed()
    refused(x509, certificate, device.username, "certificate-unbound")


def test_unbound_stays_unbound_at_first_use(make_server, tmp_path):
    ca = Authority(tmp_path / "ca")
    server = make_server(devices=0)
    first_use_server(server, ca)
    certificate = ca.device("born")
    device = Device(X509_PRODUCT, "born", "")
    assert attempt(server, certificate, device.username) == 0, "made at its first use"
    server.device_command("unbind-certificate", device, certificate.file)
    refused(server, certificate, device.username, "certificate-unbound")
    refused(server, certificate, "&", "certificate-unbound", client_id=WHO_ID)
    bind(server, device, certificate.file)
    assert attempt(server, certificate, device.username) == 0


def first_use_server(server, ca):
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509", "--first-use", "create"))
    server.cli("authority", "add", ca.file, "--product-key", X509_PRODUCT)
    server.wait_log("1 private authorities are in use")


def test_revoking_an_intermediate_disconnects_those_below(make_server, tmp_path):
    ca = Authority(tmp_path / "ca")
    middles = [Authority(tmp_path / name, name, parent=ca) for name in ("first", "second")]
    server = make_server(devices=0)
    first_use_server(server, ca)
    clients = []
    for certificate in [middle.device(f"below-{middle.file.stem}") for middle in middles] + [ca.device("direct")]:
        clients.append(server.client("tls", tls=tls(server, certificate)))
        assert clients[-1].connect(CLIENT_ID, f"{certificate.file.stem}&{X509_PRODUCT}", "")[1] == 0
    first, second, direct = clients
    server.cli("authority", "revoke", middles[0].fingerprint)
    first.wait_closed()
    second.ping()
    server.cli("authority", "revoke", "--authority", ca.file, "--serial", middles[1].serial)
    second.wait_closed()
    direct.ping()
    direct.close()


def test_a_long_revocation_list_over_https(make_server, tmp_path):
    ca = Authority(tmp_path / "ca")
    server = make_server(devices=0)
    server.cli("authority", "add", ca.file)
    ca.revocation_list()  # makes the folder of `openssl ca`
    revoked = "".join(f"R\t400101000000Z\t260101000000Z\t{0x100000 + n:06X}\tunknown\t/CN=d{n}\n" for n in range(12_000))
    (ca.folder / "index.txt").write_text(revoked)
    crl = ca.revocation_list()
    assert crl.stat().st_size > 300_000, "over the bound of other requests"
    token = server.json("token", "create", "lists", "--role", "operator")["token"]
    words = ["--server", f"https://localhost:{server.port}", "--token", token, "--cafile", server.root_certificate]
    shown = run_program("authority", "import-crl", ca.fingerprint, crl, *words, "--json").json()
    assert shown["revokedSerials"] == 12_000
    assert server.json("authority", "import-crl", ca.fingerprint, crl)["revokedSerials"] == 12_000


def test_a_revocation_list(make_server, tmp_path):
    ca = Authority(tmp_path / "ca")
    middle = Authority(tmp_path / "middle", "middle", parent=ca)
    server = make_server(devices=0)
    server.cli("authority", "add", ca.file)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509"))
    good, bad, below = ca.device("good"), ca.device("bad"), middle.device("below")
    devices = [new_device(server, name) for name in ("good", "bad", "below")]
    for device, certificate in zip(devices, (good, bad, below)):
        bind(server, device, certificate.file)
        assert attempt(server, certificate, device.username) == 0
    with server.client("tls", tls=tls(server, bad)) as client:
        assert client.connect(CLIENT_ID, devices[1].username, "")[1] == 0
        shown = server.json("authority", "import-crl", ca.fingerprint, ca.revocation_list(bad, middle))
        assert shown["revokedSerials"] == 2 and shown["revocationList"]["next"]
        client.wait_closed()
    assert attempt(server, good, devices[0].username) == 0
    refused(server, bad, devices[1].username, "certificate-revoked")
    refused(server, below, devices[2].username, "certificate-revoked")
    # Not of this authority; not a list at all.
    other = Authority(tmp_path / "other", "ca")
    for wrong in (other.revocation_list(), good.file):
        assert server.cli("authority", "import-crl", ca.file, wrong, check=False).status != 0


# -- first use -----------------------------------------------------------------------------------------------------------


def test_first_use(make_server, tmp_path):
    general, special = Authority(tmp_path / "general", "general"), Authority(tmp_path / "special", "special")
    server = make_server(devices=0)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509"))
    server.cli("authority", "add", general.file)
    server.cli("authority", "add", special.file, "--product-key", X509_PRODUCT)
    server.wait_log("2 private authorities are in use")
    new_device(server, "known")
    first = general.device("first", subject=f"/CN=known/OU={X509_PRODUCT}")
    refused(server, first, "&", "certificate-unbound", client_id=WHO_ID)  # off

    server.cli("product", "update", "--product-key", X509_PRODUCT, "--first-use", "existing")
    refused(server, general.device("nobody", subject=f"/CN=nobody/OU={X509_PRODUCT}"), "&", "certificate-unbound",
            client_id=WHO_ID)
    refused(server, general.device("no-product", subject="/CN=known"), "&", "certificate-unbound", client_id=WHO_ID)
    refused(server, first, "other&" + X509_PRODUCT, "certificate-unbound")
    assert json.loads(who(server, first)[1]) == {"productKey": X509_PRODUCT, "deviceName": "known"}
    assert attempt(server, first, "known&" + X509_PRODUCT) == 0
    shown = server.json("device", "show", "--product-key", X509_PRODUCT, "--device-name", "known")
    assert [c["firstUse"] for c in shown["certificates"]] == [True]
    # Another certificate with the same subject does not take the device over.
    second = general.device("second", subject=f"/CN=known/OU={X509_PRODUCT}")
    refused(server, second, "&", "certificate-unbound", client_id=WHO_ID)

    server.cli("product", "update", "--product-key", X509_PRODUCT, "--first-use", "create")
    # The device need not ask first.
    assert attempt(server, special.device("fresh"), "fresh&" + X509_PRODUCT) == 0
    assert server.json("product", "show", "--product-key", X509_PRODUCT)["deviceCount"] == 2
    old = special.device("late", not_before="20200101000000Z", not_after="20210101000000Z")
    refused(server, old, "&", "certificate-expired", client_id=WHO_ID)
    assert server.json("product", "show", "--product-key", X509_PRODUCT)["deviceCount"] == 2, "nothing was made"


# -- authorities ---------------------------------------------------------------------------------------------------------


def asked(server, address=None):
    """Whether the server asks a TLS client for a certificate, and for which authorities."""
    command = ["openssl", "s_client", "-connect", "{}:{}".format(*(address or server.address)), "-tls1_2"]
    text = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False).stdout.decode()
    if "No client certificate CA names sent" in text:
        return "Client Certificate Types" in text, []
    names = text.split("Acceptable client certificate CA names\n")[1].split("\nClient Certificate Types")[0]
    return True, names.splitlines()


def test_authorities_change_while_devices_are_connected(make_server, tmp_path):
    first, second = Authority(tmp_path / "a", "first"), Authority(tmp_path / "b", "second")
    server = make_server(devices=1)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509"))
    assert asked(server) == (False, []), "old firmware sees no CertificateRequest"
    plain = server.device()
    devices, clients = [], [server.sign_in(plain, "tls")]
    for number, authority in enumerate((first, second), 1):
        server.cli("authority", "add", authority.file)
        server.wait_log(f"{number} private authorities are in use")
        devices.append(new_device(server, f"of-{number}"))
        certificate = authority.device(f"of-{number}")
        bind(server, devices[-1], certificate.file)
        client = server.client("tls", tls=tls(server, certificate))
        assert client.connect(CLIENT_ID, devices[-1].username, "")[1] == 0
        clients.append(client)
    assert asked(server) == (True, ["CN = first, O = Tests", "CN = second, O = Tests"])
    assert [a["subject"] for a in server.json("authority", "list")] == ["CN = first, O = Tests", "CN = second, O = Tests"]
    start = len(server.log())
    server.cli("authority", "remove", first.fingerprint)
    server.wait_log("1 private authorities are in use", start=start)
    for client in clients:
        assert client.ping() < 5, "an open connection stays"
    clients[1].close()
    refused(server, first.device("again"), "&", "certificate-untrusted", client_id=WHO_ID)
    server.restart()
    assert asked(server)[1] == ["CN = second, O = Tests"]


def test_sessions_of_other_authorities_are_not_resumed(make_server, tmp_path):
    """Else a device whose session is older than its authority would never be asked for its certificate."""
    ca = Authority(tmp_path / "ca")
    server = make_server(devices=0)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509"))
    device = new_device(server, "dev")
    certificate = ca.device("dev")
    bind(server, device, certificate.file)
    def connects(context, session, code):
        """Within some seconds: the loops hear of a change after the command has ended."""
        deadline = time.monotonic() + 5 * server.slack
        while True:
            with server.client("tls", tls=context, session=session) as client:
                got = client.connect(CLIENT_ID, device.username, "")[1]
                if got == code or time.monotonic() > deadline:
                    assert got == code
                    return client.stream.socket.session
            time.sleep(0.1)

    for version in (TLS12, TLS13):
        context = tls(server, certificate, version)
        session = connects(context, None, 4)  # nobody asks for the certificate
        server.cli("authority", "add", ca.file)
        connects(context, session, 0)  # a session that was resumed would be refused every time
        server.cli("authority", "remove", ca.file)


def test_a_listener_that_does_not_ask(make_server, tmp_path):
    ca = Authority(tmp_path / "ca")
    server = make_server({"listener.client_certificates": "false"}, devices=0)
    server.cli("authority", "add", ca.file)
    server.wait_log("private authorities are in use")
    assert asked(server) == (False, [])


def test_wrong_authorities(x509, ca, tmp_path, bound):
    def add(file, *words):
        done = x509.cli("authority", "add", file, *words, check=False)
        assert done.status != 0 and len(done.err.splitlines()) == 1
        return done.err

    assert "CA:TRUE" in add(bound[1].file)
    assert "known already" in add(ca.file)
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(bytes(range(256)))
    assert "PEM" in add(garbage)
    assert "no certificate" in add(ca.key)
    assert "no product" in add(Authority(tmp_path / "c", "c").file, "--product-key", "nothing")
    long = Authority(tmp_path / "l", "l", subject="/CN=l" + "".join(f"/OU={c * 60}" for c in "abcdefghijklmnopqrst"))
    assert "longer than 1024 bytes" in add(long.file)
    assert "neither a file nor" in x509.cli("authority", "show", "nothing", check=False).err
    assert "no authority" in x509.cli("authority", "remove", "00" * 32, check=False).err


def test_warnings_of_certificates_that_end(make_server, tmp_path):
    ca = Authority(tmp_path / "ca", days=20)
    server = make_server(devices=0, start=False)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509"))
    server.cli("authority", "add", ca.file)
    for name, days in (("soon", 10), ("later", 300)):
        bind(server, new_device(server, name), ca.device(name, days=days).file)
    server.start()
    server.wait_log("the private authority", ca.fingerprint, "ends on")
    line = server.wait_log("1 device certificates have ended or end soon")
    assert "/soon" in line and "later" not in line


def test_a_server_that_is_not_running(tmp_path, make_server, ca):
    server = make_server(devices=0, start=False)
    server.create_product(X509_PRODUCT, None, (), ("--auth-type", "x509", "--first-use", "create"))
    shown = server.json("authority", "add", ca.file)
    assert shown["fingerprint"] == ca.fingerprint and shown["notAfter"]
    assert server.json("authority", "show", ca.file)["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    product = server.json("product", "show", "--product-key", X509_PRODUCT)
    assert (product["authType"], product["firstUse"]) == ("x509", "create")


def test_clients_without_certificates_notice_nothing(x509):
    """What does not care about certificates signs in as ever, on every transport and version."""
    for transport in ("tls", "wss"):
        x509.sign_in(x509.device(), transport).close()
    for version in (TLS12, TLS13):
        x509.sign_in(x509.device(), "tls", tls=x509.tls(version, version)).close()
    x509.sign_in(x509.device(), "tls", tls=x509.tls(TLS12, TLS12, ciphers="AES128-SHA")).close()
