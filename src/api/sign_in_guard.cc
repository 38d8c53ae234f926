#include "api/sign_in_guard.h"

#include <algorithm>
#include <array>

#include "auth/address_key.h"

namespace mooring::api {
namespace {

std::string address_of(const SignInGuard::Who& who) {
  std::array<char, 16> storage{};
  return std::string(auth::address_key(who.address, storage));
}

std::string pair_of(const SignInGuard::Who& who) {
  const std::string from = who.browser.empty() ? address_of(who) : "browser " + std::string(who.browser);
  return from + '\n' + std::string(who.user);
}

}  // namespace

base::MonoMs BackOff::wait_ms(const std::string& key, base::MonoMs now) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return 0;
  const Row& row = *found->second;
  if (!row.waits || now - row.last_ms >= kForgottenAfterMs) return 0;
  const std::uint32_t doublings = std::min(row.tries - free_tries_, 20U);
  const base::MonoMs wait = std::min(kFirstWaitMs << doublings, longest_wait_ms_);
  return std::max<base::MonoMs>(row.last_ms + wait - now, 0);
}

void BackOff::count(const std::string& key, base::MonoMs now) {
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    make_room(now);
    free_.push_back({key, 0, now});
    found = by_key_.emplace(key, std::prev(free_.end())).first;
  }
  Row& row = *found->second;
  Rows& before = rows_of(row);
  row.tries = now - row.last_ms >= kForgottenAfterMs ? 1 : row.tries + 1;
  row.last_ms = now;
  row.waits = row.tries >= free_tries_;
  Rows& behind = rows_of(row);
  behind.splice(behind.end(), before, found->second);
}

void BackOff::take_back(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  Row& row = *found->second;
  if (--row.tries == 0) {
    forget(key);
  } else if (row.waits && row.tries < free_tries_) {
    row.waits = false;
    free_.splice(free_.end(), waiting_, found->second);
  }
}

void BackOff::forget(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  rows_of(*found->second).erase(found->second);
  by_key_.erase(found);
}

void BackOff::make_room(base::MonoMs now) {
  if (by_key_.size() < kKeysMax) return;
  const bool is_over = !waiting_.empty() && now - waiting_.front().last_ms >= kForgottenAfterMs;
  const Rows& from = is_over || free_.empty() ? waiting_ : free_;
  forget(std::string(from.front().key));
}

base::MonoMs SignInGuard::begin(const Who& who, base::MonoMs now) {
  const std::string pair = pair_of(who), address = address_of(who), user(who.user);
  const std::lock_guard lock(mutex_);
  base::MonoMs wait = pairs_.wait_ms(pair, now);
  if (!is_known_pair(who, pair, now)) {
    wait = std::max({wait, addresses_.wait_ms(address, now), users_.wait_ms(user, now)});
  }
  if (wait > 0) return wait;
  addresses_.count(address, now);
  if (user.empty()) return 0;
  pairs_.count(pair, now);
  users_.count(user, now);
  return 0;
}

void SignInGuard::not_judged(const Who& who) {
  const std::lock_guard lock(mutex_);
  pairs_.take_back(pair_of(who));
  addresses_.take_back(address_of(who));
  users_.take_back(std::string(who.user));
}

bool SignInGuard::is_known(const Who& who, base::MonoMs now) const {
  const std::string pair = pair_of(who);
  const std::lock_guard lock(mutex_);
  return is_known_pair(who, pair, now);
}

bool SignInGuard::is_known_pair(const Who& who, const std::string& pair, base::MonoMs now) const {
  const auto known = known_.find(pair);
  return !who.browser.empty() || (known != known_.end() && now - known->second < kKnownForMs);
}

void SignInGuard::succeeded(const Who& who, base::MonoMs now) {
  const std::string pair = pair_of(who);
  const std::lock_guard lock(mutex_);
  pairs_.forget(pair);
  addresses_.forget(address_of(who));
  users_.forget(std::string(who.user));
  if (!who.browser.empty()) return;
  if (known_.size() >= BackOff::kKeysMax) {
    std::erase_if(known_, [now](const auto& entry) { return now - entry.second >= kKnownForMs; });
    if (known_.size() >= BackOff::kKeysMax) known_.erase(known_.begin());
  }
  known_[pair] = now;
}

}  // namespace mooring::api
