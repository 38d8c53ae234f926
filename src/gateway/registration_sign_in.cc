#include "gateway/registration_sign_in.h"

#include <boost/json.hpp>

#include "base/log.h"
#include "gateway/mqtt_conversation.h"
#include "mqtt/encode.h"

namespace mooring::gateway {
namespace {

struct Answer {
  std::string_view topic;
  std::string payload;
};

// connection.md section 10: without a blank, because firmware searches the text literally.
Answer answer_of(const base::DeviceKey& device, const registry::Registration& registration) {
  boost::json::object payload;
  const bool token = !registration.device_token.empty();
  if (token) payload["clientId"] = registration.client_id;
  payload["productKey"] = device.product_key;
  payload["deviceName"] = device.device_name;
  payload[token ? "deviceToken" : "deviceSecret"] = token ? registration.device_token : registration.device_secret;
  return {token ? "/ext/regnwl" : "/ext/register", boost::json::serialize(payload)};
}

}  // namespace

void RegisteredConnection::refuse() {
  end_(mqtt::ReasonCode::kProtocolError, "nothing else may be done on this connection");
}

void RegisteredConnection::on_pingreq() {
  writer_.packet(mqtt::encode_pingresp().view());
}

void RegisteredConnection::on_disconnect(const mqtt::Disconnect&) {
  writer_.finish(ws::CloseCode::kNormal, {});
}

void RegisteredConnection::on_protocol_error(const mqtt::ProtocolError& error) {
  end_(error.code, error.text);
}

void MqttConversation::on_registered(const base::DeviceKey& device, const registry::Registration& registration) {
  services_->log.record({.device = device,
                         .action = journal::Action::kRegistered,
                         .name = registration.device_token.empty() ? "secret-issued" : "token-issued",
                         .reason = "registered",
                         .channel = journal::mqtt_channel(transport_.peer().tls, writer_.websocket()),
                         .address = transport_.peer().address.to_text()});
  const Answer answer = answer_of(device, registration);
  answer_only(answer.topic, answer.payload);
}

// The names of the device whose certificate this is (connection.md section 11, X.509).
void MqttConversation::on_identified(const base::DeviceKey& device) {
  base::log_info("gateway", "{}/{}: told its names by its certificate, {}", device.product_key, device.device_name,
                 transport_.peer().address.to_text());
  answer_only("/ext/auth/identity/response",
              boost::json::serialize(
                  boost::json::object{{"productKey", device.product_key}, {"deviceName", device.device_name}}));
}

// CONNACK and the answer, QoS 0 and without a subscription. No session, no presence: the device is not online, and this
// need not be its home loop.
void MqttConversation::answer_only(std::string_view topic, std::string_view payload) {
  base::Bytes connack;
  if (speaks_v5()) {
    mqtt::append_connack5(connack, mqtt::ReasonCode::kSuccess, false, {});
    writer_.packet(connack);
  } else {
    writer_.packet(mqtt::encode_connack(machine_.version(), mqtt::ConnackCode::kAccepted).view());
  }
  mqtt::Publish publish{};
  publish.topic = topic;
  publish.payload = base::as_bytes(payload);
  base::Bytes packet;
  const auto encoded = mqtt::append_publish(packet, machine_.version(), publish);
  accepted_ = true;
  connect_.reset();
  registered_ = std::make_unique<RegisteredConnection>(
      writer_, transport_.loop().now_ms(), [this](mqtt::ReasonCode reason, std::string_view text) {
        base::log_info("gateway", "{}: closed after its answer: {}", who(), text);
        end(reason, ws::CloseCode::kPolicyViolation, text);
      });
  machine_.set_limits(services_->device.packets);
  machine_.accept_connect();
  transport_.established();
  if (!encoded || (client_max_packet_bytes_ != 0 && packet.size() > client_max_packet_bytes_)) {
    end(mqtt::ReasonCode::kPacketTooLarge, ws::CloseCode::kMessageTooBig, "the answer is larger than the client takes");
    return;
  }
  writer_.packet(packet);
  transport_.input_wanted();
}

}  // namespace mooring::gateway
