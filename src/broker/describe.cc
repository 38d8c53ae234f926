// What administration shows of sessions and their subscriptions.
#include <algorithm>

#include "broker/broker.h"
#include "session/automatic_topics.h"

namespace mooring::broker {
namespace {

SessionView view_of(const LocalSession& home, std::string_view client_id, std::size_t subscriptions_max) {
  SessionView view;
  const session::Session& state = *home.session;
  view.client_id = client_id;
  if (const Client* client = home.client.get(); client != nullptr) {
    view.connected = true;
    view.tls = client->info.tls;
    view.websocket = client->info.websocket;
    view.address = client->peer_address();
    view.version = client->info.version;
    view.clean_session = client->info.clean_session;
    view.keep_alive_s = client->info.keep_alive_s;
  }
  view.since_ms = state.offline_since_ms;
  view.expiry_s = state.expiry_s;
  view.queued_messages = state.queued_count();
  view.queued_bytes = state.queued_bytes();
  view.in_flight = state.in_flight_count();
  const auto add = [&](std::string filter, std::uint8_t qos, bool automatic) {
    if (view.subscriptions.size() < subscriptions_max) {
      view.subscriptions.push_back({std::move(filter), qos, automatic});
    } else {
      ++view.more_subscriptions;
    }
  };
  for (const session::SubscriptionRecord& one : state.subscriptions()) add(one.filter, one.qos, false);
  if (state.is_automatic()) {
    for (std::size_t number = 0; number < session::kAutomaticTopics; ++number) {
      if (state.has_automatic(number)) {
        add(session::automatic_filter(home.device(), number), 1, true);
      }
    }
  }
  return view;
}

}  // namespace

std::optional<SessionView> Broker::describe_device(const base::DeviceKey& device, std::size_t subscriptions_max) const {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return std::nullopt;
  return view_of(**found, {}, subscriptions_max);
}

std::vector<SessionView> Broker::describe_account(std::string_view account, std::size_t sessions_max,
                                                  std::size_t subscriptions_max, std::size_t& more) const {
  std::vector<SessionView> views;
  for (const auto& home : sessions_) {
    if (session::account_of_key(home->key()) != account) continue;
    if (views.size() < sessions_max) {
      views.push_back(view_of(*home, session::identity_of(home->key()), subscriptions_max));
    } else {
      ++more;
    }
  }
  return views;
}

}  // namespace mooring::broker
