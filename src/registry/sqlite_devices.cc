// Devices of the SQLite registry: administration, and the look-up of a sign-in.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "crypto/random.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kColumns =
    "product_key, device_name, iot_id, device_secret, nickname, enabled, online, created_ms, activated_ms, "
    "last_online_ms, last_offline_ms, last_address, sdk_lan, sdk_version, sdk_os, sdk_module, browser_origin, version";

// Devices of a status: in an index of their own where they can be few among many, named so that the planner cannot
// prefer another, and told apart further. OFFLINE has none, for it would be written with every coming and going.
struct StatusParts {
  std::string_view index;
  std::string_view indexed;
  std::string_view condition;
};
constexpr StatusParts kAnyStatus{"", "1", "1"};
constexpr std::size_t kIndexedRowsMax = kSearchRowsMax / 3;  // each is looked up in the table by itself

constexpr StatusParts parts_of(DeviceStatus status) {
  switch (status) {
    case DeviceStatus::kUnactive:
      return {"INDEXED BY device_unactive", "activated_ms = 0", "enabled = 1 AND online = 0"};
    case DeviceStatus::kOnline:
      return {"INDEXED BY device_online", "online = 1", "enabled = 1"};
    case DeviceStatus::kOffline:
      return {"", "1", "activated_ms <> 0 AND online = 0 AND enabled = 1"};
    case DeviceStatus::kDisable:
      return {"INDEXED BY device_disabled", "enabled = 0", "1"};
  }
  return kAnyStatus;
}

// Devices behind a key, or those of a product from one name to another.
constexpr std::string_view kRangeOfAll = "(product_key, device_name) > (?1, ?2)";
constexpr std::string_view kRangeInProduct = "product_key = ?1 AND device_name >= ?2 AND device_name < ?3";
constexpr std::string_view kKeyOrder = "ORDER BY product_key, device_name";

// Every list walks an index in key order, so a page costs the same wherever it begins.
struct ListQueries {
  explicit ListQueries(const StatusParts& status)
      : in_product(list_query(status, kRangeInProduct)),
        all(list_query(status, kRangeOfAll)),
        search_in_product(search_query(status, kRangeInProduct)),
        search_all(search_query(status, kRangeOfAll)),
        end_in_product(end_query(status, kRangeInProduct)),
        end_of_all(end_query(status, kRangeOfAll)) {}
  std::string in_product, all;
  std::string search_in_product, search_all;
  std::string end_in_product, end_of_all;

 private:
  static std::string list_query(const StatusParts& status, std::string_view range) {
    return fmt::format("SELECT {} FROM device {} WHERE {} AND {} AND {} {} LIMIT ?4", kColumns, status.index, range,
                       status.indexed, status.condition, kKeyOrder);
  }
  // Looks at ?4 devices (docs/adr/0015). The inner order is the outer one: a subquery with a LIMIT runs by itself, and
  // another ORDER BY would have all of it read and sorted for a page that is full after a hundred.
  static std::string search_query(const StatusParts& status, std::string_view range) {
    return fmt::format(
        "SELECT {} FROM (SELECT * FROM device {} WHERE {} AND {} {} LIMIT ?4) "
        "WHERE (device_name LIKE ?5 ESCAPE '\\' OR nickname LIKE ?5 ESCAPE '\\') AND {} LIMIT ?6",
        kColumns, status.index, range, status.indexed, kKeyOrder, status.condition);
  }
  // What the search of a page came to; nothing: the end.
  static std::string end_query(const StatusParts& status, std::string_view range) {
    return fmt::format("SELECT product_key, device_name FROM device {} WHERE {} AND {} {} LIMIT 1 OFFSET ?4",
                       status.index, range, status.indexed, kKeyOrder);
  }
};

const ListQueries& list_queries(std::optional<DeviceStatus> status) {
  static const ListQueries any(kAnyStatus);
  static const std::array<ListQueries, 4> by_status{
      ListQueries(parts_of(DeviceStatus::kUnactive)), ListQueries(parts_of(DeviceStatus::kOnline)),
      ListQueries(parts_of(DeviceStatus::kOffline)), ListQueries(parts_of(DeviceStatus::kDisable))};
  if (!status) return any;
  switch (*status) {
    case DeviceStatus::kUnactive:
      return by_status[0];
    case DeviceStatus::kOnline:
      return by_status[1];
    case DeviceStatus::kOffline:
      return by_status[2];
    case DeviceStatus::kDisable:
      return by_status[3];
  }
  return any;
}

// Whether a page may have to look at many devices that are not meant.
bool is_searched(const DeviceFilter& filter) {
  return !filter.search.empty() || filter.status == DeviceStatus::kOffline || filter.status == DeviceStatus::kUnactive;
}

std::string pattern_of(std::string_view part) {
  std::string pattern = "%";
  for (const char c : part) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

Device device_of(const Query& row) {
  Device device;
  device.key = {row.text(0), row.text(1)};
  device.iot_id = row.text(2);
  device.device_secret = row.text(3);
  device.nickname = row.text(4);
  device.enabled = row.integer(5) != 0;
  device.online = row.integer(6) != 0;
  device.created_ms = row.integer(7);
  device.activated_ms = row.integer(8);
  device.last_online_ms = row.integer(9);
  device.last_offline_ms = row.integer(10);
  device.last_address = row.text(11);
  device.facts = {row.text(12), row.text(13), row.text(14), row.text(15)};
  device.browser_origin = row.text(16);
  device.version = static_cast<std::uint64_t>(row.integer(17));
  return device;
}

base::DeviceKey key_of_cursor(std::string_view cursor) {
  const std::size_t slash = std::min(cursor.find('/'), cursor.size());
  return {std::string(cursor.substr(0, slash)),
          slash == cursor.size() ? std::string() : std::string(cursor.substr(slash + 1))};
}

Page<Device> collect(Query& query, std::size_t limit) {
  Page<Device> page;
  while (query.step()) {
    if (page.items.size() == limit) {
      const base::DeviceKey& last = page.items.back().key;
      page.next = fmt::format("{}/{}", last.product_key, last.device_name);
      break;
    }
    page.items.push_back(device_of(query));
  }
  return page;
}

// Names are ASCII without control characters: 0x01 leads to whatever follows a name, and 0x7f ends every prefix. One
// lower bound, for of two only the first would be sought, and the rest walked over.
std::string first_name(const DeviceFilter& filter, const base::DeviceKey& after) {
  const std::string behind = after.device_name.empty() ? std::string() : after.device_name + '\x01';
  return std::max(behind, filter.prefix);
}
std::string names_end(const DeviceFilter& filter) {
  return filter.prefix + '\x7f';
}

Page<Device> search_devices(SqliteConnection& connection, const DeviceFilter& filter, const base::DeviceKey& after,
                            std::size_t limit) {
  const bool in_product = !filter.product_key.empty();
  const std::string& product = in_product ? filter.product_key : after.product_key;
  const std::string begin = in_product ? first_name(filter, after) : after.device_name;
  const ListQueries& queries = list_queries(filter.status);
  const bool indexed = filter.status && !parts_of(*filter.status).index.empty();
  const std::size_t looked_at = indexed ? kIndexedRowsMax : kSearchRowsMax;
  Query query(connection, in_product ? queries.search_in_product : queries.search_all, product, begin,
              names_end(filter), looked_at, pattern_of(filter.search), limit + 1);
  Page<Device> page = collect(query, limit);
  if (!page.next.empty()) return page;
  Query end(connection, in_product ? queries.end_in_product : queries.end_of_all, product, begin, names_end(filter),
            looked_at - 1);
  if (end.step()) page.next = fmt::format("{}/{}", end.text(0), end.text(1));
  return page;
}

base::Result<> check_new_device(const NewDevice& device) {
  if (!device.device_name.empty()) {
    if (auto ok = check_device_name(device.device_name); !ok) return ok;
  }
  if (!device.device_secret.empty()) {
    if (auto ok = check_secret(device.device_secret, "device secret"); !ok) return ok;
  }
  return check_title(device.nickname, "nickname");
}

base::Result<> check_device_change(const DeviceChange& change) {
  if (change.device_secret) {
    if (auto ok = check_secret(*change.device_secret, "device secret"); !ok) return ok;
  }
  return change.nickname ? check_title(*change.nickname, "nickname") : base::Result<>{};
}

bool device_exists(SqliteConnection& connection, std::string_view product_key, std::string_view device_name) {
  return Query(connection, "SELECT 1 FROM device WHERE product_key = ? AND device_name = ?", product_key, device_name)
      .step();
}

}  // namespace

base::Error no_such_device(const base::DeviceKey& key) {
  return {base::Errc::kNotFound,
          fmt::format("there is no device '{}' in product '{}'", base::printable(key.device_name, 80),
                      base::printable(key.product_key, 64))};
}

base::Result<Device> load_device(SqliteConnection& connection, const base::DeviceKey& key) {
  static const std::string select =
      fmt::format("SELECT {} FROM device WHERE product_key = ? AND device_name = ?", kColumns);
  Query query(connection, select, key.product_key, key.device_name);
  if (!query.step()) return tl::unexpected(no_such_device(key));
  return device_of(query);
}

base::Result<Device> SqliteRegistry::insert_device(SqliteConnection& connection, const std::string& product_key,
                                                   const NewDevice& wanted) {
  Device device;
  device.key = {product_key, wanted.device_name.empty() ? new_device_name(random_) : wanted.device_name};
  device.nickname = wanted.nickname;
  device.created_ms = clock_.wall_ms();
  device.iot_id = new_iot_id(random_, device.created_ms);
  if (!wanted.without_secret) {
    device.device_secret = wanted.device_secret.empty() ? crypto::make_device_secret(random_) : wanted.device_secret;
  }
  if (device_exists(connection, product_key, device.key.device_name)) {
    return base::fail(base::Errc::kAlreadyExists,
                      fmt::format("device '{}' exists already in product '{}'", device.key.device_name, product_key));
  }
  Query(connection,
        "INSERT INTO device (product_key, device_name, device_secret, iot_id, enabled, created_ms, nickname, life) "
        "VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
        product_key, device.key.device_name, device.device_secret, device.iot_id, device.created_ms, device.nickname,
        new_life())
      .run();
  return device;
}

base::Result<std::vector<Device>> SqliteRegistry::create_devices(std::string_view product_key,
                                                                 std::span<const NewDevice> wanted) {
  if (wanted.size() > kBatchDevicesMax) {
    return base::fail(base::Errc::kLimitExceeded, fmt::format("at most {} devices at once", kBatchDevicesMax));
  }
  for (const NewDevice& device : wanted) {
    if (auto ok = check_new_device(device); !ok) return tl::unexpected(ok.error());
  }
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<std::vector<Device>> {
    if (!product_exists(connection, product_key)) return tl::unexpected(no_such_product(product_key));
    std::vector<Device> devices;
    devices.reserve(wanted.size());
    const bool without_secrets = load_product(connection, product_key)->auth_type == AuthType::kX509;
    for (NewDevice one : wanted) {
      one.without_secret = one.without_secret || (without_secrets && one.device_secret.empty());
      auto device = insert_device(connection, std::string(product_key), one);
      if (!device) return tl::unexpected(device.error());
      changes.push_back({.kind = Change::Kind::kDeviceCreated,
                         .key = device->key,
                         .iot_id = device->iot_id,
                         .device_secret = device->device_secret});
      devices.push_back(std::move(*device));
    }
    add_to_device_count(connection, product_key, static_cast<std::int64_t>(devices.size()));
    return devices;
  });
}

base::Result<Device> SqliteRegistry::get_device(const base::DeviceKey& key) {
  return read([&](SqliteConnection& connection) { return load_device(connection, key); });
}

base::Result<base::DeviceKey> SqliteRegistry::find_iot_id(std::string_view iot_id) {
  return read([&](SqliteConnection& connection) -> base::Result<base::DeviceKey> {
    Query query(connection, "SELECT product_key, device_name FROM device WHERE iot_id = ?", iot_id);
    if (!query.step()) {
      return base::fail(base::Errc::kNotFound,
                        fmt::format("there is no device with iotId '{}'", base::printable(iot_id, 80)));
    }
    return base::DeviceKey{query.text(0), query.text(1)};
  });
}

base::Result<Page<Device>> SqliteRegistry::list_devices(const DeviceFilter& filter, const PageRequest& request) {
  if (auto ok = check_page(request); !ok) return tl::unexpected(ok.error());
  const base::DeviceKey after = key_of_cursor(request.after);
  const ListQueries& queries = list_queries(filter.status);
  return read([&](SqliteConnection& connection) -> base::Result<Page<Device>> {
    if (is_searched(filter)) return search_devices(connection, filter, after, request.limit);
    if (filter.product_key.empty()) {
      Query query(connection, queries.all, after.product_key, after.device_name, std::string(), request.limit + 1);
      return collect(query, request.limit);
    }
    Query query(connection, queries.in_product, filter.product_key, first_name(filter, after), names_end(filter),
                request.limit + 1);
    return collect(query, request.limit);
  });
}

base::Result<Device> SqliteRegistry::update_device(const base::DeviceKey& key, const DeviceChange& wanted) {
  if (auto ok = check_device_change(wanted); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Device> {
    auto device = load_device(connection, key);
    if (!device) return device;
    if (auto ok = check_version(wanted.seen_version, device->version); !ok) return tl::unexpected(ok.error());
    const Device before = *device;
    if (wanted.nickname) device->nickname = *wanted.nickname;
    if (wanted.device_secret) device->device_secret = *wanted.device_secret;
    // No page has the new one yet.
    if (device->device_secret != before.device_secret) device->browser_origin.clear();
    if (wanted.enabled) device->enabled = *wanted.enabled;
    if (*device == before) return device;
    Query(connection,
          "UPDATE device SET nickname = ?1, device_secret = ?2, enabled = ?3, browser_origin = ?4, version = ?7, "
          "token_generation = token_generation + (enabled > ?3) WHERE product_key = ?5 AND device_name = ?6",
          device->nickname, device->device_secret, device->enabled, device->browser_origin, key.product_key,
          key.device_name, ++device->version)
        .run();
    if (device->device_secret != before.device_secret) delete_tokens(connection, key);
    if (device->enabled != before.enabled) {
      changes.push_back({.kind = device->enabled ? Change::Kind::kDeviceEnabled : Change::Kind::kDeviceDisabled,
                         .key = key,
                         .iot_id = device->iot_id,
                         .status = device->status(),
                         .gateway = load_gateway(connection, key).value_or(base::DeviceKey{})});
    }
    if (device->device_secret != before.device_secret || device->nickname != before.nickname) {
      changes.push_back({.kind = Change::Kind::kDeviceChanged, .key = key, .status = device->status()});
    }
    return device;
  });
}

base::Result<> SqliteRegistry::delete_device(const base::DeviceKey& key) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    Query known(connection, "SELECT iot_id FROM device WHERE product_key = ? AND device_name = ?", key.product_key,
                key.device_name);
    if (!known.step()) return tl::unexpected(no_such_device(key));
    const std::string iot_id = known.text(0);
    const base::DeviceKey gateway = load_gateway(connection, key).value_or(base::DeviceKey{});
    Query(connection,
          "INSERT OR IGNORE INTO deleted_device SELECT product_key, device_name, life FROM device "
          "WHERE product_key = ? AND device_name = ?",
          key.product_key, key.device_name)
        .run();
    tell_of_tickets(connection, key.product_key, key.device_name, clock_.wall_ms(), changes);
    tell_of_children(connection, key.product_key, key.device_name, changes);
    Query(connection, "DELETE FROM device WHERE product_key = ? AND device_name = ?", key.product_key, key.device_name)
        .run();
    add_to_device_count(connection, key.product_key, -1);
    changes.push_back({.kind = Change::Kind::kDeviceDeleted, .key = key, .iot_id = iot_id, .gateway = gateway});
    return {};
  });
}

Credential load_credential(SqliteConnection& connection, ProductCache& products, const base::DeviceKey& key) {
  Query query(connection,
              "SELECT p.revision, d.iot_id, d.device_secret, d.enabled, d.activated_ms, p.product_secret, p.name, "
              "p.profile, p.dynamic_registration, p.topic_classes, p.created_ms, d.life, d.browser_origin <> '', "
              "d.token_generation, p.auth_type, p.first_use, coalesce(t.gateway_product_key, ''), "
              "coalesce(t.gateway_device_name, '') "
              "FROM product p LEFT JOIN device d ON d.product_key = p.product_key AND d.device_name = ?2 "
              "LEFT JOIN topology t ON t.product_key = ?1 AND t.device_name = ?2 "
              "WHERE p.product_key = ?1",
              key.product_key, key.device_name);
  Credential credential;
  if (!query.step()) return credential;
  if (!query.is_null(1)) {
    credential.device = DeviceCredential{query.text(1),
                                         query.text(2),
                                         query.integer(3) != 0,
                                         query.integer(4),
                                         static_cast<std::uint32_t>(query.integer(11)),
                                         query.integer(12) != 0,
                                         static_cast<std::uint32_t>(query.integer(13))};
    credential.device->gateway = {query.text(16), query.text(17)};
    if (credential.device->device_secret.empty()) credential.device->tokens = load_tokens(connection, key);
  }
  const std::int64_t revision = query.integer(0);
  credential.product = products.find(key.product_key, revision);
  if (credential.product == nullptr) {
    Product product{key.product_key,
                    query.text(5),
                    query.text(6),
                    static_cast<Profile>(query.integer(7)),
                    static_cast<DynamicRegistration>(query.integer(8)),
                    topic_classes_from_text(query.text(9)),
                    query.integer(10),
                    0,
                    static_cast<AuthType>(query.integer(14)),
                    static_cast<FirstUse>(query.integer(15))};
    credential.product = std::make_shared<const Product>(std::move(product));
    products.put(revision, credential.product);
  }
  return credential;
}

base::Result<Credential> SqliteRegistry::find_credential(const base::DeviceKey& key) {
  return read([&](SqliteConnection& connection) -> base::Result<Credential> {
    return load_credential(connection, products_, key);
  });
}

base::Result<std::vector<DeletedDevice>> SqliteRegistry::deleted_devices(std::size_t limit) {
  if (auto ok = check_page({{}, limit}); !ok) return tl::unexpected(ok.error());
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<DeletedDevice>> {
    std::vector<DeletedDevice> devices;
    Query query(connection, "SELECT product_key, device_name, life FROM deleted_device LIMIT ?", limit);
    while (query.step()) {
      devices.push_back({{query.text(0), query.text(1)}, static_cast<std::uint32_t>(query.integer(2))});
    }
    return devices;
  });
}

base::Result<> SqliteRegistry::confirm_deleted(std::span<const DeletedDevice> devices) {
  if (devices.size() > kBatchDevicesMax) {
    return base::fail(base::Errc::kLimitExceeded, fmt::format("at most {} devices at once", kBatchDevicesMax));
  }
  // Need not wait for the disk: what comes back after a power failure is forgotten once more, which does no harm.
  return change(false, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    for (const DeletedDevice& device : devices) {
      Query(connection, "DELETE FROM deleted_device WHERE product_key = ? AND device_name = ? AND life = ?",
            device.key.product_key, device.key.device_name, device.life)
          .run();
    }
    return {};
  });
}

}  // namespace mooring::registry
