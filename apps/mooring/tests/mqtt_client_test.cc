#include "mooring/mqtt_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

namespace mooring::app {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): "..."s with zero bytes
using testing::HasSubstr;

const std::string kAccepted = "\x20\x02\x00\x00"s;

// A server of one connection that plays a fixed part.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<void(ScriptedServer&)> part) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, part = std::move(part)] {
      peer_ = accept(listener_, nullptr, nullptr);
      part(*this);
      close(peer_);
    });
  }
  ~ScriptedServer() {
    thread_.join();
    close(listener_);
  }

  std::uint16_t port() const { return port_; }

  // One packet of less than 128 bytes after its two byte header, whole.
  std::string read_packet() {
    std::string packet = read_bytes(2);
    return packet + read_bytes(static_cast<unsigned char>(packet[1]));
  }
  std::string read_until_end() {
    std::string all;
    char chunk[512];
    for (ssize_t count; (count = recv(peer_, chunk, sizeof chunk, 0)) > 0;) {
      all.append(chunk, static_cast<std::size_t>(count));
    }
    return all;
  }
  void write(const std::string& bytes) {
    EXPECT_EQ(send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

 private:
  std::string read_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    EXPECT_EQ(recv(peer_, bytes.data(), count, MSG_WAITALL), static_cast<ssize_t>(count));
    return bytes;
  }

  int listener_ = -1;
  int peer_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

class MqttClientTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<MqttClient>> open(const ScriptedServer& server, const char* scheme = "mqtt") {
    ClientSettings settings;
    settings.url = *parse_client_url(std::string(scheme) + "://127.0.0.1:" + std::to_string(server.port()));
    settings.client_id = "c";
    return MqttClient::open(settings, stop_, [this](const mqtt::Publish& message) {
      received_.push_back(std::string(message.topic) + "=" + std::string(base::as_text(message.payload)));
      return true;
    });
  }

  StopSignal stop_;
  std::vector<std::string> received_;
};

TEST(ClientUrl, Parts) {
  const auto url = parse_client_url("wss://iot.example:8443/mqtt?x=1");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls && url->websocket);
  EXPECT_EQ(url->host, "iot.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/mqtt?x=1");
  EXPECT_EQ(url->authority(), "iot.example:8443");
}

TEST(ClientUrl, DefaultsOfTheSchemes) {
  EXPECT_EQ(parse_client_url("mqtt://h")->port, 1883);
  EXPECT_EQ(parse_client_url("MQTTS://h")->port, 8883);
  EXPECT_EQ(parse_client_url("ws://h/")->port, 80);
  EXPECT_EQ(parse_client_url("wss://h?q")->path, "/?q");
  EXPECT_EQ(parse_client_url("wss://[::1]")->host, "::1");
  EXPECT_EQ(parse_client_url("ws://[::1]:5/x")->authority(), "[::1]:5");
}

TEST(ClientUrl, WrongOnes) {
  for (const char* bad : {"", "h:1", "http://h", "mqtt://", "mqtt://:1", "mqtt://h:", "mqtt://h:0", "mqtt://h:65536",
                          "mqtt://h:1x", "mqtt://::1:5", "mqtt://[::1", "mqtt://[::1]x", "mqtt://[]:1", "://h"}) {
    EXPECT_FALSE(parse_client_url(bad)) << bad;
  }
  const auto with_password = parse_client_url("mqtt://user:hush@h:1");
  ASSERT_FALSE(with_password);
  EXPECT_THAT(with_password.error().message, testing::Not(HasSubstr("hush")));
}

TEST_F(MqttClientTest, RefusedConnectSaysWhatTheCodeMeans) {
  const std::pair<char, const char*> codes[] = {
      {'\x01', "version"}, {'\x02', "client identifier"}, {'\x03', "later"}, {'\x04', "secret"}, {'\x05', "disabled"}};
  for (const auto& [code, text] : codes) {
    ScriptedServer server([code = code](ScriptedServer& s) {
      s.read_packet();
      s.write("\x20\x02\x00"s + code);
    });
    const auto client = open(server);
    ASSERT_FALSE(client);
    EXPECT_THAT(client.error().message, HasSubstr(text));
    EXPECT_EQ(client.error().code, code == '\x03' ? base::Errc::kUnavailable : base::Errc::kPermissionDenied);
  }
}

TEST_F(MqttClientTest, SubscribesReceivesAcknowledgesAndLeavesInOrder) {
  std::string last;
  {
    ScriptedServer server([&last](ScriptedServer& s) {
      s.read_packet();
      s.write(kAccepted);
      EXPECT_EQ(s.read_packet(), "\x82\x08\x00\x01\x00\x03"s + "a/b" + "\x01");
      // SUBACK and a PUBLISH of QoS 1 in one piece.
      s.write("\x90\x03\x00\x01\x01"s + "\x32\x09\x00\x03"s + "a/b" + "\x00\x07"s + "hi");
      last = s.read_until_end();
    });
    const auto client = open(server);
    ASSERT_TRUE(client) << client.error().message;
    ASSERT_TRUE((*client)->subscribe({"a/b"}, 1));
    while (received_.empty()) ASSERT_TRUE((*client)->step(1000));
    (*client)->disconnect();
  }
  EXPECT_THAT(received_, testing::ElementsAre("a/b=hi"));
  EXPECT_EQ(last, "\x40\x02\x00\x07\xe0\x00"s);
}

TEST_F(MqttClientTest, RefusedFilterIsNamed) {
  ScriptedServer server([](ScriptedServer& s) {
    s.read_packet();
    s.write(kAccepted);
    s.read_packet();
    s.write("\x90\x04\x00\x01\x00\x80"s);
  });
  const auto client = open(server);
  ASSERT_TRUE(client);
  const auto done = (*client)->subscribe({"mine", "theirs"}, 0);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, testing::AllOf(HasSubstr("theirs"), testing::Not(HasSubstr("mine,"))));
}

TEST_F(MqttClientTest, PublishWaitsForItsAcknowledgement) {
  ScriptedServer server([](ScriptedServer& s) {
    s.read_packet();
    s.write(kAccepted);
    EXPECT_EQ(s.read_packet(), "\x32\x07\x00\x01t\x00\x01xy"s);
    s.write("\x40\x02\x00\x01"s);
  });
  const auto client = open(server);
  ASSERT_TRUE(client);
  ASSERT_TRUE((*client)->publish("t", "xy", 1));
  EXPECT_TRUE((*client)->wait_for_acknowledgements());
}

TEST_F(MqttClientTest, PublishWithoutAnswerFails) {
  ScriptedServer server([](ScriptedServer& s) {
    s.read_packet();
    s.write(kAccepted);
    s.read_packet();
  });
  const auto client = open(server);
  ASSERT_TRUE(client);
  ASSERT_TRUE((*client)->publish("t", "xy", 1));
  const auto done = (*client)->wait_for_acknowledgements();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, base::Errc::kUnavailable);
}

TEST_F(MqttClientTest, SomethingElseThanMqttIsAnError) {
  ScriptedServer server([](ScriptedServer& s) {
    s.read_packet();
    s.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const auto client = open(server);
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("not MQTT"));
}

TEST_F(MqttClientTest, RefusedUpgradeIsAnError) {
  ScriptedServer server([](ScriptedServer& s) { s.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"); });
  const auto client = open(server, "ws");
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("404"));
}

}  // namespace
}  // namespace mooring::app
