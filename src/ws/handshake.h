// The opening handshake: RFC 6455 section 4, for servers and clients, independent of the HTTP parser in use.
//
// Free functions on views of the caller; no I/O, no state, callable on any thread. The size of the header list is
// bounded by whoever parsed the HTTP head.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace mooring::ws {

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// ---- server ---------------------------------------------------------------------------------------------------------

// The names under which clients in the field ask for MQTT (connection.md 2.3).
inline constexpr std::array<std::string_view, 4> kMqttSubprotocols{"mqtt", "mqttv3.1", "mqttv3.1.1", "mqttv5"};

struct UpgradeRequest {
  std::string_view method;
  int http_major = 1;
  int http_minor = 1;
  std::span<const HeaderField> headers;  // in the order of arrival, repeated ones repeated
};

struct Accept {
  std::string_view subprotocol;  // one of the known ones, or empty: send none
  std::string accept_key;        // the value of Sec-WebSocket-Accept
};

struct Reject {
  int status = 400;
  std::string message;               // for the operator: a sentence for the HTTP body and the log, printable text
  std::vector<HeaderField> headers;  // belong into the answer; constants, valid for ever
};

// Whether the request asks for an upgrade to WebSocket at all, to tell it from other HTTP on the same port: its Upgrade
// header names websocket, or it carries a Sec-WebSocket-Key (then a proxy may have taken the Upgrade header away and
// check_upgrade explains that).
bool is_upgrade(const UpgradeRequest& request);

// The rules of RFC 6455 section 4.2.1: GET, HTTP/1.1, Upgrade, Connection, version 13, a key of 16 bytes. The path is
// nobody's business here. Of the offered subprotocols the first that is `known` is taken; none offered or none known
// is accepted as well (connection.md 2.3). Extensions are declined by not answering them.
tl::expected<Accept, Reject> check_upgrade(const UpgradeRequest& request,
                                           std::span<const std::string_view> known = kMqttSubprotocols);

// The complete answer: the 101, or the refusal as plain text with the connection closing after it.
std::string build_response(const Accept& accept);
std::string build_response(const Reject& reject);

// ---- client ---------------------------------------------------------------------------------------------------------

// A fresh Sec-WebSocket-Key: 16 random bytes in base64.
std::string make_key(base::Random& random);

struct ClientRequest {
  std::string_view host;         // with the port where it is not the scheme's own
  std::string_view path = "/";   // with the query, if any
  std::string_view subprotocol;  // one or a comma list; empty: offer none
  std::string_view key;          // from make_key
};

// The complete request. Refused with kInvalidArgument when a part holds blanks or control characters, which would
// change the request's meaning.
base::Result<std::string> build_request(const ClientRequest& request);

struct UpgradeResponse {
  int status = 0;
  std::string_view reason;  // of the status line
  std::span<const HeaderField> headers;
};

// The rules of RFC 6455 section 4.1 for what the server answered to `request`. Gives the subprotocol agreed on, empty
// when the server chose none.
base::Result<std::string> check_response(const UpgradeResponse& response, const ClientRequest& request);

inline constexpr std::size_t kMaxResponseHeadBytes = 16 * 1024;

struct Opened {
  std::size_t head_bytes = 0;  // of the answer; WebSocket frames may follow behind it
  std::string subprotocol;
};

// The same for the bytes received so far. Nothing: the head is not complete yet, call again with more. Failed when the
// head is malformed, longer than kMaxResponseHeadBytes or no acceptance; the error then quotes the start of the body.
base::Result<std::optional<Opened>> read_response(std::string_view received, const ClientRequest& request);

}  // namespace mooring::ws
