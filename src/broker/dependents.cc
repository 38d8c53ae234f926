// What the devices that speak over a client's connection need of it: docs/adr/0018.
#include <algorithm>
#include <utility>

#include "broker/broker.h"
#include "broker/pending_answers.h"

namespace mooring::broker {
namespace {

using mqtt::ReasonCode;

constexpr std::size_t kLentPacketIdsMax = 100;

// The places of one dependent's filters in a packet.
template <class Element>
struct Part {
  Dependents::Number child;
  std::vector<Element> elements;
  std::vector<std::size_t> places;
};

template <class Element>
Part<Element>& part_of(std::vector<Part<Element>>& parts, Dependents::Number child) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const auto& part) { return part.child == child; });
  return found != parts.end() ? *found : parts.emplace_back(Part<Element>{child, {}, {}});
}

void put_codes(std::vector<ReasonCode>& all, const std::vector<std::size_t>& places,
               std::span<const ReasonCode> codes) {
  for (std::size_t i = 0; i < places.size() && i < codes.size(); ++i) all[places[i]] = codes[i];
}

}  // namespace

void Broker::set_dependents(Client& client, std::unique_ptr<Dependents> dependents) {
  client.dependents = std::move(dependents);
  if (client.info.receive_maximum == 0 || client.session == nullptr) return;
  // They share what the client takes at once.
  session::SessionLimits limits = client.info.rules->session;
  const auto own = static_cast<std::uint16_t>(client.info.receive_maximum - lendable_packet_ids(client));  // at least 1
  limits.max_in_flight = std::min(limits.max_in_flight, own);
  client.session->session->set_limits(limits);
}

Dependents::Number Broker::dependent_of(const Client& client, std::string_view topic) const {
  return client.dependents == nullptr ? Dependents::kNobody : client.dependents->owner_of(topic);
}

// Its rates, its permissions and its routes are looked at where it lives; the acknowledgement has its place here.
bool Broker::publish_for_dependent(Client& client, const mqtt::Publish& packet) {
  const Dependents::Number child = dependent_of(client, packet.topic);
  if (child == Dependents::kNobody) return false;
  if (packet.qos == 0) {
    client.dependents->publish(child, packet, 0);
    return true;
  }
  if (!count_unacknowledged(client)) return true;
  const auto type = packet.qos == 1 ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec;
  client.dependents->publish(child, packet, client.acks.open(type, packet.packet_id));
  regulate_input(client);
  return true;
}

void Broker::answer(Client& client, std::uint64_t ack, std::optional<ReasonCode> reason) {
  if (!client.connected() || ack == 0) return;
  if (reason) {
    client.acks.decide(ack, *reason);
  } else {
    client.acks.withdraw(ack);
  }
  send_ready_acks(client);
}

std::size_t Broker::lendable_packet_ids(const Client& client) const {
  if (client.info.receive_maximum == 0) return kLentPacketIdsMax;
  return std::min<std::size_t>(kLentPacketIdsMax, client.info.receive_maximum / 2);
}

std::optional<std::uint16_t> Broker::lend_packet_id(Client& client) {
  if (client.session == nullptr) return std::nullopt;
  session::Session& state = *client.session->session;
  if (state.lent_count() >= lendable_packet_ids(client)) return std::nullopt;
  // Its window has become smaller, but what is under way stays that [MQTT-3.3.4-9].
  const std::size_t most = client.info.receive_maximum;
  if (most != 0 && state.in_flight_count() + state.lent_count() >= most) return std::nullopt;
  return state.lend_packet_id();
}

void Broker::return_packet_id(Client& client, std::uint16_t packet_id) {
  if (client.session == nullptr) return;
  client.session->session->return_packet_id(packet_id);
  send_waiting(*client.session);
}

// Of each that is concerned its part; the codes have their places already.
void Broker::subscribe_dependents(Client& client, const mqtt::Subscribe& packet,
                                  const std::shared_ptr<PendingSuback>& pending) {
  std::vector<Part<mqtt::SubscribeEntry>> parts;
  std::size_t place = 0;
  for (const mqtt::SubscribeEntry& entry : packet.entries) {
    const std::size_t here = place++;
    if (!pending->of_dependent[here]) continue;
    auto& part = part_of(parts, dependent_of(client, entry.filter));
    part.elements.push_back(entry);
    part.places.push_back(here);
  }
  for (Part<mqtt::SubscribeEntry>& part : parts) {
    ++pending->waits;
    client.dependents->subscribe(part.child, part.elements, packet.subscription_id,
                                 [this, pending, places = std::move(part.places)](std::span<const ReasonCode> codes) {
                                   put_codes(pending->codes, places, codes);
                                   finish_suback(pending);
                                 });
  }
}

void Broker::unsubscribe_dependents(Client& client, const mqtt::Unsubscribe& packet,
                                    const std::shared_ptr<PendingUnsuback>& pending) {
  std::vector<Part<std::string_view>> parts;
  std::size_t place = 0;
  for (const std::string_view filter : packet.filters) {
    const std::size_t here = place++;
    const Dependents::Number child = dependent_of(client, filter);
    if (child == Dependents::kNobody) continue;
    auto& part = part_of(parts, child);
    part.elements.push_back(filter);
    part.places.push_back(here);
  }
  for (Part<std::string_view>& part : parts) {
    ++pending->waits;
    client.dependents->unsubscribe(part.child, part.elements,
                                   [this, pending, places = std::move(part.places)](std::span<const ReasonCode> codes) {
                                     put_codes(pending->codes, places, codes);
                                     finish_unsuback(pending);
                                   });
  }
}

}  // namespace mooring::broker
