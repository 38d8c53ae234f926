// From CONNECT to CONNACK: sign-in, session, answer.
#include <utility>

#include "auth/client_id.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/authorizers.h"
#include "gateway/mqtt_conversation.h"
#include "gateway/session_identity.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace mooring::gateway {

void MqttConversation::on_connect(const mqtt::Connect& packet) {
  last_packet_ms_ = transport_.loop().now_ms();
  const auto home = home_elsewhere(packet);
  if (!home) {
    sign_in(packet);
    return;
  }
  // This is deep inside of receive(): only what must be kept is kept here. At most Limits::max_connect_bytes.
  kept_connect_.assign(packet.body.begin(), packet.body.end());
  transport_.move_to(*home);
}

std::optional<session::LoopId> MqttConversation::home_elsewhere(const mqtt::Connect& packet) const {
  if (services_->loops == 0 || transport_.peer().local_socket) return std::nullopt;
  const std::string identity = session_identity(packet);
  if (identity.empty()) return std::nullopt;
  const session::LoopId home = session::home_loop(identity, services_->loops);
  return home != services_->loop ? std::optional(home) : std::nullopt;
}

void MqttConversation::arrived(MqttServices& services) {
  services_ = &services;
  machine_.set_limits(services.packet_limits);
  const base::Bytes body = std::exchange(kept_connect_, {});
  const auto packet = mqtt::decode_connect(body);
  MOORING_ASSERT(packet.has_value());  // it was decoded before
  sign_in(*packet);
}

void MqttConversation::sign_in(const mqtt::Connect& packet) {
  if (transport_.peer().local_socket) {
    sign_in_operator(packet);
  } else {
    sign_in_device(packet);
  }
}

void MqttConversation::sign_in_device(const mqtt::Connect& packet) {
  const PeerFacts& peer = transport_.peer();
  const std::string address = peer.address.host();
  if (packet.username) user_name_ = base::printable(*packet.username, 128);
  auth::ConnectAttempt attempt;
  attempt.protocol_level = static_cast<std::uint8_t>(packet.version);
  attempt.client_id = packet.client_id;
  attempt.user_name = packet.username;
  attempt.password = packet.password;
  attempt.keep_alive_s = packet.keep_alive_s;
  attempt.clean_session = packet.clean_session;
  attempt.tls = peer.tls;
  attempt.websocket = writer_.websocket();
  attempt.peer_address = address;
  attempt.rate_limited = services_->sign_in.rate_limited(attempt);
  services_->sign_in.authenticate(
      attempt, [self = std::weak_ptr<MqttConversation*>(self_),
                clean_session = packet.clean_session](tl::expected<SignInResult, auth::Refusal> result) {
        if (const auto alive = self.lock()) (*alive)->on_signed_in(std::move(result), clean_session);
      });
}

void MqttConversation::on_signed_in(tl::expected<SignInResult, auth::Refusal> result, bool clean_session) {
  if (!result) {
    refuse(result.error());
    return;
  }
  auth::SignedIn& device = result->signed_in;
  if (device.secure_mode_mismatch) {
    base::log_warn("gateway", "{}/{}: securemode does not fit the transport ({}); accepted", device.device.product_key,
                   device.device.device_name, transport_.peer().tls ? "TLS" : "plain");
  }
  authorizer_ =
      std::make_unique<DeviceAuthorizer>(device.device, result->product, device.ext_bits, services_->topic_limits);
  keep_alive_limit_ms_ = device.keep_alive_s * 1500U;
  user_name_.clear();
  user_name_.shrink_to_fit();

  broker::ClientInfo info;
  info.kind = broker::ClientKind::kDevice;
  info.device = device.device;
  info.iot_id = std::move(result->iot_id);
  info.peer_address = transport_.peer().address.host();
  info.facts = {
      std::move(device.facts.language), std::move(device.facts.sdk_version), std::move(device.facts.system),
      device.facts.module_id.empty() ? std::move(device.facts.partner_id) : std::move(device.facts.module_id)};
  info.clean_session = clean_session;
  info.wants_notify = (device.ext_bits & auth::kExtNotify) != 0;
  info.rules = &services_->device_rules;
  session::SessionKey key =
      session::device_session_key(device.device.product_key, device.device.device_name, result->life);
  attach(std::move(info), std::move(key));
}

void MqttConversation::refuse(const auth::Refusal& refusal) {
  base::log_info("gateway", "CONNECT refused with code {} ({}): {}; user '{}' from {}", refusal.connack_v3,
                 refusal.name, refusal.text, user_name_, transport_.peer().address.to_text());
  writer_.packet(mqtt::encode_connack(machine_.version(), static_cast<mqtt::ConnackCode>(refusal.connack_v3)).view());
  machine_.close();
  writer_.finish(ws::CloseCode::kPolicyViolation, "CONNECT refused");
}

// Whoever can open the data folder's socket owns the installation.
void MqttConversation::sign_in_operator(const mqtt::Connect& packet) {
  authorizer_ = std::make_unique<OperatorAuthorizer>();
  keep_alive_limit_ms_ = packet.keep_alive_s * 1500U;
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kOperator;
  info.peer_address = transport_.peer().address.host();
  info.clean_session = true;
  info.rules = &services_->operator_rules;
  session::SessionKey key = std::string("o") + '\0' + std::to_string(services_->loop) + '.' +
                            std::to_string(services_->next_operator_number++);
  attach(std::move(info), std::move(key));
}

void MqttConversation::attach(broker::ClientInfo info, session::SessionKey key) {
  client_ = std::make_shared<broker::Client>(std::move(info), std::move(key), static_cast<broker::ClientSink&>(*this),
                                             *authorizer_);
  client_->last_activity_ms = services_->clock.wall_ms();
  services_->broker.attach(client_, [self = std::weak_ptr<MqttConversation*>(self_)](
                                        tl::expected<broker::AttachResult, broker::AttachError> result) {
    if (const auto alive = self.lock()) (*alive)->on_attached(std::move(result));
  });
}

void MqttConversation::on_attached(tl::expected<broker::AttachResult, broker::AttachError> result) {
  if (!result) {
    client_->sink = nullptr;
    machine_.close();
    if (result.error() == broker::AttachError::kUnavailable) {
      refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable));
    } else {
      writer_.finish(ws::CloseCode::kPolicyViolation, "taken over by a newer connection");
    }
    return;
  }
  accepted_ = true;
  last_packet_ms_ = transport_.loop().now_ms();  // the keep-alive clock starts with CONNACK
  writer_.packet(
      mqtt::encode_connack(machine_.version(), mqtt::ConnackCode::kAccepted, result->session_present).view());
  machine_.accept_connect();
  base::log_debug("gateway", "{} online", who());
  transport_.established();
  transport_.input_wanted();
}

}  // namespace mooring::gateway
