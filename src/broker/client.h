// Client: what the broker knows of one connected MQTT client. Made by the gateway when the sign-in succeeded, shared
// with calls that are still under way when the connection ends. Belongs to its loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "broker/ports.h"
#include "session/ports.h"
#include "session/session.h"

namespace mooring::broker {

struct LocalSession;

enum class ClientKind : std::uint8_t {
  kDevice,
  kOperator,  // of the local socket: any topic, nothing is kept
};

// The rules a kind of client lives under. They belong to the product's profile or the listener, never to the server as
// a whole. One object serves many clients and outlives them.
struct ClientRules {
  std::size_t max_filters_per_subscribe = 8;  // 0 = no limit, as in every field
  std::size_t max_subscriptions = 100;
  std::uint8_t max_qos = 1;
  bool deliver_at_publishers_qos = true;  // connection.md 6.1; false: min(publisher, subscription), MQTT 3.1.1 3.8.4
  bool subscriptions_outlive_clean_session = true;  // connection.md 6.3; false: as the standard has it
  session::SessionLimits session;
};

// What the device said about itself; bounded by whoever parsed it.
struct ClientFacts {
  std::string language;
  std::string sdk_version;
  std::string system;
  std::string module;
};

struct ClientInfo {
  ClientKind kind = ClientKind::kDevice;
  base::DeviceKey device;  // empty names for an operator
  std::string iot_id;
  std::string peer_address;  // without port
  ClientFacts facts;
  bool clean_session = false;
  bool wants_notify = false;  // ext bit 2: the kick notice of connection.md 6.5
  const ClientRules* rules = nullptr;
};

class Client {
 public:
  Client(ClientInfo client_info, session::SessionKey session_key, ClientSink& client_sink,
         const Authorizer& client_authorizer)
      : info(std::move(client_info)), key(std::move(session_key)), sink(&client_sink), authorizer(&client_authorizer) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return sink != nullptr; }

  const ClientInfo info;
  const session::SessionKey key;
  ClientSink* sink;                   // null once the connection has ended
  const Authorizer* authorizer;       // valid while connected
  LocalSession* session = nullptr;    // null before the session was claimed and after it left this loop
  session::Epoch epoch = 0;           // of the claim; tells connections of one device apart, newer ones are larger
  base::WallMs last_activity_ms = 0;  // of the last packet from the client; kept up by the gateway
  std::uint64_t refused_publishes = 0;
  std::uint32_t saves_under_way = 0;  // of its session's record: answers wait for those before them
};

}  // namespace mooring::broker
