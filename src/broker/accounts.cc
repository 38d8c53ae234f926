// What administration does to the sessions of an account or a device: rare, so those are looked for one by one.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "mqtt/topic.h"
#include "routing/device_topic.h"

namespace mooring::broker {

std::string Client::label() const {
  if (info.kind == ClientKind::kOperator) return "operator";
  if (info.kind == ClientKind::kDevice) {
    return std::string(device().product_key).append("/").append(device().device_name);
  }
  return "account " + base::printable(account(), 256) + ", client '" +
         base::printable(session::client_id_of_account_key(account(), key()), 64) + "'";
}

// One piece of memory instead of several: there is one for each connection.
std::unique_ptr<const char[]> Client::joined(std::initializer_list<std::string_view> texts) {
  std::size_t bytes = 0;
  for (std::string_view text : texts) bytes += text.size();
  auto joined = std::make_unique_for_overwrite<char[]>(bytes);
  char* to = joined.get();
  for (std::string_view text : texts) to = std::ranges::copy(text, to).out;
  return joined;
}

std::vector<session::SessionKey> Broker::sessions_of(const IsMeant& is_meant) const {
  std::vector<session::SessionKey> keys;
  for (const auto& home : sessions_) {
    const auto account = session::account_of_key(home->key());
    if (account && is_meant(*account)) keys.push_back(home->key());
  }
  return keys;
}

void Broker::set_lasting(LocalSession& home, bool lasting) {
  const auto account = session::account_of_key(home.session->key());
  if (!account || std::exchange(home.lasting, lasting) == lasting) return;
  const auto count = lasting_sessions_.try_emplace(std::string(*account), 0).first;
  lasting ? ++count->second : --count->second;
  if (count->second == 0) lasting_sessions_.erase(count);
}

void Broker::close_account(std::string_view account, CloseCause cause) {
  close_accounts([account](std::string_view other) { return other == account; }, cause);
}

void Broker::close_accounts(const IsMeant& is_meant, CloseCause cause) {
  turn_away([&](const Client& client) { return !client.account().empty() && is_meant(client.account()); }, cause);
  for (const session::SessionKey& key : sessions_of(is_meant)) {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) continue;
    if ((*found)->client != nullptr) end_connection(**found, cause);
    if (cause != CloseCause::kDeleted && cause != CloseCause::kRevoked) continue;
    if (const auto left = sessions_.find(key); left != sessions_.end()) end_session(**left);
  }
}

void Broker::narrow_account(std::string_view account, const Authorizer& authorizer) {
  narrow_accounts([&](std::string_view other) { return other == account ? &authorizer : nullptr; });
}

void Broker::narrow_accounts(const std::function<const Authorizer*(std::string_view)>& authorizer_of) {
  for (const session::SessionKey& key :
       sessions_of([&](std::string_view account) { return authorizer_of(account) != nullptr; })) {
    LocalSession& home = **sessions_.find(key);
    const Authorizer& authorizer = *authorizer_of(*session::account_of_key(key));
    if (drop_forbidden(home, authorizer) && home.recorded.any) save_now(home);
  }
}

void Broker::narrow_device(const base::DeviceKeyView& device, const Authorizer& authorizer) {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return;
  LocalSession& home = **found;
  if (!drop_forbidden(home, authorizer)) return;
  if (home.client == nullptr && home.device_scope && !home.session->has_state()) {
    end_session(home);
  } else if (home.recorded.any) {
    save_now(home);
  }
}

std::vector<base::DeviceKey> Broker::devices_of(std::string_view product_key) const {
  std::vector<base::DeviceKey> found;
  for (const HashedDevice& home : devices_) {
    if (home->device().product_key == product_key) found.push_back(home->device().copy());
  }
  return found;
}

bool Broker::drop_forbidden(LocalSession& home, const Authorizer& authorizer) {
  std::vector<std::string> forbidden;
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    // A connection that does not announce custom RRPC hears nothing of it, but the subscription stays for the next one.
    if (home.is_device && subscription.filter.starts_with(routing::kCustomRrpcPrefix)) continue;
    const auto shared = mqtt::parse_shared_filter(subscription.filter);
    if (authorizer.may_subscribe(shared ? shared->filter : subscription.filter) == Authorizer::Verdict::kNotPermitted) {
      forbidden.push_back(subscription.filter);
    }
  }
  if (forbidden.empty()) return false;
  for (const std::string& filter : forbidden) {
    drop_route(home, filter);
    home.session->unsubscribe(filter);
    forget_awaited(home, filter);
  }
  if (home.client != nullptr) home.client->replays.drop(ReplayQueue::Filters(forbidden.begin(), forbidden.end()));
  return true;
}

}  // namespace mooring::broker
