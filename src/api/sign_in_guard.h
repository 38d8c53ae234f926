// SignInGuard: how long whoever guesses passwords of the console has to wait (in the manner of docs/adr/0013).
//
// Three counts of wrong passwords in a row, each with some that are free and then a wait that doubles from one second
// to five minutes: of a user name from one address; of an address, whatever the name; and of a user name from anywhere,
// where the wait ends at two seconds, so that its owner at a new address gets a turn among those who guess. The last
// two do not hold up an address from which that user signed in within a day, and none of them a browser in which they
// did (known_browser.h), which has a count of its own: strangers cannot keep people out of their own console, not even
// behind the same proxy. IPv6 addresses count by their first 64 bits. A try counts as wrong from its beginning, so that
// many at once gain nothing; one that was not judged is taken back.
// Bounded: the key that was idle longest is forgotten, but first those that have free tries left, so that invented
// names push out none that is guessed. Thread-safe.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace mooring::api {

// Wrong tries in a row by key. Keys are as long as callers let them be.
class BackOff {
 public:
  static constexpr std::size_t kKeysMax = 4096;
  static constexpr base::MonoMs kFirstWaitMs = 1000;
  static constexpr base::MonoMs kLongestWaitMs = 300'000;
  static constexpr base::MonoMs kForgottenAfterMs = 3'600'000;

  explicit BackOff(std::uint32_t free_tries, base::MonoMs longest_wait_ms = kLongestWaitMs)
      : free_tries_(free_tries), longest_wait_ms_(longest_wait_ms) {}
  base::MonoMs wait_ms(const std::string& key, base::MonoMs now) const;  // 0: go on
  void count(const std::string& key, base::MonoMs now);
  void take_back(const std::string& key);  // the last one
  void forget(const std::string& key);

 private:
  struct Row {
    std::string key;
    std::uint32_t tries = 0;
    base::MonoMs last_ms = 0;
    bool waits = false;  // in which list it is
  };
  using Rows = std::list<Row>;  // the one idle longest first
  Rows& rows_of(const Row& row) { return row.waits ? waiting_ : free_; }
  void make_room(base::MonoMs now);

  const std::uint32_t free_tries_;
  const base::MonoMs longest_wait_ms_;
  Rows free_;  // with free tries left
  Rows waiting_;
  std::unordered_map<std::string, Rows::iterator> by_key_;
};

class SignInGuard {
 public:
  static constexpr std::uint32_t kFreeOfPair = 5;
  static constexpr std::uint32_t kFreeOfAddress = 30;
  static constexpr std::uint32_t kFreeOfUser = 50;
  static constexpr base::MonoMs kLongestWaitOfUserMs = 2000;
  static constexpr base::MonoMs kKnownForMs = 86'400'000;

  // Who tries. `user`: empty: a name that nobody can have. `browser` as known_browser() tells; empty: none that is
  // known.
  struct Who {
    std::string_view user;
    std::string_view address;
    std::string_view browser = {};
  };
  // Milliseconds to wait; 0: the try is counted as wrong and may be made.
  base::MonoMs begin(const Who& who, base::MonoMs now);
  void succeeded(const Who& who, base::MonoMs now);
  void not_judged(const Who& who);  // what begin() counted
  // Whether this user signed in there before.
  bool is_known(const Who& who, base::MonoMs now) const;

 private:
  bool is_known_pair(const Who& who, const std::string& pair, base::MonoMs now) const;

  mutable std::mutex mutex_;
  BackOff pairs_{kFreeOfPair};
  BackOff addresses_{kFreeOfAddress};
  BackOff users_{kFreeOfUser, kLongestWaitOfUserMs};
  std::unordered_map<std::string, base::MonoMs> known_;  // pairs that signed in, and when
};

}  // namespace mooring::api
