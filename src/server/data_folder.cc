#include "server/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace mooring::server {
namespace {

constexpr int kLockTries = 30;  // a registry command holds the lock only while it works
constexpr useconds_t kLockPause_us = 100'000;

}  // namespace

base::Result<DataFolder> DataFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  const bool made = !error && ::chmod(path.c_str(), 0700) == 0;
  if (!made || ::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return base::fail(base::Errc::kPermissionDenied,
                      "cannot write the data folder " + path.string() + ": " +
                          (error ? error.message() : std::strerror(errno)) +
                          "; choose another with --data DIR, or give this user the right to write there");
  }
  const std::string lock_path = path / "lock";
  net::UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) {
    return base::fail(base::Errc::kPermissionDenied, "cannot write " + lock_path + ": " + std::strerror(errno) +
                                                         "; choose another data folder with --data DIR");
  }
  for (int i = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++i) {
    if (i == kLockTries) {
      return base::fail(base::Errc::kUnavailable, "the data folder " + path.string() +
                                                      " is in use by another mooring: stop it, or choose another with "
                                                      "--data DIR");
    }
    ::usleep(kLockPause_us);
  }
  return DataFolder(path, std::move(lock));
}

}  // namespace mooring::server
