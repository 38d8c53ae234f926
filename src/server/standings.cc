#include "server/standings.h"

#include <algorithm>

namespace mooring::server {
namespace {

constexpr std::uint16_t kTopicAliasMaximum = 32;
constexpr std::uint32_t kDeviceSessionExpiryS = 604'800;    // connection.md 8: capped at 7 days
constexpr std::size_t kStandardFiltersPerSubscribe = 1000;  // bounds what one packet costs
constexpr std::size_t kStandardControlBytes = 512 * 1024;   // SUBSCRIBE with filters of 65,535 bytes
constexpr std::uint32_t kLargestHeadBytes = 128 * 1024;     // of a PUBLISH of MQTT 5, before its payload

// What every client's packets have in common. Packets other than PUBLISH are small.
mqtt::Limits packet_limits(const Options& options, std::size_t control_bytes) {
  mqtt::Limits limits;
  limits.max_connect_bytes = options.mqtt.max_connect_bytes;
  limits.max_packet_bytes = control_bytes;
  limits.topic_alias_maximum = kTopicAliasMaximum;
  return limits;
}

// connection.md 6 to 8.
gateway::Standing device_standing(const Options& options) {
  gateway::Standing standing;
  standing.packets = packet_limits(options, std::min<std::size_t>(options.mqtt.max_packet_bytes, 64 * 1024));
  standing.packets.max_payload_bytes = options.mqtt.max_payload_bytes;
  standing.packets.max_discarded_payload_bytes =
      std::max(options.mqtt.discard_payload_bytes, options.mqtt.max_payload_bytes);
  standing.packets.max_qos = 1;
  standing.packets.retain_available = false;
  standing.packets.tolerates_unsubscribe_flags = true;

  broker::ClientRules& rules = standing.rules;
  rules.max_filters_per_subscribe = options.limits.filters_per_subscribe;
  rules.max_subscriptions = options.limits.subscriptions_per_device;
  rules.under_instance_rates = true;
  rules.max_qos0_publishes_per_s = options.limits.qos0_publishes_per_device_per_second;
  rules.max_qos1_publishes_per_s = options.limits.qos1_publishes_per_device_per_second;
  rules.max_deliveries_per_s = options.limits.deliveries_per_device_per_second;
  rules.max_session_requests_per_s = options.limits.child_logins_per_gateway_per_second;
  standing.max_input_bytes_per_s = options.limits.bytes_per_second_per_connection;
  rules.subscriptions_outlive_clean_session = options.session.subscription_scope == SubscriptionScope::kDevice;
  const auto in_flight = static_cast<std::uint16_t>(std::min(options.mqtt.max_in_flight, 65'535U));
  rules.max_received_in_flight = in_flight;
  rules.max_session_expiry_s = kDeviceSessionExpiryS;
  rules.max_message_age_s = options.mqtt.max_message_age_s;
  rules.session.max_in_flight = in_flight;
  rules.session.max_queued_messages = options.mqtt.max_queued_messages;
  rules.session.max_queued_bytes = options.mqtt.max_queued_bytes;
  return standing;
}

// A client of the MQTT standard.
gateway::Standing standard_standing(const Options& options) {
  gateway::Standing standing;
  standing.packets = packet_limits(options, kStandardControlBytes);
  standing.packets.max_payload_bytes = options.mqtt.account_payload_bytes;
  standing.packets.max_discarded_payload_bytes = options.mqtt.account_payload_bytes;
  standing.packets.max_qos = 2;
  standing.packets.tolerates_unsubscribe_flags = false;

  broker::ClientRules& rules = standing.rules;
  rules = device_standing(options).rules;
  rules.max_filters_per_subscribe = kStandardFiltersPerSubscribe;
  rules.max_subscriptions = options.limits.subscriptions_per_account_session;
  rules.max_qos = 2;
  rules.retain_available = true;
  rules.shared_available = true;
  rules.wills_available = true;
  rules.max_session_expiry_s = options.session.max_expiry_s;
  rules.deliver_at_publishers_qos = false;
  rules.subscriptions_outlive_clean_session = false;
  rules.reached_unasked = false;
  rules.under_instance_rates = false;
  rules.max_qos0_publishes_per_s = 0;
  rules.max_qos1_publishes_per_s = 0;
  rules.max_deliveries_per_s = 0;
  return standing;
}

// Clients of accounts and tickets spread evenly over the loops.
std::size_t share_of(std::size_t sessions, session::LoopId loops) {
  const std::size_t parts = std::max<std::size_t>(loops, 1);
  return (sessions + parts - 1) / parts;
}

}  // namespace

void set_standings(const Options& options, gateway::MqttServices& services) {
  services.stranger_limits = packet_limits(options, 0);
  services.topic_limits = {options.limits.topic_bytes, options.limits.topic_slashes};
  services.max_frame_bytes = std::max({options.mqtt.max_packet_bytes, options.mqtt.max_connect_bytes,
                                       options.mqtt.account_payload_bytes + kLargestHeadBytes});
  services.device = device_standing(options);

  services.account = standard_standing(options);
  services.account.rules.max_lasting_sessions = share_of(options.limits.sessions_per_account, services.loops);

  services.account_ticket = services.account;
  services.account_ticket.rules.max_subscriptions = options.limits.subscriptions_per_device;
  services.account_ticket.rules.max_lasting_sessions = share_of(options.limits.sessions_per_ticket, services.loops);

  services.device_ticket = services.account_ticket;
  services.device_ticket.rules.retain_available = false;
  services.device_ticket.packets.retain_available = false;

  services.standard_device = services.account;
  services.standard_device.rules.standard_device = true;
  services.standard_device.rules.max_subscriptions = options.limits.subscriptions_per_device;

  services.local_operator = services.account;
  services.local_operator.rules.max_subscriptions = 0;
}

}  // namespace mooring::server
