#include "web/site.h"

#include <utility>

#include "http/method_not_allowed.h"
#include "metrics/families.h"

namespace mooring::web {
namespace {

constexpr char kLandingPage[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mooring</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
code{background:#8882;padding:.1em .3em;border-radius:.2em}</style></head><body>
<h1>Mooring</h1>
<p>This port speaks MQTT, MQTT over TLS, and MQTT over WebSocket (<code>ws</code> and <code>wss</code>, any path).</p>
<ul><li><a href="/console/">Console</a></li>
<li><a href="/ca.crt">Root certificate</a> to install on clients</li>
<li><a href="/healthz">/healthz</a> and <a href="/readyz">/readyz</a></li>
<li><a href="/metrics">/metrics</a> for Prometheus, <a href="/api/v1/openapi.json">/api/v1/openapi.json</a></li></ul>
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

Site::Site(ApiDoor& door, std::string root_pem) : door_(door), root_pem_(std::move(root_pem)) {}

std::optional<std::size_t> Site::body_bytes_max(const http::Request& head, const http::RequestSource& source) const {
  return ApiDoor::is_for_api(head.path()) ? door_.body_bytes_max(head, source) : std::nullopt;
}

void Site::handle(http::Request request, const http::RequestSource& source, http::Respond respond) {
  if (ApiDoor::is_for_api(request.path())) {
    door_.handle(std::move(request), source, std::move(respond));
    return;
  }
  if (ConsoleFiles::is_for_console(request.path())) {
    respond(console_.answer(request));
  } else if (request.path() == "/metrics") {
    respond(metrics(request, source));
  } else {
    respond(page(request));
  }
}

http::Response Site::metrics(const http::Request& request, const http::RequestSource& source) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return http::method_not_allowed("GET, HEAD");
  }
  if (!door_.may_see_metrics(request, source)) {
    http::Response refused = http::error_response(
        401, "unauthorized", "from elsewhere the metrics take HTTPS and a token of the role viewer");
    refused.fields.push_back({"WWW-Authenticate", "Bearer realm=\"mooring\""});
    return refused;
  }
  http::Response response;
  response.content_type = metrics::kTextType;
  response.body = statistics_->prometheus_text();
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

http::Response Site::page(const http::Request& request) const {
  const std::string_view path = request.path();
  const bool known = path == "/" || path == "/healthz" || path == "/readyz" || path == "/ca.crt";
  if (!known) return http::error_response(404, "not_found", "there is nothing at this path");
  if (request.method != "GET" && request.method != "HEAD") {
    return http::method_not_allowed("GET, HEAD");
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

}  // namespace mooring::web
