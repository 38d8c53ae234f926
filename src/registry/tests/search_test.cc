// Search by any part of a name, also among 1,000,000 devices.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

constexpr int kFleet = 1'000'000;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kSlack = 10;
#else
constexpr double kSlack = 1;
#endif

void execute(const std::filesystem::path& file, const std::string& sql) {
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
  database.exec(sql);
}

std::vector<std::string> names(const Page<Device>& page) {
  std::vector<std::string> out;
  for (const Device& device : page.items) out.push_back(device.key.device_name);
  return out;
}

TEST(Search, finds_parts_of_names_and_nicknames_and_takes_nothing_for_a_wildcard) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  NewProduct product;
  product.product_key = "pk";
  ASSERT_TRUE(registry->create_product(product));
  std::vector<NewDevice> devices(4);
  devices[0].device_name = "Boiler-7";
  devices[1].device_name = "pump-1";
  devices[1].nickname = "Hall 100%_left";
  devices[2].device_name = "pump-2";
  devices[2].nickname = "锅炉";
  devices[3].device_name = "valve";
  ASSERT_TRUE(registry->create_devices("pk", devices));
  const auto found = [&](std::string part, std::string product_key = {}) {
    DeviceFilter filter;
    filter.product_key = std::move(product_key);
    filter.search = std::move(part);
    return names(*registry->list_devices(filter, {}));
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(found("OILER"), Names{"Boiler-7"});
  EXPECT_EQ(found("pump"), (Names{"pump-1", "pump-2"}));
  EXPECT_EQ(found("0%_l"), Names{"pump-1"});
  EXPECT_EQ(found("0_l"), Names{});
  EXPECT_EQ(found("%"), Names{"pump-1"});
  EXPECT_EQ(found("炉"), Names{"pump-2"});
  EXPECT_EQ(found("pump", "other"), Names{});
  EXPECT_EQ(found("\\"), Names{});
  DeviceFilter filter;
  filter.search = "p";
  filter.status = DeviceStatus::kDisable;
  EXPECT_TRUE(registry->list_devices(filter, {})->items.empty());
  filter.status.reset();
  const auto first = registry->list_devices(filter, {{}, 1});
  EXPECT_EQ(names(*first), Names{"pump-1"});
  EXPECT_EQ(names(*registry->list_devices(filter, {first->next, 1})), Names{"pump-2"});
}

TEST(Search, statuses_are_listed_in_order_with_a_beginning_and_page_by_page) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  NewProduct product;
  product.product_key = "pk";
  ASSERT_TRUE(registry->create_product(product));
  std::vector<NewDevice> devices(60);
  for (std::size_t i = 0; i < devices.size(); ++i)
    devices[i].device_name = (i % 2 ? "b" : "a") + std::to_string(100 + i);
  ASSERT_TRUE(registry->create_devices("pk", devices));
  std::vector<PresenceEvent> events;
  for (std::size_t i = 0; i < devices.size(); i += 3) {
    for (const bool online : {true, false})
      events.push_back({{"pk", devices[i].device_name}, online, 1000, 1, {}, {}, {}});
  }
  ASSERT_TRUE(registry->record_presence(events));
  for (const auto status : {DeviceStatus::kOffline, DeviceStatus::kUnactive}) {
    for (const char* prefix : {"", "a1", "b13"}) {
      DeviceFilter filter;
      filter.product_key = "pk";
      filter.prefix = prefix;
      filter.status = status;
      std::vector<std::string> wanted;
      for (std::size_t i = 0; i < devices.size(); ++i) {
        const bool meant = (i % 3 == 0) == (status == DeviceStatus::kOffline);
        if (meant && devices[i].device_name.starts_with(prefix)) wanted.push_back(devices[i].device_name);
      }
      std::ranges::sort(wanted);
      std::vector<std::string> found;
      PageRequest page{{}, 3};
      do {
        const auto next = registry->list_devices(filter, page);
        ASSERT_TRUE(next);
        for (const std::string& name : names(*next)) found.push_back(name);
        page.after = next->next;
      } while (!page.after.empty());
      EXPECT_EQ(found, wanted) << to_text(status) << ' ' << prefix;
    }
  }
}

TEST(Search, lists_and_searches_of_a_million_devices_answer_in_100_ms) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  NewProduct product;
  product.product_key = "pk";
  ASSERT_TRUE(registry->create_product(product));
  execute(fixture.folder / "registry.db",
          "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(kFleet - 1) +
              ") INSERT INTO device (product_key, device_name, device_secret, iot_id, enabled, created_ms, nickname, "
              "activated_ms) SELECT 'pk', printf('dev%07d', i), 'secretsecretsecretsecretsecretse', "
              "printf('iot%027d', i), 1, 1, CASE i % 3 WHEN 0 THEN printf('Pump %d', i) ELSE '' END, 1 FROM n");
  const auto median_ms = [&](const DeviceFilter& filter, const PageRequest& page) {
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_TRUE(registry->list_devices(filter, page));
      times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::ranges::sort(times);
    return times[2];
  };
  DeviceFilter filter;
  EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << "the first page";
  EXPECT_LT(median_ms(filter, {"pk/dev0900000", 100}), 100 * kSlack) << "far down";
  filter.product_key = "pk";
  filter.prefix = "dev0777";
  EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << "by a beginning";
  filter.prefix.clear();
  filter.status = DeviceStatus::kOnline;
  EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << "by a status that nobody has";
  for (const auto status : {DeviceStatus::kOffline, DeviceStatus::kUnactive, DeviceStatus::kDisable}) {
    filter.status = status;
    filter.product_key.clear();
    EXPECT_LT(median_ms(filter, {{}, 1000}), 100 * kSlack) << to_text(status);
    EXPECT_LT(median_ms(filter, {"pk/dev0999900", 1000}), 100 * kSlack) << to_text(status) << ", the last page";
    filter.product_key = "pk";
    filter.search = "nowhere";
    EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << to_text(status) << ", a part that nobody has";
    filter.search.clear();
  }
  filter.status.reset();
  filter.search = "nowhere";
  EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << "by a part that nobody has";

  // All of one status, looked for by another.
  execute(fixture.folder / "registry.db", "UPDATE device SET activated_ms = 0, enabled = 0");
  filter.search.clear();
  for (const auto status : {DeviceStatus::kOffline, DeviceStatus::kUnactive, DeviceStatus::kOnline}) {
    filter.status = status;
    EXPECT_LT(median_ms(filter, {{}, 100}), 100 * kSlack) << to_text(status) << ", of which there is none";
  }
  filter.status.reset();

  // However rare, it is found, page by page.
  filter.search = "0987654";
  PageRequest page{{}, 100};
  std::vector<std::string> found;
  int pages = 0;
  do {
    const auto next = registry->list_devices(filter, page);
    ASSERT_TRUE(next);
    for (const std::string& name : names(*next)) found.push_back(name);
    page.after = next->next;
    ASSERT_LE(++pages, kFleet / static_cast<int>(kSearchRowsMax) + 1);
  } while (!page.after.empty());
  EXPECT_EQ(found, std::vector<std::string>{"dev0987654"});
}

}  // namespace
}  // namespace mooring::registry
