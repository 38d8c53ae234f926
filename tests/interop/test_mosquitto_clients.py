"""mosquitto_sub, mosquitto_pub and mosquitto_rr over tcp and tls, with the operator at the other end."""

import shutil
import subprocess
import time

import pytest

from harness import Lines


@pytest.fixture(params=["tcp", "tls"])
def transport(request):
    return request.param


def words(program, server, device, transport, secret=None):
    path = shutil.which(program)
    assert path, f"{program} is missing: install mosquitto-clients"
    encrypted = ["--cafile", server.root_certificate] if transport == "tls" else []
    return [path, "-h", "127.0.0.1", "-p", str(server.port), *encrypted, "-V", "311", "-k", "60",
            "-i", device.client_id(securemode=2 if encrypted else 3),
            "-u", device.username, "-P", device.password(secret=secret)]


def publish_until_heard(server, lines, topic, payload, seconds=20):
    """The operator repeats the message until the subscriber prints it."""
    deadline = time.monotonic() + seconds * server.slack
    while True:
        server.operator_publish(topic, payload, qos=1)
        try:
            return lines.until(f"{topic} {payload}", 0.5)
        except AssertionError:
            assert time.monotonic() < deadline and lines.process.poll() is None, lines.report()


def test_sub_hears_the_operator_also_after_a_restart(make_server, transport):
    server = make_server()
    device = server.device()
    topic = device.topic("user/down")
    lines = Lines([*words("mosquitto_sub", server, device, transport), "-c", "-v", "-q", "1", "-t", topic])
    try:
        publish_until_heard(server, lines, topic, "before")
        server.restart()
        publish_until_heard(server, lines, topic, "after")
    finally:
        lines.end()


def test_pub_reaches_the_operator(server, device, transport):
    listener = server.operator(device.topic("user/#"))
    for qos in ("0", "1"):
        subprocess.run([*words("mosquitto_pub", server, device, transport), "-q", qos, "-t", device.topic("user/up"),
                        "-m", f"quality {qos}"], check=True, timeout=20)
        assert listener.next() == (device.topic("user/up"), f"quality {qos}")
    listener.end()


def test_pub_of_many_lines(server, device, transport):
    listener = server.operator(device.topic("user/up"))
    sent = [f"line {i}" for i in range(50)]
    subprocess.run([*words("mosquitto_pub", server, device, transport), "-q", "1", "-t", device.topic("user/up"), "-l"],
                   input="\n".join(sent) + "\n", text=True, check=True, timeout=20)
    assert [listener.next()[1] for _ in sent] == sent
    listener.end()


def test_a_device_talks_to_itself(server, device, transport):
    """Subscribes and publishes one topic in one connection: a class with both rights."""
    topic = device.topic("user/echo")
    done = subprocess.run([*words("mosquitto_rr", server, device, transport), "-t", topic, "-e", topic,
                           "-m", "to myself", "-q", "1", "-W", "10"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout.strip()) == (0, "to myself"), done


@pytest.mark.parametrize("program", ["mosquitto_sub", "mosquitto_pub"])
def test_wrong_secret(server, device, transport, program):
    message = ["-m", "x"] if program == "mosquitto_pub" else ["-W", "10"]
    done = subprocess.run([*words(program, server, device, transport, secret="0" * 32), "-t", device.topic("user/up"),
                           *message], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "bad user name or password" in (done.stdout + done.stderr).lower(), done


def test_subscription_that_is_not_permitted(server, device, transport):
    done = subprocess.run([*words("mosquitto_sub", server, device, transport), "-t", "#", "-W", "5"],
                          capture_output=True, text=True, timeout=20)
    assert "denied" in (done.stdout + done.stderr).lower(), done
