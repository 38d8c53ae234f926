// SharedGroup: the members of one shared subscription ("$share/group/filter", MQTT 5 section 4.8.2) as one loop sees
// them: its own members one by one, those of other loops as counts. Chooses who gets the next message.
//
// The choice is fair in turn over all online members of all loops, leaving out members that cannot take a message now
// (their window is full or they do not read) as long as another can, and offline members as long as anybody is online.
// Each loop chooses for the messages published on it, so fairness holds for each publishing loop. Whether members of
// other loops can take a message is not known here: a loop without any passes the message on.
// One thread. Bounds: the broker bounds the subscriptions of every session; a choice asks at most kMaxAsked members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "routing/bus.h"
#include "routing/subscription_trie.h"

namespace mooring::routing {

class SharedGroup {
 public:
  struct Member {
    SubscriberId session = 0;
    SubscriptionOptions options;
    bool online = false;
  };
  // Where a message goes: to a member here, or to a loop that finds one of its members.
  struct Choice {
    enum class Where : std::uint8_t { kNobody, kMember, kLoop } where = Where::kNobody;
    Member member;
    LoopId loop = 0;
  };
  // Whether a member could take a message at once; asked for members of this loop that are online.
  using IsReady = std::function<bool(SubscriberId)>;

  // Members asked in one choice. With more than these that cannot take a message, one of them may get it.
  static constexpr std::size_t kMaxAsked = 1000;
  // So often a message is given from loop to loop; then a member has to be found where it is.
  static constexpr unsigned kMaxHops = 3;

  explicit SharedGroup(std::string share) : share_(std::move(share)) {}
  const std::string& share() const { return share_; }  // "$share/group/filter"

  // Each returns whether the counts for other loops changed.
  bool add(const Member& member);  // or new options for a member that is there
  bool remove(SubscriberId session);
  bool set_online(SubscriberId session, bool online);
  void set_remote(LoopId loop, ShareCount count);
  ShareCount local_count() const;
  bool empty() const;                                              // neither members here nor elsewhere
  const std::vector<Member>& members() const { return members_; }  // those that are online first

  // For a message published on this loop: anybody.
  Choice choose(const IsReady& ready);
  // For a message that another loop sent here: a member of this loop that is ready; else a loop that has somebody
  // online; else a member here, an offline one only when nobody is online; else a loop with offline members. `hops`
  // bounds the travelling: from hop kMaxHops on only members of this loop are chosen, and one hop earlier if any of
  // them is online. Nobody, then, when the news of three loops were out of date: the message has not been taken.
  Choice choose_for_remote(const IsReady& ready, unsigned hops);

 private:
  struct Remote {
    LoopId loop = 0;
    ShareCount count;
  };
  using Weight = std::uint32_t ShareCount::*;

  void set_online_at(std::size_t index, bool online);
  void swap_members(std::size_t a, std::size_t b);
  std::uint64_t remote_total(Weight weight) const;
  // A number below `total`, for the next message: evenly spread also over short times, whatever the totals are.
  std::uint64_t next_place(std::uint64_t total);
  Choice loop_at(Weight weight, std::uint64_t place) const;
  Choice any_loop(Weight weight);
  Choice member_at(std::size_t index) const;
  Choice ready_member(const IsReady& ready);
  Choice next_online_member();
  Choice next_offline_member();

  std::string share_;
  std::vector<Member> members_;  // the first online_ are online
  std::unordered_map<SubscriberId, std::size_t> index_;
  std::size_t online_ = 0;
  std::size_t next_online_ = 0;   // whose turn it is; below online_, or begins again
  std::size_t next_offline_ = 0;  // counted from online_
  std::vector<Remote> remotes_;
  std::uint64_t turn_ = 0;
};

}  // namespace mooring::routing
