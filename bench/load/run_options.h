// What every scenario of the load generator takes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace mooring::bench {

inline constexpr std::uint32_t kMaxConnections = 500'000;

struct RunOptions {
  std::string url;
  std::string ca_file;               // empty: the server's certificate is not checked
  std::vector<std::string> sources;  // addresses to come from, in turn; empty: as the kernel chooses
  std::string device_file;           // empty: the fleet signs in as the account
  std::string account;               // empty: anonymous
  std::string password;
  std::string operator_folder;  // back ends are the operator, over the Unix socket in this data folder
  std::string prefix = "bench";
  std::string up_topic = "user/up";
  std::string down_topic = "user/down";
  std::string echo_topic = "user/echo";
  std::uint32_t connections = 100;
  std::uint32_t opening_at_once = 200;
  std::uint32_t open_timeout_s = 120;
  double warm_up_s = 0.5;
  double duration_s = 10;
  std::uint32_t grace_s = 10;  // for what is still on its way afterwards
  bool resumes_tls = false;
  pid_t server_pid = 0;  // 0: nothing is known of the server
  bool quiet = false;
};

// `options` must outlive the parse.
void add_run_options(CLI::App& command, RunOptions& options, const char* connections_text);

}  // namespace mooring::bench
