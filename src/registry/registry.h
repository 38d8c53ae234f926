// Registry: the port behind which products, devices and accounts are stored.
//
// Every operation blocks (disk) and may be called from any thread: changes run one at a time, reads run beside them on
// the state of the last commit. Event loops never call it; they use RegistryService. A change that returned success is
// on disk, except record_presence and confirm_deleted, which are advisory and may be lost by a power failure.
// Errors: kInvalidArgument (a name breaks a rule), kNotFound, kAlreadyExists, kLimitExceeded, kUnavailable (busy for
// too long), kIo, kCorrupt. After an error nothing of the operation has happened.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/api_tokens.h"
#include "registry/certificates.h"
#include "registry/model.h"
#include "registry/tickets.h"
#include "registry/topology.h"
#include "registry/users.h"

namespace mooring::registry {

inline constexpr std::size_t kPageRowsMax = 10'000;      // of any list call
inline constexpr std::size_t kBatchDevicesMax = 10'000;  // of one create, import or confirm call

// Empty fields that must exist are generated: product_key, product_secret, name (= product key).
struct NewProduct {
  std::string product_key;
  std::string product_secret;
  std::string name;
  Profile profile = Profile::kAliyun;
  DynamicRegistration dynamic_registration = DynamicRegistration::kOff;
  std::vector<TopicClass> topic_classes;
  AuthType auth_type = AuthType::kSecret;
  FirstUse first_use = FirstUse::kOff;
};

// Fields that hold a value are set, the others stay as they are. `seen_version` is what whoever asks has seen: when it
// is another one now, nothing is changed (kConflict).
struct ProductChange {
  std::optional<std::string> product_secret;
  std::optional<std::string> name;
  std::optional<Profile> profile;
  std::optional<DynamicRegistration> dynamic_registration;
  std::optional<std::vector<TopicClass>> topic_classes;
  std::optional<AuthType> auth_type;
  std::optional<FirstUse> first_use;
  std::optional<std::uint64_t> seen_version = {};
};

struct NewDevice {
  std::string device_name;    // empty: generated
  std::string device_secret;  // empty: generated, unless without_secret
  std::string nickname;
  bool without_secret = false;  // pre-registered for dynamic registration, or X.509
};

struct DeviceChange {
  std::optional<std::string> nickname;
  std::optional<std::string> device_secret;
  std::optional<bool> enabled;
  std::optional<std::uint64_t> seen_version = {};
};

struct NewAccount {
  std::string name;
  std::string password_hash;
  std::vector<AccountPermission> permissions;
};

struct AccountChange {
  std::optional<std::string> password_hash;
  std::optional<std::vector<AccountPermission>> permissions;
  std::optional<std::uint64_t> seen_version = {};
};

struct ProductFilter {
  std::string prefix;  // of the product key
};
struct DeviceFilter {
  std::string product_key;  // empty: every product
  std::string prefix;       // of the device name; honoured only together with product_key
  // With a status or a search a page looks at kSearchRowsMax devices at most, so it may hold fewer than asked for, or
  // none, and still have a `next`.
  std::optional<DeviceStatus> status;
  // Part of the device name or the nickname, without regard to the case of ASCII letters.
  std::string search = {};
};
inline constexpr std::size_t kSearchRowsMax = 50'000;

// Pages come in key order. `after` is the `next` of the page before, empty for the first page; the time of a page does
// not depend on how far down it is.
struct PageRequest {
  std::string after;
  std::size_t limit = 100;  // 1 to kPageRowsMax
};
template <class T>
struct Page {
  std::vector<T> items;
  std::string next;  // empty: this was the last page
};

// One row of a fleet that moves here.
struct ImportRow {
  std::string product_key;
  std::string device_name;
  std::string device_secret;
  std::optional<std::string> nickname;
  std::string iot_id;   // kept if given and the device is new
  bool enabled = true;  // of a new device; one that exists stays as it is
};
enum class ImportOutcome : std::uint8_t { kCreated, kUnchanged, kChanged, kRefused };
struct ImportRowResult {
  ImportOutcome outcome = ImportOutcome::kRefused;
  std::string reason;  // of a refusal
};
struct ImportResult {
  std::vector<ImportRowResult> rows;          // one for each row given, in that order
  std::vector<std::string> products_created;  // product keys
};

// A device asks for its credential (connection.md section 10); that it knows its product's secret was found out before.
struct RegistrationWanted {
  base::DeviceKey key;
  bool with_token = false;        // regnwl: a device that is not there is made, and gets a clientId with a token
  std::string random;             // of the request: the same one again replaces a pair that was never used
  std::uint64_t devices_max = 0;  // a product with so many gets no more by registration; 0: no limit
};
enum class RegistrationOutcome : std::uint8_t {
  kIssued,
  kSwitchedOff,  // the product does not exist, or its switch does not admit this
  kNoSuchDevice,
  kActivated,  // it has a secret and was online, and nobody has reset it since
  kDisabled,
  kNameRefused,  // breaks the rules for device names
  kProductFull,
  kTokensFull,     // kTokensPerDeviceMax pairs, all in use
  kNoSuchProduct,  // of register_children() only, as the next one
  kOtherGateway,   // it is the child of another one
};
struct Registration {
  RegistrationOutcome outcome = RegistrationOutcome::kSwitchedOff;
  std::string device_secret;  // register
  std::string client_id;      // regnwl, with device_token
  std::string device_token;
};

// A connection of a device began or ended.
struct PresenceEvent {
  base::DeviceKey key;
  bool online = false;
  base::WallMs at_ms = 0;
  // Tells connections of one device apart: an end counts only if no other connection began since. 0 = counts always.
  std::uint64_t connection = 0;
  std::string address;              // of the peer; online only
  SdkFacts facts;                   // online only
  std::string browser_origin = {};  // online only: of a page that used the device's secret; kept if it is the first
};

// What changed, told after the commit. The devices of a deleted product come before it, in the same call, and the
// children that a deleted gateway leaves behind before that one.
struct Change {
  enum class Kind : std::uint8_t {
    kProductCreated,
    kProductChanged,
    kProductDeleted,  // key.device_name is empty in these three
    kDeviceCreated,
    kDeviceChanged,  // secret or nickname
    kDeviceReset,    // it may register once more
    kDeviceEnabled,
    kDeviceDisabled,
    kDeviceDeleted,
    kAccountCreated,  // key is empty in these
    kAccountPermissionsChanged,
    kAccountPasswordChanged,
    kAccountDeleted,
    kTicketRevoked,  // also with its holder
    kApiTokenCreated,
    kApiTokenDeleted,
    kDeviceCertificateGone,  // unbound: its device must leave
    kCertificatesRevoked,    // who signed in with one of them, or below one, must leave; key is empty
    kAuthoritiesChanged,     // added or removed; key is empty
    kUserChanged,            // password or role of somebody who signs in to the console
    kUserDeleted,
    kTopologyChanged,  // of the child `key`: it is `gateway`'s now, or nobody's, and no more former_gateway's
  };
  Kind kind;
  base::DeviceKey key;
  std::string account = {};  // name, in the changes of accounts and users
  std::string ticket = {};   // id
  std::shared_ptr<const ApiToken> api_token = {};
  std::shared_ptr<const RevokedCertificates> revoked = {};
  std::string iot_id = {};         // of a device, in the four about its life
  std::string device_secret = {};  // kDeviceCreated only
  // Of the device, as it was stored, where it was loaded: enabled, disabled, changed, reset.
  std::optional<DeviceStatus> status = {};
  base::DeviceKey gateway = {};  // whose child the device is or was: also when it is enabled, disabled and deleted
  base::DeviceKey former_gateway = {};
};
// Runs on the thread that made the change, before the changing call returns and before any later change; it must be
// quick and must not call the registry.
using ChangeListener = std::function<void(std::span<const Change>)>;

class Registry : public Tickets, public ApiTokens, public Users, public AuditLog, public Topology {
 public:
  virtual base::Result<Product> create_product(const NewProduct& product) = 0;
  virtual base::Result<Product> get_product(std::string_view product_key) = 0;
  virtual base::Result<Page<Product>> list_products(const ProductFilter& filter, const PageRequest& page) = 0;
  virtual base::Result<Product> update_product(std::string_view product_key, const ProductChange& change) = 0;
  // A product that has devices is refused (kInvalidArgument) unless `with_devices`.
  virtual base::Result<> delete_product(std::string_view product_key, bool with_devices) = 0;

  // All or none, in one transaction; at most kBatchDevicesMax.
  virtual base::Result<std::vector<Device>> create_devices(std::string_view product_key,
                                                           std::span<const NewDevice> devices) = 0;
  virtual base::Result<Device> get_device(const base::DeviceKey& key) = 0;
  virtual base::Result<base::DeviceKey> find_iot_id(std::string_view iot_id) = 0;
  virtual base::Result<Page<Device>> list_devices(const DeviceFilter& filter, const PageRequest& page) = 0;
  virtual base::Result<Device> update_device(const base::DeviceKey& key, const DeviceChange& change) = 0;
  virtual base::Result<> delete_device(const base::DeviceKey& key) = 0;

  // Issues a new secret, or a clientId with a token; the secret or unused pair that was issued before is void. Refusals
  // are outcomes, not errors, and change nothing.
  virtual base::Result<Registration> register_device(const RegistrationWanted& wanted) = 0;
  // A token has signed in: from now on no registration replaces it. Unknown ones are skipped.
  virtual base::Result<> mark_token_used(const base::DeviceKey& key, std::string_view client_id) = 0;
  // The device may register although it was online. What it has stays valid until it does.
  virtual base::Result<Device> reset_registration(const base::DeviceKey& key) = 0;

  // A random key of the installation, 64 hexadecimal digits, made when first asked for. A secret; it is in the backup.
  virtual base::Result<std::string> server_key(std::string_view name) = 0;

  // One transaction, rolled back at the end when `dry_run`. A refused row does not stop the others; products are
  // created as needed (with a new product secret). Rows that are here already and equal are left alone, so it can be
  // run twice.
  virtual base::Result<ImportResult> import_devices(std::span<const ImportRow> rows, bool dry_run) = 0;

  // The one indexed look-up of a cold sign-in. Absence of product or device is an answer, not an error.
  virtual base::Result<Credential> find_credential(const base::DeviceKey& key) = 0;

  // One transaction, in the order given; unknown devices are skipped. The first `online` of a device activates it.
  virtual base::Result<> record_presence(std::span<const PresenceEvent> events) = 0;
  // Every deletion of a device, alone or with its product, is remembered until it is confirmed: whoever keeps something
  // for devices fetches them (any order, at most `limit`, 1 to kPageRowsMax), forgets what it kept and then confirms.
  // Unknown ones in a confirmation are skipped.
  virtual base::Result<std::vector<DeletedDevice>> deleted_devices(std::size_t limit) = 0;
  virtual base::Result<> confirm_deleted(std::span<const DeletedDevice> devices) = 0;

  virtual base::Result<Account> create_account(const NewAccount& account) = 0;
  // Absence is an answer, not an error.
  virtual base::Result<std::optional<Account>> find_account(std::string_view name) = 0;
  virtual base::Result<Page<Account>> list_accounts(const PageRequest& page) = 0;
  virtual base::Result<Account> update_account(std::string_view name, const AccountChange& change) = 0;
  virtual base::Result<> delete_account(std::string_view name) = 0;
  // The same password, hashed at another cost: replaces `old_hash` if it is still the account's, else does nothing. No
  // change is told.
  virtual base::Result<> renew_password_hash(std::string_view name, std::string_view old_hash,
                                             std::string_view new_hash) = 0;

  // X.509 (registry/certificates.h). The given values are checked by the caller (crypto/client_certificate.h).
  // Of `authority` the certificate's fields and the product key are taken. kLimitExceeded: there are `most` already.
  virtual base::Result<Authority> add_authority(const Authority& authority, std::size_t most = kAuthoritiesMax) = 0;
  virtual base::Result<Authority> get_authority(std::string_view fingerprint) = 0;
  virtual base::Result<std::vector<Authority>> list_authorities() = 0;  // in the order they were added
  // Its revoked serial numbers go, bound certificates stay: they are of no use without it.
  virtual base::Result<> remove_authority(std::string_view fingerprint) = 0;
  // Binding twice to the same device is no error; to another one kAlreadyExists.
  virtual base::Result<BoundCertificate> bind_certificate(const BoundCertificate& certificate) = 0;
  virtual base::Result<> unbind_certificate(const base::DeviceKey& key, std::string_view fingerprint) = 0;
  virtual base::Result<std::vector<BoundCertificate>> list_certificates(const base::DeviceKey& key) = 0;
  virtual base::Result<> revoke_certificate(std::string_view fingerprint) = 0;
  virtual base::Result<> lift_revocation(std::string_view fingerprint) = 0;
  virtual base::Result<> revoke_serial(std::string_view authority, std::string_view serial) = 0;
  // Takes the place of the list there was; an older one is refused (kInvalidArgument).
  virtual base::Result<> import_revocations(std::string_view authority, base::WallMs issued_ms, base::WallMs next_ms,
                                            std::span<const std::string> serials) = 0;
  // The look-up of a sign-in, and what may follow: binding (durable), noting what was bound by fingerprint (advisory).
  virtual base::Result<CertificateStanding> find_certificate(const PresentedChain& shown) = 0;
  virtual base::Result<CertificateStanding> bind_at_first_use(const PresentedChain& shown) = 0;
  virtual base::Result<> describe_certificate(const PresentedChain& shown) = 0;
  virtual base::Result<ExpiringCertificates> expiring_certificates(base::WallMs until_ms) = 0;

  // At the start of a server: nothing is connected yet.
  virtual base::Result<> mark_all_offline(base::WallMs at_ms) = 0;

  // Nothing was asked for a while: what is kept only so that the next one is quicker may go. Does not fail.
  virtual void rest() = 0;

  // Before the first change; one listener.
  virtual void set_change_listener(ChangeListener listener) = 0;
};

}  // namespace mooring::registry
