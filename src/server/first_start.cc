#include "server/first_start.h"

#include <utility>

#include "crypto/password_hash.h"
#include "crypto/random.h"

namespace mooring::server {
namespace {

constexpr char kFirstUser[] = "admin";
constexpr std::size_t kFirstPasswordCharacters = 20;  // 119 bits
constexpr std::string_view kProductKey = "demo";
constexpr std::string_view kDeviceName = "demo-device";

}  // namespace

base::Result<std::optional<FirstUser>> ensure_first_user(registry::Registry& registry) {
  const auto users = registry.list_users();
  if (!users) return tl::unexpected(users.error());
  if (!users->empty()) return std::optional<FirstUser>();
  FirstUser first{kFirstUser, crypto::random_alphanumeric(crypto::system_random(), kFirstPasswordCharacters)};
  auto hash = crypto::hash_password(first.password);
  if (!hash) return tl::unexpected(hash.error());
  const auto made = registry.create_user({first.name, registry::Role::kAdmin, std::move(*hash), true});
  if (!made) return tl::unexpected(made.error());
  return std::optional(std::move(first));
}

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
