#include "api/admin_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

#include "api/admin_audit.h"
#include "api/admin_operations.h"
#include "api/admin_request.h"
#include "base/log.h"

namespace mooring::embedded {
std::string_view openapi_json();
}

namespace mooring::api {
namespace {

constexpr std::string_view kRevocationListEnd = "/revocation-list";

struct Access {
  registry::Role least_role = registry::Role::kAdmin;
  bool for_accounts = false;
  bool is_public = false;
};
constexpr Access kViewer{registry::Role::kViewer};
constexpr Access kOperator{registry::Role::kOperator};
constexpr Access kAdmin{registry::Role::kAdmin};
constexpr Access kViewerOrAccount{registry::Role::kViewer, true};
constexpr Access kOperatorOrAccount{registry::Role::kOperator, true};
constexpr Access kAdminOrAccount{registry::Role::kAdmin, true};
constexpr Access kPublic{registry::Role::kViewer, true, true};

struct Route {
  std::string_view method;
  std::string_view path;  // segments joined by '/'; `*` stands for any one
  Operation operation;    // null: the server answers it itself, before it is asked here
  Access access = {};     // left out: administrators only
};

constexpr std::array kRoutes{
    Route{"GET", "products", list_products, kViewer},
    Route{"POST", "products", create_product, kAdmin},
    Route{"GET", "products/*", show_product, kViewer},
    Route{"PATCH", "products/*", update_product, kAdmin},
    Route{"DELETE", "products/*", delete_product, kAdmin},
    Route{"GET", "products/*/devices", list_devices, kViewer},
    Route{"POST", "products/*/devices", create_devices, kOperator},
    Route{"GET", "products/*/devices/*", show_device, kViewer},
    Route{"PATCH", "products/*/devices/*", update_device, kOperator},
    Route{"DELETE", "products/*/devices/*", delete_device, kOperator},
    Route{"POST", "products/*/devices/*/enable", enable_device, kOperator},
    Route{"POST", "products/*/devices/*/disable", disable_device, kOperator},
    Route{"POST", "products/*/devices/*/kick", kick_device, kOperator},
    Route{"POST", "products/*/devices/*/reset", reset_device, kOperator},
    Route{"POST", "products/*/devices/*/secret", renew_secret, kOperator},
    Route{"GET", "products/*/devices/*/connect", connect_device, kOperator},
    Route{"GET", "products/*/devices/*/session", device_session, kViewer},
    Route{"POST", "products/*/devices/*/certificates", bind_certificate, kOperator},
    Route{"DELETE", "products/*/devices/*/certificates/*", unbind_certificate, kOperator},
    Route{"GET", "authorities", list_authorities, kViewer},
    Route{"POST", "authorities", add_authority, kAdmin},
    Route{"GET", "authorities/*", show_authority, kViewer},
    Route{"DELETE", "authorities/*", remove_authority, kAdmin},
    Route{"POST", "authorities/*/revocation-list", import_revocation_list, kOperator},
    Route{"POST", "authorities/*/revoke", revoke_serial, kOperator},
    Route{"POST", "certificates/*/revoke", revoke_certificate, kOperator},
    Route{"POST", "certificates/*/reinstate", reinstate_certificate, kAdmin},
    Route{"GET", "products/*/devices/*/log", device_log, kViewer},
    Route{"GET", "products/*/devices/*/doctor", device_doctor, kViewer},
    Route{"GET", "products/*/devices/*/flight", device_flight, kOperator},
    Route{"GET", "devices", list_all_devices, kViewer},
    Route{"GET", "devices:export", export_devices, kOperator},
    Route{"POST", "devices:import", import_devices, kAdmin},
    Route{"POST", "devices:import-csv", import_devices_csv, kAdmin},
    Route{"GET", "accounts/*/sessions", account_sessions, kViewer},
    Route{"GET", "server", show_server, kViewer},
    Route{"GET", "server/certificates", server_certificates, kViewer},
    Route{"GET", "server/configuration", server_configuration, kAdmin},
    Route{"POST", "publish", publish, kOperator},
    Route{"GET", "accounts", list_accounts, kViewer},
    Route{"POST", "accounts", create_account, kAdmin},
    Route{"GET", "accounts/*", show_account, kViewer},
    Route{"PATCH", "accounts/*", update_account, kAdmin},
    Route{"DELETE", "accounts/*", delete_account, kAdmin},
    Route{"GET", "accounts/*/flight", account_flight, kOperator},
    Route{"GET", "refusals", list_refusals, kViewer},
    Route{"GET", "tickets", list_tickets, kViewerOrAccount},
    Route{"POST", "tickets", mint_ticket, kAdminOrAccount},
    Route{"GET", "tickets/*", show_ticket, kViewerOrAccount},
    Route{"DELETE", "tickets/*", revoke_ticket, kOperatorOrAccount},
    Route{"POST", "tickets:revoke", revoke_tickets, kOperatorOrAccount},
    Route{"GET", "tokens", list_tokens, kAdmin},
    Route{"POST", "tokens", create_token, kAdmin},
    Route{"DELETE", "tokens/*", revoke_token, kAdmin},
    Route{"GET", "users", list_users, kAdmin},
    Route{"POST", "users", create_user, kAdmin},
    Route{"GET", "users/*", show_user, kAdmin},
    Route{"PATCH", "users/*", update_user, kAdmin},
    Route{"DELETE", "users/*", delete_user, kAdmin},
    Route{"GET", "audit", list_audit, kAdmin},
    Route{"POST", "session", nullptr, kPublic},
    Route{"GET", "session", nullptr, kViewer},
    Route{"DELETE", "session", nullptr, kViewer},
    Route{"POST", "session/password", nullptr, kViewer},
    Route{"GET", "statistics", nullptr, kViewer},
    Route{"GET", "events", nullptr, kViewer},
    Route{"GET", "openapi.json", nullptr, kPublic},
};

bool matches(std::string_view pattern, const std::vector<std::string>& path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t slash = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, slash);
    const bool last = slash == pattern.size();
    if (segment != "*" && segment != path[i]) return false;
    if (last) return i + 1 == path.size();
    pattern.remove_prefix(slash + 1);
  }
  return false;
}

ApiResult<void> check_access(const Access& access, const Caller& caller) {
  if (caller.is_account()) {
    if (access.for_accounts) return {};
    return refuse(403, "forbidden", "an account may care for its own tickets only; the rest takes a token");
  }
  if (caller.at_least(access.least_role)) return {};
  return refuse(403, "forbidden",
                fmt::format("this takes the role {}; the token has the role {}", registry::to_text(access.least_role),
                            registry::to_text(caller.role)));
}

// What the address, or the one it belongs to, shows to a viewer, who gets no secrets; empty: nothing.
std::string shown(AdminContext& context, std::vector<std::string> path) {
  const Caller viewer{registry::Role::kViewer, {}, {}, {}};
  for (; path.size() > 1; path.pop_back()) {
    for (const Route& route : kRoutes) {
      const bool is_item = route.method == "GET" && route.operation != nullptr && route.path.ends_with("/*");
      if (!is_item || !matches(route.path, path)) continue;
      AdminContext as_viewer{context.registry, context.sessions,    viewer,
                             context.settings, context.diagnostics, context.live};
      const auto reply = route.operation(as_viewer, AdminRequest{"GET", path, {}, {}});
      return reply ? audit_text(reply->body) : std::string();
    }
  }
  return {};
}

// A change, and its entry in the audit log.
ApiResult<Reply> change(AdminContext& context, const AdminRequest& request, const Route& route) {
  registry::AuditEntry entry = audit_entry(context.caller, request.method, route.path, request.path);
  entry.before = shown(context, request.path);
  auto reply = route.operation(context, request);
  if (!reply) return reply;
  entry.status = reply->status;
  entry.after = shown(context, request.path);
  if (entry.after.empty() || entry.after == entry.before) entry.after = audit_text(reply->body);
  if (auto ok = record_audit(context, std::move(entry)); !ok) return tl::unexpected(ok.error());
  return reply;
}

// Somebody who is signed in tried what is for others. That it could not be noted is no reason to answer anything else.
void note_refusal(AdminContext& context, const AdminRequest& request, const Route& route, int status) {
  if (AdminService::reads_only(request.method) || context.live.refusals == nullptr) return;
  registry::AuditEntry entry = audit_entry(context.caller, request.method, route.path, request.path);
  entry.status = status;
  if (!context.live.refusals->admit(entry)) return;
  if (auto ok = record_audit(context, std::move(entry)); !ok) {
    base::log_error("api", "the audit log does not take a refusal: {}", ok.error().message);
  }
}

ApiResult<Reply> dispatch(AdminContext& context, const AdminRequest& request) {
  std::string allow;
  for (const Route& route : kRoutes) {
    if (!matches(route.path, request.path)) continue;
    if (route.method == request.method) {
      if (auto ok = check_access(route.access, context.caller); !ok) {
        note_refusal(context, request, route, ok.error().status);
        return tl::unexpected(ok.error());
      }
      if (route.operation == nullptr) return refuse(503, "not_running", "only a running server answers this");
      return AdminService::reads_only(request.method) ? route.operation(context, request)
                                                      : change(context, request, route);
    }
    allow += (allow.empty() ? "" : ", ") + std::string(route.method == "GET" ? "GET, HEAD" : route.method);
  }
  if (!allow.empty()) {
    ApiError error{405, "method_not_allowed", "this address does not take this method", std::move(allow)};
    return tl::unexpected<ApiError>(std::move(error));
  }
  return refuse(404, "not_found", "there is nothing at this address");
}

AdminResponse to_response(const ApiError& error) {
  const boost::json::object body{{"error", {{"code", error.code}, {"message", error.message}}}};
  return {error.status, boost::json::serialize(body), error.allow};
}

AdminResponse handle_request(AdminContext& context, std::string_view method, std::string_view target,
                             std::string_view body) {
  if (body.size() > AdminService::body_bytes_max(target)) {
    return to_response({413, "limit_exceeded", "the body is too long"});
  }
  const auto request = parse_request(method == "HEAD" ? "GET" : method, target, body);
  if (!request) return to_response(request.error());
  const auto reply = dispatch(context, *request);
  if (!reply) return to_response(reply.error());
  return {reply->status, boost::json::serialize(reply->body)};
}

}  // namespace

AdminService::AdminService(registry::Registry& registry, SessionControl* sessions, const AdminSettings& settings,
                           Diagnostics diagnostics, LiveParts live)
    : registry_(registry), sessions_(sessions), settings_(settings), diagnostics_(diagnostics), live_(live) {}

std::size_t AdminService::body_bytes_max(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return path.ends_with(kRevocationListEnd) ? kRevocationListBytesMax : kRequestBodyBytesMax;
}

std::vector<AdminService::RouteInfo> AdminService::routes() {
  std::vector<RouteInfo> all;
  for (const Route& route : kRoutes) {
    all.push_back(
        {route.method, route.path, route.access.least_role, route.access.for_accounts, route.access.is_public});
  }
  return all;
}

std::string_view AdminService::openapi_document() {
  return embedded::openapi_json();
}

AdminResponse AdminService::handle(std::string_view method, std::string_view target, std::string_view body,
                                   const Caller& caller) {
  try {
    AdminContext context{registry_, sessions_, caller, settings_, diagnostics_, live_};
    return handle_request(context, method, target, body);
  } catch (const std::exception&) {  // only the JSON library throws here, and only for want of memory
    return {500, R"({"error":{"code":"internal","message":"the request could not be worked on"}})"};
  }
}

}  // namespace mooring::api
