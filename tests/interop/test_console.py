"""The console in headless Chromium, as people use it; what is done in the pages stands in browser/console.mjs."""

import json
import os
import re
import subprocess
import time

import pytest

from console_site import as_json, browser_settings, command, first_password
from harness import Lines, PRODUCT_KEY
from test_clients import node_packages

HOSTILE = [  # product key, device name, nickname, name of the product
    ("a1script", "script", '<img src=x onerror="injected=1"><b class="injected">x</b>', "<script>alert(1)</script>"),
    ("a1sql", "sql", "'; DROP TABLE devices; --", "Robert'); DROP TABLE products;--"),
    ("a1rtl", "rtl", "\u202eright to left \u2066 شارع", "מנורה \u202e gnihtemos"),
    ("a1long", "L" * 32, "w" * 64, "W" * 64),
]


@pytest.fixture(scope="module")
def site(server, tmp_path_factory):
    """The server after its first use: everybody else signs in with the password that was chosen there."""
    folder = tmp_path_factory.mktemp("console")
    run(server, folder, "first_use", firstPassword=first_password(server))
    return server, folder


def run(server, folder, scenario, **more):
    settings = {**browser_settings(server, folder, scenario), **more}
    done = subprocess.run(command("console.mjs", scenario, as_json(settings)), capture_output=True, text=True,
                          timeout=150 * server.slack, check=False)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("scenario", ["device_life", "manage", "import_rows", "two_editors", "try_it", "look_around"])
def test_the_console(site, scenario):
    run(*site, scenario)


# "accessibility" goes through all pages, in both themes, on a phone and a desktop, and by the Tab key.
@pytest.mark.parametrize("scenario", ["viewer", "keyboard", "accessibility"])
def test_the_console_with_a_device(site, scenario):
    server, folder = site
    run(server, folder, scenario, productKey=PRODUCT_KEY, deviceName=server.device().device_name)


# How each text that the page of a device prints is run, once it stands in a file of its name.
RUN = {
    "mosquitto_pub": "exec sh mosquitto_pub",
    "mosquitto_sub": "exec sh mosquitto_sub",
    "device.cjs": "exec node device.cjs",
    "device.py": "exec /usr/bin/python3 device.py",
    "device.c": "cc -Wall -Wextra -Werror device.c -o device -lpaho-mqtt3cs && exec ./device",
}


def test_what_it_prints_to_paste_works(site):
    server, folder = site
    device = server.device()
    out = folder / "snippets.json"
    run(server, folder, "snippets", productKey=PRODUCT_KEY, deviceName=device.device_name, out=str(out))
    for transport, texts in json.loads(out.read_text()).items():
        place = folder / f"paste-{transport}"
        place.mkdir()
        for name, text in texts.items():
            (place / name).write_text(text + "\n")
        if transport in ("tls", "wss"):
            subprocess.run(["sh", "root"], cwd=place, check=True, timeout=30)
            assert (place / "ca.crt").read_bytes() == server.http("/ca.crt").body
        assert device.device_secret in texts["C SDK"] and f"= {server.port};" in texts["C SDK"]
        for name, line in RUN.items():
            paste(server, device.topic("user/echo"), place, name, line)


def paste(server, topic, place, name, line):
    """It publishes its greeting, which the operator sees, and prints what comes to the device."""
    greeting = f"{topic} hello"
    operator = server.operator(topic)
    program = Lines(["sh", "-c", f"cd {place} && {line}"], env={**os.environ, "NODE_PATH": str(node_packages())})
    try:
        if name == "mosquitto_sub":
            publish_until_printed(server, topic, program, greeting)
            return
        try:
            heard = operator.next(20)
        except AssertionError as nothing:
            raise AssertionError(f"{nothing}; the program: {program.report()}\n{server.log()[-3000:]}") from None
        assert heard == (topic, "hello"), program.report()
        if name == "mosquitto_pub":
            assert program.process.wait(10 * server.slack) == 0, program.report()
        else:
            program.until(greeting, 20 * server.slack)
    finally:
        program.end()
        operator.end()


def publish_until_printed(server, topic, program, greeting):
    deadline = time.monotonic() + 20 * server.slack
    while program.lines.empty():
        assert time.monotonic() < deadline and program.process.poll() is None, program.report()
        server.operator_publish(topic, "hello")
    assert program.next() == greeting


def test_names_are_text(site):
    server, folder = site
    for product_key, device_name, nickname, name in HOSTILE:
        server.cli("product", "create", "--product-key", product_key, "--name", name)
        server.cli("device", "create", "--product-key", product_key, "--device-name", device_name,
                   "--nickname", nickname)
    run(server, folder, "hostile_names", hostile=HOSTILE)


def test_its_files_come_with_the_policy(site):
    server, _ = site
    page = server.http("/console/", tls=server.tls())
    policy = page.header("content-security-policy")
    assert re.match(r"default-src '(none|self)'", policy) and "unsafe" not in policy and "*" not in policy
    body = page.body.decode()
    assert "<script>" not in body and "<style" not in body and " style=" not in body
