#include "broker/broker.h"

#include <utility>

namespace mooring::broker {

Broker::Broker(const Parts& parts) : parts_(parts), up_rate_(parts.rates.up), down_rate_(parts.rates.down) {}
Broker::~Broker() = default;

void Broker::start() {
  parts_.directory.attach_loop(
      parts_.loop, parts_.executor,
      [this](const session::SessionKey& key, session::EvictReason reason, session::SessionDirectory::EvictDone done) {
        forget_here(key, reason, std::move(done));
      });
}

void Broker::restore(session::SessionRecord record, const ClientRules& rules) {
  const session::Epoch epoch = parts_.directory.adopt(parts_.loop, record.key);
  const bool was_connected = record.offline_since_ms == 0;
  const bool has_number = record.number != 0;
  if (!has_number) record.number = epoch;
  const base::WallMs now = parts_.clock.wall_ms();
  auto state = std::make_unique<session::Session>(std::move(record), epoch, rules.session, &queued_);
  state->set_epoch(epoch);
  LocalSession& home = install(std::move(state));
  session::Session& session = *home.session;
  const auto device = session::device_of_key(session.key());
  const bool is_device = device.has_value();
  if (device) set_device(home, *device);
  home.at_publishers_qos = rules.deliver_at_publishers_qos;
  home.max_qos = rules.max_qos;
  home.device_scope = is_device && rules.subscriptions_outlive_clean_session;
  home.reached_unasked = is_device && rules.reached_unasked;
  home.rules = &rules;
  set_lasting(home, true);
  home.recorded = LocalSession::Recorded::of(session);
  home.recorded.any = home.record_confirmed = has_number;
  session.saved(session.revision());
  for (const session::SubscriptionRecord& subscription : session.subscriptions()) add_route(home, subscription);
  // Its connection ended with the server.
  if (was_connected) session.offline_since_ms = now;
  if (session.expiry_s != mqtt::kNeverExpires) {
    home.expires_at_ms = session.offline_since_ms + std::int64_t{session.expiry_s} * 1000;
  }
  if (session.will != nullptr) {
    home.will_at_ms = session.offline_since_ms + std::int64_t{session.will->delay_s} * 1000;
  }
  schedule(home);
  save_if_changed(home);
}

void Broker::shut_down() {
  for (const auto& home : sessions_) {
    if (home->client == nullptr) continue;
    home->client->session = nullptr;
    home->client->sink = nullptr;
  }
  retries_.clear();
  shares_.clear();
  devices_.clear();
  numbers_.clear();
  sessions_.clear();
}

void Broker::restore_received(session::SessionNumber number, std::uint16_t packet_id) {
  LocalSession* home = find(number);
  if (home != nullptr) home->session->set_received(packet_id, session::Session::Received::kTaken);
}

LocalSession* Broker::find(session::SessionNumber number) {
  const auto found = numbers_.find(number);
  return found == numbers_.end() ? nullptr : found->second;
}

void Broker::on_remote_interest(routing::LoopId loop, std::string_view filter, bool added) {
  if (added) {
    remote_trie_.insert(filter, loop, {});
  } else {
    remote_trie_.erase(filter, loop);
  }
}

std::string_view to_text(OfflineReason reason) {
  switch (reason) {
    case OfflineReason::kDeviceDisconnect:
      return "Device disconnect";
    case OfflineReason::kConnectionReset:
      return "Connection reset by peer";
    case OfflineReason::kConnectionError:
      return "Connection occurs exception";
    case OfflineReason::kKeepAliveTimeout:
      return "Keepalive timeout";
    case OfflineReason::kKickedBySameDevice:
      return "Kicked by the same device";
    case OfflineReason::kDisabled:
      return "Device disabled";
    case OfflineReason::kDeleted:
      return "Device deleted";
    case OfflineReason::kKicked:
      return "Kicked by an operator";
    case OfflineReason::kTooSlow:
      return "Device reads too slowly";
    case OfflineReason::kServerStopped:
      return "Server stopped";
    case OfflineReason::kGatewayOffline:
      return "gateway offline";
    case OfflineReason::kTopologyGone:
      return "Removed from the gateway";
  }
  return "";
}

}  // namespace mooring::broker
