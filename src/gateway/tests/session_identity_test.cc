#include "gateway/session_identity.h"

#include <gtest/gtest.h>

namespace mooring::gateway {
namespace {

using namespace std::string_literals;

std::string identity(std::optional<std::string_view> user_name, std::string_view client_id) {
  mqtt::Connect packet;
  packet.username = user_name;
  packet.client_id = client_id;
  return session_identity(packet);
}

TEST(SessionIdentity, OfADeviceIsItsNameWhateverItsClientId) {
  EXPECT_EQ(identity("dn&pk", "pk.dn|securemode=2|"), "pk\0dn"s);
  EXPECT_EQ(identity("dn&pk", ""), "pk\0dn"s);
}

TEST(SessionIdentity, OfADeviceWithAnIotTokenIsTheOneTheTokenNames) {
  mqtt::Connect packet;
  packet.username = "IotId";
  packet.client_id = "any";
  const std::string token = "^1^1700000000000^00112233445566778899aabbccddeeff0011223344556677^pk^dn";
  packet.password = base::as_bytes(token);
  EXPECT_EQ(session_identity(packet), "pk\0dn"s);
  packet.username = "other&product";
  EXPECT_EQ(session_identity(packet), "product\0other"s);
  packet.username.reset();
  EXPECT_EQ(session_identity(packet), "any");
}

TEST(SessionIdentity, UserNamesThatNameNoDeviceHaveNone) {
  for (const std::string_view name : {"&", "dn&", "&pk", "dn&pk&", "a&b&c"})
    EXPECT_EQ(identity(name, "id"), "") << name;
  EXPECT_EQ(identity(std::string(65'000, 'x') + "&pk", "id"), "");
}

TEST(SessionIdentity, OfOthersIsTheClientId) {
  EXPECT_EQ(identity("backend", "worker-1"), "worker-1");
  EXPECT_EQ(identity("", "worker-1"), "worker-1");
  EXPECT_EQ(identity(std::nullopt, "worker-1"), "worker-1");
}

TEST(SessionIdentity, NoneWhereTheServerAssignsTheClientId) {
  EXPECT_EQ(identity("backend", ""), "");
  EXPECT_EQ(identity(std::nullopt, ""), "");
}

}  // namespace
}  // namespace mooring::gateway
