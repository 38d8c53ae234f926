// RocksSessionStore: sessions, their queues and retained messages in a RocksDB folder, with group commit.
//
// Any thread may call it. Threads of its own: the committer takes what waits (CommitQueue), writes it as one batch
// (GroupWriter) and posts one task with all replies per executor; the reader answers reads, so that a cold read does
// not hold up commits; a third looks at the room on the disk once a second (DiskWatch).
//
// Beyond the contract of session::SessionStore:
//  * A number whose queue was dropped, or whose session was erased, is finished: nothing is read from it any more, and
//    what is appended to it later is answered as written, and is not there.
//  * Of a released message only the fact is kept: its content is read back empty. A release of a message that is not
//    stored makes it stored.
//  * In a group with a removal of one of its appended items neither is written.
//  * Messages that go to many sessions are stored once (BlobBook).
//
// Durability: see Durability. A record written under an epoch older than the stored one is dropped with
// Errc::kUnavailable. Bounds: see the options; what comes beyond is refused with Errc::kUnavailable, and with Errc::kIo
// when the disk is almost full, in which case records, releases and removals still go through.
// Failures (disk full, I/O error) come back as results, Errc::kIo; the change between failing and working is logged
// once each; the store recovers by itself when the cause is gone. Lifetime: the destructor commits what is queued,
// answers it and joins its threads; the executors and listeners given to calls must outlive the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "metrics/histogram.h"
#include "session/ports.h"

namespace mooring::storage {

// What has happened to a write when its reply comes.
enum class Durability : std::uint8_t {
  kDisk,     // on disk (fsync per group): survives power loss
  kProcess,  // in the write-ahead log of the operating system: survives kill -9, not power loss
  kMemory,   // in memory: survives an orderly stop only
};

struct RocksSessionStoreOptions {
  std::filesystem::path folder;  // made with mode 0700 when missing, parents too
  Durability durability = Durability::kDisk;
  std::size_t max_queued_items = 65'536;             // calls not yet answered; removals are not refused
  std::size_t max_queued_bytes = 64U << 20;          // of the queued writes
  std::uint32_t commit_window_us = 2000;             // how long appends wait for others to share an fsync; kDisk only
  std::uint64_t max_total_bytes = 0;                 // of the stored queues, about; 0: no limit
  std::uint64_t min_free_bytes = 64U << 20;          // of the file system; 0: not looked at
  const base::Clock* clock = &base::system_clock();  // for expiry; outlives the store
};

class RocksSessionStore final : public session::SessionStore {
 public:
  struct Stats {
    std::uint64_t groups = 0;           // batches committed
    std::uint64_t syncs = 0;            // fsyncs of them
    std::uint64_t operations = 0;       // calls carried out, withdrawn appends and reads not counted
    std::uint64_t appended = 0;         // items written
    std::uint64_t withdrawn = 0;        // items that needed no writing
    std::uint64_t reads = 0;            // read() and measure() answered
    std::uint64_t refused = 0;          // the queue was full
    std::uint64_t stale = 0;            // dropped for their epoch
    std::uint64_t failed = 0;           // the database refused, or there was no room
    metrics::FineHistogram commit_us;   // time of each of them that succeeded
    std::uint64_t blobs = 0;            // shared messages stored now
    std::size_t queued = 0;             // calls now waiting
    std::uint64_t queue_bytes = 0;      // about what stored messages occupy, a second ago at most
    std::uint64_t disk_free_bytes = 0;  // likewise, of the file system
    bool healthy = true;                // the last write went well
  };

  // Opens or creates. Errors: kUnavailable when another process uses the folder, kCorrupt when it was written in a
  // newer format or is damaged, kIo otherwise. Blocks (some tens of milliseconds).
  static base::Result<std::unique_ptr<RocksSessionStore>> open(const RocksSessionStoreOptions& options);
  ~RocksSessionStore() override;

  base::Result<> for_each_session(const std::function<void(session::SessionRecord&&, session::Epoch)>& each) override;
  base::Result<> for_each_received(
      const std::function<void(session::SessionNumber, std::uint16_t packet_id)>& each) override;
  base::Result<> for_each_retained(const std::function<void(const mqtt::MessageRef&)>& each) override;

  void save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to, Done done) override;
  void erase(session::SessionKey key, session::SessionNumber number, session::Epoch epoch, base::Executor& reply_to,
             Done done) override;
  void append(session::QueueItemRef item, base::Executor& reply_to, session::AppendListener& listener) override;
  void write(std::vector<session::StoreOperation> operations, base::Executor& reply_to, Done done) override;
  void remove(session::SessionNumber session, std::uint64_t sequence) override;
  void drop_queue(session::SessionNumber session) override;
  void read(session::SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages,
            std::size_t max_bytes, base::Executor& reply_to, session::Callback<base::Result<Page>> done) override;
  void measure(session::SessionNumber session, base::Executor& reply_to,
               session::Callback<base::Result<session::QueueSize>> done) override;
  void save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to, Done done) override;

  // The newest epoch found in the folder when it was opened: epochs handed out from now on must be above it
  // (cluster::LocalDirectory takes it), even if the machine's clock went back.
  session::Epoch newest_epoch() const;
  // The same for the numbers of sessions.
  session::SessionNumber newest_number() const;
  Stats stats() const;

 private:
  class Impl;
  explicit RocksSessionStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::storage
