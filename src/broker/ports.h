// What the broker needs from the world around it. Everything here is called on the broker's loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/unique_function.h"
#include "mqtt/message.h"
#include "mqtt/packet.h"

namespace mooring::broker {

class Client;

// Why the server ends a client's connection.
enum class CloseCause : std::uint8_t {
  kTakenOver,  // the same client connected again (connection.md 6.5)
  kDisabled,
  kDeleted,
  kKicked,          // by an operator
  kRevoked,         // what it signed in with; its sessions end as well
  kTooSlow,         // does not read what it subscribed to
  kReceiveMaximum,  // more unacknowledged PUBLISH packets than it was told (MQTT 5 0x93)
  kProtocolError,   // MQTT 5 0x82
  kTopologyGone,    // a child: it is no more its gateway's
  kStoreFailed,     // MQTT 3.x cannot be told that its message was not stored: it repeats it when it comes back
};

// What a client may do. One object per connection.
class Authorizer {
 public:
  enum class Verdict : std::uint8_t { kAllowed, kNotPermitted, kTooLong };
  virtual ~Authorizer() = default;
  virtual Verdict may_publish(std::string_view topic) const = 0;
  // `filter` without "$share/group/".
  virtual Verdict may_subscribe(std::string_view filter) const = 0;
  // Grows when an answer may have become another: answers are remembered until then.
  virtual std::uint64_t revision() const = 0;
};

// A PUBLISH towards a client.
struct PublishOut {
  const mqtt::MessageRef& message;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_id = 0;  // 0 with QoS 0
  std::span<const std::uint32_t> subscription_ids{};
};

// The way out to a client: its connection. Calls append to what leaves at the end of the loop turn; only tell_end()
// calls back into the broker. Reason codes are those of MQTT 5; for clients of 3.x the sink sends what they understand.
class ClientSink {
 public:
  virtual ~ClientSink() = default;
  virtual void send_publish(const PublishOut& packet) = 0;
  // PUBACK, PUBREC, PUBREL or PUBCOMP.
  virtual void send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) = 0;
  // One code for each filter of the request.
  virtual void send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) = 0;
  virtual void send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) = 0;
  // False: larger than the client's Maximum Packet Size; it must not be sent [MQTT-3.1.2-24].
  virtual bool fits(const PublishOut& packet) const = 0;
  // True while more waits for the client than its bound allows: QoS 0 is then dropped, QoS 1 and 2 wait in the session
  // until Broker::resume_delivery().
  virtual bool congested() const = 0;
  // Nothing more of the client is read until resume_input(): too much of it is not acknowledged yet.
  virtual void pause_input() = 0;
  virtual void resume_input() = 0;
  // The client has gone, and Broker::detach() waits for its turn: it is called now. False: it is there, as far as is
  // known.
  virtual bool tell_end() { return false; }
  virtual void close(CloseCause cause) = 0;
};

// Which built-in service a topic is a request to; the numbers are the port's own.
using RequestKind = std::uint8_t;
inline constexpr RequestKind kNoRequest = 0;

// The services that answer devices. A request to one is a PUBLISH to a topic of the device's own; it is taken out of
// the way of messages and reaches nobody else, for it may hold a proof that could be repeated (docs/adr/0018).
class RequestPort {
 public:
  virtual ~RequestPort() = default;
  // Of a topic that the device may publish to. The answer depends on the topic alone and is remembered with its route.
  virtual RequestKind kind_of(std::string_view topic) const = 0;
  // `client` is a device. It may be answered at once; `packet` is valid during the call.
  virtual void on_request(Client& client, RequestKind kind, const mqtt::Publish& packet) = 0;
  // The device was refused a topic of another device. Once a second at most.
  virtual void on_foreign_topic(Client& client, const base::DeviceKeyView& owner) = 0;
};

// The devices that speak over a client's connection besides the client itself: children of a gateway (docs/adr/0018).
// Belongs to its client and its loop. Views are valid during the call.
class Dependents {
 public:
  using Number = std::uint32_t;  // of one of them
  static constexpr Number kNobody = 0;
  virtual ~Dependents() = default;
  // Whose topic or filter it is; kNobody: none of theirs.
  virtual Number owner_of(std::string_view topic) const = 0;
  // Broker::answer() is to be called for `ack`, once, unless it is 0.
  virtual void publish(Number child, const mqtt::Publish& packet, std::uint64_t ack) = 0;
  // Later on this loop, once: a code for each filter. Not after end().
  using Answered = base::UniqueFunction<void(std::span<const mqtt::ReasonCode> codes)>;
  virtual void subscribe(Number child, std::span<const mqtt::SubscribeEntry> entries, std::uint32_t subscription_id,
                         Answered answered) = 0;
  virtual void unsubscribe(Number child, std::span<const std::string_view> filters, Answered answered) = 0;
  // PUBACK. False: of no message of theirs.
  virtual bool acknowledged(const mqtt::Ack& packet) = 0;
  // The sink is no longer congested.
  virtual void resume() = 0;
  // The connection has ended; nothing is called any more.
  virtual void end() = 0;
};

// Why a device went offline; the texts are those of the device log (connection.md 9.2).
enum class OfflineReason : std::uint8_t {
  kDeviceDisconnect,  // DISCONNECT packet
  kConnectionReset,   // the transport ended without one
  kConnectionError,   // malformed packets, broken transport
  kKeepAliveTimeout,
  kKickedBySameDevice,
  kDisabled,
  kDeleted,
  kKicked,
  kTooSlow,
  kServerStopped,
  kGatewayOffline,  // a child: its gateway's connection has ended
  kTopologyGone,
};
std::string_view to_text(OfflineReason reason);

// Something that a device was not allowed, or that was not done for it, while it stays connected.
struct Incident {
  enum class Kind : std::uint8_t { kPublishDenied, kSubscribeDenied, kDiscarded, kThrottled };
  Kind kind;
  std::uint16_t code = 0;   // connection.md 9.2
  std::string_view name;    // stable: "not-permitted"
  std::string_view text;    // for people
  std::string_view topic;   // or filter, as the client wrote it
  std::uint32_t count = 1;  // how many of its kind this one stands for
};

// Learns of devices coming and going, in the order it happens for each device, and of what happens to them meanwhile.
class PresenceListener {
 public:
  virtual ~PresenceListener() = default;
  virtual void on_online(const Client& client, base::WallMs at_ms) = 0;
  virtual void on_offline(const Client& client, base::WallMs at_ms, OfflineReason reason) = 0;
  // `client`: null while the device is away.
  virtual void on_incident(const base::DeviceKey& device, const Client* client, const Incident& incident) = 0;
};

}  // namespace mooring::broker
