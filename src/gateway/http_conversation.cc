#include "gateway/http_conversation.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "gateway/forwarded.h"
#include "ws/handshake.h"

namespace mooring::gateway {
namespace {

constexpr std::size_t kMaxUnreadBytes = 64 * 1024;
constexpr std::size_t kMaxOriginBytes = 256;

std::vector<ws::HeaderField> header_fields(const http::Request& request) {
  std::vector<ws::HeaderField> out;
  out.reserve(request.fields.size());
  for (const http::Field& f : request.fields) out.push_back({f.name, f.value});
  return out;
}

// One that is too long or comes twice is nobody's origin, but it is one.
std::string origin_of(const http::Request& request) {
  const auto is_origin = [](const http::Field& field) { return base::iequals(field.name, "Origin"); };
  const std::string_view origin = *request.field("Origin");
  const bool twice = std::count_if(request.fields.begin(), request.fields.end(), is_origin) > 1;
  return twice || origin.size() > kMaxOriginBytes ? std::string("null") : std::string(origin);
}

http::ParserLimits limits_for(const HttpServices& services, const PeerFacts& peer) {
  http::ParserLimits limits = services.limits;
  if (peer.local_socket) limits.body_bytes = services.local_body_bytes;
  return limits;
}

}  // namespace

HttpConversation::HttpConversation(Transport& transport, const HttpServices& services,
                                   const std::vector<net::AddressBlock>& trusted_proxies)
    : transport_(transport),
      services_(services),
      trusted_proxies_(trusted_proxies),
      parser_(limits_for(services, transport.peer()),
              [this](const http::Request& head) { return body_bytes_max(head); }),
      self_(std::make_shared<HttpConversation*>(this)) {}

HttpConversation::~HttpConversation() {
  end_stream();
}

std::size_t HttpConversation::receive(base::MutableBytes input) {
  if (stream_ != nullptr) return input.size();  // read, so that the peer's end is seen, and of no interest
  if (waiting_ || upgraded_) return 0;
  std::size_t taken = 0;
  switch (parser_.feed(input, taken)) {
    case http::RequestParser::Status::kMore:
      return taken;
    case http::RequestParser::Status::kComplete:
      handle(parser_.take_request());
      return taken;
    case http::RequestParser::Status::kBad:
      break;
  }
  const int status = parser_.error_status();
  keep_alive_ = false;
  if (status == 413) {
    const http::Request head = parser_.head();
    if (auto answer = services_.handler->too_large(head, source(head))) {
      respond(*answer);
      return input.size();
    }
  }
  respond(http::error_response(status,
                               status == 431   ? "head_too_large"
                               : status == 413 ? "body_too_large"
                                               : "bad_request",
                               status == 431   ? "the request's header fields are over the limit"
                               : status == 413 ? "the request's body is over the limit"
                                               : "this is not a valid HTTP/1.1 request"));
  return input.size();
}

// A proxy's connection carries requests of many clients.
http::RequestSource HttpConversation::source(const http::Request& head) const {
  const PeerFacts& peer = transport_.peer();
  const Forwarded forwarded = forwarded_by(head, peer.address, trusted_proxies_);
  const auto client = net::SocketAddress::parse(forwarded.client, 0);
  http::RequestSource source;
  source.address = client ? client->host() : peer.address.host();
  source.loopback = !peer.proxied && !forwarded.by_proxy && peer.address.is_loopback();
  source.local_socket = peer.local_socket;
  source.tls = peer.tls || forwarded.https;
  source.executor = &transport_.loop();
  return source;
}

// Who may send much also has the time for it.
std::optional<std::size_t> HttpConversation::body_bytes_max(const http::Request& head) {
  if (transport_.peer().local_socket) return std::nullopt;
  const auto bytes = services_.handler->body_bytes_max(head, source(head));
  if (bytes) {
    deadline_ms_ = transport_.loop().now_ms() + services_.body_timeout_ms;
    transport_.established();
  }
  return bytes;
}

void HttpConversation::handle(http::Request request) {
  if (try_upgrade(request)) return;
  waiting_ = true;
  transport_.established();
  keep_alive_ = request.keep_alive;
  head_only_ = request.method == "HEAD";
  const http::RequestSource from = source(request);
  services_.handler->handle(std::move(request), from,
                            [self = std::weak_ptr<HttpConversation*>(self_)](const http::Response& response) {
                              if (const auto alive = self.lock()) (*alive)->respond(response);
                            });
}

bool HttpConversation::try_upgrade(const http::Request& request) {
  const std::vector<ws::HeaderField> fields = header_fields(request);
  const ws::UpgradeRequest upgrade{request.method, request.version_major, request.version_minor, fields};
  if (!ws::is_upgrade(upgrade)) return false;
  const auto refuse = [&](const ws::Reject& reject) {
    base::log_info("gateway", "{}: WebSocket upgrade refused with {}: {}", transport_.peer().address.to_text(),
                   reject.status, reject.message);
    transport_.write(base::as_bytes(ws::build_response(reject)));
    transport_.finish();
  };
  const auto accepted = ws::check_upgrade(upgrade);
  if (!accepted) {
    refuse(accepted.error());
    return true;
  }
  const auto origin = request.field("Origin");
  const auto& allowed = services_.allowed_origins;
  if (origin && !allowed.empty() && std::find(allowed.begin(), allowed.end(), *origin) == allowed.end()) {
    refuse({403, "this Origin is not in connect.allowed_origins", {}});
    return true;
  }
  const Forwarded forwarded = forwarded_by(request, transport_.peer().address, trusted_proxies_);
  if (!forwarded.client.empty()) transport_.set_client_address(forwarded.client);
  if (origin) transport_.set_origin(origin_of(request));
  transport_.write(base::as_bytes(ws::build_response(*accepted)));
  upgraded_ = true;
  transport_.replace_conversation(services_.make_websocket(transport_));
  return true;
}

void HttpConversation::respond(const http::Response& response) {
  // Whoever asks again and again without reading has had enough.
  if (transport_.unsent_bytes() > kMaxUnreadBytes || response.stream != nullptr) keep_alive_ = false;
  transport_.write(base::as_bytes(http::serialize(response, keep_alive_, head_only_)));
  waiting_ = false;
  if (response.stream != nullptr && !head_only_) {
    stream_ = response.stream;
    transport_.established();  // asks for the deadline anew: there is none
    stream_->start(*this);
    transport_.input_wanted();
    return;
  }
  if (!keep_alive_) {
    transport_.finish();
    return;
  }
  deadline_ms_ = transport_.loop().now_ms() + services_.idle_timeout_ms;
  transport_.established();  // asks for the deadline anew
  transport_.input_wanted();
}

void HttpConversation::end_stream() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->ended();
}

void HttpConversation::write(std::string_view bytes) {
  transport_.write(base::as_bytes(bytes));
}

void HttpConversation::finish() {
  end_stream();
  transport_.finish();
}

void HttpConversation::transport_ended(TransportEnd) {
  self_.reset();
  end_stream();
}
void HttpConversation::on_deadline(base::MonoMs) {
  transport_.finish();
}
void HttpConversation::shut_down() {
  finish();
}

}  // namespace mooring::gateway
