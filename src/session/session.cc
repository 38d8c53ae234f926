#include "session/session.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "session/ring.h"

namespace mooring::session {

SessionKey device_session_key(std::string_view product_key, std::string_view device_name, std::uint32_t life) {
  SessionKey key;
  key.reserve(8 + product_key.size() + device_name.size());
  key.append(1, 'd').append(1, '\0').append(product_key).append(1, '\0').append(device_name);
  if (life == 0) return key;
  key.append(1, '\0');
  for (const int shift : {24, 16, 8, 0}) key.append(1, static_cast<char>((life >> shift) & 0xffU));
  return key;
}

struct Session::Messages {
  struct Waiting {
    mqtt::MessageRef message;
    std::uint8_t qos = 1;
  };

  Ring<InFlight> in_flight;  // in the order first sent (MQTT-4.6.0-1)
  Ring<Waiting> queue;
  std::uint64_t queued_bytes = 0;
  std::size_t unsent = 0;  // of in_flight, always the newest: nothing new is sent before they are

  bool holds(std::uint16_t packet_id) const {
    for (std::size_t i = 0; i < in_flight.size(); ++i) {
      if (in_flight[i].packet_id == packet_id) return true;
    }
    return false;
  }
};

Session::Session(SessionKey key, SessionLimits limits) : key_(std::move(key)), limits_(limits) {
  set_max_in_flight(limits.max_in_flight);
}

Session::~Session() = default;

void Session::set_max_in_flight(std::uint16_t max_in_flight) {
  // One identifier always stays free, so that the search for one ends.
  limits_.max_in_flight = std::clamp<std::uint16_t>(max_in_flight, 1, 65'534);
}

const SubscriptionRecord* Session::find_subscription(std::string_view filter) const {
  const auto at = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                               [filter](const SubscriptionRecord& record) { return record.filter == filter; });
  return at == subscriptions_.end() ? nullptr : &*at;
}

bool Session::subscribe(std::string_view filter, std::uint8_t qos) {
  const SubscriptionRecord* found = find_subscription(filter);
  if (found == nullptr) {
    subscriptions_.push_back({std::string(filter), qos});
    ++revision_;
    return true;
  }
  if (found->qos == qos) return false;
  subscriptions_[static_cast<std::size_t>(found - subscriptions_.data())].qos = qos;
  ++revision_;
  return true;
}

bool Session::unsubscribe(std::string_view filter) {
  const auto removed =
      std::erase_if(subscriptions_, [filter](const SubscriptionRecord& record) { return record.filter == filter; });
  if (removed > 0) ++revision_;
  return removed > 0;
}

SessionRecord Session::record() const {
  return {key_, subscriptions_};
}

void Session::restore(SessionRecord record) {
  subscriptions_ = std::move(record.subscriptions);
}

std::optional<std::uint16_t> Session::admit(const mqtt::MessageRef& message, std::uint8_t qos, bool connected) {
  Messages& all = messages();
  const bool window_open = all.in_flight.size() < limits_.max_in_flight && all.unsent == 0 && all.queue.empty();
  if (connected && window_open) {
    const std::uint16_t packet_id = take_packet_id();
    all.in_flight.push_back({message, packet_id, qos, true});
    return packet_id;
  }
  const std::size_t size_bytes = message->memory_bytes();
  if (all.queue.size() >= limits_.max_queued_messages || all.queued_bytes + size_bytes > limits_.max_queued_bytes) {
    drop_messages_if_empty();
    return std::nullopt;
  }
  all.queue.push_back({message, qos});
  all.queued_bytes += size_bytes;
  return std::uint16_t{0};
}

bool Session::acknowledge(std::uint16_t packet_id) {
  if (messages_ == nullptr) return false;
  Ring<InFlight>& in_flight = messages_->in_flight;
  for (std::size_t i = 0; i < in_flight.size(); ++i) {
    if (in_flight[i].packet_id != packet_id) continue;
    messages_->unsent -= in_flight[i].sent ? 0 : 1;
    in_flight.erase(i);
    drop_messages_if_empty();
    return true;
  }
  return false;
}

const InFlight* Session::next_to_resend() {
  if (messages_ == nullptr || messages_->unsent == 0) return nullptr;
  Ring<InFlight>& in_flight = messages_->in_flight;
  InFlight& next = in_flight[in_flight.size() - messages_->unsent];
  MOORING_ASSERT(!next.sent);
  next.sent = true;
  messages_->unsent -= 1;
  return &next;
}

const InFlight* Session::next_to_send() {
  if (messages_ == nullptr || messages_->queue.empty() || messages_->unsent > 0) return nullptr;
  if (messages_->in_flight.size() >= limits_.max_in_flight) return nullptr;
  Messages::Waiting next = messages_->queue.pop_front();
  messages_->queued_bytes -= next.message->memory_bytes();
  return &messages_->in_flight.push_back({std::move(next.message), take_packet_id(), next.qos, true});
}

void Session::connection_lost() {
  if (messages_ == nullptr) return;
  Ring<InFlight>& in_flight = messages_->in_flight;
  for (std::size_t i = 0; i < in_flight.size(); ++i) in_flight[i].sent = false;
  messages_->unsent = in_flight.size();
}

void Session::discard_messages() {
  messages_.reset();
}

std::size_t Session::in_flight_count() const {
  return messages_ == nullptr ? 0 : messages_->in_flight.size();
}
std::size_t Session::queued_count() const {
  return messages_ == nullptr ? 0 : messages_->queue.size();
}
std::uint64_t Session::queued_bytes() const {
  return messages_ == nullptr ? 0 : messages_->queued_bytes;
}
bool Session::has_state() const {
  return !subscriptions_.empty() || messages_ != nullptr;
}

// Identifiers go round 1..65535, past those in use (MQTT-2.3.1-1, MQTT-2.3.1-4). The window is smaller than the range.
std::uint16_t Session::take_packet_id() {
  do {
    last_packet_id_ = static_cast<std::uint16_t>(last_packet_id_ == 65'535 ? 1 : last_packet_id_ + 1);
  } while (messages_->holds(last_packet_id_));
  return last_packet_id_;
}

Session::Messages& Session::messages() {
  if (messages_ == nullptr) messages_ = std::make_unique<Messages>();
  return *messages_;
}

void Session::drop_messages_if_empty() {
  if (messages_->in_flight.empty() && messages_->queue.empty()) messages_.reset();
}

}  // namespace mooring::session
