#include "journal/flight.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace mooring::journal {
namespace {

// What a record costs beside its packets and its key: the object, its place in the set, what the allocator adds.
constexpr std::uint64_t kFixedBytes = sizeof(Flight) + 64;
constexpr std::uint8_t kPingreq = 0xC0;
constexpr std::uint8_t kPingresp = 0xD0;
constexpr std::uint32_t kPingBytes = 2;
constexpr std::size_t kSparePart = 4;  // of a record that is made free at a time
// An idle client has half a dozen packets for months: doubling would leave its record half empty.
constexpr std::size_t kGrowBytes = 32;
constexpr std::size_t kGrowPart = 4;

constexpr std::uint32_t fixed_header_bytes(std::uint32_t remaining) {
  return remaining < 128 ? 2 : remaining < 16'384 ? 3 : remaining < 2'097'152 ? 4 : 5;
}

}  // namespace

Flight::Header Flight::load(std::size_t at) const {
  std::uint64_t words[2];
  std::memcpy(words, data_.get() + at, sizeof words);
  const auto byte = [](std::uint64_t word, unsigned shift) { return static_cast<std::uint8_t>(word >> shift); };
  return {static_cast<base::MonoMs>(words[0] & kTimeMask),
          static_cast<std::uint32_t>(words[1]),
          static_cast<std::uint16_t>(words[0] >> 40),
          byte(words[0], 56),
          byte(words[1], 32),
          byte(words[1], 40),
          byte(words[1], 48),
          byte(words[1], 56)};
}

Flight::Flight(FlightRecorder& recorder, std::string_view key, std::uint16_t capacity_bytes)
    : recorder_(recorder),
      data_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity_bytes + key.size())),
      key_bytes_(static_cast<std::uint32_t>(key.size())),
      capacity_(capacity_bytes),
      limit_(capacity_bytes) {
  std::memcpy(data_.get() + capacity_, key.data(), key.size());
}

void Flight::note_ping(base::MonoMs now_ms) {
  if (last_ != kNone) {
    Header header = load(last_);
    const base::MonoMs span_ms = now_ms - header.at_ms;
    if (header.first_byte == kPingreq && header.packet_id != 0xFFFF && span_ms >= 0 && span_ms <= 0xFFFF'FFFFLL) {
      ++header.packet_id;
      header.body_bytes = static_cast<std::uint32_t>(span_ms);
      store(data_.get() + last_, header);
      return;
    }
  }
  note({Direction::kIn, kPingreq, 0, 1, 0, {}, {}}, now_ms);
}

void Flight::set_last_result(std::uint8_t result) {
  if (last_ == kNone) return;
  Header header = load(last_);
  header.result = result;
  store(data_.get() + last_, header);
}

// Grows while that is allowed; else the oldest go.
bool Flight::make_room(std::size_t bytes) {
  if (grow(bytes)) return true;
  if (bytes > capacity_) return false;
  const std::size_t wanted = std::min<std::size_t>(capacity_, std::max<std::size_t>(bytes, capacity_ / kSparePart));
  while (std::size_t{limit_} - end_ < bytes) {
    if (!wrapped()) {
      wrap_ = end_;
      end_ = 0;
    }
    while (begin_ < wrap_ && std::size_t{begin_} - end_ < wanted)
      begin_ = static_cast<std::uint16_t>(begin_ + size_at(begin_));
    limit_ = begin_;
    if (begin_ < wrap_) continue;
    begin_ = wrap_ = 0;  // all that was behind end_ has gone
    limit_ = capacity_;
  }
  return true;
}

bool Flight::grow(std::size_t bytes) {
  const std::size_t most = std::min<std::size_t>(recorder_.limits_.bytes_per_client, kNone - 1);
  if (capacity_ >= most) return false;
  const std::size_t kept = used();
  const std::size_t more = std::max<std::size_t>(capacity_ / kGrowPart, kGrowBytes);
  const std::size_t wanted = std::min(std::max(capacity_ + more, kept + bytes), most);
  if (wanted <= capacity_ || wanted < kept + bytes || !recorder_.reserve(wanted - capacity_, this)) return false;
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted + key_bytes_);
  std::memcpy(larger.get() + wanted, key().data(), key_bytes_);
  const std::size_t older = wrapped() ? wrap_ - begin_ : 0;
  const std::size_t from = wrapped() ? 0 : begin_;
  if (older != 0) std::memcpy(larger.get(), data_.get() + begin_, older);
  if (kept != older) std::memcpy(larger.get() + older, data_.get() + from, kept - older);
  if (last_ != kNone) last_ = static_cast<std::uint16_t>(kept - (end_ - last_));
  recorder_.used_bytes_ += wanted - capacity_;
  data_ = std::move(larger);
  begin_ = wrap_ = 0;
  end_ = static_cast<std::uint16_t>(kept);
  capacity_ = limit_ = static_cast<std::uint16_t>(wanted);
  return true;
}

std::vector<FlightEntry> Flight::read(base::WallMs wall_offset_ms) const {
  std::vector<FlightEntry> out;
  const auto read_one = [&](std::size_t at) {
    const Header header = load(at);
    const char* const text = reinterpret_cast<const char*>(data_.get() + at + kHeaderBytes);
    FlightEntry entry;
    entry.at_ms = entry.last_ms = header.at_ms + wall_offset_ms;
    entry.direction = static_cast<Direction>(header.direction);
    entry.first_byte = header.first_byte;
    if (entry.direction != Direction::kEnd) entry.bytes = header.body_bytes + fixed_header_bytes(header.body_bytes);
    entry.packet_id = header.packet_id;
    entry.result = header.result;
    entry.topic.assign(text, std::min<std::size_t>(header.topic_kept, kTopicBytes));
    entry.topic_bytes = header.topic_kept;
    if (header.topic_kept > kTopicBytes) {
      std::uint16_t topic_bytes = 0;
      std::memcpy(&topic_bytes, text + kTopicBytes, kCutBytes);
      entry.topic_bytes = topic_bytes;
    }
    entry.payload.assign(text + header.topic_kept, header.payload_kept);
    if (header.first_byte != kPingreq) {
      out.push_back(std::move(entry));
      return header.size();
    }
    entry.last_ms += header.body_bytes;
    entry.count = header.packet_id;
    entry.packet_id = 0;
    entry.bytes = kPingBytes;
    out.push_back(entry);
    entry.direction = Direction::kOut;
    entry.first_byte = kPingresp;
    out.push_back(std::move(entry));
    return header.size();
  };
  for (std::size_t at = begin_; at < (wrapped() ? wrap_ : end_);) at += read_one(at);
  if (!wrapped()) return out;
  for (std::size_t at = 0; at < end_;) at += read_one(at);
  return out;
}

// ---- FlightRecorder ----

// Payloads that hold a secret, or a signature that is as good as one: connection.md 10 and 14, and what gateways say of
// the devices behind them.
base::ByteView FlightRecorder::beginning_of(std::string_view topic, base::ByteView payload) const {
  if (topic.starts_with("/ext/reg") || topic.starts_with("/ext/session/") || topic.ends_with("/thing/lifecycle") ||
      topic.find("/thing/sub/register") != std::string_view::npos ||
      topic.find("/thing/topo/") != std::string_view::npos ||
      topic.find("/thing/proxy/provisioning/") != std::string_view::npos) {
    return {};
  }
  return payload.first(std::min<std::size_t>(payload.size(), limits_.payload_bytes));
}

FlightRecorder::~FlightRecorder() {
  while (idle_.pop_front() != nullptr) {
  }
}

void FlightRecorder::set_limits(FlightLimits limits) {
  limits_ = limits;
  reserve(0, nullptr);
}

// Makes room by dropping records that nobody writes to. False: there is not enough.
bool FlightRecorder::reserve(std::uint64_t bytes, const Flight* asking) {
  while (used_bytes_ + bytes > limits_.total_bytes) {
    Flight* oldest = idle_.pop_front();
    if (oldest == nullptr) return false;
    if (oldest == asking) continue;
    drop(*oldest);
  }
  return true;
}

void FlightRecorder::drop(Flight& flight) {
  used_bytes_ -= kFixedBytes + flight.key_bytes_ + flight.capacity_;
  flights_.erase(flights_.find(flight.key()));
}

Flight* FlightRecorder::open(std::string_view key) {
  if (const auto found = flights_.find(key); found != flights_.end()) {
    Flight& known = **found;
    if (known.users_++ == 0) static_cast<base::ListHook<FlightListTag>&>(known).unlink();
    return &known;
  }
  const std::size_t capacity = std::min<std::size_t>(Flight::kFirstBytes, limits_.bytes_per_client);
  const std::uint64_t bytes = kFixedBytes + key.size() + capacity;
  if (!reserve(bytes, nullptr)) return nullptr;
  auto made = std::unique_ptr<Flight>(new Flight(*this, key, static_cast<std::uint16_t>(capacity)));
  Flight* const flight = made.get();
  flight->users_ = 1;
  used_bytes_ += bytes;
  flights_.insert({std::move(made), Hash{}(key)});
  return flight;
}

void FlightRecorder::close(Flight& flight) {
  if (--flight.users_ == 0) idle_.push_back(flight);
}

std::vector<FlightEntry> FlightRecorder::read(std::string_view key) const {
  const auto found = flights_.find(key);
  return found == flights_.end() ? std::vector<FlightEntry>() : (*found)->read(wall_offset_ms_);
}

std::string FlightRecorder::key_of_device(std::string_view product_key, std::string_view device_name) {
  return std::string("d").append(product_key).append(1, '\0').append(device_name);
}
std::string FlightRecorder::key_of_account(std::string_view account, std::string_view client_id) {
  return std::string("a").append(account).append(1, '\0').append(client_id);
}

}  // namespace mooring::journal
