#!/usr/bin/env python3
"""mooring-bench against a broker that makes mistakes on purpose: it has to notice each of them."""

import json
import socket
import subprocess
import sys
import threading
import time
import unittest

BENCH = sys.argv.pop(1)


def read_packet(stream):
    first = stream.read(1)
    if not first:
        return None, b""
    length = shift = 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first[0], stream.read(length)


def packet(first, body):
    return bytes((first, len(body))) + body  # short ones only


class Broker:
    """Plain MQTT for one connection that publishes to itself. `fault(number, packets)` changes what is sent for the
    message of that number: a list of packets for the client. `judge(connect)`: the code for a CONNECT."""

    def __init__(self, fault=lambda number, packets: packets, refuse=0, judge=lambda connect: 0):
        self.fault, self.refuse, self.judge = fault, refuse, judge
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = client.makefile("rb")
        number = 0
        with client:
            while True:
                first, body = read_packet(stream)
                if first is None or first == 0xE0:
                    return
                kind, out = first >> 4, []
                if kind == 1:
                    code, self.refuse = (3, self.refuse - 1) if self.refuse else (self.judge(body), 0)
                    out = [packet(0x20, bytes((0, code)))]
                elif kind == 8:
                    out = [packet(0x90, body[:2] + body[-1:])]
                elif kind == 12:
                    out = [packet(0xD0, b"")]
                elif kind == 3:
                    out = [packet(first, body)]
                    if first & 6:
                        topic = int.from_bytes(body[:2], "big")
                        out.append(packet(0x40, body[2 + topic:4 + topic]))
                    out = self.fault(number, out)
                    number += 1
                try:
                    client.sendall(b"".join(out))
                except OSError:
                    return
                if kind == 1 and out[0][3] != 0:
                    return

    def close(self):
        self.listener.close()


class Load(unittest.TestCase):
    def run_bench(self, broker, *words, connections=1):
        command = [BENCH, *words, "--url", f"tcp://127.0.0.1:{broker.port}", "-n", str(connections), "--warm-up", "0",
                   "--grace", "1", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        broker.close()
        self.assertEqual(done.stdout.count("\n"), 1, done)
        return done.returncode, json.loads(done.stdout)

    def echo(self, fault=lambda number, packets: packets, qos=0, messages=200):
        return self.run_bench(Broker(fault), "pairs", "--echo", "--messages", str(messages), "--window", "8", "--qos",
                              str(qos))

    def assert_found(self, result, member, count):
        status, line = result
        self.assertEqual((status, line["ok"]), (1, False), line)
        self.assertEqual(line[member], count, line)

    def test_a_sound_broker(self):
        for qos in (0, 1):
            status, line = self.echo(qos=qos)
            self.assertEqual((status, line["ok"], line["deliveries"], line["published"]), (0, True, 200, 200), line)
            self.assertEqual([line[word] for word in ("lost", "disordered", "duplicated", "damaged", "unanswered")],
                             [0] * 5)
            self.assertGreater(line["delayP50Us"], 0)
            self.assertGreaterEqual(line["delayMaxUs"], line["delayP99Us"])

    def test_a_lost_message(self):
        self.assert_found(self.echo(lambda number, packets: [] if number == 50 else packets), "lost", 1)

    def test_a_message_lost_at_the_end(self):
        self.assert_found(self.echo(lambda number, packets: [] if number == 199 else packets), "lost", 1)

    def test_a_message_that_comes_twice(self):
        self.assert_found(self.echo(lambda number, packets: packets * 2 if number == 50 else packets), "duplicated", 1)

    def test_messages_that_change_places(self):
        held = []

        def swap(number, packets):
            if number == 50:
                held.extend(packets)
                return []
            return packets + held if number == 51 else packets
        self.assert_found(self.echo(swap), "disordered", 1)

    def test_a_payload_that_is_changed(self):
        self.assert_found(self.echo(lambda number, packets: [packets[0][:-1] + b"!"] if number == 50 else packets),
                          "damaged", 1)

    def test_a_topic_that_is_changed(self):
        self.assert_found(self.echo(lambda number, packets: [packets[0].replace(b"echo", b"ecto")] if number == 50
                                    else packets), "damaged", 1)

    def test_a_missing_acknowledgement(self):
        self.assert_found(self.echo(lambda number, packets: packets[:1] if number == 50 else packets, qos=1),
                          "unanswered", 1)

    def test_an_acknowledgement_of_nothing(self):
        self.assert_found(self.echo(lambda number, packets: packets + [packet(0x40, b"\x7f\xff")] if number == 50
                                    else packets, qos=1), "damaged", 1)

    def test_a_connection_that_ends(self):
        def end(number, packets):
            if number == 50:
                raise SystemExit
            return packets
        self.assert_found(self.echo(end), "connectionsLost", 1)

    def test_ingest_ends_when_all_has_been_read(self):
        status, line = self.run_bench(Broker(lambda number, packets: packets[1:]), "ingest", "--messages", "200")
        self.assertEqual((status, line["published"], line["unanswered"]), (0, 200, 0), line)

    def test_a_server_that_is_busy_is_asked_again(self):
        status, line = self.run_bench(Broker(refuse=2), "pairs", "--echo", "--messages", "10")
        self.assertEqual((status, line["openRetries"]), (0, 2), line)

    def refusals(self, judge, *words):
        return self.run_bench(Broker(judge=judge), "refusals", "--good", "1", "--account", "bench", "--password", "secret",
                              "--quiet-seconds", "0.3", "--seconds", "1.5", "--rate", "50", *words, connections=5)

    def test_wrong_secrets_are_tried_at_their_pace(self):
        status, line = self.refusals(lambda connect: 4 if b"000000" in connect else 0, "--every", "0.2")
        self.assertEqual((status, line["accepted"], line["closedUnanswered"]), (0, 0, 0), line)
        self.assertLessEqual(abs(line["triesIntended"] - 4 * 1.5 / 0.2), 4, line)
        self.assertLessEqual(line["tries"], line["triesIntended"], line)
        self.assertGreater(line["tries"], line["triesIntended"] / 2, line)
        self.assertGreaterEqual(line["refusedWithCode4"], line["tries"] - 4, line)

    def test_a_wrong_secret_that_is_accepted(self):
        status, line = self.refusals(lambda connect: 0)
        self.assertEqual((status, line["ok"]), (1, False), line)
        self.assertGreater(line["accepted"], 0, line)

    def test_a_stall_is_charged_to_all_who_waited(self):
        """At 100 messages a second a stall of half a second delays about 50 messages by 250 ms on average, although
        only one at a time is on its way."""
        def stall(number, packets):
            if number == 20:
                time.sleep(0.5)
            return packets
        status, line = self.run_bench(Broker(stall), "pairs", "--echo", "--rate", "100", "--messages", "100", "--qos", "1",
                                      "--window", "1")
        self.assertEqual(status, 0, line)
        self.assertGreater(line["delayP90Us"], 200_000, line)
        self.assertGreater(line["delayMaxUs"], 450_000, line)

    def test_wrong_words(self):
        for words in (["pairs"], ["pairs", "--url", "ftp://x"], ["nothing"], ["pairs", "--echo", "--down", "--url", "ws://a"]):
            done = subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=10, check=False)
            self.assertIn(done.returncode, (1, 2), done)
            self.assertTrue(done.stderr, done)

    def test_the_help_has_examples(self):
        done = subprocess.run([BENCH, "--help"], capture_output=True, text=True, timeout=10, check=True)
        self.assertIn("Examples:", done.stdout)


if __name__ == "__main__":
    unittest.main()
