// What a ticket's connection may publish and subscribe to: what its holder may by today's rules, and of that only what
// the ticket lists. LiveTickets knows the tickets that are connected on a loop, by their holders. One loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "auth/account_permissions.h"
#include "auth/app_permissions.h"
#include "broker/ports.h"
#include "gateway/account_cache.h"
#include "gateway/authorizers.h"
#include "registry/tickets.h"

namespace mooring::gateway {

class TicketAuthorizer;

// Holds nothing: each authorizer comes and goes by itself.
class LiveTickets {
 public:
  // Every ticket that fits, once for each of its connections. `visit` must not end a connection.
  void for_each(const std::function<void(const TicketAuthorizer&)>& visit) const {
    for (const TicketAuthorizer* ticket : tickets_) visit(*ticket);
  }
  bool empty() const { return tickets_.empty(); }

 private:
  friend class TicketAuthorizer;
  std::unordered_set<const TicketAuthorizer*> tickets_;
};

class TicketAuthorizer final : public broker::Authorizer {
 public:
  // Of a device's ticket; `live` outlives it. Follows changes of the product's topic classes.
  TicketAuthorizer(LiveTickets& live, const registry::Ticket& ticket, std::shared_ptr<const ProductRules> product,
                   auth::TopicLimits limits);
  // Of an account's ticket. Follows changes of the account's permissions.
  TicketAuthorizer(LiveTickets& live, const registry::Ticket& ticket, std::shared_ptr<const AccountRules> account);
  ~TicketAuthorizer() override;
  TicketAuthorizer(const TicketAuthorizer&) = delete;
  TicketAuthorizer& operator=(const TicketAuthorizer&) = delete;

  Verdict may_publish(std::string_view topic) const override;
  Verdict may_subscribe(std::string_view filter) const override;
  std::uint64_t revision() const override {
    return as_account_ != nullptr ? as_account_->revision() : as_device_->revision();
  }

  const std::string& id() const { return id_; }
  const base::DeviceKey& device() const { return device_; }  // empty names: an account's ticket
  const std::string& account() const { return account_; }    // empty: a device's ticket

 private:
  Verdict holder_may_publish(std::string_view topic) const;
  Verdict holder_may_subscribe(std::string_view filter) const;

  LiveTickets& live_;
  const std::string id_;
  const base::DeviceKey device_;
  const std::string account_;
  std::unique_ptr<DeviceAuthorizer> as_device_;
  std::unique_ptr<AccountAuthorizer> as_account_;
  std::optional<auth::AppPermissions> app_;         // the other side of as_device_
  std::optional<auth::AccountPermissions> listed_;  // nothing: all that the holder may
};

}  // namespace mooring::gateway
