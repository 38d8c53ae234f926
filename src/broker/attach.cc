// How a client gets its session: claim, take-over, new or resumed; and how a session leaves this loop for good.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"

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
    case CloseCause::kRevoked:
      return OfflineReason::kKicked;
    case CloseCause::kTooSlow:
      return OfflineReason::kTooSlow;
    case CloseCause::kTopologyGone:
      return OfflineReason::kTopologyGone;
    case CloseCause::kReceiveMaximum:
    case CloseCause::kProtocolError:
    case CloseCause::kStoreFailed:
      return OfflineReason::kConnectionError;
  }
  return OfflineReason::kKicked;
}

}  // namespace

void Broker::attach(std::shared_ptr<Client> client, AttachDone done) {
  if (waiting_.size() >= waiting_tidy_at_) {
    std::erase_if(waiting_, [](const std::weak_ptr<Client>& weak) {
      const std::shared_ptr<Client> known = weak.lock();
      return known == nullptr || !known->connected() || known->session != nullptr;
    });
    waiting_tidy_at_ = std::max<std::size_t>(64, 2 * waiting_.size());
  }
  waiting_.push_back(client);
  session::SessionKey key(client->key());
  parts_.directory.claim(parts_.loop, std::move(key),
                         [this, client = std::move(client), done = std::move(done)](session::Claim claim) mutable {
                           on_claimed(client, done, claim.epoch);
                         });
}

void Broker::on_claimed(const std::shared_ptr<Client>& client, AttachDone& done, session::Epoch epoch) {
  client->epoch = epoch;
  auto found = sessions_.find(client->key());
  const bool existed = found != sessions_.end();
  if (!client->connected()) {  // it left while the claim was under way
    if (existed) {
      (*found)->session->set_epoch(epoch);
    } else {
      parts_.directory.release(parts_.loop, session::SessionKey(client->key()), epoch);
    }
    return;
  }
  if (existed) {
    LocalSession& home = **found;
    home.session->set_epoch(epoch);
    // The sign-in of an older connection may have taken longer, or it waited on a busy loop: it must not displace the
    // one that its client uses by now.
    const Client* const there = home.client != nullptr ? home.client.get() : home.joining.get();
    if (there != nullptr && there->connected() && there->info.arrival > client->info.arrival) {
      done(tl::unexpected(AttachError::kTakenOver));
      return;
    }
    if (home.client == nullptr) {
      end_if_due(home);
    } else if (!home.client->sink->tell_end()) {  // who left and is back displaces nobody
      end_connection(home, CloseCause::kTakenOver);
    }
    found = sessions_.find(client->key());  // it may have ended with its connection, or with time
  }
  if (found != sessions_.end()) {
    begin_connection(**found, client, done, true);
    return;
  }
  const std::size_t bound = client->info.rules->max_lasting_sessions;
  if (bound != 0 && client->info.kind == ClientKind::kAccount && client->info.session_expiry_s > 0) {
    const auto count = lasting_sessions_.find(std::string(client->account()));
    if (count != lasting_sessions_.end() && count->second >= bound) {
      parts_.directory.release(parts_.loop, session::SessionKey(client->key()), epoch);
      done(tl::unexpected(AttachError::kTooManySessions));
      return;
    }
  }
  auto state = std::make_unique<session::Session>(session::SessionKey(client->key()), epoch, epoch,
                                                  client->info.rules->session, &queued_);
  state->set_epoch(epoch);
  LocalSession& home = install(std::move(state));
  if (client->is_device()) set_device(home, client->device());
  begin_connection(home, client, done, false);
}

void Broker::begin_connection(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done,
                              bool existed) {
  const ClientRules& rules = *client->info.rules;
  session::Session& state = *home.session;
  home.rules = &rules;
  home.joining = nullptr;  // whoever it is finds out when the store has answered
  set_lasting(home, client->info.session_expiry_s > 0);
  home.device_scope = client->is_device() && rules.subscriptions_outlive_clean_session;
  const bool unasked = client->is_device() && rules.reached_unasked;
  if (std::exchange(home.reached_unasked, unasked) != unasked && home.is_device) {
    device_versions_.change(DeviceVersions::slot_of(base::DeviceKeyHash{}(home.device())));
  }
  unschedule(home);
  const bool present = resume_or_restart(home, *client, existed);

  session::SessionLimits limits = rules.session;
  if (client->info.receive_maximum != 0)
    limits.max_in_flight = std::min(limits.max_in_flight, client->info.receive_maximum);
  state.set_limits(limits);
  // What a resumed session has in the store is delivered even if the session is to end with this connection.
  const bool has_stored = present && state.durable();
  state.set_durable((client->info.session_expiry_s > 0 || has_stored) && client->info.kind != ClientKind::kOperator);
  state.expiry_s = rules.subscriptions_outlive_clean_session ? mqtt::kNeverExpires : client->info.session_expiry_s;
  state.offline_since_ms = 0;
  state.standard_device = rules.standard_device;
  home.at_publishers_qos = rules.deliver_at_publishers_qos;
  home.max_qos = rules.max_qos;
  // Its permissions may have been others when it subscribed.
  const bool narrowed = client->info.kind != ClientKind::kOperator && drop_forbidden(home, *client->authorizer);
  const bool automatic = client->info.auto_subscribe && home.reached_unasked;
  if (automatic && state.give_automatic()) home.automatic_unsaved = true;
  // The device relies on them from CONNACK on, as on what a SUBACK grants (connection.md 6.6).
  if (automatic && home.automatic_unsaved && wants_record(home)) {
    connect_when_saved(home, client, done, present);
  } else {
    connect(home, client, done, present, narrowed);
  }
}

// Until the store has the automatic subscriptions the device is away: what comes for it waits, or is lost, as ever.
void Broker::connect_when_saved(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done,
                                bool present) {
  const session::Session& state = *home.session;
  home.joining = client;
  note_save(home);
  parts_.store.save(state.record(), state.epoch(), parts_.executor,
                    [this, client, number = state.number(), revision = state.revision(), present,
                     done = std::move(done)](base::Result<> saved) mutable {
                      LocalSession* const still = note_saved(number, revision, saved.has_value());
                      if (still != nullptr && saved) still->automatic_unsaved = false;
                      if (!saved) {
                        base::log_error("broker", "the automatic subscriptions of {} were not stored: {}",
                                        client->label(), saved.error().message);
                      }
                      if (still != nullptr && still->joining == client) {
                        still->joining = nullptr;
                        on_joined(*still, client, done, present, saved.has_value());
                        return;
                      }
                      // Another connection has the session, which itself waited if it had to; or there is none any
                      // more.
                      if (!saved && still != nullptr) save_later(number);
                      if (client->connected()) done(tl::unexpected(AttachError::kTakenOver));
                    });
}

void Broker::on_joined(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool present,
                       bool saved) {
  if (saved && client->connected()) {
    connect(home, client, done, present, false);
    return;
  }
  if (!saved) {
    home.session->take_automatic();
    home.automatic_unsaved = false;
  }
  const session::Session& state = *home.session;
  const session::SessionNumber number = state.number();
  // It was never told that the session is its own to end: what the session holds, it keeps.
  client->session_expiry_s = std::max(client->info.session_expiry_s, state.durable() ? state.expiry_s : 0);
  settle_offline(home, *client);
  // It was noted as stored, and is not.
  if (!saved && find(number) != nullptr) save_later(number);
  if (client->connected()) done(tl::unexpected(AttachError::kUnavailable));
}

void Broker::connect(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool present,
                     bool narrowed) {
  session::Session& state = *home.session;
  state.will = client->info.rules->wills_available ? std::move(client->will) : nullptr;
  state.connection_made();
  home.client = client;
  client->session = &home;
  client->number = ++last_client_;
  client->session_expiry_s = client->info.session_expiry_s;
  ++counters_.connected;
  if (home.is_device) ++counters_.devices_connected;
  set_shares_online(home, true);
  if (narrowed && wants_record(home)) {
    save_now(home);
  } else {
    save_if_changed(home);
  }

  done(AttachResult{present});
  if (!client->connected()) return;
  client->last_activity_ms = parts_.clock.wall_ms();
  announce(*client, true, OfflineReason::kDeviceDisconnect);
  send_waiting(home);
}

// What should have happened by now, if the clock had been looked at. True: the session has ended.
bool Broker::end_if_due(LocalSession& home) {
  const base::WallMs now = parts_.clock.wall_ms();
  if (home.expires_at_ms != 0 && home.expires_at_ms <= now) {
    end_session(home);
    return true;
  }
  if (home.will_at_ms != 0 && home.will_at_ms <= now) publish_will(home);
  return false;
}

// Whether the client finds its session again [MQTT-3.2.2-2, -3].
bool Broker::resume_or_restart(LocalSession& home, Client& client, bool existed) {
  session::Session& state = *home.session;
  if (!client.info.clean_session) {
    state.will = nullptr;  // it came back before its will was due [MQTT-3.1.3-9]
    // A device's subscriptions alone are not what the standard calls a session; see connection.md 6.3.
    return existed && (!home.device_scope || state.has_state());
  }
  if (!existed) return false;
  publish_will(home);  // the old session ends here
  const bool subscriptions_too = !client.info.rules->subscriptions_outlive_clean_session;
  if (subscriptions_too) drop_subscriptions(home);
  if (state.durable() || home.recorded.durable) parts_.store.drop_queue(state.number());
  numbers_.erase(state.number());
  state.restart(client.epoch, subscriptions_too);
  begin_number(home);
  numbers_[state.number()] = &home;
  return false;
}

LocalSession& Broker::install(std::unique_ptr<session::Session> state) {
  auto owned = std::make_unique<LocalSession>();
  LocalSession& home = *owned;
  home.session = std::move(state);
  if (free_ids_.empty()) {
    home.id = static_cast<routing::SubscriberId>(by_id_.size());
    by_id_.push_back(&home);
  } else {
    home.id = free_ids_.back();
    free_ids_.pop_back();
    by_id_[home.id] = &home;
  }
  numbers_[home.session->number()] = &home;
  const std::size_t hash = BySessionKey{}(home.key());
  const bool is_new = sessions_.insert({std::move(owned), hash}).second;
  MOORING_ASSERT(is_new);
  return home;
}

void Broker::set_device(LocalSession& home, const base::DeviceKeyView& device) {
  home.is_device = true;
  home.product_key_bytes = static_cast<std::uint16_t>(device.product_key.size());
  home.device_name_bytes = static_cast<std::uint16_t>(device.device_name.size());
  MOORING_ASSERT(home.device() == device);
  // Of a device of the same name that was deleted the session may still be here.
  if (const auto found = devices_.find(home.device()); found != devices_.end()) devices_.erase(found);
  const std::size_t hash = ByDevice{}(home.device());
  devices_.insert({&home, hash});
  device_versions_.change(DeviceVersions::slot_of(hash));
}

void Broker::drop_subscriptions(LocalSession& home) {
  while (!home.session->subscriptions().empty()) {
    const std::string filter = home.session->subscriptions().back().filter;
    drop_route(home, filter);
    home.session->unsubscribe(filter);
  }
}

void Broker::end_connection(LocalSession& home, CloseCause cause) {
  const std::shared_ptr<Client> client = home.client;
  ClientSink* sink = client->sink;
  if (cause == CloseCause::kTakenOver && client->info.wants_notify) {
    const auto notice = mqtt::Message::create(kNotifyTopic, base::as_bytes(kKickNotice), 0, false);
    sink->send_publish({notice, 0, false, false, 0, {}});
  }
  sink->close(cause);
  go_offline(*client, reason_for(cause));
}

// Takes the session out of this loop. What is stored is left alone.
void Broker::uninstall(LocalSession& home) {
  unschedule(home);
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    drop_route(home, subscription.filter);
  }
  // A device of the same name that was made after this one was deleted may be here already, with its own session.
  if (home.is_device) {
    if (const auto found = devices_.find(home.device()); found != devices_.end() && found->get() == &home) {
      devices_.erase(found);
      device_versions_.change(DeviceVersions::slot_of(base::DeviceKeyHash{}(home.device())));
    }
  }
  by_id_[home.id] = nullptr;
  free_ids_.push_back(home.id);
  numbers_.erase(home.session->number());
  set_lasting(home, false);
  sessions_.erase(sessions_.find(home.key()));
}

// Clients that signed in and have no session yet: what closes a client's connection closes theirs, too.
bool Broker::turn_away(const std::function<bool(const Client&)>& is_meant, CloseCause cause) {
  bool any = false;
  for (const std::weak_ptr<Client>& weak : waiting_) {
    const std::shared_ptr<Client> client = weak.lock();
    if (client == nullptr || !client->connected() || client->session != nullptr || !is_meant(*client)) continue;
    std::exchange(client->sink, nullptr)->close(cause);
    any = true;
  }
  return any;
}

bool Broker::close_device(const base::DeviceKey& device, CloseCause cause) {
  const bool turned_away = turn_away(
      [&](const Client& client) { return client.is_device() && client.device() == base::DeviceKeyView(device); },
      cause);
  const auto found = devices_.find(device);
  if (found == devices_.end()) return turned_away;
  LocalSession& home = **found;
  const session::SessionKey key = home.key();
  const bool connected = home.client != nullptr;
  if (connected) end_connection(home, cause);
  if (cause == CloseCause::kDeleted) {
    if (const auto left = sessions_.find(key); left != sessions_.end()) leave_memory(**left);
  }
  return connected || turned_away;
}

void Broker::close_client(Client& client, CloseCause cause) {
  if (client.connected() && client.session != nullptr) end_connection(*client.session, cause);
}

bool Broker::is_online(const base::DeviceKey& device) const {
  const auto found = devices_.find(device);
  return found != devices_.end() && (*found)->client != nullptr;
}

void Broker::close_product(std::string_view product_key) {
  turn_away([&](const Client& client) { return client.device().product_key == product_key; }, CloseCause::kDeleted);
  for (const base::DeviceKey& device : devices_of(product_key)) close_device(device, CloseCause::kDeleted);
}

void Broker::close_certificates(const IsMeantTrail& is_meant, CloseCause cause) {
  const auto concerns = [&](const Client& client) {
    return client.info.certificate != nullptr && is_meant(*client.info.certificate);
  };
  turn_away(concerns, cause);
  std::vector<base::DeviceKey> devices;
  for (const HashedDevice& home : devices_) {
    if (home->client != nullptr && concerns(*home->client)) devices.push_back(home->client->device().copy());
  }
  for (const base::DeviceKey& device : devices) close_device(device, cause);
}

void Broker::forget_session(const session::SessionKey& key, ForgetDone done) {
  parts_.directory.evict(parts_.loop, key, session::EvictReason::kDeleted, std::move(done));
}

// On the home loop of `key`.
void Broker::forget_here(const session::SessionKey& key, session::EvictReason reason, ForgetDone done) {
  session::SessionNumber number = 0;
  session::Epoch epoch = parts_.directory.adopt(parts_.loop, key);
  if (const auto found = sessions_.find(key); found != sessions_.end()) {
    if ((*found)->client != nullptr) {
      end_connection(**found, reason == session::EvictReason::kDisabled ? CloseCause::kDisabled
                              : reason == session::EvictReason::kKicked ? CloseCause::kKicked
                                                                        : CloseCause::kDeleted);
    }
    if (const auto left = sessions_.find(key); left != sessions_.end()) {
      number = (*left)->session->number();
      (*left)->session->set_epoch(epoch);
      uninstall(**left);
    }
  }
  parts_.store.erase(key, number, epoch, parts_.executor, [done = std::move(done)](base::Result<> erased) mutable {
    if (!erased) base::log_error("broker", "cannot erase a session: {}", erased.error().message);
    done(erased.has_value());
  });
}

}  // namespace mooring::broker
