// X.509 in the SQLite registry: authorities, bound certificates, revocations, binding at first use.
#include <fmt/format.h>

#include "base/text.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kSelectAuthority =
    "SELECT fingerprint, certificate, subject, product_key, not_before_ms, not_after_ms, created_ms, list_issued_ms, "
    "list_next_ms, (SELECT count(*) FROM revoked_serial r WHERE r.authority = fingerprint) FROM authority ";
constexpr std::string_view kSelectBound =
    "SELECT c.fingerprint, c.product_key, c.device_name, c.subject, c.not_after_ms, c.bound_ms, c.first_use, "
    "EXISTS (SELECT 1 FROM revoked_certificate r WHERE r.fingerprint = c.fingerprint) OR "
    "EXISTS (SELECT 1 FROM revoked_serial r WHERE r.authority = c.authority AND r.serial = c.issued_serial) "
    "FROM device_certificate c ";

Authority authority_of(const Query& row) {
  return {row.text(0),    row.text(1),    row.text(2),    row.text(3),    row.integer(4),
          row.integer(5), row.integer(6), row.integer(7), row.integer(8), static_cast<std::uint64_t>(row.integer(9))};
}

BoundCertificate bound_of(const Query& row) {
  return {row.text(0),    {row.text(1), row.text(2)}, row.text(3),        row.integer(4),
          row.integer(5), row.integer(6) != 0,        row.integer(7) != 0};
}

std::optional<Authority> load_authority(SqliteConnection& connection, std::string_view fingerprint) {
  static const std::string select = fmt::format("{}WHERE fingerprint = ?", kSelectAuthority);
  Query query(connection, select, fingerprint);
  return query.step() ? std::optional(authority_of(query)) : std::nullopt;
}

std::optional<BoundCertificate> load_bound(SqliteConnection& connection, std::string_view fingerprint) {
  static const std::string select = fmt::format("{}WHERE c.fingerprint = ?", kSelectBound);
  Query query(connection, select, fingerprint);
  return query.step() ? std::optional(bound_of(query)) : std::nullopt;
}

std::vector<BoundCertificate> load_all_bound(SqliteConnection& connection, const base::DeviceKey& key) {
  static const std::string select =
      fmt::format("{}WHERE c.product_key = ? AND c.device_name = ? ORDER BY c.bound_ms, c.fingerprint", kSelectBound);
  Query query(connection, select, key.product_key, key.device_name);
  std::vector<BoundCertificate> all;
  while (query.step()) all.push_back(bound_of(query));
  return all;
}

base::Error no_such_authority(std::string_view fingerprint) {
  return {base::Errc::kNotFound, fmt::format("there is no authority '{}'", base::printable(fingerprint, 80))};
}

bool is_revoked(SqliteConnection& connection, const PresentedChain& shown) {
  for (const std::string& one : shown.chain) {
    if (Query(connection, "SELECT 1 FROM revoked_certificate WHERE fingerprint = ?", one).step()) return true;
  }
  return Query(connection, "SELECT 1 FROM revoked_serial WHERE authority = ? AND serial = ?", shown.authority,
               shown.issued_serial)
      .step();
}

// Which device a certificate without one becomes: the product is the authority's, else the one that the OU names; the
// device is the CN. Nothing when a rule is not met.
struct FirstUseTarget {
  base::DeviceKey device;
  bool create = false;
};
std::optional<FirstUseTarget> first_use_target(SqliteConnection& connection, const Authority& authority,
                                               const PresentedChain& shown) {
  if (Query(connection, "SELECT 1 FROM unbound_certificate WHERE fingerprint = ?", shown.chain.front()).step()) {
    return std::nullopt;
  }
  const std::string& product_key = authority.product_key.empty() ? shown.organizational_unit : authority.product_key;
  if (!check_product_key(product_key) || !check_device_name(shown.common_name)) return std::nullopt;
  FirstUseTarget target{{product_key, shown.common_name}, false};
  if (shown.claimed && *shown.claimed != target.device) return std::nullopt;
  const auto product = load_product(connection, product_key);
  if (!product || product->auth_type != AuthType::kX509 || product->first_use == FirstUse::kOff) return std::nullopt;
  if (load_device(connection, target.device)) {
    if (!load_all_bound(connection, target.device).empty()) return std::nullopt;
    return target;
  }
  target.create = true;
  return product->first_use == FirstUse::kCreate ? std::optional(target) : std::nullopt;
}

CertificateStanding standing_of(SqliteConnection& connection, const PresentedChain& shown) {
  CertificateStanding standing;
  if (shown.chain.empty()) return standing;
  const auto authority = load_authority(connection, shown.authority);
  standing.authority_known = authority.has_value();
  standing.revoked = is_revoked(connection, shown);
  if (!authority || standing.revoked) return standing;
  if (const auto bound = load_bound(connection, shown.chain.front())) {
    standing.device = bound->device;
    standing.undescribed =
        Query(connection, "SELECT 1 FROM device_certificate WHERE fingerprint = ? AND authority = ''",
              bound->fingerprint)
            .step();
  } else {
    standing.first_use = first_use_target(connection, *authority, shown).has_value();
  }
  return standing;
}

void insert_bound(SqliteConnection& connection, const BoundCertificate& bound, std::string_view authority,
                  std::string_view issued_serial) {
  Query(connection,
        "INSERT INTO device_certificate (fingerprint, product_key, device_name, subject, authority, issued_serial, "
        "not_after_ms, bound_ms, first_use) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        bound.fingerprint, bound.device.product_key, bound.device.device_name, bound.subject, authority, issued_serial,
        bound.not_after_ms, bound.bound_ms, bound.first_use)
      .run();
}

}  // namespace

base::Result<Authority> SqliteRegistry::add_authority(const Authority& wanted, std::size_t most) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Authority> {
    if (load_authority(connection, wanted.fingerprint)) {
      return base::fail(base::Errc::kAlreadyExists, "this authority is known already");
    }
    Query count(connection, "SELECT count(*) FROM authority");
    count.step();
    if (std::cmp_greater_equal(count.integer(0), most)) {
      return base::fail(base::Errc::kLimitExceeded,
                        fmt::format("there can be {} authorities at most (limits.authorities)", most));
    }
    if (!wanted.product_key.empty() && !product_exists(connection, wanted.product_key)) {
      return tl::unexpected(no_such_product(wanted.product_key));
    }
    Query(connection,
          "INSERT INTO authority (fingerprint, certificate, subject, product_key, not_before_ms, not_after_ms, "
          "created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
          wanted.fingerprint, wanted.certificate_pem, wanted.subject, wanted.product_key, wanted.not_before_ms,
          wanted.not_after_ms, clock_.wall_ms())
        .run();
    changes.push_back({Change::Kind::kAuthoritiesChanged, {}});
    return *load_authority(connection, wanted.fingerprint);
  });
}

base::Result<Authority> SqliteRegistry::get_authority(std::string_view fingerprint) {
  return read([&](SqliteConnection& connection) -> base::Result<Authority> {
    auto authority = load_authority(connection, fingerprint);
    if (!authority) return tl::unexpected(no_such_authority(fingerprint));
    return std::move(*authority);
  });
}

base::Result<std::vector<Authority>> SqliteRegistry::list_authorities() {
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<Authority>> {
    static const std::string select = fmt::format("{}ORDER BY created_ms, fingerprint", kSelectAuthority);
    Query query(connection, select);
    std::vector<Authority> all;
    while (query.step()) all.push_back(authority_of(query));
    return all;
  });
}

base::Result<> SqliteRegistry::remove_authority(std::string_view fingerprint) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    if (Query(connection, "DELETE FROM authority WHERE fingerprint = ?", fingerprint).run() == 0) {
      return tl::unexpected(no_such_authority(fingerprint));
    }
    changes.push_back({Change::Kind::kAuthoritiesChanged, {}});
    return {};
  });
}

base::Result<BoundCertificate> SqliteRegistry::bind_certificate(const BoundCertificate& wanted) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<BoundCertificate> {
    if (const auto device = load_device(connection, wanted.device); !device) return tl::unexpected(device.error());
    if (const auto known = load_bound(connection, wanted.fingerprint)) {
      if (known->device == wanted.device) return *known;
      return base::fail(base::Errc::kAlreadyExists,
                        fmt::format("the certificate is bound to device '{}' of product '{}'",
                                    known->device.device_name, known->device.product_key));
    }
    if (load_all_bound(connection, wanted.device).size() >= kCertificatesPerDeviceMax) {
      return base::fail(base::Errc::kLimitExceeded,
                        fmt::format("a device has {} certificates at most; unbind one", kCertificatesPerDeviceMax));
    }
    BoundCertificate bound = wanted;
    bound.bound_ms = clock_.wall_ms();
    insert_bound(connection, bound, "", "");
    Query(connection, "DELETE FROM unbound_certificate WHERE fingerprint = ?", bound.fingerprint).run();
    changes.push_back({Change::Kind::kDeviceChanged, wanted.device});
    return *load_bound(connection, wanted.fingerprint);
  });
}

base::Result<> SqliteRegistry::unbind_certificate(const base::DeviceKey& key, std::string_view fingerprint) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    if (const auto device = load_device(connection, key); !device) return tl::unexpected(device.error());
    const int gone = Query(connection,
                           "DELETE FROM device_certificate WHERE fingerprint = ? AND product_key = ? AND "
                           "device_name = ?",
                           fingerprint, key.product_key, key.device_name)
                         .run();
    if (gone == 0) return base::fail(base::Errc::kNotFound, "this certificate is not bound to the device");
    Query(connection, "INSERT OR REPLACE INTO unbound_certificate (fingerprint, unbound_ms) VALUES (?, ?)", fingerprint,
          clock_.wall_ms())
        .run();
    changes.push_back({Change::Kind::kDeviceCertificateGone, key});
    return {};
  });
}

base::Result<std::vector<BoundCertificate>> SqliteRegistry::list_certificates(const base::DeviceKey& key) {
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<BoundCertificate>> {
    return load_all_bound(connection, key);
  });
}

base::Result<CertificateStanding> SqliteRegistry::find_certificate(const PresentedChain& shown) {
  return read([&](SqliteConnection& connection) -> base::Result<CertificateStanding> {
    return standing_of(connection, shown);
  });
}

base::Result<CertificateStanding> SqliteRegistry::bind_at_first_use(const PresentedChain& shown) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<CertificateStanding> {
    CertificateStanding standing = standing_of(connection, shown);
    if (!standing.first_use) return standing;
    const auto target = first_use_target(connection, *load_authority(connection, shown.authority), shown);
    if (target->create) {
      NewDevice device;
      device.device_name = target->device.device_name;
      device.without_secret = true;
      const auto made = insert_device(connection, target->device.product_key, device);
      if (!made) return tl::unexpected(made.error());
      add_to_device_count(connection, target->device.product_key, 1);
      changes.push_back({.kind = Change::Kind::kDeviceCreated, .key = target->device, .iot_id = made->iot_id});
    }
    insert_bound(
        connection,
        {shown.chain.front(), target->device, shown.subject, shown.not_after_ms, clock_.wall_ms(), true, false},
        shown.authority, shown.issued_serial);
    changes.push_back({Change::Kind::kDeviceChanged, target->device});
    standing.device = target->device;
    standing.first_use = false;
    return standing;
  });
}

base::Result<> SqliteRegistry::describe_certificate(const PresentedChain& shown) {
  return change(false, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    Query(connection,
          "UPDATE device_certificate SET subject = ?, not_after_ms = ?, authority = ?, issued_serial = ? "
          "WHERE fingerprint = ?",
          shown.subject, shown.not_after_ms, shown.authority, shown.issued_serial, shown.chain.front())
        .run();
    return {};
  });
}

base::Result<ExpiringCertificates> SqliteRegistry::expiring_certificates(base::WallMs until_ms) {
  return read([&](SqliteConnection& connection) -> base::Result<ExpiringCertificates> {
    static const std::string authorities =
        fmt::format("{}WHERE not_after_ms < ? ORDER BY not_after_ms", kSelectAuthority);
    static const std::string bound =
        fmt::format("{}WHERE c.not_after_ms > 0 AND c.not_after_ms < ? ORDER BY c.not_after_ms LIMIT ?", kSelectBound);
    ExpiringCertificates out;
    Query ending(connection, authorities, until_ms);
    while (ending.step()) out.authorities.push_back(authority_of(ending));
    Query count(connection, "SELECT count(*) FROM device_certificate c WHERE c.not_after_ms > 0 AND c.not_after_ms < ?",
                until_ms);
    count.step();
    out.device_certificates = static_cast<std::uint64_t>(count.integer(0));
    Query first(connection, bound, until_ms, kExpiringShownMax);
    while (first.step()) out.first.push_back(bound_of(first));
    return out;
  });
}

}  // namespace mooring::registry
