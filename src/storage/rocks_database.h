// RocksDatabase: the RocksDB folder of the session store, with its column families and its settings. Of sessions it
// knows no more than how their keys begin and how a value tells that it has expired; such values go when RocksDB
// rewrites its files, a minute late. Settings are for a small machine: some forty megabytes, two background threads.
//
// get(), scan(), sizes and compact_queues() from any thread; commit() and recover() from one thread, which also fills
// the batches. Calls block on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace mooring::storage {

enum class Family : std::uint8_t { kMeta, kSession, kQueue, kReceived, kRetained, kBlob };
inline constexpr std::size_t kFamilies = 6;

enum class LogMode : std::uint8_t { kSync, kNoSync, kOff };  // of the write-ahead log

class RocksDatabase {
 public:
  // Changes that are made together. Later ones win. Must not outlive the database.
  class Batch {
   public:
    explicit Batch(const RocksDatabase& database);
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch();

    void put(Family family, std::string_view key, std::string_view value);
    void erase(Family family, std::string_view key);
    void erase_range(Family family, std::string_view from, std::string_view end);  // without `end`
    std::size_t changes() const;

   private:
    friend class RocksDatabase;
    class Impl;
    std::unique_ptr<Impl> impl_;
  };

  // Makes the folder (mode 0700) and the database when missing. The clock says what has expired; it outlives the
  // database. kUnavailable: another process has it open; kCorrupt: of another format, or damaged; kIo.
  static base::Result<std::unique_ptr<RocksDatabase>> open(const std::filesystem::path& folder, LogMode mode,
                                                           const base::Clock& clock);
  ~RocksDatabase();

  base::Result<std::optional<std::string>> get(Family family, std::string_view key) const;

  // From `from` up to but without `end` (empty: to the last), in order, until `each` returns false. In families whose
  // keys begin with a session, keys of one session only unless `whole_family`. `each` must not call the database.
  struct Range {
    std::string from;
    std::string end;
    bool whole_family = false;  // many keys of many sessions, read once
  };
  using Each = std::function<bool(std::string_view key, std::string_view value)>;
  base::Result<> scan(Family family, const Range& range, const Each& each) const;

  // All or nothing. `durable`: with the write-ahead log on disk, in mode kSync.
  base::Result<> commit(Batch& batch, bool durable);
  // After a failed commit RocksDB refuses all writes. Makes it work again if the cause is gone.
  base::Result<> recover();

  std::uint64_t queue_bytes() const;  // about what queues and blobs occupy that is still of use
  std::uint64_t removals() const;     // from queues and blobs, so far; a range counts once
  void compact_queues();              // gives back what is of no use any more; takes seconds
  void end_compaction();              // the one under way soon returns, others do nothing from now on
  std::uint64_t syncs() const;        // of the log, for commits

 private:
  class Impl;
  explicit RocksDatabase(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::storage
