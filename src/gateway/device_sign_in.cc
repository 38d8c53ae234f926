#include "gateway/device_sign_in.h"

#include <utility>

#include "base/log.h"
#include "gateway/certificate_sign_in.h"

namespace mooring::gateway {
namespace {
// While somebody imports a fleet the registry changes all the time; a sign-in must not wait for that to end.
constexpr int kMaxLookups = 4;

// The same however the device names itself; nobody if only its certificate does.
std::string who_of(const auth::ConnectAttempt& attempt) {
  if (const auto device = auth::claimed_device(attempt.user_name, attempt.password)) return auth::user_name_of(*device);
  return attempt.user_name && *attempt.user_name != "&" ? std::string(*attempt.user_name) : std::string();
}
}  // namespace

DeviceSignIn::DeviceSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, base::Executor& executor,
                           const base::Clock& clock, auth::SignInPolicy policy)
    : registry_(registry),
      limiter_(limiter),
      executor_(executor),
      clock_(clock),
      policy_(std::move(policy)),
      cache_(kMaxCachedDevices),
      registration_(registry, limiter, executor, clock) {}

bool DeviceSignIn::turned_away(const auth::ConnectAttempt& attempt) {
  return turned_away(attempt.peer_address, who_of(attempt));
}

bool DeviceSignIn::refused_lately(const auth::ConnectAttempt& attempt) const {
  return limiter_.refused_lately(attempt.peer_address, who_of(attempt), clock_.mono_ms());
}

bool DeviceSignIn::rate_limited(const auth::ConnectAttempt& attempt) {
  if (turned_away(attempt)) return true;
  const base::MonoMs now = clock_.mono_ms();
  const auto device = auth::claimed_device(attempt.user_name, attempt.password);
  if (device && limiter_.device_over_limit(*device, now)) return true;
  return limiter_.over_rate(now);
}

void DeviceSignIn::count_refused(std::string_view address, std::string_view who) {
  if (!limiter_.count_refused(address, who, clock_.mono_ms())) return;
  base::log_info(
      "gateway",
      "{}: too many refused sign-ins (limits.refusals_per_address_per_minute): who was refused is turned away "
      "for a minute",
      address);
}

void DeviceSignIn::refuse(const auth::Refusal& refusal, std::string_view address, std::string_view who, Done& done) {
  if (refusal.counts_against_address()) count_refused(address, who);
  done(tl::unexpected(refusal));
}

void DeviceSignIn::authenticate(const auth::ConnectAttempt& attempt, Done done) {
  auto pending = auth::begin(attempt, policy_);
  const std::string address(attempt.peer_address);
  if (!pending) {
    refuse(pending.error(), address, who_of(attempt), done);
    return;
  }
  if (pending->registration) {
    registration_.run(std::move(*pending->registration), address,
                      [done = std::move(done)](tl::expected<DeviceRegistration::Issued, auth::Refusal> issued) mutable {
                        if (!issued) {
                          done(tl::unexpected(issued.error()));
                          return;
                        }
                        SignInResult result;
                        result.signed_in.device = std::move(issued->device);
                        result.registration = std::move(issued->registration);
                        done(std::move(result));
                      });
    return;
  }
  if (pending->by_certificate) {
    identify(ByCertificate::make(std::move(*pending), *attempt.certificate, address, std::move(done)));
    return;
  }
  look_up(std::move(*pending), address, std::move(done));
}

void DeviceSignIn::look_up(auth::PendingSignIn&& pending, std::string address, Done done) {
  // Most are known, and need neither copies nor a place to wait in.
  if (const CachedCredential* const cached = cache_.find(pending.device)) {
    conclude(std::move(pending), *cached, address, done);
    return;
  }
  base::DeviceKey key = pending.device;
  find(std::move(key), [this, address = std::move(address), pending = std::move(pending),
                        done = std::move(done)](base::Result<const CachedCredential*> found) mutable {
    if (found) {
      conclude(std::move(pending), **found, address, done);
    } else {
      refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable), address, {}, done);
    }
  });
}

void DeviceSignIn::find(base::DeviceKey key, Found found) {
  if (const CachedCredential* cached = cache_.find(key)) {
    found(cached);
  } else {
    ask_registry(std::move(key), std::move(found), kMaxLookups);
  }
}

void DeviceSignIn::ask_registry(base::DeviceKey key, Found found, int lookups_left) {
  base::DeviceKey asked = key;
  count_look_ups(look_ups_ + 1);
  registry_.find_credential(std::move(asked), executor_,
                            [this, key = std::move(key), generation = cache_.generation(), found = std::move(found),
                             lookups_left](base::Result<registry::Credential> credential) mutable {
                              count_look_ups(look_ups_ - 1);
                              if (!credential) {
                                base::log_error("gateway", "the registry did not answer a sign-in: {}",
                                                credential.error().message);
                                found(tl::unexpected(std::move(credential.error())));
                                return;
                              }
                              if (generation != cache_.generation() && lookups_left > 1) {
                                // Something changed since the registry was read; it may have been this device, disabled
                                // by now.
                                ask_registry(std::move(key), std::move(found), lookups_left - 1);
                                return;
                              }
                              const CachedCredential* known = cache_.put(key, *credential, generation);
                              if (known == nullptr) {
                                found(base::fail(base::Errc::kUnavailable, "its product changed with every look-up"));
                                return;
                              }
                              found(known);
                            });
}

void DeviceSignIn::count_look_ups(std::size_t under_way) {
  look_ups_ = under_way;
  if (look_ups_changed_) look_ups_changed_(under_way);
}

void DeviceSignIn::conclude(auth::PendingSignIn&& pending, const CachedCredential& credential,
                            const std::string& address, Done& done) {
  const std::string who = auth::user_name_of(pending.device);
  auto signed_in = auth::finish(std::move(pending), policy_, credential.exists ? &credential.record : nullptr);
  if (!signed_in) {
    refuse(signed_in.error(), address, who, done);
    return;
  }
  limiter_.count_accepted(signed_in->device, clock_.mono_ms());
  if (!signed_in->first_used_token.empty()) {
    registration_.mark_token_used(signed_in->device, signed_in->first_used_token);
  }
  limiter_.remember_accepted(address, who, clock_.mono_ms());
  // Copied first: `done` may ask the cache for something else.
  SignInResult result{std::move(*signed_in), credential.record.iot_id, credential.record.life, credential.product, {}};
  done(std::move(result));
}

}  // namespace mooring::gateway
