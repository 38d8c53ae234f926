"""MQTT over WebSocket: the handshake, frames in every cut, and how connections end (connection.md 2.3)."""

import struct
import time

import pytest

from rawclient import (CONNACK, PINGRESP, PUBLISH, SUBACK, Closed, WebSocket, connect_packet, frame, packet,
                       publish_packet, read_http_response, remaining_length, split_packets, subscribe_packet, text,
                       upgrade_request, PINGREQ_PACKET)

MAX_PACKET = 1_114_112


def open_ws(server, **request):
    return WebSocket(server.stream(), **request)


# ---- handshake -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered, answered", [
    (["mqtt"], "mqtt"), (["mqttv3.1"], "mqttv3.1"), (["mqttv3.1.1"], "mqttv3.1.1"), (["mqttv5"], "mqttv5"),
    ([], None), (["chat"], None), (["chat, superchat"], None),
    (["mqttv3.1, mqtt"], "mqttv3.1"), (["mqtt, mqttv3.1"], "mqtt"), (["chat, mqtt"], "mqtt"),
    (["chat,mqttv5 ,mqtt"], "mqttv5"),
    (["chat", "mqtt"], "mqtt"), (["mqttv3.1.1", "mqtt"], "mqttv3.1.1"), (["chat, x", " mqtt , mqttv5"], "mqtt"),
    (["MQTT"], None)])
def test_subprotocol(server, offered, answered):
    ws = open_ws(server, protocols=offered)
    assert ws.response.header("sec-websocket-protocol") == answered
    ws.close()


@pytest.mark.parametrize("path", ["/", "/mqtt", "/mqtt?token=1&x=%20", "/a/b/c", "/healthz", "/api/v1/devices"])
def test_any_path(server, device, path):
    with server.sign_in(device, "ws", ws={"path": path}) as client:
        client.ping()


@pytest.mark.parametrize("extension", ["permessage-deflate; client_max_window_bits", "permessage-deflate", "x-new, y"])
def test_extensions_are_declined(server, extension):
    ws = open_ws(server, headers=[f"Sec-WebSocket-Extensions: {extension}"])
    assert ws.response.header("sec-websocket-extensions") is None
    ws.close()


def test_every_origin_by_default(server):
    open_ws(server, headers=["Origin: https://page.example.com"]).close()


def test_origin_allow_list(make_server):
    server = make_server({"connect.allowed_origins": '["https://page.example.com"]'}, devices=0)
    open_ws(server, headers=["Origin: https://page.example.com"]).close()
    open_ws(server).close()  # no browser, no Origin
    stream = server.stream()
    stream.send(upgrade_request(headers=["Origin: https://other.example.com"])[0])
    assert read_http_response(stream).status == 403
    stream.close()


@pytest.mark.parametrize("change", [
    {"key": ""}, {"key": "c2hvcnQ="}, {"key": "not base64 at all!!!!!!!"}, {"version": None}, {"version": "8"},
    {"method": "POST"}, {"http": "1.0"}], ids=lambda c: "-".join(f"{k}={v}" for k, v in c.items()))
def test_bad_upgrades_are_refused(server, change):
    stream = server.stream()
    stream.send(upgrade_request(**change)[0])
    answer = read_http_response(stream)
    assert answer.status in (400, 405, 426)
    if change.get("version") == "8":
        assert answer.status == 426
        assert answer.header("sec-websocket-version") == "13"
    stream.close()


def test_header_names_and_values_without_case(server):
    stream = server.stream()
    stream.send(b"GET /mqtt HTTP/1.1\r\nhost: x\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, upgrade\r\n"
                b"sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n")
    answer = read_http_response(stream)
    assert answer.status == 101
    assert answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the example of RFC 6455
    stream.close()


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_connect_in_the_same_write_as_the_upgrade(server, device, transport):
    stream = server.stream(server.tls() if transport == "wss" else None)
    request, _ = upgrade_request()
    stream.send(request + frame(2, connect_packet(*device.credentials())))
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < 6:
        data += stream.receive()
    assert data.partition(b"\r\n\r\n")[2] == b"\x82\x04\x20\x02\x00\x00"
    stream.close()


# ---- frames coming in ------------------------------------------------------------------------------------------------


def signed_in(server, device):
    client = server.sign_in(device, "ws")
    assert client.subscribe(device.topic("user/echo")) == [1]
    return client


def test_text_frame_closes_with_1003(server, device):
    client = server.sign_in(device, "ws")
    client.ws.send_frame(1, PINGREQ_PACKET)
    assert client.ws.wait_close_code() == 1003


def test_text_frame_before_connect_closes_with_1003(server):
    ws = open_ws(server)
    ws.send_frame(1, b"hello")
    assert ws.wait_close_code() == 1003


def test_fragmented_text_closes_with_1003(server, device):
    client = server.sign_in(device, "ws")
    client.ws.send_frame(1, b"a", fin=False)
    assert client.ws.wait_close_code() == 1003


PROTOCOL_ERRORS = {
    "no mask": frame(2, PINGREQ_PACKET, masked=False),
    "no mask on a ping": frame(9, b"x", masked=False),
    "rsv1": frame(2, PINGREQ_PACKET, rsv=4),
    "rsv2": frame(2, PINGREQ_PACKET, rsv=2),
    "rsv3": frame(9, b"", rsv=1),
    **{f"opcode {n}": frame(n, b"") for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "continuation of nothing": frame(0, PINGREQ_PACKET),
    "two beginnings": frame(2, b"\xc0", fin=False) + frame(2, b"\x00"),
    "fragmented ping": frame(9, b"x", fin=False),
    "ping of 126 bytes": frame(9, bytes(126)),
    "length with the highest bit": b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4),
    "close with one byte": frame(8, b"\x03"),
    "close with code 1005": frame(8, struct.pack(">H", 1005)),
}


@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
def test_protocol_error_closes_with_1002(server, device, name):
    client = server.sign_in(device, "ws")
    client.ws.send(PROTOCOL_ERRORS[name])
    assert client.ws.wait_close_code() == 1002
    assert server.alive()


def test_close_reason_that_is_not_utf8(server, device):
    client = server.sign_in(device, "ws")
    client.ws.send_frame(8, struct.pack(">H", 1000) + b"\xff\xfe")
    assert client.ws.wait_close_code() == 1007


def test_frame_too_long_is_refused_at_its_header(server, device):
    """The length alone is enough: nothing of the payload is sent."""
    client = server.sign_in(device, "ws")
    client.ws.send_frame(2, b"", claimed_size=256 * 1024 * 1024)
    assert client.ws.wait_close_code() == 1009


def test_message_too_long_in_fragments(server, device):
    client = server.sign_in(device, "ws")
    try:
        client.ws.send_frame(2, b"\x30" + remaining_length(MAX_PACKET + 70_000), fin=False)
        for _ in range(40):
            client.ws.send_frame(0, bytes(64 * 1024), fin=False)
    except Closed:
        pass
    late = client.wait_closed(timeout=10)
    assert late == []
    assert client.close_code in (1009, None)
    server.sign_in(device).close()


def test_packets_arrive_whole_however_they_are_cut(server, device):
    """One PUBLISH cut at every position into two frames, into fragments, and byte by byte."""
    client = signed_in(server, device)
    topic = device.topic("user/echo")
    sent = []
    data = publish_packet(topic, b"0")
    for cut in range(1, len(data)):
        payload = str(cut % 10).encode()
        data = publish_packet(topic, payload)
        sent.append(payload)
        if cut % 3 == 0:
            client.ws.send(frame(2, data[:cut], fin=False) + frame(0, data[cut:]))
        elif cut % 3 == 1:
            client.ws.send(frame(2, data[:cut]) + frame(2, data[cut:]))
        else:
            for byte in frame(2, data):
                client.ws.send(bytes([byte]))
    assert [client.expect_publish().payload for _ in sent] == sent
    assert client.messages_with_many_packets == 0
    client.close()


def test_one_byte_fragments_with_pings_between(server, device):
    client = signed_in(server, device)
    data = publish_packet(device.topic("user/echo"), b"fragments")
    for i, byte in enumerate(data):
        client.ws.send_frame(0 if i else 2, bytes([byte]), fin=i == len(data) - 1)
        if i % 7 == 3:
            client.ws.send_frame(9, b"ping %d" % i)
            assert client.ws.receive_frame() == (10, b"ping %d" % i)
    assert client.expect_publish().payload == b"fragments"
    client.close()


def test_fragmented_connect(server, device):
    data = connect_packet(*device.credentials())
    with server.client("ws") as client:
        client.ws.send(frame(2, data[:1], fin=False) + frame(0, data[1:20], fin=False) + frame(9, b"between")
                       + frame(0, b"", fin=False) + frame(0, data[20:]))
        assert client.ws.receive_frame() == (10, b"between")
        assert client.receive().raw == b"\x20\x02\x00\x00"


def test_many_packets_in_a_frame_and_one_in_each_answer(server, device):
    topic = device.topic("user/echo")
    with server.client("ws") as client:
        client.send(connect_packet(*device.credentials()) + subscribe_packet(1, [(topic, 1)])
                    + b"".join(publish_packet(topic, b"%d" % i, 1, i + 2) for i in range(10)) + PINGREQ_PACKET)
        answers = []
        while not {SUBACK, PINGRESP} <= {a.type for a in answers}:  # SUBACK waits for the disk, PINGRESP does not
            opcode, payload = client.ws.receive_frame()
            assert opcode == 2
            found = split_packets(bytearray(payload))
            assert len(found) == 1 and found[0].raw == payload, "one MQTT packet for each message"
            answers += found
        assert answers[0].type == CONNACK
        assert sorted(a.packet_id for a in answers if a.type == 4) == list(range(2, 12))
        assert [a.payload for a in answers if a.type == PUBLISH] == [b"%d" % i for i in range(10)]


def test_packet_end_and_beginning_in_one_frame(server, device):
    """What the JavaScript SDK does: 1 byte, then the rest and more (connection.md 2.3)."""
    topic = device.topic("user/echo")
    data = connect_packet(*device.credentials()) + b"".join(subscribe_packet(i, [(topic, 1)]) for i in range(1, 17))
    with server.client("ws") as client:
        client.send(data[:1])
        client.send(data[1:200])
        client.send(data[200:])
        assert client.receive().type == CONNACK
        assert [client.receive().packet_id for _ in range(16)] == list(range(1, 17))


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 200_000])
def test_payload_sizes_around_the_length_forms(server, device, size):
    client = signed_in(server, device)
    payload = bytes(i % 251 for i in range(size))
    client.publish(device.topic("user/echo"), payload, qos=1)
    assert client.expect_publish().payload == payload
    client.close()


def test_empty_frames_and_pongs_are_harmless(server, device):
    client = server.sign_in(device, "ws")
    for _ in range(5):
        client.ws.send_frame(2, b"")
        client.ws.send_frame(10, b"nobody asked")
    client.ping()
    client.close()


def test_ping_payloads(server, device):
    client = server.sign_in(device, "ws")
    for payload in (b"", b"a", bytes(range(125))):
        client.ws.send_frame(9, payload)
        assert client.ws.receive_frame() == (10, payload)
    client.close()


# ---- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", struct.pack(">H", 1000), struct.pack(">H", 1001) + b"going",
                                  struct.pack(">H", 4000)])
def test_close_is_answered_and_tcp_ends_in_order(server, device, body):
    client = server.sign_in(device, "ws")
    client.ws.send_frame(8, body)
    opcode, answer = client.ws.receive_frame()
    assert opcode == 8 and answer[:2] in (body[:2], struct.pack(">H", 1000))
    client.stream.wait_closed()
    assert not client.stream.reset


def test_disconnect_ends_with_a_close_frame(server, device):
    client = server.sign_in(device, "ws")
    client.disconnect()
    assert client.ws.wait_close_code() == 1000
    assert not client.stream.reset


def test_refused_connect_ends_with_a_close_frame(server, device):
    client = server.client("ws")
    assert client.connect(device.client_id(), device.username, "00" * 32)[1] == 4
    assert client.ws.wait_close_code() is not None
    assert not client.stream.reset


def test_malformed_mqtt_ends_with_a_close_frame(server, device):
    client = server.sign_in(device, "ws")
    client.send(packet(0xF0))
    assert client.ws.wait_close_code() in (1002, 1007, 1008)


def test_peer_that_does_not_answer_the_close(make_server):
    server = make_server({"connect.close_timeout_ms": "700"})
    client = server.sign_in(server.device(), "ws")
    start = time.monotonic()
    client.ws.send_frame(1, b"text")
    assert client.ws.wait_close_code(answer=False) == 1003
    client.stream.wait_closed(5 * server.slack)
    assert time.monotonic() - start < 0.7 + 2 * server.slack


def test_shutdown_closes_with_1001(make_server):
    server = make_server()
    clients = [server.sign_in(server.device(), transport) for transport in ("ws", "wss", "ws")]
    plain = server.sign_in(server.device(), "tcp")
    waiting = open_ws(server)
    process = server.process
    process.terminate()
    assert [client.ws.wait_close_code(6 * server.slack) for client in clients] == [1001] * 3
    assert waiting.wait_close_code(6 * server.slack) == 1001
    plain.wait_closed(6 * server.slack)
    assert process.wait(6 * server.slack) == 0
    server.process = None


def test_shutdown_does_not_wait_for_clients_that_do_not_answer(make_server):
    server = make_server()
    clients = [server.sign_in(server.device(), transport) for transport in ("ws", "wss", "tcp", "tls")]
    server.stop()  # asserts status 0 within five seconds
    for client in clients:
        client.close()


def test_takeover_closes_the_older_websocket(server, device):
    older = server.sign_in(device, "ws")
    newer = server.sign_in(device, "ws")
    assert older.ws.wait_close_code() is not None
    newer.ping()
    newer.close()


def test_two_transports_of_one_library_agree(server, device):
    """The same device over wss and then tcp finds its subscription."""
    with server.sign_in(device, "wss", clean=False) as client:
        client.subscribe(device.topic("user/echo"))
    with server.sign_in(device, "tcp", clean=False) as client:
        client.publish(device.topic("user/echo"), "again")
        assert client.expect_publish().payload == b"again"


def test_text_helper_matches_the_wire():
    """The client of these tests against bytes written out by hand."""
    assert text("ab") == b"\x00\x02ab"
    assert remaining_length(321) == b"\xc1\x02"
    assert frame(9, b"Hello", key=b"\x37\xfa\x21\x3d").hex() == "898537fa213d7f9f4d5158"
