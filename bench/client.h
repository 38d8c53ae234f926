// Client: one MQTT 3.1.1 connection of the load generator on a net::Loop, over TCP, TLS, ws, wss or a Unix socket. It
// signs in, subscribes to one topic, then only hands messages on; it never reconnects.
//
// Lifetime: target, sign-in and owner outlive it; it is not destroyed from within a call of its owner.
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/client_connection.h"
#include "mqtt/packet.h"
#include "net/loop.h"
#include "socket.h"
#include "target.h"
#include "ws/frame_decoder.h"

namespace mooring::bench {

struct SignIn {
  std::string client_id;
  std::string username;  // empty: none
  std::string password;
  bool clean_session = true;
};

class Client;

class ClientOwner {
 public:
  virtual void on_client_ready(Client& client) = 0;  // signed in and subscribed
  virtual void on_client_message(Client& client, const mqtt::Publish& message) = 0;
  virtual void on_client_acknowledged(Client& client) = 0;  // one PUBACK
  // The end, unless close() was called. `why` is for the operator.
  virtual void on_client_lost(Client& client, std::string_view why) = 0;

 protected:
  ~ClientOwner() = default;
};

class Client final : public net::LoopClient, private ws::Events, private mqtt::ClientConnectionEvents {
 public:
  static constexpr std::uint16_t kKeepAliveS = 1'200;  // the longest a device may ask for; no run lasts that long
  static constexpr std::size_t kMaxWaitingBytes = 16 * 1024 * 1024;

  // `number` is the owner's; `topic` may be empty.
  Client(net::Loop& loop, const Target& target, const SignIn& sign_in, std::string topic, std::uint8_t qos,
         std::uint32_t number, ClientOwner& owner);
  ~Client() override;

  void open();
  void publish(std::string_view topic, base::ByteView payload, std::uint8_t qos);
  void close();  // DISCONNECT and the end; no more calls of the owner

  std::uint32_t number() const { return number_; }
  const std::string& topic() const { return topic_; }
  bool ready() const { return state_ == State::kReady; }

 private:
  enum class State : std::uint8_t { kNew, kConnecting, kTls, kUpgrade, kSignIn, kSubscribe, kReady, kClosed };

  void on_ready(std::uint32_t epoll_events) override;
  void on_turn_end() override { flush(); }

  void finish_connecting();
  void advance_tls();
  void start_protocol();
  void read_upgrade(base::MutableBytes bytes);
  void send_connect();
  void send_subscribe();
  void become_ready();
  void read_all();
  void take(base::MutableBytes bytes);
  void send(base::ByteView packet);
  void send_control(ws::Opcode opcode, base::ByteView payload);
  void append(base::ByteView bytes);
  void flush();
  void lose(std::string_view why);
  void release();

  void on_data(base::MutableBytes piece, bool text) override;
  void on_message_end(bool) override {}
  void on_ping(base::ByteView payload) override;
  void on_pong(base::ByteView) override {}
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override;
  void on_error(ws::CloseCode code, std::string_view why) override;

  void on_connack(const mqtt::Connack& packet) override;
  void on_publish(const mqtt::Publish& packet) override;
  void on_puback(const mqtt::Ack& packet) override;
  void on_pubrec(const mqtt::Ack& packet) override;
  void on_pubrel(const mqtt::Ack& packet) override;
  void on_pubcomp(const mqtt::Ack& packet) override;
  void on_suback(const mqtt::Suback& packet) override;
  void on_unsuback(const mqtt::Unsuback&) override {}
  void on_pingresp() override {}
  void on_disconnect(const mqtt::Disconnect&) override {}  // MQTT 5 only, as is AUTH
  void on_auth(const mqtt::Auth&) override {}
  void on_protocol_error(const mqtt::ProtocolError& error) override;

  net::Loop& loop_;
  const Target& target_;
  const SignIn& sign_in_;
  std::string topic_;
  ClientOwner& owner_;
  Socket socket_;
  ws::FrameDecoder frames_;
  mqtt::ClientConnection mqtt_;
  std::string upgrade_key_;  // while the upgrade lasts
  std::string upgrade_received_;
  base::Bytes out_;  // not written yet
  std::uint32_t number_;
  std::uint16_t last_packet_id_ = 0;
  std::uint8_t qos_;
  State state_ = State::kNew;
};

}  // namespace mooring::bench
