#include "journal/device_log.h"

#include <strings.h>

#include <string.h>
#include <array>
#include <utility>

namespace mooring::journal {
namespace {

constexpr std::array<std::pair<Action, std::string_view>, 16> kActions{{
    {Action::kOnline, "online"},
    {Action::kOffline, "offline"},
    {Action::kRefused, "refused"},
    {Action::kPublishDenied, "publish-denied"},
    {Action::kSubscribeDenied, "subscribe-denied"},
    {Action::kDiscarded, "discarded"},
    {Action::kThrottled, "throttled"},
    {Action::kRegistered, "registered"},
    {Action::kRegistrationRefused, "registration-refused"},
    {Action::kPreauthenticated, "preauthenticated"},
    {Action::kWarned, "warned"},
    {Action::kEnabled, "enabled"},
    {Action::kDisabled, "disabled"},
    {Action::kDeleted, "deleted"},
    {Action::kSystem, "system"},
    {Action::kTicket, "ticket"},
}};

}  // namespace

std::string_view to_text(Action action) {
  for (const auto& [known, word] : kActions) {
    if (known == action) return word;
  }
  return "unknown";
}

std::optional<Action> parse_action(std::string_view word) {
  for (const auto& [action, known] : kActions) {
    if (known == word) return action;
  }
  return std::nullopt;
}

std::string_view to_text(Channel channel) {
  constexpr std::array<std::string_view, 7> kWords{"", "tcp", "tls", "ws", "wss", "http", "https"};
  return kWords[static_cast<std::size_t>(channel)];
}

SignInAttempt::~SignInAttempt() {
  cut_password(0);
}

std::size_t SignInAttempt::memory_bytes() const {
  std::size_t bytes = sizeof *this + user_name.size() + client_id.size() + password.size() + psk_identity.size();
  if (http == nullptr) return bytes;
  bytes += sizeof *http + http->path.size();
  for (const auto& [name, value] : http->fields) bytes += sizeof http->fields.front() + name.size() + value.size();
  return bytes;
}

void SignInAttempt::cut_password(std::size_t bytes) {
  if (bytes >= password.size()) return;
  ::explicit_bzero(password.data() + bytes, password.size() - bytes);
  password.resize(bytes);
}

}  // namespace mooring::journal
