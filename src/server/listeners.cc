#include "server/listeners.h"

#include <fmt/format.h>
#include <netdb.h>

#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "gateway/connection.h"
#include "net/listener.h"
#include "server/certificates.h"
#include "server/loop_worker.h"
#include "server/module_settings.h"

namespace mooring::server {
namespace {

using Addresses = std::vector<net::SocketAddress>;

base::Result<Addresses> look_up(const ListenerOptions& listener) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(listener.host.c_str(), std::to_string(listener.port).c_str(), &hints, &found);
  if (error != 0) {
    return base::fail(
        base::Errc::kInvalidArgument,
        fmt::format("cannot find the address of '{}' (listener.address): {}", listener.host, ::gai_strerror(error)));
  }
  Addresses out;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    out.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return out;
}

base::Result<Addresses> addresses_of(const ListenerOptions& listener) {
  if (listener.host.empty()) {
    return Addresses{*net::SocketAddress::parse("0.0.0.0", listener.port),
                     *net::SocketAddress::parse("::", listener.port)};
  }
  if (auto literal = net::SocketAddress::parse(listener.host, listener.port)) return Addresses{*literal};
  return look_up(listener);
}

gateway::ListenerContext::Tls tls_of(const ListenerOptions& listener) {
  switch (listener.tls) {
    case ListenerTls::kAuto:
      return gateway::ListenerContext::Tls::kAuto;
    case ListenerTls::kRequired:
      return gateway::ListenerContext::Tls::kRequired;
    case ListenerTls::kOff:
      break;
  }
  return gateway::ListenerContext::Tls::kOff;
}

class Opening {
 public:
  Opening(const Options& options, const Certificates& certificates, std::span<LoopWorker* const> workers)
      : options_(options), certificates_(certificates), workers_(workers) {}

  base::Result<> open(const ListenerOptions& listener) {
    const auto addresses = addresses_of(listener);
    if (!addresses) return tl::unexpected(addresses.error());
    std::uint16_t picked_port = 0;  // 0: none is open yet
    for (net::SocketAddress address : *addresses) {
      // ":0" means one port for both address families.
      if (address.port() == 0 && picked_port != 0) address = *net::SocketAddress::parse(address.host(), picked_port);
      if (auto done = open_at(listener, address); !done) {
        // A machine without IPv6 is no reason to refuse ":443"; anything else is.
        const bool optional = listener.host.empty() && address.family() == AF_INET6 && picked_port != 0 &&
                              done.error().code == base::Errc::kIo;
        if (!optional) return done;
        base::log_info("server", "no IPv6 on this machine: {}", done.error().message);
        continue;
      }
      picked_port = running_.back().address.port();
    }
    return {};
  }

  std::vector<RunningListener> take_running() { return std::move(running_); }

 private:
  base::Result<> open_at(const ListenerOptions& listener, const net::SocketAddress& address) {
    // Opened alone first: that is how a port in use shows.
    auto probe = net::open_listener(address, false);
    if (!probe) return tl::unexpected(probe.error());
    const auto bound = net::bound_address(*probe);
    if (!bound) return tl::unexpected(bound.error());
    probe->reset();
    for (LoopWorker* worker : workers_) {
      auto fd = net::open_listener(*bound, true);
      if (!fd) return tl::unexpected(fd.error());
      if (auto done = worker->gateway().listen(std::move(*fd), context_for(listener)); !done) return done;
    }
    running_.push_back({*bound, listener.tls, listener.legacy_tls});
    return {};
  }

  std::shared_ptr<gateway::ListenerContext> context_for(const ListenerOptions& listener) const {
    auto context = std::make_shared<gateway::ListenerContext>();
    context->tls = tls_of(listener);
    context->legacy_tls = listener.legacy_tls;
    context->client_certificates = listener.client_certificates;
    context->tls_context = certificates_.contexts()[listener.legacy_tls ? 1 : 0][listener.client_certificates ? 1 : 0];
    context->proxy_protocol = listener.proxy_protocol;
    context->anonymous_account = listener.anonymous_account;
    for (const std::string& block : listener.trusted_proxies) {
      if (auto parsed = net::AddressBlock::parse(block)) context->trusted_proxies.push_back(*parsed);
    }
    context->limits = connection_limits(options_);
    context->number = static_cast<std::uint32_t>(running_.size());
    return context;
  }

  const Options& options_;
  const Certificates& certificates_;
  const std::span<LoopWorker* const> workers_;
  std::vector<RunningListener> running_;
};

}  // namespace

base::Result<std::vector<RunningListener>> open_listeners(const Options& options, const Certificates& certificates,
                                                          std::span<LoopWorker* const> workers) {
  Opening opening(options, certificates, workers);
  for (const ListenerOptions& listener : options.listeners) {
    if (auto done = opening.open(listener); !done) return tl::unexpected(done.error());
  }
  return opening.take_running();
}

base::Result<> open_local_listener(const std::filesystem::path& file, LoopWorker& worker) {
  auto fd = net::open_local_listener(file);
  if (!fd) return tl::unexpected(fd.error());
  auto context = std::make_shared<gateway::ListenerContext>();
  context->local_socket = true;
  context->tls = gateway::ListenerContext::Tls::kOff;
  return worker.gateway().listen(std::move(*fd), std::move(context));
}

void warn_of_missing_accounts(std::span<const ListenerOptions> listeners, registry::Registry& registry) {
  for (const ListenerOptions& listener : listeners) {
    if (listener.anonymous_account.empty()) continue;
    const auto account = registry.find_account(listener.anonymous_account);
    if (account && *account) continue;
    base::log_warn("server",
                   "listener {}: its anonymous_account '{}' does not exist; clients without user name are refused "
                   "until it is made with 'mooring account create'",
                   listener.address, base::printable(listener.anonymous_account, 80));
  }
}

}  // namespace mooring::server
