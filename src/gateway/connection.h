// Connection: one accepted socket. Tells TLS, HTTP and MQTT apart by the first bytes, decrypts, hands the plaintext to
// the conversation that fits, writes once per loop turn, keeps the time limits, closes without losing the last bytes.
//
// Owned by its Gateway, lives on one loop; its conversation may have it moved to another before anybody is signed in.
// While it moves it belongs to no loop and is touched by nobody. The order of events: PROXY header if the listener has
// one, first bytes, TLS handshake, first bytes again, conversation.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/intrusive_list.h"
#include "base/unique_function.h"
#include "gateway/connection_budget.h"
#include "gateway/opening_line.h"
#include "gateway/psk_lookup.h"
#include "gateway/transport.h"
#include "metrics/loop_counters.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer_wheel.h"
#include "net/tls_context.h"
#include "net/write_queue.h"

namespace mooring::gateway {

struct ConnectionLimits {
  std::int64_t setup_timeout_ms = 10'000;    // from accept to the end of CONNECT, or of an HTTP head
  std::int64_t close_timeout_ms = 5'000;     // for the peer's end after ours
  std::int64_t stalled_timeout_ms = 30'000;  // with bytes to send and none taken by the peer
  std::size_t outgoing_bytes = 2 * 1024 * 1024;
};

// What the connections of one listener share on one loop. Outlives them.
struct ListenerContext {
  enum class Tls : std::uint8_t { kAuto, kRequired, kOff };
  Tls tls = Tls::kAuto;
  bool legacy_tls = true;                              // which of the server's contexts it is
  bool client_certificates = true;                     // likewise: whether it asks for one
  std::shared_ptr<const net::TlsContext> tls_context;  // replaced when certificates change
  bool proxy_protocol = false;
  std::vector<net::AddressBlock> trusted_proxies;  // empty: whoever connects may send a PROXY header
  bool local_socket = false;
  std::string anonymous_account;  // empty: none
  bool may_speak_mqtt = true;     // ws_echo does not
  ConnectionLimits limits;
  std::uint32_t number = 0;  // of the listening address; the same on every loop
};

class Connection;
struct ConnectionListTag;

// Makes conversations and owns connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual std::unique_ptr<Conversation> make_mqtt(Transport& transport, const ListenerContext& context) = 0;
  virtual std::unique_ptr<Conversation> make_http(Transport& transport, const ListenerContext& context) = 0;
  // The connection has left its loop: hand it, and the ownership, to the owner on `loop`.
  virtual void send_away(Connection& connection, session::LoopId loop) = 0;
  // The key of a TLS-PSK identity; at once or later on this loop.
  using PskFound = base::UniqueFunction<void(PskKey)>;
  virtual void find_psk_key(std::string_view, const PeerFacts&, PskFound found) { found({}); }
  virtual bool may_shake_hands(const PeerFacts&) { return true; }  // false: it is not worth a TLS handshake now
  // Steps until the sign-in, the first reads behind it, and ends are rationed, as they cost up to thousands of times
  // what a message costs. False: it is called again, in this turn or a later one (gateway/opening_line.h).
  virtual bool may_go_on(Connection&, LinePlace) { return true; }
  virtual void count_handshake_step(bool /*first*/) {}
  virtual void handshake_ended(const net::Stream&, bool) {}  // of TLS; whether it succeeded
  // A handshake with this identity failed, and the peer knows it: nothing that is done here shows in its time.
  virtual void psk_failed(std::string_view, PskVerdict, const PeerFacts&) {}
  // Where its connections are counted; null: nowhere.
  virtual metrics::ConnectionCounts* connection_counts() { return nullptr; }
  // The connection is closed: hand it to Loop::destroy_later.
  virtual void closed(Connection& connection) = 0;
};

class Connection final : public net::LoopClient,
                         public net::Timer,
                         public Transport,
                         public base::ListHook<ConnectionListTag> {
 public:
  Connection(net::Loop& loop, ConnectionOwner& owner, const ListenerContext& context, net::UniqueFd fd,
             const net::SocketAddress& peer, ConnectionPlace place = {});
  ~Connection() override;
  void start();
  // The two steps of continuing on another loop; shut_down() may stand in place of the second.
  void arrive(net::Loop& loop, ConnectionOwner& owner, const ListenerContext& context);
  void go_on(MqttServices& services);
  std::uint32_t listener_number() const { return context_->number; }
  void shut_down();  // the server stops

  // Transport
  net::Loop& loop() override { return *loop_; }
  const PeerFacts& peer() const override { return peer_; }
  std::optional<net::PeerCertificate> peer_certificate() const override { return stream_.peer_certificate(); }
  std::string_view psk_identity() const override { return stream_.psk_identity(); }
  void write(base::ByteView bytes) override;
  std::uint8_t* reserve(std::size_t bytes) override;
  void commit(std::size_t bytes) override;
  void write_shared(base::ByteView bytes, const mqtt::MessageRef& owner) override;
  std::size_t unsent_bytes() const override { return out_.size(); }
  bool peer_ended() const override { return peer_ended_; }
  bool congested() const override {  // who has gone hears nothing any more
    return out_.size() >= context_->limits.outgoing_bytes || broken_ || end_waits_ != PeerEnd::kNone;
  }
  void set_client_address(std::string_view address) override;
  void set_origin(std::string origin) override;
  bool tell_end() override;
  void input_wanted() override;
  void limit_input(const std::uint32_t& bytes_per_second) override;
  void established() override;
  void replace_conversation(std::unique_ptr<Conversation> next) override;
  void move_to(session::LoopId loop) override;
  void finish() override;
  void abort() override;

 private:
  enum class Stage : std::uint8_t {
    kProxyHeader,
    kFirstBytes,  // of the socket
    kTlsHandshake,
    kPskLookup,     // of the handshake
    kConversation,  // or, when there is none yet, first bytes of the plaintext
    kFinishing,     // our last bytes are leaving
    kLingering,     // waiting for the peer's end
    kClosed,
  };

  // net::LoopClient, net::Timer
  void on_ready(std::uint32_t epoll_events) override;
  void on_turn_end() override;
  void on_again() override;
  void on_timer(base::MonoMs now) override;

  void leave();
  void advance();
  bool is_opening() const { return !established_ && stage_ <= Stage::kConversation; }
  bool must_wait();
  void too_late();
  bool step();  // one read or handshake step; false: nothing more to do for now
  bool step_proxy_header();
  bool step_first_bytes();
  bool step_handshake();
  void look_up_psk();
  void psk_found(PskKey found);
  void handshake_failed();
  bool step_read();
  enum class PeerEnd : std::uint8_t { kNone, kClosed, kBroken };
  void on_peer_end(PeerEnd how);
  void end_of_input();
  void start_finishing();
  void leave_line();
  void feed(base::MutableBytes input);
  void keep(base::ByteView input);
  bool choose_conversation(base::ByteView first);
  void flush();
  void write_failed();
  void after_flush(bool progress);
  bool read_what_waits();
  void schedule_timer();
  void end(TransportEnd how, const char* why);
  void close_now();
  bool input_blocked() const;
  void count_input(std::size_t bytes);
  void count_as(metrics::Transport transport, metrics::ConnectionState state);
  void uncount();

  net::Loop* loop_;  // null: between two loops
  ConnectionOwner* owner_;
  const ListenerContext* context_;
  net::Stream stream_;
  net::WriteQueue out_;
  std::unique_ptr<Conversation> conversation_;
  std::unique_ptr<Conversation> replaced_;  // kept until the end of the turn: it may be on the call stack
  std::unique_ptr<base::Bytes> backlog_;    // input that the conversation did not take yet; at most a read buffer
  base::MonoMs last_progress_ms_ = 0;       // when the peer last took bytes while some were waiting
  // What may be read now, of at most a second's worth; below zero nothing is read until input_pause_until_ms_.
  const std::uint32_t* input_per_s_ = nullptr;  // null: no limit yet
  base::MonoMs input_counted_ms_ = 0;
  base::MonoMs input_pause_until_ms_ = 0;  // 0: not paused
  std::int32_t input_credit_ = 0;
  std::uint32_t lingered_bytes_ = 0;
  std::optional<session::LoopId> move_to_;  // nothing is read any more; at the end of the turn it leaves
  Stage stage_;
  PskVerdict psk_verdict_ = PskVerdict::kIdentityForm;  // after the look-up
  metrics::Transport counted_transport_ = metrics::Transport::kTcp;
  metrics::ConnectionState counted_state_ = metrics::ConnectionState::kOpening;
  bool counted_ = false;
  bool established_ = false;
  std::uint8_t first_reads_ = 0;  // behind the sign-in, still to come: they stand in line
  bool handshake_begun_ = false;
  PeerEnd end_waits_ = PeerEnd::kNone;  // was read, and stands in line
  bool readable_ = false;
  bool writable_ = true;
  bool input_wanted_ = false;  // the conversation takes again what it left
  bool peer_ended_ = false;    // the kernel announced the end of the stream: read until it shows
  bool saw_end_ = false;       // it did show
  bool broken_ = false;        // a write has failed
  bool over_bound_ = false;    // more than the outgoing bound waits

  // Up to here: what every message needs, side by side in memory.
  ConnectionPlace place_;
  base::MonoMs setup_deadline_ms_;  // also the deadline of lingering
  PeerFacts peer_;
  std::shared_ptr<Connection*> awaits_psk_;  // while the look-up is under way
};

}  // namespace mooring::gateway
