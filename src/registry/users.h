// People who may sign in to the console, and the record of who changed what: values, and the ports behind which they
// are stored. Blocking operations, any thread; errors as in registry.h. Of a password only a hash is here
// (crypto/password_hash.h): it is not for the log either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "registry/api_tokens.h"

namespace mooring::registry {

inline constexpr std::size_t kUsersMax = 1000;
inline constexpr std::size_t kAuditRowsMax = 1000;           // of one list call
inline constexpr std::uint64_t kAuditRefusalsMax = 10'000;   // that are kept when entries have no bound
inline constexpr std::size_t kAuditTextBytesMax = 8 * 1024;  // of each text of an entry; longer ones are refused

struct User {
  std::string name;
  Role role = Role::kViewer;
  std::string password_hash;
  bool must_change_password = false;
  base::WallMs created_ms = 0;
  base::WallMs last_sign_in_ms = 0;
  std::uint64_t version = 1;
  bool operator==(const User&) const = default;
};

struct NewUser {
  std::string name;
  Role role = Role::kViewer;
  std::string password_hash;
  bool must_change_password = true;
};

// As ProductChange.
struct UserChange {
  std::optional<Role> role;
  std::optional<std::string> password_hash;
  std::optional<bool> must_change_password;
  std::optional<std::uint64_t> seen_version = {};
};

class Users {
 public:
  virtual ~Users() = default;
  virtual base::Result<User> create_user(const NewUser& user) = 0;  // kAlreadyExists, kLimitExceeded
  virtual base::Result<std::optional<User>> find_user(std::string_view name) = 0;
  virtual base::Result<std::vector<User>> list_users() = 0;  // by name
  // Who is the only administrator stays one (kInvalidArgument), for else nobody could make another.
  virtual base::Result<User> update_user(std::string_view name, const UserChange& change) = 0;
  virtual base::Result<> delete_user(std::string_view name) = 0;
  virtual base::Result<> note_sign_in(std::string_view name, base::WallMs at_ms) = 0;  // advisory
};

struct AuditEntry {
  std::int64_t id = 0;
  base::WallMs at_ms = 0;
  std::string actor;    // "user admin", "token ci", "the local operator"
  std::string role;     // empty: an account
  std::string address;  // empty: this machine, over the data folder
  std::string action;   // method and pattern of the address: "PATCH products/*"
  std::string target;   // the address itself, behind /api/v1/
  int status = 0;       // as in HTTP
  std::string before;   // JSON, secrets hidden; empty: none
  std::string after;
};

// What was refused (a status from 400 on) strangers can make any number of: a tenth of `entries` is kept of it, and it
// pushes out nothing else.
struct AuditBounds {
  std::uint64_t entries = 100'000;
  std::uint64_t age_s = 365ULL * 86'400;  // 0 = no limit, as the field above
};

struct AuditQuery {
  std::string actor = {};          // empty: everybody
  std::string target_prefix = {};  // empty: everything
  base::WallMs since_ms = 0;
  std::int64_t before_id = 0;  // older pages; 0: from the newest on
  std::size_t limit = 100;     // 1 to kAuditRowsMax
};

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  // The oldest go when there are more than the bounds say.
  virtual base::Result<> record_audit(const AuditEntry& entry, const AuditBounds& bounds) = 0;
  virtual base::Result<std::vector<AuditEntry>> list_audit(const AuditQuery& query) = 0;  // newest first
};

}  // namespace mooring::registry
