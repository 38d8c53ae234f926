#include "journal/flight.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace mooring::journal {
namespace {

// What a record costs beside its packets: the object, its key, its place in the map.
constexpr std::uint64_t kFixedBytes = sizeof(Flight) + 96;
constexpr std::uint8_t kPingreq = 0xC0;
constexpr std::uint8_t kPingresp = 0xD0;
constexpr std::uint8_t kPublishType = 3;

struct Header {
  base::WallMs at_ms;
  std::uint32_t span_ms;
  std::uint32_t bytes;
  std::uint16_t packet_id;
  std::uint16_t count;
  std::uint16_t topic_bytes;  // as it was
  std::uint8_t first_byte;
  std::uint8_t direction;
  std::uint8_t result;
  std::uint8_t topic_kept;
  std::uint8_t payload_kept;
  std::uint8_t unused;
};
static_assert(sizeof(Header) == 32);
constexpr std::size_t kStored = Flight::kHeaderBytes;  // without the padding at the end
static_assert(offsetof(Header, unused) + 1 == kStored);

Header load(const std::uint8_t* at) {
  Header header{};
  std::memcpy(&header, at, kStored);
  return header;
}
void store(std::uint8_t* at, const Header& header) {
  std::memcpy(at, &header, kStored);
}
std::size_t size_of(const Header& header) {
  return kStored + header.topic_kept + header.payload_kept;
}

// Payloads that hold a secret by definition: connection.md 10 and 14.
bool carries_secret(std::string_view topic) {
  return topic.starts_with("/ext/reg") || topic.ends_with("/thing/lifecycle") ||
         topic.find("/thing/sub/register") != std::string_view::npos;
}

}  // namespace

void Flight::note(const FlightPacket& packet, base::WallMs now_ms) {
  if ((packet.first_byte == kPingreq || packet.first_byte == kPingresp) && merge_ping(packet, now_ms)) return;
  Header header{};
  header.at_ms = now_ms;
  header.bytes = packet.bytes;
  header.packet_id = packet.packet_id;
  header.count = 1;
  header.topic_bytes = static_cast<std::uint16_t>(std::min<std::size_t>(packet.topic.size(), 0xFFFF));
  header.first_byte = packet.first_byte;
  header.direction = static_cast<std::uint8_t>(packet.direction);
  header.result = packet.result;
  header.topic_kept = static_cast<std::uint8_t>(std::min(packet.topic.size(), kTopicBytes));
  const std::size_t wanted =
      packet.first_byte >> 4 == kPublishType ? recorder_.limits_.payload_bytes : kPayloadBytesMax;
  if (wanted != 0 && !packet.payload.empty() && !carries_secret(packet.topic)) {
    header.payload_kept = static_cast<std::uint8_t>(std::min({packet.payload.size(), wanted, kPayloadBytesMax}));
  }
  const std::size_t bytes = size_of(header);
  if (static_cast<std::size_t>(capacity_ - end_) < bytes && !make_room(bytes)) return;
  std::uint8_t* at = data_.get() + end_;
  store(at, header);
  std::memcpy(at + kStored, packet.topic.data(), header.topic_kept);
  if (header.payload_kept != 0)
    std::memcpy(at + kStored + header.topic_kept, packet.payload.data(), header.payload_kept);
  before_last_ = last_;
  last_ = end_;
  end_ = static_cast<std::uint16_t>(end_ + bytes);
  ++records_;
}

// A ping behind a ping, or behind the answer to one, is counted.
bool Flight::merge_ping(const FlightPacket& packet, base::WallMs now_ms) {
  if (records_ < 2) return false;
  for (const std::uint16_t place : {last_, before_last_}) {
    std::uint8_t* at = data_.get() + place;
    Header header = load(at);
    if (header.first_byte != kPingreq && header.first_byte != kPingresp) return false;
    if (header.first_byte != packet.first_byte) continue;
    if (header.count == 0xFFFF || now_ms < header.at_ms || now_ms - header.at_ms > 0xFFFF'FFFFLL) return false;
    ++header.count;
    header.span_ms = static_cast<std::uint32_t>(now_ms - header.at_ms);
    store(at, header);
    return true;
  }
  return false;
}

void Flight::set_last_result(std::uint8_t result) {
  if (records_ == 0) return;
  Header header = load(data_.get() + last_);
  header.result = result;
  store(data_.get() + last_, header);
}

// Grows while that is allowed; else the oldest quarter goes, at least as much as is needed.
bool Flight::make_room(std::size_t bytes) {
  const std::size_t used = end_ - begin_;
  const std::size_t most = std::min<std::size_t>(recorder_.limits_.bytes_per_client, 0xFFFF);
  if (used + bytes > capacity_ && capacity_ < most) {
    const std::size_t wanted = std::min(std::max({kFirstBytes, std::size_t{capacity_} * 2, used + bytes}), most);
    if (wanted >= used + bytes && recorder_.reserve(wanted - capacity_, this)) {
      auto larger = std::make_unique<std::uint8_t[]>(wanted);
      if (used != 0) std::memcpy(larger.get(), data_.get() + begin_, used);
      recorder_.used_bytes_ += wanted - capacity_;
      data_ = std::move(larger);
      capacity_ = static_cast<std::uint16_t>(wanted);
      last_ = static_cast<std::uint16_t>(last_ - begin_);
      before_last_ = static_cast<std::uint16_t>(before_last_ >= begin_ ? before_last_ - begin_ : last_);
      end_ = static_cast<std::uint16_t>(used);
      begin_ = 0;
      return true;
    }
  }
  if (bytes > capacity_) return false;
  const std::size_t free_wanted = std::max<std::size_t>(bytes, capacity_ / 4);
  while (begin_ < end_ && capacity_ - static_cast<std::size_t>(end_ - begin_) < free_wanted) {
    begin_ = static_cast<std::uint16_t>(begin_ + size_of(load(data_.get() + begin_)));
    --records_;
  }
  const std::size_t kept = end_ - begin_;
  std::memmove(data_.get(), data_.get() + begin_, kept);
  if (records_ > 0) {
    last_ = static_cast<std::uint16_t>(last_ - begin_);
    before_last_ = static_cast<std::uint16_t>(before_last_ >= begin_ ? before_last_ - begin_ : last_);
  } else {
    last_ = before_last_ = 0;
  }
  begin_ = 0;
  end_ = static_cast<std::uint16_t>(kept);
  return true;
}

std::vector<FlightEntry> Flight::read() const {
  std::vector<FlightEntry> out;
  for (std::size_t at = begin_; at < end_;) {
    const Header header = load(data_.get() + at);
    const char* text = reinterpret_cast<const char*>(data_.get() + at + kStored);
    FlightEntry entry;
    entry.at_ms = header.at_ms;
    entry.last_ms = header.at_ms + header.span_ms;
    entry.count = header.count;
    entry.direction = static_cast<Direction>(header.direction);
    entry.first_byte = header.first_byte;
    entry.bytes = header.bytes;
    entry.packet_id = header.packet_id;
    entry.result = header.result;
    entry.topic.assign(text, header.topic_kept);
    entry.topic_bytes = header.topic_bytes;
    entry.payload.assign(text + header.topic_kept, header.payload_kept);
    out.push_back(std::move(entry));
    at += size_of(header);
  }
  return out;
}

// ---- FlightRecorder ----

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
  used_bytes_ -= kFixedBytes + flight.key_.size() + flight.capacity_;
  flights_.erase(flights_.find(std::string_view(flight.key_)));
}

Flight* FlightRecorder::open(std::string_view key) {
  if (const auto found = flights_.find(key); found != flights_.end()) {
    Flight& known = *found->second;
    if (known.users_++ == 0) static_cast<base::ListHook<FlightListTag>&>(known).unlink();
    return &known;
  }
  if (!reserve(kFixedBytes + key.size() + Flight::kFirstBytes, nullptr)) return nullptr;
  auto made = std::unique_ptr<Flight>(new Flight(*this, std::string(key)));
  Flight* const flight = made.get();
  flight->users_ = 1;
  used_bytes_ += kFixedBytes + key.size();
  flights_.emplace(std::string_view(flight->key_), std::move(made));
  return flight;
}

void FlightRecorder::close(Flight& flight) {
  if (--flight.users_ == 0) idle_.push_back(flight);
}

std::vector<FlightEntry> FlightRecorder::read(std::string_view key) const {
  const auto found = flights_.find(key);
  return found == flights_.end() ? std::vector<FlightEntry>() : found->second->read();
}

void FlightRecorder::forget(std::string_view key) {
  const auto found = flights_.find(key);
  if (found == flights_.end() || found->second->users_ != 0) return;
  static_cast<base::ListHook<FlightListTag>&>(*found->second).unlink();
  drop(*found->second);
}

std::string FlightRecorder::key_of_device(std::string_view product_key, std::string_view device_name) {
  return std::string("d").append(product_key).append(1, '\0').append(device_name);
}
std::string FlightRecorder::key_of_account(std::string_view account, std::string_view client_id) {
  return std::string("a").append(account).append(1, '\0').append(client_id);
}

}  // namespace mooring::journal
