// CredentialCache: what sign-ins need to know of devices, kept on each loop so that a reconnecting fleet does not ask
// the registry again. Also remembers names that do not exist: firmware with a wrong name asks every second for ever.
// Bounded, oldest out first. One loop. There is one for each connected device, so each is one tight piece of memory.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/permissions.h"
#include "auth/sign_in.h"
#include "base/hashed.h"
#include "base/ids.h"
#include "base/intrusive_list.h"
#include "registry/model.h"

namespace mooring::gateway {

// A product's rules as its connected devices see them on this loop. `revision` grows when they change under them.
struct ProductRules {
  std::string product_key;
  registry::Profile profile = registry::Profile::kAliyun;
  std::shared_ptr<const auth::ProductTopicClasses> classes;
  std::uint64_t revision = 0;
};

std::shared_ptr<ProductRules> make_product_rules(const registry::Product& product);

struct CachedCredential {
  bool exists = false;
  bool used_in_browser = false;
  auth::CredentialRecord record;
  std::shared_ptr<ProductRules> product;
  std::shared_ptr<const base::DeviceKey> gateway{};  // whose child it is; null: nobody's

  bool is_child_of(const base::DeviceKeyView& device) const {
    return gateway != nullptr && device == base::DeviceKeyView(*gateway);
  }
};

class CredentialCache {
 public:
  explicit CredentialCache(std::size_t max_devices);
  ~CredentialCache();

  const CachedCredential* find(const base::DeviceKeyView& key);  // valid until the next call
  // Grows with every change: an answer of the registry that was asked for under another one may be out of date.
  struct Generation {
    std::uint64_t changes = 0;   // of devices and products
    std::uint64_t products = 0;  // of products
    bool operator==(const Generation&) const = default;
  };
  Generation generation() const { return generation_; }
  // `asked` is the generation seen when the registry was asked: an answer from before a change is used once, not kept.
  // Null: its product changed meanwhile and nobody here holds that one's rules, so the answer's may never be put right.
  // Otherwise valid until the next call.
  const CachedCredential* put(const base::DeviceKey& key, const registry::Credential& credential,
                              const Generation& asked);

  // The device's secret was used in a page. True: nobody knew that before.
  bool note_browser(const base::DeviceKeyView& key);

  void forget(const base::DeviceKeyView& key);
  void forget_product(std::string_view product_key);
  // New topic classes reach the devices that are connected.
  void update_product(const registry::Product& product);
  std::size_t size() const { return entries_.size(); }
  static std::size_t entry_bytes();  // of one that is kept, beside its texts

 private:
  struct OrderTag;
  class Entry;  // what is kept of a CachedCredential
  // Entries by their keys.
  using HashedEntry = base::Hashed<std::unique_ptr<Entry>>;
  struct Hash : base::DeviceKeyHash {
    using DeviceKeyHash::operator();
    std::size_t operator()(const HashedEntry& entry) const { return entry.hash; }
  };
  struct Equal {
    using is_transparent = void;
    static const base::DeviceKeyView& key(const base::DeviceKeyView& of) { return of; }
    static base::DeviceKeyView key(const HashedEntry& of);
    bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
  };

  void erase(const base::DeviceKeyView& key);
  std::shared_ptr<ProductRules> rules_of(const registry::Product& product, bool up_to_date);

  const std::size_t max_devices_;
  Generation generation_;
  base::IntrusiveList<Entry, OrderTag> order_;  // most recently used first
  boost::unordered_flat_set<HashedEntry, Hash, Equal> entries_;
  boost::unordered_flat_map<std::string, std::shared_ptr<ProductRules>> products_;
  CachedCredential answer_;  // the last one; its texts keep their room
};

}  // namespace mooring::gateway
