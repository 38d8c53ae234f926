// ByteWriter: appends the data representations of MQTT 5 section 1.5, which include those of MQTT 3.1.1, to a byte
// vector. Lengths have been checked by the caller.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/variable_integer.h"

namespace mooring::mqtt {

class ByteWriter {
 public:
  explicit ByteWriter(base::Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value & 0xFF));
  }
  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value & 0xFFFF));
  }
  void variable(std::size_t value) {
    std::array<std::uint8_t, 4> bytes{};
    const std::size_t size = write_variable_integer(bytes.data(), value);
    for (std::size_t i = 0; i < size; ++i) u8(bytes[i]);
  }
  void raw(base::ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void binary(base::ByteView bytes) {
    MOORING_ASSERT(bytes.size() <= kMaxStringBytes);
    u16(static_cast<std::uint16_t>(bytes.size()));
    raw(bytes);
  }
  void string(std::string_view text) { binary(base::as_bytes(text)); }
  // With its length in front (MQTT 5 section 2.2.2.1).
  void property_block(base::ByteView block) {
    variable(block.size());
    raw(block);
  }

 private:
  base::Bytes& out_;
};

}  // namespace mooring::mqtt
