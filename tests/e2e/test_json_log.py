"""The log as JSON: every line of stderr is an object, whatever clients send, and no secret is in it."""

import datetime
import json

from harness import run_program
from people import Person
from rawclient import Closed, Silence

NASTY = ['"', "\\", "a\nb", "\x1b[31m", "\x00", "\x7f", "\u2028", "设备", "{}", "%s%n"]


def lines(server):
    found = []
    for number, line in enumerate(server.log().split("\n"), 1):
        if line:
            assert line.isprintable(), f"line {number} has a control character: {line!r}"
            found.append(json.loads(line))
    return found


def test_every_line_is_json(make_server):
    server = make_server({"log.format": "json", "log.level": "debug"}, devices=4)
    device = server.device()
    server.sign_in(device, "wss").close()
    for text in NASTY:
        for user, client_id in ((text + "&a1TestPrd01", text + "|securemode=3|"), (text, text)):
            client = server.client("tcp")
            try:
                client.connect(client_id, user, "wrong-password-1")
            except (Closed, Silence, OSError):
                pass  # not even an answer
            client.close()
        Person(server).sign_in(text, "wrong-password-2")
    sub = server.sign_in(device)
    sub.publish("/not/mine/\x1b\n\"", b"x", qos=0)
    server.wait_log("No authorization (9236)")
    sub.close()
    server.stop()
    found = lines(server)
    assert len(found) > 20
    for line in found:
        assert set(line) == {"time", "level", "component", "message"}
        assert line["level"] in ("debug", "info", "warn", "error")
        datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert {"gateway", "server", "api"} <= {line["component"] for line in found}
    for secret in ("wrong-password", device.device_secret, device.password()):
        assert secret not in server.log()


def test_no_first_password_is_in_a_log(make_server):
    server = make_server({"log.format": "json"}, devices=0)
    line = server.wait_log("mooring user reset admin")
    assert json.loads(line)["level"] == "warn"
    assert all("password " not in line["message"] or "prints a password" in line["message"] for line in lines(server))
    reset = server.json("user", "reset", "admin")
    assert Person(server).sign_in("admin", reset["password"])[0] == 200


def test_why_it_does_not_start_is_json_as_well(make_server):
    server = make_server({"log.format": "json"}, devices=0, start=False)
    first = make_server(devices=0)
    server.data = first.data
    server.listen = [f"{first.host}:{first.port}"]
    done = run_program(*server.command()[1:], check=False)
    assert done.status == 1
    assert [json.loads(line)["level"] for line in done.err.splitlines()][-1] == "error"
