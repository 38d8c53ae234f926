// ApiDoor: finds out on whose behalf a request of the admin API comes, and has it worked on.
//
// Over the data folder's socket everybody is the local operator. Elsewhere a request needs TLS, or must come from this
// machine, and carries a token (Bearer), or an account's name and password (Basic), which are for its own tickets.
// Tokens are checked at once, before the body of a request is read; passwords are hashed on a thread of their own.
// Wrong ones are counted by address, and back-off knows who asks (docs/adr/0013): nobody guesses a token, so a right
// one is good whatever else comes from its address; an account waits when it was refused itself, or is a stranger
// there. Called on every loop; thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "api/admin_service.h"
#include "api/api_token_text.h"
#include "api/token_book.h"
#include "auth/connect_limiter.h"
#include "auth/password_checker.h"
#include "http/handler.h"
#include "registry/registry_service.h"
#include "web/live_door.h"
#include "web/people_door.h"

namespace mooring::web {

class ApiDoor {
 public:
  static constexpr std::uint32_t kWrongPerAddressPerMinute = 20;
  static constexpr std::size_t kBodyBytesMax = 256 * 1024;

  ApiDoor(registry::RegistryService& registry, api::SessionControl& sessions, api::Diagnostics diagnostics,
          const base::Clock& clock);

  // The tokens there are; before the first request.
  base::Result<> load(registry::Registry& registry);
  void on_changes(std::span<const registry::Change> changes);  // a registry::ChangeListener
  void set_settings(const api::AdminSettings& settings);
  void set_live(LiveDoor& live, api::Platform& platform) {
    live_ = &live;
    platform_ = &platform;
  }  // before the first request
  // Whether the request may see the metrics: from this machine, or with a token of a viewer.
  bool may_see_metrics(const http::Request& request, const http::RequestSource& source) const;
  // EventHub::ReadLog
  void read_log(const base::DeviceKey& device, std::int64_t after_revision, base::Executor& executor,
                EventHub::LogDone done);
  void set_session_times(const api::SessionTimes& times) { people_->book().set_times(times); }
  // Nobody waits for a password any more. Before the loops end.
  void stop() { passwords_.stop(); }
  const auth::PasswordChecker& passwords() const { return passwords_; }

  static bool is_for_api(std::string_view path);
  // How large a body may be that follows this head. Nothing: as for any stranger.
  std::optional<std::size_t> body_bytes_max(const http::Request& head, const http::RequestSource& source) const;
  void handle(http::Request request, const http::RequestSource& source, http::Respond respond);

 private:
  struct Attempt;
  void admit(http::Request request, api::Caller caller, std::optional<api::SessionView> session,
             const http::RequestSource& source, http::Respond respond);
  std::function<bool()> validity_of(const http::Request& request, const http::RequestSource& source);
  void authenticate(http::Request request, const http::RequestSource& source, http::Respond respond);
  void check_password(http::Request request, api::Authorization given, const http::RequestSource& source,
                      http::Respond respond);
  void compare(std::shared_ptr<Attempt> attempt, const std::string& hash);
  void judged(Attempt& attempt, const std::string& hash, auth::PasswordChecker::Verdict verdict);
  // `who`: the name of an account; empty when there is none.
  http::Response wrong(const http::RequestSource& source, std::string_view who, std::string_view message);
  void run(http::Request request, api::Caller caller, std::function<bool()> may_go_on, base::Executor& executor,
           http::Respond respond);
  api::AdminSettings settings() const;

  registry::RegistryService& registry_;
  api::SessionControl& sessions_;
  const api::Diagnostics diagnostics_;
  const base::Clock& clock_;
  api::TokenBook tokens_;
  auth::ConnectLimiter limiter_;
  auth::PasswordChecker passwords_;
  const std::unique_ptr<PeopleDoor> people_;
  api::AuditBudget refusals_{clock_};  // of changes
  LiveDoor* live_ = nullptr;
  api::Platform* platform_ = nullptr;
  mutable std::mutex mutex_;  // of settings_
  api::AdminSettings settings_;
};

}  // namespace mooring::web
