#include "journal/device_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/threads.h"
#include "journal/journal_file.h"
#include "journal/writer.h"

namespace mooring::journal {
namespace {

using base::Errc;
using base::Result;

// For company, before a batch is written. What a commit costs is its pages, and the more entries share them the less
// each costs; who reads does not wait for it.
constexpr auto kGather = std::chrono::milliseconds(200);
constexpr auto kTick = std::chrono::milliseconds(1000);  // for merged counts that are due
constexpr auto kReaderWait = std::chrono::seconds(2);
constexpr base::MonoMs kTrimEveryMs = 10'000;
constexpr base::MonoMs kComplainEveryMs = 10'000;

std::size_t bytes_of(const Event& event) {
  std::size_t bytes = sizeof event + event.device.product_key.size() + event.device.device_name.size() +
                      event.reason.size() + event.subject.size() + event.address.size() + event.facts.size();
  if (event.attempt != nullptr) bytes += event.attempt->memory_bytes();
  return bytes;
}

bool may_use_reserve(Action action) {
  return action == Action::kOnline || action == Action::kOffline || action == Action::kRegistered ||
         action == Action::kEnabled || action == Action::kDisabled || action == Action::kDeleted;
}

template <class Operation>
auto guarded(Operation&& operation) -> decltype(operation()) {
  try {
    return operation();
  } catch (const SQLite::Exception& exception) {
    const int code = exception.getErrorCode() & 0xff;
    const bool damaged = code == 11 || code == 26;  // SQLITE_CORRUPT, SQLITE_NOTADB
    return base::fail(damaged ? Errc::kCorrupt : Errc::kIo,
                      fmt::format("the device log cannot be read or written ({})", exception.what()));
  } catch (const std::exception& exception) {
    return base::fail(Errc::kInvalidArgument, fmt::format("the device log cannot be used: {}", exception.what()));
  }
}

// SQLite gives its companion files the mode of the main one.
void make_private(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

void put_aside(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::rename(file, file.string() + ".damaged", ignored);
  for (const char* const companion : {"-wal", "-shm"}) std::filesystem::remove(file.string() + companion, ignored);
}

class FileReader final : public JournalReader {
 public:
  explicit FileReader(const std::filesystem::path& file) : file_(file, JournalFile::Role::kReader) {}
  Result<LogPage> read_log(const base::DeviceKey& device, const LogQuery& query) override {
    return guarded([&]() -> Result<LogPage> { return file_.read_log(device, query); });
  }
  Result<std::vector<Entry>> read_strangers(const StrangerQuery& query) override {
    return guarded([&]() -> Result<std::vector<Entry>> { return file_.read_strangers(query); });
  }

 private:
  JournalFile file_;
};

}  // namespace

struct DeviceJournal::Reader {
  explicit Reader(const std::filesystem::path& path) : file(path) {}
  FileReader file;
};

Result<std::unique_ptr<DeviceJournal>> DeviceJournal::open(const std::filesystem::path& file, JournalLimits limits,
                                                           Examiner* examiner, const base::Clock& clock) {
  make_private(file);
  const auto attempt = [&] {
    return guarded([&]() -> Result<std::unique_ptr<Writer>> { return std::make_unique<Writer>(file, examiner); });
  };
  auto writer = attempt();
  if (!writer && writer.error().code == Errc::kCorrupt) {
    base::log_error("journal", "{}: {}; it is put aside as {}.damaged and a new one begins", file.string(),
                    writer.error().message, file.string());
    put_aside(file);
    make_private(file);
    writer = attempt();
  }
  if (!writer) {
    return base::fail(writer.error().code, fmt::format("{}: {}", file.string(), writer.error().message));
  }
  auto journal = std::unique_ptr<DeviceJournal>(new DeviceJournal(std::move(*writer), file, examiner, clock));
  journal->limits_ = limits;
  return journal;
}

DeviceJournal::DeviceJournal(std::unique_ptr<Writer> writer, std::filesystem::path file, Examiner* examiner,
                             const base::Clock& clock)
    : file_(std::move(file)), clock_(clock), examiner_(examiner), writer_(std::move(writer)) {}

DeviceJournal::~DeviceJournal() {
  stop();
}

void DeviceJournal::start() {
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this] {
    base::name_thread("device log");
    base::step_back();
    run();
  });
}

void DeviceJournal::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void DeviceJournal::set_limits(JournalLimits limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

void DeviceJournal::record(Event event) {
  if (event.at_ms == 0) event.at_ms = clock_.wall_ms();
  const std::size_t bytes = bytes_of(event);
  const std::size_t quarters = may_use_reserve(event.action) ? 4 : 3;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= kQueueMax / 4 * quarters ||
        queue_bytes_ + bytes > kQueueBytesMax / 4 * quarters) {
      ++counters_.dropped;
      return;
    }
    const bool was_enough = is_batch_full();
    wake = queue_.empty();
    queue_bytes_ += bytes;
    queue_.push_back(std::move(event));
    wake = wake || (!was_enough && is_batch_full());
    ++counters_.recorded;
  }
  if (wake) wanted_.notify_one();
}

// Under mutex_: enough has come to write it without waiting for more.
bool DeviceJournal::is_batch_full() const {
  return queue_.size() >= kQueueMax / 8 || queue_bytes_ >= kQueueBytesMax / 8;
}

JournalCounters DeviceJournal::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void DeviceJournal::run() {
  base::MonoMs trim_at = clock_.mono_ms() + 1000;
  base::MonoMs complain_at = 0;
  std::uint64_t told_dropped = 0;
  std::vector<Event> batch;
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    wanted_.wait_for(lock, kTick, [this] { return stopping_ || !queue_.empty() || !asked_.empty() || all_asked_; });
    wanted_.wait_for(lock, kGather, [this] { return stopping_ || !asked_.empty() || all_asked_ || is_batch_full(); });
    last = stopping_;
    batch.swap(queue_);
    queue_bytes_ = 0;
    Writer::Asked asked{std::exchange(asked_, {}), std::exchange(all_asked_, false) || last, last};
    const bool nobody_asked = asked.devices.empty() && !asked.strangers;
    const JournalLimits limits = limits_;
    const std::uint64_t dropped = counters_.dropped;
    const bool damaged = std::exchange(damaged_, false);
    ++batches_begun_;
    lock.unlock();

    const base::MonoMs now = clock_.mono_ms();
    const auto done = guarded([&]() -> Result<> {
      if (damaged || writer_ == nullptr) begin_anew(damaged);
      writer_->write(batch, asked, limits, clock_.wall_ms());
      if (now >= trim_at) trim_at = writer_->trim(limits, clock_.wall_ms()) ? now : now + kTrimEveryMs;
      if (batch.empty() && nobody_asked && now < trim_at) writer_->rest();
      return {};
    });
    if ((!done || dropped != told_dropped) && now >= complain_at) {
      complain_at = now + kComplainEveryMs;
      if (!done) base::log_error("journal", "{}; {} events are lost", done.error().message, batch.size());
      if (dropped != told_dropped) {
        base::log_warn("journal", "{} events came faster than they could be written and are missing in the device log",
                       dropped - told_dropped);
        told_dropped = dropped;
      }
    }
    const std::size_t lost = done ? 0 : batch.size();
    batch.clear();  // before the lock: thousands of events take milliseconds to free
    lock.lock();
    counters_.lost += lost;
    if (!done && done.error().code == Errc::kCorrupt) damaged_ = true;
    if (writer_ != nullptr) counters_.examined = writer_->examined();
    batches_done_ = batches_begun_;
    written_.notify_all();
  }
  running_ = false;
  written_.notify_all();
}

// On the journal's thread. Throws when there can be no new file either; then the next batch tries again, and what was
// put aside stays there.
void DeviceJournal::begin_anew(bool damaged) {
  writer_.reset();
  const std::lock_guard lock(reader_mutex_);
  reader_.reset();
  if (damaged) {
    base::log_error("journal", "{} is damaged; it is put aside as {}.damaged and a new one begins", file_.string(),
                    file_.string());
    put_aside(file_);
    // Whatever readers have said until here, they said of the file that has gone.
    const std::lock_guard state(mutex_);
    damaged_ = false;
  }
  make_private(file_);
  writer_ = std::make_unique<Writer>(file_, examiner_);
}

// Under reader_mutex_: the file that the error is about is still in its place.
void DeviceJournal::look_at(const base::Error& error) {
  if (error.code != Errc::kCorrupt) return;
  const std::lock_guard lock(mutex_);
  damaged_ = true;
}

void DeviceJournal::wait_written(const base::DeviceKey* device) {
  std::unique_lock lock(mutex_);
  if (!running_) return;
  if (device != nullptr) {
    asked_.push_back(*device);
  } else {
    all_asked_ = true;
  }
  const std::uint64_t batch = batches_begun_ + 1;  // the next one has what is in the queue now
  wanted_.notify_one();
  written_.wait_for(lock, kReaderWait, [&] { return !running_ || batches_done_ >= batch; });
}

Result<LogPage> DeviceJournal::read_log(const base::DeviceKey& device, const LogQuery& query) {
  wait_written(&device);
  const std::lock_guard lock(reader_mutex_);
  auto page = guarded([&]() -> Result<LogPage> {
    if (reader_ == nullptr) reader_ = std::make_unique<Reader>(file_);
    return reader_->file.read_log(device, query);
  });
  if (!page) look_at(page.error());
  return page;
}

Result<std::vector<Entry>> DeviceJournal::read_strangers(const StrangerQuery& query) {
  wait_written(nullptr);
  const std::lock_guard lock(reader_mutex_);
  auto rows = guarded([&]() -> Result<std::vector<Entry>> {
    if (reader_ == nullptr) reader_ = std::make_unique<Reader>(file_);
    return reader_->file.read_strangers(query);
  });
  if (!rows) look_at(rows.error());
  return rows;
}

Result<std::unique_ptr<JournalReader>> open_journal_reader(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::unique_ptr<JournalReader>();
  return guarded([&]() -> Result<std::unique_ptr<JournalReader>> { return std::make_unique<FileReader>(file); });
}

}  // namespace mooring::journal
