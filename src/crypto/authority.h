// The built-in certificate authority of an installation: the files below <data>/tls/.
//
//   root.crt          root.key          made once, never replaced (clients carry root.crt)
//   server-rsa.crt    server-rsa.key    RSA 2048 signed with SHA-256, for old firmware
//   server-ecdsa.crt  server-ecdsa.key  ECDSA P-256, for everybody else
//
// Keys have mode 0600 from their first byte; every file is written beside its place, synced and renamed, so a reader
// sees the old or the new one whole. A lock on the folder keeps two programs from writing at once. Blocks on files and,
// at the first start, on making two RSA keys (side by side): not for an event loop.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/certificate.h"

namespace mooring::crypto {

// Server certificates are made anew when fewer days than this are left.
inline constexpr int kRenewBeforeDays = 30;

struct AuthorityRequest {
  std::filesystem::path directory;  // <data>/tls, made when missing
  std::vector<std::string> names;   // DNS names and IP addresses of the server; at least one
  base::WallMs now_ms = 0;
  bool renew_now = false;  // new server certificates (and keys) even if the old ones would do
};

// One certificate file with its key file.
struct AuthorityFile {
  std::filesystem::path certificate;
  std::filesystem::path key;
  CertificateInfo info;
  bool written = false;  // by this call
};

struct AuthorityFiles {
  AuthorityFile root;
  AuthorityFile server_rsa;
  AuthorityFile server_ecdsa;
};

// Makes what is missing, renews server certificates whose names differ from the request, that end soon, that do not fit
// their key or that another root signed. Errors: kInvalidArgument for a name; kIo with the path; kCorrupt when the
// root's files do not belong together or one of them is gone, in which case nothing is written and the message says
// what to do. A root.key that is kept elsewhere is fine as long as nothing has to be signed.
base::Result<AuthorityFiles> ensure_authority(const AuthorityRequest& request);

// The same files, read only: kNotFound when the authority was never made.
base::Result<AuthorityFiles> read_authority(const std::filesystem::path& directory);

}  // namespace mooring::crypto
