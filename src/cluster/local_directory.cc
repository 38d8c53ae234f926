#include "cluster/local_directory.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "session/session.h"

namespace mooring::cluster {

using session::Claim;
using session::Epoch;
using session::EvictReason;
using session::LoopId;
using session::SessionKey;
using StatePtr = std::unique_ptr<session::Session>;

struct LocalDirectory::Member {
  Member(base::Executor& e, EvictHandler handler) : executor(e), on_evict(std::move(handler)) {}
  base::Executor& executor;
  EvictHandler on_evict;         // called on the loop of this member only
  std::unique_ptr<Shard> shard;  // the part of the keys that lives on this loop
};

// Lives on one loop. Public functions are called there only.
class LocalDirectory::Shard {
 public:
  Shard(LocalDirectory& directory, base::Executor& home) : directory_(directory), home_(home) {}

  void claim(LoopId loop, const SessionKey& key, session::Callback<Claim> done) {
    handle(key, Request{loop, EvictReason::kTakenOver, std::move(done), nullptr});
  }

  void evict(LoopId loop, const SessionKey& key, EvictReason reason, session::Callback<bool> done) {
    handle(key, Request{loop, reason, nullptr, std::move(done)});
  }

  void release(LoopId loop, const SessionKey& key, Epoch epoch) {
    const auto at = entries_.find(key);
    if (at == entries_.end() || at->second.epoch != epoch || at->second.owner != loop) return;
    // An eviction under way will find at the owner that there is nothing left, and end by itself.
    if (at->second.waiting == nullptr) forget(at);
  }

  base::Executor& home() { return home_; }
  std::size_t owned_count() const { return owned_count_.load(std::memory_order_relaxed); }

 private:
  struct Request {
    LoopId loop;
    EvictReason reason;
    session::Callback<Claim> claimed;  // of a claim
    session::Callback<bool> evicted;   // of an eviction without a new owner

    bool is_claim() const { return static_cast<bool>(claimed); }
  };

  struct Entry {
    Epoch epoch = 0;
    LoopId owner = 0;
    // The request for which the owner is being evicted, and those behind it. Null: nothing under way.
    std::unique_ptr<std::deque<Request>> waiting;
  };
  using Entries = std::unordered_map<SessionKey, Entry>;

  void handle(const SessionKey& key, Request request) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) {
      finish(key, std::move(request), false, nullptr);
      return;
    }
    Entry& entry = at->second;
    if (entry.waiting != nullptr) {
      entry.waiting->push_back(std::move(request));
      return;
    }
    entry.waiting = std::make_unique<std::deque<Request>>();
    entry.waiting->push_back(std::move(request));
    ask_owner(key, entry);
  }

  void ask_owner(const SessionKey& key, const Entry& entry) {
    Member& owner = directory_.member(entry.owner);
    owner.executor.post([this, &owner, key, epoch = entry.epoch, reason = entry.waiting->front().reason] {
      owner.on_evict(key, epoch, reason, [this, key, epoch](StatePtr state) {
        home_.post([this, key, epoch, moved = std::move(state)]() mutable { evicted(key, epoch, std::move(moved)); });
      });
    });
  }

  // The owner has let go.
  void evicted(const SessionKey& key, Epoch epoch, StatePtr state) {
    const auto at = entries_.find(key);
    MOORING_ASSERT(at != entries_.end() && at->second.epoch == epoch && at->second.waiting != nullptr);
    const auto waiting = std::move(at->second.waiting);
    forget(at);
    // With the key free, the first takes it; the second then finds the first as owner, and so on: order is kept.
    Request first = std::move(waiting->front());
    waiting->pop_front();
    finish(key, std::move(first), true, std::move(state));
    for (Request& next : *waiting) handle(key, std::move(next));
  }

  // Answers a request for a key that has no owner now.
  void finish(const SessionKey& key, Request request, bool had_owner, StatePtr state) {
    base::Executor& caller = directory_.member(request.loop).executor;
    if (!request.is_claim()) {
      caller.post([done = std::move(request.evicted), had_owner]() mutable { done(had_owner); });
      return;
    }
    const Epoch epoch = directory_.next_epoch();
    Entry& entry = entries_[key];
    entry.epoch = epoch;
    entry.owner = request.loop;
    owned_count_.fetch_add(1, std::memory_order_relaxed);
    if (state != nullptr) state->set_epoch(epoch);
    caller.post([done = std::move(request.claimed), claim = Claim{epoch, std::move(state)}]() mutable {
      done(std::move(claim));
    });
  }

  void forget(Entries::iterator at) {
    entries_.erase(at);
    owned_count_.fetch_sub(1, std::memory_order_relaxed);
  }

  LocalDirectory& directory_;
  base::Executor& home_;
  Entries entries_;
  std::atomic<std::size_t> owned_count_{0};
};

LocalDirectory::LocalDirectory(base::WallMs now, Epoch newest_stored) {
  constexpr int kCounterBits = 20;
  const Epoch from_clock = static_cast<Epoch>(std::max<base::WallMs>(now, 0)) << kCounterBits;
  next_epoch_ = std::max({from_clock, newest_stored + 1, Epoch{1}});
}

LocalDirectory::~LocalDirectory() = default;

void LocalDirectory::attach_loop(LoopId loop, base::Executor& executor, EvictHandler on_evict) {
  if (members_.size() <= loop) members_.resize(std::size_t{loop} + 1);
  MOORING_ASSERT(members_[loop] == nullptr);
  members_[loop] = std::make_unique<Member>(executor, std::move(on_evict));
  members_[loop]->shard = std::make_unique<Shard>(*this, executor);
  shards_.push_back(members_[loop]->shard.get());
}

void LocalDirectory::claim(LoopId loop, SessionKey key, session::Callback<Claim> done) {
  Shard& shard = shard_of(key);
  shard.home().post([&shard, loop, name = std::move(key), callback = std::move(done)]() mutable {
    shard.claim(loop, name, std::move(callback));
  });
}

void LocalDirectory::release(LoopId loop, SessionKey key, Epoch epoch) {
  Shard& shard = shard_of(key);
  shard.home().post([&shard, loop, name = std::move(key), epoch] { shard.release(loop, name, epoch); });
}

void LocalDirectory::evict(LoopId loop, SessionKey key, EvictReason reason, session::Callback<bool> done) {
  Shard& shard = shard_of(key);
  shard.home().post([&shard, loop, reason, name = std::move(key), callback = std::move(done)]() mutable {
    shard.evict(loop, name, reason, std::move(callback));
  });
}

std::size_t LocalDirectory::owned_count() const {
  std::size_t sum = 0;
  for (const Shard* shard : shards_) sum += shard->owned_count();
  return sum;
}

LocalDirectory::Shard& LocalDirectory::shard_of(const SessionKey& key) {
  MOORING_ASSERT(!shards_.empty());
  return *shards_[std::hash<SessionKey>{}(key) % shards_.size()];
}

LocalDirectory::Member& LocalDirectory::member(LoopId loop) {
  MOORING_ASSERT(loop < members_.size() && members_[loop] != nullptr);
  return *members_[loop];
}

}  // namespace mooring::cluster
