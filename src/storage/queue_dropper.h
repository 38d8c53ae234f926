// QueueDropper: removes the keys of dropped queues, a bounded piece at a time, so that commits are not held up. What is
// to be done stands in the database (drop_key()) from the moment it was promised, and is taken up again after a
// restart. Used by the committer only.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "session/ports.h"
#include "storage/blob_book.h"
#include "storage/dropped_numbers.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

class QueueDropper {
 public:
  static constexpr std::size_t kStepItems = 512;
  static constexpr std::size_t kStepBytes = 1U << 20;
  // So many keys are removed one by one; more by a range, which is cheap to write but makes reading dearer for a while.
  static constexpr std::size_t kFewKeys = 64;

  QueueDropper(RocksDatabase& database, BlobBook& blobs, DroppedNumbers& dropped)
      : database_(database), blobs_(blobs), dropped_(dropped) {}

  // Takes up what an earlier run has left. Blocks.
  base::Result<> find_unfinished();
  // Its drop_key() has been written.
  void add(session::SessionNumber number) { numbers_.push_back(number); }
  bool has_work() const { return !numbers_.empty(); }
  // Does one piece of one queue. After a failure it can be tried again.
  base::Result<> step();

 private:
  // How far the first of numbers_ has come.
  struct Progress {
    std::string next_key;            // empty: at the beginning
    std::vector<std::string> plain;  // keys without a blob, kFewKeys + 1 at most
  };

  base::Result<bool> scan_piece(Progress& progress, RocksDatabase::Batch& batch);  // true: it was the last
  base::Result<> finish(const Progress& progress, RocksDatabase::Batch& batch);
  static void erase_keys(Family family, const std::vector<std::string>& keys, const std::string& prefix,
                         RocksDatabase::Batch& batch);

  RocksDatabase& database_;
  BlobBook& blobs_;
  DroppedNumbers& dropped_;
  std::deque<session::SessionNumber> numbers_;
  Progress progress_;
};

}  // namespace mooring::storage
