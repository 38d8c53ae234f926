#include "api/token_book.h"

#include <gtest/gtest.h>

#include "api/api_token_text.h"
#include "crypto/random.h"
#include "crypto/secret_hash.h"

namespace mooring::api {
namespace {

class FakeClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_ms; }
  base::WallMs wall_ms() const override { return now_ms; }
  base::WallMs now_ms = 1'000'000;
};

struct Made {
  registry::ApiToken token;
  std::string text;
};
Made make(std::string name, registry::Role role, base::WallMs expires_ms = 0) {
  const TokenText text = make_token(crypto::system_random());
  return {{text.id, std::move(name), role, crypto::hash_secret(text.secret), 0, expires_ms}, to_text(text)};
}

registry::Change change(registry::Change::Kind kind, const registry::ApiToken& token) {
  registry::Change out{kind, {}};
  out.api_token = std::make_shared<const registry::ApiToken>(token);
  return out;
}

TEST(TokenBook, KnowsTokensByTheirSecret) {
  FakeClock clock;
  TokenBook book(clock);
  const Made ops = make("ops", registry::Role::kOperator);
  book.load({ops.token, make("other", registry::Role::kAdmin).token});
  const auto caller = book.find(ops.text);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->role, registry::Role::kOperator);
  EXPECT_EQ(caller->label, "token ops");
  std::string wrong = ops.text;
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  EXPECT_FALSE(book.find(wrong));
  EXPECT_FALSE(book.find(make("ops", registry::Role::kOperator).text));
  EXPECT_FALSE(book.find("no token"));
}

TEST(TokenBook, FollowsTheRegistry) {
  FakeClock clock;
  TokenBook book(clock);
  const Made made = make("new", registry::Role::kViewer);
  book.on_change(change(registry::Change::Kind::kApiTokenCreated, made.token));
  EXPECT_TRUE(book.find(made.text));
  book.on_change({registry::Change::Kind::kProductChanged, {"pk", ""}});
  EXPECT_TRUE(book.find(made.text));
  book.on_change(change(registry::Change::Kind::kApiTokenDeleted, made.token));
  EXPECT_FALSE(book.find(made.text));
}

TEST(TokenBook, ATokenEndsInTime) {
  FakeClock clock;
  TokenBook book(clock);
  const Made made = make("short", registry::Role::kAdmin, clock.now_ms + 1000);
  book.load({made.token});
  clock.now_ms += 999;
  EXPECT_TRUE(book.find(made.text));
  clock.now_ms += 1;
  EXPECT_FALSE(book.find(made.text));
}

}  // namespace
}  // namespace mooring::api
