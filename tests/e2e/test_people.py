"""People who sign in to the console: first password, sessions, forged requests, guessing, roles, and what is noted."""

import json
import time

import pytest

from harness import PRODUCT_KEY, Server
from people import Person, first_password, signed_in

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("people")).start()
    found.seed(4)
    found.admin = signed_in(found, PASSWORD)
    yield found
    found.stop()


def make_user(server, name, role, password=PASSWORD):
    status, user = server.admin.ask("POST", "users", {"name": name, "role": role})
    assert status == 201 and user["mustChangePassword"]
    person = Person(server)
    assert person.sign_in(name, user["password"])[0] == 200
    assert person.ask("POST", "session/password", {"current": user["password"], "new": password})[0] == 200
    return person


def test_the_first_password_is_printed_once_and_must_be_changed(tmp_path):
    server = Server(tmp_path / "first").start()
    password = first_password(server)
    assert server.ready["console"].endswith("/console/")
    person = Person(server)
    status, session = person.sign_in("admin", password)
    assert status == 200 and session["role"] == "admin" and session["mustChangePassword"]
    for method, path in (("GET", "products"), ("POST", "products"), ("GET", "events"), ("GET", "statistics")):
        status, answer = person.ask(method, path)
        assert (status, answer["error"]["code"]) == (403, "password_change_required"), path
    for new, code in (("short", "invalid"), (password, "invalid")):
        status, answer = person.ask("POST", "session/password", {"current": password, "new": new})
        assert (status, answer["error"]["code"]) == (400, code)
    assert person.ask("POST", "session/password", {"current": "wrong one here", "new": PASSWORD})[0] == 401
    assert person.ask("POST", "session/password", {"current": password, "new": PASSWORD})[0] == 200
    assert person.ask("GET", "products")[0] == 200
    assert Person(server).sign_in("admin", password)[0] == 401
    start = len(server.log())
    server.restart()
    assert "Sign in as user" not in server.log()[start:]
    assert person.ask("GET", "session")[0] == 401, "sessions end with the server"
    assert person.sign_in("admin", PASSWORD)[0] == 200
    server.stop()
    assert PASSWORD not in server.log()


def test_the_cookie_is_for_this_server_and_for_no_script(server):
    person = Person(server)
    assert person.sign_in("admin", PASSWORD)[0] == 200
    parts = {part.strip().lower() for part in person.cookie_line.split(";")[1:]}
    assert {"httponly", "samesite=strict", "secure", "path=/api/v1"} <= parts
    plain = Person(server, tls=False)
    assert plain.sign_in("admin", PASSWORD)[0] == 200
    assert "secure" not in plain.cookie_line.lower(), "on this machine, without TLS, it would never come back"
    session = person.ask("GET", "session")[1]
    assert session["user"] == "admin" and session["kind"] == "user" and session["expires"]


def test_a_change_needs_the_second_secret(server):
    person = Person(server)
    person.sign_in("admin", PASSWORD)
    body = {"productKey": "a1Forged001"}
    for headers in ((), ("X-CSRF-Token: wrong",), (f"X-CSRF-Token: {person.cookie}",)):
        status, answer = person.ask("POST", "products", body, headers, csrf=False)
        assert (status, answer["error"]["code"]) == (403, "csrf")
    assert person.ask("GET", "products/a1Forged001")[0] == 404
    assert person.ask("POST", "products", body)[0] == 201
    assert person.ask("DELETE", "products/a1Forged001")[0] == 200
    status, answer = Person(server).sign_in("admin", PASSWORD, ["Sec-Fetch-Site: cross-site"])
    assert (status, answer["error"]["code"]) == (403, "csrf")


def test_signing_out_and_changing_the_password_end_sessions(server):
    one, two = make_user(server, "ends", "viewer"), Person(server)
    two.sign_in("ends", PASSWORD)
    cookie = two.cookie
    assert two.ask("DELETE", "session")[1] == {"signedOut": True}
    two.cookie = cookie
    assert two.ask("GET", "session")[0] == 401
    two.sign_in("ends", PASSWORD)
    assert one.ask("POST", "session/password", {"current": PASSWORD, "new": "yet another one"})[0] == 200
    assert one.ask("GET", "session")[0] == 200
    assert two.ask("GET", "session")[0] == 401
    assert server.admin.ask("PATCH", "users/ends", {"role": "operator"})[0] == 200
    assert one.ask("GET", "session")[0] == 401
    assert server.admin.ask("DELETE", "users/ends")[0] == 200
    assert one.sign_in("ends", "yet another one")[0] == 401


def test_sessions_end_with_time(make_server):
    server = make_server({"console.session_idle_s": "60", "console.session_max_s": "60"}, devices=0)
    person = signed_in(server)
    session = person.ask("GET", "session")[1]
    assert session["idleSeconds"] == 60
    assert "Max-Age=60" in person.cookie_line


def test_roles_bound_what_people_do(server):
    viewer = make_user(server, "looks", "viewer")
    assert viewer.ask("GET", f"products/{PRODUCT_KEY}")[0] == 200
    assert "productSecret" not in viewer.ask("GET", f"products/{PRODUCT_KEY}")[1]
    for method, path in (("POST", "products"), ("GET", "users"), ("GET", "audit"), ("POST", "publish")):
        status, answer = viewer.ask(method, path, {})
        assert (status, answer["error"]["code"]) == (403, "forbidden"), path


def test_the_only_administrator_stays_one(server):
    for method, body in (("DELETE", None), ("PATCH", {"role": "viewer"})):
        status, answer = server.admin.ask(method, "users/admin", body)
        assert (status, answer["error"]["code"]) == (400, "invalid") and "only administrator" in answer["error"]["message"]


def test_guessing_is_slowed_down_and_does_not_tell_who_exists(make_server):
    server = make_server(devices=0)
    owner = signed_in(server, PASSWORD)
    for name in ("nobody-here", "admin"):
        statuses = []
        for _ in range(6):
            status, answer = Person(server).sign_in(name, "a wrong password")
            statuses.append(status)
        assert statuses[:5] == [401] * 5 and statuses[5] == 429, statuses
        assert answer["error"]["code"] == "too_many_attempts"
    assert owner.ask("GET", "products")[0] == 200, "who is signed in stays so"
    status, _ = Person(server).sign_in("admin", PASSWORD)
    assert status == 429, "the right password waits as well"
    person = Person(server)
    deadline = time.monotonic() + 10 * server.slack
    while person.sign_in("admin", PASSWORD)[0] == 429:
        assert time.monotonic() < deadline
        time.sleep(float(person.last.header("retry-after")) / 4)
    assert person.ask("GET", "session")[0] == 200


def test_the_audit_log_tells_who_changed_what_and_hides_secrets(server):
    admin = server.admin
    path = f"products/{PRODUCT_KEY}/devices/{server.device().device_name}"
    assert admin.ask("PATCH", path, {"nickname": "Pump", "deviceSecret": "NewSecretNewSecret"})[0] == 200
    assert admin.ask("POST", "products", {"productKey": PRODUCT_KEY})[0] == 409
    entries = admin.ask("GET", f"audit?target={path}&limit=10")[1]["items"]
    entry = entries[0]
    assert (entry["actor"], entry["role"], entry["action"]) == ("user admin", "admin", "PATCH products/*/devices/*")
    assert entry["address"] in ("127.0.0.1", "::1") and entry["status"] == 200
    assert entry["before"]["nickname"] == "" and entry["after"]["nickname"] == "Pump"
    assert "NewSecret" not in json.dumps(entries)
    server.cli("device", "disable", "--product-key", PRODUCT_KEY, "--device-name", path.rsplit("/", 1)[1])
    entry = admin.ask("GET", f"audit?target={path}&limit=1")[1]["items"][0]
    assert entry["actor"] == "the local operator" and entry["after"]["status"] == "DISABLE"
    Person(server).sign_in("admin", "a wrong password")
    signs = admin.ask("GET", "audit?target=session&limit=5")[1]["items"]
    assert signs[0]["status"] == 401 and signs[0]["actor"] == "user admin"
    pages, cursor = [], ""
    while cursor is not None:
        page = admin.ask("GET", f"audit?limit=2&cursor={cursor}")[1]
        pages += page["items"]
        cursor = page.get("nextCursor")
    ids = [entry["id"] for entry in pages]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids)
    everything = json.dumps(pages)
    assert PASSWORD not in everything and first_password(server) not in everything


def test_the_audit_log_is_bounded(make_server):
    server = make_server({"audit.max_entries": "100"}, devices=0)
    token = server.json("token", "create", "t", "--role", "admin")["token"]
    for i in range(120):
        answer = server.http("/api/v1/products", "POST", tls=server.tls(), headers=[f"Authorization: Bearer {token}"],
                             body=json.dumps({"productKey": f"a1Bound{i:03}"}).encode())
        assert answer.status == 201
    answer = server.http("/api/v1/audit?limit=500", tls=server.tls(), headers=[f"Authorization: Bearer {token}"])
    entries = json.loads(answer.body)["items"]
    assert len(entries) == 100 and entries[0]["after"]["productKey"] == "a1Bound119"


def test_users_by_the_command_line(server):
    made = server.json("user", "create", "by-command", "--role", "operator")
    assert made["mustChangePassword"] and made["password"]
    assert "by-command" in server.cli("user", "list").out
    person = Person(server)
    assert person.sign_in("by-command", made["password"])[0] == 200
    reset = server.json("user", "reset", "by-command")
    assert person.ask("GET", "session")[0] == 401 and reset["password"] != made["password"]
    assert person.sign_in("by-command", reset["password"])[1]["mustChangePassword"]
    assert server.json("user", "update", "by-command", "--role", "viewer")["role"] == "viewer"
    server.cli("user", "delete", "by-command")
    assert "by-command" not in server.cli("user", "list").out


def test_a_lost_password_is_replaced_while_no_server_runs(tmp_path):
    server = Server(tmp_path / "lost").start()
    server.stop()
    reset = server.json("user", "reset", "admin")
    server.start()
    person = Person(server)
    assert person.sign_in("admin", reset["password"])[1]["mustChangePassword"]
    server.stop()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"user":"admin"}', b'{"user":1,"password":"x"}',
                                  b'{"user":"admin","password":"x","more":1}', b"\xff\xfe"])
def test_broken_sign_ins_are_refused(server, body):
    answer = server.http("/api/v1/session", "POST", tls=server.tls(), body=body)
    assert answer.status == 400
