// What administration does to the sessions of an account: rare, so they are looked for one by one.
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "mqtt/topic.h"

namespace mooring::broker {

std::string Client::label() const {
  if (info.kind == ClientKind::kOperator) return "operator";
  if (info.kind == ClientKind::kDevice) return info.device.product_key + "/" + info.device.device_name;
  return "account " + base::printable(info.account, 256) + ", client '" +
         base::printable(session::client_id_of_account_key(info.account, key), 64) + "'";
}

std::vector<session::SessionKey> Broker::sessions_of(std::string_view account) const {
  session::SessionKey prefix("a");
  prefix.append(1, '\0').append(account).append(1, '\0');
  std::vector<session::SessionKey> keys;
  for (const auto& [key, home] : sessions_) {
    if (key.starts_with(prefix)) keys.push_back(key);
  }
  return keys;
}

void Broker::close_account(std::string_view account, CloseCause cause) {
  turn_away([&](const Client& client) { return !client.info.account.empty() && client.info.account == account; },
            cause);
  for (const session::SessionKey& key : sessions_of(account)) {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) continue;
    if (found->second->client != nullptr) end_connection(*found->second, cause);
    if (cause != CloseCause::kDeleted) continue;
    if (const auto left = sessions_.find(key); left != sessions_.end()) end_session(*left->second);
  }
}

void Broker::narrow_account(std::string_view account, const Authorizer& authorizer) {
  for (const session::SessionKey& key : sessions_of(account)) {
    LocalSession& home = *sessions_.find(key)->second;
    if (drop_forbidden(home, authorizer) && home.recorded.any) save_now(home);
  }
}

bool Broker::drop_forbidden(LocalSession& home, const Authorizer& authorizer) {
  std::vector<std::string> forbidden;
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    const auto shared = mqtt::parse_shared_filter(subscription.filter);
    if (authorizer.may_subscribe(shared ? shared->filter : subscription.filter) != Authorizer::Verdict::kAllowed) {
      forbidden.push_back(subscription.filter);
    }
  }
  for (const std::string& filter : forbidden) {
    drop_route(home, filter);
    home.session->unsubscribe(filter);
  }
  return !forbidden.empty();
}

}  // namespace mooring::broker
