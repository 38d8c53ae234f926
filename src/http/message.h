// HTTP/1.1 requests and responses as values. Source: RFC 9110, RFC 9112.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mooring::http {

struct Field {
  std::string name;
  std::string value;
};

struct Request {
  std::string method;
  std::string target;  // as sent: path and query
  int version_major = 1;
  int version_minor = 1;
  std::vector<Field> fields;  // in order, repeated ones repeated
  std::string body;
  bool keep_alive = false;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::optional<std::string_view> field(std::string_view name) const;  // the first of that name, case-free
};

// Bytes of a response that has no end yet. On the connection's loop.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual std::size_t unsent_bytes() const = 0;  // that the peer has not taken yet
  virtual void finish() = 0;
};

// What goes on writing after the head of a response. Called on the connection's loop.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  virtual void start(EventSink& sink) = 0;  // once; `sink` is there until ended()
  virtual void ended() = 0;                 // the connection is over, or about to be
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Field> fields;  // beyond Content-Type, Content-Length and Connection
  // The body comes from here, and ends with the connection; `body` is not used then.
  std::shared_ptr<ResponseStream> stream = {};
};

// {"error":{"code":...,"message":...}}: the one shape of every error of ours.
Response error_response(int status, std::string_view code, std::string_view message);

// The bytes of the response. `head_only` leaves the body out, for HEAD.
std::string serialize(const Response& response, bool keep_alive, bool head_only);

}  // namespace mooring::http
