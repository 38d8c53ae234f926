// Broker: joins connections, sessions and routes. One per loop, used on that loop only; what concerns other loops goes
// through the ports. The path of a PUBLISH is publish() -> route() -> deliver() (ARCHITECTURE.md prints it whole).
//
// Owns no I/O and no storage library. Every buffer it keeps is bounded by the client's rules.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/client.h"
#include "broker/ports.h"
#include "mqtt/packet.h"
#include "routing/bus.h"
#include "routing/subscription_trie.h"
#include "session/ports.h"
#include "session/session.h"

namespace mooring::broker {

// A session that lives on this loop, with or without a connection.
struct LocalSession {
  std::unique_ptr<session::Session> session;
  std::shared_ptr<Client> client;  // null while offline
  base::DeviceKey device;          // empty names for an operator's
  bool is_device = false;
  bool keeps_messages = false;  // clean session 0: QoS 1 waits for the client while it is offline
  bool at_publishers_qos = true;
  routing::SubscriberId id = 0;  // in the trie
  std::uint64_t routed = 0;      // number of the last message that was matched; merges overlapping filters
};

// Plain counters of one loop, read by the owner of the loop.
struct BrokerCounters {
  std::uint64_t published = 0;          // messages that entered here
  std::uint64_t delivered = 0;          // PUBLISH packets handed to clients
  std::uint64_t dropped_congested = 0;  // QoS 0 to a client that does not read
  std::uint64_t dropped_queue_full = 0;
  std::uint64_t dropped_offline = 0;    // to a device that keeps nothing
  std::uint64_t refused_publishes = 0;  // topic not permitted
  std::uint64_t refused_filters = 0;
};

enum class AttachError : std::uint8_t { kUnavailable, kTakenOver };
struct AttachResult {
  bool session_present = false;
};

class Broker final : public routing::BusListener {
 public:
  struct Parts {
    session::LoopId loop = 0;
    base::Executor& executor;  // of the loop
    const base::Clock& clock;
    session::SessionDirectory& directory;
    session::SessionStore& store;
    routing::Bus& bus;
    PresenceListener& presence;
  };

  explicit Broker(const Parts& parts);
  ~Broker() override;
  void start();  // joins the directory; before the first attach

  // Gives the client its session, taking it over from an older connection. `done` comes later on this loop unless the
  // connection has ended by then; it sends CONNACK. Afterwards the broker announces the device and sends what waits.
  using AttachDone = base::UniqueFunction<void(tl::expected<AttachResult, AttachError>)>;
  void attach(std::shared_ptr<Client> client, AttachDone done);
  // The connection has ended or is about to. The sink is not used any more.
  void detach(Client& client, OfflineReason reason);

  // The client's packets, checked by the codec.
  void publish(Client& client, const mqtt::Publish& packet);
  void subscribe(Client& client, const mqtt::Subscribe& packet);
  void unsubscribe(Client& client, const mqtt::Unsubscribe& packet);
  void acknowledged(Client& client, std::uint16_t packet_id);
  // The sink is no longer congested.
  void resume_delivery(Client& client);

  // A message of the server itself.
  void publish_internal(std::string_view topic, std::string_view payload, std::uint8_t qos);

  // Administration, on this loop's own sessions. All are harmless for devices that are not here. True: it was
  // connected. Of a deleted device the session goes from memory too; what is stored stays until forget_session().
  bool close_device(const base::DeviceKey& device, CloseCause cause);
  bool is_online(const base::DeviceKey& device) const;
  void close_product(std::string_view product_key);  // deleted: close_device() for each of its devices
  // Removes a deleted device's session, wherever it lives and from the store. `done` comes later on this loop; false:
  // the store did not take it, ask again later.
  using ForgetDone = base::UniqueFunction<void(bool erased)>;
  void forget_session(const session::SessionKey& key, ForgetDone done);

  const BrokerCounters& counters() const { return counters_; }
  std::size_t session_count() const { return sessions_.size(); }

  // BusListener
  void on_remote_message(const mqtt::MessageRef& message) override;
  void on_remote_interest(routing::LoopId loop, std::string_view filter, bool added) override;
  void on_remote_device(routing::LoopId loop, const base::DeviceKey& device, bool added) override;

 private:
  struct Target {
    LocalSession* session;
    std::uint8_t qos;
  };
  struct Attaching;
  using SavedDone = base::UniqueFunction<void(Client&, bool saved)>;

  // attach.cc
  void on_claimed(const std::shared_ptr<Attaching>& attaching, session::Claim claim);
  void on_loaded(const std::shared_ptr<Attaching>& attaching,
                 base::Result<std::optional<session::SessionRecord>> loaded);
  void install(const std::shared_ptr<Attaching>& attaching, std::unique_ptr<session::Session> state);
  void apply_clean_session(Client& client, session::Session& state);
  bool ends_stored_state(const Client& client) const;
  void drop_subscriptions(LocalSession& home);
  void on_evict(const session::SessionKey& key, session::EvictReason reason, session::SessionDirectory::EvictDone done);
  bool turn_away(std::string_view product_key, const std::string* device_name, CloseCause cause);
  void end_connection(LocalSession& home, CloseCause cause);
  void go_offline(Client& client, OfflineReason reason);
  void announce(const Client& client, bool online, OfflineReason reason);
  std::unique_ptr<session::Session> uninstall(LocalSession& home);
  void release(LocalSession& home);
  void release_if_empty(LocalSession& home);

  // subscriptions.cc
  std::uint8_t admit_filter(Client& client, const mqtt::SubscribeEntry& entry, std::size_t index);
  void add_route(LocalSession& home, std::string_view filter, std::uint8_t qos);
  void drop_route(LocalSession& home, std::string_view filter);
  bool is_own_filter(const LocalSession& home, std::string_view filter) const;
  bool is_stored(const Client& client) const;
  void save_then(Client& client, SavedDone done);

  // delivery.cc
  void route(const mqtt::Publish& packet, const Client* from);
  bool may_hear_itself(const Client& from, std::string_view topic) const;
  void match_local(std::string_view topic);
  void match_remote(std::string_view topic);
  void add_target(LocalSession& home, std::uint8_t subscription_qos);
  void deliver_to_targets(const mqtt::MessageRef& message);
  void deliver(LocalSession& home, const mqtt::MessageRef& message, std::uint8_t qos);
  void send_waiting(LocalSession& home);

  Parts parts_;
  BrokerCounters counters_;
  boost::unordered_flat_map<session::SessionKey, std::unique_ptr<LocalSession>> sessions_;
  boost::unordered_flat_map<base::DeviceKey, LocalSession*, base::DeviceKeyHash, base::DeviceKeyEqual> devices_;
  boost::unordered_flat_map<base::DeviceKey, routing::LoopId, base::DeviceKeyHash, base::DeviceKeyEqual>
      remote_devices_;
  boost::unordered_flat_map<session::SessionKey, std::shared_ptr<Attaching>> attaching_;  // claimed, being loaded
  std::vector<std::weak_ptr<Client>> waiting_;  // from attach() until it is decided, in no order; tidied now and then
  std::size_t waiting_tidy_at_ = 64;
  std::vector<LocalSession*> by_id_;
  std::vector<routing::SubscriberId> free_ids_;
  routing::SubscriptionTrie local_trie_;   // filters that are not a device's own
  routing::SubscriptionTrie remote_trie_;  // SubscriberId = LoopId
  std::uint64_t route_number_ = 0;
  // Scratch of route(), kept so that a message allocates nothing. A delivery never routes another message.
  std::vector<routing::Match> matches_;
  std::vector<Target> targets_;
  std::vector<routing::LoopId> remote_targets_;
};

}  // namespace mooring::broker
