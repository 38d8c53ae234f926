// MqttWebSocket: MQTT packets inside binary WebSocket messages. Packets and messages need not agree: a packet may span
// frames and a frame may hold several packets (MQTT 3.1.1 section 6).
#pragma once

#include "gateway/mqtt_conversation.h"
#include "gateway/websocket_conversation.h"

namespace mooring::gateway {

class MqttWebSocket final : public WebSocketConversation {
 public:
  MqttWebSocket(Transport& transport, MqttServices& services);

  void transport_ended(TransportEnd end) override { mqtt_.transport_ended(end); }
  void output_drained() override { mqtt_.output_drained(); }
  base::MonoMs deadline() const override { return mqtt_.deadline(); }
  void on_deadline(base::MonoMs now) override { mqtt_.on_deadline(now); }
  void arrived(MqttServices& services) override { mqtt_.arrived(services); }
  void shut_down() override { mqtt_.shut_down(); }

 private:
  std::size_t on_payload(base::MutableBytes piece, bool) override { return mqtt_.receive(piece); }
  void on_payload_end(bool) override {}
  void on_closed(TransportEnd end) override { mqtt_.transport_ended(end); }

  MqttConversation mqtt_;
};

}  // namespace mooring::gateway
