#include "api/connect_lines.h"

#include <gtest/gtest.h>

namespace mooring::api {
namespace {

ConnectInput input_of(Transport transport) {
  ConnectInput input;
  input.key = {"a1ExampleK1", "dev001"};
  input.device_secret = "0123456789abcdef0123456789abcdef";
  input.transport = transport;
  input.host = "broker.example";
  input.port = 8443;
  return input;
}

// connection.md section 4.3: the documented example.
TEST(ConnectParameters, reproduce_the_documented_signature) {
  ConnectInput input;
  input.key = {"pk", "device"};
  input.device_secret = "secret";
  input.method = "hmacsha1";
  input.timestamp = "789";
  input.base_client_id = "12345";
  const auto parameters = connect_parameters(input);
  ASSERT_TRUE(parameters);
  EXPECT_EQ(parameters->password, "fafd82a3d602b37fb0fa8b7892f24a477f851a14");
  EXPECT_EQ(parameters->username, "device&pk");
  EXPECT_EQ(parameters->content, "clientId12345deviceNamedeviceproductKeypktimestamp789");
  EXPECT_EQ(parameters->client_id, "12345|securemode=3,signmethod=hmacsha1,timestamp=789|");
}

TEST(ConnectParameters, each_transport_has_its_securemode_and_url) {
  const auto check = [](Transport transport, const char* securemode, const char* url) {
    const auto parameters = connect_parameters(input_of(transport));
    ASSERT_TRUE(parameters);
    EXPECT_EQ(parameters->client_id, std::string("a1ExampleK1.dev001|securemode=") + securemode +
                                         ",signmethod=hmacsha256,timestamp=2524608000000|");
    EXPECT_EQ(parameters->url, url);
  };
  check(Transport::kTcp, "3", "mqtt://broker.example:8443");
  check(Transport::kTls, "2", "mqtts://broker.example:8443");
  check(Transport::kWs, "3", "ws://broker.example:8443/mqtt");
  check(Transport::kWss, "2", "wss://broker.example:8443/mqtt");
}

TEST(ConnectParameters, ipv6_addresses_are_bracketed) {
  ConnectInput input = input_of(Transport::kTcp);
  input.host = "::1";
  EXPECT_EQ(connect_parameters(input)->url, "mqtt://[::1]:8443");
}

TEST(ConnectParameters, an_absent_timestamp_is_neither_sent_nor_signed) {
  ConnectInput input = input_of(Transport::kTcp);
  input.timestamp.clear();
  const auto parameters = connect_parameters(input);
  EXPECT_EQ(parameters->client_id, "a1ExampleK1.dev001|securemode=3,signmethod=hmacsha256|");
  EXPECT_EQ(parameters->content, "clientIda1ExampleK1.dev001deviceNamedev001productKeya1ExampleK1");
}

TEST(ConnectParameters, base_client_id_keeps_within_64_characters) {
  ConnectInput input = input_of(Transport::kTcp);
  input.key.device_name = std::string(60, 'd');
  EXPECT_TRUE(connect_parameters(input)->client_id.starts_with(std::string(60, 'd') + "|"));
}

TEST(ConnectParameters, refuse_what_the_protocol_cannot_carry) {
  const auto refused = [](auto&& spoil) {
    ConnectInput input = input_of(Transport::kTcp);
    spoil(input);
    const auto parameters = connect_parameters(input);
    return !parameters && parameters.error().code == base::Errc::kInvalidArgument &&
           parameters.error().message.find(input.device_secret) == std::string::npos;
  };
  EXPECT_TRUE(refused([](ConnectInput& input) { input.method = "sha512"; }));
  EXPECT_TRUE(refused([](ConnectInput& input) { input.timestamp = "now"; }));
  EXPECT_TRUE(refused([](ConnectInput& input) { input.base_client_id = "a|b"; }));
  EXPECT_TRUE(refused([](ConnectInput& input) { input.key.device_name = "a&b"; }));
  EXPECT_TRUE(refused([](ConnectInput& input) { input.key.product_key.clear(); }));
}

TEST(ConnectLines, name_every_client_and_the_right_credentials) {
  const auto lines = connect_lines(input_of(Transport::kTcp));
  ASSERT_TRUE(lines);
  std::string all;
  for (const ConnectLine& line : *lines) all += line.title + "\n" + line.text + "\n";
  const auto tls = connect_parameters(input_of(Transport::kTls));
  for (const std::string& part :
       {std::string("curl -fsS 'http://broker.example:8443/ca.crt' -o ca.crt"),
        std::string("mosquitto_sub -h 'broker.example' -p 8443 -i 'a1ExampleK1.dev001|securemode=3,"),
        std::string("-p 8443 --cafile ca.crt"), std::string("-u 'dev001&a1ExampleK1'"),
        std::string("'/a1ExampleK1/dev001/user/get'"), std::string("connect(\"ws://broker.example:8443/mqtt\""),
        std::string("uint16_t port       = 8443"), tls->client_id, tls->password}) {
    EXPECT_NE(all.find(part), std::string::npos) << part;
  }
}

TEST(ConnectLines, quote_for_the_shell) {
  ConnectInput input = input_of(Transport::kTcp);
  input.base_client_id = "it's";
  const auto lines = connect_lines(input, "/a/b");
  ASSERT_TRUE(lines);
  EXPECT_NE(lines->at(1).text.find(R"(-i 'it'\''s|)"), std::string::npos) << lines->at(1).text;
  EXPECT_NE(lines->at(1).text.find("-t '/a/b'"), std::string::npos);
}

}  // namespace
}  // namespace mooring::api
