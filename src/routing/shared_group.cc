#include "routing/shared_group.h"

#include <algorithm>
#include <utility>

namespace mooring::routing {
namespace {

using Where = SharedGroup::Choice::Where;

// 2^64 divided by the golden ratio: its multiples, taken modulo 2^64, are spread as evenly as possible at every length.
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

bool SharedGroup::add(const Member& member) {
  const auto [found, is_new] = index_.try_emplace(member.session, members_.size());
  if (is_new) {
    members_.push_back(member);
    members_.back().online = false;
  } else {
    members_[found->second].options = member.options;
  }
  const std::size_t index = found->second;
  const bool other_state = members_[index].online != member.online;
  if (other_state) set_online_at(index, member.online);
  return is_new || other_state;
}

bool SharedGroup::remove(SubscriberId session) {
  const auto found = index_.find(session);
  if (found == index_.end()) return false;
  if (members_[found->second].online) set_online_at(found->second, false);
  swap_members(found->second, members_.size() - 1);
  members_.pop_back();
  index_.erase(found);
  return true;
}

bool SharedGroup::set_online(SubscriberId session, bool online) {
  const auto found = index_.find(session);
  if (found == index_.end() || members_[found->second].online == online) return false;
  set_online_at(found->second, online);
  return true;
}

// Moves the member over the border between those online and the others.
void SharedGroup::set_online_at(std::size_t index, bool online) {
  members_[index].online = online;
  if (online) {
    swap_members(index, online_++);
  } else {
    swap_members(index, --online_);
  }
}

void SharedGroup::swap_members(std::size_t a, std::size_t b) {
  if (a == b) return;
  std::swap(members_[a], members_[b]);
  index_[members_[a].session] = a;
  index_[members_[b].session] = b;
}

void SharedGroup::set_remote(LoopId loop, ShareCount count) {
  const auto found =
      std::find_if(remotes_.begin(), remotes_.end(), [loop](const Remote& remote) { return remote.loop == loop; });
  if (count.all == 0 && count.online == 0) {
    if (found != remotes_.end()) remotes_.erase(found);
  } else if (found != remotes_.end()) {
    found->count = count;
  } else {
    remotes_.push_back({loop, count});
  }
}

ShareCount SharedGroup::local_count() const {
  return {static_cast<std::uint32_t>(online_), static_cast<std::uint32_t>(members_.size())};
}

bool SharedGroup::empty() const {
  return members_.empty() && remotes_.empty();
}

SharedGroup::Choice SharedGroup::choose(const IsReady& ready) {
  const std::uint64_t online_elsewhere = remote_total(&ShareCount::online);
  if (online_ + online_elsewhere > 0) {
    const std::uint64_t place = next_place(online_ + online_elsewhere);
    if (place >= online_) return loop_at(&ShareCount::online, place - online_);
    if (Choice choice = ready_member(ready); choice.where != Where::kNobody) return choice;
    return online_elsewhere > 0 ? any_loop(&ShareCount::online) : next_online_member();
  }
  const std::uint64_t total = members_.size() + remote_total(&ShareCount::all);
  if (total == 0) return {};
  const std::uint64_t place = next_place(total);
  return place < members_.size() ? next_offline_member() : loop_at(&ShareCount::all, place - members_.size());
}

SharedGroup::Choice SharedGroup::choose_for_remote(const IsReady& ready, unsigned hops) {
  const bool may_pass_on = hops < kMaxHops;
  if (Choice choice = ready_member(ready); choice.where != Where::kNobody) return choice;
  // The last passing on is kept for loops that have nobody: the next loop may have lost its members meanwhile.
  const bool may_look_further = online_ > 0 ? hops + 1 < kMaxHops : may_pass_on;
  if (may_look_further && remote_total(&ShareCount::online) > 0) return any_loop(&ShareCount::online);
  if (online_ > 0) return next_online_member();
  if (!members_.empty()) return next_offline_member();
  if (may_pass_on && remote_total(&ShareCount::all) > 0) return any_loop(&ShareCount::all);
  return {};
}

std::uint64_t SharedGroup::remote_total(Weight weight) const {
  std::uint64_t total = 0;
  for (const Remote& remote : remotes_) total += remote.count.*weight;
  return total;
}

std::uint64_t SharedGroup::next_place(std::uint64_t total) {
  // The upper half as a fraction of `total`; one process has far fewer than 2^32 sessions.
  const std::uint64_t fraction = (++turn_ * kGolden) >> 32;
  return (fraction * std::min<std::uint64_t>(total, 0xFFFF'FFFF)) >> 32;
}

SharedGroup::Choice SharedGroup::loop_at(Weight weight, std::uint64_t place) const {
  for (const Remote& remote : remotes_) {
    if (place < remote.count.*weight) {
      Choice choice;
      choice.where = Where::kLoop;
      choice.loop = remote.loop;
      return choice;
    }
    place -= remote.count.*weight;
  }
  return {};
}

SharedGroup::Choice SharedGroup::any_loop(Weight weight) {
  return loop_at(weight, next_place(remote_total(weight)));
}

SharedGroup::Choice SharedGroup::member_at(std::size_t index) const {
  Choice choice;
  choice.where = Where::kMember;
  choice.member = members_[index];
  return choice;
}

SharedGroup::Choice SharedGroup::ready_member(const IsReady& ready) {
  const std::size_t asked = std::min(online_, kMaxAsked);
  for (std::size_t i = 0; i < asked; ++i) {
    Choice choice = next_online_member();
    if (ready(choice.member.session)) return choice;
  }
  return {};
}

SharedGroup::Choice SharedGroup::next_online_member() {
  if (next_online_ >= online_) next_online_ = 0;
  return member_at(next_online_++);
}

SharedGroup::Choice SharedGroup::next_offline_member() {
  if (next_offline_ >= members_.size() - online_) next_offline_ = 0;
  return member_at(online_ + next_offline_++);
}

}  // namespace mooring::routing
