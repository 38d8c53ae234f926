"""MQTT 5 in WebSocket: chapter 6."""

import pytest

import wire5 as w
from lab import statement

pytestmark = pytest.mark.parametrize("transport", ["ws"])


@statement("MQTT-6.0.0-1")
@pytest.mark.parametrize("payload", [w.PINGREQ_PACKET.replace(b"\xc0", b"0"), b"text", b""],
                         ids=["looks like MQTT", "text", "empty"])
def test_a_text_frame_closes(lab5, payload):
    client = lab5.connect()
    client.ws.send_frame(1, payload)
    assert all(got.type == w.DISCONNECT for got in client.wait_closed(client.wait_s))


@statement("MQTT-6.0.0-1")
def test_the_server_sends_binary_frames(lab5):
    """rawclient refuses every other opcode; here the frame is looked at itself."""
    client = lab5.open()
    client.ws.send_frame(2, w.connect(lab5.client_id()))
    opcode, payload = client.ws.receive_frame(client.wait_s)
    assert opcode == 2 and payload[0] == 0x20


@statement("MQTT-6.0.0-2")
def test_packets_need_not_fit_frames(lab5):
    """Several packets in a frame, packets over several frames, frames that end inside of a packet, fragments."""
    topic = lab5.topic("t")
    client = lab5.open()
    data = w.connect(lab5.client_id()) + w.subscribe(1, [(topic, 1)]) + w.publish(topic, b"x" * 300, 1, 2)
    for start, end in ((0, 3), (3, 3), (3, 40), (40, 41), (41, 200)):
        client.send(data[start:end])
    client.ws.send_frame(2, data[200:210], fin=False)
    client.ws.send_frame(0, b"", fin=False)
    client.ws.send_frame(0, data[210:] + w.PINGREQ_PACKET * 2)
    client.expect_connack()
    client.expect_ack(w.SUBACK, 1)
    client.expect_ack(w.PUBACK, 2)
    for _ in range(2):
        client.expect(w.PINGRESP)
    client.take_message(topic, b"x" * 300, 1)


@statement("MQTT-6.0.0-4")
@pytest.mark.parametrize("offered", [["mqtt"], ["mqtt, other"], ["other", "mqtt"]], ids=["one", "first", "second line"])
def test_the_server_chooses_the_protocol_mqtt(lab5, offered):
    client = lab5.open(ws={"protocols": offered})
    assert client.ws.response.header("sec-websocket-protocol") == "mqtt"
    client.send(w.connect(lab5.client_id()))
    client.expect_connack()
