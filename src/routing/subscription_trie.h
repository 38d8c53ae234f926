// SubscriptionTrie: which subscribers want a topic. Filters of MQTT 3.1.1 section 4.7 with '+' and '#', one tree node
// per level, every filter with its subscribers and their options.
//
// The trie knows nothing of who a subscriber is: the broker keeps one trie for the sessions and shared subscriptions of
// a loop and one for the interests of other loops (SubscriberId = LoopId). Topics that begin with '$' are not matched
// by a filter that begins with a wildcard ([MQTT-4.7.2-1]). "$share/..." is not interpreted here.
//
// Used by one thread. Filters and topics must be valid (mqtt::is_valid_filter, mqtt::is_valid_topic), which also bounds
// them: 65,535 bytes, hence at most 65,536 levels; no operation recurses. The number of filters is not bounded here:
// the broker bounds the subscriptions of each subscriber. match() visits at most as many nodes as the trie has, and
// allocates nothing but room in `out`. A node is freed with the last filter that needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace mooring::routing {

using SubscriberId = std::uint32_t;

// Of one subscription (MQTT 5 section 3.8.3.1); in MQTT 3.x only the QoS.
struct SubscriptionOptions {
  std::uint8_t qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;  // 0: none
  bool operator==(const SubscriptionOptions&) const = default;
};

struct Match {
  SubscriberId subscriber = 0;
  SubscriptionOptions options;
  bool operator==(const Match&) const = default;
};

class SubscriptionTrie {
 public:
  struct InsertResult {
    bool new_entry = false;  // false: the subscriber had this filter already; its options are now the new ones
    std::size_t subscribers_of_filter = 0;  // after the insertion; 1 with new_entry: the first subscriber of the filter
  };
  struct EraseResult {
    bool existed = false;
    std::size_t subscribers_of_filter = 0;  // after the removal; 0 with existed: the last subscriber is gone
  };

  SubscriptionTrie();
  SubscriptionTrie(const SubscriptionTrie&) = delete;
  SubscriptionTrie& operator=(const SubscriptionTrie&) = delete;
  ~SubscriptionTrie();

  InsertResult insert(std::string_view filter, SubscriberId subscriber, const SubscriptionOptions& options);
  EraseResult erase(std::string_view filter, SubscriberId subscriber);

  // Appends one Match per matching entry, in no particular order. A subscriber with several matching filters appears
  // once for each: whoever delivers merges them (MQTT 3.1.1 section 3.3.5).
  void match(std::string_view topic, std::vector<Match>& out) const;

  std::size_t subscribers_of(std::string_view filter) const;
  std::size_t filter_count() const;
  std::size_t entry_count() const;  // pairs of filter and subscriber
  std::size_t node_count() const;
  std::uint64_t version() const;     // grows with every insert() and erase() that changed what match() finds
  std::size_t memory_bytes() const;  // what it holds, without the allocator's own overhead

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::routing
