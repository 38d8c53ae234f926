// MemorySessionStore: a SessionStore that forgets everything when it ends: for tests and simulations. Same contract as
// RocksSessionStore, checked by the same test suite. Thread-safe. Replies are posted, never given inline; the executors
// must outlive the calls made with them.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "session/ports.h"

namespace mooring::storage {

class MemorySessionStore final : public session::SessionStore {
 public:
  void load(session::SessionKey key, base::Executor& reply_to,
            session::Callback<base::Result<std::optional<session::SessionRecord>>> done) override;
  void save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
            session::Callback<base::Result<>> done) override;
  void erase(session::SessionKey key, session::Epoch epoch, base::Executor& reply_to,
             session::Callback<base::Result<>> done) override;

  // While set, writes fail with Errc::kUnavailable and change nothing: a store whose disk is full.
  void fail_writes(bool failing);
  std::size_t size() const;  // records held

 private:
  struct Entry {
    session::Epoch epoch = 0;
    bool present = false;  // an erased one is remembered, so that a stale save does not bring the record back
    session::SessionRecord record;
  };
  base::Result<> may_write(const session::SessionKey& key, session::Epoch epoch) const;

  mutable std::mutex mutex_;
  bool failing_ = false;
  std::size_t live_ = 0;
  std::unordered_map<session::SessionKey, Entry> entries_;
};

}  // namespace mooring::storage
