// People of the console, and the audit log.
#include <gtest/gtest.h>

#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

class UsersTest : public testing::Test {
 protected:
  UsersTest() : registry(fixture.open()) {
    registry->set_change_listener([this](std::span<const Change> changes) {
      for (const Change& change : changes) told.push_back({change.kind, change.account});
    });
  }
  base::Result<User> make(std::string name, Role role) {
    return registry->create_user({std::move(name), role, "$hash", true});
  }
  SqliteFixture fixture;
  std::unique_ptr<Registry> registry;
  std::vector<std::pair<Change::Kind, std::string>> told;
};

TEST_F(UsersTest, are_made_changed_and_deleted) {
  ASSERT_TRUE(make("root", Role::kAdmin));
  const auto made = make("ada", Role::kOperator);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->version, 1U);
  EXPECT_TRUE(made->must_change_password);
  EXPECT_EQ(make("ada", Role::kViewer).error().code, base::Errc::kAlreadyExists);
  EXPECT_EQ(make("a&b", Role::kViewer).error().code, base::Errc::kInvalidArgument);
  EXPECT_EQ(registry->create_user({"plain", Role::kViewer, "password", false}).error().code,
            base::Errc::kInvalidArgument);
  UserChange change;
  change.password_hash = "$other";
  change.must_change_password = false;
  change.seen_version = 1;
  const auto changed = registry->update_user("ada", change);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->version, 2U);
  EXPECT_EQ(**registry->find_user("ada"), *changed);
  EXPECT_EQ(registry->update_user("ada", change).error().code, base::Errc::kConflict);
  EXPECT_EQ(registry->list_users()->size(), 2U);
  ASSERT_TRUE(registry->note_sign_in("ada", 77));
  EXPECT_EQ((*registry->find_user("ada"))->last_sign_in_ms, 77);
  ASSERT_TRUE(registry->delete_user("ada"));
  EXPECT_FALSE(*registry->find_user("ada"));
  EXPECT_EQ(registry->delete_user("ada").error().code, base::Errc::kNotFound);
  EXPECT_EQ(told, (std::vector<std::pair<Change::Kind, std::string>>{{Change::Kind::kUserChanged, "ada"},
                                                                     {Change::Kind::kUserDeleted, "ada"}}));
}

TEST_F(UsersTest, the_only_administrator_stays_one) {
  ASSERT_TRUE(make("root", Role::kAdmin));
  UserChange less;
  less.role = Role::kViewer;
  EXPECT_EQ(registry->update_user("root", less).error().code, base::Errc::kInvalidArgument);
  EXPECT_EQ(registry->delete_user("root").error().code, base::Errc::kInvalidArgument);
  ASSERT_TRUE(make("second", Role::kAdmin));
  EXPECT_TRUE(registry->update_user("root", less));
  EXPECT_EQ(registry->delete_user("second").error().code, base::Errc::kInvalidArgument);
  EXPECT_TRUE(registry->delete_user("root"));
}

TEST_F(UsersTest, the_audit_log_pages_from_the_newest_and_drops_the_oldest) {
  for (int i = 0; i < 10; ++i) {
    AuditEntry entry;
    entry.actor = i % 2 == 0 ? "user ada" : "token ci";
    entry.action = "PATCH products/*";
    entry.target = "products/pk" + std::to_string(i);
    entry.status = 200;
    entry.after = R"({"name":"x"})";
    ASSERT_TRUE(registry->record_audit(entry, {7, 0}));
  }
  const auto targets = [&](const AuditQuery& query) {
    std::vector<std::string> out;
    const auto entries = registry->list_audit(query);
    for (const AuditEntry& entry : *entries) out.push_back(entry.target.substr(11));
    return out;
  };
  EXPECT_EQ(targets({}), (std::vector<std::string>{"9", "8", "7", "6", "5", "4", "3"}));
  EXPECT_EQ(targets({.actor = "user ada"}), (std::vector<std::string>{"8", "6", "4"}));
  EXPECT_EQ(targets({.target_prefix = "products/pk5"}), (std::vector<std::string>{"5"}));
  EXPECT_EQ(targets({.target_prefix = "products/%"}), std::vector<std::string>{});
  const auto page = registry->list_audit({.limit = 2});
  EXPECT_EQ(targets({.before_id = page->back().id, .limit = 2}), (std::vector<std::string>{"7", "6"}));
  EXPECT_EQ(page->front().after, R"({"name":"x"})");
  EXPECT_FALSE(registry->list_audit({.limit = 0}));
  AuditEntry large;
  large.after.assign(kAuditTextBytesMax + 1, 'x');
  EXPECT_FALSE(registry->record_audit(large, {}));
}

TEST_F(UsersTest, refusals_push_no_change_out_of_the_audit_log) {
  AuditEntry change, refusal;
  change.target = "products/a";
  change.status = 200;
  refusal.target = "session";
  refusal.status = 401;
  const auto count = [&](std::string target) {
    return registry->list_audit({.target_prefix = std::move(target), .limit = kAuditRowsMax})->size();
  };
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(registry->record_audit(change, {20, 0}));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(registry->record_audit(refusal, {20, 0}));
  EXPECT_EQ(count("products"), 15U);
  EXPECT_EQ(count("session"), 2U);
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(registry->record_audit(change, {20, 0}));
  EXPECT_EQ(count("products"), 20U);
  EXPECT_EQ(count("session"), 2U);
}

}  // namespace
}  // namespace mooring::registry
