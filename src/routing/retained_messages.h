// RetainedMessages: the last retained message of every topic (MQTT 5 section 3.3.1.3), held in memory in the order of
// topic levels, so that a subscription with wildcards visits only the branches it selects and seeks past the others.
//
// One object serves all loops. Thread-safe: readers share a lock, a change takes it alone. Messages are immutable and
// shared (mqtt::MessageRef); the caller keeps what it was given as long as it likes.
// Bounds: Limits. What does not fit is refused; removing is always possible. Expired messages (Message::expires_at_ms)
// are never given out and go with remove_expired().
// Cost: a change and a seek take O(log messages) comparisons of topics. The order itself costs about 48 bytes for each
// message, and 64 more when it can expire, however many levels its topic has. Nothing recurses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mqtt/message.h"

namespace mooring::routing {

class RetainedMessages {
 public:
  struct Limits {
    std::size_t max_messages = 1'000'000;    // 0 = no limit, as in every field
    std::uint64_t max_bytes = 256ULL << 20;  // Message::memory_bytes
    std::size_t max_payload_bytes = 0;       // of one message
  };
  enum class Change : std::uint8_t {
    kStored,
    kRemoved,
    kNothing,  // an empty payload, and nothing was there
    kFull,     // a bound: the topic keeps its old message
  };

  explicit RetainedMessages(const Limits& limits);
  ~RetainedMessages();
  RetainedMessages(const RetainedMessages&) = delete;
  RetainedMessages& operator=(const RetainedMessages&) = delete;

  // For changes to come. What is there stays, and may be replaced by what is not larger.
  void set_limits(const Limits& limits);

  // Makes `message` its topic's retained message; an empty payload removes the topic's [MQTT-3.3.1-6, -7]. `persist`
  // (may be empty) is called while the lock is held when something changed (stored or removed), so that writes to disk
  // get the order of the changes; it must be short and must not call back.
  using Persist = std::function<void(const mqtt::MessageRef& message, bool removed)>;
  Change set(const mqtt::MessageRef& message, const Persist& persist);

  // The messages that a new subscription to `filter` (valid, without "$share/...") gets, in an order that does not
  // change: topics are compared level by level as bytes. At most `max_messages`, beginning behind the topic `after`
  // (empty: at the beginning), which need not be there any more. Returns true when there is more; continue with the
  // topic of the last one.
  // A filter that begins with a wildcard selects no topic that begins with '$' [MQTT-4.7.2-1].
  bool match(std::string_view filter, std::string_view after, std::size_t max_messages, base::WallMs now,
             std::vector<mqtt::MessageRef>& out) const;

  // The same with bounded work, for filters that select little out of much, such as "+/x" where a million topics have
  // another last level. Looks at about `max_visits` topics (long topics count for several) and at least at one. Begins
  // behind `after` and sets it to where the next call is to continue; true: call again, there may be more. `out` may
  // stay empty meanwhile. A visit takes about a microsecond.
  bool match_some(std::string_view filter, std::string& after, std::size_t max_messages, std::size_t max_visits,
                  base::WallMs now, std::vector<mqtt::MessageRef>& out) const;

  // Drops what has expired, oldest first, at most `max_messages` in one call so that nobody waits long for the lock;
  // `removed` (may be empty) is called for each under the lock. Returns how many.
  std::size_t remove_expired(base::WallMs now, std::size_t max_messages,
                             const std::function<void(std::string_view topic)>& removed);

  std::size_t size() const;
  std::uint64_t bytes() const;  // Message::memory_bytes, added up

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::routing
