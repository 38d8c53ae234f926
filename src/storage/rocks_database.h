// RocksDatabase: the RocksDB folder of the session store, with its column families and its settings. It knows nothing
// of sessions. Settings are for a small machine: some ten megabytes, two background threads.
//
// get() from any thread; commit() and recover() from one thread at a time. Calls block on the disk.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::storage {

enum class Family : std::uint8_t { kMeta, kSession };

enum class LogMode : std::uint8_t { kSync, kNoSync, kOff };  // of the write-ahead log

struct Change {
  Family family = Family::kSession;
  std::string key;
  std::optional<std::string> value;  // nothing: remove
};

class RocksDatabase {
 public:
  // Makes the folder (mode 0700) and the database when missing. kUnavailable: another process has it open; kCorrupt: of
  // another format, or damaged; kIo.
  static base::Result<std::unique_ptr<RocksDatabase>> open(const std::filesystem::path& folder, LogMode mode);
  ~RocksDatabase();

  base::Result<std::optional<std::string>> get(Family family, std::string_view key) const;
  base::Result<> commit(std::span<const Change> changes);  // all or nothing
  // After a failed commit RocksDB refuses all writes. Makes it work again if the cause is gone.
  base::Result<> recover();

 private:
  class Impl;
  explicit RocksDatabase(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::storage
