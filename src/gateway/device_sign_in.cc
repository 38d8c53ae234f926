#include "gateway/device_sign_in.h"

#include <utility>

#include "base/log.h"

namespace mooring::gateway {
namespace {
// While somebody imports a fleet the registry changes all the time; a sign-in must not wait for that to end.
constexpr int kMaxLookups = 4;
}  // namespace

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
  if (limiter_.address_over_limit(attempt.peer_address, now)) return true;
  if (attempt.user_name) {
    const auto device = auth::device_of_user_name(*attempt.user_name);
    if (device && limiter_.device_over_limit(*device, now)) return true;
  }
  // Last: one address or device over its own limit must not use up what all share.
  return limiter_.over_rate(now);
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
  ask_registry(std::move(*pending), address, std::move(done), kMaxLookups);
}

void DeviceSignIn::ask_registry(auth::PendingSignIn pending, std::string address, Done done, int lookups_left) {
  base::DeviceKey key = pending.device;
  registry_.find_credential(
      std::move(key), executor_,
      [this, address = std::move(address), generation = cache_.generation(), pending = std::move(pending),
       done = std::move(done), lookups_left](base::Result<registry::Credential> found) mutable {
        if (!found) {
          base::log_error("gateway", "the registry did not answer a sign-in: {}", found.error().message);
          refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable), address, done);
          return;
        }
        if (generation != cache_.generation() && lookups_left > 1) {
          // Something changed since the registry was read; it may have been this device, disabled by now.
          ask_registry(std::move(pending), std::move(address), std::move(done), lookups_left - 1);
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
