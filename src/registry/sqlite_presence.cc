// Devices' coming and going in the SQLite registry. A device is written once for all that happened to it in a batch.
#include <algorithm>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

// What came of some events of a device, one after another. They must stay meanwhile.
class Presence {
 public:
  explicit Presence(const PresenceEvent& event) : key_(event.key) {
    if (event.online) {
      begin(event);
    } else {
      last_offline_ms_ = event.at_ms;
      ended_ = event.connection;
    }
  }

  // False: what comes of it depends on the row, so it has to be written by itself, behind this.
  bool add(const PresenceEvent& event) {
    if (event.online) {
      begin(event);
      return true;
    }
    if (last_online_ != nullptr) {
      if (event.connection == 0 || event.connection == last_online_->connection) online_ = false;
    } else if (event.connection == 0) {
      ended_ = 0;
    } else if (ended_ != 0 && ended_ != event.connection) {
      return false;
    }
    last_offline_ms_ = std::max(last_offline_ms_, event.at_ms);
    return true;
  }

  void write(SqliteConnection& connection) const {
    last_online_ != nullptr ? write_beginning(connection) : write_end(connection);
  }

 private:
  void begin(const PresenceEvent& event) {
    if (first_online_ms_ == 0) first_online_ms_ = event.at_ms;
    if (browser_origin_ == nullptr || browser_origin_->empty()) browser_origin_ = &event.browser_origin;
    last_online_ms_ = std::max(last_online_ms_, event.at_ms);
    last_online_ = &event;
    online_ = true;
  }
  void write_beginning(SqliteConnection& connection) const;
  void write_end(SqliteConnection& connection) const;

  const base::DeviceKey& key_;
  const PresenceEvent* last_online_ = nullptr;   // null: no connection began, one ended
  const std::string* browser_origin_ = nullptr;  // the first that is not empty
  bool online_ = false;                          // what began last has not ended
  std::uint64_t ended_ = 0;
  base::WallMs first_online_ms_ = 0;
  base::WallMs last_online_ms_ = 0;
  base::WallMs last_offline_ms_ = 0;
};

// A text of a peer as it is stored: cut, and without what is not UTF-8, for the column must stay readable as text.
class StoredText {
 public:
  StoredText(const std::string& text, std::size_t bytes_max) : whole_(text) {
    if (text.size() <= bytes_max && base::is_utf8(text)) return;
    std::string_view part = text;
    while (part.size() > bytes_max || !base::is_utf8(part)) {
      part = part.substr(0, std::min(bytes_max, part.size() - 1));
    }
    cut_ = part;
    is_cut_ = true;
  }
  const std::string& get() const { return is_cut_ ? cut_ : whole_; }

 private:
  const std::string& whole_;
  std::string cut_;
  bool is_cut_ = false;
};

void Presence::write_beginning(SqliteConnection& connection) const {
  const PresenceEvent& last = *last_online_;
  const StoredText address(last.address, kAddressBytesMax);
  const StoredText lan(last.facts.lan, kFactBytesMax);
  const StoredText version(last.facts.version, kFactBytesMax);
  const StoredText os(last.facts.os, kFactBytesMax);
  const StoredText module(last.facts.module, kFactBytesMax);
  const StoredText origin(*browser_origin_, kTicketOriginBytesMax);
  run_change(connection,
             "UPDATE device SET online = ?3, connection = ?4, last_online_ms = max(last_online_ms, ?5), "
             "last_offline_ms = max(last_offline_ms, ?6), "
             "activated_ms = CASE activated_ms WHEN 0 THEN ?7 ELSE activated_ms END, "
             "registration = CASE registration WHEN 2 THEN 0 ELSE registration END, last_address = ?8, "
             "sdk_lan = ?9, sdk_version = ?10, sdk_os = ?11, sdk_module = ?12, "
             "browser_origin = CASE browser_origin WHEN '' THEN ?13 ELSE browser_origin END "
             "WHERE product_key = ?1 AND device_name = ?2",
             key_.product_key, key_.device_name, online_, last.connection, last_online_ms_, last_offline_ms_,
             first_online_ms_, address.get(), lan.get(), version.get(), os.get(), module.get(), origin.get());
}

void Presence::write_end(SqliteConnection& connection) const {
  run_change(connection,
             "UPDATE device SET online = CASE WHEN ?3 = 0 OR connection = ?3 THEN 0 ELSE online END, "
             "last_offline_ms = max(last_offline_ms, ?4) WHERE product_key = ?1 AND device_name = ?2",
             key_.product_key, key_.device_name, ended_, last_offline_ms_);
}

// In the order of the events of each device.
std::vector<Presence> joined(std::span<const PresenceEvent> events) {
  std::vector<Presence> presences;
  presences.reserve(events.size());
  std::unordered_map<base::DeviceKeyView, std::size_t, base::DeviceKeyHash> last;  // of each device, its place
  last.reserve(events.size());
  for (const PresenceEvent& event : events) {
    const auto [place, is_new] = last.try_emplace(event.key, presences.size());
    if (!is_new && presences[place->second].add(event)) continue;
    place->second = presences.size();
    presences.emplace_back(event);
  }
  return presences;
}

}  // namespace

base::Result<> SqliteRegistry::record_presence(std::span<const PresenceEvent> events) {
  return change(false, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    for (const Presence& presence : joined(events)) presence.write(connection);
    return {};
  });
}

base::Result<> SqliteRegistry::mark_all_offline(base::WallMs at_ms) {
  return change(false, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    Query(connection, "UPDATE device SET online = 0, last_offline_ms = max(last_offline_ms, ?) WHERE online = 1", at_ms)
        .run();
    return {};
  });
}

}  // namespace mooring::registry
