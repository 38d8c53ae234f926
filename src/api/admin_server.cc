// What a running server tells of itself, the MQTT sessions it keeps, and publishing.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "api/admin_operations.h"
#include "api/platform.h"
#include "base/text.h"

namespace mooring::api {
namespace {

ApiResult<Platform*> running(AdminContext& context) {
  if (context.live.platform == nullptr) return refuse(503, "not_running", "the server is not running");
  return context.live.platform;
}

boost::json::object to_json(const CertificateFacts& certificate) {
  return {{"name", certificate.name},
          {"subject", certificate.subject},
          {"issuer", certificate.issuer},
          {"keyType", certificate.key_type},
          {"fingerprint", certificate.fingerprint},
          {"notBefore", time_json(certificate.not_before_ms)},
          {"notAfter", time_json(certificate.not_after_ms)},
          {"names", boost::json::array(certificate.names.begin(), certificate.names.end())}};
}

boost::json::object to_json(const SessionFacts& session) {
  boost::json::array subscriptions;
  for (const SubscriptionFacts& one : session.subscriptions) {
    subscriptions.push_back(
        {{"filter", base::printable(one.filter, 1024)}, {"qos", one.qos}, {"automatic", one.automatic}});
  }
  return {{"clientId", base::printable(session.client_id, 256)},
          {"connected", session.connected},
          {"transport", session.transport},
          {"address", session.address},
          {"protocol", session.protocol},
          {"cleanSession", session.clean_session},
          {"keepAlive", session.keep_alive_s},
          {"offlineSince", time_json(session.offline_since_ms)},
          {"expirySeconds", session.expiry_s},
          {"queuedMessages", session.queued_messages},
          {"queuedBytes", session.queued_bytes},
          {"inFlight", session.in_flight},
          {"subscriptions", std::move(subscriptions)},
          {"moreSubscriptions", session.more_subscriptions}};
}

ApiResult<Reply> reply_of(const SessionsFacts& sessions) {
  // Who reads a part of them would take it for all.
  if (!sessions.complete) return refuse(503, "unavailable", "an event loop is too busy to tell of its sessions");
  boost::json::array items;
  for (const SessionFacts& session : sessions.items) items.push_back(to_json(session));
  return Reply{boost::json::object{{"items", std::move(items)}, {"more", sessions.more}}};
}

// RFC 4648 section 4, with padding.
std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last ? 0 : text[i + 2] == '=' ? 2 : text[i + 3] == '=' ? 1 : 0;
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      std::size_t digit = kDigits.find(text[i + j]);
      if (j >= 4 - padding) digit = text[i + j] == '=' ? 0 : std::string_view::npos;
      if (digit == std::string_view::npos) return std::nullopt;
      bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t j = 0; j < 3 - padding; ++j) out += static_cast<char>((bits >> (16 - 8 * j)) & 0xFFU);
  }
  return out;
}

// Text, or bytes in Base64; one of the two, or nothing for an empty payload.
ApiResult<std::string> read_payload(const boost::json::object& object) {
  auto plain = read_text(object, "payload");
  if (!plain) return tl::unexpected(plain.error());
  const auto coded = read_text(object, "payloadBase64");
  if (!coded) return tl::unexpected(coded.error());
  if (*plain && *coded) return refuse(400, "invalid", "'payload' and 'payloadBase64' exclude each other");
  if (!*coded) return std::move(*plain).value_or("");
  auto bytes = from_base64(**coded);
  if (!bytes) return refuse(400, "invalid", "'payloadBase64' is not Base64");
  return std::move(*bytes);
}

}  // namespace

ApiResult<Reply> show_server(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  const ServerFacts facts = (*platform)->server();
  const auto products = context.registry.list_products({}, {{}, registry::kPageRowsMax});
  if (!products) return refuse(products.error());
  std::uint64_t devices = 0;
  for (const registry::Product& product : products->items) devices += product.device_count;
  boost::json::array listeners;
  for (const ListenerFacts& one : facts.listeners) {
    listeners.push_back(
        {{"address", one.address}, {"port", one.port}, {"tls", one.tls}, {"legacyTls", one.legacy_tls}});
  }
  return Reply{boost::json::object{{"version", facts.version},
                                   {"started", time_json(facts.started_ms)},
                                   {"time", time_json(base::system_clock().wall_ms())},
                                   {"region", facts.region},
                                   {"instanceId", facts.instance_id},
                                   {"publicHost", facts.public_host},
                                   {"publicPort", facts.public_port},
                                   {"threads", facts.threads},
                                   {"limitsProfile", facts.limits_profile},
                                   {"durability", facts.durability},
                                   {"listeners", std::move(listeners)},
                                   {"connections", facts.connections},
                                   {"sessions", facts.sessions},
                                   {"subscriptions", facts.subscriptions},
                                   {"retainedMessages", facts.retained_messages},
                                   {"products", products->items.size()},
                                   {"devices", devices}}};
}

ApiResult<Reply> server_certificates(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  const CertificatesFacts facts = (*platform)->certificates();
  boost::json::array items;
  for (const CertificateFacts& one : facts.items) items.push_back(to_json(one));
  return Reply{boost::json::object{
      {"builtIn", facts.built_in},
      {"root", facts.root ? boost::json::value(to_json(*facts.root)) : boost::json::value()},
      {"rootPem", facts.root_pem.empty() ? boost::json::value() : boost::json::value(facts.root_pem)},
      {"items", std::move(items)}}};
}

ApiResult<Reply> server_configuration(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  boost::json::array items;
  for (const OptionFacts& one : (*platform)->configuration()) {
    items.push_back({{"key", one.key},
                     {"value", one.value},
                     {"default", one.default_value},
                     {"source", one.source},
                     {"reloadable", one.reloadable},
                     {"description", one.description}});
  }
  const std::string file = (*platform)->configuration_file();
  return Reply{boost::json::object{{"file", file.empty() ? boost::json::value() : boost::json::value(file)},
                                   {"items", std::move(items)}}};
}

ApiResult<Reply> device_session(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const base::DeviceKey key{request.path[1], request.path[3]};
  if (const auto device = context.registry.get_device(key); !device) return refuse(device.error());
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  return reply_of((*platform)->sessions_of_device(key));
}

ApiResult<Reply> account_sessions(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const auto account = context.registry.find_account(request.path[1]);
  if (!account) return refuse(account.error());
  if (!*account) {
    return refuse(404, "not_found", fmt::format("there is no account '{}'", base::printable(request.path[1], 80)));
  }
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  return reply_of((*platform)->sessions_of_account(request.path[1]));
}

ApiResult<Reply> publish(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"topic", "payload", "payloadBase64", "qos", "retain"});
  if (!object) return tl::unexpected(object.error());
  const auto topic = read_text(*object, "topic");
  if (!topic) return tl::unexpected(topic.error());
  if (!*topic) return refuse(400, "bad_request", "'topic' is missing");
  const auto payload = read_payload(*object);
  if (!payload) return tl::unexpected(payload.error());
  const auto qos = read_number(*object, "qos", 0, 1);
  if (!qos) return tl::unexpected(qos.error());
  const auto retain = read_bool(*object, "retain");
  if (!retain) return tl::unexpected(retain.error());
  const auto platform = running(context);
  if (!platform) return tl::unexpected(platform.error());
  if (auto ok = (*platform)->publish(**topic, *payload, qos->value_or(0), retain->value_or(false)); !ok) {
    return refuse(ok.error());
  }
  return Reply{boost::json::object{
      {"topic", **topic}, {"bytes", payload->size()}, {"qos", qos->value_or(0)}, {"published", true}}};
}

}  // namespace mooring::api
