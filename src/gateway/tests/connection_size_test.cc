// What a connection is made of, in bytes: there are 100,000 of each. bench/memory measures the sum in a running server.
#include <gtest/gtest.h>

#include <cstdio>

#include "broker/broker.h"
#include "gateway/authorizers.h"
#include "gateway/connection.h"
#include "gateway/credential_cache.h"
#include "gateway/mqtt_websocket.h"
#include "journal/flight.h"

namespace mooring::gateway {
namespace {

// Debug builds and sanitizers have the same layout. Larger: is it worth that much memory? Smaller: let the table follow.
TEST(ConnectionSize, IsAsInTheTable) {
  const struct {
    const char* what;
    std::size_t bytes;
    std::size_t expected;
  } kParts[] = {
      {"Connection", sizeof(Connection), 0},
      {"MqttWebSocket", sizeof(MqttWebSocket), 0},
      {"MqttConversation", sizeof(MqttConversation), 0},
      {"PeerFacts", sizeof(PeerFacts), 0},
      {"FrameDecoder", sizeof(ws::FrameDecoder), 0},
      {"ServerConnection", sizeof(mqtt::ServerConnection), 0},
      {"DeviceAuthorizer", sizeof(DeviceAuthorizer), 0},
      {"ClientInfo", sizeof(broker::ClientInfo), 0},
      {"Client", sizeof(broker::Client), 0},
      {"LocalSession", sizeof(broker::LocalSession), 0},
      {"Session", sizeof(session::Session), 0},
      {"SubscriptionRecord", sizeof(session::SubscriptionRecord), 0},
      {"Flight", sizeof(journal::Flight), 0},
      {"CachedCredential", sizeof(CachedCredential), 0},
  };
  for (const auto& part : kParts) {
    std::printf("%-20s %4zu bytes\n", part.what, part.bytes);
    EXPECT_EQ(part.bytes, part.expected) << part.what;
  }
}

}  // namespace
}  // namespace mooring::gateway
