// What the journal keeps and gives back: entries of devices, and refusals of peers that are no device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/device_log.h"
#include "journal/examiner.h"

namespace mooring::journal {

// Longer texts are cut, between characters.
inline constexpr std::size_t kSubjectBytesMax = 160;
inline constexpr std::size_t kReasonBytesMax = 400;
inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kFactsBytesMax = 200;
inline constexpr std::size_t kClaimedBytesMax = 128;

struct Entry {
  std::int64_t id = 0;        // order of events, over all devices
  std::int64_t revision = 0;  // grows with every change of any entry: what a follower has not seen has a larger one
  base::DeviceKey device;
  base::WallMs at_ms = 0;    // of the first
  base::WallMs last_ms = 0;  // of the last one that was merged into this
  std::uint64_t count = 1;
  Action action = Action::kSystem;
  std::uint16_t code = 0;
  std::uint8_t answer = 0;
  Channel channel = Channel::kNone;
  std::string name;
  std::string reason;
  std::string subject;
  std::string address;
  std::string facts;
  Diagnosis diagnosis;
};

struct LogQuery {
  std::size_t limit = 100;          // 1 to kLogRowsMax
  std::int64_t before_id = 0;       // older pages: only entries with a smaller id; 0: from the newest on
  std::int64_t after_revision = 0;  // following: only what is new or has changed since; 0: everything
  base::WallMs since_ms = 0;        // only what happened at this time or later
  std::vector<Action> actions;      // empty: all
};
inline constexpr std::size_t kLogRowsMax = 1000;

struct LogPage {
  std::vector<Entry> entries;  // oldest first
  bool more = false;           // older ones exist
  std::int64_t revision = 0;   // to follow from here
};

// Refusals of peers whose claimed device does not exist: bounded, and apart, so that strangers cannot push out what
// happened to devices.
struct StrangerQuery {
  std::size_t limit = 100;
  std::string product_key;  // empty: any
  std::string device_name;  // likewise
  bool any_case = false;    // names compared without regard to the case of letters
};

// Blocking; any thread.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  virtual base::Result<LogPage> read_log(const base::DeviceKey& device, const LogQuery& query) = 0;
  // Newest first.
  virtual base::Result<std::vector<Entry>> read_strangers(const StrangerQuery& query) = 0;
};

}  // namespace mooring::journal
