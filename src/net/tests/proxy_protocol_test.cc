#include "net/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace mooring::net {
namespace {

using Status = ProxyHeader::Status;

TEST(ProxyProtocol, Version1NamesTheSource) {
  const std::string line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
  for (std::size_t n = 1; n < line.size(); ++n) {
    EXPECT_EQ(parse_proxy_header(base::as_bytes(line.substr(0, n))).status, Status::kMore) << n;
  }
  const ProxyHeader header = parse_proxy_header(base::as_bytes(line + "GET /"));
  ASSERT_EQ(header.status, Status::kDone);
  EXPECT_EQ(header.header_bytes, line.size());
  EXPECT_EQ(header.source.to_text(), "192.0.2.7:56324");
}

TEST(ProxyProtocol, Version1UnknownSpeaksForItself) {
  const ProxyHeader header = parse_proxy_header(base::as_bytes("PROXY UNKNOWN\r\n"));
  ASSERT_EQ(header.status, Status::kDone);
  EXPECT_FALSE(header.has_source);
}

TEST(ProxyProtocol, Version2NamesTheSource) {
  std::string bytes("\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A", 12);
  bytes += std::string("\x21\x11\x00\x0C", 4);
  bytes += std::string("\xC0\x00\x02\x07\xC6\x33\x64\x01\xDC\x04\x01\xBB", 12);
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    EXPECT_EQ(parse_proxy_header(base::as_bytes(bytes.substr(0, n))).status, Status::kMore) << n;
  }
  const ProxyHeader header = parse_proxy_header(base::as_bytes(bytes));
  ASSERT_EQ(header.status, Status::kDone);
  EXPECT_EQ(header.source.to_text(), "192.0.2.7:56324");
}

TEST(ProxyProtocol, AnythingElseIsMalformedAtOnce) {
  EXPECT_EQ(parse_proxy_header(base::as_bytes("GET / HTTP/1.1\r\n")).status, Status::kMalformed);
  EXPECT_EQ(parse_proxy_header(base::as_bytes("\x10")).status, Status::kMalformed);
  EXPECT_EQ(parse_proxy_header(base::as_bytes("PROXY TCP4 nonsense\r\n")).status, Status::kMalformed);
  EXPECT_EQ(parse_proxy_header(base::as_bytes("PROXY " + std::string(200, 'x'))).status, Status::kMalformed);
}

}  // namespace
}  // namespace mooring::net
