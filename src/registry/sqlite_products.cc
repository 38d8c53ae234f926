// Products of the SQLite registry.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "crypto/random.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kSelectProduct =
    "SELECT product_key, product_secret, name, profile, dynamic_registration, topic_classes, created_ms, device_count, "
    "auth_type, first_use, version "
    "FROM product WHERE product_key = ?";
constexpr std::string_view kListProducts =
    "SELECT product_key, product_secret, name, profile, dynamic_registration, topic_classes, created_ms, device_count, "
    "auth_type, first_use, version "
    "FROM product WHERE product_key >= ? AND product_key < ? ORDER BY product_key LIMIT ?";

Product product_of(const Query& row) {
  Product product;
  product.product_key = row.text(0);
  product.product_secret = row.text(1);
  product.name = row.text(2);
  product.profile = static_cast<Profile>(row.integer(3));
  product.dynamic_registration = static_cast<DynamicRegistration>(row.integer(4));
  product.topic_classes = topic_classes_from_text(row.text(5));
  product.created_ms = row.integer(6);
  product.device_count = static_cast<std::uint64_t>(row.integer(7));
  product.auth_type = static_cast<AuthType>(row.integer(8));
  product.first_use = static_cast<FirstUse>(row.integer(9));
  product.version = static_cast<std::uint64_t>(row.integer(10));
  return product;
}

base::Result<> check_product(const Product& product) {
  if (auto ok = check_product_key(product.product_key); !ok) return ok;
  if (auto ok = check_secret(product.product_secret, "product secret"); !ok) return ok;
  if (auto ok = check_title(product.name, "product name"); !ok) return ok;
  return check_topic_classes(product.topic_classes);
}

void apply(const ProductChange& change, Product& product) {
  if (change.product_secret) product.product_secret = *change.product_secret;
  if (change.name) product.name = *change.name;
  if (change.profile) product.profile = *change.profile;
  if (change.dynamic_registration) product.dynamic_registration = *change.dynamic_registration;
  if (change.topic_classes) product.topic_classes = *change.topic_classes;
  if (change.auth_type) product.auth_type = *change.auth_type;
  if (change.first_use) product.first_use = *change.first_use;
}

}  // namespace

std::string topic_classes_to_text(const std::vector<TopicClass>& topic_classes) {
  std::string text;
  for (const TopicClass& topic_class : topic_classes) {
    text += fmt::format("{}:{}\n", topic_class.suffix, to_text(topic_class.right));
  }
  return text;
}

std::vector<TopicClass> topic_classes_from_text(std::string_view text) {
  std::vector<TopicClass> topic_classes;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (auto topic_class = parse_topic_class(text.substr(begin, end - begin))) {
      topic_classes.push_back(std::move(*topic_class));
    }
    begin = end + 1;
  }
  return topic_classes;
}

base::Error no_such_product(std::string_view product_key) {
  return {base::Errc::kNotFound, fmt::format("there is no product '{}'", base::printable(product_key, 64))};
}

base::Result<> check_version(std::optional<std::uint64_t> seen, std::uint64_t found) {
  if (!seen || *seen == found) return {};
  return base::fail(base::Errc::kConflict,
                    fmt::format("somebody else changed it meanwhile: version {} was seen, now it is {}", *seen, found));
}

bool product_exists(SqliteConnection& connection, std::string_view product_key) {
  return Query(connection, "SELECT 1 FROM product WHERE product_key = ?", product_key).step();
}

base::Result<Product> load_product(SqliteConnection& connection, std::string_view product_key) {
  Query query(connection, kSelectProduct, product_key);
  if (!query.step()) return tl::unexpected(no_such_product(product_key));
  return product_of(query);
}

void add_to_device_count(SqliteConnection& connection, std::string_view product_key, std::int64_t difference) {
  Query(connection, "UPDATE product SET device_count = device_count + ? WHERE product_key = ?", difference, product_key)
      .run();
}

Product SqliteRegistry::complete(const NewProduct& wanted) {
  Product product;
  product.product_key = wanted.product_key.empty() ? crypto::make_product_key(random_) : wanted.product_key;
  product.product_secret = wanted.product_secret.empty() ? crypto::make_product_secret(random_) : wanted.product_secret;
  product.name = wanted.name.empty() ? product.product_key : wanted.name;
  product.profile = wanted.profile;
  product.dynamic_registration = wanted.dynamic_registration;
  product.topic_classes = wanted.topic_classes;
  product.auth_type = wanted.auth_type;
  product.first_use = wanted.first_use;
  product.created_ms = clock_.wall_ms();
  return product;
}

void SqliteRegistry::insert_product(SqliteConnection& connection, const Product& product) {
  Query(connection,
        "INSERT INTO product (product_key, product_secret, name, profile, dynamic_registration, topic_classes, "
        "created_ms, revision, auth_type, first_use) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        product.product_key, product.product_secret, product.name, product.profile, product.dynamic_registration,
        topic_classes_to_text(product.topic_classes), product.created_ms, new_revision(), product.auth_type,
        product.first_use)
      .run();
}

base::Result<Product> SqliteRegistry::create_product(const NewProduct& wanted) {
  const Product product = complete(wanted);
  if (auto ok = check_product(product); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Product> {
    if (product_exists(connection, product.product_key)) {
      return base::fail(base::Errc::kAlreadyExists, fmt::format("product '{}' exists already", product.product_key));
    }
    insert_product(connection, product);
    changes.push_back({Change::Kind::kProductCreated, {product.product_key, {}}});
    return product;
  });
}

base::Result<Product> SqliteRegistry::get_product(std::string_view product_key) {
  return read([&](SqliteConnection& connection) { return load_product(connection, product_key); });
}

base::Result<Page<Product>> SqliteRegistry::list_products(const ProductFilter& filter, const PageRequest& request) {
  if (auto ok = check_page(request); !ok) return tl::unexpected(ok.error());
  return read([&](SqliteConnection& connection) -> base::Result<Page<Product>> {
    Page<Product> page;
    // Keys are ASCII: 0x01 leads to whatever follows a key, and 0x7f ends every prefix. One lower bound, as for
    // devices.
    const std::string behind = request.after.empty() ? std::string() : request.after + '\x01';
    Query query(connection, kListProducts, std::max(behind, filter.prefix), filter.prefix + '\x7f', request.limit + 1);
    while (query.step()) {
      if (page.items.size() == request.limit) {
        page.next = page.items.back().product_key;
        break;
      }
      page.items.push_back(product_of(query));
    }
    return page;
  });
}

base::Result<Product> SqliteRegistry::update_product(std::string_view product_key, const ProductChange& wanted) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Product> {
    auto product = load_product(connection, product_key);
    if (!product) return product;
    if (auto ok = check_version(wanted.seen_version, product->version); !ok) return tl::unexpected(ok.error());
    const Product before = *product;
    apply(wanted, *product);
    if (*product == before) return product;
    if (auto ok = check_product(*product); !ok) return tl::unexpected(ok.error());
    Query(connection,
          "UPDATE product SET product_secret = ?, name = ?, profile = ?, dynamic_registration = ?, topic_classes = ?, "
          "revision = ?, auth_type = ?, first_use = ?, version = ? WHERE product_key = ?",
          product->product_secret, product->name, product->profile, product->dynamic_registration,
          topic_classes_to_text(product->topic_classes), new_revision(), product->auth_type, product->first_use,
          ++product->version, product_key)
        .run();
    changes.push_back({Change::Kind::kProductChanged, {product->product_key, {}}});
    return product;
  });
}

base::Result<> SqliteRegistry::delete_product(std::string_view product_key, bool with_devices) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    const auto product = load_product(connection, product_key);
    if (!product) return tl::unexpected(product.error());
    if (product->device_count != 0 && !with_devices) {
      return base::fail(base::Errc::kInvalidArgument,
                        fmt::format("product '{}' still has {} devices", product_key, product->device_count));
    }
    tell_of_children(connection, product_key, {}, changes);
    Query devices(connection,
                  "SELECT d.device_name, d.iot_id, coalesce(t.gateway_product_key, ''), "
                  "coalesce(t.gateway_device_name, '') FROM device d LEFT JOIN topology t "
                  "ON t.product_key = d.product_key AND t.device_name = d.device_name WHERE d.product_key = ?",
                  product_key);
    while (devices.step()) {
      changes.push_back({.kind = Change::Kind::kDeviceDeleted,
                         .key = {std::string(product_key), devices.text(0)},
                         .iot_id = devices.text(1),
                         .gateway = {devices.text(2), devices.text(3)}});
    }
    Query(connection,
          "INSERT OR IGNORE INTO deleted_device SELECT product_key, device_name, life FROM device "
          "WHERE product_key = ?",
          product_key)
        .run();
    tell_of_tickets(connection, product_key, {}, clock_.wall_ms(), changes);
    Query(connection, "DELETE FROM device WHERE product_key = ?", product_key).run();
    Query(connection, "DELETE FROM product WHERE product_key = ?", product_key).run();
    changes.push_back({Change::Kind::kProductDeleted, {std::string(product_key), {}}});
    return {};
  });
}

}  // namespace mooring::registry
