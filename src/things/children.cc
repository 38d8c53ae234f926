#include "things/children.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "routing/device_topic.h"
#include "things/alink.h"
#include "things/login.h"

namespace mooring::things {
namespace {

using Kind = ChildOutput::Kind;
using mqtt::ReasonCode;

// connection.md 9.3: what the gateway is told when the server ends a child's session.
int code_of(broker::CloseCause cause) {
  switch (cause) {
    case broker::CloseCause::kTakenOver:
      return 427;
    case broker::CloseCause::kDisabled:
      return 522;
    case broker::CloseCause::kDeleted:
      return 521;
    case broker::CloseCause::kTopologyGone:
      return 6401;
    default:
      return 520;
  }
}

}  // namespace

Children::Children(const ChildrenParts& parts, broker::Client& client, std::uint64_t link_number)
    : parts_(parts), client_(client), link_(std::make_shared<ChildLink>(link_number, parts.loop, client)) {
  link_->children = this;
}

Children::~Children() {
  link_->children = nullptr;
}

const Children::Child* Children::find(Number number) const {
  const auto found = children_.find(number);
  return found == children_.end() ? nullptr : &found->second;
}

Children::Number Children::add_child(const base::DeviceKey& device, const std::shared_ptr<Login>& login) {
  const Number number = ++last_number_;
  children_[number] = {device, parts_.hosts.home_of(device), login};
  by_device_[device] = number;
  return number;
}

// What is still open for it will not be answered by anybody else.
void Children::remove_child(Number number) {
  const auto found = children_.find(number);
  if (found == children_.end()) return;
  by_device_.erase(found->second.device);
  children_.erase(found);
  const auto theirs = [number](const auto& one) { return one.child == number; };
  std::vector<std::uint64_t> unanswered;
  for (const PendingAck& ack : acks_) {
    if (theirs(ack)) unanswered.push_back(ack.ack);
  }
  std::erase_if(acks_, theirs);
  // MQTT 3.x has no word for it: the gateway will repeat the message.
  const auto reason = client_.speaks_v5() ? std::optional(ReasonCode::kUnspecifiedError) : std::nullopt;
  for (const std::uint64_t ack : unanswered) parts_.broker.answer(client_, ack, reason);
  const auto first =
      std::stable_partition(filters_.begin(), filters_.end(), [&](const PendingFilters& one) { return !theirs(one); });
  std::vector<PendingFilters> filters(std::make_move_iterator(first), std::make_move_iterator(filters_.end()));
  filters_.erase(first, filters_.end());
  for (PendingFilters& one : filters) {
    one.answered(std::vector<ReasonCode>(one.count, ReasonCode::kUnspecifiedError));
  }
  drop_waiting(number);
}

void Children::drop_waiting(Number number) {
  std::erase_if(waiting_, [&](const ChildOutput& output) {
    if (output.child != number) return false;
    link_->down_bytes -= output.message->memory_bytes();
    return true;
  });
  tell_if_room();
}

bool Children::is_owed_acks(Number number) const {
  return std::any_of(acks_.begin(), acks_.end(), [number](const PendingAck& ack) { return ack.child == number; });
}

// A gateway logs a child out right behind the child's last message, and is to have its acknowledgement all the same.
void Children::sign_out(Number number) {
  const auto found = children_.find(number);
  if (found == children_.end()) return;
  if (is_owed_acks(number)) {
    found->second.logged_out = true;
    drop_waiting(number);
    return;
  }
  post(found->second,
       [id = id_of(number)](ChildHost& host) { host.leave(id, broker::OfflineReason::kDeviceDisconnect); });
  remove_child(number);
}

bool Children::listens(Number number) const {
  const Child* child = find(number);
  return child != nullptr && !child->logged_out;
}

Children::Number Children::owner_of(std::string_view topic) const {
  const auto device = routing::device_of_topic(topic);
  if (!device) return kNobody;
  const auto found = by_device_.find(*device);
  if (found == by_device_.end()) return kNobody;
  const Child* child = find(found->second);
  return child->login == nullptr && !child->logged_out ? found->second : kNobody;
}

void Children::publish(Number number, const mqtt::Publish& packet, std::uint64_t ack) {
  if (ack != 0) acks_.push_back({number, packet.packet_id, ack});
  OwnedPublish message(packet);
  const std::size_t bytes = message.bytes();
  const std::size_t before = link_->up_bytes.fetch_add(bytes);
  post(*find(number),
       [link = link_, number, message = std::move(message)](ChildHost& host) { host.publish(link, number, message); });
  if (before + bytes <= ChildLink::kUpBytesMax || holds_input_) return;
  holds_input_ = true;
  parts_.broker.hold_input(client_);
  link_->held = true;
  // The children's loops may have taken everything before they could know that somebody waits.
  if (link_->up_bytes <= ChildLink::kUpBytesMax / 2 && link_->held.exchange(false)) read_again();
}

void Children::read_again() {
  if (!std::exchange(holds_input_, false)) return;
  parts_.broker.release_input(client_);
}

// Names a request among those of its child that wait.
std::uint16_t Children::new_token() {
  const auto is_used = [this](std::uint16_t token) {
    return std::any_of(filters_.begin(), filters_.end(),
                       [token](const PendingFilters& one) { return one.packet_id == token; });
  };
  do ++last_token_;
  while (last_token_ == 0 || is_used(last_token_));
  return last_token_;
}

void Children::subscribe(Number number, std::span<const mqtt::SubscribeEntry> entries, std::uint32_t subscription_id,
                         Answered answered) {
  const std::uint16_t token = new_token();
  filters_.push_back({number, token, entries.size(), std::move(answered)});
  post(*find(number), [id = id_of(number), token, filters = OwnedFilters(entries), subscription_id](ChildHost& host) {
    host.subscribe(id, token, filters, subscription_id);
  });
}

void Children::unsubscribe(Number number, std::span<const std::string_view> filters, Answered answered) {
  const std::uint16_t token = new_token();
  filters_.push_back({number, token, filters.size(), std::move(answered)});
  post(*find(number), [id = id_of(number), token, owned = OwnedFilters(filters)](ChildHost& host) {
    host.unsubscribe(id, token, owned);
  });
}

void Children::acknowledge_at_home(Number number, std::uint16_t packet_id) {
  const Child* child = find(number);
  if (child == nullptr) return;
  post(*child, [id = id_of(number), packet_id](ChildHost& host) { host.acknowledged(id, packet_id); });
}

bool Children::acknowledged(const mqtt::Ack& packet) {
  const auto found = relayed_.find(packet.packet_id);
  if (found == relayed_.end()) return false;
  const Relayed relayed = found->second;
  relayed_.erase(found);
  acknowledge_at_home(relayed.child, relayed.packet_id);
  parts_.broker.return_packet_id(client_, packet.packet_id);
  deliver_waiting();
  tell_if_room();
  return true;
}

void Children::resume() {
  link_->congested = client_.sink->congested();
  deliver_waiting();
  tell_if_room();
}

// Children that were told to wait, if they need not any more: at half of the bound, for all of them are told.
void Children::tell_if_room() {
  if (client_.sink == nullptr || client_.sink->congested() || link_->down_bytes > ChildLink::kDownBytesMax / 2) return;
  if (!link_->waits.exchange(false)) return;
  boost::unordered_flat_map<session::LoopId, std::vector<Number>> of_loop;
  for (const auto& [number, child] : children_) of_loop[child.home].push_back(number);
  for (auto& [home, numbers] : of_loop) {
    parts_.hosts.post(
        home, [numbers = std::move(numbers), link = link_->number](ChildHost& host) { host.resume(numbers, link); });
  }
}

void Children::end() {
  link_->children = nullptr;
  for (const auto& [number, child] : children_) {
    post(child, [id = id_of(number)](ChildHost& host) { host.leave(id, broker::OfflineReason::kGatewayOffline); });
  }
  children_.clear();
  by_device_.clear();
  checks_.clear();
  acks_.clear();
  filters_.clear();
  waiting_.clear();
  relayed_.clear();
}

// ---- From the children's home loops ---------------------------------------------------------------------------------

void Children::take(std::vector<ChildOutput> outputs) {
  for (ChildOutput& output : outputs) {
    take_one(output);
    if (link_->children == nullptr) return;  // the connection has ended meanwhile
  }
  if (client_.sink != nullptr && client_.sink->congested()) link_->congested = true;
  tell_if_room();
}

void Children::take_one(ChildOutput& output) {
  switch (output.kind) {
    case Kind::kChecked:
      on_checked(output);
      return;
    case Kind::kJoined:
      on_joined(output);
      return;
    case Kind::kPublish:
      deliver(output);
      return;
    case Kind::kAck:
      answer(output, output.reason);
      return;
    case Kind::kDropped:
      answer(output, std::nullopt);
      return;
    case Kind::kSuback:
      answer_filters(output);
      return;
    case Kind::kClosed:
      on_closed(output);
      return;
  }
}

void Children::send(const ChildOutput& output, std::uint8_t qos, std::uint16_t packet_id) {
  client_.sink->send_publish(
      {output.message, qos, qos > 0 && output.dup, output.retain, packet_id, output.subscription_ids});
}

void Children::deliver(ChildOutput& output) {
  if (output.qos > 0 && listens(output.child)) {
    waiting_.push_back(std::move(output));
    deliver_waiting();
    return;
  }
  link_->down_bytes -= output.message->memory_bytes();
  // It was logged out meanwhile; or the gateway does not read.
  if (!listens(output.child) || client_.sink == nullptr || client_.sink->congested()) return;
  send(output, 0, 0);
}

// A gateway that takes one message at a time leaves no room for those of its children: they get them with QoS 0.
void Children::deliver_waiting() {
  const bool lends = parts_.broker.lendable_packet_ids(client_) > 0;
  while (!waiting_.empty() && client_.sink != nullptr && !client_.sink->congested()) {
    const auto packet_id = lends ? parts_.broker.lend_packet_id(client_) : std::nullopt;
    if (lends && !packet_id) return;
    const ChildOutput output = std::move(waiting_.front());
    waiting_.pop_front();
    link_->down_bytes -= output.message->memory_bytes();
    if (packet_id) {
      relayed_[*packet_id] = {output.child, output.packet_id};
      send(output, 1, *packet_id);
    } else {
      send(output, 0, 0);
      acknowledge_at_home(output.child, output.packet_id);
    }
  }
}

void Children::answer(const ChildOutput& output, std::optional<ReasonCode> reason) {
  const auto found = std::find_if(acks_.begin(), acks_.end(), [&](const PendingAck& one) {
    return one.child == output.child && one.packet_id == output.packet_id;
  });
  if (found == acks_.end()) return;
  const std::uint64_t ack = found->ack;
  acks_.erase(found);
  parts_.broker.answer(client_, ack, reason);
  const Child* child = find(output.child);
  if (child != nullptr && child->logged_out) sign_out(output.child);
}

void Children::answer_filters(const ChildOutput& output) {
  const auto found = std::find_if(filters_.begin(), filters_.end(), [&](const PendingFilters& one) {
    return one.child == output.child && one.packet_id == output.packet_id;
  });
  if (found == filters_.end()) return;
  Answered answered = std::move(found->answered);
  filters_.erase(found);
  answered(output.codes);
}

// The server ended it: the gateway's connection stays, and the gateway is told.
void Children::on_closed(const ChildOutput& output) {
  const Child* known = find(output.child);
  if (known == nullptr) return;
  // As for a device that is connected itself: what it sent has to come again in its order, and MQTT 3.x is not told.
  if (output.cause == broker::CloseCause::kStoreFailed && !client_.speaks_v5()) {
    parts_.broker.close_client(client_, output.cause);
    return;
  }
  const base::DeviceKey device = known->device;
  const std::shared_ptr<Login> login = known->login;
  const bool logged_out = known->logged_out;
  const int code = code_of(output.cause);
  remove_child(output.child);
  if (login != nullptr) {
    --login->left;
    fail(*login, code, device);
    if (login->left == 0) finish(login);
  } else if (!logged_out && !is_leaving(device)) {
    push_error(code, device);
  }
}

void Children::push_error(int code, const base::DeviceKey& child) {
  const base::DeviceKey gateway = client_.device().copy();
  base::log_info("things", "{}: told of its child {}/{}: {} ({})", client_.label(),
                 base::printable(child.product_key, 64), base::printable(child.device_name, 64),
                 auth::child_refusal(code).text, code);
  parts_.broker.push(client_, "/ext/error/" + gateway.product_key + "/" + gateway.device_name,
                     session_error(std::to_string(++errors_told_), code, auth::child_refusal(code).text, child));
}

void Children::set_leaving(const std::vector<base::DeviceKey>& children, bool leaving) {
  for (const base::DeviceKey& child : children) {
    if (leaving) {
      leaving_.insert(child);
    } else {
      leaving_.erase(child);
    }
  }
}

}  // namespace mooring::things
