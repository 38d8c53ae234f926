// RemoteClient: the admin API of a server elsewhere, over HTTPS (or HTTP to this machine), for `--server URL`.
#pragma once

#include <memory>
#include <string>

#include "admin_client.h"
#include "base/result.h"

namespace mooring::app {

struct RemoteServer {
  std::string url;  // https://HOST[:PORT], http://127.0.0.1[:PORT]
  std::string token;
  std::string account;   // in place of a token: an account that cares for its own tickets
  std::string password;  // the account's
  std::string ca_file;   // PEM; empty: what the system trusts
  bool insecure = false;
};

struct ServerUrl {
  bool tls = true;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 443;
};
// kInvalidArgument says what is wrong.
base::Result<ServerUrl> parse_server_url(std::string_view text);

// kInvalidArgument: the URL is none, the token is missing, or it would travel in the clear.
base::Result<std::unique_ptr<AdminClient>> open_remote_client(const RemoteServer& server);

}  // namespace mooring::app
