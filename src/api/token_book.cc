#include "api/token_book.h"

#include "api/api_token_text.h"
#include "crypto/secret_hash.h"

namespace mooring::api {

void TokenBook::load(const std::vector<registry::ApiToken>& tokens) {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
  for (const registry::ApiToken& token : tokens) tokens_[token.id] = token;
}

void TokenBook::on_change(const registry::Change& change) {
  if (change.api_token == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (change.kind == registry::Change::Kind::kApiTokenDeleted) {
    tokens_.erase(change.api_token->id);
    return;
  }
  const base::WallMs now = clock_.wall_ms();
  std::erase_if(tokens_, [now](const auto& entry) { return entry.second.expired(now); });
  tokens_[change.api_token->id] = *change.api_token;
}

std::optional<Caller> TokenBook::find(std::string_view token_text) const {
  const auto parts = parse_token(token_text);
  if (!parts) return std::nullopt;
  std::optional<registry::ApiToken> token;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = tokens_.find(std::string(parts->id)); found != tokens_.end()) token = found->second;
  }
  const bool right = crypto::is_hash_of(token ? token->secret_hash : std::string(), parts->secret);
  if (!right || token->expired(clock_.wall_ms())) return std::nullopt;
  return Caller::of_token(*token);
}

}  // namespace mooring::api
