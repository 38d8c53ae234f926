// Private to the module: the class behind open_sqlite_registry. Products, devices, import and accounts are in a file
// each.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "registry/sqlite_connection.h"
#include "registry/sqlite_registry.h"

namespace mooring::registry {

// A few reading connections, lent to one reader at a time.
class ReaderPool {
 public:
  void add(std::unique_ptr<SqliteConnection> connection);
  void release_caches();  // of those that nobody uses

  class Lease {
   public:
    explicit Lease(ReaderPool& pool) : pool_(pool), connection_(pool.take()) {}
    ~Lease() { pool_.add(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    SqliteConnection& operator*() { return *connection_; }

   private:
    ReaderPool& pool_;
    std::unique_ptr<SqliteConnection> connection_;
  };

 private:
  std::unique_ptr<SqliteConnection> take();

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<SqliteConnection>> free_;
};

// Products by revision, so that a credential look-up shares one value per product instead of building it each time.
class ProductCache {
 public:
  std::shared_ptr<const Product> find(const std::string& product_key, std::int64_t revision);
  void put(std::int64_t revision, std::shared_ptr<const Product> product);

 private:
  static constexpr std::size_t kEntriesMax = 4096;
  struct Entry {
    std::int64_t revision;
    std::shared_ptr<const Product> product;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

class SqliteRegistry final : public Registry {
 public:
  SqliteRegistry(base::Random& random, const base::Clock& clock) : random_(random), clock_(clock) {}
  base::Result<> open(const SqliteOptions& options);

  base::Result<Product> create_product(const NewProduct& product) override;
  base::Result<Product> get_product(std::string_view product_key) override;
  base::Result<Page<Product>> list_products(const ProductFilter& filter, const PageRequest& page) override;
  base::Result<Product> update_product(std::string_view product_key, const ProductChange& change) override;
  base::Result<> delete_product(std::string_view product_key, bool with_devices) override;

  base::Result<std::vector<Device>> create_devices(std::string_view product_key,
                                                   std::span<const NewDevice> devices) override;
  base::Result<Device> get_device(const base::DeviceKey& key) override;
  base::Result<base::DeviceKey> find_iot_id(std::string_view iot_id) override;
  base::Result<Page<Device>> list_devices(const DeviceFilter& filter, const PageRequest& page) override;
  base::Result<Device> update_device(const base::DeviceKey& key, const DeviceChange& change) override;
  base::Result<> delete_device(const base::DeviceKey& key) override;

  base::Result<Registration> register_device(const RegistrationWanted& wanted) override;
  base::Result<> mark_token_used(const base::DeviceKey& key, std::string_view client_id) override;
  base::Result<Device> reset_registration(const base::DeviceKey& key) override;
  base::Result<std::string> server_key(std::string_view name) override;
  base::Result<ImportResult> import_devices(std::span<const ImportRow> rows, bool dry_run) override;
  base::Result<Credential> find_credential(const base::DeviceKey& key) override;
  base::Result<> record_presence(std::span<const PresenceEvent> events) override;
  base::Result<std::vector<DeletedDevice>> deleted_devices(std::size_t limit) override;
  base::Result<> confirm_deleted(std::span<const DeletedDevice> devices) override;
  base::Result<Account> create_account(const NewAccount& account) override;
  base::Result<std::optional<Account>> find_account(std::string_view name) override;
  base::Result<Page<Account>> list_accounts(const PageRequest& page) override;
  base::Result<Account> update_account(std::string_view name, const AccountChange& change) override;
  base::Result<> delete_account(std::string_view name) override;
  base::Result<> renew_password_hash(std::string_view name, std::string_view old_hash,
                                     std::string_view new_hash) override;
  base::Result<> mark_all_offline(base::WallMs at_ms) override;
  base::Result<Ticket> create_ticket(const NewTicket& ticket) override;
  base::Result<std::optional<Ticket>> find_ticket(std::string_view id) override;
  base::Result<TicketCredential> find_ticket_credential(std::string_view id) override;
  base::Result<std::vector<Ticket>> list_tickets(const TicketHolder& holder, std::string_view after, std::size_t limit,
                                                 bool all) override;
  base::Result<Ticket> revoke_ticket(std::string_view id) override;
  base::Result<std::size_t> revoke_tickets(const TicketHolder& holder) override;
  base::Result<ApiToken> create_api_token(const NewApiToken& token) override;
  base::Result<std::vector<ApiToken>> list_api_tokens() override;
  base::Result<> delete_api_token(std::string_view name) override;
  base::Result<User> create_user(const NewUser& user) override;
  base::Result<std::optional<User>> find_user(std::string_view name) override;
  base::Result<std::vector<User>> list_users() override;
  base::Result<User> update_user(std::string_view name, const UserChange& change) override;
  base::Result<> delete_user(std::string_view name) override;
  base::Result<> note_sign_in(std::string_view name, base::WallMs at_ms) override;
  base::Result<> record_audit(const AuditEntry& entry, const AuditBounds& bounds) override;
  base::Result<std::vector<AuditEntry>> list_audit(const AuditQuery& query) override;
  base::Result<Authority> add_authority(const Authority& authority, std::size_t most) override;
  base::Result<Authority> get_authority(std::string_view fingerprint) override;
  base::Result<std::vector<Authority>> list_authorities() override;
  base::Result<> remove_authority(std::string_view fingerprint) override;
  base::Result<BoundCertificate> bind_certificate(const BoundCertificate& certificate) override;
  base::Result<> unbind_certificate(const base::DeviceKey& key, std::string_view fingerprint) override;
  base::Result<std::vector<BoundCertificate>> list_certificates(const base::DeviceKey& key) override;
  base::Result<> revoke_certificate(std::string_view fingerprint) override;
  base::Result<> lift_revocation(std::string_view fingerprint) override;
  base::Result<> revoke_serial(std::string_view authority, std::string_view serial) override;
  base::Result<> import_revocations(std::string_view authority, base::WallMs issued_ms, base::WallMs next_ms,
                                    std::span<const std::string> serials) override;
  base::Result<CertificateStanding> find_certificate(const PresentedChain& shown) override;
  base::Result<CertificateStanding> bind_at_first_use(const PresentedChain& shown) override;
  base::Result<> describe_certificate(const PresentedChain& shown) override;
  base::Result<ExpiringCertificates> expiring_certificates(base::WallMs until_ms) override;
  base::Result<> add_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children,
                              std::size_t children_max) override;
  base::Result<> remove_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children) override;
  base::Result<std::vector<base::DeviceKey>> list_children(const base::DeviceKey& gateway, const base::DeviceKey& after,
                                                           std::size_t limit) override;
  base::Result<std::optional<base::DeviceKey>> find_gateway(const base::DeviceKey& child) override;
  base::Result<ChildrenRegistration> register_children(const base::DeviceKey& gateway,
                                                       std::span<const base::DeviceKey> children,
                                                       std::size_t children_max) override;
  void rest() override;
  void set_change_listener(ChangeListener listener) override { listener_ = std::move(listener); }

 private:
  class Importer;
  using Changes = std::vector<Change>;

  // Runs `operation(connection, changes)` in one durable or advisory transaction of the writing connection, commits if
  // it succeeds and then tells the listener.
  template <class Operation>
  auto change(bool durable, Operation&& operation)
      -> decltype(operation(std::declval<SqliteConnection&>(), std::declval<Changes&>())) {
    return guarded([&] {
      const std::lock_guard lock(write_mutex_);
      Changes changes;
      writer_->set_durable(durable);
      SQLite::Transaction transaction(writer_->database(), SQLite::TransactionBehavior::IMMEDIATE);
      auto result = operation(*writer_, changes);
      if (!result) return result;
      transaction.commit();
      if (listener_ && !changes.empty()) listener_(changes);
      return result;
    });
  }
  template <class Operation>
  auto read(Operation&& operation) -> decltype(operation(std::declval<SqliteConnection&>())) {
    return guarded([&] {
      ReaderPool::Lease connection(readers_);
      return operation(*connection);
    });
  }

  Product complete(const NewProduct& wanted);
  void insert_product(SqliteConnection& connection, const Product& product);
  base::Result<Device> insert_device(SqliteConnection& connection, const std::string& product_key,
                                     const NewDevice& wanted);
  base::Result<Registration> issue_secret(SqliteConnection& connection, const base::DeviceKey& key);
  base::Result<Registration> issue_token(SqliteConnection& connection, const RegistrationWanted& wanted, bool reset);
  std::int64_t new_revision();
  std::uint32_t new_life();

  base::Random& random_;
  const base::Clock& clock_;
  std::mutex write_mutex_;
  std::unique_ptr<SqliteConnection> writer_;
  ReaderPool readers_;
  ProductCache products_;
  ChangeListener listener_;
};

// Shared by the files of the class.
base::Result<Product> load_product(SqliteConnection& connection, std::string_view product_key);
base::Result<Device> load_device(SqliteConnection& connection, const base::DeviceKey& key);
bool product_exists(SqliteConnection& connection, std::string_view product_key);
void add_to_device_count(SqliteConnection& connection, std::string_view product_key, std::int64_t difference);
std::string topic_classes_to_text(const std::vector<TopicClass>& topic_classes);
std::vector<TopicClass> topic_classes_from_text(std::string_view text);
// Absence is an answer.
Credential load_credential(SqliteConnection& connection, ProductCache& products, const base::DeviceKey& key);
std::optional<Account> load_account(SqliteConnection& connection, std::string_view name);
// Within the transaction of another change; tells of each.
std::size_t revoke_account_tickets(SqliteConnection& connection, std::string_view account, base::WallMs now_ms,
                                   std::vector<Change>& changes);
// Likewise, before a device goes, or a whole product (no device name): its live tickets go with it.
void tell_of_tickets(SqliteConnection& connection, std::string_view product_key, std::string_view device_name,
                     base::WallMs now_ms, std::vector<Change>& changes);
// Nothing: it is nobody's child.
// device.registration
inline constexpr int kReset = 1;
inline constexpr int kRegisteredAgain = 2;  // and not online since

std::optional<base::DeviceKey> load_gateway(SqliteConnection& connection, const base::DeviceKey& child);
// Before a device goes, or a whole product (no device name): children that lose their gateway with it.
void tell_of_children(SqliteConnection& connection, std::string_view product_key, std::string_view device_name,
                      std::vector<Change>& changes);
std::vector<DeviceToken> load_tokens(SqliteConnection& connection, const base::DeviceKey& key);
void delete_tokens(SqliteConnection& connection, const base::DeviceKey& key);
base::Result<> check_page(const PageRequest& page);
base::Result<> check_version(std::optional<std::uint64_t> seen, std::uint64_t found);
base::Error no_such_product(std::string_view product_key);
base::Error no_such_device(const base::DeviceKey& key);

}  // namespace mooring::registry
