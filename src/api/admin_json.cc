#include "api/admin_json.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/ticket_text.h"
#include "base/utc_time.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

boost::json::array texts(const std::vector<std::string>& items) {
  boost::json::array out;
  for (const std::string& item : items) out.emplace_back(item);
  return out;
}

boost::json::array permissions_json(const std::vector<registry::AccountPermission>& permissions) {
  boost::json::array out;
  for (const registry::AccountPermission& permission : permissions) out.emplace_back(registry::to_text(permission));
  return out;
}

std::string_view state_of(const registry::Ticket& ticket, base::WallMs now_ms) {
  if (ticket.revoked_ms != 0) return "revoked";
  return ticket.expires_ms <= now_ms ? "expired" : "valid";
}

}  // namespace

boost::json::value time_json(base::WallMs time_ms) {
  if (time_ms == 0) return nullptr;
  return boost::json::value(base::utc_time(time_ms));
}

boost::json::object to_json(const registry::Product& product, Secrets secrets) {
  boost::json::object json;
  json["productKey"] = product.product_key;
  if (secrets == Secrets::kShow) json["productSecret"] = product.product_secret;
  json["name"] = product.name;
  json["profile"] = registry::to_text(product.profile);
  json["dynamicRegistration"] = registry::to_text(product.dynamic_registration);
  json["authType"] = registry::to_text(product.auth_type);
  json["firstUse"] = registry::to_text(product.first_use);
  boost::json::array topic_classes;
  for (const registry::TopicClass& topic_class : product.topic_classes) {
    topic_classes.emplace_back(fmt::format("{}:{}", topic_class.suffix, registry::to_text(topic_class.right)));
  }
  json["topicClasses"] = std::move(topic_classes);
  json["deviceCount"] = product.device_count;
  json["created"] = time_json(product.created_ms);
  json["version"] = product.version;
  return json;
}

boost::json::object to_json(const registry::Device& device, Secrets secrets) {
  boost::json::object json;
  json["productKey"] = device.key.product_key;
  json["deviceName"] = device.key.device_name;
  if (secrets == Secrets::kShow) json["deviceSecret"] = device.device_secret;
  json["iotId"] = device.iot_id;
  json["nickname"] = device.nickname;
  json["status"] = registry::to_text(device.status());
  json["created"] = time_json(device.created_ms);
  json["activated"] = time_json(device.activated_ms);
  json["lastOnline"] = time_json(device.last_online_ms);
  json["lastOffline"] = time_json(device.last_offline_ms);
  json["lastAddress"] = device.last_address;
  json["sdk"] = boost::json::object({{"lan", device.facts.lan},
                                     {"version", device.facts.version},
                                     {"os", device.facts.os},
                                     {"module", device.facts.module}});
  // A page that holds the secret gives it to everybody who opens it.
  json["secretUsedInBrowser"] =
      device.browser_origin.empty() ? boost::json::value() : boost::json::value(device.browser_origin);
  json["version"] = device.version;
  return json;
}

boost::json::object to_json(const registry::Authority& authority) {
  boost::json::object json;
  json["fingerprint"] = authority.fingerprint;
  json["subject"] = authority.subject;
  json["productKey"] = authority.product_key.empty() ? boost::json::value() : boost::json::value(authority.product_key);
  json["notBefore"] = time_json(authority.not_before_ms);
  json["notAfter"] = time_json(authority.not_after_ms);
  json["added"] = time_json(authority.created_ms);
  json["revokedSerials"] = authority.revoked_serials;
  json["revocationList"] = boost::json::object(
      {{"issued", time_json(authority.list_issued_ms)}, {"next", time_json(authority.list_next_ms)}});
  return json;
}

boost::json::object to_json(const registry::BoundCertificate& certificate) {
  boost::json::object json;
  json["fingerprint"] = certificate.fingerprint;
  json["subject"] = certificate.subject;
  json["notAfter"] = time_json(certificate.not_after_ms);
  json["bound"] = time_json(certificate.bound_ms);
  json["firstUse"] = certificate.first_use;
  json["revoked"] = certificate.revoked;
  return json;
}

boost::json::object to_json(const registry::Account& account) {
  boost::json::object json;
  json["name"] = account.name;
  json["permissions"] = permissions_json(account.permissions);
  json["created"] = time_json(account.created_ms);
  json["version"] = account.version;
  return json;
}

boost::json::object to_json(const registry::Ticket& ticket, base::WallMs now_ms) {
  boost::json::object json;
  json["id"] = ticket.id;
  json["username"] = ticket_user_name(ticket.id);
  if (ticket.of_device()) {
    json["productKey"] = ticket.device.product_key;
    json["deviceName"] = ticket.device.device_name;
    json["as"] = ticket.side == registry::TicketSide::kDevice ? "device" : "app";
  } else {
    json["account"] = ticket.account;
  }
  json["permissions"] = permissions_json(ticket.permissions);
  json["origins"] = texts(ticket.origins);
  if (!ticket.client_id.empty()) json[ticket.client_id_is_prefix ? "clientIdPrefix" : "clientId"] = ticket.client_id;
  json["session"] = ticket.session_s;
  json["state"] = state_of(ticket, now_ms);
  json["created"] = time_json(ticket.created_ms);
  json["expires"] = time_json(ticket.expires_ms);
  json["revoked"] = time_json(ticket.revoked_ms);
  json["mintedBy"] = ticket.minted_by;
  return json;
}

boost::json::object to_json(const registry::ApiToken& token) {
  boost::json::object json;
  json["name"] = token.name;
  json["id"] = token.id;
  json["role"] = registry::to_text(token.role);
  json["created"] = time_json(token.created_ms);
  json["expires"] = time_json(token.expires_ms);
  return json;
}

}  // namespace mooring::api
