// The ports through which sessions meet the world beyond one loop: who owns a session, and what of it survives.
//
// Rules that keep them honest on one machine and on many:
//  * every call completes on the calling loop's executor, later, never inline;
//  * every claim carries an epoch and every write the epoch it was made under; a stale epoch's write is dropped;
//  * nobody looks a session up in a global map: the directory is asked.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/ids.h"
#include "base/result.h"
#include "mqtt/message.h"

namespace mooring::session {

using LoopId = std::uint16_t;
using Epoch = std::uint64_t;  // grows with each claim of a session; 0 means "never claimed"

// Names a session. Devices: "d" NUL product key NUL device name, then, unless it is 0, NUL and the device's life as 4
// big-endian bytes: a device that is deleted and made again has a new life (registry/model.h) and so a session of its
// own. Accounts: "a" NUL account name NUL the account's life as 4 big-endian bytes, then the client identifier, so that
// every account has client identifiers of its own. Operators of the local socket: "o" NUL a number. Unique over the
// installation.
using SessionKey = std::string;

SessionKey device_session_key(std::string_view product_key, std::string_view device_name, std::uint32_t life);
SessionKey account_session_key(std::string_view account, std::uint32_t life, std::string_view client_id);
// The device whose session it is; nothing: another kind of session. Borrows from the key.
std::optional<base::DeviceKeyView> device_of_key(std::string_view key);
// The account whose session it is; nothing: another kind of session.
std::optional<std::string_view> account_of_key(std::string_view key);
// The client identifier in the key of an account's session.
std::string_view client_id_of_account_key(std::string_view account, std::string_view key);

template <class T>
using Callback = base::UniqueFunction<void(T)>;

enum class EvictReason : std::uint8_t { kTakenOver, kDisabled, kDeleted, kKicked };

// What claiming a session gives.
struct Claim {
  Epoch epoch = 0;
};

// Who owns a session. One owner (a loop of a node) at a time; within a node always the session's home loop.
class SessionDirectory {
 public:
  virtual ~SessionDirectory() = default;

  // Called on the owner's loop: close the connection of `key` if it has one, forget the session and what is stored of
  // it, then call `done`; false: the store did not take it, ask again later.
  using EvictDone = base::UniqueFunction<void(bool)>;
  using EvictHandler = base::UniqueFunction<void(const SessionKey&, EvictReason, EvictDone)>;

  // Once per loop at start, before any claim.
  virtual void attach_loop(LoopId loop, base::Executor& executor, EvictHandler on_evict) = 0;

  // A number above every one given before, on any loop: orders what arrived on different loops. Thread-safe.
  virtual std::uint64_t arrival() = 0;

  // Makes `loop` the owner. Claims of one key are granted in the order they arrive.
  virtual void claim(LoopId loop, SessionKey key, Callback<Claim> done) = 0;

  // Without asking: for a session of which `loop` is the only possible owner. On that loop, or before it runs. Returns
  // the new epoch.
  virtual Epoch adopt(LoopId loop, const SessionKey& key) = 0;

  // Gives the session up for good (it ended, nothing of it is kept). Ignored under a stale epoch.
  virtual void release(LoopId loop, SessionKey key, Epoch epoch) = 0;

  // Has the owner forget the session for good. `done` on the calling loop; true as well when there is no such session.
  virtual void evict(LoopId loop, SessionKey key, EvictReason reason, Callback<bool> done) = 0;
};

// The loop, out of 0 to `loops` - 1, on which a session lives: always the same one for the same identity, whoever asks
// and on whichever loop (docs/adr/0008). Not for operators. The identity is what a client says of itself before it is
// signed in: a device's product key NUL device name, whatever its life; everybody else's client identifier.
LoopId home_loop(std::string_view identity, LoopId loops);
// The same for a device, without putting the identity together.
LoopId device_home_loop(std::string_view product_key, std::string_view device_name, LoopId loops);
// The identity within a session's key.
std::string_view identity_of(std::string_view key);

// ---- What survives -------------------------------------------------------------------------------------------------

// Names the queue of one session; never used twice. A session that begins anew (clean start) gets a new number, so that
// nothing of its predecessor can come back.
using SessionNumber = std::uint64_t;

struct SubscriptionRecord {
  std::string filter;  // as the client wrote it, "$share/group/" included
  std::uint8_t qos = 0;
  // MQTT 5 section 3.8.3.1 and 3.8.2.1.2
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;  // 0: none
  bool operator==(const SubscriptionRecord&) const = default;
};

// MQTT 5 section 3.1.2.5. Published when the connection ends without a farewell.
struct WillRecord {
  std::string topic;
  base::Bytes payload;
  base::Bytes properties;  // forwardable ones, encoded (mqtt/message.h)
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint32_t delay_s = 0;
  std::uint32_t message_expiry_s = 0;  // 0: never
  bool operator==(const WillRecord&) const = default;
};

// What of a session survives a restart, besides its queue.
struct SessionRecord {
  SessionKey key;
  SessionNumber number = 0;
  std::vector<SubscriptionRecord> subscriptions;
  std::uint32_t expiry_s = 0xFFFF'FFFF;  // after the connection has ended; 0xFFFFFFFF: never (MQTT 5 3.1.2.11.2)
  base::WallMs offline_since_ms = 0;     // 0: it was connected when this was written
  bool keeps_messages = true;            // QoS 1 and 2 wait for the client while it is offline
  std::optional<WillRecord> will;        // of the present connection, or delayed
  // Automatic subscriptions (connection.md 6.6): whether the device has them, and a bit for each that it unsubscribed.
  bool automatic = false;
  std::uint64_t automatic_left = 0;
  bool standard_device = false;  // of a device whose product had profile `mqtt` when it connected last
};

// One message for one session. Made by the session's loop, read by the store's thread, which takes it when it builds
// the batch; until then the loop can withdraw it: what was delivered and acknowledged meanwhile needs no disk.
class QueueItem {
 public:
  QueueItem(SessionNumber number, std::uint64_t item_sequence, mqtt::MessageRef item_message)
      : session(number), sequence(item_sequence), message(std::move(item_message)) {}
  QueueItem(const QueueItem&) = delete;
  QueueItem& operator=(const QueueItem&) = delete;

  // The loop: true when it will not be written, and nobody will be told of it. False: it is being written or is
  // written.
  bool withdraw() { return leave(State::kWithdrawn); }
  // The store: false when it was withdrawn.
  bool take() { return leave(State::kTaken); }

  const SessionNumber session;
  const std::uint64_t sequence;  // grows with each message of the session
  const mqtt::MessageRef message;
  std::uint8_t qos = 1;         // of the delivery
  bool retain = false;          // the flag of the delivery
  base::WallMs drop_at_ms = 0;  // the server keeps it no longer, whatever its publisher says; 0: no such limit
  std::vector<std::uint32_t> subscription_ids;  // MQTT 5 section 3.3.4

  // When it is worth nothing any more: the publisher's word or the server's, whichever is earlier; 0: never.
  base::WallMs expires_at_ms() const {
    const base::WallMs said = message->expires_at_ms();
    return said == 0 || (drop_at_ms != 0 && drop_at_ms < said) ? drop_at_ms : said;
  }

 private:
  enum class State : std::uint8_t { kWaiting, kTaken, kWithdrawn };
  bool leave(State to) {
    State expected = State::kWaiting;
    return state_.compare_exchange_strong(expected, to, std::memory_order_acq_rel);
  }
  std::atomic<State> state_{State::kWaiting};
};
using QueueItemRef = std::shared_ptr<QueueItem>;

// A message read back.
struct StoredMessage {
  std::uint64_t sequence = 0;
  mqtt::MessageRef message;
  std::uint8_t qos = 1;
  bool retain = false;
  bool released = false;  // QoS 2: the client has it (PUBREC), PUBREL is due
  std::vector<std::uint32_t> subscription_ids;
  base::WallMs drop_at_ms = 0;  // QueueItem::expires_at_ms()
};

struct QueueSize {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;          // Message::memory_bytes, added up
  std::uint64_t last_sequence = 0;  // of the last message; 0: there is none
};

// What can be written together, all or nothing.
struct StoreOperation {
  enum class Kind : std::uint8_t {
    kAppend,         // item; a withdrawn one is left out
    kRelease,        // message `sequence` of `session`: PUBREC came
    kRemove,         // message `sequence` of `session` is done with
    kPutReceived,    // QoS 2 packet `sequence` (an identifier) of client `session` has been taken
    kEraseReceived,  // PUBREL came for it
  };
  Kind kind = Kind::kAppend;
  SessionNumber session = 0;
  std::uint64_t sequence = 0;
  QueueItemRef item;
};

// Learns of appended items, on the loop that gave them. The spans are valid during the call.
class AppendListener {
 public:
  virtual ~AppendListener() = default;
  // These are as durable as the store's mode promises; in the order given. Withdrawn ones do not appear.
  virtual void on_appended(std::span<const QueueItemRef> items) = 0;
  // The store did not take these.
  virtual void on_append_failed(std::span<const QueueItemRef> items, const base::Error& error) = 0;
};

// Keeps sessions, their queues and the retained messages. Thread-safe. Writes of one session are applied in the order
// given, whichever call they came with. Replies come on `reply_to`, never inline. Errors of writes: kUnavailable for a
// stale epoch or when too much is waiting already, kIo when the disk refuses; nothing of such a call is written then.
class SessionStore {
 public:
  virtual ~SessionStore() = default;

  // At start, before any other call; blocking. Queues are not read. A damaged record is logged and left out.
  virtual base::Result<> for_each_session(const std::function<void(SessionRecord&&, Epoch)>& each) = 0;
  virtual base::Result<> for_each_received(const std::function<void(SessionNumber, std::uint16_t packet_id)>& each) = 0;
  virtual base::Result<> for_each_retained(const std::function<void(const mqtt::MessageRef&)>& each) = 0;

  // `done` comes after the write is as durable as the store's mode promises.
  using Done = Callback<base::Result<>>;
  virtual void save(SessionRecord record, Epoch epoch, base::Executor& reply_to, Done done) = 0;
  // The record, and all that belongs to its number (as drop_queue()).
  virtual void erase(SessionKey key, SessionNumber number, Epoch epoch, base::Executor& reply_to, Done done) = 0;

  // The listener hears of it on `reply_to`; both outlive the store's threads.
  virtual void append(QueueItemRef item, base::Executor& reply_to, AppendListener& listener) = 0;
  virtual void write(std::vector<StoreOperation> operations, base::Executor& reply_to, Done done) = 0;
  // Lazy, no reply: when it gets lost, a message is delivered again, which is legal. Goes with the next commit, and
  // without waiting for the disk.
  virtual void remove(SessionNumber session, std::uint64_t sequence) = 0;
  // Everything of that number, in the background: messages and received identifiers.
  virtual void drop_queue(SessionNumber session) = 0;

  // In order, beginning with `from_sequence`; shows every write given before. Expired messages are left out. At most
  // `max_messages`, and at most `max_bytes` but at least one; fewer than both allow means that there are no more.
  struct Page {
    std::vector<StoredMessage> messages;
    bool at_end = true;
  };
  virtual void read(SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages, std::size_t max_bytes,
                    base::Executor& reply_to, Callback<base::Result<Page>> done) = 0;
  // Removes what has expired and tells what is left.
  virtual void measure(SessionNumber session, base::Executor& reply_to, Callback<base::Result<QueueSize>> done) = 0;

  // The retained message of its topic from now on; removed: there is none any more. Calls for one topic are applied in
  // the order given.
  virtual void save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to, Done done) = 0;
};

}  // namespace mooring::session
