// The seam between a connection's socket and what is spoken on it.
//
// Connection (connection.h) is the Transport: it reads, decrypts, buffers, writes, keeps deadlines and closes.
// A Conversation gets the plaintext: HTTP, WebSocket frames, raw MQTT packets or the echo of ws_echo.
// Both belong to one loop; until somebody has signed in they may move to another, once and together (docs/adr/0008).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "mqtt/message.h"
#include "net/loop.h"
#include "net/peer_certificate.h"
#include "net/socket_address.h"
#include "session/ports.h"

namespace mooring::gateway {

// How a connection came to its end, as the conversation needs to know it.
enum class TransportEnd : std::uint8_t {
  kPeerClosed,  // end of stream
  kBroken,      // an error of the socket or of TLS
  kTimeout,     // the time for the steps up to the sign-in was used up
  kStalled,     // the peer did not read for too long
  kShutdown,    // the server stops
};

struct PeerFacts {
  net::SocketAddress address;  // of the client, also behind a trusted proxy
  bool tls = false;
  bool proxied = false;  // a header of the PROXY protocol came first
  bool local_socket = false;
  std::shared_ptr<const std::string> origin;       // of the page that opened the WebSocket; null: none was told
  const std::string* anonymous_account = nullptr;  // the listener's, for CONNECTs without user name; null: none
};

class Conversation;

class Transport {
 public:
  virtual ~Transport() = default;
  virtual net::Loop& loop() = 0;
  virtual const PeerFacts& peer() const = 0;
  // The client's certificate of TLS, made anew with every call; nothing: it sent none.
  virtual std::optional<net::PeerCertificate> peer_certificate() const { return std::nullopt; }
  // Who the client is by its pre-shared key of TLS (connection.md 2.5); empty: it used none. Any bytes.
  virtual std::string_view psk_identity() const { return {}; }
  // What a trusted proxy says of the client; ignored when it is no address.
  virtual void set_client_address(std::string_view address) = 0;

  // What the upgrade to WebSocket said in its header Origin.
  virtual void set_origin(std::string origin) = 0;

  // Bytes that leave with the next flush, at the end of the loop turn.
  virtual void write(base::ByteView bytes) = 0;
  // Room for at most net::WriteQueue::kMaxReserve bytes to fill in place; commit() says how many were used.
  virtual std::uint8_t* reserve(std::size_t bytes) = 0;
  virtual void commit(std::size_t bytes) = 0;
  // Bytes of a message: copied while small, referred to when large.
  virtual void write_shared(base::ByteView bytes, const mqtt::MessageRef& owner) = 0;
  virtual std::size_t unsent_bytes() const = 0;
  // The kernel has announced the end of what the peer sends; some of that may still be unread.
  virtual bool peer_ended() const = 0;
  // More waits for the peer than the outgoing bound: what can be dropped or kept elsewhere should be.
  virtual bool congested() const = 0;

  // The peer has gone, and transport_ended() waits for its turn: it is called now. False: the peer is there, as far as
  // is known.
  virtual bool tell_end() { return false; }

  // The conversation takes input again after it left some: receive() is called soon, with what it left or with nothing.
  virtual void input_wanted() = 0;
  // From now on so many bytes of plaintext are read in a second; the peer's own flow control does the rest. 0: no
  // limit. The number belongs to this loop, outlives the connection and may change.
  virtual void limit_input(const std::uint32_t& bytes_per_second) = 0;
  // The steps up to the sign-in are over: their time budget ends. The conversation's deadline() counts from now on.
  virtual void established() = 0;
  // Another conversation takes over from the next byte on; the present one is destroyed at the end of the turn. Its
  // sign-in has what is left of the time budget, or a new one if that was over already.
  virtual void replace_conversation(std::unique_ptr<Conversation> next) = 0;
  // Takes the connection, its conversation included, to another loop at the end of this turn, after what is queued was
  // flushed. Nothing is read meanwhile. There Conversation::arrived() is called, unless the connection ends before.
  virtual void move_to(session::LoopId loop) = 0;
  // Sends what is queued, then ends our side and waits a little for the peer's, so that the last bytes arrive.
  virtual void finish() = 0;
  // Drops everything now.
  virtual void abort() = 0;
};

struct MqttServices;

class Conversation {
 public:
  virtual ~Conversation() = default;
  // Plaintext from the peer, the conversation's to change. Returns how many bytes were taken; what it leaves it is
  // given again after Transport::input_wanted().
  virtual std::size_t receive(base::MutableBytes input) = 0;
  // The connection ends without the conversation having asked for it. Last call.
  virtual void transport_ended(TransportEnd end) = 0;
  // An answer is on its way that a peer may still read after it closed its own side.
  virtual bool owes_answer() const { return false; }
  // Less than half of the outgoing bound is waiting again.
  virtual void output_drained() {}
  // When on_deadline() wants to be called; 0 = never. Asked after every call of on_deadline() and established().
  virtual base::MonoMs deadline() const { return 0; }
  virtual void on_deadline(base::MonoMs) {}
  // On the loop that Transport::move_to() named, with that loop's services. Only for those who ask to move.
  virtual void arrived(MqttServices&) {}
  // The server stops: say goodbye and finish().
  virtual void shut_down() = 0;
};

}  // namespace mooring::gateway
