// MqttConversation: MQTT on one connection. Joins the protocol machine (mqtt), the sign-in (auth) and the broker:
// packets in become calls of the broker, the broker's calls become packets out. Over TCP it is the connection's
// conversation; over WebSocket MqttWebSocketConversation feeds it.
//
// A CONNECT that arrives on another loop than its session's home is kept, the connection moves there, and the sign-in
// begins there (docs/adr/0008). Everything beyond it happens on that loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/permissions.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/rate.h"
#include "gateway/account_sign_in.h"
#include "gateway/delivery_times.h"
#include "gateway/device_sign_in.h"
#include "gateway/outgoing_aliases.h"
#include "gateway/packet_writer.h"
#include "gateway/pending_connect.h"
#include "gateway/registration_sign_in.h"
#include "gateway/ticket_sign_in.h"
#include "gateway/transport.h"
#include "journal/device_log.h"
#include "journal/flight.h"
#include "metrics/loop_counters.h"
#include "mqtt/server_connection.h"

namespace mooring::gateway {

// Who is turned away comes again and again: that must not drown what else there is to tell.
inline constexpr std::uint32_t kTurnedAwayLinesPerSecond = 10;

// The limits and rules of one kind of client.
struct Standing {
  mqtt::Limits packets{};
  broker::ClientRules rules{};
  std::uint32_t max_input_bytes_per_s = 0;  // beyond it the connection is read more slowly; 0: no limit
};

// What MQTT conversations of one loop share. Outlives them; a reload changes it in place, and with it the rules and
// rates of connections that are open.
struct MqttServices {
  broker::Broker& broker;
  DeviceSignIn& sign_in;
  AccountSignIn& account_sign_in;
  TicketSignIn& ticket_sign_in;
  const base::Clock& clock;
  journal::DeviceLog& log;
  journal::FlightRecorder& flights;
  const net::Loop& event_loop;
  mqtt::Limits stranger_limits{};  // until the sign-in
  auth::TopicLimits topic_limits{};
  std::uint64_t max_frame_bytes = 1'114'112;  // of WebSocket: the largest packet
  Standing device{};                          // profile `aliyun`
  Standing standard_device{};                 // profile `mqtt`
  Standing account{};
  Standing device_ticket{};   // tickets of devices
  Standing account_ticket{};  // tickets of accounts
  Standing local_operator{};
  std::uint64_t next_operator_number = 1;
  metrics::LoopCounters counters{};
  DeliveryTimes deliveries{event_loop};
  broker::RefusedInSecond turned_away{};  // with row 3 of connection.md 4.5
  session::LoopId loop = 0;
  session::LoopId loops = 0;  // those that are homes of sessions are 0 .. loops-1; 0: nothing moves
};

class MqttConversation final : public Conversation, private mqtt::ServerConnectionEvents, private broker::ClientSink {
 public:
  MqttConversation(Transport& transport, MqttServices& services, bool websocket);
  ~MqttConversation() override;

  std::size_t receive(base::MutableBytes input) override;
  void transport_ended(TransportEnd end) override;
  void output_drained() override;
  base::MonoMs deadline() const override;
  void on_deadline(base::MonoMs now) override;
  void arrived(MqttServices& services) override;
  void shut_down() override;

 private:
  // mqtt::ServerConnectionEvents
  void on_connect(const mqtt::Connect& packet) override;
  void on_publish(const mqtt::Publish& packet) override;
  void on_oversized_publish(const mqtt::OversizedPublish& packet) override;
  void on_puback(const mqtt::Ack& packet) override;
  void on_pubrec(const mqtt::Ack& packet) override;
  void on_pubrel(const mqtt::Ack& packet) override;
  void on_pubcomp(const mqtt::Ack& packet) override;
  void on_subscribe(const mqtt::Subscribe& packet) override;
  void on_unsubscribe(const mqtt::Unsubscribe& packet) override;
  void on_pingreq() override;
  void on_disconnect(const mqtt::Disconnect& packet) override;
  void on_auth(const mqtt::Auth& packet) override;
  void on_protocol_error(const mqtt::ProtocolError& error) override;

  // broker::ClientSink
  void send_publish(const broker::PublishOut& packet) override;
  void send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) override;
  void send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override;
  void send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override;
  bool fits(const broker::PublishOut& packet) const override;
  bool congested() const override;
  void pause_input() override;
  void resume_input() override;
  bool tell_end() override { return transport_.tell_end(); }
  void close(broker::CloseCause cause) override;

  // sign_in_steps.cc
  std::optional<session::LoopId> home_elsewhere(const mqtt::Connect& packet) const;
  bool was_refused_lately(const mqtt::Connect& packet) const;
  void sign_in(const mqtt::Connect& packet, std::uint64_t arrival);
  void sign_in_device(const auth::ConnectAttempt& attempt);
  void sign_in_account(const auth::ConnectAttempt& attempt, bool anonymous);
  void on_account_signed_in(tl::expected<std::shared_ptr<const AccountRules>, auth::Refusal> result);
  void sign_in_ticket(const auth::ConnectAttempt& attempt);
  void on_ticket_signed_in(tl::expected<TicketSignedIn, TicketRefused> result);
  void limit_session_to_ticket();
  void end_ticket();
  void on_identified(const base::DeviceKey& device);
  void on_signed_in(tl::expected<SignInResult, auth::Refusal> result);
  void answer_only(std::string_view topic, std::string_view payload);
  void on_registered(const base::DeviceKey& device, const registry::Registration& registration);
  // `holder`: of a ticket, if it is a device's.
  void refuse(const auth::Refusal& refusal, const base::DeviceKey& holder = {});
  void log_refusal(const auth::Refusal& refusal) const;
  void refuse(mqtt::ReasonCode reason, mqtt::ConnackCode code, std::string_view name, std::string_view text);
  void answer_refusal(mqtt::ReasonCode reason, mqtt::ConnackCode code);
  bool take_will();
  std::string make_client_id() const;
  bool speaks_v5() const { return machine_.version() == mqtt::Version::k5; }
  void finish(ws::CloseCode close_code, std::string_view text);
  // With DISCONNECT first where the client understands it.
  void end(mqtt::ReasonCode reason, ws::CloseCode close_code, std::string_view text);
  void sign_in_operator(const mqtt::Connect& packet);
  void attach(broker::ClientInfo info, session::SessionKey key, const Standing& standing);
  void on_attached(tl::expected<broker::AttachResult, broker::AttachError> result, const Standing& standing);

  // flight_notes.cc: what goes into the flight record. Cheap when there is none.
  void open_flight(base::ByteView connack);
  void note(journal::Direction direction, std::uint8_t first_byte, std::size_t body_bytes, std::uint16_t packet_id = 0,
            std::uint8_t result = 0, std::string_view topic = {}, base::ByteView payload = {});
  void note_received(std::uint8_t first_byte, std::uint16_t packet_id, std::uint8_t result,
                     std::string_view topic = {});
  void note_sent(base::ByteView packet, std::uint16_t packet_id, std::uint8_t result);
  void note_publish(const mqtt::Publish& packet);
  void note_publish(const broker::PublishOut& packet, std::size_t body_bytes);
  void note_ping();
  void note_ack(mqtt::PacketType type, const mqtt::Ack& packet);
  void note_ack(const mqtt::SmallPacket& packet, std::uint16_t packet_id, mqtt::ReasonCode reason);
  void note_end();

  void record_refusal(std::uint16_t code, std::uint8_t answer, std::string_view name, std::string_view reason,
                      const base::DeviceKey& holder = {});
  void record_protocol_error(const mqtt::ProtocolError& error);
  void record_discarded(std::uint16_t code, std::string_view name, std::string_view reason, std::string_view topic);
  void detach(broker::OfflineReason reason);
  metrics::Channel channel() const { return metrics::channel_of(transport_.peer().tls, writer_.websocket()); }
  std::string who() const;  // for the log: device and address

  Transport& transport_;
  MqttServices* services_;
  PacketWriter writer_;
  mqtt::ServerConnection machine_;
  std::shared_ptr<broker::Client> client_;            // from the sign-in on
  journal::Flight* flight_ = nullptr;                 // from CONNACK on; closed by the destructor
  std::unique_ptr<RegisteredConnection> registered_;  // of a CONNECT that was a registration, or asked who it is
  std::unique_ptr<OutgoingAliases> aliases_;          // of a client that allows them
  base::MonoMs last_packet_ms_ = 0;
  std::uint32_t packets_seen_ = 0;
  // Up to here: what every message needs, side by side in memory.
  std::uint32_t client_max_packet_bytes_ = 0;  // MQTT 5; 0 = none
  std::unique_ptr<broker::Authorizer> authorizer_;
  std::shared_ptr<MqttConversation*> self_;  // until CONNACK, or the end: calls under way find out
  std::unique_ptr<PendingConnect> connect_;  // from CONNECT to CONNACK
  // Of a CONNECT that is taken to another loop.
  struct MovingConnect {
    base::Bytes body;  // Connect::body
    std::uint64_t arrival = 0;
  };
  std::unique_ptr<MovingConnect> moving_;
  std::string_view end_text_;  // static: why the connection ended
  // Of a connection with a ticket.
  struct TicketLife {
    base::MonoMs ends_at_ms = 0;
    std::uint32_t session_s = 0;
  };
  std::unique_ptr<TicketLife> ticket_;
  std::uint32_t discarded_ = 0;            // messages that were read and thrown away
  std::uint32_t keep_alive_limit_ms_ = 0;  // 1.5 x keep alive; 0 = none
  bool accepted_ = false;
  bool counted_ = false;  // among those who are signed in
  bool end_noted_ = false;
};

}  // namespace mooring::gateway
