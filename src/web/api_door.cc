#include "web/api_door.h"

#include <memory>
#include <utility>

#include "base/log.h"
#include "base/percent.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "http/method_not_allowed.h"
#include "registry/names.h"

namespace mooring::web {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";
constexpr std::string_view kImportPath = "/api/v1/devices:import";
constexpr std::string_view kCsvImportPath = "/api/v1/devices:import-csv";
constexpr std::string_view kDocumentPath = "/api/v1/openapi.json";
constexpr std::size_t kLimiterSlots = 4096;
constexpr std::size_t kPasswordBytesMax = 1024;

http::Response unauthorized(std::string_view message) {
  http::Response response = http::error_response(401, "unauthorized", message);
  response.fields.push_back({"WWW-Authenticate", "Bearer realm=\"mooring\""});
  return response;
}

http::Response too_many_attempts() {
  http::Response response = http::error_response(429, "too_many_attempts",
                                                 "too many wrong tokens or passwords from this address; wait a minute");
  response.fields.push_back({"Retry-After", "60"});
  return response;
}

http::Response too_busy() {
  return http::error_response(503, "unavailable", "too busy to check a password");
}

// For everybody: it holds nothing of this installation.
http::Response document(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    return http::method_not_allowed("GET, HEAD");
  }
  http::Response response;
  response.body = api::AdminService::openapi_document();
  response.fields.push_back({"Cache-Control", "no-cache"});
  return response;
}

bool is_trusted_path(const http::RequestSource& source) {
  return source.tls || source.loopback;
}

}  // namespace

ApiDoor::ApiDoor(registry::RegistryService& registry, api::SessionControl& sessions, api::Diagnostics diagnostics,
                 const base::Clock& clock)
    : registry_(registry),
      sessions_(sessions),
      diagnostics_(diagnostics),
      clock_(clock),
      tokens_(clock),
      limiter_({0, kWrongPerAddressPerMinute, 0}, crypto::system_random(), kLimiterSlots),
      passwords_(limiter_, clock),
      people_(std::make_unique<PeopleDoor>(registry, passwords_, limiter_, clock)) {}

base::Result<> ApiDoor::load(registry::Registry& registry) {
  const auto tokens = registry.list_api_tokens();
  if (!tokens) return tl::unexpected(tokens.error());
  tokens_.load(*tokens);
  auto browser_key = registry.server_key("console-browser");
  if (!browser_key) return tl::unexpected(browser_key.error());
  people_->set_browser_key(std::move(*browser_key));
  return {};
}

void ApiDoor::on_changes(std::span<const registry::Change> changes) {
  for (const registry::Change& change : changes) {
    tokens_.on_change(change);
    people_->book().on_change(change);
  }
}

void ApiDoor::set_settings(const api::AdminSettings& settings) {
  people_->set_audit_bounds(settings.audit);
  const std::lock_guard lock(mutex_);
  settings_ = settings;
}

api::AdminSettings ApiDoor::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

bool ApiDoor::is_for_api(std::string_view path) {
  return path.starts_with(kPrefix);
}

std::optional<std::size_t> ApiDoor::body_bytes_max(const http::Request& head, const http::RequestSource& source) const {
  if (!is_trusted_path(source)) return std::nullopt;
  std::optional<api::Caller> caller;
  if (const auto header = head.field("Authorization")) {
    const auto given = api::parse_authorization(*header);
    if (given && given->scheme == api::Authorization::Scheme::kBearer) caller = tokens_.find(given->token);
  } else if (const auto session = people_->session_of(head, source)) {
    caller = api::Caller::of_user(session->user, session->role);
  }
  if (!caller) return std::nullopt;
  const std::size_t most = api::AdminService::body_bytes_max(head.path());
  const bool list = most > api::kRequestBodyBytesMax && caller->at_least(registry::Role::kOperator);
  const bool imports =
      (head.path() == kImportPath || head.path() == kCsvImportPath) && caller->at_least(registry::Role::kAdmin);
  return list || imports ? most : kBodyBytesMax;
}

void ApiDoor::handle(http::Request request, const http::RequestSource& source, http::Respond respond) {
  if (request.path() == kDocumentPath) {
    respond(document(request));
  } else if (source.local_socket) {
    admit(std::move(request), api::Caller::local_operator(), std::nullopt, source, std::move(respond));
  } else if (!is_trusted_path(source)) {
    respond(
        http::error_response(403, "tls_required", "the API answers over HTTPS, and over HTTP on this machine only"));
  } else {
    authenticate(std::move(request), source, std::move(respond));
  }
}

void ApiDoor::authenticate(http::Request request, const http::RequestSource& source, http::Respond respond) {
  const auto header = request.field("Authorization");
  if (!header) {
    if (PeopleDoor::is_sign_in(request)) {
      people_->handle(std::move(request), std::nullopt, std::nullopt, source, std::move(respond));
    } else if (auto session = people_->session_of(request, source)) {
      auto caller = api::Caller::of_user(session->user, session->role);
      admit(std::move(request), std::move(caller), std::move(session), source, std::move(respond));
    } else {
      respond(
          unauthorized("sign in, or send a token as 'Authorization: Bearer ...'; 'mooring token create' makes one"));
    }
    return;
  }
  auto given = api::parse_authorization(*header);
  if (given && given->scheme == api::Authorization::Scheme::kBasic) {
    check_password(std::move(request), std::move(*given), source, std::move(respond));
    return;
  }
  auto caller = given ? tokens_.find(given->token) : std::nullopt;
  if (!caller) {
    const bool waits = limiter_.address_over_limit(source.address, clock_.mono_ms());
    respond(waits ? too_many_attempts() : wrong(source, {}, "the token is unknown, revoked or expired"));
    return;
  }
  admit(std::move(request), std::move(*caller), std::nullopt, source, std::move(respond));
}

void ApiDoor::admit(http::Request request, api::Caller caller, std::optional<api::SessionView> session,
                    const http::RequestSource& source, http::Respond respond) {
  const bool of_people = PeopleDoor::is_for_people(request.path());
  if (session) {
    if (auto refusal = PeopleDoor::refuse_forgery(request, *session)) {
      respond(*refusal);
      return;
    }
    if (session->must_change_password && !of_people) {
      respond(http::error_response(403, "password_change_required", "change the password first"));
      return;
    }
  }
  if (!source.local_socket) caller.address = source.address;
  if (of_people) {
    people_->handle(std::move(request), std::move(caller), std::move(session), source, std::move(respond));
  } else if (LiveDoor::is_for_live(request.path())) {
    auto may_go_on = validity_of(request, source);
    live_->handle(request, caller, std::move(may_go_on), source, std::move(respond));
  } else {
    auto may_go_on = validity_of(request, source);
    run(std::move(request), std::move(caller), std::move(may_go_on), *source.executor, std::move(respond));
  }
}

// What lets the request in may end while it is answered.
std::function<bool()> ApiDoor::validity_of(const http::Request& request, const http::RequestSource& source) {
  if (source.local_socket) return [] { return true; };
  if (const auto header = request.field("Authorization")) {
    const auto given = api::parse_authorization(*header);
    return [this, token = given ? given->token : std::string()] { return tokens_.find(token).has_value(); };
  }
  return [this, secret = PeopleDoor::secret_of(request, source)] { return people_->book().is_open(secret); };
}

bool ApiDoor::may_see_metrics(const http::Request& request, const http::RequestSource& source) const {
  // Behind a proxy on this machine everybody comes from this machine.
  if (source.local_socket || (source.loopback && !request.field("X-Forwarded-For"))) return true;
  const auto header = request.field("Authorization");
  const auto given = header && source.tls ? api::parse_authorization(*header) : std::nullopt;
  if (!given || given->scheme != api::Authorization::Scheme::kBearer) return false;
  return tokens_.find(given->token).has_value();
}

void ApiDoor::read_log(const base::DeviceKey& device, std::int64_t after_revision, base::Executor& executor,
                       EventHub::LogDone done) {
  std::string target = "/api/v1/products/" + base::percent_encoded(device.product_key) + "/devices/" +
                       base::percent_encoded(device.device_name) + "/log?after=" + std::to_string(after_revision);
  if (after_revision == 0) target += "&limit=1";  // where it ends is all that is asked
  registry_.run_report<api::AdminResponse>(
      [this, target = std::move(target), settings = settings()](registry::Registry& registry) {
        api::AdminService service(registry, &sessions_, settings, diagnostics_);
        const api::Caller viewer{registry::Role::kViewer, {}, {}, "live events"};
        return base::Result<api::AdminResponse>(service.handle("GET", target, {}, viewer));
      },
      executor,
      [done = std::move(done)](base::Result<api::AdminResponse> answer) mutable {
        done(answer && answer->status == 200 ? std::optional(std::move(answer->body)) : std::nullopt);
      });
}

http::Response ApiDoor::wrong(const http::RequestSource& source, std::string_view who, std::string_view message) {
  limiter_.count_refused(source.address, who, clock_.mono_ms());
  base::log_info("api", "request from {} refused: {}", source.address, message);
  return unauthorized(message);
}

// A password that is being compared, and what happens when it is right.
struct ApiDoor::Attempt {
  http::Request request;
  api::Authorization given;
  http::RequestSource source;
  http::Respond respond;
  ~Attempt() { crypto::cleanse(given.password); }
};

void ApiDoor::check_password(http::Request request, api::Authorization given, const http::RequestSource& source,
                             http::Respond respond) {
  const bool is_name = registry::check_account_name(given.name).has_value();
  const std::string_view who = is_name ? std::string_view(given.name) : std::string_view();
  if (limiter_.turned_away(source.address, who, clock_.mono_ms())) {
    respond(too_many_attempts());
    return;
  }
  if (!is_name || given.password.empty() || given.password.size() > kPasswordBytesMax) {
    respond(wrong(source, who, "user name or password is wrong"));
    return;
  }
  auto attempt = std::make_shared<Attempt>();
  attempt->request = std::move(request);
  attempt->given = std::move(given);
  attempt->source = source;
  attempt->respond = std::move(respond);
  registry_.find_account(attempt->given.name, *attempt->source.executor,
                         [this, attempt](const base::Result<std::optional<registry::Account>>& found) {
                           if (!found) {
                             attempt->respond(http::error_response(503, "unavailable", found.error().message));
                           } else {
                             compare(attempt, *found ? (*found)->password_hash : std::string());
                           }
                         });
}

// An account that does not exist costs as much as a wrong password.
void ApiDoor::compare(std::shared_ptr<Attempt> attempt, const std::string& hash) {
  const bool taken = passwords_.check(
      hash, attempt->given.password, {attempt->source.address, attempt->given.name}, *attempt->source.executor,
      [this, attempt, hash](const auth::PasswordChecker::Answer& answer) { judged(*attempt, hash, answer.verdict); });
  if (!taken) attempt->respond(too_busy());
}

void ApiDoor::judged(Attempt& attempt, const std::string& hash, auth::PasswordChecker::Verdict verdict) {
  using Verdict = auth::PasswordChecker::Verdict;
  switch (verdict) {
    case Verdict::kRight:
      limiter_.remember_accepted(attempt.source.address, attempt.given.name, clock_.mono_ms());
      admit(std::move(attempt.request), api::Caller::of_account(attempt.given.name, hash), std::nullopt, attempt.source,
            std::move(attempt.respond));
      return;
    case Verdict::kRateLimited:
      attempt.respond(too_many_attempts());
      return;
    case Verdict::kTooLate:
      attempt.respond(too_busy());
      return;
    case Verdict::kWrong:
      attempt.respond(wrong(attempt.source, attempt.given.name, "user name or password is wrong"));
  }
}

void ApiDoor::run(http::Request request, api::Caller caller, std::function<bool()> may_go_on, base::Executor& executor,
                  http::Respond respond) {
  const bool reads_only = api::AdminService::reads_only(request.method);
  auto operation = [this, request = std::move(request), caller = std::move(caller), may_go_on = std::move(may_go_on),
                    settings = settings()](registry::Registry& registry) {
    // What let the caller in may have ended while the request waited; this thread makes the changes, so now it cannot.
    if (caller.is_account()) {
      const auto account = registry.find_account(caller.account);
      if (!account) return base::Result<api::AdminResponse>(tl::unexpected(account.error()));
      if (!*account || (*account)->password_hash != caller.password_hash) {
        return base::Result<api::AdminResponse>(
            api::AdminResponse{401, R"({"error":{"code":"unauthorized","message":"user name or password is wrong"}})"});
      }
    } else if (!may_go_on()) {
      return base::Result<api::AdminResponse>(
          api::AdminResponse{401, R"({"error":{"code":"unauthorized","message":"the session or token has ended"}})"});
    }
    api::AdminService service(registry, &sessions_, settings, diagnostics_, {&people_->book(), platform_, &refusals_});
    return base::Result<api::AdminResponse>(service.handle(request.method, request.target, request.body, caller));
  };
  auto done = [respond = std::move(respond)](base::Result<api::AdminResponse> result) mutable {
    if (!result) {
      respond(http::error_response(503, "unavailable", result.error().message));
      return;
    }
    http::Response response;
    response.status = result->status;
    response.body = std::move(result->body);
    if (!result->allow.empty()) response.fields.push_back({"Allow", std::move(result->allow)});
    response.fields.push_back({"Cache-Control", "no-store"});
    respond(response);
  };
  if (reads_only) {
    registry_.run_report<api::AdminResponse>(std::move(operation), executor, std::move(done));
  } else {
    registry_.run<api::AdminResponse>(std::move(operation), executor, std::move(done));
  }
}

}  // namespace mooring::web
