// What comes before any protocol is known: first bytes, PROXY headers, HTTP heads. Whatever arrives, and however it is
// cut, must not crash, and the answer must not depend on the cuts.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/first_bytes.h"
#include "http/request_parser.h"
#include "net/proxy_protocol.h"

namespace {

using mooring::base::ByteView;

void check(bool holds) {
  if (!holds) std::abort();
}

void first_bytes(ByteView input) {
  using mooring::gateway::FirstBytes;
  FirstBytes known = FirstBytes::kMore;
  for (std::size_t n = 0; n <= input.size() && n <= mooring::gateway::kFirstBytesMax; ++n) {
    const FirstBytes now = mooring::gateway::classify_first_bytes(input.first(n));
    check(known == FirstBytes::kMore || now == known);  // once told, more bytes change nothing
    known = now;
  }
  if (input.size() >= mooring::gateway::kFirstBytesMax) check(known != FirstBytes::kMore);
}

void proxy_header(ByteView input) {
  using Status = mooring::net::ProxyHeader::Status;
  const auto whole = mooring::net::parse_proxy_header(input);
  check(whole.header_bytes <= input.size());
  if (input.size() > mooring::net::kMaxProxyHeaderBytes) check(whole.status != Status::kMore);
  if (whole.status == Status::kDone) {
    const auto exact = mooring::net::parse_proxy_header(input.first(whole.header_bytes));
    check(exact.status == Status::kDone && exact.header_bytes == whole.header_bytes);
    if (whole.has_source) check(!whole.source.to_text().empty());
  }
}

struct Outcome {
  int requests = 0;
  int error = 0;
  std::string targets;
  bool operator==(const Outcome&) const = default;
};

Outcome http(ByteView input, std::size_t step) {
  mooring::http::RequestParser parser({1024, 4096});
  Outcome out;
  while (!input.empty()) {
    std::size_t consumed = 0;
    const ByteView piece = input.first(std::min(step, input.size()));
    switch (parser.feed(piece, consumed)) {
      case mooring::http::RequestParser::Status::kBad:
        out.error = parser.error_status();
        return out;
      case mooring::http::RequestParser::Status::kComplete: {
        const auto request = parser.take_request();
        ++out.requests;
        out.targets += request.method + " " + request.target + "\n";
        break;
      }
      case mooring::http::RequestParser::Status::kMore:
        check(consumed == piece.size());
        break;
    }
    check(consumed <= piece.size());
    if (consumed == 0 && out.requests > 64) return out;
    input = input.subspan(consumed);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data, size);
  first_bytes(input);
  proxy_header(input);
  const Outcome whole = http(input, input.size());
  const Outcome cut = http(input, 1 + data[0] % 7U);
  // Limits may strike at another place when the input is cut; what was read before that must be the same.
  if (whole.error == 0 && cut.error == 0) check(whole == cut);
  return 0;
}
