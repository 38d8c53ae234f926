// Private to the module: one SQLite connection with its prepared statements, and SQLite's exceptions as errors.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"

namespace mooring::registry {

// One thread at a time.
class SqliteConnection {
 public:
  enum class Role { kWriter, kReader };
  SqliteConnection(const std::string& file, Role role, int busy_timeout_ms);

  SQLite::Database& database() { return database_; }
  // The kept statement of this text, which must live for ever (a literal).
  SQLite::Statement& statement(std::string_view sql);
  // Whether a commit waits for the disk. Outside a transaction only.
  void set_durable(bool durable);
  // Pages that were read or written stay in memory, up to a bound; those not in use go.
  void release_cache();

 private:
  SQLite::Database database_;
  std::unordered_map<std::string_view, std::unique_ptr<SQLite::Statement>> statements_;
  bool durable_ = true;
};

// One run of a kept statement: bind, step, read; reset when it goes out of scope, so that no read lingers.
class Query {
 public:
  template <class... Values>
  Query(SqliteConnection& connection, std::string_view sql, const Values&... values)
      : statement_(connection.statement(sql)) {
    int index = 0;
    (bind(++index, values), ...);
  }
  ~Query() { statement_.tryReset(); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  bool step() { return statement_.executeStep(); }
  // Runs a change to its end; the number of rows changed.
  int run() { return statement_.exec(); }
  std::string text(int column) const { return statement_.getColumn(column).getString(); }
  std::int64_t integer(int column) const { return statement_.getColumn(column).getInt64(); }
  bool is_null(int column) const { return statement_.isColumnNull(column); }

 private:
  template <class Value>
  void bind(int index, const Value& value) {
    if constexpr (std::is_same_v<Value, std::string>) {
      statement_.bind(index, value);
    } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      statement_.bind(index, std::string(std::string_view(value)));
    } else {
      statement_.bind(index, static_cast<std::int64_t>(value));
    }
  }
  SQLite::Statement& statement_;
};

// A change whose texts are not copied: for what is written often. The number of rows changed.
template <class... Values>
int run_change(SqliteConnection& connection, std::string_view sql, const Values&... values) {
  SQLite::Statement& statement = connection.statement(sql);
  struct Reset {
    SQLite::Statement& statement;
    ~Reset() { statement.tryReset(); }
  };
  const Reset at_end{statement};
  int index = 0;
  const auto bind = [&]<class Value>(const Value& value) {
    if constexpr (std::is_same_v<Value, std::string>) {
      statement.bindNoCopy(++index, value);
    } else {
      statement.bind(++index, static_cast<std::int64_t>(value));
    }
  };
  (bind(values), ...);
  return statement.exec();
}

base::Error to_error(const SQLite::Exception& exception);

// Runs `operation`, which returns a Result, and turns what SQLite or the library throws into its error.
template <class Operation>
auto guarded(Operation&& operation) -> decltype(operation()) {
  try {
    return operation();
  } catch (const SQLite::Exception& exception) {
    return tl::unexpected<base::Error>(to_error(exception));
  } catch (const std::exception& exception) {
    return base::fail(base::Errc::kInternal, std::string("the registry failed: ") + exception.what());
  }
}

// Brings the schema up to the newest version this program knows. kInvalidArgument: the file is of a newer program, or
// is not a registry at all.
base::Result<> migrate_schema(SqliteConnection& connection, base::WallMs now_ms);
int newest_schema_version();

}  // namespace mooring::registry
