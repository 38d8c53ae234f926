// Small files that must never be seen half written: keys and certificates. Internal to the module.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::crypto {

inline constexpr std::size_t kMaxPemFileBytes = 256 * 1024;

enum class FileAccess { kOwnerOnly, kEverybodyReads };

// Writes beside the place, syncs file and folder, renames. The mode holds from the first byte on.
base::Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content, FileAccess access);

// kNotFound when there is none, kLimitExceeded above kMaxPemFileBytes, else kIo.
base::Result<std::string> read_small_file(const std::filesystem::path& path);

// Holds an exclusive lock on a folder while it lives; waits for it when made.
class FolderLock {
 public:
  static base::Result<FolderLock> acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace mooring::crypto
