#include "gateway/refused_attempt.h"

#include "auth/client_id.h"
#include "base/text.h"
#include "mqtt/decode.h"

namespace mooring::gateway {
namespace {

constexpr std::size_t kKeptBytes = 1024;             // of each field; no device's is longer
constexpr std::string_view kTokenBeginning = "^1^";  // of every token that a device is given

bool signs_in_with_token(const journal::SignInAttempt& attempt) {
  const auto id = auth::parse_client_id(attempt.client_id);
  return id && id->auth_type && base::iequals(*id->auth_type, "connwl");
}

// The password of a device is a code. Of accounts and tickets it is the secret itself, and so is a device's token. A
// token where none is asked for keeps the beginning by which the doctor knows it.
void forget_secrets(journal::SignInAttempt& attempt) {
  if (attempt.user_name.find('&') == std::string::npos || signs_in_with_token(attempt)) {
    attempt.cut_password(0);
  } else if (const auto at = attempt.password.find(kTokenBeginning); at != std::string::npos) {
    attempt.cut_password(at + kTokenBeginning.size());
  }
}

}  // namespace

std::unique_ptr<journal::SignInAttempt> refused_attempt(const PendingConnect& connect, const PeerFacts& peer,
                                                        bool websocket) {
  mqtt::Version version{};
  const auto packet = mqtt::decode_connect(connect.body, version);
  if (!packet) return nullptr;
  auto attempt = std::make_unique<journal::SignInAttempt>();
  attempt->has_user_name = packet->username.has_value();
  attempt->has_password = packet->password.has_value();
  attempt->user_name = packet->username.value_or("").substr(0, kKeptBytes);
  attempt->client_id = packet->client_id.substr(0, kKeptBytes + 1);
  if (packet->password) attempt->password = base::as_text(*packet->password).substr(0, kKeptBytes);
  attempt->keep_alive_s = packet->keep_alive_s;
  attempt->protocol_level = static_cast<std::uint8_t>(version);
  attempt->clean_session = packet->clean_session;
  attempt->tls = peer.tls;
  attempt->websocket = websocket;
  forget_secrets(*attempt);
  return attempt;
}

}  // namespace mooring::gateway
