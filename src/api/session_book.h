// SessionBook: people who are signed in to the console. In memory: a restart of the server ends all sessions.
//
// A session is a secret in a cookie, of which a hash is kept, and a second secret that every change must carry, which
// no other site's page can know. It ends with its idle or absolute time, with sign-out, and when the user's password
// or role changes or the user is deleted. Thread-safe; bounded: a user's oldest session gives way, then the oldest of
// all.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/caller.h"
#include "base/clock.h"
#include "registry/registry.h"

namespace mooring::api {

inline constexpr std::size_t kSessionsMax = 1000;
inline constexpr std::size_t kSessionsPerUserMax = 16;

struct SessionTimes {
  std::uint32_t idle_s = 3600;
  std::uint32_t max_s = 43'200;
};

struct SessionView {
  std::string user;
  registry::Role role = registry::Role::kViewer;
  bool must_change_password = false;
  std::string csrf_token;
  base::WallMs expires_ms = 0;  // the absolute end
};

class SessionBook {
 public:
  explicit SessionBook(const base::Clock& clock) : clock_(clock) {}
  void set_times(const SessionTimes& times);
  SessionTimes times() const;

  struct Opened {
    std::string secret;  // for the cookie
    SessionView view;
  };
  Opened open(const registry::User& user);
  // Nothing: no such session, or its time is over. Whoever asks is at work: the idle time begins anew.
  std::optional<SessionView> find(std::string_view secret);
  bool is_open(std::string_view secret) const;  // without taking it for use
  void close(std::string_view secret);
  std::size_t sessions_of(std::string_view user) const;
  void on_change(const registry::Change& change);  // others than of users are ignored

 private:
  struct Session {
    std::string hash;  // of the secret
    SessionView view;
    base::MonoMs opened_ms = 0;
    base::MonoMs seen_ms = 0;
  };
  using Place = std::list<Session>::iterator;
  void forget(Place session);
  void make_room(std::string_view user);
  bool is_over(const Session& session, base::MonoMs now) const;

  const base::Clock& clock_;
  mutable std::mutex mutex_;     // of all below
  std::list<Session> sessions_;  // oldest first
  std::unordered_map<std::string, Place> by_hash_;
  SessionTimes times_;
};

}  // namespace mooring::api
