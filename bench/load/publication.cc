#include "publication.h"

#include <array>
#include <cstring>

#include "mqtt/encode.h"
#include "mqtt/packet.h"
#include "ws/frame_encoder.h"

namespace mooring::bench {

Stamp read_stamp(base::ByteView payload) {
  Stamp stamp;
  std::memcpy(&stamp, payload.data(), kStampBytes);
  return stamp;
}

void append_framed(base::Bytes& out, base::ByteView packet, const Framing& framing) {
  if (framing.websocket) {
    std::array<std::uint8_t, ws::kMaxClientHeaderBytes> header;
    const std::size_t bytes = ws::encode_masked_header(header.data(), ws::Opcode::kBinary, packet.size(), framing.key);
    out.insert(out.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
  out.insert(out.end(), packet.begin(), packet.end());
  if (framing.websocket) ws::apply_mask(base::MutableBytes(out).last(packet.size()), framing.key);
}

base::Result<Publication> Publication::make(std::string_view topic, std::size_t payload_bytes, std::uint8_t qos,
                                            const Framing& framing) {
  base::Bytes payload(payload_bytes, kFiller);
  std::memset(payload.data(), 0, kStampBytes);
  mqtt::Publish message;
  message.topic = topic;
  message.payload = payload;
  message.qos = qos;
  message.packet_id = qos > 0 ? 1 : 0;
  base::Bytes packet;
  const auto encoded = mqtt::append_publish(packet, mqtt::Version::k311, message);
  if (!encoded) return tl::unexpected(encoded.error());
  Publication made;
  append_framed(made.frame_, packet, framing);
  const std::size_t header_bytes = made.frame_.size() - packet.size();
  const std::size_t stamp_in_packet = packet.size() - payload_bytes;
  made.stamp_at_ = header_bytes + stamp_in_packet;
  if (qos > 0) made.packet_id_at_ = made.stamp_at_ - 2;
  if (!framing.websocket) return made;
  std::array<std::uint8_t, 8> turned;
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = framing.key[(stamp_in_packet + i) % 4];
  std::memcpy(&made.stamp_mask_, turned.data(), turned.size());
  made.packet_id_mask_ = {framing.key[(stamp_in_packet + 2) % 4], framing.key[(stamp_in_packet + 3) % 4]};
  return made;
}

void Publication::append_to(base::Bytes& out, std::uint16_t packet_id, const Stamp& stamp) const {
  const std::size_t begin = out.size();
  out.insert(out.end(), frame_.begin(), frame_.end());
  std::uint8_t* const frame = out.data() + begin;
  std::array<std::uint64_t, 2> words;
  static_assert(sizeof words == kStampBytes);
  std::memcpy(words.data(), &stamp, sizeof words);
  words[0] ^= stamp_mask_;
  words[1] ^= stamp_mask_;
  std::memcpy(frame + stamp_at_, words.data(), sizeof words);
  if (packet_id_at_ == 0) return;
  frame[packet_id_at_] = static_cast<std::uint8_t>((packet_id >> 8) ^ packet_id_mask_[0]);
  frame[packet_id_at_ + 1] = static_cast<std::uint8_t>((packet_id & 0xFF) ^ packet_id_mask_[1]);
}

}  // namespace mooring::bench
