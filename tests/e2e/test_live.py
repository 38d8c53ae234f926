"""What a running server tells of itself: metrics, statistics, live events, console, its own facts, publishing."""

import base64
import json
import pathlib
import re
import time

import pytest

import api_document
from harness import PRODUCT_KEY, ROOT, Server
from rawclient import Stream

DASHBOARD = ROOT / "packaging" / "grafana" / "mooring.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("live")).start()
    found.seed(40)
    found.token = found.json("token", "create", "live", "--role", "admin")["token"]
    yield found
    found.stop()


def ask(server, path, method="GET", body=None, token=None):
    answer = server.http(f"/api/v1/{path}", method, tls=server.tls(),
                         headers=[f"Authorization: Bearer {token or server.token}"],
                         body=json.dumps(body).encode() if body is not None else b"")
    return answer.status, json.loads(answer.body)


def metrics(server):
    """{name: {labels: value}} of /metrics."""
    answer = server.http("/metrics")
    assert answer.status == 200 and answer.header("content-type").startswith("text/plain; version=0.0.4")
    found = {}
    for line in answer.body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line).groups()
        found.setdefault(name, {})[labels or ""] = float(value)
    return found


def wait_metric(server, name, labels, wanted, timeout=8):
    deadline = time.monotonic() + timeout * server.slack
    while (found := metrics(server).get(name, {}).get(labels, 0)) < wanted:
        assert time.monotonic() < deadline, f"{name}{{{labels}}} is {found}"
        time.sleep(0.1)
    return found


class Events:
    """A reader of /api/v1/events."""

    def __init__(self, server, query, token=None, last_id=None):
        self.stream = Stream(server.address, server.tls(), "localhost")
        self.slack = server.slack
        self.stream.send((f"GET /api/v1/events?{query} HTTP/1.1\r\nHost: localhost\r\n"
                          f"Authorization: Bearer {token or server.token}\r\n"
                          + (f"Last-Event-ID: {last_id}\r\n" if last_id is not None else "") + "\r\n").encode())
        self.last_id = None
        self.data = b""
        head = self.until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        assert self.status != 200 or "text/event-stream" in head

    def until(self, end, timeout=8.0):
        deadline = time.monotonic() + timeout * self.slack
        while end not in self.data:
            self.data += self.stream.receive(deadline - time.monotonic())
        found, _, self.data = self.data.partition(end)
        return found

    def next(self, name, timeout=8.0):
        """The data of the next event of that name."""
        deadline = time.monotonic() + timeout * self.slack
        while True:
            text = self.until(b"\n\n", (deadline - time.monotonic()) / self.slack).decode()
            fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            self.last_id = fields.get("id", self.last_id)
            if fields.get("event") == name:
                return json.loads(fields["data"])

    def close(self):
        self.stream.close()


def fits(schema, value):
    faults = list(api_document.validator(json.dumps({"$ref": f"#/components/schemas/{schema}"})).iter_errors(value))
    assert not faults, faults[0]
    return value


# -- metrics --------------------------------------------------------------------------------------------------------------

def test_metrics_follow_what_clients_do(server):
    before = metrics(server)
    device = server.device()
    client = server.sign_in(device, "tls")
    client.subscribe(device.topic("user/echo"), qos=1)
    client.publish(device.topic("user/echo"), b"12345", qos=1)
    wait_metric(server, "mooring_clients", 'transport="tls"', 1)
    assert wait_metric(server, "mooring_connects_total", 'transport="tls"',
                       before["mooring_connects_total"]['transport="tls"'] + 1)
    wait_metric(server, "mooring_messages_total", 'direction="in",qos="1"',
                before["mooring_messages_total"]['direction="in",qos="1"'] + 1)
    wait_metric(server, "mooring_message_bytes_total", 'direction="out",qos="1"',
                before["mooring_message_bytes_total"]['direction="out",qos="1"'] + 5)
    assert sum(metrics(server)["mooring_tls_handshakes_total"].values()) > 0
    client.close()
    wrong = server.device()
    stranger = server.client("tcp")
    assert stranger.connect(wrong.client_id(), wrong.username, "0" * 64)[1] != 0
    wait_metric(server, "mooring_connects_refused_total", "", before["mooring_connects_refused_total"][""] + 1)
    assert sum(metrics(server)["mooring_sign_ins_refused_total"].values()) >= 1
    deadline = time.monotonic() + 8 * server.slack
    while metrics(server)["mooring_clients"]['transport="tls"'] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def sum_of(server, name):
    return sum(metrics(server).get(name, {}).values())


def wait_sum(server, name, wanted, timeout=8):
    deadline = time.monotonic() + timeout * server.slack
    while (found := sum_of(server, name)) < wanted:
        assert time.monotonic() < deadline, f"{name} is {found}"
        time.sleep(0.1)


def test_times_of_messages_and_commits_are_counted(server):
    before = {name: sum_of(server, name) for name in ("mooring_delivery_seconds_count", "mooring_store_commit_seconds_count")}
    device = server.device()
    client = server.sign_in(device, clean=False)
    client.subscribe(device.topic("user/echo"), qos=1)
    for qos in (0, 1, 0, 1):
        client.publish(device.topic("user/echo"), b"x", qos=qos)
        got = client.expect_publish()
        if got.qos > 0:
            client.puback(got)
    wait_sum(server, "mooring_delivery_seconds_count", before["mooring_delivery_seconds_count"] + 4)
    assert sum_of(server, "mooring_delivery_seconds_count") == before["mooring_delivery_seconds_count"] + 4
    assert 0 <= sum_of(server, "mooring_delivery_seconds_sum") < 60
    wait_sum(server, "mooring_store_commit_seconds_count", before["mooring_store_commit_seconds_count"] + 1)
    assert sum_of(server, "mooring_store_commit_seconds_sum") > 0
    buckets = metrics(server)["mooring_store_commit_seconds_bucket"]
    assert buckets['le="+Inf"'] == metrics(server)["mooring_store_commit_seconds_count"][""]
    client.disconnect()
    # What was kept for somebody who was away says nothing of how fast messages go.
    counted = sum_of(server, "mooring_delivery_seconds_count")
    assert ask(server, "publish", "POST", {"topic": device.topic("user/echo"), "payload": "later", "qos": 1})[0] == 200
    wait_sum(server, "mooring_messages_waiting", 1)
    assert sum_of(server, "mooring_message_bytes_waiting") > 0
    client = server.sign_in(device, clean=False)
    assert client.expect_publish().payload == b"later"
    client.close()
    time.sleep(1.2 * server.slack)  # the values are those of the last full second
    assert sum_of(server, "mooring_delivery_seconds_count") == counted


def test_connections_are_counted_by_transport_and_state(server):
    def count(transport, state):
        return metrics(server)["mooring_connections"][f'transport="{transport}",state="{state}"']

    def wait_count(transport, state, wanted):
        deadline = time.monotonic() + 8 * server.slack
        while (found := count(transport, state)) != wanted:
            assert time.monotonic() < deadline, f"{transport} {state}: {found}"
            time.sleep(0.1)

    silent = [server.stream(), server.stream(tls=server.tls())]
    wait_count("tcp", "opening", 1)
    wait_count("tls", "opening", 1)
    clients = [server.sign_in(server.device(), transport) for transport in ("tcp", "tls", "ws", "wss", "wss")]
    for transport, wanted in (("tcp", 1), ("tls", 1), ("ws", 1), ("wss", 2)):
        wait_count(transport, "active", wanted)
        assert count(transport, "active") == metrics(server)["mooring_clients"][f'transport="{transport}"']
    reader = Events(server, "topics=statistics")
    wait_count("https", "active", 1)
    for each in (*silent, *clients, reader):
        each.close()
    for transport in ("tcp", "tls", "ws", "wss", "http", "https"):
        for state in ("opening", "active"):
            wait_count(transport, state, 0)


def test_names_and_units_are_those_of_prometheus(server):
    text = server.http("/metrics").body.decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    assert len(kinds) > 25
    for name, kind in kinds.items():
        assert name.startswith(("mooring_", "process_")), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|us|milliseconds|kb|mb)(_|$)", name), name
        assert (kind in ("histogram", "summary")) == (name.endswith("_seconds") and name != "process_start_time_seconds"), name
    assert set(re.findall(r"^# HELP (\S+)", text, re.M)) == set(kinds)


def test_metrics_from_elsewhere_take_a_token(make_server):
    server = make_server({"listener.proxy_protocol": "false"}, devices=0)
    assert server.http("/metrics").status == 200
    # As a proxy on this machine passes it on.
    forwarded = ["X-Forwarded-For: 203.0.113.9"]
    assert server.http("/metrics", headers=forwarded, tls=server.tls()).status == 401
    token = server.json("token", "create", "scrape", "--role", "viewer")["token"]
    found = server.http("/metrics", headers=[*forwarded, f"Authorization: Bearer {token}"], tls=server.tls())
    assert found.status == 200 and b"mooring_connections" in found.body
    assert server.http("/metrics", "POST").status == 405


def test_the_dashboard_and_the_page_name_metrics_that_exist(server):
    names = set(metrics(server))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} | names
    # Those that appear with their first value.
    families |= {"mooring_sign_ins_refused_total"}
    board = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(asked) > 12
    for expression in asked:
        for name in re.findall(r"\b(?:mooring|process)_[a-z0-9_]+", expression):
            assert name in families or re.sub(r"_(bucket|sum|count)$", "", name) in families, expression
    page = (ROOT / "docs" / "operations" / "metrics.md").read_text()
    documented = set(re.findall(r"`((?:mooring|process)_[a-z0-9_]+)", page))
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if not name.endswith("_total")} | {
        name for name in names if name.endswith("_total")}
    assert shown <= documented, shown - documented
    assert documented <= families, documented - families


# -- live data --------------------------------------------------------------------------------------------------------

def test_statistics_come_each_second(server):
    reader = Events(server, "topics=statistics")
    first, second = (fits("Sample", reader.next("statistics")) for _ in range(2))
    assert first["time"] < second["time"]
    assert second["loopBusy"] and all(0 <= share <= 1 for share in second["loopBusy"])
    reader.close()
    status, body = ask(server, "statistics?seconds=2")
    assert status == 200 and 1 <= len(body["items"]) <= 2
    assert ask(server, "statistics?seconds=0")[0] == 400


def test_devices_are_seen_to_come_and_go(server):
    device, other = server.device(), server.device()
    reader = Events(server, f"topics=devices&productKey={PRODUCT_KEY}&deviceName={device.device_name}")
    server.sign_in(other).close()
    client = server.sign_in(device)
    event = fits("StatusEvent", reader.next("device"))
    assert (event["deviceName"], event["status"]) == (device.device_name, "ONLINE")
    client.close()
    assert reader.next("device")["status"] == "OFFLINE"
    reader.close()


def test_what_is_done_to_a_device_is_told(server):
    device = server.create_device("done-to")
    path = f"products/{PRODUCT_KEY}/devices/{device.device_name}"
    server.sign_in(device).close()
    reader = Events(server, f"topics=devices&productKey={PRODUCT_KEY}&deviceName={device.device_name}")
    for method, end, body, status, change in (
            ("POST", "/disable", None, "DISABLE", "disabled"), ("POST", "/enable", None, "OFFLINE", "enabled"),
            ("PATCH", "", {"nickname": "Pump"}, "OFFLINE", "changed"), ("POST", "/reset", None, "OFFLINE", "reset"),
            ("DELETE", "", None, "DELETED", "deleted")):
        assert ask(server, path + end, method, body)[0] == 200, change
        event = fits("StatusEvent", reader.next("device"))
        while "change" not in event:  # the session before may still be leaving
            event = reader.next("device")
        assert (event["status"], event["change"]) == (status, change)
    reader.close()


def test_a_product_that_goes_with_its_devices_is_a_gap(server):
    assert ask(server, "products", "POST", {"productKey": "a1GapGapGap"})[0] == 201
    assert ask(server, "products/a1GapGapGap/devices", "POST", {"count": 5})[0] == 201
    reader = Events(server, "topics=devices&productKey=a1GapGapGap")
    assert ask(server, "products/a1GapGapGap?withDevices=true", "DELETE")[0] == 200
    assert fits("GapEvent", reader.next("gap"))["dropped"] == 5
    reader.close()


def test_a_device_log_is_followed(server):
    device = server.device()
    server.sign_in(device).close()
    reader = Events(server, f"topics=log&productKey={PRODUCT_KEY}&deviceName={device.device_name}")
    time.sleep(0.6)  # what was there before is not told: let it be read
    client = server.client("tcp")
    assert client.connect(device.client_id(), device.username, "0" * 64)[1] != 0
    entry = fits("LogEntry", reader.next("log"))
    while entry["action"] != "refused":
        entry = reader.next("log")
    assert entry["deviceName"] == device.device_name
    reader.close()


def test_a_follower_of_a_log_that_comes_back_misses_nothing_and_hears_nothing_twice(server):
    device = server.device()
    path = f"products/{PRODUCT_KEY}/devices/{device.device_name}/log"
    query = f"topics=log&productKey={PRODUCT_KEY}&deviceName={device.device_name}"
    server.sign_in(device).close()
    page = ask(server, path)[1]
    # From where a page of the log ended, without a moment between.
    server.sign_in(device).close()
    reader = Events(server, f"{query}&after={page['revision']}")
    seen = [reader.next("log")]
    while seen[-1]["action"] != "offline":
        seen.append(reader.next("log"))
    assert all(fits("LogEntry", entry)["revision"] > page["revision"] for entry in seen)
    assert int(reader.last_id) == seen[-1]["revision"]
    reader.close()
    for _ in range(5):  # while nobody listens
        server.sign_in(device).close()
    reader = Events(server, query, last_id=reader.last_id)
    late = []
    while sum(entry["action"] == "offline" for entry in late) < 5:
        late.append(reader.next("log"))
    server.sign_in(device).close()
    while sum(entry["action"] == "offline" for entry in late) < 6:
        late.append(reader.next("log"))
    reader.close()
    told = [entry["revision"] for entry in seen + late]
    assert told == sorted(set(told)), "in order, and nothing twice"
    log = {entry["id"]: entry for entry in ask(server, f"{path}?limit=1000&after={page['revision']}")[1]["items"]}
    newest = {}
    for entry in seen + late:
        newest[entry["id"]] = entry
    assert newest == log


def test_what_a_follower_of_a_log_cannot_be_told_any_more_is_a_gap(server):
    device = server.device()
    query = f"topics=log&productKey={PRODUCT_KEY}&deviceName={device.device_name}"
    server.sign_in(device).close()
    revision = ask(server, f"products/{PRODUCT_KEY}/devices/{device.device_name}/log")[1]["revision"]
    reader = Events(server, query, last_id=revision + 1_000_000)  # of a log that began anew since
    assert fits("GapEvent", reader.next("gap"))["dropped"] >= 1
    reader.close()
    for after in ("-1", "x", "9" * 30):
        assert ask(server, f"events?{query}&after={after}")[0] == 400
    reader = Events(server, query, last_id="of somebody else's")  # means nothing here
    assert reader.status == 200
    reader.close()


def test_events_end_with_what_let_them_in(server):
    token = server.json("token", "create", "ends", "--role", "viewer")["token"]
    reader = Events(server, "topics=statistics", token)
    reader.next("statistics")
    server.cli("token", "revoke", "ends")
    deadline = time.monotonic() + 12 * server.slack
    try:
        while time.monotonic() < deadline:
            reader.next("statistics", 3)
        pytest.fail("still listening")
    except (AssertionError, OSError, EOFError) as ended:
        assert "still" not in str(ended)
    except Exception as ended:  # the test client's own word for the end of a stream
        assert "close" in type(ended).__name__.lower(), ended


def test_wrong_asks_for_events(server):
    for query in ("topics=nonsense", "topics=log", "unknown=1"):
        assert ask(server, f"events?{query}")[0] == 400, query
    readers = [Events(server, "topics=statistics") for _ in range(16)]
    assert all(reader.status == 200 for reader in readers)
    assert ask(server, "events")[0] == 429
    for reader in readers:
        reader.close()


# -- the console's files ----------------------------------------------------------------------------------------------

def test_the_console_is_there_or_says_why_not(server):
    answer = server.http("/console/")
    assert answer.status == 200 and answer.header("content-type").startswith("text/html")
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.header("x-content-type-options") == "nosniff"
    moved = server.http("/console")
    assert moved.status == 308 and moved.header("location") == "/console/"
    assert server.http("/console/", "POST").status == 405
    again = server.http("/console/", headers=[f"If-None-Match: {answer.header('etag') or 'none'}"])
    assert again.status == (304 if answer.header("etag") else 200)


# -- the server itself ------------------------------------------------------------------------------------------------

def test_the_server_tells_of_itself(server):
    status, facts = ask(server, "server")
    assert status == 200 and facts["listeners"][0]["port"] == server.port and facts["threads"] >= 1
    status, certificates = ask(server, "server/certificates")
    assert certificates["builtIn"] and certificates["root"]["fingerprint"] and certificates["items"]
    assert certificates["rootPem"] == pathlib.Path(server.root_certificate).read_text()
    status, configuration = ask(server, "server/configuration")
    rows = {row["key"]: row for row in configuration["items"]}
    assert rows["limits.connects_per_second"]["source"] == "--set"
    assert rows["limits.connects_per_second"]["value"] == "0"
    assert rows["mqtt.max_in_flight"]["source"] == "default"
    assert rows["listener[0].address"]["source"] == "--listen"


def test_sessions_and_subscriptions_are_shown(server):
    device = server.device()
    path = f"products/{PRODUCT_KEY}/devices/{device.device_name}/session"
    assert ask(server, path)[1]["items"] == []
    client = server.sign_in(device, "wss", clean=False)
    client.subscribe(device.topic("user/down"), qos=1)
    found = ask(server, path)[1]["items"][0]
    assert found["connected"] and found["transport"] == "wss" and found["protocol"] == "MQTT 3.1.1"
    assert {"filter": device.topic("user/down"), "qos": 1, "automatic": False} in found["subscriptions"]
    client.close()
    server.cli("account", "create", "shown", "--password", "secret", "--allow", "all:#")
    account = server.client("tcp")
    account.connect("shown-client", "shown", "secret")
    account.subscribe("a/b", qos=1)
    found = ask(server, "accounts/shown/sessions")[1]["items"]
    assert [session["clientId"] for session in found] == ["shown-client"]
    assert found[0]["subscriptions"][0]["filter"] == "a/b"
    account.close()


def test_a_message_is_published_to_whoever_listens(server):
    device = server.device()
    client = server.sign_in(device)
    topic = device.topic("user/down")
    client.subscribe(topic, qos=1)
    assert ask(server, "publish", "POST", {"topic": topic, "payload": "hello"})[0] == 200
    packet = client.expect_publish()
    assert (packet.topic, packet.payload) == (topic, b"hello")
    coded = base64.b64encode(b"\x00\xff").decode()
    assert ask(server, "publish", "POST", {"topic": topic, "payloadBase64": coded, "qos": 1})[1]["bytes"] == 2
    assert client.expect_publish().payload == b"\x00\xff"
    for body in ({}, {"topic": "a/#"}, {"topic": "$SYS/x"}, {"topic": "a", "payloadBase64": "%"}, {"topic": "a", "qos": 2},
                 {"topic": "a", "payload": "x", "payloadBase64": ""}, {"topic": "a", "payload": "x" * 300_000}):
        assert ask(server, "publish", "POST", body)[0] in (400, 413), body
    client.close()


def test_the_lines_to_connect_work(server):
    device = server.device()
    base = f"products/{PRODUCT_KEY}/devices/{device.device_name}"
    status, found = ask(server, f"{base}/connect?transport=tcp&host=127.0.0.1")
    assert status == 200 and found["port"] == server.port
    client = server.client("tcp")
    assert client.connect(found["clientId"], found["username"], found["password"])[1] == 0
    client.close()
    titles = " ".join(line["title"] for line in found["lines"])
    for word in ("mosquitto_pub", "mosquitto_sub", "MQTT.js", "Python", "C SDK"):
        assert word in titles
    renewed = ask(server, f"{base}/secret", "POST", {})[1]
    assert renewed["deviceSecret"] and renewed["deviceSecret"] != device.device_secret
    assert ask(server, f"{base}/secret", "POST", {"version": 1})[0] == 409
    again = ask(server, f"{base}/connect?transport=tcp")[1]
    assert again["password"] != found["password"]


# -- lists ------------------------------------------------------------------------------------------------------------

def test_devices_are_found_by_any_part_of_their_names(server):
    server.create_device("Boiler-north-7")
    path = f"products/{PRODUCT_KEY}/devices/Boiler-north-7"
    assert ask(server, path, "PATCH", {"nickname": "Halle 100%_links 锅炉"})[0] == 200
    for part in ("NORTH", "oiler-n", "100%25_", "links", "%E9%94%85"):
        found = ask(server, f"devices?search={part}")[1]["items"]
        assert [one["deviceName"] for one in found] == ["Boiler-north-7"], part
    assert ask(server, "devices?search=100%25x")[1]["items"] == []
    assert ask(server, f"products/{PRODUCT_KEY}/devices?search=north&status=ONLINE")[1]["items"] == []
    assert ask(server, f"products/{PRODUCT_KEY}/devices?search=north&prefix=x")[0] == 400
    names, cursor = [], ""
    while cursor is not None:
        page = ask(server, f"devices?search=dev&limit=7&cursor={cursor}")[1]
        names += [one["deviceName"] for one in page["items"]]
        cursor = page.get("nextCursor")
    assert names == sorted(set(names)) and len(names) >= 40


def csv_import(server, text, query=""):
    answer = server.http(f"/api/v1/devices:import-csv{query}", "POST", tls=server.tls(),
                         headers=[f"Authorization: Bearer {server.token}", "Content-Type: text/csv"],
                         body=text if isinstance(text, bytes) else text.encode())
    return answer.status, json.loads(answer.body)


def test_csv_is_imported_in_slices(server):
    header = "DeviceName,DeviceSecret,ProductKey\r\n"
    rows = [f"csv{i:03},secret{i:03},{PRODUCT_KEY}\r\n" for i in range(10)]
    status, report = csv_import(server, header + "".join(rows), "?dryRun=true")
    assert status == 200 and report["created"] == 10
    assert ask(server, f"products/{PRODUCT_KEY}/devices/csv000")[0] == 404
    assert csv_import(server, header + "".join(rows[:5]))[1]["created"] == 5
    rows[7] = f"bad name!,x,{PRODUCT_KEY}\r\n"
    status, report = csv_import(server, header + "".join(rows[5:]) + rows[5], "?firstLine=7")
    assert (report["created"], report["unchanged"], report["refused"]) == (4, 1, 1)
    assert report["refusals"][0]["line"] == 9
    for text, word in (("no,header\r\n1,2\r\n", "ProductKey"), (header.encode() + b"\xff\xfe\r\n", "UTF-8"),
                       (header + '"open', "quote")):
        status, answer = csv_import(server, text)
        assert status == 400 and word in answer["error"]["message"], answer
    assert csv_import(server, header + "".join(rows) * 1000)[1]["error"]["code"] == "limit_exceeded"
    large = server.http("/api/v1/devices:import-csv", "POST", tls=server.tls(),
                        headers=[f"Authorization: Bearer {server.token}", "Content-Length: 100000000"])
    assert large.status == 413, "before any of it is taken"
