// LocalDirectory: who owns which session, for the loops of one process.
//
// Sharded by session key over the attached loops; a shard lives on its loop and is touched there only, so there are no
// locks: a call is posted to the shard's loop, its completion to the caller's loop, an eviction to the owner's loop.
// Requests of one key run one after another in the order they reach the shard.
//
// Order an owner can rely on: the completion of its claim reaches its loop before any eviction of that claim. An
// eviction may arrive while the owner is still loading the session, or after it has released it: the handler must call
// its EvictDone exactly once in each case, with null when there is no state.
//
// Lifetime: attach all loops before the first claim; destroy it after all loops have stopped running tasks.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "session/ports.h"

namespace mooring::cluster {

class LocalDirectory final : public session::SessionDirectory {
 public:
  // Epochs start above both arguments' values, so that those of a restarted server are newer than the stored ones:
  // `now` in the upper 44 bits with a counter below, and the newest epoch that the store has seen.
  explicit LocalDirectory(base::WallMs now, session::Epoch newest_stored = 0);
  ~LocalDirectory() override;

  void attach_loop(session::LoopId loop, base::Executor& executor, EvictHandler on_evict) override;
  void claim(session::LoopId loop, session::SessionKey key, session::Callback<session::Claim> done) override;
  void release(session::LoopId loop, session::SessionKey key, session::Epoch epoch) override;
  void evict(session::LoopId loop, session::SessionKey key, session::EvictReason reason,
             session::Callback<bool> done) override;

  std::size_t owned_count() const;  // sessions that have an owner; any thread, approximate while calls are under way

 private:
  class Shard;
  struct Member;

  Shard& shard_of(const session::SessionKey& key);
  Member& member(session::LoopId loop);
  session::Epoch next_epoch() { return next_epoch_.fetch_add(1, std::memory_order_relaxed); }

  std::atomic<session::Epoch> next_epoch_;
  std::vector<std::unique_ptr<Member>> members_;  // by LoopId; null where no such loop is attached
  std::vector<Shard*> shards_;
};

}  // namespace mooring::cluster
