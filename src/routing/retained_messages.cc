#include "routing/retained_messages.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "mqtt/topic.h"

namespace mooring::routing {
namespace {

using mqtt::Message;
using mqtt::MessageRef;

// Words at a time: topics of a hostile client have long common beginnings.
std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t end = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= end; at += sizeof(std::uint64_t)) {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    if (x != y) break;
  }
  while (at < end && a[at] == b[at]) ++at;
  return at;
}

// The end of a level comes before every byte of a level; no topic has a zero byte.
int rank(char c) {
  return c == '/' ? 0 : static_cast<unsigned char>(c);
}

// The order of topics: level by level, levels as bytes, a beginning before what continues it. All topics that share
// their first levels are therefore neighbours.
int compare(std::string_view a, std::string_view b) {
  const std::size_t same = common_prefix(a, b);
  if (same < a.size() && same < b.size()) return rank(a[same]) - rank(b[same]);
  return a.size() < b.size() ? -1 : static_cast<int>(a.size() > b.size());
}

bool is_in_branch(std::string_view topic, std::string_view branch) {
  return topic.starts_with(branch) && (topic.size() == branch.size() || topic[branch.size()] == '/');
}

// A place in the order: before `topic`, or behind everything that has the levels of `topic` or continues them.
struct Place {
  std::string_view topic;
  bool behind_branch = false;
};

struct Entry {
  // Another message of the same topic may take its place; the order sees only the topic.
  mutable MessageRef message;
  std::string_view topic() const { return message->topic(); }
};

struct ByTopic {
  using is_transparent = void;
  bool operator()(const Entry& a, const Entry& b) const { return compare(a.topic(), b.topic()) < 0; }
  bool operator()(const Entry& a, std::string_view b) const { return compare(a.topic(), b) < 0; }
  bool operator()(std::string_view a, const Entry& b) const { return compare(a, b.topic()) < 0; }
  bool operator()(const Entry& a, const Place& b) const {
    return compare(a.topic(), b.topic) < 0 || (b.behind_branch && is_in_branch(a.topic(), b.topic));
  }
  bool operator()(const Place& a, const Entry& b) const { return !operator()(b, a); }
};

using Entries = std::set<Entry, ByTopic>;

// What a filter makes of a topic, and where the next topic that it could select must stand.
struct Verdict {
  enum class Kind : std::uint8_t {
    kMatch,
    kNext,    // not this one, perhaps the next
    kSeek,    // none before the first `kept` bytes of the topic with `literal` behind them
    kBehind,  // none in the branch that is the first `kept` bytes of the topic
    kEnd,
  };
  Kind kind;
  std::size_t kept = 0;
  bool slash = false;  // between the two
  std::string_view literal{};
};

// Behind the branch of the last '+': only there the filter leaves a choice.
Verdict leave_branch(std::size_t bytes) {
  if (bytes == std::string_view::npos) return {Verdict::Kind::kEnd};
  return {Verdict::Kind::kBehind, bytes};
}

Verdict examine(std::string_view filter, std::string_view topic) {
  const bool wildcard_first = filter.starts_with('+') || filter.starts_with('#');
  // '%' is the byte after '$'.
  if (wildcard_first && topic.starts_with('$')) return {Verdict::Kind::kSeek, 0, false, "%"};
  mqtt::LevelIterator wanted_levels(filter);
  mqtt::LevelIterator levels(topic);
  std::size_t begin = 0;  // of the level in the topic
  std::size_t branch = std::string_view::npos;
  for (std::string_view wanted; wanted_levels.next(wanted);) {
    if (wanted == "#") return {Verdict::Kind::kMatch};
    std::string_view level;
    if (!levels.next(level)) {
      // Its continuations come next.
      if (wanted == "+") return {Verdict::Kind::kNext};
      return {Verdict::Kind::kSeek, topic.size(), true, wanted};
    }
    if (wanted == "+") {
      branch = begin + level.size();
    } else if (const int order = level.compare(wanted); order != 0) {
      return order < 0 ? Verdict{Verdict::Kind::kSeek, begin, false, wanted} : leave_branch(branch);
    }
    begin += level.size() + 1;
  }
  return levels.at_end() ? Verdict{Verdict::Kind::kMatch} : leave_branch(branch);
}

bool is_expired(const Message& message, base::WallMs now) {
  return message.expires_at_ms() != 0 && message.expires_at_ms() <= now;
}

// So many bytes of a topic count as one visit.
constexpr std::size_t kBytesOfAVisit = 128;

// A walk through the topics that a filter selects.
class Walk {
 public:
  Walk(const Entries& entries, std::string_view filter, std::string_view after, std::size_t max_visits)
      : entries_(entries),
        filter_(filter),
        at_(after.empty() ? entries.begin() : entries.upper_bound(after)),
        position_(after),
        visits_left_(max_visits) {}

  // Goes to the next message that is selected; false at the end, or when the visits are used up.
  bool find(base::WallMs now) {
    while (at_ != entries_.end() && visits_left_ > 0) {
      const Verdict verdict = examine(filter_, at_->topic());
      if (verdict.kind == Verdict::Kind::kMatch && !is_expired(*at_->message, now)) return true;
      go_on(verdict);
    }
    return false;
  }
  const MessageRef& message() const { return at_->message; }
  void next() {
    position_ = at_->topic();
    visits_left_ -= std::min(visits_left_, 1 + position_.size() / kBytesOfAVisit);
    ++at_;
  }
  bool at_end() const { return at_ == entries_.end(); }
  std::string_view position() const { return position_; }  // everything up to this topic has been dealt with

 private:
  void go_on(const Verdict& verdict) {
    const std::string_view topic = at_->topic();
    next();
    switch (verdict.kind) {
      case Verdict::Kind::kEnd:
        at_ = entries_.end();
        break;
      case Verdict::Kind::kSeek:
        sought_.assign(topic.substr(0, verdict.kept));
        if (verdict.slash) sought_.push_back('/');
        sought_.append(verdict.literal);
        seek({sought_, false});
        break;
      case Verdict::Kind::kBehind:
        seek({topic.substr(0, verdict.kept), true});
        break;
      default:
        break;
    }
  }

  void seek(const Place& place) {
    // Often it is the neighbour.
    if (at_ != entries_.end() && ByTopic()(*at_, place)) at_ = entries_.lower_bound(place);
  }

  const Entries& entries_;
  const std::string_view filter_;
  Entries::const_iterator at_;
  std::string_view position_;
  std::size_t visits_left_;
  std::string sought_;
};

}  // namespace

struct RetainedMessages::Impl {
  using Expiry = std::pair<base::WallMs, std::string_view>;  // the topic as it stands in the message

  explicit Impl(const Limits& l) : limits(l) {}

  bool fits(const Message& message, const Message* old) const {
    if (limits.max_payload_bytes != 0 && message.payload().size() > limits.max_payload_bytes) return false;
    if (old == nullptr && limits.max_messages != 0 && entries.size() >= limits.max_messages) return false;
    const std::size_t old_bytes = old == nullptr ? 0 : old->memory_bytes();
    if (limits.max_bytes == 0 || message.memory_bytes() <= old_bytes) return true;
    return bytes - old_bytes + message.memory_bytes() <= limits.max_bytes;
  }

  void count_in(const Message& message) {
    bytes += message.memory_bytes();
    if (message.expires_at_ms() != 0) expiries.emplace(message.expires_at_ms(), message.topic());
  }
  void count_out(const Message& message) {
    bytes -= message.memory_bytes();
    if (message.expires_at_ms() != 0) expiries.erase({message.expires_at_ms(), message.topic()});
  }

  Change store(const MessageRef& message, MessageRef& old) {
    const auto at = entries.lower_bound(message->topic());
    const bool known = at != entries.end() && at->topic() == message->topic();
    if (!fits(*message, known ? &*at->message : nullptr)) return Change::kFull;
    if (known) {
      count_out(*at->message);
      old = std::exchange(at->message, message);
    } else {
      entries.emplace_hint(at, Entry{message});
    }
    count_in(*message);
    return Change::kStored;
  }

  Change remove(std::string_view topic, MessageRef& old) {
    const auto at = entries.find(topic);
    if (at == entries.end()) return Change::kNothing;
    count_out(*at->message);
    old = std::move(at->message);
    entries.erase(at);
    return Change::kRemoved;
  }

  mutable std::shared_mutex mutex;
  Limits limits;
  Entries entries;
  std::set<Expiry> expiries;  // of those that can expire
  std::uint64_t bytes = 0;
};

RetainedMessages::RetainedMessages(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RetainedMessages::~RetainedMessages() = default;

void RetainedMessages::set_limits(const Limits& limits) {
  const std::unique_lock lock(impl_->mutex);
  impl_->limits = limits;
}

RetainedMessages::Change RetainedMessages::set(const MessageRef& message, const Persist& persist) {
  MessageRef old;  // freed when nobody waits for the lock any more
  const std::unique_lock lock(impl_->mutex);
  const bool removing = message->payload().empty();
  const Change change = removing ? impl_->remove(message->topic(), old) : impl_->store(message, old);
  if (persist && (change == Change::kStored || change == Change::kRemoved)) persist(message, removing);
  return change;
}

bool RetainedMessages::match(std::string_view filter, std::string_view after, std::size_t max_messages,
                             base::WallMs now, std::vector<MessageRef>& out) const {
  const std::shared_lock lock(impl_->mutex);
  Walk walk(impl_->entries, filter, after, std::numeric_limits<std::size_t>::max());
  for (std::size_t found = 0; walk.find(now); ++found) {
    if (found == max_messages) return true;
    out.push_back(walk.message());
    walk.next();
  }
  return false;
}

bool RetainedMessages::match_some(std::string_view filter, std::string& after, std::size_t max_messages,
                                  std::size_t max_visits, base::WallMs now, std::vector<MessageRef>& out) const {
  const std::shared_lock lock(impl_->mutex);
  Walk walk(impl_->entries, filter, after, std::max<std::size_t>(max_visits, 1));
  for (std::size_t found = 0; found < max_messages && walk.find(now); ++found) {
    out.push_back(walk.message());
    walk.next();
  }
  if (walk.at_end()) return false;
  after.assign(walk.position());
  return true;
}

std::size_t RetainedMessages::remove_expired(base::WallMs now, std::size_t max_messages,
                                             const std::function<void(std::string_view topic)>& removed) {
  std::vector<MessageRef> dropped;  // freed when nobody waits for the lock any more
  const std::unique_lock lock(impl_->mutex);
  while (dropped.size() < max_messages && !impl_->expiries.empty() && impl_->expiries.begin()->first <= now) {
    MessageRef old;
    impl_->remove(impl_->expiries.begin()->second, old);
    if (removed) removed(old->topic());
    dropped.push_back(std::move(old));
  }
  return dropped.size();
}

std::size_t RetainedMessages::size() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->entries.size();
}

std::uint64_t RetainedMessages::bytes() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->bytes;
}

}  // namespace mooring::routing
