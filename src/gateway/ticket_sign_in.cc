#include "gateway/ticket_sign_in.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "crypto/secret_hash.h"
#include "registry/names.h"

namespace mooring::gateway {
namespace {

using auth::RefusalReason;

// A registry under steady change must not make a sign-in go round for ever.
constexpr int kMaxLookups = 4;
// Longer ones are no ticket's; what is compared has a bound.
constexpr std::size_t kSecretBytesMax = 128;

}  // namespace

// A sign-in under way. Its secret is overwritten when it ends.
struct TicketSignIn::Pending {
  ~Pending() { crypto::cleanse(secret); }

  std::string id;
  std::string secret;
  std::string client_id;
  std::string address;
  std::string origin;
  bool has_origin = false;
  bool websocket = false;
  Done done;
  int lookups_left = kMaxLookups;
};

namespace {

// In this order: whoever does not have the secret learns nothing, whatever else is wrong.
std::optional<RefusalReason> fault_of(const registry::Ticket& ticket, const std::string& client_id, bool websocket,
                                      const std::string* origin, base::WallMs now_ms) {
  if (ticket.revoked_ms != 0) return RefusalReason::kTicketRevoked;
  if (ticket.expires_ms <= now_ms) return RefusalReason::kTicketExpired;
  if (!ticket.origins.empty()) {
    if (!websocket || origin == nullptr) return RefusalReason::kTicketNotFromPage;
    if (std::ranges::find(ticket.origins, *origin) == ticket.origins.end()) return RefusalReason::kTicketOrigin;
  }
  if (!ticket.client_id.empty()) {
    const bool fits =
        ticket.client_id_is_prefix ? client_id.starts_with(ticket.client_id) : client_id == ticket.client_id;
    if (!fits) return RefusalReason::kTicketClientId;
  }
  return std::nullopt;
}

}  // namespace

TicketSignIn::TicketSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, CredentialCache& devices,
                           AccountCache& accounts, base::Executor& executor, const base::Clock& clock)
    : registry_(registry),
      limiter_(limiter),
      devices_(devices),
      accounts_(accounts),
      executor_(executor),
      clock_(clock) {}

namespace {

std::string user_name_of(std::string_view ticket_id) {
  return std::string(registry::kTicketNamePrefix).append(ticket_id);
}

}  // namespace

bool TicketSignIn::is_for_ticket(const auth::ConnectAttempt& attempt) {
  return attempt.user_name && attempt.user_name->starts_with(registry::kTicketNamePrefix) &&
         attempt.user_name->find('&') == std::string_view::npos;
}

void TicketSignIn::authenticate(const auth::ConnectAttempt& attempt, const std::string* origin, Done done) {
  auto pending = std::make_unique<Pending>();
  pending->done = std::move(done);
  pending->address = std::string(attempt.peer_address);
  if (attempt.rate_limited) {
    refuse(*pending, RefusalReason::kRateLimited);
    return;
  }
  const std::string_view id = attempt.user_name->substr(registry::kTicketNamePrefix.size());
  const std::string_view secret = attempt.password ? base::as_text(*attempt.password) : std::string_view();
  if (id.size() != registry::kTicketIdCharacters || secret.empty() || secret.size() > kSecretBytesMax) {
    refuse(*pending, RefusalReason::kTicketForm);
    return;
  }
  pending->id = std::string(id);
  pending->secret = std::string(secret);
  pending->client_id = std::string(attempt.client_id);
  pending->websocket = attempt.websocket;
  pending->has_origin = origin != nullptr;
  if (origin != nullptr) pending->origin = *origin;
  ask_registry(std::move(pending));
}

TicketSignIn::Generations TicketSignIn::generations() const {
  return {generation_, devices_.generation(), accounts_.generation()};
}

void TicketSignIn::ask_registry(PendingRef pending) {
  --pending->lookups_left;
  std::string id = pending->id;
  registry_.run_read<registry::TicketCredential>(
      [id = std::move(id)](registry::Registry& registry) { return registry.find_ticket_credential(id); }, executor_,
      [this, asked = generations(),
       pending = std::move(pending)](base::Result<registry::TicketCredential> found) mutable {
        if (!found) {
          base::log_error("gateway", "the registry did not answer a sign-in: {}", found.error().message);
          refuse(*pending, RefusalReason::kUnavailable);
        } else if (asked != generations() && pending->lookups_left > 0) {
          ask_registry(std::move(pending));
        } else if (asked.tickets != generation_) {
          refuse(*pending, RefusalReason::kUnavailable);  // it may have been this one that was revoked
        } else {
          decide(*pending, *found, asked);
        }
      });
}

void TicketSignIn::decide(Pending& pending, const registry::TicketCredential& found, const Generations& asked) {
  // Compared also when there is no such ticket, so that it takes as long.
  const bool right = crypto::is_hash_of(found.ticket ? found.ticket->secret_hash : std::string(), pending.secret);
  if (!found.ticket || !right) {
    refuse(pending, found.ticket ? RefusalReason::kTicketSecret : RefusalReason::kTicketUnknown);
    return;
  }
  const std::string* origin = pending.has_origin ? &pending.origin : nullptr;
  if (const auto fault = fault_of(*found.ticket, pending.client_id, pending.websocket, origin, clock_.wall_ms())) {
    if (*fault == RefusalReason::kTicketOrigin) {
      base::log_info("gateway", "ticket {} was used from {}", pending.id, base::printable(pending.origin, 128));
    }
    refuse(pending, *fault, found.ticket->device);
    return;
  }
  auto admitted = admit(found, asked);
  if (!admitted) {
    refuse(pending, admitted.error(), found.ticket->device);
    return;
  }
  limiter_.remember_accepted(pending.address, user_name_of(pending.id), clock_.mono_ms());
  pending.done(std::move(*admitted));
}

tl::expected<TicketSignedIn, RefusalReason> TicketSignIn::admit(const registry::TicketCredential& found,
                                                                const Generations& asked) {
  const registry::Ticket& ticket = *found.ticket;
  TicketSignedIn result;
  result.name = std::string(registry::kTicketNamePrefix) + ticket.id;
  result.of_device = ticket.of_device();
  result.session_s = ticket.session_s;
  // One that was minted while no server ran may live longer than this one's configuration allows.
  result.ends_ms = std::min(ticket.expires_ms, ticket.created_ms + std::int64_t{policy_.lifetime_max_s} * 1000);
  if (result.ends_ms <= clock_.wall_ms()) return tl::unexpected(RefusalReason::kTicketExpired);
  if (!ticket.of_device()) {
    if (!found.account) return tl::unexpected(RefusalReason::kTicketHolder);
    // The account changed again with every look-up: what was found may give it back what it lost.
    if (asked.accounts != accounts_.generation()) return tl::unexpected(RefusalReason::kUnavailable);
    result.authorizer = std::make_unique<TicketAuthorizer>(live_, ticket, accounts_.put(*found.account).rules);
    return result;
  }
  const CachedCredential* device = devices_.put(ticket.device, found.device, asked.devices);
  if (device == nullptr) return tl::unexpected(RefusalReason::kUnavailable);
  if (!device->exists || device->record.disabled) return tl::unexpected(RefusalReason::kTicketHolder);
  result.authorizer = std::make_unique<TicketAuthorizer>(live_, ticket, device->product, policy_.topics);
  return result;
}

void TicketSignIn::refuse(Pending& pending, RefusalReason reason, const base::DeviceKey& device) {
  const auth::Refusal refusal = auth::Refusal::of(reason);
  if (refusal.counts_against_address()) {
    limiter_.count_refused(pending.address, user_name_of(pending.id), clock_.mono_ms());
  }
  pending.done(tl::unexpected(TicketRefused{refusal, device}));
}

}  // namespace mooring::gateway
