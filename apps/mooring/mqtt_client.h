// MqttClient: a small MQTT 3.1.1 client over tcp, tls, ws, wss and the server's Unix socket, for `mooring sub` and
// `mooring pub`.
//
// Blocking, one thread: bytes are read and pings sent inside the calls. Errors: kPermissionDenied when CONNECT or a
// filter is refused (the message says what the code means), kUnavailable when the server asks to come back later, the
// connection was lost or the stop signal came, kInvalidArgument for wrong usage, kIo for everything between here and
// the server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "client_stream.h"
#include "mqtt/client_connection.h"
#include "mqtt/packet.h"
#include "ws/frame_decoder.h"

namespace mooring::app {

// A parsed --url.
struct ClientUrl {
  std::string text;  // as given
  bool websocket = false;
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string path = "/";  // with the query

  std::string authority() const;  // host and port as a Host header has them
};
// mqtt://, mqtts://, ws://, wss:// (tcp:// and tls:// too); default ports 1883, 8883, 80, 443.
base::Result<ClientUrl> parse_client_url(std::string_view text);

struct ClientSettings {
  std::optional<ClientUrl> url;  // nothing: the Unix socket
  std::string unix_socket;
  std::string ca_file;
  bool insecure = false;

  std::string client_id;
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::uint16_t keep_alive_s = 60;
  bool clean_session = true;
};

// What the code of a CONNACK means here (connection.md sections 4.5 and 7), as a sentence for a person.
std::string_view explain(mqtt::ConnackCode code);

class MqttClient final : private mqtt::ClientConnectionEvents, private ws::Events {
 public:
  static constexpr int kAnswerTimeoutMs = 10'000;         // CONNACK, SUBACK, PINGRESP, the HTTP answer
  static constexpr std::size_t kMaxUnacknowledged = 100;  // connection.md 6.2
  static constexpr int kCloseTimeoutMs = 2'000;

  // Called for each message, within the call that read it. False: not taken, so it is not acknowledged either.
  using MessageHandler = std::function<bool(const mqtt::Publish&)>;

  // Connects, up to and with CONNACK. `stop` must outlive the client.
  static base::Result<std::unique_ptr<MqttClient>> open(const ClientSettings& settings, const StopSignal& stop,
                                                        MessageHandler on_message);

  // Waits for SUBACK; a refused filter is a failure that names it.
  base::Result<> subscribe(const std::vector<std::string>& filters, std::uint8_t qos);
  // QoS 1: returns when the message is sent; waits for acknowledgements while kMaxUnacknowledged are outstanding.
  base::Result<> publish(std::string_view topic, std::string_view payload, std::uint8_t qos);
  // Waits until every QoS 1 message is acknowledged.
  base::Result<> wait_for_acknowledgements();
  // Handles what arrives within `timeout_ms`, and keeps the connection alive. Returns after the first bytes.
  base::Result<> step(int timeout_ms);
  // DISCONNECT, the WebSocket close, then the transport in order, so that everything sent arrives.
  void disconnect();

 private:
  MqttClient(const ClientSettings& settings, MessageHandler on_message);

  base::Result<> upgrade();
  base::Result<> sign_in();
  base::Result<> wait_until(const std::function<bool()>& done, std::string_view what);
  base::Result<> read_once(int timeout_ms);
  base::Result<> keep_alive();
  base::Result<> send(base::ByteView packet);
  void feed(base::MutableBytes bytes);
  void lose(base::Errc code, std::string why);
  std::uint16_t next_packet_id();
  void acknowledge(mqtt::PacketType type, std::uint16_t packet_id);
  void send_pong(base::ByteView payload);
  void send_close(std::optional<std::uint16_t> code);

  void on_connack(const mqtt::Connack& packet) override;
  void on_publish(const mqtt::Publish& packet) override;
  void on_puback(const mqtt::Ack& packet) override;
  void on_pubrec(const mqtt::Ack& packet) override;
  void on_pubrel(const mqtt::Ack& packet) override;
  void on_pubcomp(const mqtt::Ack& packet) override;
  void on_suback(const mqtt::Suback& packet) override;
  void on_unsuback(const mqtt::Unsuback&) override {}
  void on_pingresp() override;
  void on_disconnect(const mqtt::Disconnect&) override {}  // MQTT 5 only, as is AUTH
  void on_auth(const mqtt::Auth&) override {}
  void on_protocol_error(const mqtt::ProtocolError& error) override;

  void on_data(base::MutableBytes piece, bool text) override;
  void on_message_end(bool text) override;
  void on_ping(base::ByteView payload) override;
  void on_pong(base::ByteView payload) override;
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override;
  void on_error(ws::CloseCode code, std::string_view why) override;

  ClientSettings settings_;
  MessageHandler on_message_;
  std::unique_ptr<ClientStream> stream_;
  mqtt::ClientConnection mqtt_;
  std::optional<ws::FrameDecoder> websocket_;  // nothing: MQTT straight on the stream
  base::Bytes buffer_;                         // of read_once
  std::optional<base::Error> lost_;            // why the connection is over

  std::optional<mqtt::ConnackCode> connack_;
  std::optional<std::vector<std::uint8_t>> suback_codes_;
  std::set<std::uint16_t> unacknowledged_;
  std::set<std::uint16_t> received_;  // QoS 2 messages that were taken and not released yet
  std::uint16_t last_packet_id_ = 0;
  base::MonoMs last_sent_ms_ = 0;
  base::MonoMs ping_sent_ms_ = 0;  // 0: no ping waits for its answer
};

}  // namespace mooring::app
