#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace mooring::http {
namespace {

using Status = RequestParser::Status;

TEST(RequestParser, ReadsRequestsCutAnywhere) {
  const std::string text =
      "POST /api/v1/products?x=1 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 11\r\n\r\nhello world"
      "GET /healthz HTTP/1.0\r\n\r\n";
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    RequestParser parser({});
    std::vector<Request> seen;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t n = round == 0 ? text.size() - at : std::min<std::size_t>(1 + random() % 40, text.size() - at);
      std::size_t consumed = 0;
      const Status status = parser.feed(base::as_bytes(std::string_view(text).substr(at, n)), consumed);
      ASSERT_NE(status, Status::kBad);
      at += consumed;
      if (status == Status::kComplete) seen.push_back(parser.take_request());
    }
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].path(), "/api/v1/products");
    EXPECT_EQ(seen[0].body, "hello world");
    EXPECT_EQ(seen[0].field("X-ONE"), "1");
    EXPECT_EQ(seen[0].fields.size(), 4U);
    EXPECT_TRUE(seen[0].keep_alive);
    EXPECT_FALSE(seen[1].keep_alive);
  }
}

TEST(RequestParser, AnUpgradeLeavesWhatFollows) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  RequestParser parser({});
  std::size_t consumed = 0;
  ASSERT_EQ(parser.feed(base::as_bytes(head + "\x82\x80 frames"), consumed), Status::kComplete);
  EXPECT_EQ(consumed, head.size());
}

int error_of(const std::string& text, const ParserLimits& limits = {}) {
  RequestParser parser(limits);
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t consumed = 0;
    const Status status = parser.feed(base::as_bytes(std::string_view(text).substr(at, 1000)), consumed);
    if (status == Status::kBad) return parser.error_status();
    if (status == Status::kComplete) return 0;
    at += consumed;
  }
  return 0;
}

TEST(RequestParser, BoundsHeadAndBody) {
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(error_of("GET /" + std::string(20'000, 'x')), 431);
  EXPECT_EQ(error_of("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx"), 413);
  EXPECT_EQ(error_of("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(error_of("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), 400);
}

TEST(RequestParser, TheHeadDecidesHowMuchBodyMayFollow) {
  const auto status_of = [](std::string_view text, std::size_t piece) {
    std::size_t asked = 0;
    ParserLimits limits;
    limits.body_bytes = 10;
    RequestParser parser(limits, [&](const Request& head) -> std::optional<std::size_t> {
      ++asked;
      EXPECT_EQ(head.path(), "/import");
      EXPECT_TRUE(head.body.empty());
      return head.field("Authorization") ? std::optional<std::size_t>(100) : std::nullopt;
    });
    for (std::size_t at = 0; at < text.size(); at += piece) {
      std::size_t consumed = 0;
      const Status status = parser.feed(base::as_bytes(text.substr(at, piece)), consumed);
      if (status == Status::kBad) return parser.error_status();
      if (status != Status::kComplete) continue;
      EXPECT_EQ(asked, 1U);
      return static_cast<int>(parser.take_request().body.size());
    }
    return -1;
  };
  const std::string body(90, 'x');
  const std::string head = "POST /import HTTP/1.1\r\nHost: a\r\n";
  const std::string known = head + "Authorization: Bearer x\r\n";
  const std::string sized = "Content-Length: 90\r\n\r\n" + body;
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n5a\r\n" + body + "\r\n0\r\n\r\n";
  for (const std::size_t piece : {1U, 7U, 1000U}) {
    EXPECT_EQ(status_of(head + sized, piece), 413) << piece;
    EXPECT_EQ(status_of(head + chunked, piece), 413) << piece;
    EXPECT_EQ(status_of(known + sized, piece), 90) << piece;
    EXPECT_EQ(status_of(known + chunked, piece), 90) << piece;
    EXPECT_EQ(status_of(known + "Content-Length: 101\r\n\r\n", piece), 413) << "before any of it comes";
    EXPECT_EQ(status_of(known + "Transfer-Encoding: chunked\r\n\r\n65\r\n", piece), 413) << piece;
  }
}

TEST(Serialize, HeadHasNoBody) {
  Response response = error_response(404, "not_found", "there is no \"such\" page");
  EXPECT_EQ(response.body, R"({"error":{"code":"not_found","message":"there is no \"such\" page"}})");
  const std::string whole = serialize(response, true, false);
  EXPECT_TRUE(whole.starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_TRUE(whole.ends_with(response.body));
  EXPECT_TRUE(serialize(response, true, true).ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace mooring::http
