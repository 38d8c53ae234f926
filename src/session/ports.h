// The ports through which sessions meet the world beyond one loop: who owns a session, and what of it survives.
//
// Rules that keep them honest on one machine and on many:
//  * every call completes on the calling loop's executor, later, never inline;
//  * every claim carries an epoch and every write the epoch it was made under; a stale epoch's write is dropped;
//  * nobody looks a session up in a global map: the directory is asked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/result.h"

namespace mooring::session {

class Session;

using LoopId = std::uint16_t;
using Epoch = std::uint64_t;  // grows with each claim of a session; 0 means "never claimed"

// Names a session. Devices: "d" NUL product key NUL device name, then, unless it is 0, NUL and the device's life as 4
// big-endian bytes: a device that is deleted and made again has a new life (registry/model.h) and so a session of its
// own. Operators of the local socket: "o" NUL a number. Unique over the installation.
using SessionKey = std::string;

SessionKey device_session_key(std::string_view product_key, std::string_view device_name, std::uint32_t life);

// The loop, out of 0 .. loops-1, on which a session lives: always the same one for the same identity, whoever asks and
// on whichever loop (docs/adr/0008). `loops` is at least 1. The identity is what a CONNECT tells of its session before
// anybody is signed in; of a device it is product key NUL device name, whatever its life.
LoopId home_loop(std::string_view identity, LoopId loops);
// The same for a device, without putting the identity together.
LoopId device_home_loop(std::string_view product_key, std::string_view device_name, LoopId loops);

template <class T>
using Callback = base::UniqueFunction<void(T)>;

enum class EvictReason : std::uint8_t { kTakenOver, kDisabled, kDeleted, kKicked };

// What claiming a session gives: the new epoch, and the live state if another connection of this machine had it.
struct Claim {
  Epoch epoch = 0;
  std::unique_ptr<Session> state;  // nothing: read it from the store
};

// Who owns a session. One owner (a loop of a node) at a time.
class SessionDirectory {
 public:
  virtual ~SessionDirectory() = default;

  // Called on the owner's loop: close the connection of `key` if it has one, stop using the session, then call `done`
  // with its state (null when there is none in memory). The owner must have published everything that belongs before
  // the hand-over (the offline status) when it calls `done`.
  using EvictDone = base::UniqueFunction<void(std::unique_ptr<Session>)>;
  using EvictHandler = base::UniqueFunction<void(const SessionKey&, Epoch, EvictReason, EvictDone)>;

  // Once per loop at start, before any claim.
  virtual void attach_loop(LoopId loop, base::Executor& executor, EvictHandler on_evict) = 0;

  // Makes `loop` the owner; evicts the present owner first. Claims of one key are granted in the order they arrive.
  virtual void claim(LoopId loop, SessionKey key, Callback<Claim> done) = 0;

  // Gives the session up for good (it ended, nothing of it is kept in memory). Ignored under a stale epoch.
  virtual void release(LoopId loop, SessionKey key, Epoch epoch) = 0;

  // Takes the session from its owner and forgets it, without a new owner: disable, delete and kick. `done(true)` when
  // an owner existed. The state is destroyed on the directory's side.
  virtual void evict(LoopId loop, SessionKey key, EvictReason reason, Callback<bool> done) = 0;
};

struct SubscriptionRecord {
  std::string filter;
  std::uint8_t qos = 0;
  bool operator==(const SubscriptionRecord&) const = default;
};

// What of a session survives a restart.
struct SessionRecord {
  SessionKey key;
  std::vector<SubscriptionRecord> subscriptions;
};

// Keeps session records. Writes of one session are applied in the order given.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  // Nothing stored is an empty optional, not an error. The answer shows every write given before the load, and may show
  // later ones.
  virtual void load(SessionKey key, base::Executor& reply_to,
                    Callback<base::Result<std::optional<SessionRecord>>> done) = 0;
  // `done` comes after the write is as durable as the store's mode promises. Errors: kUnavailable for a stale epoch or
  // a full queue, kIo when the disk refuses.
  virtual void save(SessionRecord record, Epoch epoch, base::Executor& reply_to, Callback<base::Result<>> done) = 0;
  virtual void erase(SessionKey key, Epoch epoch, base::Executor& reply_to, Callback<base::Result<>> done) = 0;
};

}  // namespace mooring::session
