#include "gateway/refused_attempt.h"

#include <gtest/gtest.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"

namespace mooring::gateway {
namespace {

const std::string kToken = "^1^1700000000000^00112233445566778899aabbccddeeff";

std::string kept_password(std::string_view user_name, std::string_view client_id, std::string_view password) {
  mqtt::Connect sent;
  sent.client_id = client_id;
  sent.username = user_name;
  sent.password = base::as_bytes(password);
  base::Bytes bytes;
  EXPECT_TRUE(mqtt::append_connect(bytes, sent));
  mqtt::FixedHeader header;
  mqtt::read_fixed_header(bytes, header);
  const base::ByteView body = base::ByteView(bytes).subspan(header.header_bytes);
  PendingConnect connect(sent, 0);
  connect.body.assign(body.begin(), body.end());
  const auto attempt = refused_attempt(connect, {}, true);
  EXPECT_NE(attempt, nullptr);
  EXPECT_TRUE(attempt->has_password);
  EXPECT_EQ(attempt->client_id, client_id);
  return attempt->password;
}

TEST(RefusedAttempt, KeepsTheCodeOfADevice) {
  EXPECT_EQ(kept_password("dn&pk", "id|securemode=3,signmethod=hmacsha1|", "0123ABCD"), "0123ABCD");
  EXPECT_EQ(kept_password("dn&pk", "id|authType=register,random=1|", "0123ABCD"), "0123ABCD");
}

TEST(RefusedAttempt, KeepsNoPasswordOfAccountsAndTickets) {
  EXPECT_EQ(kept_password("backend", "worker", "a long password"), "");
  EXPECT_EQ(kept_password("ticket:1", "page", "secret of the ticket"), "");
  EXPECT_EQ(kept_password("iotId", "any", kToken), "");
}

TEST(RefusedAttempt, KeepsNoTokenOfADevice) {
  for (const char* type : {"connwl", "ConnWL"}) {
    EXPECT_EQ(kept_password("dn&pk", std::string("id|securemode=-2,authType=") + type + "|", kToken), "");
    EXPECT_EQ(kept_password("dn&pk", std::string("id|authType=") + type + "|", "a token of another form"), "");
  }
}

// The doctor names it by its beginning: token-without-authtype.
TEST(RefusedAttempt, KeepsTheBeginningOfATokenThatNobodyAskedFor) {
  EXPECT_EQ(kept_password("dn&pk", "id|securemode=3|", kToken), "^1^");
  EXPECT_EQ(kept_password("dn&pk", "id|authType=regnwl|", " " + kToken + "\n"), " ^1^");
  EXPECT_EQ(kept_password("dn&pk", "no parameters", kToken), "^1^");
}

TEST(RefusedAttempt, CutsLongFields) {
  const std::string code(5000, 'a');
  EXPECT_EQ(kept_password("dn&pk", "id", code), code.substr(0, 1024));
}

}  // namespace
}  // namespace mooring::gateway
