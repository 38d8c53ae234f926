// Gateway: all connections of one loop, and the conversations they get. Lives on its loop.
#pragma once

#include <memory>
#include <vector>

#include "base/intrusive_list.h"
#include "gateway/connection.h"
#include "gateway/http_conversation.h"
#include "gateway/loop_switch.h"
#include "gateway/mqtt_conversation.h"
#include "gateway/opening_line.h"
#include "net/listener.h"
#include "net/loop.h"

namespace mooring::gateway {

class Gateway final : public ConnectionOwner {
 public:
  // `mqtt` and `http` belong to this loop and outlive the gateway; `budget` and `others` are shared by all loops.
  Gateway(net::Loop& loop, MqttServices& mqtt, HttpServices& http, ConnectionBudget& budget, LoopSwitch& others);
  ~Gateway() override;

  // Starts to accept on a listening socket. `context` is shared by its connections.
  base::Result<> listen(net::UniqueFd fd, std::shared_ptr<ListenerContext> context);
  void stop_listening();
  // Replaces the certificates of every listener that speaks TLS; connections keep theirs.
  void set_tls_contexts(const std::function<std::shared_ptr<const net::TlsContext>(const ListenerContext&)>& choose);
  // New time limits and bounds, also for connections that are open.
  void set_connection_limits(const ConnectionLimits& limits);
  // Says goodbye to everybody; connections end by themselves within their closing time. Those that arrive from other
  // loops afterwards are treated likewise.
  void shut_down();
  // A connection whose session is at home on this loop; its sign-in begins.
  void adopt(std::unique_ptr<Connection> connection);

  // ConnectionOwner
  std::unique_ptr<Conversation> make_mqtt(Transport& transport, const ListenerContext& context) override;
  std::unique_ptr<Conversation> make_http(Transport& transport, const ListenerContext& context) override;
  void send_away(Connection& connection, session::LoopId loop) override;
  void find_psk_key(std::string_view identity, const PeerFacts& peer, PskFound found) override;
  void psk_failed(std::string_view identity, PskVerdict verdict, const PeerFacts& peer) override;
  void handshake_ended(const net::Stream& stream, bool succeeded) override;
  bool may_shake_hands(const PeerFacts& peer) override;
  bool may_go_on(Connection& connection, LinePlace place) override;
  void count_handshake_step(bool first) override;
  metrics::ConnectionCounts* connection_counts() override { return &mqtt_.counters.connections; }
  void closed(Connection& connection) override;

 private:
  struct Door {
    std::shared_ptr<ListenerContext> context;
    std::unique_ptr<net::Listener> listener;
  };
  bool is_full() const;
  void accept(net::UniqueFd fd, const net::SocketAddress& peer, const ListenerContext& context);

  net::Loop& loop_;
  MqttServices& mqtt_;
  HttpServices& http_;
  ConnectionBudget& budget_;
  LoopSwitch& others_;
  std::vector<Door> doors_;
  base::IntrusiveList<Connection, ConnectionListTag> connections_;  // owned
  bool stopping_ = false;
  OpeningLine openings_;
};

}  // namespace mooring::gateway
