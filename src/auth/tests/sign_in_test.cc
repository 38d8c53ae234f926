#include "auth/sign_in.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/signature.h"
#include "crypto/secret_hash.h"

namespace mooring::auth {
namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
const CredentialRecord kRecord{.device_secret = std::string(kSecret)};

// A good attempt of a1PK/dev1; tests spoil what they are about.
struct Fixture {
  std::string client_id = "c1|securemode=3,signmethod=hmacsha256,timestamp=1|";
  std::string user_name = "dev1&a1PK";
  std::string password = connect_password(crypto::HmacMethod::kSha256, kSecret, {"c1", {"a1PK", "dev1"}, "1"});
  ConnectAttempt attempt;
  SignInPolicy policy;
  CredentialRecord record = kRecord;
  bool known = true;

  Fixture() { attempt.keep_alive_s = 60; }

  tl::expected<PendingSignIn, Refusal> start() {
    attempt.client_id = client_id;
    attempt.user_name = user_name;
    attempt.password = base::as_bytes(password);
    return begin(attempt, policy);
  }
  tl::expected<SignedIn, Refusal> run() {
    auto pending = start();
    if (!pending) return tl::unexpected(pending.error());
    return finish(std::move(*pending), policy, known ? &record : nullptr);
  }
  std::optional<RefusalReason> reason() {
    const auto result = run();
    return result ? std::nullopt : std::optional(result.error().reason);
  }
};

TEST(SignIn, AcceptsAndPassesOn) {
  Fixture f;
  f.client_id = "c1|securemode=3,signmethod=hmacsha256,timestamp=1,ext=3,_ss=1,_v=sdk-c-4.2.0,instanceId=iot-x|";
  f.attempt.clean_session = true;
  const auto result = f.run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->device, (base::DeviceKey{"a1PK", "dev1"}));
  EXPECT_EQ(result->base_client_id, "c1");
  EXPECT_EQ(result->keep_alive_s, 60);
  EXPECT_FALSE(result->keep_alive_clamped);
  EXPECT_TRUE(result->clean_session);
  EXPECT_EQ(result->ext_bits, kExtCustomRrpc | kExtNotify);
  EXPECT_TRUE(result->auto_subscribe);
  EXPECT_EQ(result->facts.sdk_version, "sdk-c-4.2.0");
  EXPECT_FALSE(result->secure_mode_mismatch);
}

// The answer follows the first row of section 4.5 that fails: every later fault is present from the start, and they are
// mended one after the other.
TEST(SignIn, RowsAreCheckedInOrder) {
  Fixture f;
  const std::string good_password = f.password;
  f.attempt.protocol_level = 6;
  f.attempt.rate_limited = true;
  f.user_name = "dev1";
  f.client_id = std::string(65, 'c') + "|securemode=99,signmethod=x,instanceId=other|";
  f.attempt.keep_alive_s = 5;
  f.password = "00";
  f.policy.strict_secure_mode = true;
  f.record.disabled = true;
  f.known = false;
  EXPECT_EQ(f.reason(), RefusalReason::kProtocolVersion);
  f.attempt.protocol_level = 4;
  EXPECT_EQ(f.reason(), RefusalReason::kRateLimited);
  f.attempt.rate_limited = false;
  EXPECT_EQ(f.reason(), RefusalReason::kUnknownUser);
  f.user_name = "dev1&a1PK";
  EXPECT_EQ(f.reason(), RefusalReason::kSecureModeUnknown);
  f.client_id = std::string(65, 'c') + "|securemode=2,signmethod=x,instanceId=other|";
  EXPECT_EQ(f.reason(), RefusalReason::kSignMethodUnknown);
  f.client_id = std::string(65, 'c') + "|securemode=2,signmethod=sha256,timestamp=1,instanceId=other|";
  EXPECT_EQ(f.reason(), RefusalReason::kBaseClientId);
  f.client_id = "c1|securemode=2,signmethod=sha256,timestamp=1,instanceId=other|";
  EXPECT_EQ(f.reason(), RefusalReason::kKeepAliveTooShort);
  f.attempt.keep_alive_s = 30;
  EXPECT_EQ(f.reason(), RefusalReason::kUnknownDevice);
  f.known = true;
  EXPECT_EQ(f.reason(), RefusalReason::kWrongSignature);
  f.password = good_password;
  EXPECT_EQ(f.reason(), RefusalReason::kSecureModeMismatch);
  f.policy.strict_secure_mode = false;
  EXPECT_EQ(f.reason(), RefusalReason::kDeviceDisabled);
  f.record.disabled = false;
  EXPECT_EQ(f.reason(), std::nullopt);
}

TEST(SignIn, UserNames) {
  Fixture f;
  for (const char* name : {"&a1PK", "dev1&", "dev1&a1PK&", "a&b&c", "&&"}) {
    f.user_name = name;
    EXPECT_EQ(f.reason(), RefusalReason::kUserNameForm) << name;
  }
  f.user_name = "&";
  EXPECT_EQ(f.reason(), RefusalReason::kUserNameForm) << "with a password";
  f.password.clear();
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateMissing);
  f.user_name = "";
  EXPECT_EQ(f.reason(), RefusalReason::kUnknownUser);
  f.user_name = "dev1&" + std::string(124, 'x');
  EXPECT_EQ(f.reason(), RefusalReason::kUserNameForm);
}

TEST(SignIn, UserNameAndPasswordAreNeeded) {
  ConnectAttempt attempt;
  attempt.client_id = "c1";
  attempt.keep_alive_s = 60;
  EXPECT_EQ(begin(attempt, {}).error().reason, RefusalReason::kCredentialsMissing);
  attempt.user_name = "dev1&a1PK";
  EXPECT_EQ(begin(attempt, {}).error().reason, RefusalReason::kCredentialsMissing);
  attempt.user_name.reset();
  attempt.password = base::as_bytes("00");
  EXPECT_EQ(begin(attempt, {}).error().reason, RefusalReason::kCredentialsMissing);
}

TEST(SignIn, SecureModes) {
  const auto reason_for = [](const std::string& mode, bool tls) {
    Fixture f;
    f.client_id = "c1|securemode=" + mode + ",signmethod=hmacsha256,timestamp=1|";
    f.attempt.tls = tls;
    f.policy.strict_secure_mode = true;
    return f.reason();
  };
  for (const char* mode : {"2", "-1", "-2"}) {
    EXPECT_EQ(reason_for(mode, true), std::nullopt) << mode;
    EXPECT_EQ(reason_for(mode, false), RefusalReason::kSecureModeMismatch) << mode;
  }
  for (const char* mode : {"3", "0"}) {
    EXPECT_EQ(reason_for(mode, false), std::nullopt) << mode;
    EXPECT_EQ(reason_for(mode, true), RefusalReason::kSecureModeMismatch) << mode;
  }
  for (const char* mode : {"8", "1", "4", "5", "7"}) {
    EXPECT_EQ(reason_for(mode, true), RefusalReason::kId2Unavailable) << mode;
  }
  for (const char* mode : {"", "6", "9", "-3", "02", "2x", "tls"}) {
    EXPECT_EQ(reason_for(mode, true), RefusalReason::kSecureModeUnknown) << mode;
  }
}

TEST(SignIn, MismatchIsAWarningByDefault) {
  Fixture f;
  f.attempt.tls = true;
  const auto result = f.run();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->secure_mode_mismatch);
}

TEST(SignIn, AuthTypes) {
  const auto reason_for = [](const std::string& params, bool tls, const std::string& password = "") {
    Fixture f;
    f.client_id = "c1|securemode=2,signmethod=hmacsha256,timestamp=1," + params + "|";
    if (!password.empty()) f.password = password;
    f.attempt.tls = tls;
    return f.reason();
  };
  EXPECT_EQ(reason_for("authType=custom-ilop", true), std::nullopt);
  EXPECT_EQ(reason_for("authtype=id2", true), RefusalReason::kId2Unavailable);
  EXPECT_EQ(reason_for("authType=connwl", true), RefusalReason::kWrongToken);
  EXPECT_EQ(reason_for("authType=regnwl", true, "^1^1700000000000^0123"), RefusalReason::kWrongToken);
  EXPECT_EQ(reason_for("authType=register,random=r", false), RefusalReason::kRegistrationNeedsTls);
  EXPECT_EQ(reason_for("authType=register", true), RefusalReason::kRegistrationWithoutRandom);
  EXPECT_EQ(reason_for("authType=", true), RefusalReason::kAuthTypeUnknown);
  EXPECT_EQ(reason_for("authType=other", true), RefusalReason::kAuthTypeUnknown);
}

TEST(SignIn, RegistrationLeavesTheRowsBehindIt) {
  for (const char* type : {"register", "regnwl"}) {
    Fixture f;
    f.client_id = std::string("c1|securemode=-2,signmethod=hmacsha1,random=R,authType=") + type + "|";
    f.attempt.tls = true;
    f.attempt.keep_alive_s = 0;
    const auto pending = f.start();
    ASSERT_TRUE(pending) << type;
    ASSERT_TRUE(pending->registration) << type;
    EXPECT_EQ(pending->registration->device, (base::DeviceKey{"a1PK", "dev1"}));
    EXPECT_EQ(pending->registration->random, "R");
    EXPECT_EQ(pending->registration->method, crypto::HmacMethod::kSha1);
    EXPECT_EQ(pending->registration->with_token, type == std::string("regnwl"));
  }
  Fixture proxied;
  proxied.client_id = "c1|authType=register,random=R|";
  proxied.policy.registration_needs_tls = false;
  EXPECT_TRUE(proxied.start());
}

TEST(SignIn, DeviceTokens) {
  Fixture f;
  f.client_id = "client1|authType=connwl,securemode=-2|";
  f.password = "^1^1700000000000^0123456789abcde";
  f.record.device_secret.clear();
  f.record.tokens = {{"client0", crypto::token_hash("other"), true},
                     {"client1", crypto::token_hash(f.password), false}};
  auto signed_in = f.run();
  ASSERT_TRUE(signed_in);
  EXPECT_EQ(signed_in->base_client_id, "client1");
  EXPECT_EQ(signed_in->first_used_token, "client1");
  f.record.tokens[1].used = true;
  EXPECT_EQ(f.run()->first_used_token, "");
  f.client_id = "client1|authType=regnwl,securemode=-2|";  // as one text misprints it
  EXPECT_EQ(f.reason(), std::nullopt);
  f.client_id = "client0|authType=connwl|";  // the token of another pair
  EXPECT_EQ(f.reason(), RefusalReason::kWrongToken);
  f.client_id = "client1|authType=connwl|";
  f.password = "other";
  EXPECT_EQ(f.reason(), RefusalReason::kWrongToken);
  f.password = "";
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateMissing);
  f.password = "^1^1700000000000^0123456789abcde";
  f.attempt.keep_alive_s = 10;
  EXPECT_EQ(f.reason(), RefusalReason::kKeepAliveTooShort);
  f.attempt.keep_alive_s = 60;
  f.record.disabled = true;
  EXPECT_EQ(f.reason(), RefusalReason::kDeviceDisabled);
  f.known = false;
  EXPECT_EQ(f.reason(), RefusalReason::kUnknownDevice);
}

TEST(SignIn, IotTokens) {
  constexpr base::WallMs kNow = 1'700'000'000'000;
  Fixture f;
  f.policy.token_key = std::string(64, 'k');
  f.record.iot_id = f.user_name = "IotId1";
  f.record.life = 7;
  const TokenOwner owner{{"a1PK", "dev1"}, kSecret, 7, 0};
  const std::string good = issue_token(f.policy.token_key, TokenUse::kMqtt, owner, kNow);
  const auto reason_at = [&](base::WallMs now_ms) {
    f.attempt.now_ms = now_ms;
    return f.reason();
  };
  f.client_id = "anything|securemode=2|";
  f.password = good;
  EXPECT_EQ(reason_at(kNow), std::nullopt);
  EXPECT_EQ(f.run()->device, (base::DeviceKey{"a1PK", "dev1"}));
  EXPECT_EQ(reason_at(kNow + kTokenLifeMs - 1), std::nullopt);
  EXPECT_EQ(reason_at(kNow + kTokenLifeMs), RefusalReason::kWrongIotToken);
  EXPECT_EQ(reason_at(kNow - 3 * kTokenLifeMs), RefusalReason::kWrongIotToken) << "a clock that went far back";
  f.attempt.now_ms = kNow;
  for (std::size_t i = 0; i < good.size(); ++i) {
    f.password = good;
    f.password[i] = f.password[i] == '0' ? '1' : '0';
    const auto reason = f.reason();
    EXPECT_TRUE(reason == RefusalReason::kWrongIotToken || reason == RefusalReason::kUnknownUser) << f.password;
  }
  f.password = issue_token(f.policy.token_key, TokenUse::kHttp, owner, kNow);
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken) << "of the HTTP interface";
  f.password = good;
  f.record.device_secret = "another secret";
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken);
  f.record.device_secret = kSecret;
  f.record.life = 8;
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken) << "deleted and made again";
  f.record.life = 7;
  f.record.token_generation = 1;
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken) << "was disabled since";
  f.record.token_generation = 0;
  f.record.disabled = true;
  EXPECT_EQ(f.reason(), RefusalReason::kDeviceDisabled);
  f.record.disabled = false;
  f.user_name = "IotId2";
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken);
  f.user_name = "IotId1";
  f.policy.token_key.clear();
  EXPECT_EQ(f.reason(), RefusalReason::kWrongIotToken);
}

TEST(SignIn, KeepAliveRange) {
  const auto result_for = [](int keep_alive_s, SignInPolicy policy) {
    Fixture f;
    f.attempt.keep_alive_s = static_cast<std::uint16_t>(keep_alive_s);
    f.policy = std::move(policy);
    return f.run();
  };
  for (const int value : {30, 31, 1199, 1200}) EXPECT_TRUE(result_for(value, {})) << value;
  for (const int value : {0, 1, 29}) {
    EXPECT_EQ(result_for(value, {}).error().reason, RefusalReason::kKeepAliveTooShort) << value;
  }
  for (const int value : {1201, 65535}) {
    EXPECT_EQ(result_for(value, {}).error().reason, RefusalReason::kKeepAliveTooLong) << value;
  }
  SignInPolicy clamp;
  clamp.keep_alive_over_max = KeepAliveOverMax::kClamp;
  EXPECT_EQ(result_for(65535, clamp)->keep_alive_s, 1200);
  EXPECT_TRUE(result_for(65535, clamp)->keep_alive_clamped);
  EXPECT_EQ(result_for(0, clamp).error().reason, RefusalReason::kKeepAliveTooShort);
  SignInPolicy open;
  open.keep_alive_min_s = 0;
  EXPECT_EQ(result_for(0, open)->keep_alive_s, 0);
}

TEST(SignIn, CredentialsThatNobodyCanHold) {
  Fixture f;
  f.record.device_secret.clear();
  EXPECT_EQ(f.reason(), RefusalReason::kNoSecret);
  // The stand-in secret opens nothing.
  f.password = connect_password(crypto::HmacMethod::kSha256, std::string(32, '0'), {"c1", {"a1PK", "dev1"}, "1"});
  EXPECT_EQ(f.reason(), RefusalReason::kNoSecret);
  f.known = false;
  EXPECT_EQ(f.reason(), RefusalReason::kUnknownDevice);
  f.known = true;
  f.record = kRecord;
  f.record.kind = CredentialRecord::Kind::kX509;
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateRequired);
}

TEST(SignIn, Passwords) {
  Fixture f;
  const std::string good = f.password;
  for (const std::string& password : {good.substr(1), good + "0", good + "00", "g" + good.substr(1),
                                      std::string(64, '0'), std::string(100'000, 'a'), std::string(64, '\0')}) {
    f.password = password;
    EXPECT_EQ(f.reason(), RefusalReason::kWrongSignature);
  }
  f.password.clear();
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateMissing);
}

TEST(SignIn, EmptyBaseWithMqtt5Only) {
  Fixture f;
  f.client_id = "|securemode=3,signmethod=hmacsha256,timestamp=1|";
  f.password = connect_password(crypto::HmacMethod::kSha256, kSecret, {"", {"a1PK", "dev1"}, "1"});
  EXPECT_EQ(f.reason(), RefusalReason::kBaseClientId);
  f.attempt.protocol_level = 5;
  ASSERT_EQ(f.reason(), std::nullopt);
  EXPECT_EQ(f.run()->base_client_id, "");
}

TEST(SignIn, ClientIdentifierErrors) {
  Fixture f;
  f.client_id = "c1|" + std::string(kMaxClientIdBytes, 'x');
  EXPECT_EQ(f.reason(), RefusalReason::kClientIdTooLong);
  f.client_id = "c1|timestamp|";
  EXPECT_EQ(f.reason(), RefusalReason::kClientIdParameter);
}

TEST(SignIn, InstanceIds) {
  Fixture f;
  f.client_id = "c1|securemode=3,signmethod=hmacsha256,timestamp=1,instanceId=iot-1|";
  EXPECT_EQ(f.reason(), std::nullopt) << "an identifier from the old cloud is nobody's here";
}

TEST(Refusal, EveryReasonHasCodesNameAndText) {
  for (int i = 0; i <= static_cast<int>(RefusalReason::kUnavailable); ++i) {
    const Refusal refusal = Refusal::of(static_cast<RefusalReason>(i));
    EXPECT_EQ(static_cast<int>(refusal.reason), i);
    EXPECT_TRUE(refusal.connack_v3 >= 1 && refusal.connack_v3 <= 5) << i;
    EXPECT_GE(refusal.reason_v5, 0x80) << i;
    EXPECT_FALSE(refusal.name.empty());
    EXPECT_TRUE(refusal.text.ends_with('.'));
  }
  EXPECT_EQ(Refusal::of(RefusalReason::kUnavailable).connack_v3, 3);
  EXPECT_EQ(Refusal::of(RefusalReason::kUnavailable).reason_v5, 0x88);
  EXPECT_EQ(Refusal::of(RefusalReason::kRateLimited).connack_v3, 3);
  EXPECT_EQ(Refusal::of(RefusalReason::kRateLimited).reason_v5, 0x9F);
}

TEST(Refusal, TheServersOwnTroubleDoesNotCountAgainstTheAddress) {
  EXPECT_FALSE(Refusal::of(RefusalReason::kUnavailable).counts_against_address());
  EXPECT_FALSE(Refusal::of(RefusalReason::kRateLimited).counts_against_address());
  EXPECT_TRUE(Refusal::of(RefusalReason::kWrongSignature).counts_against_address());
  EXPECT_TRUE(Refusal::of(RefusalReason::kDeviceDisabled).counts_against_address());
}

}  // namespace
}  // namespace mooring::auth
