#include "gateway/account_cache.h"

#include <utility>
#include <vector>

namespace mooring::gateway {

std::shared_ptr<const auth::AccountPermissions> AccountCache::compile(const registry::Account& account) {
  std::vector<auth::AccountPermission> permissions;
  for (const registry::AccountPermission& permission : account.permissions) {
    // Both enumerations are numbered alike: 1 publish, 2 subscribe, 3 both.
    permissions.push_back({static_cast<auth::TopicRight>(permission.right), permission.filter});
  }
  return std::make_shared<const auth::AccountPermissions>(permissions);
}

CachedAccount* AccountCache::find(std::string_view name) {
  const auto found = entries_.find(std::string(name));
  return found == entries_.end() ? nullptr : &found->second;
}

CachedAccount& AccountCache::put(const registry::Account& account) {
  // Those with connections stay, or changes would not reach these. There are no more of them than connections.
  if (entries_.size() >= max_accounts_) {
    boost::unordered::erase_if(entries_, [](const auto& entry) { return entry.second.rules.use_count() == 1; });
  }
  CachedAccount& entry = entries_[account.name];
  if (entry.rules == nullptr) {
    entry.rules = std::make_shared<AccountRules>();
    entry.rules->name = account.name;
  }
  entry.rules->life = account.life;
  entry.rules->permissions = compile(account);
  ++entry.rules->revision;
  if (entry.password_hash != account.password_hash) entry.known_password = {};
  entry.password_hash = account.password_hash;
  return entry;
}

void AccountCache::forget(std::string_view name) {
  ++generation_;
  entries_.erase(std::string(name));
}

void AccountCache::update(const registry::Account& account) {
  ++generation_;
  CachedAccount* entry = find(account.name);
  if (entry == nullptr || entry->rules->life != account.life) return;
  entry->rules->permissions = compile(account);
  ++entry->rules->revision;
}

}  // namespace mooring::gateway
