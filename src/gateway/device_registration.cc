#include "gateway/device_registration.h"

#include <utility>

#include "base/log.h"

namespace mooring::gateway {
namespace {

auth::RefusalReason reason_of(registry::RegistrationOutcome outcome) {
  using Outcome = registry::RegistrationOutcome;
  using Reason = auth::RefusalReason;
  switch (outcome) {
    case Outcome::kNoSuchDevice:
      return Reason::kRegistrationNotPreregistered;
    case Outcome::kActivated:
      return Reason::kRegistrationActivated;
    case Outcome::kDisabled:
      return Reason::kRegistrationDisabledDevice;
    case Outcome::kNameRefused:
      return Reason::kRegistrationName;
    case Outcome::kProductFull:
      return Reason::kRegistrationProductFull;
    case Outcome::kTokensFull:
      return Reason::kRegistrationTokensFull;
    case Outcome::kSwitchedOff:
    case Outcome::kNoSuchProduct:
    case Outcome::kOtherGateway:
    case Outcome::kIssued:
      break;
  }
  return Reason::kRegistrationOff;
}

bool is_switched_on(registry::DynamicRegistration mode, bool with_token) {
  return mode == registry::DynamicRegistration::kOnWithoutPreregistration ||
         (mode == registry::DynamicRegistration::kOn && !with_token);
}

}  // namespace

void DeviceRegistration::refuse(auth::RefusalReason reason, std::string_view address, const base::DeviceKeyView& device,
                                Done& done) {
  const auth::Refusal refusal = auth::Refusal::of(reason);
  if (refusal.counts_against_address()) limiter_.count_refused(address, auth::user_name_of(device), clock_.mono_ms());
  done(tl::unexpected(refusal));
}

// The registry, not the cache: what is issued here is seldom asked for twice.
void DeviceRegistration::run(auth::RegistrationRequest request, std::string address, Done done) {
  base::DeviceKey key = request.device;
  registry_.find_credential(std::move(key), executor_,
                            [this, request = std::move(request), address = std::move(address),
                             done = std::move(done)](base::Result<registry::Credential> found) mutable {
                              if (!found) {
                                refuse(auth::RefusalReason::kUnavailable, address, request.device, done);
                                return;
                              }
                              const registry::Product* product = found->product.get();
                              std::optional<std::string_view> secret;
                              if (product != nullptr) secret = product->product_secret;
                              if (const auto reason = auth::check_registration(request, secret)) {
                                refuse(*reason, address, request.device, done);
                              } else if (!is_switched_on(product->dynamic_registration, request.with_token)) {
                                refuse(auth::RefusalReason::kRegistrationOff, address, request.device, done);
                              } else {
                                issue(std::move(request), std::move(address), std::move(done));
                              }
                            });
}

void DeviceRegistration::issue(auth::RegistrationRequest request, std::string address, Done done) {
  registry::RegistrationWanted wanted{request.device, request.with_token, std::move(request.random), devices_max_};
  registry_.run<registry::Registration>(
      [wanted = std::move(wanted)](registry::Registry& registry) { return registry.register_device(wanted); },
      executor_,
      [this, device = std::move(request.device), address = std::move(address),
       done = std::move(done)](base::Result<registry::Registration> registration) mutable {
        if (!registration) {
          base::log_error("gateway", "a registration failed: {}", registration.error().message);
          refuse(auth::RefusalReason::kUnavailable, address, device, done);
          return;
        }
        if (registration->outcome != registry::RegistrationOutcome::kIssued) {
          refuse(reason_of(registration->outcome), address, device, done);
          return;
        }
        limiter_.count_accepted(device, clock_.mono_ms());
        base::log_info("gateway", "{}/{} registered from {}", device.product_key, device.device_name, address);
        done(Issued{std::move(device), std::move(*registration)});
      });
}

void DeviceRegistration::mark_token_used(const base::DeviceKey& device, const std::string& client_id) {
  registry_.run<void>(
      [device, client_id](registry::Registry& registry) { return registry.mark_token_used(device, client_id); },
      executor_,
      [](base::Result<> done) {
        if (!done) base::log_warn("gateway", "the first use of a token was not recorded: {}", done.error().message);
      });
}

}  // namespace mooring::gateway
