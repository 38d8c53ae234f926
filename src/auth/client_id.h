// The client identifier of a CONNECT as the platform's devices write it: base|key=value,key=value|
//
// Parsing only cuts: views point into the text that was parsed and live as long as it does. I/O-free, any thread, never
// allocates, accepts every byte string. Source: connection.md sections 4.1, 4.2, 17 row 1, 9 and 30.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace mooring::auth {

inline constexpr std::size_t kMaxClientIdBytes = 1024;         // the whole identifier
inline constexpr std::size_t kMaxBaseClientIdBytes = 256;      // before the first pipe
inline constexpr std::size_t kMaxBaseClientIdCharacters = 64;  // Unicode code points
inline constexpr std::size_t kMaxFactBytes = 128;              // longer device facts are cut

// What a device tells about itself; no effect on the sign-in. Cut to kMaxFactBytes each, between characters.
struct DeviceFacts {
  std::string sdk_version;    // _v
  std::string language;       // lan
  std::string system;         // os
  std::string alink_version;  // v
  std::string gateway;        // gw
  std::string partner_id;     // pid
  std::string module_id;      // mid
  std::string network;        // sii
  std::string uuid;           // _uuid
  bool operator==(const DeviceFacts&) const = default;
};

// Bits of the parameter `ext`.
inline constexpr std::uint32_t kExtCustomRrpc = 1;  // RRPC on custom topics
inline constexpr std::uint32_t kExtNotify = 2;      // wants messages on /ext/notify

struct ClientId {
  std::string_view base;
  std::optional<std::string_view> secure_mode;
  std::optional<std::string_view> sign_method;
  std::optional<std::string_view> timestamp;
  std::optional<std::string_view> auth_type;
  std::optional<std::string_view> random;
  std::optional<std::string_view> instance_id;
  std::uint32_t ext_bits = 0;   // 0 as well when `ext` is not a decimal number
  bool auto_subscribe = false;  // _ss=1

  std::string_view sdk_version, language, system, alink_version, gateway, partner_id, module_id, network, uuid;
  DeviceFacts facts() const;  // owned and bounded
};

enum class ClientIdError {
  kTooLong,          // more than kMaxClientIdBytes
  kKeyWithoutValue,  // a key that the server acts on, without '='
};

tl::expected<ClientId, ClientIdError> parse_client_id(std::string_view text);

// Whether the part before the first pipe has 1 to 64 characters (0 too when `may_be_empty`) and at most 256 bytes.
bool is_valid_base_client_id(std::string_view base_id, bool may_be_empty);

}  // namespace mooring::auth
