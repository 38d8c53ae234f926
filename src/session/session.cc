#include "session/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "mqtt/topic.h"

namespace mooring::session {
namespace {

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

}  // namespace

SessionKey device_session_key(std::string_view product_key, std::string_view device_name, std::uint32_t life) {
  SessionKey key;
  key.reserve(8 + product_key.size() + device_name.size());
  key.append(1, 'd').append(1, '\0').append(product_key).append(1, '\0').append(device_name);
  if (life == 0) return key;
  key.append(1, '\0');
  for (const int shift : {24, 16, 8, 0}) key.append(1, static_cast<char>((life >> shift) & 0xffU));
  return key;
}

SessionKey account_session_key(std::string_view account, std::uint32_t life, std::string_view client_id) {
  SessionKey key;
  key.reserve(7 + account.size() + client_id.size());
  key.append(1, 'a').append(1, '\0').append(account).append(1, '\0');
  for (const int shift : {24, 16, 8, 0}) key.append(1, static_cast<char>((life >> shift) & 0xffU));
  return key.append(client_id);
}

std::optional<base::DeviceKeyView> device_of_key(std::string_view key) {
  if (!key.starts_with(std::string_view("d\0", 2))) return std::nullopt;
  const std::string_view names = key.substr(2);
  const std::size_t end = names.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view rest = names.substr(end + 1);
  return base::DeviceKeyView(names.substr(0, end), rest.substr(0, rest.find('\0')));
}

std::optional<std::string_view> account_of_key(std::string_view key) {
  if (!key.starts_with('a')) return std::nullopt;
  const std::string_view rest = key.substr(std::min<std::size_t>(key.size(), 2));
  return rest.substr(0, rest.find('\0'));
}

std::string_view client_id_of_account_key(std::string_view account, std::string_view key) {
  return key.substr(std::min(key.size(), 7 + account.size()));
}

Session::Session(SessionKey key, SessionNumber number, std::uint64_t sequence, SessionLimits limits,
                 QueueTotals* totals)
    : number_(number), totals_(totals), next_sequence_(sequence + 65'535 - sequence % 65'535), key_(std::move(key)) {
  set_limits(limits);
}

Session::Session(SessionRecord record, std::uint64_t sequence, SessionLimits limits, QueueTotals* totals)
    : Session(std::move(record.key), record.number, sequence, limits, totals) {
  subscriptions_ = std::move(record.subscriptions);
  count_subscriptions();
  automatic_ = record.automatic;
  automatic_left_ = record.automatic_left;
  expiry_s = record.expiry_s;
  offline_since_ms = record.offline_since_ms;
  if (record.will) will = std::make_unique<WillRecord>(std::move(*record.will));
  standard_device = record.standard_device;
  durable_ = record.keeps_messages && record.expiry_s > 0;
  if (!durable_) return;
  backlog_ = true;
  backlog_until_ = next_sequence_ - 1;
  // Nobody knows which of them were sent before the server stopped: DUP tells the client that they may have been.
  sent_until_ = backlog_until_;
  measured_ = false;
}

Session::~Session() {
  discard_messages();
}

void Session::set_limits(const SessionLimits& limits) {
  limits_ = limits;
  // One identifier always stays free.
  limits_.max_in_flight = std::clamp<std::uint16_t>(limits.max_in_flight, 1, 65'534);
}

void Session::restart(SessionNumber number, bool with_subscriptions) {
  discard_messages();
  received_.reset();
  reading_ = page_is_stale_ = false;  // an answer to the old number finds nobody
  number_ = number;
  will.reset();
  if (with_subscriptions && (!subscriptions_.empty() || automatic_)) {
    subscriptions_.clear();
    count_subscriptions();
    automatic_ = false;
    automatic_left_ = 0;
    ++revision_;
  }
}

// ---- Subscriptions --------------------------------------------------------------------------------------------------

std::size_t Session::place_of(std::string_view filter) const {
  if (subscription_index_ != nullptr) {
    const auto found = subscription_index_->find(std::string(filter));
    return found == subscription_index_->end() ? kNowhere : found->second;
  }
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    if (subscriptions_[i].filter == filter) return i;
  }
  return kNowhere;
}

// After all of them changed.
void Session::count_subscriptions() {
  subscription_index_.reset();
  subscription_levels_ = 0;
  subscription_bytes_ = 0;
  if (subscriptions_.size() > kIndexedSubscriptions) {
    subscription_index_ = std::make_unique<boost::unordered_flat_map<std::string, std::size_t>>();
  }
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    const std::string& filter = subscriptions_[i].filter;
    subscription_levels_ += mqtt::level_count(filter);
    subscription_bytes_ += filter.size();
    if (subscription_index_ != nullptr) subscription_index_->emplace(filter, i);
  }
}

const SubscriptionRecord* Session::find_subscription(std::string_view filter) const {
  const std::size_t at = place_of(filter);
  return at == kNowhere ? nullptr : &subscriptions_[at];
}

bool Session::subscribe(SubscriptionRecord subscription) {
  const std::size_t at = place_of(subscription.filter);
  if (at != kNowhere) {
    if (subscriptions_[at] == subscription) return false;
    subscriptions_[at] = std::move(subscription);
    ++revision_;
    return true;
  }
  subscription_levels_ += mqtt::level_count(subscription.filter);
  subscription_bytes_ += subscription.filter.size();
  if (subscription_index_ != nullptr) subscription_index_->emplace(subscription.filter, subscriptions_.size());
  subscriptions_.push_back(std::move(subscription));
  if (subscription_index_ == nullptr && subscriptions_.size() > kIndexedSubscriptions) count_subscriptions();
  ++revision_;
  return true;
}

bool Session::unsubscribe(std::string_view filter) {
  const std::size_t at = place_of(filter);
  if (at == kNowhere) return false;
  const std::string gone = subscriptions_[at].filter;  // `filter` may be its own
  subscription_levels_ -= mqtt::level_count(gone);
  subscription_bytes_ -= gone.size();
  if (subscription_index_ == nullptr) {
    subscriptions_.erase(subscriptions_.begin() + static_cast<std::ptrdiff_t>(at));
  } else {
    subscription_index_->erase(gone);
    if (at + 1 != subscriptions_.size()) {
      subscriptions_[at] = std::move(subscriptions_.back());
      (*subscription_index_)[subscriptions_[at].filter] = at;
    }
    subscriptions_.pop_back();
    if (subscriptions_.empty()) subscription_index_.reset();
  }
  ++revision_;
  return true;
}

bool Session::give_automatic() {
  if (automatic_) return false;
  automatic_ = true;
  ++revision_;
  return true;
}

void Session::take_automatic() {
  if (!automatic_) return;
  automatic_ = false;
  automatic_left_ = 0;
  ++revision_;
}

bool Session::leave_automatic(std::size_t number) {
  if (!has_automatic(number)) return false;
  automatic_left_ |= std::uint64_t{1} << number;
  ++revision_;
  return true;
}

bool Session::join_automatic(std::size_t number) {
  if (!automatic_ || has_automatic(number)) return false;
  automatic_left_ &= ~(std::uint64_t{1} << number);
  ++revision_;
  return true;
}

SessionRecord Session::record() const {
  SessionRecord out;
  out.key = key_;
  out.number = number_;
  out.subscriptions = subscriptions_;
  out.expiry_s = expiry_s;
  out.offline_since_ms = offline_since_ms;
  out.keeps_messages = durable_;
  out.automatic = automatic_;
  out.automatic_left = automatic_left_;
  out.standard_device = standard_device;
  if (will != nullptr) out.will = *will;
  return out;
}

// ---- Messages towards the client: in --------------------------------------------------------------------------------

bool Session::exceeds_bounds(std::uint64_t more_bytes) const {
  return waiting_count_ >= limits_.max_queued_messages || waiting_bytes_ + more_bytes > limits_.max_queued_bytes;
}

bool Session::has_room() const {
  return connected_ && !backlog_ && all_sent() && unsent_ < limits_.max_in_flight &&
         in_flight_bytes_ < limits_.max_queued_bytes;
}

Session::Admission Session::admit(const Delivery& delivery) {
  const std::uint64_t bytes = delivery.message->memory_bytes();
  if (!has_room() && exceeds_bounds(bytes)) return {};
  const std::uint64_t sequence = next_sequence_++;
  count_waiting(bytes);
  const bool memory_full =
      outgoing_.size() - unsent_ >= kMaxWaitingInMemory || waiting_bytes_ > kMaxWaitingBytes + bytes;
  if (durable_ && (!connected_ || backlog_ || memory_full)) {
    if (!backlog_) backlog_from_ = sequence;
    backlog_ = true;
    backlog_until_ = sequence;
    return {true, sequence};
  }
  Outgoing& message = outgoing_.emplace_back();
  message.sequence = sequence;
  message.message = delivery.message;
  if (!delivery.subscription_ids.empty()) {
    message.subscription_ids.assign(delivery.subscription_ids.begin(), delivery.subscription_ids.end());
  }
  message.cost_bytes = static_cast<std::uint32_t>(bytes);
  message.qos = delivery.qos;
  message.retain = delivery.retain;
  message.counted = true;
  message.held = delivery.held;
  return {true, sequence};
}

void Session::storing(QueueItemRef item, routing::ReceiptRef receipt) {
  uncommitted_.push_back({std::move(item), std::move(receipt)});
}

bool Session::stored(std::uint64_t sequence) {
  const std::size_t index = find_uncommitted(sequence);
  if (index == kNowhere) return false;
  if (const routing::ReceiptRef receipt = std::move(uncommitted_[index].receipt)) receipt->settle();
  uncommitted_.erase(index);
  if (const std::size_t at = find_sequence(sequence); at != kNowhere) outgoing_[at].stored = true;
  park();
  return connected_;
}

void Session::store_failed(std::uint64_t sequence) {
  const std::size_t index = find_uncommitted(sequence);
  if (index == kNowhere) return;
  Uncommitted failed = std::move(uncommitted_[index]);
  uncommitted_.erase(index);
  if (failed.receipt) {
    failed.receipt->count({0, 1, true});
    failed.receipt->settle();
  }
  const std::size_t at = find_sequence(sequence);
  if (at == kNowhere) {
    if (backlog_ && sequence >= backlog_from_) uncount_waiting(failed.item->message->memory_bytes());
  } else if (outgoing_[at].progress == Outgoing::Progress::kWaiting) {
    remove_at(at);
  }
  park();
}

// ---- Messages towards the client: out -------------------------------------------------------------------------------

Outgoing* Session::next_to_send(bool only_stored) {
  if (unsent_ >= outgoing_.size()) return nullptr;
  Outgoing& next = outgoing_[unsent_];
  // 65,535 messages ago, or before the server was restarted, one was sent that is not complete yet [MQTT-2.2.1-4].
  if (next.sequence - outgoing_.front().sequence >= 65'535 && is_in_flight(next.packet_id())) return nullptr;
  if (!leaving_.empty() && std::find(leaving_.begin(), leaving_.end(), next.packet_id()) != leaving_.end()) {
    return nullptr;
  }
  if (lent_ != nullptr && lent_->has(next.packet_id())) return nullptr;
  if (next.progress == Outgoing::Progress::kReleased) return durable_ && !next.stored ? nullptr : &next;
  if (unsent_ >= limits_.max_in_flight || next.held) return nullptr;
  // A client that reads and never acknowledges: what it holds here has a bound in bytes as well.
  if (unsent_ > 0 && in_flight_bytes_ + next.cost_bytes > limits_.max_queued_bytes) return nullptr;
  if (next.progress == Outgoing::Progress::kSent) return &next;
  if ((next.qos == 2 || only_stored) && durable_ && !next.stored) return nullptr;
  return &next;
}

void Session::sent_next() {
  Outgoing& sent = outgoing_[unsent_];
  if (sent.progress == Outgoing::Progress::kWaiting) sent.progress = Outgoing::Progress::kSent;
  uncount(sent);
  if (sent.progress != Outgoing::Progress::kReleased) in_flight_bytes_ += sent.cost_bytes;
  ++unsent_;
}

void Session::let_go(std::uint64_t sequence, bool give_up) {
  const std::size_t index = find_sequence(sequence);
  if (index == kNowhere || !outgoing_[index].held) return;
  if (give_up) {
    remove_at(index);
  } else {
    outgoing_[index].held = false;
  }
}

// Of a message that was sent on this connection.
void Session::leave_window(const Outgoing& message) {
  in_flight_bytes_ -= std::min<std::uint64_t>(in_flight_bytes_, message.cost_bytes);
}

Session::Removed Session::drop_next() {
  return remove_at(unsent_);
}

Session::Removed Session::acknowledge(std::uint16_t packet_id) {
  const std::size_t index = find_in_window(packet_id);
  if (index == kNowhere || outgoing_[index].qos != 1) return {};
  return remove_at(index);
}

Session::Removed Session::complete(std::uint16_t packet_id) {
  const std::size_t index = find_in_window(packet_id);
  if (index == kNowhere || outgoing_[index].progress != Outgoing::Progress::kReleased) return {};
  return leave(index);
}

Session::Removed Session::reject(std::uint16_t packet_id) {
  const std::size_t index = find_in_window(packet_id);
  if (index == kNowhere || outgoing_[index].qos != 2) return {};
  return leave(index);
}

Session::Removed Session::leave(std::size_t index) {
  const Removed removed = remove_at(index);
  if (removed.from_store) leaving_.push_back(packet_id_of(removed.sequence));
  return removed;
}

void Session::left(std::uint64_t sequence) {
  const auto found = std::find(leaving_.begin(), leaving_.end(), packet_id_of(sequence));
  if (found != leaving_.end()) leaving_.erase(found);
}

Session::Release Session::release(std::uint16_t packet_id, std::uint64_t& sequence) {
  const std::size_t index = find_in_window(packet_id);
  if (index == kNowhere || outgoing_[index].qos != 2) return Release::kUnknown;
  Outgoing& message = outgoing_[index];
  sequence = message.sequence;
  if (message.progress == Outgoing::Progress::kReleased) {
    return durable_ && !message.stored ? Release::kUnderWay : Release::kNow;
  }
  if (index < unsent_) leave_window(message);
  message.progress = Outgoing::Progress::kReleased;
  message.message = mqtt::MessageRef();
  if (!durable_) return Release::kNow;
  message.stored = false;
  return Release::kStore;
}

std::optional<std::uint16_t> Session::released(std::uint64_t sequence) {
  const std::size_t index = find_sequence(sequence);
  if (index == kNowhere) return std::nullopt;
  outgoing_[index].stored = true;
  park();
  if (!connected_ || index >= unsent_) return std::nullopt;
  return packet_id_of(sequence);
}

void Session::connection_made() {
  connected_ = true;
}

void Session::connection_lost() {
  connected_ = false;
  lent_.reset();
  unsent_ = 0;
  in_flight_bytes_ = 0;
  if (reading_) page_is_stale_ = true;
  park();
}

void Session::discard_messages() {
  while (!uncommitted_.empty()) {
    const Uncommitted gone = uncommitted_.pop_front();
    gone.item->withdraw();
    if (gone.receipt) gone.receipt->settle();
  }
  uncommitted_.clear();
  leaving_.clear();
  outgoing_.clear();
  unsent_ = 0;
  in_flight_bytes_ = 0;
  backlog_ = false;
  if (reading_) page_is_stale_ = true;
  measured_ = true;
  set_waiting(0, 0);
}

// ---- The backlog ----------------------------------------------------------------------------------------------------

// The newest in memory that went out on some connection; they are the oldest there.
std::uint64_t Session::last_sent() const {
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < outgoing_.size() && outgoing_[i].progress != Outgoing::Progress::kWaiting; ++i) {
    last = outgoing_[i].sequence;
  }
  return last;
}

// Everything is on disk and the client is gone: nothing of it has to stay in memory.
void Session::park() {
  if (connected_ || !durable_ || !uncommitted_.empty() || outgoing_.empty()) return;
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    const Outgoing& message = outgoing_[i];
    if (message.progress == Outgoing::Progress::kReleased && !message.stored) return;
    // What was begun goes on although it expires meanwhile; the store would drop it.
    if (message.progress == Outgoing::Progress::kSent && message.message->expires_at_ms() != 0) return;
  }
  const std::uint64_t first = outgoing_.front().sequence;
  backlog_from_ = backlog_ ? std::min(backlog_from_, first) : first;
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    const Outgoing& message = outgoing_[i];
    backlog_until_ = std::max(backlog_until_, message.sequence);
    if (!message.counted) count_waiting(message.cost_bytes);
  }
  sent_until_ = std::max(sent_until_, last_sent());
  backlog_ = true;
  outgoing_.clear();
}

// Of those that will have to be read back; everything before it can be read.
std::uint64_t Session::first_uncommitted_on_disk() const {
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < uncommitted_.size(); ++i) {
    const std::uint64_t sequence = uncommitted_[i].item->sequence;
    if (sequence >= backlog_from_) first = std::min(first, sequence);
  }
  return first;
}

std::optional<std::uint64_t> Session::page_wanted() const {
  if (!connected_ || !backlog_ || reading_ || outgoing_.size() - unsent_ >= kLowWaiting) return std::nullopt;
  if (first_uncommitted_on_disk() <= backlog_from_) return std::nullopt;
  return backlog_from_;
}

void Session::page_requested() {
  reading_ = true;
  page_limit_ = std::min(first_uncommitted_on_disk(), backlog_until_ + 1);
}

void Session::page_failed() {
  reading_ = false;
  page_is_stale_ = false;
}

void Session::add_page(SessionStore::Page page) {
  reading_ = false;
  if (std::exchange(page_is_stale_, false) || !backlog_) return;
  // What was not committed when the page was asked for may be missing in it while a later message is not.
  bool at_limit = page.at_end;
  for (StoredMessage& stored : page.messages) {
    at_limit |= stored.sequence >= page_limit_;
    if (stored.sequence >= page_limit_) break;
    Outgoing message;
    message.sequence = stored.sequence;
    message.cost_bytes = static_cast<std::uint32_t>(stored.message ? stored.message->memory_bytes() : 0);
    message.message = std::move(stored.message);
    message.subscription_ids = std::move(stored.subscription_ids);
    message.qos = stored.qos;
    message.retain = stored.retain;
    message.stored = true;
    message.counted = true;
    if (stored.released) {
      message.progress = Outgoing::Progress::kReleased;
      message.message = mqtt::MessageRef();
    } else if (stored.sequence <= sent_until_) {
      message.progress = Outgoing::Progress::kSent;
    }
    backlog_from_ = message.sequence + 1;
    outgoing_.push_back(std::move(message));
  }
  if (at_limit) backlog_from_ = std::max(backlog_from_, page_limit_);
  if (backlog_from_ <= backlog_until_) return;
  backlog_ = false;
  count_again();
}

// What expired on disk was never taken off the count.
void Session::count_again() {
  set_waiting(0, 0);
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    if (outgoing_[i].counted) count_waiting(outgoing_[i].cost_bytes);
  }
}

bool Session::forget_counts() {
  if (connected_ || !backlog_ || !outgoing_.empty() || !uncommitted_.empty()) return false;
  set_waiting(0, 0);
  measured_ = false;
  return true;
}

void Session::measured(const QueueSize& size) {
  if (!backlog_) return;
  const auto found = static_cast<std::uint32_t>(std::min<std::uint64_t>(size.messages, 0xFFFF'FFFF - waiting_count_));
  set_waiting(waiting_count_ + found, waiting_bytes_ + size.bytes);
}

// ---- Small things ---------------------------------------------------------------------------------------------------

std::size_t Session::in_flight_count() const {
  return unsent_;
}

bool Session::has_state() const {
  return !subscriptions_.empty() || automatic_ || !outgoing_.empty() || backlog_ || received_count() > 0;
}

// Only what has been sent has an identifier that the client knows.
std::size_t Session::find_in_window(std::uint16_t packet_id) const {
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    const Outgoing& message = outgoing_[i];
    if (message.progress == Outgoing::Progress::kWaiting) return kNowhere;  // so are all behind it
    if (message.packet_id() == packet_id) return i;
  }
  return kNowhere;
}

// Far from those that the session uses next, so that it hardly ever has to wait for one.
std::uint16_t Session::lend_packet_id() {
  if (lent_ == nullptr) lent_ = std::make_unique<Lent>();
  MOORING_ASSERT(lent_->ids.size() < kLentMax);
  const auto is_used = [this](std::uint16_t id) {
    return lent_->has(id) || std::find(leaving_.begin(), leaving_.end(), id) != leaving_.end() || is_in_flight(id);
  };
  const std::uint64_t first = next_sequence_ + 32'768 + lent_->before++ % 16'384;
  std::uint64_t at = first;
  while (is_used(packet_id_of(at))) {
    ++at;
    MOORING_ASSERT(at < first + 65'535);
  }
  const std::uint16_t id = packet_id_of(at);
  lent_->ids.push_back(id);
  return id;
}

void Session::return_packet_id(std::uint16_t packet_id) {
  if (lent_ != nullptr) std::erase(lent_->ids, packet_id);
}

// On this connection.
bool Session::is_in_flight(std::uint16_t packet_id) const {
  for (std::size_t i = 0; i < unsent_; ++i) {
    if (outgoing_[i].packet_id() == packet_id) return true;
  }
  return false;
}

std::size_t Session::find_sequence(std::uint64_t sequence) const {
  std::size_t low = 0;
  std::size_t high = outgoing_.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (outgoing_[middle].sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < outgoing_.size() && outgoing_[low].sequence == sequence ? low : kNowhere;
}

// Commits come in the order of the ring nearly always: the first one it is.
std::size_t Session::find_uncommitted(std::uint64_t sequence) const {
  for (std::size_t i = 0; i < uncommitted_.size(); ++i) {
    if (uncommitted_[i].item->sequence == sequence) return i;
  }
  return kNowhere;
}

Session::Removed Session::remove_at(std::size_t index) {
  Removed removed;
  removed.found = true;
  Outgoing& leaving = outgoing_[index];
  removed.sequence = leaving.sequence;
  removed.message = std::move(leaving.message);
  uncount(leaving);
  if (index < unsent_ && leaving.progress != Outgoing::Progress::kReleased) leave_window(leaving);
  outgoing_.erase(index);
  if (index < unsent_) --unsent_;
  if (outgoing_.empty()) outgoing_.free_if_large();
  removed.from_store = durable_ && leave_store(removed.sequence);
  return removed;
}

// False: it was withdrawn before it was written.
bool Session::leave_store(std::uint64_t sequence) {
  const std::size_t index = find_uncommitted(sequence);
  if (index == kNowhere) return true;
  Uncommitted& leaving = uncommitted_[index];
  if (const routing::ReceiptRef receipt = std::move(leaving.receipt)) receipt->settle();
  if (!leaving.item->withdraw()) return true;
  uncommitted_.erase(index);
  return false;
}

void Session::set_waiting(std::uint32_t messages, std::uint64_t bytes) {
  if (totals_ != nullptr) {
    totals_->messages += std::uint64_t{messages} - waiting_count_;  // modulo 2^64
    totals_->bytes += bytes - waiting_bytes_;
  }
  waiting_count_ = messages;
  waiting_bytes_ = bytes;
}

void Session::count_waiting(std::uint64_t bytes) {
  set_waiting(waiting_count_ + 1, waiting_bytes_ + bytes);
}

void Session::uncount_waiting(std::uint64_t bytes) {
  set_waiting(waiting_count_ - (waiting_count_ > 0 ? 1 : 0), waiting_bytes_ - std::min(bytes, waiting_bytes_));
}

void Session::uncount(Outgoing& message) {
  if (std::exchange(message.counted, false)) uncount_waiting(message.cost_bytes);
}

std::optional<Session::Received> Session::received(std::uint16_t packet_id) const {
  if (received_ == nullptr) return std::nullopt;
  const auto found = received_->find(packet_id);
  return found == received_->end() ? std::nullopt : std::optional(found->second);
}

void Session::set_received(std::uint16_t packet_id, Received state) {
  if (received_ == nullptr) received_ = std::make_unique<boost::unordered_flat_map<std::uint16_t, Received>>();
  (*received_)[packet_id] = state;
}

void Session::erase_received(std::uint16_t packet_id) {
  if (received_ == nullptr) return;
  received_->erase(packet_id);
  if (received_->empty()) received_.reset();
}

}  // namespace mooring::session
