#include "gateway/session_identity.h"

#include "auth/sign_in.h"

namespace mooring::gateway {
namespace {

std::string joined(std::string_view first, std::string_view second) {
  std::string out;
  out.reserve(first.size() + 1 + second.size());
  return out.append(first).append(1, '\0').append(second);
}

}  // namespace

std::string session_identity(const mqtt::Connect& packet) {
  const auto device = auth::claimed_device(packet.username, packet.password);
  if (device) return joined(device->product_key, device->device_name);
  if (packet.username && packet.username->find('&') != std::string_view::npos) return {};
  return std::string(packet.client_id);
}

}  // namespace mooring::gateway
