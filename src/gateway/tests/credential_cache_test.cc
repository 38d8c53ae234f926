#include "gateway/credential_cache.h"

#include <gtest/gtest.h>

namespace mooring::gateway {
namespace {

registry::Credential credential(const std::string& secret) {
  registry::Product product;
  product.product_key = "pk";
  registry::DeviceCredential device;
  device.device_secret = secret;
  return {std::make_shared<const registry::Product>(product), device};
}

TEST(CredentialCache, KeepsTheMostRecentlyUsed) {
  CredentialCache cache(2);
  cache.put({"pk", "a"}, credential("1"), cache.generation());
  cache.put({"pk", "b"}, credential("2"), cache.generation());
  ASSERT_NE(cache.find({"pk", "a"}), nullptr);
  cache.put({"pk", "c"}, credential("3"), cache.generation());
  EXPECT_NE(cache.find({"pk", "a"}), nullptr);
  EXPECT_EQ(cache.find({"pk", "b"}), nullptr);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(CredentialCache, AnAnswerFromBeforeAChangeIsNotKept) {
  CredentialCache cache(10);
  const auto asked = cache.generation();
  cache.forget({"pk", "a"});  // the secret changed while the registry was asked
  EXPECT_EQ(cache.put({"pk", "a"}, credential("old"), asked)->record.device_secret, "old");
  EXPECT_EQ(cache.find({"pk", "a"}), nullptr);
}

TEST(CredentialCache, RemembersThatADeviceDoesNotExistUntilItDoes) {
  CredentialCache cache(10);
  cache.put({"pk", "ghost"}, {}, cache.generation());
  ASSERT_NE(cache.find({"pk", "ghost"}), nullptr);
  EXPECT_FALSE(cache.find({"pk", "ghost"})->exists);
  cache.forget({"pk", "ghost"});
  EXPECT_EQ(cache.find({"pk", "ghost"}), nullptr);
}

TEST(CredentialCache, KnowsWhoseChildADeviceIs) {
  CredentialCache cache(10);
  registry::Credential child = credential("1");
  child.device->gateway = {"gw", "gate"};
  cache.put({"pk", "a"}, child, cache.generation());
  cache.put({"pk", "b"}, credential("2"), cache.generation());
  EXPECT_TRUE(cache.find({"pk", "a"})->is_child_of({"gw", "gate"}));
  EXPECT_FALSE(cache.find({"pk", "a"})->is_child_of({"gw", "another"}));
  EXPECT_FALSE(cache.find({"pk", "b"})->is_child_of({"gw", "gate"}));
  EXPECT_FALSE(cache.find({"pk", "b"})->is_child_of({"", ""}));
}

TEST(CredentialCache, KeepsEverything) {
  CredentialCache cache(10);
  registry::Credential all = credential(std::string(64, 's'));
  all.device->iot_id = std::string(64, 'i');
  all.device->enabled = false;
  all.device->life = 7;
  all.device->token_generation = 3;
  all.device->tokens = {{.client_id = "c", .token_hash = "h", .used = true}};
  const auto rules = cache.put({"pk", "a"}, all, cache.generation())->product;
  cache.put({"pk", "b"}, credential("2"), cache.generation());
  const CachedCredential* const found = cache.find({"pk", "a"});
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->exists);
  EXPECT_EQ(found->product, rules);
  EXPECT_EQ(found->record.device_secret, std::string(64, 's'));
  EXPECT_EQ(found->record.iot_id, std::string(64, 'i'));
  EXPECT_TRUE(found->record.disabled);
  EXPECT_EQ(found->record.life, 7U);
  EXPECT_EQ(found->record.token_generation, 3U);
  ASSERT_EQ(found->record.tokens.size(), 1U);
  EXPECT_EQ(found->record.tokens[0].token_hash, "h");
  EXPECT_TRUE(cache.find({"pk", "b"})->record.tokens.empty());
}

// Whoever asks chooses the names.
TEST(CredentialCache, TakesAnyNames) {
  CredentialCache cache(10);
  const base::DeviceKey key{"pk", std::string(70'000, 'n')};
  EXPECT_FALSE(cache.put(key, {}, cache.generation())->exists);
  EXPECT_EQ(cache.find(key), nullptr);
  EXPECT_EQ(cache.size(), 0U);
  cache.put({"", ""}, {}, cache.generation());
  EXPECT_FALSE(cache.find({"", ""})->exists);
  cache.forget_product("");
  EXPECT_EQ(cache.size(), 0U);
}

TEST(CredentialCache, ChangesOfAProductReachAllOfItsDevices) {
  CredentialCache cache(10);
  registry::Credential other = credential("3");
  registry::Product another;
  another.product_key = "other";
  other.product = std::make_shared<const registry::Product>(another);
  cache.put({"pk", "a"}, credential("1"), cache.generation());
  cache.put({"pk", "ghost"}, {}, cache.generation());
  cache.put({"other", "a"}, other, cache.generation());
  registry::Product product;
  product.product_key = "pk";
  product.auth_type = registry::AuthType::kX509;
  cache.update_product(product);
  EXPECT_EQ(cache.find({"pk", "a"})->record.kind, auth::CredentialRecord::Kind::kX509);
  EXPECT_EQ(cache.find({"other", "a"})->record.kind, auth::CredentialRecord::Kind::kSecret);
  cache.forget_product("pk");
  EXPECT_EQ(cache.find({"pk", "a"}), nullptr);
  EXPECT_EQ(cache.find({"pk", "ghost"}), nullptr);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(CredentialCache, TellsOnceThatASecretIsUsedInABrowser) {
  CredentialCache cache(10);
  cache.put({"pk", "a"}, credential("1"), cache.generation());
  EXPECT_TRUE(cache.note_browser({"pk", "a"}));
  EXPECT_FALSE(cache.note_browser({"pk", "a"}));
  registry::Credential known = credential("2");
  known.device->used_in_browser = true;
  cache.put({"pk", "b"}, known, cache.generation());
  EXPECT_FALSE(cache.note_browser({"pk", "b"})) << "the registry knows it from before";
  cache.put({"pk", "a"}, credential("another secret"), cache.generation());
  EXPECT_TRUE(cache.note_browser({"pk", "a"}));
}

TEST(CredentialCache, NewTopicClassesReachThoseWhoHoldTheRules) {
  CredentialCache cache(10);
  const auto rules = cache.put({"pk", "a"}, credential("1"), cache.generation())->product;
  EXPECT_FALSE(rules->classes->permits("user/echo", auth::TopicRight::kPublish));
  registry::Product product;
  product.product_key = "pk";
  product.topic_classes = {{"user/echo", registry::TopicRight::kAll}};
  cache.update_product(product);
  EXPECT_TRUE(rules->classes->permits("user/echo", auth::TopicRight::kPublish));
  EXPECT_EQ(rules->revision, 1U);
}

// Devices change all the time in a roll-out: whoever signs in meanwhile still has to hear of a change of the product.
TEST(CredentialCache, RulesAreTheSameObjectWhateverChangedMeanwhile) {
  CredentialCache cache(10);
  auto asked = cache.generation();
  cache.forget({"pk", "other"});
  const auto rules = cache.put({"pk", "a"}, credential("1"), asked)->product;
  EXPECT_EQ(cache.put({"pk", "b"}, credential("2"), cache.generation())->product, rules);
  asked = cache.generation();
  registry::Product product;
  product.product_key = "pk";
  cache.update_product(product);
  EXPECT_EQ(rules->revision, 1U);
  EXPECT_EQ(cache.put({"pk", "c"}, credential("3"), asked)->product, rules) << "they have been put right";
}

TEST(CredentialCache, RulesThatMayBeOutOfDateAreGivenToNobody) {
  CredentialCache cache(10);
  const auto asked = cache.generation();
  registry::Product product;
  product.product_key = "pk";
  cache.update_product(product);  // nobody holds its rules yet
  EXPECT_EQ(cache.put({"pk", "a"}, credential("1"), asked), nullptr);
  EXPECT_NE(cache.put({"pk", "a"}, credential("1"), cache.generation()), nullptr);
}

}  // namespace
}  // namespace mooring::gateway
