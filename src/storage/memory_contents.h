// MemoryContents: what a MemorySessionStore holds, as plain data that can be copied. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "session/ports.h"

namespace mooring::storage {

class MemoryContents {
 public:
  struct Record {
    session::Epoch epoch = 0;
    bool present = false;  // an erased one is remembered, so that a stale save does not bring the record back
    session::SessionRecord record;
  };
  struct Queue {
    std::map<std::uint64_t, session::StoredMessage> messages;
    std::set<std::uint16_t> received;
  };

  base::Result<> check_epoch(const session::SessionKey& key, session::Epoch epoch) const;  // kUnavailable: stale

  void save(const session::SessionRecord& record, session::Epoch epoch);
  void erase(const session::SessionKey& key, session::SessionNumber number, session::Epoch epoch);
  void apply(const session::StoreOperation& operation);
  void drop(session::SessionNumber number);
  void save_retained(const mqtt::MessageRef& message, bool removed);
  void remove_expired(session::SessionNumber number, base::WallMs now_ms);

  session::SessionStore::Page read(session::SessionNumber number, std::uint64_t from_sequence, std::size_t max_messages,
                                   std::size_t max_bytes) const;
  session::QueueSize measure(session::SessionNumber number) const;

  const std::map<session::SessionKey, Record>& records() const { return records_; }
  const std::map<session::SessionNumber, Queue>& queues() const { return queues_; }
  const std::map<std::string, mqtt::MessageRef, std::less<>>& retained() const { return retained_; }
  session::Epoch newest_epoch() const { return newest_epoch_; }
  session::SessionNumber newest_number() const { return newest_number_; }

 private:
  Queue* queue_to_write(session::SessionNumber number);  // null: it has been dropped
  void forget_if_empty(session::SessionNumber number);

  std::map<session::SessionKey, Record> records_;
  std::map<session::SessionNumber, Queue> queues_;
  std::map<std::string, mqtt::MessageRef, std::less<>> retained_;
  std::set<session::SessionNumber> dropped_;
  session::Epoch newest_epoch_ = 0;
  session::SessionNumber newest_number_ = 0;
};

}  // namespace mooring::storage
