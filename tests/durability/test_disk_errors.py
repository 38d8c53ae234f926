"""A full or broken disk: what needs it is refused, everything else goes on, nothing acknowledged is lost."""

import random
import re
import struct
import time

import pytest

from fleet import connect_packet, publish_packet, usual_fleet
from model import Model
from proving import DiskServer, LabServer
from rawclient import (CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBREC, SUBACK, Closed, Mqtt, Silence, packet,
                       subscribe_packet)

# `stored/#` belongs to a client that is away: its messages need the disk. `calm/#` belongs to nobody who is persistent.
STORED, CALM = "stored/x", "calm/x"
# MQTT 5 reasons with which a server may refuse for want of room: unspecified, implementation specific, quota exceeded.
REFUSALS = (0x80, 0x83, 0x97)
ERROR_LINE = re.compile(r"(?m)^\S+Z +(error|critical) ")  # of the server's log


class Raw:
    """One blocking connection, for questions with a deadline."""

    def __init__(self, server, name, level=4, clean=True):
        self.level, self.slack = level, server.slack
        self.client = Mqtt(server.address, timeout=5 * self.slack)
        self.client.send(connect_packet(name, level, clean))
        got = self.client.receive(5 * self.slack)
        assert got.type == CONNACK and got.body[1] == 0, repr(got)

    def subscribe(self, topic_filter, qos):
        body = subscribe_packet(1, [(topic_filter, qos)])[2:]
        self.client.send(packet(0x82, body[:2] + (b"\0" if self.level == 5 else b"") + body[2:]))
        got = self.client.expect(SUBACK, 5 * self.slack)
        assert got.body[-1] == qos, repr(got)

    def publish(self, topic, qos=0, payload=b"x"):
        number = self.client.new_id() if qos else None
        self.client.send(publish_packet(self.level, topic, payload, qos, number, dup=False))
        return number

    def answer(self, number, kind, timeout):
        """The reason code of PUBACK or PUBREC; None when there is no answer, or when the server closes instead."""
        try:
            got = self.client.receive(timeout)
        except (Silence, Closed):
            return None
        if got.type == DISCONNECT and self.level == 5:
            return got.body[0] if got.body else 0
        assert got.type == kind and got.packet_id == number, repr(got)
        return got.body[2] if len(got.body) > 2 else 0

    def close(self):
        self.client.close()


class Trial:
    def __init__(self, folder, seed):
        self.model, rng = Model(), random.Random(seed)
        self.server = LabServer(folder, "disk", on_disk=True)
        self.fleet = usual_fleet(self.model, rng, rate=60.0)
        self.disk = self.server.disk

    def begin(self):
        self.server.start()
        self.fleet.address = self.server.address
        self.fleet.connect()
        away = Raw(self.server, "away", clean=False)
        away.subscribe("stored/#", 2)
        away.client.disconnect()
        away.close()
        self.old = [Raw(self.server, f"old{level}", level, clean=False) for level in (4, 5)]
        self.calm = Raw(self.server, "calm", clean=True)
        self.calm.subscribe("calm/#", 1)
        for client in self.fleet.wanderers:
            client.leave(politely=True)
        self.fleet.run(0.3)
        assert self.can_store(4) and self.can_store(5)

    def break_disk(self, state):
        self.log_size = len(self.server.log())
        self.disk.set(state)
        self.model.server(f"meets {state} on its disk")

    def can_store(self, level):
        """Whether a QoS 1 message for a client that is away is acknowledged."""
        raw = Raw(self.server, f"probe{level}", level)
        try:
            number = raw.publish(STORED, 1)
            return raw.answer(number, PUBACK, 2.0 * self.server.slack) == 0
        finally:
            raw.close()

    def everything_else_goes_on(self):
        assert self.server.alive(), self.server.log()[-3000:]
        for raw in (*self.old, self.calm):
            assert raw.client.ping(2.0 * self.server.slack) < 1.0 * self.server.slack
        new = Raw(self.server, "new")
        for qos in (0, 1):
            number = new.publish(CALM, qos, b"q%d" % qos)
            got = self.calm.client.expect_publish(2.0 * self.server.slack)
            assert (got.topic, got.payload, got.qos) == (CALM, b"q%d" % qos, qos)
            if qos:
                self.calm.client.puback(got)
                assert new.answer(number, PUBACK, 2.0 * self.server.slack) == 0
        new.close()

    def stored_messages_are_refused(self):
        for qos, kind in ((1, PUBACK), (2, PUBREC)):
            raw = Raw(self.server, "refused5", 5)
            number = raw.publish(STORED, qos)
            assert raw.answer(number, kind, 2.0 * self.server.slack) in REFUSALS
            raw.close()
            raw = Raw(self.server, "refused4", 4)
            number = raw.publish(STORED, qos)
            assert raw.answer(number, kind, 0.4 * self.server.slack) is None, "acknowledged, and not stored"
            raw.close()

    def operator_sees_it(self):
        deadline = time.monotonic() + 5 * self.server.slack
        while not ERROR_LINE.search(self.server.log()[self.log_size:]):
            assert time.monotonic() < deadline, f"no error in the log: {self.server.log()[self.log_size:][-2000:]}"
            self.fleet.run(0.05)

    def repair_disk(self):
        self.disk.set("ok")
        self.model.server("has a good disk again")
        deadline = time.monotonic() + 15 * self.server.slack
        while not (self.can_store(4) and self.can_store(5)):
            assert time.monotonic() < deadline, f"nothing can be stored again: {self.server.log()[-2000:]}"
            self.fleet.run(0.1)
        for client in self.fleet.clients:
            client.close()  # who was not answered asks again
        assert self.server.alive()

    def settle(self):
        self.fleet.settle(timeout=20.0 * self.server.slack)
        self.model.check()

    def power_cut(self):
        self.server.kill()
        self.fleet.lose_server()
        self.disk.cut_power()
        self.model.server("killed, its power cut")
        self.server.start()
        self.fleet.address = self.server.address
        self.fleet.connect()

    def end(self):
        for raw in (*self.old, self.calm):
            raw.close()
        self.settle()
        self.fleet.close()
        self.server.stop()


@pytest.fixture
def trial(tmp_path):
    made = Trial(tmp_path, 6)
    try:
        yield made
    finally:
        made.server.discard()


@pytest.mark.parametrize("state", ["enospc", "eio-write", "eio-sync"])
def test_a_failing_disk_refuses_what_needs_it_and_recovers(trial, state):
    trial.begin()
    trial.break_disk(state)
    trial.fleet.run(0.3)
    trial.stored_messages_are_refused()
    trial.everything_else_goes_on()
    trial.fleet.run(0.3)
    trial.operator_sees_it()
    trial.repair_disk()
    trial.settle()
    # What was acknowledged in between and after is on the disk, not only in memory.
    for client in trial.fleet.wanderers:
        client.leave(politely=False)
    trial.fleet.run(0.3)
    trial.power_cut()
    trial.end()


def test_a_disk_that_fails_again_and_again(trial):
    trial.begin()
    for state in ("enospc", "eio-sync", "eio-write", "enospc"):
        trial.break_disk(state)
        trial.fleet.run(0.2)
        trial.everything_else_goes_on()
        trial.repair_disk()
        trial.fleet.run(0.2)
    trial.power_cut()
    trial.end()


def test_the_server_starts_again_after_dying_with_a_full_disk(trial):
    trial.begin()
    trial.break_disk("enospc")
    trial.fleet.run(0.3)
    trial.server.kill()
    trial.fleet.lose_server()
    trial.model.server("killed while its disk was full")
    start_or_say_why(trial.server)
    trial.disk.set("ok")
    trial.server.start()
    trial.fleet.address = trial.server.address
    trial.fleet.connect()
    trial.end()


def start_or_say_why(server):
    """Tries to start on a failing disk: the server runs, or it ends with status 1 and a line that names the cause."""
    size = len(server.log())
    try:
        server.start()
    except AssertionError:
        assert server.lines.process.returncode == 1, server.lines.report()
        last = server.log()[size:].strip().splitlines()[-1]
        assert re.search("No space left|full|Input/output error|I/O error", last), last
        return
    server.kill()


@pytest.mark.parametrize("state", ["enospc", "eio-write", "eio-sync"])
def test_a_start_on_a_failing_disk_never_ends_in_a_crash(tmp_path, state):
    server = DiskServer(tmp_path).seed(2)
    try:
        server.start()
        client = server.sign_in(device := server.device(), clean=False)
        assert client.subscribe(device.topic("user/down")) == [1]
        server.kill()
        client.close()
        server.disk.set(state)
        start_or_say_why(server)
        server.disk.set("ok")
        server.start()
        client = server.sign_in(device, clean=False)
        assert client.session_present
        client.close()
        server.stop()
    finally:
        server.discard()


def test_packets_of_these_tests_are_what_they_should_be():
    assert connect_packet("a", 4, True) == bytes.fromhex("100d00044d5154540402003c000161")
    assert connect_packet("a", 5, False)[8:16] == bytes.fromhex("0500003c05110009")
    assert publish_packet(5, "t", b"x", 1, 7, dup=True) == b"\x3a\x07\0\x01t" + struct.pack(">H", 7) + b"\0x"
    assert PUBCOMP == 7
