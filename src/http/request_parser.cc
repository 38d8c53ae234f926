#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional.hpp>

namespace mooring::http {
namespace {
namespace bh = boost::beast::http;

std::string to_string(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

Request head_of(const bh::request<bh::string_body>& message) {
  Request out;
  out.method = to_string(message.method_string());
  out.target = to_string(message.target());
  out.version_major = static_cast<int>(message.version() / 10);
  out.version_minor = static_cast<int>(message.version() % 10);
  out.fields.reserve(static_cast<std::size_t>(std::distance(message.begin(), message.end())));
  for (const auto& field : message) out.fields.push_back({to_string(field.name_string()), to_string(field.value())});
  out.keep_alive = message.keep_alive();
  return out;
}
}  // namespace

struct RequestParser::Impl {
  // Beast's parser cannot be used twice, so it is made anew for each request.
  boost::optional<bh::request_parser<bh::string_body>> parser;
  bool body_bounded = false;
};

RequestParser::RequestParser(const ParserLimits& limits, ChooseBodyBytes choose_body_bytes)
    : limits_(limits), choose_body_bytes_(std::move(choose_body_bytes)), impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

RequestParser::Status RequestParser::fail(int status) {
  error_status_ = status;
  return Status::kBad;
}

RequestParser::Status RequestParser::feed(base::ByteView input, std::size_t& consumed) {
  consumed = 0;
  auto& parser = impl_->parser;
  if (!parser) {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits_.head_bytes));
    // The head alone at first: how much of a body may follow hangs on it.
    parser->body_limit(boost::none);
    parser->eager(false);
    impl_->body_bounded = false;
  }
  const std::size_t held_before = pending_.size();
  base::ByteView data = input;
  if (held_before > 0) {
    // Beast wants the rest of a head in one piece with what it left over.
    pending_.insert(pending_.end(), input.begin(), input.end());
    data = pending_;
  }
  std::size_t used = 0;
  boost::beast::error_code error;
  while (used < data.size() && !parser->is_done()) {
    if (parser->is_header_done() && parser->upgrade()) break;
    if (parser->is_header_done() && !impl_->body_bounded && !body_is_bounded()) return fail(413);
    const std::size_t n = parser->put(boost::asio::buffer(data.data() + used, data.size() - used), error);
    used += n;
    if (error == bh::error::need_more) break;
    if (error == bh::error::header_limit) return fail(431);
    if (error == bh::error::body_limit) return fail(413);
    if (error) return fail(400);
    if (n == 0) break;
  }
  if (parser->is_header_done() && !parser->upgrade() && !impl_->body_bounded && !body_is_bounded()) return fail(413);
  const bool complete = parser->is_done() || (parser->is_header_done() && parser->upgrade());
  if (complete) {
    consumed = used - held_before;
    pending_.clear();
    pending_.shrink_to_fit();
    return Status::kComplete;
  }
  consumed = input.size();
  const base::Bytes rest(data.begin() + static_cast<std::ptrdiff_t>(used), data.end());
  pending_ = rest;
  if (pending_.size() > limits_.head_bytes) return fail(431);
  return Status::kMore;
}

// False: the body is said to be larger than it may be.
bool RequestParser::body_is_bounded() {
  auto& parser = *impl_->parser;
  std::size_t bound = limits_.body_bytes;
  if (choose_body_bytes_) bound = choose_body_bytes_(head_of(parser.get())).value_or(bound);
  impl_->body_bounded = true;
  parser.body_limit(bound);
  parser.eager(true);
  const auto announced = parser.content_length();
  return !announced || *announced <= bound;
}

Request RequestParser::head() const {
  return head_of(impl_->parser->get());
}

Request RequestParser::take_request() {
  auto& message = impl_->parser->get();
  Request out = head_of(message);
  out.body = std::move(message.body());
  impl_->parser.reset();
  return out;
}

}  // namespace mooring::http
