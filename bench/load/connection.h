// Connection: one MQTT 3.1.1 client of the load generator, over TCP, TLS, ws, wss or a Unix socket. It signs in,
// subscribes to at most one filter, and then only hands messages on. It can be opened again after it was closed or
// lost.
//
// Lifetime: target, sign-in and owner outlive it; it is not destroyed before the poller. Thread: the poller's.
// open() must not be called from within a call of the owner, all else may.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/socket_address.h"
#include "packet_reader.h"
#include "poller.h"
#include "publication.h"
#include "socket.h"
#include "target.h"

namespace mooring::bench {

struct SignIn {
  std::string client_id;
  std::string username;  // empty: none
  std::string password;  // never print it
  bool clean_session = true;
};

struct Subscription {
  std::string filter;  // empty: none
  std::uint8_t qos = 0;
};

// Views are valid during the call only.
struct Delivery {
  std::string_view topic;
  base::ByteView payload;
  std::uint8_t qos = 0;
  bool dup = false;
};

class Connection;

class ConnectionOwner {
 public:
  virtual void on_open(Connection& connection) = 0;  // signed in and subscribed
  virtual void on_message(Connection& connection, const Delivery& message) = 0;
  virtual void on_acknowledged(Connection& connection, std::uint16_t packet_id) = 0;  // PUBACK, PUBCOMP
  virtual void on_pong(Connection& connection) = 0;
  // The end, unless close() or reset() was called. `why` is for the operator.
  virtual void on_lost(Connection& connection, std::string_view why) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public Pollable {
 public:
  static constexpr std::uint16_t kKeepAliveS = 1'200;  // the longest a device may ask for; no run lasts that long

  // `source` may be null, `number` is the owner's. With `keeps_tls_session` it resumes its TLS session when it is
  // opened again.
  Connection(Poller& poller, const Target& target, const SignIn& sign_in, Subscription subscription,
             const net::SocketAddress* source, std::uint32_t number, bool keeps_tls_session, ConnectionOwner& owner);

  void open();
  void publish(const Publication& publication, std::uint16_t packet_id, const Stamp& stamp) {
    publication.append_to(out_, packet_id, stamp);
    poller_.call_at_turn_end(*this);
  }
  void ping();   // PINGREQ; on_pong() follows when the server has come that far
  void close();  // DISCONNECT and the end; no more calls of the owner
  void reset();  // the same without a word

  std::uint32_t number() const { return number_; }
  const std::string& filter() const { return subscription_.filter; }
  const Framing& framing() const { return framing_; }
  bool ready() const { return state_ == State::kReady; }
  bool closed() const { return state_ == State::kClosed; }
  bool tls_resumed() const { return socket_.tls_resumed(); }
  // The code of the last CONNACK; 3 is "not now" (MQTT 3.1.1 section 3.2.2.3).
  std::uint8_t connack_code() const { return connack_code_; }
  std::size_t unsent_bytes() const { return out_.size() - sent_; }

 private:
  friend class PacketReader;
  enum class State : std::uint8_t { kClosed, kConnecting, kTls, kUpgrade, kSignIn, kSubscribe, kReady };

  void on_ready(std::uint32_t epoll_events) override;
  void on_turn_end() override { flush(); }

  void finish_connecting();
  void advance_tls();
  void start_protocol();
  void read_upgrade(base::ByteView bytes);
  void send_connect();
  void send_subscribe();
  void read_all();
  void take(base::ByteView bytes);
  void send(base::ByteView packet);
  void send_ack(std::uint8_t first_byte, std::uint16_t packet_id);
  void flush();
  void lose(std::string_view why);
  void release();

  // From the packet reader.
  void on_packet(std::uint8_t first_byte, base::ByteView body);
  void on_ping(base::ByteView payload);
  void on_close() { lose("the server closed the WebSocket"); }
  void on_violation(std::string_view why) { lose(why); }
  void on_connack(base::ByteView body);
  void on_suback(base::ByteView body);
  void on_publish(std::uint8_t first_byte, base::ByteView body);

  Poller& poller_;
  const Target& target_;
  const SignIn& sign_in_;
  Subscription subscription_;
  const net::SocketAddress* source_;
  ConnectionOwner& owner_;
  Socket socket_;
  TlsSession tls_session_;
  PacketReader reader_;
  Framing framing_;
  std::string upgrade_key_;  // while the upgrade lasts
  std::string upgrade_received_;
  base::Bytes out_;
  std::size_t sent_ = 0;  // of out_
  std::uint32_t number_;
  bool keeps_tls_session_;
  std::uint8_t connack_code_ = 0;
  State state_ = State::kClosed;
};

}  // namespace mooring::bench
