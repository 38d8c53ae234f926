// Publication: a PUBLISH of one topic, ready to be sent but for its packet identifier and its stamp. Over WebSocket the
// frame is masked in advance, with the one key of its connection: what the server has to do is the same.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "ws/opcode.h"

namespace mooring::bench {

// The first bytes of every payload that is counted.
struct Stamp {
  std::uint32_t flow = 0;
  std::uint32_t sequence = 0;    // within the flow
  std::int64_t intended_ns = 0;  // when it was to be sent, which is not later than when it was
};
inline constexpr std::size_t kStampBytes = sizeof(Stamp);
inline constexpr std::uint8_t kFiller = '.';

Stamp read_stamp(base::ByteView payload);  // at least kStampBytes

// How a connection frames what it sends.
struct Framing {
  bool websocket = false;
  ws::MaskKey key{};
};

// One packet, framed.
void append_framed(base::Bytes& out, base::ByteView packet, const Framing& framing);

class Publication {
 public:
  // `payload_bytes` is at least kStampBytes.
  static base::Result<Publication> make(std::string_view topic, std::size_t payload_bytes, std::uint8_t qos,
                                        const Framing& framing);

  // `packet_id` is ignored with QoS 0.
  void append_to(base::Bytes& out, std::uint16_t packet_id, const Stamp& stamp) const;

 private:
  base::Bytes frame_;
  std::size_t packet_id_at_ = 0;  // 0: none
  std::size_t stamp_at_ = 0;
  std::array<std::uint8_t, 2> packet_id_mask_{};
  std::uint64_t stamp_mask_ = 0;
};

}  // namespace mooring::bench
