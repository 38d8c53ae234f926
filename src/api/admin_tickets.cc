// Ticket operations of the admin API. A ticket's secret is answered once, when it is minted; what is kept is a hash.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "api/admin_permissions.h"
#include "api/origin.h"
#include "api/ticket_text.h"
#include "auth/app_permissions.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/secret_hash.h"
#include "mqtt/topic.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

constexpr std::uint32_t kLifetimeDefaultS = 3600;

base::WallMs now_ms() {
  return base::system_clock().wall_ms();
}

// Whom a request is about. An account is about itself, also when it does not say so, and about nobody else.
ApiResult<registry::TicketHolder> holder_of(const AdminContext& context, std::string product_key,
                                            std::string device_name, std::string account) {
  if (context.caller.is_account()) {
    const bool own =
        product_key.empty() && device_name.empty() && (account.empty() || account == context.caller.account);
    if (!own) return refuse(403, "forbidden", "an account may care for its own tickets only");
    return registry::TicketHolder{{}, context.caller.account};
  }
  if (product_key.empty() != device_name.empty()) {
    return refuse(400, "bad_request", "'productKey' and 'deviceName' go together");
  }
  if (!product_key.empty() && !account.empty()) {
    return refuse(400, "bad_request", "name either a device or an account");
  }
  return registry::TicketHolder{{std::move(product_key), std::move(device_name)}, std::move(account)};
}

ApiResult<registry::TicketHolder> read_holder(const AdminContext& context, const boost::json::object& object) {
  std::array<std::string, 3> texts;
  constexpr std::array<std::string_view, 3> kNames{"productKey", "deviceName", "account"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    auto text = read_text(object, kNames[i]);
    if (!text) return tl::unexpected(text.error());
    texts[i] = std::move(*text).value_or("");
  }
  auto holder = holder_of(context, std::move(texts[0]), std::move(texts[1]), std::move(texts[2]));
  if (holder && holder->account.empty() && holder->device.device_name.empty()) {
    return refuse(400, "bad_request", "name a device with 'productKey' and 'deviceName', or an 'account'");
  }
  return holder;
}

ApiResult<void> read_side(const boost::json::object& object, registry::Ticket& ticket) {
  const auto text = read_text(object, "as");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return {};
  if (**text != "app" && **text != "device") return refuse(400, "invalid", "'as' must be app or device");
  if (!ticket.of_device()) return refuse(400, "invalid", "'as' belongs to tickets of devices");
  ticket.side = **text == "device" ? registry::TicketSide::kDevice : registry::TicketSide::kApp;
  return {};
}

ApiResult<void> read_origins(const boost::json::object& object, registry::Ticket& ticket) {
  const boost::json::value* value = object.if_contains("origins");
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_array()) return refuse(400, "bad_request", "'origins' must be an array of texts");
  for (const boost::json::value& item : value->as_array()) {
    if (!item.is_string()) return refuse(400, "bad_request", "'origins' must be an array of texts");
    auto origin = normalized_origin({item.as_string().data(), item.as_string().size()});
    if (!origin) return refuse(origin.error());
    if (std::ranges::find(ticket.origins, *origin) == ticket.origins.end())
      ticket.origins.push_back(std::move(*origin));
  }
  return {};
}

ApiResult<void> read_client_id(const boost::json::object& object, registry::Ticket& ticket) {
  auto exact = read_text(object, "clientId");
  if (!exact) return tl::unexpected(exact.error());
  auto prefix = read_text(object, "clientIdPrefix");
  if (!prefix) return tl::unexpected(prefix.error());
  if (*exact && *prefix) return refuse(400, "invalid", "'clientId' and 'clientIdPrefix' exclude each other");
  ticket.client_id_is_prefix = prefix->has_value();
  ticket.client_id = std::move(*prefix ? *prefix : *exact).value_or("");
  return {};
}

std::string shown(const registry::AccountPermission& permission) {
  return base::printable(registry::to_text(permission), 160);
}

// An account gives on what it has itself. (What it loses later its tickets lose with it, whatever is written in them.)
ApiResult<void> check_against_account(AdminContext& context, const registry::Ticket& ticket) {
  const auto account = context.registry.find_account(ticket.account);
  if (!account) return refuse(account.error());
  if (!*account) return refuse(404, "not_found", fmt::format("there is no account '{}'", ticket.account));
  const auto held = [&](const registry::AccountPermission& wanted, registry::AccountRight right) {
    return std::ranges::any_of((*account)->permissions, [&](const registry::AccountPermission& own) {
      return (own.right == right || own.right == registry::AccountRight::kAll) &&
             mqtt::covers(own.filter, wanted.filter);
    });
  };
  for (const registry::AccountPermission& wanted : ticket.permissions) {
    using Right = registry::AccountRight;
    const bool fits = (wanted.right == Right::kSubscribe || held(wanted, Right::kPublish)) &&
                      (wanted.right == Right::kPublish || held(wanted, Right::kSubscribe));
    if (!fits) return refuse(403, "forbidden", fmt::format("the account itself may not '{}'", shown(wanted)));
  }
  return {};
}

ApiResult<void> check_against_device(const registry::Ticket& ticket) {
  if (ticket.side == registry::TicketSide::kDevice) return {};
  const auth::AppPermissions app(ticket.device);
  for (const registry::AccountPermission& wanted : ticket.permissions) {
    const bool fits = (wanted.right == registry::AccountRight::kSubscribe || app.within_publish(wanted.filter)) &&
                      (wanted.right == registry::AccountRight::kPublish || app.within_subscribe(wanted.filter));
    if (fits) continue;
    return refuse(400, "invalid",
                  fmt::format("'{}' reaches beyond the device: its topics are /{}/{}/... and /sys/{}/{}/...",
                              shown(wanted), ticket.device.product_key, ticket.device.device_name,
                              ticket.device.product_key, ticket.device.device_name));
  }
  return {};
}

ApiResult<registry::NewTicket> read_ticket(AdminContext& context, const boost::json::object& object) {
  registry::NewTicket wanted;
  registry::Ticket& ticket = wanted.ticket;
  auto holder = read_holder(context, object);
  if (!holder) return tl::unexpected(holder.error());
  ticket.device = std::move(holder->device);
  ticket.account = std::move(holder->account);
  if (auto ok = read_side(object, ticket); !ok) return tl::unexpected(ok.error());
  auto permissions = read_permissions(object);
  if (!permissions) return tl::unexpected(permissions.error());
  ticket.permissions = std::move(*permissions).value_or(std::vector<registry::AccountPermission>());
  if (auto ok = read_origins(object, ticket); !ok) return tl::unexpected(ok.error());
  if (auto ok = read_client_id(object, ticket); !ok) return tl::unexpected(ok.error());
  const std::uint32_t longest = context.settings.ticket_lifetime_max_s;
  const auto lifetime = read_number(object, "lifetime", 1, longest);
  if (!lifetime) return tl::unexpected(lifetime.error());
  wanted.lifetime_s = lifetime->value_or(std::min(kLifetimeDefaultS, longest));
  const auto session = read_number(object, "session", 0, wanted.lifetime_s);
  if (!session) return tl::unexpected(session.error());
  ticket.session_s = session->value_or(0);
  ticket.minted_by = base::printable(context.caller.label, 100);
  wanted.live_max = context.settings.tickets_per_holder;
  return wanted;
}

// Those of others do not exist for an account.
ApiResult<void> check_own(const AdminContext& context, const std::string& id) {
  if (!context.caller.is_account()) return {};
  const auto ticket = context.registry.find_ticket(id);
  if (!ticket) return refuse(ticket.error());
  if (*ticket && (*ticket)->account == context.caller.account) return {};
  return refuse(404, "not_found", fmt::format("there is no ticket '{}'", base::printable(id, 40)));
}

}  // namespace

ApiResult<Reply> list_tickets(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"productKey", "deviceName", "account", "all", "limit", "cursor"}); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto holder =
      holder_of(context, request.value("productKey"), request.value("deviceName"), request.value("account"));
  if (!holder) return tl::unexpected(holder.error());
  const auto limit = request.limit(kListRowsDefault, kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  const auto all = request.flag("all");
  if (!all) return tl::unexpected(all.error());
  auto tickets = context.registry.list_tickets(*holder, request.value("cursor"), *limit + 1, *all);
  if (!tickets) return refuse(tickets.error());
  boost::json::object body;
  if (tickets->size() > *limit) {
    tickets->pop_back();
    body["nextCursor"] = tickets->back().id;
  }
  boost::json::array items;
  for (const registry::Ticket& ticket : *tickets) items.push_back(to_json(ticket, now_ms()));
  body["items"] = std::move(items);
  return Reply{std::move(body)};
}

ApiResult<Reply> mint_ticket(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"productKey", "deviceName", "account", "as", "permissions", "origins",
                                                  "clientId", "clientIdPrefix", "lifetime", "session"});
  if (!object) return tl::unexpected(object.error());
  auto wanted = read_ticket(context, *object);
  if (!wanted) return tl::unexpected(wanted.error());
  registry::Ticket& ticket = wanted->ticket;
  auto fits = ticket.of_device() ? check_against_device(ticket) : check_against_account(context, ticket);
  if (!fits) return tl::unexpected(fits.error());
  const std::string secret = crypto::random_alphanumeric(crypto::system_random(), kTicketSecretCharacters);
  ticket.id = crypto::random_alphanumeric(crypto::system_random(), registry::kTicketIdCharacters);
  ticket.secret_hash = crypto::hash_secret(secret);
  const auto minted = context.registry.create_ticket(*wanted);
  if (!minted) return refuse(minted.error());
  boost::json::object body = to_json(*minted, now_ms());
  body["password"] = secret;
  return Reply{std::move(body), 201};
}

ApiResult<Reply> show_ticket(AdminContext& context, const AdminRequest& request) {
  const std::string& id = request.path[1];
  if (auto ok = check_own(context, id); !ok) return tl::unexpected(ok.error());
  const auto ticket = context.registry.find_ticket(id);
  if (!ticket) return refuse(ticket.error());
  if (!*ticket) return refuse(404, "not_found", fmt::format("there is no ticket '{}'", base::printable(id, 40)));
  return Reply{to_json(**ticket, now_ms())};
}

ApiResult<Reply> revoke_ticket(AdminContext& context, const AdminRequest& request) {
  const std::string& id = request.path[1];
  if (auto ok = check_own(context, id); !ok) return tl::unexpected(ok.error());
  const auto ticket = context.registry.revoke_ticket(id);
  if (!ticket) return refuse(ticket.error());
  return Reply{to_json(*ticket, now_ms())};
}

ApiResult<Reply> revoke_tickets(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"productKey", "deviceName", "account"});
  if (!object) return tl::unexpected(object.error());
  const auto holder = read_holder(context, *object);
  if (!holder) return tl::unexpected(holder.error());
  const auto revoked = context.registry.revoke_tickets(*holder);
  if (!revoked) return refuse(revoked.error());
  return Reply{boost::json::object{{"revoked", *revoked}}};
}

}  // namespace mooring::api
