#include "device_list.h"

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

Result<Device> sign(const registry::ImportRow& row, bool secure) {
  api::ConnectInput input;
  input.key = {row.product_key, row.device_name};
  input.device_secret = row.device_secret;
  input.transport = secure ? api::Transport::kTls : api::Transport::kTcp;
  auto parameters = api::connect_parameters(input);
  if (!parameters) return tl::unexpected(parameters.error());
  return Device{input.key, SignIn{.client_id = std::move(parameters->client_id),
                                  .username = std::move(parameters->username),
                                  .password = std::move(parameters->password)}};
}

}  // namespace

Result<std::vector<Device>> load_devices(const std::string& file, std::size_t count, bool secure) {
  const auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  auto reader = api::DeviceCsvReader::open(*text);
  if (!reader) return tl::unexpected(reader.error());
  std::vector<Device> devices;
  while (devices.size() < count) {
    const auto row = reader->next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) {
      return base::fail(Errc::kInvalidArgument,
                        fmt::format("{} has {} devices, {} are needed", file, devices.size(), count));
    }
    auto device = sign((*row)->device, secure);
    if (!device) return tl::unexpected(device.error());
    devices.push_back(std::move(*device));
  }
  return devices;
}

}  // namespace mooring::bench
