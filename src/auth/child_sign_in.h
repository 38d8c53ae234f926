// The proofs that a gateway brings for its child devices: signed in on its connection, added to its topology. What is
// signed, which checks are made in which order, and the codes that answer. Source: platform.md section 7 and 2.8,
// connection.md sections 9.3 and 12.
//
// Unlike CONNECT, the clientId counts as a whole, with its own "|_ss=1,...|" part. I/O-free, reads no clock, any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "auth/client_id.h"
#include "auth/device_http.h"
#include "auth/sign_in.h"
#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

// What a gateway is answered with, or told on /ext/error/${pk}/${dn}.
struct ChildRefusal {
  int code;
  std::string_view name;  // "child-wrong-signature": stable, for the device log
  std::string_view text;  // static, without text of the peer
};
// 400, 401, 427, 428, 429, 460, 500, 520, 521, 522, 5005, 6100, 6204, 6288, 6289, 6287, 6400, 6401, 6402, 6619.
ChildRefusal child_refusal(int code);

enum class ChildProof : std::uint8_t {
  kLogin,     // a session on the gateway's connection
  kTopology,  // the device is the gateway's from now on
};

// A child as its gateway names it. Holds the code the gateway sent: not for the log.
struct ChildSignIn {
  base::DeviceKey device;
  std::string client_id;      // the part before the first pipe
  bool clean_session = true;  // false: messages wait while the child is away
  std::uint32_t ext_bits = 0;
  bool auto_subscribe = false;
  DeviceFacts facts;
  crypto::HmacMethod method = crypto::HmacMethod::kMd5;
  std::string content;      // the signed text
  std::string old_content;  // that of an older edition, which signs cleanSession, too; empty: the same
  crypto::Mac mac;          // size 0 when it is not hexadecimal of the right length
};

inline constexpr std::size_t kChildFieldsMax = 16;
inline constexpr std::size_t kChildFieldBytesMax = 1024;

// Fields are those of one object of the request, as text. 460: a name is missing or too long, or no such method.
tl::expected<ChildSignIn, ChildRefusal> begin_child_sign_in(const HttpFields& fields);

// `record` = null: no such device. `gateway` asks; `is_its_child`: by the topology.
// Nothing: the proof holds. kLogin: 6100, 6401, 6287, 522; kTopology: 6402, 6100, 401, 6204; the first that applies.
std::optional<ChildRefusal> check_child(ChildProof proof, const ChildSignIn& child, const CredentialRecord* record,
                                        const base::DeviceKeyView& gateway, bool is_its_child);

}  // namespace mooring::auth
