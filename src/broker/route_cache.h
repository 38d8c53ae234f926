// RouteCache: for the topics that were published last, whether their publisher may, and whom they reach. A device says
// the same few topics again and again; to ask its permissions, the tries and its subscriptions each time costs more
// than to deliver the message.
//
// An entry is right as long as what it was made of has not changed, which is told by version numbers, not by calls that
// somebody could forget: Stamp for tries and permissions, Home for the session of the topic's device. Fixed size, no
// allocation after construction; whatever does not fit an entry is found the long way each time. One loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/route.h"

namespace mooring::broker {

class RouteCache {
 public:
  // Whose topic: of a connection of this loop its Client::number; of a message of another loop remote_publisher().
  using Publisher = std::uint64_t;
  static Publisher remote_publisher(std::uint64_t session_number, bool platform) {
    return (std::uint64_t{platform ? 3U : 2U} << 62) | session_number;
  }

  struct Stamp {
    std::uint64_t filters = 0;      // of all tries
    std::uint64_t permissions = 0;  // Authorizer::revision()
    bool operator==(const Stamp&) const = default;
  };
  // The session of the device that the topic belongs to, as it was.
  struct Home {
    static constexpr std::uint32_t kNoDevice = 0xFFFF'FFFF;
    LocalSession* session = nullptr;  // null: it has none here
    std::uint64_t revision = 0;       // of its subscriptions
    std::uint64_t client = 0;         // Client::number of its connection; 0: none
    std::uint32_t slot = kNoDevice;   // DeviceVersions
    std::uint32_t version = 0;        // of the slot
  };

  RouteCache();

  // The entry made with this stamp, or null. Whether its home is still that one is for the caller to tell. Valid until
  // the next put().
  class Entry;
  // Where an entry is. Who asks keeps the number from one time to the next: his next topic is mostly the same. It
  // starts as 0 and says where to look first.
  using Place = std::uint32_t;
  const Entry* find(Publisher publisher, std::string_view topic, const Stamp& stamp, Place& place) const;
  // False: it does not fit.
  bool put(Publisher publisher, std::string_view topic, const Stamp& stamp, const Home& home, const Route& route);

 private:
  static constexpr std::size_t kSets = 2048;  // of two entries each: 1 MiB for a loop
  static std::size_t set_of(Publisher publisher, std::string_view topic);
  [[gnu::noinline]] const Entry* look_for(Publisher publisher, std::string_view topic, Place& place) const;

  std::vector<Entry> entries_;
  std::uint32_t puts_ = 0;
};

class alignas(64) RouteCache::Entry {
 public:
  const Home& home() const { return home_; }
  // Valid until the next put().
  RouteView view() const {
    return {{targets_.data(), target_count_},
            {ids_.data(), id_count_},
            {&share_, has_share_ ? 1U : 0U},
            {loops_.data(), loop_count_},
            request_};
  }

 private:
  friend class RouteCache;
  static constexpr std::size_t kMaxTopicBytes = 128;  // connection.md 7: longer ones are for others than devices
  static constexpr std::size_t kMaxTargets = 2;
  static constexpr std::size_t kMaxIds = 2;
  static constexpr std::size_t kMaxLoops = 2;

  static bool has_room_for(std::string_view topic, const Route& route);
  bool is_of(Publisher publisher, std::string_view topic) const {
    return publisher_ == publisher && std::string_view(topic_.data(), topic_bytes_) == topic;
  }

  Publisher publisher_ = 0;  // 0: empty
  Stamp stamp_;
  Home home_;
  std::array<Route::Target, kMaxTargets> targets_;
  std::array<Route::SubscriptionId, kMaxIds> ids_;
  std::array<routing::LoopId, kMaxLoops> loops_;
  std::uint32_t share_ = 0;
  std::uint8_t topic_bytes_ = 0;
  std::uint8_t target_count_ = 0;
  std::uint8_t id_count_ = 0;
  std::uint8_t loop_count_ = 0;
  bool has_share_ = false;
  RequestKind request_ = kNoRequest;
  std::array<char, kMaxTopicBytes> topic_;
};

inline const RouteCache::Entry* RouteCache::find(Publisher publisher, std::string_view topic, const Stamp& stamp,
                                                 Place& place) const {
  const Entry* entry = &entries_[place];
  if (!entry->is_of(publisher, topic)) entry = look_for(publisher, topic, place);
  return entry != nullptr && entry->stamp_ == stamp ? entry : nullptr;
}

// Tells when a device's session may be another one than before: a counter for each of some groups of devices, moved
// whenever a session of the group comes or goes.
class DeviceVersions {
 public:
  static std::uint32_t slot_of(std::size_t device_hash) { return static_cast<std::uint32_t>(device_hash % kSlots); }
  void change(std::uint32_t slot) { ++versions_[slot]; }
  std::uint32_t of(std::uint32_t slot) const { return versions_[slot]; }

 private:
  static constexpr std::size_t kSlots = 4096;
  std::vector<std::uint32_t> versions_ = std::vector<std::uint32_t>(kSlots);
};

}  // namespace mooring::broker
