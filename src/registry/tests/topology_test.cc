// Gateways and their children: platform.md section 7.
#include "registry/topology.h"

#include <gtest/gtest.h>

#include "registry/registry.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

using Outcome = RegistrationOutcome;
using Keys = std::vector<base::DeviceKey>;

class TopologyTest : public ::testing::Test {
 protected:
  TopologyTest() : registry(fixture.open()) {
    for (const char* product_key : {"gw", "pk"}) {
      NewProduct product;
      product.product_key = product_key;
      product.dynamic_registration = DynamicRegistration::kOn;
      EXPECT_TRUE(registry->create_product(product));
    }
    make("gw", {"gate1", "gate2"});
    make("pk", {"dev1", "dev2", "dev3"});
    registry->set_change_listener(
        [this](std::span<const Change> told) { changes.insert(changes.end(), told.begin(), told.end()); });
  }
  void make(const char* product_key, std::initializer_list<const char*> names) {
    std::vector<NewDevice> devices;
    for (const char* name : names) {
      devices.emplace_back();
      devices.back().device_name = name;
      devices.back().without_secret = true;
    }
    EXPECT_TRUE(registry->create_devices(product_key, devices));
  }
  Keys children(const base::DeviceKey& gateway) {
    const auto listed = registry->list_children(gateway, {}, 100);
    EXPECT_TRUE(listed) << listed.error().message;
    return listed.value_or(Keys{});
  }
  base::Errc add(const base::DeviceKey& gateway, const Keys& keys, std::size_t most = 0) {
    const auto added = registry->add_children(gateway, keys, most);
    return added ? base::Errc::kInternal : added.error().code;  // kInternal: there was no error
  }
  base::DeviceKey gateway_of(const base::DeviceKey& child) { return registry->find_credential(child)->device->gateway; }
  void online(const base::DeviceKey& key) {
    PresenceEvent event;
    event.key = key;
    event.online = true;
    event.at_ms = fixture.clock.now_ms;
    EXPECT_TRUE(registry->record_presence(std::span(&event, 1)));
  }
  ChildrenRegistration ask(const base::DeviceKey& gateway, const Keys& keys) {
    auto done = registry->register_children(gateway, keys, 0);
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(ChildrenRegistration{Outcome::kSwitchedOff, {}, {}});
  }

  static constexpr base::Errc kNone = base::Errc::kInternal;
  const base::DeviceKey gate1{"gw", "gate1"}, gate2{"gw", "gate2"};
  const base::DeviceKey dev1{"pk", "dev1"}, dev2{"pk", "dev2"}, dev3{"pk", "dev3"};
  SqliteFixture fixture;
  std::unique_ptr<Registry> registry;
  std::vector<Change> changes;
};

TEST_F(TopologyTest, a_child_is_found_from_both_sides) {
  EXPECT_EQ(add(gate1, {dev2, dev1}), kNone);
  EXPECT_EQ(children(gate1), (Keys{dev1, dev2}));
  EXPECT_EQ(gateway_of(dev1), gate1);
  EXPECT_EQ(*registry->find_gateway(dev1), std::optional(gate1));
  EXPECT_EQ(*registry->find_gateway(dev3), std::nullopt);
  EXPECT_EQ(gateway_of(dev3), base::DeviceKey{});
  EXPECT_EQ(*registry->find_gateway({"pk", "nobody"}), std::nullopt);
}

TEST_F(TopologyTest, children_come_in_pages) {
  EXPECT_EQ(add(gate1, {dev1, dev2, dev3}), kNone);
  EXPECT_EQ(*registry->list_children(gate1, {}, 2), (Keys{dev1, dev2}));
  EXPECT_EQ(*registry->list_children(gate1, dev2, 2), Keys{dev3});
  EXPECT_FALSE(registry->list_children(gate1, {}, 0));
}

TEST_F(TopologyTest, adding_is_all_or_nothing) {
  EXPECT_EQ(add(gate1, {dev1, {"pk", "nobody"}}), base::Errc::kNotFound);
  EXPECT_EQ(add({"gw", "nobody"}, {dev1}), base::Errc::kNotFound);
  EXPECT_EQ(add(gate1, {dev1, gate1}), base::Errc::kInvalidArgument);
  EXPECT_EQ(add(gate1, {dev1, dev2}, 1), base::Errc::kLimitExceeded);
  EXPECT_EQ(add(gate1, Keys(kChildrenPerCallMax + 1, dev1)), base::Errc::kInvalidArgument);
  EXPECT_EQ(children(gate1), Keys{});
  EXPECT_TRUE(changes.empty());
  EXPECT_EQ(add(gate1, {dev1}, 1), kNone);
}

TEST_F(TopologyTest, who_is_a_child_already_is_neither_counted_nor_told_again) {
  EXPECT_EQ(add(gate1, {dev1}), kNone);
  changes.clear();
  EXPECT_EQ(add(gate1, {dev1}, 1), kNone);
  EXPECT_TRUE(changes.empty());
}

TEST_F(TopologyTest, a_child_of_another_gateway_moves_and_both_are_told) {
  EXPECT_EQ(add(gate1, {dev1}), kNone);
  changes.clear();
  EXPECT_EQ(add(gate2, {dev1}), kNone);
  EXPECT_EQ(children(gate1), Keys{});
  EXPECT_EQ(children(gate2), Keys{dev1});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kTopologyChanged);
  EXPECT_EQ(changes[0].key, dev1);
  EXPECT_EQ(changes[0].gateway, gate2);
  EXPECT_EQ(changes[0].former_gateway, gate1);
}

TEST_F(TopologyTest, only_the_gateway_of_a_child_removes_it) {
  EXPECT_EQ(add(gate1, {dev1, dev2}), kNone);
  changes.clear();
  EXPECT_EQ(registry->remove_children(gate2, Keys{dev1}).error().code, base::Errc::kNotFound);
  EXPECT_EQ(registry->remove_children(gate1, Keys{dev1, dev3}).error().code, base::Errc::kNotFound);
  EXPECT_EQ(children(gate1), (Keys{dev1, dev2}));
  EXPECT_TRUE(changes.empty());
  EXPECT_TRUE(registry->remove_children(gate1, Keys{dev1}));
  EXPECT_EQ(children(gate1), Keys{dev2});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].gateway, base::DeviceKey{});
  EXPECT_EQ(changes[0].former_gateway, gate1);
}

TEST_F(TopologyTest, a_deleted_gateway_leaves_its_children_to_nobody) {
  EXPECT_EQ(add(gate1, {dev1, dev2}), kNone);
  changes.clear();
  ASSERT_TRUE(registry->delete_device(gate1));
  EXPECT_EQ(gateway_of(dev1), base::DeviceKey{});
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kTopologyChanged);
  EXPECT_EQ(changes[1].key, dev2);
  EXPECT_EQ(changes[1].former_gateway, gate1);
  EXPECT_EQ(changes[2].kind, Change::Kind::kDeviceDeleted);
  make("gw", {"gate1"});
  EXPECT_EQ(children(gate1), Keys{}) << "a later device of that name has no children";
}

TEST_F(TopologyTest, a_deleted_product_takes_its_gateways_with_it) {
  EXPECT_EQ(add(gate1, {dev1}), kNone);
  changes.clear();
  ASSERT_TRUE(registry->delete_product("gw", true));
  EXPECT_EQ(gateway_of(dev1), base::DeviceKey{});
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes[0].kind, Change::Kind::kTopologyChanged);
  EXPECT_EQ(changes[0].key, dev1);
}

TEST_F(TopologyTest, what_becomes_of_a_child_names_its_gateway) {
  EXPECT_EQ(add(gate1, {dev1, dev2}), kNone);
  changes.clear();
  DeviceChange change;
  change.enabled = false;
  ASSERT_TRUE(registry->update_device(dev1, change));
  change.enabled = true;
  ASSERT_TRUE(registry->update_device(dev1, change));
  ASSERT_TRUE(registry->delete_device(dev1));
  ASSERT_TRUE(registry->delete_product("pk", true));
  ASSERT_GE(changes.size(), 4U);
  using Kind = Change::Kind;
  for (const Kind kind : {Kind::kDeviceDisabled, Kind::kDeviceEnabled, Kind::kDeviceDeleted}) {
    const auto& told = changes[kind == Kind::kDeviceDisabled ? 0 : kind == Kind::kDeviceEnabled ? 1 : 2];
    EXPECT_EQ(told.kind, kind);
    EXPECT_EQ(told.gateway, gate1);
  }
  EXPECT_EQ(changes[3].key, dev2);
  EXPECT_EQ(changes[3].gateway, gate1);
  EXPECT_EQ(children(gate1), Keys{});
}

TEST_F(TopologyTest, a_device_that_nobody_has_a_secret_for_gets_one_and_is_a_child_then) {
  const auto first = ask(gate1, {dev1, dev2});
  EXPECT_EQ(first.outcome, Outcome::kIssued);
  ASSERT_EQ(first.children.size(), 2U);
  EXPECT_EQ(first.children[1].key, dev2);
  EXPECT_EQ(first.children[0].device_secret.size(), 32U);
  EXPECT_EQ(first.children[0].iot_id, registry->get_device(dev1)->iot_id);
  EXPECT_EQ(first.children[0].device_secret, registry->get_device(dev1)->device_secret);
  EXPECT_EQ(children(gate1), (Keys{dev1, dev2}));
  EXPECT_EQ(ask(gate2, {dev1}).outcome, Outcome::kOtherGateway);
  EXPECT_NE(ask(gate1, {dev1}).children[0].device_secret, first.children[0].device_secret) << "the answer was lost";
  EXPECT_EQ(registry->register_children(gate1, Keys{dev3}, 2).error().code, base::Errc::kLimitExceeded);
  EXPECT_EQ(registry->get_device(dev3)->device_secret, "");
  EXPECT_EQ(children(gate1), (Keys{dev1, dev2}));
}

TEST_F(TopologyTest, a_secret_that_is_in_use_is_neither_told_nor_replaced) {
  const std::string secret = ask(gate1, {dev1}).children[0].device_secret;
  online(dev1);
  EXPECT_EQ(ask(gate1, {dev1}).outcome, Outcome::kActivated) << "not even to its own gateway";
  NewDevice factory;
  factory.device_name = "factory";
  factory.device_secret = std::string(32, 'f');
  ASSERT_TRUE(registry->create_devices("pk", std::span(&factory, 1)));
  EXPECT_EQ(ask(gate1, {{"pk", "factory"}}).outcome, Outcome::kActivated) << "nobody's child";
  RegistrationWanted wanted;
  wanted.key = dev2;
  ASSERT_EQ(registry->register_device(wanted)->outcome, Outcome::kIssued);
  EXPECT_EQ(ask(gate1, {dev2}).outcome, Outcome::kActivated) << "it registered itself";
  EXPECT_EQ(registry->get_device(dev1)->device_secret, secret);
  EXPECT_EQ(registry->get_device({"pk", "factory"})->device_secret, factory.device_secret);
}

TEST_F(TopologyTest, a_reset_is_used_up_by_the_secret_that_follows) {
  const std::string before = ask(gate1, {dev1}).children[0].device_secret;
  online(dev1);
  ASSERT_TRUE(registry->reset_registration(dev1));
  const auto again = ask(gate1, {dev1});
  ASSERT_EQ(again.outcome, Outcome::kIssued);
  EXPECT_NE(again.children[0].device_secret, before);
  online(dev1);
  EXPECT_EQ(ask(gate1, {dev1}).outcome, Outcome::kActivated);
  ASSERT_TRUE(registry->reset_registration(dev1));
  EXPECT_EQ(ask(gate2, {dev1}).outcome, Outcome::kOtherGateway);
  ASSERT_TRUE(registry->remove_children(gate1, Keys{dev1}));
  EXPECT_EQ(ask(gate2, {dev1}).outcome, Outcome::kIssued);
}

TEST_F(TopologyTest, secrets_are_refused_and_then_none_is_issued) {
  ask(gate1, {dev1});
  online(dev1);
  const auto before = registry->get_device(dev2)->device_secret;
  const auto refusal = [&](const base::DeviceKey& child) {
    const auto done = ask(gate1, {dev2, child});
    EXPECT_EQ(done.refused, child);
    EXPECT_TRUE(done.children.empty());
    return done.outcome;
  };
  EXPECT_EQ(refusal(dev1), Outcome::kActivated) << "it is nobody's child";
  EXPECT_EQ(refusal({"pk", "nobody"}), Outcome::kNoSuchDevice);
  EXPECT_EQ(refusal({"nothing", "dev1"}), Outcome::kNoSuchProduct);
  DeviceChange disable;
  disable.enabled = false;
  ASSERT_TRUE(registry->update_device(dev3, disable));
  EXPECT_EQ(refusal(dev3), Outcome::kDisabled);
  ProductChange off;
  off.dynamic_registration = DynamicRegistration::kOff;
  ASSERT_TRUE(registry->update_product("gw", off));
  EXPECT_EQ(refusal(gate2), Outcome::kSwitchedOff);
  EXPECT_EQ(registry->get_device(dev2)->device_secret, before);
}

}  // namespace
}  // namespace mooring::registry
