// Import into the SQLite registry: many rows, one transaction.
#include <fmt/format.h>

#include <map>

#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {

class SqliteRegistry::Importer {
 public:
  Importer(SqliteRegistry& registry, SqliteConnection& connection, Changes& changes)
      : registry_(registry), connection_(connection), changes_(changes) {}

  ImportResult run(std::span<const ImportRow> rows) {
    result_.rows.reserve(rows.size());
    for (const ImportRow& row : rows) result_.rows.push_back(take(row));
    for (const auto& [product_key, count] : created_by_product_) {
      add_to_device_count(connection_, product_key, count);
    }
    return std::move(result_);
  }

 private:
  static ImportRowResult refused(std::string reason) { return {ImportOutcome::kRefused, std::move(reason)}; }

  ImportRowResult take(const ImportRow& row) {
    if (auto ok = check(row); !ok) return refused(std::move(ok.error().message));
    Query existing(connection_, "SELECT device_secret, nickname FROM device WHERE product_key = ? AND device_name = ?",
                   row.product_key, row.device_name);
    if (!existing.step()) return create(row);
    const std::string secret = existing.text(0);
    const std::string nickname = existing.text(1);
    if (secret == row.device_secret && row.nickname.value_or(nickname) == nickname) {
      return {ImportOutcome::kUnchanged, {}};
    }
    Query(connection_,
          "UPDATE device SET browser_origin = CASE device_secret WHEN ?1 THEN browser_origin ELSE '' END, "
          "device_secret = ?1, nickname = ?2 WHERE product_key = ?3 AND device_name = ?4",
          row.device_secret, row.nickname.value_or(nickname), row.product_key, row.device_name)
        .run();
    if (secret != row.device_secret) delete_tokens(connection_, {row.product_key, row.device_name});
    changes_.push_back({Change::Kind::kDeviceChanged, {row.product_key, row.device_name}});
    return {ImportOutcome::kChanged, {}};
  }

  static base::Result<> check(const ImportRow& row) {
    if (auto ok = check_product_key(row.product_key); !ok) return ok;
    if (auto ok = check_device_name(row.device_name); !ok) return ok;
    if (auto ok = check_secret(row.device_secret, "device secret"); !ok) return ok;
    if (!row.iot_id.empty()) {
      if (auto ok = check_iot_id(row.iot_id); !ok) return ok;
    }
    return row.nickname ? check_title(*row.nickname, "nickname") : base::Result<>{};
  }

  ImportRowResult create(const ImportRow& row) {
    if (!row.iot_id.empty() && Query(connection_, "SELECT 1 FROM device WHERE iot_id = ?", row.iot_id).step()) {
      return refused(fmt::format("iotId '{}' belongs to another device", row.iot_id));
    }
    ensure_product(row.product_key);
    const base::WallMs now_ms = registry_.clock_.wall_ms();
    const std::string iot_id = row.iot_id.empty() ? new_iot_id(registry_.random_, now_ms) : row.iot_id;
    Query(connection_,
          "INSERT INTO device (product_key, device_name, device_secret, iot_id, enabled, created_ms, nickname, life) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          row.product_key, row.device_name, row.device_secret, iot_id, row.enabled, now_ms,
          row.nickname.value_or(std::string()), registry_.new_life())
        .run();
    ++created_by_product_[row.product_key];
    changes_.push_back({.kind = Change::Kind::kDeviceCreated,
                        .key = {row.product_key, row.device_name},
                        .iot_id = iot_id,
                        .device_secret = row.device_secret});
    return {ImportOutcome::kCreated, {}};
  }

  void ensure_product(const std::string& product_key) {
    if (created_by_product_.contains(product_key) || product_exists(connection_, product_key)) return;
    NewProduct product;
    product.product_key = product_key;
    registry_.insert_product(connection_, registry_.complete(product));
    result_.products_created.push_back(product_key);
    changes_.push_back({Change::Kind::kProductCreated, {product_key, {}}});
  }

  SqliteRegistry& registry_;
  SqliteConnection& connection_;
  Changes& changes_;
  ImportResult result_;
  std::map<std::string, std::int64_t> created_by_product_;
};

base::Result<ImportResult> SqliteRegistry::import_devices(std::span<const ImportRow> rows, bool dry_run) {
  if (rows.size() > kBatchDevicesMax) {
    return base::fail(base::Errc::kLimitExceeded, fmt::format("at most {} rows at once", kBatchDevicesMax));
  }
  ImportResult result;
  // A trial run does the same work and is rolled back by "failing".
  const auto done = change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    result = Importer(*this, connection, changes).run(rows);
    return dry_run ? base::Result<>(base::fail(base::Errc::kInternal, {})) : base::Result<>{};
  });
  const bool rolled_back_on_purpose = dry_run && !done && done.error().message.empty();
  if (!done && !rolled_back_on_purpose) return tl::unexpected(done.error());
  return result;
}

}  // namespace mooring::registry
