#include "crypto/authority.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "crypto/secret_file.h"

namespace mooring::crypto {
namespace {

namespace fs = std::filesystem;
using base::Errc;
using base::fail;
using base::Result;

constexpr base::WallMs kDayMs = 86'400'000;

// A pair of files and what they hold; an empty text stands for a missing file.
struct Pair {
  fs::path certificate_path;
  fs::path key_path;
  CertificatePair pem;
  bool written = false;
};

struct Folder {
  Pair root;
  Pair server_rsa;
  Pair server_ecdsa;
};

Result<std::string> read_or_empty(const fs::path& path) {
  auto content = read_small_file(path);
  if (!content && content.error().code == Errc::kNotFound) return std::string();
  return content;
}

Result<Pair> read_pair(const fs::path& directory, const std::string& stem) {
  Pair pair;
  pair.certificate_path = directory / (stem + ".crt");
  pair.key_path = directory / (stem + ".key");
  auto certificate = read_or_empty(pair.certificate_path);
  if (!certificate) return tl::unexpected(certificate.error());
  auto key = read_or_empty(pair.key_path);
  if (!key) return tl::unexpected(key.error());
  pair.pem = {std::move(*certificate), std::move(*key)};
  return pair;
}

Result<Folder> read_folder(const fs::path& directory) {
  auto root = read_pair(directory, "root");
  if (!root) return tl::unexpected(root.error());
  auto rsa = read_pair(directory, "server-rsa");
  if (!rsa) return tl::unexpected(rsa.error());
  auto ecdsa = read_pair(directory, "server-ecdsa");
  if (!ecdsa) return tl::unexpected(ecdsa.error());
  return Folder{std::move(*root), std::move(*rsa), std::move(*ecdsa)};
}

// The key first: a certificate on disk then always has had its key there before.
Result<> write_pair(Pair& pair) {
  if (auto done = write_file_atomically(pair.key_path, pair.pem.key_pem, FileAccess::kOwnerOnly); !done) return done;
  pair.written = true;
  return write_file_atomically(pair.certificate_path, pair.pem.certificate_pem, FileAccess::kEverybodyReads);
}

Result<> check_root(const Folder& folder) {
  const Pair& root = folder.root;
  const std::string path = root.certificate_path.string();
  const bool served =
      !folder.server_rsa.pem.certificate_pem.empty() || !folder.server_ecdsa.pem.certificate_pem.empty();
  if (root.pem.certificate_pem.empty()) {
    if (!served) return {};  // the very first start, or one that was interrupted before anybody could see the root
    return fail(Errc::kCorrupt, path +
                                    " is gone but clients may rely on it: restore it from a backup, or remove the "
                                    "folder to start with a new authority");
  }
  const auto info = parse_certificate(root.pem.certificate_pem);
  if (!info) return fail(Errc::kCorrupt, path + ": " + info.error().message);
  if (!info->is_authority) return fail(Errc::kCorrupt, path + " is no certificate of an authority");
  if (root.pem.key_pem.empty()) return {};
  if (const auto match = check_key_matches(root.pem.certificate_pem, root.pem.key_pem); !match) {
    return fail(Errc::kCorrupt, root.key_path.string() + ": " + match.error().message);
  }
  return {};
}

bool same_names(const CertificateInfo& info, const ServerNames& names) {
  auto dns = info.dns_names;
  auto addresses = info.ip_addresses;
  std::sort(dns.begin(), dns.end());
  std::sort(addresses.begin(), addresses.end());
  return dns == names.dns_names && addresses == names.ip_addresses;
}

bool is_good(const Pair& server, const Pair& root, const ServerNames& names, base::WallMs now_ms) {
  if (server.pem.certificate_pem.empty() || server.pem.key_pem.empty()) return false;
  const auto info = parse_certificate(server.pem.certificate_pem);
  if (!info || !same_names(*info, names)) return false;
  // A certificate from the future was made under a wrong clock.
  if (info->not_after_ms - now_ms < kRenewBeforeDays * kDayMs || info->not_before_ms > now_ms) return false;
  return check_key_matches(server.pem.certificate_pem, server.pem.key_pem).has_value() &&
         check_issued_by(server.pem.certificate_pem, root.pem.certificate_pem).has_value();
}

Result<> make_root(Pair& root, base::WallMs now_ms) {
  auto certificate = make_root_certificate(root.pem.key_pem, now_ms);
  if (!certificate) return tl::unexpected(certificate.error());
  root.pem.certificate_pem = std::move(*certificate);
  return write_pair(root);
}

Result<> make_server(Pair& server, std::string key, const Pair& root, const ServerNames& names, base::WallMs now_ms) {
  if (root.pem.key_pem.empty()) {
    return fail(Errc::kCorrupt, root.key_path.string() + " is missing and " + server.certificate_path.string() +
                                    " has to be signed: put the key back for this start");
  }
  auto certificate = make_server_certificate(key, names, root.pem, now_ms);
  if (!certificate) return tl::unexpected(certificate.error());
  server.pem = {std::move(*certificate), std::move(key)};
  return write_pair(server);
}

// The two RSA keys of a first start, side by side: they are nearly all of its time.
struct NewKeys {
  Result<std::string> root = std::string();
  Result<std::string> server_rsa = std::string();
  Result<std::string> server_ecdsa = std::string();
};

Result<NewKeys> make_keys(bool root, bool server_rsa, bool server_ecdsa) {
  NewKeys keys;
  const auto make_root_key = [&keys] { keys.root = make_private_key(KeyType::kRsa2048); };
  std::thread beside;
  if (root && server_rsa) {
    try {
      beside = std::thread(make_root_key);
    } catch (const std::system_error&) {
      make_root_key();  // no thread to be had: one after the other
    }
  } else if (root) {
    make_root_key();
  }
  if (server_rsa) keys.server_rsa = make_private_key(KeyType::kRsa2048);
  if (server_ecdsa) keys.server_ecdsa = make_private_key(KeyType::kEcdsaP256);
  if (beside.joinable()) beside.join();
  for (const auto* key : {&keys.root, &keys.server_rsa, &keys.server_ecdsa}) {
    if (!*key) return tl::unexpected(key->error());
  }
  return keys;
}

Result<AuthorityFile> describe(const Pair& pair) {
  auto info = parse_certificate(pair.pem.certificate_pem);
  if (!info) return fail(Errc::kCorrupt, pair.certificate_path.string() + ": " + info.error().message);
  return AuthorityFile{pair.certificate_path, pair.key_path, std::move(*info), pair.written};
}

Result<AuthorityFiles> describe(const Folder& folder) {
  auto root = describe(folder.root);
  if (!root) return tl::unexpected(root.error());
  auto rsa = describe(folder.server_rsa);
  if (!rsa) return tl::unexpected(rsa.error());
  auto ecdsa = describe(folder.server_ecdsa);
  if (!ecdsa) return tl::unexpected(ecdsa.error());
  return AuthorityFiles{std::move(*root), std::move(*rsa), std::move(*ecdsa)};
}

Result<> complete(Folder& folder, const ServerNames& names, const AuthorityRequest& request) {
  const bool new_root = folder.root.pem.certificate_pem.empty();
  const bool new_all = new_root || request.renew_now;
  const bool new_rsa = new_all || !is_good(folder.server_rsa, folder.root, names, request.now_ms);
  const bool new_ecdsa = new_all || !is_good(folder.server_ecdsa, folder.root, names, request.now_ms);
  auto keys = make_keys(new_root && folder.root.pem.key_pem.empty(), new_rsa, new_ecdsa);
  if (!keys) return tl::unexpected(keys.error());
  if (new_root) {
    if (!keys->root->empty()) folder.root.pem.key_pem = std::move(*keys->root);
    if (auto done = make_root(folder.root, request.now_ms); !done) return done;
  }
  if (new_rsa) {
    auto done = make_server(folder.server_rsa, std::move(*keys->server_rsa), folder.root, names, request.now_ms);
    if (!done) return done;
  }
  if (new_ecdsa) {
    return make_server(folder.server_ecdsa, std::move(*keys->server_ecdsa), folder.root, names, request.now_ms);
  }
  return {};
}

}  // namespace

Result<AuthorityFiles> ensure_authority(const AuthorityRequest& request) {
  const auto names = parse_server_names(request.names);
  if (!names) return tl::unexpected(names.error());
  std::error_code error;
  fs::create_directories(request.directory, error);
  if (error) {
    return fail(Errc::kIo, "cannot make the folder " + request.directory.string() + ": " + error.message());
  }
  const auto lock = FolderLock::acquire(request.directory);
  if (!lock) return tl::unexpected(lock.error());
  auto folder = read_folder(request.directory);
  if (!folder) return tl::unexpected(folder.error());
  if (const auto root = check_root(*folder); !root) return tl::unexpected(root.error());
  if (const auto done = complete(*folder, *names, request); !done) return tl::unexpected(done.error());
  return describe(*folder);
}

Result<AuthorityFiles> read_authority(const fs::path& directory) {
  auto folder = read_folder(directory);
  if (!folder) return tl::unexpected(folder.error());
  if (folder->root.pem.certificate_pem.empty()) {
    return fail(Errc::kNotFound, "there is no authority in " + directory.string());
  }
  return describe(*folder);
}

}  // namespace mooring::crypto
