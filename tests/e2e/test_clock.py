"""The wall clock jumps, forwards and back, while the server runs: who may come in, and what is kept."""

import pathlib
import struct
import subprocess

import pytest

from harness import Server
from rawclient import Closed
from test_device_http import iot_connect, login, post_json, preauth, publish
from test_http_doctor import Request
from test_tickets import connect as use_ticket
from test_tickets import of_device

HOUR, DAY, YEAR = 3600, 86_400, 31_536_000
HERE = pathlib.Path(__file__).resolve().parent


def library(folder):
    made = folder / "jumping_clock.so"
    command = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made,
               HERE / "jumping_clock.c", "-ldl"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return made


def first_libraries(program):
    """What a program with a sanitizer insists on finding before any other library."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=30, check=False)
    paths = [line.split()[2] for line in done.stdout.splitlines() if "=>" in line and len(line.split()) > 2]
    return [p for p in paths if pathlib.Path(p).name.startswith(("libasan.", "libtsan."))]


class JumpingServer(Server):
    """Its wall clock is off by what jump() said last."""

    def __init__(self, folder, *arguments, **options):
        super().__init__(folder, *arguments, **options)
        self.offset = self.folder / "offset"
        self.jump(0)
        self.preload = [*first_libraries(self.program), library(self.folder)]

    def jump(self, seconds):
        with open(self.offset, "r+b" if self.offset.exists() else "wb") as file:  # in place: it is mapped
            file.write(struct.pack("=q", int(seconds)))

    def command(self):
        preload = " ".join(str(p) for p in self.preload)
        return ["env", f"LD_PRELOAD={preload}", f"CLOCK_OFFSET={self.offset}", *super().command()]


@pytest.fixture(scope="module")
def jumping(tmp_path_factory):
    # HTTP without TLS: a certificate of the server's own is not what this is about.
    found = JumpingServer(tmp_path_factory.mktemp("clock"), {"auth.require_tls": "false"}).seed(30)
    try:
        found.start()
        yield found
        found.stop()
    finally:
        found.discard()


@pytest.fixture(autouse=True)
def in_time(jumping):
    yield
    jumping.jump(0)


def code_of_login(server, device):
    return post_json(server, "/auth", Request(device).fields(), tls=False).code


def test_the_clock_does_jump(jumping):
    device = jumping.device()
    jumping.jump(10 * YEAR)
    jumping.sign_in(device).close()
    assert jumping.wait_status(device, "OFFLINE")["activated"] > "2035"


@pytest.mark.parametrize("jump", [2 * HOUR, 3 * YEAR, -HOUR, -10 * YEAR])
def test_who_is_connected_stays_connected(jumping, jump):
    device, other = jumping.device(), jumping.device()
    with jumping.sign_in(device, keep_alive=30) as client:
        assert client.subscribe(device.topic("user/get")) == [1]
        jumping.jump(jump)
        assert client.ping() < 5
        jumping.operator_publish(device.topic("user/get"), "after the jump", qos=1)
        assert client.expect_publish().payload == b"after the jump"
        with jumping.sign_in(other) as second:
            assert second.ping() < 5
        jumping.jump(0)
        assert client.ping() < 5


def test_tickets_end_by_the_clock_and_nothing_is_lost(jumping):
    device = jumping.device()
    ticket = of_device(jumping, device, "--lifetime", "1h")
    use_ticket(jumping, ticket).close()
    jumping.jump(2 * HOUR)
    use_ticket(jumping, ticket, code=4).close()
    jumping.wait_log("(ticket-expired)")
    jumping.jump(0)
    use_ticket(jumping, ticket).close()
    assert [one["id"] for one in jumping.json("ticket", "list") if one["id"] == ticket["id"]] == [ticket["id"]]


def tokens_are(server, device, iot, http, code):
    """Both kinds of tokens: good (0), expired by the clock (20001)."""
    found = publish(server, http, device.topic("user/update"), tls=False).code, iot_connect(server, iot["iotId"], iot["iotToken"])
    return found == ((0, 0) if code == 0 else (code, 3))


def http_token(server, device):
    answer = post_json(server, "/auth", Request(device).fields(), tls=False)
    assert answer.code == 0, answer.text
    return answer.json["info"]["token"]


def test_tokens_last_seven_days_of_the_clock(jumping):
    device = jumping.device()
    http, iot = http_token(jumping, device), preauth(jumping, device, tls=False).json["data"]
    assert tokens_are(jumping, device, iot, http, 0)
    jumping.jump(8 * DAY)
    assert tokens_are(jumping, device, iot, http, 20001)
    assert code_of_login(jumping, device) == 0, "and it gets a new one"
    jumping.jump(6 * DAY)
    assert tokens_are(jumping, device, iot, http, 0)


def test_a_clock_that_was_ahead_makes_no_token_for_years(jumping):
    device = jumping.device()
    jumping.jump(10 * YEAR)
    http, iot = http_token(jumping, device), preauth(jumping, device, tls=False).json["data"]
    assert tokens_are(jumping, device, iot, http, 0)
    jumping.jump(0)
    assert tokens_are(jumping, device, iot, http, 20001)


def test_messages_wait_in_order_over_a_clock_that_goes_back(jumping):
    device = jumping.device()
    with jumping.sign_in(device, clean=False) as client:
        assert client.subscribe(device.topic("user/get")) == [1]
        client.disconnect()
        client.wait_closed()
    jumping.operator_publish(device.topic("user/get"), "1", qos=1)
    jumping.jump(-10 * YEAR)
    jumping.operator_publish(device.topic("user/get"), "2", qos=1)
    jumping.restart(hard=True)
    jumping.operator_publish(device.topic("user/get"), "3", qos=1)
    jumping.jump(DAY)
    jumping.operator_publish(device.topic("user/get"), "4", qos=1)
    jumping.jump(0)
    got = []
    with jumping.sign_in(device, clean=False) as client:
        while len(got) < 2:
            message = client.expect_publish()
            client.puback(message)
            got.append(message.payload.decode())
        try:
            while True:
                message = client.expect_publish(1)
                client.puback(message)
                got.append(message.payload.decode())
        except (AssertionError, Closed):
            pass
    # What was published ten years ago by the clock is older than seven days now; the others are there, in order.
    assert got == ["1", "4"], got


def test_refusals_are_counted_and_explained_over_jumps(jumping):
    device = jumping.device()
    for jump in (0, -YEAR, YEAR, 0):
        jumping.jump(jump)
        with jumping.client() as client:
            assert client.connect(device.client_id(), device.username, "00" * 32)[1] == 4
    found = jumping.json("device", "doctor", "--product-key", device.product_key, "--device-name",
                         device.device_name)["findings"]
    assert sum(one["count"] for one in found) == 4
    assert jumping.show(device)["status"] == "UNACTIVE" and jumping.show(device)["activated"] is None
