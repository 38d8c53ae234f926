#include "server/demo.h"

namespace mooring::server {
namespace {
constexpr std::string_view kProductKey = "demo";
constexpr std::string_view kDeviceName = "demo-device";
}  // namespace

base::Result<registry::Device> ensure_demo_device(registry::Registry& registry) {
  if (!registry.get_product(kProductKey)) {
    registry::NewProduct product;
    product.product_key = kProductKey;
    product.name = "Demo";
    product.topic_classes = {{"user/echo", registry::TopicRight::kAll}};
    if (auto made = registry.create_product(product); !made) return tl::unexpected(made.error());
  }
  const base::DeviceKey key{std::string(kProductKey), std::string(kDeviceName)};
  if (auto device = registry.get_device(key)) return device;
  registry::NewDevice device;
  device.device_name = kDeviceName;
  auto made = registry.create_devices(kProductKey, std::span(&device, 1));
  if (!made) return tl::unexpected(made.error());
  return made->front();
}

}  // namespace mooring::server
