#include "journal/writer.h"

#include <arpa/inet.h>

#include <algorithm>
#include <functional>

#include "base/text.h"

namespace mooring::journal {
namespace {

constexpr std::size_t kKnownMax = 10'000;
constexpr base::WallMs kKnownForMs = 10'000;
constexpr std::size_t kNamesOfStranger = 50;           // of one address; the others share a row
constexpr std::string_view kManyKinds = "many-kinds";  // beyond kNewGroupsPerMinute they share a row
constexpr std::size_t kTrimRows = 2'000;               // of one step
constexpr unsigned kTrimPages = 1'000;
constexpr std::size_t kWaitingMax = 1'000;   // for the examiner; three kilobytes each
constexpr base::WallMs kDueEveryMs = 1'000;  // looking through all merges takes a millisecond

bool is_merged(Action action) {
  switch (action) {
    case Action::kRefused:
    case Action::kPublishDenied:
    case Action::kSubscribeDenied:
    case Action::kDiscarded:
    case Action::kThrottled:
    case Action::kRegistrationRefused:
    case Action::kWarned:
    case Action::kSystem:
    case Action::kTicket:
    case Action::kPreauthenticated:
      return true;
    default:
      return false;
  }
}

std::string key_of(const base::DeviceKey& device) {
  return device.product_key + '\0' + device.device_name;
}

// Whom an address belongs to, as far as bounds are concerned: IPv6 by its first 64 bits. Without the port.
std::string group_of(std::string_view address) {
  std::string host(address);
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six) != 1) return host;
  for (int i = 8; i < 16; ++i) six.s6_addr[i] = 0;
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, &six, text, sizeof text);
  return text;
}

Diagnosis not_examined() {
  return {std::string(kNotExamined), "Many sign-ins are refused at present, and this one was not examined yet.",
          "Look again in some seconds, or when the device has tried once more."};
}

std::uint64_t fingerprint_of(const SignInAttempt& attempt) {
  const std::hash<std::string_view> hash;
  std::uint64_t mixed = hash(attempt.user_name);
  const auto mix = [&](std::uint64_t part) {
    mixed = (mixed ^ part) * 0x9e3779b97f4a7c15ULL;
    mixed ^= mixed >> 29;
  };
  if (attempt.http != nullptr) {
    mix(hash(attempt.http->path));
    for (const auto& [name, value] : attempt.http->fields) {
      mix(hash(name));
      mix(hash(value));
    }
  }
  for (const std::uint64_t part :
       {std::uint64_t{hash(attempt.client_id)}, std::uint64_t{hash(attempt.password)},
        std::uint64_t{hash(attempt.psk_identity)}, std::uint64_t{attempt.keep_alive_s},
        std::uint64_t{attempt.protocol_level},
        std::uint64_t{attempt.tls} * 4 + std::uint64_t{attempt.websocket} * 2 + std::uint64_t{attempt.clean_session}}) {
    mix(part);
  }
  return mixed | 1;
}

Entry entry_of(const Event& event) {
  Entry entry;
  entry.device = {base::printable(event.device.product_key, kClaimedBytesMax),
                  base::printable(event.device.device_name, kClaimedBytesMax)};
  entry.at_ms = event.at_ms;
  entry.last_ms = event.at_ms;
  entry.count = event.count;
  entry.action = event.action;
  entry.code = event.code;
  entry.answer = event.answer;
  entry.channel = event.channel;
  entry.name = std::string(event.name.substr(0, kNameBytesMax));
  entry.reason = base::printable(event.reason, kReasonBytesMax);
  entry.subject = base::printable(event.subject, kSubjectBytesMax);
  entry.address = base::printable(event.address, kNameBytesMax);
  entry.facts = base::printable(event.facts, kFactsBytesMax);
  return entry;
}

void grow(Group& group, const Event& event) {
  Entry& entry = group.entry;
  entry.count += event.count;
  entry.last_ms = std::max(entry.last_ms, event.at_ms);
  if (entry.address != event.address) entry.address = base::printable(event.address, kNameBytesMax);
  if (group.pending) return;
  group.pending = true;
  group.write_at_ms = event.at_ms + group.write_step_ms;
}

bool is_same(const Group& group, const Event& event) {
  return group.entry.action == event.action && group.entry.name == event.name && group.entry.code == event.code;
}

// Also when the clock was set back.
bool is_due(const Group& group, base::WallMs now_ms) {
  return group.pending && (group.write_at_ms <= now_ms || group.write_at_ms - now_ms > kLastWriteMs);
}

bool has_ended(const Group& group, base::WallMs now_ms) {
  return group.over || now_ms - group.entry.at_ms > kGroupLifeMs || now_ms - group.entry.last_ms > kGroupQuietMs;
}

// Also when the clock was set back.
bool is_over(const Group& group, base::WallMs now_ms) {
  return has_ended(group, now_ms) || now_ms < group.entry.at_ms;
}

}  // namespace

DeviceJournal::Writer::Writer(const std::filesystem::path& file, Examiner* examiner)
    : file_(file, JournalFile::Role::kWriter), examiner_(examiner) {}

void DeviceJournal::Writer::write(std::span<Event> events, const Asked& asked, const JournalLimits& limits,
                                  base::WallMs now_ms) {
  file_.begin();
  try {
    for (Event& event : events) take(event, limits);
    examine_waiting(asked);
    for (const base::DeviceKey& device : asked.devices) {
      if (Merging* merging = devices_.find(key_of(device))) settle_all(*merging, false);
    }
    if (asked.last) {
      for (Merging& merging : devices_.all()) settle_all(merging, false);
    }
    if (asked.strangers) {
      for (Merging& merging : strangers_.all()) settle_all(merging, true);
    }
    settle_due(now_ms);
    file_.commit();
  } catch (...) {
    file_.rollback();
    // What these remember of the file may not be there.
    devices_.clear();
    strangers_.clear();
    waiting_.clear();
    throw;
  }
}

void DeviceJournal::Writer::take(Event& event, const JournalLimits& limits) {
  if (!event.known && !is_known(event.device, event.at_ms)) {
    take_of_stranger(event, limits);
  } else {
    take_of_device(event, limits);
  }
}

bool DeviceJournal::Writer::is_known(const base::DeviceKey& device, base::WallMs now_ms) {
  if (device.product_key.empty() || device.device_name.empty()) return false;
  if (examiner_ == nullptr) return true;
  const std::string key = key_of(device);
  if (const Merging* merging = devices_.find(key); merging != nullptr && !merging->groups.empty()) return true;
  const auto found = known_.find(key);
  if (found != known_.end() && now_ms >= found->second.asked_ms && now_ms - found->second.asked_ms < kKnownForMs) {
    return found->second.known;
  }
  if (known_.size() >= kKnownMax) known_.clear();
  const bool known = examiner_->is_known(device);
  known_[key] = {known, now_ms};
  return known;
}

// Nothing: there was no look, for want of an examiner or of its time.
std::optional<Diagnosis> DeviceJournal::Writer::examine(Merging& merging, const Event& event) {
  merging.count_minute(event.at_ms);
  if (examiner_ == nullptr || merging.examinations >= kExaminationsPerMinute) return std::nullopt;
  auto found = examiner_->examine(event);
  if (!found) return std::nullopt;
  ++merging.examinations;
  ++examined_;
  return found;
}

bool DeviceJournal::Writer::wait_turn(Event& event, std::int64_t row, bool stranger) {
  if (waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back({std::move(event), row, stranger});
  return true;
}

void DeviceJournal::Writer::examine_waiting(const Asked& asked) {
  for (const base::DeviceKey& device : asked.devices) {  // somebody is looking at its log just now
    std::stable_partition(waiting_.begin(), waiting_.end(),
                          [&](const Waiting& one) { return one.event.device == device; });
  }
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const Waiting& first = waiting_.front();
    const auto found = examiner_->examine(first.event);
    if (!found) return;
    ++examined_;
    if (first.stranger) {
      Entry entry = entry_of(first.event);
      entry.diagnosis = *found;
      file_.set_stranger_diagnosis(entry, group_of(entry.address));
      continue;
    }
    file_.set_diagnosis(first.row, *found);
    Merging* const merging = devices_.find(key_of(first.event.device));
    if (merging == nullptr) continue;
    for (Group& group : merging->groups) {
      if (group.entry.id == first.row) group.entry.diagnosis.name = found->name;
    }
  }
}

Merging& DeviceJournal::Writer::merging_of(Merges& merges, std::string key, bool stranger) {
  if (Merging* known = merges.find(key)) return *known;
  if (merges.full()) {
    settle_all(merges.oldest(), stranger);
    merges.remove(std::string(merges.oldest().key));
  }
  return merges.add(std::move(key));
}

void DeviceJournal::Writer::insert(Entry& entry, const JournalLimits& limits) {
  const std::int64_t entries = file_.insert(entry);
  // In steps, so that it does not happen with every entry.
  const std::uint32_t keep = limits.entries_per_device;
  if (keep != 0 && entries > keep + std::max<std::int64_t>(8, keep / 8)) file_.trim_device(entry.device, keep);
}

void DeviceJournal::Writer::take_of_device(Event& event, const JournalLimits& limits) {
  std::string key = key_of(event.device);
  if (!is_merged(event.action)) {
    // What comes now stands behind what was merged so far.
    if (Merging* merging = devices_.find(key)) {
      settle_all(*merging, false);
      merging->groups.clear();
    }
    Entry entry = entry_of(event);
    insert(entry, limits);
    return;
  }
  Merging& merging = merging_of(devices_, std::move(key), false);
  std::erase_if(merging.groups, [&](Group& group) {
    if (!is_over(group, event.at_ms)) return false;
    settle(group, false);
    return true;
  });
  const std::string subject = base::printable(event.subject, kSubjectBytesMax);
  std::uint64_t fingerprint = event.attempt != nullptr ? fingerprint_of(*event.attempt) : 0;
  Group* fallback = nullptr;  // the same kind, to join when there may be no more groups
  for (Group& group : merging.groups) {
    if (!is_same(group, event)) continue;
    // What has no subject of its own belongs to whatever is of its kind.
    if (group.fingerprint == fingerprint && (subject.empty() || group.entry.subject == subject)) {
      grow(group, event);
      return;
    }
    if (fallback == nullptr || group.entry.last_ms >= fallback->entry.last_ms) fallback = &group;
  }
  merging.count_minute(event.at_ms);
  if (merging.new_groups >= kNewGroupsPerMinute && fallback == nullptr) {
    // Whoever goes through all the kinds there are must not push out what the device has in the log.
    event.name = kManyKinds;
    event.code = kCodeBadParameter;
    event.reason = "Further kinds of events, in one minute.";
    event.attempt = nullptr;
    event.subject.clear();
    fingerprint = 0;
    for (Group& group : merging.groups) {
      if (!is_same(group, event)) continue;
      grow(group, event);
      return;
    }
  }
  std::optional<Diagnosis> found;
  if (fingerprint != 0) {
    found = examine(merging, event);
    for (Group& group : merging.groups) {
      if (!is_same(group, event) || group.entry.subject != subject) continue;
      const bool open = group.entry.diagnosis.name == kNotExamined;
      if (found && !open && group.entry.diagnosis.name != found->name) continue;
      if (found && open) {
        file_.set_diagnosis(group.entry.id, *found);
        group.entry.diagnosis.name = found->name;
      }
      group.fingerprint = fingerprint;
      grow(group, event);
      return;
    }
  }
  if (merging.new_groups >= kNewGroupsPerMinute && fallback != nullptr) {
    grow(*fallback, event);
    return;
  }
  if (merging.groups.size() >= groups_of_device()) {
    const auto idle =
        std::min_element(merging.groups.begin(), merging.groups.end(),
                         [](const Group& a, const Group& b) { return a.entry.last_ms < b.entry.last_ms; });
    settle(*idle, false);
    merging.groups.erase(idle);
  }
  ++merging.new_groups;
  Group group;
  group.entry = entry_of(event);
  if (merging.new_groups == kNewGroupsPerMinute) group.entry.subject.clear();  // others will join this one
  group.fingerprint = fingerprint;
  const bool looks_later = !found && fingerprint != 0 && examiner_ != nullptr;
  group.entry.diagnosis = looks_later ? not_examined() : std::move(found).value_or(Diagnosis());
  insert(group.entry, limits);
  // Without a place to wait, its next attempt is looked at.
  if (looks_later && !wait_turn(event, group.entry.id, false)) group.fingerprint = 0;
  // The row has them; what stays in memory is what tells repeats.
  for (std::string* text :
       {&group.entry.reason, &group.entry.facts, &group.entry.diagnosis.text, &group.entry.diagnosis.advice}) {
    *text = std::string();
  }
  merging.groups.push_back(std::move(group));
}

void DeviceJournal::Writer::take_of_stranger(Event& event, const JournalLimits& limits) {
  const std::string address = group_of(event.address);
  std::string key = address + '\0' + key_of(event.device) + '\0' + std::string(event.name);
  if (Merging* known = strangers_.find(key); known != nullptr && !known->groups.empty()) {
    Group& group = known->groups.front();
    const std::uint64_t fingerprint = event.attempt != nullptr ? fingerprint_of(*event.attempt) : 0;
    if (fingerprint != 0 && fingerprint != group.fingerprint) {
      if (auto found = examine(*known, event); found && !found->empty()) group.entry.diagnosis = std::move(*found);
      group.fingerprint = fingerprint;
    }
    grow(group, event);
    return;
  }
  // With its first name too many an address gets one row for all further ones.
  if (file_.strangers_of(address) >= kNamesOfStranger) {
    event.device = {"*", "*"};
    event.attempt = nullptr;
    event.reason = "Further names that do not exist, from one address.";
    event.name = "many-names";
    key = address + '\0' + "*";
  }
  Merging& merging = merging_of(strangers_, std::move(key), true);
  if (!merging.groups.empty()) {
    grow(merging.groups.front(), event);
    return;
  }
  Group group;
  group.entry = entry_of(event);
  bool looks_later = false;
  if (event.attempt != nullptr && examiner_ != nullptr) {
    group.fingerprint = fingerprint_of(*event.attempt);
    auto found = examine(merging, event);
    looks_later = !found;
    group.entry.diagnosis = looks_later ? not_examined() : std::move(*found);
  }
  file_.add_stranger(group.entry, address);
  if (looks_later) {
    group.entry.diagnosis = {};  // the row has it, until it is replaced
    if (!wait_turn(event, group.entry.id, true)) group.fingerprint = 0;
  }
  group.entry.count = 0;  // from now on: what the row does not have yet
  merging.groups.push_back(std::move(group));
  // The bound is kept in steps.
  if (limits.strangers != 0 && ++stranger_rows_added_ % 64 == 0) file_.trim_strangers(limits.strangers);
}

void DeviceJournal::Writer::settle(Group& group, bool stranger) {
  if (!group.pending) return;
  group.pending = false;
  group.write_step_ms = std::min(group.write_step_ms * 2, kLastWriteMs);
  if (stranger) {
    group.entry.id = 0;  // the row is found by its names; if it was trimmed, it is made anew
    file_.add_stranger(group.entry, group_of(group.entry.address));
    group.entry.count = 0;
  } else if (!file_.update(group.entry)) {
    // The row was trimmed while it grew. Its count is told all the same; the details went with the row.
    group.entry.reason = "Again and again; the entry that told more was too old to be kept.";
    file_.insert(group.entry);
    group.entry.reason = std::string();
    group.over = true;
  }
}

void DeviceJournal::Writer::settle_all(Merging& merging, bool stranger) {
  for (Group& group : merging.groups) settle(group, stranger);
}

void DeviceJournal::Writer::settle_due(base::WallMs now_ms) {
  if (now_ms >= due_looked_ms_ && now_ms - due_looked_ms_ < kDueEveryMs) return;
  due_looked_ms_ = now_ms;
  settle_due(devices_, false, now_ms);
  settle_due(strangers_, true, now_ms);
}

// What is over goes, so that the memory of a storm goes with it.
void DeviceJournal::Writer::settle_due(Merges& merges, bool stranger, base::WallMs now_ms) {
  for (auto merging = merges.all().begin(); merging != merges.all().end();) {
    std::erase_if(merging->groups, [&](Group& group) {
      const bool ended = has_ended(group, now_ms);
      if (ended || is_due(group, now_ms)) settle(group, stranger);
      return ended;
    });
    const auto looked_at = merging++;
    if (looked_at->groups.empty() && !looked_at->counts_this_minute(now_ms)) {
      merges.remove(std::string(looked_at->key));
    }
  }
}

std::size_t DeviceJournal::Writer::groups_of_device() const {
  return devices_.size() <= kStormDevices ? kGroupsOfDevice : kGroupsOfDeviceInStorm;
}

bool DeviceJournal::Writer::trim(const JournalLimits& limits, base::WallMs now_ms) {
  std::size_t gone = 0;
  bool more = false;
  file_.begin();
  try {
    if (limits.max_age_s != 0) {
      const base::WallMs before = now_ms - static_cast<base::WallMs>(limits.max_age_s) * 1000;
      gone = file_.delete_oldest(kTrimRows, before);
      file_.delete_old_strangers(before);
      more = gone == kTrimRows;
    }
    if (limits.max_bytes != 0 && file_.used_bytes() > limits.max_bytes) {
      const std::size_t oldest = file_.delete_oldest(kTrimRows, 0);
      gone += oldest;
      more = more || (oldest > 0 && file_.used_bytes() > limits.max_bytes);
    }
    if (limits.strangers != 0) file_.trim_strangers(limits.strangers);
    file_.commit();
  } catch (...) {
    file_.rollback();
    throw;
  }
  if (gone > 0) file_.give_back(kTrimPages);
  return more;
}

}  // namespace mooring::journal
