#include "server/certificates.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "crypto/authority.h"
#include "net/socket_address.h"

namespace mooring::server {
namespace {

constexpr std::int64_t kRenewalCheckMs = 12LL * 3600 * 1000;

base::Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  if (in) out << in.rdbuf();
  if (!in || out.str().empty()) {
    return base::fail(base::Errc::kIo,
                      "cannot read " + path.string() + ": check that the file exists and that this user may read it");
  }
  return out.str();
}

net::TlsVersion to_net(TlsVersion version) {
  switch (version) {
    case TlsVersion::k10:
      return net::TlsVersion::k10;
    case TlsVersion::k11:
      return net::TlsVersion::k11;
    case TlsVersion::k12:
      return net::TlsVersion::k12;
    case TlsVersion::k13:
      return net::TlsVersion::k13;
  }
  return net::TlsVersion::k12;
}

}  // namespace

std::vector<std::string> machine_names() {
  std::vector<std::string> names{"localhost"};
  const auto add = [&names](std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0') add(host.data());
  add("127.0.0.1");
  add("::1");
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return names;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const net::SocketAddress address(entry->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (!address.host().starts_with("fe80:"))
      add(address.host());  // link-local ones need a zone, which names cannot have
  }
  ::freeifaddrs(list);
  return names;
}

Certificates::Certificates(TlsOptions options, std::filesystem::path folder, const base::Clock& clock)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      clock_(clock),
      ticket_keys_(net::TlsContext::random_ticket_keys()) {}

base::Result<std::unique_ptr<Certificates>> Certificates::load(const TlsOptions& options, std::filesystem::path folder,
                                                               const base::Clock& clock) {
  std::unique_ptr<Certificates> out(new Certificates(options, std::move(folder), clock));
  if (auto built = out->build(); !built) return tl::unexpected(built.error());
  return out;
}

base::Result<> Certificates::ensure_built_in() {
  crypto::AuthorityRequest request;
  request.directory = folder_;
  request.names = options_.names.empty() ? machine_names() : options_.names;
  request.now_ms = clock_.wall_ms();
  const auto files = crypto::ensure_authority(request);
  if (!files) return tl::unexpected(files.error());
  next_renewal_check_ms_ = clock_.mono_ms() + kRenewalCheckMs;
  auto root = read_file(files->root.certificate);
  if (!root) return tl::unexpected(root.error());
  root_pem_ = std::move(*root);
  root_fingerprint_ = files->root.info.sha256_fingerprint;
  files_ = {{files->server_rsa.certificate, files->server_rsa.key},
            {files->server_ecdsa.certificate, files->server_ecdsa.key}};
  return {};
}

base::Result<> Certificates::build() {
  if (built_in()) {
    if (auto made = ensure_built_in(); !made) return made;
  } else {
    files_.clear();
    for (std::size_t i = 0; i < options_.certificate.size() && i < options_.key.size(); ++i) {
      files_.emplace_back(options_.certificate[i], options_.key[i]);
    }
  }
  const std::vector<Stamp> now = stamps();
  net::TlsOptions tls;
  tls.minimum = to_net(options_.minimum_version);
  tls.ticket_keys = ticket_keys_;
  tls.psk = options_.psk;
  tls.client_chain_bytes = options_.client_chain_bytes;
  for (const auto& [certificate, key] : files_) {
    auto certificate_pem = read_file(certificate);
    if (!certificate_pem) return tl::unexpected(certificate_pem.error());
    auto key_pem = read_file(key);
    if (!key_pem) return tl::unexpected(key_pem.error());
    net::TlsOptions alone;
    alone.certificates.push_back({*certificate_pem, *key_pem});
    if (auto usable = net::TlsContext::create(alone); !usable) {
      return base::fail(usable.error().code,
                        usable.error().message + " (" + certificate.string() + ", " + key.string() + ")");
    }
    tls.certificates.push_back({std::move(*certificate_pem), std::move(*key_pem)});
  }
  Contexts made;
  for (const bool legacy : {false, true}) {
    for (const bool ask : {false, true}) {
      tls.legacy = legacy;
      tls.client_authorities = ask ? authorities_ : std::vector<std::string>();
      auto context = net::TlsContext::create(tls);
      if (!context) return tl::unexpected(context.error());
      made[legacy ? 1 : 0][ask ? 1 : 0] = std::move(*context);
    }
  }
  contexts_ = std::move(made);
  seen_ = now;
  return {};
}

std::vector<Certificates::Stamp> Certificates::stamps() const {
  std::vector<Stamp> out;
  const auto add = [&out](const std::filesystem::path& path) {
    struct stat info {};
    Stamp stamp;
    if (::stat(path.c_str(), &info) == 0) {
      stamp.modified_ns = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
      stamp.size = static_cast<std::uint64_t>(info.st_size);
      stamp.inode = info.st_ino;
    }
    out.push_back(stamp);
  };
  for (const auto& [certificate, key] : files_) {
    add(certificate);
    add(key);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Certificates::server_certificates() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [certificate, key] : files_) {
    if (auto pem = read_file(certificate)) out.emplace_back(certificate.filename().string(), std::move(*pem));
  }
  return out;
}

bool Certificates::refresh() {
  const bool renewal_due = built_in() && clock_.mono_ms() >= next_renewal_check_ms_;
  std::vector<Stamp> now = stamps();
  if (now == seen_ && !renewal_due) return false;
  if (auto built = build(); !built) {
    base::log_error("tls", "changed certificate files are not used: {}", built.error().message);
    seen_ = std::move(now);  // tried; the next change is tried again
    return false;
  }
  base::log_info("tls", "new certificates are in use for new connections");
  return true;
}

base::Result<> Certificates::set_authorities(std::vector<std::string> authorities) {
  authorities_.swap(authorities);
  auto built = build();
  if (!built) authorities_ = std::move(authorities);
  return built;
}

base::Result<> Certificates::reload(const TlsOptions& options) {
  const TlsOptions before = std::exchange(options_, options);
  auto built = build();
  if (!built) options_ = before;
  return built;
}

}  // namespace mooring::server
