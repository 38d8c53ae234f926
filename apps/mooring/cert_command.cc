#include "cert_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client_options.h"
#include "crypto/authority.h"
#include "server/options.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

struct CertOptions {
  std::string data = server::default_data_dir();
  std::vector<std::string> names;
  std::string file;
  bool json = false;
};

std::filesystem::path authority_folder(const CertOptions& options) {
  return std::filesystem::path(options.data) / "tls";
}

std::string utc_text(base::WallMs wall_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ms / 1000)));
}

std::vector<std::string> all_names(const crypto::CertificateInfo& info) {
  std::vector<std::string> names = info.dns_names;
  names.insert(names.end(), info.ip_addresses.begin(), info.ip_addresses.end());
  return names;
}

void print_text(std::string_view title, const crypto::AuthorityFile& file) {
  fmt::print("{}\n  file        {}\n  subject     {}\n", title, file.certificate.string(), file.info.subject);
  const std::vector<std::string> names = all_names(file.info);
  if (!names.empty()) fmt::print("  names       {}\n", fmt::join(names, ", "));
  fmt::print("  valid       {} to {}\n  SHA-256     {}\n", utc_text(file.info.not_before_ms),
             utc_text(file.info.not_after_ms), file.info.sha256_fingerprint);
}

boost::json::object as_json(const crypto::AuthorityFile& file) {
  boost::json::object object;
  object["file"] = file.certificate.string();
  object["subject"] = file.info.subject;
  boost::json::array names;
  for (const std::string& name : all_names(file.info)) names.emplace_back(name);
  object["names"] = std::move(names);
  object["notBefore"] = utc_text(file.info.not_before_ms);
  object["notAfter"] = utc_text(file.info.not_after_ms);
  object["sha256"] = file.info.sha256_fingerprint;
  return object;
}

// There is nothing wrong with the usage, whatever the code says.
int report_authority(const base::Error& error) {
  const bool missing = error.code == Errc::kNotFound;
  return report_failure({Errc::kIo, error.message + (missing ? "; the server makes it when it is started first" : "")});
}

int print_files(const Result<crypto::AuthorityFiles>& files, bool json) {
  if (!files) return report_authority(files.error());
  if (json) {
    boost::json::object document;
    document["root"] = as_json(files->root);
    document["serverRsa"] = as_json(files->server_rsa);
    document["serverEcdsa"] = as_json(files->server_ecdsa);
    fmt::print("{}\n", boost::json::serialize(document));
    return 0;
  }
  print_text("Root", files->root);
  print_text("Server, RSA", files->server_rsa);
  print_text("Server, ECDSA", files->server_ecdsa);
  return 0;
}

// Without --name the new certificates are for the same names as the present ones.
int run_renew(const CertOptions& options) {
  crypto::AuthorityRequest request{authority_folder(options), options.names, base::system_clock().wall_ms(), true};
  const auto present = crypto::read_authority(request.directory);
  if (!present) return report_authority(present.error());
  if (request.names.empty()) request.names = all_names(present->server_ecdsa.info);
  const auto renewed = crypto::ensure_authority(request);
  if (!renewed && renewed.error().code == Errc::kInvalidArgument) return report_failure(renewed.error());
  return print_files(renewed, options.json);
}

Result<> write_file(const std::string& path, std::istream& from) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << from.rdbuf();
  out.close();
  if (!out) return base::fail(Errc::kIo, fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
  return {};
}

int run_export(const CertOptions& options) {
  const auto files = crypto::read_authority(authority_folder(options));
  if (!files) return report_authority(files.error());
  std::ifstream root(files->root.certificate, std::ios::binary);
  if (!root) return report_failure({Errc::kIo, files->root.certificate.string() + " cannot be read"});
  if (options.file.empty()) {
    std::cout << root.rdbuf() << std::flush;
    return std::cout ? 0 : 1;
  }
  const auto written = write_file(options.file, root);
  return written ? 0 : report_failure(written.error());
}

}  // namespace

void add_cert_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<CertOptions>();
  CLI::App* command = app.add_subcommand("cert", "Show, renew and export the built-in authority's certificates");
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* text) {
    CLI::App* verb = command->add_subcommand(name, text);
    verb->add_option("--data", options->data, "Data folder")->capture_default_str();
    return verb;
  };
  CLI::App* show = add("show", "Subject, names, dates and fingerprints");
  show->add_flag("--json", options->json, "One JSON document");
  show->callback([options, &exit_status] {
    exit_status = print_files(crypto::read_authority(authority_folder(*options)), options->json);
  });
  CLI::App* renew = add("renew", "Make new server certificates; a running server picks them up");
  renew
      ->add_option("--name", options->names,
                   "DNS name or address of the server instead of the present ones; may be repeated")
      ->allow_extra_args(false);
  renew->add_flag("--json", options->json, "One JSON document");
  renew->callback([options, &exit_status] { exit_status = run_renew(*options); });
  CLI::App* to_file = add("export", "The root certificate, to install on clients (PEM)");
  to_file->add_option("FILE", options->file, "Where to write it; default stdout");
  to_file->callback([options, &exit_status] { exit_status = run_export(*options); });
}

}  // namespace mooring::app
