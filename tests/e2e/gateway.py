"""A gateway and its child devices, as firmware has them: platform.md section 7."""

import hashlib
import hmac
import itertools
import json
import time

from harness import Device
from rawclient import Silence

METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def proof(child, client_id=None, timestamp="1700000000000", method="hmacSha256", secret=None, **more):
    """The fields with which a gateway proves that it speaks for the child."""
    fields = {"productKey": child.product_key, "deviceName": child.device_name,
              "clientId": client_id or f"{child.product_key}.{child.device_name}", "timestamp": timestamp}
    content = "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new((secret or child.device_secret).encode(), content.encode(), METHODS[method.lower()])
    return {**fields, "signMethod": method, "sign": digest.hexdigest(), **more}


def names(child):
    return {"productKey": child.product_key, "deviceName": child.device_name}


class Gateway:
    """A gateway's connection. Answers are told apart from other messages by their topics."""

    def __init__(self, server, device, transport="tcp", **options):
        self.server = server
        self.device = device
        self.client = server.sign_in(device, transport, **options)
        self.numbers = itertools.count(1)
        self.errors = []  # what came on /ext/error
        self.others = []  # everything else that was not asked for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def session(self, word):
        return f"/ext/session/{self.device.product_key}/{self.device.device_name}/combine/{word}"

    def _take(self, packet):
        if packet.topic == f"/ext/error/{self.device.product_key}/{self.device.device_name}":
            self.errors.append(json.loads(packet.payload))
        else:
            self.others.append(packet)

    def ask(self, topic, params, timeout=5.0, qos=0):
        """The answer to a request; what else comes meanwhile is kept."""
        number = str(next(self.numbers))
        self.client.publish(topic, json.dumps({"id": number, "version": "1.0", "params": params}), qos=qos)
        deadline = time.monotonic() + timeout * self.server.slack
        while True:
            packet = self.client.expect_publish(deadline - time.monotonic())
            if packet.topic != topic + "_reply":
                self._take(packet)
                continue
            answer = json.loads(packet.payload)
            assert packet.payload.decode() == json.dumps(answer, separators=(",", ":"), ensure_ascii=False), "compact"
            assert answer["id"] == number and answer["message"], answer
            return answer

    def next_error(self, timeout=5.0):
        deadline = time.monotonic() + timeout * self.server.slack
        while not self.errors:
            self._take(self.client.expect_publish(deadline - time.monotonic()))
        found = self.errors.pop(0)
        assert list(found) == ["code", "id", "message", "data"], found
        return found["code"], found["data"]["deviceName"]

    def next_message(self, timeout=5.0):
        deadline = time.monotonic() + timeout * self.server.slack
        while not self.others:
            self._take(self.client.expect_publish(deadline - time.monotonic()))
        return self.others.pop(0)

    def expect_quiet(self, seconds=0.3):
        """Neither errors nor messages."""
        try:
            while True:
                self._take(self.client.expect_publish(seconds))
        except Silence:
            pass
        assert not self.errors and not self.others, (self.errors, self.others)

    # -- what gateways do ----------------------------------------------------------------------------------------------

    def add(self, *children, **options):
        return self.ask(self.device.sys("thing/topo/add"), [proof(child, **options) for child in children])["code"]

    def remove(self, *children):
        return self.ask(self.device.sys("thing/topo/delete"), [names(child) for child in children])["code"]

    def topology(self):
        return self.ask(self.device.sys("thing/topo/get"), {})["data"]

    def log_in(self, child, **options):
        return self.ask(self.session("login"), proof(child, **options))["code"]

    def batch_log_in(self, *children, **options):
        return self.ask(self.session("batch_login"), {"deviceList": [proof(child, **options) for child in children]})

    def log_out(self, child):
        return self.ask(self.session("logout"), names(child))["code"]


def family(server, children=3):
    """A gateway's device and devices that are to be its children, of the server's pool."""
    return server.device(), [server.device() for _ in range(children)]


def without_secret(server, device_name):
    """A device that is known and never had a secret."""
    from harness import PRODUCT_KEY

    server.cli("device", "create", "--product-key", PRODUCT_KEY, "--device-name", device_name, "--without-secret")
    return Device(PRODUCT_KEY, device_name, "")
