#include "gateway/pending_connect.h"

#include <algorithm>

#include "base/text.h"
#include "mqtt/property_block.h"

namespace mooring::gateway {
namespace {

constexpr std::size_t kUserNameBytesShown = 128;

std::unique_ptr<session::WillRecord> will_of(const mqtt::Connect& packet) {
  if (!packet.will) return nullptr;
  auto will = std::make_unique<session::WillRecord>();
  will->topic = packet.will->topic;
  will->payload.assign(packet.will->payload.begin(), packet.will->payload.end());
  mqtt::forwarded_properties(packet.will->properties, will->properties);
  will->qos = packet.will->qos;
  will->retain = packet.will->retain;
  will->delay_s = packet.will->delay_s;
  if (const auto expiry = packet.will->message_expiry_s) will->message_expiry_s = std::max(*expiry, 1U);
  return will;
}

}  // namespace

PendingConnect::~PendingConnect() {
  if (!body.empty()) ::explicit_bzero(body.data(), body.size());
}

PendingConnect::PendingConnect(const mqtt::Connect& packet, std::uint64_t connect_arrival)
    : version(packet.version),
      user_name(packet.username ? base::printable(*packet.username, kUserNameBytesShown) : std::string()),
      client_id(packet.client_id),
      clean_session(packet.clean_session),
      keep_alive_s(packet.keep_alive_s),
      connect_bytes(static_cast<std::uint32_t>(packet.body.size())),
      arrival(connect_arrival),
      granted_keep_alive_s(packet.keep_alive_s),
      wanted_expiry_s(packet.session_expiry_s),
      receive_maximum(packet.receive_maximum),
      maximum_packet_bytes(packet.maximum_packet_bytes),
      topic_alias_maximum(packet.topic_alias_maximum),
      will(will_of(packet)) {}

bool PendingConnect::lacks_client_id() const {
  if (!client_id.empty() || version == mqtt::Version::k5) return false;
  return !clean_session || version == mqtt::Version::k31;
}

std::uint32_t PendingConnect::session_expiry_s(const broker::ClientRules& rules) const {
  const std::uint32_t most = std::min(rules.max_session_expiry_s, expiry_max_s);
  if (version == mqtt::Version::k5) return std::min(wanted_expiry_s, most);
  return clean_session ? 0 : most;
}

mqtt::ConnackProperties PendingConnect::announce(const broker::ClientRules& rules, std::uint32_t packet_bytes,
                                                 std::uint16_t alias_maximum) const {
  mqtt::ConnackProperties out;
  if (const std::uint32_t granted = session_expiry_s(rules); granted != wanted_expiry_s) out.session_expiry_s = granted;
  out.receive_maximum = rules.max_received_in_flight;
  out.maximum_qos = rules.max_qos;
  out.retain_available = rules.retain_available;
  out.maximum_packet_bytes = packet_bytes;
  if (assigned) out.assigned_client_identifier = client_id;
  out.topic_alias_maximum = alias_maximum;
  out.shared_subscription_available = rules.shared_available;
  if (granted_keep_alive_s != keep_alive_s) out.server_keep_alive_s = granted_keep_alive_s;
  return out;
}

}  // namespace mooring::gateway
