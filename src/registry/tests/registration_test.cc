// Devices that register themselves: connection.md section 10.
#include <gtest/gtest.h>

#include <set>

#include "crypto/secret_hash.h"
#include "registry/registry.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

using Outcome = RegistrationOutcome;

class Registering : public testing::Test {
 protected:
  void SetUp() override {
    registry_ = fixture_.open();
    ASSERT_NE(registry_, nullptr);
    set_mode(DynamicRegistration::kOn);
  }
  void set_mode(DynamicRegistration mode) {
    NewProduct product;
    product.product_key = "pk";
    registry_->create_product(product);
    ProductChange change;
    change.dynamic_registration = mode;
    ASSERT_TRUE(registry_->update_product("pk", change));
  }
  void preregister(std::string secret = {}) {
    NewDevice device;
    device.device_name = "dev1";
    device.without_secret = secret.empty();
    device.device_secret = std::move(secret);
    ASSERT_TRUE(registry_->create_devices("pk", std::span(&device, 1)));
  }
  Registration ask(bool with_token, std::string random = "r", std::string name = "dev1") {
    fixture_.clock.now_ms += 1;
    auto done = registry_->register_device({{"pk", std::move(name)}, with_token, std::move(random), devices_max_});
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(Registration{});
  }
  void online(const std::string& name = "dev1") {
    PresenceEvent event;
    event.key = {"pk", name};
    event.online = true;
    event.at_ms = fixture_.clock.now_ms;
    ASSERT_TRUE(registry_->record_presence(std::span(&event, 1)));
  }
  DeviceCredential credential(const std::string& name = "dev1") {
    const auto found = registry_->find_credential({"pk", name});
    EXPECT_TRUE(found && found->device) << name;
    return found && found->device ? *found->device : DeviceCredential{};
  }

  SqliteFixture fixture_;
  std::unique_ptr<Registry> registry_;
  std::uint64_t devices_max_ = 0;
};

TEST_F(Registering, a_device_that_never_was_online_gets_a_new_secret_each_time) {
  preregister();
  const Registration first = ask(false);
  const Registration second = ask(false);
  ASSERT_EQ(first.outcome, Outcome::kIssued);
  ASSERT_EQ(second.outcome, Outcome::kIssued);
  EXPECT_EQ(first.device_secret.size(), 32U);
  EXPECT_NE(first.device_secret, second.device_secret);
  EXPECT_EQ(credential().device_secret, second.device_secret);
  EXPECT_EQ(credential().activated_ms, 0);
}

TEST_F(Registering, an_activated_device_must_be_reset_and_keeps_its_secret_until_it_registers) {
  preregister("burnt-in");
  online();
  EXPECT_EQ(ask(false).outcome, Outcome::kActivated);
  ASSERT_TRUE(registry_->reset_registration({"pk", "dev1"}));
  EXPECT_EQ(credential().device_secret, "burnt-in");
  online();  // still with the old one: that does not use up the reset
  const Registration issued = ask(false);
  ASSERT_EQ(issued.outcome, Outcome::kIssued);
  EXPECT_EQ(ask(false).outcome, Outcome::kIssued) << "not online since";
  online();
  EXPECT_EQ(ask(false).outcome, Outcome::kActivated);
  EXPECT_NE(credential().activated_ms, 0);
}

TEST_F(Registering, the_switch_of_the_product_decides) {
  preregister();
  set_mode(DynamicRegistration::kOff);
  EXPECT_EQ(ask(false).outcome, Outcome::kSwitchedOff);
  EXPECT_EQ(ask(true).outcome, Outcome::kSwitchedOff);
  set_mode(DynamicRegistration::kOn);
  EXPECT_EQ(ask(true).outcome, Outcome::kSwitchedOff);
  EXPECT_EQ(ask(false, "r", "ghost").outcome, Outcome::kNoSuchDevice);
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  EXPECT_EQ(ask(false, "r", "ghost").outcome, Outcome::kNoSuchDevice);
  EXPECT_EQ(registry_->register_device({{"other", "dev1"}, true, "r", 0})->outcome, Outcome::kSwitchedOff);
  EXPECT_EQ(registry_->get_product("pk")->device_count, 1U);
}

TEST_F(Registering, a_disabled_device_gets_nothing) {
  preregister();
  DeviceChange change;
  change.enabled = false;
  ASSERT_TRUE(registry_->update_device({"pk", "dev1"}, change));
  EXPECT_EQ(ask(false).outcome, Outcome::kDisabled);
  EXPECT_EQ(credential().device_secret, "");
}

TEST_F(Registering, without_preregistration_the_device_is_made_and_its_token_stored_as_a_hash) {
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  const Registration issued = ask(true, "r1", "fresh");
  ASSERT_EQ(issued.outcome, Outcome::kIssued);
  EXPECT_EQ(issued.client_id.size(), 32U);
  const DeviceCredential found = credential("fresh");
  EXPECT_EQ(found.device_secret, "");
  ASSERT_EQ(found.tokens.size(), 1U);
  EXPECT_EQ(found.tokens[0], (DeviceToken{issued.client_id, crypto::token_hash(issued.device_token), false}));
  EXPECT_EQ(registry_->get_product("pk")->device_count, 1U);
  EXPECT_EQ(ask(true, "r1", "bad name").outcome, Outcome::kNameRefused);
}

TEST_F(Registering, a_name_has_up_to_five_pairs_and_a_replay_adds_none) {
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  const Registration first = ask(true, "same");
  const Registration replayed = ask(true, "same");
  EXPECT_NE(first.client_id, replayed.client_id);
  ASSERT_EQ(credential().tokens.size(), 1U);
  EXPECT_EQ(credential().tokens[0].client_id, replayed.client_id);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(ask(true, std::to_string(i)).outcome, Outcome::kIssued);
  EXPECT_EQ(credential().tokens.size(), kTokensPerDeviceMax);
  online();
  for (const DeviceToken& token : credential().tokens) {
    ASSERT_TRUE(registry_->mark_token_used({"pk", "dev1"}, token.client_id));
  }
  EXPECT_EQ(ask(true, "one more").outcome, Outcome::kTokensFull);
  EXPECT_EQ(ask(true, "9").outcome, Outcome::kTokensFull) << "a pair in use is not replaced";
  ASSERT_TRUE(registry_->reset_registration({"pk", "dev1"}));
  EXPECT_EQ(credential().tokens.size(), kTokensPerDeviceMax) << "valid until the device registers";
  EXPECT_EQ(ask(true, "after reset").outcome, Outcome::kIssued);
  EXPECT_EQ(credential().tokens.size(), 1U);
}

TEST_F(Registering, does_not_take_the_place_of_a_device_that_was_online_with_a_secret) {
  preregister("burnt-in");
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  online();
  EXPECT_EQ(ask(true).outcome, Outcome::kActivated);
  EXPECT_EQ(credential().device_secret, "burnt-in");
}

TEST_F(Registering, a_product_is_not_filled_by_strangers) {
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  devices_max_ = 3;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(ask(true, "r", "n" + std::to_string(i)).outcome, i < 3 ? Outcome::kIssued : Outcome::kProductFull);
  }
  EXPECT_EQ(registry_->get_product("pk")->device_count, 3U);
  EXPECT_EQ(ask(true, "r2", "n0").outcome, Outcome::kIssued) << "who is there already may ask again";
}

TEST_F(Registering, tokens_go_with_the_device_and_with_a_secret) {
  set_mode(DynamicRegistration::kOnWithoutPreregistration);
  ASSERT_EQ(ask(true).outcome, Outcome::kIssued);
  ASSERT_TRUE(registry_->delete_device({"pk", "dev1"}));
  preregister();
  EXPECT_TRUE(credential().tokens.empty());
  ASSERT_EQ(ask(true).outcome, Outcome::kIssued);
  DeviceChange change;
  change.device_secret = "given";
  ASSERT_TRUE(registry_->update_device({"pk", "dev1"}, change));
  change.device_secret.reset();
  EXPECT_TRUE(credential().tokens.empty());
  EXPECT_EQ(credential().device_secret, "given");
  ASSERT_TRUE(registry_->delete_product("pk", true));
}

TEST_F(Registering, disabling_a_device_voids_what_was_signed_for_it) {
  preregister("s");
  const auto set_enabled = [&](bool enabled) {
    DeviceChange change;
    change.enabled = enabled;
    ASSERT_TRUE(registry_->update_device({"pk", "dev1"}, change));
  };
  const std::uint32_t before = credential().token_generation;
  set_enabled(false);
  set_enabled(true);
  EXPECT_EQ(credential().token_generation, before + 1);
}

TEST_F(Registering, a_server_key_is_made_once) {
  const auto key = registry_->server_key("one");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 64U);
  EXPECT_NE(*key, *registry_->server_key("two"));
  registry_.reset();
  registry_ = fixture_.open();
  EXPECT_EQ(*registry_->server_key("one"), *key);
}

}  // namespace
}  // namespace mooring::registry
