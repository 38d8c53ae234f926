#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

// Bit i of kX says whether the code 0x80 + i, up to 0xBF, is one of X's.
template <class... Codes>
constexpr std::uint64_t errors_of(Codes... codes) {
  return ((std::uint64_t{1} << (codes - 0x80)) | ...);
}

constexpr std::uint64_t kConnack = errors_of(0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C,
                                             0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F);
constexpr std::uint64_t kPuback = errors_of(0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99);
constexpr std::uint64_t kPubrel = errors_of(0x92);
constexpr std::uint64_t kSuback = errors_of(0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2);
constexpr std::uint64_t kUnsuback = errors_of(0x80, 0x83, 0x87, 0x8F, 0x91);
constexpr std::uint64_t kDisconnectOfClient =
    errors_of(0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99);
constexpr std::uint64_t kDisconnectOfServer =
    kDisconnectOfClient |
    errors_of(0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2);

bool contains(std::uint64_t errors, std::uint8_t code) {
  return code >= 0x80 && code < 0xC0 && (errors >> (code - 0x80) & 1) != 0;
}

}  // namespace

bool is_reason_of(PacketType type, Sender sender, std::uint8_t code) {
  switch (type) {
    case PacketType::kConnack:
      return code == 0 || contains(kConnack, code);
    case PacketType::kPuback:
    case PacketType::kPubrec:
      return code == 0 || code == 0x10 || contains(kPuback, code);
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return code == 0 || contains(kPubrel, code);
    case PacketType::kSuback:
      return code <= kMaxQos || contains(kSuback, code);
    case PacketType::kUnsuback:
      return code == 0 || code == 0x11 || contains(kUnsuback, code);
    case PacketType::kDisconnect:
      if (sender == Sender::kServer) return code == 0 || contains(kDisconnectOfServer, code);
      return code == 0 || code == 0x04 || contains(kDisconnectOfClient, code);
    case PacketType::kAuth:
      return code == 0x18 || code == (sender == Sender::kServer ? 0x00 : 0x19);
    default:
      return false;
  }
}

}  // namespace mooring::mqtt
