// The record of who changed what, in the SQLite registry.
#include <fmt/format.h>

#include <algorithm>

#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kColumns = "id, at_ms, actor, role, address, action, target, status, before, after";
constexpr std::int64_t kTrimAtOnce = 1000;  // so that a smaller bound does not make one change slow
constexpr int kFirstRefusal = 400;          // of the statuses of HTTP

AuditEntry entry_of(const Query& row) {
  AuditEntry entry;
  entry.id = row.integer(0);
  entry.at_ms = row.integer(1);
  entry.actor = row.text(2);
  entry.role = row.text(3);
  entry.address = row.text(4);
  entry.action = row.text(5);
  entry.target = row.text(6);
  entry.status = static_cast<int>(row.integer(7));
  entry.before = row.text(8);
  entry.after = row.text(9);
  return entry;
}

base::Result<> check_entry(const AuditEntry& entry) {
  for (const std::string* text : {&entry.actor, &entry.address, &entry.target, &entry.before, &entry.after}) {
    if (text->size() > kAuditTextBytesMax) {
      return base::fail(base::Errc::kInvalidArgument, "an entry of the audit log is too long");
    }
  }
  return {};
}

std::uint64_t entries_max(const AuditBounds& bounds, bool refused) {
  if (!refused) return bounds.entries;
  return bounds.entries == 0 ? kAuditRefusalsMax : std::max<std::uint64_t>(bounds.entries / 10, 1);
}

// `number`: of the newest entry of its kind.
void trim(SqliteConnection& connection, bool refused, std::int64_t number, const AuditBounds& bounds,
          base::WallMs now_ms) {
  if (const std::uint64_t most = entries_max(bounds, refused); most != 0) {
    Query(connection,
          "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE refused = ?1 AND number <= ?2 "
          "ORDER BY number LIMIT ?3)",
          refused, number - static_cast<std::int64_t>(most), kTrimAtOnce)
        .run();
  }
  if (bounds.age_s != 0) {
    Query(connection, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
          now_ms - static_cast<std::int64_t>(bounds.age_s) * 1000, kTrimAtOnce)
        .run();
  }
}

}  // namespace

base::Result<> SqliteRegistry::record_audit(const AuditEntry& entry, const AuditBounds& bounds) {
  if (auto ok = check_entry(entry); !ok) return ok;
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    const base::WallMs now = clock_.wall_ms();
    const bool refused = entry.status >= kFirstRefusal;
    Query newest(connection, "SELECT coalesce(max(number), 0) FROM audit WHERE refused = ?", refused);
    newest.step();
    const std::int64_t number = newest.integer(0) + 1;
    Query(connection,
          "INSERT INTO audit (at_ms, actor, role, address, action, target, status, before, after, refused, number) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          now, entry.actor, entry.role, entry.address, entry.action, entry.target, entry.status, entry.before,
          entry.after, refused, number)
        .run();
    trim(connection, refused, number, bounds, now);
    return {};
  });
}

base::Result<std::vector<AuditEntry>> SqliteRegistry::list_audit(const AuditQuery& wanted) {
  if (wanted.limit < 1 || wanted.limit > kAuditRowsMax) {
    return base::fail(base::Errc::kInvalidArgument, fmt::format("at most {} entries at once", kAuditRowsMax));
  }
  static const std::string select = fmt::format(
      "SELECT {} FROM audit WHERE (?1 = 0 OR id < ?1) AND at_ms >= ?2 AND (?3 = '' OR actor = ?3) "
      "AND substr(target, 1, length(?4)) = ?4 ORDER BY id DESC LIMIT ?5",
      kColumns);
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<AuditEntry>> {
    std::vector<AuditEntry> entries;
    Query query(connection, select, wanted.before_id, wanted.since_ms, wanted.actor, wanted.target_prefix,
                wanted.limit);
    while (query.step()) entries.push_back(entry_of(query));
    return entries;
  });
}

}  // namespace mooring::registry
