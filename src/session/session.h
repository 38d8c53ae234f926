// Session: what the server keeps for one MQTT client between packets and between connections: its subscriptions, the
// QoS 1 messages sent and not yet acknowledged, and those waiting for room in that window.
//
// Lives on one loop at a time; moves whole when another loop takes the session over. No I/O, no clock.
// Bounds: SessionLimits below; what does not fit is refused, never kept: the caller counts it.
// A session without messages holds nothing for the window and the queue; they are made on first use and freed when
// empty. Sources: MQTT 3.1.1 sections 2.3.1, 3.1.2.4, 4.4, 4.6; connection.md 6.2, 6.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "mqtt/message.h"
#include "session/ports.h"

namespace mooring::session {

struct SessionLimits {
  std::uint16_t max_in_flight = 100;          // unacknowledged PUBLISH packets towards the client
  std::uint32_t max_queued_messages = 1000;   // waiting behind the window, and while offline
  std::uint64_t max_queued_bytes = 1U << 20;  // of the waiting messages, Message::memory_bytes
};

// One unacknowledged PUBLISH towards the client.
struct InFlight {
  mqtt::MessageRef message;
  std::uint16_t packet_id = 0;
  std::uint8_t qos = 1;
  bool sent = false;  // on the present connection; others go out again with DUP when the client returns
};

class Session {
 public:
  Session(SessionKey key, SessionLimits limits);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  const SessionKey& key() const { return key_; }
  Epoch epoch() const { return epoch_; }
  void set_epoch(Epoch epoch) { epoch_ = epoch; }

  // The window of the present connection (MQTT 5 Receive Maximum); at least 1. Packets already in flight stay there.
  void set_max_in_flight(std::uint16_t max_in_flight);

  // Subscriptions, in the order they were made. subscribe() returns true when something changed (new filter or other
  // QoS): then the record must be saved; so does unsubscribe(). Not bounded here: the broker asks for the count first.
  const std::vector<SubscriptionRecord>& subscriptions() const { return subscriptions_; }
  const SubscriptionRecord* find_subscription(std::string_view filter) const;
  bool subscribe(std::string_view filter, std::uint8_t qos);
  bool unsubscribe(std::string_view filter);
  SessionRecord record() const;
  void restore(SessionRecord record);  // takes over the subscriptions; the key stays
  // Whether the store has the subscriptions as they are now; saved() tells which revision it took.
  std::uint64_t revision() const { return revision_; }
  void saved(std::uint64_t revision) { saved_revision_ = revision > saved_revision_ ? revision : saved_revision_; }
  bool is_saved() const { return saved_revision_ == revision_; }

  // QoS 1 and up towards the client. admit() takes a message: into the window (a packet identifier comes back: send it
  // now), into the queue (0), or nowhere because a bound is hit (nothing). Order is kept: while anything waits, to be
  // sent or sent again, nothing overtakes it.
  std::optional<std::uint16_t> admit(const mqtt::MessageRef& message, std::uint8_t qos, bool connected);
  // The client acknowledged. False: no such packet in flight (a late or forged PUBACK; harmless).
  bool acknowledge(std::uint16_t packet_id);
  // Next packet in flight that the present connection has not carried yet, oldest first; it counts as sent from now on.
  // Send it with DUP 1. Null when there is none. After a reconnect: call until null, then next_to_send() until null.
  const InFlight* next_to_resend();
  // Next waiting message for which the window has room now, moved into the window; send it with DUP 0. Null when there
  // is none, or while next_to_resend() has something. Both pointers are valid until the next call that changes the
  // session.
  const InFlight* next_to_send();
  void connection_lost();   // marks everything in flight as unsent
  void discard_messages();  // clean session 1: window and queue are dropped, subscriptions stay (connection.md 6.3)

  std::size_t in_flight_count() const;
  std::size_t queued_count() const;
  std::uint64_t queued_bytes() const;
  bool has_state() const;  // anything worth keeping: a subscription or a message

 private:
  struct Messages;  // the window and the queue

  std::uint16_t take_packet_id();
  Messages& messages();
  void drop_messages_if_empty();

  SessionKey key_;
  SessionLimits limits_;
  std::uint16_t last_packet_id_ = 0;  // outlives the window, so that a late PUBACK does not hit a new message
  Epoch epoch_ = 0;
  std::uint64_t revision_ = 0;
  std::uint64_t saved_revision_ = 0;
  std::vector<SubscriptionRecord> subscriptions_;
  std::unique_ptr<Messages> messages_;
};

}  // namespace mooring::session
