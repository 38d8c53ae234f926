// What is left of a connection whose CONNECT was a registration (connection.md section 10) or asked who its certificate
// is (section 11): the answer went out, and
// the device should leave. It may say PINGREQ, DISCONNECT and PUBACK; anything else ends the connection. One that stays
// is closed after kStay_ms.
#pragma once

#include <string_view>

#include "base/unique_function.h"
#include "gateway/packet_writer.h"
#include "mqtt/server_connection.h"

namespace mooring::gateway {

class RegisteredConnection final : public mqtt::ServerConnectionEvents {
 public:
  static constexpr base::MonoMs kStay_ms = 15'000;

  // `end` closes the connection; it may destroy nothing before the call returns.
  using End = base::UniqueFunction<void(mqtt::ReasonCode, std::string_view)>;
  RegisteredConnection(PacketWriter& writer, base::MonoMs now_ms, End end)
      : writer_(writer), deadline_ms_(now_ms + kStay_ms), end_(std::move(end)) {}

  base::MonoMs deadline_ms() const { return deadline_ms_; }

  void on_connect(const mqtt::Connect&) override { refuse(); }
  void on_publish(const mqtt::Publish&) override { refuse(); }
  void on_oversized_publish(const mqtt::OversizedPublish&) override { refuse(); }
  void on_puback(const mqtt::Ack&) override {}  // of a client that acknowledges QoS 0, too
  void on_pubrec(const mqtt::Ack&) override { refuse(); }
  void on_pubrel(const mqtt::Ack&) override { refuse(); }
  void on_pubcomp(const mqtt::Ack&) override { refuse(); }
  void on_subscribe(const mqtt::Subscribe&) override { refuse(); }
  void on_unsubscribe(const mqtt::Unsubscribe&) override { refuse(); }
  void on_pingreq() override;
  void on_disconnect(const mqtt::Disconnect&) override;
  void on_auth(const mqtt::Auth&) override { refuse(); }
  void on_protocol_error(const mqtt::ProtocolError& error) override;

 private:
  void refuse();

  PacketWriter& writer_;
  const base::MonoMs deadline_ms_;
  End end_;
};

}  // namespace mooring::gateway
