#include "server/site.h"

#include <utility>

namespace mooring::server {
namespace {

constexpr std::string_view kAdminPrefix = "/api/v1/";

constexpr char kLandingPage[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mooring</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
code{background:#8882;padding:.1em .3em;border-radius:.2em}</style></head><body>
<h1>Mooring</h1>
<p>This port speaks MQTT, MQTT over TLS, and MQTT over WebSocket (<code>ws</code> and <code>wss</code>, any path).</p>
<ul><li><a href="/ca.crt">Root certificate</a> to install on clients</li>
<li><a href="/healthz">/healthz</a> and <a href="/readyz">/readyz</a></li></ul>
<p>On the machine itself: <code>mooring device connect-line --help</code> prints what a device needs to connect.</p>
</body></html>
)";

http::Response text(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

http::Response landing_page() {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.fields.push_back({"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"});
  response.body = kLandingPage;
  return response;
}

}  // namespace

Site::Site(registry::RegistryService& registry, api::SessionControl& sessions, std::string root_pem)
    : registry_(registry), sessions_(sessions), root_pem_(std::move(root_pem)) {}

void Site::handle(http::Request request, const http::RequestSource& source, http::Respond respond) {
  // Who can open the socket in the data folder could change the registry's file as well.
  if (source.local_socket && request.path().starts_with(kAdminPrefix)) {
    administer(std::move(request), *source.executor, std::move(respond));
    return;
  }
  respond(page(request));
}

http::Response Site::page(const http::Request& request) const {
  const std::string_view path = request.path();
  const bool known = path == "/" || path == "/healthz" || path == "/readyz" || path == "/ca.crt";
  if (!known) return http::error_response(404, "not_found", "there is nothing at this path");
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response refused = http::error_response(405, "method_not_allowed", "only GET and HEAD are served here");
    refused.fields.push_back({"Allow", "GET, HEAD"});
    return refused;
  }
  if (path == "/") return landing_page();
  if (path == "/healthz") return text(200, "ok\n");
  if (path == "/readyz") {
    const bool ready = ready_.load(std::memory_order_relaxed);
    return text(ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
  }
  if (root_pem_.empty()) {
    return http::error_response(404, "not_found", "this server's certificates come from an authority of its operator");
  }
  http::Response certificate;
  certificate.content_type = "application/x-x509-ca-cert";
  certificate.fields.push_back({"Content-Disposition", "attachment; filename=\"mooring-ca.crt\""});
  certificate.body = root_pem_;
  return certificate;
}

void Site::administer(http::Request request, base::Executor& executor, http::Respond respond) {
  const bool reads_only = api::AdminService::reads_only(request.method);
  auto operation = [this, request = std::move(request)](registry::Registry& registry) {
    api::AdminService service(registry, &sessions_);
    return base::Result<api::AdminResponse>(service.handle(request.method, request.target, request.body));
  };
  auto done = [respond = std::move(respond)](base::Result<api::AdminResponse> result) mutable {
    if (!result) {
      respond(http::error_response(503, "unavailable", result.error().message));
      return;
    }
    http::Response response;
    response.status = result->status;
    response.body = std::move(result->body);
    respond(response);
  };
  if (reads_only) {
    registry_.run_read<api::AdminResponse>(std::move(operation), executor, std::move(done));
  } else {
    registry_.run<api::AdminResponse>(std::move(operation), executor, std::move(done));
  }
}

}  // namespace mooring::server
