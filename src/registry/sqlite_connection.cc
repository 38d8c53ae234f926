#include "registry/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>

namespace mooring::registry {
namespace {

constexpr std::int64_t kApplicationId = 0x4d6f6f72;  // "Moor": tells our files from other SQLite files

// Step n brings version n to n+1. Steps are never changed once released; new ones go to the end.
constexpr std::array kMigrations{
    R"sql(
CREATE TABLE product (
  product_key          TEXT    NOT NULL PRIMARY KEY,
  product_secret       TEXT    NOT NULL,
  name                 TEXT    NOT NULL,
  profile              INTEGER NOT NULL,
  dynamic_registration INTEGER NOT NULL,
  topic_classes        TEXT    NOT NULL,
  created_ms           INTEGER NOT NULL,
  device_count         INTEGER NOT NULL DEFAULT 0,
  revision             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  product_key     TEXT    NOT NULL REFERENCES product (product_key),
  device_name     TEXT    NOT NULL,
  device_secret   TEXT    NOT NULL,
  iot_id          TEXT    NOT NULL,
  enabled         INTEGER NOT NULL,
  online          INTEGER NOT NULL DEFAULT 0,
  created_ms      INTEGER NOT NULL,
  activated_ms    INTEGER NOT NULL DEFAULT 0,
  last_online_ms  INTEGER NOT NULL DEFAULT 0,
  last_offline_ms INTEGER NOT NULL DEFAULT 0,
  connection      INTEGER NOT NULL DEFAULT 0,
  nickname        TEXT    NOT NULL DEFAULT '',
  last_address    TEXT    NOT NULL DEFAULT '',
  sdk_lan         TEXT    NOT NULL DEFAULT '',
  sdk_version     TEXT    NOT NULL DEFAULT '',
  sdk_os          TEXT    NOT NULL DEFAULT '',
  sdk_module      TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (product_key, device_name)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX device_iot_id ON device (iot_id);
CREATE INDEX device_online   ON device (product_key, device_name) WHERE online = 1;
CREATE INDEX device_disabled ON device (product_key, device_name) WHERE enabled = 0;
CREATE INDEX device_unactive ON device (product_key, device_name) WHERE activated_ms = 0;
)sql",
    R"sql(
ALTER TABLE device ADD COLUMN life INTEGER NOT NULL DEFAULT 0;

CREATE TABLE deleted_device (
  product_key TEXT    NOT NULL,
  device_name TEXT    NOT NULL,
  life        INTEGER NOT NULL,
  PRIMARY KEY (product_key, device_name, life)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE account (
  name          TEXT    NOT NULL PRIMARY KEY,
  password_hash TEXT    NOT NULL,
  created_ms    INTEGER NOT NULL,
  life          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_permission (
  account      TEXT    NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  position     INTEGER NOT NULL,
  rights       INTEGER NOT NULL,
  topic_filter TEXT    NOT NULL,
  PRIMARY KEY (account, position)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE ticket (
  id                  TEXT    NOT NULL PRIMARY KEY,
  secret_hash         TEXT    NOT NULL,
  product_key         TEXT,
  device_name         TEXT,
  account             TEXT    REFERENCES account (name) ON DELETE CASCADE,
  side                INTEGER NOT NULL,
  origins             TEXT    NOT NULL,
  client_id           TEXT    NOT NULL,
  client_id_is_prefix INTEGER NOT NULL,
  session_s           INTEGER NOT NULL,
  minted_by           TEXT    NOT NULL,
  created_ms          INTEGER NOT NULL,
  expires_ms          INTEGER NOT NULL,
  revoked_ms          INTEGER NOT NULL DEFAULT 0,
  FOREIGN KEY (product_key, device_name) REFERENCES device (product_key, device_name) ON DELETE CASCADE,
  CHECK ((account IS NULL) = (device_name IS NOT NULL) AND (product_key IS NULL) = (device_name IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_device  ON ticket (product_key, device_name);
CREATE INDEX ticket_account ON ticket (account);
CREATE INDEX ticket_expiry  ON ticket (expires_ms);

CREATE TABLE ticket_permission (
  ticket       TEXT    NOT NULL REFERENCES ticket (id) ON DELETE CASCADE,
  position     INTEGER NOT NULL,
  rights       INTEGER NOT NULL,
  topic_filter TEXT    NOT NULL,
  PRIMARY KEY (ticket, position)
) STRICT, WITHOUT ROWID;

ALTER TABLE device ADD COLUMN browser_origin TEXT NOT NULL DEFAULT '';

CREATE TABLE api_token (
  name        TEXT    NOT NULL PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  role        INTEGER NOT NULL,
  secret_hash TEXT    NOT NULL,
  created_ms  INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // device.registration: 0 = by the rules; 1 = reset, it may register once more; 2 = it has, and was not online
    // since.
    R"sql(
ALTER TABLE device ADD COLUMN token_generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN registration     INTEGER NOT NULL DEFAULT 0;

CREATE TABLE device_token (
  product_key TEXT    NOT NULL,
  device_name TEXT    NOT NULL,
  client_id   TEXT    NOT NULL,
  token_hash  TEXT    NOT NULL,
  random_hash TEXT    NOT NULL,
  created_ms  INTEGER NOT NULL,
  used_ms     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (product_key, device_name, client_id),
  FOREIGN KEY (product_key, device_name) REFERENCES device (product_key, device_name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE server_key (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // X.509. device_certificate.authority and issued_serial are known from the first sign-in on.
    R"sql(
ALTER TABLE product ADD COLUMN auth_type INTEGER NOT NULL DEFAULT 0;
ALTER TABLE product ADD COLUMN first_use INTEGER NOT NULL DEFAULT 0;

CREATE TABLE authority (
  fingerprint    TEXT    NOT NULL PRIMARY KEY,
  certificate    TEXT    NOT NULL,
  subject        TEXT    NOT NULL,
  product_key    TEXT    NOT NULL,
  not_before_ms  INTEGER NOT NULL,
  not_after_ms   INTEGER NOT NULL,
  created_ms     INTEGER NOT NULL,
  list_issued_ms INTEGER NOT NULL DEFAULT 0,
  list_next_ms   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE device_certificate (
  fingerprint   TEXT    NOT NULL PRIMARY KEY,
  product_key   TEXT    NOT NULL,
  device_name   TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  authority     TEXT    NOT NULL,
  issued_serial TEXT    NOT NULL,
  not_after_ms  INTEGER NOT NULL,
  bound_ms      INTEGER NOT NULL,
  first_use     INTEGER NOT NULL,
  FOREIGN KEY (product_key, device_name) REFERENCES device (product_key, device_name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX device_certificate_device ON device_certificate (product_key, device_name);
CREATE INDEX device_certificate_issued ON device_certificate (authority, issued_serial);
CREATE INDEX device_certificate_end    ON device_certificate (not_after_ms);

CREATE TABLE revoked_certificate (
  fingerprint TEXT    NOT NULL PRIMARY KEY,
  revoked_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_serial (
  authority  TEXT    NOT NULL REFERENCES authority (fingerprint) ON DELETE CASCADE,
  serial     TEXT    NOT NULL,
  revoked_ms INTEGER NOT NULL,
  listed     INTEGER NOT NULL,
  PRIMARY KEY (authority, serial)
) STRICT, WITHOUT ROWID;
)sql",
    // Certificates that were unbound: they do not bind themselves again at a first use.
    R"sql(
CREATE TABLE unbound_certificate (
  fingerprint TEXT    NOT NULL PRIMARY KEY,
  unbound_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // What an administrator saw before a change.
    R"sql(
ALTER TABLE product ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE device  ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE account ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
)sql",
    R"sql(
CREATE TABLE console_user (
  name                 TEXT    NOT NULL PRIMARY KEY,
  role                 INTEGER NOT NULL,
  password_hash        TEXT    NOT NULL,
  must_change_password INTEGER NOT NULL,
  created_ms           INTEGER NOT NULL,
  last_sign_in_ms      INTEGER NOT NULL DEFAULT 0,
  version              INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at_ms   INTEGER NOT NULL,
  actor   TEXT    NOT NULL,
  role    TEXT    NOT NULL,
  address TEXT    NOT NULL,
  action  TEXT    NOT NULL,
  target  TEXT    NOT NULL,
  status  INTEGER NOT NULL,
  before  TEXT    NOT NULL,
  after   TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_age ON audit (at_ms);
)sql",
    // What was refused counts apart, for strangers can make any number of it; `number` is the entry's among its kind.
    R"sql(
ALTER TABLE audit ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN number  INTEGER NOT NULL DEFAULT 0;
UPDATE audit SET refused = status >= 400, number = kind.number
  FROM (SELECT id, row_number() OVER (PARTITION BY status >= 400 ORDER BY id) AS number FROM audit) AS kind
  WHERE audit.id = kind.id;
CREATE INDEX audit_number ON audit (refused, number);
)sql",
    // Which gateway a child device belongs to.
    R"sql(
CREATE TABLE topology (
  product_key         TEXT    NOT NULL,
  device_name         TEXT    NOT NULL,
  gateway_product_key TEXT    NOT NULL,
  gateway_device_name TEXT    NOT NULL,
  added_ms            INTEGER NOT NULL,
  PRIMARY KEY (product_key, device_name),
  FOREIGN KEY (product_key, device_name) REFERENCES device (product_key, device_name) ON DELETE CASCADE,
  FOREIGN KEY (gateway_product_key, gateway_device_name) REFERENCES device (product_key, device_name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX topology_gateway ON topology (gateway_product_key, gateway_device_name, product_key, device_name);
)sql",
};

std::int64_t read_integer(SqliteConnection& connection, const char* sql) {
  return connection.database().execAndGet(sql).getInt64();
}

base::Errc errc_of(int code) {
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return base::Errc::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return base::Errc::kCorrupt;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return base::Errc::kIo;
    default:
      return base::Errc::kInternal;
  }
}

std::string_view advice(base::Errc code) {
  switch (code) {
    case base::Errc::kUnavailable:
      return "the registry is in use by another program";
    case base::Errc::kCorrupt:
      return "the registry file is damaged; restore a backup";
    case base::Errc::kIo:
      return "the registry file cannot be read or written (disk space, permissions)";
    default:
      return "the registry failed";
  }
}

// Before the library is used: it need not count its memory, which nobody asks for. All threads would do so under one
// lock, for each piece of memory.
void prepare_library() {
  static const int status = ::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(status);  // too late when somebody else was first, and then no harm
}

}  // namespace

SqliteConnection::SqliteConnection(const std::string& file, Role role, int busy_timeout_ms)
    : database_((prepare_library(), file), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
                busy_timeout_ms) {
  database_.exec("PRAGMA foreign_keys = ON");
  if (role == Role::kWriter) {
    database_.exec("PRAGMA journal_mode = WAL");
    database_.exec("PRAGMA synchronous = FULL");
    database_.exec("PRAGMA journal_size_limit = 67108864");
    // Larger than the default: while a fleet is imported, pages are rewritten often between two checkpoints.
    database_.exec("PRAGMA wal_autocheckpoint = 8000");
    database_.exec("PRAGMA cache_size = -65536");
  } else {
    database_.exec("PRAGMA query_only = ON");
    database_.exec("PRAGMA cache_size = -16384");
  }
}

SQLite::Statement& SqliteConnection::statement(std::string_view sql) {
  auto& kept = statements_[sql];
  if (!kept) kept = std::make_unique<SQLite::Statement>(database_, std::string(sql));
  kept->tryReset();
  return *kept;
}

void SqliteConnection::set_durable(bool durable) {
  if (durable_ == durable) return;
  database_.exec(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  durable_ = durable;
}

void SqliteConnection::release_cache() {
  ::sqlite3_db_release_memory(database_.getHandle());
}

base::Error to_error(const SQLite::Exception& exception) {
  const base::Errc code = errc_of(exception.getErrorCode() & 0xff);
  // SQLite's text names tables and columns, never values.
  return {code, fmt::format("{} ({})", advice(code), exception.what())};
}

int newest_schema_version() {
  return static_cast<int>(kMigrations.size());
}

base::Result<> migrate_schema(SqliteConnection& connection, base::WallMs now_ms) {
  return guarded([&]() -> base::Result<> {
    SQLite::Database& database = connection.database();
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    const bool empty = read_integer(connection, "SELECT count(*) FROM sqlite_master") == 0;
    if (!empty && read_integer(connection, "PRAGMA application_id") != kApplicationId) {
      return base::fail(base::Errc::kInvalidArgument, "the file is an SQLite database, but not a registry");
    }
    if (empty) {
      database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
      database.exec("CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_ms INTEGER NOT NULL)");
    }
    const std::int64_t found = read_integer(connection, "SELECT coalesce(max(version), 0) FROM schema_version");
    if (found > newest_schema_version()) {
      return base::fail(base::Errc::kInvalidArgument,
                        fmt::format("the registry was written by a newer version of this program (schema {}, this one "
                                    "knows up to {}); use that version or restore an older backup",
                                    found, newest_schema_version()));
    }
    for (std::int64_t version = found; version < newest_schema_version(); ++version) {
      database.exec(kMigrations[static_cast<std::size_t>(version)]);
      Query(connection, "INSERT INTO schema_version (version, applied_ms) VALUES (?, ?)", version + 1, now_ms).run();
    }
    transaction.commit();
    return {};
  });
}

}  // namespace mooring::registry
