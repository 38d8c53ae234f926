"""Bad input to the admin API: a clear error, and nothing half done."""

import concurrent.futures
import json
import re

import pytest

from harness import PRODUCT_KEY, Server
from rawclient import Closed, Stream, read_http_response

BASE = f"products/{PRODUCT_KEY}"
HEADER = "ProductKey,DeviceName,DeviceSecret\r\n"
NASTY = ["<script>alert(1)</script>", "'; DROP TABLE device; --", '"><img src=x onerror=alert(1)>', "Robert'); DELETE FROM product",
         "${jndi:ldap://x}", "{{7*7}}", "%00%0d%0aSet-Cookie: a=b", "\u202egnp.exe", "=HYPERLINK(1)"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("bad")).start()
    found.seed(20)
    found.token = found.json("token", "create", "bad", "--role", "admin")["token"]
    yield found
    found.stop()


def ask(server, path, method="GET", body=None, media=None):
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [f"Authorization: Bearer {server.token}"] + ([f"Content-Type: {media}"] if media else [])
    answer = server.http(f"/api/v1/{path}", method, tls=server.tls(), headers=headers, body=data)
    assert answer.header("content-type").startswith("application/json")
    found = json.loads(answer.body)
    if answer.status >= 400:
        assert found["error"]["code"] and len(found["error"]["message"]) > 10
    return answer.status, found


def devices(server):
    names, cursor = {}, ""
    while cursor is not None:
        page = ask(server, f"{BASE}/devices?limit=1000&cursor={cursor}")[1]
        names.update((one["deviceName"], one) for one in page["items"])
        cursor = page.get("nextCursor")
    return names


# -- edits of two people at once -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("what, path, first, second, shown", [
    ("product", BASE, {"name": "first"}, {"name": "second"}, "name"),
    ("device", f"{BASE}/devices/dev00003", {"nickname": "first"}, {"nickname": "second"}, "nickname"),
    ("account", "accounts/edited", {"permissions": ["all:first"]}, {"permissions": ["all:second"]}, "permissions"),
    ("user", "users/edited", {"role": "operator"}, {"role": "admin"}, "role")])
def test_the_second_of_two_editors_is_told(server, what, path, first, second, shown):
    if what == "account":
        assert ask(server, "accounts", "POST", {"name": "edited", "permissions": ["all:x"]})[0] == 201
    if what == "user":
        assert ask(server, "users", "POST", {"name": "edited", "role": "viewer"})[0] == 201

    def show():
        if what != "user":
            return ask(server, path)[1]
        return next(user for user in ask(server, "users")[1]["items"] if user["name"] == "edited")

    seen = show()["version"]
    assert ask(server, path, "PATCH", {**first, "version": seen})[0] == 200
    status, answer = ask(server, path, "PATCH", {**second, "version": seen})
    assert (status, answer["error"]["code"]) == (409, "version_conflict")
    assert "version" in answer["error"]["message"]
    now = show()
    assert now[shown] == first[shown] and now["version"] == seen + 1
    for version in (-1, "1", 1.5, 2**70):
        assert ask(server, path, "PATCH", {**second, "version": version})[0] == 400, version
    assert show() == now


def test_of_many_editors_at_the_same_moment_one_wins(server):
    path = f"{BASE}/devices/dev00004"
    seen = ask(server, path)[1]["version"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask(server, path, "PATCH", {"nickname": f"editor {i}", "version": seen}), range(8)))
    won = [answer for status, answer in answers if status == 200]
    assert len(won) == 1 and all(status in (200, 409) for status, _ in answers)
    found = ask(server, path)[1]
    assert (found["nickname"], found["version"]) == (won[0]["nickname"], seen + 1)
    entries = ask(server, f"audit?target={path}&limit=20")[1]["items"]
    assert sum(entry["action"].startswith("PATCH") for entry in entries) == 1, "what was refused changed nothing"


# -- batches: all or nothing -----------------------------------------------------------------------------------------------

def test_devices_are_made_by_their_names_all_or_none(server):
    names = ["named-3", "named-1", "named-2"]
    status, made = ask(server, f"{BASE}/devices", "POST", {"names": names, "nickname": "Pump"})
    assert status == 201 and [one["deviceName"] for one in made["items"]] == names
    assert {one["nickname"] for one in made["items"]} == {"Pump"}
    assert len({one["deviceSecret"] for one in made["items"]}) == 3
    before = devices(server)
    for body, code in (({"names": ["new-1", "named-1"]}, "already_exists"), ({"names": ["new-1", "bad name!"]}, "invalid"),
                       ({"names": ["new-1", "new-1"]}, "invalid"), ({"names": []}, "invalid"), ({"names": [""]}, "invalid"),
                       ({"names": "new-1"}, "bad_request"), ({"names": ["new-1", 7]}, "bad_request"),
                       ({"names": ["new-1"], "count": 2}, "invalid"), ({"names": ["new-1"], "deviceName": "x"}, "invalid"),
                       ({"names": ["new-1"], "deviceSecret": "0123456789abcdef"}, "invalid"),
                       ({"names": [f"n{i}" for i in range(10_001)]}, "limit_exceeded")):
        status, answer = ask(server, f"{BASE}/devices", "POST", body)
        assert 400 <= status < 500 and answer["error"]["code"] == code, (body if len(str(body)) < 200 else "many", answer)
    assert devices(server) == before
    assert len(ask(server, f"{BASE}/devices", "POST", {"names": [f"many{i:04}" for i in range(2000)]})[1]["items"]) == 2000


# -- CSV -----------------------------------------------------------------------------------------------------------------

def csv(server, text, query=""):
    return ask(server, f"devices:import-csv{query}", "POST", text if isinstance(text, bytes) else text.encode(), "text/csv")


@pytest.mark.parametrize("text, word", [
    (HEADER.encode() + b"a1TestPrd01,caf\xe9,0123456789abcdef\r\n", "UTF-8"),
    ((HEADER + f"{PRODUCT_KEY},wide,0123456789abcdef\r\n").encode("utf-16"), "UTF-8"),
    ((HEADER + f"{PRODUCT_KEY},设备,0123456789abcdef\r\n").encode("gb18030"), "UTF-8"),
    (HEADER.encode() + b"a1TestPrd01,\xed\xa0\x80,0123456789abcdef\r\n", "UTF-8"),
    (b"", "empty"), (b"\x00\x01\x02", ""), (b"PK\x03\x04 a spreadsheet, not a text", ""),
    ((HEADER + '"never closed').encode(), "quote")])
def test_files_that_are_no_csv_change_nothing(server, text, word):
    before = devices(server)
    status, answer = csv(server, text)
    assert status == 400 and word.lower() in answer["error"]["message"].lower(), answer
    assert devices(server) == before


def test_a_byte_order_mark_and_other_line_ends_are_taken(server):
    for number, (mark, end) in enumerate((("\ufeff", "\r\n"), ("", "\n"), ("\ufeff", "\n"))):
        text = mark + HEADER.replace("\r\n", end) + f"{PRODUCT_KEY},marked{number},0123456789abcdef{end}"
        status, report = csv(server, text)
        assert (status, report["created"]) == (200, 1), report


def test_rows_that_stand_in_a_file_twice(server):
    rows = [f"{PRODUCT_KEY},twice,0123456789abcdef\r\n"] * 2 + [f"{PRODUCT_KEY},twice,fedcba9876543210\r\n"]
    status, report = csv(server, HEADER + "".join(rows))
    assert status == 200 and report["created"] == 1
    assert report["created"] + report["unchanged"] + report["changed"] + report["refused"] == 3
    found = ask(server, f"{BASE}/devices/twice")[1]
    # The last one that was taken is what stands there, and the report says what became of each.
    assert found["deviceSecret"] == ("fedcba9876543210" if report["changed"] else "0123456789abcdef")
    assert csv(server, HEADER + rows[-1])[1]["refused"] == 0
    count = ask(server, BASE)[1]["deviceCount"]
    assert count == len(devices(server)), "nothing is counted twice"


def test_bad_rows_are_named_and_the_good_ones_taken(server):
    rows = [f"{PRODUCT_KEY},good1,0123456789abcdef\r\n", f"{PRODUCT_KEY},bad name!,0123456789abcdef\r\n",
            f"{PRODUCT_KEY},,\r\n", f"{PRODUCT_KEY},good3,0123456789abcdef\r\n"]
    dry = csv(server, HEADER + "".join(rows), "?dryRun=true")
    assert dry[0] == 200 and ask(server, f"{BASE}/devices/good1")[0] == 404
    status, report = csv(server, HEADER + "".join(rows))
    assert status == 200 and report == dry[1] and report["created"] == 2
    assert {refusal["line"] for refusal in report["refusals"]} >= {3, 4}
    assert all(refusal["reason"] for refusal in report["refusals"])
    assert ask(server, f"{BASE}/devices/good3")[0] == 200


@pytest.mark.parametrize("told", [True, False])
def test_a_hundred_megabytes_are_refused_and_not_taken_in(server, told):
    before = server.memory()
    stream = Stream(server.address, server.tls(), "localhost")
    length = "Content-Length: 104857600" if told else "Transfer-Encoding: chunked"
    stream.send((f"POST /api/v1/devices:import-csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
                 f"Content-Type: text/csv\r\n{length}\r\n\r\n").encode())
    piece = (HEADER + f"{PRODUCT_KEY},large,0123456789abcdef\r\n" * 1000).encode()
    for _ in range(1 if told else 4 * 1024 * 1024 // len(piece) + 1):  # whose length is not told is read to the limit
        stream.send(piece if told else f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    answer = read_http_response(stream)  # before the rest has come
    with pytest.raises((Closed, OSError)):
        for _ in range(100 * 1024 * 1024 // len(piece)):
            stream.send(piece)
    stream.close()
    assert answer.status in (411, 413, 501), answer.status
    assert json.loads(answer.body)["error"]["message"]
    assert server.memory() - before < 40 * 1024 * 1024
    assert ask(server, f"{BASE}/devices/large")[0] == 404
    assert server.alive()


# -- names that are script or SQL ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", NASTY)
def test_script_and_sql_are_text_like_any_other(server, text):
    before = len(devices(server))
    path = f"{BASE}/devices/dev00005"
    assert ask(server, path, "PATCH", {"nickname": text})[0] == 200
    assert ask(server, path)[1]["nickname"] == text
    assert ask(server, BASE, "PATCH", {"name": text})[0] == 200
    assert ask(server, BASE)[1]["name"] == text
    assert ask(server, f"audit?target={path}&limit=1")[1]["items"][0]["after"]["nickname"] == text
    found = ask(server, "devices?search=" + "".join(f"%{byte:02X}" for byte in text.encode()))[1]["items"]
    assert [one["deviceName"] for one in found] == ["dev00005"]
    assert len(devices(server)) == before
    # Where a name goes into topics and addresses it has rules of its own.
    status, answer = ask(server, f"{BASE}/devices", "POST", {"deviceName": text})
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert ask(server, "products", "POST", {"productKey": text})[0] == 400
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    assert ask(server, f"products/{quoted}")[0] == 404
    assert ask(server, f"{BASE}/devices/{quoted}", "DELETE")[0] == 404
    assert ask(server, f"{BASE}/devices?prefix={quoted}")[1]["items"] == []
    assert len(devices(server)) == before


def test_answers_are_never_taken_for_a_page(server):
    ask(server, BASE, "PATCH", {"name": NASTY[0]})
    answer = server.http(f"/api/v1/{BASE}", tls=server.tls(), headers=[f"Authorization: Bearer {server.token}"])
    assert answer.header("content-type") == "application/json"
    assert answer.header("x-content-type-options") == "nosniff"
    assert server.http("/api/v1/<script>", tls=server.tls()).header("content-type") == "application/json"
    page = server.http("/<script>alert(1)</script>", tls=server.tls())
    assert not re.search(rb"<script>alert", page.body)


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff\xfe", b'{"name":"\xed\xa0\x80"}', b'{"name":"a","name":"b"}',
                                  b"[" * 5000, b'{"name":' * 3000, b'{"name":1e999}', b'{"unknown":1}', b'{"name":"\\ud800"}'])
def test_broken_json_changes_nothing(server, body):
    before = ask(server, BASE)[1]
    status, _ = ask(server, BASE, "PATCH", body)
    if body == b'{"name":"a","name":"b"}' and status == 200:  # the last one counts, as everywhere in JSON
        assert ask(server, BASE, "PATCH", {"name": before["name"]})[0] == 200
        return
    assert status == 400
    assert ask(server, BASE)[1] == before
