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
}  // namespace

struct RequestParser::Impl {
  // Beast's parser cannot be used twice, so it is made anew for each request.
  boost::optional<bh::request_parser<bh::string_body>> parser;
};

RequestParser::RequestParser(const ParserLimits& limits) : limits_(limits), impl_(std::make_unique<Impl>()) {}
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
    parser->body_limit(limits_.body_bytes);
    parser->eager(true);
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
    const std::size_t n = parser->put(boost::asio::buffer(data.data() + used, data.size() - used), error);
    used += n;
    if (error == bh::error::need_more) break;
    if (error == bh::error::header_limit) return fail(431);
    if (error == bh::error::body_limit) return fail(413);
    if (error) return fail(400);
    if (n == 0) break;
  }
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

Request RequestParser::take_request() {
  const auto& message = impl_->parser->get();
  Request out;
  out.method = to_string(message.method_string());
  out.target = to_string(message.target());
  out.version_major = static_cast<int>(message.version() / 10);
  out.version_minor = static_cast<int>(message.version() % 10);
  for (const auto& field : message) out.fields.push_back({to_string(field.name_string()), to_string(field.value())});
  out.keep_alive = message.keep_alive();
  out.body = message.body();
  impl_->parser.reset();
  return out;
}

}  // namespace mooring::http
