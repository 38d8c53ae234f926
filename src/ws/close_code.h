// Status codes of a WebSocket close frame: RFC 6455 section 7.4.1 and the IANA registry it founded.
#pragma once

#include <cstdint>

namespace mooring::ws {

enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,  // the server shuts down, or a browser leaves the page
  kProtocolError = 1002,
  kUnsupportedData = 1003,  // for us: a text frame where MQTT needs binary ones
  kNoStatus = 1005,         // never on the wire: the close frame was empty
  kAbnormal = 1006,         // never on the wire: the connection broke without a close frame
  kInvalidPayload = 1007,   // text that is not UTF-8
  kPolicyViolation = 1008,
  kMessageTooBig = 1009,
  kMandatoryExtension = 1010,  // sent by clients only
  kInternalError = 1011,
  kServiceRestart = 1012,
  kTryAgainLater = 1013,
  kBadGateway = 1014,
};

// Whether `code` may stand in a close frame: 1000 to 1014 without 1004, 1005 and 1006, or 3000 to 4999.
// RFC 6455 sections 7.4.1 and 7.4.2; 1015 and everything not assigned is out.
constexpr bool is_sendable_close_code(std::uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006);
}

constexpr std::uint16_t to_number(CloseCode code) {
  return static_cast<std::uint16_t>(code);
}

}  // namespace mooring::ws
