#include "crypto/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

namespace mooring::crypto {
namespace {

// Every byte value in turn.
class CountingRandom final : public base::Random {
 public:
  void fill(base::MutableBytes out) override {
    for (auto& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

bool all_alphanumeric(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
}

TEST(SystemRandom, FillsAndDiffers) {
  std::array<std::uint8_t, 32> a{};
  std::array<std::uint8_t, 32> b{};
  system_random().fill(a);
  system_random().fill(b);
  EXPECT_NE(a, b);
  system_random().fill({});
}

TEST(RandomText, FavoursNoCharacter) {
  CountingRandom random;
  std::map<char, int> seen;
  // 62 letters and digits fit 4 times into 256 values; the 8 values above are thrown away.
  for (const char c : random_alphanumeric(random, 248 * 10)) ++seen[c];
  EXPECT_EQ(seen.size(), 62U);
  for (const auto& [c, count] : seen) EXPECT_EQ(count, 40) << c;
}

TEST(RandomText, Shapes) {
  base::Random& random = system_random();
  const std::string key = make_product_key(random);
  EXPECT_EQ(key.size(), 11U);
  EXPECT_TRUE(key.starts_with("a1"));
  EXPECT_TRUE(all_alphanumeric(key));
  const std::string device_secret = make_device_secret(random);
  EXPECT_EQ(device_secret.size(), 32U);
  EXPECT_EQ(device_secret.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(make_product_secret(random).size(), 16U);
  EXPECT_EQ(make_iot_id(random).size(), 30U);
  EXPECT_TRUE(all_alphanumeric(make_product_secret(random) + make_iot_id(random)));
  EXPECT_EQ(random_alphanumeric(random, 0), "");
}

TEST(RandomText, DoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(make_device_secret(system_random()));
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace mooring::crypto
