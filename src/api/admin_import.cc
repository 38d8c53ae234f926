// Import operation of the admin API.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

#include "api/admin_operations.h"
#include "api/device_csv.h"
#include "base/text.h"

namespace mooring::api {
namespace {

ApiResult<registry::ImportRow> read_row(const boost::json::value& value) {
  if (!value.is_object()) return refuse(400, "bad_request", "a row must be an object");
  const boost::json::object& object = value.as_object();
  if (auto ok = check_keys(object, {"productKey", "deviceName", "deviceSecret", "nickname", "iotId", "status"}); !ok) {
    return tl::unexpected(ok.error());
  }
  registry::ImportRow row;
  const std::array<std::pair<std::string_view, std::string*>, 4> texts{{{"productKey", &row.product_key},
                                                                        {"deviceName", &row.device_name},
                                                                        {"deviceSecret", &row.device_secret},
                                                                        {"iotId", &row.iot_id}}};
  for (const auto& [name, target] : texts) {
    auto text = read_text(object, name);
    if (!text) return tl::unexpected(text.error());
    *target = std::move(*text).value_or("");
  }
  auto nickname = read_text(object, "nickname");
  if (!nickname) return tl::unexpected(nickname.error());
  row.nickname = std::move(*nickname);
  const auto status = read_text(object, "status");
  if (!status) return tl::unexpected(status.error());
  row.enabled = !base::iequals(status->value_or(""), "DISABLE");
  return row;
}

ApiResult<std::vector<registry::ImportRow>> read_rows(const boost::json::object& object) {
  const boost::json::value* value = object.if_contains("rows");
  if (value == nullptr || !value->is_array()) return refuse(400, "bad_request", "'rows' must be an array");
  if (value->as_array().size() > kImportRowsMax) {
    return refuse(400, "limit_exceeded", fmt::format("at most {} rows in one request", kImportRowsMax));
  }
  std::vector<registry::ImportRow> rows;
  rows.reserve(value->as_array().size());
  for (const boost::json::value& item : value->as_array()) {
    auto row = read_row(item);
    if (!row) return tl::unexpected(row.error());
    rows.push_back(std::move(*row));
  }
  return rows;
}

// `lines`: of the rows in the file they come from; empty: they come from none.
boost::json::object report(const std::vector<registry::ImportRow>& rows, const registry::ImportResult& result,
                           const std::vector<std::size_t>& lines = {}) {
  std::array<std::uint64_t, 4> counts{};
  boost::json::array refusals;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const registry::ImportRowResult& row = result.rows[i];
    ++counts[static_cast<std::size_t>(row.outcome)];
    if (row.outcome != registry::ImportOutcome::kRefused) continue;
    refusals.push_back(boost::json::object{{"row", i},
                                           {"productKey", base::printable(rows[i].product_key, 64)},
                                           {"deviceName", base::printable(rows[i].device_name, 80)},
                                           {"reason", row.reason}});
    if (!lines.empty()) refusals.back().as_object()["line"] = lines[i];
  }
  const auto count = [&](registry::ImportOutcome outcome) { return counts[static_cast<std::size_t>(outcome)]; };
  return {{"created", count(registry::ImportOutcome::kCreated)},
          {"unchanged", count(registry::ImportOutcome::kUnchanged)},
          {"changed", count(registry::ImportOutcome::kChanged)},
          {"refused", count(registry::ImportOutcome::kRefused)},
          {"refusals", std::move(refusals)},
          {"productsCreated", boost::json::array(result.products_created.begin(), result.products_created.end())}};
}

struct CsvRows {
  std::vector<registry::ImportRow> rows;
  std::vector<std::size_t> lines;
};

// `first_line`: what the first line behind the header is called.
ApiResult<CsvRows> read_csv(std::string_view text, std::size_t first_line) {
  if (!base::is_utf8(text)) {
    return refuse(400, "invalid", "the text is not UTF-8: save the file with this encoding");
  }
  auto reader = DeviceCsvReader::open(text);
  if (!reader) return refuse(reader.error());
  CsvRows out;
  for (;;) {
    auto row = reader->next();
    if (!row) return refuse(row.error());
    if (!*row) return out;
    if (out.rows.size() == kImportRowsMax) {
      return refuse(400, "limit_exceeded", fmt::format("at most {} rows in one request", kImportRowsMax));
    }
    out.lines.push_back((*row)->line + first_line - 2);
    out.rows.push_back(std::move((*row)->device));
  }
}

}  // namespace

ApiResult<Reply> import_devices_csv(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"dryRun", "firstLine"}); !ok) return tl::unexpected(ok.error());
  const auto dry_run = request.flag("dryRun");
  if (!dry_run) return tl::unexpected(dry_run.error());
  const auto first_line = request.number("firstLine", 2, 1'000'000'000);
  if (!first_line) return tl::unexpected(first_line.error());
  const auto csv = read_csv(request.body, std::max(*first_line, 2U));
  if (!csv) return tl::unexpected(csv.error());
  const auto result = context.registry.import_devices(csv->rows, *dry_run);
  if (!result) return refuse(result.error());
  return Reply{report(csv->rows, *result, csv->lines)};
}

ApiResult<Reply> import_devices(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"dryRun", "rows"});
  if (!object) return tl::unexpected(object.error());
  const auto dry_run = read_bool(*object, "dryRun");
  if (!dry_run) return tl::unexpected(dry_run.error());
  const auto rows = read_rows(*object);
  if (!rows) return tl::unexpected(rows.error());
  const auto result = context.registry.import_devices(*rows, dry_run->value_or(false));
  if (!result) return refuse(result.error());
  return Reply{report(*rows, *result)};
}

}  // namespace mooring::api
