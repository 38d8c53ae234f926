#include "gateway/ticket_authorizer.h"

#include <utility>
#include <vector>

namespace mooring::gateway {
namespace {

using Verdict = broker::Authorizer::Verdict;

std::optional<auth::AccountPermissions> listed_permissions(const registry::Ticket& ticket) {
  if (ticket.permissions.empty()) return std::nullopt;
  std::vector<auth::AccountPermission> permissions;
  for (const registry::AccountPermission& permission : ticket.permissions) {
    // Both enumerations are numbered alike: 1 publish, 2 subscribe, 3 both.
    permissions.push_back({static_cast<auth::TopicRight>(permission.right), permission.filter});
  }
  return auth::AccountPermissions(permissions);
}

}  // namespace

TicketAuthorizer::TicketAuthorizer(LiveTickets& live, const registry::Ticket& ticket,
                                   std::shared_ptr<const ProductRules> product, auth::TopicLimits limits)
    : live_(live),
      id_(ticket.id),
      device_(ticket.device),
      as_device_(std::make_unique<DeviceAuthorizer>(ticket.device, std::move(product), 0, limits)),
      listed_(listed_permissions(ticket)) {
  if (ticket.side == registry::TicketSide::kApp) app_.emplace(device_);
  live_.tickets_.insert(this);
}

TicketAuthorizer::TicketAuthorizer(LiveTickets& live, const registry::Ticket& ticket,
                                   std::shared_ptr<const AccountRules> account)
    : live_(live),
      id_(ticket.id),
      account_(ticket.account),
      as_account_(std::make_unique<AccountAuthorizer>(std::move(account))),
      listed_(listed_permissions(ticket)) {
  live_.tickets_.insert(this);
}

TicketAuthorizer::~TicketAuthorizer() {
  live_.tickets_.erase(this);
}

Verdict TicketAuthorizer::holder_may_publish(std::string_view topic) const {
  if (as_account_ != nullptr) return as_account_->may_publish(topic);
  if (!app_) return as_device_->may_publish(topic);
  return app_->within_publish(topic) ? as_device_->may_subscribe(topic) : Verdict::kNotPermitted;
}

Verdict TicketAuthorizer::holder_may_subscribe(std::string_view filter) const {
  if (as_account_ != nullptr) return as_account_->may_subscribe(filter);
  if (!app_) return as_device_->may_subscribe(filter);
  return app_->within_subscribe(filter) ? Verdict::kAllowed : Verdict::kNotPermitted;
}

Verdict TicketAuthorizer::may_publish(std::string_view topic) const {
  if (listed_ && !listed_->may_publish(topic)) return Verdict::kNotPermitted;
  return holder_may_publish(topic);
}

Verdict TicketAuthorizer::may_subscribe(std::string_view filter) const {
  if (listed_ && !listed_->may_subscribe(filter)) return Verdict::kNotPermitted;
  return holder_may_subscribe(filter);
}

}  // namespace mooring::gateway
