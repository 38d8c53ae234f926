#include "api/sign_in_guard.h"

#include <algorithm>
#include <initializer_list>

namespace mooring::api {
namespace {

std::string pair_of(std::string_view user, std::string_view address) {
  return std::string(address) + '\n' + std::string(user);
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

base::MonoMs SignInGuard::begin(std::string_view user, std::string_view address, base::MonoMs now) {
  const std::string pair = pair_of(user, address);
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(pair);
  const bool is_known = known != known_.end() && now - known->second < kKnownForMs;
  const base::MonoMs wait = std::max({pairs_.wait_ms(pair, now), addresses_.wait_ms(std::string(address), now),
                                      is_known ? 0 : users_.wait_ms(std::string(user), now)});
  if (wait > 0) return wait;
  pairs_.count(pair, now);
  addresses_.count(std::string(address), now);
  users_.count(std::string(user), now);
  return 0;
}

void SignInGuard::succeeded(std::string_view user, std::string_view address, base::MonoMs now) {
  const std::string pair = pair_of(user, address);
  const std::lock_guard lock(mutex_);
  pairs_.forget(pair);
  addresses_.forget(std::string(address));
  users_.forget(std::string(user));
  if (known_.size() >= BackOff::kKeysMax) {
    std::erase_if(known_, [now](const auto& entry) { return now - entry.second >= kKnownForMs; });
    if (known_.size() >= BackOff::kKeysMax) known_.erase(known_.begin());
  }
  known_[pair] = now;
}

}  // namespace mooring::api
