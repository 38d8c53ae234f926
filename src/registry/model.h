// What the registry keeps: products, devices and accounts, as plain values.
//
// Values own their text and belong to whoever holds them; no thread rule of their own. Times are wall-clock
// milliseconds, 0 meaning "never". Secrets live here in clear text, because HMAC needs them (connection.md
// section 4.3): never log a Product or a Device. Of an account's password only a hash is here; it is not for the log
// either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace mooring::registry {

// Named bounds of the model (connection.md sections 1, 7 and 13).
inline constexpr std::size_t kProductKeyBytesMax = 20;
inline constexpr std::size_t kDeviceNameBytesMax = 64;  // issued names have 4-32, but a fleet that moves keeps its own
inline constexpr std::size_t kSecretBytesMax = 64;
inline constexpr std::size_t kTitleBytesMax = 128;  // product name, device nickname
inline constexpr std::size_t kTopicClassesMax = 50;
inline constexpr std::size_t kTopicBytesMax = 128;
inline constexpr std::size_t kAddressBytesMax = 64;
inline constexpr std::size_t kFactBytesMax = 64;  // each SDK fact
inline constexpr std::size_t kAccountNameCharactersMax = 64;
inline constexpr std::size_t kAccountPermissionsMax = 100;
inline constexpr std::size_t kPasswordHashBytesMax = 256;
inline constexpr std::size_t kTokensPerDeviceMax = 5;  // connection.md section 10

// Which rules a product's devices live by: those of the old cloud, or those of the MQTT standard.
enum class Profile : std::uint8_t { kAliyun = 0, kMqtt = 1 };

// connection.md section 10.
enum class DynamicRegistration : std::uint8_t { kOff = 0, kOn = 1, kOnWithoutPreregistration = 2 };

// What a product's devices sign in with.
enum class AuthType : std::uint8_t {
  kSecret = 0,  // their secret; those with a bound certificate may use that as well
  kX509 = 1,    // a certificate and nothing else
};

// What happens to a certificate that is bound to no device when it is used for the first time. Only in products with
// AuthType::kX509.
enum class FirstUse : std::uint8_t {
  kOff = 0,
  kExisting = 1,  // bound to the device that its subject names, if that has no certificate yet
  kCreate = 2,    // likewise, and the device is made if it does not exist
};

// As seen from the device.
enum class TopicRight : std::uint8_t { kPublish = 1, kSubscribe = 2, kAll = 3 };

// One topic class of a product: suffix `user/echo` stands for the topic /${pk}/${dn}/user/echo (connection.md section
// 13).
struct TopicClass {
  std::string suffix;
  TopicRight right = TopicRight::kAll;
  bool operator==(const TopicClass&) const = default;
};

struct Product {
  std::string product_key;
  std::string product_secret;
  std::string name;
  Profile profile = Profile::kAliyun;
  DynamicRegistration dynamic_registration = DynamicRegistration::kOff;
  // The custom classes only. The default ones of connection.md section 13 are not rows: they belong to the permissions
  // of every product.
  std::vector<TopicClass> topic_classes;
  base::WallMs created_ms = 0;
  std::uint64_t device_count = 0;  // filled by get and list; 0 in the product of a Credential
  AuthType auth_type = AuthType::kSecret;
  FirstUse first_use = FirstUse::kOff;
  std::uint64_t version = 1;  // grows with every change of an administrator; filled by get and list

  bool operator==(const Product&) const = default;
};

// connection.md section 14; the numbers are the cloud API's.
enum class DeviceStatus : std::uint8_t { kUnactive = 0, kOnline = 1, kOffline = 3, kDisable = 8 };

// What the client identifier told about the device's software (connection.md section 4.2); each at most kFactBytesMax
// bytes, longer text is cut when stored.
struct SdkFacts {
  std::string lan;      // `lan`: C, JS|Browser, Java, ...
  std::string version;  // `_v`
  std::string os;       // `os`
  std::string module;   // `mid` / `pid`, as text
  bool operator==(const SdkFacts&) const = default;
};

struct Device {
  base::DeviceKey key;
  std::string iot_id;
  std::string device_secret;  // empty: pre-registered, none issued yet, or an X.509 device
  std::string nickname;
  bool enabled = true;
  bool online = false;  // advisory: the live truth is the broker's
  base::WallMs created_ms = 0;
  base::WallMs activated_ms = 0;
  base::WallMs last_online_ms = 0;
  base::WallMs last_offline_ms = 0;
  std::string last_address;
  SdkFacts facts;
  // Where a browser first used the secret that the device has now; empty: none did.
  std::string browser_origin = {};
  std::uint64_t version = 1;  // grows with every change of an administrator

  DeviceStatus status() const {
    if (!enabled) return DeviceStatus::kDisable;
    if (online) return DeviceStatus::kOnline;
    return activated_ms == 0 ? DeviceStatus::kUnactive : DeviceStatus::kOffline;
  }
  bool operator==(const Device&) const = default;
};

// One clientId/token pair of a device that registered without having been made before (connection.md section 10).
struct DeviceToken {
  std::string client_id;
  std::string token_hash;  // crypto::token_hash of the token; the token itself is nowhere
  bool used = false;       // it has signed in
  bool operator==(const DeviceToken&) const = default;
};

// What a sign-in needs to know about a device; the answer of the one look-up of a cold sign-in.
struct DeviceCredential {
  std::string iot_id;
  std::string device_secret;  // empty: nothing to sign with
  bool enabled = true;
  base::WallMs activated_ms = 0;  // 0: this sign-in activates it
  // Tells apart the devices that have had this name one after another. What a device leaves behind elsewhere (its
  // session) is kept under name and life, so that a later device of the name does not find it. 0: made before lives
  // were recorded.
  std::uint32_t life = 0;
  bool used_in_browser = false;  // Device::browser_origin is known
  // Part of every token that the server signs for the device: a disabled device's tokens are void for good.
  std::uint32_t token_generation = 0;
  std::vector<DeviceToken> tokens = {};  // only of a device without a secret
  base::DeviceKey gateway = {};          // whose child it is; empty names: nobody's
};
// A device that is gone, until all that was kept for it elsewhere is gone too.
struct DeletedDevice {
  base::DeviceKey key;
  std::uint32_t life = 0;
  bool operator==(const DeletedDevice&) const = default;
};
struct Credential {
  std::shared_ptr<const Product> product;  // null: no such product. Shared by all devices of the product's revision
  std::optional<DeviceCredential> device;  // empty: no such device
};

// What an account may do with the topics that a filter selects.
enum class AccountRight : std::uint8_t { kPublish = 1, kSubscribe = 2, kAll = 3 };

struct AccountPermission {
  AccountRight right = AccountRight::kAll;
  std::string filter;  // a topic filter of MQTT
  bool operator==(const AccountPermission&) const = default;
};

// A back end's or a person's identity for MQTT.
struct Account {
  std::string name;
  std::string password_hash;  // as crypto/password_hash.h makes them
  std::vector<AccountPermission> permissions;
  base::WallMs created_ms = 0;
  // Tells apart the accounts that have had this name one after another, as DeviceCredential::life does for devices.
  // Never 0.
  std::uint32_t life = 0;
  std::uint64_t version = 1;  // grows with every change of an administrator
  bool operator==(const Account&) const = default;
};

// The texts of the device protocol and of the command line.
std::string_view to_text(Profile profile);                           // aliyun, mqtt
std::string_view to_text(DynamicRegistration dynamic_registration);  // off, on, on-without-preregistration
std::string_view to_text(AuthType auth_type);                        // secret, x509
std::string_view to_text(FirstUse first_use);                        // off, existing, create
std::string_view to_text(TopicRight right);                          // pub, sub, all
std::string_view to_text(DeviceStatus status);                       // UNACTIVE, ONLINE, OFFLINE, DISABLE
std::string_view to_text(AccountRight right);                        // publish, subscribe, all
std::optional<Profile> profile_from_text(std::string_view text);
std::optional<DynamicRegistration> dynamic_registration_from_text(std::string_view text);
std::optional<AuthType> auth_type_from_text(std::string_view text);
std::optional<FirstUse> first_use_from_text(std::string_view text);
std::optional<TopicRight> topic_right_from_text(std::string_view text);
std::optional<DeviceStatus> device_status_from_text(std::string_view text);  // either case
std::optional<AccountRight> account_right_from_text(std::string_view text);

}  // namespace mooring::registry
