#include "web/people_door.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <utility>
#include <variant>

#include "api/known_browser.h"
#include "api/user_password.h"
#include "base/log.h"
#include "base/text.h"
#include "base/utc_time.h"
#include "crypto/hmac.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"
#include "http/method_not_allowed.h"
#include "registry/names.h"

namespace mooring::web {
namespace {

constexpr std::string_view kSessionPath = "/api/v1/session";
constexpr std::string_view kPasswordPath = "/api/v1/session/password";
constexpr std::string_view kCookie = "mooring_session";
// Browsers take this name from this very host only, over TLS and for every path, so that no neighbour in its domain can
// put a session of its own in the place of somebody's (RFC 6265bis section 4.1.3.2).
constexpr std::string_view kCookieOfTls = "__Host-mooring_session";
constexpr std::string_view kBrowserCookie = "mooring_browser";  // api/known_browser.h
constexpr std::size_t kStrangersWaitingMax = auth::PasswordChecker::kMaxWaiting / 2;

// For the ConnectLimiter. No account is called like this, so that nobody else's refusals count as these.
std::string asker_anywhere(std::string_view user) {
  return "user|" + std::string(user);
}
// In a browser that signed in as this user before: the guesses of strangers do not count as its own.
std::string asker_at_home(std::string_view user) {
  return "browser|" + std::string(user);
}

std::string_view session_cookie(bool tls) {
  return tls ? kCookieOfTls : kCookie;
}

// Empty: there is none, or several, of which one may be a neighbour's in the domain.
std::string_view cookie_of(const http::Request& request, std::string_view name) {
  const auto header = request.field("Cookie");
  std::string_view rest = header.value_or(std::string_view());
  std::string_view found;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = base::trim(rest.substr(0, end));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      if (!found.empty()) return {};
      found = pair.substr(name.size() + 1);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

// A page of another site could sign its visitor in as somebody else. Browsers say where a request comes from; those
// that do not know Sec-Fetch-Site name the page's origin with every POST.
bool is_of_other_site(const http::Request& request) {
  if (const auto site = request.field("Sec-Fetch-Site")) return *site != "same-origin" && *site != "none";
  const auto origin = request.field("Origin");
  if (!origin) return false;
  const std::size_t scheme = origin->find("://");
  const auto host = request.field("Host");
  return scheme == std::string_view::npos || !host || !base::iequals(origin->substr(scheme + 3), *host);
}

// A form cannot send it without asking first.
bool is_json(const http::Request& request) {
  const std::string_view type = request.field("Content-Type").value_or(std::string_view());
  return base::iequals(base::trim(type.substr(0, type.find(';'))), "application/json");
}

// Not over the network without TLS, so only a browser on this machine gets one that is not Secure.
http::Field set_cookie(std::string_view name, std::string_view value, std::string_view path, std::uint32_t max_age_s,
                       bool tls) {
  return {"Set-Cookie", fmt::format("{}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Strict{}", name, value, path,
                                    max_age_s, tls ? "; Secure" : "")};
}
http::Field set_session(std::string_view secret, std::uint32_t max_age_s, bool tls) {
  return set_cookie(session_cookie(tls), secret, "/", max_age_s, tls);
}

http::Response json(const boost::json::object& body) {
  http::Response response;
  response.body = boost::json::serialize(body);
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

boost::json::object shown(const api::Caller& caller, const api::SessionView* session, std::uint32_t idle_s) {
  boost::json::object body;
  body["user"] = caller.user;
  body["label"] = caller.label;
  body["kind"] = session != nullptr ? "user" : caller.address.empty() ? "local" : "token";
  body["role"] = registry::to_text(caller.role);
  body["mustChangePassword"] = session != nullptr && session->must_change_password;
  body["csrfToken"] = session != nullptr ? session->csrf_token : std::string();
  body["expires"] = session != nullptr ? boost::json::value(base::utc_time(session->expires_ms)) : nullptr;
  body["idleSeconds"] = session != nullptr ? idle_s : 0U;
  return body;
}

// Two members that are texts, and nothing else.
std::optional<std::pair<std::string, std::string>> two_texts(std::string_view body, const char* first,
                                                             const char* second) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  if (error || !value.is_object() || value.as_object().size() != 2) return std::nullopt;
  const boost::json::value* one = value.as_object().if_contains(first);
  const boost::json::value* two = value.as_object().if_contains(second);
  if (one == nullptr || two == nullptr || !one->is_string() || !two->is_string()) return std::nullopt;
  const auto text_of = [](const boost::json::string& text) { return std::string(text.data(), text.size()); };
  return std::pair(text_of(one->as_string()), text_of(two->as_string()));
}

http::Response too_many(base::MonoMs wait_ms) {
  const auto seconds = (wait_ms + 999) / 1000;
  http::Response response = http::error_response(429, "too_many_attempts",
                                                 fmt::format("too many wrong passwords; try again in {} s", seconds));
  response.fields.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

}  // namespace

// A password that is being compared, and what happens when it is right.
struct PeopleDoor::Attempt {
  std::string user;
  std::string password;
  std::string new_password;  // empty: this is a sign-in
  std::string browser;       // known_browser(); empty: not known
  std::string replaces;      // the secret of a session that ends with a sign-in; empty: none
  http::RequestSource source;
  http::Respond respond;

  // In the words of the ConnectLimiter.
  std::string asker() const { return browser.empty() ? asker_anywhere(user) : asker_at_home(user); }
  api::SignInGuard::Who who() const { return {user, source.address, browser}; }
  ~Attempt() {
    crypto::cleanse(replaces);
    crypto::cleanse(password);
    crypto::cleanse(new_password);
  }
};

bool PeopleDoor::is_for_people(std::string_view path) {
  return path == kSessionPath || path == kPasswordPath;
}

bool PeopleDoor::is_sign_in(const http::Request& request) {
  return request.path() == kSessionPath && request.method == "POST";
}

void PeopleDoor::set_audit_bounds(const registry::AuditBounds& bounds) {
  const std::lock_guard lock(mutex_);
  audit_bounds_ = bounds;
}

registry::AuditBounds PeopleDoor::audit_bounds() const {
  const std::lock_guard lock(mutex_);
  return audit_bounds_;
}

std::string PeopleDoor::secret_of(const http::Request& request, const http::RequestSource& source) {
  return std::string(cookie_of(request, session_cookie(source.tls)));
}

std::optional<api::SessionView> PeopleDoor::session_of(const http::Request& request,
                                                       const http::RequestSource& source) {
  const std::string_view secret = cookie_of(request, session_cookie(source.tls));
  return secret.empty() ? std::nullopt : book_.find(secret);
}

std::optional<http::Response> PeopleDoor::refuse_forgery(const http::Request& request,
                                                         const api::SessionView& session) {
  if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
  const auto token = request.field("X-CSRF-Token");
  if (token && crypto::constant_time_equal(base::as_bytes(*token), base::as_bytes(session.csrf_token)))
    return std::nullopt;
  return http::error_response(403, "csrf", "a change by a session carries its csrfToken as X-CSRF-Token");
}

void PeopleDoor::handle(http::Request request, std::optional<api::Caller> caller,
                        std::optional<api::SessionView> session, const http::RequestSource& source,
                        http::Respond respond) {
  const bool of_session = request.path() == kSessionPath;
  if (of_session && request.method == "POST") {
    sign_in(request, source, std::move(respond));
  } else if (!caller || caller->is_account()) {
    respond(http::error_response(caller ? 403 : 401, caller ? "forbidden" : "unauthorized", "nobody is signed in"));
  } else if (of_session && (request.method == "GET" || request.method == "HEAD")) {
    respond(json(shown(*caller, session ? &*session : nullptr, book_.times().idle_s)));
  } else if (of_session && request.method == "DELETE") {
    book_.close(secret_of(request, source));
    http::Response response = json({{"signedOut", true}});
    response.fields.push_back(set_session("", 0, source.tls));
    respond(response);
  } else if (!of_session && request.method == "POST") {
    if (!session) {
      respond(http::error_response(400, "bad_request", "only people who signed in have a password to change"));
    } else {
      change_password(request, *session, source, std::move(respond));
    }
  } else {
    respond(http::method_not_allowed(of_session ? "GET, HEAD, POST, DELETE" : "POST"));
  }
}

void PeopleDoor::sign_in(const http::Request& request, const http::RequestSource& source, http::Respond respond) {
  if (is_of_other_site(request)) {
    respond(http::error_response(403, "csrf", "only pages of this server may sign in"));
    return;
  }
  if (!is_json(request)) {
    respond(http::error_response(415, "unsupported_media_type", "a sign-in is of the type application/json"));
    return;
  }
  auto given = two_texts(request.body, "user", "password");
  if (!given) {
    respond(http::error_response(400, "bad_request", "the body must be an object with 'user' and 'password'"));
    return;
  }
  auto attempt = std::make_shared<Attempt>();
  attempt->user = std::move(given->first);
  attempt->password = std::move(given->second);
  attempt->browser = browser_of(request, attempt->user);
  attempt->replaces = secret_of(request, source);
  attempt->source = source;
  attempt->respond = std::move(respond);
  check(std::move(attempt));
}

void PeopleDoor::change_password(const http::Request& request, const api::SessionView& session,
                                 const http::RequestSource& source, http::Respond respond) {
  auto given = two_texts(request.body, "current", "new");
  if (!given) {
    respond(http::error_response(400, "bad_request", "the body must be an object with 'current' and 'new'"));
    return;
  }
  auto attempt = std::make_shared<Attempt>();
  attempt->user = session.user;
  attempt->password = std::move(given->first);
  attempt->new_password = std::move(given->second);
  attempt->browser = browser_of(request, attempt->user);
  attempt->source = source;
  attempt->respond = std::move(respond);
  if (auto ok = api::check_user_password(attempt->new_password); !ok) {
    attempt->respond(http::error_response(400, "invalid", ok.error().message));
  } else if (attempt->new_password == attempt->password) {
    attempt->respond(http::error_response(400, "invalid", "the new password is the current one"));
  } else {
    check(std::move(attempt));
  }
}

void PeopleDoor::check(std::shared_ptr<Attempt> attempt) {
  const bool is_name = registry::check_account_name(attempt->user).has_value();
  if (!is_name) attempt->user.clear();
  if (const base::MonoMs wait = guard_.begin(attempt->who(), clock_.mono_ms()); wait > 0) {
    attempt->respond(too_many(wait));
    return;
  }
  if (!is_name || attempt->password.empty() || attempt->password.size() > api::kUserPasswordBytesMax) {
    wrong(*attempt, Named::kImpossible);
    return;
  }
  registry_.run_read<std::optional<registry::User>>(
      [name = attempt->user](registry::Registry& registry) { return registry.find_user(name); },
      *attempt->source.executor,
      [this, attempt](base::Result<std::optional<registry::User>> found) {
        if (!found) {
          not_judged(*attempt, http::error_response(503, "unavailable", found.error().message));
        } else {
          compare(attempt, std::move(*found));
        }
      });
}

// Somebody who does not exist costs as much as a wrong password.
void PeopleDoor::compare(std::shared_ptr<Attempt> attempt, std::optional<registry::User> user) {
  const std::string hash = user ? user->password_hash : std::string();
  const Named named = user ? Named::kUser : Named::kNobody;
  // Whoever signed in there before does not find the queue full of strangers.
  const bool has_room =
      passwords_.waiting() < kStrangersWaitingMax || guard_.is_known(attempt->who(), clock_.mono_ms());
  const bool taken =
      has_room &&
      passwords_.check(hash, attempt->password, {attempt->source.address, attempt->asker()}, *attempt->source.executor,
                       [this, attempt, named, user = std::move(user)](const auth::PasswordChecker::Answer& answer) {
                         using Verdict = auth::PasswordChecker::Verdict;
                         if (answer.verdict == Verdict::kRight) {
                           right(attempt, *user);
                         } else if (answer.verdict == Verdict::kRateLimited) {
                           not_judged(*attempt, too_many(60'000));
                         } else if (answer.verdict == Verdict::kTooLate) {
                           not_judged(*attempt,
                                      http::error_response(503, "unavailable", "too busy to check a password"));
                         } else {
                           wrong(*attempt, named);
                         }
                       });
  if (!taken) not_judged(*attempt, http::error_response(503, "unavailable", "too busy to check a password"));
}

void PeopleDoor::not_judged(Attempt& attempt, const http::Response& response) {
  guard_.not_judged(attempt.who());
  attempt.respond(response);
}

// People type their password where the name belongs, now and then: it is written down only if somebody has that name.
void PeopleDoor::wrong(Attempt& attempt, Named named) {
  base::log_info("api", "sign-in of {} from {} refused: wrong name or password",
                 named == Named::kUser ? "'" + attempt.user + "'" : "an unknown user", attempt.source.address);
  if (named != Named::kImpossible) note(attempt, named == Named::kUser ? "user " + attempt.user : "unknown user", 401);
  attempt.respond(http::error_response(401, "unauthorized", "user name or password is wrong"));
}

// While the password waited to be compared the user may have been deleted, demoted or given another one. The thread
// that makes such changes, and tells of them, looks again, and opens the session there: no change falls in between.
void PeopleDoor::right(std::shared_ptr<Attempt> attempt, const registry::User& user) {
  registry_.run<api::SessionBook::Opened>(
      [this, attempt, seen = user.password_hash](registry::Registry& registry) {
        return open(registry, *attempt, seen);
      },
      *attempt->source.executor,
      [this, attempt](const base::Result<api::SessionBook::Opened>& opened) {
        if (opened) {
          signed_in(*attempt, *opened);
        } else if (opened.error().code != base::Errc::kConflict) {
          not_judged(*attempt, http::error_response(503, "unavailable", opened.error().message));
        } else if (attempt->new_password.empty()) {
          wrong(*attempt, Named::kUser);
        } else {
          attempt->respond(http::error_response(409, "version_conflict", opened.error().message));
        }
      });
}

// On the registry's writer thread. kConflict: the password is no longer that of the user.
base::Result<api::SessionBook::Opened> PeopleDoor::open(registry::Registry& registry, const Attempt& attempt,
                                                        const std::string& seen_hash) {
  auto user = registry.find_user(attempt.user);
  if (!user) return tl::unexpected(user.error());
  if (!*user || (*user)->password_hash != seen_hash) {
    return base::fail(base::Errc::kConflict, "the password was changed meanwhile");
  }
  if (attempt.new_password.empty()) {
    if (auto noted = registry.note_sign_in(attempt.user, clock_.wall_ms()); !noted) {
      base::log_warn("api", "the time of a sign-in was not noted: {}", noted.error().message);
    }
    return book_.open(**user);
  }
  auto hash = crypto::hash_password(attempt.new_password);
  if (!hash) return tl::unexpected(hash.error());
  registry::UserChange change;
  change.password_hash = std::move(*hash);
  change.must_change_password = false;
  const auto changed = registry.update_user(attempt.user, change);
  if (!changed) return tl::unexpected(changed.error());
  return book_.open(*changed);
}

void PeopleDoor::signed_in(Attempt& attempt, const api::SessionBook::Opened& opened) {
  guard_.succeeded(attempt.who(), clock_.mono_ms());
  limiter_.remember_accepted(attempt.source.address, asker_at_home(attempt.user), clock_.mono_ms());
  note(attempt, "user " + attempt.user, 200);
  if (!attempt.replaces.empty()) book_.close(attempt.replaces);
  api::Caller caller = api::Caller::of_user(opened.view.user, opened.view.role);
  caller.address = attempt.source.address;
  http::Response response = json(shown(caller, &opened.view, book_.times().idle_s));
  response.fields.push_back(set_session(opened.secret, book_.times().max_s, attempt.source.tls));
  response.fields.push_back(set_cookie(
      kBrowserCookie, api::make_known_browser(browser_key_, attempt.user, clock_.wall_ms(), crypto::system_random()),
      kSessionPath, api::kKnownBrowserForS, attempt.source.tls));
  attempt.respond(response);
}

std::string PeopleDoor::browser_of(const http::Request& request, std::string_view user) const {
  return api::known_browser(browser_key_, user, cookie_of(request, kBrowserCookie), clock_.wall_ms());
}

// Into the audit log, without waiting for it.
void PeopleDoor::note(const Attempt& attempt, std::string actor, int status) {
  registry::AuditEntry entry;
  entry.actor = std::move(actor);
  entry.address = attempt.source.address;
  entry.action = attempt.new_password.empty() ? "POST session" : "POST session/password";
  entry.target = attempt.new_password.empty() ? "session" : "session/password";
  entry.status = status;
  if (status == 401 && !failures_.admit(entry)) return;
  registry_.run<std::monostate>(
      [entry = std::move(entry),
       bounds = audit_bounds()](registry::Registry& registry) -> base::Result<std::monostate> {
        if (auto done = registry.record_audit(entry, bounds); !done) return tl::unexpected(done.error());
        return std::monostate();
      },
      *attempt.source.executor,
      [](const base::Result<std::monostate>& done) {
        if (!done) base::log_error("api", "the audit log does not take a sign-in: {}", done.error().message);
      });
}

}  // namespace mooring::web
