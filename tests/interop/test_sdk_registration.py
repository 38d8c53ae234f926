"""The vendor's SDK from npm, unmodified, registers dynamically and connects with what it got."""

import json
import os
import shutil
import subprocess

import pytest

from harness import PRODUCT_SECRET
from test_clients import HERE, node_packages

PRODUCT = "a1JsRegist"


@pytest.fixture(scope="module")
def place(server):
    server.create_product(PRODUCT, PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    return server


def run_sdk(server, name, secret=PRODUCT_SECRET, method="hmacsha1", scheme="wss"):
    job = {"productKey": PRODUCT, "productSecret": secret, "deviceName": name, "signMethod": method,
           "registerURL": f"https://localhost:{server.port}/auth/register/device",
           "brokerUrl": f"{scheme}://localhost:{server.port}/"}
    node_packages()
    done = subprocess.run([shutil.which("node"), HERE / "js" / "alibaba_register.mjs", json.dumps(job)], text=True,
                          capture_output=True, timeout=40 * server.slack, stdin=subprocess.DEVNULL, check=False,
                          # Node.js 18 tries one address of localhost only, and the server listens on that of IPv4.
                          env={**os.environ, "NODE_EXTRA_CA_CERTS": server.root_certificate,
                               "NODE_OPTIONS": "--dns-result-order=ipv4first"})
    return done.stdout.splitlines() or [done.stderr]


@pytest.mark.parametrize("scheme", ["wss", "mqtts", "ws", "mqtt"])
def test_registers_and_connects(place, scheme):
    name = f"js-{scheme}"
    place.cli("device", "create", "--product-key", PRODUCT, "--device-name", name, "--without-secret")
    events = run_sdk(place, name, scheme=scheme)
    shown = place.json("device", "show", "--product-key", PRODUCT, "--device-name", name)
    assert events == [f"registered {shown['deviceSecret']}", "connected"]
    assert shown["activated"] is not None or shown["status"] == "ONLINE"


def test_is_told_why_it_may_not(place):
    assert run_sdk(place, "js-unknown") == ["refused 6100"]
    place.cli("device", "create", "--product-key", PRODUCT, "--device-name", "js-wrong", "--without-secret")
    assert run_sdk(place, "js-wrong", secret="wrong") == ["refused 6600"]
    # The SDK announces what it is told to, but always computes SHA-1.
    assert run_sdk(place, "js-wrong", method="hmacsha256") == ["refused 6600"]
