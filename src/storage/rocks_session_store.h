// RocksSessionStore: session records in a RocksDB folder, with group commit (architecture.md 6.2).
//
// Any thread may call it. Two threads of its own: the committer takes all queued writes (at most kMaxGroupItems or
// kMaxGroupBytes), writes them as one batch and then posts one task with all replies per executor; the reader answers
// loads, so that a cold load does not wait behind commits - except a load of a session with queued writes, which waits
// for them in order. Writes of one session are applied in the order given.
//
// Durability: see Durability. A write under an epoch older than the stored one is dropped with Errc::kUnavailable.
// Bounds: Options::max_queued_items and max_queued_bytes; what comes beyond is refused with Errc::kUnavailable at once.
// Failures (disk full, I/O error) come back as results, Errc::kIo; the change between failing and working is logged
// once each; the store recovers by itself when the cause is gone.
// Lifetime: the destructor commits what is queued, posts the replies and joins its threads; the executors given to
// calls must outlive the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "session/ports.h"

namespace mooring::storage {

// What has happened to a write when its `done` comes.
enum class Durability : std::uint8_t {
  kDisk,     // on disk (fsync per group): survives power loss
  kProcess,  // in the write-ahead log of the operating system: survives kill -9, not power loss
  kMemory,   // in memory: survives an orderly stop only
};

struct RocksSessionStoreOptions {
  std::filesystem::path folder;  // made with mode 0700 when missing, parents too
  Durability durability = Durability::kDisk;
  std::size_t max_queued_items = 65'536;     // writes and loads not yet answered
  std::size_t max_queued_bytes = 64U << 20;  // of the queued writes
};

class RocksSessionStore final : public session::SessionStore {
 public:
  static constexpr std::size_t kMaxGroupItems = 512;
  static constexpr std::size_t kMaxGroupBytes = 4U << 20;

  struct Stats {
    std::uint64_t groups = 0;   // batches committed
    std::uint64_t writes = 0;   // saves and erases committed
    std::uint64_t loads = 0;    // loads answered from the database
    std::uint64_t refused = 0;  // the queue was full
    std::uint64_t stale = 0;    // dropped for their epoch
    std::uint64_t failed = 0;   // the database refused
    std::size_t queued = 0;     // now waiting
    bool healthy = true;        // the last write went well
  };

  // Opens or creates. Errors: kUnavailable when another process uses the folder, kCorrupt when it was written in a
  // newer format or is damaged, kIo otherwise. Blocks (some tens of milliseconds).
  static base::Result<std::unique_ptr<RocksSessionStore>> open(const RocksSessionStoreOptions& options);
  ~RocksSessionStore() override;

  void load(session::SessionKey key, base::Executor& reply_to,
            session::Callback<base::Result<std::optional<session::SessionRecord>>> done) override;
  void save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
            session::Callback<base::Result<>> done) override;
  void erase(session::SessionKey key, session::Epoch epoch, base::Executor& reply_to,
             session::Callback<base::Result<>> done) override;

  // The newest epoch found in the folder when it was opened: epochs handed out from now on must be above it
  // (cluster::LocalDirectory takes it), even if the machine's clock went back.
  session::Epoch newest_epoch() const;
  Stats stats() const;

 private:
  class Impl;
  explicit RocksSessionStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::storage
