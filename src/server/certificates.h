// Certificates: the TLS contexts of the listeners, from the configured files or the built-in authority, made anew when
// the files change. Used by the main thread; the contexts are immutable and go to all loops.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/tls_context.h"
#include "server/options.h"

namespace mooring::server {

class Certificates {
 public:
  // Makes the built-in authority in `folder` when no files are configured.
  static base::Result<std::unique_ptr<Certificates>> load(const TlsOptions& options, std::filesystem::path folder,
                                                          const base::Clock& clock);

  // By the settings of a listener: [legacy_tls][client_certificates].
  using Contexts = std::array<std::array<std::shared_ptr<const net::TlsContext>, 2>, 2>;
  const Contexts& contexts() const { return contexts_; }
  // PEM: the private authorities whose clients are asked for a certificate. Nothing changes when they cannot be used.
  base::Result<> set_authorities(std::vector<std::string> authorities);

  // True when the files changed and new contexts are in place. Files that cannot be used are reported in the log and
  // the old contexts stay. Cheap when nothing changed: a stat per file.
  bool refresh();
  // The same at once, for SIGHUP, with new settings.
  base::Result<> reload(const TlsOptions& options);

  bool built_in() const { return options_.certificate.empty(); }
  // The root that clients install: the built-in authority's. Empty when own certificates are configured.
  const std::string& root_pem() const { return root_pem_; }
  std::vector<std::pair<std::string, std::string>> server_certificates() const;  // name of the file, PEM
  std::filesystem::path root_file() const { return folder_ / "root.crt"; }
  const std::string& root_fingerprint() const { return root_fingerprint_; }

 private:
  struct Stamp {
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  Certificates(TlsOptions options, std::filesystem::path folder, const base::Clock& clock);
  base::Result<> build();
  base::Result<> ensure_built_in();
  std::vector<Stamp> stamps() const;

  TlsOptions options_;
  const std::filesystem::path folder_;
  const base::Clock& clock_;
  const net::TicketKeys ticket_keys_;
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> files_;  // certificate, key
  std::vector<Stamp> seen_;
  base::MonoMs next_renewal_check_ms_ = 0;
  Contexts contexts_;
  std::vector<std::string> authorities_;
  std::string root_pem_;
  std::string root_fingerprint_;
};

// What this machine is called: localhost, its host name, the loopback addresses and those of its interfaces.
std::vector<std::string> machine_names();

}  // namespace mooring::server
