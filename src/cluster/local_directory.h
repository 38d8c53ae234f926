// LocalDirectory: the SessionDirectory of one process. Every session has its home loop (session::home_loop), which is
// its only possible owner, so there is nothing to look up and nobody to wait for: a claim hands out the next epoch.
//
// Epochs begin above the clock and above the newest one found in the store, so that they grow over restarts even when
// the machine's clock went back.
// attach_loop() and adopt() of all loops come first; then any loop may call.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "session/ports.h"

namespace mooring::cluster {

class LocalDirectory final : public session::SessionDirectory {
 public:
  // Loops 0 to `home_loops` - 1 are homes of sessions.
  LocalDirectory(base::WallMs now, session::Epoch newest_stored, session::LoopId home_loops);
  ~LocalDirectory() override;

  void attach_loop(session::LoopId loop, base::Executor& executor, EvictHandler on_evict) override;
  std::uint64_t arrival() override { return next_epoch(); }
  void claim(session::LoopId loop, session::SessionKey key, session::Callback<session::Claim> done) override;
  session::Epoch adopt(session::LoopId loop, const session::SessionKey& key) override;
  void release(session::LoopId loop, session::SessionKey key, session::Epoch epoch) override;
  void evict(session::LoopId loop, session::SessionKey key, session::EvictReason reason,
             session::Callback<bool> done) override;

 private:
  struct Member {
    base::Executor& executor;
    EvictHandler on_evict;  // called on the loop of this member only
  };
  session::Epoch next_epoch() { return next_epoch_.fetch_add(1, std::memory_order_relaxed); }

  const session::LoopId home_loops_;
  std::atomic<session::Epoch> next_epoch_;
  std::vector<std::unique_ptr<Member>> members_;  // by loop
};

}  // namespace mooring::cluster
