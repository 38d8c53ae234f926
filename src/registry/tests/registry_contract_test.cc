// What every implementation of the Registry port must do. A new implementation joins by adding its fixture to the list
// at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "registry/registry.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

using base::DeviceKey;
using base::Errc;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> names(const Page<Device>& page) {
  std::vector<std::string> result;
  for (const Device& device : page.items) result.push_back(device.key.device_name);
  return result;
}

template <class Fixture>
class RegistryContract : public testing::Test {
 protected:
  void SetUp() override {
    registry_ = fixture_.open();
    ASSERT_NE(registry_, nullptr);
    registry_->set_change_listener(
        [this](std::span<const Change> changes) { changes_.insert(changes_.end(), changes.begin(), changes.end()); });
  }
  void add_product(std::string product_key) {
    NewProduct product;
    product.product_key = std::move(product_key);
    ASSERT_TRUE(registry_->create_product(product));
  }
  Device add_device(const DeviceKey& key, std::string secret = "secret") {
    NewDevice device;
    device.device_name = key.device_name;
    device.device_secret = std::move(secret);
    auto created = registry_->create_devices(key.product_key, std::span(&device, 1));
    EXPECT_TRUE(created) << created.error().message;
    return created ? created->front() : Device{};
  }
  std::uint32_t life_of(const DeviceKey& key) {
    const auto found = registry_->find_credential(key);
    EXPECT_TRUE(found && found->device) << key.device_name;
    return found && found->device ? found->device->life : 0;
  }
  std::vector<DeletedDevice> deleted(std::size_t limit = 100) {
    auto devices = registry_->deleted_devices(limit);
    EXPECT_TRUE(devices) << devices.error().message;
    return devices.value_or(std::vector<DeletedDevice>{});
  }
  void online(const DeviceKey& key, base::WallMs at_ms, std::uint64_t connection) {
    const PresenceEvent event{key, true, at_ms, connection, "192.0.2.7:4711", {"C", "sdk-c-4.2.0", "linux", "m1"}};
    ASSERT_TRUE(registry_->record_presence(std::span(&event, 1)));
  }
  void offline(const DeviceKey& key, base::WallMs at_ms, std::uint64_t connection) {
    const PresenceEvent event{key, false, at_ms, connection, {}, {}};
    ASSERT_TRUE(registry_->record_presence(std::span(&event, 1)));
  }
  std::vector<Change::Kind> take_changes() {
    std::vector<Change::Kind> kinds;
    for (const Change& change : changes_) kinds.push_back(change.kind);
    changes_.clear();
    return kinds;
  }

  Fixture fixture_;
  std::unique_ptr<Registry> registry_;
  std::vector<Change> changes_;
};
TYPED_TEST_SUITE_P(RegistryContract);

TYPED_TEST_P(RegistryContract, product_takes_what_is_given_and_generates_the_rest) {
  NewProduct wanted;
  wanted.product_key = "pk";
  wanted.product_secret = "ps";
  wanted.name = "Lamp";
  wanted.profile = Profile::kMqtt;
  wanted.dynamic_registration = DynamicRegistration::kOn;
  wanted.topic_classes = {{"user/echo", TopicRight::kAll}, {"user/+/error", TopicRight::kSubscribe}};
  const auto created = this->registry_->create_product(wanted);
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(*created, *this->registry_->get_product("pk"));
  EXPECT_EQ(created->topic_classes, wanted.topic_classes);
  EXPECT_EQ(created->created_ms, this->fixture_.clock.now_ms);

  const auto generated = this->registry_->create_product({});
  ASSERT_TRUE(generated);
  EXPECT_EQ(generated->product_key.size(), 11U);
  EXPECT_EQ(generated->product_secret.size(), 16U);
  EXPECT_EQ(generated->name, generated->product_key);
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kProductCreated, Change::Kind::kProductCreated));
}

TYPED_TEST_P(RegistryContract, product_errors_have_their_code_and_change_nothing) {
  this->add_product("pk");
  this->take_changes();
  NewProduct again;
  again.product_key = "pk";
  EXPECT_EQ(this->registry_->create_product(again).error().code, Errc::kAlreadyExists);
  again.product_key = "p k";
  EXPECT_EQ(this->registry_->create_product(again).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(this->registry_->get_product("nope").error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->update_product("nope", {}).error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->delete_product("nope", true).error().code, Errc::kNotFound);
  ProductChange bad;
  bad.name = "ok";
  bad.topic_classes = {{{"user/#", TopicRight::kPublish}}};
  EXPECT_EQ(this->registry_->update_product("pk", bad).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(this->registry_->get_product("pk")->name, "pk");
  EXPECT_TRUE(this->take_changes().empty());
}

TYPED_TEST_P(RegistryContract, product_update_sets_only_what_is_given) {
  this->add_product("pk");
  const Product before = *this->registry_->get_product("pk");
  ProductChange change;
  change.name = "New name";
  const auto after = this->registry_->update_product("pk", change);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->name, "New name");
  EXPECT_EQ(after->product_secret, before.product_secret);
  EXPECT_EQ(*after, *this->registry_->get_product("pk"));
}

TYPED_TEST_P(RegistryContract, products_are_listed_in_pages_by_prefix) {
  for (const char* key : {"a1", "a2", "a3", "b1"}) this->add_product(key);
  const auto first = this->registry_->list_products({"a"}, {"", 2});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->items.size(), 2U);
  const auto second = this->registry_->list_products({"a"}, {first->next, 2});
  ASSERT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->items[0].product_key, "a3");
  EXPECT_TRUE(second->next.empty());
  EXPECT_EQ(this->registry_->list_products({}, {"", 100})->items.size(), 4U);
  EXPECT_EQ(this->registry_->list_products({}, {"", 0}).error().code, Errc::kInvalidArgument);
}

TYPED_TEST_P(RegistryContract, product_with_devices_is_deleted_only_on_demand) {
  this->add_product("pk");
  this->add_device({"pk", "dev1"});
  EXPECT_EQ(this->registry_->delete_product("pk", false).error().code, Errc::kInvalidArgument);
  ASSERT_TRUE(this->registry_->delete_product("pk", true));
  EXPECT_EQ(this->registry_->get_device({"pk", "dev1"}).error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->get_product("pk").error().code, Errc::kNotFound);
}

TYPED_TEST_P(RegistryContract, device_takes_what_is_given_and_generates_the_rest) {
  this->add_product("pk");
  const Device given = this->add_device({"pk", "device"}, "secret");
  EXPECT_EQ(given.device_secret, "secret");
  EXPECT_EQ(given.iot_id.size(), 30U);
  EXPECT_EQ(given.status(), DeviceStatus::kUnactive);
  EXPECT_EQ(*this->registry_->get_device({"pk", "device"}), given);
  EXPECT_EQ(*this->registry_->find_iot_id(given.iot_id), given.key);
  EXPECT_EQ(this->registry_->find_iot_id("unknown").error().code, Errc::kNotFound);

  std::vector<NewDevice> batch(3);
  batch[2].without_secret = true;
  const auto created = this->registry_->create_devices("pk", batch);
  ASSERT_TRUE(created);
  EXPECT_EQ(created->at(0).key.device_name.size(), 20U);
  EXPECT_EQ(created->at(0).device_secret.size(), 32U);
  EXPECT_NE(created->at(0).device_secret, created->at(1).device_secret);
  EXPECT_EQ(created->at(2).device_secret, "");
  EXPECT_EQ(this->registry_->get_product("pk")->device_count, 4U);
}

TYPED_TEST_P(RegistryContract, device_batch_is_all_or_nothing) {
  this->add_product("pk");
  this->add_device({"pk", "taken"});
  this->take_changes();
  std::vector<NewDevice> batch(2);
  batch[0].device_name = "fresh";
  batch[1].device_name = "taken";
  EXPECT_EQ(this->registry_->create_devices("pk", batch).error().code, Errc::kAlreadyExists);
  EXPECT_EQ(this->registry_->get_device({"pk", "fresh"}).error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->get_product("pk")->device_count, 1U);
  EXPECT_EQ(this->registry_->create_devices("nope", batch).error().code, Errc::kNotFound);
  batch.resize(kBatchDevicesMax + 1);
  EXPECT_EQ(this->registry_->create_devices("pk", batch).error().code, Errc::kLimitExceeded);
  EXPECT_TRUE(this->take_changes().empty());
}

TYPED_TEST_P(RegistryContract, names_are_case_sensitive) {
  this->add_product("pk");
  this->add_product("PK");
  this->add_device({"pk", "device"}, "one");
  this->add_device({"pk", "Device"}, "two");
  this->add_device({"PK", "device"}, "three");
  EXPECT_EQ(this->registry_->get_device({"pk", "device"})->device_secret, "one");
  EXPECT_EQ(this->registry_->get_device({"pk", "Device"})->device_secret, "two");
  EXPECT_EQ(this->registry_->get_device({"PK", "device"})->device_secret, "three");
}

TYPED_TEST_P(RegistryContract, device_update_disable_enable_delete_tell_their_change) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  const std::string iot_id = this->add_device(key).iot_id;
  EXPECT_EQ(this->changes_.back().iot_id, iot_id);
  EXPECT_EQ(this->changes_.back().device_secret, this->registry_->get_device(key)->device_secret);
  this->take_changes();
  DeviceChange rename;
  rename.nickname = "Kitchen";
  EXPECT_EQ(this->registry_->update_device(key, rename)->nickname, "Kitchen");
  DeviceChange disable;
  disable.enabled = false;
  EXPECT_EQ(this->registry_->update_device(key, disable)->status(), DeviceStatus::kDisable);
  EXPECT_TRUE(this->registry_->update_device(key, disable));  // again: nothing to tell
  DeviceChange enable;
  enable.enabled = true;
  EXPECT_EQ(this->registry_->update_device(key, enable)->status(), DeviceStatus::kUnactive);
  EXPECT_TRUE(this->registry_->delete_device(key));
  EXPECT_EQ(this->registry_->delete_device(key).error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->update_device(key, rename).error().code, Errc::kNotFound);
  EXPECT_EQ(this->registry_->get_product("pk")->device_count, 0U);
  for (const Change& change : this->changes_) {
    EXPECT_EQ(change.iot_id, change.kind == Change::Kind::kDeviceChanged ? "" : iot_id);
    EXPECT_EQ(change.device_secret, "");
    EXPECT_EQ(change.status.has_value(), change.kind != Change::Kind::kDeviceDeleted);
  }
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kDeviceChanged, Change::Kind::kDeviceDisabled,
                                                Change::Kind::kDeviceEnabled, Change::Kind::kDeviceDeleted));
}

TYPED_TEST_P(RegistryContract, devices_are_listed_by_product_prefix_and_status) {
  this->add_product("pa");
  this->add_product("pb");
  for (const char* name : {"dev1", "dev2", "dev3", "other"}) this->add_device({"pa", name});
  this->add_device({"pb", "dev1"});
  this->online({"pa", "dev2"}, 1000, 1);
  this->online({"pa", "dev3"}, 1000, 2);
  this->offline({"pa", "dev3"}, 2000, 2);
  DeviceChange disable;
  disable.enabled = false;
  ASSERT_TRUE(this->registry_->update_device({"pb", "dev1"}, disable));

  auto list = [&](DeviceFilter filter) { return names(*this->registry_->list_devices(filter, {"", 100})); };
  EXPECT_THAT(list({"pa", "", {}}), ElementsAre("dev1", "dev2", "dev3", "other"));
  EXPECT_THAT(list({"pa", "dev", {}}), ElementsAre("dev1", "dev2", "dev3"));
  EXPECT_THAT(list({"", "", {}}), ElementsAre("dev1", "dev2", "dev3", "other", "dev1"));
  EXPECT_THAT(list({"pa", "", DeviceStatus::kOnline}), ElementsAre("dev2"));
  EXPECT_THAT(list({"pa", "", DeviceStatus::kOffline}), ElementsAre("dev3"));
  EXPECT_THAT(list({"pa", "", DeviceStatus::kUnactive}), ElementsAre("dev1", "other"));
  EXPECT_THAT(list({"", "", DeviceStatus::kDisable}), ElementsAre("dev1"));
  EXPECT_THAT(list({"pa", "", DeviceStatus::kDisable}), ElementsAre());
}

TYPED_TEST_P(RegistryContract, pages_join_to_the_whole_list) {
  this->add_product("pa");
  this->add_product("pb");
  std::vector<NewDevice> batch(25);
  ASSERT_TRUE(this->registry_->create_devices("pa", batch));
  ASSERT_TRUE(this->registry_->create_devices("pb", batch));
  for (const DeviceFilter& filter : {DeviceFilter{}, DeviceFilter{"pa", "", {}}}) {
    const auto whole = this->registry_->list_devices(filter, {"", 1000});
    std::vector<Device> joined;
    std::string after;
    do {
      auto page = this->registry_->list_devices(filter, {after, 7});
      ASSERT_TRUE(page);
      joined.insert(joined.end(), page->items.begin(), page->items.end());
      after = page->next;
    } while (!after.empty());
    EXPECT_EQ(joined, whole->items);
  }
}

TYPED_TEST_P(RegistryContract, credential_answers_for_every_absence) {
  this->add_product("pk");
  const Device device = this->add_device({"pk", "device"}, "secret");
  const auto found = this->registry_->find_credential({"pk", "device"});
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->device);
  EXPECT_EQ(found->device->device_secret, "secret");
  EXPECT_EQ(found->device->iot_id, device.iot_id);
  EXPECT_TRUE(found->device->enabled);
  EXPECT_EQ(found->device->activated_ms, 0);
  EXPECT_EQ(found->product->product_key, "pk");

  const auto no_device = this->registry_->find_credential({"pk", "nobody"});
  EXPECT_FALSE(no_device->device);
  EXPECT_NE(no_device->product, nullptr);
  EXPECT_EQ(no_device->product, found->product);  // shared
  const auto no_product = this->registry_->find_credential({"nope", "device"});
  EXPECT_FALSE(no_product->device);
  EXPECT_EQ(no_product->product, nullptr);
}

TYPED_TEST_P(RegistryContract, credential_follows_a_changed_and_a_replaced_product) {
  this->add_product("pk");
  this->add_device({"pk", "device"});
  ASSERT_TRUE(this->registry_->find_credential({"pk", "device"}));
  ProductChange change;
  change.topic_classes = {{{"user/echo", TopicRight::kAll}}};
  ASSERT_TRUE(this->registry_->update_product("pk", change));
  EXPECT_EQ(this->registry_->find_credential({"pk", "device"})->product->topic_classes, *change.topic_classes);
  ASSERT_TRUE(this->registry_->delete_product("pk", true));
  EXPECT_EQ(this->registry_->find_credential({"pk", "device"})->product, nullptr);
  this->add_product("pk");
  EXPECT_TRUE(this->registry_->find_credential({"pk", "device"})->product->topic_classes.empty());
}

TYPED_TEST_P(RegistryContract, first_online_activates_once) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  this->add_device(key);
  this->online(key, 1000, 1);
  this->offline(key, 2000, 1);
  this->online(key, 3000, 2);
  const auto device = this->registry_->get_device(key);
  EXPECT_EQ(device->activated_ms, 1000);
  EXPECT_EQ(device->last_online_ms, 3000);
  EXPECT_EQ(device->last_offline_ms, 2000);
  EXPECT_EQ(device->last_address, "192.0.2.7:4711");
  EXPECT_EQ(device->facts, (SdkFacts{"C", "sdk-c-4.2.0", "linux", "m1"}));
  EXPECT_EQ(device->status(), DeviceStatus::kOnline);
}

TYPED_TEST_P(RegistryContract, end_of_a_displaced_connection_leaves_the_device_online) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  this->add_device(key);
  this->online(key, 1000, 1);
  this->online(key, 2000, 2);
  this->offline(key, 2001, 1);
  EXPECT_EQ(this->registry_->get_device(key)->status(), DeviceStatus::kOnline);
  this->offline(key, 2500, 2);
  EXPECT_EQ(this->registry_->get_device(key)->status(), DeviceStatus::kOffline);
  this->online(key, 3000, 0xffff'ffff'ffff'ffffULL);
  this->offline(key, 3500, 0);  // whatever connection it was
  EXPECT_EQ(this->registry_->get_device(key)->status(), DeviceStatus::kOffline);
}

TYPED_TEST_P(RegistryContract, presence_skips_unknown_devices_and_cuts_long_facts) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  this->add_device(key);
  std::vector<PresenceEvent> events(2);
  events[0] = {{"pk", "nobody"}, true, 1, 1, {}, {}};
  events[1] = {key, true, 1, 2, std::string(500, 'a'), {"bad\xff utf8", std::string(63, 'x') + "\xc3\xa4", "", ""}};
  ASSERT_TRUE(this->registry_->record_presence(events));
  const auto device = this->registry_->get_device(key);
  EXPECT_EQ(device->last_address.size(), kAddressBytesMax);
  EXPECT_EQ(device->facts.lan, "bad");
  EXPECT_EQ(device->facts.version, std::string(63, 'x'));
}

// Any mixture of connections that overlap, come late and have no number, in batches of any length.
TYPED_TEST_P(RegistryContract, a_batch_of_presence_comes_to_what_its_events_come_to_one_by_one) {
  this->add_product("pk");
  std::mt19937 dice(7);
  const auto cast = [&dice](unsigned sides) { return static_cast<unsigned>(dice() % sides); };
  for (int round = 0; round < 200; ++round) {
    const std::string single = "single" + std::to_string(round), joined = "joined" + std::to_string(round);
    this->add_device({"pk", single});
    this->add_device({"pk", joined});
    for (int batches = 0; batches < 3; ++batches) {
      std::vector<PresenceEvent> events(1 + cast(6));
      for (PresenceEvent& event : events) {
        event = {{"pk", single}, cast(2) == 0, 1 + static_cast<base::WallMs>(cast(100)), cast(4), {}, {}, {}};
        if (!event.online) continue;
        event.address = "192.0.2.7:" + std::to_string(cast(1000));
        event.facts.version = std::to_string(cast(10));
        if (cast(3) == 0) event.browser_origin = "https://page" + std::to_string(cast(10)) + ".example";
      }
      for (const PresenceEvent& event : events) ASSERT_TRUE(this->registry_->record_presence(std::span(&event, 1)));
      for (PresenceEvent& event : events) event.key.device_name = joined;
      ASSERT_TRUE(this->registry_->record_presence(events));
      Device expected = *this->registry_->get_device({"pk", single});
      const Device found = *this->registry_->get_device({"pk", joined});
      expected.key = found.key;
      expected.iot_id = found.iot_id;
      expected.created_ms = found.created_ms;
      ASSERT_EQ(found, expected) << round;
    }
  }
}

TYPED_TEST_P(RegistryContract, a_starting_server_marks_everybody_offline) {
  this->add_product("pk");
  this->add_device({"pk", "dev1"});
  this->add_device({"pk", "dev2"});
  this->online({"pk", "dev1"}, 1000, 1);
  ASSERT_TRUE(this->registry_->mark_all_offline(5000));
  EXPECT_EQ(this->registry_->get_device({"pk", "dev1"})->status(), DeviceStatus::kOffline);
  EXPECT_EQ(this->registry_->get_device({"pk", "dev1"})->last_offline_ms, 5000);
  EXPECT_EQ(this->registry_->get_device({"pk", "dev2"})->last_offline_ms, 0);
}

TYPED_TEST_P(RegistryContract, deletions_are_remembered_until_confirmed) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  this->add_device(key);
  this->add_device({"pk", "stays"});
  const std::uint32_t life = this->life_of(key);
  EXPECT_THAT(this->deleted(), IsEmpty());
  ASSERT_TRUE(this->registry_->delete_device(key));
  EXPECT_THAT(this->deleted(), ElementsAre(DeletedDevice{key, life}));
  EXPECT_FALSE(this->registry_->delete_device(key));
  EXPECT_THAT(this->deleted(), ElementsAre(DeletedDevice{key, life}));

  this->take_changes();
  const std::vector<DeletedDevice> done{{key, life}, {{"pk", "never was"}, 7}};
  ASSERT_TRUE(this->registry_->confirm_deleted(done));
  EXPECT_THAT(this->deleted(), IsEmpty());
  EXPECT_TRUE(this->registry_->confirm_deleted(done));
  EXPECT_TRUE(this->registry_->confirm_deleted({}));
  EXPECT_TRUE(this->take_changes().empty());
}

TYPED_TEST_P(RegistryContract, a_device_made_again_has_a_life_of_its_own) {
  const DeviceKey key{"pk", "dev1"};
  this->add_product("pk");
  this->add_device(key);
  const std::uint32_t first = this->life_of(key);
  ASSERT_TRUE(this->registry_->delete_device(key));
  this->add_device(key);
  const std::uint32_t second = this->life_of(key);
  ASSERT_TRUE(this->registry_->delete_device(key));
  const std::vector<ImportRow> row{{"pk", "dev1", "s", {}, "iot1", true}};
  ASSERT_TRUE(this->registry_->import_devices(row, false));
  const std::uint32_t third = this->life_of(key);
  ASSERT_TRUE(this->registry_->delete_device(key));
  ASSERT_TRUE(this->registry_->import_devices(row, false));  // with the iotId it had
  const std::uint32_t fourth = this->life_of(key);
  EXPECT_EQ((std::set<std::uint32_t>{0, first, second, third, fourth}).size(), 5U);
  EXPECT_THAT(this->deleted(),
              UnorderedElementsAre(DeletedDevice{key, first}, DeletedDevice{key, second}, DeletedDevice{key, third}));
  // A confirmation is of one life, and neither a change nor a repeated import begins a new one.
  ASSERT_TRUE(this->registry_->confirm_deleted(std::vector<DeletedDevice>{{key, second}, {key, fourth}}));
  EXPECT_THAT(this->deleted(), UnorderedElementsAre(DeletedDevice{key, first}, DeletedDevice{key, third}));
  DeviceChange change;
  change.device_secret = "other";
  ASSERT_TRUE(this->registry_->update_device(key, change));
  ASSERT_TRUE(this->registry_->import_devices(row, false));
  EXPECT_EQ(this->life_of(key), fourth);
}

TYPED_TEST_P(RegistryContract, deleting_a_product_remembers_all_its_devices) {
  this->add_product("pa");
  this->add_product("pb");
  std::vector<NewDevice> batch(25);
  ASSERT_TRUE(this->registry_->create_devices("pa", batch));
  this->add_device({"pb", "dev1"});
  ASSERT_FALSE(this->registry_->delete_product("pa", false));
  EXPECT_THAT(this->deleted(), IsEmpty());
  ASSERT_TRUE(this->registry_->delete_product("pa", true));
  std::set<std::string> seen;
  for (auto some = this->deleted(10); !some.empty(); some = this->deleted(10)) {
    EXPECT_LE(some.size(), 10U);
    for (const DeletedDevice& device : some) {
      EXPECT_EQ(device.key.product_key, "pa");
      EXPECT_TRUE(seen.insert(device.key.device_name).second);
    }
    ASSERT_TRUE(this->registry_->confirm_deleted(some));
  }
  EXPECT_EQ(seen.size(), 25U);
}

TYPED_TEST_P(RegistryContract, deleted_devices_are_fetched_and_confirmed_in_bounded_steps) {
  EXPECT_EQ(this->registry_->deleted_devices(0).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(this->registry_->deleted_devices(kPageRowsMax + 1).error().code, Errc::kInvalidArgument);
  const std::vector<DeletedDevice> many(kBatchDevicesMax + 1);
  EXPECT_EQ(this->registry_->confirm_deleted(many).error().code, Errc::kLimitExceeded);
}

std::vector<ImportOutcome> outcomes(const ImportResult& result) {
  std::vector<ImportOutcome> all;
  for (const ImportRowResult& row : result.rows) all.push_back(row.outcome);
  return all;
}

TYPED_TEST_P(RegistryContract, import_tells_created_unchanged_changed_and_refused) {
  std::vector<ImportRow> rows(3);
  rows[0] = {"pa", "dev1", "s1", {}, {}, true};
  rows[1] = {"pb", "dev1", "s2", "Nick", "iot1", false};
  rows[2] = {"pb", "dev 2", "s3", {}, {}, true};
  auto first = this->registry_->import_devices(rows, false);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(outcomes(*first), ElementsAre(ImportOutcome::kCreated, ImportOutcome::kCreated, ImportOutcome::kRefused));
  EXPECT_THAT(first->products_created, ElementsAre("pa", "pb"));
  EXPECT_NE(first->rows[2].reason.find("dev 2"), std::string::npos);
  EXPECT_EQ(this->registry_->get_device({"pb", "dev1"})->iot_id, "iot1");
  EXPECT_EQ(this->registry_->get_device({"pb", "dev1"})->status(), DeviceStatus::kDisable);
  EXPECT_EQ(this->registry_->get_product("pb")->device_count, 1U);

  rows[0].device_secret = "other";
  rows[1].nickname.reset();  // not in this file: stays
  rows[2] = {"pc", "dev1", "s3", {}, "iot1", true};
  auto second = this->registry_->import_devices(rows, false);
  EXPECT_THAT(outcomes(*second),
              ElementsAre(ImportOutcome::kChanged, ImportOutcome::kUnchanged, ImportOutcome::kRefused));
  EXPECT_TRUE(second->products_created.empty());
  EXPECT_EQ(this->registry_->get_device({"pa", "dev1"})->device_secret, "other");
  EXPECT_EQ(this->registry_->get_device({"pb", "dev1"})->nickname, "Nick");
  EXPECT_EQ(this->registry_->get_product("pc").error().code, Errc::kNotFound);
}

TYPED_TEST_P(RegistryContract, import_dry_run_reports_and_changes_nothing) {
  const std::vector<ImportRow> rows{{"pa", "dev1", "s1", {}, {}, true}, {"pa", "dev1", "s2", {}, {}, true}};
  const auto trial = this->registry_->import_devices(rows, true);
  ASSERT_TRUE(trial);
  EXPECT_THAT(outcomes(*trial), ElementsAre(ImportOutcome::kCreated, ImportOutcome::kChanged));
  EXPECT_EQ(this->registry_->get_product("pa").error().code, Errc::kNotFound);
  EXPECT_TRUE(this->take_changes().empty());
}

TYPED_TEST_P(RegistryContract, account_life_is_told_step_by_step) {
  const std::vector<AccountPermission> permissions{{AccountRight::kSubscribe, "/+/+/user/#"},
                                                   {AccountRight::kPublish, "with:colon\nand line"}};
  const auto made = this->registry_->create_account({"back end", "$hash1", permissions});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->permissions, permissions);
  EXPECT_EQ(made->created_ms, this->fixture_.clock.now_ms);
  EXPECT_NE(made->life, 0U);
  EXPECT_EQ(*this->registry_->find_account("back end"), *made);
  EXPECT_EQ(*this->registry_->find_account("back en"), std::nullopt);
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kAccountCreated));

  AccountChange change;
  EXPECT_EQ(*this->registry_->update_account("back end", change), *made);
  change.password_hash = "$hash2";
  EXPECT_EQ(this->registry_->update_account("back end", change)->password_hash, "$hash2");
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kAccountPasswordChanged));
  change.permissions.emplace({AccountPermission{AccountRight::kAll, "#"}});
  const auto changed = this->registry_->update_account("back end", change);
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kAccountPermissionsChanged));
  EXPECT_EQ(changed->permissions, *change.permissions);
  EXPECT_EQ(*this->registry_->find_account("back end"), *changed);

  ASSERT_TRUE(this->registry_->delete_account("back end"));
  ASSERT_EQ(this->changes_.size(), 1U);
  EXPECT_EQ(this->changes_[0].account, "back end");
  EXPECT_THAT(this->take_changes(), ElementsAre(Change::Kind::kAccountDeleted));
  EXPECT_EQ(*this->registry_->find_account("back end"), std::nullopt);
  EXPECT_NE(this->registry_->create_account({"back end", "$hash1", {}})->life, made->life);
  EXPECT_TRUE((*this->registry_->find_account("back end"))->permissions.empty());
}

TYPED_TEST_P(RegistryContract, account_errors_have_their_code_and_change_nothing) {
  ASSERT_TRUE(this->registry_->create_account({"one", "$hash", {}}));
  this->take_changes();
  const auto code_of = [&](NewAccount account) { return this->registry_->create_account(account).error().code; };
  EXPECT_EQ(code_of({"one", "$hash", {}}), Errc::kAlreadyExists);
  EXPECT_EQ(code_of({"a&b", "$hash", {}}), Errc::kInvalidArgument);
  EXPECT_EQ(code_of({"two", "plain text", {}}), Errc::kInvalidArgument);
  EXPECT_EQ(code_of({"two", "$hash", {{AccountRight::kAll, ""}}}), Errc::kInvalidArgument);
  EXPECT_EQ(code_of({"two", "$hash", {101, {AccountRight::kAll, "#"}}}), Errc::kLimitExceeded);
  AccountChange change;
  change.password_hash = "$hash2";
  EXPECT_EQ(this->registry_->update_account("two", change).error().code, Errc::kNotFound);
  change.password_hash = "plain text";
  EXPECT_EQ(this->registry_->update_account("one", change).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(this->registry_->delete_account("two").error().code, Errc::kNotFound);
  EXPECT_TRUE(this->take_changes().empty());
}

TYPED_TEST_P(RegistryContract, accounts_are_listed_in_pages) {
  for (const char* name : {"carol", "alice", "Bob", "\xC3\xA9milie"}) {
    ASSERT_TRUE(this->registry_->create_account({name, "$hash", {{AccountRight::kAll, name}}}));
  }
  std::vector<std::string> seen;
  for (PageRequest request{{}, 3};;) {
    const auto page = this->registry_->list_accounts(request);
    ASSERT_TRUE(page);
    for (const Account& account : page->items) {
      EXPECT_EQ(account.permissions, (std::vector<AccountPermission>{{AccountRight::kAll, account.name}}));
      seen.push_back(account.name);
    }
    request.after = page->next;
    if (page->next.empty()) break;
  }
  EXPECT_THAT(seen, ElementsAre("Bob", "alice", "carol", "\xC3\xA9milie"));
}

TYPED_TEST_P(RegistryContract, a_renewed_hash_replaces_the_one_it_was_made_from) {
  ASSERT_TRUE(this->registry_->create_account({"one", "$cheap", {}}));
  this->take_changes();
  ASSERT_TRUE(this->registry_->renew_password_hash("one", "$cheap", "$dear"));
  EXPECT_EQ((*this->registry_->find_account("one"))->password_hash, "$dear");
  ASSERT_TRUE(this->registry_->renew_password_hash("one", "$cheap", "$of the password before"));
  ASSERT_TRUE(this->registry_->renew_password_hash("nobody", "$cheap", "$dear"));
  EXPECT_EQ((*this->registry_->find_account("one"))->password_hash, "$dear");
  EXPECT_TRUE(this->take_changes().empty());
}

REGISTER_TYPED_TEST_SUITE_P(RegistryContract, product_takes_what_is_given_and_generates_the_rest,
                            product_errors_have_their_code_and_change_nothing, product_update_sets_only_what_is_given,
                            products_are_listed_in_pages_by_prefix, product_with_devices_is_deleted_only_on_demand,
                            device_takes_what_is_given_and_generates_the_rest, device_batch_is_all_or_nothing,
                            names_are_case_sensitive, device_update_disable_enable_delete_tell_their_change,
                            devices_are_listed_by_product_prefix_and_status, pages_join_to_the_whole_list,
                            credential_answers_for_every_absence, credential_follows_a_changed_and_a_replaced_product,
                            first_online_activates_once, end_of_a_displaced_connection_leaves_the_device_online,
                            presence_skips_unknown_devices_and_cuts_long_facts,
                            a_batch_of_presence_comes_to_what_its_events_come_to_one_by_one,
                            a_starting_server_marks_everybody_offline, deletions_are_remembered_until_confirmed,
                            a_device_made_again_has_a_life_of_its_own, deleting_a_product_remembers_all_its_devices,
                            deleted_devices_are_fetched_and_confirmed_in_bounded_steps,
                            import_tells_created_unchanged_changed_and_refused,
                            import_dry_run_reports_and_changes_nothing, account_life_is_told_step_by_step,
                            account_errors_have_their_code_and_change_nothing, accounts_are_listed_in_pages,
                            a_renewed_hash_replaces_the_one_it_was_made_from);

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RegistryContract, testing::Types<SqliteFixture>);

}  // namespace
}  // namespace mooring::registry
