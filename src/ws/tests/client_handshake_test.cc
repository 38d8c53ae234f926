#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ws/handshake.h"

namespace mooring::ws {
namespace {

using ::testing::HasSubstr;

const ClientRequest kRequest{"broker.example", "/mqtt?x=1", "mqtt", "dGhlIHNhbXBsZSBub25jZQ=="};

std::string answer(std::string_view accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", std::string_view more = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         std::string(accept) + "\r\n" + std::string(more) + "\r\n";
}

class CountingRandom : public base::Random {
 public:
  void fill(base::MutableBytes out) override {
    for (std::uint8_t& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

TEST(ClientHandshake, MakesKeysFromTheGivenSource) {
  CountingRandom random;
  EXPECT_EQ(make_key(random), "AAECAwQFBgcICQoLDA0ODw==");
  EXPECT_EQ(make_key(random), "EBESExQVFhcYGRobHB0eHw==");
}

TEST(ClientHandshake, Request) {
  EXPECT_EQ(build_request(kRequest).value(),
            "GET /mqtt?x=1 HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
  EXPECT_EQ(build_request({"h", "/", "", "k"}).value().find("Protocol"), std::string::npos);
}

TEST(ClientHandshake, RefusesRequestsThatWouldBeOthers) {
  for (const ClientRequest& request :
       {ClientRequest{"", "/", "", "k"}, ClientRequest{"h\r\nX: y", "/", "", "k"}, ClientRequest{"h h", "/", "", "k"},
        ClientRequest{"h", "", "", "k"}, ClientRequest{"h", "mqtt", "", "k"}, ClientRequest{"h", "/a b", "", "k"},
        ClientRequest{"h", "/a\n", "", "k"}, ClientRequest{"h", "/", "mqtt\r\n", "k"}, ClientRequest{"h", "/", "", ""},
        ClientRequest{"h", "/", "", "k\r"}}) {
    const auto result = build_request(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::Errc::kInvalidArgument);
  }
}

TEST(ClientHandshake, ServerAndClientAgree) {
  const HeaderField headers[] = {{"Host", kRequest.host},         {"Upgrade", "websocket"},
                                 {"Connection", "Upgrade"},       {"Sec-WebSocket-Key", kRequest.key},
                                 {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "mqtt"}};
  const std::string response = build_response(check_upgrade({"GET", 1, 1, headers}).value());
  const auto opened = read_response(response, kRequest).value();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->head_bytes, response.size());
  EXPECT_EQ(opened->subprotocol, "mqtt");
}

TEST(ClientHandshake, WaitsForTheWholeHeadAndLeavesTheRest) {
  const std::string head = answer();
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto result = read_response(head.substr(0, size), kRequest);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_FALSE(result->has_value()) << size;
  }
  const auto opened = read_response(head + "\x82\x01x", kRequest).value();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->head_bytes, head.size());
  EXPECT_EQ(opened->subprotocol, "");
}

TEST(ClientHandshake, RefusesWrongAnswers) {
  const std::string good_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  struct Row {
    std::string response;
    std::string message;  // part of it
  };
  const std::vector<Row> rows{
      {answer("AAAA"), "does not fit our key"},
      {answer(""), "does not fit our key"},
      {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + good_accept + "\r\n\r\n",
       "lacks 'Upgrade: websocket'"},
      {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + good_accept + "\r\n\r\n",
       "lacks 'Connection: upgrade'"},
      {answer(good_accept, "Sec-WebSocket-Extensions: permessage-deflate\r\n"), "extension that was not offered"},
      {answer(good_accept, "Sec-WebSocket-Protocol: mqttv5\r\n"), "'mqttv5', which was not offered"},
      {answer(good_accept, "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: mqtt\r\n"), "more than one"},
      {"SSH-2.0-x\r\n", "does not answer in HTTP"},
      {"HTTP/2 101\r\n\r\n", "does not answer in HTTP"},
      {"HTTP/1.1 1x1 Hm\r\n\r\n", "malformed"},
      {"HTTP/1.1 1010 Hm\r\n\r\n", "malformed"},
      {"HTTP/1.1  101 Hm\r\n\r\n", "malformed"},
      {"HTTP/1.1\r\n\r\n", "malformed"},
      {"HTTP/1.1 101 X\r\nno colon\r\n\r\n", "malformed"},
      {"HTTP/1.1 101 X\r\n: empty name\r\n\r\n", "malformed"},
      {"HTTP/1.1 101 X\r\nUpgrade : websocket\r\n\r\n", "malformed"},
      {"HTTP/1.1 101 X\r\nA: b\r\n folded\r\n\r\n", "malformed"},
      {"HTTP/1.1 403\r\n\r\n", "HTTP status 403"},
      {"HTTP/1.1 301 Moved\r\nLocation: https://else.example/\r\n\r\n", "pointing to https://else.example/"},
      {"HTTP/1.1 426 Upgrade Required\r\n\r\na proxy\x1b in front\n", "426 Upgrade Required: a proxy\\x1b in front"},
  };
  for (const Row& row : rows) {
    const auto result = read_response(row.response, kRequest);
    ASSERT_FALSE(result) << row.message;
    EXPECT_THAT(result.error().message, HasSubstr(row.message));
  }
}

TEST(ClientHandshake, RefusalsTellWhetherTryingAgainHelps) {
  EXPECT_EQ(read_response("HTTP/1.1 403 Forbidden\r\n\r\n", kRequest).error().code, base::Errc::kPermissionDenied);
  EXPECT_EQ(read_response("HTTP/1.1 503 Busy\r\n\r\n", kRequest).error().code, base::Errc::kUnavailable);
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\n\r\n", kRequest).error().code, base::Errc::kInvalidArgument);
}

TEST(ClientHandshake, OneOfSeveralOffers) {
  ClientRequest request = kRequest;
  request.subprotocol = "mqttv5, mqtt";
  const std::string response = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: mqtt\r\n");
  EXPECT_EQ(read_response(response, request).value()->subprotocol, "mqtt");
}

TEST(ClientHandshake, HeadIsBounded) {
  std::string head = "HTTP/1.1 101 X\r\nA: ";
  head.append(kMaxResponseHeadBytes, 'a');
  EXPECT_EQ(read_response(head, kRequest).error().code, base::Errc::kLimitExceeded);
  head += "\r\n\r\n";
  EXPECT_EQ(read_response(head, kRequest).error().code, base::Errc::kLimitExceeded);
}

}  // namespace
}  // namespace mooring::ws
