#include "server/module_settings.h"

#include <algorithm>

namespace mooring::server {

storage::Durability durability_of(DurabilityMode mode) {
  switch (mode) {
    case DurabilityMode::kDisk:
      return storage::Durability::kDisk;
    case DurabilityMode::kProcess:
      return storage::Durability::kProcess;
    case DurabilityMode::kMemory:
      return storage::Durability::kMemory;
  }
  return storage::Durability::kDisk;
}

api::AdminSettings admin_settings(const Options& options) {
  return {options.limits.ticket_lifetime_s,
          options.limits.tickets_per_holder,
          options.limits.authorities,
          {options.audit.max_entries, options.audit.max_age_days * 86'400ULL}};
}

api::SessionTimes session_times(const Options& options) {
  return {options.console.session_idle_s, options.console.session_max_s};
}

routing::RetainedMessages::Limits retained_limits(const Options& options) {
  return {options.mqtt.max_retained_messages, options.mqtt.max_retained_bytes, options.mqtt.account_payload_bytes};
}

journal::JournalLimits journal_limits(const Options& options) {
  return {options.device_log.max_age_s, options.device_log.entries_per_device, options.device_log.max_bytes,
          options.device_log.strangers};
}

doctor::Policy doctor_policy(const Options& options) {
  return {static_cast<std::uint16_t>(options.auth.keep_alive_min_s),
          static_cast<std::uint16_t>(options.auth.keep_alive_max_s)};
}

auth::ConnectLimiter::Limits sign_in_limits(const Options& options) {
  return {options.limits.connects_per_device_per_minute, options.limits.refusals_per_address_per_minute,
          options.limits.connects_per_second};
}

journal::FlightLimits flight_limits(const Options& options, session::LoopId loops) {
  return {options.flight.max_bytes / std::max<std::uint64_t>(loops, 1), options.flight.bytes_per_client,
          options.flight.payload_bytes};
}

gateway::ConnectionLimits connection_limits(const Options& options) {
  gateway::ConnectionLimits limits;
  limits.setup_timeout_ms = options.connect.timeout_ms;
  limits.close_timeout_ms = options.connect.close_timeout_ms;
  limits.stalled_timeout_ms = options.limits.stalled_output_timeout_ms;
  limits.outgoing_bytes = options.limits.outgoing_bytes_per_connection;
  return limits;
}

auth::SignInPolicy sign_in_policy(const Options& options, const std::string& token_key) {
  auth::SignInPolicy policy;
  policy.strict_secure_mode = options.auth.strict_secure_mode;
  policy.keep_alive_min_s = static_cast<std::uint16_t>(options.auth.keep_alive_min_s);
  policy.keep_alive_max_s = static_cast<std::uint16_t>(options.auth.keep_alive_max_s);
  policy.keep_alive_over_max = options.auth.keep_alive_over_max == KeepAliveOverMax::kClamp
                                   ? auth::KeepAliveOverMax::kClamp
                                   : auth::KeepAliveOverMax::kReject;
  policy.registration_needs_tls = options.auth.require_tls;
  policy.token_key = token_key;
  return policy;
}

}  // namespace mooring::server
