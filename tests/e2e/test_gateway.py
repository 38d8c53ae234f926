"""Gateways and their child devices through a running server of four loops: platform.md 7, connection.md 9.3 and 12."""

import json
import time

import pytest

from gateway import Gateway, family, names, proof, without_secret
from harness import PRODUCT_KEY, PRODUCT_SECRET, Server
from rawclient import PUBACK, SUBACK, publish_packet, subscribe_packet
from registering import sign_registration
from test_device_log import log_of, wait_actions
from test_life_cycle import listen, next_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("gateway"), arguments=("--threads", "4")).seed(300)
    found.cli("product", "update", "--product-key", PRODUCT_KEY, "--dynamic-registration", "on")
    try:
        yield found.start()
        for extra in found.extra:
            extra.end()
        found.stop()
        found.check_log()
    finally:
        found.discard()


@pytest.fixture
def scene(server):
    """A connected gateway with three children in its topology."""
    device, children = family(server)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 200
        yield gateway, children


def test_topology_belongs_to_the_gateway(server):
    device, children = family(server)
    with Gateway(server, device) as gateway:
        assert gateway.topology() == []
        assert gateway.add(*children) == 200
        assert gateway.add(children[0]) == 200, "it is its child already"
        assert sorted(c["deviceName"] for c in gateway.topology()) == sorted(c.device_name for c in children)
        assert gateway.remove(children[1]) == 200
        assert gateway.remove(children[1]) == 6401
        assert len(gateway.topology()) == 2
        gateway.expect_quiet()
    server.restart()
    with Gateway(server, device) as gateway:
        assert len(gateway.topology()) == 2


def test_codes_of_the_topology(server):
    device, children = family(server)
    disabled = server.device()
    server.device_command("disable", disabled)
    with Gateway(server, device) as gateway:
        assert gateway.add(children[0], secret="another secret") == 401
        assert gateway.add(device) == 6402
        assert gateway.add(disabled) == 6204
        ghost = type(children[0])(PRODUCT_KEY, "nobody01", "0" * 32)
        assert gateway.add(children[0], ghost) == 6100
        assert gateway.topology() == [], "all or nothing"
        topic = device.sys("thing/topo/add")
        for params in ([], [{}], [proof(children[0])] * 2, {"productKey": "x"}):
            assert gateway.ask(topic, params)["code"] == 460, params


def test_a_child_that_moves_leaves_its_former_gateway(server):
    (first, children), (second, _) = family(server), family(server)
    with Gateway(server, first) as one, Gateway(server, second) as other:
        assert one.add(children[0]) == 200 and one.log_in(children[0]) == 200
        assert other.log_in(children[0]) == 6401
        assert other.add(children[0]) == 200
        assert one.next_error() == (6401, children[0].device_name)
        told = one.next_message()
        assert told.topic == first.sys("thing/topo/change")
        assert json.loads(told.payload)["params"] == {"status": 1, "subList": [names(children[0])]}
        assert other.log_in(children[0]) == 200
        assert one.topology() == []


def test_login_and_what_back_ends_see(server, scene):
    gateway, children = scene
    operator = listen(server)
    assert gateway.ask(gateway.session("login"), proof(children[0], cleanSession="true"))["data"] == names(children[0])
    kind, online = next_of(operator, children[0])
    assert (kind, online["status"], online["clientIp"]) == ("status", "online", "127.0.0.1")
    server.wait_status(children[0], "ONLINE")
    assert gateway.log_in(children[0]) == 200, "again, from the same gateway: nothing changes"
    assert gateway.log_out(children[0]) == 200
    _, offline = next_of(operator, children[0])
    assert (offline["status"], offline["offlineReasonCode"]) == ("offline", "0")
    assert gateway.log_out(children[0]) == 520
    gateway.expect_quiet()
    wait_actions(server, children[0], ["online", "offline"])
    assert server.wait_status(children[0], "OFFLINE")["activated"] is not None
    assert f"through {PRODUCT_KEY}/{gateway.device.device_name}" in log_of(server, children[0])[0]["facts"]
    operator.end()


def test_codes_of_a_login(server, scene):
    gateway, children = scene
    stranger = server.device()
    assert gateway.log_in(children[0], secret="another secret") == 6287
    assert gateway.log_in(stranger) == 6401
    assert gateway.log_in(type(stranger)(PRODUCT_KEY, "nobody01", "0" * 32)) == 6100
    server.device_command("disable", children[1])
    gateway.client.ping()
    assert gateway.log_in(children[1]) == 522
    topic = gateway.session("login")
    for params in ({}, [], {"productKey": "x"}, {**proof(children[0]), "signMethod": "crc32"},
                   {**proof(children[0]), "deviceName": "x" * 500}):
        assert gateway.ask(topic, params)["code"] == 460, params
    wait_actions(server, children[2], [])
    assert gateway.log_in(children[2], secret="another secret") == 6287
    wait_actions(server, children[2], ["refused"])
    (refused,) = log_of(server, children[2])
    assert (refused["code"], refused["name"]) == (6287, "child-wrong-signature")
    assert refused["subject"] == f"through {PRODUCT_KEY}/{gateway.device.device_name}"


def test_a_batch_signs_in_whole_or_not_at_all(server, scene):
    gateway, children = scene
    answer = gateway.batch_log_in(*children[:2])
    assert answer["code"] == 200 and answer["data"] == [names(child) for child in children[:2]]
    bad = proof(children[2], secret="another secret")
    more = server.device()
    assert gateway.add(more) == 200
    mixed = gateway.ask(gateway.session("batch_login"), {"deviceList": [proof(more), bad]})
    assert mixed["code"] == 6287
    assert server.show(more)["status"].upper() == "UNACTIVE"
    # The C SDK has the method beside the list; old texts send the list on the topic of a single login.
    fields = [{k: v for k, v in proof(child).items() if k != "signMethod"} for child in (more, children[2])]
    assert gateway.ask(gateway.session("login"), {"signMethod": "hmacSha256", "deviceList": fields})["code"] == 200
    assert gateway.ask(gateway.session("batch_logout"), [names(c) for c in children])["code"] == 200
    assert gateway.ask(gateway.session("batch_logout"), [names(more), names(children[0])])["code"] == 520
    assert gateway.ask(gateway.session("batch_login"),
                       {"deviceList": [proof(children[0])] * 51})["code"] == 460


def test_a_child_speaks_and_listens_over_the_connection(server, scene):
    gateway, children = scene
    client = gateway.client
    operator = server.operator(f"/{PRODUCT_KEY}/#")
    child = children[0]
    assert gateway.log_in(child) == 200
    assert client.subscribe(child.topic("user/down"), gateway.device.topic("user/down"), child.topic("user/up"),
                            server.device().topic("user/down")) == [1, 1, 0x80, 0x80]
    client.publish(child.topic("user/up"), "hello")
    assert operator.next() == (child.topic("user/up"), "hello")
    client.publish(child.topic("user/up"), "safe", qos=1)
    assert operator.next() == (child.topic("user/up"), "safe")
    for qos in (0, 1):
        server.operator_publish(child.topic("user/down"), f"to the child {qos}", qos)
        got = gateway.next_message()
        assert (got.topic, got.payload, got.qos) == (child.topic("user/down"), f"to the child {qos}".encode(), qos)
        if qos:
            client.puback(got)
    client.unsubscribe(child.topic("user/down"))
    server.operator_publish(child.topic("user/down"), "nobody listens", 1)
    gateway.expect_quiet()
    operator.end()


def test_pubacks_keep_the_order_of_the_connection(server, scene):
    gateway, children = scene
    assert gateway.batch_log_in(*children)["code"] == 200
    speakers = [gateway.device, *children]
    packets = [publish_packet(speakers[i % 4].topic("user/up"), str(i), 1, i + 1) for i in range(80)]
    gateway.client.send(b"".join(packets))
    assert [gateway.client.expect(PUBACK).packet_id for _ in packets] == list(range(1, 81))


def test_a_childs_message_of_qos_1_waits_for_its_next_login(server, scene):
    gateway, children = scene
    child = children[0]
    assert gateway.log_in(child, cleanSession="false") == 200
    assert gateway.client.subscribe(child.topic("user/down")) == [1]
    assert gateway.log_out(child) == 200
    server.wait_status(child, "OFFLINE")
    server.operator_publish(child.topic("user/down"), "while away", 1)
    gateway.expect_quiet()
    assert gateway.log_in(child, cleanSession="false") == 200
    got = gateway.next_message()
    assert (got.payload, got.qos) == (b"while away", 1)
    # It was not acknowledged: another gateway connection gets it again, once.
    gateway.client.drop()
    server.wait_status(child, "OFFLINE")
    with Gateway(server, gateway.device) as again:
        assert again.log_in(child, cleanSession="false") == 200
        got = again.next_message()
        assert (got.payload, got.dup) == (b"while away", True)
        again.client.puback(got)
        assert again.log_out(child) == 200
        assert again.log_in(child, cleanSession="false") == 200
        again.expect_quiet()


def test_the_end_of_the_gateways_connection_takes_its_children_offline(server, scene):
    gateway, children = scene
    operator = listen(server)
    assert gateway.batch_log_in(*children)["code"] == 200
    online = {operator.next_json()[0].split("/")[-1] for _ in children}
    assert online == {child.device_name for child in children}, "in whatever order: they are devices of several loops"
    gateway.client.drop()
    told = {}
    while len(told) < len(children):
        topic, message = operator.next_json()
        name = topic.split("/")[-1]
        if message.get("status") == "offline" and name in {c.device_name for c in children}:
            told[name] = message["offlineReasonCode"]
    assert set(told.values()) == {"10"}
    with Gateway(server, gateway.device, clean=False) as again:
        again.client.publish(children[0].topic("user/up"), "it has to sign in again")
        assert again.next_error() == (520, children[0].device_name)
        assert again.batch_log_in(*children)["code"] == 200
    operator.end()


def test_who_else_may_have_the_child(server, scene):
    gateway, children = scene
    child = children[0]
    assert gateway.log_in(child) == 200
    direct = server.sign_in(child)
    assert gateway.next_error() == (427, child.device_name)
    assert gateway.log_in(child) == 200
    direct.wait_closed()
    assert gateway.log_out(child) == 200


def test_what_administration_does_to_a_child(server, scene):
    gateway, children = scene
    assert gateway.batch_log_in(*children)["code"] == 200

    def changes(child, word, status, errors):
        seen = set()
        while len(seen) < 2 + len(errors):
            while gateway.errors:
                error = gateway.errors.pop(0)
                assert (error["code"], error["data"]) == (errors[0], names(child))
                seen.add("error")
            while gateway.others:
                packet = gateway.others.pop(0)
                content = json.loads(packet.payload)
                if packet.topic == child.sys(f"thing/{word}"):
                    assert content["params"] == {} and content["method"] == f"thing.{word}"
                    seen.add("notice")
                else:
                    assert packet.topic == gateway.device.sys("thing/topo/change")
                    assert content["params"] == {"status": status, "subList": [names(child)]}
                    seen.add("topology")
            if len(seen) < 2 + len(errors):
                gateway._take(gateway.client.expect_publish(5 * server.slack))

    server.device_command("disable", children[0])
    changes(children[0], "disable", 8, [522])
    server.device_command("enable", children[0])
    changes(children[0], "enable", 2, [])
    assert gateway.log_in(children[0]) == 200
    server.device_command("delete", children[1])
    changes(children[1], "delete", 1, [521])
    server.device_command("kick", children[2])
    assert gateway.next_error() == (520, children[2].device_name)
    assert len(gateway.topology()) == 2
    gateway.expect_quiet()


def test_a_gateway_that_removes_a_child_is_not_told_of_it(server, scene):
    gateway, children = scene
    operator = listen(server)
    assert gateway.log_in(children[0]) == 200
    next_of(operator, children[0])
    assert gateway.remove(children[0]) == 200
    assert next_of(operator, children[0])[1]["status"] == "offline"
    gateway.expect_quiet()
    assert gateway.log_in(children[0]) == 6401
    operator.end()


def test_automatic_subscriptions_of_children(server):
    device, children = family(server)
    with Gateway(server, device, extra=",_ss=1") as gateway:
        assert gateway.add(*children) == 200
        assert gateway.log_in(children[0]) == 200
        server.operator_publish(children[0].sys("thing/service/property/set"), "{}")
        assert gateway.next_message().topic == children[0].sys("thing/service/property/set")
    plain, others = family(server)
    with Gateway(server, plain) as gateway:
        assert gateway.add(*others) == 200
        assert gateway.log_in(others[0], client_id="sub|_ss=1,_v=sdk-c-3.2.0|") == 200
        assert gateway.log_in(others[1]) == 200
        for child in others[:2]:
            server.operator_publish(child.sys("thing/service/property/set"), "{}")
        assert gateway.next_message().topic == others[0].sys("thing/service/property/set")
        gateway.expect_quiet()


def test_requests_and_answers_are_nobody_elses(server, scene):
    gateway, children = scene
    operator = server.operator("/sys/#", "/ext/#")
    assert gateway.log_in(children[0]) == 200
    assert gateway.topology()
    server.operator_publish("/sys/x/y/the-end", "x")
    assert operator.next()[0] == "/sys/x/y/the-end"
    operator.end()


def test_registration_of_children(server):
    device, _ = family(server, 0)
    child = without_secret(server, "regchild1")
    topic = device.sys("thing/sub/register")
    with Gateway(server, device) as gateway:
        assert gateway.ask(topic, [names(child)])["code"] == 400, "secrets are only told over TLS"
    with Gateway(server, device, "tls") as gateway:
        assert gateway.ask(topic, [names(child)] * 2)["code"] == 460, "named twice"
        answer = gateway.ask(topic, [names(child)])
        assert answer["code"] == 200
        (found,) = answer["data"]
        assert found["iotId"] == server.show(child)["iotId"] and len(found["deviceSecret"]) == 32
        (found,) = gateway.ask(topic, [names(child)])["data"]  # the answer was lost
        child.device_secret = found["deviceSecret"]
        assert gateway.topology() == [names(child)]
        assert gateway.add(child) == 200 and gateway.log_in(child) == 200
        assert gateway.ask(topic, [names(child)])["code"] == 6289, "a secret that is in use is not told"
        server.device_command("reset", child)
        (found,) = gateway.ask(topic, [names(child)])["data"]
        child.device_secret = found["deviceSecret"]
        assert gateway.log_in(child) == 200
        assert gateway.log_out(child) == 200 and gateway.log_in(child) == 200
        assert gateway.ask(topic, [names(child)])["code"] == 6289, "the reset is used up"
    other, (factory,) = family(server, 1)
    with Gateway(server, other, "tls") as gateway:
        refused = other.sys("thing/sub/register")
        before = server.show(factory)["deviceSecret"]
        assert gateway.ask(refused, [names(factory)])["code"] == 6289, "nobody's child"
        assert server.show(factory)["deviceSecret"] == before
        assert gateway.ask(refused, [names(child)])["code"] == 6619
        assert gateway.ask(refused, [{"productKey": PRODUCT_KEY, "deviceName": "nobody01"}])["code"] == 6100
        assert gateway.ask(refused, [{"productKey": "nothing", "deviceName": "x"}])["code"] == 5005
        assert gateway.ask(refused, [{"deviceName": "x"}])["code"] == 460
    assert child.device_secret not in server.log()


def test_registration_with_the_products_secret(server):
    device, _ = family(server, 0)
    child = without_secret(server, "regchild2")

    def fields(name, secret=PRODUCT_SECRET):
        return {"productKey": PRODUCT_KEY, "deviceName": name, "random": "1234", "signMethod": "hmacSha256",
                "sign": sign_registration(secret, name, PRODUCT_KEY, "1234")}

    asked = {"proxieds": [fields("regchild2"), fields("regchild3", "wrong"), {"deviceName": "x"}, fields("regchild3")]}
    other_spelling = asked["proxieds"][0]
    other_spelling["signmethod"] = other_spelling.pop("signMethod")
    topic = device.sys("thing/proxy/provisioning/product_register")
    with Gateway(server, device) as gateway:
        assert gateway.ask(topic, asked)["code"] == 400, "secrets are only told over TLS"
    with Gateway(server, device, "tls") as gateway:
        answer = gateway.ask(topic, asked)
    assert answer["code"] == 200
    (success,) = answer["data"]["successes"]
    assert success["deviceSecret"] == server.show(child)["deviceSecret"] and success["iotId"]
    assert sorted((f["deviceName"], f["code"]) for f in answer["data"]["failures"]) == [
        ("", 460), ("regchild3", 460), ("regchild3", 6600)]


def test_hostile_requests(server, scene):
    gateway, children = scene
    client = gateway.client
    topic = gateway.session("login")
    for payload in (b"", b"\x00", b"{", b"[" * 30000, b"\xff\xfe", b"{}" * 1000, b'{"id":{}}', b'{"params":5}',
                    json.dumps({"id": "1", "params": [{}] * 500}).encode(), b'{"id":"' + b"x" * 70000 + b'"}',
                    b'{"id":"1","params":{"productKey":"a\\u0000b","deviceName":"\\ud800"}}'):
        client.publish(topic, payload)
        got = client.expect_publish()
        assert got.topic == topic + "_reply" and json.loads(got.payload)["code"] == 460, payload[:40]
    for odd in ("login_reply", "login/x", "LOGIN", ""):
        client.publish(gateway.session(odd), "{}")
    assert client.ping() < 5
    assert gateway.log_in(children[0]) == 200


def test_an_identifier_of_any_kind_comes_back_as_text(server, scene):
    gateway, _ = scene
    topic = gateway.device.sys("thing/topo/get")
    for given, text in ((7, "7"), ("1|exp-topic|/sys/a/b", "1|exp-topic|/sys/a/b"), (4294967295, "4294967295")):
        gateway.client.publish(topic, json.dumps({"id": given, "params": "{}"}) + "\0")
        answer = json.loads(gateway.client.expect_publish().payload)
        assert (answer["id"], answer["code"], answer["method"]) == (text, 200, "thing.topo.get")
    gateway.client.publish(topic, json.dumps({"id": 1, "sys": {"ack": 0}}))
    gateway.expect_quiet()


def test_limits_of_children(make_server):
    server = make_server({"limits.children_per_gateway": "2", "limits.connects_per_device_per_minute": "5"},
                         arguments=("--threads", "2"))
    device, children = family(server, 3)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 6400
        assert gateway.add(*children[:2]) == 200
        assert gateway.batch_log_in(*children[:2])["code"] == 200
        codes = []
        for _ in range(5):
            assert gateway.log_out(children[0]) == 200
            codes.append(gateway.log_in(children[0]))
        assert codes == [200, 200, 200, 200, 429], "five sign-ins a minute for a child"


def test_a_gateway_that_asks_too_often(make_server):
    server = make_server({"limits.child_logins_per_gateway_per_second": "3"}, arguments=("--threads", "2"))
    device, children = family(server, 5)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 200
        assert gateway.batch_log_in(*children)["code"] == 429
        assert server.show(children[0])["status"].upper() == "UNACTIVE"
        codes = {gateway.ask(device.sys("thing/topo/get"), {})["code"] for _ in range(60)}
        assert codes == {200, 429}


def test_more_children_than_the_connection_may_have(make_server):
    server = make_server(arguments=("--threads", "2"))
    device, children = family(server, 3)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 200
        server.stop()
    server.settings["limits.children_per_gateway"] = "2"
    server.start()
    with Gateway(server, device) as gateway:
        assert gateway.batch_log_in(*children)["code"] == 428
        assert gateway.batch_log_in(*children[:2])["code"] == 200
        assert gateway.log_in(children[2]) == 428


def test_a_gateway_may_sign_in_many(make_server):
    server = make_server({"limits.child_logins_per_gateway_per_second": "0"}, devices=320, arguments=("--threads", "4"))
    device, children = family(server, 300)
    with Gateway(server, device) as gateway:
        for at in range(0, 300, 30):
            while (code := gateway.add(*children[at:at + 30])) == 429:
                time.sleep(0.2)
            assert code == 200
        for at in range(0, 300, 50):
            assert gateway.batch_log_in(*children[at:at + 50])["code"] == 200
        operator = server.operator(f"/{PRODUCT_KEY}/+/user/up")
        for child in children:
            gateway.client.publish(child.topic("user/up"), child.device_name)
        assert {operator.next()[1] for _ in children} == {child.device_name for child in children}
        operator.end()
    for child in children[::50]:
        server.wait_status(child, "OFFLINE", 10)


def test_a_gateway_may_ask_for_all_its_children_at_once(make_server):
    server = make_server({"limits.child_logins_per_gateway_per_second": "0"}, devices=120, arguments=("--threads", "3"))
    device, children = family(server, 100)
    with Gateway(server, device) as gateway:
        for at in range(0, 100, 25):
            assert gateway.add(*children[at:at + 25]) == 200
        topic = gateway.session("login")
        gateway.client.send(b"".join(
            publish_packet(topic, json.dumps({"id": str(n), "params": proof(child)})) for n, child in enumerate(children)))
        codes = [json.loads(gateway.client.expect_publish(10 * server.slack).payload)["code"] for _ in children]
        assert codes == [200] * 100


def test_only_requests_of_the_session_are_beyond_the_rate_of_publishing(make_server):
    server = make_server({"limits.qos0_publishes_per_device_per_second": "10"}, arguments=("--threads", "2"))
    device, _ = family(server, 0)
    operator = server.operator("/ext/session/#")
    with Gateway(server, device) as gateway:
        gateway.client.send(b"".join(publish_packet(gateway.session("x"), str(n)) for n in range(40)))
        gateway.client.send(b"".join(publish_packet(gateway.session("logout"), "{}") for _ in range(40)))
        answers = [json.loads(gateway.client.expect_publish().payload)["code"] for _ in range(40)]
        assert answers == [460] * 40
        server.operator_publish("/ext/session/a/b/the-end", "x")
        seen = [operator.next()[0] for _ in range(11)]
        assert seen[-1] == "/ext/session/a/b/the-end", "10 of 40 went through"
    operator.end()


def test_the_end_of_the_server_is_written_down_for_children(make_server):
    server = make_server(devices=20, arguments=("--threads", "4"))
    device, children = family(server, 10)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 200 and gateway.batch_log_in(*children)["code"] == 200
        server.stop()
    server.start()
    for child in children:
        wait_actions(server, child, ["online", "offline"])


def test_a_child_keeps_to_its_own_rates(make_server):
    server = make_server({"limits.qos1_publishes_per_device_per_second": "5"}, arguments=("--threads", "3"))
    device, children = family(server, 2)
    with Gateway(server, device) as gateway:
        assert gateway.add(*children) == 200 and gateway.batch_log_in(*children)["code"] == 200
        first, second = children
        gateway.client.send(b"".join(publish_packet(first.topic("user/up"), "x", 1, n) for n in range(1, 21)))
        gateway.client.send(b"".join(publish_packet(second.topic("user/up"), "x", 1, n) for n in range(101, 104)))
        acknowledged = [gateway.client.expect(PUBACK).packet_id for _ in range(8)]
        assert acknowledged == [1, 2, 3, 4, 5, 101, 102, 103], "what is dropped holds up nobody"
        gateway.client.send(subscribe_packet(200, [(second.topic("user/down"), 1)]))
        assert gateway.client.expect(SUBACK).packet_id == 200
