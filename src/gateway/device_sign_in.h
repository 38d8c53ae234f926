// DeviceSignIn: a CONNECT of a device against the rules (auth), the cache and the registry. One per loop.
#pragma once

#include <memory>
#include <vector>

#include "auth/certificate_sign_in.h"
#include "auth/connect_limiter.h"
#include "auth/sign_in.h"
#include "base/clock.h"
#include "base/executor.h"
#include "broker/client.h"
#include "gateway/credential_cache.h"
#include "gateway/device_registration.h"
#include "gateway/psk_lookup.h"
#include "registry/registry_service.h"

namespace mooring::gateway {

struct SignInResult {
  auth::SignedIn signed_in;
  std::string iot_id;
  std::uint32_t life = 0;  // part of the session's key
  std::shared_ptr<const ProductRules> product;
  // Row 6: this was no sign-in, and here is what the device asked for. Of `signed_in` only the device is filled.
  std::optional<registry::Registration> registration;
  std::shared_ptr<const broker::CertificateTrail> certificate{};  // it proved itself with; null: none
};

class DeviceSignIn {
 public:
  static constexpr std::size_t kMaxCachedDevices = 100'000;

  // `limiter` is shared by all loops; `policy` belongs to this loop and may be replaced by a reload.
  DeviceSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, base::Executor& executor,
               const base::Clock& clock, auth::SignInPolicy policy);

  // Back-off, for whoever is not a CONNECT. `who`: a user name as CONNECT would have it; empty: it did not say.
  bool turned_away(std::string_view address, std::string_view who) {
    return limiter_.turned_away(address, who, clock_.mono_ms());
  }
  void count_refused(std::string_view address, std::string_view who);
  void remember_accepted(std::string_view address, std::string_view who) {
    limiter_.remember_accepted(address, who, clock_.mono_ms());
  }
  void count_child(const base::DeviceKeyView& device) { limiter_.count_child(device, clock_.mono_ms()); }
  bool device_over_limit(const base::DeviceKeyView& device) const {
    return limiter_.device_over_limit(device, clock_.mono_ms());
  }
  // Row 3 of connection.md 4.5, of a device's attempt and of everybody else's: accounts and tickets are under no limit
  // for devices (section 7).
  bool rate_limited(const auth::ConnectAttempt& attempt);
  bool turned_away(const auth::ConnectAttempt& attempt);
  // The part of it that needs nothing of the home loop, for an answer wherever the CONNECT came in.
  bool refused_lately(const auth::ConnectAttempt& attempt) const;

  // A device whose credentials are cached is answered before authenticate() returns, others later on this loop. The
  // attempt is not borrowed beyond the call. Refusals and sign-ins are counted here.
  using Done = base::UniqueFunction<void(tl::expected<SignInResult, auth::Refusal>)>;
  void authenticate(const auth::ConnectAttempt& attempt, Done done);

  // The key of a TLS-PSK identity (connection.md 2.5), empty when there is none; cached devices at once, others later
  // on this loop. Whether the device may sign in is for its CONNECT to find out. Nobody can tell from the time or from
  // what follows why there is no key.
  using PskFound = base::UniqueFunction<void(PskKey)>;
  void find_psk_key(std::string_view identity, const std::string& address, PskFound found);
  // A handshake failed after its identity was known: a sign-in that was refused before there was a CONNECT.
  void psk_refused(std::string_view identity, std::string_view address);
  // Before the cost of a TLS handshake: whether this address is worth it now.
  bool may_shake_hands(std::string_view address) { return limiter_.may_shake_hands(address, clock_.mono_ms()); }

  // What is known of a device, from the cache or from the registry: before the call returns, or later on this loop.
  // Valid during the call of `found`.
  using Found = base::UniqueFunction<void(base::Result<const CachedCredential*>)>;
  void find(base::DeviceKey key, Found found);

  // Told how many look-ups the registry has not answered, whenever that changes.
  void watch_look_ups(base::UniqueFunction<void(std::size_t)> changed) { look_ups_changed_ = std::move(changed); }

  // Certificates were unbound or revoked: what the registry answered about one before is asked for again.
  void certificates_changed() { ++certificates_generation_; }

  void set_policy(auth::SignInPolicy policy) { policy_ = std::move(policy); }
  const auth::SignInPolicy& policy() const { return policy_; }
  CredentialCache& cache() { return cache_; }
  DeviceRegistration& registration() { return registration_; }

 private:
  struct ByCertificate;
  using ByCertificateRef = std::unique_ptr<ByCertificate>;
  void identify(ByCertificateRef sign_in);
  void bind_at_first_use(ByCertificateRef sign_in);
  void unavailable(ByCertificate& sign_in, const base::Error& error);
  void on_standing(ByCertificateRef sign_in, registry::CertificateStanding standing);
  void refuse_certificate(ByCertificate& sign_in, auth::RefusalReason reason);

  void look_up(auth::PendingSignIn&& pending, std::string address, Done done);
  void ask_registry(base::DeviceKey key, Found found, int lookups_left);
  void count_look_ups(std::size_t under_way);
  void conclude(auth::PendingSignIn&& pending, const CachedCredential& credential, const std::string& address,
                Done& done);
  void refuse(const auth::Refusal& refusal, std::string_view address, std::string_view who, Done& done);
  static std::string who_is(const auth::PendingSignIn& pending);

  registry::RegistryService& registry_;
  auth::ConnectLimiter& limiter_;
  base::Executor& executor_;
  const base::Clock& clock_;
  auth::SignInPolicy policy_;
  CredentialCache cache_;
  DeviceRegistration registration_;
  std::uint64_t certificates_generation_ = 0;
  std::size_t look_ups_ = 0;  // under way
  base::UniqueFunction<void(std::size_t)> look_ups_changed_;
};

}  // namespace mooring::gateway
