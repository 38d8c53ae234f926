"""What back ends are told of devices: status and life-cycle messages, and their order. connection.md 14."""

import datetime
import json
import threading
import time

from harness import PRODUCT_KEY

UTC8 = datetime.timezone(datetime.timedelta(hours=8))


def next_of(operator, device):
    """The next message about this device: ("lifecycle" or "status", its content)."""
    while True:
        topic, message = operator.next_json()
        if device.device_name in topic.split("/"):
            return ("status" if topic.startswith("/as/") else "lifecycle"), message


def listen(server):
    return server.operator("/as/mqtt/status/#", "/+/+/thing/lifecycle")


def test_every_field_of_the_status_message(server, device):
    operator = listen(server)
    iot_id = server.show(device)["iotId"]
    before = time.time()
    client = server.sign_in(device)
    kind, online = next_of(operator, device)
    assert kind == "status"
    assert list(online) == ["status", "iotId", "productKey", "deviceName", "time", "utcTime", "lastTime",
                            "utcLastTime", "clientIp"]
    time.sleep(0.4)
    client.ping()
    pinged = time.time()
    time.sleep(0.4)
    client.disconnect()
    _, offline = next_of(operator, device)
    assert list(offline) == ["status", "iotId", "offlineReasonCode", "productKey", "deviceName", "time", "utcTime",
                             "lastTime", "utcLastTime", "clientIp"]
    for message, status in ((online, "online"), (offline, "offline")):
        assert message["status"] == status
        assert (message["iotId"], message["productKey"], message["deviceName"], message["clientIp"]) == (
            iot_id, device.product_key, device.device_name, "127.0.0.1")
        for beijing, utc in (("time", "utcTime"), ("lastTime", "utcLastTime")):
            there = datetime.datetime.strptime(message[beijing], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC8)
            here = datetime.datetime.strptime(message[utc], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
                tzinfo=datetime.timezone.utc)
            assert there == here and len(message[beijing].split(".")[1]) == 3
    assert offline["offlineReasonCode"] == "0"

    def seconds(message, field):
        return datetime.datetime.strptime(message[field], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=datetime.timezone.utc).timestamp()

    assert before - 1 <= seconds(online, "utcLastTime") == seconds(online, "utcTime")
    # The last communication before the change is the DISCONNECT itself.
    assert pinged + 0.3 <= seconds(offline, "utcLastTime") <= seconds(offline, "utcTime") <= time.time() + 1
    operator.end()


def test_last_time_of_a_connection_that_breaks(server, device):
    operator = listen(server)
    client = server.sign_in(device)
    next_of(operator, device)
    time.sleep(0.6)
    client.drop()
    _, offline = next_of(operator, device)
    assert offline["offlineReasonCode"] in ("1", "2"), "reset, or an error of the transport"
    assert offline["lastTime"] < offline["time"], "it said nothing for a while before"
    operator.end()


def test_a_life_in_order(server):
    operator = listen(server)
    made = server.create_device("lifecycle01")
    iot_id = server.show(made)["iotId"]
    client = server.sign_in(made)
    server.device_command("disable", made)
    client.wait_closed()
    server.device_command("disable", made)  # again: nothing to tell
    server.device_command("enable", made)
    client = server.sign_in(made)
    server.device_command("delete", made)
    client.wait_closed()
    told = [next_of(operator, made) for _ in range(8)]
    assert [message.get("action") or message["status"] for _, message in told] == [
        "create", "online", "offline", "disable", "enable", "online", "offline", "delete"]
    for kind, message in told:
        if kind != "lifecycle":
            continue
        assert list(message) == ["action", "iotId", "productKey", "deviceName", "deviceSecret", "messageCreateTime"]
        assert (message["iotId"], message["productKey"], message["deviceName"]) == (iot_id, PRODUCT_KEY, "lifecycle01")
        assert message["deviceSecret"] == (made.device_secret if message["action"] == "create" else "")
        assert abs(message["messageCreateTime"] / 1000 - time.time()) < 60
    assert [m["offlineReasonCode"] for _, m in told if m.get("status") == "offline"] == ["5", "6"]
    assert made.device_secret not in server.log()
    operator.end()


def test_a_product_goes_with_its_devices(server):
    operator = listen(server)
    server.create_product("a1GoneProd1", classes=("user/up:pub",))
    made = [server.create_device(f"gone{n}", product_key="a1GoneProd1") for n in range(3)]
    client = server.sign_in(made[1])
    server.cli("product", "delete", "--product-key", "a1GoneProd1", "--with-devices")
    client.wait_closed()
    told = {device.device_name: [] for device in made}
    while sum(len(x) for x in told.values()) < 8:
        topic, message = operator.next_json()
        told[topic.split("/")[2] if not topic.startswith("/as/") else topic.split("/")[5]].append(
            message.get("action") or message["status"])
    assert told == {"gone0": ["create", "delete"], "gone1": ["create", "online", "offline", "delete"],
                    "gone2": ["create", "delete"]}
    operator.end()


def test_devices_never_hear_of_it(server, device):
    with server.sign_in(device) as client:
        own = f"/{device.product_key}/{device.device_name}/thing/lifecycle"
        assert client.subscribe(own, f"/{device.product_key}/+/thing/lifecycle",
                                f"/{device.product_key}/{device.device_name}/thing/#",
                                f"/as/mqtt/status/{device.product_key}/{device.device_name}") == [0x80] * 4


def test_an_account_that_was_away_hears_of_it_later(server):
    """QoS 1: a back end that keeps its session misses nothing."""
    server.cli("account", "create", "keeper", "--password", "keeper-pass-1", "--allow", "subscribe:/+/+/thing/lifecycle")
    with server.client() as first:
        assert first.connect("keeper", "keeper", "keeper-pass-1", clean=False)[1] == 0
        assert first.subscribe("/+/+/thing/lifecycle") == [1]
    server.create_device("kept-create")
    with server.client() as second:
        assert second.connect("keeper", "keeper", "keeper-pass-1", clean=False) == (1, 0)
        got = second.expect_publish()
        assert (got.topic, got.qos) == (f"/{PRODUCT_KEY}/kept-create/thing/lifecycle", 1)
        assert json.loads(got.payload)["action"] == "create"


def test_order_in_a_storm_of_takeovers(server, device):
    """Four clients with one certificate on four transports, each coming back at once: online and offline alternate."""
    operator = server.operator(f"/as/mqtt/status/{device.product_key}/{device.device_name}")
    rounds = 12

    def come_and_go(transport):
        for _ in range(rounds):
            try:
                server.sign_in(device, transport)
            except (AssertionError, OSError):
                pass  # displaced before its CONNACK

    threads = [threading.Thread(target=come_and_go, args=(t,)) for t in ("tcp", "ws", "tls", "tcp")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = server.sign_in(device)
    last.disconnect()
    told = []
    last_times = []
    while True:
        _, message = operator.next_json()
        told.append(message["status"])
        last_times.append(message["lastTime"])
        if message["status"] == "offline" and message["offlineReasonCode"] == "0":
            break
    assert told == ["online", "offline"] * (len(told) // 2), told
    assert len(told) >= 2 * rounds
    assert last_times == sorted(last_times), "order by lastTime is the order of what happened"
    operator.end()
