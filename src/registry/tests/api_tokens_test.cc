#include <gtest/gtest.h>

#include "crypto/secret_hash.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

NewApiToken token(std::string name, Role role = Role::kViewer, std::uint32_t lifetime_s = 0) {
  return {"id-" + name, name, role, crypto::hash_secret("secret of " + name), lifetime_s};
}

TEST(ApiTokens, AreStoredListedAndDeleted) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  std::vector<Change> seen;
  registry->set_change_listener(
      [&](std::span<const Change> changes) { seen.insert(seen.end(), changes.begin(), changes.end()); });
  ASSERT_TRUE(registry->create_api_token(token("b", Role::kAdmin)));
  ASSERT_TRUE(registry->create_api_token(token("a", Role::kViewer, 60)));
  EXPECT_EQ(registry->create_api_token(token("a")).error().code, base::Errc::kAlreadyExists);
  auto tokens = registry->list_api_tokens();
  ASSERT_TRUE(tokens && tokens->size() == 2);
  EXPECT_EQ(tokens->front().name, "a");
  EXPECT_EQ(tokens->front().expires_ms, fixture.clock.now_ms + 60'000);
  EXPECT_FALSE(tokens->front().expired(fixture.clock.now_ms + 59'999));
  EXPECT_TRUE(tokens->front().expired(fixture.clock.now_ms + 60'000));
  EXPECT_EQ(tokens->back().role, Role::kAdmin);
  EXPECT_EQ(tokens->back().expires_ms, 0);
  ASSERT_TRUE(registry->delete_api_token("b"));
  EXPECT_EQ(registry->delete_api_token("b").error().code, base::Errc::kNotFound);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].kind, Change::Kind::kApiTokenCreated);
  EXPECT_EQ(seen[0].api_token->name, "b");
  EXPECT_EQ(seen[2].kind, Change::Kind::kApiTokenDeleted);
  EXPECT_EQ(seen[2].api_token->id, "id-b");
}

TEST(ApiTokens, AnExpiredOneMakesRoomForItsName) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  ASSERT_TRUE(registry->create_api_token(token("a", Role::kViewer, 60)));
  fixture.clock.now_ms += 60'000;
  auto again = token("a", Role::kOperator);
  again.id = "another";
  ASSERT_TRUE(registry->create_api_token(again));
  EXPECT_EQ(registry->list_api_tokens()->size(), 1U);
}

TEST(ApiTokens, AreBoundedAndChecked) {
  SqliteFixture fixture;
  auto registry = fixture.open();
  EXPECT_FALSE(registry->create_api_token(token("")));
  EXPECT_FALSE(registry->create_api_token(token("line\nbreak")));
  EXPECT_FALSE(registry->create_api_token(token(std::string(65, 'n'))));
  auto clear = token("clear");
  clear.secret_hash = "secret";
  EXPECT_FALSE(registry->create_api_token(clear)) << "only hashes are stored";
  EXPECT_FALSE(registry->create_api_token(token("long", Role::kViewer, kApiTokenLifetimeMaxS + 1)));
}

}  // namespace
}  // namespace mooring::registry
