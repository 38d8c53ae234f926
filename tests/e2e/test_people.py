"""People who sign in to the console: first password, sessions, forged requests, guessing, roles, and what is noted."""

import base64
import contextlib
import json
import re
import socket
import threading
import time

import pytest

from harness import PRODUCT_KEY, Server
from people import Person, first_password, signed_in

PASSWORD = "correct horse"
JSON = "Content-Type: application/json"


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


def test_a_first_start_that_fails_does_not_lose_the_first_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        server = Server(tmp_path / "busy")
        failed = server.cli("serve", "--listen", f"127.0.0.1:{busy.getsockname()[1]}", check=False)
        assert failed.status != 0 and "Sign in as" not in failed.out + failed.err
    server.start()
    assert Person(server).sign_in("admin", first_password(server))[0] == 200
    server.stop()


def test_the_cookie_is_for_this_server_and_for_no_script(server):
    person = Person(server)
    assert person.sign_in("admin", PASSWORD)[0] == 200
    parts = {part.strip().lower() for part in person.cookie_line.split(";")[1:]}
    assert {"httponly", "samesite=strict", "secure", "path=/"} <= parts and not any("domain" in part for part in parts)
    assert {"httponly", "samesite=strict", "secure", "path=/api/v1/session"} <= {
        part.strip().lower() for part in person.browser_line.split(";")[1:]}
    plain = Person(server, tls=False)
    assert plain.sign_in("admin", PASSWORD)[0] == 200
    assert "secure" not in plain.cookie_line.lower(), "on this machine, without TLS, it would never come back"
    session = person.ask("GET", "session")[1]
    assert session["user"] == "admin" and session["kind"] == "user" and session["expires"]
    person.name = plain.name  # a name that a neighbour in the domain could set: over TLS it means nothing
    assert person.ask("GET", "session")[0] == 401


def test_a_sign_in_begins_a_session_of_its_own(server):
    person = Person(server)
    person.cookie = "A" * 40  # somebody else's choice
    assert person.sign_in("admin", PASSWORD)[0] == 200
    first = person.cookie
    assert first != "A" * 40
    assert person.sign_in("admin", PASSWORD)[0] == 200
    second, person.cookie = person.cookie, first
    assert second != first
    assert person.ask("GET", "session")[0] == 401, "the one before has ended"


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


def test_pages_of_other_sites_sign_nobody_in(server):
    for headers in (["Sec-Fetch-Site: same-site"], ["Origin: https://evil.example"], ["Origin: null"],
                    ["Origin: https://localhost.evil.example"]):
        status, answer = Person(server).sign_in("admin", PASSWORD, headers)
        assert (status, answer["error"]["code"]) == (403, "csrf"), headers
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        status, answer = Person(server).sign_in("admin", PASSWORD, [f"Content-Type: {kind}"])
        assert (status, answer["error"]["code"]) == (415, "unsupported_media_type"), kind
    for headers in (["Origin: https://localhost"],
                    ["Origin: http://LOCALHOST", "Content-Type: Application/JSON; charset=utf-8"],
                    ["Sec-Fetch-Site: same-origin", "Origin: https://behind.proxy.example"]):
        assert Person(server).sign_in("admin", PASSWORD, headers)[0] == 200, headers


def test_of_two_sessions_in_one_request_none_is_taken(server):
    person = Person(server, tls=False)
    person.sign_in("admin", PASSWORD)
    assert person.ask("GET", "session")[0] == 200
    person.cookie = f"{person.cookie}; {person.name}={'A' * 40}"
    assert person.ask("GET", "session")[0] == 401


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
    server = make_server({"console.session_idle_s": "2", "console.session_max_s": "4"}, devices=0)
    person, idle = signed_in(server), Person(server)
    idle.sign_in("admin", "another password")
    begin = time.monotonic()
    session = person.ask("GET", "session")[1]
    assert session["idleSeconds"] == 2
    assert "Max-Age=4" in person.cookie_line
    while person.ask("GET", "products")[0] == 200:  # at work all the time
        assert time.monotonic() < begin + 4 + 3 * server.slack
        time.sleep(0.1)
    assert time.monotonic() > begin + 2.5
    status, answer = person.ask("POST", "products", {"productKey": "a1TooLate001"})
    assert (status, answer["error"]["code"]) == (401, "unauthorized")
    assert idle.ask("GET", "products")[0] == 401
    assert person.sign_in("admin", "another password")[0] == 200
    assert person.ask("GET", "products/a1TooLate001")[0] == 404


def test_roles_bound_what_people_do(server):
    viewer = make_user(server, "looks", "viewer")
    assert viewer.ask("GET", f"products/{PRODUCT_KEY}")[0] == 200
    assert "productSecret" not in viewer.ask("GET", f"products/{PRODUCT_KEY}")[1]
    for method, path in (("POST", "products"), ("GET", "users"), ("GET", "audit"), ("POST", "publish")):
        status, answer = viewer.ask(method, path, {})
        assert (status, answer["error"]["code"]) == (403, "forbidden"), path


def test_the_audit_log_tells_what_was_refused_and_how_users_were_before(server):
    viewer = make_user(server, "tries", "viewer")
    assert viewer.ask("DELETE", "users/admin")[0] == 403
    entry = server.admin.ask("GET", "audit?target=users/admin&limit=1")[1]["items"][0]
    assert (entry["actor"], entry["role"], entry["action"], entry["status"]) == (
        "user tries", "viewer", "DELETE users/*", 403)
    assert server.admin.ask("PATCH", "users/tries", {"role": "operator"})[0] == 200
    entry = server.admin.ask("GET", "audit?target=users/tries&limit=1")[1]["items"][0]
    assert (entry["before"]["role"], entry["after"]["role"]) == ("viewer", "operator")
    assert server.admin.ask("GET", "users/tries")[1]["role"] == "operator"


def test_strangers_at_the_same_address_keep_nobody_out(make_server):
    server = make_server(devices=0)
    admin = signed_in(server, PASSWORD)
    basic = "Basic " + base64.b64encode(b"user admin:not the password").decode()
    for i in range(60):
        header = basic if i % 2 else f"Bearer mooring_{'x' * 40}{i}"
        status = server.http("/api/v1/products", tls=server.tls(), headers=[f"Authorization: {header}"]).status
        assert status in (401, 403, 429)
    assert status == 429
    assert admin.sign_in("admin", PASSWORD)[0] == 200


def test_nobody_changes_their_own_password_without_the_current_one(server):
    status, answer = server.admin.ask("PATCH", "users/admin", {"password": "without the current"})
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert server.admin.ask("GET", "session")[0] == 200
    assert Person(server).sign_in("admin", PASSWORD)[0] == 200


def test_who_uses_a_method_that_is_not_taken_is_told_which_are(server):
    for path, wanted in (("", "GET, HEAD"), ("console/", "GET, HEAD"), ("metrics", "GET, HEAD"), ("auth", "POST"),
                         ("api/v1/openapi.json", "GET, HEAD"), ("api/v1/events", "GET, HEAD"),
                         ("api/v1/session", "GET, HEAD, POST, DELETE"), ("api/v1/session/password", "POST"),
                         ("api/v1/products", "GET, HEAD, POST")):
        answer = server.http(f"/{path}", "PUT", tls=server.tls(), headers=[
            f"Cookie: {server.admin.name}={server.admin.cookie}", f"X-CSRF-Token: {server.admin.csrf}"])
        assert (answer.status, answer.header("allow")) == (405, wanted), path


def test_the_only_administrator_stays_one(server):
    for method, body in (("DELETE", None), ("PATCH", {"role": "viewer"})):
        status, answer = server.admin.ask(method, "users/admin", body)
        assert (status, answer["error"]["code"]) == (400, "invalid") and "only administrator" in answer["error"]["message"]


def test_what_changes_while_a_password_waits_counts_for_the_session(make_server):
    server = make_server({"listener.trusted_proxies": '["127.0.0.1"]'}, devices=0)
    server.admin = signed_in(server, PASSWORD)
    make_user(server, "deleted", "admin")
    make_user(server, "demoted", "admin")
    make_user(server, "reset", "admin")

    answered = threading.Event()
    people = {name: Person(server) for name in ("deleted", "demoted", "reset")}
    answers = {name: (0, {}) for name in people}

    def guess(i):
        with contextlib.suppress(AssertionError, OSError):  # a slow machine lets them wait for longer than they do
            server.http("/api/v1/session", "POST", body=json.dumps({"user": f"u{i}", "password": "x" * 12}).encode(),
                        headers=[f"X-Forwarded-For: 198.51.100.{i}", "X-Forwarded-Proto: https", JSON])
        answered.set()

    def sign_in(name):
        with contextlib.suppress(AssertionError, OSError):
            answers[name] = people[name].sign_in(name, PASSWORD)

    threads = [threading.Thread(target=guess, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    waiting = [threading.Thread(target=sign_in, args=(name,)) for name in people]
    assert answered.wait(30)  # the others wait: passwords are compared one by one
    for thread in waiting:
        thread.start()
    time.sleep(0.1)  # nothing tells that they wait as well
    assert server.admin.ask("DELETE", "users/deleted")[0] == 200
    assert server.admin.ask("PATCH", "users/demoted", {"role": "viewer"})[0] == 200
    assert server.admin.ask("PATCH", "users/reset", {"password": "quite another one"})[0] == 200
    for thread in threads + waiting:
        thread.join()
    # Whoever was faster than the change has lost the session by it.
    assert people["deleted"].ask("GET", "users")[0] == 401, answers
    assert people["reset"].ask("GET", "users")[0] == 401, answers
    assert people["demoted"].ask("GET", "users")[0] in (401, 403), answers
    assert answers["demoted"][1].get("role") != "admin" or people["demoted"].ask("GET", "session")[0] == 401


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


def test_nobody_is_kept_out_of_a_browser_in_which_they_signed_in(make_server):
    server = make_server(devices=0)
    owner = signed_in(server, PASSWORD)
    owner.ask("DELETE", "session")
    # Somebody behind the same proxy, or on the same machine, guesses without an end.
    stranger = Person(server)
    statuses = [stranger.sign_in(f"name?{i}", "a wrong password")[0] for i in range(31)]
    assert statuses == [401] * 30 + [429]
    while stranger.sign_in("admin", "a wrong password")[0] != 429:
        pass
    assert stranger.sign_in("admin", PASSWORD)[0] == 429
    assert owner.sign_in("admin", PASSWORD)[0] == 200
    server.restart()
    owner.cookie = None
    stranger = Person(server)
    while stranger.sign_in("admin", "a wrong password")[0] != 429:
        pass
    assert owner.sign_in("admin", PASSWORD)[0] == 200, "known over a restart"
    # Of no use for another name, and not without an end for guesses either.
    stranger.browser = owner.browser
    assert stranger.sign_in("name-1", "a wrong password")[0] in (401, 429)
    statuses = [stranger.sign_in("admin", "a wrong password")[0] for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_failed_sign_ins_do_not_fill_the_audit_log(make_server):
    server = make_server({"listener.trusted_proxies": '["127.0.0.1"]'}, devices=0)
    admin = signed_in(server, PASSWORD)

    def refused(i, user):
        # As from everywhere: a proxy that is trusted says so.
        answer = server.http("/api/v1/session", "POST",
                             headers=[f"X-Forwarded-For: 198.51.100.{i}", "X-Forwarded-Proto: https", JSON],
                             body=json.dumps({"user": user, "password": "x" * 10}).encode())
        assert answer.status == 401

    def entries():
        found = admin.ask("GET", "audit?target=session&limit=500")[1]["items"]
        return [entry for entry in found if entry["status"] == 401]

    for i in range(20):  # such a name cannot be, so that no password is compared
        refused(i, f"Typed?Secret{i}")
    for i in range(70):
        refused(100 + i, f"TypedSecret{i}")
    refused(200, "admin")
    server.wait_log("sign-in of 'admin'")
    found = entries()
    assert 40 <= len(found) <= 60 and {entry["actor"] for entry in found} == {"unknown user"}
    assert "Secret" not in server.log() and "Secret" not in json.dumps(found)


SECRETS = {"password": "Secret-Password-1", "deviceSecret": "SecretDevice0001", "productSecret": "SecretProduct001"}


def test_no_secret_is_in_the_audit_log_nor_in_the_log(make_server):
    server = make_server({"log.level": "debug"}, devices=2)
    admin = signed_in(server, PASSWORD)
    device = server.device().device_name
    path = f"products/{PRODUCT_KEY}/devices"
    told = []

    def do(method, where, body=None, wanted=(200, 201)):
        status, answer = admin.ask(method, where, body)
        assert status in wanted, (where, answer)
        told.append(answer)
        return answer

    do("POST", "products", {"productKey": "a1Secret001", "productSecret": SECRETS["productSecret"]})
    do("PATCH", "products/a1Secret001", {"productSecret": "SecretProduct002"})
    do("POST", path, {"deviceName": "secret1", "deviceSecret": SECRETS["deviceSecret"]})
    do("POST", path, {"names": ["secret2", "secret3"]})
    do("PATCH", f"{path}/{device}", {"deviceSecret": "SecretDevice0002"})
    do("POST", f"{path}/{device}/secret", {})
    do("POST", "devices:import", {"rows": [{"productKey": PRODUCT_KEY, "deviceName": "secret4",
                                           "deviceSecret": "SecretDevice0003"}]})
    do("POST", "accounts", {"name": "secret", "password": SECRETS["password"], "permissions": ["all:#"]})
    do("PATCH", "accounts/secret", {"password": "Secret-Password-2"})
    do("POST", "accounts", {"name": "secret2", "permissions": ["all:#"]})
    do("POST", "users", {"name": "secret", "role": "viewer"})
    do("PATCH", "users/secret", {"password": "Secret-Password-3"})
    do("POST", "tokens", {"name": "secret", "role": "viewer"})
    do("POST", "tickets", {"productKey": PRODUCT_KEY, "deviceName": device})
    do("POST", "tickets", {"account": "secret"})
    do("POST", "publish", {"topic": "a/b", "payload": "Secret-Payload-1"})
    do("GET", f"{path}/{device}/connect")
    do("POST", "session/password", {"current": PASSWORD, "new": "Secret-Password-4"})
    answer = server.http("/api/v1/tickets", tls=server.tls(), headers=["Authorization: Basic c2VjcmV0OlNlY3JldC1QYXNzd29yZC0y"])
    assert answer.status == 200

    def secrets_of(value):
        if isinstance(value, list):
            return {one for item in value for one in secrets_of(item)}
        if not isinstance(value, dict):
            return set()
        named = {text for name, text in value.items() if isinstance(text, str) and text and re.search(
            "(?i)secret$|password|token$|csrf", name)}
        return named | {one for item in value.values() for one in secrets_of(item)}

    secrets = {one for answer in told for one in secrets_of(answer)} - {"secret"}
    secrets |= {*SECRETS.values(), PASSWORD, first_password(server), admin.cookie, admin.browser, "Secret-Payload-1"}
    secrets |= {f"Secret-Password-{i}" for i in range(1, 5)} | {f"SecretDevice000{i}" for i in range(1, 4)} | {
        "SecretProduct001", "SecretProduct002"}
    assert len(secrets) > 18
    entries = admin.ask("GET", "audit?limit=500")[1]["items"]
    done = [entry["action"] for entry in entries if entry["actor"] == "user admin" and entry["status"] < 300]
    for action, times in {"POST products": 1, "PATCH products/*": 1, "POST products/*/devices": 2,
                          "PATCH products/*/devices/*": 1, "POST products/*/devices/*/secret": 1,
                          "POST devices:import": 1, "POST accounts": 2, "PATCH accounts/*": 1, "POST users": 1,
                          "PATCH users/*": 1, "POST tokens": 1, "POST tickets": 2, "POST publish": 1,
                          "POST session/password": 2}.items():
        assert done.count(action) == times, f"{action}: {done.count(action)} entries"
    assert not any(action.startswith("GET") for action in done)
    audit = json.dumps(entries)
    log = server.log().replace(f"with password {first_password(server)}", "")  # the welcome, which is no log
    for secret in secrets:
        assert secret not in audit, f"{secret} is in the audit log"
        assert secret not in log, f"{secret} is in the log"


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
    seen = entry["id"]
    Person(server).sign_in("admin", "a wrong password")
    # Written without keeping the answer waiting.
    deadline = time.monotonic() + 5 * server.slack
    while (signs := admin.ask("GET", "audit?target=session&limit=5")[1]["items"])[0]["id"] <= seen:
        assert time.monotonic() < deadline
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
    answer = server.http("/api/v1/session", "POST", tls=server.tls(), body=body, headers=[JSON])
    assert answer.status == 400
