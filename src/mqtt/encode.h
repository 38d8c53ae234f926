// Encoders. Packets of a few bytes come as values (SmallPacket), longer ones are appended to a byte vector, and a
// PUBLISH for many subscribers is laid out so that all of it but a few bytes is shared.
//
// The version is that of the connection. MQTT 3.1 and 3.1.1 differ in CONNECT only; MQTT 5 is not encoded yet, apart
// from the refusal of a CONNECT: passing Version::k5 is a broken invariant. Thread: free functions, no shared state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {

// A packet, or a part of one, of at most eight bytes.
struct SmallPacket {
  std::array<std::uint8_t, 8> bytes{};
  std::uint8_t size = 0;

  base::ByteView view() const { return {bytes.data(), size}; }
};

// ---- Server to client -----------------------------------------------------------------------------------------------

// Always four bytes. Session present is sent as 0 with every code but kAccepted (MQTT-3.2.2-4), and in MQTT 3.1, where
// the byte is reserved.
SmallPacket encode_connack(Version version, ConnackCode code, bool session_present = false);

// CONNACK of MQTT 5 with a reason code and no properties: how a server answers a CONNECT of a level it does not speak.
SmallPacket encode_v5_refusal(std::uint8_t reason_code);
inline constexpr std::uint8_t kV5UnsupportedProtocolVersion = 0x84;

SmallPacket encode_puback(Version version, std::uint16_t packet_id);
SmallPacket encode_unsuback(Version version, std::uint16_t packet_id);
SmallPacket encode_pingresp();

// `codes`: one per filter of the SUBSCRIBE, in its order: 0, 1, 2 or kSubackFailure.
void append_suback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes);

// ---- One PUBLISH for many subscribers -------------------------------------------------------------------------------
//
// On the wire:  header(qos, dup, retain) | topic part | packet id, if qos > 0 | payload
// Shared block:                          | topic part |                       | payload      written once
//
// The topic part is the two length bytes and the topic. A subscriber costs its header and its packet id.
class PublishLayout {
 public:
  // The sizes must fit one packet: topic 1 to 65,535 bytes, payload so that the whole stays within the four length
  // bytes. Check with fits() what comes from outside.
  PublishLayout(std::size_t topic_bytes, std::size_t payload_bytes);
  static bool fits(std::size_t topic_bytes, std::size_t payload_bytes);

  std::size_t topic_part_bytes() const { return topic_part_bytes_; }
  std::size_t payload_bytes() const { return payload_bytes_; }
  std::size_t block_bytes() const { return std::size_t{topic_part_bytes_} + payload_bytes_; }

  // Fills the shared block; `block` has block_bytes(), topic and payload have the sizes given to the constructor.
  void write_block(base::MutableBytes block, std::string_view topic, base::ByteView payload) const;
  base::ByteView topic_part(base::ByteView block) const { return block.first(topic_part_bytes_); }
  base::ByteView payload(base::ByteView block) const { return block.subspan(topic_part_bytes_); }

  // The fixed header, two to five bytes. Dup must be false with QoS 0 (MQTT-3.3.1-2).
  SmallPacket header(std::uint8_t qos, bool dup, bool retain) const;
  // The whole packet, header and packet id included.
  std::size_t packet_bytes(std::uint8_t qos) const;

 private:
  std::size_t remaining_length(std::uint8_t qos) const { return block_bytes() + (qos > 0 ? 2 : 0); }

  std::uint32_t topic_part_bytes_;
  std::uint32_t payload_bytes_;
};

// The two bytes between topic part and payload. Not 0 (MQTT-2.3.1-1).
SmallPacket encode_packet_id(std::uint16_t packet_id);

// ---- Client to server, and PUBLISH for a single receiver ------------------------------------------------------------
// These take what a user typed, so they check it: kInvalidArgument, and nothing is appended.

base::Result<> append_connect(base::Bytes& out, const Connect& packet);
base::Result<> append_publish(base::Bytes& out, Version version, const Publish& packet);
base::Result<> append_subscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                std::span<const SubscribeEntry> entries);
base::Result<> append_unsubscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                  std::span<const std::string_view> filters);
SmallPacket encode_pingreq();
SmallPacket encode_disconnect(Version version);

}  // namespace mooring::mqtt
