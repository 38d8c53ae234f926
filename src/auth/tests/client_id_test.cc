#include "auth/client_id.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/text.h"

namespace mooring::auth {
namespace {

ClientId parsed(std::string_view text) {
  const auto id = parse_client_id(text);
  EXPECT_TRUE(id) << text;
  return id.value_or(ClientId{});
}

TEST(ClientId, BaseEndsAtTheFirstPipe) {
  EXPECT_EQ(parsed("12345").base, "12345");
  EXPECT_EQ(parsed("12345|").base, "12345");
  EXPECT_EQ(parsed("12345||").base, "12345");
  EXPECT_EQ(parsed("|securemode=2|").base, "");
  EXPECT_EQ(parsed("").base, "");
  EXPECT_EQ(parsed(" a |x=1|").base, " a ") << "the signature covers the base as it was sent";
  EXPECT_EQ(parsed("a,b=c|securemode=2").base, "a,b=c");
}

TEST(ClientId, OneClosingPipeIsDropped) {
  EXPECT_EQ(parsed("a|lan=JS|Broswer |").language, "JS|Broswer");
  EXPECT_EQ(parsed("a|lan=JS|Broswer ").language, "JS|Broswer");
  EXPECT_EQ(parsed("a|sii=Eth||").network, "Eth|");
  EXPECT_EQ(parsed("a|timestamp=789|").timestamp, "789");
  EXPECT_EQ(parsed("a|timestamp=789").timestamp, "789");
}

TEST(ClientId, ItemsMayBeEmptyAndBlank) {
  const ClientId id = parsed("a|,,securemode = 2 ,\r\n signmethod=hmacsha1\n,ext=3,|");
  EXPECT_EQ(id.secure_mode, "2");
  EXPECT_EQ(id.sign_method, "hmacsha1");
  EXPECT_EQ(id.ext_bits, 3U);
}

TEST(ClientId, KeysHaveNoCaseAndTheLastWins) {
  const ClientId id = parsed("a|AuthType=register,AUTHTYPE=connwl,InstanceID=i1,Random=r|");
  EXPECT_EQ(id.auth_type, "connwl");
  EXPECT_EQ(id.instance_id, "i1");
  EXPECT_EQ(id.random, "r");
}

TEST(ClientId, ValuesMayHoldEqualsSignsAndBeEmpty) {
  EXPECT_EQ(parsed("a|random=b=c==|").random, "b=c==");
  EXPECT_EQ(parsed("a|timestamp=|").timestamp, "");
  EXPECT_EQ(parsed("a|securemode=2|").timestamp, std::nullopt);
}

TEST(ClientId, KeysTheServerActsOnNeedAValue) {
  for (const char* key : {"securemode", "signmethod", "timestamp", "authType", "random", "instanceId", "ext", "_ss"}) {
    const auto id = parse_client_id("a|x=1, " + std::string(key) + " ,y=2|");
    ASSERT_FALSE(id) << key;
    EXPECT_EQ(id.error(), ClientIdError::kKeyWithoutValue);
  }
  EXPECT_TRUE(parse_client_id("a|unknown,gw,lan|"));
}

TEST(ClientId, ExtAndAutomaticSubscription) {
  EXPECT_EQ(parsed("a|ext=1|").ext_bits, kExtCustomRrpc);
  EXPECT_EQ(parsed("a|ext=2|").ext_bits, kExtNotify);
  for (const char* text : {"a|ext=|", "a|ext=x|", "a|ext=1x|", "a|ext=-1|", "a|ext=99999999999|", "a|"}) {
    EXPECT_EQ(parsed(text).ext_bits, 0U) << text;
  }
  EXPECT_TRUE(parsed("a|_ss=1|").auto_subscribe);
  EXPECT_FALSE(parsed("a|_ss=0|").auto_subscribe);
  EXPECT_FALSE(parsed("a|_ss=1,_ss=2|").auto_subscribe);
  EXPECT_FALSE(parsed("a|").auto_subscribe);
}

TEST(ClientId, Facts) {
  const DeviceFacts expected{"sdk-c-4.2.0", "C", "14", "20", "1", "espressif", "wroom", "Eth|03ACDEFF0032", "D41D"};
  const ClientId id =
      parsed("a|_v=sdk-c-4.2.0,lan=C,os=14,v=20,gw=1,pid=espressif,mid=wroom,sii=Eth|03ACDEFF0032,_uuid=D41D|");
  EXPECT_EQ(id.facts(), expected);
}

TEST(ClientId, FactsAreCutBetweenCharacters) {
  const std::string text = "a|lan=" + std::string(kMaxFactBytes - 1, 'x') + "\xE8\xAE\xBE" + "|";
  EXPECT_EQ(parsed(text).facts().language, std::string(kMaxFactBytes - 1, 'x'));
  EXPECT_EQ(parsed("a|lan=" + std::string(kMaxFactBytes, 'x') + "|").facts().language.size(), kMaxFactBytes);
}

TEST(ClientId, LengthIsBounded) {
  const std::string longest = "a|x=" + std::string(kMaxClientIdBytes - 4, 'y');
  EXPECT_TRUE(parse_client_id(longest));
  const auto id = parse_client_id(longest + "z");
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error(), ClientIdError::kTooLong);
}

TEST(ClientId, BaseHas1To64Characters) {
  EXPECT_TRUE(is_valid_base_client_id("a", false));
  EXPECT_FALSE(is_valid_base_client_id("", false));
  EXPECT_TRUE(is_valid_base_client_id("", true));
  EXPECT_TRUE(is_valid_base_client_id(std::string(64, 'a'), false));
  EXPECT_FALSE(is_valid_base_client_id(std::string(65, 'a'), true));
  std::string wide;
  for (int i = 0; i < 64; ++i) wide += "\xF0\x9F\x9A\xA2";
  EXPECT_EQ(wide.size(), kMaxBaseClientIdBytes);
  EXPECT_TRUE(is_valid_base_client_id(wide, false));
  EXPECT_FALSE(is_valid_base_client_id(wide + "a", false));
}

// Whatever arrives, the parser answers, its views lie inside the text and facts stay bounded.
TEST(ClientId, RandomBytesNeverFail) {
  std::mt19937 random(20260101);
  constexpr std::string_view kPieces[] = {"|",   ",",   "=",   " ",         "\n", "securemode",
                                          "ext", "_ss", "lan", "timestamp", "1"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const std::size_t pieces = random() % 60;
    for (std::size_t i = 0; i < pieces; ++i) {
      if (random() % 4 == 0) {
        text.push_back(static_cast<char>(random() % 256));
      } else {
        text += kPieces[random() % std::size(kPieces)];
      }
    }
    const auto id = parse_client_id(text);
    if (!id) continue;
    ASSERT_TRUE(text.starts_with(id->base));
    ASSERT_LE(id->facts().language.size(), kMaxFactBytes);
    if (id->timestamp) {
      ASSERT_NE(text.find(*id->timestamp), std::string::npos);
      ASSERT_EQ(base::trim(*id->timestamp), *id->timestamp);
    }
  }
}

}  // namespace
}  // namespace mooring::auth
