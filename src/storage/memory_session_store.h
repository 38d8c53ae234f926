// MemorySessionStore: a SessionStore without a disk, for tests and simulations. Same contract as RocksSessionStore,
// checked by the same test suite; it can also play a disk that fails and a machine that loses power.
//
// Thread-safe, no thread of its own. What is given waits until it is committed, all of it as one group: by a task that
// the store posts to the executor of a waiting operation, or, with manual_commits, when commit() is called - a
// simulation that wants a slow disk calls it later. Operations without an executor (remove, drop_queue) go with the
// next group. Replies are posted after the commit; the executors must outlive the calls made with them.
#pragma once

#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "session/ports.h"

namespace mooring::storage {

struct MemorySessionStoreOptions {
  const base::Clock* clock = &base::system_clock();  // for expiry; outlives the store
  bool manual_commits = false;
};

class MemorySessionStore final : public session::SessionStore {
 public:
  explicit MemorySessionStore(const MemorySessionStoreOptions& options = {});
  ~MemorySessionStore() override;  // commits and posts the replies

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

  // Takes all that waits; true when there was something. Nothing is called back inline.
  bool commit();
  // The machine loses power: what waits is forgotten, and every group none of whose replies has been given. Replies
  // still under way are never given. The store can be used again at once, as if it were opened after the restart.
  void crash();
  // While set, writes fail with Errc::kIo and change nothing: a disk that is full. Reads go on.
  void fail_writes(bool failing);

  // The newest epoch ever saved, and the highest number of a session; as RocksSessionStore's.
  session::Epoch newest_epoch() const;
  session::SessionNumber newest_number() const;

  std::size_t size() const;             // records held, as of the last commit
  std::size_t queued_messages() const;  // of all sessions, as of the last commit
  std::size_t waiting() const;          // operations not yet committed

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with the tasks it has posted
};

}  // namespace mooring::storage
