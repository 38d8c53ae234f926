#include "crypto/keyed_hash.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/random.h"

namespace mooring::crypto {
namespace {

TEST(KeyedHash, TellsTextsApart) {
  const KeyedHash hash(system_random());
  std::set<std::uint64_t> seen;
  for (const auto& texts : {hash({}), hash({""}), hash({"", ""}), hash({"ab"}), hash({"a", "b"}), hash({"", "ab"}),
                            hash({"ab", ""}), hash({"b", "a"})}) {
    seen.insert(texts);
  }
  EXPECT_EQ(seen.size(), 8U);
  EXPECT_EQ(hash({"a", "b"}), hash({"a", "b"}));
}

TEST(KeyedHash, DependsOnTheKey) {
  EXPECT_NE(KeyedHash(system_random())({"a"}), KeyedHash(system_random())({"a"}));
}

}  // namespace
}  // namespace mooring::crypto
