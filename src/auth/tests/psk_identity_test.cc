#include "auth/psk_identity.h"

#include <gtest/gtest.h>

#include "auth/sign_in.h"

namespace mooring::auth {
namespace {

constexpr std::string_view kIdentity = "devicename|hmacsha256|a1ExampleK1&dev001|2524608000000";
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

// Vector t01-tls-psk of tests/data/sign_vectors.json.
TEST(PskIdentity, KeyOfTheVector) {
  const auto identity = parse_psk_identity(kIdentity);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->device, base::DeviceKeyView("a1ExampleK1", "dev001"));
  EXPECT_EQ(identity->timestamp, "2524608000000");
  EXPECT_EQ(psk_key(*identity, kSecret), "E0A54A3E5AF9C7D347C8521215E70A7F38D75921681F3ED198BFB68711DB287B");
}

TEST(PskIdentity, OtherMethodsHaveShorterKeys) {
  EXPECT_EQ(psk_key(*parse_psk_identity("devicename|hmacsha1|pk&dn|1"), kSecret).size(), 40U);
  EXPECT_EQ(psk_key(*parse_psk_identity("DeviceName|HmacMD5|pk&dn|1"), kSecret).size(), 32U);
}

TEST(PskIdentity, AnotherTimestampIsAnotherKey) {
  EXPECT_NE(psk_key(*parse_psk_identity("devicename|hmacsha256|pk&dn|1"), kSecret),
            psk_key(*parse_psk_identity("devicename|hmacsha256|pk&dn|2"), kSecret));
}

TEST(PskIdentity, EveryOtherFormIsNothing) {
  for (const std::string_view wrong :
       {"", "|", "|||", "devicename", "devicename|hmacsha256|pk&dn", "devicename|hmacsha256|pk&dn|1|",
        "devicename|hmacsha256|pkdn|1", "devicename|hmacsha256|&dn|1", "devicename|hmacsha256|pk&|1",
        "devicename|hmacsha256|pk&d&n|1", "devicename|hmacsha512|pk&dn|1", "productname|hmacsha256|pk&dn|1",
        "id2|hmacsha256|pk&dn|1"}) {
    EXPECT_FALSE(parse_psk_identity(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_psk_identity(std::string(kIdentity) + std::string(65'535, '0')));
}

TEST(PskIdentity, NamesItsDeviceWhateverElseIsWrong) {
  const base::DeviceKeyView device("a1ExampleK1", "dev001");
  for (const std::string_view text :
       {kIdentity, std::string_view("devicename|hmacsha512|a1ExampleK1&dev001|1"),
        std::string_view("a1ExampleK1&dev001"), std::string_view("hmacsha256|a1ExampleK1&dev001|1|")}) {
    const auto found = device_of_psk_identity(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, device) << text;
  }
  for (const std::string_view text : {"", "|||", "dev001", "a|b|pkdn|1", "a|b|&dn|1", "a|b|pk&|1", "a|b|pk&d&n|1"}) {
    EXPECT_FALSE(device_of_psk_identity(text)) << text;
  }
}

TEST(PskIdentity, BelongsToOneDevice) {
  ConnectAttempt attempt;
  attempt.user_name = "dev001&a1ExampleK1";
  EXPECT_TRUE(fits_psk_identity(attempt)) << "no TLS-PSK";
  attempt.psk_identity = kIdentity;
  EXPECT_TRUE(fits_psk_identity(attempt));
  for (const std::string_view other : {"dev002&a1ExampleK1", "dev001&a1ExampleK2", "DEV001&a1ExampleK1", "&", "back"}) {
    attempt.user_name = other;
    EXPECT_FALSE(fits_psk_identity(attempt)) << other;
  }
}

}  // namespace
}  // namespace mooring::auth
