#include "registry/sqlite_registry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

// SQLite gives its companion files the mode of the main one, so making that first decides for all three.
base::Result<> make_private_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return base::fail(base::Errc::kIo, fmt::format("cannot open {}: {}", file.string(), std::strerror(errno)));
  }
  ::close(fd);
  return {};
}

base::Error in_file(const std::filesystem::path& file, base::Error error) {
  error.message = fmt::format("{}: {}", file.string(), error.message);
  return error;
}

}  // namespace

void ReaderPool::add(std::unique_ptr<SqliteConnection> connection) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(connection));
  }
  returned_.notify_one();
}

std::unique_ptr<SqliteConnection> ReaderPool::take() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  auto connection = std::move(free_.back());
  free_.pop_back();
  return connection;
}

void ReaderPool::release_caches() {
  const std::lock_guard lock(mutex_);
  for (const auto& connection : free_) connection->release_cache();
}

std::shared_ptr<const Product> ProductCache::find(const std::string& product_key, std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(product_key);
  return entry != entries_.end() && entry->second.revision == revision ? entry->second.product : nullptr;
}

void ProductCache::put(std::int64_t revision, std::shared_ptr<const Product> product) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kEntriesMax) entries_.clear();
  std::string product_key = product->product_key;
  entries_.insert_or_assign(std::move(product_key), Entry{revision, std::move(product)});
}

base::Result<> SqliteRegistry::open(const SqliteOptions& options) {
  if (auto ok = make_private_file(options.file); !ok) return ok;
  return guarded([&]() -> base::Result<> {
           const std::string file = options.file.string();
           writer_ = std::make_unique<SqliteConnection>(file, SqliteConnection::Role::kWriter, options.busy_timeout_ms);
           if (auto ok = migrate_schema(*writer_, clock_.wall_ms()); !ok) return ok;
           for (std::size_t i = 0; i < std::max<std::size_t>(options.readers, 1); ++i) {
             readers_.add(
                 std::make_unique<SqliteConnection>(file, SqliteConnection::Role::kReader, options.busy_timeout_ms));
           }
           return {};
         })
      .map_error([&](base::Error error) { return in_file(options.file, std::move(error)); });
}

void SqliteRegistry::rest() {
  readers_.release_caches();
  const std::lock_guard lock(write_mutex_);
  writer_->release_cache();
}

std::int64_t SqliteRegistry::new_revision() {
  std::int64_t revision = 0;
  random_.fill({reinterpret_cast<std::uint8_t*>(&revision), sizeof revision});
  return revision;
}

// Random instead of counted: a number stays unused even after an older backup of the file was restored.
std::uint32_t SqliteRegistry::new_life() {
  std::uint32_t life = 0;
  while (life == 0) random_.fill({reinterpret_cast<std::uint8_t*>(&life), sizeof life});
  return life;
}

base::Result<> check_page(const PageRequest& page) {
  if (page.limit >= 1 && page.limit <= kPageRowsMax) return {};
  return base::fail(base::Errc::kInvalidArgument, fmt::format("a page has 1 to {} rows", kPageRowsMax));
}

base::Result<std::unique_ptr<Registry>> open_sqlite_registry(const SqliteOptions& options, base::Random& random,
                                                             const base::Clock& clock) {
  auto registry = std::make_unique<SqliteRegistry>(random, clock);
  if (auto ok = registry->open(options); !ok) return tl::unexpected(ok.error());
  return registry;
}

}  // namespace mooring::registry
