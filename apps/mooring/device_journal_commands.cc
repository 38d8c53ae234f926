#include "device_journal_commands.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>

#include "base/clock.h"
#include "base/percent.h"
#include "base/text.h"
#include "registry_command.h"
#include "stop_signal.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;
using boost::json::object;

constexpr std::int64_t kRowsPreset = 100;
constexpr std::int64_t kPageRows = 500;
constexpr int kFollowPauseMs = 250;

struct JournalOptions : CommonOptions {
  std::string product_key;
  std::string device_name;
  std::string account;
  std::string client_id;
  std::string since;
  std::string action;
  std::string capture;
  std::int64_t limit = kRowsPreset;
  bool follow = false;
  bool strangers = false;
};
using Options = std::shared_ptr<JournalOptions>;

// "90s", "10m", "2h", "7d" before now, or a time in UTC: "2026-11-29T20:00:00Z", "2026-11-29".
Result<base::WallMs> parse_since(const std::string& text) {
  std::int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error == std::errc() && end + 1 == text.data() + text.size() && amount >= 0 && amount < 1'000'000) {
    const std::int64_t unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86'400 : 0;
    if (unit != 0) return base::system_clock().wall_ms() - amount * unit * 1000;
  }
  for (const char* const form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"}) {
    std::tm time{};
    const char* rest = ::strptime(text.c_str(), form, &time);
    if (rest == nullptr) continue;
    const std::string_view tail(rest);
    const bool fraction = tail.starts_with('.') && tail.find_first_not_of("0123456789Z", 1) == std::string_view::npos;
    if (!tail.empty() && tail != "Z" && !fraction) continue;
    return std::int64_t{::timegm(&time)} * 1000;
  }
  return base::fail(Errc::kInvalidArgument,
                    fmt::format("--since '{}' is neither a span (90s, 10m, 2h, 7d) nor a time in UTC "
                                "(2026-11-29T20:00:00Z)",
                                base::printable(text, 64)));
}

// ---- log ----

void print_diagnosis(const object& entry, const char* indent) {
  const boost::json::value* diagnosis = entry.if_contains("diagnosis");
  if (diagnosis == nullptr) return;
  const object& found = diagnosis->as_object();
  fmt::print("{}what is wrong: {} [{}]\n", indent, text_of(found, "text"), text_of(found, "name"));
  fmt::print("{}what to change: {}\n", indent, text_of(found, "advice"));
}

void print_entry(const object& entry, bool with_device) {
  std::string line = text_of(entry, "time");
  if (with_device) line += fmt::format("  {}/{}", text_of(entry, "productKey"), text_of(entry, "deviceName"));
  line += fmt::format("  {:<16} {:>4}", text_of(entry, "action"), text_of(entry, "code"));
  const std::string transport = text_of(entry, "transport");
  if (!transport.empty()) line += "  " + transport;
  if (const std::string address = text_of(entry, "address"); !address.empty()) line += " " + address;
  line += "  " + text_of(entry, "reason");
  if (const std::string name = text_of(entry, "name"); !name.empty()) line += fmt::format(" [{}]", name);
  if (const std::string subject = text_of(entry, "subject"); !subject.empty()) line += fmt::format(" '{}'", subject);
  if (const std::string count = text_of(entry, "count"); count != "1") {
    line += fmt::format(" ({} times, last {})", count, text_of(entry, "lastTime"));
  }
  if (const std::string facts = text_of(entry, "facts"); !facts.empty()) line += fmt::format(" ({})", facts);
  fmt::print("{}\n", line);
  print_diagnosis(entry, "    ");
}

// One JSON object a line when following, for it has no end; else one document.
void print_items(const JournalOptions& options, const boost::json::array& items, bool first_page) {
  if (options.json && !options.follow) {
    print_json(items);
    return;
  }
  for (const boost::json::value& item : items) {
    if (options.json) {
      print_json(item);
    } else {
      print_entry(item.as_object(), options.strangers);
    }
  }
  if (items.empty() && first_page && !options.json && !options.follow) fmt::print(stderr, "nothing found\n");
  std::fflush(stdout);
}

Result<> follow(const JournalOptions& options, AdminClient& client, const std::string& target, std::int64_t revision) {
  if (!client.server_runs()) {
    return base::fail(Errc::kUnavailable,
                      "no server runs on this data folder, so nothing more will come: leave -f out");
  }
  const StopSignal stop;
  while (!stop.raised()) {
    stop.sleep(kFollowPauseMs);
    const auto page = call(client, "GET", fmt::format("{}&after={}", target, revision));
    if (!page) return tl::unexpected(page.error());
    print_items(options, page->at("items").as_array(), false);
    revision = page->at("revision").to_number<std::int64_t>();
  }
  return {};
}

Result<> log(const JournalOptions& options, AdminClient& client) {
  if (options.strangers) {
    const auto rows =
        call(client, "GET",
             fmt::format("refusals?limit={}&productKey={}&deviceName={}", std::min<std::int64_t>(options.limit, 1000),
                         base::percent_encoded(options.product_key), base::percent_encoded(options.device_name)));
    if (!rows) return tl::unexpected(rows.error());
    print_items(options, rows->at("items").as_array(), true);
    return {};
  }
  if (options.product_key.empty() || options.device_name.empty()) {
    return base::fail(Errc::kInvalidArgument, "say which device: --product-key and --device-name, or --strangers");
  }
  std::string filter;
  if (!options.action.empty()) filter += "&action=" + base::percent_encoded(options.action);
  if (!options.since.empty()) {
    const auto since = parse_since(options.since);
    if (!since) return tl::unexpected(since.error());
    filter += fmt::format("&since={}", *since);
  }
  const std::string path = device_path(options.product_key, options.device_name) + "/log";
  // The newest ones are wanted, oldest first: pages come from the end.
  boost::json::array items;
  std::string cursor;
  std::int64_t revision = 0;
  for (std::int64_t left = options.limit; left > 0;) {
    std::string target = fmt::format("{}?limit={}{}", path, std::min(left, kPageRows), filter);
    if (!cursor.empty()) target += "&cursor=" + cursor;
    const auto page = call(client, "GET", target);
    if (!page) return tl::unexpected(page.error());
    boost::json::array older = page->at("items").as_array();
    if (cursor.empty()) revision = page->at("revision").to_number<std::int64_t>();
    left -= static_cast<std::int64_t>(older.size());
    for (const boost::json::value& item : items) older.push_back(item);
    items = std::move(older);
    cursor = text_of(page->as_object(), "nextCursor");
    if (cursor.empty()) break;
  }
  print_items(options, items, true);
  if (!options.follow) return {};
  return follow(options, client, fmt::format("{}?limit={}{}", path, kPageRows, filter), revision);
}

// ---- doctor ----

void print_finding(const object& finding) {
  fmt::print("{} at {}", text_of(finding, "action"), text_of(finding, "lastTime"));
  if (const std::string count = text_of(finding, "count"); count != "1") fmt::print(", {} times", count);
  fmt::print(", from {} over {}\n", text_of(finding, "address"), text_of(finding, "transport"));
  const std::string answer = text_of(finding, "answer");
  fmt::print("  code {}{}: {} [{}]\n", text_of(finding, "code"),
             answer.empty() ? std::string() : fmt::format(", the device was told {}", answer),
             text_of(finding, "reason"), text_of(finding, "name"));
  if (const std::string facts = text_of(finding, "facts"); !facts.empty()) fmt::print("  {}\n", facts);
  print_diagnosis(finding, "  ");
}

Result<> doctor(const JournalOptions& options, AdminClient& client) {
  const auto answer = call(client, "GET", device_path(options.product_key, options.device_name) + "/doctor");
  if (!answer) return tl::unexpected(answer.error());
  if (options.json) {
    print_json(*answer);
    return {};
  }
  const object& body = answer->as_object();
  const boost::json::array& findings = body.at("findings").as_array();
  const boost::json::array& similar = body.at("similarRefusals").as_array();
  if (body.at("registered").as_bool()) {
    fmt::print("{}/{} is {}; last online: {}\n", options.product_key, options.device_name, text_of(body, "status"),
               text_of(body, "lastOnline"));
  } else {
    fmt::print("{}/{} is not registered here\n", options.product_key, options.device_name);
  }
  if (findings.empty() && similar.empty()) {
    fmt::print(
        "No refused sign-in is on record: if the device cannot connect, it does not reach this server, or speaks "
        "no MQTT (see the server's log).\n");
  }
  for (const boost::json::value& finding : findings) {
    fmt::print("\n");
    print_finding(finding.as_object());
  }
  if (!similar.empty()) fmt::print("\nRefused under names like this one:\n");
  for (const boost::json::value& finding : similar) {
    fmt::print("\n{}/{}: ", text_of(finding.as_object(), "productKey"), text_of(finding.as_object(), "deviceName"));
    print_finding(finding.as_object());
  }
  return {};
}

// ---- flight ----

void print_packet(const object& packet) {
  const std::string direction = text_of(packet, "direction");
  if (direction == "end") {
    fmt::print("{}  --  connection ended: {}\n", text_of(packet, "time"), text_of(packet, "reason"));
    return;
  }
  std::string line = fmt::format("{}  {}  {:<11} {:>6}", text_of(packet, "time"), direction == "in" ? "->" : "<-",
                                 text_of(packet, "type"), text_of(packet, "bytes"));
  for (const char* const name : {"qos", "dup", "retain", "packetId", "topic", "result", "clientId", "keepAlive",
                                 "protocolLevel", "cleanSession", "address", "payload", "count", "lastTime"}) {
    const std::string value = text_of(packet, name);
    if (!value.empty() && value != "false") line += fmt::format("  {}={}", name, value);
  }
  fmt::print("{}\n", line);
}

Result<> save_capture(const JournalOptions& options, const object& answer) {
  const auto bytes = base::from_hex(text_of(answer, "pcapng"));
  if (!bytes) return base::fail(Errc::kUnavailable, "the server's answer is no capture");
  std::ofstream file(options.capture, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  file.close();
  if (!file) return base::fail(Errc::kIo, fmt::format("cannot write {}", options.capture));
  fmt::print(stderr, "{} packets in {}\n", text_of(answer, "packets"), options.capture);
  return {};
}

Result<> flight(const JournalOptions& options, AdminClient& client) {
  std::string target;
  if (!options.account.empty()) {
    target = fmt::format("accounts/{}/flight?clientId={}", base::percent_encoded(options.account),
                         base::percent_encoded(options.client_id));
  } else if (!options.product_key.empty() && !options.device_name.empty()) {
    target = device_path(options.product_key, options.device_name) + "/flight?";
  } else {
    return base::fail(Errc::kInvalidArgument,
                      "say whose packets: --product-key and --device-name, or --account and --client-id");
  }
  if (!options.capture.empty()) target += "&format=pcapng";
  const auto answer = call(client, "GET", target);
  if (!answer) return tl::unexpected(answer.error());
  if (!options.capture.empty()) return save_capture(options, answer->as_object());
  const boost::json::array& items = answer->at("items").as_array();
  if (options.json) {
    print_json(*answer);
    return {};
  }
  for (const boost::json::value& item : items) print_packet(item.as_object());
  if (items.empty())
    fmt::print(stderr, "nothing found: the client was not connected since the server started, or long ago\n");
  return {};
}

using Body = Result<> (*)(const JournalOptions&, AdminClient&);

}  // namespace

void add_device_journal_commands(CLI::App& device, int& exit_status) {
  {
    auto [command, options] = add_command(device, "log", "What happened to a device", log, exit_status);
    CLI::Option* strangers =
        command->add_flag("--strangers", options->strangers, "Refused peers whose device does not exist");
    command->add_option("--product-key", options->product_key, "Product key");
    command->add_option("--device-name", options->device_name, "Device name");
    command->add_flag("-f,--follow", options->follow, "Go on as things happen")->excludes(strangers);
    command->add_option("--since", options->since, "Since then: 90s, 10m, 2h, 7d ago, or a time in UTC")
        ->excludes(strangers);
    command->add_option("--action", options->action, "Only these, with commas: online, offline, refused, ...")
        ->excludes(strangers);
    command->add_option("--limit", options->limit, "At most so many, the newest ones")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
        ->capture_default_str();
  }
  {
    auto [command, options] =
        add_command(device, "doctor", "Why a device cannot connect, and what to change", doctor, exit_status);
    command->add_option("--product-key", options->product_key, "Product key")->required();
    command->add_option("--device-name", options->device_name, "Device name")->required();
  }
  {
    auto [command, options] = add_command(
        device, "flight", "The last packets of a device, or of a client of an account", flight, exit_status);
    command->add_option("--product-key", options->product_key, "Product key");
    command->add_option("--device-name", options->device_name, "Device name");
    command->add_option("--account", options->account, "Account, instead of a device");
    command->add_option("--client-id", options->client_id, "Client identifier, with --account");
    command->add_option("--capture", options->capture, "Write a capture file (pcapng) for Wireshark");
  }
}

}  // namespace mooring::app
