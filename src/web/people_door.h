// PeopleDoor: signing in to the console, and what belongs to it: /api/v1/session and /api/v1/session/password.
//
//   POST   session            {user, password}: the cookie and the session as it is shown; ends the session before
//   GET    session            who is signed in
//   DELETE session            signs out
//   POST   session/password   {current, new}: ends the user's other sessions
//
// Passwords are hashed and compared on the password thread; guessing is slowed down by SignInGuard, which knows the
// browsers in which somebody signed in by a second cookie, mooring_browser. A page of another
// site can neither read the cookie (HttpOnly, SameSite=Strict) nor know the session's second secret, which every change
// must carry as X-CSRF-Token. Called on every loop; thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/audit_budget.h"
#include "api/caller.h"
#include "api/session_book.h"
#include "api/sign_in_guard.h"
#include "auth/password_checker.h"
#include "http/handler.h"
#include "registry/registry_service.h"

namespace mooring::web {

class PeopleDoor {
 public:
  // `limiter`: that of `passwords`.
  PeopleDoor(registry::RegistryService& registry, auth::PasswordChecker& passwords, auth::ConnectLimiter& limiter,
             const base::Clock& clock)
      : registry_(registry), passwords_(passwords), limiter_(limiter), clock_(clock), book_(clock) {}

  api::SessionBook& book() { return book_; }
  static bool is_for_people(std::string_view path);
  static bool is_sign_in(const http::Request& request);

  // In its cookie; empty: none.
  static std::string secret_of(const http::Request& request, const http::RequestSource& source);
  // Of the request's cookie. Nothing: it has none, or its session is over.
  std::optional<api::SessionView> session_of(const http::Request& request, const http::RequestSource& source);
  // Whether a request of a session may be worked on: nothing, or the refusal.
  static std::optional<http::Response> refuse_forgery(const http::Request& request, const api::SessionView& session);

  // A request for these addresses, of whoever was found to ask; nobody: of a stranger, who may sign in.
  void handle(http::Request request, std::optional<api::Caller> caller, std::optional<api::SessionView> session,
              const http::RequestSource& source, http::Respond respond);
  void set_audit_bounds(const registry::AuditBounds& bounds);
  // Before the first request: with it browsers are known again (api/known_browser.h). A secret of the installation.
  void set_browser_key(std::string key) { browser_key_ = std::move(key); }

 private:
  struct Attempt;
  void sign_in(const http::Request& request, const http::RequestSource& source, http::Respond respond);
  void change_password(const http::Request& request, const api::SessionView& session, const http::RequestSource& source,
                       http::Respond respond);
  void check(std::shared_ptr<Attempt> attempt);
  void compare(std::shared_ptr<Attempt> attempt, std::optional<registry::User> user);
  void right(std::shared_ptr<Attempt> attempt, const registry::User& user);
  void not_judged(Attempt& attempt, const http::Response& response);
  enum class Named { kUser, kNobody, kImpossible };  // by the name that was given
  void wrong(Attempt& attempt, Named named);
  base::Result<api::SessionBook::Opened> open(registry::Registry& registry, const Attempt& attempt,
                                              const std::string& seen_hash);
  void signed_in(Attempt& attempt, const api::SessionBook::Opened& opened);
  std::string browser_of(const http::Request& request, std::string_view user) const;
  void note(const Attempt& attempt, std::string actor, int status);
  registry::AuditBounds audit_bounds() const;

  registry::RegistryService& registry_;
  auth::PasswordChecker& passwords_;
  auth::ConnectLimiter& limiter_;
  const base::Clock& clock_;
  api::SessionBook book_;
  api::SignInGuard guard_;
  std::string browser_key_;
  api::AuditBudget failures_{clock_};  // to sign in
  mutable std::mutex mutex_;           // of the next
  registry::AuditBounds audit_bounds_;
};

}  // namespace mooring::web
