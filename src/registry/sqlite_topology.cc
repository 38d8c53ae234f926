// Gateways and their children in the SQLite registry.
#include <fmt/format.h>

#include "base/text.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

bool device_exists(SqliteConnection& connection, const base::DeviceKey& key) {
  return Query(connection, "SELECT 1 FROM device WHERE product_key = ? AND device_name = ?", key.product_key,
               key.device_name)
      .step();
}

std::size_t count_children(SqliteConnection& connection, const base::DeviceKey& gateway) {
  Query query(connection, "SELECT count(*) FROM topology WHERE gateway_product_key = ? AND gateway_device_name = ?",
              gateway.product_key, gateway.device_name);
  query.step();
  return static_cast<std::size_t>(query.integer(0));
}

Change topology_change(const base::DeviceKey& child, base::DeviceKey gateway, base::DeviceKey former) {
  Change change{.kind = Change::Kind::kTopologyChanged, .key = child};
  change.gateway = std::move(gateway);
  change.former_gateway = std::move(former);
  return change;
}

base::Result<> check_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children) {
  if (children.size() > kChildrenPerCallMax) {
    return base::fail(base::Errc::kInvalidArgument, fmt::format("at most {} children at once", kChildrenPerCallMax));
  }
  for (const base::DeviceKey& child : children) {
    if (child == gateway) return base::fail(base::Errc::kInvalidArgument, "a gateway cannot be its own child");
  }
  return {};
}

// Why a gateway gets no secret for the device; kIssued: it gets one. Nothing but its connection speaks for it, so what
// somebody has a secret for already is not replaced, unless that is its own child before it was online, or an operator
// has reset it.
RegistrationOutcome claim(SqliteConnection& connection, const base::DeviceKey& gateway, const base::DeviceKey& child,
                          std::string& iot_id) {
  using Outcome = RegistrationOutcome;
  Query query(connection,
              "SELECT iot_id, enabled, registration, activated_ms <> 0, device_secret <> '' OR EXISTS (SELECT 1 FROM "
              "device_token WHERE product_key = ?1 AND device_name = ?2) FROM device "
              "WHERE product_key = ?1 AND device_name = ?2",
              child.product_key, child.device_name);
  if (!query.step()) return Outcome::kNoSuchDevice;
  iot_id = query.text(0);
  if (query.integer(1) == 0) return Outcome::kDisabled;
  const auto owner = load_gateway(connection, child);
  if (owner && *owner != gateway) return Outcome::kOtherGateway;
  const std::int64_t registration = query.integer(2);
  if (registration == kReset) return Outcome::kIssued;
  const bool activated = query.integer(3) != 0 && registration == 0;
  const bool is_taken = query.integer(4) != 0 && !owner;
  return activated || is_taken ? Outcome::kActivated : Outcome::kIssued;
}

// False: it is that already.
bool put_below(SqliteConnection& connection, const base::DeviceKey& gateway, const base::DeviceKey& child,
               base::WallMs now_ms, std::vector<Change>& changes) {
  const auto former = load_gateway(connection, child);
  if (former && *former == gateway) return false;
  Query(connection,
        "INSERT INTO topology (product_key, device_name, gateway_product_key, gateway_device_name, added_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (product_key, device_name) DO UPDATE SET "
        "gateway_product_key = ?3, gateway_device_name = ?4, added_ms = ?5",
        child.product_key, child.device_name, gateway.product_key, gateway.device_name, now_ms)
      .run();
  changes.push_back(topology_change(child, gateway, former.value_or(base::DeviceKey{})));
  return true;
}

base::Result<> check_count(SqliteConnection& connection, const base::DeviceKey& gateway, std::size_t children_max) {
  if (children_max == 0 || count_children(connection, gateway) <= children_max) return {};
  return base::fail(base::Errc::kLimitExceeded, fmt::format("a gateway has at most {} children", children_max));
}

}  // namespace

std::optional<base::DeviceKey> load_gateway(SqliteConnection& connection, const base::DeviceKey& child) {
  Query query(connection,
              "SELECT gateway_product_key, gateway_device_name FROM topology WHERE product_key = ? AND device_name = ?",
              child.product_key, child.device_name);
  if (!query.step()) return std::nullopt;
  return base::DeviceKey{query.text(0), query.text(1)};
}

void tell_of_children(SqliteConnection& connection, std::string_view product_key, std::string_view device_name,
                      std::vector<Change>& changes) {
  constexpr std::string_view kOfDevice =
      "SELECT product_key, device_name, gateway_device_name FROM topology "
      "WHERE gateway_product_key = ?1 AND gateway_device_name = ?2";
  constexpr std::string_view kOfProduct =
      "SELECT product_key, device_name, gateway_device_name FROM topology "
      "WHERE gateway_product_key = ?1 AND gateway_device_name > ?2";  // than nothing: all
  Query query(connection, device_name.empty() ? kOfProduct : kOfDevice, product_key, device_name);
  while (query.step()) {
    changes.push_back(topology_change({query.text(0), query.text(1)}, {}, {std::string(product_key), query.text(2)}));
  }
}

base::Result<> SqliteRegistry::add_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children,
                                            std::size_t children_max) {
  if (auto ok = check_children(gateway, children); !ok) return ok;
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    if (!device_exists(connection, gateway)) return tl::unexpected(no_such_device(gateway));
    bool is_new = false;
    for (const base::DeviceKey& child : children) {
      if (!device_exists(connection, child)) return tl::unexpected(no_such_device(child));
      is_new |= put_below(connection, gateway, child, clock_.wall_ms(), changes);
    }
    if (is_new) return check_count(connection, gateway, children_max);
    return {};
  });
}

base::Result<> SqliteRegistry::remove_children(const base::DeviceKey& gateway,
                                               std::span<const base::DeviceKey> children) {
  if (auto ok = check_children(gateway, children); !ok) return ok;
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    for (const base::DeviceKey& child : children) {
      const int removed = Query(connection,
                                "DELETE FROM topology WHERE product_key = ? AND device_name = ? AND "
                                "gateway_product_key = ? AND gateway_device_name = ?",
                                child.product_key, child.device_name, gateway.product_key, gateway.device_name)
                              .run();
      if (removed == 0) {
        return base::fail(base::Errc::kNotFound,
                          fmt::format("'{}' is no child of this gateway", base::printable(child.device_name, 80)));
      }
      changes.push_back(topology_change(child, {}, gateway));
    }
    return {};
  });
}

base::Result<std::vector<base::DeviceKey>> SqliteRegistry::list_children(const base::DeviceKey& gateway,
                                                                         const base::DeviceKey& after,
                                                                         std::size_t limit) {
  if (auto ok = check_page({{}, limit}); !ok) return tl::unexpected(ok.error());
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<base::DeviceKey>> {
    std::vector<base::DeviceKey> children;
    Query query(connection,
                "SELECT product_key, device_name FROM topology WHERE gateway_product_key = ? AND "
                "gateway_device_name = ? AND (product_key, device_name) > (?, ?) ORDER BY product_key, device_name "
                "LIMIT ?",
                gateway.product_key, gateway.device_name, after.product_key, after.device_name, limit);
    while (query.step()) children.push_back({query.text(0), query.text(1)});
    return children;
  });
}

base::Result<std::optional<base::DeviceKey>> SqliteRegistry::find_gateway(const base::DeviceKey& child) {
  return read([&](SqliteConnection& connection) -> base::Result<std::optional<base::DeviceKey>> {
    return load_gateway(connection, child);
  });
}

base::Result<ChildrenRegistration> SqliteRegistry::register_children(const base::DeviceKey& gateway,
                                                                     std::span<const base::DeviceKey> children,
                                                                     std::size_t children_max) {
  using Outcome = RegistrationOutcome;
  if (auto ok = check_children(gateway, children); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<ChildrenRegistration> {
    if (!device_exists(connection, gateway)) return tl::unexpected(no_such_device(gateway));
    ChildrenRegistration done{Outcome::kIssued, {}, {}};
    for (const base::DeviceKey& child : children) {  // all of them, before anything is issued
      const auto product = load_product(connection, child.product_key);
      ChildRegistration wanted{child, {}, {}};
      Outcome outcome = Outcome::kNoSuchProduct;
      if (product) {
        const bool is_off =
            product->auth_type == AuthType::kX509 || product->dynamic_registration == DynamicRegistration::kOff;
        outcome = is_off ? Outcome::kSwitchedOff : claim(connection, gateway, child, wanted.iot_id);
      }
      if (outcome != Outcome::kIssued) return ChildrenRegistration{outcome, child, {}};
      done.children.push_back(std::move(wanted));
    }
    for (ChildRegistration& child : done.children) {
      auto issued = issue_secret(connection, child.key);
      if (!issued) return tl::unexpected(issued.error());
      child.device_secret = std::move(issued->device_secret);
      put_below(connection, gateway, child.key, clock_.wall_ms(), changes);
      changes.push_back({Change::Kind::kDeviceChanged, child.key});
    }
    if (auto ok = check_count(connection, gateway, children_max); !ok) return tl::unexpected(ok.error());
    return done;
  });
}

}  // namespace mooring::registry
