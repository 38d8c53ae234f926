// AdminService: the admin API under /api/v1 as a function from request to response, without a socket.
//
// It blocks on the registry, so the server runs it on a registry thread (RegistryService::run for changes, run_report
// when reads_only() says so), and the command line runs it in its own process when no server is running; both give the
// same answers. Thread-safe as long as the Registry is. Who calls is found out before it; what that caller may do is
// decided here.
// All addresses, their parameters, answers and errors are described in openapi.json, which tests hold against the table
// of admin_service.cc. Each has the least role that may use it; one without is for administrators. Accounts may care
// for their own tickets. Viewers get no secrets, operators none of products.
//
// A password that is left out is generated and stands in the answer to this one request; otherwise neither passwords
// nor their hashes are ever answered. Hashing a password takes tens of milliseconds. A list holds secrets only with
// secrets=true, a single product or device always does. What only a running server can answer (people's sessions,
// statistics, live events) is in web/people_door.h and web/live_door.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/audit_budget.h"
#include "api/caller.h"
#include "api/diagnostics.h"
#include "api/platform.h"
#include "api/session_book.h"
#include "base/ids.h"
#include "base/result.h"
#include "registry/registry.h"

namespace mooring::api {

inline constexpr std::size_t kRequestBodyBytesMax = 4 * 1024 * 1024;  // an import batch; larger is answered with 413
inline constexpr std::size_t kRevocationListBytesMax = 16 * 1024 * 1024;  // of a body with one: 200,000 numbers
inline constexpr std::size_t kListRowsDefault = 100;
inline constexpr std::size_t kListRowsMax = 1000;
inline constexpr std::size_t kExportRowsMax = 5000;
inline constexpr std::size_t kImportRowsMax = 5000;  // of one request

// The live side of the platform, as far as administration needs it; the server implements it. Called on a registry
// thread, so it must be thread-safe; it may wait briefly for a loop.
class SessionControl {
 public:
  virtual ~SessionControl() = default;
  // Closes the device's connection; false if it has none.
  virtual bool kick(const base::DeviceKey& key) = 0;
  virtual bool is_online(const base::DeviceKey& key) = 0;
};

// What of the configuration the operations follow.
struct AdminSettings {
  std::uint32_t ticket_lifetime_max_s = 86'400;
  std::size_t tickets_per_holder = 1000;
  std::size_t authorities = registry::kAuthoritiesMax;
  registry::AuditBounds audit = {};
};

// More of a running server; null while none runs.
struct LiveParts {
  SessionBook* book = nullptr;  // people who are signed in
  Platform* platform = nullptr;
  AuditBudget* refusals = nullptr;  // of changes; null: they are not noted
};

struct AdminResponse {
  int status = 200;        // as in HTTP
  std::string body;        // JSON text, never empty
  std::string allow = {};  // of a 405: the methods that the address takes, as in HTTP
};

class AdminService {
 public:
  // `registry` and `sessions` must outlive it; `sessions` is null while no server runs.
  // What `diagnostics` and `live` point to must outlive it, too.
  AdminService(registry::Registry& registry, SessionControl* sessions, const AdminSettings& settings = {},
               Diagnostics diagnostics = {}, LiveParts live = {});

  // `target` is path and query, e.g. "/api/v1/products?limit=10". Never throws; every failure is a response.
  AdminResponse handle(std::string_view method, std::string_view target, std::string_view body,
                       const Caller& caller = Caller::local_operator());

  // Whether such a request changes nothing, so that it may run beside changes.
  static bool reads_only(std::string_view method) { return method == "GET" || method == "HEAD"; }

  // How large the body of a request for this address may be; larger is answered with 413.
  static std::size_t body_bytes_max(std::string_view target);

  // Every address there is, and who may use it.
  struct RouteInfo {
    std::string_view method;
    std::string_view path;      // behind /api/v1/; `*` stands for any one segment
    registry::Role least_role;  // of tokens
    bool for_accounts = false;  // also for accounts that sign in themselves
    bool is_public = false;     // for everybody; answered before it is known who asks
  };
  static std::vector<RouteInfo> routes();
  // The OpenAPI document that describes them all.
  static std::string_view openapi_document();

 private:
  registry::Registry& registry_;
  SessionControl* sessions_;
  AdminSettings settings_;
  Diagnostics diagnostics_;
  LiveParts live_;
};

}  // namespace mooring::api
