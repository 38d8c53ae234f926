"""The command line as an operator uses it, against a running and a stopped server."""

import csv
import json
import os
import pathlib
import shlex
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import PRODUCT_KEY, Device, Lines, Server, find_program, run_program, sign
from rawclient import Mqtt

IMPORT_ROWS = 20_000


@pytest.fixture(params=["stopped", "running"])
def folder(request, make_server):
    """A server with an empty registry, not running or running: commands must not care."""
    return make_server(devices=0, start=request.param == "running")


def failed(done, status=1):
    """Asserts that a command failed with one clear line."""
    assert done.status == status, done
    assert done.err.strip(), "no word about what is wrong"
    if status == 1:
        assert len(done.err.strip().splitlines()) == 1, done.err
    return done.err


# ---- products and devices --------------------------------------------------------------------------------------------


def test_products(folder):
    made = folder.json("product", "create", "--product-key", "a1CliTests1", "--product-secret", "S" * 16, "--name",
                       "Lamp", "--topic-class", "user/echo:all", "--topic-class", "user/in/#:sub")
    assert (made["productKey"], made["productSecret"], made["name"]) == ("a1CliTests1", "S" * 16, "Lamp")
    generated = folder.json("product", "create", "--name", "Other")
    assert len(generated["productKey"]) == 11 and len(generated["productSecret"]) == 16
    shown = folder.json("product", "show", "--product-key", "a1CliTests1")
    assert shown["name"] == "Lamp" and "user/echo" in json.dumps(shown)
    folder.cli("product", "update", "--product-key", "a1CliTests1", "--name", "Better lamp")
    assert folder.json("product", "show", "--product-key", "a1CliTests1")["name"] == "Better lamp"
    listed = folder.cli("product", "list", "--json").out
    assert "a1CliTests1" in listed and generated["productKey"] in listed
    assert "Better lamp" in folder.cli("product", "list").out
    folder.cli("product", "delete", "--product-key", generated["productKey"])
    assert generated["productKey"] not in folder.cli("product", "list", "--json").out
    failed(folder.cli("product", "show", "--product-key", generated["productKey"], check=False))
    failed(folder.cli("product", "create", "--product-key", "a1CliTests1", "--name", "twice", check=False))


def test_devices(folder):
    folder.create_product()
    made = folder.json("device", "create", "--product-key", PRODUCT_KEY, "--device-name", "lamp-0001",
                       "--device-secret", "0123456789abcdef0123456789abcdef")
    assert (made["productKey"], made["deviceName"]) == (PRODUCT_KEY, "lamp-0001")
    assert made["deviceSecret"] == "0123456789abcdef0123456789abcdef"
    assert made["iotId"] and made["status"].upper() == "UNACTIVE"
    generated = folder.json("device", "create", "--product-key", PRODUCT_KEY)
    assert len(generated["deviceSecret"]) == 32 and 4 <= len(generated["deviceName"]) <= 32
    device = Device(PRODUCT_KEY, "lamp-0001", made["deviceSecret"])
    assert folder.show(device)["iotId"] == made["iotId"]
    folder.device_command("disable", device)
    assert folder.show(device)["status"].upper() == "DISABLE"
    folder.device_command("enable", device)
    assert folder.show(device)["status"].upper() == "UNACTIVE"
    folder.device_command("update", device, "--nickname", "the lamp in the hall")
    assert "the lamp in the hall" in folder.device_command("show", device).out
    listed = folder.cli("device", "list", "--product-key", PRODUCT_KEY, "--json").out
    assert "lamp-0001" in listed and generated["deviceName"] in listed
    folder.device_command("delete", device)
    failed(folder.device_command("show", device, check=False))
    failed(folder.device_command("delete", device, check=False))


def test_batch_of_devices(folder):
    folder.create_product()
    made = folder.json("device", "create", "--product-key", PRODUCT_KEY, "--count", "25")
    rows = made if isinstance(made, list) else made["items"]
    assert len({row["deviceName"] for row in rows}) == 25
    assert len({row["deviceSecret"] for row in rows}) == 25


@pytest.mark.parametrize("words", [
    ("device", "create", "--product-key", "a1Nowhere01", "--device-name", "dev-1"),
    ("device", "show", "--product-key", "a1Nowhere01", "--device-name", "dev-1"),
    ("device", "disable", "--product-key", "a1Nowhere01", "--device-name", "dev-1"),
    ("product", "show", "--product-key", "a1Nowhere01"),
    ("device", "import", "/nowhere/devices.csv")])
def test_commands_that_fail(folder, words):
    failed(folder.cli(*words, check=False))


@pytest.mark.parametrize("words", [
    ("--product-key", "not a key!", "--name", "x"), ("--product-key", "a1BadClass1", "--topic-class", "user/+/x:all"),
    ("--product-key", "a1BadClass1", "--topic-class", "user/x"), ("--product-key", "a1BadProf01", "--profile", "none")])
def test_values_that_cannot_be(folder, words):
    done = folder.cli("product", "create", *words, check=False)
    assert done.status in (1, 2) and done.err.strip(), done
    assert "a1Bad" not in folder.cli("product", "list", "--json", check=False).out  # no data folder was made


@pytest.mark.parametrize("words", [
    (), ("no-such-command",), ("device",), ("device", "no-such-verb"), ("product", "show"),
    ("serve", "--no-such-option"), ("device", "create", "--product-key"), ("serve", "--threads", "many")])
def test_wrong_usage_is_status_2(words, tmp_path):
    failed(run_program(*words, check=False, cwd=tmp_path), 2)


@pytest.mark.parametrize("words", [("--help",), ("serve", "--help"), ("device", "import", "--help"), ("--version",)])
def test_help_is_status_0(words):
    assert run_program(*words).out.strip()


def test_registry_commands_need_a_data_folder(tmp_path):
    failed(run_program("device", "list", "--data", tmp_path / "none", check=False))


# ---- import and export -----------------------------------------------------------------------------------------------


def write_csv(path, header, rows, bom=False, end="\n"):
    with open(path, "w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        writer = csv.writer(file, lineterminator=end)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def counts(folder, path, *words):
    done = folder.cli("device", "import", path, *words, "--json", check=False)
    report = json.loads(done.out)
    assert done.status == (1 if report["refused"] else 0), done  # the good rows are in, but not all was done
    return tuple(len(n) if isinstance(n, list) else n for n in
                 (report["created"], report["unchanged"], report["changed"], report["refused"]))


def test_import_of_many_rows_twice(folder, tmp_path):
    rows = [("a1Imported1", f"unit-{i:06d}", f"{i:032x}") for i in range(IMPORT_ROWS)]
    path = write_csv(tmp_path / "devices.csv", ("ProductKey", "DeviceName", "DeviceSecret"), rows)
    start = time.monotonic()
    assert counts(folder, path, "--dry-run") == (IMPORT_ROWS, 0, 0, 0)
    assert counts(folder, path) == (IMPORT_ROWS, 0, 0, 0)
    assert counts(folder, path) == (0, IMPORT_ROWS, 0, 0)
    assert time.monotonic() - start < 30 * folder.slack
    exported = tmp_path / "out.csv"
    folder.cli("device", "export", exported, "--product-key", "a1Imported1")
    with open(exported, newline="", encoding="utf-8-sig") as file:
        found = {(r["ProductKey"], r["DeviceName"], r["DeviceSecret"]) for r in csv.DictReader(file)}
    assert found == set(rows)
    if folder.alive():
        with folder.sign_in(Device(*rows[IMPORT_ROWS // 2])) as client:
            client.ping()


def test_import_of_a_console_export(folder, tmp_path):
    """Byte order mark, CRLF, other columns in another order, a tab in front of a value."""
    path = write_csv(tmp_path / "console.csv", ("DeviceName", "IotId", "DEVICESECRET", "productkey", "Note"),
                     [("unit-1", "x1", "1" * 32, "a1Console01", "a, b"),
                      ("\tunit-2", "x2", "2" * 32, "\ta1Console01", '"')],
                     bom=True, end="\r\n")
    assert counts(folder, path) == (2, 0, 0, 0)
    assert counts(folder, path) == (0, 2, 0, 0)
    assert folder.show(Device("a1Console01", "unit-2", ""))["status"].upper() == "UNACTIVE"


def test_import_reports_what_it_refuses(folder, tmp_path):
    header = ("ProductKey", "DeviceName", "DeviceSecret")
    good = [("a1Reports01", "unit-1", "1" * 32), ("a1Reports01", "unit-2", "2" * 32)]
    bad = [("a1Reports01", "bad name", "3" * 32), ("", "unit-4", "4" * 32)]
    assert counts(folder, write_csv(tmp_path / "mixed.csv", header, good + bad)) == (2, 0, 0, 2)
    changed = [("a1Reports01", "unit-1", "9" * 32), good[1]]
    assert counts(folder, write_csv(tmp_path / "changed.csv", header, changed)) == (0, 1, 1, 0)
    failed(folder.cli("device", "import", write_csv(tmp_path / "no.csv", ("A", "B"), []), check=False), 2)


def test_export_can_be_imported_elsewhere(make_server, tmp_path):
    first = make_server(devices=30)
    path = tmp_path / "moved.csv"
    first.cli("device", "export", path)
    second = make_server(devices=0)
    second.create_product()
    second.cli("device", "import", path)
    second.sign_in(first.pool[7]).close()


# ---- lines to paste --------------------------------------------------------------------------------------------------


def test_sign_command(server, device):
    for method in ("hmacmd5", "hmacsha1", "hmacsha256"):
        found = run_program("sign", "--product-key", device.product_key, "--device-name", device.device_name,
                            "--device-secret", device.device_secret, "--client-id", "bench", "--method", method,
                            "--timestamp", "789", "--securemode", "3", "--json").json()
        assert found["username"] == device.username
        assert found["password"].upper() == sign(device.device_secret, "bench", device.device_name, device.product_key,
                                                 method, "789")
        with server.client() as client:
            assert client.connect(found["clientId"], found["username"], found["password"])[1] == 0
    documented = run_program("sign", "--product-key", "pk", "--device-name", "device", "--device-secret", "secret",
                             "--client-id", "12345", "--method", "hmacsha1", "--timestamp", "789")
    assert documented.out.upper().count("FAFD82A3D602B37FB0FA8B7892F24A477F851A14") == 1


def test_connect_lines_work_when_pasted(server, device):
    """Every mosquitto_sub line of the answer is run as it is, with an end after the first message."""
    out = server.device_command("connect-line", device, "--host", "localhost", "--port", server.port).out
    lines = [line.strip() for line in out.replace("\\\n", " ").splitlines()
             if line.strip().startswith("mosquitto_sub")]
    assert len(lines) >= 2, out
    for line in lines:
        words = shlex.split(line)
        topic = words[words.index("-t") + 1]
        certificate = next((words[i + 1] for i, w in enumerate(words) if w == "--cafile"), None)
        cwd = pathlib.Path(server.folder) / "paste"
        cwd.mkdir(exist_ok=True)
        if certificate and not pathlib.Path(certificate).is_absolute():
            (cwd / certificate).write_bytes(server.http("/ca.crt").body)
        process = subprocess.Popen(["sh", "-c", line + " -C 1 -W 15"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=cwd, text=True)
        try:
            server.wait_status(device, "ONLINE", 10)
            deadline = time.monotonic() + 10
            while process.poll() is None and time.monotonic() < deadline:
                server.operator_publish(topic, "hello from the operator")
                time.sleep(0.1)
            shown, errors = process.communicate(timeout=10)
        finally:
            if process.poll() is None:
                process.kill()
        assert "hello from the operator" in shown, (line, shown, errors)
        server.wait_status(device, "OFFLINE", 10)


def test_sub_and_pub_as_a_device(server):
    device = server.device()
    common = ["--product-key", device.product_key, "--device-name", device.device_name, "--device-secret",
              device.device_secret]
    for scheme in ("mqtt", "ws", "mqtts", "wss"):
        url = ["--url", f"{scheme}://localhost:{server.port}"]
        if scheme in ("mqtts", "wss"):
            url += ["--cafile", server.root_certificate]
        listener = server.operator(device.topic("user/up"))
        run_program("pub", *url, *common, "-t", device.topic("user/up"), "-m", f"up over {scheme}", "-q", "1")
        assert listener.next() == (device.topic("user/up"), f"up over {scheme}")
        listener.end()
        lines = Lines([find_program(), "sub", *url, *common, "-t", device.topic("user/down")])
        server.wait_status(device, "ONLINE", 10)
        deadline = time.monotonic() + 10
        while True:
            server.operator_publish(device.topic("user/down"), f"down over {scheme}")
            try:
                assert f"down over {scheme}" in lines.next(0.3)
                break
            except AssertionError:
                assert time.monotonic() < deadline and lines.process.poll() is None, lines.report()
        lines.end()
        server.wait_status(device, "OFFLINE", 10)


def test_pub_with_a_wrong_secret(server, device):
    done = run_program("pub", "--url", f"mqtt://127.0.0.1:{server.port}", "--product-key", device.product_key,
                       "--device-name", device.device_name, "--device-secret", "wrong", "-t", device.topic("user/up"),
                       "-m", "x", check=False)
    assert device.password() not in failed(done)


# ---- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content, words", [
    ("[serverr]\nregion = 'x'\n", ["serverr"]),
    ("[server]\nregoin = 'x'\n", ["server.regoin", "server.region"]),
    ("[auth]\nkeep_alive_min = 30\n", ["auth.keep_alive_min", "auth.keep_alive_min_s"]),
    ("[[listener]]\nadress = ':443'\n", ["adress", "listener.address"]),
    ("[auth]\nkeep_alive_min_s = 'many'\n", ["auth.keep_alive_min_s"]),
    ("[mqtt]\nmax_in_flight = 0\n", ["mqtt.max_in_flight"]),
    ("[limits]\nprofile = 'aliyum'\n", ["limits.profile"]),
    ("[[listener]]\naddress = 'here'\n", ["listener", "address"]),
    ("not toml at all", ["bad.toml"])])
@pytest.mark.parametrize("command", ["check", "serve"])
def test_wrong_configuration(command, content, words, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(content)
    more = ["--data", tmp_path / "data"] if command == "serve" else []
    done = run_program(command, "--config", path, *more, check=False)
    assert done.status == 2, done
    for word in words:
        assert word in done.err, done


def test_wrong_settings_of_the_command_line(tmp_path):
    done = run_program("serve", "--data", tmp_path / "d", "--set", "limits.topic_byte=5", check=False)
    assert done.status == 2 and "limits.topic_bytes" in done.err, done
    failed(run_program("serve", "--data", tmp_path / "d", "--set", "nonsense", check=False), 2)
    failed(run_program("serve", "--data", tmp_path / "d", "--listen", "127.0.0.1:99999", check=False), 2)
    failed(run_program("serve", "--data", tmp_path / "d", "--config", tmp_path / "missing.toml", check=False), 2)


def test_default_file_is_a_good_one(tmp_path):
    path = tmp_path / "default.toml"
    path.write_text(run_program("config", "default").out)
    run_program("check", "--config", path)
    uncommented = tmp_path / "on.toml"
    uncommented.write_text("[auth]\nkeep_alive_min_s = 60\n\n[[listener]]\naddress = '127.0.0.1:8443'\n")
    run_program("check", "--config", uncommented)


def test_option_table_as_markdown():
    text = run_program("config", "docs").out
    for key in ("server.region", "listener.legacy_tls", "limits.connects_per_device_per_minute", "durability.mode"):
        assert key in text
    assert "|" in text


# ---- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.alone
def test_start_with_an_empty_folder_is_quick(tmp_path):
    found = Server(tmp_path / "new")
    start = time.monotonic()
    try:
        found.start()
        assert time.monotonic() - start < 3 * found.slack
        found.stop()
        start = time.monotonic()
        found.start()
        assert time.monotonic() - start < 2 * found.slack
        found.stop()
    finally:
        found.discard()


def test_sigint_ends_in_order(make_server):
    server = make_server(devices=0)
    process, server.process = server.process, None
    process.send_signal(signal.SIGINT)
    assert process.wait(5 * server.slack) == 0


def refuse_to_serve(tmp_path, *words):
    done = run_program("serve", "--data", tmp_path / "data", *words, check=False, timeout=60)
    return failed_to_serve(done)


def failed_to_serve(done):
    assert done.status == 1, done
    assert "ready" not in done.out
    return done.err


def test_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refuse_to_serve(tmp_path, "--listen", f"127.0.0.1:{port}")


def test_port_of_another_server_is_not_shared(server, tmp_path):
    assert str(server.port) in refuse_to_serve(tmp_path, "--listen", f"127.0.0.1:{server.port}")
    assert server.http("/healthz").status == 200


def test_keys_that_cannot_be_used(tmp_path):
    certificate, key = make_certificate(tmp_path, "good", "rsa")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("this is no key\n")
    other = make_certificate(tmp_path, "other", "rsa")[1]
    for bad in (tmp_path / "missing.pem", garbage, other, tmp_path):
        error = refuse_to_serve(tmp_path, "--listen", "127.0.0.1:0", "--set", f'tls.certificate=["{certificate}"]',
                                "--set", f'tls.key=["{bad}"]')
        assert str(bad) in error or str(certificate) in error
        assert "PRIVATE" not in error
    assert key.exists()


def test_data_folder_that_cannot_be_written(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    for path in (blocker, blocker / "below", pathlib.Path("/proc/mooring-data")):
        done = run_program("serve", "--data", path, "--listen", "127.0.0.1:0", check=False)
        assert str(path) in failed_to_serve(done)


def test_one_server_for_each_data_folder(server):
    done = run_program("serve", "--data", server.data, "--listen", "127.0.0.1:0", check=False)
    assert str(server.data) in failed_to_serve(done)
    assert server.http("/healthz").status == 200


def test_private_files_are_private(server):
    secret_files = 0
    for path in server.data.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & stat.S_IWOTH, path
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()[:100]:
            secret_files += 1
            assert mode == 0o600, f"{path}: {mode:o}"
        if path.suffix == ".db":
            assert stat.S_IMODE(server.data.stat().st_mode) & 0o077 == 0 or mode & 0o077 == 0, f"{path}: {mode:o}"
    assert secret_files >= 3, "keys of the root and of two server certificates"


# ---- certificates ----------------------------------------------------------------------------------------------------


def make_certificate(folder, name, kind):
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    algorithm = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-sha256", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    return certificate, key


def served_certificate(server, ciphers=None):
    import ssl

    stream = server.stream(server.tls(maximum=ssl.TLSVersion.TLSv1_2, ciphers=ciphers, verify=False))
    try:
        return stream.socket.getpeercert(binary_form=True)
    finally:
        stream.close()


def der(path):
    import ssl

    return ssl.PEM_cert_to_DER_cert(path.read_text())


def replace(source, target):
    """As certificate tools do it: a new file takes the old one's place."""
    temporary = target.with_suffix(".new")
    temporary.write_bytes(source.read_bytes())
    os.replace(temporary, target)


@pytest.mark.parametrize("how", ["watched", "SIGHUP"])
def test_replaced_certificate(make_server, tmp_path, how):
    """New handshakes get the new certificate, the connection made before stays."""
    live, key = make_certificate(tmp_path, "live", "rsa")
    ec_live, ec_key = make_certificate(tmp_path, "eclive", "ec")
    server = make_server({"tls.certificate": f'["{live}", "{ec_live}"]', "tls.key": f'["{key}", "{ec_key}"]'})
    device = server.device()
    assert served_certificate(server, "ECDHE-RSA-AES128-GCM-SHA256") == der(live)
    assert served_certificate(server, "ECDHE-ECDSA-AES128-GCM-SHA256") == der(ec_live)
    client = server.sign_in(device, "tls", tls=server.tls(verify=False))
    old_key = key.read_bytes()
    new, new_key = make_certificate(tmp_path, "fresh", "rsa")
    replace(new_key, key)
    replace(new, live)
    if how == "SIGHUP":
        server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 15 * server.slack
    while served_certificate(server, "ECDHE-RSA-AES128-GCM-SHA256") != der(new):
        assert time.monotonic() < deadline, "the new certificate was not picked up"
        time.sleep(0.1)
    client.ping()
    client.subscribe(device.topic("user/echo"))
    client.publish(device.topic("user/echo"), "still the old connection", qos=1)
    client.expect_publish()
    # A broken replacement is not taken up; the last good one goes on.
    key.write_bytes(old_key)
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert served_certificate(server, "ECDHE-RSA-AES128-GCM-SHA256") == der(new)
    client.ping()
    client.close()


def test_reload_takes_over_settings(make_server, tmp_path):
    config = tmp_path / "live.toml"
    config.write_text("[auth]\nkeep_alive_min_s = 30\n")
    server = make_server(config=config)
    device = server.device()
    keeper = server.sign_in(device)
    other = server.device()
    server.sign_in(other, keep_alive=20, code=2).close()
    config.write_text("[auth]\nkeep_alive_min_s = 10\n")
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5 * server.slack
    while True:
        with server.client() as client:
            if client.connect(*other.credentials(), keep_alive=20)[1] == 0:
                break
        assert time.monotonic() < deadline, "the new value was not taken over"
        time.sleep(0.05)
    config.write_text("[auth]\nkeep_alive_min_ss = 10\n")
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    keeper.ping()
    keeper.close()
    assert server.alive()


def test_certificate_commands(server, tmp_path):
    shown = server.cli("cert", "show").out
    printed = subprocess.run(["openssl", "x509", "-in", server.root_certificate, "-noout", "-fingerprint", "-sha256"],
                             capture_output=True, text=True, check=True).stdout
    fingerprint = printed.strip().split("=")[1]
    assert fingerprint.replace(":", "").lower() in shown.replace(":", "").lower()
    assert "PRIVATE" not in shown


def test_threads_option(make_server):
    server = make_server(arguments=("--threads", "3"))
    devices = [server.device() for _ in range(6)]
    clients = [server.sign_in(d) for d in devices]
    for client, device in zip(clients, devices):
        client.subscribe(device.topic("user/echo"))
        client.publish(device.topic("user/echo"), "any loop", qos=1)
        assert client.expect_publish().payload == b"any loop"
        client.close()


def test_demo_prints_a_line_that_works(make_server):
    server = make_server(devices=0, arguments=("--demo",))
    listed = server.cli("device", "list", "--json").json()
    rows = listed if isinstance(listed, list) else listed["items"]
    assert rows, "the demo has no device"
    key, name = rows[0]["productKey"], rows[0]["deviceName"]
    secret = server.json("device", "show", "--product-key", key, "--device-name", name)["deviceSecret"]
    device = Device(key, name, secret)
    with Mqtt(server.address) as client:
        assert client.connect(*device.credentials())[1] == 0
