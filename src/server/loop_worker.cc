#include "server/loop_worker.h"

#include <utility>

#include "gateway/mqtt_websocket.h"

namespace mooring::server {
namespace {

constexpr std::size_t kPublicBodyBytes = 8 * 1024;  // no page that strangers reach takes more

gateway::MqttServices mqtt_services(broker::Broker& broker, gateway::DeviceSignIn& sign_in, const SharedParts& shared,
                                    session::LoopId loop) {
  gateway::MqttServices services{broker, sign_in, shared.clock};
  services.loop = loop;
  services.loops = shared.device_loops;
  return services;
}

}  // namespace

gateway::ConnectionLimits connection_limits(const Options& options) {
  gateway::ConnectionLimits limits;
  limits.setup_timeout_ms = options.connect.timeout_ms;
  limits.close_timeout_ms = options.connect.close_timeout_ms;
  limits.stalled_timeout_ms = options.limits.stalled_output_timeout_ms;
  limits.outgoing_bytes = options.limits.outgoing_bytes_per_connection;
  return limits;
}

auth::SignInPolicy sign_in_policy(const Options& options) {
  auth::SignInPolicy policy;
  policy.strict_secure_mode = options.auth.strict_secure_mode;
  policy.keep_alive_min_s = static_cast<std::uint16_t>(options.auth.keep_alive_min_s);
  policy.keep_alive_max_s = static_cast<std::uint16_t>(options.auth.keep_alive_max_s);
  policy.keep_alive_over_max = options.auth.keep_alive_over_max == KeepAliveOverMax::kClamp
                                   ? auth::KeepAliveOverMax::kClamp
                                   : auth::KeepAliveOverMax::kReject;
  policy.instance_id = options.server.instance_id;
  return policy;
}

LoopWorker::LoopWorker(std::unique_ptr<net::Loop> loop, std::uint16_t id, const SharedParts& shared,
                       const Options& options)
    : loop_(std::move(loop)),
      cluster_(shared.cluster),
      id_(id),
      presence_(shared.registry),
      bus_(*loop_, shared.cluster.bus(id)),
      broker_({id, *loop_, shared.clock, shared.directory, shared.store, bus_, presence_}),
      sign_in_(shared.registry, shared.limiter, *loop_, shared.clock, sign_in_policy(options)),
      mqtt_(mqtt_services(broker_, sign_in_, shared, id)),
      gateway_(*loop_, mqtt_, http_, shared.budget, shared.loop_switch) {
  http_.handler = &shared.http_handler;
  http_.make_websocket = [this](gateway::Transport& transport) -> std::unique_ptr<gateway::Conversation> {
    return std::make_unique<gateway::MqttWebSocket>(transport, mqtt_);
  };
  apply(options);
  shared.cluster.attach(id, *loop_, broker_);
  broker_.start();
}

LoopWorker::~LoopWorker() {
  join();
  cluster_.detach(id_);
}

void LoopWorker::apply(const Options& options) {
  mqtt::Limits& packets = mqtt_.packet_limits;
  packets.max_payload_bytes = options.mqtt.max_payload_bytes;
  packets.max_discarded_payload_bytes = std::max(options.mqtt.discard_payload_bytes, options.mqtt.max_payload_bytes);

  // Packets other than PUBLISH are small; a longer one is not worth more than this whatever the setting.
  packets.max_packet_bytes = std::min<std::size_t>(options.mqtt.max_packet_bytes, 64 * 1024);
  mqtt_.max_frame_bytes = options.mqtt.max_packet_bytes;
  mqtt_.topic_limits = {options.limits.topic_bytes, options.limits.topic_slashes};

  broker::ClientRules& device = mqtt_.device_rules;
  device.max_filters_per_subscribe = options.limits.filters_per_subscribe;
  device.max_subscriptions = options.limits.subscriptions_per_device;
  device.subscriptions_outlive_clean_session = options.session.subscription_scope == SubscriptionScope::kDevice;
  device.session.max_in_flight = static_cast<std::uint16_t>(std::min(options.mqtt.max_in_flight, 65'535U));
  device.session.max_queued_messages = options.mqtt.max_queued_messages;
  device.session.max_queued_bytes = options.mqtt.max_queued_bytes;

  broker::ClientRules& local = mqtt_.operator_rules;
  local = device;
  local.max_filters_per_subscribe = 0;
  local.max_subscriptions = 0;
  local.deliver_at_publishers_qos = false;
  local.subscriptions_outlive_clean_session = false;

  http_.allowed_origins = options.connect.allowed_origins;
  http_.limits.head_bytes = options.limits.http_head_bytes;
  http_.limits.body_bytes = kPublicBodyBytes;
  gateway_.set_connection_limits(connection_limits(options));
  sign_in_.set_policy(sign_in_policy(options));
}

void LoopWorker::run() {
  loop_->run();
}
void LoopWorker::start() {
  thread_ = std::thread([this] { loop_->run(); });
}
void LoopWorker::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace mooring::server
