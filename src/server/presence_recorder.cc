#include "server/presence_recorder.h"

#include "broker/client.h"
#include "mqtt/packet.h"

namespace mooring::server {
namespace {

journal::Event event_of(const broker::Client& client, journal::Action action) {
  const broker::ClientTraits& info = client.info;
  journal::Event event;
  event.device = client.device().copy();
  event.action = action;
  event.channel = journal::mqtt_channel(info.tls, info.websocket);
  event.address = client.peer_address();
  return event;
}

std::string facts_of(const broker::ClientTraits& info, const broker::ClientFacts& said) {
  std::string facts;
  facts.reserve(128);  // this runs for every CONNECT
  facts.append(mqtt::version_name(info.version)).append(", keep alive ").append(std::to_string(info.keep_alive_s));
  facts.append(info.clean_session ? " s, clean session 1" : " s, clean session 0");
  for (const std::string* fact : {&said.sdk_version, &said.language, &said.system}) {
    if (!fact->empty()) facts.append(", ").append(*fact);
  }
  if (info.gateway != nullptr) {
    facts.append(", through ").append(info.gateway->product_key).append("/").append(info.gateway->device_name);
  }
  return facts;
}

// connection.md 9.2: 400 when it was displaced, deleted or disabled, else 200.
std::uint16_t code_of(broker::OfflineReason reason) {
  switch (reason) {
    case broker::OfflineReason::kKickedBySameDevice:
    case broker::OfflineReason::kDisabled:
    case broker::OfflineReason::kDeleted:
    case broker::OfflineReason::kKicked:
      return journal::kCodeEnded;
    default:
      return journal::kCodeOk;
  }
}

journal::Action action_of(broker::Incident::Kind kind) {
  switch (kind) {
    case broker::Incident::Kind::kPublishDenied:
      return journal::Action::kPublishDenied;
    case broker::Incident::Kind::kSubscribeDenied:
      return journal::Action::kSubscribeDenied;
    case broker::Incident::Kind::kDiscarded:
      return journal::Action::kDiscarded;
    case broker::Incident::Kind::kThrottled:
      return journal::Action::kThrottled;
  }
  return journal::Action::kWarned;
}

}  // namespace

void PresenceRecorder::on_online(const broker::Client& client, base::WallMs at_ms) {
  const base::DeviceKeyView device = client.device();
  base::log_info("device", "{}/{} online from {}", device.product_key, device.device_name, client.peer_address());
  const broker::ClientFacts said = client.facts != nullptr ? *client.facts : broker::ClientFacts();
  const auto& origin = client.info.browser_origin;
  registry::SdkFacts facts{said.language, said.sdk_version, said.system, said.module};
  if (!registry_.record_online(device.copy(), at_ms, client.epoch, std::string(client.peer_address()), std::move(facts),
                               origin != nullptr ? *origin : std::string())) {
    base::log_warn("device", "{}/{}: coming online was not recorded: the registry cannot keep up", device.product_key,
                   device.device_name);
  }
  journal::Event event = event_of(client, journal::Action::kOnline);
  event.reason = "online";
  event.facts = facts_of(client.info, said);
  event.at_ms = at_ms;
  log_.record(std::move(event));
}

void PresenceRecorder::on_offline(const broker::Client& client, base::WallMs at_ms, broker::OfflineReason reason) {
  const base::DeviceKeyView device = client.device();
  base::log_info("device", "{}/{} offline: {}", device.product_key, device.device_name, to_text(reason));
  if (!registry_.record_offline(device.copy(), at_ms, client.epoch)) {
    base::log_warn("device", "{}/{}: going offline was not recorded: the registry cannot keep up", device.product_key,
                   device.device_name);
  }
  if (reason == broker::OfflineReason::kTooSlow) {
    journal::Event lost = event_of(client, journal::Action::kDiscarded);
    lost.code = journal::kCodeTooSlow;
    lost.name = "too-slow";
    lost.reason = "The device does not read what it is sent; more does not fit.";
    lost.at_ms = at_ms;
    log_.record(std::move(lost));
  }
  journal::Event event = event_of(client, journal::Action::kOffline);
  event.code = code_of(reason);
  event.reason = to_text(reason);
  if (!client.end_detail.empty()) event.reason.append(": ").append(client.end_detail);
  event.at_ms = at_ms;
  log_.record(std::move(event));
}

void PresenceRecorder::on_incident(const base::DeviceKey& device, const broker::Client* client,
                                   const broker::Incident& incident) {
  journal::Event event;
  if (client != nullptr) event = event_of(*client, action_of(incident.kind));
  event.device = device;
  event.action = action_of(incident.kind);
  event.code = incident.code;
  event.name = incident.name;
  event.reason = incident.text;
  event.subject = incident.topic;
  event.count = incident.count;
  log_.record(std::move(event));
}

}  // namespace mooring::server
