"""The console in headless Chromium, as people use it; what is done in the pages stands in browser/console.mjs."""

import re
import subprocess

import pytest

from console_site import as_json, browser_settings, command, first_password
from harness import PRODUCT_KEY

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


@pytest.mark.parametrize("scenario", ["device_life", "import_rows", "two_editors", "try_it"])
def test_the_console(site, scenario):
    run(*site, scenario)


# "keyboard" also goes through all pages on a phone's width and holds them to the rules of accessibility.
@pytest.mark.parametrize("scenario", ["viewer", "keyboard"])
def test_the_console_with_a_device(site, scenario):
    server, folder = site
    run(server, folder, scenario, productKey=PRODUCT_KEY, deviceName=server.device().device_name)


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
