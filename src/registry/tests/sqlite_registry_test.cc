#include "registry/sqlite_registry.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

NewProduct product_named(std::string product_key) {
  NewProduct product;
  product.product_key = std::move(product_key);
  return product;
}

void execute(const std::filesystem::path& file, const std::string& sql) {
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec(sql);
}

TEST(SqliteRegistry, what_was_stored_is_there_after_reopening) {
  SqliteFixture fixture;
  Device created;
  {
    auto registry = fixture.open();
    ASSERT_TRUE(registry->create_product(product_named("pk")));
    const std::vector<NewDevice> one(1);
    created = registry->create_devices("pk", one)->front();
  }
  auto registry = fixture.open();
  EXPECT_EQ(*registry->get_device(created.key), created);
}

TEST(SqliteRegistry, its_file_is_private) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  ASSERT_TRUE(registry->create_product(product_named("pk")));
  for (const char* name : {"registry.db", "registry.db-wal", "registry.db-shm"}) {
    const auto permissions = std::filesystem::status(fixture.folder / name).permissions();
    EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write) << name;
  }
}

TEST(SqliteRegistry, refuses_a_newer_schema_and_leaves_it_alone) {
  SqliteFixture fixture;
  fixture.open();
  execute(fixture.folder / "registry.db", "INSERT INTO schema_version VALUES (9999, 0)");
  const auto opened = open_sqlite_registry({.file = fixture.folder / "registry.db"}, fixture.random, fixture.clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Errc::kInvalidArgument);
  EXPECT_NE(opened.error().message.find("newer version"), std::string::npos) << opened.error().message;
}

TEST(SqliteRegistry, refuses_files_of_others) {
  SqliteFixture fixture;
  execute(fixture.folder / "foreign.db", "CREATE TABLE notes (text TEXT)");
  EXPECT_EQ(open_sqlite_registry({.file = fixture.folder / "foreign.db"}, fixture.random, fixture.clock).error().code,
            base::Errc::kInvalidArgument);
  std::ofstream(fixture.folder / "text.db") << std::string(5000, 'x');
  EXPECT_EQ(open_sqlite_registry({.file = fixture.folder / "text.db"}, fixture.random, fixture.clock).error().code,
            base::Errc::kCorrupt);
  EXPECT_EQ(
      open_sqlite_registry({.file = fixture.folder / "no" / "where.db"}, fixture.random, fixture.clock).error().code,
      base::Errc::kIo);
}

// Back before the step of the schema that brought tickets.
const std::string kDropTickets =
    "DROP TABLE ticket_permission; DROP TABLE ticket; DROP TABLE api_token; ALTER TABLE device DROP COLUMN "
    "browser_origin; ";

TEST(SqliteRegistry, an_empty_file_gets_the_whole_schema) {
  SqliteFixture fixture;
  std::ofstream(fixture.folder / "registry.db").close();
  EXPECT_TRUE(fixture.open()->create_product(product_named("pk")));
}

// What registration added in the fourth step.
constexpr char kUndoRegistration[] =
    "DROP TABLE device_token; DROP TABLE server_key; ALTER TABLE device DROP COLUMN token_generation; "
    "ALTER TABLE device DROP COLUMN registration;";

// And versions, users, the audit log and the topology at the end.
constexpr char kUndoVersions[] =
    "ALTER TABLE product DROP COLUMN version; ALTER TABLE device DROP COLUMN version; "
    "ALTER TABLE account DROP COLUMN version; DROP TABLE console_user; DROP TABLE audit; DROP TABLE topology;";

// And X.509 after that.
constexpr char kUndoCertificates[] =
    "DROP TABLE unbound_certificate; DROP TABLE revoked_serial; DROP TABLE revoked_certificate; DROP TABLE "
    "device_certificate; DROP TABLE authority; "
    "ALTER TABLE product DROP COLUMN first_use; ALTER TABLE product DROP COLUMN auth_type;";

TEST(SqliteRegistry, devices_of_the_first_schema_keep_the_life_without_a_number) {
  SqliteFixture fixture;
  const base::DeviceKey key{"pk", "dev1"};
  NewDevice device;
  device.device_name = key.device_name;
  {
    auto registry = fixture.open();
    ASSERT_TRUE(registry->create_product(product_named("pk")));
    ASSERT_TRUE(registry->create_devices("pk", std::span(&device, 1)));
  }
  execute(fixture.folder / "registry.db", kUndoVersions);
  execute(fixture.folder / "registry.db", kUndoCertificates);
  execute(fixture.folder / "registry.db", kUndoRegistration);
  execute(fixture.folder / "registry.db",
          kDropTickets +
              "DROP TABLE account_permission; DROP TABLE account; DROP TABLE deleted_device; ALTER TABLE device DROP "
              "COLUMN life; DELETE FROM schema_version WHERE version > 1");
  auto registry = fixture.open();
  EXPECT_EQ(registry->find_credential(key)->device->life, 0U);
  ASSERT_TRUE(registry->delete_device(key));
  EXPECT_EQ(registry->deleted_devices(10), (std::vector<DeletedDevice>{{key, 0}}));
  ASSERT_TRUE(registry->create_devices("pk", std::span(&device, 1)));
  EXPECT_NE(registry->find_credential(key)->device->life, 0U);
}

TEST(SqliteRegistry, a_registry_of_the_second_schema_takes_accounts_and_keeps_its_devices) {
  SqliteFixture fixture;
  Device created;
  {
    auto registry = fixture.open();
    ASSERT_TRUE(registry->create_product(product_named("pk")));
    created = registry->create_devices("pk", std::vector<NewDevice>(1))->front();
  }
  execute(fixture.folder / "registry.db", kUndoVersions);
  execute(fixture.folder / "registry.db", kUndoCertificates);
  execute(fixture.folder / "registry.db", kUndoRegistration);
  execute(
      fixture.folder / "registry.db",
      kDropTickets + "DROP TABLE account_permission; DROP TABLE account; DELETE FROM schema_version WHERE version > 2");
  auto registry = fixture.open();
  EXPECT_EQ(*registry->get_device(created.key), created);
  ASSERT_TRUE(registry->create_account({"console", "$hash", {{AccountRight::kAll, "#"}}}));
  registry.reset();
  EXPECT_EQ((*fixture.open()->find_account("console"))->permissions.size(), 1U);
}

TEST(SqliteRegistry, a_locked_file_is_unavailable_not_broken) {
  SqliteFixture fixture;
  auto registry = open_sqlite_registry({.file = fixture.folder / "registry.db", .busy_timeout_ms = 20}, fixture.random,
                                       fixture.clock);
  ASSERT_TRUE(registry);
  SQLite::Database other((fixture.folder / "registry.db").string(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_EQ((*registry)->create_product(product_named("pk")).error().code, base::Errc::kUnavailable);
  other.exec("ROLLBACK");
  EXPECT_TRUE((*registry)->create_product(product_named("pk")));
}

TEST(SqliteRegistry, many_threads_read_while_one_writes) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  ASSERT_TRUE(registry->create_product(product_named("pk")));
  std::atomic<bool> writing{true};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (writing) {
        const auto product = registry->get_product("pk");
        const auto page = registry->list_devices({"pk", "", {}}, {"", 1000});
        // Every transaction adds ten devices and their count: nobody may see half of one.
        if (!product || product->device_count % 10 != 0 || !page || page->items.size() % 10 != 0) ++wrong;
      }
    });
  }
  for (int round = 0; round < 40; ++round) {
    const std::vector<NewDevice> ten(10);
    EXPECT_TRUE(registry->create_devices("pk", ten));
  }
  writing = false;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(registry->get_product("pk")->device_count, 400U);
}

// Names the index that a list uses, so that a new column or a planner's whim cannot turn paging into scanning.
TEST(SqliteRegistry, lists_and_look_ups_walk_an_index) {
  SqliteFixture fixture;
  fixture.open();
  SQLite::Database database((fixture.folder / "registry.db").string(), SQLite::OPEN_READONLY);
  const auto plan = [&](const char* sql) {
    std::string text;
    for (SQLite::Statement query(database, std::string("EXPLAIN QUERY PLAN ") + sql); query.executeStep();) {
      text += query.getColumn(3).getString() + "\n";
    }
    return text;
  };
  const std::string page = plan(
      "SELECT device_name FROM device WHERE product_key = 'p' AND device_name >= 'a' AND "
      "device_name < 'z' AND 1 ORDER BY device_name LIMIT 10");
  EXPECT_NE(page.find("SEARCH device USING PRIMARY KEY"), std::string::npos) << page;
  const std::string all = plan(
      "SELECT device_name FROM device INDEXED BY device_online WHERE (product_key, device_name) > ('p', 'd') AND "
      "online = 1 AND enabled = 1 ORDER BY product_key, device_name LIMIT 10");
  EXPECT_NE(all.find("USING INDEX device_online"), std::string::npos) << all;
  const std::string children = plan(
      "SELECT product_key, device_name FROM topology WHERE gateway_product_key = 'p' AND gateway_device_name = 'd' AND "
      "(product_key, device_name) > ('p', 'd') ORDER BY product_key, device_name LIMIT 10");
  EXPECT_NE(children.find("USING COVERING INDEX topology_gateway"), std::string::npos) << children;
  EXPECT_EQ(children.find("TEMP B-TREE"), std::string::npos) << children;
  EXPECT_EQ(page.find("TEMP B-TREE") + all.find("TEMP B-TREE"), 2 * std::string::npos) << page << all;
}

}  // namespace
}  // namespace mooring::registry
