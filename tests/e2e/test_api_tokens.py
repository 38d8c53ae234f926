"""The admin API over the network: tokens, roles, limits, and every registry command with --server."""

import base64
import json
import time

import pytest

from harness import PRODUCT_KEY, Server, run_program


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("tokens")).start()
    found.seed(6)
    yield found
    found.stop()


def make_token(server, name, role, *more):
    return server.json("token", "create", name, "--role", role, *more)["token"]


def ask(server, target, token=None, method="GET", body=None, tls=True, headers=()):
    lines = list(headers) + ([f"Authorization: Bearer {token}"] if token else [])
    answer = server.http(f"/api/v1/{target}", method, tls=server.tls() if tls else None, headers=lines,
                         body=json.dumps(body).encode() if body is not None else b"")
    return answer.status, json.loads(answer.body)


def remote(server, token, *words, check=True, insecure=False):
    trust = ["--insecure"] if insecure else ["--cafile", server.root_certificate]
    return run_program(*words, "--server", f"https://localhost:{server.port}", "--token", token, *trust, check=check)


def test_a_token_opens_the_api_over_tls_and_on_this_machine(server):
    token = make_token(server, "reader", "viewer")
    for tls in (True, False):
        status, body = ask(server, f"products/{PRODUCT_KEY}", token, tls=tls)
        assert status == 200 and body["productKey"] == PRODUCT_KEY and "productSecret" not in body
    assert token not in server.log()


def test_without_a_token_or_with_a_wrong_one_nothing_is_told(server):
    token = make_token(server, "for-wrong", "admin")
    wrong = token[:-1] + ("x" if token[-1] != "x" else "y")
    for given in (None, "abc", wrong, "mooring_" + "a" * 12 + "_" + "b" * 40):
        for target in ("products", "tokens", "nowhere"):
            status, body = ask(server, target, given)
            assert status == 401 and body["error"]["code"] == "unauthorized", (given, target, body)
            assert PRODUCT_KEY not in json.dumps(body)
    answer = server.http("/api/v1/products", tls=server.tls())
    assert "bearer" in (answer.header("www-authenticate") or "").lower()
    assert wrong not in server.log()


def test_roles_are_kept_apart(server):
    viewer, operator = make_token(server, "role-v", "viewer"), make_token(server, "role-o", "operator")
    name = server.device().device_name
    path = f"products/{PRODUCT_KEY}/devices/{name}"
    assert "deviceSecret" not in ask(server, path, viewer)[1]
    assert ask(server, path, operator)[1]["deviceSecret"]
    status, body = ask(server, path + "/disable", viewer, "POST")
    assert (status, body["error"]["code"]) == (403, "forbidden")
    assert ask(server, path + "/disable", operator, "POST")[1]["status"] == "DISABLE"
    assert ask(server, path + "/enable", operator, "POST")[0] == 200
    for target, method in (("tokens", "GET"), ("accounts", "POST"), (f"products/{PRODUCT_KEY}", "DELETE")):
        assert ask(server, target, operator, method)[0] == 403


def test_a_revoked_token_ends_at_once_and_an_expired_one_in_time(server):
    token = make_token(server, "short", "viewer", "--lifetime", "2s")
    other = make_token(server, "gone", "viewer")
    started = time.monotonic()
    assert ask(server, "products", token)[0] == 200
    assert ask(server, "products", other)[0] == 200
    server.cli("token", "revoke", "gone")
    assert ask(server, "products", other)[0] == 401
    assert "gone" not in [entry["name"] for entry in server.json("token", "list")]
    time.sleep(max(0, started + 2.1 - time.monotonic()))
    assert ask(server, "products", token)[0] == 401


def test_tokens_survive_a_restart(tmp_path):
    with_token = Server(tmp_path / "a").start()
    token = make_token(with_token, "keeps", "viewer")
    with_token.restart()
    assert ask(with_token, "products", token)[0] == 200
    with_token.stop()
    assert token.encode() not in (with_token.data / "registry.db").read_bytes()


def test_registry_commands_work_from_elsewhere(server):
    token = make_token(server, "cli", "admin")
    assert PRODUCT_KEY in remote(server, token, "product", "list").out
    made = remote(server, token, "device", "create", "--product-key", PRODUCT_KEY, "--device-name", "far", "--json").json()
    assert made["deviceSecret"]
    assert "far" in remote(server, token, "device", "list", "--product-key", PRODUCT_KEY).out
    remote(server, token, "account", "create", "far-account", "--password", "x", "--allow", "all:far/#")
    assert "far-account" in remote(server, token, "account", "list").out
    remote(server, token, "account", "delete", "far-account")
    remote(server, token, "device", "delete", "--product-key", PRODUCT_KEY, "--device-name", "far")
    assert "cli" in remote(server, token, "token", "list").out
    environment = {"MOORING_TOKEN": token}
    done = run_program("product", "list", "--server", f"http://127.0.0.1:{server.port}", env=environment)
    assert PRODUCT_KEY in done.out


def test_wrong_uses_are_explained(server):
    token = make_token(server, "explained", "viewer")
    refused = remote(server, token, "device", "create", "--product-key", PRODUCT_KEY, check=False)
    assert refused.status == 1 and "role operator" in refused.err
    assert remote(server, "nonsense", "product", "list", check=False).status == 1
    base = ("product", "list", "--server")
    for words, hint in (
        ((*base, f"http://192.0.2.1:{server.port}", "--token", token), "clear"),
        ((*base, f"https://localhost:{server.port}"), "MOORING_TOKEN"),
        ((*base, "localhost", "--token", token), "https"),
        ((*base, "https://localhost/path", "--token", token), "host and port"),
        ((*base, "https://localhost", "--token", token, "--data", "x"), "--data"),
    ):
        done = run_program(*words, check=False)
        assert done.status == 2 and hint in done.err, done
    untrusted = run_program(*base, f"https://localhost:{server.port}", "--token", token, check=False)
    assert untrusted.status == 1 and "certificate" in untrusted.err.lower()


def test_a_large_import_goes_through_and_strangers_send_little(server, tmp_path):
    token = make_token(server, "importer", "admin")
    file = tmp_path / "fleet.csv"
    rows = "".join(f"{PRODUCT_KEY},far{i:05d},{i:032d}\n" for i in range(5000))
    file.write_text("ProductKey,DeviceName,DeviceSecret\n" + rows)
    report = remote(server, token, "device", "import", file, "--json").json()
    assert report["created"] == 5000 and report["refused"] == 0
    exported = remote(server, token, "device", "export", "--product-key", PRODUCT_KEY)
    assert exported.out.count("\nfar") == 0 and exported.out.count(",far") >= 5000
    large = {"name": "x" * 100_000}
    for given, status, limit in ((None, 413, "body"), ("wrong", 413, "body"), (token, 400, "key")):
        found, body = ask(server, "accounts", given, "POST", large)
        assert found == status, body
    assert ask(server, "products", token, "POST", {"name": "x" * 300_000})[0] == 413
    viewer = make_token(server, "small", "viewer")
    assert ask(server, "devices:import", viewer, "POST", {"rows": ["x" * 300_000]})[0] == 413


def basic(name, password):
    return ["Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()]


def test_guessing_is_slowed_down_and_others_behind_the_address_go_on(tmp_path):
    guessed = Server(tmp_path / "g").start()
    token = make_token(guessed, "ok", "viewer")
    for name in ("known", "new", "target"):
        guessed.cli("account", "create", name, "--password", "p-" + name)

    def tickets(name, password):
        return ask(guessed, "tickets", tls=False, headers=basic(name, password))[0]

    assert tickets("known", "p-known") == 200
    statuses = [ask(guessed, "products", "wrong", tls=False)[0] for _ in range(19)]
    assert statuses + [tickets("target", "guess")] == [401] * 20
    status, body = ask(guessed, "products", "wrong", tls=False)
    assert status == 429 and body["error"]["code"] == "too_many_attempts"
    assert tickets("target", "guess") == 429 and tickets("target", "p-target") == 429
    assert ask(guessed, "products", token, tls=False)[0] == 200, "nobody guesses a token"
    assert [tickets("known", "p-known") for _ in range(5)] == [200] * 5
    assert tickets("new", "p-new") == 200, "one of two strangers in a second"
    assert guessed.http("/healthz").status == 200
    guessed.stop()


def test_an_account_gets_at_its_own_tickets_only(server):
    server.cli("account", "create", "page-maker", "--password", "correct horse", "--allow", "all:app/#")
    right = basic("page-maker", "correct horse")
    status, ticket = ask(server, "tickets", method="POST", body={"permissions": ["subscribe:app/x"]}, headers=right)
    assert status == 201 and ticket["account"] == "page-maker" and ticket["mintedBy"] == "account page-maker"
    assert [t["id"] for t in ask(server, "tickets", headers=right)[1]["items"]] == [ticket["id"]]
    for target, method in (("products", "GET"), ("accounts", "GET"), ("tokens", "GET"), ("devices", "GET")):
        assert ask(server, target, method=method, headers=right)[0] == 403
    assert ask(server, "tickets", headers=basic("page-maker", "wrong"))[0] == 401
    assert ask(server, "tickets", headers=basic("nobody", "wrong"))[0] == 401
    assert ask(server, "tickets", method="POST", body={"permissions": ["all:#"]}, headers=right)[0] == 403
    words = ["--server", f"https://localhost:{server.port}", "--cafile", server.root_certificate, "--sign-in-as",
             "page-maker", "--password", "correct horse"]
    assert ticket["id"] in run_program("ticket", "list", *words).out
    minted = run_program("ticket", "mint", "--allow", "subscribe:app/x", *words, "--json").json()
    assert minted["url"] == f"wss://localhost:{server.port}/mqtt"
    run_program("ticket", "revoke", minted["id"], *words)
    assert "correct horse" not in server.log() and minted["password"] not in server.log()
