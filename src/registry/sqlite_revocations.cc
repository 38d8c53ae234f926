// Revocations in the SQLite registry: by fingerprint, by authority and serial number, by revocation list.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

bool authority_exists(SqliteConnection& connection, std::string_view fingerprint) {
  return Query(connection, "SELECT 1 FROM authority WHERE fingerprint = ?", fingerprint).step();
}

base::Error no_such_authority(std::string_view fingerprint) {
  return {base::Errc::kNotFound, fmt::format("there is no authority '{}'", base::printable(fingerprint, 80))};
}

void insert_serial(SqliteConnection& connection, std::string_view authority, std::string_view serial,
                   base::WallMs now_ms, bool listed) {
  Query(connection, "INSERT OR IGNORE INTO revoked_serial (authority, serial, revoked_ms, listed) VALUES (?, ?, ?, ?)",
        authority, serial, now_ms, listed)
      .run();
}

Change told(RevokedCertificates revoked) {
  std::ranges::sort(revoked.serials);
  Change change{Change::Kind::kCertificatesRevoked, {}};
  change.revoked = std::make_shared<const RevokedCertificates>(std::move(revoked));
  return change;
}

}  // namespace

base::Result<> SqliteRegistry::revoke_certificate(std::string_view fingerprint) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    Query(connection, "INSERT OR IGNORE INTO revoked_certificate (fingerprint, revoked_ms) VALUES (?, ?)", fingerprint,
          clock_.wall_ms())
        .run();
    changes.push_back(told({std::string(fingerprint), {}, {}}));
    return {};
  });
}

base::Result<> SqliteRegistry::revoke_serial(std::string_view authority, std::string_view serial) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    if (!authority_exists(connection, authority)) return tl::unexpected(no_such_authority(authority));
    insert_serial(connection, authority, serial, clock_.wall_ms(), false);
    changes.push_back(told({{}, std::string(authority), {std::string(serial)}}));
    return {};
  });
}

base::Result<> SqliteRegistry::lift_revocation(std::string_view fingerprint) {
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    if (Query(connection, "DELETE FROM revoked_certificate WHERE fingerprint = ?", fingerprint).run() == 0) {
      return base::fail(base::Errc::kNotFound, "this certificate is not revoked by its fingerprint");
    }
    return {};
  });
}

base::Result<> SqliteRegistry::import_revocations(std::string_view authority, base::WallMs issued_ms,
                                                  base::WallMs next_ms, std::span<const std::string> serials) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    Query known(connection, "SELECT list_issued_ms FROM authority WHERE fingerprint = ?", authority);
    if (!known.step()) return tl::unexpected(no_such_authority(authority));
    if (known.integer(0) > issued_ms) {
      return base::fail(base::Errc::kInvalidArgument, "a newer revocation list of this authority was imported already");
    }
    // The list is complete: what is not on it any more is not revoked by it any more.
    Query(connection, "DELETE FROM revoked_serial WHERE authority = ? AND listed = 1", authority).run();
    const base::WallMs now_ms = clock_.wall_ms();
    for (const std::string& serial : serials) insert_serial(connection, authority, serial, now_ms, true);
    Query(connection, "UPDATE authority SET list_issued_ms = ?, list_next_ms = ? WHERE fingerprint = ?", issued_ms,
          next_ms, authority)
        .run();
    changes.push_back(told({{}, std::string(authority), {serials.begin(), serials.end()}}));
    return {};
  });
}

}  // namespace mooring::registry
