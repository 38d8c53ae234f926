"""Every scenario of the load generator in small, against whatever build of the server is under test, with two loops:
nothing is lost, duplicated, reordered or damaged, and the server (under a sanitizer, too) stays sound."""

import json
import os
import subprocess

import pytest

from harness import ROOT, Server, find_program

PASSWORD = "load-password"
CLASSES = ("user/up:pub", "user/down:sub", "user/echo:all")


def load_generator():
    """Beside the program under test, or of the ordinary build: sanitizer builds have none of their own."""
    beside = find_program().with_name("mooring-bench")
    return beside if os.access(beside, os.X_OK) else ROOT / "build" / "ci" / "mooring-bench"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("load"), arguments=("--threads", "2"))
    found.create_product("a1MooLoad01", None, CLASSES)
    rows = [f"a1MooLoad01,load{i:04d},{i:032x}" for i in range(1, 61)]
    found.csv = found.folder / "devices.csv"
    found.csv.write_text("ProductKey,DeviceName,DeviceSecret\n" + "\n".join(rows) + "\n")
    found.cli("device", "import", found.csv)
    found.cli("account", "create", "load", "--password", PASSWORD, "--allow", "all:#", "--allow",
              "all:$SYS/#")
    try:
        yield found.start()
        found.stop()
    finally:
        found.discard()


def run(server, scheme, words, devices=True):
    short = [word for name, value in (("--seconds", "0.3"), ("--warm-up", "0.1")) if name not in words
             for word in (name, value)]
    command = [load_generator(), *words.split(), "--url", f"{scheme}://{server.host}:{server.port}", "--ca",
               server.root_certificate, "--account", "load", "--password", PASSWORD, *short, "--pid",
               str(server.process.pid), "--quiet", *(["--devices", server.csv] if devices else [])]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60 * server.slack)
    assert done.returncode == 0, done.stdout + done.stderr + server.log()[-1500:]
    line = json.loads(done.stdout)
    assert line["ok"] is True
    return line


@pytest.mark.parametrize("transport", ["ws", "wss", "tcp", "tls"])
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("words", ["pairs -n 20 --window 16", "fanout -n 60 --window 16", "fanin -n 40", "ingest -n 40",
                                   "churn -n 20"])
def test_messages(loaded, transport, words, qos):
    line = run(loaded, transport, f"{words} --qos {qos}")
    assert line.get("published", line.get("lives")) > 0


@pytest.mark.parametrize("transport", ["ws", "wss", "tcp", "tls"])
@pytest.mark.parametrize("words", ["mixed -n 40", "connect -n 40", "idle -n 60", "pairs -n 20 --down --qos 1"])
def test_fleets(loaded, transport, words):
    run(loaded, transport, words)


@pytest.mark.parametrize("words", ["pairs -n 20 --echo --qos 1", "pairs -n 20 --rate 500"])
def test_other_pairs(loaded, words):
    assert run(loaded, "ws", words)["deliveries"] > 0


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_storms(loaded, transport):
    """The second one with TLS sessions that are resumed."""
    line = run(loaded, transport, "storm -n 60 --established 10 --storms 2 --quiet-seconds 0.3 --pause 0.3 --seconds 30 "
               "--rate 200 --resume")
    assert (line["stormOpened"], line["storm2Opened"], line["stormRefused"]) == (50, 50, 0)
    assert line["storm2Resumed"] == (50 if transport == "wss" else 0)


@pytest.mark.parametrize("transport", ["ws", "tcp"])
def test_wrong_secrets(loaded, transport):
    line = run(loaded, transport, "refusals -n 40 --good 10 --rate 200 --quiet-seconds 0.3 --every 0.2 --seconds 0.6")
    assert line["refusedWithCode4"] > 0


@pytest.mark.parametrize("transport", ["ws", "tcp"])
def test_stored_for_devices_that_are_away(loaded, transport):
    line = run(loaded, transport, "offline -n 40")
    assert line["messages"] > 0 and line["unacknowledged"] == 0


def test_accounts_with_qos_2(loaded):
    assert run(loaded, "ws", "pairs -n 20 --qos 2 --window 8", devices=False)["deliveries"] > 0


def test_sessions_are_resumed(loaded):
    line = run(loaded, "wss", "connect -n 10 --opening 5 --resume")
    assert line["resumed"] > 0
    assert run(loaded, "wss", "connect -n 10 --opening 5")["resumed"] == 0


def test_connections_come_from_several_addresses(loaded):
    before = len(loaded.log())
    run(loaded, "tcp", "connect -n 4 --count 8 --warm-up 0 --source 127.0.0.7 127.0.0.8")
    assert all(address in loaded.log()[before:] for address in ("127.0.0.7", "127.0.0.8"))


@pytest.mark.parametrize("host, status", [("localhost", 0), ("ip6-localhost.invalid", 1)])
def test_names_are_looked_up_and_checked_in_the_certificate(loaded, host, status):
    command = [load_generator(), "connect", "-n", "1", "--count", "2", "--warm-up", "0", "--quiet", "--devices", loaded.csv,
               "--url", f"wss://{host}:{loaded.port}", "--ca", loaded.root_certificate]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert status == 0 or host in done.stderr


def test_password_from_the_environment(loaded):
    command = [load_generator(), "connect", "-n", "1", "--count", "1", "--warm-up", "0", "--quiet", "--account", "load",
               "--url", f"ws://{loaded.host}:{loaded.port}"]
    for password, status in ((PASSWORD, 0), ("wrong", 1)):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "MOORING_BENCH_PASSWORD": password})
        assert done.returncode == status, done.stdout + done.stderr
