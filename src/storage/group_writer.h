// GroupWriter: writes a group of operations as one batch, tells everybody concerned, and gets the database going again
// after a failure. It refuses records of a stale epoch, keeps account of the newest epoch and session number, and
// removes dropped queues in the background. Used by the committer only; blocks on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "metrics/histogram.h"
#include "session/ports.h"
#include "storage/blob_book.h"
#include "storage/disk_watch.h"
#include "storage/dropped_numbers.h"
#include "storage/erased_epochs.h"
#include "storage/operation.h"
#include "storage/queue_dropper.h"
#include "storage/replies.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

class GroupWriter {
 public:
  // What the database knew when it was opened.
  struct Start {
    session::Epoch newest_epoch = 0;
    session::SessionNumber newest_number = 0;
    BlobBook::Found blobs;
    BlobId first_blob = 0;
  };
  static base::Result<Start> find_start(const RocksDatabase& database, const base::Clock& clock);

  struct Counts {
    std::uint64_t groups = 0;      // batches written
    std::uint64_t operations = 0;  // calls in them that were carried out
    std::uint64_t appended = 0;    // items written
    std::uint64_t withdrawn = 0;   // items that needed no writing
    std::uint64_t stale = 0;       // dropped for their epoch
    std::uint64_t failed = 0;      // refused by the database or for want of room
    metrics::FineHistogram commit_us;
    std::uint64_t blobs = 0;  // there now
    bool healthy = true;
  };

  GroupWriter(RocksDatabase& database, DroppedNumbers& dropped, const DiskWatch& disk, const Start& start);

  base::Result<> find_unfinished_drops() { return dropper_.find_unfinished(); }

  // Writes all but the reads, which it leaves alone, and adds to `replies` what is to be said. When the database fails
  // nothing is written; removals and drops are tried again with the next group then.
  void write(std::span<Operation> group, Replies& replies);

  bool has_background_work() const { return counts_.healthy && dropper_.has_work(); }
  void background_step();

  const Counts& counts() const { return counts_; }

 private:
  static constexpr base::MonoMs kRecoveryPauseMs = 1000;
  static constexpr std::size_t kMaxLeftovers = 65'536;
  using ItemKey = std::pair<session::SessionNumber, std::uint64_t>;

  struct Verdict {
    bool taken = false;     // the item, by this group
    bool left_out = false;  // an item that was withdrawn
    bool stale = false;     // a record with an old epoch
    std::optional<base::Error> error;
  };
  // What is gathered while a batch is built.
  struct Work {
    explicit Work(const RocksDatabase& database) : batch(database) {}
    RocksDatabase::Batch batch;
    bool durable = false;  // somebody waits for it
    std::unordered_map<std::string, session::Epoch> epochs;
    session::Epoch newest_epoch = 0;
    session::SessionNumber newest_number = 0;
    std::vector<std::pair<session::SessionKey, session::Epoch>> erased;
    std::vector<session::SessionNumber> drops;
    std::set<ItemKey> removed;  // by operations of this group
    std::uint64_t appended = 0;
    std::uint64_t withdrawn = 0;
  };

  base::Result<> try_write(std::span<Operation> group, std::vector<Verdict>& verdicts);
  void look_ahead(std::span<const Operation> group, Work& work);
  void build(Operation& operation, Verdict& verdict, Work& work);
  void build_append(AppendOperation& append, Verdict& verdict, Work& work);
  void build_remove(const RemoveOperation& remove, Work& work);
  void build_drop(session::SessionNumber number, Work& work);
  void build_record(RecordOperation& record, Verdict& verdict, Work& work);
  void build_write(WriteOperation& write, Verdict& verdict, Work& work);
  void build_part(const session::StoreOperation& part, Work& work);
  void build_retained(const RetainedOperation& retained, Verdict& verdict, Work& work);
  void put_item(const session::QueueItem& item, Work& work);
  base::Result<session::Epoch> stored_epoch(const session::SessionKey& key) const;

  base::Result<> commit(Work& work);
  void after_commit(const Work& work);
  void keep_lazy_ones(std::span<Operation> group);
  void answer(Operation& operation, Verdict& verdict, Replies& replies);
  static void fail_all(std::span<Operation> group, std::vector<Verdict>& verdicts, const base::Error& error);
  base::Result<> recover_if_failing();
  void note(const base::Result<>& outcome);

  RocksDatabase& database_;
  DroppedNumbers& dropped_;
  const DiskWatch& disk_;
  BlobBook blobs_;
  QueueDropper dropper_;
  session::Epoch written_epoch_;           // the newest in the database
  session::SessionNumber written_number_;  // likewise
  ErasedEpochs erased_;
  std::vector<Operation> leftovers_;  // removals and drops of groups that failed
  Counts counts_;
  base::Error failure_;  // the last one, while not healthy
  base::MonoMs next_recovery_ms_ = 0;
};

}  // namespace mooring::storage
