#include "admin_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "crypto/random.h"
#include "http_response.h"
#include "journal/device_journal.h"
#include "registry/sqlite_registry.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr auto kRetryPause = std::chrono::milliseconds(50);

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string why() {
  return std::strerror(errno);
}

Result<Descriptor> connect_socket(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return fail(Errc::kInvalidArgument, fmt::format("the path {} is too long for a socket (at most {} bytes)", text,
                                                    sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!descriptor.valid()) return fail(Errc::kIo, fmt::format("cannot make a socket: {}", why()));
  const timeval wait{kRequestWaitMs / 1000, 0};
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Errc code = errno == EACCES ? Errc::kPermissionDenied : Errc::kUnavailable;
    return fail(code, fmt::format("cannot reach the server at {}: {}", text, why()));
  }
  return descriptor;
}

Result<> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return fail(Errc::kUnavailable, fmt::format("the server did not take the request: {}", why()));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<api::AdminResponse> read_response(int fd) {
  return read_http_response([fd](base::MutableBytes buffer) -> Result<std::size_t> {
    for (;;) {
      const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (received >= 0) return static_cast<std::size_t>(received);
      if (errno != EINTR) return fail(Errc::kUnavailable, fmt::format("the server did not answer: {}", why()));
    }
  });
}

// A connection per request: on the same machine that costs nothing, and no connection can go stale.
class SocketClient final : public AdminClient {
 public:
  explicit SocketClient(std::filesystem::path path) : path_(std::move(path)) {}
  Result<api::AdminResponse> request(std::string_view method, std::string_view target, std::string_view body) override {
    const auto connection = connect_socket(path_);
    if (!connection) return tl::unexpected(connection.error());
    const std::string request = http_request(method, target, "localhost", {}, body);
    if (auto ok = send_all(connection->get(), request); !ok) return tl::unexpected(ok.error());
    return read_response(connection->get());
  }
  bool server_runs() const override { return true; }

 private:
  std::filesystem::path path_;
};

// Members go in reverse: the registry is closed before the lock is given back.
class LocalClient final : public AdminClient {
 public:
  LocalClient(Descriptor lock, std::unique_ptr<registry::Registry> registry,
              std::unique_ptr<journal::JournalReader> log)
      : lock_(std::move(lock)),
        registry_(std::move(registry)),
        log_(std::move(log)),
        service_(*registry_, nullptr, {}, {log_.get(), nullptr}) {}
  Result<api::AdminResponse> request(std::string_view method, std::string_view target, std::string_view body) override {
    return service_.handle(method, target, body);
  }
  bool server_runs() const override { return false; }

 private:
  Descriptor lock_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<journal::JournalReader> log_;
  api::AdminService service_;
};

Result<> prepare_folder(const std::filesystem::path& data, DataFolder folder) {
  struct stat info {};
  if (::stat(data.c_str(), &info) == 0) {
    if (!S_ISDIR(info.st_mode))
      return fail(Errc::kIo, fmt::format("{} is not a folder; pass --data DIR", data.string()));
    if (folder == DataFolder::kCreateIfMissing) return {};
    for (const std::string_view name : {kRegistryFile, kLockFile}) {
      if (::access((data / name).c_str(), F_OK) == 0) return {};
    }
    return fail(Errc::kNotFound, fmt::format("there is no registry in {}; pass --data DIR with the data folder of the "
                                             "server, or begin with 'mooring product create'",
                                             data.string()));
  }
  if (errno != ENOENT) return fail(Errc::kIo, fmt::format("cannot use the data folder {}: {}", data.string(), why()));
  if (folder == DataFolder::kMustExist) {
    return fail(Errc::kNotFound, fmt::format("the data folder {} does not exist; pass --data DIR with the data folder "
                                             "of the server, or begin with 'mooring product create'",
                                             data.string()));
  }
  if (::mkdir(data.c_str(), 0700) != 0) {
    return fail(Errc::kIo, fmt::format("cannot make the data folder {}: {}", data.string(), why()));
  }
  return {};
}

// The lock; not valid() if somebody else has it.
Result<Descriptor> try_lock(const std::filesystem::path& data) {
  const std::filesystem::path file = data / kLockFile;
  Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!descriptor.valid()) {
    const bool denied = errno == EACCES || errno == EROFS;
    return fail(denied ? Errc::kPermissionDenied : Errc::kIo,
                fmt::format("cannot open {}: {}{}", file.string(), why(),
                            denied ? "; run this as the user who runs the server" : ""));
  }
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0) return descriptor;
  if (errno == EWOULDBLOCK || errno == EINTR) return Descriptor(-1);
  return fail(Errc::kIo, fmt::format("cannot lock {}: {}", file.string(), why()));
}

Result<std::unique_ptr<AdminClient>> open_local(const std::filesystem::path& data, Descriptor lock) {
  auto registry = registry::open_sqlite_registry({.file = data / kRegistryFile, .readers = 1}, crypto::system_random(),
                                                 base::system_clock());
  if (!registry) return tl::unexpected(registry.error());
  auto log = journal::open_journal_reader(data / kJournalFile);
  if (!log) return tl::unexpected(log.error());
  return std::make_unique<LocalClient>(std::move(lock), std::move(*registry), std::move(*log));
}

}  // namespace

Result<std::unique_ptr<AdminClient>> open_admin_client(const std::filesystem::path& data, DataFolder folder) {
  if (auto ok = prepare_folder(data, folder); !ok) return tl::unexpected(ok.error());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kConnectWaitMs);
  for (;;) {
    auto lock = try_lock(data);
    if (!lock) return tl::unexpected(lock.error());
    if (lock->valid()) return open_local(data, std::move(*lock));
    const auto connection = connect_socket(data / kSocketFile);
    if (connection) return std::make_unique<SocketClient>(data / kSocketFile);
    if (connection.error().code != Errc::kUnavailable) return tl::unexpected(connection.error());
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::kUnavailable,
                  fmt::format("{} is in use by another command or by a server that does not answer; "
                              "try again, and look at the server's log if this stays so",
                              data.string()));
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

}  // namespace mooring::app
