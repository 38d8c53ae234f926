#include "broker/route_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mooring::broker {
namespace {

constexpr RouteCache::Stamp kStamp{7, 3};

LocalSession* session_at(std::uintptr_t at) {
  return reinterpret_cast<LocalSession*>(at);
}

Route route_to(std::size_t targets) {
  Route route;
  for (std::size_t i = 0; i < targets; ++i) {
    route.targets.push_back({session_at(8 * (i + 1)), static_cast<std::uint8_t>(i), i % 2 == 1, i == 0, Route::kNoId});
  }
  return route;
}

// From the beginning, and from wherever the last one was: always the same.
const RouteCache::Entry* find(const RouteCache& cache, RouteCache::Publisher publisher, std::string_view topic,
                              const RouteCache::Stamp& stamp) {
  static RouteCache::Place last = 0;
  RouteCache::Place first = 0;
  const RouteCache::Entry* const found = cache.find(publisher, topic, stamp, first);
  EXPECT_EQ(cache.find(publisher, topic, stamp, last), found);
  return found;
}

TEST(RouteCache, GivesBackWhatItWasGiven) {
  RouteCache cache;
  Route route = route_to(2);
  route.subscription_ids = {{5, Route::kNoId}, {6, 0}};
  route.targets[1].first_id = 1;
  route.shares = {4};
  route.loops = {2, 9};
  RouteCache::Home home;
  home.session = session_at(64);
  home.revision = 11;
  cache.put(1, "/pk/dn/user/up", kStamp, home, route);
  const RouteCache::Entry* entry = find(cache, 1, "/pk/dn/user/up", kStamp);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->home().session, session_at(64));
  EXPECT_EQ(entry->home().revision, 11U);
  const RouteView out = entry->view();
  ASSERT_EQ(out.targets.size(), 2U);
  EXPECT_EQ(out.targets[0].session, session_at(8));
  EXPECT_TRUE(out.targets[0].own_topic);
  EXPECT_EQ(out.targets[1].qos, 1);
  EXPECT_TRUE(out.targets[1].retain_as_published);
  EXPECT_EQ(out.targets[1].first_id, 1U);
  ASSERT_EQ(out.subscription_ids.size(), 2U);
  EXPECT_EQ(out.subscription_ids[1].id, 6U);
  EXPECT_THAT(out.shares, testing::ElementsAre(4));
  EXPECT_THAT(out.loops, testing::ElementsAre(2, 9));
}

TEST(RouteCache, RemembersThatATopicIsARequest) {
  RouteCache cache;
  Route request;
  request.request = 7;
  cache.put(1, "/pk/dn/ask", kStamp, {}, request);
  cache.put(1, "/pk/dn/say", kStamp, {}, route_to(1));
  EXPECT_EQ(find(cache, 1, "/pk/dn/ask", kStamp)->view().request, 7);
  EXPECT_TRUE(find(cache, 1, "/pk/dn/ask", kStamp)->view().is_empty());
  EXPECT_EQ(find(cache, 1, "/pk/dn/say", kStamp)->view().request, kNoRequest);
}

TEST(RouteCache, KnowsOnlyTheSamePublisherTopicAndStamp) {
  RouteCache cache;
  cache.put(1, "/pk/dn/a", kStamp, {}, route_to(1));
  EXPECT_NE(find(cache, 1, "/pk/dn/a", kStamp), nullptr);
  EXPECT_EQ(find(cache, 2, "/pk/dn/a", kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, "/pk/dn/b", kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, "/pk/dn/", kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, "/pk/dn/a", {8, 3}), nullptr);
  EXPECT_EQ(find(cache, 1, "/pk/dn/a", {7, 4}), nullptr);
  EXPECT_NE(RouteCache::remote_publisher(1, false), RouteCache::remote_publisher(1, true));
  EXPECT_NE(RouteCache::remote_publisher(1, false), RouteCache::Publisher{1});
}

TEST(RouteCache, TellsTopicsApartByAnyByte) {
  RouteCache cache;
  for (std::size_t size = 1; size <= 40; ++size) {
    const std::string topic(size, 't');
    cache.put(1, topic, kStamp, {}, route_to(1));
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = topic;
      other[at] = 'u';
      EXPECT_EQ(find(cache, 1, other, kStamp), nullptr) << size << " bytes, other at " << at;
    }
    EXPECT_NE(find(cache, 1, topic, kStamp), nullptr) << size;
  }
}

TEST(RouteCache, NewRouteReplacesTheOldOne) {
  RouteCache cache;
  cache.put(1, "t", kStamp, {}, route_to(2));
  cache.put(1, "t", {9, 9}, {}, route_to(0));
  EXPECT_EQ(find(cache, 1, "t", kStamp), nullptr);
  EXPECT_TRUE(find(cache, 1, "t", {9, 9})->view().is_empty());
}

TEST(RouteCache, LeavesOutWhatDoesNotFit) {
  RouteCache cache;
  const std::string longest(128, 't');
  const std::string too_long(129, 't');
  Route two_shares;
  two_shares.shares = {1, 2};
  cache.put(1, longest, kStamp, {}, route_to(2));
  cache.put(1, too_long, kStamp, {}, route_to(1));
  cache.put(1, "many", kStamp, {}, route_to(3));
  cache.put(1, "shares", kStamp, {}, two_shares);
  EXPECT_NE(find(cache, 1, longest, kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, too_long, kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, "many", kStamp), nullptr);
  EXPECT_EQ(find(cache, 1, "shares", kStamp), nullptr);
}

// More topics than it has room for: what it still knows is right, and the newest is always there.
TEST(RouteCache, StaysRightWhenFull) {
  RouteCache cache;
  std::size_t known = 0;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    const std::string topic = "/a1/dev" + std::to_string(i) + "/user/up";
    Route route;
    route.targets.push_back({session_at(8 * i), 0, false, false, Route::kNoId});
    cache.put(i, topic, kStamp, {}, route);
    ASSERT_NE(find(cache, i, topic, kStamp), nullptr);
  }
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    const RouteCache::Entry* entry = find(cache, i, "/a1/dev" + std::to_string(i) + "/user/up", kStamp);
    if (entry == nullptr) continue;
    ++known;
    ASSERT_EQ(entry->view().targets.size(), 1U);
    ASSERT_EQ(entry->view().targets[0].session, session_at(8 * i));
  }
  EXPECT_GT(known, 2'000U);
}

TEST(DeviceVersions, AChangeIsSeenInItsSlotOnly) {
  DeviceVersions versions;
  const auto slot = DeviceVersions::slot_of(12'345);
  const auto other = DeviceVersions::slot_of(12'346);
  const auto before = versions.of(slot);
  versions.change(slot);
  EXPECT_NE(versions.of(slot), before);
  EXPECT_EQ(versions.of(other), 0U);
}

}  // namespace
}  // namespace mooring::broker
