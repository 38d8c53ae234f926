// Broker: joins connections, sessions and routes. One per loop, used on that loop only; what concerns other loops goes
// through the ports. The path of a PUBLISH is publish() -> find_route() -> route() -> deliver() (ARCHITECTURE.md prints
// it whole).
//
// A session lives on its home loop (session/ports.h), with its connection or without one; all sessions that outlive
// their connection are in memory from the start of the server on, their messages are not.
//
// Owns no I/O and no storage library. Every buffer it keeps is bounded by the client's rules.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/hashed.h"
#include "broker/client.h"
#include "broker/detached_rates.h"
#include "broker/life_cycle.h"
#include "broker/ports.h"
#include "broker/rate.h"
#include "broker/route.h"
#include "broker/route_cache.h"
#include "broker/spare_messages.h"
#include "mqtt/packet.h"
#include "routing/bus.h"
#include "routing/retained_messages.h"
#include "routing/shared_group.h"
#include "routing/subscription_trie.h"
#include "session/ports.h"
#include "session/session.h"

namespace mooring::broker {

// A filter of a SUBSCRIBE whose record is being stored: what the session had before, should the store refuse.
struct AwaitedFilter {
  std::uint64_t request = 0;  // names the SUBSCRIBE
  session::SubscriptionRecord wanted;
  std::optional<session::SubscriptionRecord> before;
  std::optional<std::size_t> automatic;  // an automatic one, by its number, that it did not have
};

// A session that lives on this loop, with or without a connection.
struct LocalSession {
  const session::SessionKey& key() const { return session->key(); }
  // Of a device's: the names in its key.
  base::DeviceKeyView device() const {
    const std::string_view names = std::string_view(key()).substr(kNamesAt);
    return {names.substr(0, product_key_bytes), names.substr(product_key_bytes + 1U, device_name_bytes)};
  }
  static constexpr std::size_t kNamesAt = 2;  // session/ports.h

  // From here to `max_qos`: what every message needs, side by side in memory.
  std::unique_ptr<session::Session> session;
  std::shared_ptr<Client> client;      // null while offline
  const ClientRules* rules = nullptr;  // of its last connection, or those it was restored under; a reload changes them
  TokenBucket delivery_rate;
  bool is_device = false;
  bool at_publishers_qos = true;
  std::uint8_t max_qos = 2;        // a device of the dialect takes no QoS 2, whatever an account publishes
  bool device_scope = false;       // ClientRules::subscriptions_outlive_clean_session, of a device
  bool reached_unasked = false;    // ClientRules::reached_unasked, of a device
  bool lasting = false;            // an account's that outlives its connection
  bool automatic_unsaved = false;  // it has its automatic subscriptions, but the store may not know
  bool record_confirmed = false;   // the store has said that it has `recorded`

  std::shared_ptr<Client> joining;  // will be the client when its automatic subscriptions are stored; null: nobody
  std::uint64_t routed = 0;         // number of the last message that was matched; merges overlapping filters
  std::uint32_t target = 0;         // where that message's route has it
  routing::SubscriberId id = 0;     // in the trie
  std::uint16_t product_key_bytes = 0;
  std::uint16_t device_name_bytes = 0;
  RefusedInSecond over_rate;
  std::uint32_t saves_under_way = 0;
  std::uint64_t throttled_deliveries = 0;
  base::WallMs expires_at_ms = 0;  // offline: when the session ends; 0: never
  base::WallMs counted_at_ms = 0;  // when its full queue was counted anew
  base::WallMs will_at_ms = 0;     // offline: when its will is published; 0: there is none
  // Of its present number.
  std::vector<AwaitedFilter> awaited;
  // What of its record is in the store, besides the subscriptions.
  struct Recorded {
    static Recorded of(const session::Session& state);
    bool any = false;
    bool durable = false;
    bool has_will = false;
    bool standard_device = false;
    std::uint32_t expiry_s = 0;
    session::SessionNumber number = 0;
    base::WallMs offline_since_ms = 0;
  } recorded;
};

// Sets of sessions, found by what is in them: a name that is in the session already needs no second copy.
using HashedSession = base::Hashed<std::unique_ptr<LocalSession>>;
using HashedDevice = base::Hashed<LocalSession*>;
struct BySessionKey {
  using is_transparent = void;
  static std::string_view key(std::string_view of) { return of; }
  static std::string_view key(const HashedSession& of) { return of->key(); }
  std::size_t operator()(std::string_view of) const { return std::hash<std::string_view>{}(of); }
  std::size_t operator()(const HashedSession& of) const { return of.hash; }
  bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
};
struct ByDevice {
  using is_transparent = void;
  static base::DeviceKeyView key(const base::DeviceKeyView& of) { return of; }
  static base::DeviceKeyView key(const HashedDevice& of) { return of->device(); }
  std::size_t operator()(const base::DeviceKeyView& of) const { return base::DeviceKeyHash{}(of); }
  std::size_t operator()(const HashedDevice& of) const { return of.hash; }
  bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
};

// Plain counters of one loop, read by the owner of the loop.
struct BrokerCounters {
  std::uint64_t published = 0;          // messages that entered here
  std::uint64_t delivered = 0;          // PUBLISH packets handed to clients
  std::uint64_t dropped_congested = 0;  // QoS 0 to a client that does not read
  std::uint64_t dropped_queue_full = 0;
  std::uint64_t dropped_offline = 0;    // to a client that keeps nothing
  std::uint64_t dropped_expired = 0;    // also: larger than the client takes
  std::uint64_t refused_publishes = 0;  // topic not permitted
  std::uint64_t refused_filters = 0;
  std::uint64_t throttled_publishes = 0;   // over a rate of connection.md 7
  std::uint64_t throttled_deliveries = 0;  // likewise, on the way to a device
  std::uint64_t store_failures = 0;        // messages that the store did not take
  std::uint64_t connected = 0;             // clients now
  std::uint64_t devices_connected = 0;     // devices among them
};

// A session as administration shows it.
struct SessionView {
  struct Subscription {
    std::string filter;
    std::uint8_t qos = 0;
    bool automatic = false;
  };
  std::string client_id;  // of an account's
  bool connected = false;
  bool tls = false, websocket = false;  // while connected, as the next five
  std::string address;
  mqtt::Version version = mqtt::Version::k311;
  bool clean_session = false;
  std::uint16_t keep_alive_s = 0;
  base::WallMs since_ms = 0;  // offline since; 0: connected
  std::uint32_t expiry_s = 0;
  std::uint64_t queued_messages = 0, queued_bytes = 0, in_flight = 0;
  std::vector<Subscription> subscriptions;
  std::uint64_t more_subscriptions = 0;  // than were asked for
};

enum class AttachError : std::uint8_t {
  kUnavailable,
  kTakenOver,
  kTooManySessions,  // of its account
};
struct AttachResult {
  bool session_present = false;
};

class Broker final : public routing::BusListener, public session::AppendListener {
 public:
  struct Parts {
    session::LoopId loop = 0;
    session::LoopId home_loops = 1;  // loops 0 to home_loops - 1 are homes of sessions
    base::Executor& executor;        // of the loop
    const base::Clock& clock;        // asked for every message: cheap
    session::SessionDirectory& directory;
    session::SessionStore& store;
    routing::Bus& bus;
    routing::RetainedMessages& retained;
    PresenceListener& presence;
    InstanceRates& rates;
    RequestPort* requests = nullptr;  // null: nothing answers devices
  };

  explicit Broker(const Parts& parts);
  ~Broker() override;
  void start();  // joins the directory; before the first attach
  // A session that was read from the store, whose home this is; after start(), before the loop runs.
  void restore(session::SessionRecord record, const ClientRules& rules);
  void restore_received(session::SessionNumber number, std::uint16_t packet_id);

  // For a CONNECT that came just now, whichever loop it came to: the larger, the later.
  std::uint64_t arrival() { return parts_.directory.arrival(); }
  // Gives the client its session, taking it over from an older connection; from a newer one it is refused
  // (kTakenOver). `done` comes later on this loop unless the
  // connection has ended by then; it sends CONNACK. Afterwards the broker announces the device and sends what waits.
  using AttachDone = base::UniqueFunction<void(tl::expected<AttachResult, AttachError>)>;
  void attach(std::shared_ptr<Client> client, AttachDone done);
  // The connection has ended or is about to. The sink is not used any more.
  void detach(Client& client, OfflineReason reason);

  // The client's packets, checked by the codec.
  void publish(Client& client, const mqtt::Publish& packet);
  // A PUBLISH that the caller does not pass on: it is acknowledged when those before it are.
  void discard(Client& client, std::uint8_t qos, std::uint16_t packet_id);
  void subscribe(Client& client, const mqtt::Subscribe& packet);
  void unsubscribe(Client& client, const mqtt::Unsubscribe& packet);
  void acknowledged(Client& client, const mqtt::Ack& packet);  // PUBACK
  void received(Client& client, const mqtt::Ack& packet);      // PUBREC
  void released(Client& client, const mqtt::Ack& packet);      // PUBREL
  void completed(Client& client, const mqtt::Ack& packet);     // PUBCOMP
  // The sink is no longer congested.
  void resume_delivery(Client& client);
  // A few times a second: what ends or begins with time.
  void tick();
  // The loop has ended, others have too, none is destroyed yet: lets go of everything that may tell another loop.
  void shut_down();

  // A message of the server to this client alone, with QoS 0, whether it subscribed to it or not. False: it does not
  // go, for the client does not read, or takes none so large.
  bool push(Client& client, std::string_view topic, std::string_view payload);
  // The other devices that speak over a client's connection from now on; once for a connection.
  void set_dependents(Client& client, std::unique_ptr<Dependents> dependents);
  // What they need of the connection. Answers a PUBLISH of one of them; nothing: it is not acknowledged.
  void answer(Client& client, std::uint64_t ack, std::optional<mqtt::ReasonCode> reason);
  // Packet identifiers for messages to them, until they are returned; nothing: all that there may be are lent.
  std::size_t lendable_packet_ids(const Client& client) const;
  std::optional<std::uint16_t> lend_packet_id(Client& client);
  void return_packet_id(Client& client, std::uint16_t packet_id);
  // Reading of the connection stops until as many calls of the second have come as of the first.
  void hold_input(Client& client);
  void release_input(Client& client);
  // Ends this one, whoever else is signing in as the same device.
  void close_client(Client& client, CloseCause cause);

  // The device's connection on this loop, its home; null: it is away.
  std::shared_ptr<Client> client_of(const base::DeviceKeyView& device) const;

  // A message of the server itself. Retained ones are kept in memory only: they are told anew by the next start.
  void publish_internal(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain = false);

  // A device's message that came another way than over its connection, on the device's home loop; permission was asked
  // for before. Not for requests to services: those fail. QoS 1: `done` comes later on this loop, true when the message
  // is safe with everybody who keeps it.
  struct DetachedPublish {
    base::DeviceKeyView device;
    std::string_view topic;
    base::ByteView payload;
    bool hears_itself = false;  // may the device hear it, if it has subscribed to it
  };
  // Asked before: whether it is over the rate of QoS 1 in `rules` or over that of all devices. It counts then, in one
  // with what the device publishes over its connection.
  bool detached_over_rate(const base::DeviceKeyView& device, std::string_view topic, const ClientRules& rules);
  using PublishedDone = base::UniqueFunction<void(bool safe)>;
  void publish_detached(const DetachedPublish& message, PublishedDone done);
  // Tells back ends what became of a device, on its home loop, after what it meant for its connection.
  void tell_life_cycle(const LifeCycleEvent& event);

  // Administration, on this loop's own sessions. All are harmless for devices that are not here. True: it was
  // connected. Of a deleted device the session goes from memory too; what is stored stays until forget_session().
  bool close_device(const base::DeviceKey& device, CloseCause cause);
  bool is_online(const base::DeviceKey& device) const;
  std::optional<SessionView> describe_device(const base::DeviceKey& device, std::size_t subscriptions_max) const;
  // Walks over all sessions of the loop. `more`: of the account's, beyond `sessions_max`.
  std::vector<SessionView> describe_account(std::string_view account, std::size_t sessions_max,
                                            std::size_t subscriptions_max, std::size_t& more) const;
  void close_product(std::string_view product_key);  // deleted: close_device() for each of its devices
  // Connections whose certificates are meant; their sessions stay.
  using IsMeantTrail = std::function<bool(const CertificateTrail& trail)>;
  void close_certificates(const IsMeantTrail& is_meant, CloseCause cause);
  // Likewise for the connections of an account; with kDeleted its sessions end as well.
  void close_account(std::string_view account, CloseCause cause);
  // The same for many in one walk over all sessions. With kDeleted and kRevoked their sessions end as well.
  using IsMeant = std::function<bool(std::string_view account)>;
  void close_accounts(const IsMeant& is_meant, CloseCause cause);
  // Its permissions changed: ends the subscriptions that they no longer cover.
  void narrow_account(std::string_view account, const Authorizer& authorizer);
  // Likewise of a device, connected or not; harmless when its session is not here.
  void narrow_device(const base::DeviceKeyView& device, const Authorizer& authorizer);
  std::vector<base::DeviceKey> devices_of(std::string_view product_key) const;  // whose sessions are here
  // Likewise for many; null: not meant.
  void narrow_accounts(const std::function<const Authorizer*(std::string_view account)>& authorizer_of);
  // Removes a deleted device's session, wherever it lives and from the store. `done` comes later on this loop; false:
  // the store did not take it, ask again later.
  using ForgetDone = base::UniqueFunction<void(bool erased)>;
  void forget_session(const session::SessionKey& key, ForgetDone done);

  const BrokerCounters& counters() const { return counters_; }
  std::size_t session_count() const { return sessions_.size(); }
  // Messages of QoS 1 and 2 that wait for their clients; of a queue on disk, as soon as it was counted.
  const session::QueueTotals& queued() const { return queued_; }
  std::size_t subscription_count() const { return local_trie_.entry_count(); }

  // BusListener
  void on_remote_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt) override;
  void on_remote_share_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt, std::string_view share,
                               unsigned hops) override;
  void on_remote_interest(routing::LoopId loop, std::string_view filter, bool added) override;
  void on_remote_share(routing::LoopId loop, std::string_view share, routing::ShareCount count) override;

  // AppendListener
  void on_appended(std::span<const session::QueueItemRef> items) override;
  void on_append_failed(std::span<const session::QueueItemRef> items, const base::Error& error) override;

 private:
  // One message on its way through this loop.
  struct Flow {
    mqtt::MessageRef message;
    Client* from = nullptr;         // a client of this loop
    std::uint16_t puback_id = 0;    // of a PUBLISH with QoS 1, for whose PUBACK `from` waits
    routing::ReceiptRef receipt;    // made when somebody has to be waited for
    routing::ReceiptTotals totals;  // of this loop's sessions

    bool is_awaited() const { return puback_id != 0 || receipt; }
  };
  struct PendingSuback;
  struct PendingUnsuback;
  // A shared subscription; `index` is its SubscriberId in share_trie_.
  struct Share {
    routing::SharedGroup group;
    std::uint32_t index = 0;
  };
  // Null: the session is another one by now; the client is gone.
  using SavedDone = base::UniqueFunction<void(LocalSession*, Client*, bool saved)>;

  // attach.cc
  void on_claimed(const std::shared_ptr<Client>& client, AttachDone& done, session::Epoch epoch);
  bool end_if_due(LocalSession& home);
  void begin_connection(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool existed);
  void connect_when_saved(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool present);
  void on_joined(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool present, bool saved);
  void connect(LocalSession& home, const std::shared_ptr<Client>& client, AttachDone& done, bool present,
               bool narrowed);
  bool resume_or_restart(LocalSession& home, Client& client, bool existed);
  LocalSession& install(std::unique_ptr<session::Session> state);
  void set_device(LocalSession& home, const base::DeviceKeyView& device);
  void uninstall(LocalSession& home);
  void drop_subscriptions(LocalSession& home);
  void forget_here(const session::SessionKey& key, session::EvictReason reason, ForgetDone done);
  // accounts.cc
  std::vector<session::SessionKey> sessions_of(const IsMeant& is_meant) const;
  void set_lasting(LocalSession& home, bool lasting);
  bool drop_forbidden(LocalSession& home, const Authorizer& authorizer);  // true: there were some

  bool turn_away(const std::function<bool(const Client&)>& is_meant, CloseCause cause);
  void end_connection(LocalSession& home, CloseCause cause);

  // session_life.cc
  void go_offline(Client& client, OfflineReason reason);
  void settle_offline(LocalSession& home, Client& client);
  void drop_stored(LocalSession& home);
  void announce(Client& client, bool online, OfflineReason reason);
  void report_repeat(const Client& client, std::uint64_t so_far, Incident incident);
  void report_throttled(const base::DeviceKey& device, const Client* client, RefusedInSecond& refused,
                        std::string_view name, std::uint32_t limit, std::string_view topic);
  void end_session(LocalSession& home);
  void leave_memory(LocalSession& home);
  void schedule(LocalSession& home);
  void unschedule(LocalSession& home);
  void publish_will(LocalSession& home);
  bool wants_record(const LocalSession& home) const;
  void save_if_changed(LocalSession& home);
  static void note_save(LocalSession& home);
  LocalSession* note_saved(session::SessionNumber number, std::uint64_t revision, bool saved);
  void save_now(LocalSession& home);
  void save_later(session::SessionNumber number);
  static void begin_number(LocalSession& home);

  // subscriptions.cc
  mqtt::ReasonCode admit_filter(Client& client, const mqtt::SubscribeEntry& entry, std::uint32_t subscription_id,
                                std::size_t index);
  static std::optional<std::size_t> automatic_number(const LocalSession& home, const mqtt::SubscribeEntry& entry,
                                                     std::uint32_t subscription_id);
  static bool leave_automatic(LocalSession& home, std::string_view filter);
  void save_without_refused(Client& client, const std::shared_ptr<PendingSuback>& pending);
  bool settle_awaited(LocalSession& home, std::uint64_t request, bool stored);
  void take_back(LocalSession& home, const AwaitedFilter& refused);
  static void forget_awaited(LocalSession& home, std::string_view filter);
  void finish_suback(const std::shared_ptr<PendingSuback>& pending);
  void finish_unsuback(const std::shared_ptr<PendingUnsuback>& pending);
  bool add_route(LocalSession& home, const session::SubscriptionRecord& subscription);
  void drop_route(LocalSession& home, std::string_view filter);
  bool is_own_filter(const LocalSession& home, std::string_view filter) const;
  void save_then(Client& client, SavedDone done);

  // dependents.cc
  Dependents::Number dependent_of(const Client& client, std::string_view topic) const;
  bool publish_for_dependent(Client& client, const mqtt::Publish& packet);
  void subscribe_dependents(Client& client, const mqtt::Subscribe& packet,
                            const std::shared_ptr<PendingSuback>& pending);
  void unsubscribe_dependents(Client& client, const mqtt::Unsubscribe& packet,
                              const std::shared_ptr<PendingUnsuback>& pending);

  // rates.cc
  bool over_rate(Client& client, const mqtt::Publish& packet);
  [[gnu::noinline]] void drop_over_rate(Client& client, std::string_view topic, std::uint32_t limit, base::MonoMs now);
  bool over_delivery_rate(LocalSession& home, const mqtt::Message& message);

  // retained.cc
  void retain(Flow& flow);
  void pump_replays(Client& client);

  // shared.cc
  Share& share_of(std::string_view share);
  Share* find_share(std::string_view share);
  void drop_share_if_empty(Share& share);
  bool join_share(LocalSession& home, std::string_view filter, const routing::SubscriptionOptions& options);
  void leave_share(LocalSession& home, std::string_view filter);
  void set_shares_online(LocalSession& home, bool online);
  void deliver_to_share(Share& share, Flow& flow, unsigned hops);
  bool is_ready(routing::SubscriberId id) const;

  // routes.cc
  // Who published: number of the session, 0 for nobody's; whether it was the platform.
  struct Origin {
    std::uint64_t publisher = 0;
    bool platform = false;
  };
  bool find_route(Client& client, std::string_view topic);
  RequestKind request_of(const Client& client, std::string_view topic) const;
  void find_remote_route(const mqtt::Message& message);
  std::uint64_t filters_version() const;
  bool recall_route(RouteCache::Publisher publisher, std::string_view topic, const RouteCache::Stamp& stamp,
                    RouteCache::Place& place);
  void keep_route(RouteCache::Publisher publisher, std::string_view topic, const RouteCache::Stamp& stamp,
                  const RouteCache::Home& home);
  bool is_current(const RouteCache::Home& home) const;
  bool may_hear_itself(const Client& from, std::string_view topic) const;
  RouteCache::Home match(std::string_view topic, const Origin& origin);
  RouteCache::Home find_home(const base::DeviceKeyView& device) const;
  void match_device(LocalSession& home, std::string_view topic, const Origin& origin);
  void match_home_loop(const base::DeviceKeyView& device);
  void match_filters(std::string_view topic, const Origin& origin);
  void add_target(LocalSession& home, const routing::SubscriptionOptions& options, bool own_topic);

  // delivery.cc
  bool count_unacknowledged(Client& client);
  void accept_publish(Client& client, const mqtt::Publish& packet);
  void answer_publish(Client& client, std::uint8_t qos, std::uint16_t packet_id, mqtt::ReasonCode reason);
  void deny_publish(Client& client, const mqtt::Publish& packet);
  void take_request(Client& client, const mqtt::Publish& packet);
  bool find_receivers(std::string_view topic);  // of a message of the server itself
  void send_internal(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain);
  void route(Flow& flow);
  void finish(Flow& flow);
  mqtt::MessageRef make_message(const mqtt::Publish& packet, const Client& from);
  void deliver_to_targets(Flow& flow);
  std::span<const std::uint32_t> subscription_ids_of(const Route::Target& target);
  void deliver(LocalSession& home, Flow& flow, const session::Delivery& delivery) {
    if (delivery.qos == 0) {
      flow.totals.receivers += 1;
      send_qos0(home, delivery);
    } else {
      enqueue(home, flow, delivery);
    }
  }
  void send_qos0(LocalSession& home, const session::Delivery& delivery);
  void enqueue(LocalSession& home, Flow& flow, const session::Delivery& delivery);
  void store_message(LocalSession& home, Flow& flow, const session::Delivery& delivery, std::uint64_t sequence);
  void deliver_when_stored(LocalSession& home, Flow& flow, const session::Delivery& delivery);
  void measure(LocalSession& home);
  void look_for_expired(LocalSession& home);
  void send_waiting(LocalSession& home);
  void read_page(LocalSession& home);
  LocalSession* find(session::SessionNumber number);  // null: it has ended
  void on_stored(session::SessionNumber number, std::uint64_t sequence, bool stored);
  void remove_stored(LocalSession& home, const session::Session::Removed& removed);

  // acknowledge.cc
  routing::Receipt& receipt_of(Flow& flow);
  void decide(Client& client, std::uint64_t ack, mqtt::ReasonCode reason);
  void on_published(const std::weak_ptr<Client>& weak, std::uint64_t ack, const routing::ReceiptTotals& totals);
  void on_taken(const std::weak_ptr<Client>& weak, session::SessionNumber number, std::uint16_t packet_id,
                std::uint64_t ack, const routing::ReceiptTotals& totals);
  void release_outgoing(session::SessionNumber number, std::uint64_t sequence);
  void remove_outgoing(session::SessionNumber number, std::uint64_t sequence);
  void erase_received(session::SessionNumber number, std::uint16_t packet_id, std::weak_ptr<Client> asked);
  void count_acknowledged(Client& client);
  void regulate_input(Client& client);
  void send_ready_acks(Client& client);
  void send_answer(Client& client, mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason);
  void retry_later(base::UniqueFunction<void()> call);

  Parts parts_;
  DetachedRates detached_rates_;
  RefusedInSecond detached_refused_;
  std::uint64_t detached_throttled_ = 0;
  RateShare up_rate_;
  RateShare down_rate_;
  BrokerCounters counters_;
  session::QueueTotals queued_;  // outlives the sessions
  boost::unordered_flat_set<HashedSession, BySessionKey, BySessionKey> sessions_;
  boost::unordered_flat_map<session::SessionNumber, LocalSession*> numbers_;
  boost::unordered_flat_map<std::string, std::size_t> lasting_sessions_;  // of each account, here
  boost::unordered_flat_set<HashedDevice, ByDevice, ByDevice> devices_;
  std::vector<std::weak_ptr<Client>> waiting_;  // from attach() until it is decided, in no order; tidied now and then
  std::size_t waiting_tidy_at_ = 64;
  std::vector<LocalSession*> by_id_;
  std::vector<routing::SubscriberId> free_ids_;
  routing::SubscriptionTrie local_trie_;   // filters that are not a device's own
  routing::SubscriptionTrie share_trie_;   // inner filters of shared subscriptions, wherever their members are
  routing::SubscriptionTrie remote_trie_;  // SubscriberId = LoopId
  boost::unordered_flat_map<std::string, std::unique_ptr<Share>> shares_;
  std::vector<Share*> share_by_index_;
  std::vector<std::uint32_t> free_shares_;
  std::set<std::pair<base::WallMs, session::SessionNumber>> due_;  // offline sessions: will or end
  std::vector<base::UniqueFunction<void()>> retries_;              // with the next tick
  std::uint64_t route_number_ = 0;
  std::uint64_t subscribe_number_ = 0;
  std::uint64_t last_client_ = 0;  // Client::number
  RouteCache route_cache_;
  DeviceVersions device_versions_;
  bool store_fails_ = false;  // the last append was refused
  // Scratch of route(), kept so that a message allocates nothing. A delivery never routes another message.
  std::vector<routing::Match> matches_;
  Route route_;    // as it was found
  RouteView way_;  // the one to take: that, or a remembered one
  // What route_ is of while it is right: a route that is too large for the cache is not looked for again and again.
  struct LargeRoute {
    RouteCache::Publisher publisher = 0;  // 0: nothing
    RouteCache::Stamp stamp;
    RouteCache::Home home;
    std::string topic;
  } large_route_;
  std::vector<std::uint32_t> ids_;
  SpareMessages spares_;
  std::vector<mqtt::MessageRef> retained_page_;
  base::Bytes forwarded_;
};

}  // namespace mooring::broker
