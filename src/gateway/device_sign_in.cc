#include "gateway/device_sign_in.h"

#include <utility>

#include "base/log.h"

namespace mooring::gateway {

DeviceSignIn::DeviceSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, base::Executor& executor,
                           const base::Clock& clock, auth::SignInPolicy policy)
    : registry_(registry),
      limiter_(limiter),
      executor_(executor),
      clock_(clock),
      policy_(std::move(policy)),
      cache_(kMaxCachedDevices) {}

bool DeviceSignIn::rate_limited(const auth::ConnectAttempt& attempt) {
  const base::MonoMs now = clock_.mono_ms();
  if (limiter_.over_rate(now)) return true;
  if (limiter_.address_over_limit(attempt.peer_address, now)) return true;
  if (!attempt.user_name) return false;
  const auto device = auth::device_of_user_name(*attempt.user_name);
  return device && limiter_.device_over_limit(*device, now);
}

void DeviceSignIn::refuse(const auth::Refusal& refusal, std::string_view address, Done& done) {
  if (refusal.counts_against_address()) limiter_.count_refused(address, clock_.mono_ms());
  done(tl::unexpected(refusal));
}

void DeviceSignIn::authenticate(const auth::ConnectAttempt& attempt, Done done) {
  auto pending = auth::begin(attempt, policy_);
  const std::string address(attempt.peer_address);
  if (!pending) {
    refuse(pending.error(), address, done);
    return;
  }
  if (const CachedCredential* cached = cache_.find(pending->device)) {
    conclude(std::move(*pending), *cached, address, done);
    return;
  }
  base::DeviceKey key = pending->device;
  registry_.find_credential(std::move(key), executor_,
                            [this, address, generation = cache_.generation(), pending = std::move(*pending),
                             done = std::move(done)](base::Result<registry::Credential> found) mutable {
                              if (!found) {
                                base::log_error("gateway", "the registry did not answer a sign-in: {}",
                                                found.error().message);
                                refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable), address, done);
                                return;
                              }
                              const CachedCredential& credential = cache_.put(pending.device, *found, generation);
                              conclude(std::move(pending), credential, address, done);
                            });
}

void DeviceSignIn::conclude(auth::PendingSignIn pending, const CachedCredential& credential, const std::string& address,
                            Done& done) {
  auto signed_in = auth::finish(std::move(pending), policy_, credential.exists ? &credential.record : nullptr);
  if (!signed_in) {
    refuse(signed_in.error(), address, done);
    return;
  }
  limiter_.count_accepted(signed_in->device, clock_.mono_ms());
  // Copied first: `done` may ask the cache for something else.
  SignInResult result{std::move(*signed_in), credential.iot_id, credential.life, credential.product};
  done(std::move(result));
}

}  // namespace mooring::gateway
