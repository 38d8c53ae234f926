#include "auth/connect_limiter.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace mooring::auth {
namespace {

class FixedRandom final : public base::Random {
 public:
  void fill(base::MutableBytes out) override {
    for (auto& byte : out) byte = 7;
  }
};

constexpr base::MonoMs kStart = 1'000'003;
const base::DeviceKey kDevice{"a1ExampleK1", "dev001"};

ConnectLimiter make_limiter(std::uint32_t devices, std::uint32_t addresses, std::size_t slots = 1024) {
  FixedRandom random;
  return ConnectLimiter({devices, addresses, 0}, random, slots);
}

TEST(ConnectLimiter, FivePassTheSixthDoesNot) {
  ConnectLimiter limiter = make_limiter(5, 20);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(limiter.device_over_limit(kDevice, kStart + i));
    limiter.count_accepted(kDevice, kStart + i);
  }
  EXPECT_TRUE(limiter.device_over_limit(kDevice, kStart + 5));
  EXPECT_FALSE(limiter.device_over_limit(base::DeviceKeyView("a1ExampleK1", "dev002"), kStart + 5));
  EXPECT_FALSE(limiter.device_over_limit(base::DeviceKeyView("a1ExampleK1d", "ev001"), kStart + 5));
}

// Within any 60 s never more than the limit, and after 65 s all is forgotten.
TEST(ConnectLimiter, AllDevicesTogetherHaveARate) {
  FixedRandom random;
  ConnectLimiter limiter({0, 0, 3}, random, 64);
  for (int second = 1; second < 4; ++second) {
    for (int i = 0; i < 3; ++i) {
      for (int asked = 0; asked < 10; ++asked) EXPECT_FALSE(limiter.over_rate(second * 1000 + i)) << second;
      limiter.count_accepted(kDevice, second * 1000 + i);
    }
    EXPECT_TRUE(limiter.over_rate(second * 1000 + 500));
  }
  EXPECT_TRUE(limiter.over_rate(2999));  // a lagging clock does not open a new second
  limiter.set_limits({0, 0, 0});
  EXPECT_FALSE(limiter.over_rate(3999)) << "0 is no limit";
}

TEST(ConnectLimiter, AMinuteIsNeverExceededAndEnds) {
  for (base::MonoMs offset = 0; offset < 5000; offset += 617) {
    ConnectLimiter limiter = make_limiter(3, 0);
    for (int i = 0; i < 3; ++i) limiter.count_accepted(kDevice, kStart + offset + i * 1000);
    EXPECT_TRUE(limiter.device_over_limit(kDevice, kStart + offset + 59'999));
    EXPECT_FALSE(limiter.device_over_limit(kDevice, kStart + offset + 65'000)) << "the first one is forgotten";
    limiter.count_accepted(kDevice, kStart + offset + 65'000);
    EXPECT_FALSE(limiter.device_over_limit(kDevice, kStart + offset + 200'000));
  }
}

TEST(ConnectLimiter, SteadyRateAtTheLimitPasses) {
  ConnectLimiter limiter = make_limiter(5, 0);
  for (int i = 0; i < 100; ++i) {
    const base::MonoMs now_ms = kStart + i * 13'000;
    EXPECT_FALSE(limiter.device_over_limit(kDevice, now_ms)) << i;
    limiter.count_accepted(kDevice, now_ms);
  }
}

TEST(ConnectLimiter, ClocksOfThreadsMayLag) {
  ConnectLimiter limiter = make_limiter(2, 0);
  limiter.count_accepted(kDevice, kStart + 20'000);
  limiter.count_accepted(kDevice, kStart);
  EXPECT_TRUE(limiter.device_over_limit(kDevice, kStart));
  EXPECT_TRUE(limiter.device_over_limit(kDevice, kStart + 20'000));
}

TEST(ConnectLimiter, ZeroIsOffAndLimitsCanChange) {
  ConnectLimiter limiter = make_limiter(0, 0);
  for (int i = 0; i < 100; ++i) {
    limiter.count_accepted(kDevice, kStart);
    limiter.count_refused("192.0.2.7", "dn&pk", kStart);
  }
  EXPECT_FALSE(limiter.device_over_limit(kDevice, kStart));
  EXPECT_FALSE(limiter.address_over_limit("192.0.2.7", kStart));
  limiter.set_limits({1, 1});
  limiter.count_accepted(kDevice, kStart);
  limiter.count_refused("192.0.2.7", "dn&pk", kStart);
  EXPECT_TRUE(limiter.device_over_limit(kDevice, kStart));
  EXPECT_TRUE(limiter.address_over_limit("192.0.2.7", kStart));
}

TEST(ConnectLimiter, AddressesAreGroupedAsTheirOwnersHoldThem) {
  ConnectLimiter limiter = make_limiter(0, 1);
  limiter.count_refused("2001:db8:1:2::1", "dn&pk", kStart);
  EXPECT_TRUE(limiter.address_over_limit("2001:db8:1:2:ffff::9", kStart));
  EXPECT_FALSE(limiter.address_over_limit("2001:db8:1:3::1", kStart));
  limiter.count_refused("::ffff:192.0.2.7", "dn&pk", kStart);
  EXPECT_TRUE(limiter.address_over_limit("192.0.2.7", kStart));
  EXPECT_FALSE(limiter.address_over_limit("192.0.2.8", kStart));
  limiter.count_refused(std::string(500, 'x'), "dn&pk", kStart);
  EXPECT_TRUE(limiter.address_over_limit(std::string(500, 'x'), kStart));
  EXPECT_FALSE(limiter.address_over_limit("", kStart));
}

constexpr std::string_view kHome = "192.0.2.7";

void storm(ConnectLimiter& limiter, std::string_view address, int count, base::MonoMs now_ms) {
  for (int i = 0; i < count; ++i) limiter.count_refused(address, "bad" + std::to_string(i) + "&pk", now_ms);
}

TEST(ConnectLimiter, BackOffMeetsThoseWhoWereRefused) {
  ConnectLimiter limiter = make_limiter(0, 20);
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(limiter.count_refused(kHome, "bad&pk", kStart));
  EXPECT_FALSE(limiter.turned_away(kHome, "bad&pk", kStart));
  EXPECT_TRUE(limiter.count_refused(kHome, "bad&pk", kStart)) << "told once";
  EXPECT_FALSE(limiter.count_refused(kHome, "bad&pk", kStart));
  EXPECT_TRUE(limiter.turned_away(kHome, "bad&pk", kStart));
  EXPECT_TRUE(limiter.refused_lately(kHome, "bad&pk", kStart));
  EXPECT_FALSE(limiter.turned_away(kHome, "good&pk", kStart)) << "another device behind the same address";
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.refused_lately(kHome, "good&pk", kStart)) << "asking is free";
  EXPECT_FALSE(limiter.turned_away(kHome, "good&pk", kStart));
  EXPECT_FALSE(limiter.turned_away("192.0.2.8", "bad&pk", kStart)) << "the same device elsewhere";
  EXPECT_TRUE(limiter.turned_away(kHome, "bad&pk", kStart + 55'000));
  EXPECT_FALSE(limiter.turned_away(kHome, "bad&pk", kStart + 66'000));
}

TEST(ConnectLimiter, WhoSignedInFromThereGetsThroughWhateverTheStorm) {
  ConnectLimiter limiter = make_limiter(0, 20);
  for (int i = 0; i < 500; ++i) limiter.remember_accepted(kHome, "good" + std::to_string(i) + "&pk", kStart);
  storm(limiter, kHome, 500, kStart);
  int strangers = 0;
  for (int i = 0; i < 10'000; ++i) strangers += limiter.turned_away(kHome, "x" + std::to_string(i), kStart) ? 0 : 1;
  EXPECT_EQ(strangers, static_cast<int>(ConnectLimiter::kStrangersPerSecond));
  for (int i = 0; i < 500; ++i) {
    EXPECT_FALSE(limiter.turned_away(kHome, "good" + std::to_string(i) + "&pk", kStart)) << i;
    EXPECT_TRUE(limiter.turned_away(kHome, "bad" + std::to_string(i) + "&pk", kStart)) << i;
  }
  EXPECT_FALSE(limiter.turned_away(kHome, "new&pk", kStart + 1000)) << "the next second takes strangers again";
}

TEST(ConnectLimiter, AKnownDeviceWithAWrongSecretIsMetToo) {
  ConnectLimiter limiter = make_limiter(0, 20);
  limiter.remember_accepted(kHome, "good&pk", kStart);
  storm(limiter, kHome, 20, kStart);
  limiter.count_refused(kHome, "good&pk", kStart);
  EXPECT_TRUE(limiter.turned_away(kHome, "good&pk", kStart));
  limiter.remember_accepted(kHome, "good&pk", kStart + 1);
  EXPECT_FALSE(limiter.turned_away(kHome, "good&pk", kStart + 1));
}

TEST(ConnectLimiter, WhoDoesNotSayIsAlwaysAStranger) {
  ConnectLimiter limiter = make_limiter(0, 20);
  limiter.remember_accepted(kHome, {}, kStart);  // without a name: an anonymous account
  storm(limiter, kHome, 20, kStart);
  int let_through = 0;
  for (int i = 0; i < 1000; ++i) let_through += limiter.turned_away(kHome, {}, kStart) ? 0 : 1;
  EXPECT_EQ(let_through, static_cast<int>(ConnectLimiter::kStrangersPerSecond));
}

TEST(ConnectLimiter, PasswordsOfStrangersAreRationedInBackOff) {
  ConnectLimiter limiter = make_limiter(0, 20);
  limiter.remember_accepted(kHome, "back-end", kStart);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter.may_check_password(kHome, "new", kStart)) << "no back-off yet";
  storm(limiter, kHome, 20, kStart);
  limiter.count_refused(kHome, "guessed", kStart);
  int strangers = 0;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(limiter.may_check_password(kHome, "back-end", kStart));
    EXPECT_FALSE(limiter.may_check_password(kHome, "guessed", kStart));
    strangers += limiter.may_check_password(kHome, "x" + std::to_string(i), kStart) ? 1 : 0;
  }
  EXPECT_EQ(strangers, static_cast<int>(ConnectLimiter::kPasswordsOfStrangersPerSecond));
}

int handshakes(ConnectLimiter& limiter, std::string_view address, base::MonoMs now_ms) {
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += limiter.may_shake_hands(address, now_ms) ? 1 : 0;
  return count;
}

TEST(ConnectLimiter, HandshakesOfAnAddressInBackOffAreRationed) {
  ConnectLimiter limiter = make_limiter(0, 20);
  EXPECT_EQ(handshakes(limiter, kHome, kStart), 1000);
  storm(limiter, kHome, 20, kStart);
  EXPECT_EQ(handshakes(limiter, kHome, kStart), static_cast<int>(ConnectLimiter::kHandshakesOfStrangersPerSecond));
  EXPECT_EQ(handshakes(limiter, "192.0.2.8", kStart), 1000);
  limiter.remember_accepted(kHome, "good&pk", kStart);
  EXPECT_EQ(handshakes(limiter, kHome, kStart + 1000), static_cast<int>(ConnectLimiter::kHandshakesPerSecond));
  EXPECT_EQ(handshakes(limiter, kHome, kStart + 70'000), 1000) << "no back-off any more";
}

TEST(ConnectLimiter, MemoryIsBoundedAndTheOldestIsForgotten) {
  ConnectLimiter limiter = make_limiter(1, 0, 128);
  for (int i = 0; i < 10'000; ++i) {
    limiter.count_accepted(base::DeviceKeyView("pk", "d" + std::to_string(i)), kStart + i);
  }
  int remembered = 0;
  const base::MonoMs end_ms = kStart + 10'000;
  for (int i = 0; i < 10'000; ++i) {
    remembered += limiter.device_over_limit(base::DeviceKeyView("pk", "d" + std::to_string(i)), end_ms) ? 1 : 0;
  }
  EXPECT_EQ(remembered, 128);
  EXPECT_TRUE(limiter.device_over_limit(base::DeviceKeyView("pk", "d9999"), end_ms));
  EXPECT_FALSE(limiter.device_over_limit(base::DeviceKeyView("pk", "d0"), end_ms));
}

TEST(ConnectLimiter, CountsOfThreadsAddUp) {
  FixedRandom random;
  MinuteCounter counter(1024, random);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 1000; ++i) counter.count({"one", "key"}, kStart);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.events({"one", "key"}, kStart), 4000U);
}

}  // namespace
}  // namespace mooring::auth
