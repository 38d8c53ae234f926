// Tokens for the admin API: values, and the port behind which they are stored. Blocking operations, any thread; errors
// as in registry.h. There are few, so lists come whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mooring::registry {

inline constexpr std::size_t kApiTokensMax = 1000;
inline constexpr std::size_t kApiTokenNameCharactersMax = 64;
inline constexpr std::uint32_t kApiTokenLifetimeMaxS = 10 * 366 * 86'400;

// Ordered: whoever may do something may do all that lesser roles may.
enum class Role : std::uint8_t {
  kViewer = 1,    // reads, without secrets
  kOperator = 2,  // operates devices as well
  kAdmin = 3,     // everything
};
std::string_view to_text(Role role);  // viewer, operator, admin
std::optional<Role> role_from_text(std::string_view text);

struct ApiToken {
  std::string id;  // the part of the token that finds its row; no secret
  std::string name;
  Role role = Role::kViewer;
  std::string secret_hash;  // crypto/secret_hash.h
  base::WallMs created_ms = 0;
  base::WallMs expires_ms = 0;  // 0: never

  bool expired(base::WallMs now_ms) const { return expires_ms != 0 && expires_ms <= now_ms; }
};

struct NewApiToken {
  std::string id;
  std::string name;
  Role role = Role::kViewer;
  std::string secret_hash;
  std::uint32_t lifetime_s = 0;  // 0: for ever; at most kApiTokenLifetimeMaxS
};

class ApiTokens {
 public:
  virtual ~ApiTokens() = default;
  // An expired token of the name is replaced. kAlreadyExists, kLimitExceeded.
  virtual base::Result<ApiToken> create_api_token(const NewApiToken& token) = 0;
  virtual base::Result<std::vector<ApiToken>> list_api_tokens() = 0;  // by name
  virtual base::Result<> delete_api_token(std::string_view name) = 0;
};

}  // namespace mooring::registry
