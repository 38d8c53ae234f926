// PacketWriter: MQTT packets onto a transport, bare over TCP, each as one binary message over WebSocket (one packet per
// message: a widely used C client loses the second packet of a frame).
#pragma once

#include "gateway/transport.h"
#include "mqtt/encode.h"
#include "ws/close_code.h"

namespace mooring::gateway {

class PacketWriter {
 public:
  PacketWriter(Transport& transport, bool websocket) : transport_(transport), websocket_(websocket) {}

  void packet(base::ByteView whole);
  void packet(const mqtt::SmallPacket& whole);
  // PUBLISH of a shared message towards a client of MQTT 3.x.
  void publish(const mqtt::MessageRef& message, std::uint8_t qos, bool dup, bool retain, std::uint16_t packet_id);
  // The same towards a client of MQTT 5; the head is written as it is.
  void publish(const mqtt::MessageRef& message, const mqtt::Publish5Head& head);
  // The close frame where there is one, then the end of our side.
  void finish(ws::CloseCode code, std::string_view reason);
  bool websocket() const { return websocket_; }

 private:
  void begin(std::size_t packet_bytes);
  [[gnu::noinline]] void publish_in_pieces(const mqtt::MessageRef& message, const mqtt::PublishLayout& layout,
                                           std::uint8_t qos, bool dup, bool retain, std::uint16_t packet_id);

  Transport& transport_;
  const bool websocket_;
};

}  // namespace mooring::gateway
