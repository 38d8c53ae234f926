// ServerConnection: the MQTT protocol of one connection, seen from the server, without I/O and without a clock.
// Bytes go in through receive(), packets come out as calls of ServerConnectionEvents.
//
// What it guarantees to the handlers: the first packet is CONNECT and there is only one; nothing after CONNECT is
// parsed until accept_connect(); every field obeys the rules of its packet type; sizes obey Limits and were checked
// when the fixed header was read, before memory was spent. The first violation ends the conversation:
// on_protocol_error() is called once, nothing is called after it.
//
// What it leaves to its owner: answers, sessions, packet ids in flight, sign-in, permissions, keep alive; in MQTT 5
// also whether the will of a CONNECT is within what the server offers, and whether there was any call for AUTH.
//
// Tolerances: Limits::tolerates_unsubscribe_flags. MQTT 3.1, whose document leaves flags of most
// packets unused and lets user name or password be missing although announced, is read as that document says.
//
// Protocol names and levels (connection.md 4.5 row 2): MQIsdp/3, MQTT/4 and MQTT/5 are accepted; every other level and
// every other name is refused with CONNACK 1. MQTT-3.1.2-1 leaves the choice for an unknown name to the server;
// answering costs four bytes and tells a client of another dialect what is wrong, and brokers that bridge (levels 0x83
// and 0x84) that they should try again without the top bit.
//
// MQTT 5: an error inside a CONNECT is reported when version() says k5 already. Topic aliases are resolved here
// (Limits::topic_alias_maximum names the largest alias; topics of aliases are kept as long as the object, at most that
// many times 65,535 bytes). Receive Maximum is left to the owner.
//
// Memory: packets that lie whole in the input are decoded where they are. Only a packet cut by the end of the input is
// kept, in a buffer that grows with the bytes received (never more than twice as large, never above the limit for its
// type) and is freed as soon as the packet is complete. Otherwise the object is all there is.
//
// Thread: belongs to the loop of its connection. Handlers may call every method except receive() and the destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/partial_packet.h"
#include "mqtt/topic_aliases.h"

namespace mooring::mqtt {

struct FixedHeader;

// Bounds of one connection. Sizes of packets count the fixed header.
struct Limits {
  // The CONNECT packet. The default holds a client identifier of 1,024 bytes (connection.md 17 row 1), user name,
  // password and a will of a few KiB: what an unknown peer may make us keep.
  std::size_t max_connect_bytes = 16 * 1024;
  // Any other packet except PUBLISH, which is bounded by its payload (and a topic has at most 65,535 bytes anyway); of
  // a PUBLISH of MQTT 5 the properties (0x95).
  std::size_t max_packet_bytes = 64 * 1024;
  // A PUBLISH with more payload is read, skipped and reported through on_oversized_publish() (connection.md 7).
  std::size_t max_payload_bytes = 262'144;
  // With more than this it is a protocol error. Not below max_payload_bytes.
  std::size_t max_discarded_payload_bytes = 1'048'576;
  // A PUBLISH of a higher QoS is a protocol error (MQTT 5: 0x9B). With 1, PUBREC, PUBREL and PUBCOMP are errors, too.
  std::uint8_t max_qos = 1;
  // MQTT 5: false makes a PUBLISH with retain an error (0x9A). In MQTT 3.x the flag is always passed on.
  bool retain_available = true;
  // MQTT 5: largest alias that a client may use; 0: none (0x94).
  std::uint16_t topic_alias_maximum = 0;
  // UNSUBSCRIBE with fixed header flags 0 in MQTT 3.1.1 (connection.md 6.4).
  bool tolerates_unsubscribe_flags = true;
};

// A PUBLISH of MQTT 5 above this is refused as soon as its fixed header is read: what a server may announce as Maximum
// Packet Size.
std::size_t max_publish_packet_bytes(const Limits& limits);

// Arguments and what they point to are valid during the call only.
class ServerConnectionEvents {
 public:
  virtual void on_connect(const Connect& packet) = 0;
  virtual void on_publish(const Publish& packet) = 0;
  // When the last byte of the packet has been skipped.
  virtual void on_oversized_publish(const OversizedPublish& packet) = 0;
  virtual void on_puback(const Ack& packet) = 0;
  virtual void on_pubrec(const Ack& packet) = 0;
  virtual void on_pubrel(const Ack& packet) = 0;
  virtual void on_pubcomp(const Ack& packet) = 0;
  virtual void on_subscribe(const Subscribe& packet) = 0;
  virtual void on_unsubscribe(const Unsubscribe& packet) = 0;
  virtual void on_pingreq() = 0;
  virtual void on_disconnect(const Disconnect& packet) = 0;  // the connection is closed already
  virtual void on_auth(const Auth& packet) = 0;
  // Answer as ProtocolError says, then close the connection.
  virtual void on_protocol_error(const ProtocolError& error) = 0;

 protected:
  ~ServerConnectionEvents() = default;
};

class ServerConnection {
 public:
  // `limits` must outlive the connection: one object serves all connections of a listener or profile.
  explicit ServerConnection(const Limits& limits) : limits_(&limits) {}
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Feeds the next bytes of the stream, cut anywhere. Returns how many were consumed: all of them, unless the
  // connection is paused or waits for accept_connect(); the rest then stays with the caller, who stops reading and
  // passes it again later. After close(), DISCONNECT or an error all input is swallowed.
  [[nodiscard]] std::size_t receive(base::ByteView in, ServerConnectionEvents& events);

  // The owner signed the client in (any time after on_connect, or inside it): what follows CONNECT is read from now on.
  // Input that was left over is not remembered here: call receive() with it.
  void accept_connect();

  // Stops after the packet being handled, or at once from outside a handler; resume() undoes it. Input that was left
  // over is not remembered here: call receive() with it.
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  bool paused() const { return paused_; }

  // From now on all input is swallowed; frees the partial packet. The aliases stay, because a topic handed to a
  // handler may be among them.
  void close();
  bool closed() const { return state_ == State::kClosed; }

  // Whether a CONNECT has been received and accept_connect() is due.
  bool awaits_accept() const { return state_ == State::kAwaitAccept; }

  // Other limits from here on, for instance those of the account that signed in.
  void set_limits(const Limits& limits) { limits_ = &limits; }

  // Of the CONNECT packet; k311 before its beginning has been read.
  Version version() const { return version_; }

  // Whole packets received so far, modulo 2^32. Keep alive counts these, not bytes: compare before and after receive().
  std::uint32_t packets_received() const { return packets_received_; }

  // Within a handler: how many bytes of its packet stood behind the fixed header (the remaining length).
  std::uint32_t body_bytes() const { return body_bytes_; }

  // Bytes held for an incomplete packet, for memory accounting.
  std::size_t buffered_bytes() const { return partial_.capacity_bytes(); }
  // Bytes held for the client's topic aliases, likewise.
  std::size_t alias_bytes() const { return aliases_ == nullptr ? 0 : aliases_->memory_bytes(); }

 private:
  enum class State : std::uint8_t { kAwaitConnect, kAwaitAccept, kOpen, kClosed };
  struct Step;

  bool runs() const { return !paused_ && (state_ == State::kAwaitConnect || state_ == State::kOpen); }
  Step examine(base::ByteView have) const;
  Step examine_publish(base::ByteView have, const FixedHeader& header) const;
  Step examine_large_publish(base::ByteView have, const FixedHeader& header) const;
  std::optional<Step> pass_properties(base::ByteView have, std::size_t end, std::size_t& head_bytes) const;
  const ProtocolError* check_first_byte(std::uint8_t first_byte) const;
  std::size_t harmless_publish_bytes() const;
  std::size_t take_frequent(base::ByteView in, ServerConnectionEvents& events);
  std::size_t take(base::ByteView in, ServerConnectionEvents& events);
  std::size_t take_into_partial(base::ByteView in, ServerConnectionEvents& events);
  std::size_t skip_payload(base::ByteView in, ServerConnectionEvents& events);
  void start_skipping(const Step& step, ServerConnectionEvents& events);
  void count_packet(std::size_t body_bytes);
  void dispatch(base::ByteView packet, ServerConnectionEvents& events);
  void handle_connect(const FixedHeader& header, base::ByteView body, ServerConnectionEvents& events);
  const ProtocolError* read_publish(std::uint8_t flags, base::ByteView body, Publish& out);
  void handle_publish(std::uint8_t flags, base::ByteView body, ServerConnectionEvents& events);
  void handle_disconnect(base::ByteView body, ServerConnectionEvents& events);
  void fail(const ProtocolError& error, ServerConnectionEvents& events);

  const Limits* limits_;
  PartialPacket partial_;
  std::unique_ptr<TopicAliases> aliases_;  // null until one is used
  std::uint32_t skip_left_bytes_ = 0;      // of the payload of an oversized PUBLISH, whose head is in partial_
  std::uint32_t skip_total_bytes_ = 0;
  std::uint32_t packets_received_ = 0;
  std::uint32_t body_bytes_ = 0;  // of the packet that was handled last
  State state_ = State::kAwaitConnect;
  Version version_ = Version::k311;
  bool paused_ = false;
  bool has_session_expiry_ = false;  // CONNECT of MQTT 5 had one that is not 0
};

static_assert(sizeof(ServerConnection) <= 64, "there are 100,000 of these");

}  // namespace mooring::mqtt
