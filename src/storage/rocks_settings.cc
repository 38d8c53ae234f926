#include "storage/rocks_settings.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "storage/key_codec.h"
#include "storage/message_codec.h"

namespace mooring::storage {
namespace {

constexpr std::size_t kMebibyte = 1U << 20;
// A reader that has just found an item must find its blob too, though both expire at the same moment.
constexpr base::WallMs kExpiryGraceMs = 60'000;
constexpr std::uint64_t kRewriteAfterS = 12 * 3600;  // so that expired values go without new ones pushing them out

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

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(base::WallMs now_ms) : now_ms_(now_ms) {}
  const char* Name() const override { return "mooring.expiry"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
    return has_expired({value.data(), value.size()}, now_ms_ - kExpiryGraceMs);
  }

 private:
  const base::WallMs now_ms_;
};

class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ExpiryFilterFactory(const base::Clock& clock) : clock_(clock) {}
  const char* Name() const override { return "mooring.expiry"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<ExpiryFilter>(clock_.wall_ms());
  }

 private:
  const base::Clock& clock_;
};

bool holds_messages(Family family) {
  return family == Family::kQueue || family == Family::kRetained || family == Family::kBlob;
}

// Nearly everything in a queue is removed soon after it was written: files full of such pairs are merged early, and two
// write buffers are merged before a file is made of them, so that short-lived messages never become one.
void set_up_for_queues(rocksdb::ColumnFamilyOptions& options) {
  options.write_buffer_size = 6 * kMebibyte;
  options.min_write_buffer_number_to_merge = 2;
  options.max_write_buffer_number = 5;
  options.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(2048, 1024));
}

}  // namespace

rocksdb::DBOptions database_options(LogMode mode) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.max_file_opening_threads = 1;
  options.db_write_buffer_size = 20 * kMebibyte;
  options.max_total_wal_size = 32 * kMebibyte;
  options.max_manifest_file_size = 4 * kMebibyte;
  options.info_log = std::make_shared<QuietLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.avoid_flush_during_recovery = true;    // quicker, and possible while the disk is full
  options.bytes_per_sync = kMebibyte;            // new files in small steps: a commit's fsync does not wait for them
  options.atomic_flush = mode == LogMode::kOff;  // without a log, families must reach the disk together
  return options;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const std::shared_ptr<rocksdb::Cache>& cache,
                                            const base::Clock& clock) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 4 * kMebibyte;
  options.max_write_buffer_number = 3;
  options.target_file_size_base = 16 * kMebibyte;
  options.max_bytes_for_level_base = 64 * kMebibyte;
  // Writers are slowed down late: what waits for a commit is bounded elsewhere.
  options.level0_slowdown_writes_trigger = 40;
  options.level0_stop_writes_trigger = 80;
  if (family == Family::kQueue || family == Family::kReceived) {
    options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kSessionPrefixBytes));
    options.memtable_prefix_bloom_size_ratio = 0.05;
  }
  if (family == Family::kQueue || family == Family::kBlob) set_up_for_queues(options);
  if (holds_messages(family)) {
    options.compaction_filter_factory = std::make_shared<ExpiryFilterFactory>(clock);
    options.periodic_compaction_seconds = kRewriteAfterS;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::shared_ptr<rocksdb::Cache> block_cache() {
  return rocksdb::NewLRUCache(8 * kMebibyte);
}

const char* family_name(Family family) {
  static const std::array<const char*, kFamilies> kNames{
      rocksdb::kDefaultColumnFamilyName.c_str(), "session", "queue", "received", "retained", "blob"};
  return kNames[static_cast<std::size_t>(family)];
}

}  // namespace mooring::storage
