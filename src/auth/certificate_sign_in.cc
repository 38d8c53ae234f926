#include "auth/certificate_sign_in.h"

#include "base/assert.h"

namespace mooring::auth {

std::optional<RefusalReason> check_presented(const PresentedCertificate& shown, base::WallMs now_ms) {
  if (!shown.problem.empty() || shown.chain.empty()) return RefusalReason::kCertificateUntrusted;
  if (now_ms < shown.valid_from_ms) return RefusalReason::kCertificateNotYetValid;
  if (now_ms > shown.valid_until_ms) return RefusalReason::kCertificateExpired;
  return std::nullopt;
}

std::optional<RefusalReason> check_certificate(const PresentedCertificate& shown, const CertificateRecord& record,
                                               PendingSignIn& pending, base::WallMs now_ms) {
  MOORING_ASSERT(pending.by_certificate);
  // Before the dates: a revoked one is to be reported as revoked even when it has ended since.
  if (shown.problem.empty() && record.revoked) return RefusalReason::kCertificateRevoked;
  if (const auto reason = check_presented(shown, now_ms)) return reason;
  if (!record.authority_known) return RefusalReason::kCertificateUntrusted;
  if (!record.device) return RefusalReason::kCertificateUnbound;
  if (!pending.identifies && pending.device != *record.device) return RefusalReason::kCertificateOfOtherDevice;
  pending.device = *record.device;
  pending.certificate_checked = true;
  return std::nullopt;
}

}  // namespace mooring::auth
