"""A Mooring of a measurement's own: filled with devices, started on a free port, asked for its counters, ended by its id."""

import json
import http.client
import os
import pathlib
import re
import resource
import subprocess
import time

PRODUCT_KEY = "a1MooBench1"
PASSWORD = "bench-password"
CLASSES = ("user/up:pub", "user/down:sub", "user/echo:all")
# With more than half of the ports of one address in use the kernel looks for each further one for a millisecond.
SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
STOP_WITHIN_S = 30


class Failed(Exception):
    """A server or a load that did not do what was asked of it."""


def raise_descriptor_limit(wanted):
    """To what is wanted, where the hard limit or the caller's rights allow it; for the programs started from here."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def rate_limits_off(program):
    """Limits for a span of time are off, as they would measure themselves; everything else stays."""
    table = subprocess.run([program, "config", "docs"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"(?m)^\| `(limits\.\w+_per_(?:second|minute|hour|day|connection))` \|.*or 0 for no limit", table)
    return [f"{name}=0" for name in names]


def device_name(number):
    return f"device-{number:07d}"


def write_devices(path, numbers):
    with open(path, "w", encoding="utf-8") as out:
        out.write("ProductKey,DeviceName,DeviceSecret\n")
        out.writelines(f"{PRODUCT_KEY},{device_name(number)},{number:032x}\n" for number in numbers)
    return path


class Server:
    """`threads` loops. Its folder holds the data and is the caller's to remove."""

    def __init__(self, build, folder, threads=1, settings=(), cores=()):
        self.build, self.folder, self.threads = pathlib.Path(build), pathlib.Path(folder), threads
        self.program = self.build / "mooring"
        self.settings = [*settings, "log.level=warn"]
        self.prefix = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
        self.log = self.folder / "server.log"
        self.process = None

    def command(self, *words, text=""):
        return subprocess.run([self.program, *words, "--data", self.folder / "data"], check=True, capture_output=True,
                              text=True, input=text).stdout

    def make_platform(self):
        """A product and an account."""
        classes = [word for name in CLASSES for word in ("--topic-class", name)]
        self.command("product", "create", "--product-key", PRODUCT_KEY, "--name", "Benchmark", *classes)
        self.command("account", "create", "bench", "--password-stdin", "--allow", "all:#", text=PASSWORD)

    def import_devices(self, csv):
        self.command("device", "import", str(csv))

    def fill(self, csv):
        self.make_platform()
        self.import_devices(csv)

    def start(self):
        words = [word for setting in self.settings for word in ("--set", setting)]
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*self.prefix, self.program, "serve", "--data", self.folder / "data", "--listen",
                                             "127.0.0.1:0", "--threads", str(self.threads), *words],
                                            stdout=subprocess.PIPE, text=True, stderr=log, stdin=subprocess.DEVNULL)
        for line in self.process.stdout:
            if line.startswith("ready "):
                ready = json.loads(line[6:])
                self.port, self.root = ready["listeners"][0]["port"], ready["rootCertificate"]
                return self
        raise Failed("the server did not start: " + self.log.read_text(encoding="utf-8")[-500:])

    def stop(self):
        """Its exit status; 0 if there was none."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.terminate()
        try:
            return process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait() or 1

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.stop() != 0 and kind is None:
            raise Failed("the server did not end well: " + self.log.read_text(encoding="utf-8")[-500:])

    # -- what it does ------------------------------------------------------------------------------------------------

    def metrics(self):
        """Values by name with labels, as they are written. Those of loops are of the last full second."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"(?m)^([a-z]\S*) (\S+)$", text)}

    def by_loop(self, metrics, name):
        """Of the loops that serve clients."""
        return [metrics[f'{name}{{loop="{loop}"}}'] for loop in range(self.threads)]

    def clients(self):
        return sum(value for name, value in self.metrics().items() if name.startswith("mooring_clients{"))

    def wait_clients(self, count, timeout_s, load=None):
        deadline = time.monotonic() + timeout_s
        while self.clients() < count:
            if load is not None and load.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"only {self.clients():.0f} of {count} clients came")
            time.sleep(0.2)

    def thread_cpu_s(self):
        """Processor time of each of its threads, by its id: loops have no names of their own."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return {int(task.name): int((task / "schedstat").read_text(encoding="utf-8").split()[0]) / 1e9
                for task in tasks}

    # -- load --------------------------------------------------------------------------------------------------------

    def load_command(self, *words, scheme="ws", csv=None, cores=()):
        """Of mooring-bench, against this server, as its devices and its account."""
        return [*(["taskset", "-c", ",".join(map(str, cores))] if cores else []), self.build / "mooring-bench",
                *map(str, words), "--url", f"{scheme}://127.0.0.1:{self.port}", "--ca", self.root, "--devices",
                csv or self.folder / "devices.csv", "--account", "bench", "--pid", str(self.process.pid), "--quiet"]

    def begin_load(self, *words, **options):
        return subprocess.Popen(self.load_command(*words, **options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, "MOORING_BENCH_PASSWORD": PASSWORD})

    def end_load(self, load, timeout_s):
        """Its line; Failed when something went wrong."""
        try:
            out, error = load.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            load.kill()
            load.communicate()
            raise Failed("the load did not come to an end") from None
        line = json.loads(out) if out.startswith("{") else {"ok": False, "failure": error[-300:]}
        if not line["ok"]:
            faults = [word for word in ("lost", "disordered", "duplicated", "damaged", "unanswered") if line.get(word)]
            raise Failed(f"{line.get('failure', '')} {faults} {error[-300:]}")
        return line

    def load(self, *words, timeout_s=600, **options):
        return self.end_load(self.begin_load(*words, **options), timeout_s)


def machine():
    with open("/proc/loadavg", encoding="utf-8") as file:
        average = file.read().split()[:3]
    return f"{os.cpu_count()} cores, load average {' '.join(average)}"
