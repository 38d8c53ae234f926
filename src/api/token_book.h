// TokenBook: the API tokens there are, in memory, so that a token is checked at once on any loop, before more of its
// request is read. Follows the registry's changes, so that a revoked token ends with the call that revokes it.
// Thread-safe; bounded like the tokens themselves (registry::kApiTokensMax).
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/caller.h"
#include "base/clock.h"
#include "registry/registry.h"

namespace mooring::api {

class TokenBook {
 public:
  explicit TokenBook(const base::Clock& clock) : clock_(clock) {}

  void load(const std::vector<registry::ApiToken>& tokens);  // at start
  void on_change(const registry::Change& change);            // others than of tokens are ignored

  // Nothing: no such token, or expired. Takes the same time for every text of the form of a token.
  std::optional<Caller> find(std::string_view token_text) const;

 private:
  const base::Clock& clock_;
  mutable std::mutex mutex_;                                    // of the tokens
  std::unordered_map<std::string, registry::ApiToken> tokens_;  // by id
};

}  // namespace mooring::api
