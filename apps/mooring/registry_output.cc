#include "registry_output.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/percent.h"
#include "base/text.h"
#include "client_options.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

constexpr std::string_view kRoot = "/api/v1/";

Errc errc_of(std::string_view code) {
  if (code == "invalid" || code == "bad_request") return Errc::kInvalidArgument;
  if (code == "not_found") return Errc::kNotFound;
  if (code == "already_exists") return Errc::kAlreadyExists;
  if (code == "limit_exceeded") return Errc::kLimitExceeded;
  return Errc::kUnavailable;
}

base::Error error_of(const api::AdminResponse& response, const boost::json::value& answer) {
  const boost::json::object* object = answer.if_object();
  const boost::json::value* error = object == nullptr ? nullptr : object->if_contains("error");
  if (error == nullptr || !error->is_object()) {
    return {Errc::kUnavailable, fmt::format("the server answered with status {}", response.status)};
  }
  const std::string message = text_of(error->as_object(), "message");
  return {errc_of(text_of(error->as_object(), "code")), message};
}

std::string text_of(const boost::json::value& value) {
  if (value.is_string()) return {value.as_string().data(), value.as_string().size()};
  if (value.is_null()) return "-";
  if (!value.is_array()) return boost::json::serialize(value);
  std::string joined;
  for (const boost::json::value& item : value.as_array()) joined += (joined.empty() ? "" : " ") + text_of(item);
  return joined;
}

}  // namespace

void add_common_options(CLI::App& command, CommonOptions& options) {
  CLI::Option* data = command.add_option("--data", options.data, "Data folder of the server")->capture_default_str();
  const auto remote = "A server elsewhere";
  CLI::Option* server = command.add_option("--server", options.remote.url, "https://HOST[:PORT], in place of --data")
                            ->type_name("URL")
                            ->group(remote)
                            ->excludes(data);
  command.add_option("--token", options.remote.token, "Its API token; better in MOORING_TOKEN")
      ->type_name("TOKEN")
      ->group(remote)
      ->needs(server);
  command.add_option("--cafile", options.remote.ca_file, "PEM file with the root certificate to trust")
      ->group(remote)
      ->needs(server);
  command.add_flag("--insecure", options.remote.insecure, "Do not check the server's certificate")
      ->group(remote)
      ->needs(server);
  command.add_flag("--json", options.json, "One JSON document on stdout");
}

Result<boost::json::value> call(AdminClient& client, std::string_view method, const std::string& target,
                                const boost::json::value& body) {
  const auto response = client.request(method, std::string(kRoot) + target,
                                       body.is_null() ? std::string() : boost::json::serialize(body));
  if (!response) return tl::unexpected(response.error());
  boost::json::error_code error;
  boost::json::value answer = boost::json::parse(response->body, error);
  if (response->status >= 400) return tl::unexpected(error_of(*response, error ? boost::json::value() : answer));
  if (error || !answer.is_object()) return base::fail(Errc::kUnavailable, "the server's answer is no JSON object");
  return answer;
}

Result<> for_each_page(AdminClient& client, const std::string& target,
                       const std::function<Result<>(const boost::json::array& items)>& take) {
  for (std::string cursor;;) {
    const auto page =
        call(client, "GET", cursor.empty() ? target : target + "&cursor=" + base::percent_encoded(cursor));
    if (!page) return tl::unexpected(page.error());
    const boost::json::value* items = page->as_object().if_contains("items");
    if (items == nullptr || !items->is_array()) return base::fail(Errc::kUnavailable, "the answer is not a list");
    if (auto ok = take(items->as_array()); !ok) return ok;
    cursor = text_of(page->as_object(), "nextCursor");
    if (cursor.empty()) return {};
  }
}

std::string product_path(std::string_view product_key) {
  return "products/" + base::percent_encoded(product_key);
}
std::string device_path(std::string_view product_key, std::string_view device_name) {
  return product_path(product_key) + "/devices/" + base::percent_encoded(device_name);
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  return value == nullptr ? std::string() : text_of(*value);
}

void Table::print() {
  for (const auto& row : rows_) {
    if (widths_.size() < row.size()) widths_.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], base::utf8_length(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths_[i] - base::utf8_length(row[i]) + 2, ' ');
    }
    fmt::print("{}\n", line);
  }
  rows_.clear();
}

void print_members(const boost::json::object& object) {
  for (const auto& member : object) {
    if (const boost::json::object* nested = member.value().if_object()) {
      for (const auto& inner : *nested) {
        fmt::print("{}.{}: {}\n", std::string(member.key()), std::string(inner.key()), text_of(inner.value()));
      }
    } else {
      fmt::print("{}: {}\n", std::string(member.key()), text_of(member.value()));
    }
  }
}

void print_json(const boost::json::value& value) {
  fmt::print("{}\n", boost::json::serialize(value));
}

Result<> print_answer(const CommonOptions& options, const Result<boost::json::value>& answer) {
  if (!answer) return tl::unexpected(answer.error());
  options.json ? print_json(*answer) : print_members(answer->as_object());
  return {};
}

ListPrinter::ListPrinter(bool json, std::vector<std::string> columns)
    : json_(json), columns_(columns), table_(std::move(columns)) {}

void ListPrinter::add(const boost::json::array& items) {
  for (const boost::json::value& item : items) {
    if (!item.is_object()) continue;
    if (json_) {
      fmt::print("{}{}", empty_ ? "[" : ",\n", boost::json::serialize(item));
    } else {
      std::vector<std::string> cells;
      for (const std::string& column : columns_) cells.push_back(text_of(item.as_object(), column));
      table_.add(std::move(cells));
    }
    empty_ = false;
  }
  if (!json_ && !empty_) table_.print();
}

void ListPrinter::finish() {
  if (json_) fmt::print("{}]\n", empty_ ? "[" : "");
  if (!json_ && empty_) fmt::print(stderr, "nothing found\n");
}

Result<> print_list(AdminClient& client, const std::string& target, bool json, std::vector<std::string> columns) {
  ListPrinter printer(json, std::move(columns));
  const auto done = for_each_page(client, target, [&](const boost::json::array& items) -> Result<> {
    printer.add(items);
    return {};
  });
  if (done) printer.finish();
  return done;
}

namespace {

Result<std::unique_ptr<AdminClient>> open_client(const CommonOptions& options, DataFolder folder) {
  if (options.remote.url.empty()) return open_admin_client(options.data, folder);
  RemoteServer server = options.remote;
  const char* token = std::getenv("MOORING_TOKEN");
  if (server.token.empty() && token != nullptr) server.token = token;
  return open_remote_client(server);
}

}  // namespace

int run_with_client(const CommonOptions& options, DataFolder folder,
                    const std::function<Result<>(AdminClient&)>& body) {
  const auto client = open_client(options, folder);
  if (!client) return report_failure(client.error());
  const auto done = body(**client);
  if (!done) return report_failure(done.error());
  if (std::fflush(stdout) != 0) return report_failure({Errc::kIo, "cannot write to stdout"});
  return 0;
}

}  // namespace mooring::app
