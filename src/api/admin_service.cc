#include "api/admin_service.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

#include "api/admin_operations.h"
#include "api/admin_request.h"

namespace mooring::api {
namespace {

struct Route {
  std::string_view method;
  std::string_view path;  // segments joined by '/'; `*` stands for any one
  Operation operation;
};

constexpr std::array kRoutes{
    Route{"GET", "products", list_products},
    Route{"POST", "products", create_product},
    Route{"GET", "products/*", show_product},
    Route{"PATCH", "products/*", update_product},
    Route{"DELETE", "products/*", delete_product},
    Route{"GET", "products/*/devices", list_devices},
    Route{"POST", "products/*/devices", create_devices},
    Route{"GET", "products/*/devices/*", show_device},
    Route{"PATCH", "products/*/devices/*", update_device},
    Route{"DELETE", "products/*/devices/*", delete_device},
    Route{"POST", "products/*/devices/*/enable", enable_device},
    Route{"POST", "products/*/devices/*/disable", disable_device},
    Route{"POST", "products/*/devices/*/kick", kick_device},
    Route{"GET", "devices", list_all_devices},
    Route{"GET", "devices:export", export_devices},
    Route{"POST", "devices:import", import_devices},
    Route{"GET", "accounts", list_accounts},
    Route{"POST", "accounts", create_account},
    Route{"GET", "accounts/*", show_account},
    Route{"PATCH", "accounts/*", update_account},
    Route{"DELETE", "accounts/*", delete_account},
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

ApiResult<Reply> dispatch(AdminContext& context, const AdminRequest& request) {
  bool path_exists = false;
  for (const Route& route : kRoutes) {
    if (!matches(route.path, request.path)) continue;
    if (route.method == request.method) return route.operation(context, request);
    path_exists = true;
  }
  if (path_exists) return refuse(405, "method_not_allowed", "this address does not take this method");
  return refuse(404, "not_found", "there is nothing at this address");
}

AdminResponse to_response(const ApiError& error) {
  const boost::json::object body{{"error", {{"code", error.code}, {"message", error.message}}}};
  return {error.status, boost::json::serialize(body)};
}

AdminResponse handle_request(AdminContext& context, std::string_view method, std::string_view target,
                             std::string_view body) {
  if (body.size() > kRequestBodyBytesMax) return to_response({413, "limit_exceeded", "the body is too long"});
  const auto request = parse_request(method == "HEAD" ? "GET" : method, target, body);
  if (!request) return to_response(request.error());
  const auto reply = dispatch(context, *request);
  if (!reply) return to_response(reply.error());
  return {reply->status, boost::json::serialize(reply->body)};
}

}  // namespace

AdminService::AdminService(registry::Registry& registry, SessionControl* sessions)
    : registry_(registry), sessions_(sessions) {}

AdminResponse AdminService::handle(std::string_view method, std::string_view target, std::string_view body) {
  try {
    AdminContext context{registry_, sessions_};
    return handle_request(context, method, target, body);
  } catch (const std::exception&) {  // only the JSON library throws here, and only for want of memory
    return {500, R"({"error":{"code":"internal","message":"the request could not be worked on"}})"};
  }
}

}  // namespace mooring::api
