// ByteReader: reads the data representations of MQTT 5 section 1.5, which include those of MQTT 3.1.1, from a view.
// Every read says whether the bytes were there; after a false the reader is where it was.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace mooring::mqtt {

class ByteReader {
 public:
  explicit ByteReader(base::ByteView bytes) : rest_(bytes) {}

  [[nodiscard]] bool read_u8(std::uint8_t& out) {
    if (rest_.empty()) return false;
    out = rest_[0];
    rest_ = rest_.subspan(1);
    return true;
  }

  [[nodiscard]] bool read_u16(std::uint16_t& out) {
    if (rest_.size() < 2) return false;
    out = static_cast<std::uint16_t>(rest_[0] << 8 | rest_[1]);
    rest_ = rest_.subspan(2);
    return true;
  }

  [[nodiscard]] bool read_u32(std::uint32_t& out) {
    if (rest_.size() < 4) return false;
    out = std::uint32_t{rest_[0]} << 24 | std::uint32_t{rest_[1]} << 16 | std::uint32_t{rest_[2]} << 8 | rest_[3];
    rest_ = rest_.subspan(4);
    return true;
  }

  // False also for more than four bytes and for more bytes than the value needs [MQTT-1.5.5-1].
  [[nodiscard]] bool read_variable(std::uint32_t& out) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4 && i < rest_.size(); ++i) {
      value |= (rest_[i] & 0x7FU) << (7 * i);
      if ((rest_[i] & 0x80) != 0) continue;
      if (i > 0 && rest_[i] == 0) return false;
      out = value;
      rest_ = rest_.subspan(i + 1);
      return true;
    }
    return false;
  }

  // Two length bytes and as many bytes as they say.
  [[nodiscard]] bool read_binary(base::ByteView& out) {
    ByteReader ahead = *this;
    std::uint16_t size = 0;
    if (!ahead.read_u16(size) || ahead.rest_.size() < size) return false;
    out = ahead.rest_.first(size);
    rest_ = ahead.rest_.subspan(size);
    return true;
  }

  // The same as text, whose characters are not looked at here.
  [[nodiscard]] bool read_string(std::string_view& out) {
    base::ByteView bytes;
    if (!read_binary(bytes)) return false;
    out = base::as_text(bytes);
    return true;
  }

  // The length of the properties as a variable byte integer, and as many bytes (MQTT 5 section 2.2.2.1). What is in
  // them is not looked at here.
  [[nodiscard]] bool read_property_block(base::ByteView& out) {
    ByteReader ahead = *this;
    std::uint32_t size = 0;
    if (!ahead.read_variable(size) || ahead.rest_.size() < size) return false;
    out = ahead.rest_.first(size);
    rest_ = ahead.rest_.subspan(size);
    return true;
  }

  bool empty() const { return rest_.empty(); }
  base::ByteView rest() const { return rest_; }

 private:
  base::ByteView rest_;
};

}  // namespace mooring::mqtt
