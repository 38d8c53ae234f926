"""Starts the program under test, fills its registry through its own command line and signs devices in.

Every wait is bounded, every port is picked by the kernel, every process is ended by its own id.
"""

import base64
import csv
import functools
import hashlib
import hmac
import json
import os
import pathlib
import queue
import signal
import socket
import ssl
import subprocess
import threading
import time

import api_document
from rawclient import Mqtt, Stream, read_http_response

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT_KEY = "a1TestPrd01"
PRODUCT_SECRET = "PsTestProduct001"
# Topic classes of the test product, as `--topic-class` takes them. `echo` is there to hear oneself.
TOPIC_CLASSES = ("user/echo:all", "user/up:pub", "user/down:sub", "user/many/#:sub", "user/+/error:sub")
# Tests reconnect and publish far more often than devices may; tests of these limits set them back.
TEST_SETTINGS = {
    "limits.connects_per_device_per_minute": "0",
    "limits.connects_per_second": "0",
    "limits.qos0_publishes_per_device_per_second": "0",
    "limits.qos1_publishes_per_device_per_second": "0",
    "limits.publishes_per_second": "0",
    "limits.deliveries_per_device_per_second": "0",
    "limits.deliveries_per_second": "0",
    "limits.bytes_per_second_per_connection": "0",
    "limits.refusals_per_address_per_minute": "0",
}
STOP_WITHIN_S = 5.0
BAD_LOG_WORDS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "UndefinedBehaviorSanitizer", "runtime error:",
                 "broken invariant", "MOORING_ASSERT")


def find_program(name="mooring"):
    chosen = os.environ.get("MOORING_PROGRAM")
    if chosen:
        candidates = [pathlib.Path(chosen).resolve().with_name(name) if name != "mooring" else pathlib.Path(chosen)]
    else:
        candidates = [ROOT / "build" / preset / name for preset in ("ci", "release")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(f"{name} is not built; looked at {', '.join(map(str, candidates))}; "
                            "set MOORING_PROGRAM to another build")


@functools.lru_cache(maxsize=None)
def sanitizer(program):
    """Which sanitizer the program was built with: "address", "thread" or none."""
    data = pathlib.Path(program).read_bytes()
    if b"__tsan_init" in data:
        return "thread"
    return "address" if b"__asan_init" in data else ""


def sign(secret, client_id, device_name, product_key, method="hmacsha256", timestamp=None):
    """The password of connection.md 4.3, in upper case as the C SDKs send it."""
    content = f"clientId{client_id}deviceName{device_name}productKey{product_key}"
    if timestamp is not None:
        content += f"timestamp{timestamp}"
    digest = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}[method]
    return hmac.new(secret.encode(), content.encode(), digest).hexdigest().upper()


class Device:
    """A device certificate and what follows from it."""

    def __init__(self, product_key, device_name, device_secret):
        self.product_key = product_key
        self.device_name = device_name
        self.device_secret = device_secret
        self.username = f"{device_name}&{product_key}"

    def topic(self, suffix):
        """/pk/dn/user/... for a custom topic class."""
        return f"/{self.product_key}/{self.device_name}/{suffix}"

    def sys(self, suffix):
        return f"/sys/{self.product_key}/{self.device_name}/{suffix}"

    def client_id(self, extra="", securemode=3, method="hmacsha256", timestamp="2524608000000", base=None):
        base = f"{self.product_key}.{self.device_name}" if base is None else base
        return f"{base}|timestamp={timestamp},_v=test-1.0,securemode={securemode},signmethod={method}{extra}|"

    def password(self, method="hmacsha256", timestamp="2524608000000", base=None, secret=None):
        base = f"{self.product_key}.{self.device_name}" if base is None else base
        return sign(secret or self.device_secret, base, self.device_name, self.product_key, method, timestamp)

    def credentials(self, extra="", securemode=3):
        return self.client_id(extra, securemode), self.username, self.password()


class Lines:
    """A child process whose stdout is read line by line with deadlines."""

    def __init__(self, command, env=None, stdin=False, stderr=None):
        self.command = [str(c) for c in command]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=stderr or subprocess.PIPE,
                                        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, env=env, text=True,
                                        errors="replace", bufsize=1)
        self.lines = queue.Queue()
        self.seen = []
        self.errors = []
        threading.Thread(target=self._pump, args=(self.process.stdout, self.lines.put), daemon=True).start()
        if stderr is None:
            threading.Thread(target=self._pump, args=(self.process.stderr, self.errors.append), daemon=True).start()

    def _pump(self, pipe, put):
        for line in pipe:
            put(line.rstrip("\n"))
        put(None) if pipe is self.process.stdout else None

    def next(self, timeout=5.0):
        """The next line; AssertionError at the deadline or at the end of the output."""
        try:
            line = self.lines.get(timeout=max(timeout, 0.001))
        except queue.Empty:
            raise AssertionError(f"{self.command[0]}: no line within {timeout:.1f} s; {self.report()}") from None
        if line is None:
            self.lines.put(None)
            raise AssertionError(f"{self.command[0]} ended; {self.report()}")
        self.seen.append(line)
        return line

    def until(self, wanted, timeout=5.0):
        """The next line for which `wanted` (a function or the beginning of the line) holds."""
        test = wanted if callable(wanted) else lambda line: line.startswith(wanted)
        deadline = time.monotonic() + timeout
        while True:
            line = self.next(deadline - time.monotonic())
            if test(line):
                return line

    def until_error(self, word, timeout=5.0):
        """Waits for a line with the word on stderr."""
        deadline = time.monotonic() + timeout
        while not any(word in line for line in self.errors):
            assert time.monotonic() < deadline and self.process.poll() is None, self.report()
            time.sleep(0.01)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def report(self):
        return (f"status {self.process.poll()}, stdout {self.seen[-12:]}, stderr {self.errors[-12:]}, "
                f"command {' '.join(self.command)}")

    def end(self, timeout=5.0):
        """Ends the process and returns its status; ending twice is harmless."""
        if self.process.poll() is None:
            if self.process.stdin:
                try:
                    self.process.stdin.close()
                except OSError:
                    pass
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Finished:
    """What a command of the program did."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}"


def run_program(*arguments, timeout=30.0, check=True, cwd=None, env=None, program=None):
    command = [str(program or find_program())] + [str(a) for a in arguments]
    environment = {**os.environ, **(env or {})}
    done = Finished(subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=environment,
                                   stdin=subprocess.DEVNULL))
    for word in BAD_LOG_WORDS:
        assert word not in done.err, f"{' '.join(command)}\n{done}"
    if check:
        assert done.status == 0, f"{' '.join(command)}\n{done}"
    return done


class Server:
    """One `mooring serve` with its data folder. `start` may be called again after `stop` or `kill`."""

    def __init__(self, folder, settings=None, listen=("127.0.0.1:0",), config=None, arguments=(), test_settings=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.program = find_program()
        self.sanitizer = sanitizer(self.program)
        # How much slower than the ordinary build this one may be.
        self.slack = {"": 1.0, "address": 3.0, "thread": 6.0}[self.sanitizer]
        self.settings = {**(TEST_SETTINGS if test_settings else {}), **(settings or {})}
        self.listen = list(listen)
        self.config = config
        self.arguments = list(arguments)
        self.log_path = self.folder / "server.log"
        self.process = None
        self.ready = None
        self.pool = []
        self.extra = []

    # -- life --------------------------------------------------------------------------------------------------------

    def command(self):
        words = [self.program, "serve", "--data", self.data, *self.arguments]
        if self.config:
            words += ["--config", self.config]
        for address in self.listen:
            words += ["--listen", address]
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        return [str(w) for w in words]

    def start(self, timeout=None):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.lines = Lines(self.command(), stderr=log)
        self.process = self.lines.process
        try:
            line = self.lines.until("ready ", timeout or 15 * self.slack)
        except AssertionError as error:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError(f"{error}\nlog: {self.log()[-3000:]}") from None
        self.ready = json.loads(line[len("ready "):])
        self.listeners = [(entry["address"], entry["port"]) for entry in self.ready["listeners"]]
        self.address = self.listeners[0]
        self.host, self.port = self.address
        self.root_certificate = self.ready["rootCertificate"]
        return self

    def stop(self):
        """SIGTERM: the server must end with status 0 in time, and its log must hold no sign of a broken program."""
        if self.process is None:
            return
        process, self.process = self.process, None
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_WITHIN_S * self.slack + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not end after SIGTERM\nlog: {self.log()[-3000:]}") from None
        took = time.monotonic() - started
        self.check_log()
        assert status == 0, f"exit status {status}\nlog: {self.log()[-3000:]}"
        assert took < STOP_WITHIN_S * self.slack, f"stopping took {took:.1f} s"

    def kill(self):
        """SIGKILL, as a power cut without the power cut."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def discard(self):
        """Cleaning up after a failed test: no checks."""
        if self.process is not None:
            self.kill()

    def keep_ports(self):
        """From now on the server is started on the ports it has."""
        self.listen = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.listeners]

    def restart(self, hard=False):
        self.keep_ports()
        self.kill() if hard else self.stop()
        return self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    # -- log and resources -------------------------------------------------------------------------------------------

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def check_log(self):
        log = self.log()
        for word in BAD_LOG_WORDS:
            assert word not in log, f"{word} in the log\n{log[max(0, log.find(word) - 500):log.find(word) + 4000]}"

    def wait_log(self, *words, timeout=5.0, start=0):
        """Waits for a log line that holds all the words, not looking at the first `start` characters."""
        deadline = time.monotonic() + timeout * self.slack
        while True:
            for line in self.log()[start:].splitlines():
                if all(w in line for w in words):
                    return line
            assert time.monotonic() < deadline, f"no log line with {words}\n{self.log()[start:][-3000:]}"
            time.sleep(0.05)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    # -- command line ------------------------------------------------------------------------------------------------

    def cli(self, *arguments, check=True, timeout=30.0):
        """A registry command on this data folder, whether the server runs or not."""
        return run_program(*arguments, "--data", self.data, check=check, timeout=timeout * self.slack)

    def json(self, *arguments):
        return self.cli(*arguments, "--json").json()

    def create_product(self, product_key=PRODUCT_KEY, product_secret=PRODUCT_SECRET, classes=TOPIC_CLASSES, extra=()):
        words = ["product", "create", "--product-key", product_key, "--name", "tests"]
        words += ["--product-secret", product_secret] if product_secret else []
        for topic_class in classes:
            words += ["--topic-class", topic_class]
        self.cli(*words, *extra)

    def create_device(self, device_name, device_secret=None, product_key=PRODUCT_KEY):
        secret = device_secret or hashlib.md5(device_name.encode()).hexdigest()
        self.cli("device", "create", "--product-key", product_key, "--device-name", device_name, "--device-secret",
                 secret)
        return Device(product_key, device_name, secret)

    def seed(self, devices=40):
        """The test product and a pool of devices, from a file as an operator would."""
        self.create_product()
        self.pool += self.import_devices(devices)
        return self

    def import_devices(self, count, prefix="dev"):
        made = [Device(PRODUCT_KEY, f"{prefix}{i:05d}", hashlib.md5(f"{prefix}{i}".encode()).hexdigest())
                for i in range(count)]
        path = self.folder / f"{prefix}.csv"
        with open(path, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["ProductKey", "DeviceName", "DeviceSecret"])
            rows.writerows([d.product_key, d.device_name, d.device_secret] for d in made)
        self.cli("device", "import", path)
        return made

    def device(self):
        """A device no other test has used."""
        assert self.pool, "the pool of devices is empty: seed more"
        return self.pool.pop(0)

    def device_command(self, verb, device, *arguments, check=True):
        return self.cli("device", verb, "--product-key", device.product_key, "--device-name", device.device_name,
                        *arguments, check=check)

    def show(self, device):
        return self.device_command("show", device, "--json").json()

    def wait_status(self, device, wanted, timeout=5.0):
        deadline = time.monotonic() + timeout * self.slack
        while (found := self.show(device))["status"].upper() != wanted:
            assert time.monotonic() < deadline, f"status is {found['status']}, not {wanted}"
            time.sleep(0.05)
        return found

    # -- operator ----------------------------------------------------------------------------------------------------

    def operator(self, *filters):
        found = Operator(self, filters)
        self.extra.append(found)
        return found

    def operator_publish(self, topic, payload, qos=0):
        self.cli("pub", "-t", topic, "-m", payload, "-q", str(qos))

    # -- clients -----------------------------------------------------------------------------------------------------

    def tls(self, minimum=None, maximum=None, ciphers=None, verify=True, alpn=None):
        """A client context that trusts the server's own root."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if verify:
            context.load_verify_locations(self.root_certificate)
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        if ciphers:
            context.set_ciphers(ciphers)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def stream(self, tls=None, server_name="localhost", **options):
        return Stream(self.address, tls, server_name if tls else None, **options)

    def client(self, transport="tcp", **options):
        """An open MQTT client that has sent nothing yet."""
        if transport in ("tls", "wss") and "tls" not in options:
            options["tls"] = self.tls()
        if "tls" in options:
            options.setdefault("server_name", "localhost")
        return Mqtt(options.pop("address", self.address), transport, **options)

    def sign_in(self, device, transport="tcp", extra="", clean=True, code=0, keep_alive=60, level=4, **options):
        """A connected device; `session_present` is left on the client."""
        client = self.client(transport, **options)
        securemode = 2 if transport in ("tls", "wss") else 3
        client.session_present, found = client.connect(*device.credentials(extra, securemode), keep_alive=keep_alive,
                                                       clean=clean, level=level)
        assert found == code, f"CONNACK {found}, not {code}; log: {self.log()[-1500:]}"
        return client

    def http(self, target, method="GET", tls=None, headers=(), body=b"", address=None):
        stream = Stream(address or self.address, tls, "localhost" if tls else None)
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        stream.send(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        try:
            answer = read_http_response(stream, head_only=method == "HEAD")
        finally:
            stream.close()
        if target.startswith(api_document.PREFIX + "/"):
            api_document.check_answer(method, target, answer.status, answer.header("content-type"), answer.body)
        return answer


class Operator:
    """`mooring sub` as the local operator, with its messages as (topic, payload)."""

    def __init__(self, server, filters):
        self.slack = server.slack
        words = [server.program, "sub", "--data", server.data, "--json"]
        for topic_filter in filters:
            words += ["-t", topic_filter]
        self.lines = Lines(words)
        self.lines.until_error("subscribed", 10 * self.slack)

    def next(self, timeout=5.0):
        found = json.loads(self.lines.next(timeout * self.slack))
        return found["topic"], found.get("payload", found.get("payloadHex"))

    def next_json(self, timeout=5.0):
        topic, payload = self.next(timeout)
        return topic, json.loads(payload)

    def end(self):
        assert self.lines.end() == 0, self.lines.report()


def free_port():
    """A port that was free a moment ago, for programs that cannot report the one they picked."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def key_fingerprint(certificate_der):
    """Base64 of the SHA-256 of a certificate's public key, as browsers pin it."""
    pem = ssl.DER_cert_to_PEM_cert(certificate_der)
    public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(), capture_output=True,
                            check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public.stdout, capture_output=True,
                         check=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def together(*jobs):
    """Runs functions at the same time and returns their results; the first failure is raised."""
    results = [None] * len(jobs)
    failures = []

    def run(index, job):
        try:
            results[index] = job()
        except BaseException as error:  # handed to the caller, who raises it
            failures.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
