// Private to the module: turns events into rows. On the journal's thread.
#pragma once

#include <deque>
#include <span>
#include <unordered_map>

#include "journal/device_journal.h"
#include "journal/journal_file.h"
#include "journal/merges.h"

namespace mooring::journal {

class DeviceJournal::Writer {
 public:
  Writer(const std::filesystem::path& file, Examiner* examiner);

  struct Asked {
    std::vector<base::DeviceKey> devices;
    bool strangers = false;
    bool last = false;  // nothing will be asked or written after it
  };
  // One transaction. Throws when the disk refuses; then nothing of it is stored and merges begin anew.
  void write(std::span<Event> events, const Asked& asked, const JournalLimits& limits, base::WallMs now_ms);
  // A step of trimming; true: there is more to do at once.
  bool trim(const JournalLimits& limits, base::WallMs now_ms);
  // Nothing came for a while.
  void rest() { file_.release_cache(); }
  std::uint64_t examined() const { return examined_; }

 private:
  void take(Event& event, const JournalLimits& limits);
  void take_of_device(Event& event, const JournalLimits& limits);
  void take_of_stranger(Event& event, const JournalLimits& limits);
  bool is_known(const base::DeviceKey& device, base::WallMs now_ms);
  std::size_t groups_of_device() const;
  std::optional<Diagnosis> examine(Merging& merging, const Event& event);
  // Of a row that was made without a look. False: there are too many already.
  bool wait_turn(Event& event, std::int64_t row, bool stranger);
  void examine_waiting(const Asked& asked);
  void insert(Entry& entry, const JournalLimits& limits);
  void settle(Group& group, bool stranger);
  void settle_all(Merging& merging, bool stranger);
  void settle_due(base::WallMs now_ms);
  void settle_due(Merges& merges, bool stranger, base::WallMs now_ms);
  Merging& merging_of(Merges& merges, std::string key, bool stranger);

  JournalFile file_;
  Examiner* const examiner_;
  Merges devices_{kMergingDevicesMax};
  Merges strangers_{kMergingStrangersMax};
  struct Known {
    bool known = false;
    base::WallMs asked_ms = 0;
  };
  std::unordered_map<std::string, Known> known_;  // what the examiner said lately; bounded
  // A refusal that is in the log, and not examined yet.
  struct Waiting {
    Event event;
    std::int64_t row = 0;
    bool stranger = false;  // its row is found by its names
  };
  std::deque<Waiting> waiting_;  // at most kWaitingMax
  std::uint64_t examined_ = 0;
  std::uint64_t stranger_rows_added_ = 0;
  base::WallMs due_looked_ms_ = 0;
};

}  // namespace mooring::journal
