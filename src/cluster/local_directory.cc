#include "cluster/local_directory.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace mooring::cluster {

using session::Claim;
using session::Epoch;
using session::LoopId;
using session::SessionKey;

LocalDirectory::LocalDirectory(base::WallMs now, Epoch newest_stored, LoopId home_loops) : home_loops_(home_loops) {
  constexpr int kCounterBits = 20;
  // Messages are numbered from the epoch on (session/session.h): with the clock set back, no number may come again.
  constexpr Epoch kMostMessages = Epoch{1} << 40;
  const Epoch from_clock = static_cast<Epoch>(std::max<base::WallMs>(now, 0)) << kCounterBits;
  next_epoch_ = from_clock > newest_stored ? from_clock : newest_stored + kMostMessages;
}

LocalDirectory::~LocalDirectory() = default;

void LocalDirectory::attach_loop(LoopId loop, base::Executor& executor, EvictHandler on_evict) {
  if (members_.size() <= loop) members_.resize(std::size_t{loop} + 1);
  MOORING_ASSERT(members_[loop] == nullptr);
  members_[loop].reset(new Member{executor, std::move(on_evict)});
}

void LocalDirectory::claim(LoopId loop, SessionKey, session::Callback<Claim> done) {
  members_[loop]->executor.post([this, callback = std::move(done)]() mutable { callback(Claim{next_epoch()}); });
}

Epoch LocalDirectory::adopt(LoopId, const SessionKey&) {
  return next_epoch();
}

// The owner has forgotten it: nothing else knew.
void LocalDirectory::release(LoopId, SessionKey, Epoch) {}

void LocalDirectory::evict(LoopId loop, SessionKey key, session::EvictReason reason, session::Callback<bool> done) {
  base::Executor& caller = members_[loop]->executor;
  Member& home = *members_[session::home_loop(session::identity_of(key), home_loops_)];
  home.executor.post([&home, &caller, name = std::move(key), reason, callback = std::move(done)]() mutable {
    home.on_evict(name, reason, [&caller, back = std::move(callback)](bool forgotten) mutable {
      caller.post([answer = std::move(back), forgotten]() mutable { answer(forgotten); });
    });
  });
}

}  // namespace mooring::cluster
