// Names that every module shares.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mooring::base {

// A device is identified by product key and device name only (connection.md section 1); both are case-sensitive.
struct DeviceKey {
  std::string product_key;
  std::string device_name;
  auto operator<=>(const DeviceKey&) const = default;
};

// The same, borrowed: for look-ups without an allocation.
struct DeviceKeyView {
  std::string_view product_key;
  std::string_view device_name;
  DeviceKeyView(std::string_view pk, std::string_view dn) : product_key(pk), device_name(dn) {}
  DeviceKeyView(const DeviceKey& key) : product_key(key.product_key), device_name(key.device_name) {}  // NOLINT
  bool operator==(const DeviceKeyView&) const = default;
  DeviceKey copy() const { return {std::string(product_key), std::string(device_name)}; }
};

// Transparent hash and equality for unordered containers keyed by DeviceKey.
struct DeviceKeyHash {
  using is_transparent = void;
  std::size_t operator()(const DeviceKeyView& key) const {
    const std::size_t h = std::hash<std::string_view>{}(key.product_key);
    return h ^ (std::hash<std::string_view>{}(key.device_name) + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2));
  }
};
struct DeviceKeyEqual {
  using is_transparent = void;
  bool operator()(const DeviceKeyView& a, const DeviceKeyView& b) const { return a == b; }
};

}  // namespace mooring::base
