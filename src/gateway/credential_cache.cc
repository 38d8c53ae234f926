#include "gateway/credential_cache.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
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

// One piece of memory, its texts behind it.
class CredentialCache::Entry : public base::ListHook<OrderTag> {
 public:
  // Null: a text that is longer than any of a device that exists.
  static std::unique_ptr<Entry> make(const base::DeviceKeyView& key, const CachedCredential& credential) {
    const Texts texts(key, credential);
    for (std::string_view part : texts.parts) {
      if (part.size() > std::numeric_limits<std::uint16_t>::max()) return nullptr;
    }
    return std::unique_ptr<Entry>(new (texts.bytes()) Entry(texts, credential));
  }
  static void operator delete(void* memory) { ::operator delete(memory); }

  base::DeviceKeyView key() const {
    const bool of_rules = product_key_bytes_ == 0 && product_ != nullptr;
    return {of_rules ? std::string_view(product_->product_key) : text(0, product_key_bytes_),
            text(product_key_bytes_, device_name_bytes_)};
  }
  void write_to(CachedCredential& credential) const;
  bool note_browser() { return !std::exchange(used_in_browser_, true); }
  void set_kind(auth::CredentialRecord::Kind kind) { kind_ = kind; }

 private:
  struct Texts {
    Texts(const base::DeviceKeyView& key, const CachedCredential& credential)
        // Its product's rules have the name of a device that exists.
        : parts{credential.product != nullptr && credential.product->product_key == key.product_key ? std::string_view()
                                                                                                    : key.product_key,
                key.device_name, credential.record.device_secret, credential.record.iot_id} {}
    std::size_t bytes() const {
      return std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                             [](std::size_t sum, std::string_view part) { return sum + part.size(); });
    }
    std::array<std::string_view, 4> parts;
  };
  // What few devices have.
  struct Rare {
    std::vector<auth::TokenRecord> tokens;
    std::shared_ptr<const base::DeviceKey> gateway;
    std::uint32_t token_generation = 0;
  };

  Entry(const Texts& texts, const CachedCredential& credential);
  static void* operator new(std::size_t bytes, std::size_t text_bytes) { return ::operator new(bytes + text_bytes); }
  static void operator delete(void* memory, std::size_t) { ::operator delete(memory); }
  std::string_view text(std::size_t from, std::size_t bytes) const {
    return {reinterpret_cast<const char*>(this + 1) + from, bytes};
  }

  const std::shared_ptr<ProductRules> product_;
  std::unique_ptr<const Rare> rare_;
  const std::uint32_t life_;
  std::uint16_t product_key_bytes_;  // 0: as its product's rules have it, if there are any
  std::uint16_t device_name_bytes_;
  std::uint16_t secret_bytes_;
  std::uint16_t iot_id_bytes_;
  const bool exists_;
  const bool disabled_;
  bool used_in_browser_;
  auth::CredentialRecord::Kind kind_;
};

CredentialCache::Entry::Entry(const Texts& texts, const CachedCredential& credential)
    : product_(credential.product),
      life_(credential.record.life),
      exists_(credential.exists),
      disabled_(credential.record.disabled),
      used_in_browser_(credential.used_in_browser),
      kind_(credential.record.kind) {
  const auth::CredentialRecord& record = credential.record;
  if (!record.tokens.empty() || record.token_generation != 0 || credential.gateway != nullptr) {
    rare_ = std::make_unique<const Rare>(Rare{record.tokens, credential.gateway, record.token_generation});
  }
  char* to = reinterpret_cast<char*>(this + 1);
  std::uint16_t* const sizes[] = {&product_key_bytes_, &device_name_bytes_, &secret_bytes_, &iot_id_bytes_};
  for (std::size_t i = 0; i < texts.parts.size(); ++i) {
    *sizes[i] = static_cast<std::uint16_t>(texts.parts[i].size());
    to = std::ranges::copy(texts.parts[i], to).out;
  }
}

void CredentialCache::Entry::write_to(CachedCredential& credential) const {
  const std::size_t secret_at = std::size_t{product_key_bytes_} + device_name_bytes_;
  credential.exists = exists_;
  credential.used_in_browser = used_in_browser_;
  credential.record.device_secret = text(secret_at, secret_bytes_);
  credential.record.iot_id = text(secret_at + secret_bytes_, iot_id_bytes_);
  credential.record.life = life_;
  credential.record.kind = kind_;
  credential.record.disabled = disabled_;
  credential.product = product_;
  if (rare_ != nullptr) {
    credential.record.tokens = rare_->tokens;
    credential.gateway = rare_->gateway;
    credential.record.token_generation = rare_->token_generation;
  } else {
    credential.record.tokens.clear();
    credential.gateway = nullptr;
    credential.record.token_generation = 0;
  }
}

base::DeviceKeyView CredentialCache::Equal::key(const HashedEntry& of) {
  return of->key();
}

std::size_t CredentialCache::entry_bytes() {
  return sizeof(Entry);
}

CredentialCache::CredentialCache(std::size_t max_devices) : max_devices_(max_devices) {}

CredentialCache::~CredentialCache() = default;

const CachedCredential* CredentialCache::find(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  order_.push_front(**found);
  (*found)->write_to(answer_);
  return &answer_;
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
  answer_ = std::move(cached);
  if (asked != generation_) return &answer_;
  erase(key);
  std::unique_ptr<Entry> entry = Entry::make(key, answer_);
  if (entry == nullptr) return &answer_;
  order_.push_front(*entry);
  entries_.insert({std::move(entry), Hash{}(key)});
  if (entries_.size() > max_devices_) erase(order_.back()->key());
  return &answer_;
}

bool CredentialCache::note_browser(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return true;
  return (*found)->note_browser();
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
  answer_ = {};  // it may be of this one
}

void CredentialCache::erase(const base::DeviceKeyView& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) entries_.erase(found);
}

void CredentialCache::forget_product(std::string_view product_key) {
  ++generation_.changes;
  ++generation_.products;
  erase_if(entries_, [&](const HashedEntry& entry) { return entry->key().product_key == product_key; });
  products_.erase(std::string(product_key));
  answer_ = {};
}

void CredentialCache::update_product(const registry::Product& product) {
  ++generation_.changes;
  ++generation_.products;
  for (const HashedEntry& entry : entries_) {
    if (entry->key().product_key == product.product_key) entry->set_kind(kind_of(product));
  }
  const auto found = products_.find(product.product_key);
  if (found == products_.end()) return;
  found->second->profile = product.profile;
  found->second->classes = compile(product);
  ++found->second->revision;
}

}  // namespace mooring::gateway
