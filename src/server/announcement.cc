#include "server/announcement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "api/connect_lines.h"

namespace mooring::server {
namespace {

// A host that a client on this machine can use: the address itself when there is one.
std::string reachable_host(const net::SocketAddress& address) {
  const std::string host = address.host();
  return host == "0.0.0.0" || host == "::" ? "localhost" : host;
}

std::string url(std::string_view scheme, const net::SocketAddress& address) {
  const std::string host = reachable_host(address);
  return fmt::format("{}://{}:{}", scheme, host.find(':') != std::string::npos ? "[" + host + "]" : host,
                     address.port());
}

std::string urls_of(const RunningListener& listener) {
  std::string out;
  const auto add = [&out](const std::string& text) { out += "  " + text + "\n"; };
  if (listener.tls != ListenerTls::kOff) {
    add(url("wss", listener.address));
    add(url("mqtts", listener.address));
    add(url("https", listener.address) + "/");
  }
  if (listener.tls != ListenerTls::kRequired) {
    add(url("ws", listener.address) + "   (not encrypted)");
    add(url("mqtt", listener.address) + "   (not encrypted)");
    add(url("http", listener.address) + "/   (not encrypted)");
  }
  return out;
}

std::string demo_lines(const Announcement& announcement, const registry::Device& device) {
  api::ConnectInput input;
  input.key = device.key;
  input.device_secret = device.device_secret;
  input.host = reachable_host(announcement.listeners.front().address);
  input.port = announcement.listeners.front().address.port();
  std::string out = fmt::format("\nDemo device {}/{}\n", device.key.product_key, device.key.device_name);
  const auto lines =
      api::connect_lines(input, fmt::format("/{}/{}/user/echo", device.key.product_key, device.key.device_name));
  if (!lines) return out + "  " + lines.error().message + "\n";
  for (const api::ConnectLine& line : *lines) out += fmt::format("\n# {}\n{}\n", line.title, line.text);
  return out;
}

std::string console_url(const Announcement& announcement) {
  const RunningListener& first = announcement.listeners.front();
  return url(first.tls == ListenerTls::kOff ? "http" : "https", first.address) + "/console/";
}

}  // namespace

std::string ready_line(const Announcement& announcement) {
  boost::json::array listeners;
  for (const RunningListener& listener : announcement.listeners) {
    listeners.push_back({{"address", listener.address.host()}, {"port", listener.address.port()}});
  }
  boost::json::object ready;
  ready["listeners"] = std::move(listeners);
  ready["pid"] = ::getpid();
  ready["console"] = console_url(announcement);
  ready["rootCertificate"] = announcement.root_file.string();
  ready["data"] = announcement.data.string();
  return "ready " + boost::json::serialize(ready);
}

std::string welcome(const Announcement& announcement) {
  std::string out = "\nMooring is ready. One port for everything:\n";
  for (const RunningListener& listener : announcement.listeners) out += urls_of(listener);
  out += fmt::format("\nConsole: {}\n", console_url(announcement));
  if (const auto& first = announcement.first_user) {
    out += fmt::format("  Sign in as user {} with password {}\n", first->name, first->password);
    out += "  The password is printed this once and must be changed at the first sign-in.\n";
  }
  if (!announcement.root_file.empty()) {
    out += fmt::format("\nRoot certificate for clients: {}\n  SHA-256 {}\n", announcement.root_file.string(),
                       announcement.root_fingerprint);
  }
  out += fmt::format("\nData folder: {}\n", announcement.data.string());
  out += fmt::format("Everything devices say: mooring sub --data {} -v -t '#'\n", announcement.data.string());
  for (const registry::Device& device : announcement.demo) out += demo_lines(announcement, device);
  return out;
}

}  // namespace mooring::server
