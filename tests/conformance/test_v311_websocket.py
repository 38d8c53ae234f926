"""MQTT over WebSocket: chapter 6. The framing itself is tested in tests/e2e."""

import pytest

from lab import connack, statement
from rawclient import Closed, connect_packet, frame, publish_packet, subscribe_packet

pytestmark = pytest.mark.parametrize("transport", ["ws"], indirect=True)


def expect_socket_closed(client):
    """The end of the connection, after a close frame or without one; no MQTT packet comes."""
    try:
        client.ws.wait_close_code(client.wait_s)
    except Closed:
        pass


@statement("MQTT-6.0.0-1")
@pytest.mark.parametrize("connected", [False, True])
def test_a_text_frame_closes(lab, connected):
    client = lab.connect() if connected else lab.open()
    client.ws.send_frame(1, b"\xc0\x00" if connected else connect_packet(lab.client_id()))
    expect_socket_closed(client)


@statement("MQTT-6.0.0-1")
def test_a_text_frame_between_binary_ones_closes(lab):
    client = lab.connect()
    client.expect_still_open()
    client.ws.send_frame(1, b"hello")
    expect_socket_closed(client)


@statement("MQTT-6.0.0-1")
def test_the_server_sends_binary_frames(lab):
    client = lab.open()
    client.send(connect_packet(lab.client_id()))
    assert client.ws.receive_frame(client.wait_s) == (2, connack())
    topic = lab.topic("a")
    client.send(subscribe_packet(1, [(topic, 0)]))
    assert client.ws.receive_frame(client.wait_s) == (2, b"\x90\x03\x00\x01\x00")
    client.send(publish_packet(topic, "m" * 1000))
    assert client.ws.receive_frame(client.wait_s) == (2, publish_packet(topic, "m" * 1000))


@statement("MQTT-6.0.0-2")
def test_packets_share_a_frame(lab):
    client = lab.open()
    topic = lab.topic("a")
    client.send(connect_packet(lab.client_id()) + subscribe_packet(1, [(topic, 0)]) + publish_packet(topic, "one")
                + publish_packet(topic, "two") + b"\xc0\x00")
    client.expect_raw(connack())
    client.expect_raw(b"\x90\x03\x00\x01\x00")
    client.expect_message(topic, "one")
    client.expect_message(topic, "two")
    client.expect_raw(b"\xd0\x00")
    client.expect_still_open()


@statement("MQTT-6.0.0-2")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_packets_are_cut_by_frames(lab, size):
    client = lab.open()
    topic = lab.topic("a")
    stream = connect_packet(lab.client_id()) + subscribe_packet(1, [(topic, 0)]) + publish_packet(topic, "x" * 200)
    for begin in range(0, len(stream), size):
        client.send(stream[begin:begin + size])
    client.expect_raw(connack())
    client.expect_raw(b"\x90\x03\x00\x01\x00")
    client.expect_message(topic, "x" * 200)
    client.expect_still_open()


@statement("MQTT-6.0.0-2")
def test_packets_are_cut_by_fragments_and_empty_frames(lab):
    client = lab.connect()
    topic = lab.topic("a")
    client.subscribe((topic, 0))
    data = publish_packet(topic, "fragments")
    client.stream.send(frame(2, b"") + frame(2, data[:5], fin=False) + frame(0, b"", fin=False)
                       + frame(0, data[5:9], fin=False) + frame(0, data[9:] + b"\xc0\x00"))
    client.expect_message(topic, "fragments")
    client.expect_raw(b"\xd0\x00")
    client.expect_still_open()


@statement("MQTT-6.0.0-4")
@pytest.mark.parametrize("offered", [("mqtt",), ("foo, mqtt",), ("mqtt, foo",), ("foo", "mqtt")])
def test_the_subprotocol_mqtt_is_selected(lab, offered):
    client = lab.open(ws={"protocols": offered})
    assert client.ws.response.header("sec-websocket-protocol") == "mqtt"
    client.send(connect_packet(lab.client_id()))
    client.expect_raw(connack())


def test_the_close_of_mqtt_closes_the_websocket(lab):
    client = lab.connect()
    client.disconnect()
    expect_socket_closed(client)


def test_the_end_of_the_websocket_is_the_end_of_the_connection(lab):
    """A close frame without DISCONNECT: the will is published."""
    watcher = lab.connect("w")
    topic = lab.topic("will")
    watcher.subscribe((topic, 0))
    client = lab.connect("c", will=(topic, b"gone", 0, False))
    client.ws.send_frame(8, b"\x03\xe8")
    expect_socket_closed(client)
    watcher.expect_message(topic, "gone")
