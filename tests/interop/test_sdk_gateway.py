"""The vendor's SDK from npm, unmodified, as a gateway with a child device."""

import pytest

from sdk import run_sdk


def run_gateway(server, gateway, child, secret=None, scheme="mqtt"):
    def triple(device, its_secret):
        return {"productKey": device.product_key, "deviceName": device.device_name, "deviceSecret": its_secret}

    job = {"gateway": triple(gateway, gateway.device_secret), "child": triple(child, secret or child.device_secret),
           "brokerUrl": f"{scheme}://localhost:{server.port}/"}
    return run_sdk(server, "alibaba_gateway.mjs", job)


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "ws", "wss"])
def test_speaks_and_listens_for_its_child(server, scheme):
    gateway, child = server.device(), server.device()
    assert run_gateway(server, gateway, child, scheme=scheme) == [
        "added 200", f"topology {child.device_name}", "login 200", "granted 1", "heard from the child", "logout 200"]
    server.wait_status(child, "OFFLINE")
    server.wait_status(gateway, "OFFLINE")


def test_is_told_that_the_childs_secret_is_wrong(server):
    gateway, child = server.device(), server.device()
    assert run_gateway(server, gateway, child, secret="not its secret") == ["added 401", "topology ", "login 6401"]
