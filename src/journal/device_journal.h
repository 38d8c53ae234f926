// DeviceJournal: the device log on disk. One thread writes, in batches of what comes within 200 ms; readers come on any
// thread, and have written at once what came before them.
//
// Bounds: the queue (kQueueMax events and kQueueBytesMax of what they hold; the last quarter is kept for coming and
// going, so that a storm of refusals does not push it out), entries of a device, their age, the file's size, strangers,
// merges under way. What does not fit into the queue is counted and told in the server's log.
//
// Repeats are merged: what happens to a device again in the same way, without anything else in between, is one entry
// with a count. It is written at once the first time, then after 10 s, 20 s, and so on up to every 160 s; asking for a
// device's log writes what is pending for it. A merge ends with the device's coming or going, after an hour, or when
// nothing more came for ten minutes. A device has at most kGroupsOfDevice merges, fewer while very many devices have
// some, and kNewGroupsPerMinute new ones a minute; what is beyond joins one entry without subject.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/device_log.h"
#include "journal/entry.h"
#include "journal/examiner.h"

namespace mooring::journal {

struct JournalLimits {
  std::uint64_t max_age_s = 30ULL * 86'400;  // 0 = no limit, as in every field
  std::uint32_t entries_per_device = 500;
  std::uint64_t max_bytes = 1ULL << 30;
  std::uint32_t strangers = 10'000;
};

struct JournalCounters {
  std::uint64_t recorded = 0;
  std::uint64_t dropped = 0;  // the queue was full
  std::uint64_t lost = 0;     // the disk refused
  std::uint64_t examined = 0;
};

class DeviceJournal final : public DeviceLog, public JournalReader {
 public:
  static constexpr std::size_t kQueueMax = 65'536;
  static constexpr std::size_t kQueueBytesMax = 32 << 20;

  // Opens or makes the file. A damaged one is put aside as FILE.damaged, now or when it shows, and a new one begins:
  // the log must not keep a server from starting. One of a newer program is an error. `examiner` may be null; it must
  // outlive the journal, as `clock` must.
  static base::Result<std::unique_ptr<DeviceJournal>> open(const std::filesystem::path& file, JournalLimits limits,
                                                           Examiner* examiner, const base::Clock& clock);
  ~DeviceJournal() override;  // stop()

  void start();
  // Writes what is queued and ends the thread. Events that come later are dropped.
  void stop();
  void set_limits(JournalLimits limits);  // any thread

  void record(Event event) override;
  // Both wait until what was recorded before is written, at most two seconds.
  base::Result<LogPage> read_log(const base::DeviceKey& device, const LogQuery& query) override;
  base::Result<std::vector<Entry>> read_strangers(const StrangerQuery& query) override;
  JournalCounters counters() const;

 private:
  class Writer;
  DeviceJournal(std::unique_ptr<Writer> writer, std::filesystem::path file, Examiner* examiner,
                const base::Clock& clock);
  void run();
  bool is_batch_full() const;
  void begin_anew(bool damaged);
  void look_at(const base::Error& error);
  void wait_written(const base::DeviceKey* device);

  const std::filesystem::path file_;
  const base::Clock& clock_;
  Examiner* const examiner_;
  std::unique_ptr<Writer> writer_;  // belongs to the thread once it runs

  mutable std::mutex mutex_;
  std::condition_variable wanted_;   // something for the thread to do
  std::condition_variable written_;  // a batch is done
  std::vector<Event> queue_;
  std::size_t queue_bytes_ = 0;
  std::vector<base::DeviceKey> asked_;  // devices whose pending counts a reader wants written
  bool all_asked_ = false;              // likewise the strangers
  std::uint64_t batches_begun_ = 0;
  std::uint64_t batches_done_ = 0;
  JournalLimits limits_;
  JournalCounters counters_;
  bool running_ = false;
  bool stopping_ = false;
  bool damaged_ = false;  // a reader found the file so

  std::mutex reader_mutex_;  // before mutex_
  struct Reader;
  std::unique_ptr<Reader> reader_;
  std::thread thread_;
};

// For a command that works on the data folder while no server runs: the file as it is. Null: there is none.
base::Result<std::unique_ptr<JournalReader>> open_journal_reader(const std::filesystem::path& file);

}  // namespace mooring::journal
