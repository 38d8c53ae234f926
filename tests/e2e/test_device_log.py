"""Device log and flight record through the command line, with the server running and stopped."""

import json
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from harness import PRODUCT_KEY, PRODUCT_SECRET, Device, Lines
from rawclient import SUBACK, Closed, connect_packet, packet, subscribe_packet, text
from registering import register, sign_registration
from test_device_http import login, login_fields, post_form, post_json, publish


def log_of(server, device, *arguments):
    return server.json("device", "log", "--product-key", device.product_key, "--device-name", device.device_name,
                       *arguments)


def wait_actions(server, device, wanted, timeout=5.0):
    deadline = time.monotonic() + timeout * server.slack
    while True:
        actions = [entry["action"] for entry in log_of(server, device)]
        if actions == wanted:
            return
        assert time.monotonic() < deadline, (actions, wanted)
        time.sleep(0.05)


def test_a_life_in_the_log(server, device):
    with server.sign_in(device) as client:
        client.publish("/nobody/else/user/update", b"x", qos=1)
        assert client.subscribe("#") == [0x80]
        client.disconnect()
    server.sign_in(device).close()
    older = server.sign_in(device)
    newer = server.sign_in(device)
    server.device_command("kick", device)
    newer.wait_closed()
    older.wait_closed()
    wait_actions(server, device, ["online", "publish-denied", "subscribe-denied", "offline", "online", "offline", "online",
                                  "offline", "online", "offline"])
    entries = log_of(server, device)
    assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
    denied, filtered = entries[1], entries[2]
    assert denied["code"] == 9236 and denied["subject"] == "/nobody/else/user/update"
    assert denied["reason"] == "No authorization"
    assert filtered["code"] == 9236 and filtered["subject"] == "#"
    assert entries[0]["code"] == 200 and entries[0]["transport"] == "tcp" and entries[0]["address"] == "127.0.0.1"
    assert "MQTT 3.1.1, keep alive 60 s" in entries[0]["facts"] and "test-1.0" in entries[0]["facts"]
    offline = [entry for entry in entries if entry["action"] == "offline"]
    assert [(entry["code"], entry["reason"]) for entry in offline] == [
        (200, "Device disconnect"), (200, "Connection reset by peer"), (400, "Kicked by the same device"), (400, "Kicked by an operator")]


def test_the_transport_and_a_broken_packet(server):
    device = server.device()
    client = server.client("wss")
    client.connect(*device.credentials(securemode=3))
    client.send(b"\x00\x00")
    client.wait_closed()
    wait_actions(server, device, ["warned", "online", "discarded", "offline"])
    warned, online, discarded, offline = log_of(server, device)
    assert warned["name"] == "securemode-mismatch"
    assert online["transport"] == "wss"
    assert discarded["code"] == 1951
    assert offline["reason"].startswith("Connection occurs exception: ")


@pytest.mark.parametrize("data,code,name", [
    (packet(0x30, text("a/#") + b"x"), 1903, "topic-format"), (packet(0x32, text("") + b"\0\1x"), 1903, "topic-format"),
    (subscribe_packet(1, [("a/#/b", 0)]), 1903, "topic-format"), (subscribe_packet(1, [("", 0)]), 1903, "topic-format"),
    (b"\xf0\x00", 1951, "packet-type"), (b"\x00\x00", 1951, "packet-type"), (b"\x20\x02\x00\x00", 1951, "packet-type"),
    (b"\x90\x03\x00\x01\x00", 1951, "packet-type")], ids=lambda value: value.hex() if isinstance(value, bytes) else None)
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_packets_with_a_code_of_their_own(server, transport, data, code, name):
    """connection.md 9.2: a topic of wrong form, a packet type that no device sends."""
    device = server.device()
    client = server.sign_in(device, transport)
    client.send(data)
    client.wait_closed()
    wait_actions(server, device, ["online", "discarded", "offline"])
    _, discarded, offline = log_of(server, device)
    assert (discarded["code"], discarded["name"], discarded["transport"]) == (code, name, transport)
    assert offline["reason"] == "Connection occurs exception: " + discarded["reason"]


def test_a_connection_that_breaks_before_all_was_written(server):
    device = server.device()
    server.cli("account", "create", "flood", "--password", "flood-1", "--allow", "all:#")
    client = server.sign_in(device, receive_buffer=4096)
    assert client.subscribe(device.topic("user/get")) == [1]
    with server.client() as sender:
        assert sender.connect("flood", "flood", "flood-1")[1] == 0
        for _ in range(40):  # more than the kernel takes for a device that does not read
            sender.publish(device.topic("user/get"), b"x" * 200_000)
        sender.ping()
    client.drop()
    wait_actions(server, device, ["online", "discarded", "offline"])
    _, discarded, _ = log_of(server, device)
    assert (discarded["code"], discarded["name"]) == (1902, "write-failed")


def test_repeats_are_counted(server):
    device = server.device()
    with server.sign_in(device) as client:
        for _ in range(215):
            client.publish("/not/mine", b"", qos=0)
        client.ping()
        client.disconnect()
    wait_actions(server, device, ["online", "publish-denied", "offline"])
    # Ten one by one, then in hundreds.
    assert log_of(server, device)[1]["count"] == 210


def test_refusals_are_merged_and_survive_a_crash(make_server):
    server = make_server()
    device = server.device()
    for _ in range(20):
        stream = server.stream()
        stream.send(connect_packet(device.client_id(), device.username, "0" * 64))
        assert stream.receive_exactly(4)[3] == 4
        stream.close()
    before = log_of(server, device)
    assert len(before) == 1 and before[0]["count"] == 20 and before[0]["code"] == 6600
    server.restart(hard=True)
    assert log_of(server, device) == before
    server.stop()
    assert log_of(server, device) == before  # also while no server runs
    done = server.cli("device", "log", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, "-f", check=False)
    assert done.status == 1 and "no server" in done.err
    server.start()


def test_following(server):
    device = server.device()
    server.sign_in(device).disconnect()
    command = [server.program, "device", "log", "--data", server.data, "--product-key", PRODUCT_KEY, "--device-name",
               device.device_name, "-f", "--json"]
    lines = Lines(command)
    try:
        seen = [json.loads(lines.next(10 * server.slack))["action"] for _ in range(2)]
        assert seen == ["online", "offline"]
        with server.sign_in(device) as client:
            assert json.loads(lines.next(10 * server.slack))["action"] == "online"
            client.publish("/not/mine", b"", qos=1)
            denied = json.loads(lines.next(10 * server.slack))
            assert denied["action"] == "publish-denied" and denied["count"] == 1
            client.publish("/not/mine", b"", qos=1)
            more = json.loads(lines.next(10 * server.slack))
            assert more["id"] == denied["id"] and more["count"] == 2
            client.disconnect()
        assert json.loads(lines.next(10 * server.slack))["action"] == "offline"
    finally:
        assert lines.end() == 0


def test_filters_and_pages(server):
    device = server.device()
    for _ in range(6):
        server.sign_in(device).disconnect()
    wait_actions(server, device, ["online", "offline"] * 6)
    assert [e["action"] for e in log_of(server, device, "--action", "offline", "--limit", "4")] == ["offline"] * 4
    assert log_of(server, device, "--since", "1h") == log_of(server, device)
    assert log_of(server, device, "--since", "2099-01-01") == []
    assert log_of(server, device, "--limit", "3") == log_of(server, device)[-3:]
    for wrong in (["--since", "yesterday"], ["--action", "dancing"], ["--limit", "0"]):
        assert server.cli("device", "log", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, *wrong,
                          check=False).status == 2
    done = server.cli("device", "log", "--product-key", PRODUCT_KEY, "--device-name", "never-heard-of", check=False)
    assert done.status == 1 and "never-heard-of" in done.err


def test_a_device_keeps_its_newest_entries(make_server):
    server = make_server({"device_log.entries_per_device": "10", "log.level": "warn"})
    device = server.device()
    for _ in range(30):
        server.sign_in(device).disconnect()
    entries = log_of(server, device)
    assert 10 <= len(entries) <= 18
    assert entries[-1]["action"] == "offline"


def test_strangers_are_kept_apart_and_bounded(make_server):
    server = make_server()
    for number in range(70):
        stream = server.stream()
        stream.send(connect_packet("x|securemode=3|", f"ghost{number}&{PRODUCT_KEY}", "0" * 32))
        stream.receive_exactly(4)
        stream.close()
    rows = server.json("device", "log", "--strangers", "--limit", "1000")
    assert len(rows) == 51 and sum(row["count"] for row in rows) == 70  # fifty names, then one row for the rest
    assert any(row["deviceName"] == "*" for row in rows)
    one = server.json("device", "log", "--strangers", "--product-key", PRODUCT_KEY, "--device-name", "ghost7")
    assert len(one) == 1 and one[0]["code"] == 6100 and one[0]["diagnosis"]["name"] == "device-unknown"
    text = server.cli("device", "log", "--strangers", "--device-name", "ghost7").out
    assert f"{PRODUCT_KEY}/ghost7" in text


# ---- other sources ----

def test_what_administration_does(server):
    device = server.device()
    client = server.sign_in(device)
    server.device_command("disable", device)
    client.wait_closed()
    server.device_command("enable", device)
    server.cli("device", "delete", "--product-key", PRODUCT_KEY, "--device-name", device.device_name)
    wait_actions(server, device, ["online", "disabled", "offline", "enabled", "deleted"])  # a log outlives its device
    assert log_of(server, device)[2]["code"] == 400


def test_throttling_is_one_entry_with_a_count(make_server):
    server = make_server({"limits.qos0_publishes_per_device_per_second": "10",
                          "limits.deliveries_per_device_per_second": "5"})
    device = server.device()
    client = server.sign_in(device)
    client.subscribe(device.topic("user/get"))
    for _ in range(300):
        client.publish(device.topic("user/update"), b"x", qos=0)
    client.ping()
    server.cli("account", "create", "sender", "--password", "a long password", "--allow", "all:#")
    with server.client() as sender:
        sender.connect("sender-1", "sender", "a long password")
        for _ in range(50):
            sender.publish(device.topic("user/get"), b"y", qos=0)
        sender.ping()
    client.disconnect()
    wait_actions(server, device, ["online", "throttled", "throttled", "offline"])
    up, down = log_of(server, device)[1:3]
    assert up["code"] == down["code"] == 9324
    assert (up["name"], down["name"]) == ("publish-rate", "delivery-rate"), "one each, whatever the messages"
    assert up["subject"] == device.topic("user/update")
    assert re.fullmatch(r"Rate limit:10,current qps:\d+", up["reason"])
    assert 200 <= up["count"] <= 290, "all but what passed; nothing is told twice"


def test_registrations(server):
    product = "a1LogReg"
    server.create_product(product, PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    server.cli("device", "create", "--product-key", product, "--device-name", "newborn", "--without-secret")
    newborn = Device(product, "newborn", "")
    for secret, method in (("wrong-secret-1234", "hmacsha256"), (PRODUCT_SECRET, "hmacsha256")):
        fields = {"productKey": product, "deviceName": "newborn", "random": "42", "signMethod": method}
        fields["sign"] = sign_registration(secret, "newborn", product, "42", method)
        post_form(server, "/auth/register/device", fields)
    assert register(server, product, PRODUCT_SECRET, "newborn")[0] == 0
    assert register(server, product, PRODUCT_SECRET, "stranger")[0] == 4
    wait_actions(server, newborn, ["registration-refused", "registered", "registered"])
    refused, over_http, over_mqtt = log_of(server, newborn)
    assert (refused["code"], refused["name"], refused["transport"]) == (6600, "registration-signature", "https")
    assert refused["diagnosis"]["name"] == "product-secret-wrong"
    assert (over_http["name"], over_http["transport"]) == ("http-registration", "https")
    assert (over_mqtt["name"], over_mqtt["transport"]) == ("secret-issued", "tls")
    row, = server.json("device", "log", "--strangers", "--product-key", product)
    assert (row["deviceName"], row["action"], row["code"]) == ("stranger", "registration-refused", 6100)
    assert row["diagnosis"]["name"] == "registration-not-preregistered"
    assert PRODUCT_SECRET not in json.dumps([refused, over_http, over_mqtt, row])


def test_tokens_and_publishing_over_http(server):
    device = server.device()
    publish(server, login(server, device), "/not/mine")
    post_json(server, "/auth", login_fields(device, secret="another secret"))
    wait_actions(server, device, ["preauthenticated", "publish-denied", "refused"])
    issued, denied, refused = log_of(server, device)
    assert issued["name"] == "http-login" and denied["subject"] == "/not/mine" and denied["code"] == 9236
    assert (refused["name"], refused["facts"], refused["transport"]) == ("wrong-signature", "POST /auth", "https")
    assert refused["diagnosis"]["name"] == "signature-unexplained"


def test_tickets_and_a_secret_in_a_page(server):
    device = server.device()
    ticket = server.json("ticket", "mint", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, "--origin",
                         "https://app.example.com")
    for origin, code in (("https://evil.example.com", 4), ("https://app.example.com", 0)):
        client = server.client("ws", ws={"headers": [f"Origin: {origin}"]})
        assert client.connect("page-1", ticket["username"], ticket["password"])[1] == code
        client.close()
    client = server.client("ws", ws={"headers": ["Origin: https://app.example.com"]})
    assert client.connect("page-1", ticket["username"], "0" * 32)[1] == 4
    client = server.client("ws", ws={"headers": ["Origin: https://app.example.com"]})
    assert client.connect(*device.credentials())[1] == 0
    client.disconnect()
    wait_actions(server, device, ["refused", "ticket", "warned", "online", "offline"])
    refused, signed_in, warned = log_of(server, device)[:3]
    assert refused["name"] == refused["diagnosis"]["name"] == "ticket-origin" and refused["code"] == 6600
    assert refused["subject"] == signed_in["subject"] == ticket["username"]
    assert warned["name"] == "secret-in-a-page" and warned["subject"] == "https://app.example.com"
    guessed, = server.json("device", "log", "--strangers", "--device-name", ticket["username"])
    assert guessed["diagnosis"]["name"] == "ticket-secret"  # whoever guesses leaves no trace at the device
    shown = json.dumps([log_of(server, device), guessed])
    assert ticket["password"] not in shown and device.device_secret not in shown


# ---- bad input ----

def test_a_reader_that_does_not_read_holds_nobody_up(make_server):
    server = make_server()
    device = server.device()
    command = [server.program, "device", "log", "--data", server.data, "--product-key", PRODUCT_KEY, "--device-name",
               device.device_name, "-f"]
    deaf = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        for _ in range(40):
            server.sign_in(device).disconnect()
        wait_actions(server, device, ["online", "offline"] * 40)
        assert deaf.poll() is None
    finally:
        deaf.kill()
        deaf.communicate(timeout=10)


def test_names_of_any_length_are_bounded(server):
    stream = server.stream()
    stream.send(connect_packet("x" * 900, "d" * 9000 + "&" + "p" * 6000, "0" * 64))
    stream.wait_closed()
    assert all(len(json.dumps(row)) < 4000 for row in server.json("device", "log", "--strangers"))


def test_a_log_file_that_is_cut_or_garbled(make_server):
    server = make_server()
    device = server.device()
    server.sign_in(device).disconnect()
    wait_actions(server, device, ["online", "offline"])
    server.stop()
    journal = server.data / "journal.db"
    for broken in (b"", b"SQLite format 3\0" + b"\xff" * 5000, journal.read_bytes()[:6000]):
        for companion in server.data.glob("journal.db-*"):
            companion.unlink()
        journal.write_bytes(broken)
        server.start()
        server.sign_in(device).disconnect()
        wait_actions(server, device, ["online", "offline"])
        server.stop()
    server.start()


# ---- flight record ----

def flight(server, device, *arguments):
    return server.json("device", "flight", "--product-key", device.product_key, "--device-name", device.device_name,
                       *arguments)["items"]


def test_the_last_packets(server):
    device = server.device()
    with server.sign_in(device) as client:
        client.subscribe(device.topic("user/echo"), qos=1)
        client.publish(device.topic("user/echo"), b"secret payload", qos=1)
        client.expect_publish()
        client.publish("/not/mine", b"", qos=1)
        for _ in range(3):
            client.ping()
        client.disconnect()
    deadline = time.monotonic() + 5 * server.slack
    while flight(server, device)[-1]["direction"] != "end":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    packets = flight(server, device)
    kinds = [(p["direction"], p.get("type")) for p in packets]
    assert kinds[:4] == [("in", "CONNECT"), ("out", "CONNACK"), ("in", "SUBSCRIBE"), ("out", "SUBACK")]
    connect = packets[0]
    assert connect["keepAlive"] == 60 and connect["address"].startswith("127.0.0.1:") and connect["protocolLevel"] == 4
    assert connect["clientId"].startswith(f"{PRODUCT_KEY}.{device.device_name}|")
    denied = [p for p in packets if p.get("topic") == "/not/mine"]
    assert len(denied) == 1
    assert ("out", "PUBLISH") in kinds and ("in", "DISCONNECT") in kinds
    pings = [p for p in packets if p.get("type") == "PINGREQ"]
    assert len(pings) == 1 and pings[0]["count"] == 3
    assert packets[-1]["reason"] == "Device disconnect"
    shown = json.dumps(packets)
    assert device.password() not in shown and device.password().lower() not in shown and "payload" not in shown

    # It is kept over the reconnect.
    server.sign_in(device).disconnect()
    assert [p.get("type") for p in flight(server, device)].count("CONNECT") == 2
    text = server.cli("device", "flight", "--product-key", PRODUCT_KEY, "--device-name", device.device_name).out
    assert "->  CONNECT" in text and "connection ended: Device disconnect" in text


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_connection_ends_before_the_next_one_begins(server, transport):
    device = server.device()
    with server.sign_in(device, transport=transport) as lingering:
        lingering.send(b"\xE0\x00")  # DISCONNECT; the socket stays open
        with pytest.raises(Closed):
            lingering.receive()
        with server.sign_in(device, transport=transport) as client:
            client.ping()
            packets = flight(server, device)
    kinds = [p.get("type", p["direction"]) for p in packets]
    assert kinds == ["CONNECT", "CONNACK", "DISCONNECT", "end", "CONNECT", "CONNACK", "PINGREQ", "PINGRESP"], kinds


def test_payloads_by_setting_and_bounds(make_server):
    server = make_server({"flight.payload_bytes": "4", "flight.bytes_per_client": "1024"})
    device = server.device()
    with server.sign_in(device) as client:
        for number in range(200):
            client.publish(device.topic("user/up"), f"{number:04}-and-more".encode(), qos=0)
        client.ping()
        packets = flight(server, device)
    published = [p for p in packets if p.get("type") == "PUBLISH"]
    assert bytes.fromhex(published[-1]["payload"]) == b"0199"
    assert 8 <= len(packets) <= 24


def test_a_record_can_be_switched_off(make_server):
    server = make_server({"flight.max_bytes": "0"})
    device = server.device()
    with server.sign_in(device):
        assert flight(server, device) == []


def test_the_packets_of_an_account_client(server):
    server.cli("account", "create", "backend", "--password", "a long password", "--allow", "subscribe:/#")
    with server.client() as client:
        client.connect("reader-1", "backend", "a long password")
        client.subscribe("/+/+/user/up", qos=1)
        answer = server.json("device", "flight", "--account", "backend", "--client-id", "reader-1")
    assert [p.get("type") for p in answer["items"]] == ["CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK"]
    assert "a long password" not in json.dumps(answer)
    assert server.cli("device", "flight", check=False).status == 2


def test_a_capture_file_that_wireshark_opens(server, tmp_path):
    device = server.device()
    with server.sign_in(device, transport="ws") as client:
        client.subscribe(device.topic("user/echo"), qos=1)
        client.publish(device.topic("user/up"), b"x" * 100_000, qos=1)
        client.ping()
        client.disconnect()
    capture = tmp_path / "device.pcapng"
    server.cli("device", "flight", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, "--capture", capture)
    assert capture.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    tshark = shutil.which("tshark")
    assert tshark, "tools/install-deps test installs it"
    told = subprocess.run([tshark, "-r", capture, "-T", "fields", "-e", "ip.src", "-e", "mqtt.msgtype", "-e", "mqtt.topic",
                           "-e", "mqtt.clientid"], capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [line.split("\t") for line in told.splitlines()]
    kinds = [row[1] for row in rows if row[1]]
    for wanted in ("1", "2", "8", "9", "3", "4", "12", "13", "14"):
        assert wanted in kinds, (wanted, told)
    assert any(device.topic("user/up") in row[2] for row in rows)
    assert any(row[3].startswith(f"{PRODUCT_KEY}.{device.device_name}") for row in rows)
    malformed = subprocess.run([tshark, "-r", capture, "-Y", "_ws.malformed"], capture_output=True, text=True, check=True,
                               timeout=60).stdout
    assert malformed == ""


# Remaining lengths around those that take another byte: the whole packet never has 130 or 16,387 bytes.
@pytest.mark.parametrize("length", [127, 128, 16_383, 16_384])
def test_packets_have_their_length_in_the_capture_file(server, tmp_path, length):
    server.cli("account", "create", f"lengths{length}", "--password", "a long password", "--allow", "subscribe:/#")
    with server.client() as client:
        client.connect("reader", f"lengths{length}", "a long password")
        packet = subscribe_packet(7, [("/" + "f" * (length - 6), 1)])
        client.send(packet)
        client.expect(SUBACK)
        words = ["device", "flight", "--account", f"lengths{length}", "--client-id", "reader"]
        shown = server.json(*words)["items"]
        server.cli(*words, "--capture", tmp_path / "account.pcapng")
    assert [p["bytes"] for p in shown if p["type"] == "SUBSCRIBE"] == [len(packet)]
    told = subprocess.run([shutil.which("tshark"), "-r", tmp_path / "account.pcapng", "-Y", "mqtt.msgtype == 8", "-T",
                           "fields", "-e", "mqtt.len"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.split() == [str(length)]


def test_a_stopped_server_has_no_packets(make_server):
    server = make_server(start=False)
    device = server.device()
    done = server.cli("device", "flight", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, check=False)
    assert done.status == 1 and "not running" in done.err
    assert log_of(server, device) == []
