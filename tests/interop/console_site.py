"""A server whose console is looked at: what its pages show, and the browser that opens them. Shared by the tests and by
tools/console-screenshots."""

import json
import re
import shutil

from test_clients import HERE, find_chromium, node_packages, pins_of

USER = "admin"
PASSWORD = "a password of one's own"


def first_password(server):
    """What the server printed when it started for the first time."""
    found = re.search(rf"user {USER} with password (\S+)", server.log())
    assert found, f"no first password was printed\n{server.log()[-2000:]}"
    return found[1].rstrip(".")


def browser_settings(server, folder, name):
    assert node_packages()
    return {"url": f"https://localhost:{server.port}/console/", "chromium": find_chromium(),
            "profile": str(folder / name), "pins": pins_of(server), "user": USER, "password": PASSWORD,
            "rootCertificate": server.root_certificate, "patience": int(20_000 * server.slack)}


def command(program, *words):
    return [shutil.which("node"), str(HERE / "browser" / program), *words]


def as_json(settings):
    return json.dumps(settings)
