#include "crypto/secret_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mooring::crypto {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }

 private:
  int value_;
};

tl::unexpected<base::Error> io_error(const char* what, const fs::path& path) {
  const int error = errno;
  return base::fail(error == ENOENT ? base::Errc::kNotFound : base::Errc::kIo,
                    std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(error));
}

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(descriptor, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

base::Result<> write_new_file(const fs::path& path, std::string_view content, FileAccess access) {
  // A file that an interrupted run left behind may have any content and mode: never reuse it.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("remove", path);
  const mode_t mode = access == FileAccess::kOwnerOnly ? 0600 : 0644;
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return io_error("create", path);
  if (::fchmod(file.get(), mode) != 0) return io_error("set the mode of", path);
  if (!write_all(file.get(), content)) return io_error("write", path);
  if (::fsync(file.get()) != 0) return io_error("write", path);
  return {};
}

}  // namespace

base::Result<> write_file_atomically(const fs::path& path, std::string_view content, FileAccess access) {
  const fs::path temporary = path.string() + ".new";
  if (auto written = write_new_file(temporary, content, access); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("replace", path);
  const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return io_error("sync", path.parent_path());
  return {};
}

base::Result<std::string> read_small_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return io_error("open", path);
  std::string content;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path);
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > kMaxPemFileBytes) {
      return base::fail(base::Errc::kLimitExceeded, path.string() + " is too large for a PEM file");
    }
  }
}

base::Result<FolderLock> FolderLock::acquire(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return io_error("open", folder);
  while (::flock(descriptor, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    auto error = io_error("lock", folder);
    ::close(descriptor);
    return error;
  }
  return FolderLock(descriptor);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace mooring::crypto
