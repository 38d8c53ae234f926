#include "deviceapi/call_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mooring::deviceapi {
namespace {

using auth::HttpService;
using journal::Action;

constexpr std::size_t kKeptBytes = 1024;  // of each field; no device's is longer

std::string_view name_of(HttpService service) {
  switch (service) {
    case HttpService::kRegister:
      return "http-registration";
    case HttpService::kPreauth:
      return "http-preauthentication";
    case HttpService::kLogin:
      return "http-login";
    case HttpService::kPublish:
      break;
  }
  return "http-publish";
}

// Which request it was, where the name says what was wrong with it.
std::string_view facts_of(HttpService service) {
  switch (service) {
    case HttpService::kRegister:
      return "POST /auth/register/device";
    case HttpService::kPreauth:
      return "POST /auth/devicename";
    case HttpService::kLogin:
      return "POST /auth";
    case HttpService::kPublish:
      break;
  }
  return "POST /topic";
}

journal::Event event_of(CallReport& call, Action action) {
  journal::Event event;
  event.device = call.device;
  event.action = action;
  event.name = name_of(call.service);
  event.channel = call.tls ? journal::Channel::kHttps : journal::Channel::kHttp;
  event.address = call.address;
  return event;
}

}  // namespace

void note_fields(CallReport& call, std::string_view path, const auth::HttpFields& fields) {
  const auto field = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second.substr(0, kKeptBytes);
  };
  call.device = {field("productKey"), field("deviceName")};
  call.attempt = std::make_unique<journal::SignInAttempt>();
  journal::SignInAttempt& attempt = *call.attempt;
  attempt.has_user_name = attempt.has_password = true;
  attempt.user_name = fmt::format("{}&{}", call.device.device_name, call.device.product_key);
  attempt.password = field("sign");
  attempt.tls = call.tls;
  attempt.http = std::make_unique<journal::HttpAttempt>();
  attempt.http->path = path;
  for (const auto& [name, value] : fields) {
    if (name != "sign") attempt.http->fields.emplace_back(name.substr(0, kKeptBytes), value.substr(0, kKeptBytes));
  }
  if (call.service != HttpService::kRegister) return;
  // As the CONNECT would look that asks the same.
  const std::string method = field("signMethod");
  attempt.client_id =
      fmt::format("|authType=register,random={}{}{}|", field("random"), method.empty() ? "" : ",signmethod=", method);
}

void record_refused(journal::DeviceLog& log, CallReport& call, const auth::HttpRefusal& refusal) {
  const bool registers = call.service == HttpService::kRegister;
  journal::Event event = event_of(call, registers ? Action::kRegistrationRefused : Action::kRefused);
  event.code = static_cast<std::uint16_t>(std::clamp(refusal.code, 0, 0xFFFF));
  if (!refusal.name.empty()) event.name = refusal.name;
  const bool told = call.attempt != nullptr && call.attempt->http != nullptr;
  event.facts = told ? "POST " + call.attempt->http->path : std::string(facts_of(call.service));
  event.reason = refusal.text;
  event.attempt = std::move(call.attempt);
  event.known = false;
  log.record(std::move(event));
}

void record_done(journal::DeviceLog& log, CallReport& call) {
  const bool registers = call.service == HttpService::kRegister;
  journal::Event event = event_of(call, registers ? Action::kRegistered : Action::kPreauthenticated);
  event.reason = registers                               ? "registered"
                 : call.service == HttpService::kPreauth ? "an iotToken was issued"
                                                         : "a token for publishing was issued";
  log.record(std::move(event));
}

void record_denied(journal::DeviceLog& log, CallReport& call, const std::string& topic) {
  journal::Event event = event_of(call, Action::kPublishDenied);
  event.code = journal::kCodeTopicDenied;
  event.name = "not-permitted";
  event.reason = "No authorization";
  event.subject = topic;
  log.record(std::move(event));
}

}  // namespace mooring::deviceapi
