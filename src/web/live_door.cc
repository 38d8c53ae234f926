#include "web/live_door.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/percent.h"
#include "base/text.h"
#include "http/method_not_allowed.h"

namespace mooring::web {
namespace {

constexpr std::string_view kStatisticsPath = "/api/v1/statistics";
constexpr std::string_view kEventsPath = "/api/v1/events";
constexpr std::size_t kSecondsDefault = 300;

using Query = std::map<std::string, std::string, std::less<>>;

http::Response bad_request(std::string_view message) {
  return http::error_response(400, "bad_request", message);
}

std::optional<Query> query_of(const http::Request& request, std::initializer_list<std::string_view> names) {
  Query out;
  const std::size_t mark = std::min(request.target.find('?'), request.target.size());
  const auto pairs =
      base::query_pairs(std::string_view(request.target).substr(std::min(mark + 1, request.target.size())));
  if (!pairs) return std::nullopt;
  for (const auto& [name, value] : *pairs) {
    if (std::ranges::find(names, name) == names.end() || !base::is_utf8(value)) return std::nullopt;
    out.emplace(name, value);
  }
  return out;
}

std::string value_of(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

// 0 for an empty text; nothing: it is no number.
std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  if (text.empty()) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Nothing: there is a word that is none.
std::optional<EventHub::Wanted> wanted_of(const Query& query) {
  EventHub::Wanted wanted;
  wanted.product_key = value_of(query, "productKey");
  wanted.device_name = value_of(query, "deviceName");
  std::string_view words = query.contains("topics") ? std::string_view(query.find("topics")->second) : "statistics";
  wanted.statistics = false;
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(','), words.size());
    const std::string_view word = words.substr(0, comma);
    if (word == "statistics") {
      wanted.statistics = true;
    } else if (word == "devices") {
      wanted.devices = true;
    } else if (word == "log") {
      wanted.log = true;
    } else {
      return std::nullopt;
    }
    words.remove_prefix(std::min(comma + 1, words.size()));
  }
  return wanted;
}

http::Response statistics(const http::Request& request, const StatisticsPort& source) {
  const auto query = query_of(request, {"seconds"});
  if (!query) return bad_request("the one parameter is 'seconds'");
  std::size_t seconds = kSecondsDefault;
  if (const std::string text = value_of(*query, "seconds"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || seconds < 1 ||
        seconds > StatisticsPort::kSamplesKept) {
      return bad_request(fmt::format("'seconds' must be a number from 1 to {}", StatisticsPort::kSamplesKept));
    }
  }
  http::Response response;
  response.body = source.samples(seconds);
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

}  // namespace

bool LiveDoor::is_for_live(std::string_view path) {
  return path == kStatisticsPath || path == kEventsPath;
}

void LiveDoor::handle(const http::Request& request, const api::Caller& caller, std::function<bool()> may_go_on,
                      const http::RequestSource& source, http::Respond respond) {
  if (!caller.at_least(registry::Role::kViewer)) {
    respond(http::error_response(403, "forbidden", "this takes the role viewer"));
  } else if (request.method != "GET" && request.method != "HEAD") {
    respond(http::method_not_allowed("GET, HEAD"));
  } else if (request.path() == kStatisticsPath) {
    respond(statistics(request, statistics_));
  } else {
    respond(events(request, caller, std::move(may_go_on), source));
  }
}

http::Response LiveDoor::events(const http::Request& request, const api::Caller& caller,
                                std::function<bool()> may_go_on, const http::RequestSource& source) {
  const auto query = query_of(request, {"topics", "productKey", "deviceName", "after"});
  if (!query) return bad_request("the parameters are 'topics', 'productKey', 'deviceName' and 'after'");
  auto wanted = wanted_of(*query);
  if (!wanted) return bad_request("'topics' are words of statistics, devices and log, separated by commas");
  if (wanted->log && (wanted->product_key.empty() || wanted->device_name.empty())) {
    return bad_request("a log is that of one device: name it with 'productKey' and 'deviceName'");
  }
  const auto seen = number_of(value_of(*query, "after"));
  if (!seen) return bad_request("'after' must be a revision of the log");
  // A browser that comes back says what it has seen; words that are none of ours it cannot have from here.
  const auto last_id = request.field("Last-Event-ID");
  wanted->log_after = (last_id ? number_of(*last_id) : std::nullopt).value_or(*seen);
  http::Response response;
  response.content_type = "text/event-stream";
  response.fields.push_back({"Cache-Control", "no-store"});
  if (request.method == "HEAD") return response;
  response.stream = hub_.open(std::move(*wanted), caller.label, *source.executor, std::move(may_go_on));
  if (response.stream == nullptr) {
    return http::error_response(429, "limit_exceeded", "too many readers of live events");
  }
  return response;
}

}  // namespace mooring::web
