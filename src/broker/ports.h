// What the broker needs from the world around it. Everything here is called on the broker's loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
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

// The way out to a client: its connection. Calls append to what leaves at the end of the loop turn; none of them calls
// back into the broker. Reason codes are those of MQTT 5; for clients of 3.x the sink sends what they understand.
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
  virtual void close(CloseCause cause) = 0;
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
