#include "storage/memory_session_store.h"

#include <utility>

namespace mooring::storage {
namespace {

void reply(base::Executor& to, session::Callback<base::Result<>> done, base::Result<> result) {
  to.post([call = std::move(done), value = std::move(result)]() mutable { call(std::move(value)); });
}

}  // namespace

void MemorySessionStore::load(session::SessionKey key, base::Executor& reply_to,
                              session::Callback<base::Result<std::optional<session::SessionRecord>>> done) {
  std::optional<session::SessionRecord> found;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    if (at != entries_.end() && at->second.present) found = at->second.record;
  }
  reply_to.post([call = std::move(done), record = std::move(found)]() mutable { call(std::move(record)); });
}

void MemorySessionStore::save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
                              session::Callback<base::Result<>> done) {
  const std::lock_guard lock(mutex_);
  auto allowed = may_write(record.key, epoch);
  if (allowed) {
    Entry& entry = entries_[record.key];
    live_ += entry.present ? 0 : 1;
    entry = {epoch, true, std::move(record)};
  }
  reply(reply_to, std::move(done), std::move(allowed));
}

void MemorySessionStore::erase(session::SessionKey key, session::Epoch epoch, base::Executor& reply_to,
                               session::Callback<base::Result<>> done) {
  const std::lock_guard lock(mutex_);
  auto allowed = may_write(key, epoch);
  if (allowed) {
    Entry& entry = entries_[key];
    live_ -= entry.present ? 1 : 0;
    entry = {epoch, false, {}};
  }
  reply(reply_to, std::move(done), std::move(allowed));
}

void MemorySessionStore::fail_writes(bool failing) {
  const std::lock_guard lock(mutex_);
  failing_ = failing;
}

std::size_t MemorySessionStore::size() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

base::Result<> MemorySessionStore::may_write(const session::SessionKey& key, session::Epoch epoch) const {
  if (failing_) return base::fail(base::Errc::kUnavailable, "session store: writes are switched off");
  const auto at = entries_.find(key);
  if (at != entries_.end() && at->second.epoch > epoch) {
    return base::fail(base::Errc::kUnavailable, "session store: the session has a newer owner");
  }
  return {};
}

}  // namespace mooring::storage
