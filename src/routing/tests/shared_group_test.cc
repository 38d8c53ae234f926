#include "routing/shared_group.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace mooring::routing {
namespace {

using Where = SharedGroup::Choice::Where;

const SharedGroup::IsReady kAllReady = [](SubscriberId) { return true; };
const SharedGroup::IsReady kNoneReady = [](SubscriberId) { return false; };

SharedGroup::Member member(SubscriberId session, bool online = true) {
  SharedGroup::Member made;
  made.session = session;
  made.online = online;
  return made;
}

// How often each got something: members as they are, loops as 1000 + number.
using Tally = std::map<std::uint32_t, int>;

void count(Tally& tally, const SharedGroup::Choice& choice) {
  ASSERT_NE(choice.where, Where::kNobody);
  tally[choice.where == Where::kMember ? choice.member.session : 1000U + choice.loop] += 1;
}

Tally choose(SharedGroup& group, int messages, const SharedGroup::IsReady& ready = kAllReady) {
  Tally tally;
  for (int i = 0; i < messages; ++i) count(tally, group.choose(ready));
  return tally;
}

TEST(SharedGroup, CountsItsMembers) {
  SharedGroup group("$share/g/a/+");
  EXPECT_EQ(group.share(), "$share/g/a/+");
  EXPECT_TRUE(group.empty());
  EXPECT_TRUE(group.add(member(1)));
  EXPECT_FALSE(group.add(member(1)));
  EXPECT_TRUE(group.add(member(2, false)));
  EXPECT_EQ(group.local_count(), (ShareCount{1, 2}));
  EXPECT_TRUE(group.set_online(2, true));
  EXPECT_FALSE(group.set_online(2, true));
  EXPECT_FALSE(group.set_online(9, true));
  EXPECT_EQ(group.local_count(), (ShareCount{2, 2}));
  EXPECT_TRUE(group.add(member(1, false))) << "it went offline";
  EXPECT_EQ(group.local_count(), (ShareCount{1, 2}));
  EXPECT_TRUE(group.remove(1));
  EXPECT_FALSE(group.remove(1));
  EXPECT_FALSE(group.set_online(1, true));
  EXPECT_TRUE(group.remove(2));
  EXPECT_TRUE(group.empty());
  group.set_remote(3, {0, 1});
  EXPECT_FALSE(group.empty());
  EXPECT_EQ(group.local_count(), (ShareCount{0, 0}));
  group.set_remote(3, {0, 0});
  EXPECT_TRUE(group.empty());
  EXPECT_EQ(group.choose(kAllReady).where, Where::kNobody);
  EXPECT_EQ(group.choose_for_remote(kAllReady, 1).where, Where::kNobody);
}

TEST(SharedGroup, NewOptionsTakeTheirPlace) {
  SharedGroup group("$share/g/a");
  SharedGroup::Member changed = member(1);
  group.add(changed);
  changed.options = {2, false, true, 77};
  EXPECT_FALSE(group.add(changed));
  EXPECT_EQ(group.choose(kAllReady).member.options, changed.options);
  EXPECT_EQ(group.members().size(), 1U);
}

// MQTT 5 section 4.8.2: each message goes to one of them.
TEST(SharedGroup, MembersOfOneLoopTakeTurns) {
  SharedGroup group("$share/g/a");
  for (SubscriberId id = 1; id <= 7; ++id) group.add(member(id));
  for (int round = 0; round < 5; ++round) {
    const Tally tally = choose(group, 7);
    EXPECT_EQ(tally.size(), 7U) << "everybody once before anybody twice";
  }
}

TEST(SharedGroup, LoopsGetByTheirMembers) {
  SharedGroup group("$share/g/a");
  group.add(member(1));
  group.add(member(2));
  group.set_remote(1, {1, 1});
  group.set_remote(2, {3, 9});
  group.set_remote(3, {0, 5});
  Tally tally = choose(group, 6000);
  EXPECT_EQ(tally.count(1003), 0U) << "offline while others are online";
  EXPECT_NEAR(tally[1], 1000, 3);
  EXPECT_NEAR(tally[2], 1000, 3);
  EXPECT_NEAR(tally[1001], 1000, 3);
  EXPECT_NEAR(tally[1002], 3000, 3);
}

// Also over short times, whatever the numbers.
TEST(SharedGroup, NobodyWaitsLong) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    SharedGroup group("$share/g/a");
    std::map<std::uint32_t, std::uint32_t> weights;
    std::uint32_t total = 0;
    const auto here = static_cast<std::uint32_t>(random() % 4);
    for (std::uint32_t i = 0; i < here; ++i) group.add(member(i));
    total += here;
    for (LoopId loop = 1; loop <= 1 + random() % 8; ++loop) {
      const auto online = static_cast<std::uint32_t>(1 + random() % 20);
      group.set_remote(loop, {online, online});
      weights[1000U + loop] = online;
      total += online;
    }
    std::map<std::uint32_t, int> last;
    for (int i = 0; i < 2000; ++i) {
      Tally one;
      ASSERT_NO_FATAL_FAILURE(count(one, group.choose(kAllReady)));
      last[one.begin()->first] = i;
      for (const auto& [loop, weight] : weights) {
        const int longest = 4 * static_cast<int>(total / weight + 1);
        ASSERT_LE(i - last[loop], longest) << "weight " << weight << " of " << total;
      }
    }
  }
}

TEST(SharedGroup, MembersThatCannotTakeItAreLeftOut) {
  SharedGroup group("$share/g/a");
  for (SubscriberId id = 1; id <= 4; ++id) group.add(member(id));
  Tally tally = choose(group, 1000, [](SubscriberId id) { return id == 2 || id == 4; });
  EXPECT_EQ(tally.size(), 2U);
  EXPECT_EQ(tally[2], 500);
  EXPECT_EQ(tally[4], 500);

  // Another loop gets what nobody here can take.
  group.set_remote(5, {1, 1});
  tally = choose(group, 1000, kNoneReady);
  EXPECT_EQ(tally.size(), 1U);
  EXPECT_EQ(tally[1005], 1000);

  // With nobody who can, it has to wait somewhere, in turn; not with those who are away.
  group.set_remote(5, {0, 1});
  group.add(member(6, false));
  tally = choose(group, 1000, kNoneReady);
  EXPECT_EQ(tally, (Tally{{1, 250}, {2, 250}, {3, 250}, {4, 250}}));
}

TEST(SharedGroup, OfflineMembersOnlyWhenNobodyIsOnline) {
  SharedGroup group("$share/g/a");
  for (SubscriberId id = 1; id <= 3; ++id) group.add(member(id, false));
  group.set_remote(1, {0, 3});
  Tally tally = choose(group, 6000, [](SubscriberId) -> bool { throw "never asked of a member that is away"; });
  EXPECT_NEAR(tally[1], 1000, 3);
  EXPECT_NEAR(tally[2], 1000, 3);
  EXPECT_NEAR(tally[3], 1000, 3);
  EXPECT_NEAR(tally[1001], 3000, 3);
  group.set_online(2, true);
  EXPECT_EQ(choose(group, 100), (Tally{{2, 100}}));
  group.set_online(2, false);
  group.set_remote(1, {1, 3});
  EXPECT_EQ(choose(group, 100), (Tally{{1001, 100}}));
}

TEST(SharedGroup, AskingIsBounded) {
  SharedGroup group("$share/g/a");
  constexpr SubscriberId kMembers = 3000;
  for (SubscriberId id = 0; id < kMembers; ++id) group.add(member(id));
  std::size_t asked = 0;
  const auto choice = group.choose([&asked](SubscriberId) {
    asked += 1;
    return false;
  });
  EXPECT_EQ(choice.where, Where::kMember);
  EXPECT_EQ(asked, SharedGroup::kMaxAsked);
  // Later messages ask the others.
  const auto only_one = [](SubscriberId id) { return id == 2500; };
  Tally tally = choose(group, 12, only_one);
  EXPECT_GE(tally[2500], 3);
}

TEST(SharedGroup, ForAnotherLoopAMemberHereComesFirst) {
  SharedGroup group("$share/g/a");
  group.add(member(1));
  group.add(member(2));
  group.add(member(3, false));
  group.set_remote(1, {5, 5});
  Tally tally;
  for (int i = 0; i < 100; ++i) count(tally, group.choose_for_remote(kAllReady, 1));
  EXPECT_EQ(tally, (Tally{{1, 50}, {2, 50}}));

  // None of them can: others are asked, but not for ever.
  EXPECT_EQ(group.choose_for_remote(kNoneReady, SharedGroup::kMaxHops - 2).loop, 1);
  EXPECT_EQ(group.choose_for_remote(kNoneReady, SharedGroup::kMaxHops - 1).where, Where::kMember);

  group.set_online(1, false);
  group.set_online(2, false);
  EXPECT_EQ(group.choose_for_remote(kAllReady, SharedGroup::kMaxHops - 1).where, Where::kLoop);
  EXPECT_EQ(group.choose_for_remote(kAllReady, SharedGroup::kMaxHops).where, Where::kMember);
  group.set_remote(1, {0, 5});
  EXPECT_EQ(group.choose_for_remote(kAllReady, 1).where, Where::kMember) << "one that is away, but here";
  for (SubscriberId id = 1; id <= 3; ++id) group.remove(id);
  EXPECT_EQ(group.choose_for_remote(kAllReady, 1).where, Where::kLoop);
  EXPECT_EQ(group.choose_for_remote(kAllReady, SharedGroup::kMaxHops).where, Where::kNobody);
}

// Several loops, each with its view of the others, which may be out of date.
class Loops {
 public:
  explicit Loops(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) groups_.emplace_back("$share/g/a");
  }
  SharedGroup& operator[](std::size_t loop) { return groups_[loop]; }
  void tell_all() {
    for (std::size_t from = 0; from < groups_.size(); ++from) tell(from);
  }
  void tell(std::size_t from) {
    for (std::size_t to = 0; to < groups_.size(); ++to) {
      if (to != from) groups_[to].set_remote(static_cast<LoopId>(from), groups_[from].local_count());
    }
  }
  // Who gets a message that is published on `loop`, if anybody.
  SharedGroup::Choice publish(std::size_t loop, const SharedGroup::IsReady& ready) {
    SharedGroup::Choice choice = groups_[loop].choose(ready);
    unsigned hops = 0;
    while (choice.where == Where::kLoop) {
      hops += 1;
      EXPECT_LE(hops, SharedGroup::kMaxHops);
      EXPECT_NE(choice.loop, loop);
      loop = choice.loop;
      choice = groups_[loop].choose_for_remote(ready, hops);
    }
    return choice;
  }

 private:
  std::vector<SharedGroup> groups_;
};

TEST(SharedGroup, FairOverSeveralLoopsFromEveryLoop) {
  Loops loops(3);
  for (SubscriberId id = 0; id < 10; ++id) loops[id < 1 ? 0 : id < 4 ? 1 : 2].add(member(id));
  loops.tell_all();
  for (std::size_t publisher = 0; publisher < 3; ++publisher) {
    std::vector<int> got(10);
    for (int i = 0; i < 10'000; ++i) {
      const auto choice = loops.publish(publisher, kAllReady);
      ASSERT_EQ(choice.where, Where::kMember);
      got[choice.member.session] += 1;
    }
    for (const int each : got) EXPECT_NEAR(each, 1000, 10);
  }
}

TEST(SharedGroup, AFullLoopPassesOn) {
  Loops loops(2);
  loops[0].add(member(1));
  loops[1].add(member(2));
  loops.tell_all();
  for (const SubscriberId able : {1U, 2U}) {
    for (std::size_t publisher = 0; publisher < 2; ++publisher) {
      for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(loops.publish(publisher, [able](SubscriberId id) { return id == able; }).member.session, able);
      }
    }
  }
  EXPECT_EQ(loops.publish(0, kNoneReady).where, Where::kMember);
}

// Members come, go and fall silent, and news of them are late: every message ends, and everybody who stays gets some.
TEST(SharedGroup, EndsAndStarvesNobodyInEveryHistory) {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    const std::size_t count = 1 + seed % 5;
    Loops loops(count);
    std::map<SubscriberId, std::pair<std::size_t, bool>> where;  // loop and whether online
    std::map<SubscriberId, int> got;
    constexpr SubscriberId kSteady = 4;  // of these nothing changes
    for (SubscriberId id = 0; id < kSteady; ++id) loops[id % count].add(member(id));
    loops.tell_all();
    for (int step = 0; step < 4000; ++step) {
      const SubscriberId id = kSteady + static_cast<SubscriberId>(random() % 6);
      SharedGroup& group = loops[id % count];
      switch (random() % 8) {
        case 0:
          group.add(member(id, random() % 2 == 0));
          break;
        case 1:
          group.remove(id);
          break;
        case 2:
          group.set_online(id, random() % 2 == 0);
          break;
        case 3:
          loops.tell(random() % count);
          break;
        default: {
          const auto silent = static_cast<SubscriberId>(random() % 10);
          const auto choice = loops.publish(random() % count, [=](SubscriberId asked) { return asked != silent; });
          ASSERT_EQ(choice.where, Where::kMember);
          ASSERT_TRUE(choice.member.online) << "somebody was online everywhere it could go";
          got[choice.member.session] += 1;
        }
      }
    }
    for (SubscriberId id = 0; id < kSteady; ++id) ASSERT_GE(got[id], 100) << "seed " << seed << " member " << id;
    for (std::size_t loop = 0; loop < count; ++loop) {
      std::set<SubscriberId> seen;
      bool still_online = true;
      std::uint32_t online = 0;
      for (const auto& each : loops[loop].members()) {
        ASSERT_TRUE(seen.insert(each.session).second);
        ASSERT_TRUE(still_online || !each.online) << "online ones first";
        still_online = each.online;
        online += each.online ? 1 : 0;
      }
      ASSERT_EQ(loops[loop].local_count(), (ShareCount{online, static_cast<std::uint32_t>(seen.size())}));
    }
  }
}

}  // namespace
}  // namespace mooring::routing
