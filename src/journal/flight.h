// The flight record: the last packets of each client, in memory, always on. One FlightRecorder per loop, used on that
// loop only; it keeps the records of its clients over their reconnects, since a client's loop never changes.
//
// Small on purpose: a record begins with kFirstBytes and grows bit by bit to the limit per client; pings are merged, so
// an idle client stays small. A packet costs a header of 16 bytes and one copy of its topic, cut after kTopicBytes;
// when there is no more room, the oldest go. Over the bound of all records together the records of those who have been
// away longest go, then new ones stay small, then there are none.
//
// Passwords cannot be in it: of CONNECT it is only told names and sizes. Payloads are left out unless a setting asks
// for their beginning, and never kept of topics that carry secrets.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hashed.h"
#include "base/intrusive_list.h"

namespace mooring::journal {

enum class Direction : std::uint8_t {
  kIn,   // from the client
  kOut,  // to it
  kEnd,  // no packet: the connection ended; `result` is broker::OfflineReason or 0
};

// One packet to note. In a CONNECT `topic` is the client identifier, `packet_id` the keep alive, `result` the protocol
// level (4) with 0x80 for clean session, `payload` the peer's address as text. `topic` has at most 65,535 bytes, and
// `payload` is cut after kPayloadBytesMax.
struct FlightPacket {
  Direction direction = Direction::kIn;
  std::uint8_t first_byte = 0;   // packet type and flags
  std::uint32_t body_bytes = 0;  // behind the fixed header: its "remaining length"
  std::uint16_t packet_id = 0;
  std::uint8_t result = 0;  // return or reason code; of SUBSCRIBE the QoS asked for first
  std::string_view topic = {};
  base::ByteView payload = {};
};

struct FlightEntry {
  base::WallMs at_ms = 0;
  base::WallMs last_ms = 0;  // pings: of the last one
  std::uint32_t count = 1;
  Direction direction = Direction::kIn;
  std::uint8_t first_byte = 0;
  std::uint32_t bytes = 0;  // of the whole packet
  std::uint16_t packet_id = 0;
  std::uint8_t result = 0;
  std::string topic;
  std::uint32_t topic_bytes = 0;  // as it was; `topic` may be its beginning only
  std::string payload;            // its beginning, binary
};

struct FlightLimits {
  std::uint64_t total_bytes =
      16ULL << 20;  // of one recorder, with what the records' bookkeeping takes; 0: nothing is recorded
  std::uint32_t bytes_per_client = 2048;  // of packets
  std::uint32_t payload_bytes = 0;        // of each PUBLISH, at most kPayloadBytesMax
};

class FlightRecorder;
struct FlightListTag;

// The record of one client: a ring of packets. What is inline here runs for every packet, so it only copies.
class Flight : public base::ListHook<FlightListTag> {
 public:
  static constexpr std::size_t kFirstBytes = 128;
  static constexpr std::size_t kTopicBytes = 96;
  static constexpr std::size_t kPayloadBytesMax = 64;
  static constexpr std::size_t kHeaderBytes = 16;

  void note(const FlightPacket& packet, base::MonoMs now_ms);
  // PINGREQ and its answer; counted when nothing came since the last ones.
  void note_ping(base::MonoMs now_ms);
  // Sets the result of the packet that was noted last.
  void set_last_result(std::uint8_t result);
  // `wall_offset_ms`: how far the wall's clock is ahead of the loop's.
  std::vector<FlightEntry> read(base::WallMs wall_offset_ms) const;

 private:
  friend class FlightRecorder;
  // As it is read; kept as two words. Behind it stand the topic and the payload, as far as they are kept.
  struct Header {
    base::MonoMs at_ms;        // of it 40 bits: 34 years
    std::uint32_t body_bytes;  // of pings: how long ago the first was when the last came
    std::uint16_t packet_id;   // of pings: how many
    std::uint8_t first_byte;
    std::uint8_t direction;
    std::uint8_t result;
    std::uint8_t topic_kept;  // of a topic that was cut kTopicBytes and kCutBytes: its length follows it
    std::uint8_t payload_kept;
    std::size_t size() const { return kHeaderBytes + topic_kept + payload_kept; }
  };
  static constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << 40) - 1;
  static constexpr std::size_t kCutBytes = sizeof(std::uint16_t);
  static constexpr std::uint16_t kNone = 0xFFFF;

  Flight(FlightRecorder& recorder, std::string_view key, std::uint16_t capacity_bytes);
  std::string_view key() const { return {reinterpret_cast<const char*>(data_.get() + capacity_), key_bytes_}; }
  Header load(std::size_t at) const;
  std::size_t size_at(std::size_t at) const {
    std::uint64_t word = 0;
    std::memcpy(&word, data_.get() + at + 8, sizeof word);
    return kHeaderBytes + (word >> 48 & 0xFF) + (word >> 56);
  }
  static void store(std::uint8_t* at, const Header& header) {
    const std::uint64_t words[2] = {(static_cast<std::uint64_t>(header.at_ms) & kTimeMask) |
                                        std::uint64_t{header.packet_id} << 40 | std::uint64_t{header.first_byte} << 56,
                                    header.body_bytes | std::uint64_t{header.direction} << 32 |
                                        std::uint64_t{header.result} << 40 | std::uint64_t{header.topic_kept} << 48 |
                                        std::uint64_t{header.payload_kept} << 56};
    for (std::size_t i = 0; i < 2; ++i) std::memcpy(at + 8 * i, &words[i], 8);
  }
  static void copy(std::uint8_t* to, const char* from, std::size_t bytes);
  std::size_t used() const { return wrapped() ? std::size_t{wrap_} - begin_ + end_ : std::size_t{end_} - begin_; }
  bool wrapped() const { return wrap_ != 0; }
  bool make_room(std::size_t bytes);
  bool grow(std::size_t bytes);

  FlightRecorder& recorder_;
  std::unique_ptr<std::uint8_t[]> data_;  // the ring, then the key
  const std::uint32_t key_bytes_;
  // The records are [begin_, end_), or, once it was wrapped, [begin_, wrap_) and then [0, end_).
  std::uint16_t capacity_ = 0;
  std::uint16_t begin_ = 0;
  std::uint16_t end_ = 0;
  std::uint16_t wrap_ = 0;
  std::uint16_t limit_ = 0;     // how far from end_ on nothing is in the way
  std::uint16_t last_ = kNone;  // where the last record begins
  std::uint16_t users_ = 0;     // connections that write to it; 0: on the list of those that may go
};

class FlightRecorder {
 public:
  explicit FlightRecorder(FlightLimits limits) : limits_(limits) {}
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  void set_limits(FlightLimits limits);  // for what comes
  // The record of this client, old or new; null when there is no room. Every open() needs its close().
  Flight* open(std::string_view key);
  void close(Flight& flight);
  // Empty: nothing is known of it.
  std::vector<FlightEntry> read(std::string_view key) const;

  // Notes are made with the loop's clock; this is how far the wall's is ahead of it. Kept up by the owner. A wall that
  // jumps takes the whole record along.
  void set_wall_offset(base::WallMs offset_ms) { wall_offset_ms_ = offset_ms; }

  std::uint64_t used_bytes() const { return used_bytes_; }
  std::size_t size() const { return flights_.size(); }
  const FlightLimits& limits() const { return limits_; }
  // What is to be noted of the payload of a PUBLISH: its beginning by setting, and nothing of a topic whose payload
  // holds a secret.
  base::ByteView payload_to_note(std::string_view topic, base::ByteView payload) const {
    return limits_.payload_bytes == 0 ? base::ByteView() : beginning_of(topic, payload);
  }

  static std::string key_of_device(std::string_view product_key, std::string_view device_name);
  static std::string key_of_account(std::string_view account, std::string_view client_id);

 private:
  friend class Flight;
  base::ByteView beginning_of(std::string_view topic, base::ByteView payload) const;
  bool reserve(std::uint64_t bytes, const Flight* asking);
  void drop(Flight& flight);

  FlightLimits limits_;
  std::uint64_t used_bytes_ = 0;
  base::WallMs wall_offset_ms_ = 0;
  // The records by their keys.
  using HashedFlight = base::Hashed<std::unique_ptr<Flight>>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
    std::size_t operator()(const HashedFlight& flight) const { return flight.hash; }
  };
  struct Equal {
    using is_transparent = void;
    static std::string_view key(std::string_view of) { return of; }
    static std::string_view key(const HashedFlight& of) { return of->key(); }
    bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
  };
  boost::unordered_flat_set<HashedFlight, Hash, Equal> flights_;
  base::IntrusiveList<Flight, FlightListTag> idle_;  // away longest first
};

// At most kTopicBytes, in pieces that may overlap: what the compiler makes of a short memcpy() costs more than the rest
// of a note.
inline void Flight::copy(std::uint8_t* to, const char* from, std::size_t bytes) {
  constexpr std::size_t kPiece = 16;
  if (bytes < kPiece) {
    for (std::size_t i = 0; i < bytes; ++i) to[i] = static_cast<std::uint8_t>(from[i]);
    return;
  }
  for (std::size_t at = 0; at < bytes - kPiece; at += kPiece) std::memcpy(to + at, from + at, kPiece);
  std::memcpy(to + bytes - kPiece, from + bytes - kPiece, kPiece);
}

// Within its caller, which knows most of the packet: this runs for every one that is read or written.
[[gnu::always_inline]] inline void Flight::note(const FlightPacket& packet, base::MonoMs now_ms) {
  const bool cut = packet.topic.size() > kTopicBytes;
  const std::size_t topic_kept = cut ? kTopicBytes + kCutBytes : packet.topic.size();
  const std::size_t payload_kept = std::min(packet.payload.size(), kPayloadBytesMax);
  const std::size_t bytes = kHeaderBytes + topic_kept + payload_kept;
  if (std::size_t{limit_} - end_ < bytes) [[unlikely]] {
    if (!make_room(bytes)) return;
  }
  std::uint8_t* const at = data_.get() + end_;
  store(at,
        {now_ms, packet.body_bytes, packet.packet_id, packet.first_byte, static_cast<std::uint8_t>(packet.direction),
         packet.result, static_cast<std::uint8_t>(topic_kept), static_cast<std::uint8_t>(payload_kept)});
  if (!cut) [[likely]] {
    copy(at + kHeaderBytes, packet.topic.data(), topic_kept);
  } else {
    const auto topic_bytes = static_cast<std::uint16_t>(packet.topic.size());  // of MQTT: never more than 65,535
    copy(at + kHeaderBytes, packet.topic.data(), kTopicBytes);
    std::memcpy(at + kHeaderBytes + kTopicBytes, &topic_bytes, kCutBytes);
  }
  if (payload_kept != 0) std::memcpy(at + kHeaderBytes + topic_kept, packet.payload.data(), payload_kept);
  last_ = end_;
  end_ = static_cast<std::uint16_t>(end_ + bytes);
}

}  // namespace mooring::journal
