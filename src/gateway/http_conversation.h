// HttpConversation: HTTP/1.1 on one connection: the upgrade to WebSocket, and requests for the Handler. One request at
// a time; a pipelined one waits.
#pragma once

#include <functional>
#include <memory>

#include "gateway/transport.h"
#include "http/handler.h"
#include "http/request_parser.h"
#include "net/socket_address.h"

namespace mooring::gateway {

// What HTTP conversations of one loop share. Outlives them.
struct HttpServices {
  http::Handler* handler = nullptr;
  // Makes the conversation that follows an accepted upgrade.
  std::function<std::unique_ptr<Conversation>(Transport&)> make_websocket;
  std::vector<std::string> allowed_origins;  // empty: every origin
  http::ParserLimits limits;
  std::size_t local_body_bytes = 17 * 1024 * 1024;  // of requests over the local socket
  std::int64_t idle_timeout_ms = 10'000;            // from an answer to the end of the next head
  std::int64_t body_timeout_ms = 60'000;            // of those who may send more than strangers
};

class HttpConversation final : public Conversation, private http::EventSink {
 public:
  HttpConversation(Transport& transport, const HttpServices& services,
                   const std::vector<net::AddressBlock>& trusted_proxies);
  ~HttpConversation() override;

  std::size_t receive(base::MutableBytes input) override;
  void transport_ended(TransportEnd end) override;
  base::MonoMs deadline() const override { return waiting_ || stream_ != nullptr ? 0 : deadline_ms_; }
  void on_deadline(base::MonoMs now) override;
  bool owes_answer() const override { return waiting_; }
  void shut_down() override;

 private:
  std::optional<std::size_t> body_bytes_max(const http::Request& head);
  http::RequestSource source(const http::Request& head) const;
  void handle(http::Request request);
  bool try_upgrade(const http::Request& request);
  void respond(const http::Response& response);
  void end_stream();

  // http::EventSink
  void write(std::string_view bytes) override;
  std::size_t unsent_bytes() const override { return transport_.unsent_bytes(); }
  void finish() override;

  Transport& transport_;
  const HttpServices& services_;
  const std::vector<net::AddressBlock>& trusted_proxies_;
  http::RequestParser parser_;
  std::shared_ptr<HttpConversation*> self_;       // cleared when this ends: answers under way find out
  std::shared_ptr<http::ResponseStream> stream_;  // of a response that has no end yet
  base::MonoMs deadline_ms_ = 0;
  bool waiting_ = false;  // for the handler's answer
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool upgraded_ = false;
};

}  // namespace mooring::gateway
