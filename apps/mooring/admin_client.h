// AdminClient: how a command reaches the admin API of a data folder, whether a server runs there or not.
//
// The server holds an exclusive flock on DATA/lock. A command tries to get the same lock: if it gets it, no server runs
// and the command works on DATA/registry.db itself, keeping the lock; otherwise it talks HTTP over the Unix socket
// DATA/mooring.sock. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "api/admin_service.h"
#include "base/result.h"

namespace mooring::app {

inline constexpr std::string_view kLockFile = "lock";
inline constexpr std::string_view kSocketFile = "mooring.sock";
inline constexpr std::string_view kRegistryFile = "registry.db";
inline constexpr std::string_view kJournalFile = "journal.db";
inline constexpr int kConnectWaitMs = 5000;    // for a server that is starting, or another command that is ending
inline constexpr int kRequestWaitMs = 60'000;  // for one answer

class AdminClient {
 public:
  virtual ~AdminClient() = default;
  // An answer with any status is a success here; failing means that none arrived.
  virtual base::Result<api::AdminResponse> request(std::string_view method, std::string_view target,
                                                   std::string_view body) = 0;
  virtual bool server_runs() const = 0;
};

enum class DataFolder {
  kMustExist,        // with a registry in it
  kCreateIfMissing,  // made with mode 0700
};

// kNotFound, kPermissionDenied, kUnavailable, kIo: messages that say what to do.
base::Result<std::unique_ptr<AdminClient>> open_admin_client(const std::filesystem::path& data, DataFolder folder);

}  // namespace mooring::app
