// Devices that register themselves: secrets, and clientIds with tokens (connection.md section 10).
#include <fmt/format.h>

#include "base/text.h"
#include "crypto/random.h"
#include "crypto/secret_hash.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::size_t kClientIdCharacters = 32;

Registration refused(RegistrationOutcome outcome) {
  Registration registration;
  registration.outcome = outcome;
  return registration;
}

// What decides about a registration of a device that is there.
struct Standing {
  bool has_secret = false;
  bool enabled = true;
  bool activated = false;
  int registration = 0;
};

std::optional<Standing> standing_of(SqliteConnection& connection, const base::DeviceKey& key) {
  Query query(connection,
              "SELECT device_secret <> '', enabled, activated_ms <> 0, registration FROM device "
              "WHERE product_key = ? AND device_name = ?",
              key.product_key, key.device_name);
  if (!query.step()) return std::nullopt;
  return Standing{query.integer(0) != 0, query.integer(1) != 0, query.integer(2) != 0,
                  static_cast<int>(query.integer(3))};
}

// A device that was online with a secret keeps it, else whoever knows the product's secret could take its place. Of one
// that lives by tokens each pair is somebody's own, so another may be issued.
bool keeps_what_it_has(const Standing& device, bool with_token) {
  if (!device.activated || device.registration != 0) return false;
  return device.has_secret || !with_token;
}

void set_registration(SqliteConnection& connection, const base::DeviceKey& key, int state) {
  Query(connection, "UPDATE device SET registration = ? WHERE product_key = ? AND device_name = ?", state,
        key.product_key, key.device_name)
      .run();
}

// Makes room for one more pair. False: all are in use.
bool make_room(SqliteConnection& connection, const base::DeviceKey& key, const std::string& random_hash) {
  // The same request once more: its answer was lost, or somebody replays it. Either way it adds nothing.
  Query(connection,
        "DELETE FROM device_token WHERE product_key = ? AND device_name = ? AND random_hash = ? AND used_ms = 0",
        key.product_key, key.device_name, random_hash)
      .run();
  Query count(connection, "SELECT count(*) FROM device_token WHERE product_key = ? AND device_name = ?",
              key.product_key, key.device_name);
  if (!count.step() || count.integer(0) < static_cast<std::int64_t>(kTokensPerDeviceMax)) return true;
  const int dropped =
      Query(
          connection,
          "DELETE FROM device_token WHERE product_key = ?1 AND device_name = ?2 AND client_id = (SELECT client_id "
          "FROM device_token WHERE product_key = ?1 AND device_name = ?2 AND used_ms = 0 ORDER BY created_ms LIMIT 1)",
          key.product_key, key.device_name)
          .run();
  return dropped > 0;
}

}  // namespace

std::vector<DeviceToken> load_tokens(SqliteConnection& connection, const base::DeviceKey& key) {
  std::vector<DeviceToken> tokens;
  Query query(connection,
              "SELECT client_id, token_hash, used_ms <> 0 FROM device_token WHERE product_key = ? AND device_name = ?",
              key.product_key, key.device_name);
  while (query.step()) tokens.push_back({query.text(0), query.text(1), query.integer(2) != 0});
  return tokens;
}

void delete_tokens(SqliteConnection& connection, const base::DeviceKey& key) {
  Query(connection, "DELETE FROM device_token WHERE product_key = ? AND device_name = ?", key.product_key,
        key.device_name)
      .run();
}

base::Result<Registration> SqliteRegistry::register_device(const RegistrationWanted& wanted) {
  using Outcome = RegistrationOutcome;
  const base::DeviceKey& key = wanted.key;
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Registration> {
    const auto product = load_product(connection, key.product_key);
    // A product of certificates admits nothing else.
    if (!product || product->auth_type == AuthType::kX509) return refused(Outcome::kSwitchedOff);
    const DynamicRegistration mode = product->dynamic_registration;
    if (mode == DynamicRegistration::kOff ||
        (wanted.with_token && mode != DynamicRegistration::kOnWithoutPreregistration)) {
      return refused(Outcome::kSwitchedOff);
    }
    const auto device = standing_of(connection, key);
    if (!device) {
      if (!wanted.with_token) return refused(Outcome::kNoSuchDevice);
      if (!check_device_name(key.device_name)) return refused(Outcome::kNameRefused);
      if (wanted.devices_max != 0 && product->device_count >= wanted.devices_max) return refused(Outcome::kProductFull);
      NewDevice fresh;
      fresh.device_name = key.device_name;
      fresh.without_secret = true;
      const auto made = insert_device(connection, key.product_key, fresh);
      if (!made) return tl::unexpected(made.error());
      add_to_device_count(connection, key.product_key, 1);
      changes.push_back({.kind = Change::Kind::kDeviceCreated, .key = key, .iot_id = made->iot_id});
      return issue_token(connection, wanted, false);
    }
    if (!device->enabled) return refused(Outcome::kDisabled);
    if (keeps_what_it_has(*device, wanted.with_token)) return refused(Outcome::kActivated);
    auto registration = wanted.with_token
                            ? issue_token(connection, wanted, device->has_secret || device->registration == kReset)
                            : issue_secret(connection, key);
    if (!registration || registration->outcome != Outcome::kIssued) return registration;
    if (device->registration == kReset && wanted.with_token) set_registration(connection, key, 0);
    changes.push_back({Change::Kind::kDeviceChanged, key});
    return registration;
  });
}

// A reset is used up with it.
base::Result<Registration> SqliteRegistry::issue_secret(SqliteConnection& connection, const base::DeviceKey& key) {
  Registration registration;
  registration.outcome = RegistrationOutcome::kIssued;
  registration.device_secret = crypto::make_device_secret(random_);
  Query(connection,
        "UPDATE device SET device_secret = ?, registration = CASE registration WHEN ? THEN ? ELSE registration END "
        "WHERE product_key = ? AND device_name = ?",
        registration.device_secret, kReset, kRegisteredAgain, key.product_key, key.device_name)
      .run();
  delete_tokens(connection, key);
  return registration;
}

// `reset`: what the device had before is void.
base::Result<Registration> SqliteRegistry::issue_token(SqliteConnection& connection, const RegistrationWanted& wanted,
                                                       bool reset) {
  const base::DeviceKey& key = wanted.key;
  if (reset) {
    Query(connection, "UPDATE device SET device_secret = '' WHERE product_key = ? AND device_name = ?", key.product_key,
          key.device_name)
        .run();
    delete_tokens(connection, key);
  }
  const std::string random_hash = crypto::token_hash(wanted.random);
  if (!make_room(connection, key, random_hash)) return refused(RegistrationOutcome::kTokensFull);
  Registration registration;
  registration.outcome = RegistrationOutcome::kIssued;
  const base::WallMs now_ms = clock_.wall_ms();
  registration.client_id = crypto::random_alphanumeric(random_, kClientIdCharacters);
  registration.device_token = crypto::make_device_token(random_, now_ms);
  Query(connection,
        "INSERT INTO device_token (product_key, device_name, client_id, token_hash, random_hash, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        key.product_key, key.device_name, registration.client_id, crypto::token_hash(registration.device_token),
        random_hash, now_ms)
      .run();
  return registration;
}

base::Result<> SqliteRegistry::mark_token_used(const base::DeviceKey& key, std::string_view client_id) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    const int marked = Query(connection,
                             "UPDATE device_token SET used_ms = ? WHERE product_key = ? AND device_name = ? "
                             "AND client_id = ? AND used_ms = 0",
                             clock_.wall_ms(), key.product_key, key.device_name, client_id)
                           .run();
    if (marked > 0) changes.push_back({Change::Kind::kDeviceChanged, key});
    return {};
  });
}

base::Result<Device> SqliteRegistry::reset_registration(const base::DeviceKey& key) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Device> {
    auto device = load_device(connection, key);
    if (!device) return device;
    set_registration(connection, key, kReset);
    changes.push_back({.kind = Change::Kind::kDeviceReset, .key = key, .status = device->status()});
    return device;
  });
}

base::Result<std::string> SqliteRegistry::server_key(std::string_view name) {
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<std::string> {
    Query known(connection, "SELECT value FROM server_key WHERE name = ?", name);
    if (known.step()) return known.text(0);
    std::array<std::uint8_t, 32> bytes{};
    random_.fill(bytes);
    std::string value = base::to_hex(bytes);
    Query(connection, "INSERT INTO server_key (name, value) VALUES (?, ?)", name, value).run();
    return value;
  });
}

}  // namespace mooring::registry
