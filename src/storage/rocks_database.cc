#include "storage/rocks_database.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace mooring::storage {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "1";
constexpr std::size_t kMebibyte = 1U << 20;

base::Error to_error(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsIOError() && text.find("lock") != std::string::npos) {
    return {base::Errc::kUnavailable, "another process uses the session store"};
  }
  const bool damaged = status.IsCorruption() || status.IsInvalidArgument();
  return {damaged ? base::Errc::kCorrupt : base::Errc::kIo, "session store: " + text};
}

base::Result<> to_result(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return tl::unexpected(to_error(status));
}

// Takes the place of RocksDB's own log file. That file is not wanted beside the server's log, and where the library is
// built with assertions, as Debian's is, a full disk under that file ends the process.
class QuietLogger final : public rocksdb::Logger {
 public:
  QuietLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!base::log_enabled(base::LogLevel::kDebug)) return;
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    base::log_debug("storage", "rocksdb: {}", base::printable(line.data()));
  }
};

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 128;
  options.max_file_opening_threads = 1;
  options.db_write_buffer_size = 8 * kMebibyte;
  options.max_total_wal_size = 16 * kMebibyte;
  options.max_manifest_file_size = 4 * kMebibyte;
  options.info_log = std::make_shared<QuietLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.avoid_flush_during_recovery = true;  // quicker, and possible while the disk is full
  return options;
}

rocksdb::ColumnFamilyOptions family_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 * kMebibyte);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 4 * kMebibyte;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = 8 * kMebibyte;
  options.max_bytes_for_level_base = 32 * kMebibyte;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

base::Result<> io_failure(std::string_view what, const std::error_code& code) {
  return base::fail(base::Errc::kIo, "session store: " + std::string(what) + ": " + code.message());
}

// A new folder must survive power loss like what is written into it.
base::Result<> sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const std::error_code code(errno, std::generic_category());
  if (fd >= 0) ::close(fd);
  if (!synced) return io_failure("cannot sync the folder above it", code);
  return {};
}

base::Result<> make_folder(const std::filesystem::path& folder) {
  std::error_code code;
  if (std::filesystem::is_directory(folder, code)) return {};
  std::filesystem::create_directories(folder, code);
  if (!code) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, code);
  if (code) return io_failure("cannot make its folder", code);
  return sync_folder(std::filesystem::absolute(folder).parent_path());
}

rocksdb::Slice to_slice(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

class RocksDatabase::Impl {
 public:
  Impl(std::filesystem::path folder, LogMode mode) : folder_(std::move(folder)) {
    write_options_.sync = mode == LogMode::kSync;
    write_options_.disableWAL = mode == LogMode::kOff;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { close(); }

  base::Result<> open() {
    const std::unique_lock lock(mutex_);
    if (const auto made = make_folder(folder_); !made) return made;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, family_options()},
                                                                {"session", family_options()}};
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* database = nullptr;
    const auto status = rocksdb::DB::Open(database_options(), folder_.string(), families, &handles, &database);
    if (!status.ok()) return to_result(status);
    database_.reset(database);
    families_ = {handles[0], handles[1]};
    return check_format();
  }

  base::Result<std::optional<std::string>> get(Family family, std::string_view key) const {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return closed();
    std::string value;
    const auto status = database_->Get(rocksdb::ReadOptions(), handle(family), to_slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return tl::unexpected(to_error(status));
    return std::optional(std::move(value));
  }

  base::Result<> commit(std::span<const Change> changes) {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return closed();
    rocksdb::WriteBatch batch;
    for (const Change& change : changes) {
      const auto status = change.value ? batch.Put(handle(change.family), change.key, *change.value)
                                       : batch.Delete(handle(change.family), change.key);
      if (!status.ok()) return to_result(status);
    }
    return to_result(database_->Write(write_options_, &batch));
  }

  base::Result<> recover() {
    {
      const std::shared_lock lock(mutex_);
      if (database_ != nullptr && database_->Resume().ok()) return {};
    }
    close();
    return open();
  }

 private:
  base::Result<> check_format() {
    std::string format;
    auto status = database_->Get(rocksdb::ReadOptions(), to_slice(kFormatKey), &format);
    if (status.IsNotFound()) {
      rocksdb::WriteOptions options;
      options.sync = true;
      return to_result(database_->Put(options, to_slice(kFormatKey), to_slice(kFormat)));
    }
    if (!status.ok()) return to_result(status);
    if (format == kFormat) return {};
    return base::fail(base::Errc::kCorrupt, "the session store was written by another version of the server");
  }

  void close() {
    const std::unique_lock lock(mutex_);
    if (database_ == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* family : families_) database_->DestroyColumnFamilyHandle(family);
    families_ = {};
    // Its status does not matter here: what was promised is in the log already.
    database_->Close().PermitUncheckedError();
    database_.reset();
  }

  rocksdb::ColumnFamilyHandle* handle(Family family) const { return families_[static_cast<std::size_t>(family)]; }
  static tl::unexpected<base::Error> closed() { return base::fail(base::Errc::kIo, "session store: it is closed"); }

  const std::filesystem::path folder_;
  rocksdb::WriteOptions write_options_;
  mutable std::shared_mutex mutex_;  // held alone only to open and close
  std::unique_ptr<rocksdb::DB> database_;
  std::array<rocksdb::ColumnFamilyHandle*, 2> families_{};
};

RocksDatabase::RocksDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksDatabase::~RocksDatabase() = default;

base::Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const std::filesystem::path& folder, LogMode mode) {
  auto impl = std::make_unique<Impl>(folder, mode);
  if (auto opened = impl->open(); !opened) return tl::unexpected(std::move(opened.error()));
  return std::unique_ptr<RocksDatabase>(new RocksDatabase(std::move(impl)));
}

base::Result<std::optional<std::string>> RocksDatabase::get(Family family, std::string_view key) const {
  return impl_->get(family, key);
}

base::Result<> RocksDatabase::commit(std::span<const Change> changes) {
  return impl_->commit(changes);
}

base::Result<> RocksDatabase::recover() {
  return impl_->recover();
}

}  // namespace mooring::storage
