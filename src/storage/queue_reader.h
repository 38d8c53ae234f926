// QueueReader: reads stored queues. Used by the reader only; blocks on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "session/ports.h"
#include "storage/dropped_numbers.h"
#include "storage/message_codec.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

class QueueReader {
 public:
  static constexpr std::size_t kRecentBlobs = 16;  // so that sessions that read the same one share it in memory
  static constexpr std::size_t kMaxRecentBytes = 256U << 10;  // larger ones are read each time

  QueueReader(const RocksDatabase& database, const DroppedNumbers& dropped, const base::Clock& clock)
      : database_(database), dropped_(dropped), clock_(clock) {}

  struct Outcome {
    base::Result<session::SessionStore::Page> page;
    base::Result<session::QueueSize> size;
    std::vector<std::uint64_t> expired;  // sequences that should be removed
  };
  Outcome read(session::SessionNumber number, std::uint64_t from_sequence, std::size_t max_messages,
               std::size_t max_bytes);
  Outcome measure(session::SessionNumber number);

 private:
  struct Piece {
    std::vector<StoredItem> items;
    std::size_t bytes = 0;
    std::uint64_t next_sequence = 0;
    bool at_end = true;
    std::vector<std::uint64_t> expired;
  };

  base::Result<Piece> scan(session::SessionNumber number, std::uint64_t from_sequence, std::size_t max_messages,
                           std::size_t max_bytes) const;
  base::Result<> add(Piece& piece, Outcome& outcome);
  base::Result<mqtt::MessageRef> blob(BlobId id);  // null: it is not there any more

  const RocksDatabase& database_;
  const DroppedNumbers& dropped_;
  const base::Clock& clock_;
  std::deque<std::pair<BlobId, mqtt::MessageRef>> recent_;
};

}  // namespace mooring::storage
