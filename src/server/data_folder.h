// DataFolder: the one folder that must be backed up, held by one server at a time through flock on <data>/lock.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "net/unique_fd.h"

namespace mooring::server {

class DataFolder {
 public:
  // Makes the folder (0700) when missing and takes the lock. Errors say what to do.
  static base::Result<DataFolder> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path registry_file() const { return path_ / "registry.db"; }
  std::filesystem::path journal_file() const { return path_ / "journal.db"; }
  std::filesystem::path sessions_folder() const { return path_ / "sessions"; }
  std::filesystem::path tls_folder() const { return path_ / "tls"; }
  std::filesystem::path socket_file() const { return path_ / "mooring.sock"; }

 private:
  DataFolder(std::filesystem::path path, net::UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  net::UniqueFd lock_;
};

}  // namespace mooring::server
