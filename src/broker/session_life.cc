// What happens to a session when its connection ends, and with time: going offline, wills, expiry, the stored record.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/broker.h"
#include "broker/status_message.h"

namespace mooring::broker {
namespace {

constexpr std::size_t kMaxDuePerTick = 1000;  // sessions that end or publish their will
constexpr std::size_t kMaxExpiredRetained = 1000;

}  // namespace

void Broker::detach(Client& client, OfflineReason reason) {
  client.sink = nullptr;
  if (client.session == nullptr) return;
  go_offline(client, reason);
}

// The connection is gone; what becomes of the session is settled last, for it may end with it.
void Broker::go_offline(Client& client, OfflineReason reason) {
  LocalSession& home = *std::exchange(client.session, nullptr);
  client.sink = nullptr;
  const std::shared_ptr<Client> keep = std::move(home.client);
  home.client = nullptr;
  --counters_.connected;
  if (home.is_device) --counters_.devices_connected;
  session::Session& state = *home.session;
  state.connection_lost();
  set_shares_online(home, false);
  client.replays.clear();
  if (reason == OfflineReason::kDeviceDisconnect && !client.wants_will) state.will = nullptr;  // [MQTT-3.14.4-3]
  announce(client, false, reason);
  if (client.dependents != nullptr) client.dependents->end();
  settle_offline(home, client);
}

void Broker::settle_offline(LocalSession& home, Client& client) {
  session::Session& state = *home.session;
  const base::WallMs now = parts_.clock.wall_ms();
  const ClientRules& rules = *client.info.rules;
  const bool was_durable = state.durable();
  state.offline_since_ms = now;
  state.set_durable(was_durable && client.session_expiry_s > 0);
  if (!rules.subscriptions_outlive_clean_session) state.expiry_s = client.session_expiry_s;
  if (!state.durable()) {
    state.discard_messages();
    if (was_durable) drop_stored(home);
  }
  // The will is published after its delay, or when the session ends, whatever comes first [MQTT-3.1.2-8].
  home.will_at_ms = 0;
  if (state.will != nullptr && state.will->delay_s > 0 && state.expiry_s > 0) {
    home.will_at_ms = now + std::int64_t{state.will->delay_s} * 1000;
  } else {
    publish_will(home);
  }
  const bool lives_on = home.device_scope ? state.has_state() : state.durable();
  if (!lives_on) {
    end_session(home);
    return;
  }
  home.expires_at_ms = state.expiry_s == mqtt::kNeverExpires ? 0 : now + std::int64_t{state.expiry_s} * 1000;
  schedule(home);
  save_if_changed(home);
}

// Everything stored of its messages. What comes later belongs to another number, for nothing of a number comes back.
void Broker::drop_stored(LocalSession& home) {
  session::Session& state = *home.session;
  parts_.store.drop_queue(state.number());
  numbers_.erase(state.number());
  auto will = std::move(state.will);
  state.restart(parts_.directory.adopt(parts_.loop, state.key()), false);
  state.will = std::move(will);
  state.set_epoch(state.number());
  begin_number(home);
  numbers_[state.number()] = &home;
}

void Broker::announce(Client& client, bool online, OfflineReason reason) {
  if (!client.is_device()) return;
  const base::WallMs now = parts_.clock.wall_ms();
  if (online) {
    parts_.presence.on_online(client, now);
    client.facts.reset();
  } else {
    report_throttled(client.device().copy(), &client, client.over_rate, "publish-rate", client.over_rate_limit, {});
    parts_.presence.on_offline(client, now, reason);
  }
  const std::string topic = status_topic(client.device());
  if (!find_receivers(topic)) return;
  send_internal(topic, status_message(client, online, now, online ? now : client.last_activity_ms, reason), 0, false);
}

// What a client can repeat as fast as it likes: the first ten one by one, then in hundreds.
void Broker::report_repeat(const Client& client, std::uint64_t so_far, Incident incident) {
  if (!client.is_device() || (so_far > 10 && so_far % 100 != 10)) return;
  incident.count = so_far > 10 ? 100 : 1;
  parts_.presence.on_incident(client.device().copy(), &client, incident);
}

// Nothing of it stays, here or in the store.
void Broker::end_session(LocalSession& home) {
  publish_will(home);
  if (home.recorded.any) {
    parts_.store.erase(home.session->key(), home.session->number(), home.session->epoch(), parts_.executor,
                       [](base::Result<> erased) {
                         if (!erased) {
                           base::log_error("broker", "a session that ended was not erased: {}", erased.error().message);
                         }
                       });
  }
  leave_memory(home);
}

void Broker::leave_memory(LocalSession& home) {
  const session::SessionKey key = home.session->key();
  const session::Epoch epoch = home.session->epoch();
  uninstall(home);
  parts_.directory.release(parts_.loop, key, epoch);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

namespace {

base::WallMs due_at(const LocalSession& home) {
  if (home.will_at_ms == 0) return home.expires_at_ms;
  if (home.expires_at_ms == 0) return home.will_at_ms;
  return std::min(home.will_at_ms, home.expires_at_ms);
}

}  // namespace

void Broker::schedule(LocalSession& home) {
  if (const base::WallMs at = due_at(home); at != 0) due_.emplace(at, home.session->number());
}

void Broker::unschedule(LocalSession& home) {
  if (const base::WallMs at = due_at(home); at != 0) due_.erase({at, home.session->number()});
  home.will_at_ms = 0;
  home.expires_at_ms = 0;
}

void Broker::tick() {
  const base::WallMs now = parts_.clock.wall_ms();
  for (std::size_t i = 0; i < kMaxDuePerTick && !due_.empty() && due_.begin()->first <= now; ++i) {
    const session::SessionNumber number = due_.begin()->second;
    due_.erase(due_.begin());
    LocalSession* home = find(number);
    if (home == nullptr || home->client != nullptr) continue;
    if (end_if_due(*home)) continue;
    home->will_at_ms = 0;
    schedule(*home);
    save_if_changed(*home);
  }
  auto retries = std::move(retries_);
  retries_.clear();
  for (auto& call : retries) call();
  if (parts_.loop != 0) return;
  parts_.retained.remove_expired(now, kMaxExpiredRetained, [this](std::string_view topic) {
    parts_.store.save_retained(mqtt::Message::create(topic, {}, 0, true), true, parts_.executor, [](base::Result<>) {});
  });
}

void Broker::publish_will(LocalSession& home) {
  const auto will = std::move(home.session->will);
  if (will == nullptr) return;
  mqtt::MessageFields fields;
  fields.qos = will->qos;
  fields.retain = will->retain;
  fields.publisher = home.session->number();
  fields.properties = will->properties;
  if (will->message_expiry_s != 0) {
    fields.expires_at_ms = parts_.clock.wall_ms() + std::int64_t{will->message_expiry_s} * 1000;
  }
  ++counters_.published;
  Flow flow;
  match(will->topic, {fields.publisher, false});
  flow.message = mqtt::Message::create(will->topic, will->payload, fields);
  if (will->retain) retain(flow);
  route(flow);
  finish(flow);
}

// ---- The stored record ----------------------------------------------------------------------------------------------

LocalSession::Recorded LocalSession::Recorded::of(const session::Session& state) {
  return {true,           state.durable(), state.will != nullptr, state.standard_device,
          state.expiry_s, state.number(),  state.offline_since_ms};
}

// A device without subscriptions and messages would lose nothing.
bool Broker::wants_record(const LocalSession& home) const {
  return home.device_scope ? home.session->has_state() : home.session->durable();
}

// A device that comes and goes writes nothing: its session never expires, and its subscriptions are there.
void Broker::save_if_changed(LocalSession& home) {
  const session::Session& state = *home.session;
  if (!wants_record(home)) {
    if (!home.recorded.any) return;
    const session::SessionNumber number = std::exchange(home.recorded, {}).number;
    parts_.store.erase(state.key(), number, state.epoch(), parts_.executor, [](base::Result<> erased) {
      if (!erased) base::log_error("broker", "a session that ended was not erased: {}", erased.error().message);
    });
    if (number == state.number()) drop_stored(home);  // it may have messages again, under another number
    return;
  }
  const bool has_will = state.will != nullptr;
  const bool time_matters = state.expiry_s != mqtt::kNeverExpires || has_will;
  const LocalSession::Recorded& known = home.recorded;
  // A number is what messages are kept under. Where none are kept the older one in the record serves as well: a device
  // that connects with clean session has a new one each time, and its subscriptions are the same. But a save of an
  // older number that failed, or may yet fail, is nobody's any more.
  const bool number_matters = state.durable() || !home.record_confirmed;
  if (known.any && known.durable == state.durable() && (known.number == state.number() || !number_matters) &&
      known.expiry_s == state.expiry_s && known.has_will == has_will && !has_will &&
      known.standard_device == state.standard_device &&
      (!time_matters || known.offline_since_ms == state.offline_since_ms)) {
    return;
  }
  save_now(home);
}

// Before each save: what it will have stored.
void Broker::note_save(LocalSession& home) {
  home.recorded = LocalSession::Recorded::of(*home.session);
  home.record_confirmed = false;
  ++home.saves_under_way;
}

// When it has answered; null: its number is gone.
LocalSession* Broker::note_saved(session::SessionNumber number, std::uint64_t revision, bool saved) {
  LocalSession* const found = find(number);
  if (found == nullptr) return nullptr;
  --found->saves_under_way;
  if (saved) {
    found->session->saved(revision);
    found->record_confirmed = found->saves_under_way == 0;
  }
  return found;
}

void Broker::save_now(LocalSession& home) {
  const session::Session& state = *home.session;
  note_save(home);
  parts_.store.save(state.record(), state.epoch(), parts_.executor,
                    [this, number = state.number(), revision = state.revision()](base::Result<> saved) {
                      note_saved(number, revision, saved.has_value());
                      if (saved) return;
                      base::log_error("broker", "a session was not stored: {}", saved.error().message);
                      save_later(number);
                    });
}

void Broker::save_later(session::SessionNumber number) {
  retry_later([this, number] {
    LocalSession* again = find(number);
    if (again != nullptr && (again->recorded.any || wants_record(*again))) save_now(*again);
  });
}

// What the store still says of the session's last number finds nobody.
void Broker::begin_number(LocalSession& home) {
  home.awaited.clear();
  home.saves_under_way = 0;
}

}  // namespace mooring::broker
