"""The vendor's SDK from npm, unmodified, as a gateway with a child device."""

import json
import os
import shutil
import subprocess

import pytest

from test_clients import HERE, node_packages


def run_sdk(server, gateway, child, secret=None, scheme="mqtt"):
    def triple(device, its_secret):
        return {"productKey": device.product_key, "deviceName": device.device_name, "deviceSecret": its_secret}

    job = {"gateway": triple(gateway, gateway.device_secret), "child": triple(child, secret or child.device_secret),
           "brokerUrl": f"{scheme}://localhost:{server.port}/"}
    node_packages()
    done = subprocess.run([shutil.which("node"), HERE / "js" / "alibaba_gateway.mjs", json.dumps(job)], text=True,
                          capture_output=True, timeout=40 * server.slack, stdin=subprocess.DEVNULL, check=False,
                          # Node.js 18 tries one address of localhost only, and the server listens on that of IPv4.
                          env={**os.environ, "NODE_EXTRA_CA_CERTS": server.root_certificate,
                               "NODE_OPTIONS": "--dns-result-order=ipv4first"})
    return done.stdout.splitlines() or [done.stderr]


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "ws", "wss"])
def test_speaks_and_listens_for_its_child(server, scheme):
    gateway, child = server.device(), server.device()
    assert run_sdk(server, gateway, child, scheme=scheme) == [
        "added 200", f"topology {child.device_name}", "login 200", "granted 1", "heard from the child", "logout 200"]
    server.wait_status(child, "OFFLINE")
    server.wait_status(gateway, "OFFLINE")


def test_is_told_that_the_childs_secret_is_wrong(server):
    gateway, child = server.device(), server.device()
    assert run_sdk(server, gateway, child, secret="not its secret") == ["added 401", "topology ", "login 6401"]
