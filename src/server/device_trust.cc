#include "server/device_trust.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/log.h"

namespace mooring::server {
namespace {

constexpr base::WallMs kDayMs = 86'400'000;

std::string day_of(base::WallMs at_ms) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(at_ms / 1000)));
}

std::string_view verb(base::WallMs end_ms, base::WallMs now_ms) {
  return end_ms < now_ms ? "ended" : "ends";
}

void warn(const registry::ExpiringCertificates& ending, base::WallMs now_ms) {
  for (const registry::Authority& authority : ending.authorities) {
    base::log_warn("tls", "the private authority {} ({}) {} on {}: its devices cannot sign in from then on",
                   authority.fingerprint, authority.subject, verb(authority.not_after_ms, now_ms),
                   day_of(authority.not_after_ms));
  }
  if (ending.device_certificates == 0) return;
  std::string names;
  for (const registry::BoundCertificate& one : ending.first) {
    names += fmt::format("{}{}/{} ({} on {})", names.empty() ? "" : ", ", one.device.product_key,
                         one.device.device_name, verb(one.not_after_ms, now_ms), day_of(one.not_after_ms));
  }
  base::log_warn("tls", "{} device certificates have ended or end soon: {}{}", ending.device_certificates, names,
                 ending.device_certificates > ending.first.size() ? " and others" : "");
}

}  // namespace

std::vector<std::string> DeviceTrust::pem_of(const std::vector<registry::Authority>& authorities) {
  std::vector<std::string> all;
  for (const registry::Authority& authority : authorities) all.push_back(authority.certificate_pem);
  return all;
}

void DeviceTrust::start(std::uint32_t warning_days) {
  warning_days_ = warning_days;
  check();
  home_.loop().timers().schedule(*this, clock_.mono_ms() + kCheckMs);
}

void DeviceTrust::on_timer(base::MonoMs now) {
  check();
  home_.loop().timers().schedule(*this, now + kCheckMs);
}

void DeviceTrust::check() {
  const base::WallMs now_ms = clock_.wall_ms();
  registry_.run_read<registry::ExpiringCertificates>(
      [until_ms = now_ms + warning_days_ * kDayMs](registry::Registry& registry) {
        return registry.expiring_certificates(until_ms);
      },
      home_.loop(),
      [now_ms](base::Result<registry::ExpiringCertificates> ending) {
        if (ending) warn(*ending, now_ms);
      });
}

void DeviceTrust::on_changes(std::span<const registry::Change> changes) {
  const bool concerned = std::any_of(changes.begin(), changes.end(), [](const registry::Change& change) {
    return change.kind == registry::Change::Kind::kAuthoritiesChanged;
  });
  if (concerned) home_.loop().post([this] { refresh(); });
}

// One question at a time, so that an older answer never comes after a newer one.
void DeviceTrust::refresh() {
  if (busy_) {
    asked_again_ = true;
    return;
  }
  busy_ = true;
  registry_.run_read<std::vector<registry::Authority>>(
      [](registry::Registry& registry) { return registry.list_authorities(); }, home_.loop(),
      [this](base::Result<std::vector<registry::Authority>> authorities) {
        busy_ = false;
        if (!authorities) {
          base::log_error("tls", "the private authorities cannot be read: {}", authorities.error().message);
        } else {
          use_(pem_of(*authorities));
          base::log_info("tls", "{} private authorities are in use for new connections", authorities->size());
          check();
        }
        if (std::exchange(asked_again_, false)) refresh();
      });
}

}  // namespace mooring::server
