// TicketSignIn: a CONNECT with a ticket, whose user name is "ticket:" and an id and whose password is the secret. One
// per loop.
//
// Every attempt asks the registry by message, once, for the ticket and its holder, so that a revoked ticket is refused
// on every loop and the time of a refusal does not tell why. The peer is told the same code for every reason; the log
// has the reason.
#pragma once

#include <memory>
#include <string>

#include "auth/connect_limiter.h"
#include "auth/permissions.h"
#include "auth/sign_in.h"
#include "base/clock.h"
#include "base/executor.h"
#include "crypto/hmac.h"
#include "gateway/account_cache.h"
#include "gateway/credential_cache.h"
#include "gateway/ticket_authorizer.h"
#include "registry/registry_service.h"

namespace mooring::gateway {

struct TicketSignedIn {
  std::string name;  // "ticket:" and the id: the account of its sessions
  std::unique_ptr<TicketAuthorizer> authorizer;
  bool of_device = false;
  std::uint32_t session_s = 0;  // how long a session may outlive its connection
  base::WallMs ends_ms = 0;
};

struct TicketRefused {
  auth::Refusal refusal;
  base::DeviceKey device;  // whose ticket it is; empty names: an account's, or it is not proven
};

class TicketSignIn {
 public:
  // What limits tickets; may change with a reload.
  struct Policy {
    auth::TopicLimits topics{};
    std::uint32_t lifetime_max_s = 86'400;
  };

  // `limiter` is shared by all loops; the caches are this loop's.
  TicketSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, CredentialCache& devices,
               AccountCache& accounts, base::Executor& executor, const base::Clock& clock);

  static bool is_for_ticket(const auth::ConnectAttempt& attempt);

  // `done` is called later on this loop. The attempt is not borrowed beyond the call. `origin`: what the browser said,
  // null when there was no such header. Refusals are counted here.
  using Done = base::UniqueFunction<void(tl::expected<TicketSignedIn, TicketRefused>)>;
  void authenticate(const auth::ConnectAttempt& attempt, const std::string* origin, Done done);

  // Something was revoked: what the registry answered before is asked for again.
  void changed() { ++generation_; }
  void set_policy(const Policy& policy) { policy_ = policy; }
  const LiveTickets& live() const { return live_; }

 private:
  struct Pending;
  using PendingRef = std::unique_ptr<Pending>;
  struct Generations {
    std::uint64_t tickets = 0;
    CredentialCache::Generation devices;
    std::uint64_t accounts = 0;
    bool operator==(const Generations&) const = default;
  };

  Generations generations() const;
  void ask_registry(PendingRef pending);
  void decide(Pending& pending, const registry::TicketCredential& found, const Generations& asked);
  tl::expected<TicketSignedIn, auth::RefusalReason> admit(const registry::TicketCredential& found,
                                                          const Generations& asked);
  void refuse(Pending& pending, auth::RefusalReason reason, const base::DeviceKey& device = {});

  registry::RegistryService& registry_;
  auth::ConnectLimiter& limiter_;
  CredentialCache& devices_;
  AccountCache& accounts_;
  base::Executor& executor_;
  const base::Clock& clock_;
  Policy policy_;
  LiveTickets live_;
  std::uint64_t generation_ = 0;
};

}  // namespace mooring::gateway
