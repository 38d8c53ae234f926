#include "mqtt/fixed_header.h"

#include <algorithm>
#include <array>

namespace mooring::mqtt {

HeaderState read_any_fixed_header(base::ByteView bytes, FixedHeader& out) {
  if (bytes.empty()) return HeaderState::kIncomplete;
  std::size_t length = 0;
  for (std::size_t i = 1; i < kMaxFixedHeaderBytes; ++i) {
    if (i == bytes.size()) return HeaderState::kIncomplete;
    length |= std::size_t{bytes[i] & 0x7FU} << (7 * (i - 1));
    if ((bytes[i] & 0x80) == 0) {
      out = {packet_type(bytes[0]), packet_flags(bytes[0]), i == 1 || bytes[i] != 0, length, i + 1};
      return HeaderState::kComplete;
    }
  }
  return HeaderState::kMalformed;
}

void append_fixed_header(base::Bytes& out, PacketType type, std::uint8_t flags, std::size_t remaining_length) {
  std::array<std::uint8_t, kMaxFixedHeaderBytes> header{};
  const std::size_t size = write_fixed_header(header.data(), type, flags, remaining_length);
  out.insert(out.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace mooring::mqtt
