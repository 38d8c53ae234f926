#include "api/sign_in_guard.h"

#include <algorithm>
#include <initializer_list>

namespace mooring::api {
namespace {

std::string pair_of(const SignInGuard::Who& who) {
  const std::string from = who.browser.empty() ? std::string(who.address) : "browser " + std::string(who.browser);
  return from + '\n' + std::string(who.user);
}

}  // namespace

base::MonoMs BackOff::wait_ms(const std::string& key, base::MonoMs now) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return 0;
  const Row& row = *found->second;
  if (row.tries < free_tries_ || now - row.last_ms >= kForgottenAfterMs) return 0;
  const std::uint32_t doublings = std::min(row.tries - free_tries_, 20U);
  const base::MonoMs wait = std::min(kFirstWaitMs << doublings, kLongestWaitMs);
  return std::max<base::MonoMs>(row.last_ms + wait - now, 0);
}

void BackOff::count(const std::string& key, base::MonoMs now) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    Row& row = *found->second;
    row.tries = now - row.last_ms >= kForgottenAfterMs ? 1 : row.tries + 1;
    row.last_ms = now;
    rows_.splice(rows_.end(), rows_, found->second);
    return;
  }
  if (rows_.size() >= kKeysMax) {
    by_key_.erase(rows_.front().key);
    rows_.pop_front();
  }
  rows_.push_back({key, 1, now});
  by_key_[key] = std::prev(rows_.end());
}

void BackOff::forget(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  rows_.erase(found->second);
  by_key_.erase(found);
}

base::MonoMs SignInGuard::begin(const Who& who, base::MonoMs now) {
  const std::string pair = pair_of(who);
  const std::string address(who.address), user(who.user);
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(pair);
  const bool is_known = !who.browser.empty() || (known != known_.end() && now - known->second < kKnownForMs);
  base::MonoMs wait = pairs_.wait_ms(pair, now);
  if (!is_known) wait = std::max({wait, addresses_.wait_ms(address, now), users_.wait_ms(user, now)});
  if (wait > 0) return wait;
  pairs_.count(pair, now);
  addresses_.count(address, now);
  users_.count(user, now);
  return 0;
}

void SignInGuard::succeeded(const Who& who, base::MonoMs now) {
  const std::string pair = pair_of(who);
  const std::lock_guard lock(mutex_);
  pairs_.forget(pair);
  addresses_.forget(std::string(who.address));
  users_.forget(std::string(who.user));
  if (!who.browser.empty()) return;
  if (known_.size() >= BackOff::kKeysMax) {
    std::erase_if(known_, [now](const auto& entry) { return now - entry.second >= kKnownForMs; });
    if (known_.size() >= BackOff::kKeysMax) known_.erase(known_.begin());
  }
  known_[pair] = now;
}

}  // namespace mooring::api
