// The rates of connection.md 7. Over one a message is dropped: a device gets no answer and will repeat a QoS 1 message
// if it matters, or is told so in MQTT 5; a back end is told as when the device's queue is full.
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "broker/log_lines.h"

namespace mooring::broker {
namespace {

constexpr std::string_view kSessionPrefix = "/ext/session/";

}  // namespace

// Before anything else is done with a PUBLISH: what is dropped must cost nothing.
bool Broker::over_rate(Client& client, const mqtt::Publish& packet) {
  const ClientRules& rules = *client.info.rules;
  std::uint32_t limit = packet.qos == 0 ? rules.max_qos0_publishes_per_s : rules.max_qos1_publishes_per_s;
  if (limit == 0 && !rules.under_instance_rates) return false;
  const base::MonoMs now = parts_.clock.mono_ms();
  TokenBucket& bucket = packet.qos == 0 ? client.qos0_rate : client.qos1_rate;
  if (bucket.take(limit, now)) {
    if (!rules.under_instance_rates || up_rate_.take(now)) return false;
    limit = up_rate_.limit();
  } else if (packet.topic.starts_with(kSessionPrefix) && request_of(client, packet.topic) != kNoRequest &&
             client.rare().session.take(rules.max_session_requests_per_s, now)) {
    if (!rules.under_instance_rates || up_rate_.take(now)) return false;
    limit = up_rate_.limit();
  }
  drop_over_rate(client, packet.topic, limit, now);
  return true;
}

void Broker::drop_over_rate(Client& client, std::string_view topic, std::uint32_t limit, base::MonoMs now) {
  ++counters_.throttled_publishes;
  const std::uint32_t refused = client.over_rate.count(now);
  if (worth_a_line(++client.throttled_publishes)) {
    base::log_info("broker", "{}: publish to '{}' dropped: Rate limit:{},current qps:{} (9324), {} so far",
                   client.label(), base::printable(topic, 160), limit, limit + refused, client.throttled_publishes);
  }
  client.over_rate_limit = limit;
  if (client.is_device() && client.over_rate.is_first())
    report_throttled(client.device().copy(), &client, client.over_rate, "publish-rate", limit, topic);
}

bool Broker::detached_over_rate(const base::DeviceKeyView& device, std::string_view topic, const ClientRules& rules) {
  std::uint32_t limit = rules.max_qos1_publishes_per_s;
  if (limit == 0 && !rules.under_instance_rates) return false;
  const base::MonoMs now = parts_.clock.mono_ms();
  const auto home = devices_.find(device);
  const bool connected = home != devices_.end() && (*home)->client != nullptr;
  TokenBucket& bucket = connected ? (*home)->client->qos1_rate : detached_rates_.of(device, now);
  if (bucket.take(limit, now)) {
    if (!rules.under_instance_rates || up_rate_.take(now)) return false;
    limit = up_rate_.limit();
  }
  ++counters_.throttled_publishes;
  const std::uint32_t refused = detached_refused_.count(now);
  if (worth_a_line(++detached_throttled_)) {
    base::log_info("broker", "{}/{}: publish to '{}' refused: Rate limit:{},current qps:{} (9324), {} so far",
                   device.product_key, device.device_name, base::printable(topic, 160), limit, limit + refused,
                   detached_throttled_);
  }
  return true;
}

// What the platform says itself is not counted: it would be the answer to what the device asked.
bool Broker::over_delivery_rate(LocalSession& home, const mqtt::Message& message) {
  if (message.from_platform()) return false;
  const bool under_instance_rates = home.rules->under_instance_rates;
  std::uint32_t limit = home.rules->max_deliveries_per_s;
  if (limit == 0 && !under_instance_rates) return false;
  const base::MonoMs now = parts_.clock.mono_ms();
  if (home.delivery_rate.take(limit, now)) {
    if (!under_instance_rates || down_rate_.take(now)) return false;
    limit = down_rate_.limit();
  }
  ++counters_.throttled_deliveries;
  const std::uint32_t refused = home.over_rate.count(now);
  if (worth_a_line(++home.throttled_deliveries)) {
    base::log_info("broker", "{}/{}: message on '{}' dropped: Rate limit:{},current qps:{} (9324), {} so far",
                   home.device().product_key, home.device().device_name, base::printable(message.topic(), 160), limit,
                   limit + refused, home.throttled_deliveries);
  }
  if (home.is_device && home.over_rate.is_first())
    report_throttled(home.device().copy(), home.client.get(), home.over_rate, "delivery-rate", limit, message.topic());
  return true;
}

// All that the device log has not been told of (connection.md 9.2 has the text).
void Broker::report_throttled(const base::DeviceKey& device, const Client* client, RefusedInSecond& refused,
                              std::string_view name, std::uint32_t limit, std::string_view topic) {
  const std::uint32_t count = refused.take_untold();
  if (count == 0) return;
  const std::string text = fmt::format("Rate limit:{},current qps:{}", limit, limit + refused.most());
  parts_.presence.on_incident(device, client, {Incident::Kind::kThrottled, 9324, name, text, topic, count});
}

}  // namespace mooring::broker
