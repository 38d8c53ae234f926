#include "password_input.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>

namespace mooring::app {
namespace {

constexpr std::size_t kPasswordBytesMax = 1024;

// Switches the terminal's echo off while it lives; does nothing when stdin is no terminal.
class Hidden {
 public:
  Hidden() : terminal_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    fmt::print(stderr, "Password: ");
    std::fflush(stderr);
  }
  ~Hidden() {
    if (!terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    fmt::print(stderr, "\n");
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  termios before_{};
  bool terminal_;
};

}  // namespace

base::Result<std::string> read_password() {
  const Hidden hidden;
  std::string line;
  for (char c = 0;;) {
    const ssize_t count = ::read(STDIN_FILENO, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') break;
    line.push_back(c);
    if (line.size() > kPasswordBytesMax) {
      return base::fail(base::Errc::kInvalidArgument,
                        fmt::format("the password on stdin has more than {} bytes", kPasswordBytesMax));
    }
  }
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return base::fail(base::Errc::kInvalidArgument, "stdin holds no password");
  return line;
}

void add_password_options(CLI::App& command, PasswordOptions& options, const char* help) {
  CLI::Option* given = command.add_option("--password", options.given, help);
  given->check([](const std::string& text) { return text.empty() ? "the password is empty" : ""; });
  command
      .add_flag("--password-stdin", options.from_stdin,
                "Read the password from stdin, so that it shows neither in the list of processes nor in the history")
      ->excludes(given);
}

base::Result<> add_password(const PasswordOptions& options, boost::json::object& body) {
  if (!options.given.empty()) body["password"] = options.given;
  if (!options.from_stdin) return {};
  const auto password = read_password();
  if (!password) return tl::unexpected(password.error());
  body["password"] = *password;
  return {};
}

}  // namespace mooring::app
