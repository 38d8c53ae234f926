// Encoders. Packets of a few bytes come as values (SmallPacket), longer ones are appended to a byte vector, and a
// PUBLISH for many subscribers is laid out so that all of it but a few bytes is shared.
//
// The version is that of the connection. Functions whose name or arguments leave a version out say so; passing what a
// version does not have is a broken invariant. Thread: free functions, no shared state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"
#include "mqtt/fixed_header.h"
#include "mqtt/message.h"
#include "mqtt/packet.h"
#include "mqtt/variable_integer.h"

namespace mooring::mqtt {

// A packet, or a part of one, of at most eight bytes.
struct SmallPacket {
  std::array<std::uint8_t, 8> bytes{};
  std::uint8_t size = 0;

  base::ByteView view() const { return {bytes.data(), size}; }
};

// ---- Both directions ------------------------------------------------------------------------------------------------

// For encode_ack() alone.
SmallPacket with_reason(SmallPacket ack, PacketType type, ReasonCode reason);

// PUBACK, PUBREC, PUBREL and PUBCOMP. MQTT 5 leaves kSuccess out; MQTT 3.x cannot tell a reason and never does. In
// MQTT 5 the reason must be one of the packet's.
inline SmallPacket encode_ack(Version version, PacketType type, std::uint16_t packet_id,
                              ReasonCode reason = ReasonCode::kSuccess) {
  MOORING_ASSERT(type >= PacketType::kPuback && type <= PacketType::kPubcomp && packet_id != 0);
  const unsigned flags = type == PacketType::kPubrel ? 2 : 0;
  const SmallPacket out{{static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags), 0x02,
                         static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id & 0xFF)},
                        4};
  return version != Version::k5 || reason == ReasonCode::kSuccess ? out : with_reason(out, type, reason);
}

// DISCONNECT without properties; in MQTT 3.x, where only clients send it, without a reason.
SmallPacket encode_disconnect(Version version, ReasonCode reason = ReasonCode::kSuccess);

// DISCONNECT of MQTT 5. An empty reason string is left out. The session expiry is for clients (MQTT-3.14.2-2).
void append_disconnect(base::Bytes& out, ReasonCode reason, std::string_view reason_string,
                       std::optional<std::uint32_t> session_expiry_s = std::nullopt);

// AUTH of MQTT 5. The reason is kSuccess, kContinueAuthentication or kReAuthenticate; data need a method.
void append_auth(base::Bytes& out, const Auth& packet);

// ---- Server to client -----------------------------------------------------------------------------------------------

// MQTT 3.x: always four bytes. Session present is sent as 0 with every code but kAccepted (MQTT-3.2.2-4), and in MQTT
// 3.1, where the byte is reserved.
SmallPacket encode_connack(Version version, ConnackCode code, bool session_present = false);

// MQTT 5. Session present is sent as 0 with every reason but kSuccess (MQTT-3.2.2-6). Properties that have the value
// which their absence means are left out.
void append_connack5(base::Bytes& out, ReasonCode reason, bool session_present, const ConnackProperties& properties);

SmallPacket encode_pingresp();

// `codes`: one per filter of the SUBSCRIBE, in its order: 0, 1, 2 or kSubackFailure; in MQTT 5 a ReasonCode that SUBACK
// may have (3.9.3).
void append_suback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes);

// `codes`: one ReasonCode per filter of the UNSUBSCRIBE, in its order (MQTT 5 3.11.3). MQTT 3.x does not send them.
void append_unsuback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes);

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
  // Writes that whole packet to `out`, with what write_block() filled. The packet id is used with QoS 1 and 2.
  void write_packet(std::uint8_t* out, base::ByteView block, std::uint8_t qos, bool dup, bool retain,
                    std::uint16_t packet_id) const;

 private:
  std::size_t remaining_length(std::uint8_t qos) const { return block_bytes() + (qos > 0 ? 2 : 0); }

  std::uint32_t topic_part_bytes_;
  std::uint32_t payload_bytes_;
};

// Inline from here to the end of the section, for these run for every message to every subscriber.

// Of the fixed header. Dup must be false with QoS 0 (MQTT-3.3.1-2).
inline std::uint8_t publish_flags(std::uint8_t qos, bool dup, bool retain) {
  MOORING_ASSERT(qos <= kMaxQos && !(dup && qos == 0));
  return static_cast<std::uint8_t>((dup ? 8U : 0U) | static_cast<unsigned>(qos) << 1 | (retain ? 1U : 0U));
}

inline PublishLayout::PublishLayout(std::size_t topic_bytes, std::size_t payload_bytes)
    : topic_part_bytes_(static_cast<std::uint32_t>(2 + topic_bytes)),
      payload_bytes_(static_cast<std::uint32_t>(payload_bytes)) {
  MOORING_ASSERT(fits(topic_bytes, payload_bytes));
}

inline bool PublishLayout::fits(std::size_t topic_bytes, std::size_t payload_bytes) {
  if (topic_bytes == 0 || topic_bytes > kMaxStringBytes) return false;
  return payload_bytes <= kMaxRemainingLength - 2 - topic_bytes - 2;
}

inline std::size_t PublishLayout::packet_bytes(std::uint8_t qos) const {
  const std::size_t remaining = remaining_length(qos);
  return 1 + variable_integer_bytes(remaining) + remaining;
}

inline void PublishLayout::write_packet(std::uint8_t* out, base::ByteView block, std::uint8_t qos, bool dup,
                                        bool retain, std::uint16_t packet_id) const {
  MOORING_ASSERT(block.size() == block_bytes() && (qos > 0) == (packet_id != 0));
  out += write_fixed_header(out, PacketType::kPublish, publish_flags(qos, dup, retain), remaining_length(qos));
  if (qos == 0) {
    std::memcpy(out, block.data(), block.size());
    return;
  }
  std::memcpy(out, block.data(), topic_part_bytes_);
  out += topic_part_bytes_;
  *out++ = static_cast<std::uint8_t>(packet_id >> 8);
  *out++ = static_cast<std::uint8_t>(packet_id & 0xFF);
  if (payload_bytes_ != 0) std::memcpy(out, block.data() + topic_part_bytes_, payload_bytes_);
}

// The two bytes between topic part and payload. Not 0 (MQTT-2.3.1-1).
SmallPacket encode_packet_id(std::uint16_t packet_id);

// ---- The same towards an MQTT 5 subscriber --------------------------------------------------------------------------

// What one subscriber's PUBLISH carries beside the message.
struct PublishExtras {
  std::optional<std::uint32_t> message_expiry_s{};    // what is left of it [MQTT-3.3.2-6]
  std::uint16_t topic_alias = 0;                      // 0: none
  bool topic_omitted = false;                         // the alias stands for the topic; needs an alias
  std::span<const std::uint32_t> subscription_ids{};  // each 1 to 268,435,455; must outlive the head
};

// Everything of a PUBLISH before its payload, which is sent shared behind it:
//   header | topic | packet id, if qos > 0 | property length | expiry, alias, message.properties(), subscription ids
// The message must outlive the head. Nothing is allocated; writing is copying.
class Publish5Head {
 public:
  // Dup must be false and the packet id 0 with QoS 0; with QoS 1 and 2 the packet id is not 0.
  Publish5Head(const Message& message, std::uint8_t qos, bool dup, bool retain, std::uint16_t packet_id,
               const PublishExtras& extras);

  std::size_t bytes() const { return head_bytes_; }
  // The whole packet, payload included; to be compared with the client's maximum packet size before write().
  std::size_t packet_bytes() const { return head_bytes_ + message_.payload().size(); }
  std::size_t body_bytes() const { return remaining_length_; }  // behind its fixed header
  // Whether the packet can be written at all: its remaining length fits four bytes.
  bool fits() const { return remaining_length_ <= kMaxRemainingLength; }
  // Writes bytes() bytes; fits() must hold.
  void write(std::uint8_t* out) const;

 private:
  const Message& message_;
  PublishExtras extras_;
  std::size_t property_bytes_;  // without their length
  std::size_t remaining_length_;
  std::size_t head_bytes_;
  std::uint16_t packet_id_;
  std::uint8_t flags_;  // of the fixed header
};

// ---- Client to server, and PUBLISH for a single receiver ------------------------------------------------------------
// These take what a user typed, so they check it: kInvalidArgument, and nothing is appended.
//
// Properties (MQTT 5) may be given as fields, as a block (property_block.h), or both: a field that differs from its
// default is written, then what the block holds besides. A decoded packet is so written as it was, up to the order.
// In MQTT 3.x none of it is looked at.

base::Result<> append_connect(base::Bytes& out, const Connect& packet);
// With a topic alias in packet.properties the topic may be empty.
base::Result<> append_publish(base::Bytes& out, Version version, const Publish& packet);
base::Result<> append_subscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                std::span<const SubscribeEntry> entries, std::uint32_t subscription_id = 0);
base::Result<> append_unsubscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                  std::span<const std::string_view> filters);
SmallPacket encode_pingreq();

}  // namespace mooring::mqtt
