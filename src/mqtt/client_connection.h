// ClientConnection: decodes what a server sends, for our own clients (command line, load generator, tests). The same
// style as ServerConnection: bytes in, calls of ClientConnectionEvents out, no I/O, no clock.
//
// The first packet must be CONNACK (MQTT-3.2.0-1), or AUTH in MQTT 5. The first violation calls on_protocol_error()
// once and ends it; so does DISCONNECT, after on_disconnect(). Packet ids in flight are left to the owner. Topic
// aliases are resolved here.
//
// Thread: belongs to one loop. Handlers may call every method except receive() and the destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/partial_packet.h"
#include "mqtt/topic_aliases.h"

namespace mooring::mqtt {

// Arguments and what they point to are valid during the call only.
class ClientConnectionEvents {
 public:
  virtual void on_connack(const Connack& packet) = 0;
  virtual void on_publish(const Publish& packet) = 0;
  virtual void on_puback(const Ack& packet) = 0;
  virtual void on_pubrec(const Ack& packet) = 0;
  virtual void on_pubrel(const Ack& packet) = 0;
  virtual void on_pubcomp(const Ack& packet) = 0;
  virtual void on_suback(const Suback& packet) = 0;
  virtual void on_unsuback(const Unsuback& packet) = 0;
  virtual void on_pingresp() = 0;
  virtual void on_disconnect(const Disconnect& packet) = 0;        // MQTT 5; the connection is closed already
  virtual void on_auth(const Auth& packet) = 0;                    // MQTT 5
  virtual void on_protocol_error(const ProtocolError& error) = 0;  // close the connection; error.reply is empty, and
                                                                   // in MQTT 5 a client may send error.code before

 protected:
  ~ClientConnectionEvents() = default;
};

class ClientConnection {
 public:
  static constexpr std::size_t kDefaultMaxPacketBytes = 2 * 1024 * 1024;

  // `version` is the one sent in CONNECT, `topic_alias_maximum` likewise.
  explicit ClientConnection(Version version, std::size_t max_packet_bytes = kDefaultMaxPacketBytes,
                            std::uint16_t topic_alias_maximum = 0)
      : max_packet_bytes_(max_packet_bytes), topic_alias_maximum_(topic_alias_maximum), version_(version) {}
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Feeds the next bytes of the stream, cut anywhere; consumes all of them.
  void receive(base::ByteView in, ClientConnectionEvents& events);

  // From now on all input is swallowed; frees the partial packet.
  void close();
  bool closed() const { return state_ == State::kClosed; }

 private:
  enum class State : std::uint8_t { kAwaitConnack, kOpen, kClosed };
  struct Step;

  Step examine(base::ByteView have) const;
  const ProtocolError* check_first_byte(std::uint8_t first_byte) const;
  std::size_t take(base::ByteView in, ClientConnectionEvents& events);
  std::size_t take_into_partial(base::ByteView in, ClientConnectionEvents& events);
  void dispatch(base::ByteView packet, ClientConnectionEvents& events);
  void handle_connack(base::ByteView body, ClientConnectionEvents& events);
  void handle_publish(std::uint8_t flags, base::ByteView body, ClientConnectionEvents& events);
  void handle_disconnect(base::ByteView body, ClientConnectionEvents& events);
  void fail(const ProtocolError& error, ClientConnectionEvents& events);

  std::size_t max_packet_bytes_;
  PartialPacket partial_;
  std::unique_ptr<TopicAliases> aliases_;  // null until one is used
  std::uint16_t topic_alias_maximum_;
  State state_ = State::kAwaitConnack;
  Version version_;
};

}  // namespace mooring::mqtt
