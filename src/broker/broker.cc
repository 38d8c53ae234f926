#include "broker/broker.h"

#include <utility>

namespace mooring::broker {

Broker::Broker(const Parts& parts) : parts_(parts) {}
Broker::~Broker() = default;

void Broker::start() {
  parts_.directory.attach_loop(
      parts_.loop, parts_.executor,
      [this](const session::SessionKey& key, session::Epoch, session::EvictReason reason,
             session::SessionDirectory::EvictDone done) { on_evict(key, reason, std::move(done)); });
}

void Broker::on_remote_interest(routing::LoopId loop, std::string_view filter, bool added) {
  if (added) {
    remote_trie_.insert(filter, loop, 0);
  } else {
    remote_trie_.erase(filter, loop);
  }
}

void Broker::on_remote_device(routing::LoopId loop, const base::DeviceKey& device, bool added) {
  if (added) {
    remote_devices_[device] = loop;
    return;
  }
  // A newer home may have announced itself before the old one's farewell arrived.
  const auto found = remote_devices_.find(device);
  if (found != remote_devices_.end() && found->second == loop) remote_devices_.erase(found);
}

std::string_view to_text(OfflineReason reason) {
  switch (reason) {
    case OfflineReason::kDeviceDisconnect:
      return "Device disconnect";
    case OfflineReason::kConnectionReset:
      return "Connection reset by peer";
    case OfflineReason::kConnectionError:
      return "Connection occurs exception";
    case OfflineReason::kKeepAliveTimeout:
      return "Keepalive timeout";
    case OfflineReason::kKickedBySameDevice:
      return "Kicked by the same device";
    case OfflineReason::kDisabled:
      return "Device disabled";
    case OfflineReason::kDeleted:
      return "Device deleted";
    case OfflineReason::kKicked:
      return "Kicked by an operator";
    case OfflineReason::kTooSlow:
      return "Device reads too slowly";
    case OfflineReason::kServerStopped:
      return "Server stopped";
  }
  return "";
}

}  // namespace mooring::broker
