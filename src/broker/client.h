// Client: what the broker knows of one connected MQTT client. Made by the gateway when the sign-in succeeded, shared
// with calls that are still under way when the connection ends. Belongs to its loop.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "broker/ack_queue.h"
#include "broker/ports.h"
#include "broker/rate.h"
#include "broker/replay_queue.h"
#include "broker/route_cache.h"
#include "session/ports.h"
#include "session/session.h"

namespace mooring::broker {

struct LocalSession;

enum class ClientKind : std::uint8_t {
  kDevice,
  kAccount,   // a back end or a person: an ordinary MQTT client
  kOperator,  // of the local socket: any topic, nothing is kept
};

// The rules a kind of client lives under. They belong to the product's profile or the listener, never to the server as
// a whole. One object serves many clients and outlives them.
struct ClientRules {
  std::size_t max_filters_per_subscribe = 8;  // 0 = no limit, as in every field
  std::size_t max_subscriptions = 100;
  std::uint8_t max_qos = 1;
  std::size_t max_filter_levels = 1024;           // of one filter
  std::size_t max_subscription_levels = 100'000;  // of all filters of a session: each is a node in every loop
  std::size_t max_subscription_bytes = 2U << 20;  // likewise: they are stored together
  std::size_t max_lasting_sessions = 0;           // of one account, on one loop
  bool retain_available = false;                  // false: the flag is cleared and nothing is stored
  bool shared_available = false;                  // "$share/..." filters
  bool wills_available = false;                   // false: accepted and never published
  // PUBLISH packets of the client that are not acknowledged yet. MQTT 5: announced as Receive Maximum; MQTT 3.x: with
  // so many, no more are read.
  std::uint16_t max_received_in_flight = 100;
  std::uint32_t max_session_expiry_s = 0xFFFF'FFFF;  // what a client asks for is cut to this
  std::uint32_t max_message_age_s = 604'800;         // of stored messages
  bool deliver_at_publishers_qos = true;  // connection.md 6.1; false: min(publisher, subscription), MQTT 3.1.1 3.8.4
  bool subscriptions_outlive_clean_session = true;  // connection.md 6.3; false: as the standard has it
  bool reached_unasked = true;   // devices: automatic subscriptions and what is pushed, connection.md 6.6
  bool standard_device = false;  // of devices of profile `mqtt`: their sessions remember it
  // connection.md 7, for each device; 0 = no limit. What is over them is dropped.
  bool under_instance_rates = false;  // counts in what all devices may send and get together
  std::uint32_t max_qos0_publishes_per_s = 0;
  std::uint32_t max_qos1_publishes_per_s = 0;
  std::uint32_t max_deliveries_per_s = 0;          // messages of back ends to topics of the device
  std::uint32_t max_session_requests_per_s = 200;  // to /ext/session/, beyond what it may publish: a gateway signs its
                                                   // children in one by one (platform.md 13)
  session::SessionLimits session;
};

// What the device said about its software; bounded by whoever parsed it.
struct ClientFacts {
  std::string language;
  std::string sdk_version;
  std::string system;
  std::string module;
};

// The certificates with which a device proved itself, for when one of them is revoked: fingerprints, its own first, of
// those below the authority; the number is that of the one which the authority signed.
struct CertificateTrail {
  std::vector<std::string> chain;
  std::string authority;
  std::string issued_serial;
};

// What is the same as long as it is connected.
struct ClientTraits {
  std::shared_ptr<const base::DeviceKey> gateway = {};       // of a child, whose connection it is; null: it is its own
  std::shared_ptr<const std::string> browser_origin = {};    // of the page that has the device's secret; null: none
  std::shared_ptr<const CertificateTrail> certificate = {};  // null: none
  std::uint64_t arrival = 0;                                 // Broker::arrival() when its CONNECT came
  ClientKind kind = ClientKind::kDevice;
  mqtt::Version version = mqtt::Version::k311;
  bool tls = false;
  bool websocket = false;
  bool clean_session = false;
  bool wants_notify = false;    // ext bit 2: the kick notice of connection.md 6.5
  bool custom_rrpc = false;     // ext bit 1: takes part in RRPC on custom topics (/ext/rrpc/...)
  bool auto_subscribe = false;  // _ss=1: connection.md 6.6
  std::uint16_t keep_alive_s = 0;
  std::uint16_t receive_maximum = 0;   // the client's; 0: none
  std::uint32_t max_packet_bytes = 0;  // likewise
  std::uint32_t session_expiry_s = 0;  // as granted. MQTT 3.x: 0 with clean session 1, else the maximum
  const ClientRules* rules = nullptr;
};

struct ClientInfo : ClientTraits {
  std::string iot_id;
  std::string peer_address;  // without port
};

class Client {
 public:
  // `session_key` says which device or account it is.
  Client(const ClientInfo& client_info, std::string_view session_key, ClientSink& client_sink,
         const Authorizer& client_authorizer)
      : info(client_info),
        sink(&client_sink),
        authorizer(&client_authorizer),
        receive_maximum(info.gateway == nullptr ? info.rules->max_received_in_flight : kBoundedByGateway),
        key_bytes_(static_cast<std::uint32_t>(session_key.size())),
        iot_id_bytes_(static_cast<std::uint32_t>(client_info.iot_id.size())),
        peer_address_bytes_(static_cast<std::uint32_t>(client_info.peer_address.size())),
        texts_(joined({session_key, client_info.iot_id, client_info.peer_address})) {
    if (const auto named = session::device_of_key(session_key)) {
      product_key_bytes_ = static_cast<std::uint16_t>(named->product_key.size());
      device_name_bytes_ = static_cast<std::uint16_t>(named->device_name.size());
    }
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return sink != nullptr; }

  bool is_device() const { return info.kind == ClientKind::kDevice; }
  bool speaks_v5() const { return info.version == mqtt::Version::k5; }
  std::string label() const;  // for the log

  // Valid as long as the client.
  std::string_view key() const { return text(0, key_bytes_); }  // of its session
  // As its key says; empty: it is none.
  base::DeviceKeyView device() const {
    if (device_name_bytes_ == 0) return {{}, {}};
    return {text(kNamesAt, product_key_bytes_), text(kNamesAt + product_key_bytes_ + 1U, device_name_bytes_)};
  }
  std::string_view account() const { return session::account_of_key(key()).value_or(std::string_view()); }
  std::string_view iot_id() const { return text(key_bytes_, iot_id_bytes_); }
  std::string_view peer_address() const { return text(key_bytes_ + iot_id_bytes_, peer_address_bytes_); }

  const ClientTraits info;
  // From here to `replays`, and the end of `info`: what every message needs, side by side in memory.
  ClientSink* sink;                 // null once the connection has ended
  const Authorizer* authorizer;     // valid while connected
  LocalSession* session = nullptr;  // null before the session was claimed and after it left this loop
  std::uint64_t number = 0;         // of the connection, on this loop; 0 until it has its session
  TokenBucket qos0_rate;            // of what it publishes
  TokenBucket qos1_rate;
  RouteCache::Place last_route = 0;  // of what it published last
  // PUBLISH packets of this connection that are not acknowledged to the end; MQTT 5 section 4.9.
  std::uint32_t unacknowledged = 0;
  std::uint32_t refused_publishes = 0;
  bool input_paused = false;               // too much of it is not acknowledged: one of `input_holds`
  AckQueue acks;                           // towards the client
  std::unique_ptr<Dependents> dependents;  // null: nobody else speaks over the connection
  ReplayQueue replays;                     // retained messages that its subscriptions still have to get

  session::Epoch epoch = 0;           // of the claim; tells connections of one device apart, newer ones are larger
  base::WallMs last_activity_ms = 0;  // of the last packet from the client; kept up by the gateway
  std::uint32_t refused_filters = 0;
  std::uint32_t throttled_publishes = 0;
  RefusedInSecond over_rate;
  std::uint32_t over_rate_limit = 0;   // that it was over last
  std::uint32_t saves_under_way = 0;   // of its session's record: answers wait for those before them
  std::uint32_t session_expiry_s = 0;  // MQTT 5: DISCONNECT may change it
  std::uint32_t input_holds = 0;       // reasons why nothing more of it is read
  bool replay_posted = false;
  bool wants_will = false;  // it said DISCONNECT, and that its will is to be published all the same (MQTT 5, 0x04)
  static constexpr std::uint16_t kBoundedByGateway = 65'535;  // what a gateway sends is bounded on its own connection
  const std::uint16_t receive_maximum;        // the server's, as MQTT 5 announced it: a reload cannot take it back
  std::unique_ptr<session::WillRecord> will;  // until its session has it
  std::unique_ptr<const ClientFacts> facts;   // until the device is announced; null: it said nothing
  // Rates that few connections need; null before.
  struct RareRates {
    TokenBucket session;  // ClientRules::max_session_requests_per_s
    TokenBucket foreign;  // of other devices' topics that are told to the RequestPort
  };
  std::unique_ptr<RareRates> rare_rates;
  RareRates& rare() {
    if (rare_rates == nullptr) rare_rates = std::make_unique<RareRates>();
    return *rare_rates;
  }
  std::string_view end_detail;  // static: what exactly ended the connection, beside the reason

 private:
  static constexpr std::size_t kNamesAt = 2;  // session/ports.h
  static std::unique_ptr<const char[]> joined(std::initializer_list<std::string_view> texts);
  std::string_view text(std::size_t from, std::size_t bytes) const { return {texts_.get() + from, bytes}; }

  const std::uint32_t key_bytes_;
  const std::uint32_t iot_id_bytes_;
  const std::uint32_t peer_address_bytes_;
  std::uint16_t product_key_bytes_ = 0;
  std::uint16_t device_name_bytes_ = 0;
  const std::unique_ptr<const char[]> texts_;
};

}  // namespace mooring::broker
