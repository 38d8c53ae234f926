#include "authority_commands.h"

#include <boost/json/array.hpp>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/text.h"
#include "crypto/client_certificate.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

constexpr char kCertificateHelp[] = "PEM file, or SHA-256 fingerprint";
constexpr std::size_t kFileBytesMax = 3 * 1024 * 1024;

struct AuthorityOptions : CommonOptions {
  std::string certificate;  // file or fingerprint
  std::string file;
  std::string product_key;
  std::string device_name;
  std::string serial;
  std::string authority;
};
using Options = std::shared_ptr<AuthorityOptions>;
using Body = Result<> (*)(const AuthorityOptions&, AdminClient&);

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  if (in) out << in.rdbuf();
  if (!in) return base::fail(Errc::kIo, path + " cannot be read");
  if (out.str().size() > kFileBytesMax) return base::fail(Errc::kLimitExceeded, path + " is too large");
  if (!base::is_utf8(out.str())) return base::fail(Errc::kInvalidArgument, path + " is no text in PEM form");
  return out.str();
}

// What was meant by a word that is a fingerprint or a file.
struct Named {
  std::string fingerprint;
  std::string pem;  // empty: only the fingerprint is known
};
Result<Named> resolve(const std::string& word) {
  if (auto fingerprint = crypto::parse_fingerprint(word)) return Named{std::move(*fingerprint), {}};
  auto pem = read_file(word);
  if (!pem) {
    return base::fail(Errc::kInvalidArgument, "'" + word + "' is neither a file nor a SHA-256 fingerprint");
  }
  const auto certificate = crypto::read_device_certificate_pem(*pem);
  if (!certificate) return base::fail(certificate.error().code, word + ": " + certificate.error().message);
  return Named{certificate->fingerprint, std::move(*pem)};
}

Result<> add(const AuthorityOptions& options, AdminClient& client) {
  auto pem = read_file(options.file);
  if (!pem) return tl::unexpected(pem.error());
  boost::json::object body{{"certificate", std::move(*pem)}};
  if (!options.product_key.empty()) body["productKey"] = options.product_key;
  return print_answer(options, call(client, "POST", "authorities", body));
}

Result<> list(const AuthorityOptions& options, AdminClient& client) {
  return print_list(client, "authorities?limit=100", options.json,
                    {"fingerprint", "subject", "productKey", "notAfter", "revokedSerials"});
}

Result<> with_authority(const AuthorityOptions& options, AdminClient& client, std::string_view method) {
  const auto named = resolve(options.certificate);
  if (!named) return tl::unexpected(named.error());
  return print_answer(options, call(client, method, "authorities/" + named->fingerprint));
}

Result<> show(const AuthorityOptions& options, AdminClient& client) {
  return with_authority(options, client, "GET");
}

Result<> remove(const AuthorityOptions& options, AdminClient& client) {
  return with_authority(options, client, "DELETE");
}

Result<> import_list(const AuthorityOptions& options, AdminClient& client) {
  const auto named = resolve(options.certificate);
  if (!named) return tl::unexpected(named.error());
  auto list = read_file(options.file);
  if (!list) return tl::unexpected(list.error());
  return print_answer(options, call(client, "POST", "authorities/" + named->fingerprint + "/revocation-list",
                                    boost::json::object{{"list", std::move(*list)}}));
}

Result<> revoke(const AuthorityOptions& options, AdminClient& client) {
  const bool by_serial = !options.serial.empty();
  if (by_serial == !options.certificate.empty() || by_serial != !options.authority.empty()) {
    return base::fail(Errc::kInvalidArgument, "name a certificate, or --authority and --serial");
  }
  const auto named = resolve(by_serial ? options.authority : options.certificate);
  if (!named) return tl::unexpected(named.error());
  if (!by_serial) return print_answer(options, call(client, "POST", "certificates/" + named->fingerprint + "/revoke"));
  return print_answer(options, call(client, "POST", "authorities/" + named->fingerprint + "/revoke",
                                    boost::json::object{{"serial", options.serial}}));
}

Result<> reinstate(const AuthorityOptions& options, AdminClient& client) {
  const auto named = resolve(options.certificate);
  if (!named) return tl::unexpected(named.error());
  return print_answer(options, call(client, "POST", "certificates/" + named->fingerprint + "/reinstate"));
}

Result<> bind(const AuthorityOptions& options, AdminClient& client) {
  const auto named = resolve(options.certificate);
  if (!named) return tl::unexpected(named.error());
  const boost::json::object body = named->pem.empty() ? boost::json::object{{"fingerprint", named->fingerprint}}
                                                      : boost::json::object{{"certificate", named->pem}};
  return print_answer(
      options, call(client, "POST", device_path(options.product_key, options.device_name) + "/certificates", body));
}

Result<> unbind(const AuthorityOptions& options, AdminClient& client) {
  const auto named = resolve(options.certificate);
  if (!named) return tl::unexpected(named.error());
  return print_answer(
      options, call(client, "DELETE",
                    device_path(options.product_key, options.device_name) + "/certificates/" + named->fingerprint));
}

void add_one(CLI::App& parent, const char* name, const char* help, Body body, int& exit_status) {
  auto [command, options] = add_command(parent, name, help, body, exit_status);
  command->add_option("AUTHORITY", options->certificate, kCertificateHelp)->required();
}

}  // namespace

void add_authority_commands(CLI::App& app, int& exit_status) {
  CLI::App& authority = *app.add_subcommand(
      "authority",
      "Private authorities of devices with X.509 certificates: add, list, show, remove, import-crl, "
      "revoke, reinstate");
  authority.require_subcommand(1);
  {
    auto [command, options] = add_command(
        authority, "add", "Trust an authority; devices are asked for certificates from then on", add, exit_status);
    command->add_option("FILE", options->file, "PEM file with the authority's certificate")->required();
    command->add_option("--product-key", options->product_key,
                        "The product of all its certificates; without it their subject's OU names the product");
  }
  add_command(authority, "list", "List authorities with the end of their certificates", list, exit_status);
  add_one(authority, "show", "Show an authority with its certificate", show, exit_status);
  add_one(authority, "remove", "Trust an authority no longer; open connections stay", remove, exit_status);
  {
    auto [command, options] =
        add_command(authority, "import-crl", "Take over a revocation list of an authority", import_list, exit_status);
    command->add_option("AUTHORITY", options->certificate, kCertificateHelp)->required();
    command->add_option("FILE", options->file, "PEM file with the list")->required();
  }
  {
    auto [command, options] = add_command(
        authority, "revoke", "Revoke a certificate; a device that uses it is disconnected", revoke, exit_status);
    command->add_option("CERTIFICATE", options->certificate, kCertificateHelp);
    command->add_option("--authority", options->authority, "Authority that issued it: PEM file or fingerprint");
    command->add_option("--serial", options->serial, "Its serial number, hexadecimal");
  }
  {
    auto [command, options] =
        add_command(authority, "reinstate", "Take back a revocation by fingerprint", reinstate, exit_status);
    command->add_option("CERTIFICATE", options->certificate, kCertificateHelp)->required();
  }
}

void add_device_certificate_commands(CLI::App& device, int& exit_status) {
  const auto add_device = [&](const char* name, const char* help, Body body) {
    auto [command, options] = add_command(device, name, help, body, exit_status);
    command->add_option("--product-key", options->product_key, "Product key")->required();
    command->add_option("--device-name", options->device_name, "Device name")->required();
    command->add_option("CERTIFICATE", options->certificate, kCertificateHelp)->required();
  };
  add_device("bind-certificate", "Let a device sign in with this client certificate", bind);
  add_device("unbind-certificate", "No longer; the device is disconnected", unbind);
}

}  // namespace mooring::app
