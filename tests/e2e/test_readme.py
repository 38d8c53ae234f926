"""The commands of the README, run as they stand there.

A block of commands counts when a comment stands before it: `<!-- test: server -->` starts the server and leaves it running,
`<!-- test: background -->` a client, `<!-- test -->` must end with status 0, and `<!-- test: expect -->` holds what the last
client shows. The server takes a free port of loopback, which replaces 443 in later blocks; `./run` is what it becomes
after building.
"""

import json
import re
import shlex
import subprocess
import time

import pytest

from harness import BAD_LOG_WORDS, ROOT, Lines, find_program, sanitizer

BLOCK = re.compile(r"^<!-- test(?:: (server|background|expect))? -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SLACK = {"": 1.0, "address": 3.0, "thread": 6.0}


def blocks():
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


class Reader:
    """Somebody who types the commands of the README, in the folder they are meant for."""

    def __init__(self, folder):
        program = find_program()
        self.folder = folder
        self.slack = SLACK[sanitizer(program)]
        self.server = None
        self.port = None
        self.clients = []
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(program.parent)
        run = folder / "run"
        run.write_text('#!/bin/sh\nexec build/release/mooring serve --demo "$@"\n', encoding="utf-8")
        run.chmod(0o755)

    def start(self, text):
        text = text.strip().replace("\\\n", " ")
        assert "\n" not in text, "what goes on running must be one command"
        return Lines(["bash", "-c", f"cd {shlex.quote(str(self.folder))} && exec {text}"])

    def do_server(self, text):
        self.server = self.start(text.strip() + " --listen 127.0.0.1:0")
        ready = json.loads(self.server.until("ready ", 30 * self.slack)[len("ready "):])
        self.port = ready["listeners"][0]["port"]

    def do_background(self, text):
        client = self.start(self.on_our_port(text))
        self.clients.append(client)
        deadline = time.monotonic() + 10 * self.slack
        while not any("subscribed" in line for line in client.errors):
            assert client.process.poll() is None and time.monotonic() < deadline, client.report()
            time.sleep(0.02)

    def do_expect(self, text):
        for line in text.splitlines():
            assert self.clients[-1].next(10 * self.slack) == line

    def do_run(self, text):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.on_our_port(text)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * self.slack, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

    def on_our_port(self, text):
        return text.replace("localhost:443", f"127.0.0.1:{self.port}")

    def end(self):
        for client in self.clients:
            client.end()
        return self.server.end(20 * self.slack) if self.server else None


@pytest.fixture
def reader(tmp_path):
    found = Reader(tmp_path)
    yield found
    found.end()


def test_the_blocks_are_found():
    kinds = [kind for kind, _ in blocks()]
    assert kinds[0] == "server"
    assert kinds.count("background") >= 2 and kinds.count("expect") >= 2 and kinds.count("") >= 3


def test_the_first_conversation(reader):
    for kind, text in blocks():
        {"server": reader.do_server, "background": reader.do_background, "expect": reader.do_expect,
         "": reader.do_run}[kind](text)
    assert reader.end() == 0
    report = "\n".join(reader.server.errors)
    assert not any(word in report for word in BAD_LOG_WORDS), report
