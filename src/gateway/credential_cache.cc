#include "gateway/credential_cache.h"

#include <utility>

#include "base/log.h"

namespace mooring::gateway {
namespace {

std::shared_ptr<const auth::ProductTopicClasses> compile(const registry::Product& product) {
  std::vector<auth::TopicClass> classes;
  for (const registry::TopicClass& c : product.topic_classes) {
    // Both enumerations are numbered alike: 1 publish, 2 subscribe, 3 both.
    classes.push_back({c.suffix, static_cast<auth::TopicRight>(c.right)});
  }
  auto compiled = auth::ProductTopicClasses::compile(classes);
  if (compiled) return *compiled;
  base::log_error("gateway", "product {}: {}; its custom topic classes are not in force", product.product_key,
                  compiled.error().message);
  return auth::ProductTopicClasses::defaults();
}

auth::CredentialRecord::Kind kind_of(const registry::Product& product) {
  using Kind = auth::CredentialRecord::Kind;
  return product.auth_type == registry::AuthType::kX509 ? Kind::kX509 : Kind::kSecret;
}

}  // namespace

std::shared_ptr<ProductRules> make_product_rules(const registry::Product& product) {
  auto rules = std::make_shared<ProductRules>();
  rules->product_key = product.product_key;
  rules->profile = product.profile;
  rules->classes = compile(product);
  return rules;
}

const CachedCredential* CredentialCache::find(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  order_.splice(order_.begin(), order_, *found);
  return &(*found)->credential;
}

const CachedCredential* CredentialCache::put(const base::DeviceKey& key, const registry::Credential& credential,
                                             const Generation& asked) {
  CachedCredential cached;
  cached.exists = credential.product != nullptr && credential.device.has_value();
  if (cached.exists) {
    cached.record.device_secret = credential.device->device_secret;
    cached.record.disabled = !credential.device->enabled;
    cached.record.iot_id = credential.device->iot_id;
    cached.record.life = credential.device->life;
    cached.record.token_generation = credential.device->token_generation;
    for (const registry::DeviceToken& token : credential.device->tokens) {
      cached.record.tokens.push_back({token.client_id, token.token_hash, token.used});
    }
    if (!credential.device->gateway.device_name.empty()) {
      cached.gateway = std::make_shared<const base::DeviceKey>(credential.device->gateway);
    }
    cached.used_in_browser = credential.device->used_in_browser;
    cached.record.kind = kind_of(*credential.product);
    cached.product = rules_of(*credential.product, asked.products == generation_.products);
    if (cached.product == nullptr) return nullptr;
  }
  if (asked != generation_) {
    uncached_ = std::move(cached);
    return &uncached_;
  }
  erase(key);
  order_.push_front({key, std::move(cached)});
  entries_.insert(order_.begin());
  if (entries_.size() > max_devices_) erase(order_.back().key);
  return &order_.front().credential;
}

bool CredentialCache::note_browser(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return true;
  return !std::exchange((*found)->credential.used_in_browser, true);
}

// One object for all who hold them, or a change would not reach some.
std::shared_ptr<ProductRules> CredentialCache::rules_of(const registry::Product& product, bool up_to_date) {
  const auto known = products_.find(product.product_key);
  if (known != products_.end()) return known->second;
  if (!up_to_date) return nullptr;
  return products_.emplace(product.product_key, make_product_rules(product)).first->second;
}

void CredentialCache::forget(const base::DeviceKeyView& key) {
  ++generation_.changes;
  erase(key);
}

void CredentialCache::erase(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const Order::iterator entry = *found;
  entries_.erase(found);
  order_.erase(entry);  // last: the key may be its own
}

void CredentialCache::forget_product(std::string_view product_key) {
  ++generation_.changes;
  ++generation_.products;
  for (auto entry = order_.begin(); entry != order_.end();) {
    if (entry->key.product_key == product_key) {
      entries_.erase(entries_.find(entry->key));
      entry = order_.erase(entry);
    } else {
      ++entry;
    }
  }
  products_.erase(std::string(product_key));
}

void CredentialCache::update_product(const registry::Product& product) {
  ++generation_.changes;
  ++generation_.products;
  for (Entry& entry : order_) {
    if (entry.key.product_key == product.product_key) entry.credential.record.kind = kind_of(product);
  }
  const auto found = products_.find(product.product_key);
  if (found == products_.end()) return;
  found->second->profile = product.profile;
  found->second->classes = compile(product);
  ++found->second->revision;
}

}  // namespace mooring::gateway
