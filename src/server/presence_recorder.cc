#include "server/presence_recorder.h"

#include "broker/client.h"

namespace mooring::server {

void PresenceRecorder::on_online(const broker::Client& client, base::WallMs at_ms) {
  const broker::ClientInfo& info = client.info;
  base::log_info("device", "{}/{} online from {}", info.device.product_key, info.device.device_name, info.peer_address);
  registry::SdkFacts facts{info.facts.language, info.facts.sdk_version, info.facts.system, info.facts.module};
  if (!registry_.record_online(info.device, at_ms, client.epoch, info.peer_address, std::move(facts),
                               info.browser_origin)) {
    base::log_warn("device", "{}/{}: coming online was not recorded: the registry cannot keep up",
                   info.device.product_key, info.device.device_name);
  }
}

void PresenceRecorder::on_offline(const broker::Client& client, base::WallMs at_ms, broker::OfflineReason reason) {
  const broker::ClientInfo& info = client.info;
  base::log_info("device", "{}/{} offline: {}", info.device.product_key, info.device.device_name, to_text(reason));
  if (!registry_.record_offline(info.device, at_ms, client.epoch)) {
    base::log_warn("device", "{}/{}: going offline was not recorded: the registry cannot keep up",
                   info.device.product_key, info.device.device_name);
  }
}

}  // namespace mooring::server
