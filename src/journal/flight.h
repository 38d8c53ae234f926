// The flight record: the last packets of each client, in memory, always on. One FlightRecorder per loop, used on that
// loop only; it keeps the records of its clients over their reconnects, since a client's loop never changes.
//
// Small on purpose: a record begins with kFirstBytes and grows to the limit per client; pings are merged, so that an
// idle client stays small. A packet costs one copy of its topic (cut after kTopicBytes) and a header of 28 bytes; when
// there is no more room the oldest quarter goes. Over the bound of all records together the records of those who have
// been away longest go, then new ones stay small, then there are none.
//
// Passwords cannot be in it: of CONNECT it is only told names and sizes. Payloads are left out unless a setting asks
// for their beginning, and never kept of topics that carry secrets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/intrusive_list.h"

namespace mooring::journal {

enum class Direction : std::uint8_t {
  kIn,   // from the client
  kOut,  // to it
  kEnd,  // no packet: the connection ended; `result` is broker::OfflineReason or 0
};

// One packet to note. In a CONNECT `topic` is the client identifier, `packet_id` the keep alive, `result` the protocol
// level (4) with 0x80 for clean session, `payload` the peer's address as text.
struct FlightPacket {
  Direction direction = Direction::kIn;
  std::uint8_t first_byte = 0;  // packet type and flags
  std::uint32_t bytes = 0;      // of the whole packet
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
  std::uint32_t bytes = 0;
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

// The record of one client.
class Flight : public base::ListHook<FlightListTag> {
 public:
  static constexpr std::size_t kFirstBytes = 192;
  static constexpr std::size_t kTopicBytes = 96;
  static constexpr std::size_t kPayloadBytesMax = 64;
  static constexpr std::size_t kHeaderBytes = 28;

  void note(const FlightPacket& packet, base::WallMs now_ms);
  // Sets the result of the packet that was noted last.
  void set_last_result(std::uint8_t result);
  std::vector<FlightEntry> read() const;

 private:
  friend class FlightRecorder;
  Flight(FlightRecorder& recorder, std::string key) : recorder_(recorder), key_(std::move(key)) {}
  bool merge_ping(const FlightPacket& packet, base::WallMs now_ms);
  bool make_room(std::size_t bytes);

  FlightRecorder& recorder_;
  const std::string key_;
  std::unique_ptr<std::uint8_t[]> data_;
  std::uint16_t capacity_ = 0;
  std::uint16_t begin_ = 0;
  std::uint16_t end_ = 0;
  std::uint16_t last_ = 0;  // where the last record begins
  std::uint16_t before_last_ = 0;
  std::uint16_t records_ = 0;
  std::uint16_t users_ = 0;  // connections that write to it; 0: on the list of those that may go
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
  void forget(std::string_view key);  // unless it is in use

  // Notes are made with the loop's clock; this is how far the wall's is ahead of it. Kept up by the owner.
  void set_wall_offset(base::WallMs offset_ms) { wall_offset_ms_ = offset_ms; }
  base::WallMs wall_ms(base::MonoMs mono_ms) const { return mono_ms + wall_offset_ms_; }

  std::uint64_t used_bytes() const { return used_bytes_; }
  std::size_t size() const { return flights_.size(); }
  const FlightLimits& limits() const { return limits_; }

  static std::string key_of_device(std::string_view product_key, std::string_view device_name);
  static std::string key_of_account(std::string_view account, std::string_view client_id);

 private:
  friend class Flight;
  bool reserve(std::uint64_t bytes, const Flight* asking);
  void drop(Flight& flight);

  FlightLimits limits_;
  std::uint64_t used_bytes_ = 0;
  base::WallMs wall_offset_ms_ = 0;
  std::unordered_map<std::string_view, std::unique_ptr<Flight>> flights_;  // keys live in the records
  base::IntrusiveList<Flight, FlightListTag> idle_;                        // away longest first
};

}  // namespace mooring::journal
