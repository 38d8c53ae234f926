#include "auth/password_checker.h"

#include <utility>

#include "base/log.h"
#include "base/threads.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"

namespace mooring::auth {

PasswordChecker::PasswordChecker(ConnectLimiter& limiter, const base::Clock& clock)
    : limiter_(limiter), clock_(clock), key_(32, '\0') {
  crypto::system_random().fill({reinterpret_cast<std::uint8_t*>(key_.data()), key_.size()});
  thread_ = std::thread([this] {
    base::name_thread("passwords");
    run();
  });
}

PasswordChecker::~PasswordChecker() {
  stop();
}

bool PasswordChecker::check(std::string hash, std::string password, Asker asker, base::Executor& reply_to, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= kMaxWaiting) {
      crypto::cleanse(password);
      return false;
    }
    jobs_.push_back(
        {std::move(hash), std::move(password), std::move(asker), clock_.mono_ms(), &reply_to, std::move(done)});
  }
  wanted_.notify_one();
  return true;
}

std::size_t PasswordChecker::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

crypto::Mac PasswordChecker::mark(std::string_view hash, std::string_view password) const {
  return crypto::hmac(crypto::HmacMethod::kSha256, key_, {hash, std::string_view("\0", 1), password});
}

void PasswordChecker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    Answer found = answer(job);
    crypto::cleanse(job.password);
    job.reply_to->post([done = std::move(job.done), found = std::move(found)]() mutable { done(std::move(found)); });
    lock.lock();
  }
}

PasswordChecker::Answer PasswordChecker::answer(const Job& job) {
  const base::MonoMs now = clock_.mono_ms();
  if (now - job.asked_ms > kMaxWaitingMs) return {Verdict::kTooLate, {}};
  if (!limiter_.may_check_password(job.asker.address, job.asker.name, now)) return {Verdict::kRateLimited, {}};
  if (job.hash.empty()) {
    crypto::verify_password(crypto::nobodys_password_hash(), job.password);
    return {Verdict::kWrong, {}};
  }
  if (!crypto::verify_password(job.hash, job.password)) return {Verdict::kWrong, {}};
  Answer right{Verdict::kRight, {}};
  if (crypto::needs_rehash(job.hash)) {
    if (auto renewed = crypto::hash_password(job.password)) right.renewed_hash = std::move(*renewed);
  }
  return right;
}

void PasswordChecker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Job& job : jobs_) crypto::cleanse(job.password);
    jobs_.clear();
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace mooring::auth
