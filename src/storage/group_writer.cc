#include "storage/group_writer.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "base/log.h"
#include "storage/message_codec.h"
#include "storage/record_codec.h"

namespace mooring::storage {
namespace {

using session::SessionNumber;
using session::StoreOperation;

constexpr std::string_view kEpochKey = "epoch";
constexpr std::string_view kNumberKey = "number";

base::Result<std::uint64_t> stored_number(const RocksDatabase& database, std::string_view key) {
  const auto value = database.get(Family::kMeta, key);
  if (!value) return tl::unexpected(value.error());
  return value->has_value() ? decode_number(**value) : std::uint64_t{0};
}

template <class T>
bool is_kind(const Operation& operation) {
  return std::holds_alternative<T>(operation);
}

bool appends(const WriteOperation& write) {
  return std::any_of(write.parts.begin(), write.parts.end(),
                     [](const StoreOperation& part) { return part.kind == StoreOperation::Kind::kAppend; });
}

}  // namespace

base::Result<GroupWriter::Start> GroupWriter::find_start(const RocksDatabase& database, const base::Clock& clock) {
  Start start;
  const auto epoch = stored_number(database, kEpochKey);
  if (!epoch) return tl::unexpected(epoch.error());
  start.newest_epoch = *epoch;
  const auto number = stored_number(database, kNumberKey);
  if (!number) return tl::unexpected(number.error());
  start.newest_number = *number;
  const auto blobs = BlobBook::find(database);
  if (!blobs) return tl::unexpected(blobs.error());
  start.blobs = *blobs;
  // Above all that were ever used, without keeping account of them: less than 65,536 are made in a millisecond.
  start.first_blob = std::max(blobs->newest + 1, static_cast<BlobId>(clock.wall_ms()) << 16);
  return start;
}

GroupWriter::GroupWriter(RocksDatabase& database, DroppedNumbers& dropped, const DiskWatch& disk, const Start& start)
    : database_(database),
      dropped_(dropped),
      disk_(disk),
      blobs_(database, start.first_blob, start.blobs.live),
      dropper_(database, blobs_, dropped),
      written_epoch_(start.newest_epoch),
      written_number_(start.newest_number) {}

void GroupWriter::write(std::span<Operation> group, Replies& replies) {
  std::vector<Verdict> verdicts(group.size());
  base::Result<> outcome;
  try {
    outcome = try_write(group, verdicts);
  } catch (const std::exception& exception) {
    outcome = base::fail(base::Errc::kInternal, std::string("session store: ") + exception.what());
  }
  blobs_.end_group(outcome.has_value());
  note(outcome);
  if (!outcome) {
    fail_all(group, verdicts, outcome.error());
    keep_lazy_ones(group);
  }
  for (std::size_t i = 0; i < group.size(); ++i) answer(group[i], verdicts[i], replies);
}

void GroupWriter::background_step() try {
  if (const auto stepped = dropper_.step(); !stepped) note(stepped);
} catch (const std::exception& exception) {
  note(base::fail(base::Errc::kInternal, std::string("session store: ") + exception.what()));
}

base::Result<> GroupWriter::try_write(std::span<Operation> group, std::vector<Verdict>& verdicts) {
  if (auto ready = recover_if_failing(); !ready) return ready;
  Work work(database_);
  blobs_.begin_group();
  look_ahead(group, work);
  Verdict ignored;
  for (Operation& operation : leftovers_) build(operation, ignored, work);
  for (std::size_t i = 0; i < group.size(); ++i) build(group[i], verdicts[i], work);
  if (auto finished = blobs_.finish_group(work.batch); !finished) return finished;
  if (work.batch.changes() > 0) {
    if (auto committed = commit(work); !committed) return committed;
  }
  after_commit(work);
  return {};
}

// Which messages go to many sessions, and which items are removed before they were ever written.
void GroupWriter::look_ahead(std::span<const Operation> group, Work& work) {
  for (const Operation& operation : group) {
    if (const auto* append = std::get_if<AppendOperation>(&operation)) {
      blobs_.expect(append->item->message);
    } else if (const auto* remove = std::get_if<RemoveOperation>(&operation)) {
      work.removed.emplace(remove->number, remove->sequence);
    } else if (const auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
      for (const StoreOperation& part : (*write)->parts) {
        if (part.kind == StoreOperation::Kind::kAppend) blobs_.expect(part.item->message);
      }
    }
  }
}

void GroupWriter::build(Operation& operation, Verdict& verdict, Work& work) {
  if (auto* append = std::get_if<AppendOperation>(&operation)) {
    build_append(*append, verdict, work);
  } else if (const auto* remove = std::get_if<RemoveOperation>(&operation)) {
    build_remove(*remove, work);
  } else if (const auto* drop = std::get_if<DropOperation>(&operation)) {
    build_drop(drop->number, work);
    if (drop->number != 0) dropped_.add(drop->number);
  } else if (auto* record = std::get_if<std::unique_ptr<RecordOperation>>(&operation)) {
    build_record(**record, verdict, work);
  } else if (auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
    build_write(**write, verdict, work);
  } else if (const auto* retained = std::get_if<std::unique_ptr<RetainedOperation>>(&operation)) {
    build_retained(**retained, verdict, work);
  }
}

void GroupWriter::build_append(AppendOperation& append, Verdict& verdict, Work& work) {
  if (!append.item->take()) {
    verdict.left_out = true;
    work.withdrawn += 1;
    return;
  }
  verdict.taken = true;
  verdict.error = disk_.refusal();
  if (verdict.error || dropped_.contains(append.item->session)) return;
  if (work.removed.contains({append.item->session, append.item->sequence})) {
    work.withdrawn += 1;
    return;
  }
  put_item(*append.item, work);
}

void GroupWriter::put_item(const session::QueueItem& item, Work& work) {
  const auto blob = blobs_.add_item(item);
  work.batch.put(Family::kQueue, queue_key(item.session, item.sequence),
                 blob ? encode_item(item, *blob) : encode_item(item));
  work.newest_number = std::max(work.newest_number, item.session);
  work.appended += 1;
  work.durable = true;
}

void GroupWriter::build_remove(const RemoveOperation& remove, Work& work) {
  if (dropped_.contains(remove.number)) return;
  blobs_.drop_item(remove.number, remove.sequence);
  work.batch.erase(Family::kQueue, queue_key(remove.number, remove.sequence));
}

void GroupWriter::build_drop(SessionNumber number, Work& work) {
  if (number == 0) return;  // a record of the older format: it never had a queue
  work.batch.put(Family::kMeta, drop_key(number), {});
  work.newest_number = std::max(work.newest_number, number);
  work.drops.push_back(number);
}

void GroupWriter::build_record(RecordOperation& record, Verdict& verdict, Work& work) {
  auto known = work.epochs.find(record.key);
  if (known == work.epochs.end()) {
    const auto stored = stored_epoch(record.key);
    if (!stored) {
      verdict.error = stored.error();
      return;
    }
    known = work.epochs.emplace(record.key, *stored).first;
  }
  if (known->second > record.epoch) {
    verdict.error = base::Error{base::Errc::kUnavailable, "session store: the session has a newer owner"};
    verdict.stale = true;
    return;
  }
  known->second = record.epoch;
  work.newest_epoch = std::max(work.newest_epoch, record.epoch);
  work.newest_number = std::max(work.newest_number, record.number);
  work.durable = true;
  if (record.value) {
    work.batch.put(Family::kSession, partitioned_key(record.key), *record.value);
    return;
  }
  work.batch.erase(Family::kSession, partitioned_key(record.key));
  work.erased.emplace_back(record.key, record.epoch);
  build_drop(record.number, work);
}

base::Result<session::Epoch> GroupWriter::stored_epoch(const session::SessionKey& key) const {
  const auto value = database_.get(Family::kSession, partitioned_key(key));
  if (!value) return tl::unexpected(value.error());
  // A damaged record does not keep the session from being written anew.
  const session::Epoch stored = value->has_value() ? decode_record_epoch(**value).value_or(0) : 0;
  return std::max(stored, erased_.of(key));
}

void GroupWriter::build_write(WriteOperation& write, Verdict& verdict, Work& work) {
  if (appends(write)) verdict.error = disk_.refusal();
  if (verdict.error) return;
  for (const StoreOperation& part : write.parts) build_part(part, work);
  work.durable = true;
}

void GroupWriter::build_part(const StoreOperation& part, Work& work) {
  const bool is_append = part.kind == StoreOperation::Kind::kAppend;
  if (is_append && !part.item->take()) {
    work.withdrawn += 1;
    return;
  }
  if (dropped_.contains(is_append ? part.item->session : part.session)) return;
  const auto packet_id = static_cast<std::uint16_t>(part.sequence);
  switch (part.kind) {
    case StoreOperation::Kind::kAppend:
      put_item(*part.item, work);
      break;
    case StoreOperation::Kind::kRelease:
      blobs_.drop_item(part.session, part.sequence);
      work.batch.put(Family::kQueue, queue_key(part.session, part.sequence), encode_released());
      break;
    case StoreOperation::Kind::kRemove:
      build_remove({part.session, part.sequence}, work);
      break;
    case StoreOperation::Kind::kPutReceived:
      work.batch.put(Family::kReceived, received_key(part.session, packet_id), {});
      break;
    case StoreOperation::Kind::kEraseReceived:
      work.batch.erase(Family::kReceived, received_key(part.session, packet_id));
      break;
  }
}

void GroupWriter::build_retained(const RetainedOperation& retained, Verdict& verdict, Work& work) {
  const std::string key = partitioned_key(retained.message->topic());
  if (retained.removed) {
    work.batch.erase(Family::kRetained, key);
  } else {
    verdict.error = disk_.refusal();
    if (verdict.error) return;
    work.batch.put(Family::kRetained, key, encode_message(*retained.message, retained.message->expires_at_ms()));
  }
  work.durable = true;
}

base::Result<> GroupWriter::commit(Work& work) {
  if (work.newest_epoch > written_epoch_) {
    work.batch.put(Family::kMeta, kEpochKey, encode_number(work.newest_epoch));
  }
  if (work.newest_number > written_number_) {
    work.batch.put(Family::kMeta, kNumberKey, encode_number(work.newest_number));
  }
  const auto begin = std::chrono::steady_clock::now();
  auto committed = database_.commit(work.batch, work.durable);
  const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
  if (!committed) return committed;
  counts_.groups += 1;
  counts_.commit_us.observe(us);
  written_epoch_ = std::max(written_epoch_, work.newest_epoch);
  written_number_ = std::max(written_number_, work.newest_number);
  return {};
}

void GroupWriter::after_commit(const Work& work) {
  leftovers_.clear();
  counts_.appended += work.appended;
  counts_.withdrawn += work.withdrawn;
  for (const auto& [key, epoch] : work.erased) erased_.add(key, epoch);
  for (const SessionNumber number : work.drops) {
    dropped_.add(number);
    dropper_.add(number);
  }
}

// Nobody is told of them, so nobody else would try again.
void GroupWriter::keep_lazy_ones(std::span<Operation> group) {
  for (const Operation& operation : group) {
    if (const auto* drop = std::get_if<DropOperation>(&operation)) {
      leftovers_.emplace_back(*drop);
    } else if (const auto* remove = std::get_if<RemoveOperation>(&operation)) {
      if (leftovers_.size() < kMaxLeftovers) leftovers_.emplace_back(*remove);
    }
  }
}

void GroupWriter::fail_all(std::span<Operation> group, std::vector<Verdict>& verdicts, const base::Error& error) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    Verdict& verdict = verdicts[i];
    if (verdict.left_out || verdict.error) continue;
    const auto* append = std::get_if<AppendOperation>(&group[i]);
    if (append != nullptr && !verdict.taken && !append->item->take()) {
      verdict.left_out = true;
      continue;
    }
    verdict.error = error;
  }
}

void GroupWriter::answer(Operation& operation, Verdict& verdict, Replies& replies) {
  if (is_kind<std::unique_ptr<ReadOperation>>(operation) || verdict.left_out) return;
  (verdict.stale ? counts_.stale : verdict.error ? counts_.failed : counts_.operations) += 1;
  if (auto* append = std::get_if<AppendOperation>(&operation)) {
    if (!verdict.error) {
      replies.appended(*append->reply_to, *append->listener, append->item);
    } else {
      replies.append_failed(*append->reply_to, *append->listener, append->item, *verdict.error);
    }
    return;
  }
  base::Result<> result;
  if (verdict.error) result = tl::unexpected(*verdict.error);
  if (auto* record = std::get_if<std::unique_ptr<RecordOperation>>(&operation)) {
    replies.done(*(*record)->reply_to, std::move((*record)->done), std::move(result));
  } else if (auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
    replies.done(*(*write)->reply_to, std::move((*write)->done), std::move(result));
  } else if (auto* retained = std::get_if<std::unique_ptr<RetainedOperation>>(&operation)) {
    replies.done(*(*retained)->reply_to, std::move((*retained)->done), std::move(result));
  }
}

base::Result<> GroupWriter::recover_if_failing() {
  if (counts_.healthy) return {};
  const base::MonoMs now_ms = base::system_clock().mono_ms();
  if (now_ms < next_recovery_ms_) return tl::unexpected(failure_);
  next_recovery_ms_ = now_ms + kRecoveryPauseMs;
  return database_.recover();
}

void GroupWriter::note(const base::Result<>& outcome) {
  if (outcome && !counts_.healthy) base::log_info("storage", "session store: writes succeed again");
  if (!outcome && counts_.healthy) base::log_error("storage", "writes fail: {}", outcome.error().message);
  if (!outcome) failure_ = outcome.error();
  counts_.healthy = outcome.has_value();
  counts_.blobs = blobs_.live();
}

}  // namespace mooring::storage
