#include "api/session_book.h"

#include <algorithm>

#include "crypto/random.h"
#include "crypto/secret_hash.h"

namespace mooring::api {
namespace {

constexpr std::size_t kSecretCharacters = 40;  // 238 bits

}  // namespace

void SessionBook::set_times(const SessionTimes& times) {
  const std::lock_guard lock(mutex_);
  times_ = times;
}

SessionTimes SessionBook::times() const {
  const std::lock_guard lock(mutex_);
  return times_;
}

SessionBook::Opened SessionBook::open(const registry::User& user) {
  Opened opened;
  opened.secret = crypto::random_alphanumeric(crypto::system_random(), kSecretCharacters);
  const std::lock_guard lock(mutex_);
  opened.view = {user.name, user.role, user.must_change_password,
                 crypto::random_alphanumeric(crypto::system_random(), kSecretCharacters),
                 clock_.wall_ms() + std::int64_t{times_.max_s} * 1000};
  make_room(user.name);
  const base::MonoMs now = clock_.mono_ms();
  sessions_.push_back({crypto::hash_secret(opened.secret), opened.view, now, now});
  by_hash_[sessions_.back().hash] = std::prev(sessions_.end());
  return opened;
}

std::optional<SessionView> SessionBook::find(std::string_view secret) {
  if (secret.size() != kSecretCharacters) return std::nullopt;
  const std::string hash = crypto::hash_secret(secret);
  const std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return std::nullopt;
  const base::MonoMs now = clock_.mono_ms();
  if (is_over(*found->second, now)) {
    forget(found->second);
    return std::nullopt;
  }
  found->second->seen_ms = now;
  return found->second->view;
}

bool SessionBook::is_open(std::string_view secret) const {
  const std::string hash = crypto::hash_secret(secret);
  const std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  return found != by_hash_.end() && !is_over(*found->second, clock_.mono_ms());
}

void SessionBook::close(std::string_view secret) {
  const std::string hash = crypto::hash_secret(secret);
  const std::lock_guard lock(mutex_);
  if (const auto found = by_hash_.find(hash); found != by_hash_.end()) forget(found->second);
}

std::size_t SessionBook::sessions_of(std::string_view user) const {
  const std::lock_guard lock(mutex_);
  const base::MonoMs now = clock_.mono_ms();
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [&](const Session& session) { return session.view.user == user && !is_over(session, now); }));
}

void SessionBook::on_change(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  if (change.kind != Kind::kUserChanged && change.kind != Kind::kUserDeleted) return;
  const std::lock_guard lock(mutex_);
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    const auto here = session++;
    if (here->view.user == change.account) forget(here);
  }
}

void SessionBook::forget(Place session) {
  by_hash_.erase(session->hash);
  sessions_.erase(session);
}

void SessionBook::make_room(std::string_view user) {
  const base::MonoMs now = clock_.mono_ms();
  std::size_t own = 0;
  Place oldest_own = sessions_.end();
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    const auto here = session++;
    if (is_over(*here, now)) {
      forget(here);
    } else if (here->view.user == user && own++ == 0) {
      oldest_own = here;
    }
  }
  if (own >= kSessionsPerUserMax) forget(oldest_own);
  if (sessions_.size() >= kSessionsMax) forget(sessions_.begin());
}

bool SessionBook::is_over(const Session& session, base::MonoMs now) const {
  return now - session.seen_ms >= std::int64_t{times_.idle_s} * 1000 ||
         now - session.opened_ms >= std::int64_t{times_.max_s} * 1000;
}

}  // namespace mooring::api
