// How a client gets and leaves its session: claim, load, take-over, online and offline.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/status_message.h"

namespace mooring::broker {
namespace {

constexpr std::string_view kNotifyTopic = "/ext/notify";
constexpr std::string_view kKickNotice = R"({"title":"kick","content":"Kicked by the same device"})";

OfflineReason reason_for(CloseCause cause) {
  switch (cause) {
    case CloseCause::kTakenOver:
      return OfflineReason::kKickedBySameDevice;
    case CloseCause::kDisabled:
      return OfflineReason::kDisabled;
    case CloseCause::kDeleted:
      return OfflineReason::kDeleted;
    case CloseCause::kKicked:
      return OfflineReason::kKicked;
    case CloseCause::kTooSlow:
      return OfflineReason::kTooSlow;
  }
  return OfflineReason::kKicked;
}

}  // namespace

// A client between its sign-in and its session.
struct Broker::Attaching {
  std::shared_ptr<Client> client;
  AttachDone done;
  session::Epoch epoch = 0;
  bool evicted = false;  // another claim came while the record was being read
};

void Broker::attach(std::shared_ptr<Client> client, AttachDone done) {
  auto attaching = std::make_shared<Attaching>();
  if (waiting_.size() >= waiting_tidy_at_) {
    std::erase_if(waiting_, [](const std::weak_ptr<Client>& weak) {
      const std::shared_ptr<Client> known = weak.lock();
      return known == nullptr || !known->connected() || known->session != nullptr;
    });
    waiting_tidy_at_ = std::max<std::size_t>(64, 2 * waiting_.size());
  }
  waiting_.push_back(client);
  attaching->client = std::move(client);
  attaching->done = std::move(done);
  const session::SessionKey key = attaching->client->key;
  parts_.directory.claim(parts_.loop, key,
                         [this, attaching](session::Claim claim) { on_claimed(attaching, std::move(claim)); });
}

void Broker::on_claimed(const std::shared_ptr<Attaching>& attaching, session::Claim claim) {
  Client& client = *attaching->client;
  attaching->epoch = claim.epoch;
  client.epoch = claim.epoch;
  attaching_[client.key] = attaching;
  if (claim.state != nullptr) {
    install(attaching, std::move(claim.state));
  } else if (client.info.kind == ClientKind::kOperator) {
    install(attaching, std::make_unique<session::Session>(client.key, client.info.rules->session));
  } else {
    parts_.store.load(client.key, parts_.executor,
                      [this, attaching](base::Result<std::optional<session::SessionRecord>> loaded) {
                        on_loaded(attaching, std::move(loaded));
                      });
  }
}

void Broker::on_loaded(const std::shared_ptr<Attaching>& attaching,
                       base::Result<std::optional<session::SessionRecord>> loaded) {
  if (attaching->evicted) return;  // its connection was told already
  Client& client = *attaching->client;
  if (!loaded) {
    base::log_error("broker", "cannot read the session of {}/{}: {}", client.info.device.product_key,
                    client.info.device.device_name, loaded.error().message);
    attaching_.erase(client.key);
    parts_.directory.release(parts_.loop, client.key, attaching->epoch);
    if (client.connected()) attaching->done(tl::unexpected(AttachError::kUnavailable));
    return;
  }
  auto state = std::make_unique<session::Session>(client.key, client.info.rules->session);
  if (loaded->has_value()) state->restore(std::move(**loaded));
  install(attaching, std::move(state));
}

void Broker::apply_clean_session(Client& client, session::Session& state) {
  if (!client.info.clean_session) return;
  state.discard_messages();
  if (client.info.rules->subscriptions_outlive_clean_session) return;
  while (!state.subscriptions().empty()) {
    const std::string filter = state.subscriptions().back().filter;
    state.unsubscribe(filter);
  }
}

void Broker::install(const std::shared_ptr<Attaching>& attaching, std::unique_ptr<session::Session> state) {
  const std::shared_ptr<Client> client = attaching->client;
  attaching_.erase(client->key);
  // What the standard calls "stored session state" existed before this connection (MQTT-3.2.2-2).
  const bool had_state = state->has_state();
  state->set_epoch(attaching->epoch);
  apply_clean_session(*client, *state);
  if (ends_stored_state(*client)) {
    parts_.store.erase(client->key, attaching->epoch, parts_.executor, [](base::Result<> erased) {
      if (!erased) base::log_error("broker", "a session that ended was not erased: {}", erased.error().message);
    });
  }

  auto owned = std::make_unique<LocalSession>();
  LocalSession& home = *owned;
  home.session = std::move(state);
  home.is_device = client->info.kind == ClientKind::kDevice;
  home.device = client->info.device;
  home.keeps_messages = !client->info.clean_session;
  home.at_publishers_qos = client->info.rules->deliver_at_publishers_qos;
  if (free_ids_.empty()) {
    home.id = static_cast<routing::SubscriberId>(by_id_.size());
    by_id_.push_back(&home);
  } else {
    home.id = free_ids_.back();
    free_ids_.pop_back();
    by_id_[home.id] = &home;
  }
  sessions_[client->key] = std::move(owned);
  if (home.is_device) {
    devices_[home.device] = &home;
    parts_.bus.add_device(home.device);
  }
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    add_route(home, subscription.filter, subscription.qos);
  }

  if (!client->connected()) {  // it left while the session was on its way
    release_if_empty(home);
    return;
  }
  home.client = client;
  client->session = &home;
  attaching->done(AttachResult{!client->info.clean_session && had_state});
  if (!client->connected()) return;
  client->last_activity_ms = parts_.clock.wall_ms();
  announce(*client, true, OfflineReason::kDeviceDisconnect);
  send_waiting(home);
}

// The standard's meaning of clean session 1: nothing of an earlier session comes back.
bool Broker::ends_stored_state(const Client& client) const {
  return client.info.kind == ClientKind::kDevice && client.info.clean_session &&
         !client.info.rules->subscriptions_outlive_clean_session;
}

void Broker::drop_subscriptions(LocalSession& home) {
  while (!home.session->subscriptions().empty()) {
    const std::string filter = home.session->subscriptions().back().filter;
    drop_route(home, filter);
    home.session->unsubscribe(filter);
  }
}

void Broker::detach(Client& client, OfflineReason reason) {
  client.sink = nullptr;
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  go_offline(client, reason);
  release_if_empty(home);
}

// The connection is gone, the session stays.
void Broker::go_offline(Client& client, OfflineReason reason) {
  LocalSession& home = *std::exchange(client.session, nullptr);
  client.sink = nullptr;
  const std::shared_ptr<Client> keep = std::move(home.client);
  home.client = nullptr;
  home.session->connection_lost();
  if (!home.keeps_messages) {
    home.session->discard_messages();
    if (!client.info.rules->subscriptions_outlive_clean_session) drop_subscriptions(home);
  }
  announce(client, false, reason);
}

void Broker::announce(const Client& client, bool online, OfflineReason reason) {
  if (client.info.kind != ClientKind::kDevice) return;
  const base::WallMs now = parts_.clock.wall_ms();
  if (online) {
    parts_.presence.on_online(client, now);
  } else {
    parts_.presence.on_offline(client, now, reason);
  }
  publish_internal(status_topic(client.info.device),
                   status_message(client, online, now, online ? now : client.last_activity_ms, reason), 0);
}

void Broker::on_evict(const session::SessionKey& key, session::EvictReason reason,
                      session::SessionDirectory::EvictDone done) {
  if (const auto found = attaching_.find(key); found != attaching_.end()) {
    const std::shared_ptr<Attaching> attaching = found->second;
    attaching_.erase(found);
    attaching->evicted = true;
    if (attaching->client->connected()) attaching->done(tl::unexpected(AttachError::kTakenOver));
    done(nullptr);
    return;
  }
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) {
    done(nullptr);
    return;
  }
  LocalSession& home = *found->second;
  if (home.client != nullptr) {
    end_connection(home, reason == session::EvictReason::kDeleted ? CloseCause::kDeleted : CloseCause::kTakenOver);
  }
  std::unique_ptr<session::Session> state = uninstall(home);
  // Other loops must have the offline status before the new owner can announce itself.
  parts_.bus.flush();
  done(std::move(state));
}

void Broker::end_connection(LocalSession& home, CloseCause cause) {
  const std::shared_ptr<Client> client = home.client;
  ClientSink* sink = client->sink;
  if (cause == CloseCause::kTakenOver && client->info.wants_notify) {
    sink->send_publish(mqtt::Message::create(kNotifyTopic, base::as_bytes(kKickNotice), 0, false), 0, false, 0);
  }
  go_offline(*client, reason_for(cause));
  sink->close(cause);
}

std::unique_ptr<session::Session> Broker::uninstall(LocalSession& home) {
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    drop_route(home, subscription.filter);
  }
  // A device of the same name that was made after this one was deleted may be here already, with its own session.
  if (const auto found = devices_.find(home.device); found != devices_.end() && found->second == &home) {
    devices_.erase(found);
    parts_.bus.drop_device(home.device);
  }
  by_id_[home.id] = nullptr;
  free_ids_.push_back(home.id);
  std::unique_ptr<session::Session> state = std::move(home.session);
  sessions_.erase(state->key());
  return state;
}

void Broker::release_if_empty(LocalSession& home) {
  if (!home.is_device || !home.session->has_state()) release(home);
}

void Broker::release(LocalSession& home) {
  const std::unique_ptr<session::Session> state = uninstall(home);
  parts_.bus.flush();  // the farewell before anybody else can be granted the session
  parts_.directory.release(parts_.loop, state->key(), state->epoch());
}

// Clients that signed in and have no session yet: what closes a device closes them, too. Without a name: the product's.
bool Broker::turn_away(std::string_view product_key, const std::string* device_name, CloseCause cause) {
  bool any = false;
  for (const std::weak_ptr<Client>& weak : waiting_) {
    const std::shared_ptr<Client> client = weak.lock();
    if (client == nullptr || !client->connected() || client->session != nullptr) continue;
    if (client->info.device.product_key != product_key) continue;
    if (device_name != nullptr && client->info.device.device_name != *device_name) continue;
    std::exchange(client->sink, nullptr)->close(cause);
    any = true;
  }
  return any;
}

bool Broker::close_device(const base::DeviceKey& device, CloseCause cause) {
  const bool turned_away = turn_away(device.product_key, &device.device_name, cause);
  const auto found = devices_.find(device);
  if (found == devices_.end()) return turned_away;
  LocalSession& home = *found->second;
  const bool connected = home.client != nullptr;
  if (connected) end_connection(home, cause);
  if (cause == CloseCause::kDeleted) {
    release(home);
  } else if (connected) {
    release_if_empty(home);
  }
  return connected || turned_away;
}

bool Broker::is_online(const base::DeviceKey& device) const {
  const auto found = devices_.find(device);
  return found != devices_.end() && found->second->client != nullptr;
}

void Broker::forget_session(const session::SessionKey& key, ForgetDone done) {
  // A claim brings the state here and the newest epoch, under which the record may be erased.
  parts_.directory.claim(parts_.loop, key, [this, key, done = std::move(done)](session::Claim claim) mutable {
    parts_.store.erase(key, claim.epoch, parts_.executor, [done = std::move(done)](base::Result<> erased) mutable {
      if (!erased) base::log_error("broker", "cannot erase a deleted device's session: {}", erased.error().message);
      done(erased.has_value());
    });
    parts_.directory.release(parts_.loop, key, claim.epoch);
  });
}

void Broker::close_product(std::string_view product_key) {
  turn_away(product_key, nullptr, CloseCause::kDeleted);
  std::vector<base::DeviceKey> devices;
  for (const auto& [device, home] : devices_) {
    if (device.product_key == product_key) devices.push_back(device);
  }
  for (const base::DeviceKey& device : devices) close_device(device, CloseCause::kDeleted);
}

}  // namespace mooring::broker
