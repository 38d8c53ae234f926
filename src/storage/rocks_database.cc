#include "storage/rocks_database.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "storage/rocks_settings.h"

namespace mooring::storage {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "2";
constexpr std::string_view kOlderFormat = "1";  // records only; read as they are, written anew bit by bit
constexpr std::size_t kReadAheadBytes = 1U << 20;
constexpr std::uint64_t kOpenNeedsBytes = 64U << 20;  // free, for what the log holds and for a new one

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
std::string_view to_view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

// Finds the keys that a batch changes one by one.
class KeyFinder final : public rocksdb::WriteBatch::Handler {
 public:
  using Found = std::function<void(std::uint32_t family_id, const rocksdb::Slice& key)>;
  explicit KeyFinder(Found found) : found_(std::move(found)) {}
  rocksdb::Status PutCF(std::uint32_t family_id, const rocksdb::Slice& key, const rocksdb::Slice&) override {
    found_(family_id, key);
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t family_id, const rocksdb::Slice& key) override {
    found_(family_id, key);
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }

 private:
  Found found_;
};

bool is_by_session(Family family) {
  return family == Family::kQueue || family == Family::kReceived;
}

}  // namespace

class RocksDatabase::Impl {
 public:
  Impl(std::filesystem::path folder, LogMode mode, const base::Clock& clock)
      : folder_(std::move(folder)), mode_(mode), clock_(clock) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { close(); }

  base::Result<> open() {
    const std::unique_lock lock(mutex_);
    if (const auto made = make_folder(folder_); !made) return made;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    const auto cache = block_cache();
    for (std::size_t i = 0; i < kFamilies; ++i) {
      const auto family = static_cast<Family>(i);
      families.emplace_back(family_name(family), family_options(family, cache, clock_));
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* database = nullptr;
    const auto status = rocksdb::DB::Open(database_options(mode_), folder_.string(), families, &handles, &database);
    if (!status.ok()) return to_result(status);
    database_.reset(database);
    MOORING_ASSERT(handles.size() == kFamilies);
    for (std::size_t i = 0; i < kFamilies; ++i) families_[i] = handles[i];
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

  base::Result<> scan(Family family, const Range& range, const Each& each) const {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return closed();
    rocksdb::ReadOptions options;
    const rocksdb::Slice end = to_slice(range.end);
    if (!range.end.empty()) options.iterate_upper_bound = &end;
    if (is_by_session(family) && !range.whole_family) {
      options.prefix_same_as_start = true;
    } else {
      options.total_order_seek = true;
    }
    if (range.whole_family) {
      options.fill_cache = false;
      options.readahead_size = kReadAheadBytes;
    }
    const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(options, handle(family)));
    for (at->Seek(to_slice(range.from)); at->Valid(); at->Next()) {
      if (!each(to_view(at->key()), to_view(at->value()))) break;
    }
    return to_result(at->status());
  }

  base::Result<> commit(rocksdb::WriteBatch& batch, std::uint64_t removals, bool durable) {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return closed();
    rocksdb::WriteOptions options;
    options.sync = durable && mode_ == LogMode::kSync;
    options.disableWAL = mode_ == LogMode::kOff;
    const auto status = database_->Write(options, &batch);
    if (options.sync) syncs_.fetch_add(1, std::memory_order_relaxed);
    if (!status.ok()) remember_as_it_was(batch);
    if (status.ok()) removals_.fetch_add(removals, std::memory_order_relaxed);
    return to_result(status);
  }

  base::Result<> recover() {
    if (auto works = resume(); !works) {
      // Without a log, closing it would lose what is still in memory; and on a full disk it could not be opened again,
      // so that even reading would end.
      if (mode_ == LogMode::kOff || !has_room_to_open()) return works;
      close();
      if (auto opened = open(); !opened) return opened;
    }
    return undo_failed();
  }

  std::uint64_t queue_bytes() const {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return 0;
    std::uint64_t sum = 0;
    for (const Family family : {Family::kQueue, Family::kBlob}) {
      for (const auto& property :
           {rocksdb::DB::Properties::kEstimateLiveDataSize, rocksdb::DB::Properties::kCurSizeAllMemTables}) {
        std::uint64_t bytes = 0;
        if (database_->GetIntProperty(handle(family), property, &bytes)) sum += bytes;
      }
    }
    return sum;
  }

  void compact_queues() {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return;
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    options.canceled = &no_compaction_;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    // Failing is no harm: the next commit meets the same disk and reports it.
    database_->CompactRange(options, handle(Family::kQueue), nullptr, nullptr).PermitUncheckedError();
    database_->CompactRange(options, handle(Family::kBlob), nullptr, nullptr).PermitUncheckedError();
  }

  std::uint64_t removals() const { return removals_.load(std::memory_order_relaxed); }

  void end_compaction() { no_compaction_.store(true); }

  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }

  rocksdb::ColumnFamilyHandle* handle(Family family) const { return families_[static_cast<std::size_t>(family)]; }

 private:
  base::Result<> check_format() {
    std::string format;
    const auto status = database_->Get(rocksdb::ReadOptions(), to_slice(kFormatKey), &format);
    if (!status.ok() && !status.IsNotFound()) return to_result(status);
    if (status.IsNotFound() || format == kOlderFormat) {
      rocksdb::WriteOptions options;
      options.sync = true;
      return to_result(database_->Put(options, to_slice(kFormatKey), to_slice(kFormat)));
    }
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

  base::Result<> resume() {
    const std::shared_lock lock(mutex_);
    if (database_ == nullptr) return closed();
    return to_result(database_->Resume());
  }

  // A closed one is open to be tried again. When in doubt, yes.
  bool has_room_to_open() const {
    const std::shared_lock lock(mutex_);
    struct statvfs file_system {};
    if (database_ == nullptr || ::statvfs(folder_.c_str(), &file_system) != 0) return true;
    return std::uint64_t{file_system.f_bavail} * file_system.f_frsize >= kOpenNeedsBytes;
  }

  // A batch that failed may still be in a buffer of the log and reach the disk when that is closed. Its caller was told
  // that nothing of it is written, so that what was there before is put back, first of all after the recovery.
  void remember_as_it_was(const rocksdb::WriteBatch& batch) {
    KeyFinder finder([this](std::uint32_t family_id, const rocksdb::Slice& key) {
      for (rocksdb::ColumnFamilyHandle* family : families_) {
        if (family->GetID() != family_id) continue;
        std::string value;
        const auto status = database_->Get(rocksdb::ReadOptions(), family, key, &value);
        if (!status.ok() && !status.IsNotFound()) continue;
        undo_.try_emplace({family_id, key.ToString()}, status.ok() ? std::optional(std::move(value)) : std::nullopt);
      }
    });
    batch.Iterate(&finder).PermitUncheckedError();  // it was built here: nothing in it is unknown
  }

  base::Result<> undo_failed() {
    const std::shared_lock lock(mutex_);
    rocksdb::WriteBatch batch;
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      for (const auto& [where, value] : undo_) {
        if (where.first != family->GetID()) continue;
        const auto status = value ? batch.Put(family, where.second, *value) : batch.Delete(family, where.second);
        if (!status.ok()) return to_result(status);
      }
    }
    rocksdb::WriteOptions options;
    options.sync = mode_ == LogMode::kSync;
    options.disableWAL = mode_ == LogMode::kOff;
    const auto status = database_->Write(options, &batch);
    if (status.ok()) undo_.clear();
    return to_result(status);
  }

  static tl::unexpected<base::Error> closed() { return base::fail(base::Errc::kIo, "session store: it is closed"); }

  const std::filesystem::path folder_;
  const LogMode mode_;
  const base::Clock& clock_;
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> removals_{0};
  std::atomic<bool> no_compaction_{false};
  // By family and key, what failed batches would have changed; nothing: it was not there. Of the committing thread.
  std::map<std::pair<std::uint32_t, std::string>, std::optional<std::string>> undo_;
  mutable std::shared_mutex mutex_;  // held alone only to open and close
  std::unique_ptr<rocksdb::DB> database_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
};

// Only the number of a family goes into a batch, and that survives a recovery in between.
class RocksDatabase::Batch::Impl {
 public:
  explicit Impl(const RocksDatabase::Impl& database) : database_(database) {}

  void count_removal(Family family) {
    if (family == Family::kQueue || family == Family::kBlob) removals_ += 1;
  }

  const RocksDatabase::Impl& database_;
  rocksdb::WriteBatch changes_;
  std::uint64_t removals_ = 0;  // from queues and blobs
};

RocksDatabase::Batch::Batch(const RocksDatabase& database) : impl_(std::make_unique<Impl>(*database.impl_)) {}
RocksDatabase::Batch::~Batch() = default;

// The statuses tell of limits on the size of a batch, and none is set.
void RocksDatabase::Batch::put(Family family, std::string_view key, std::string_view value) {
  const auto status = impl_->changes_.Put(impl_->database_.handle(family), to_slice(key), to_slice(value));
  MOORING_ASSERT(status.ok());
}
void RocksDatabase::Batch::erase(Family family, std::string_view key) {
  impl_->count_removal(family);
  const auto status = impl_->changes_.Delete(impl_->database_.handle(family), to_slice(key));
  MOORING_ASSERT(status.ok());
}
void RocksDatabase::Batch::erase_range(Family family, std::string_view from, std::string_view end) {
  impl_->count_removal(family);
  const auto status = impl_->changes_.DeleteRange(impl_->database_.handle(family), to_slice(from), to_slice(end));
  MOORING_ASSERT(status.ok());
}
std::size_t RocksDatabase::Batch::changes() const {
  return impl_->changes_.Count();
}

RocksDatabase::RocksDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksDatabase::~RocksDatabase() = default;

base::Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const std::filesystem::path& folder, LogMode mode,
                                                                 const base::Clock& clock) {
  auto impl = std::make_unique<Impl>(folder, mode, clock);
  if (auto opened = impl->open(); !opened) return tl::unexpected(std::move(opened.error()));
  return std::unique_ptr<RocksDatabase>(new RocksDatabase(std::move(impl)));
}

base::Result<std::optional<std::string>> RocksDatabase::get(Family family, std::string_view key) const {
  return impl_->get(family, key);
}
base::Result<> RocksDatabase::scan(Family family, const Range& range, const Each& each) const {
  return impl_->scan(family, range, each);
}
base::Result<> RocksDatabase::commit(Batch& batch, bool durable) {
  return impl_->commit(batch.impl_->changes_, batch.impl_->removals_, durable);
}
base::Result<> RocksDatabase::recover() {
  return impl_->recover();
}
std::uint64_t RocksDatabase::queue_bytes() const {
  return impl_->queue_bytes();
}
std::uint64_t RocksDatabase::removals() const {
  return impl_->removals();
}
void RocksDatabase::compact_queues() {
  impl_->compact_queues();
}
void RocksDatabase::end_compaction() {
  impl_->end_compaction();
}
std::uint64_t RocksDatabase::syncs() const {
  return impl_->syncs();
}

}  // namespace mooring::storage
