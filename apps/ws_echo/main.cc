// ws_echo: sends every WebSocket message back, on the product's own connection and WebSocket code, so that general
// WebSocket test suites can judge it. Loopback only.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <utility>

#include "gateway/connection.h"
#include "gateway/http_conversation.h"
#include "gateway/websocket_conversation.h"
#include "net/listener.h"
#include "ws/frame_encoder.h"

namespace mooring {
namespace {

constexpr std::uint64_t kMaxMessageBytes = 64ULL * 1024 * 1024;
constexpr int kBadUsage = 2;

// Collects a message and sends it back as one frame of the same kind.
class Echo final : public gateway::WebSocketConversation {
 public:
  explicit Echo(gateway::Transport& transport) : WebSocketConversation(transport, options()) {
    transport.established();  // an idle test client may stay
  }
  void transport_ended(gateway::TransportEnd) override {}

 private:
  static ws::FrameDecoder::Options options() {
    ws::FrameDecoder::Options out;
    out.max_message_bytes = kMaxMessageBytes;
    out.accept_text = true;
    return out;
  }
  std::size_t on_payload(base::MutableBytes piece, bool) override {
    message_.insert(message_.end(), piece.begin(), piece.end());
    return piece.size();
  }
  void on_payload_end(bool text) override {
    std::uint8_t* header = transport().reserve(ws::kMaxServerHeaderBytes);
    transport().commit(ws::encode_header(header, text ? ws::Opcode::kText : ws::Opcode::kBinary, message_.size()));
    transport().write(message_);
    message_.clear();
    message_.shrink_to_fit();
  }
  void on_closed(gateway::TransportEnd) override {}

  base::Bytes message_;
};

class NotFound final : public http::Handler {
 public:
  void handle(http::Request, const http::RequestSource&, http::Respond respond) override {
    respond(http::error_response(426, "upgrade_required", "this port echoes WebSocket messages"));
  }
};

class EchoServer final : public gateway::ConnectionOwner {
 public:
  explicit EchoServer(net::Loop& loop) : loop_(loop) {
    services_.handler = &not_found_;
    services_.make_websocket = [](gateway::Transport& transport) { return std::make_unique<Echo>(transport); };
    context_.tls = gateway::ListenerContext::Tls::kOff;
    context_.may_speak_mqtt = false;
    context_.limits.outgoing_bytes = 2 * kMaxMessageBytes;
  }
  ~EchoServer() override {
    while (gateway::Connection* connection = connections_.pop_front()) delete connection;
  }
  void accept(net::UniqueFd fd, const net::SocketAddress& peer) {
    auto* connection = new gateway::Connection(loop_, *this, context_, std::move(fd), peer);
    connections_.push_back(*connection);
    connection->start();
  }
  std::unique_ptr<gateway::Conversation> make_mqtt(gateway::Transport&, const gateway::ListenerContext&) override {
    return nullptr;  // never asked for: the context does not allow MQTT
  }
  std::unique_ptr<gateway::Conversation> make_http(gateway::Transport& transport,
                                                   const gateway::ListenerContext& context) override {
    return std::make_unique<gateway::HttpConversation>(transport, services_, context.trusted_proxies);
  }
  void send_away(gateway::Connection&, session::LoopId) override {}  // never asked for: Echo does not move
  void closed(gateway::Connection& connection) override {
    static_cast<base::ListHook<gateway::ConnectionListTag>&>(connection).unlink();
    loop_.destroy_later(std::unique_ptr<net::LoopClient>(&connection));
  }

 private:
  net::Loop& loop_;
  NotFound not_found_;
  gateway::HttpServices services_;
  gateway::ListenerContext context_;
  base::IntrusiveList<gateway::Connection, gateway::ConnectionListTag> connections_;
};

base::Result<> serve(std::uint16_t port) {
  auto loop = net::Loop::create();
  if (!loop) return tl::unexpected(loop.error());
  auto fd = net::open_listener(*net::SocketAddress::parse("127.0.0.1", port), false);
  if (!fd) return tl::unexpected(fd.error());
  const auto address = net::bound_address(*fd);
  if (!address) return tl::unexpected(address.error());
  EchoServer server(**loop);
  net::Listener listener(**loop, std::move(*fd), [&server](net::UniqueFd accepted, const net::SocketAddress& peer) {
    server.accept(std::move(accepted), peer);
  });
  if (auto started = listener.start(); !started) return started;
  fmt::print("ready {{\"listeners\":[{{\"address\":\"127.0.0.1\",\"port\":{}}}]}}\n", address->port());
  std::fflush(stdout);
  (*loop)->run();
  return {};
}

}  // namespace
}  // namespace mooring

int main(int argc, char** argv) {
  CLI::App app{"Echoes WebSocket messages on 127.0.0.1, for WebSocket test suites"};
  std::uint16_t port = 0;
  app.add_option("--port", port, "Port to listen on; 0 picks one")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : mooring::kBadUsage;
  }
  ::signal(SIGPIPE, SIG_IGN);
  if (const auto served = mooring::serve(port); !served) {
    fmt::print(stderr, "ws_echo: {}\n", served.error().message);
    return 1;
  }
  return 0;
}
