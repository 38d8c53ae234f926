#include "sim/model_client.h"

#include <algorithm>
#include <utility>

namespace mooring::sim {

using mqtt::PacketType;

ModelClient::ModelClient(World& world, std::string client_name, mqtt::Version its_version, bool keeps_session)
    : name(std::move(client_name)), version(its_version), keeps(keeps_session), world_(world) {
  options.version = version;
  options.clean_session = !keeps;
  options.session_expiry_s = keeps ? mqtt::kNeverExpires : 0;
}

void ModelClient::connect(bool clean) {
  if (connecting() || online()) disconnect(broker::OfflineReason::kConnectionReset);
  AccountOptions with = options;
  with.clean_session = clean || !keeps;
  clean_ = with.clean_session;
  resumed_ = false;
  todo_.clear();
  in_use_.clear();
  TestClient& who = world_.connect_account(name, with);
  now = &who;
  who.on_delivery = [this, &who](const Delivery& delivery) {
    if (now == &who) on_delivery(delivery);
  };
  who.on_ack = [this, &who](const SentAck& ack) {
    if (now == &who) on_ack(ack);
  };
}

void ModelClient::disconnect(broker::OfflineReason reason) {
  if (now != nullptr && (connecting() || online())) world_.disconnect(*now, reason);
  lost();
}

void ModelClient::lost() {
  now = nullptr;
  todo_.clear();
}

std::uint16_t ModelClient::free_id() {
  for (;;) {
    last_id_ = static_cast<std::uint16_t>(last_id_ % 100 + 1);  // used again soon: that is where mistakes would show
    const auto in_use = [this](std::size_t at) { return sent[at].packet_id == last_id_; };
    if (std::none_of(open_.begin(), open_.end(), in_use)) return last_id_;
  }
}

void ModelClient::publish(const std::string& topic, const std::string& payload, std::uint8_t qos, bool retain) {
  if (qos == 0) {
    world_.publish(*now, topic, payload, 0, retain);
    return;
  }
  const std::uint16_t id = free_id();
  sent.push_back({topic, payload, qos, id, Sent::Fate::kOpen});
  open_.push_back(sent.size() - 1);
  now->last_packet_id = static_cast<std::uint16_t>(id - 1);
  world_.publish(*now, topic, payload, qos, retain);
}

void ModelClient::subscribe(const World::Filters& filters) {
  now->last_packet_id = 20'000;
  world_.subscribe(*now, filters);
}

void ModelClient::unsubscribe(const std::string& filter) {
  now->last_packet_id = 30'000;
  world_.unsubscribe(*now, filter);
}

// After CONNACK: with a session, everything that is not complete is repeated in its order [MQTT-4.4.0-1]; without one,
// nobody can say what became of it.
void ModelClient::resume() {
  resumed_ = true;
  if (!now->attached->session_present) {
    for (const std::size_t at : open_) sent[at].fate = Sent::Fate::kUnknown;
    open_.clear();
    received_.clear();
    return;
  }
  for (const std::size_t at : std::deque<std::size_t>(open_)) {
    if (!online()) return;
    const Sent& one = sent[at];
    if (one.fate == Sent::Fate::kReleased) {
      world_.pubrel(*now, one.packet_id);
    } else {
      world_.repeat(*now, one.topic, one.payload, one.qos, one.packet_id);
    }
  }
}

bool ModelClient::work(std::size_t count) {
  if (!online()) return false;
  bool any = !resumed_;
  if (!resumed_) resume();
  while (count-- > 0 && !todo_.empty() && online()) {
    any = true;
    const Todo next = todo_.front();
    todo_.pop_front();
    switch (next.type) {
      case PacketType::kPuback:
        in_use_.erase(next.packet_id);
        world_.acknowledge(*now, next.packet_id);
        break;
      case PacketType::kPubrec:
        world_.pubrec(*now, next.packet_id);
        break;
      case PacketType::kPubrel:
        world_.pubrel(*now, next.packet_id);
        break;
      default:
        received_.erase(next.packet_id);
        in_use_.erase(next.packet_id);
        world_.pubcomp(*now, next.packet_id);
    }
  }
  return any;
}

void ModelClient::on_delivery(const Delivery& delivery) {
  // The session ended with the server's CONNACK: what it says now belongs to a new one.
  if (!resumed_ && !now->attached->session_present) received_.clear();
  const Heard what{delivery.topic, delivery.payload, delivery.qos, delivery.retain};
  if (delivery.qos > 0) {
    EXPECT_TRUE(in_use_.insert(delivery.packet_id).second) << name << ": identifier in use";
    todo_.push_back({delivery.qos == 1 ? PacketType::kPuback : PacketType::kPubrec, delivery.packet_id});
  }
  if (delivery.qos == 2 && !received_.insert(delivery.packet_id).second) {
    EXPECT_TRUE(delivery.dup) << name << ": a new message under an identifier that is not released";
    return;
  }
  heard.push_back(what);
  if (on_heard) on_heard(heard.back());
}

void ModelClient::end(std::uint16_t packet_id, Sent::Fate fate) {
  for (auto at = open_.begin(); at != open_.end(); ++at) {
    if (sent[*at].packet_id != packet_id) continue;
    sent[*at].fate = fate;
    if (fate != Sent::Fate::kReleased) open_.erase(at);
    return;
  }
}

void ModelClient::on_ack(const SentAck& ack) {
  if (!resumed_ && !now->attached->session_present) return;  // of nothing that it will remember
  const bool error = mqtt::is_error(ack.reason) && version == mqtt::Version::k5;
  switch (ack.type) {
    case PacketType::kPuback:
      end(ack.packet_id, error ? Sent::Fate::kRefused : Sent::Fate::kDone);
      break;
    case PacketType::kPubrec:
      end(ack.packet_id, error ? Sent::Fate::kRefused : Sent::Fate::kReleased);
      if (!error) todo_.push_back({PacketType::kPubrel, ack.packet_id});
      break;
    case PacketType::kPubcomp:
      end(ack.packet_id, Sent::Fate::kDone);
      break;
    default:  // PUBREL
      in_use_.insert(ack.packet_id);
      todo_.push_back({PacketType::kPubcomp, ack.packet_id});
  }
}

}  // namespace mooring::sim
