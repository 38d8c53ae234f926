"""The vendor's SDK from npm, unmodified, registers dynamically and connects with what it got."""

import pytest

from harness import PRODUCT_SECRET
from sdk import run_sdk

PRODUCT = "a1JsRegist"


@pytest.fixture(scope="module")
def place(server):
    server.create_product(PRODUCT, PRODUCT_SECRET, (), ("--dynamic-registration", "on"))
    return server


def register(server, name, secret=PRODUCT_SECRET, method="hmacsha1", scheme="wss"):
    job = {"productKey": PRODUCT, "productSecret": secret, "deviceName": name, "signMethod": method,
           "registerURL": f"https://localhost:{server.port}/auth/register/device",
           "brokerUrl": f"{scheme}://localhost:{server.port}/"}
    return run_sdk(server, "alibaba_register.mjs", job)


@pytest.mark.parametrize("scheme", ["wss", "mqtts", "ws", "mqtt"])
def test_registers_and_connects(place, scheme):
    name = f"js-{scheme}"
    place.cli("device", "create", "--product-key", PRODUCT, "--device-name", name, "--without-secret")
    events = register(place, name, scheme=scheme)
    shown = place.json("device", "show", "--product-key", PRODUCT, "--device-name", name)
    assert events == [f"registered {shown['deviceSecret']}", "connected"]
    assert shown["activated"] is not None or shown["status"] == "ONLINE"


def test_is_told_why_it_may_not(place):
    assert register(place, "js-unknown") == ["refused 6100"]
    place.cli("device", "create", "--product-key", PRODUCT, "--device-name", "js-wrong", "--without-secret")
    assert register(place, "js-wrong", secret="wrong") == ["refused 6600"]
    # The SDK announces what it is told to, but always computes SHA-1.
    assert register(place, "js-wrong", method="hmacsha256") == ["refused 6600"]
