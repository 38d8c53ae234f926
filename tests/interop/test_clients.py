"""Real clients on every transport they have: sign in, subscribe, publish, receive, come back after a restart of the
server, and be refused with a wrong secret.

All of them run at the same time against one server, which is restarted once. Each test looks at what one client on one
transport reported. A client subscribes only once: after the restart it relies on the subscription being the device's.
"""

import json
import os
import pathlib
import shutil
import ssl
import subprocess
import time

import pytest

from harness import Lines, key_fingerprint

HERE = pathlib.Path(__file__).resolve().parent
TRANSPORTS = ("tcp", "tls", "ws", "wss")
SCHEMES = {
    "mqttjs5": {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss"},
    "mqttjs4": {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss"},
    "alibaba": {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss"},
    "browser": {"ws": "ws", "wss": "wss"},
    "python": {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss"},
    "c": {"tcp": "tcp", "tls": "ssl", "ws": "ws", "wss": "wss"},
}
PAIRS = [(library, transport) for library, schemes in SCHEMES.items() for transport in schemes]
# The paths clients in the field use; any is accepted.
PATHS = {"browser": "/mqtt", "python": "/mqtt", "alibaba": "/"}
PATIENCE_S = 40


class Job:
    """One client on one transport, and what it reported."""

    def __init__(self, library, transport, purpose, server, device, secret):
        self.library = library
        self.transport = transport
        self.name = f"{library}-{transport}-{purpose}"
        self.device = device
        self.events = []
        encrypted = transport in ("tls", "wss")
        base = f"{device.product_key}&{device.device_name}"
        path = PATHS.get(library, "/") if transport in ("ws", "wss") else ""
        self.fields = {
            "name": self.name,
            "url": f"{SCHEMES[library][transport]}://{server.host}:{server.port}{path}",
            "clientId": device.client_id(securemode=2 if encrypted else 3, base=base),
            "username": device.username,
            "password": device.password(base=base, secret=secret),
            "productKey": device.product_key,
            "deviceName": device.device_name,
            "deviceSecret": secret or device.device_secret,
            "topic": device.topic("user/echo"),
            "ca": server.root_certificate if encrypted else None,
        }

    def saw(self, beginning):
        return any(event.startswith(beginning) for event in self.events)


class Program:
    """A client program with its jobs; its output is handed to them."""

    def __init__(self, command, jobs, env=None):
        self.jobs = {job.name: job for job in jobs}
        self.lines = Lines(command, env={**os.environ, **(env or {})}, stdin=True)

    def look(self):
        while not self.lines.lines.empty():
            line = self.lines.lines.get()
            if line is None:
                self.lines.lines.put(None)
                return
            self.lines.seen.append(line)
            name, _, event = line.partition(" ")
            if name in self.jobs:
                self.jobs[name].events.append(event)

    def leave(self, timeout=10):
        """Ends its input, waits for it to go, and returns its status."""
        self.lines.process.stdin.close()
        try:
            self.lines.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.lines.process.kill()
            self.lines.process.wait()
        time.sleep(0.1)
        self.look()
        return self.lines.process.returncode


def node_packages():
    packages = HERE / "node_modules"
    assert packages.is_dir(), f"run `npm ci` in {HERE} first"
    return packages


def find_chromium():
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert found, "Debian's chromium is missing"
    return found


def build_c_client(folder):
    program = folder / "paho_client"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-Wextra", "-o", program, HERE / "c" / "paho_client.c",
                    "-lpaho-mqtt3cs"], check=True)
    return program


def pins_of(server):
    """Fingerprints of the two keys the server may show, as a browser pins them."""
    pins = []
    for ciphers in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"):
        stream = server.stream(server.tls(maximum=ssl.TLSVersion.TLSv1_2, ciphers=ciphers))
        pins.append(key_fingerprint(stream.socket.getpeercert(binary_form=True)))
        stream.close()
    return pins


def commands_of(server, jobs, folder):
    """(command, jobs, environment) for each program to start."""
    node = shutil.which("node")
    assert node and node_packages()

    def of(library):
        return [job for job in jobs if job.library == library]

    def as_json(library):
        return json.dumps([job.fields for job in of(library)])

    yield [node, HERE / "js" / "mqttjs.mjs", as_json("mqttjs5"), "mqtt"], of("mqttjs5"), {}
    yield [node, HERE / "js" / "mqttjs.mjs", as_json("mqttjs4"), "mqtt4"], of("mqttjs4"), {}
    yield ([node, HERE / "js" / "alibaba.mjs", as_json("alibaba")], of("alibaba"),
           {"NODE_EXTRA_CA_CERTS": server.root_certificate})
    settings = {"profile": str(folder / "profile"), "chromium": find_chromium(), "pins": pins_of(server)}
    yield [node, HERE / "browser" / "browser.mjs", as_json("browser"), json.dumps(settings)], of("browser"), {}
    yield ["/usr/bin/python3", "-B", HERE / "python" / "paho_client.py", as_json("python")], of("python"), {}
    program = build_c_client(folder)
    for job in of("c"):
        f = job.fields
        yield ([program, f["name"], f["url"], f["clientId"], f["username"], f["password"], f["topic"], f["ca"] or ""],
               [job], {})


def wait_for(programs, jobs, beginning, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for program in programs:
            program.look()
        if all(job.saw(beginning) for job in jobs):
            return
        time.sleep(0.05)


@pytest.fixture(scope="module")
def fleet(server, tmp_path_factory):
    """The diaries of all clients: {(library, transport): {"good": job, "wrong": job}}."""
    folder = tmp_path_factory.mktemp("clients")
    found = {pair: {"good": Job(*pair, "good", server, server.device(), None),
                    "wrong": Job(*pair, "wrong", server, server.device(), "f" * 32)} for pair in PAIRS}
    good = [jobs["good"] for jobs in found.values()]
    wrong = [jobs["wrong"] for jobs in found.values()]
    programs = []
    try:
        programs += [Program(*words) for words in commands_of(server, good + wrong, folder)]
        patience = PATIENCE_S * server.slack
        wait_for(programs, good, "echo 1 ", patience)
        wait_for(programs, wrong, "refused", patience / 4)
        server.restart()
        # Those that did not even get here are not waited for.
        wait_for(programs, [job for job in good if job.saw("echo 1 ")], "echo 2 ", patience)
        for jobs in found.values():
            jobs["online"] = server.show(jobs["good"].device)["status"].upper()
    finally:
        statuses = {program: program.leave() for program in programs}
    for jobs in found.values():
        for job in (jobs["good"], jobs["wrong"]):
            job.program = next(p for p in programs if job.name in p.jobs)
            job.status = statuses[job.program]
    return found


@pytest.fixture(params=PAIRS, ids=lambda pair: "-".join(pair))
def jobs(fleet, request):
    return fleet[request.param]


def diary(job):
    return f"{job.name} reported {job.events}; {job.program.lines.report()}"


def test_subscribes_publishes_receives(jobs):
    assert jobs["good"].saw("subscribed"), diary(jobs["good"])
    assert jobs["good"].saw("echo 1 höre"), diary(jobs["good"])


def test_comes_back_after_a_restart(jobs):
    assert jobs["good"].saw("echo 2 höre"), diary(jobs["good"])
    assert jobs["online"] == "ONLINE"


def test_wrong_secret_is_refused(jobs):
    job = jobs["wrong"]
    assert "refused 4" in job.events, diary(job)
    assert not job.saw("subscribed") and not job.saw("echo"), diary(job)


def test_leaves_in_order(jobs):
    assert jobs["good"].saw("bye") and jobs["good"].status == 0, diary(jobs["good"])
    assert not jobs["good"].saw("failed"), diary(jobs["good"])


def test_every_transport_is_covered():
    for library, schemes in SCHEMES.items():
        assert tuple(schemes) == (("ws", "wss") if library == "browser" else TRANSPORTS)
