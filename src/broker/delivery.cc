// The way of a message: permission, routes, sessions, sinks.
#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "mqtt/topic.h"
#include "routing/device_topic.h"

namespace mooring::broker {
namespace {
// A device in a tight loop of forbidden publishes must not fill the log: the first ones are told, then every 1,000th.
bool worth_a_line(std::uint64_t count) {
  return count <= 5 || count % 1000 == 0;
}
}  // namespace

void Broker::publish(Client& client, const mqtt::Publish& packet) {
  if (client.authorizer->may_publish(packet.topic) != Authorizer::Verdict::kAllowed) {
    ++counters_.refused_publishes;
    if (worth_a_line(++client.refused_publishes)) {
      base::log_info("broker", "{}/{}: publish to '{}' refused: No authorization (9236), {} so far",
                     client.info.device.product_key, client.info.device.device_name, base::printable(packet.topic, 160),
                     client.refused_publishes);
    }
  } else {
    ++counters_.published;
    route(packet, &client);
  }
  // A refused publish is acknowledged as well: firmware would repeat it for ever (connection.md 13).
  if (packet.qos > 0 && client.connected()) client.sink->send_puback(packet.packet_id);
}

void Broker::publish_internal(std::string_view topic, std::string_view payload, std::uint8_t qos) {
  ++counters_.published;
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = base::as_bytes(payload);
  packet.qos = qos;
  route(packet, nullptr);
}

void Broker::route(const mqtt::Publish& packet, const Client* from) {
  match_local(packet.topic);
  if (from != nullptr && from->session != nullptr && from->session->routed == route_number_ &&
      !may_hear_itself(*from, packet.topic)) {
    std::erase_if(targets_, [&](const Target& target) { return target.session == from->session; });
  }
  match_remote(packet.topic);
  if (targets_.empty() && remote_targets_.empty()) return;  // nobody listens: no message is made
  const mqtt::MessageRef message = mqtt::Message::create(packet.topic, packet.payload, packet.qos, packet.retain);
  if (!remote_targets_.empty()) parts_.bus.publish(message, remote_targets_);
  deliver_to_targets(message);
}

// A device's own publish comes back only on a topic that it may subscribe to as such: its "/user/#" does not make it
// hear what it reports (connection.md 13).
bool Broker::may_hear_itself(const Client& from, std::string_view topic) const {
  return from.info.kind != ClientKind::kDevice ||
         from.authorizer->may_subscribe(topic) == Authorizer::Verdict::kAllowed;
}

void Broker::on_remote_message(const mqtt::MessageRef& message) {
  match_local(message->topic());
  deliver_to_targets(message);
}

void Broker::match_local(std::string_view topic) {
  ++route_number_;
  targets_.clear();
  if (!devices_.empty()) {
    if (const auto device = routing::device_of_topic(topic)) {
      if (const auto found = devices_.find(*device); found != devices_.end()) {
        for (const session::SubscriptionRecord& subscription : found->second->session->subscriptions()) {
          if (mqtt::matches(subscription.filter, topic)) add_target(*found->second, subscription.qos);
        }
      }
    }
  }
  if (local_trie_.entry_count() == 0) return;
  matches_.clear();
  local_trie_.match(topic, matches_);
  for (const routing::Match& match : matches_) add_target(*by_id_[match.subscriber], match.qos);
}

void Broker::match_remote(std::string_view topic) {
  remote_targets_.clear();
  if (!remote_devices_.empty()) {
    if (const auto device = routing::device_of_topic(topic)) {
      if (const auto found = remote_devices_.find(*device); found != remote_devices_.end()) {
        remote_targets_.push_back(found->second);
      }
    }
  }
  if (remote_trie_.entry_count() == 0) return;
  matches_.clear();
  remote_trie_.match(topic, matches_);
  for (const routing::Match& match : matches_) {
    const auto loop = static_cast<routing::LoopId>(match.subscriber);
    if (std::find(remote_targets_.begin(), remote_targets_.end(), loop) == remote_targets_.end()) {
      remote_targets_.push_back(loop);
    }
  }
}

// Overlapping filters of one session count once, at the highest QoS.
void Broker::add_target(LocalSession& home, std::uint8_t subscription_qos) {
  if (home.routed != route_number_) {
    home.routed = route_number_;
    targets_.push_back({&home, subscription_qos});
    return;
  }
  const auto known =
      std::find_if(targets_.begin(), targets_.end(), [&](const Target& target) { return target.session == &home; });
  known->qos = std::max(known->qos, subscription_qos);
}

void Broker::deliver_to_targets(const mqtt::MessageRef& message) {
  for (const Target& target : targets_) {
    const std::uint8_t qos = target.session->at_publishers_qos ? message->qos() : std::min(message->qos(), target.qos);
    deliver(*target.session, message, qos);
  }
}

void Broker::deliver(LocalSession& home, const mqtt::MessageRef& message, std::uint8_t qos) {
  Client* client = home.client.get();
  if (qos == 0) {
    if (client == nullptr) {
      ++counters_.dropped_offline;
    } else if (client->sink->congested()) {
      ++counters_.dropped_congested;
    } else {
      ++counters_.delivered;
      client->sink->send_publish(message, 0, false, 0);
    }
    return;
  }
  if (client == nullptr && !home.keeps_messages) {
    ++counters_.dropped_offline;
    return;
  }
  const bool ready = client != nullptr && !client->sink->congested();
  const auto packet_id = home.session->admit(message, qos, ready);
  if (!packet_id) {
    ++counters_.dropped_queue_full;
  } else if (*packet_id != 0) {
    ++counters_.delivered;
    client->sink->send_publish(message, qos, false, *packet_id);
  }
}

void Broker::acknowledged(Client& client, std::uint16_t packet_id) {
  if (client.session == nullptr) return;
  if (client.session->session->acknowledge(packet_id)) send_waiting(*client.session);
}

void Broker::resume_delivery(Client& client) {
  if (client.session != nullptr) send_waiting(*client.session);
}

void Broker::send_waiting(LocalSession& home) {
  ClientSink& sink = *home.client->sink;
  while (!sink.congested()) {
    bool dup = true;
    const session::InFlight* next = home.session->next_to_resend();
    if (next == nullptr) {
      dup = false;
      next = home.session->next_to_send();
    }
    if (next == nullptr) return;
    ++counters_.delivered;
    sink.send_publish(next->message, next->qos, dup, next->packet_id);
  }
}

}  // namespace mooring::broker
