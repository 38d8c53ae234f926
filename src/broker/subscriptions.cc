// SUBSCRIBE and UNSUBSCRIBE: what is granted, what is stored before the answer, and the routes that follow.
#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "mqtt/encode.h"
#include "routing/device_topic.h"

namespace mooring::broker {

void Broker::subscribe(Client& client, const mqtt::Subscribe& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  base::Bytes codes;
  std::vector<std::string> added;
  bool changed = false;
  std::size_t index = 0;
  for (const mqtt::SubscribeEntry& entry : packet.entries) {
    const std::uint8_t code = admit_filter(client, entry, index++);
    codes.push_back(code);
    if (code == mqtt::kSubackFailure) continue;
    const bool is_new = home.session->find_subscription(entry.filter) == nullptr;
    if (!home.session->subscribe(entry.filter, code)) continue;
    changed = true;
    if (is_new) added.emplace_back(entry.filter);
    add_route(home, entry.filter, code);
  }
  if (!changed && (home.session->is_saved() || !is_stored(client))) {
    client.sink->send_suback(packet.packet_id, codes);
    return;
  }
  // SUBACK after the subscription is stored: a device relies on it for ever (connection.md 6.3).
  save_then(client, [this, id = packet.packet_id, codes = std::move(codes), added = std::move(added)](
                        Client& waiting, bool saved) mutable {
    if (!saved) {
      std::fill(codes.begin(), codes.end(), mqtt::kSubackFailure);
      // A later save under way carries the same filters: it decides whether they stay.
      if (waiting.saves_under_way > 0) added.clear();
      for (const std::string& filter : added) {
        if (waiting.session->session->unsubscribe(filter)) drop_route(*waiting.session, filter);
      }
    }
    waiting.sink->send_suback(id, codes);
  });
}

// The granted QoS, or 0x80. Refused filters leave the connection open (connection.md 13).
std::uint8_t Broker::admit_filter(Client& client, const mqtt::SubscribeEntry& entry, std::size_t index) {
  const ClientRules& rules = *client.info.rules;
  const session::Session& state = *client.session->session;
  const auto refuse = [&](std::string_view why) {
    ++counters_.refused_filters;
    base::log_info("broker", "{}/{}: subscription to '{}' refused: {}", client.info.device.product_key,
                   client.info.device.device_name, base::printable(entry.filter, 160), why);
    return mqtt::kSubackFailure;
  };
  if (rules.max_filters_per_subscribe != 0 && index >= rules.max_filters_per_subscribe) {
    return refuse("too many filters in one SUBSCRIBE");
  }
  switch (client.authorizer->may_subscribe(entry.filter)) {
    case Authorizer::Verdict::kAllowed:
      break;
    case Authorizer::Verdict::kNotPermitted:
      return refuse("topic not permitted (9236)");
    case Authorizer::Verdict::kTooLong:
      return refuse("topic too long or too many levels");
  }
  if (rules.max_subscriptions != 0 && state.subscriptions().size() >= rules.max_subscriptions &&
      state.find_subscription(entry.filter) == nullptr) {
    return refuse("too many subscriptions");
  }
  return std::min(entry.qos, rules.max_qos);
}

void Broker::unsubscribe(Client& client, const mqtt::Unsubscribe& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  bool changed = false;
  for (const std::string_view filter : packet.filters) {
    if (!home.session->unsubscribe(filter)) continue;
    changed = true;
    drop_route(home, filter);
  }
  if (!changed && client.saves_under_way == 0) {
    client.sink->send_unsuback(packet.packet_id);
    return;
  }
  // Even if the store fails: the subscription ends now, at worst it comes back with a restart. That is logged there.
  save_then(client, [id = packet.packet_id](Client& waiting, bool) { waiting.sink->send_unsuback(id); });
}

bool Broker::is_stored(const Client& client) const {
  return client.info.kind == ClientKind::kDevice &&
         (client.info.rules->subscriptions_outlive_clean_session || !client.info.clean_session);
}

void Broker::save_then(Client& client, SavedDone done) {
  const std::shared_ptr<Client> self = client.session->client;
  if (!is_stored(client)) {
    done(client, true);
    return;
  }
  ++client.saves_under_way;
  parts_.store.save(client.session->session->record(), client.epoch, parts_.executor,
                    [this, key = client.key, epoch = client.epoch, revision = client.session->session->revision(),
                     weak = std::weak_ptr<Client>(self), done = std::move(done)](base::Result<> saved) mutable {
                      const std::shared_ptr<Client> waiting = weak.lock();
                      if (waiting != nullptr) --waiting->saves_under_way;
                      const auto home = sessions_.find(key);
                      if (saved && home != sessions_.end() && home->second->session->epoch() == epoch) {
                        home->second->session->saved(revision);
                      }
                      if (!saved) base::log_error("broker", "a subscription was not stored: {}", saved.error().message);
                      // Gone meanwhile: there is nobody to answer.
                      if (waiting == nullptr || !waiting->connected() || waiting->session == nullptr) return;
                      done(*waiting, saved.has_value());
                    });
}

bool Broker::is_own_filter(const LocalSession& home, std::string_view filter) const {
  if (!home.is_device) return false;
  const auto owner = routing::device_of_topic(filter);
  return owner && *owner == base::DeviceKeyView(home.device);
}

void Broker::add_route(LocalSession& home, std::string_view filter, std::uint8_t qos) {
  if (is_own_filter(home, filter)) return;  // found by the device key: docs/adr/0006
  const auto inserted = local_trie_.insert(filter, home.id, qos);
  if (inserted.new_entry && inserted.subscribers_of_filter == 1) parts_.bus.add_interest(filter);
}

void Broker::drop_route(LocalSession& home, std::string_view filter) {
  if (is_own_filter(home, filter)) return;
  const auto erased = local_trie_.erase(filter, home.id);
  if (erased.existed && erased.subscribers_of_filter == 0) parts_.bus.drop_interest(filter);
}

}  // namespace mooring::broker
