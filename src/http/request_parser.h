// RequestParser: HTTP/1.x requests out of a byte stream, without I/O. Boost.Beast does the parsing; this keeps it in
// one file and bounds it. One object serves one request after another. Belongs to one connection.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "http/message.h"

namespace mooring::http {

struct ParserLimits {
  std::size_t head_bytes = 16 * 1024;    // more: 431
  std::size_t body_bytes = 1024 * 1024;  // more: 413, before any of it is taken
};

class RequestParser {
 public:
  // Another bound for the body of this request than ParserLimits::body_bytes, by its head; nothing: that one.
  using ChooseBodyBytes = std::function<std::optional<std::size_t>(const Request& head)>;
  explicit RequestParser(const ParserLimits& limits, ChooseBodyBytes choose_body_bytes = {});
  ~RequestParser();

  enum class Status {
    kMore,      // all of the input was taken; the request is not complete
    kComplete,  // request() is ready; the input after `consumed` belongs to what follows it
    kBad,       // answer with error_status() and close
  };
  // Stops behind the head when the request asks for an upgrade: what follows is no body.
  Status feed(base::ByteView input, std::size_t& consumed);
  Request take_request();  // after kComplete; the parser then waits for the next request
  int error_status() const { return error_status_; }
  Request head() const;  // after kBad with status 413

 private:
  struct Impl;
  Status fail(int status);
  bool body_is_bounded();

  ParserLimits limits_;
  ChooseBodyBytes choose_body_bytes_;
  std::unique_ptr<Impl> impl_;
  base::Bytes pending_;  // the part of a head that the parser could not use yet
  int error_status_ = 400;
};

}  // namespace mooring::http
