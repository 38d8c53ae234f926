#include "deviceapi/device_api.h"

#include <algorithm>
#include <utility>

#include "auth/device_http.h"
#include "auth/server_token.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/text.h"
#include "deviceapi/answers.h"
#include "deviceapi/request_fields.h"
#include "gateway/authorizers.h"
#include "http/method_not_allowed.h"
#include "mqtt/topic.h"

namespace mooring::deviceapi {
namespace {

using auth::HttpService;
using gateway::CachedCredential;

struct Route {
  std::string_view path;
  HttpService service;
};
constexpr std::string_view kBootstrapPath = "/auth/bootstrap";
constexpr Route kRoutes[] = {
    {"/auth/register/device", HttpService::kRegister},
    {"/auth/devicename", HttpService::kPreauth},
    {kBootstrapPath, HttpService::kPreauth},
    {"/auth", HttpService::kLogin},
};

bool is_ours(std::string_view path) {
  return path == "/auth" || path.starts_with("/auth/") || path == "/topic" || path.starts_with(kPublishPrefix);
}

std::optional<HttpService> service_of(std::string_view path) {
  if (path.starts_with(kPublishPrefix)) return HttpService::kPublish;
  for (const Route& route : kRoutes) {
    if (route.path == path) return route.service;
  }
  return std::nullopt;
}

// The topic that a path names; its own first slash is the one behind "/topic".
std::optional<std::string> topic_of(std::string_view path) {
  path.remove_prefix(kPublishPrefix.size() - 1);
  if (path.starts_with("//")) path.remove_prefix(1);
  auto topic = base::percent_decoded(path, false);
  if (!topic || topic->size() < 2 || !mqtt::is_valid_topic_name(*topic)) return std::nullopt;
  return topic;
}

const auth::CredentialRecord* record_of(const CachedCredential& credential) {
  return credential.exists ? &credential.record : nullptr;
}

auth::TokenOwner owner_of(const base::DeviceKeyView& device, const auth::CredentialRecord& record) {
  return {device, record.device_secret, record.life, record.token_generation};
}

}  // namespace

std::optional<std::size_t> DeviceApi::body_bytes_max(const http::Request& head,
                                                     const http::RequestSource& source) const {
  if (!is_ours(head.path())) return parts_.next.body_bytes_max(head, source);
  if (!head.path().starts_with(kPublishPrefix)) return std::nullopt;
  // Whether its device still exists is found out later; one that was not issued here or has expired gets no room.
  const auto claim = sealed_token(head);
  return claim && claim->expires_ms > parts_.clock.wall_ms() ? std::optional(kPublishBodyBytesMax) : std::nullopt;
}

std::optional<auth::TokenClaim> DeviceApi::sealed_token(const http::Request& head) const {
  const auto claim = auth::parse_token(head.field("password").value_or(""));
  const std::string& key = parts_.sign_in.policy().token_key;
  return claim && auth::is_sealed(key, auth::TokenUse::kHttp, *claim) ? claim : std::nullopt;
}

std::optional<http::Response> DeviceApi::too_large(const http::Request& head, const http::RequestSource& source) {
  if (!is_ours(head.path())) return parts_.next.too_large(head, source);
  if (!head.path().starts_with(kPublishPrefix) || head.method != "POST") return std::nullopt;
  const auto claim = sealed_token(head);
  if (!claim || claim->expires_ms > parts_.clock.wall_ms()) return std::nullopt;
  Call call{{HttpService::kPublish, source.tls, source.address}, {}};
  call.device = {std::string(claim->device.product_key), std::string(claim->device.device_name)};
  call.attempt = std::make_unique<journal::SignInAttempt>();
  const bool plain = settings_.require_tls && !source.tls && !source.local_socket;
  const auth::HttpRefusal refusal = plain ? auth::needs_tls(call.service) : auth::token_expired();
  record_refused(parts_.log, call, refusal);
  return refusal_answer(refusal);
}

void DeviceApi::handle(http::Request request, const http::RequestSource& source, http::Respond respond) {
  const std::string_view path = request.path();
  if (!is_ours(path)) {
    parts_.next.handle(std::move(request), source, std::move(respond));
    return;
  }
  const auto service = service_of(path);
  if (!service) {
    respond(http::error_response(404, "not_found", "there is nothing at this path"));
    return;
  }
  if (request.method != "POST") {
    respond(http::method_not_allowed("POST"));
    return;
  }
  Call call{{*service, source.tls, source.address}, std::move(respond)};
  if (settings_.require_tls && !source.tls && !source.local_socket) {
    call.attempt = std::make_unique<journal::SignInAttempt>();
    refuse(auth::needs_tls(call.service), call);
  } else {
    serve(std::move(request), source, std::move(call));
  }
}

void DeviceApi::serve(http::Request request, const http::RequestSource& source, Call call) {
  switch (call.service) {
    case HttpService::kRegister:
      register_device(request, std::move(call));
      return;
    case HttpService::kPreauth:
      if (request.path() == kBootstrapPath) {
        bootstrap(request, source.tls, std::move(call));
        return;
      }
      [[fallthrough]];
    case HttpService::kLogin:
      sign_in(request, source.tls, std::move(call));
      return;
    case HttpService::kPublish:
      publish(std::move(request), *source.executor, std::move(call));
      return;
  }
}

// Back-off knows who asks (docs/adr/0013), as with CONNECT. True: the request was answered.
bool DeviceApi::turned_away(const base::DeviceKeyView& device, Call& call) {
  call.who = auth::user_name_of(device);
  if (!parts_.sign_in.turned_away(call.address, call.who)) return false;
  call.attempt = nullptr;  // it has to stay cheap
  refuse(auth::throttled(call.service), call);
  return true;
}

void DeviceApi::refuse(const auth::HttpRefusal& refusal, Call& call) {
  if (refusal.counts_against_address) parts_.sign_in.count_refused(call.address, call.who);
  base::log_info("deviceapi", "request from {} refused with code {}: {}", call.address, refusal.code, refusal.text);
  call.respond(refusal_answer(refusal));
  record_refused(parts_.log, call, refusal);
}

void DeviceApi::register_device(const http::Request& request, Call call) {
  const auto fields = read_fields(request);
  if (!fields) return refuse(auth::malformed(call.service), call);
  note_fields(call, request.path(), *fields);
  auto registration = auth::begin_http_registration(*fields);
  if (!registration) return refuse(registration.error(), call);
  if (turned_away(registration->device, call)) return;
  if (parts_.sign_in.device_over_limit(registration->device)) return refuse(auth::throttled(call.service), call);
  std::string address = call.address;
  parts_.sign_in.registration().run(
      std::move(*registration), std::move(address),
      [this, call = std::move(call)](tl::expected<gateway::DeviceRegistration::Issued, auth::Refusal> issued) mutable {
        if (!issued) return refuse(auth::registration_refusal(issued.error()), call);
        call.respond(registration_answer(issued->device, issued->registration.device_secret));
        record_done(parts_.log, call);
      });
}

void DeviceApi::sign_in(const http::Request& request, bool tls, Call call) {
  const auto fields = read_fields(request);
  if (!fields) return refuse(auth::malformed(call.service), call);
  note_fields(call, request.path(), *fields);
  auto begun = auth::begin_http_sign_in(call.service, *fields, parts_.clock.wall_ms());
  if (!begun) return refuse(begun.error(), call);
  if (turned_away(begun->device, call)) return;
  MqttPlace place = mqtt_place(request, tls, settings_.public_host, settings_.public_port);
  if (place.host.empty() && call.service == HttpService::kPreauth) return refuse(auth::malformed(call.service), call);
  base::DeviceKey device = begun->device;
  parts_.sign_in.find(std::move(device), [this, begun = std::move(*begun), place = std::move(place),
                                          call = std::move(call)](base::Result<const CachedCredential*> found) mutable {
    if (!found) return refuse(auth::unavailable(call.service), call);
    on_found(begun, **found, place.host, place.port, call);
  });
}

void DeviceApi::on_found(const auth::HttpSignIn& sign_in, const CachedCredential& credential, const std::string& host,
                         std::uint16_t port, Call& call) {
  const auth::CredentialRecord* record = record_of(credential);
  if (const auto refusal = auth::finish_http_sign_in(call.service, sign_in, record)) return refuse(*refusal, call);
  parts_.sign_in.remember_accepted(call.address, call.who);
  const bool login = call.service == HttpService::kLogin;
  const std::string token =
      auth::issue_token(parts_.sign_in.policy().token_key, login ? auth::TokenUse::kHttp : auth::TokenUse::kMqtt,
                        owner_of(sign_in.device, *record), parts_.clock.wall_ms());
  call.respond(login ? login_answer(token) : preauth_answer(record->iot_id, token, {host, port}));
  record_done(parts_.log, call);
}

// The same for everybody: it tells nothing about devices, and nothing is signed.
void DeviceApi::bootstrap(const http::Request& request, bool tls, Call call) {
  const auto fields = read_fields(request);
  if (fields) note_fields(call, request.path(), *fields);
  const MqttPlace place = mqtt_place(request, tls, settings_.public_host, settings_.public_port);
  const bool named = fields && fields->contains("productKey") && fields->contains("deviceName");
  if (!named || place.host.empty()) return refuse(auth::malformed(call.service), call);
  call.respond(bootstrap_answer(place));
}

void DeviceApi::publish(http::Request request, base::Executor& executor, Call call) {
  const auto password = request.field("password");
  if (!password || password->empty()) return refuse(auth::token_missing(), call);
  const auto claim = auth::parse_token(*password);
  if (!claim) return refuse(auth::token_unknown(), call);
  call.device = {std::string(claim->device.product_key), std::string(claim->device.device_name)};
  call.attempt = std::make_unique<journal::SignInAttempt>();  // what is to be said follows from the refusal alone
  if (turned_away(claim->device, call)) return;
  auto topic = topic_of(request.path());
  const bool has_query = request.target.find('?') != std::string::npos;
  if (!topic || has_query || request.body.size() > kPublishBytesMax) {
    return refuse({auth::malformed(call.service).code,
                   has_query ? "there must be no query"
                   : !topic  ? "this is not a topic"
                             : "the payload is over 128 KB",
                   "http-parameter"},
                  call);
  }
  DevicePublish message;
  message.device = call.device;
  message.topic = std::move(*topic);
  message.payload = std::move(request.body);
  base::DeviceKey device = message.device;
  parts_.sign_in.find(std::move(device), [this, token = std::string(*password), message = std::move(message), &executor,
                                          call = std::move(call)](base::Result<const CachedCredential*> found) mutable {
    if (!found) return refuse(auth::unavailable(call.service), call);
    on_publisher_found(**found, token, std::move(message), executor, std::move(call));
  });
}

void DeviceApi::on_publisher_found(const CachedCredential& credential, const std::string& token, DevicePublish message,
                                   base::Executor& executor, Call call) {
  const auto refusal = auth::check_publish_token(*auth::parse_token(token), parts_.sign_in.policy().token_key,
                                                 record_of(credential), parts_.clock.wall_ms());
  if (refusal) return refuse(*refusal, call);
  parts_.sign_in.remember_accepted(call.address, call.who);
  const gateway::DeviceAuthorizer authorizer(message.device, credential.product, 0, settings_.topic_limits);
  using Verdict = broker::Authorizer::Verdict;
  if (authorizer.may_publish(message.topic) != Verdict::kAllowed) {
    base::log_info("deviceapi", "{}/{}: publish to '{}' refused: No authorization (9236)", message.device.product_key,
                   message.device.device_name, base::printable(message.topic, 160));
    call.respond(refusal_answer({auth::publish_failed().code, "No authorization (9236)"}));
    record_denied(parts_.log, call, message.topic);
    return;
  }
  message.hears_itself = authorizer.may_subscribe(message.topic) == Verdict::kAllowed;
  message.standard = credential.product->profile == registry::Profile::kMqtt;
  parts_.publisher.publish(std::move(message), executor,
                           [this, call = std::move(call)](PublishOutcome outcome) mutable {
                             if (outcome == PublishOutcome::kThrottled)
                               return refuse(auth::throttled(call.service), call);
                             if (outcome == PublishOutcome::kFailed) return refuse(auth::publish_failed(), call);
                             call.respond(publish_answer(new_message_id()));
                           });
}

// A number beyond 2^53, as the original's: milliseconds, then the loop, then a counter.
std::uint64_t DeviceApi::new_message_id() {
  constexpr unsigned kTimeShift = 19;
  constexpr unsigned kLoopShift = 9;
  constexpr std::uint64_t kLoops = std::uint64_t{1} << (kTimeShift - kLoopShift);
  const auto now = static_cast<std::uint64_t>(std::max<base::WallMs>(parts_.clock.wall_ms(), 0));
  const std::uint64_t first = (now << kTimeShift) + ((parts_.loop % kLoops) << kLoopShift);
  last_message_id_ = std::max(first, last_message_id_ + 1);
  return last_message_id_;
}

}  // namespace mooring::deviceapi
