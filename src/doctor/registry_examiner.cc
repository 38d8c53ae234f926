#include "doctor/registry_examiner.h"

#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace mooring::doctor {
namespace {

constexpr std::size_t kNamesMax = 1'000;        // that are compared with a name that does not exist
constexpr std::uint32_t kRegistryCost = 1'000;  // of looking for what was meant, in HMACs
constexpr std::size_t kProductsMax = 200;       // that are asked for a device of this name

// A name that differs in the case of letters, else one that differs by a slip.
std::string meant_of(std::string_view claimed, const std::vector<std::string_view>& names) {
  for (const std::string_view name : names) {
    if (base::iequals(name, claimed)) return std::string(name);
  }
  const auto near = base::nearest(claimed, names);
  return near ? std::string(*near) : std::string();
}

}  // namespace

void RegistryExaminer::set_policy(Policy policy) {
  const std::lock_guard lock(mutex_);
  policy_ = std::move(policy);
}

Policy RegistryExaminer::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

bool RegistryExaminer::is_known(const base::DeviceKey& device) {
  const auto found = registry_.find_credential(device);
  return found && found->device.has_value();
}

std::optional<journal::Diagnosis> RegistryExaminer::examine(const journal::Event& event) {
  const base::MonoMs now = clock_.mono_ms();
  if (now - second_ms_ >= 1000) {
    second_ms_ = now;
    used_ = 0;
    spent_ms_ = 0;
  }
  if (used_ >= kHmacsPerSecond || spent_ms_ >= kSpentPerSecondMs) return std::nullopt;
  const RegistryFacts facts = facts_of(event);
  Budget budget(kHmacsPerCase, clock_, now + kCaseMs);
  const Policy policy = this->policy();
  journal::Diagnosis found = diagnose({event.name, *event.attempt, event.device, facts, policy}, budget);
  if (!found.empty()) {
    base::log_info("doctor", "{}/{}: {}: {} {}", base::printable(event.device.product_key, 64),
                   base::printable(event.device.device_name, 64), found.name, found.text, found.advice);
  }
  used_ += kHmacsPerCase - budget.left() + kRegistryCost;
  spent_ms_ += clock_.mono_ms() - now;
  return found;
}

RegistryFacts RegistryExaminer::facts_of(const journal::Event& event) {
  RegistryFacts facts;
  const base::DeviceKey& device = event.device;
  if (device.product_key.empty()) return facts;
  const auto found = registry_.find_credential(device);
  if (!found) return facts;
  facts.product_exists = found->product != nullptr;
  facts.device_exists = found->device.has_value();
  if (found->product != nullptr) {
    facts.product_secret = found->product->product_secret;
    facts.registration_on = found->product->dynamic_registration != registry::DynamicRegistration::kOff;
  }
  if (found->device) {
    facts.device_secret = found->device->device_secret;
    facts.disabled = !found->device->enabled;
  } else {
    find_meant(device, facts);
  }
  if (event.name != "wrong-signature" || !facts.device_exists) return facts;
  registry::DeviceFilter filter;
  filter.product_key = device.product_key;
  if (const auto page = registry_.list_devices(filter, {{}, kNeighboursMax})) {
    for (const registry::Device& one : page->items)
      facts.neighbours.push_back({one.key.device_name, one.device_secret});
  }
  return facts;
}

void RegistryExaminer::find_meant(const base::DeviceKey& device, RegistryFacts& facts) {
  const base::DeviceKey swapped{device.device_name, device.product_key};
  facts.swapped_exists = is_known(swapped);
  if (facts.product_exists) {
    registry::DeviceFilter filter;
    filter.product_key = device.product_key;
    if (const auto page = registry_.list_devices(filter, {{}, kNamesMax})) {
      std::vector<std::string_view> names;
      for (const registry::Device& one : page->items) names.push_back(one.key.device_name);
      facts.device_meant = meant_of(device.device_name, names);
    }
  }
  const auto products = registry_.list_products({}, {{}, kProductsMax});
  if (!products) return;
  std::vector<std::string_view> keys;
  for (const registry::Product& one : products->items) {
    keys.push_back(one.product_key);
    if (facts.device_elsewhere.empty() && one.product_key != device.product_key &&
        is_known({one.product_key, device.device_name})) {
      facts.device_elsewhere = one.product_key;
    }
  }
  if (!facts.product_exists) facts.product_meant = meant_of(device.product_key, keys);
}

}  // namespace mooring::doctor
