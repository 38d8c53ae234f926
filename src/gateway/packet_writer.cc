#include "gateway/packet_writer.h"

#include <cstring>

#include "mqtt/encode.h"
#include "net/write_queue.h"
#include "ws/frame_encoder.h"

namespace mooring::gateway {

void PacketWriter::begin(std::size_t packet_bytes) {
  if (!websocket_) return;
  std::uint8_t* out = transport_.reserve(ws::kMaxServerHeaderBytes);
  transport_.commit(ws::encode_header(out, ws::Opcode::kBinary, packet_bytes));
}

void PacketWriter::packet(const mqtt::SmallPacket& whole) {
  std::uint8_t* const out = transport_.reserve(ws::kMaxServerHeaderBytes + whole.bytes.size());
  const std::size_t frame = websocket_ ? ws::encode_header(out, ws::Opcode::kBinary, whole.size) : 0;
  std::memcpy(out + frame, whole.bytes.data(), whole.bytes.size());  // one store
  transport_.commit(frame + whole.size);
}

void PacketWriter::packet(base::ByteView whole) {
  if (whole.size() + ws::kMaxServerHeaderBytes <= net::WriteQueue::kMaxReserve) {  // nearly all
    std::uint8_t* const out = transport_.reserve(ws::kMaxServerHeaderBytes + whole.size());
    const std::size_t frame = websocket_ ? ws::encode_header(out, ws::Opcode::kBinary, whole.size()) : 0;
    std::memcpy(out + frame, whole.data(), whole.size());
    transport_.commit(frame + whole.size());
    return;
  }
  begin(whole.size());
  transport_.write(whole);
}

void PacketWriter::publish(const mqtt::MessageRef& message, std::uint8_t qos, bool dup, bool retain,
                           std::uint16_t packet_id) {
  const mqtt::PublishLayout layout(message->topic().size(), message->payload().size());
  const std::size_t packet_bytes = layout.packet_bytes(qos);
  if (packet_bytes + ws::kMaxServerHeaderBytes <= net::WriteQueue::kMaxReserve) {
    std::uint8_t* const out = transport_.reserve(ws::kMaxServerHeaderBytes + packet_bytes);
    const std::size_t frame = websocket_ ? ws::encode_header(out, ws::Opcode::kBinary, packet_bytes) : 0;
    layout.write_packet(out + frame, message->wire_body(), qos, dup, retain, packet_id);
    transport_.commit(frame + packet_bytes);
    return;
  }
  publish_in_pieces(message, layout, qos, dup, retain, packet_id);
}

void PacketWriter::publish_in_pieces(const mqtt::MessageRef& message, const mqtt::PublishLayout& layout,
                                     std::uint8_t qos, bool dup, bool retain, std::uint16_t packet_id) {
  begin(layout.packet_bytes(qos));
  transport_.write(layout.header(qos, dup, retain).view());
  if (qos == 0) {
    transport_.write_shared(message->wire_body(), message);
    return;
  }
  transport_.write(message->wire_topic());
  transport_.write(mqtt::encode_packet_id(packet_id).view());
  if (!message->payload().empty()) transport_.write_shared(message->payload(), message);
}

void PacketWriter::publish(const mqtt::MessageRef& message, const mqtt::Publish5Head& head) {
  begin(head.packet_bytes());
  if (head.bytes() <= net::WriteQueue::kMaxReserve) {
    head.write(transport_.reserve(head.bytes()));
    transport_.commit(head.bytes());
  } else {
    base::Bytes long_head(head.bytes());  // a long topic, or many properties
    head.write(long_head.data());
    transport_.write(long_head);
  }
  if (!message->payload().empty()) transport_.write_shared(message->payload(), message);
}

void PacketWriter::finish(ws::CloseCode code, std::string_view reason) {
  // Many devices send DISCONNECT and close the socket: they hear no Close, and would answer it with RST. Who closed one
  // direction only reads the end of the stream, as over TCP.
  const bool hears_nothing = code == ws::CloseCode::kNormal && transport_.peer_ended();
  if (websocket_ && !hears_nothing) {
    std::uint8_t* out = transport_.reserve(ws::kMaxControlFrameBytes);
    transport_.commit(ws::encode_close(out, code, reason));
  }
  transport_.finish();
}

}  // namespace mooring::gateway
