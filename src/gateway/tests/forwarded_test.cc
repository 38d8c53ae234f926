#include "gateway/forwarded.h"

#include <gtest/gtest.h>

namespace mooring::gateway {
namespace {

const std::vector<net::AddressBlock> kProxies = {*net::AddressBlock::parse("10.0.0.0/8")};

Forwarded seen_from(std::string_view peer, std::vector<http::Field> fields) {
  static http::Request request;  // what is found borrows from it
  request.fields = std::move(fields);
  return forwarded_by(request, *net::SocketAddress::parse(peer, 1), kProxies);
}

TEST(Forwarded, TheLastEntryOfTheLastFieldIsTheProxys) {
  EXPECT_EQ(seen_from("10.1.1.1", {{"X-Forwarded-For", "203.0.113.9"}}).client, "203.0.113.9");
  EXPECT_EQ(seen_from("10.1.1.1", {{"x-forwarded-for", "6.6.6.6, 203.0.113.9 "}}).client, "203.0.113.9");
  const Forwarded twice = seen_from("10.1.1.1", {{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-For", "203.0.113.9"}});
  EXPECT_EQ(twice.client, "203.0.113.9");
  EXPECT_TRUE(twice.by_proxy);
}

TEST(Forwarded, OthersAreNotBelievedButAreProxies) {
  for (const char* name : {"X-Forwarded-For", "Forwarded", "Via"}) {
    const Forwarded found = seen_from("127.0.0.1", {{name, "127.0.0.1"}, {"X-Forwarded-Proto", "https"}});
    EXPECT_TRUE(found.by_proxy) << name;
    EXPECT_TRUE(found.client.empty()) << name;
    EXPECT_FALSE(found.https) << name;
  }
  EXPECT_FALSE(seen_from("127.0.0.1", {{"Host", "localhost"}}).by_proxy);
}

TEST(Forwarded, ATrustedProxyTellsWhetherTheRequestCameOverTls) {
  EXPECT_TRUE(seen_from("10.1.1.1", {{"X-Forwarded-Proto", "https"}}).https);
  EXPECT_TRUE(seen_from("10.1.1.1", {{"x-forwarded-proto", " HTTPS "}}).https);
  EXPECT_FALSE(seen_from("10.1.1.1", {{"X-Forwarded-For", "203.0.113.9"}}).https);
}

// A proxy that adds to what it was sent lets the sender speak for it: "https" may be the sender's word, whatever its
// place.
TEST(Forwarded, SeveralSchemesAreNobodysWord) {
  for (const char* both : {"https, http", "http, https", "https,https"}) {
    const Forwarded found = seen_from("10.1.1.1", {{"X-Forwarded-Proto", both}});
    EXPECT_FALSE(found.https) << both;
    EXPECT_TRUE(found.by_proxy) << both;
  }
  EXPECT_FALSE(seen_from("10.1.1.1", {{"X-Forwarded-Proto", "http"}, {"X-Forwarded-Proto", "https"}}).https);
  EXPECT_FALSE(seen_from("10.1.1.1", {{"X-Forwarded-Proto", "https"}, {"x-forwarded-proto", "https"}}).https);
}

}  // namespace
}  // namespace mooring::gateway
