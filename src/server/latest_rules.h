// LatestRules: the rules of products whose topic classes have changed, for devices that are narrowed to them in
// portions. Whoever waits looks at the newest, not at those that were in force when it began to wait: what a later
// change admits again must not be taken away. One loop.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/credential_cache.h"

namespace mooring::server {

class LatestRules {
 public:
  // The same object as before while anybody holds that: they see the change, too.
  std::shared_ptr<const gateway::ProductRules> put(const registry::Product& product) {
    std::erase_if(rules_, [](const auto& one) { return one.second.expired(); });
    std::weak_ptr<gateway::ProductRules>& known = rules_[product.product_key];
    std::shared_ptr<gateway::ProductRules> rules = known.lock();
    if (rules == nullptr) {
      rules = gateway::make_product_rules(product);
      known = rules;
    } else {
      *rules = *gateway::make_product_rules(product);
    }
    return rules;
  }
  std::size_t size() const { return rules_.size(); }  // bounded by the products that somebody waits for

 private:
  std::unordered_map<std::string, std::weak_ptr<gateway::ProductRules>> rules_;
};

}  // namespace mooring::server
