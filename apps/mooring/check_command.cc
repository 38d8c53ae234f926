#include "check_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/certificate.h"
#include "source_options.h"

namespace mooring::app {
namespace {

using base::Errc;
using Problems = std::vector<server::OptionProblem>;

constexpr std::size_t kMaxPemBytes = 1024 * 1024;

base::Result<std::string> read_pem(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::fail(Errc::kIo, fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  std::string text(kMaxPemBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return base::fail(Errc::kIo, fmt::format("{} cannot be read", path));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

base::Result<> check_pair(const std::string& certificate_path, const std::string& key_path) {
  const auto certificate = read_pem(certificate_path);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto key = read_pem(key_path);
  if (!key) return tl::unexpected(key.error());
  const auto parsed = crypto::parse_certificate(*certificate);
  if (!parsed) return base::fail(Errc::kInvalidArgument, certificate_path + ": " + parsed.error().message);
  const auto fits = crypto::check_key_matches(*certificate, *key);
  if (!fits) return base::fail(Errc::kInvalidArgument, fmt::format("{}: {}", key_path, fits.error().message));
  return {};
}

// What can only be seen outside the configuration: the files it names.
Problems check_files(const server::Options& options) {
  Problems problems;
  const auto report = [&](std::string_view option, const base::Error& error) {
    problems.push_back({std::string(server::origin_of(options, option)), fmt::format("{}: {}", option, error.message)});
  };
  for (std::size_t i = 0; i < options.tls.certificate.size(); ++i) {
    const auto pair = check_pair(options.tls.certificate[i], options.tls.key[i]);
    if (!pair) report("tls.certificate", pair.error());
  }
  if (!options.tls.names.empty()) {
    const auto names = crypto::parse_server_names(options.tls.names);
    if (!names) report("tls.names", names.error());
  }
  return problems;
}

int run_check(const server::OptionSources& sources) {
  const auto options = server::load_options(sources);
  const Problems problems = options ? check_files(*options) : options.error();
  if (!problems.empty()) {
    fmt::print(stderr, "{}", server::describe(problems));
    return 2;
  }
  fmt::print("{}the configuration is right\n", sources.config_file ? *sources.config_file + ": " : "");
  return 0;
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_status) {
  auto sources = std::make_shared<server::OptionSources>();
  CLI::App* command = app.add_subcommand("check", "Check a configuration without starting anything");
  add_source_options(*command, *sources);
  command->callback([sources, &exit_status] { exit_status = run_check(*sources); });
}

}  // namespace mooring::app
