// Import operation of the admin API.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>

#include "api/admin_operations.h"
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

boost::json::object report(const std::vector<registry::ImportRow>& rows, const registry::ImportResult& result) {
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
  }
  const auto count = [&](registry::ImportOutcome outcome) { return counts[static_cast<std::size_t>(outcome)]; };
  return {{"created", count(registry::ImportOutcome::kCreated)},
          {"unchanged", count(registry::ImportOutcome::kUnchanged)},
          {"changed", count(registry::ImportOutcome::kChanged)},
          {"refused", count(registry::ImportOutcome::kRefused)},
          {"refusals", std::move(refusals)},
          {"productsCreated", boost::json::array(result.products_created.begin(), result.products_created.end())}};
}

}  // namespace

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
