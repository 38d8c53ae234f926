// The audit log: what it keeps of a change, and reading it.
#include "api/admin_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/text.h"

namespace mooring::api {
namespace {

constexpr std::array<std::string_view, 8> kSecretMembers{"productSecret", "deviceSecret", "password",    "token",
                                                         "current",       "new",          "certificate", "list"};
constexpr std::size_t kLabelBytesMax = 200;
constexpr std::size_t kTargetBytesMax = 600;

boost::json::value hidden(const boost::json::value& value) {
  if (value.is_array()) {
    boost::json::array out;
    for (const boost::json::value& item : value.as_array()) out.push_back(hidden(item));
    return out;
  }
  if (!value.is_object()) return value;
  boost::json::object out;
  for (const auto& member : value.as_object()) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::ranges::find(kSecretMembers, key) != kSecretMembers.end()) {
      out[member.key()] = "(hidden)";
    } else if (key == "items" && member.value().is_array()) {
      out["count"] = member.value().as_array().size();
    } else {
      out[member.key()] = hidden(member.value());
    }
  }
  return out;
}

boost::json::value parsed(const std::string& text) {
  if (text.empty()) return nullptr;
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(text, error);
  return error ? boost::json::value() : value;
}

boost::json::object to_json(const registry::AuditEntry& entry) {
  return {{"id", entry.id},
          {"time", time_json(entry.at_ms)},
          {"actor", entry.actor},
          {"role", entry.role},
          {"address", entry.address},
          {"action", entry.action},
          {"target", entry.target},
          {"status", entry.status},
          {"before", parsed(entry.before)},
          {"after", parsed(entry.after)}};
}

ApiResult<std::int64_t> number(const AdminRequest& request, std::string_view name) {
  const std::string text = request.value(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size() || value < 0)) {
    return refuse(400, "bad_request", fmt::format("'{}' must be a number", name));
  }
  return value;
}

}  // namespace

std::string audit_text(const boost::json::value& body) {
  std::string text = boost::json::serialize(hidden(body));
  if (text.size() <= registry::kAuditTextBytesMax) return text;
  return boost::json::serialize(boost::json::object{{"bytes", text.size()}});
}

registry::AuditEntry audit_entry(const Caller& caller, std::string_view method, std::string_view pattern,
                                 const std::vector<std::string>& path) {
  registry::AuditEntry entry;
  entry.actor = base::printable(caller.label, kLabelBytesMax);
  if (!caller.is_account()) entry.role = registry::to_text(caller.role);
  entry.address = caller.address;
  entry.action = fmt::format("{} {}", method, pattern);
  for (const std::string& segment : path) {
    entry.target += (entry.target.empty() ? "" : "/") + base::printable(segment, kTargetBytesMax / 8);
  }
  return entry;
}

ApiResult<void> record_audit(AdminContext& context, registry::AuditEntry entry) {
  if (auto ok = context.registry.record_audit(entry, context.settings.audit); !ok) return refuse(ok.error());
  return {};
}

ApiResult<Reply> list_audit(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"actor", "target", "since", "limit", "cursor"}); !ok) return tl::unexpected(ok.error());
  const auto limit = request.limit(kListRowsDefault, registry::kAuditRowsMax - 1);
  const auto since = number(request, "since");
  const auto before = number(request, "cursor");
  if (!limit) return tl::unexpected(limit.error());
  if (!since) return tl::unexpected(since.error());
  if (!before) return tl::unexpected(before.error());
  registry::AuditQuery query{request.value("actor"), request.value("target"), *since, *before, *limit + 1};
  auto entries = context.registry.list_audit(query);
  if (!entries) return refuse(entries.error());
  boost::json::object body;
  if (entries->size() > *limit) {
    entries->pop_back();
    body["nextCursor"] = std::to_string(entries->back().id);
  }
  boost::json::array items;
  for (const registry::AuditEntry& entry : *entries) items.push_back(to_json(entry));
  body["items"] = std::move(items);
  return Reply{std::move(body)};
}

}  // namespace mooring::api
