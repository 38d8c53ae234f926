// GroupWriter: writes a group of session records as one batch: refuses those of a stale epoch, keeps account of the
// newest epoch, and gets the database going again after a failure. Used by one thread; blocks on the disk.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "session/ports.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

struct RecordWrite {
  session::SessionKey key;
  session::Epoch epoch = 0;
  std::optional<std::string> value;  // encoded; nothing: erase
};

// The epochs of sessions erased lately. An erased record is gone from the database, so it could not stop a write that
// its former owner sent before it knew. Such writes are under way for moments only: a bounded memory is enough.
class ErasedEpochs {
 public:
  static constexpr std::size_t kMaxEntries = 16'384;

  void add(const session::SessionKey& key, session::Epoch epoch);
  session::Epoch of(const session::SessionKey& key) const;  // 0: not erased lately

 private:
  std::unordered_map<session::SessionKey, session::Epoch> epochs_;
  std::deque<session::SessionKey> order_;
};

class GroupWriter {
 public:
  // `newest_epoch` is newest_epoch_in() of the database.
  GroupWriter(RocksDatabase& database, session::Epoch newest_epoch);

  // One result for each write, in order. kUnavailable: its epoch is stale; anything else: the database failed, and then
  // none of the group is written. Consumes the values. Logs when failing begins and ends.
  std::vector<base::Result<>> write(std::span<RecordWrite> group);
  bool healthy() const { return healthy_; }

  static base::Result<session::Epoch> newest_epoch_in(const RocksDatabase& database);

 private:
  static constexpr base::MonoMs kRecoveryPauseMs = 1000;

  std::vector<base::Result<>> check(std::span<const RecordWrite> group) const;
  base::Result<session::Epoch> stored_epoch(const session::SessionKey& key) const;
  base::Result<> commit(std::span<RecordWrite> group, const std::vector<base::Result<>>& verdicts);
  base::Result<> recover_if_failing();
  void note(const base::Result<>& outcome);

  RocksDatabase& database_;
  session::Epoch written_epoch_;  // the newest in the database
  ErasedEpochs erased_;
  bool healthy_ = true;
  base::Error failure_;  // the last one, while not healthy
  base::MonoMs next_recovery_ms_ = 0;
};

}  // namespace mooring::storage
