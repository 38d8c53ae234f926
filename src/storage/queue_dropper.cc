#include "storage/queue_dropper.h"

#include <utility>

#include "storage/message_codec.h"

namespace mooring::storage {

base::Result<> QueueDropper::find_unfinished() {
  constexpr std::string_view kPrefix = "drop";
  return database_.scan(Family::kMeta, {std::string(kPrefix), end_of(kPrefix), true},
                        [this](std::string_view key, auto) {
                          const session::SessionNumber number = id_in(key);
                          dropped_.add(number);
                          numbers_.push_back(number);
                          return true;
                        });
}

base::Result<> QueueDropper::step() {
  RocksDatabase::Batch batch(database_);
  Progress progress = progress_;
  blobs_.begin_group();
  const auto is_last = scan_piece(progress, batch);
  if (!is_last) return tl::unexpected(is_last.error());
  if (*is_last) {
    if (auto finished = finish(progress, batch); !finished) return finished;
  }
  base::Result<> committed = blobs_.finish_group(batch);
  if (committed && batch.changes() > 0) committed = database_.commit(batch, false);
  blobs_.end_group(committed.has_value());
  if (!committed) return committed;
  progress_ = *is_last ? Progress() : std::move(progress);
  if (*is_last) {
    dropped_.finish(numbers_.front());
    numbers_.pop_front();
  }
  return {};
}

base::Result<bool> QueueDropper::scan_piece(Progress& progress, RocksDatabase::Batch& batch) {
  const session::SessionNumber number = numbers_.front();
  const std::string prefix = session_prefix(number);
  std::size_t items = 0;
  std::size_t bytes = 0;
  bool is_last = true;
  const auto scanned =
      database_.scan(Family::kQueue, {progress.next_key.empty() ? prefix : progress.next_key, end_of(prefix)},
                     [&](std::string_view key, std::string_view value) {
                       if (items >= kStepItems || bytes >= kStepBytes) {
                         progress.next_key = key;
                         is_last = false;
                         return false;
                       }
                       items += 1;
                       bytes += value.size();
                       if (blob_in_item(value)) {
                         blobs_.drop_known_item(number, sequence_in(key), value);
                         batch.erase(Family::kQueue, key);
                       } else if (progress.plain.size() <= kFewKeys) {
                         progress.plain.emplace_back(key);
                       }
                       return true;
                     });
  if (!scanned) return tl::unexpected(scanned.error());
  return is_last;
}

base::Result<> QueueDropper::finish(const Progress& progress, RocksDatabase::Batch& batch) {
  const std::string prefix = session_prefix(numbers_.front());
  erase_keys(Family::kQueue, progress.plain, prefix, batch);
  std::vector<std::string> received;
  const auto scanned = database_.scan(Family::kReceived, {prefix, end_of(prefix)}, [&](std::string_view key, auto) {
    received.emplace_back(key);
    return received.size() <= kFewKeys;
  });
  if (!scanned) return scanned;
  erase_keys(Family::kReceived, received, prefix, batch);
  batch.erase(Family::kMeta, drop_key(numbers_.front()));
  return {};
}

void QueueDropper::erase_keys(Family family, const std::vector<std::string>& keys, const std::string& prefix,
                              RocksDatabase::Batch& batch) {
  if (keys.size() > kFewKeys) {
    batch.erase_range(family, prefix, end_of(prefix));
    return;
  }
  for (const std::string& key : keys) batch.erase(family, key);
}

}  // namespace mooring::storage
