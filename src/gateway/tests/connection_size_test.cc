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

// The same in every build. Larger: is it worth that much memory? Smaller: let the table follow.
TEST(ConnectionSize, StaysWithinTheTable) {
  const struct {
    const char* what;
    std::size_t bytes;
    std::size_t most;
  } kParts[] = {
      {"Connection", sizeof(Connection), 360},
      {"MqttWebSocket", sizeof(MqttWebSocket), 344},
      {"MqttConversation", sizeof(MqttConversation), 248},
      {"PeerFacts", sizeof(PeerFacts), 64},
      {"FrameDecoder", sizeof(ws::FrameDecoder), 64},
      {"ServerConnection", sizeof(mqtt::ServerConnection), 56},
      {"DeviceAuthorizer", sizeof(DeviceAuthorizer), 72},
      {"ClientTraits", sizeof(broker::ClientTraits), 88},
      {"Client", sizeof(broker::Client), 328},
      {"LocalSession", sizeof(broker::LocalSession), 184},
      {"Session", sizeof(session::Session), 328},
      {"SubscriptionRecord", sizeof(session::SubscriptionRecord), 40},
      {"Flight", sizeof(journal::Flight), 56},
      {"credential in the cache", CredentialCache::entry_bytes(), 56},
  };
  for (const auto& part : kParts) {
    std::printf("%-20s %4zu bytes, at most %zu\n", part.what, part.bytes, part.most);
    EXPECT_LE(part.bytes, part.most) << part.what;
  }
}

}  // namespace
}  // namespace mooring::gateway
