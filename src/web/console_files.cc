#include "web/console_files.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "http/method_not_allowed.h"

namespace mooring::embedded {
std::string_view console_bundle();
}

namespace mooring::web {
namespace {

constexpr std::string_view kRoot = "/console/";
constexpr std::string_view kHashedFolder = "assets/";  // where the build puts files that have their hash in their name
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr char kNoConsole[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mooring</title></head><body>
<h1>This program was built without the console</h1>
<p>Its pages are made with Node.js and npm. On the machine where Mooring is built, run <code>tools/build-console</code>,
which says what is missing, and build again.</p></body></html>
)";

std::string_view type_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kTypes{{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".map", "application/json"},
  }};
  for (const auto& [end, type] : kTypes) {
    if (name.ends_with(end)) return type;
  }
  return "application/octet-stream";
}

bool names(std::string_view list, std::string_view word) {
  return list.find(word) != std::string_view::npos;
}

// RFC 9110 section 12.5.3: a weight of 0 says no.
bool takes_gzip(std::string_view accept) {
  while (!accept.empty()) {
    const std::size_t comma = std::min(accept.find(','), accept.size());
    const std::string_view one = accept.substr(0, comma);
    const std::size_t parameter = std::min(one.find(';'), one.size());
    if (base::iequals(base::trim(one.substr(0, parameter)), "gzip")) {
      const std::size_t weight = one.find("q=", parameter);
      return weight == std::string_view::npos || one.find_first_of("123456789", weight) != std::string_view::npos;
    }
    accept.remove_prefix(std::min(comma + 1, accept.size()));
  }
  return false;
}

void add_security(http::Response& response) {
  response.fields.push_back({"Content-Security-Policy", std::string(kPolicy)});
  response.fields.push_back({"Cross-Origin-Opener-Policy", "same-origin"});
  response.fields.push_back({"Permissions-Policy", "camera=(), geolocation=(), microphone=()"});
}

http::Response no_console() {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = kNoConsole;
  response.fields.push_back({"Cache-Control", "no-cache"});
  add_security(response);
  return response;
}

}  // namespace

std::string_view console_bundle() {
  return embedded::console_bundle();
}

ConsoleFiles::ConsoleFiles(std::string_view bundle) {
  const std::size_t head_end = bundle.starts_with('\n') ? 0 : bundle.find("\n\n");
  if (head_end == std::string_view::npos || head_end == 0) return;
  std::string_view contents = bundle.substr(head_end + 2);
  std::istringstream lines{std::string(bundle.substr(0, head_end))};
  std::string name, etag;
  std::size_t plain = 0, compressed = 0;
  while (lines >> name >> etag >> plain >> compressed) {
    if (plain > contents.size() || compressed > contents.size() - plain) {
      files_.clear();
      return;
    }
    files_[name] = {'"' + etag + '"', contents.substr(0, plain), contents.substr(plain, compressed)};
    contents.remove_prefix(plain + compressed);
  }
}

const ConsoleFiles::File* ConsoleFiles::find(std::string_view name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

http::Response ConsoleFiles::answer(const http::Request& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return http::method_not_allowed("GET, HEAD");
  }
  if (!request.path().starts_with(kRoot)) {
    http::Response moved;
    moved.status = 308;
    moved.content_type = "text/plain; charset=utf-8";
    moved.fields.push_back({"Location", std::string(kRoot)});
    return moved;
  }
  if (files_.empty()) return no_console();
  std::string_view name = request.path().substr(kRoot.size());
  const bool hashed = name.starts_with(kHashedFolder);
  const File* file = find(name);
  if (file == nullptr && hashed) return http::error_response(404, "not_found", "there is no such file");
  if (file == nullptr) {
    name = "index.html";
    file = find(name);
  }
  if (file == nullptr) return no_console();

  http::Response response;
  response.content_type = type_of(name);
  // The name of a hashed file changes with it.
  response.fields.push_back({"Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache"});
  response.fields.push_back({"Vary", "Accept-Encoding"});
  const bool small = !file->compressed.empty() && takes_gzip(request.field("Accept-Encoding").value_or(""));
  // Two forms of one file have two tags (RFC 9110 section 8.8.3).
  const std::string tag = small ? file->etag.substr(0, file->etag.size() - 1) + "-gz\"" : file->etag;
  response.fields.push_back({"ETag", tag});
  add_security(response);
  if (names(request.field("If-None-Match").value_or(""), tag)) {
    response.status = 304;
    return response;
  }
  if (small) response.fields.push_back({"Content-Encoding", "gzip"});
  response.body = small ? file->compressed : file->plain;
  return response;
}

}  // namespace mooring::web
