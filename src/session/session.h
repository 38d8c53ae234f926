// Session: what the server keeps for one MQTT client between packets and between connections: its subscriptions, its
// will, the QoS 1 and 2 messages towards it, and the identifiers of QoS 2 messages from it that are not complete.
//
// Lives on its home loop. No I/O, no clock: the broker carries out what it says.
// Sources: MQTT 3.1.1 and 5.0 section 4.1, 4.3, 4.4, 4.6, 4.9; connection.md 6.2, 6.3.
//
// Messages towards the client. Every one gets a sequence number, and its packet identifier follows from it, so that a
// message keeps its identifier over connections and restarts without being written down.
//
//      backlog (on disk only)  |  waiting (memory)  |  window: sent, not acknowledged
//      ------ newest ------------------------------------------------ oldest ------>
//
// A durable session (one that outlives its connection with its messages) has all of them in the store, too; when the
// client goes and everything is committed, nothing of them stays in memory, and pages are read back when it returns.
// Messages that came while there is a backlog go behind it. A message of QoS 2 is sent after it was committed (else a
// crash could deliver it twice), one of QoS 1 at once; each holds its publisher's receipt until it is committed or
// acknowledged, whatever comes first.
//
// Bounds: SessionLimits; what does not fit is refused, never kept: the caller counts it.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/message.h"
#include "routing/receipt.h"
#include "session/ports.h"
#include "session/ring.h"

namespace mooring::session {

struct SessionLimits {
  std::uint16_t max_in_flight = 100;          // unacknowledged PUBLISH packets towards the client
  std::uint32_t max_queued_messages = 1000;   // waiting behind the window, and while offline
  std::uint64_t max_queued_bytes = 1U << 20;  // of the waiting messages, Message::memory_bytes
};

// What waits in several sessions together. Of one loop.
struct QueueTotals {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// 1 to 65,535.
constexpr std::uint16_t packet_id_of(std::uint64_t sequence) {
  return static_cast<std::uint16_t>(1 + sequence % 65'535);
}

// A message for a session, before it has a place there.
struct Delivery {
  const mqtt::MessageRef& message;
  std::uint8_t qos = 1;
  bool retain = false;
  std::span<const std::uint32_t> subscription_ids{};
  // It has its place, and is not sent before let_go(): others have to store it first.
  bool held = false;
};

// One message of QoS 1 or 2 towards the client.
struct Outgoing {
  enum class Progress : std::uint8_t {
    kWaiting,   // never sent
    kSent,      // PUBLISH went out, on this connection or an earlier one
    kReleased,  // QoS 2: PUBREC came, PUBREL is due or sent
  };
  std::uint64_t sequence = 0;
  mqtt::MessageRef message;  // null when released
  std::vector<std::uint32_t> subscription_ids;
  std::uint32_t cost_bytes = 0;  // Message::memory_bytes
  std::uint8_t qos = 1;
  bool retain = false;
  Progress progress = Progress::kWaiting;
  bool stored = false;   // durable sessions: its present state is on disk
  bool counted = false;  // among the waiting
  bool held = false;     // Delivery::held

  std::uint16_t packet_id() const { return packet_id_of(sequence); }
};

class Session {
 public:
  // A new session. `sequence` is where its messages begin to count: above every one it ever had. What waits is counted
  // in `totals`, too, which may be null and outlives it.
  Session(SessionKey key, SessionNumber number, std::uint64_t sequence, SessionLimits limits,
          QueueTotals* totals = nullptr);
  // One that was stored. Its queue is not in memory; how much there is, is unknown until measured().
  Session(SessionRecord record, std::uint64_t sequence, SessionLimits limits, QueueTotals* totals = nullptr);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  const SessionKey& key() const { return key_; }
  SessionNumber number() const { return number_; }
  Epoch epoch() const { return epoch_; }
  void set_epoch(Epoch epoch) { epoch_ = epoch; }
  // The window of the present connection (Receive Maximum); at least 1. Packets already in flight stay there.
  void set_limits(const SessionLimits& limits);

  // Whether its messages outlive the connection. Set when a connection begins or ends; nothing is in memory then.
  bool durable() const { return durable_; }
  void set_durable(bool durable) { durable_ = durable; }
  // Begins anew under another number: messages, identifiers and, if asked, subscriptions are gone.
  void restart(SessionNumber number, bool with_subscriptions);

  // Record fields that have no meaning for the session itself.
  std::uint32_t expiry_s = 0xFFFF'FFFF;
  bool standard_device = false;
  base::WallMs offline_since_ms = 0;
  std::unique_ptr<WillRecord> will;

  // Subscriptions; while they are few, in the order they were made. subscribe() returns true when something changed
  // (new filter or other options): then the record must be saved; so does unsubscribe(). Not bounded here: the broker
  // asks for the count.
  const std::vector<SubscriptionRecord>& subscriptions() const { return subscriptions_; }
  const SubscriptionRecord* find_subscription(std::string_view filter) const;
  std::size_t subscription_levels() const { return subscription_levels_; }  // of all filters together
  std::size_t subscription_bytes() const { return subscription_bytes_; }
  bool subscribe(SubscriptionRecord subscription);
  bool unsubscribe(std::string_view filter);
  // Automatic subscriptions (connection.md 6.6; numbers: automatic_topics.h). Once given, the whole list stays until
  // single ones are left, and those stay away until they are joined again. Each returns true when something changed.
  bool give_automatic();
  void take_automatic();  // the store did not take the list
  bool leave_automatic(std::size_t number);
  bool join_automatic(std::size_t number);  // false as well when there is no list
  bool is_automatic() const { return automatic_; }
  bool has_automatic(std::size_t number) const { return automatic_ && ((automatic_left_ >> number) & 1U) == 0; }
  SessionRecord record() const;
  // Whether the store has the subscriptions as they are now; saved() tells which revision it took.
  std::uint64_t revision() const { return revision_; }
  void saved(std::uint64_t revision) { saved_revision_ = revision > saved_revision_ ? revision : saved_revision_; }
  bool is_saved() const { return saved_revision_ == revision_; }

  // ---- Messages towards the client ----

  struct Admission {
    bool accepted = false;       // false: a bound
    std::uint64_t sequence = 0;  // of the message; a durable session's has to be stored now, see storing()
  };
  Admission admit(const Delivery& delivery);
  // The message `item->sequence` is on its way to the store. The receipt may be null (then somebody else answers the
  // publisher); the session settles the share it was given, once.
  void storing(QueueItemRef item, routing::ReceiptRef receipt);
  // The store's answer. True: something may be sent now that could not before.
  bool stored(std::uint64_t sequence);
  // Of a held message: it may be sent now, or it is given up.
  void let_go(std::uint64_t sequence, bool give_up);
  void store_failed(std::uint64_t sequence);

  // The next thing that the present connection has to carry, in order: a PUBLISH (DUP when progress is kSent), or a
  // PUBREL when progress is kReleased. Null: nothing, or the window is full, or it must be committed first. Carry it
  // out and call sent_next(), or drop_next() for a PUBLISH that is worth nothing to the client any more (it expired, or
  // is too large for the client). Pointers are valid until the next call that changes the session.
  // `only_stored`: the store fails, and what it refuses will be published again, so nothing is sent before it is
  // stored: it would overtake what was refused.
  Outgoing* next_to_send(bool only_stored = false);
  void sent_next();
  // What has to happen in the store when a message is done with.
  struct Removed {
    bool found = false;
    bool from_store = false;  // remove `sequence`
    std::uint64_t sequence = 0;
    mqtt::MessageRef message;  // that the session held
  };
  Removed drop_next();

  // PUBACK, or PUBREC with an error, or PUBCOMP. Not found: a late or forged one; harmless.
  Removed acknowledge(std::uint16_t packet_id);  // of a QoS 1 message
  // Of QoS 2: the identifier is not used again before left(). Otherwise, after a crash that undoes the removal, what
  // the server says of the old message would be taken for the new one's.
  Removed complete(std::uint16_t packet_id);  // of a message that was released
  Removed reject(std::uint16_t packet_id);    // PUBREC with an error
  void left(std::uint64_t sequence);          // its removal is on disk

  enum class Release : std::uint8_t {
    kUnknown,  // no such message
    kStore,    // write it down, then call released()
    kNow,      // send PUBREL
    kUnderWay  // is being written: PUBREL follows by itself
  };
  Release release(std::uint16_t packet_id, std::uint64_t& sequence);  // PUBREC
  // It is written down. The packet identifier of the PUBREL to send, or nothing: it goes when its turn comes (the
  // connection is another one by now), or the message is gone.
  std::optional<std::uint16_t> released(std::uint64_t sequence);

  void connection_made();
  void connection_lost();   // what was sent has to be sent again
  void discard_messages();  // all of them; settles their receipts. The store's are the caller's business.

  // Pages of the backlog. Where to read on, when it is time to.
  std::optional<std::uint64_t> page_wanted() const;
  void page_requested();
  void add_page(SessionStore::Page page);
  void page_failed();
  // The queue's size as it was found in the store; needed once after a restart.
  bool needs_measuring() const { return !measured_; }
  void measuring() { measured_ = true; }  // the question is on its way; what comes from now on is counted here
  // What it counted may have expired: whether everything is in the store, so that it can be counted again from nothing.
  bool forget_counts();
  void measured(const QueueSize& size);

  // An identifier for a message that the client gets from somebody else on the present connection. The session does not
  // use it before it is returned. At most kLentMax at a time, and the window leaves so many free.
  std::uint16_t lend_packet_id();
  void return_packet_id(std::uint16_t packet_id);
  std::size_t lent_count() const { return lent_ == nullptr ? 0 : lent_->ids.size(); }
  static constexpr std::size_t kLentMax = 1'000;

  std::size_t in_flight_count() const;
  std::uint64_t queued_count() const { return waiting_count_; }
  std::uint64_t queued_bytes() const { return waiting_bytes_; }
  bool has_room() const;  // a message given now would be sent at once
  bool all_sent() const { return unsent_ == outgoing_.size(); }
  bool accepts(std::uint64_t bytes) const { return has_room() || !exceeds_bounds(bytes); }
  bool has_state() const;  // anything worth keeping: a subscription or a message
  bool has_backlog() const { return backlog_; }

  // ---- QoS 2 messages from the client ----

  enum class Received : std::uint8_t {
    kPending,    // being stored; PUBREC follows
    kTaken,      // PUBREC sent
    kReleasing,  // PUBREL came, its record is being erased; PUBCOMP follows
  };
  std::optional<Received> received(std::uint16_t packet_id) const;
  void set_received(std::uint16_t packet_id, Received state);
  void erase_received(std::uint16_t packet_id);
  std::size_t received_count() const { return received_ == nullptr ? 0 : received_->size(); }

 private:
  // On its way to the store.
  struct Uncommitted {
    QueueItemRef item;
    routing::ReceiptRef receipt;
  };
  static constexpr std::size_t kMaxWaitingInMemory = 256;       // of a durable session; then the backlog begins
  static constexpr std::uint64_t kMaxWaitingBytes = 512 << 10;  // likewise
  static constexpr std::size_t kLowWaiting = 64;                // with fewer waiting the next page is read

  static constexpr std::size_t kIndexedSubscriptions = 32;

  std::size_t place_of(std::string_view filter) const;
  void count_subscriptions();
  std::size_t find_in_window(std::uint16_t packet_id) const;
  bool is_in_flight(std::uint16_t packet_id) const;
  std::size_t find_sequence(std::uint64_t sequence) const;
  std::size_t find_uncommitted(std::uint64_t sequence) const;
  Removed remove_at(std::size_t index);
  void leave_window(const Outgoing& message);
  Removed leave(std::size_t index);
  bool leave_store(std::uint64_t sequence);
  void set_waiting(std::uint32_t messages, std::uint64_t bytes);
  void count_waiting(std::uint64_t bytes);
  void uncount_waiting(std::uint64_t bytes);
  void uncount(Outgoing& message);
  void count_again();
  bool exceeds_bounds(std::uint64_t more_bytes) const;
  void park();
  std::uint64_t last_sent() const;
  std::uint64_t first_uncommitted_on_disk() const;

  // Identifiers that others use on this connection, where a gateway's children do.
  struct Lent {
    std::vector<std::uint16_t> ids;
    std::uint64_t before = 0;
    bool has(std::uint16_t id) const { return std::find(ids.begin(), ids.end(), id) != ids.end(); }
  };

  // From here to `leaving_`: what every message needs, side by side in memory.
  SessionNumber number_;
  std::uint64_t revision_ = 0;
  SessionLimits limits_;
  QueueTotals* totals_;
  Ring<Outgoing> outgoing_;  // by sequence; the first unsent_ are in the window of this connection
  std::uint64_t next_sequence_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t in_flight_bytes_ = 0;  // of the messages in the window
  std::uint32_t unsent_ = 0;           // where what is not sent yet begins
  std::uint32_t waiting_count_ = 0;
  bool automatic_ = false;
  bool durable_ = false;
  bool connected_ = false;
  bool backlog_ = false;
  bool reading_ = false;
  bool page_is_stale_ = false;  // the page under way was asked for by an earlier connection
  bool measured_ = true;
  std::unique_ptr<Lent> lent_;
  std::vector<std::uint16_t> leaving_;  // identifiers of QoS 2 messages whose removal is being written

  SessionKey key_;
  Epoch epoch_ = 0;
  std::uint64_t saved_revision_ = 0;
  std::vector<SubscriptionRecord> subscriptions_;
  // Place of each filter, once there are so many that looking for one costs something.
  std::unique_ptr<boost::unordered_flat_map<std::string, std::size_t>> subscription_index_;
  std::size_t subscription_levels_ = 0;
  std::size_t subscription_bytes_ = 0;
  std::uint64_t automatic_left_ = 0;
  Ring<Uncommitted> uncommitted_;    // in the order given to the store
  std::uint64_t backlog_from_ = 0;   // with backlog_: first sequence that may have to be read
  std::uint64_t backlog_until_ = 0;  // the newest message of the backlog
  std::uint64_t page_limit_ = 0;     // the page under way certainly holds what is before this; more of it is not used
  std::uint64_t sent_until_ = 0;     // messages up to here that are read back have been sent before
  std::unique_ptr<boost::unordered_flat_map<std::uint16_t, Received>> received_;
};

}  // namespace mooring::session
