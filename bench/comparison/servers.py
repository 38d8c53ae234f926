"""The servers that are compared: each is started fresh for a run, on one core, with one loop, and ended by its id."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

PRODUCT_KEY = "a1MooBench1"
PASSWORD = "bench-password"
START_WITHIN_S = 20
STOP_WITHIN_S = 10


class Failed(Exception):
    """A server that did not start, or cannot do what a row asks for."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split("\n")[0]


class Certificates:
    """Self-signed ones that every server uses alike, by key type."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name, key in (("ecdsa", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]), ("rsa", ["rsa:2048"])):
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=IP:127.0.0.1,DNS:localhost", "-newkey", *key, "-keyout", self.key(name),
                            "-out", self.chain(name)], check=True, capture_output=True)

    def chain(self, name):
        return str(self.folder / f"{name}.crt")

    def key(self, name):
        return str(self.folder / f"{name}.key")


class Server:
    """One kind of server. `run(row)` yields it started for a row; it is gone afterwards."""

    name = ""
    label = ""
    remark = ""  # what a reader of its figures has to know

    def __init__(self, folder, certificates, core):
        self.folder = pathlib.Path(folder) / self.name
        self.folder.mkdir(parents=True)
        self.certificates = certificates
        self.prefix = ["taskset", "-c", str(core)] if core is not None else []
        self.process = None
        self.log = self.folder / "log"

    def version(self):
        raise NotImplementedError

    def command(self, row, port):
        """The command that serves this row; Failed when the server has no such thing."""
        raise NotImplementedError

    def scheme(self, row):
        return row.scheme

    def identity(self):
        """Words of mooring-bench that say as whom to sign in."""
        return []

    def start(self, row):
        self.port = free_port()
        command = self.command(row, self.port)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.prefix + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, "GOMAXPROCS": "1"})
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"did not start: {self.tail()}") from None
                time.sleep(0.02)
        time.sleep(0.1)  # what it does right after its start is not the row's

    def tail(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-300:].replace("\n", " ")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def url(self, row):
        return f"{self.scheme(row)}://127.0.0.1:{self.port}"


class Limit(Server):
    name, label = "limit", "limit"

    def __init__(self, build, *rest):
        super().__init__(*rest)
        self.program = str(build / "mooring-limit")

    def version(self):
        return "bench/limit of the same build"

    def command(self, row, port):
        if row.qos == 2:
            raise Failed("the bare program has no QoS 2")
        tls = [self.certificates.chain(row.key_type), self.certificates.key(row.key_type)] if row.scheme == "wss" else []
        return [self.program, str(port), *tls]


class Mooring(Server):
    """As a plain broker: everybody is one account, which may do everything."""

    name, label = "mooring", "Mooring"

    def __init__(self, build, *rest):
        super().__init__(*rest)
        self.program = str(build / "mooring")
        self.data = str(self.folder / "data")
        self.settings = self.rate_limits_off()
        self.prepare()

    def version(self):
        return first_line(self.program, "--version")

    def rate_limits_off(self):
        """Limits for a span of time are off, as they would measure themselves; everything else stays."""
        table = subprocess.run([self.program, "config", "docs"], capture_output=True, text=True, check=True).stdout
        rates = re.findall(r"(?m)^\| `(limits\.\w+_per_(?:second|minute|hour|day)\w*)` \|.*or 0 for no limit", table)
        return [word for name in rates for word in ("--set", f"{name}=0")]

    def mooring(self, *words, text=None):
        subprocess.run([self.program, *words, "--data", self.data], check=True, capture_output=True, text=True,
                       input=text or "")

    def prepare(self):
        self.mooring("account", "create", "bench", "--password-stdin", "--allow", "all:#", text=PASSWORD)

    def listener(self):
        return 'anonymous_account = "bench"\n'

    def command(self, row, port):
        config = self.folder / "mooring.toml"
        config.write_text(f'[[listener]]\naddress = "127.0.0.1:{port}"\n{self.listener()}'
                          f'[tls]\ncertificate = "{self.certificates.chain(row.key_type)}"\n'
                          f'key = "{self.certificates.key(row.key_type)}"\n[log]\nlevel = "warn"\n', encoding="utf-8")
        return [self.program, "serve", "--config", str(config), "--data", self.data, "--threads", "1", *self.settings]


class MooringDevices(Mooring):
    """The device dialect: signatures, topic permissions, checks of topics and payloads; back ends are an account."""

    name, label = "devices", "Mooring, devices"
    devices = 4000

    def prepare(self):
        super().prepare()
        self.csv = self.folder / "devices.csv"
        rows = [f"{PRODUCT_KEY},device-{i:05d},{i:032x}" for i in range(1, self.devices + 1)]
        self.csv.write_text("ProductKey,DeviceName,DeviceSecret\n" + "\n".join(rows) + "\n", encoding="utf-8")
        self.mooring("product", "create", "--product-key", PRODUCT_KEY, "--name", "Benchmark", "--topic-class",
                     "user/up:pub", "--topic-class", "user/down:sub", "--topic-class", "user/echo:all")
        self.mooring("device", "import", str(self.csv))

    def listener(self):
        return ""

    def identity(self):
        return ["--devices", str(self.csv), "--account", "bench", "--password", PASSWORD]

    def command(self, row, port):
        if row.qos == 2:
            raise Failed("devices have no QoS 2")
        return super().command(row, port)


class Mosquitto(Server):
    name, label = "mosquitto", "mosquitto"
    remark = "mosquitto and nats-server are Debian's; newer ones and FlashMQ are not in the distribution."
    package, program = "mosquitto", "/usr/sbin/mosquitto"

    def version(self):
        return first_line(self.program, "-h")

    def command(self, row, port):
        config = self.folder / "mosquitto.conf"
        tls = ""
        if row.scheme == "wss":
            tls = (f"certfile {self.certificates.chain(row.key_type)}\nkeyfile {self.certificates.key(row.key_type)}\n")
        # This version refuses to start without a listener that is no WebSocket.
        config.write_text(f"listener {free_port()} 127.0.0.1\nper_listener_settings false\nallow_anonymous true\npersistence false\nuser root\n"
                          "max_inflight_messages 100\nmax_queued_messages 0\nlog_type error\n"
                          f"listener {port} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4\n{tls}", encoding="utf-8")
        return [self.program, "-c", str(config)]


class Nats(Server):
    """Version 2.9 has MQTT over TCP only, and no QoS 2."""

    name, label = "nats", "nats-server"
    remark = "nats-server 2.9 speaks MQTT over tcp and tls only: its figures lack WebSocket and are too good by that."
    package, program = "nats-server", "/usr/sbin/nats-server"

    def version(self):
        return first_line(self.program, "--version")

    def scheme(self, row):
        return {"ws": "tcp", "wss": "tls"}[row.scheme]

    def command(self, row, port):
        if row.qos == 2:
            raise Failed("this version has no QoS 2")
        store = self.folder / "store"
        shutil.rmtree(store, ignore_errors=True)
        mqtt = {"port": port, "host": "127.0.0.1"}
        if row.scheme == "wss":
            mqtt["tls"] = {"cert_file": self.certificates.chain(row.key_type),
                           "key_file": self.certificates.key(row.key_type)}
        config = self.folder / "nats.conf"
        config.write_text(json.dumps({"server_name": "bench", "host": "127.0.0.1", "port": -1,
                                      "jetstream": {"store_dir": str(store)}, "mqtt": mqtt}), encoding="utf-8")
        return [self.program, "-c", str(config)]


PEERS = (Mosquitto, Nats)
