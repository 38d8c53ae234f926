// ByteWriter: appends the data representations of MQTT 3.1.1 section 1.5 to a byte vector. Lengths have been checked by
// the caller.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/bytes.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {

class ByteWriter {
 public:
  explicit ByteWriter(base::Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value & 0xFF));
  }
  void raw(base::ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void binary(base::ByteView bytes) {
    MOORING_ASSERT(bytes.size() <= kMaxStringBytes);
    u16(static_cast<std::uint16_t>(bytes.size()));
    raw(bytes);
  }
  void string(std::string_view text) { binary(base::as_bytes(text)); }

 private:
  base::Bytes& out_;
};

}  // namespace mooring::mqtt
