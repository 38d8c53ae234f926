#include "server/reloader.h"

#include <gtest/gtest.h>

#include <vector>

namespace mooring::server {
namespace {

TEST(Reloader, AsksOnceAtATimeForEachKeyAndAgainAfterALaterChange) {
  std::vector<std::pair<std::string, base::UniqueFunction<void()>>> asked;
  Reloader reloader([&](const std::string& key, base::UniqueFunction<void()> answered) {
    asked.emplace_back(key, std::move(answered));
  });
  reloader.changed("a");
  reloader.changed("a");
  reloader.changed("a");
  reloader.changed("b");
  ASSERT_EQ(asked.size(), 2U) << "two questions for one key could be answered in either order";
  asked[1].second();
  EXPECT_EQ(asked.size(), 2U) << "b has not changed since";
  asked[0].second();
  ASSERT_EQ(asked.size(), 3U) << "a has";
  EXPECT_EQ(asked[2].first, "a");
  asked[2].second();
  EXPECT_EQ(asked.size(), 3U);
  reloader.changed("a");
  EXPECT_EQ(asked.size(), 4U);
}

}  // namespace
}  // namespace mooring::server
