// What happened to devices: log, doctor, flight record, refused strangers.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <charconv>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "base/text.h"
#include "journal/capture_file.h"

namespace mooring::api {
namespace {

using journal::Entry;

constexpr std::size_t kFindings = 10;  // of one answer of the doctor

boost::json::object to_json(const Entry& entry) {
  boost::json::object json;
  json["id"] = entry.id;
  json["revision"] = entry.revision;
  json["productKey"] = entry.device.product_key;
  json["deviceName"] = entry.device.device_name;
  json["time"] = time_json(entry.at_ms);
  json["lastTime"] = time_json(entry.last_ms);
  json["count"] = entry.count;
  json["action"] = to_text(entry.action);
  json["code"] = entry.code;
  json["name"] = entry.name;
  json["reason"] = entry.reason;
  json["subject"] = entry.subject;
  json["transport"] = to_text(entry.channel);
  json["address"] = entry.address;
  json["facts"] = entry.facts;
  if (entry.action == journal::Action::kRefused || entry.action == journal::Action::kRegistrationRefused)
    json["answer"] = entry.answer;
  if (!entry.diagnosis.empty()) {
    json["diagnosis"] = boost::json::object{
        {"name", entry.diagnosis.name}, {"text", entry.diagnosis.text}, {"advice", entry.diagnosis.advice}};
  }
  return json;
}

boost::json::array to_json(const std::vector<Entry>& entries) {
  boost::json::array items;
  for (const Entry& entry : entries) items.push_back(to_json(entry));
  return items;
}

ApiResult<std::int64_t> number(const AdminRequest& request, std::string_view name) {
  const std::string* value = request.find(name);
  if (value == nullptr) return 0;
  std::int64_t parsed = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), parsed);
  if (error != std::errc() || end != value->data() + value->size() || parsed < 0) {
    return refuse(400, "bad_request", fmt::format("'{}' must be a number", name));
  }
  return parsed;
}

// "offline,refused"
ApiResult<std::vector<journal::Action>> read_actions(const std::string& words) {
  std::vector<journal::Action> out;
  std::string_view left = words;
  while (!left.empty()) {
    const std::size_t comma = std::min(left.find(','), left.size());
    const auto action = journal::parse_action(left.substr(0, comma));
    if (!action) {
      return refuse(400, "bad_request", fmt::format("unknown action '{}'", base::printable(left.substr(0, comma), 64)));
    }
    out.push_back(*action);
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  return out;
}

// A log may outlive its device, and refusals may come before there is one.
ApiResult<boost::json::object> describe(AdminContext& context, const base::DeviceKey& key) {
  boost::json::object out{{"productKey", key.product_key}, {"deviceName", key.device_name}};
  const auto device = context.registry.get_device(key);
  if (!device && device.error().code != base::Errc::kNotFound) return refuse(device.error());
  out["registered"] = device.has_value();
  if (!device) return out;
  registry::Device shown = *device;
  if (context.sessions != nullptr) shown.online = context.sessions->is_online(key);
  out["status"] = to_text(shown.status());
  out["lastOnline"] = time_json(shown.last_online_ms);
  return out;
}

base::DeviceKey key_of(const AdminRequest& request) {
  return {request.path[1], request.path[3]};
}

ApiResult<std::vector<Entry>> refusals_like(AdminContext& context, const base::DeviceKey& key) {
  if (context.diagnostics.log == nullptr) return std::vector<Entry>();
  journal::StrangerQuery query;
  query.product_key = key.product_key;
  query.device_name = key.device_name;
  query.any_case = true;
  query.limit = kFindings;
  auto found = context.diagnostics.log->read_strangers(query);
  if (!found) return refuse(found.error());
  return std::move(*found);
}

std::string_view packet_name(std::uint8_t first_byte) {
  static constexpr std::array<std::string_view, 16> kNames{
      "?",         "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
      "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
  return kNames[first_byte >> 4];
}

boost::json::object packet_json(const journal::FlightEntry& entry) {
  using journal::Direction;
  boost::json::object json;
  json["time"] = time_json(entry.at_ms);
  if (entry.count > 1) {
    json["lastTime"] = time_json(entry.last_ms);
    json["count"] = entry.count;
  }
  if (entry.direction == Direction::kEnd) {
    json["direction"] = "end";
    json["reason"] = entry.topic;
    return json;
  }
  json["direction"] = entry.direction == Direction::kIn ? "in" : "out";
  const std::string_view name = packet_name(entry.first_byte);
  json["type"] = name;
  json["bytes"] = entry.bytes;
  if (name == "CONNECT") {
    json["clientId"] = base::printable(entry.topic);
    json["keepAlive"] = entry.packet_id;
    json["protocolLevel"] = entry.result & 0x7F;
    json["cleanSession"] = (entry.result & 0x80) != 0;
    json["address"] = base::printable(entry.payload);
    return json;
  }
  if (name == "PUBLISH") {
    json["qos"] = (entry.first_byte >> 1) & 3;
    json["dup"] = (entry.first_byte & 8) != 0;
    json["retain"] = (entry.first_byte & 1) != 0;
  }
  if (entry.packet_id != 0) json["packetId"] = entry.packet_id;
  if (!entry.topic.empty())
    json["topic"] = base::printable(entry.topic) + (entry.topic.size() < entry.topic_bytes ? "..." : "");
  if (entry.result != 0 || name == "CONNACK") json["result"] = entry.result;
  if (!entry.payload.empty()) json["payload"] = base::to_hex(base::as_bytes(entry.payload));
  return json;
}

ApiResult<Reply> flight_reply(AdminContext& context, const AdminRequest& request, const std::string& key,
                              const std::string& title, boost::json::object body) {
  if (auto ok = request.allow({"format", "clientId"}); !ok) return tl::unexpected(ok.error());
  const std::string format = request.value("format");
  if (!format.empty() && format != "pcapng") {
    return refuse(400, "bad_request", "'format' must be pcapng, or missing");
  }
  if (context.diagnostics.flights == nullptr) {
    return refuse(503, "not_running", "the server is not running, and packets are kept in its memory only");
  }
  const auto entries = context.diagnostics.flights->flight(key);
  if (!entries) return refuse(entries.error());
  if (format == "pcapng") {
    body["pcapng"] = base::to_hex(base::as_bytes(journal::capture_file(*entries, title)));
    body["packets"] = entries->size();
    return Reply{std::move(body)};
  }
  boost::json::array items;
  for (const journal::FlightEntry& entry : *entries) items.push_back(packet_json(entry));
  body["items"] = std::move(items);
  return Reply{std::move(body)};
}

}  // namespace

ApiResult<Reply> device_log(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"limit", "cursor", "after", "since", "action"}); !ok) return tl::unexpected(ok.error());
  journal::LogQuery query;
  const auto limit = request.limit(kListRowsDefault, journal::kLogRowsMax);
  const auto before = number(request, "cursor");
  const auto after = number(request, "after");
  const auto since = number(request, "since");
  auto actions = read_actions(request.value("action"));
  for (const auto* part : {&before, &after, &since}) {
    if (!*part) return tl::unexpected(part->error());
  }
  if (!limit) return tl::unexpected(limit.error());
  if (!actions) return tl::unexpected(actions.error());
  query.limit = *limit;
  query.before_id = *before;
  query.after_revision = *after;
  query.since_ms = *since;
  query.actions = std::move(*actions);
  const base::DeviceKey key = key_of(request);
  journal::LogPage page;
  if (context.diagnostics.log != nullptr) {
    auto read = context.diagnostics.log->read_log(key, query);
    if (!read) return refuse(read.error());
    page = std::move(*read);
  }
  if (page.entries.empty() && query.before_id == 0 && query.after_revision == 0) {
    // An empty log of a device that is not there would hide a slip of the pen.
    if (const auto device = context.registry.get_device(key); !device) return refuse(device.error());
  }
  boost::json::object body{{"items", to_json(page.entries)}, {"revision", page.revision}};
  if (page.more && !page.entries.empty()) body["nextCursor"] = std::to_string(page.entries.front().id);
  return Reply{std::move(body)};
}

ApiResult<Reply> device_doctor(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const base::DeviceKey key = key_of(request);
  auto body = describe(context, key);
  if (!body) return tl::unexpected(body.error());
  journal::LogQuery query;
  query.limit = kFindings;
  query.actions = {journal::Action::kRefused, journal::Action::kRegistrationRefused, journal::Action::kWarned};
  boost::json::array findings;
  if (context.diagnostics.log != nullptr) {
    const auto page = context.diagnostics.log->read_log(key, query);
    if (!page) return refuse(page.error());
    for (auto entry = page->entries.rbegin(); entry != page->entries.rend(); ++entry)
      findings.push_back(to_json(*entry));
  }
  const auto similar = refusals_like(context, key);
  if (!similar) return tl::unexpected(similar.error());
  (*body)["findings"] = std::move(findings);       // newest first
  (*body)["similarRefusals"] = to_json(*similar);  // of names that do not exist, but look like this one
  return Reply{std::move(*body)};
}

ApiResult<Reply> device_flight(AdminContext& context, const AdminRequest& request) {
  const base::DeviceKey key = key_of(request);
  auto body = describe(context, key);
  if (!body) return tl::unexpected(body.error());
  return flight_reply(context, request, journal::FlightRecorder::key_of_device(key.product_key, key.device_name),
                      key.product_key + "/" + key.device_name, std::move(*body));
}

ApiResult<Reply> account_flight(AdminContext& context, const AdminRequest& request) {
  const std::string client_id = request.value("clientId");
  return flight_reply(context, request, journal::FlightRecorder::key_of_account(request.path[1], client_id),
                      request.path[1] + " " + client_id,
                      boost::json::object{{"account", request.path[1]}, {"clientId", client_id}});
}

ApiResult<Reply> list_refusals(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"limit", "productKey", "deviceName"}); !ok) return tl::unexpected(ok.error());
  const auto limit = request.limit(kListRowsDefault, kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  journal::StrangerQuery query;
  query.limit = *limit;
  query.product_key = request.value("productKey");
  query.device_name = request.value("deviceName");
  std::vector<Entry> rows;
  if (context.diagnostics.log != nullptr) {
    auto found = context.diagnostics.log->read_strangers(query);
    if (!found) return refuse(found.error());
    rows = std::move(*found);
  }
  return Reply{boost::json::object{{"items", to_json(rows)}}};
}

}  // namespace mooring::api
