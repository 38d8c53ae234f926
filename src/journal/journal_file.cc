#include "journal/journal_file.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mooring::journal {
namespace {

constexpr int kApplicationId = 0x4d4a524e;  // "MJRN"
constexpr int kSchemaVersion = 1;
constexpr int kBusyMs = 5000;

// Entries are found by device, and trimmed by age: their ids grow with time over all devices.
constexpr const char* kSchema = R"sql(
CREATE TABLE counter (
  one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  id       INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (1, 1, 1);

CREATE TABLE device (
  id          INTEGER NOT NULL PRIMARY KEY,
  product_key TEXT    NOT NULL,
  device_name TEXT    NOT NULL,
  entries     INTEGER NOT NULL,
  UNIQUE (product_key, device_name)
) STRICT;

CREATE TABLE entry (
  id       INTEGER NOT NULL PRIMARY KEY,
  device   INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  action   INTEGER NOT NULL,
  code     INTEGER NOT NULL,
  answer   INTEGER NOT NULL,
  channel  INTEGER NOT NULL,
  name     TEXT    NOT NULL,
  reason   TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  address  TEXT    NOT NULL,
  facts    TEXT    NOT NULL,
  finding  TEXT    NOT NULL,
  finding_text TEXT NOT NULL,
  advice   TEXT    NOT NULL
) STRICT;
CREATE INDEX entry_of_device ON entry (device);

CREATE TABLE stranger (
  id       INTEGER NOT NULL PRIMARY KEY,
  address_group TEXT NOT NULL,
  product_key TEXT NOT NULL,
  device_name TEXT NOT NULL,
  name     TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  action   INTEGER NOT NULL,
  code     INTEGER NOT NULL,
  answer   INTEGER NOT NULL,
  channel  INTEGER NOT NULL,
  reason   TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  address  TEXT    NOT NULL,
  facts    TEXT    NOT NULL,
  finding  TEXT    NOT NULL,
  finding_text TEXT NOT NULL,
  advice   TEXT    NOT NULL,
  UNIQUE (address_group, product_key, device_name, name)
) STRICT;
CREATE INDEX stranger_by_time ON stranger (last_ms);
CREATE INDEX stranger_by_name ON stranger (product_key COLLATE NOCASE, device_name COLLATE NOCASE);
)sql";

// One run of a kept statement; reset when it goes out of scope, so that no read lingers.
class Run {
 public:
  explicit Run(SQLite::Statement& statement) : statement_(statement) { statement_.tryReset(); }
  ~Run() { statement_.tryReset(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  Run& with(std::int64_t value) {
    statement_.bind(++bound_, value);
    return *this;
  }
  Run& with(std::string_view value) {
    statement_.bind(++bound_, std::string(value));
    return *this;
  }
  // Not copied: it has to outlive the run.
  Run& with(const std::string& value) {
    statement_.bindNoCopy(++bound_, value);
    return *this;
  }
  Run& with(std::string&&) = delete;
  bool step() { return statement_.executeStep(); }
  int exec() { return statement_.exec(); }
  std::int64_t integer(int column) const { return statement_.getColumn(column).getInt64(); }
  std::string text(int column) const { return statement_.getColumn(column).getString(); }

 private:
  SQLite::Statement& statement_;
  int bound_ = 0;
};

// Columns in the order of kColumns.
#define MOORING_ENTRY_COLUMNS                                                                                   \
  "id, revision, at_ms, last_ms, count, action, code, answer, channel, name, reason, subject, address, facts, " \
  "finding, finding_text, advice"

Run& bind_entry(Run& row, const Entry& entry) {
  return row.with(entry.id)
      .with(entry.revision)
      .with(entry.at_ms)
      .with(entry.last_ms)
      .with(static_cast<std::int64_t>(entry.count))
      .with(static_cast<std::int64_t>(entry.action))
      .with(std::int64_t{entry.code})
      .with(std::int64_t{entry.answer})
      .with(static_cast<std::int64_t>(entry.channel))
      .with(entry.name)
      .with(entry.reason)
      .with(entry.subject)
      .with(entry.address)
      .with(entry.facts)
      .with(entry.diagnosis.name)
      .with(entry.diagnosis.text)
      .with(entry.diagnosis.advice);
}

Entry read_entry(const Run& row) {
  Entry entry;
  entry.id = row.integer(0);
  entry.revision = row.integer(1);
  entry.at_ms = row.integer(2);
  entry.last_ms = row.integer(3);
  entry.count = static_cast<std::uint64_t>(row.integer(4));
  entry.action = static_cast<Action>(row.integer(5));
  entry.code = static_cast<std::uint16_t>(row.integer(6));
  entry.answer = static_cast<std::uint8_t>(row.integer(7));
  entry.channel = static_cast<Channel>(std::clamp<std::int64_t>(row.integer(8), 0, 6));
  entry.name = row.text(9);
  entry.reason = row.text(10);
  entry.subject = row.text(11);
  entry.address = row.text(12);
  entry.facts = row.text(13);
  entry.diagnosis = {row.text(14), row.text(15), row.text(16)};
  return entry;
}

}  // namespace

JournalFile::JournalFile(const std::filesystem::path& file, Role role)
    : database_(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX, kBusyMs) {
  if (role == Role::kReader) {
    database_.exec("PRAGMA query_only = ON");
    database_.exec("PRAGMA cache_size = -2048");
    return;
  }
  database_.exec("PRAGMA auto_vacuum = INCREMENTAL");  // counts before the first table only
  database_.exec("PRAGMA journal_mode = WAL");
  // A power failure may cost the last seconds of the log, never the file.
  database_.exec("PRAGMA synchronous = NORMAL");
  database_.exec("PRAGMA journal_size_limit = 8388608");
  database_.exec("PRAGMA cache_size = -8192");
  migrate();
  next_id_ = number("SELECT id FROM counter");
  next_revision_ = stored_revision_ = number("SELECT revision FROM counter");
}

void JournalFile::migrate() {
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
  if (number("SELECT count(*) FROM sqlite_master") == 0) {
    database_.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
    database_.exec(kSchema);
    database_.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  }
  if (number("PRAGMA application_id") != kApplicationId) {
    throw std::runtime_error("the file is an SQLite database, but not a device log");
  }
  if (const std::int64_t version = number("PRAGMA user_version"); version > kSchemaVersion) {
    throw std::runtime_error(fmt::format("it was written by a newer version of this program (schema {})", version));
  }
  transaction.commit();
}

SQLite::Statement& JournalFile::statement(const char* sql) {
  auto& kept = statements_[sql];
  if (!kept) kept = std::make_unique<SQLite::Statement>(database_, sql);
  return *kept;
}

std::int64_t JournalFile::number(const char* sql) {
  return database_.execAndGet(sql).getInt64();
}

void JournalFile::begin() {
  database_.exec("BEGIN IMMEDIATE");
}

void JournalFile::commit() {
  // Every change takes a revision. A quiet server writes nothing.
  if (next_revision_ != stored_revision_) {
    Run(statement("UPDATE counter SET id = ?, revision = ?")).with(next_id_).with(next_revision_).exec();
  }
  store_counts();
  database_.exec("COMMIT");
  stored_revision_ = next_revision_;
}

void JournalFile::rollback() {
  forget_owners();
  database_.tryExec("ROLLBACK");
}

std::int64_t JournalFile::insert(Entry& entry) {
  Owner& owner = owner_of(entry.device);
  entry.id = next_id_++;
  entry.revision = next_revision_++;
  Run row(statement("INSERT INTO entry (device, " MOORING_ENTRY_COLUMNS
                    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  bind_entry(row.with(owner.id), entry).exec();
  add_entries(owner, 1);
  return owner.entries;
}

// Its row is made if there is none.
JournalFile::Owner& JournalFile::owner_of(const base::DeviceKey& device) {
  const auto known = owners_.find(device);
  if (known != owners_.end()) return known->second;
  Owner owner;
  Run found(statement("SELECT id, entries FROM device WHERE product_key = ? AND device_name = ?"));
  if (found.with(device.product_key).with(device.device_name).step()) {
    owner.id = found.integer(0);
    owner.entries = found.integer(1);
  } else {
    Run(statement("INSERT INTO device (product_key, device_name, entries) VALUES (?, ?, 0)"))
        .with(device.product_key)
        .with(device.device_name)
        .exec();
    owner.id = database_.getLastInsertRowid();
  }
  return owners_.emplace(device, owner).first->second;
}

void JournalFile::add_entries(Owner& owner, std::int64_t more) {
  owner.entries += more;
  if (!std::exchange(owner.changed, true)) changed_.push_back(&owner);
}

void JournalFile::store_counts() {
  for (Owner* owner : changed_) {
    Run(statement("UPDATE device SET entries = ? WHERE id = ?")).with(owner->entries).with(owner->id).exec();
    owner->changed = false;
  }
  changed_.clear();
  if (owners_.size() > kOwnersMax) owners_.clear();
}

void JournalFile::forget_owners() {
  changed_.clear();
  owners_.clear();
}

bool JournalFile::update(Entry& entry) {
  entry.revision = next_revision_++;
  return Run(statement("UPDATE entry SET revision = ?, last_ms = ?, count = ?, address = ? WHERE id = ?"))
             .with(entry.revision)
             .with(entry.last_ms)
             .with(static_cast<std::int64_t>(entry.count))
             .with(entry.address)
             .with(entry.id)
             .exec() > 0;
}

void JournalFile::set_diagnosis(std::int64_t id, const Diagnosis& diagnosis) {
  Run(statement("UPDATE entry SET revision = ?, finding = ?, finding_text = ?, advice = ? WHERE id = ?"))
      .with(next_revision_++)
      .with(diagnosis.name)
      .with(diagnosis.text)
      .with(diagnosis.advice)
      .with(id)
      .exec();
}

void JournalFile::set_stranger_diagnosis(const Entry& entry, std::string_view address_group) {
  Run(statement(
          "UPDATE stranger SET revision = ?, finding = ?, finding_text = ?, advice = ? WHERE address_group = ? AND "
          "product_key = ? AND device_name = ? AND name = ?"))
      .with(next_revision_++)
      .with(entry.diagnosis.name)
      .with(entry.diagnosis.text)
      .with(entry.diagnosis.advice)
      .with(address_group)
      .with(entry.device.product_key)
      .with(entry.device.device_name)
      .with(entry.name)
      .exec();
}

void JournalFile::trim_device(const base::DeviceKey& device, std::size_t keep) {
  Owner& owner = owner_of(device);
  const int gone =
      Run(statement("DELETE FROM entry WHERE device = ?1 AND id <= (SELECT id FROM entry WHERE device = ?1 "
                    "ORDER BY id DESC LIMIT 1 OFFSET ?2)"))
          .with(owner.id)
          .with(static_cast<std::int64_t>(keep))
          .exec();
  add_entries(owner, -gone);
}

void JournalFile::add_stranger(Entry& entry, std::string_view address_group) {
  if (entry.id == 0) entry.id = next_id_++;
  entry.revision = next_revision_++;
  Run row(statement(
      "INSERT INTO stranger (address_group, product_key, device_name, " MOORING_ENTRY_COLUMNS
      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (address_group, product_key, "
      "device_name, name) DO UPDATE SET revision = excluded.revision, last_ms = excluded.last_ms, count = count + "
      "excluded.count, address = excluded.address, channel = excluded.channel, facts = excluded.facts, finding = "
      "iif(excluded.finding = '', finding, excluded.finding), finding_text = iif(excluded.finding = '', finding_text, "
      "excluded.finding_text), advice = iif(excluded.finding = '', advice, excluded.advice)"));
  row.with(address_group).with(entry.device.product_key).with(entry.device.device_name);
  bind_entry(row, entry).exec();
}

std::size_t JournalFile::strangers_of(std::string_view address_group) {
  Run row(statement("SELECT count(*) FROM stranger WHERE address_group = ?"));
  row.with(address_group).step();
  return static_cast<std::size_t>(row.integer(0));
}

void JournalFile::trim_strangers(std::size_t keep) {
  Run(statement("DELETE FROM stranger WHERE id IN (SELECT id FROM stranger ORDER BY last_ms DESC LIMIT -1 OFFSET ?)"))
      .with(static_cast<std::int64_t>(keep))
      .exec();
}

std::size_t JournalFile::delete_oldest(std::size_t most, base::WallMs before_ms) {
  std::int64_t last = 0;
  std::unordered_map<std::int64_t, std::int64_t> of_device;
  std::size_t gone = 0;
  {
    Run oldest(statement("SELECT id, device, at_ms FROM entry ORDER BY id LIMIT ?"));
    oldest.with(static_cast<std::int64_t>(most));
    while (oldest.step()) {
      if (before_ms != 0 && oldest.integer(2) >= before_ms) break;
      last = oldest.integer(0);
      ++of_device[oldest.integer(1)];
      ++gone;
    }
  }
  if (gone == 0) return 0;
  store_counts();  // they change here in the file
  forget_owners();
  Run(statement("DELETE FROM entry WHERE id <= ?")).with(last).exec();
  for (const auto& [device, count] : of_device) {
    Run(statement("UPDATE device SET entries = entries - ? WHERE id = ?")).with(count).with(device).exec();
    Run(statement("DELETE FROM device WHERE id = ? AND entries <= 0")).with(device).exec();
  }
  return gone;
}

std::size_t JournalFile::delete_old_strangers(base::WallMs before_ms) {
  return static_cast<std::size_t>(
      Run(statement("DELETE FROM stranger WHERE last_ms < ?")).with(std::int64_t{before_ms}).exec());
}

std::uint64_t JournalFile::used_bytes() {
  const std::int64_t pages = number("PRAGMA page_count") - number("PRAGMA freelist_count");
  return static_cast<std::uint64_t>(pages * number("PRAGMA page_size"));
}

void JournalFile::release_cache() {
  ::sqlite3_db_release_memory(database_.getHandle());
}

void JournalFile::give_back(unsigned pages) {
  database_.exec(fmt::format("PRAGMA incremental_vacuum({})", pages));
  database_.exec("PRAGMA wal_checkpoint(PASSIVE)");  // only then the file is shorter
}

LogPage JournalFile::read_log(const base::DeviceKey& device, const LogQuery& query) {
  LogPage page;
  // One transaction: the revision and the rows belong together.
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::DEFERRED);
  page.revision = number("SELECT revision FROM counter") - 1;
  Run row(statement("SELECT " MOORING_ENTRY_COLUMNS
                    " FROM entry WHERE device = (SELECT id FROM device WHERE product_key = ? AND device_name = ?) AND "
                    "id < ? AND revision > ? AND last_ms >= ? ORDER BY id DESC"));
  row.with(device.product_key)
      .with(device.device_name)
      .with(query.before_id > 0 ? query.before_id : INT64_MAX)
      .with(query.after_revision)
      .with(std::int64_t{query.since_ms});
  while (row.step()) {
    const auto action = static_cast<Action>(row.integer(5));
    if (!query.actions.empty() &&
        std::find(query.actions.begin(), query.actions.end(), action) == query.actions.end()) {
      continue;
    }
    if (page.entries.size() == query.limit) {
      page.more = true;
      break;
    }
    page.entries.push_back(read_entry(row));
    page.entries.back().device = device;
  }
  std::reverse(page.entries.begin(), page.entries.end());
  return page;
}

std::vector<Entry> JournalFile::read_strangers(const StrangerQuery& query) {
  std::vector<Entry> found;
  // An empty name means any; NOCASE decides first and uses the index, the exact comparison after it.
  Run row(
      statement("SELECT " MOORING_ENTRY_COLUMNS
                ", product_key, device_name FROM stranger WHERE (?1 = '' OR product_key = ?1 COLLATE NOCASE) AND (?2 "
                "= '' OR device_name = ?2 COLLATE NOCASE) ORDER BY last_ms DESC"));
  row.with(query.product_key).with(query.device_name);
  while (found.size() < query.limit && row.step()) {
    Entry entry = read_entry(row);
    entry.device = {row.text(17), row.text(18)};
    if (!query.any_case && ((!query.product_key.empty() && entry.device.product_key != query.product_key) ||
                            (!query.device_name.empty() && entry.device.device_name != query.device_name))) {
      continue;
    }
    found.push_back(std::move(entry));
  }
  return found;
}

}  // namespace mooring::journal
