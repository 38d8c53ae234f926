"""Accounts: the command line for them, their sign-in, and what they may do."""

import pathlib
import sqlite3
import subprocess
import sys
import time

import pytest

from harness import PRODUCT_KEY, Lines, find_program, run_program
from rawclient import CONNACK, connect_packet

PASSWORD = "correct-horse-battery"
SUBACK_FAILURE = 0x80
BYSTANDER_MS = 250


def make_account(server, name, *allow, password=PASSWORD):
    words = ["account", "create", name, "--password", password]
    for permission in allow:
        words += ["--allow", permission]
    return server.json(*words)


def sign_in(server, name, transport="tcp", client_id="c1", password=PASSWORD, code=0, **options):
    client = server.client(transport)
    client.session_present, found = client.connect(client_id, name, password, timeout=10 * server.slack, **options)
    assert found == code, f"CONNACK {found}, not {code}\n{server.log()[-1500:]}"
    return client


def refused(server, *credentials, code, transport="tcp", **options):
    client = server.client(transport)
    assert client.connect(*credentials, timeout=20 * server.slack, **options) == (0, code)
    client.wait_closed()


def with_input(server, text, *arguments, check=True):
    """A registry command that is told something on stdin."""
    command = [str(find_program()), *arguments, "--data", str(server.data), "--json"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30 * server.slack)
    assert not check or done.returncode == 0, done.stderr
    return done


def closed_within(client, seconds=5.0):
    client.wait_closed(seconds)
    client.close()


# ---- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["stopped", "running"])
def folder(request, make_server):
    return make_server(devices=0, start=request.param == "running")


def test_life_of_an_account(folder):
    made = make_account(folder, "back end", "subscribe:/+/+/user/#", "publish:a:b/c")
    assert made["name"] == "back end" and made["permissions"] == ["subscribe:/+/+/user/#", "publish:a:b/c"]
    assert "password" not in made
    make_account(folder, "another")
    listed = folder.json("account", "list")
    assert [account["name"] for account in listed] == ["another", "back end"]
    assert listed[0]["permissions"] == [] and listed[1] == made
    assert "subscribe:/+/+/user/#" in folder.cli("account", "list").out

    def permissions(*words):
        return folder.json("account", "update", "back end", *words)["permissions"]

    assert permissions("--add-allow", "all:x", "--remove-allow", "publish:a:b/c") == ["subscribe:/+/+/user/#", "all:x"]
    assert permissions("--allow", "all:#") == ["all:#"]
    assert permissions("--password", "other") == ["all:#"]
    folder.cli("account", "delete", "back end")
    assert [account["name"] for account in folder.json("account", "list")] == ["another"]


def test_a_password_that_is_left_out_is_generated_and_shown_once(folder):
    made = folder.json("account", "create", "gen", "--allow", "all:#")
    assert len(made["password"]) == 24
    assert made["password"] not in folder.cli("account", "list", "--json").out
    if folder.alive():
        sign_in(folder, "gen", password=made["password"]).close()


def test_a_password_may_come_from_stdin(folder):
    made = with_input(folder, PASSWORD + "\n", "account", "create", "in", "--password-stdin", "--allow", "all:#")
    assert PASSWORD not in made.stdout and '"password"' not in made.stdout
    with_input(folder, "next one\r\nnot this", "account", "update", "in", "--password-stdin")
    if folder.alive():
        refused(folder, "c", "in", PASSWORD, code=4)
        sign_in(folder, "in", password="next one").close()
    nothing = with_input(folder, "", "account", "update", "in", "--password-stdin", check=False)
    assert nothing.returncode == 2 and "password" in nothing.stderr


@pytest.mark.parametrize("words, status", [
    (("create", "twice", "--password", "x"), 1), (("update", "nobody", "--allow", "all:#"), 1),
    (("delete", "nobody"), 1), (("create",), 2), (("update", "twice"), 2), (("create", "a&b", "--password", "x"), 2),
    (("create", "a|b", "--password", "x"), 2), (("create", "x" * 65, "--password", "x"), 2),
    (("create", "new", "--allow", "write:#"), 2), (("create", "new", "--allow", "all:a/#/b"), 2),
    (("create", "new", "--allow", "#"), 2), (("create", "new", "--password", ""), 2),
    (("create", "new", "--password", "x", "--password-stdin"), 2),
    (("update", "twice", "--allow", "all:#", "--add-allow", "all:x"), 2),
    (("update", "twice", "--remove-allow", "all:nothing"), 1)])
def test_commands_that_fail(folder, words, status):
    make_account(folder, "twice")
    before = folder.json("account", "list")
    done = folder.cli("account", *words, check=False)
    assert done.status == status and done.err.strip(), done
    assert folder.json("account", "list") == before


def test_the_registry_keeps_no_password(folder):
    make_account(folder, "one", "all:#")
    database = sqlite3.connect(folder.data / "registry.db", timeout=10)
    try:
        (kept,) = database.execute("SELECT password_hash FROM account").fetchone()
    finally:
        database.close()
    assert kept.startswith("$argon2id$") and PASSWORD not in kept


# ---- sign-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "ws", "tls", "wss"])
@pytest.mark.parametrize("level", [3, 4])
def test_sign_in(server, transport, level):
    name = f"in-{transport}-{level}"
    make_account(server, name, "all:#")
    with sign_in(server, name, transport, level=level, client_id="any|id&with=everything\u00e9") as client:
        assert client.subscribe("echo/#") == [1]
        client.publish("echo/1", b"hello", qos=1)
        got = client.expect_publish()
        assert (got.topic, got.payload) == ("echo/1", b"hello")
    with sign_in(server, name, transport, level=level) as again:  # now the password is known on some loop
        again.ping()


def test_refusals_look_the_same(server):
    make_account(server, "known", "all:#")
    for credentials in (("c", "known", "wrong"), ("c", "known", ""), ("c", "unknown", PASSWORD), ("c", "known", None),
                        ("c", "a|b", "x"), ("c", "", "x"), ("c", "x" * 65, "x"), ("", "unknown", "x"),
                        ("c", None, None)):
        for transport in ("tcp", "ws"):
            refused(server, *credentials, code=4, transport=transport)


def test_a_refusal_takes_as_long_for_a_name_that_does_not_exist(server):
    make_account(server, "timed", "all:#")

    taken = {"timed": [], "nobody-here": []}
    for _ in range(12):
        for name, times in taken.items():
            client = server.client()
            start = time.monotonic()
            assert client.connect("c", name, "wrong", timeout=20 * server.slack)[1] == 4
            times.append(time.monotonic() - start)
            client.close()
    known, unknown = map(min, taken.values())
    assert known > 0.004 and unknown > 0.004, "a password was refused without being hashed"
    assert max(known, unknown) < 3 * min(known, unknown)


@pytest.mark.parametrize("keep_alive", [0, 1, 5, 65535])
def test_any_keep_alive(server, keep_alive):
    make_account(server, f"alive{keep_alive}", "all:#")
    client = sign_in(server, f"alive{keep_alive}", keep_alive=keep_alive)
    if keep_alive == 1:
        time.sleep(1.0)
        client.ping()
        start = time.monotonic()
        client.wait_closed(4 * server.slack)
        assert time.monotonic() - start > 1.2, "half as long again as the keep alive"
    else:
        time.sleep(0.2)
        client.ping()
        client.close()


def test_client_ids_of_every_length(server):
    make_account(server, "ids", "all:#")
    for transport in ("tcp", "ws"):
        for size in (1, 23, 1025, 65535):
            with sign_in(server, "ids", transport, client_id="i" * size) as client:
                client.ping()


def test_the_largest_connect(server):
    """Client identifier, password and will of 65,535 bytes each are more than the default 256 KiB hold with a user name
    of that size; without it they fit."""
    make_account(server, "large", "all:#")
    will = ("w", b"m" * 65535, 1, False)
    with sign_in(server, "large", client_id="i" * 65535, will=will) as client:
        client.ping()
    refused(server, "i" * 65535, "large", "p" * 65535, code=4, will=will)
    client = server.client()
    client.send(connect_packet("i" * 65535, "u" * 65535, "p" * 65535, will=("t" * 65535, b"m" * 65535, 0, False)))
    assert client.wait_closed() == []


def test_an_empty_client_id_needs_a_clean_session(server):
    make_account(server, "empty", "all:#")
    first = sign_in(server, "empty", client_id="", clean=True)
    second = sign_in(server, "empty", client_id="", clean=True)
    first.ping()  # each has an identifier of its own
    second.ping()
    refused(server, "", "empty", PASSWORD, code=2, clean=False)
    refused(server, "", "empty", PASSWORD, code=2, clean=True, level=3)
    first.close()
    second.close()


@pytest.mark.parametrize("older, newer", [("tcp", "tcp"), ("tcp", "ws"), ("ws", "tcp")])
def test_the_same_client_id_takes_over(server, older, newer):
    name = f"over-{older}-{newer}"
    make_account(server, name, "all:#")
    make_account(server, name + "-other", "all:#")
    first = sign_in(server, name, older, client_id="same")
    other = sign_in(server, name + "-other", older, client_id="same")
    second = sign_in(server, name, newer, client_id="same")
    closed_within(first)
    other.ping()  # of another account: a session of its own
    second.ping()
    second.close()
    other.close()


def test_a_wrong_password_counts_against_the_address(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "3"}, devices=0)
    make_account(server, "one", "all:#")
    for _ in range(3):
        refused(server, "c", "one", "wrong", code=4)
    refused(server, "c", "one", PASSWORD, code=3)


def test_rate_limits_of_devices_do_not_apply(make_server):
    server = make_server({"limits.connects_per_device_per_minute": "2"}, devices=0)
    make_account(server, "one", "all:#")
    for _ in range(6):
        sign_in(server, "one").close()


def test_passwords_are_not_in_the_log(make_server):
    server = make_server({"log.level": "debug"}, devices=0)
    made = server.json("account", "create", "gen", "--allow", "all:#")
    make_account(server, "one", "all:#")
    sign_in(server, "one").close()
    refused(server, "c", "one", "a-wrong-password", code=4)
    refused(server, "c", "nobody", "a-wrong-password", code=4)
    server.wait_log("wrong-password", "one")
    log = server.log()
    for secret in (PASSWORD, "a-wrong-password", made["password"], "$argon2"):
        assert secret not in log


@pytest.mark.alone
def test_guessing_disturbs_nobody(make_server):
    """Fifty wrong passwords at once, hashed beside the loops: a bystander's round trips stay short."""
    server = make_server(devices=2)
    make_account(server, "one", "all:#")
    make_account(server, "regular", "all:#")
    sign_in(server, "regular").close()
    device = server.device()
    script = pathlib.Path(__file__).with_name("bystander.py")
    watcher = Lines([sys.executable, "-B", script, server.host, server.port, *device.credentials(),
                     device.topic("user/echo")], stdin=True)
    watcher.until("ready", 20)
    clients = [server.client() for _ in range(50)]
    for i, client in enumerate(clients):
        client.send(connect_packet(f"c{i}", "one" if i % 2 else "nobody", f"guess{i}"))
    for client in clients:
        got = client.receive(20 * server.slack)
        assert got.type == CONNACK and got.body[1] == 4
        client.close()
    watcher.process.stdin.close()
    longest, count = watcher.next(40).split()
    watcher.process.wait(10)
    assert int(count) > 5
    assert float(longest) < BYSTANDER_MS * server.slack, f"a bystander waited {longest} ms"


@pytest.mark.alone
def test_more_guesses_than_can_wait_are_put_off(make_server):
    server = make_server(devices=0)
    make_account(server, "one", "all:#")
    make_account(server, "regular", "all:#")
    known = [sign_in(server, "regular", client_id=f"r{i}") for i in range(8)]  # known on every loop, most likely
    clients = [server.client() for _ in range(300)]
    for i, client in enumerate(clients):
        client.send(connect_packet(f"c{i}", "one", f"guess{i}"))
    codes = [client.receive(60 * server.slack).body[1] for client in clients]
    assert set(codes) <= {3, 4} and codes.count(4) >= 20, codes
    if not server.sanitizer:
        assert 3 in codes
    for client in clients + known:
        client.close()
    sign_in(server, "regular").close()


# ---- what an account may do ------------------------------------------------------------------------------------------


def test_permissions(server):
    make_account(server, "some", "publish:in/+", "subscribe:out/#", "all:both/+/x")
    with sign_in(server, "some") as client:
        assert client.subscribe("out/#", "out/+/y", "in/1", "#", "both/+/x", "both/a/x", "both/#") == [
            1, 1, SUBACK_FAILURE, SUBACK_FAILURE, 1, 1, SUBACK_FAILURE]
        assert client.subscribe("$SYS/#", "$share/g/other") == [SUBACK_FAILURE] * 2
        with sign_in(server, "some", client_id="second") as second:
            assert second.subscribe("out/#") == [1]
            client.publish("out/1", b"no", qos=1)  # acknowledged and dropped
            client.publish("in/1/2", b"no", qos=1)
            second.expect_silence(0.3)
        client.publish("both/1/x", b"yes", qos=1)
        assert client.expect_publish().payload == b"yes"
    server.wait_log("account some, client 'c1'", "out/1", "refused")


def test_no_permission_means_nothing(server):
    make_account(server, "none")
    with sign_in(server, "none") as client:
        assert client.subscribe("#", "a") == [SUBACK_FAILURE] * 2


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_back_end_and_a_device(server, transport):
    name = f"backend-{transport}"
    make_account(server, name, "subscribe:/+/+/user/#", "publish:/+/+/user/down")
    device = server.device()
    with sign_in(server, name, transport) as backend, server.sign_in(device, transport) as other:
        assert backend.subscribe("/+/+/user/#") == [1]
        assert other.subscribe(device.topic("user/down")) == [1]
        other.publish(device.topic("user/up"), b"21 C", qos=1)
        got = backend.expect_publish()
        assert (got.topic, got.payload, got.qos) == (device.topic("user/up"), b"21 C", 1)
        backend.puback(got)
        backend.publish(device.topic("user/down"), b"be warmer", qos=1)
        assert other.expect_publish().payload == b"be warmer"
        assert backend.expect_publish().payload == b"be warmer"  # it asked for everything below user
        backend.publish(f"/sys/{PRODUCT_KEY}/{device.device_name}/thing/x", b"no", qos=1)
        assert not backend.inbox


def test_accounts_have_no_status_messages(server):
    make_account(server, "quiet", "all:#")
    watcher = server.operator("/as/mqtt/status/#")
    with sign_in(server, "quiet"):
        pass
    device = server.device()
    with server.sign_in(device):
        topic, message = watcher.next_json()
    assert device.device_name in topic and message["deviceName"] == device.device_name


def test_qos_is_the_lower_of_publisher_and_subscription(server):
    make_account(server, "qos", "all:#")
    with sign_in(server, "qos") as client:
        assert client.subscribe(("q/0", 0), ("q/1", 1)) == [0, 1]
        for topic, published, expected in (("q/0", 1, 0), ("q/1", 0, 0), ("q/1", 1, 1)):
            client.publish(topic, b"x", qos=published)
            assert client.expect_publish().qos == expected


def test_many_filters_and_deep_topics(server):
    make_account(server, "many", "all:#")
    with sign_in(server, "many") as client:
        assert client.subscribe(*(f"f/{i}" for i in range(200))) == [1] * 200
        deep = "/".join("l" * 200)
        assert client.subscribe(deep) == [1]
        client.publish(deep, b"deep", qos=1)
        assert client.expect_publish().topic == deep


def test_the_number_of_subscriptions_is_bounded(make_server):
    server = make_server({"limits.subscriptions_per_account_session": "5"}, devices=0)
    make_account(server, "one", "all:#")
    with sign_in(server, "one") as client:
        assert client.subscribe(*(f"f/{i}" for i in range(7))) == [1] * 5 + [SUBACK_FAILURE] * 2
        assert client.subscribe("f/0") == [1]


def test_the_number_of_lasting_sessions_is_bounded(make_server):
    server = make_server({"limits.sessions_per_account": "3", "server.threads": "1"}, devices=0)
    make_account(server, "one", "all:#")
    make_account(server, "two", "all:#")
    for i in range(3):
        sign_in(server, "one", client_id=f"c{i}", clean=False).close()
    sign_in(server, "one", client_id="c3", clean=False, code=3).wait_closed()
    assert "limits.sessions_per_account" in server.log()
    sign_in(server, "one", client_id="c2", clean=False).close()
    sign_in(server, "one", client_id="c3", clean=True).close()
    sign_in(server, "two", client_id="c3", clean=False).close()
    server.restart()
    sign_in(server, "one", client_id="c3", clean=False, code=3).wait_closed()
    sign_in(server, "one", client_id="c1", clean=True).close()  # ends it
    sign_in(server, "one", client_id="c3", clean=False).close()


# ---- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [None, False, True])
def test_a_session_is_kept_with_clean_session_0(make_server, restart):
    server = make_server(devices=0)
    make_account(server, "one", "all:#")
    make_account(server, "two", "all:#")
    client = sign_in(server, "one", clean=False)
    assert client.session_present == 0
    assert client.subscribe("keep/#") == [1]
    client.drop()
    if restart is not None:
        server.restart(hard=restart)
    with sign_in(server, "two", client_id="other") as publisher:
        if restart is None:
            publisher.publish("keep/1", b"waiting", qos=1)
        with sign_in(server, "one", clean=False) as again:
            assert again.session_present == 1
            if restart is None:
                assert again.expect_publish().payload == b"waiting"
            publisher.publish("keep/2", b"now", qos=1)
            assert again.expect_publish().payload == b"now"
        with sign_in(server, "two", clean=False) as stranger:
            assert stranger.session_present == 0
            publisher.publish("keep/3", b"not for you", qos=1)
            stranger.expect_silence(0.3)


def test_clean_session_1_ends_the_session(server):
    make_account(server, "clean", "all:#")
    client = sign_in(server, "clean", clean=False)
    client.subscribe("keep/#")
    client.close()
    client = sign_in(server, "clean", clean=True)
    assert client.session_present == 0
    client.publish("keep/1", b"x", qos=1)
    client.expect_silence(0.3)
    client.close()
    with sign_in(server, "clean", clean=False) as again:
        assert again.session_present == 0


# ---- changes while it is connected -----------------------------------------------------------------------------------


def test_a_changed_password_closes_the_connections(server):
    make_account(server, "change", "all:#")
    make_account(server, "bystander", "all:#")
    clients = [sign_in(server, "change", transport, client_id=f"c{i}")
               for i, transport in enumerate(("tcp", "ws", "tcp"))]
    other = sign_in(server, "bystander")
    server.cli("account", "update", "change", "--password", "another")
    for client in clients:
        closed_within(client)
    other.ping()
    other.close()
    for _ in range(4):  # on whichever loop
        refused(server, "c", "change", PASSWORD, code=4)
        sign_in(server, "change", password="another").close()


def test_changed_permissions_take_effect(server):
    make_account(server, "narrow", "all:#")
    make_account(server, "wide", "all:#")
    client = sign_in(server, "narrow", clean=False)
    sleeper = sign_in(server, "narrow", client_id="sleeper", clean=False)
    assert client.subscribe("a/#", "b/#", "#") == [1, 1, 1]
    assert sleeper.subscribe("a/#", "b/#") == [1, 1]
    sleeper.drop()
    time.sleep(0.2)
    server.cli("account", "update", "narrow", "--allow", "subscribe:b/#", "--allow", "publish:c")
    time.sleep(0.5 * server.slack)  # the command returns when the change is stored; the loops hear of it right after
    with sign_in(server, "wide") as publisher:
        publisher.publish("a/1", b"secret", qos=1)
        publisher.publish("b/1", b"for you", qos=1)
        assert client.expect_publish().payload == b"for you"
        client.expect_silence(0.3)
        assert client.subscribe("a/#", "b/+") == [SUBACK_FAILURE, 1]
        assert publisher.subscribe("#") == [1]
        client.publish("a/1", b"forbidden", qos=1)
        client.publish("c", b"allowed", qos=1)
        assert publisher.expect_publish().payload == b"allowed"
        with sign_in(server, "narrow", client_id="sleeper", clean=False) as awake:
            assert awake.expect_publish().payload == b"for you"
            awake.expect_silence(0.3)
    client.close()
    # What was taken away has left the disk, too: wider permissions do not bring it back.
    server.cli("account", "update", "narrow", "--allow", "all:#")
    server.restart(hard=True)
    with sign_in(server, "wide") as publisher, sign_in(server, "narrow", client_id="sleeper", clean=False) as awake:
        publisher.publish("a/1", b"secret", qos=1)
        publisher.publish("b/1", b"for you", qos=1)
        assert awake.expect_publish().payload == b"for you"
        awake.expect_silence(0.3)


def test_permissions_changed_while_the_server_is_down_count_for_stored_sessions(make_server):
    server = make_server(devices=0)
    make_account(server, "one", "all:#")
    client = sign_in(server, "one", clean=False)
    assert client.subscribe("a/#", "b/#") == [1, 1]
    client.close()
    server.keep_ports()
    server.stop()
    server.cli("account", "update", "one", "--allow", "subscribe:b/#", "--allow", "publish:#")
    server.start()
    with sign_in(server, "one", clean=False) as again:
        again.publish("a/1", b"secret", qos=1)
        again.publish("b/1", b"for you", qos=1)
        assert again.expect_publish().payload == b"for you"
        again.expect_silence(0.3)


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_deleted_account_is_gone_and_inherits_nothing(server, transport):
    name = f"gone-{transport}"
    make_account(server, name, "all:#")
    client = sign_in(server, name, transport, clean=False)
    assert client.subscribe("left/#") == [1]
    server.cli("account", "delete", name)
    closed_within(client)
    refused(server, "c1", name, PASSWORD, code=4)
    make_account(server, name, "all:#")
    with sign_in(server, name, transport, clean=False) as again:
        assert again.session_present == 0
        again.publish("left/1", b"x", qos=1)
        again.expect_silence(0.3)


# ---- without a user name ---------------------------------------------------------------------------------------------


def test_anonymous_account(make_server):
    server = make_server({"listener.anonymous_account": "guest"}, devices=1)
    server.wait_log("anonymous_account", "guest", "does not exist")
    refused(server, "c", None, None, code=5)
    make_account(server, "guest", "all:#")
    for transport in ("tcp", "ws", "tls", "wss"):
        for level in (3, 4):
            with server.client(transport) as client:
                assert client.connect("bench", None, None, level=level) == (0, 0)
                assert client.subscribe("bench/#") == [1]
                client.publish("bench/1", b"x", qos=1)
                assert client.expect_publish().payload == b"x"
    with server.client() as client:
        assert client.connect("", None, None) == (0, 0)
    refused(server, "", None, None, code=2, clean=False)
    refused(server, "c", "guest", "wrong", code=4)  # who names it must prove it
    with server.sign_in(server.device()) as device:
        device.ping()
    client = server.client()
    assert client.connect("bench", None, None) == (0, 0)
    server.cli("account", "delete", "guest")
    closed_within(client)
    refused(server, "c", None, None, code=5)


def test_each_listener_has_its_own_anonymous_account(make_server, tmp_path):
    config = tmp_path / "mooring.toml"
    config.write_text('[[listener]]\naddress = "127.0.0.1:0"\nanonymous_account = "guest"\n'
                      '[[listener]]\naddress = "127.0.0.1:0"\n')
    server = make_server(devices=0, start=False, listen=(), config=config)
    make_account(server, "guest", "all:#")
    server.start()
    with server.client(address=server.listeners[0]) as client:
        assert client.connect("c", None, None) == (0, 0)
    with server.client(address=server.listeners[1]) as client:
        assert client.connect("c", None, None)[1] == 4


# ---- sub and pub -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["mqtt", "ws"])
def test_sub_and_pub_as_an_account(server, scheme):
    name = f"cli-{scheme}"
    make_account(server, name, "all:cli/#")
    url = f"{scheme}://{server.host}:{server.port}"
    listener = Lines([server.program, "sub", "--url", url, "--user", name, "--password-stdin", "-t", "cli/#", "-v"],
                     stdin=True)
    listener.say(PASSWORD)
    listener.until_error("subscribed", 10 * server.slack)
    run_program("pub", "--url", url, "--account", name, "--password", PASSWORD, "-t", "cli/1", "-m", "hello", "-q", "1")
    assert listener.next(5 * server.slack) == "cli/1 hello"
    command = [str(server.program), "pub", "--url", url, "--username", name, "--password-stdin", "-t", "cli/2", "-l"]
    done = subprocess.run(command, input=f"{PASSWORD}\nline one\nline two\n", text=True, capture_output=True,
                          timeout=30 * server.slack)
    assert done.returncode == 0, done.stderr
    assert [listener.next(5 * server.slack) for _ in range(2)] == ["cli/2 line one", "cli/2 line two"]
    assert listener.end() == 0
    wrong = run_program("pub", "--url", url, "--user", name, "--password", "guess", "-t", "cli/1", "-m", "x",
                        check=False)
    assert wrong.status == 1 and "code 4" in wrong.err, wrong
