#include "storage/group_writer.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/log.h"
#include "storage/record_codec.h"

namespace mooring::storage {
namespace {

constexpr std::string_view kEpochKey = "epoch";

tl::unexpected<base::Error> stale() {
  return base::fail(base::Errc::kUnavailable, "session store: the session has a newer owner");
}

}  // namespace

void ErasedEpochs::add(const session::SessionKey& key, session::Epoch epoch) {
  const auto [at, is_new] = epochs_.try_emplace(key, epoch);
  at->second = std::max(at->second, epoch);
  if (!is_new) return;
  order_.push_back(key);
  if (order_.size() <= kMaxEntries) return;
  epochs_.erase(order_.front());
  order_.pop_front();
}

session::Epoch ErasedEpochs::of(const session::SessionKey& key) const {
  const auto at = epochs_.find(key);
  return at == epochs_.end() ? 0 : at->second;
}

GroupWriter::GroupWriter(RocksDatabase& database, session::Epoch newest_epoch)
    : database_(database), written_epoch_(newest_epoch) {}

base::Result<session::Epoch> GroupWriter::newest_epoch_in(const RocksDatabase& database) {
  const auto value = database.get(Family::kMeta, kEpochKey);
  if (!value) return tl::unexpected(value.error());
  return value->has_value() ? decode_number(**value) : session::Epoch{0};
}

std::vector<base::Result<>> GroupWriter::write(std::span<RecordWrite> group) try {
  base::Result<> outcome = recover_if_failing();
  if (!outcome) return std::vector<base::Result<>>(group.size(), outcome);
  std::vector<base::Result<>> verdicts = check(group);
  outcome = commit(group, verdicts);
  note(outcome);
  if (!outcome) {
    for (base::Result<>& verdict : verdicts) {
      if (verdict) verdict = outcome;
    }
  }
  return verdicts;
} catch (const std::exception& exception) {
  const base::Result<> outcome = base::fail(base::Errc::kInternal, std::string("session store: ") + exception.what());
  note(outcome);
  return std::vector<base::Result<>>(group.size(), outcome);
}

std::vector<base::Result<>> GroupWriter::check(std::span<const RecordWrite> group) const {
  std::vector<base::Result<>> verdicts;
  verdicts.reserve(group.size());
  std::unordered_map<std::string_view, session::Epoch> newest;  // of this group's sessions
  for (const RecordWrite& write : group) {
    const auto [at, is_first] = newest.try_emplace(write.key, 0);
    if (is_first) {
      const auto stored = stored_epoch(write.key);
      if (!stored) {
        newest.erase(at);
        verdicts.emplace_back(tl::unexpected(stored.error()));
        continue;
      }
      at->second = *stored;
    }
    if (at->second > write.epoch) {
      verdicts.emplace_back(stale());
      continue;
    }
    at->second = write.epoch;
    verdicts.emplace_back();
  }
  return verdicts;
}

base::Result<session::Epoch> GroupWriter::stored_epoch(const session::SessionKey& key) const {
  const auto value = database_.get(Family::kSession, encode_record_key(key));
  if (!value) return tl::unexpected(value.error());
  // A damaged record does not keep the session from being written anew.
  const session::Epoch stored = value->has_value() ? decode_record_epoch(**value).value_or(0) : 0;
  return std::max(stored, erased_.of(key));
}

base::Result<> GroupWriter::commit(std::span<RecordWrite> group, const std::vector<base::Result<>>& verdicts) {
  std::vector<Change> changes;
  changes.reserve(group.size() + 1);
  std::vector<const RecordWrite*> erased;
  session::Epoch newest = written_epoch_;
  for (std::size_t i = 0; i < group.size(); ++i) {
    RecordWrite& write = group[i];
    if (!verdicts[i]) continue;
    if (!write.value) erased.push_back(&write);
    newest = std::max(newest, write.epoch);
    changes.push_back({Family::kSession, encode_record_key(write.key), std::move(write.value)});
  }
  if (changes.empty()) return {};
  if (newest > written_epoch_) changes.push_back({Family::kMeta, std::string(kEpochKey), encode_number(newest)});
  if (auto committed = database_.commit(changes); !committed) return committed;
  written_epoch_ = newest;
  for (const RecordWrite* write : erased) erased_.add(write->key, write->epoch);
  return {};
}

base::Result<> GroupWriter::recover_if_failing() {
  if (healthy_) return {};
  const base::MonoMs now_ms = base::system_clock().mono_ms();
  if (now_ms < next_recovery_ms_) return tl::unexpected(failure_);
  next_recovery_ms_ = now_ms + kRecoveryPauseMs;
  return database_.recover();
}

void GroupWriter::note(const base::Result<>& outcome) {
  if (outcome && !healthy_) base::log_info("storage", "session store: writes succeed again");
  if (!outcome && healthy_) base::log_error("storage", "writes fail: {}", outcome.error().message);
  if (!outcome) failure_ = outcome.error();
  healthy_ = outcome.has_value();
}

}  // namespace mooring::storage
