#include "identities.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "api/connect_lines.h"
#include "api/device_csv.h"

namespace mooring::bench {

using base::Errc;
using base::Result;

namespace {

Result<std::string> read_file(const std::string& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) return base::fail(Errc::kIo, fmt::format("{}: {}", file, error.message()));
  if (bytes > kMaxDeviceFileBytes) {
    return base::fail(Errc::kLimitExceeded, fmt::format("{} has more than {} bytes", file, kMaxDeviceFileBytes));
  }
  std::ifstream stream(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

Result<SignIn> sign(const registry::ImportRow& row, bool secure) {
  api::ConnectInput input;
  input.key = {row.product_key, row.device_name};
  input.device_secret = row.device_secret;
  input.transport = secure ? api::Transport::kTls : api::Transport::kTcp;
  auto parameters = api::connect_parameters(input);
  if (!parameters) return tl::unexpected(parameters.error());
  return SignIn{.client_id = std::move(parameters->client_id),
                .username = std::move(parameters->username),
                .password = std::move(parameters->password)};
}

}  // namespace

Result<Identities> Identities::make(const RunOptions& options, bool secure) {
  Identities made;
  made.prefix_ = options.prefix;
  made.account_ = options.account;
  made.password_ = options.password;
  made.fleet_.reserve(options.connections);
  if (options.device_file.empty()) {
    made.add_numbered(options);
  } else {
    const auto added = made.add_devices(options, secure);
    if (!added) return tl::unexpected(added.error());
  }
  return made;
}

Result<> Identities::add_devices(const RunOptions& options, bool secure) {
  const auto text = read_file(options.device_file);
  if (!text) return tl::unexpected(text.error());
  auto reader = api::DeviceCsvReader::open(*text);
  if (!reader) return tl::unexpected(reader.error());
  while (fleet_.size() < options.connections) {
    const auto row = reader->next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) {
      return base::fail(Errc::kInvalidArgument, fmt::format("{} has {} devices, {} are needed", options.device_file,
                                                            fleet_.size(), options.connections));
    }
    const registry::ImportRow& device = (*row)->device;
    auto sign_in = sign(device, secure);
    if (!sign_in) return tl::unexpected(sign_in.error());
    const std::string own = fmt::format("/{}/{}/", device.product_key, device.device_name);
    if (fleet_.empty()) {
      broadcast_ = fmt::format("/broadcast/{}/{}", device.product_key, prefix_);
      all_up_ = fmt::format("/{}/+/{}", device.product_key, options.up_topic);
    }
    fleet_.push_back({std::move(*sign_in), own + options.up_topic, own + options.down_topic, own + options.echo_topic});
  }
  return {};
}

void Identities::add_numbered(const RunOptions& options) {
  broadcast_ = fmt::format("{}/broadcast", prefix_);
  all_up_ = fmt::format("{}/+/up", prefix_);
  for (std::uint32_t i = 0; i < options.connections; ++i) {
    fleet_.push_back({SignIn{fmt::format("{}-{}", prefix_, i), account_, password_},
                      fmt::format("{}/{}/up", prefix_, i), fmt::format("{}/{}/down", prefix_, i),
                      fmt::format("{}/{}/echo", prefix_, i)});
  }
}

SignIn Identities::back_end(std::uint32_t number) const {
  return {fmt::format("{}-b{}", prefix_, number), account_, password_};
}

}  // namespace mooring::bench
