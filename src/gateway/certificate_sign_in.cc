#include "gateway/certificate_sign_in.h"

#include <utility>

#include "base/log.h"
#include "crypto/client_certificate.h"

namespace mooring::gateway {
namespace {

registry::PresentedChain chain_of(const auth::PresentedCertificate& shown, const auth::PendingSignIn& pending) {
  registry::PresentedChain chain{shown.chain,       shown.authority,           shown.issued_serial,  shown.subject,
                                 shown.common_name, shown.organizational_unit, shown.valid_until_ms, std::nullopt};
  if (!pending.identifies) chain.claimed = pending.device;
  return chain;
}

}  // namespace

auth::PresentedCertificate presented(const net::PeerCertificate& certificate) {
  auth::PresentedCertificate out;
  out.problem = certificate.problem;
  out.valid_from_ms = certificate.valid_from_ms;
  out.valid_until_ms = certificate.valid_until_ms;
  out.chain = certificate.chain;
  out.authority = certificate.authority;
  out.issued_serial = certificate.issued_serial;
  auto fields = crypto::read_device_certificate(certificate.der);
  if (!fields) {
    out.problem = fields.error().message;
    return out;
  }
  out.fingerprint = std::move(fields->fingerprint);
  out.subject = std::move(fields->subject);
  out.common_name = std::move(fields->common_name);
  out.organizational_unit = std::move(fields->organizational_unit);
  return out;
}

// Nobody, as long as only the certificate tells who it is.
std::string DeviceSignIn::who_is(const auth::PendingSignIn& pending) {
  if (pending.identifies) return {};
  return pending.device.device_name + "&" + pending.device.product_key;
}

void DeviceSignIn::refuse_certificate(ByCertificate& sign_in, auth::RefusalReason reason) {
  const auth::PresentedCertificate& shown = sign_in.shown;
  base::log_info("gateway", "{}: client certificate {} ({}){}{}", sign_in.address, shown.fingerprint, shown.subject,
                 shown.problem.empty() ? "" : ": ", shown.problem);
  refuse(auth::Refusal::of(reason), sign_in.address, who_is(sign_in.pending), sign_in.done);
}

void DeviceSignIn::unavailable(ByCertificate& sign_in, const base::Error& error) {
  base::log_error("gateway", "the registry did not answer a sign-in: {}", error.message);
  refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable), sign_in.address, {}, sign_in.done);
}

// One indexed look-up; binding, if it comes to that, is a change and waits for the disk.
void DeviceSignIn::identify(ByCertificateRef sign_in) {
  if (!sign_in->shown.problem.empty()) {
    refuse_certificate(*sign_in, auth::RefusalReason::kCertificateUntrusted);
    return;
  }
  sign_in->asked = certificates_generation_;
  --sign_in->lookups_left;
  using Standing = registry::CertificateStanding;
  registry::PresentedChain chain = chain_of(sign_in->shown, sign_in->pending);
  registry_.run_read<Standing>(
      [chain = std::move(chain)](registry::Registry& registry) { return registry.find_certificate(chain); }, executor_,
      [this, sign_in = std::move(sign_in)](base::Result<Standing> found) mutable {
        if (!found) {
          unavailable(*sign_in, found.error());
        } else if (sign_in->asked != certificates_generation_ && sign_in->lookups_left > 0) {
          identify(std::move(sign_in));  // it may be this one that was revoked since
        } else if (!found->first_use || auth::check_presented(sign_in->shown, clock_.wall_ms())) {
          on_standing(std::move(sign_in), std::move(*found));
        } else {
          bind_at_first_use(std::move(sign_in));
        }
      });
}

void DeviceSignIn::bind_at_first_use(ByCertificateRef sign_in) {
  sign_in->asked = certificates_generation_;
  using Standing = registry::CertificateStanding;
  registry::PresentedChain chain = chain_of(sign_in->shown, sign_in->pending);
  registry_.run<Standing>(
      [chain = std::move(chain)](registry::Registry& registry) { return registry.bind_at_first_use(chain); }, executor_,
      [this, sign_in = std::move(sign_in)](base::Result<Standing> bound) mutable {
        if (!bound) {
          unavailable(*sign_in, bound.error());
          return;
        }
        if (bound->device) {
          base::log_info("gateway", "{}/{}: client certificate {} ({}) is bound to it from its first use on",
                         bound->device->product_key, bound->device->device_name, sign_in->shown.fingerprint,
                         sign_in->shown.subject);
        }
        on_standing(std::move(sign_in), std::move(*bound));
      });
}

void DeviceSignIn::on_standing(ByCertificateRef sign_in, registry::CertificateStanding standing) {
  const auth::CertificateRecord record{standing.authority_known, standing.revoked, standing.device};
  auth::PendingSignIn& pending = sign_in->pending;
  if (const auto reason = auth::check_certificate(sign_in->shown, record, pending, clock_.wall_ms())) {
    refuse_certificate(*sign_in, *reason);
    return;
  }
  // Row 3 of connection.md 4.5, for a device that did not say which it is.
  if (pending.identifies && limiter_.device_over_limit(pending.device, clock_.mono_ms())) {
    refuse(auth::Refusal::of(auth::RefusalReason::kRateLimited), sign_in->address, {}, sign_in->done);
    return;
  }
  if (standing.undescribed) {
    registry_.run<void>([chain = chain_of(sign_in->shown, pending)](
                            registry::Registry& registry) { return registry.describe_certificate(chain); },
                        executor_,
                        [](base::Result<> described) {
                          if (!described) base::log_warn("gateway", "{}", described.error().message);
                        });
  }
  auto trail = std::make_shared<const broker::CertificateTrail>(
      broker::CertificateTrail{sign_in->shown.chain, sign_in->shown.authority, sign_in->shown.issued_serial});
  look_up(std::move(pending), std::move(sign_in->address),
          [this, asked = sign_in->asked, trail = std::move(trail),
           done = std::move(sign_in->done)](tl::expected<SignInResult, auth::Refusal> result) mutable {
            if (result && asked != certificates_generation_) {
              // Revoked before there was a connection to close, maybe; it comes again and is looked at anew.
              done(tl::unexpected(auth::Refusal::of(auth::RefusalReason::kUnavailable)));
              return;
            }
            if (result) result->certificate = std::move(trail);
            done(std::move(result));
          });
}

}  // namespace mooring::gateway
