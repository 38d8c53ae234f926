#include "ws/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mooring::ws {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";            // RFC 6455 section 1.3
constexpr std::string_view kAcceptKey = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // the same

using HeaderList = std::vector<HeaderField>;

HeaderList good_headers() {
  return {{"Host", "broker.example:443"},
          {"Upgrade", "websocket"},
          {"Connection", "Upgrade"},
          {"Sec-WebSocket-Key", kKey},
          {"Sec-WebSocket-Version", "13"}};
}

// The good list with every header of that name taken out and, if given, one put in.
HeaderList with(std::string_view name, std::optional<std::string_view> value) {
  HeaderList headers = good_headers();
  std::erase_if(headers, [&](const HeaderField& h) { return h.name == name; });
  if (value) headers.push_back({name, *value});
  return headers;
}

HeaderList with_more(HeaderList headers, const HeaderList& more) {
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

tl::expected<Accept, Reject> check(const HeaderList& headers) {
  return check_upgrade({"GET", 1, 1, headers});
}

std::string subprotocol_for(const HeaderList& offers) {
  const auto result = check(with_more(good_headers(), offers));
  return result ? std::string(result->subprotocol) : "rejected: " + result.error().message;
}

TEST(ServerHandshake, AcceptsTheExampleOfTheSpecification) {
  const auto result = check(good_headers());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->accept_key, kAcceptKey);
  EXPECT_EQ(result->subprotocol, "");
}

TEST(ServerHandshake, AcceptsWhatTheRulesLeaveOpen) {
  struct Row {
    std::string what;
    HeaderList headers;
  };
  const std::vector<Row> rows{
      {"other case",
       {{"upgrade", "WebSocket"},
        {"CONNECTION", "UPGRADE"},
        {"sec-websocket-key", kKey},
        {"Sec-Websocket-version", "13"}}},
      {"list in Connection", with("Connection", "keep-alive, Upgrade")},
      {"list in Upgrade", with("Upgrade", "h2c , websocket")},
      {"blanks", with("Sec-WebSocket-Version", "  13\t")},
      {"blanks around the key", with("Sec-WebSocket-Key", "  dGhlIHNhbXBsZSBub25jZQ== ")},
      {"empty list elements", with("Connection", ",, upgrade,")},
      {"several Connection headers", with_more(with("Connection", "keep-alive"), {{"Connection", "upgrade"}})},
      {"several Upgrade headers", with_more(with("Upgrade", "h2c"), {{"Upgrade", "websocket"}})},
      {"origin of a browser", with_more(good_headers(), {{"Origin", "https://console.example"}})},
      {"unused bits of the last key character", with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==")},
      {"no Host", with("Host", std::nullopt)},
  };
  for (const Row& row : rows) EXPECT_TRUE(check(row.headers)) << row.what;
}

TEST(ServerHandshake, AcceptsLaterHttpVersions) {
  const HeaderList headers = good_headers();
  EXPECT_TRUE(check_upgrade({"GET", 1, 2, headers}));
  EXPECT_TRUE(check_upgrade({"GET", 2, 0, headers}));
}

TEST(ServerHandshake, Rejects) {
  struct Row {
    HeaderList headers;
    int status;
    std::string message;  // part of it
  };
  const std::vector<Row> rows{
      {with("Upgrade", std::nullopt), 426,
       "Upgrade header missing from a WebSocket handshake: a proxy in front removed it"},
      {with("Upgrade", "h2c"), 426, "the Upgrade header is 'h2c'"},
      {with("Upgrade", "websockets"), 426, "the Upgrade header is 'websockets'"},
      {{{"Host", "x"}}, 426, "this is no WebSocket handshake"},
      {with("Connection", std::nullopt), 400, "Connection header missing"},
      {with("Connection", "close"), 400, "the Connection header is 'close' instead of 'upgrade': a proxy"},
      {with("Connection", "keep-alive, upgraded"), 400, "proxy_set_header Connection"},
      {with("Sec-WebSocket-Version", std::nullopt), 426, "Sec-WebSocket-Version header missing"},
      {with("Sec-WebSocket-Version", "8"), 426, "Sec-WebSocket-Version is '8'"},
      {with("Sec-WebSocket-Version", "013"), 426, "Sec-WebSocket-Version is '013'"},
      {with("Sec-WebSocket-Version", "13, 8"), 426, "Sec-WebSocket-Version is '13, 8'"},
      {with_more(good_headers(), {{"Sec-WebSocket-Version", "13"}}), 400, "more than one Sec-WebSocket-Version"},
      {with("Sec-WebSocket-Key", std::nullopt), 400, "Sec-WebSocket-Key header missing"},
      {with_more(good_headers(), {{"Sec-WebSocket-Key", kKey}}), 400, "more than one Sec-WebSocket-Key"},
      {with("Sec-WebSocket-Key", ""), 400, "base64 form of 16 bytes"},
      {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400, "base64 form of 16 bytes"},
      {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQo="), 400, "base64 form of 16 bytes"},
      {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQA=="), 400, "base64 form of 16 bytes"},
      {with("Sec-WebSocket-Key", "dGhl!HNhbXBsZSBub25jZQ=="), 400, "base64 form of 16 bytes"},
      {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j===="), 400, "base64 form of 16 bytes"},
  };
  for (const Row& row : rows) {
    const auto result = check(row.headers);
    ASSERT_FALSE(result) << row.message;
    EXPECT_EQ(result.error().status, row.status) << row.message;
    EXPECT_THAT(result.error().message, HasSubstr(row.message));
  }
}

TEST(ServerHandshake, RejectsOtherMethods) {
  const HeaderList headers = good_headers();
  for (const std::string_view method : {"POST", "get", "HEAD", ""}) {
    const auto result = check_upgrade({method, 1, 1, headers});
    ASSERT_FALSE(result) << method;
    EXPECT_EQ(result.error().status, 405);
    EXPECT_THAT(build_response(result.error()), HasSubstr("\r\nAllow: GET\r\n"));
  }
}

TEST(ServerHandshake, ExplainsOldHttpVersions) {
  const HeaderList headers = good_headers();
  for (const auto& [major, minor] : {std::pair{1, 0}, std::pair{0, 9}}) {
    const auto result = check_upgrade({"GET", major, minor, headers});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 426);
    EXPECT_THAT(result.error().message, HasSubstr("HTTP/" + std::to_string(major) + "." + std::to_string(minor)));
    EXPECT_THAT(result.error().message, HasSubstr("a proxy in front"));
    EXPECT_THAT(result.error().message, HasSubstr("proxy_http_version 1.1"));
  }
}

TEST(ServerHandshake, QuotesNothingRawOrLong) {
  const auto result = check(with("Upgrade", "bad\r\nX: y\x1b[31m" + std::string(500, 'z')));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message.find_first_of("\r\n\x1b"), std::string::npos);
  EXPECT_LT(result.error().message.size(), 200U);
}

TEST(ServerHandshake, SubprotocolIsTheFirstOfferThatIsKnown) {
  constexpr std::string_view kName = "Sec-WebSocket-Protocol";
  struct Row {
    HeaderList offers;
    std::string expected;
  };
  const std::vector<Row> rows{
      {{}, ""},
      {{{kName, "mqtt"}}, "mqtt"},
      {{{kName, "mqttv3.1"}}, "mqttv3.1"},
      {{{kName, "mqttv3.1.1"}}, "mqttv3.1.1"},
      {{{kName, "mqttv5"}}, "mqttv5"},
      {{{kName, "mqttv3.1, mqtt"}}, "mqttv3.1"},
      {{{kName, "mqtt,mqttv3.1"}}, "mqtt"},
      {{{kName, "soap, wamp , mqttv5,mqtt"}}, "mqttv5"},
      {{{kName, "soap"}, {kName, "mqtt"}}, "mqtt"},
      {{{"sec-websocket-protocol", "mqttv5"}, {kName, "mqtt"}}, "mqttv5"},
      {{{kName, "soap"}}, ""},
      {{{kName, "MQTT"}}, ""},
      {{{kName, "mqtt4"}}, ""},
      {{{kName, "mqtt v5"}}, ""},
      {{{kName, ""}}, ""},
      {{{kName, ",,, ,"}}, ""},
      {{{kName, ",\x01\xFF;=\"mqtt\", mqtt"}}, "mqtt"},
      {{{kName, std::string_view("mq\0tt", 5)}}, ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(subprotocol_for(row.offers), row.expected) << (row.offers.empty() ? "" : row.offers[0].value);
  }
}

TEST(ServerHandshake, OwnerMayKnowOtherSubprotocols) {
  const HeaderList headers = with_more(good_headers(), {{"Sec-WebSocket-Protocol", "mqtt, echo"}});
  constexpr std::string_view kKnown[] = {"echo"};
  EXPECT_EQ(check_upgrade({"GET", 1, 1, headers}, kKnown)->subprotocol, "echo");
  EXPECT_EQ(check_upgrade({"GET", 1, 1, headers}, {})->subprotocol, "");
}

TEST(ServerHandshake, ChosenSubprotocolOutlivesTheRequest) {
  Accept accept;
  {
    std::string value = "mqttv5";
    const HeaderList headers = with_more(good_headers(), {{"Sec-WebSocket-Protocol", value}});
    accept = check(headers).value();
    value.assign(6, 'x');
  }
  EXPECT_EQ(accept.subprotocol, "mqttv5");
}

TEST(ServerHandshake, Response101) {
  EXPECT_EQ(build_response(Accept{"mqtt", std::string(kAcceptKey)}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
  EXPECT_EQ(build_response(Accept{"", "k"}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: k\r\n\r\n");
}

TEST(ServerHandshake, ExtensionsAreDeclined) {
  const auto result = check(
      with_more(good_headers(), {{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-other"}}));
  ASSERT_TRUE(result);
  EXPECT_EQ(build_response(*result).find("Extensions"), std::string::npos);
}

TEST(ServerHandshake, RefusalResponse) {
  const auto result = check(with("Sec-WebSocket-Version", "8"));
  ASSERT_FALSE(result);
  const std::string response = build_response(result.error());
  EXPECT_THAT(response, StartsWith("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\nUpgrade: websocket\r\n"));
  const std::string body = response.substr(response.find("\r\n\r\n") + 4);
  EXPECT_EQ(body, result.error().message + "\n");
  EXPECT_THAT(response, HasSubstr("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
  EXPECT_THAT(build_response(Reject{400, "m", {}}), StartsWith("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
}

TEST(ServerHandshake, TellsUpgradesFromOtherHttp) {
  const HeaderList good = good_headers();
  const HeaderList stripped = with("Upgrade", std::nullopt);
  const HeaderList plain{{"Host", "x"}, {"Connection", "keep-alive"}};
  const HeaderList http2{{"Host", "x"}, {"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}};
  EXPECT_TRUE(is_upgrade({"GET", 1, 1, good}));
  EXPECT_TRUE(is_upgrade({"GET", 1, 0, stripped})) << "a proxy took the header away";
  EXPECT_FALSE(is_upgrade({"GET", 1, 1, plain}));
  EXPECT_FALSE(is_upgrade({"GET", 1, 1, http2}));
  EXPECT_FALSE(is_upgrade({"GET", 1, 1, {}}));
}

}  // namespace
}  // namespace mooring::ws
