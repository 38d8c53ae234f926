// PasswordChecker: verifies passwords of accounts on a thread of its own, one after another, because each takes tens of
// milliseconds and tens of MiB (crypto/password_hash.h). One for all loops.
//
// The queue is bounded in number and time, so that what waits in it is answered while the connection still has time for
// its sign-in. When an address uses up its refusals meanwhile, those who did not sign in from there before are verified
// no faster than ConnectLimiter::may_check_password() says, so that a storm of guesses makes room for others after a
// few of them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "auth/connect_limiter.h"
#include "base/clock.h"
#include "base/executor.h"
#include "crypto/hmac.h"

namespace mooring::auth {

class PasswordChecker {
 public:
  static constexpr std::size_t kMaxWaiting = 200;      // about 5 s of work
  static constexpr base::MonoMs kMaxWaitingMs = 6000;  // on a busy machine; later the connection's own time is over

  enum class Verdict { kRight, kWrong, kRateLimited, kTooLate };
  struct Answer {
    Verdict verdict = Verdict::kWrong;
    std::string renewed_hash;  // of the right password, when its hash is of another cost than today's; else empty
  };
  using Done = base::UniqueFunction<void(Answer)>;

  // Who asks, in the words of the ConnectLimiter.
  struct Asker {
    std::string address;
    std::string name;
  };

  PasswordChecker(ConnectLimiter& limiter, const base::Clock& clock);
  ~PasswordChecker();  // stop()
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  // Thread-safe. `done` runs on `reply_to` later, unless the checker is stopped before. With an empty hash the work is
  // done all the same, and the password is wrong. False: too many are waiting, nothing happens.
  bool check(std::string hash, std::string password, Asker asker, base::Executor& reply_to, Done done);

  std::size_t waiting() const;  // any thread

  // What may be kept of a right password so that it is known again at once: a code under a key that only this process
  // has and never writes down. Any thread; microseconds.
  crypto::Mac mark(std::string_view hash, std::string_view password) const;

  // Forgets what waits and ends the thread. Before the executors end.
  void stop();

 private:
  struct Job {
    std::string hash;
    std::string password;
    Asker asker;
    base::MonoMs asked_ms = 0;
    base::Executor* reply_to = nullptr;
    Done done;
  };
  void run();
  Answer answer(const Job& job);

  ConnectLimiter& limiter_;
  const base::Clock& clock_;
  std::string key_;
  mutable std::mutex mutex_;  // of the three below
  std::condition_variable wanted_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mooring::auth
