// Private to the module: the journal's SQLite file. Not thread-safe; each thread has its own JournalFile. Throws what
// SQLiteCpp throws: device_journal.cc turns that into results.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/entry.h"

namespace mooring::journal {

class JournalFile {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };
  // The writer makes the file and brings its schema up to date; std::runtime_error: it is no journal, or of a newer
  // program.
  JournalFile(const std::filesystem::path& file, Role role);

  // ---- the writer ----
  void begin();
  void commit();  // with the counters of ids and revisions
  void rollback();

  // Gives the entry its id and revision. Returns how many entries its device has now.
  std::int64_t insert(Entry& entry);
  // count, last_ms and address of an entry that is there. False: it is not there any more.
  bool update(Entry& entry);
  // What was found out later; of a row that is still there.
  void set_diagnosis(std::int64_t id, const Diagnosis& diagnosis);
  void set_stranger_diagnosis(const Entry& entry, std::string_view address_group);
  // Of a device that has more than `keep`, the oldest go.
  void trim_device(const base::DeviceKey& device, std::size_t keep);
  // Adds to the row of this address, these names and this reason, or makes it.
  void add_stranger(Entry& entry, std::string_view address_group);
  std::size_t strangers_of(std::string_view address_group);
  void trim_strangers(std::size_t keep);
  // The oldest entries of all devices, at most `most`; only those from before `before_ms` unless it is 0. How many
  // went.
  std::size_t delete_oldest(std::size_t most, base::WallMs before_ms);
  std::size_t delete_old_strangers(base::WallMs before_ms);
  std::uint64_t used_bytes();
  // Pages that were read or written stay in memory, up to a bound; those not in use go.
  void release_cache();
  // Gives free pages back to the file system.
  void give_back(unsigned pages);

  // ---- readers ----
  LogPage read_log(const base::DeviceKey& device, const LogQuery& query);
  std::vector<Entry> read_strangers(const StrangerQuery& query);

 private:
  void migrate();
  SQLite::Statement& statement(const char* sql);
  std::int64_t number(const char* sql);

  // The row of a device that was written to lately. Its count is stored once for each transaction.
  struct Owner {
    std::int64_t id = 0;
    std::int64_t entries = 0;
    bool changed = false;
  };
  Owner& owner_of(const base::DeviceKey& device);  // until the end of the transaction
  void add_entries(Owner& owner, std::int64_t more);
  void store_counts();
  void forget_owners();

  SQLite::Database database_;
  std::unordered_map<const char*, std::unique_ptr<SQLite::Statement>> statements_;  // by the literal's address
  std::int64_t next_id_ = 1;
  std::int64_t next_revision_ = 1;
  std::int64_t stored_revision_ = 1;               // of the last commit
  static constexpr std::size_t kOwnersMax = 4096;  // remembered from one transaction to the next
  std::unordered_map<base::DeviceKey, Owner, base::DeviceKeyHash, base::DeviceKeyEqual> owners_;
  std::vector<Owner*> changed_;
};

}  // namespace mooring::journal
