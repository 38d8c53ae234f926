#include "routing/subscription_trie.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <string>
#include <utility>

#include "base/assert.h"
#include "mqtt/topic.h"

namespace mooring::routing {
namespace {

// One level of one or more filters. The links to literal children are not here but in one table for the whole trie, by
// parent and level: a node with one child then costs no container of its own.
struct Node {
  Node* parent = nullptr;
  Node* plus = nullptr;  // the child "+", also in the table
  Node* hash = nullptr;  // the child "#", also in the table
  std::uint32_t children = 0;
  std::string level;
  std::vector<Match> entries;  // sorted by subscriber
};

struct Edge {
  Node* child = nullptr;
  std::size_t hash = 0;  // kept, so that growing the table does not touch every node
};

struct EdgeKey {
  const Node* parent;
  std::string_view level;
  std::size_t hash;
  EdgeKey(const Node* p, std::string_view l)
      : parent(p), level(l), hash(std::hash<std::string_view>{}(l) ^ (reinterpret_cast<std::uintptr_t>(p) * kOdd)) {}
  static constexpr std::size_t kOdd = 0x9e3779b97f4a7c15ULL;
};

struct EdgeHash {
  using is_transparent = void;
  std::size_t operator()(const Edge& edge) const { return edge.hash; }
  std::size_t operator()(const EdgeKey& key) const { return key.hash; }
};

struct EdgeEqual {
  using is_transparent = void;
  bool operator()(const Edge& a, const Edge& b) const { return a.child == b.child; }
  bool operator()(const EdgeKey& a, const Edge& b) const {
    return a.parent == b.child->parent && a.level == b.child->level;
  }
  bool operator()(const Edge& a, const EdgeKey& b) const { return operator()(b, a); }
};

std::size_t heap_bytes(const std::string& text) {
  static const std::size_t kInPlace = std::string().capacity();
  return text.capacity() > kInPlace ? text.capacity() + 1 : 0;
}

auto position_of(std::vector<Match>& entries, SubscriberId subscriber) {
  return std::lower_bound(entries.begin(), entries.end(), subscriber,
                          [](const Match& entry, SubscriberId id) { return entry.subscriber < id; });
}

void append(const Node* node, std::vector<Match>& out) {
  if (node != nullptr) out.insert(out.end(), node->entries.begin(), node->entries.end());
}

// A broker has millions of entries.
static_assert(sizeof(Match) == 12);

}  // namespace

struct SubscriptionTrie::Impl {
  // A node still to be visited with what is left of the topic behind it.
  struct Visit {
    const Node* node;
    mqtt::LevelIterator levels;
  };

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (const Edge& edge : edges) delete edge.child;
  }

  Node* child(const Node* parent, std::string_view level) const {
    const auto found = edges.find(EdgeKey(parent, level));
    return found == edges.end() ? nullptr : found->child;
  }

  Node* find(std::string_view filter) const {
    const Node* parent = &root;
    Node* node = nullptr;
    mqtt::LevelIterator levels(filter);
    for (std::string_view level; levels.next(level); parent = node) {
      node = child(parent, level);
      if (node == nullptr) return nullptr;
    }
    return node;
  }

  Node* add_child(Node* parent, std::string_view level) {
    auto node = std::make_unique<Node>();
    node->parent = parent;
    node->level = level;
    edges.insert(Edge{node.get(), EdgeKey(parent, level).hash});
    parent->children += 1;
    if (level == "+") parent->plus = node.get();
    if (level == "#") parent->hash = node.get();
    level_heap_bytes += heap_bytes(node->level);
    return node.release();
  }

  Node* find_or_add(std::string_view filter) {
    Node* node = &root;
    std::size_t depth = 0;
    mqtt::LevelIterator levels(filter);
    for (std::string_view level; levels.next(level);) {
      Node* next = child(node, level);
      node = next != nullptr ? next : add_child(node, level);
      depth += 1;
    }
    // A visit takes one place off the stack and puts at most two on it, one level deeper.
    if (visits.capacity() < depth + 1) visits.reserve(2 * (depth + 1));
    return node;
  }

  void drop_unused(Node* node) {
    while (node != &root && node->children == 0 && node->entries.empty()) {
      Node* parent = node->parent;
      edges.erase(EdgeKey(parent, node->level));
      parent->children -= 1;
      if (parent->plus == node) parent->plus = nullptr;
      if (parent->hash == node) parent->hash = nullptr;
      level_heap_bytes -= heap_bytes(node->level);
      delete node;
      node = parent;
    }
  }

  void visit_children(const Visit& visit, bool wildcards, std::vector<Match>& out) const {
    if (wildcards) append(visit.node->hash, out);
    mqtt::LevelIterator levels = visit.levels;
    std::string_view level;
    if (!levels.next(level)) {
      append(visit.node, out);
      return;
    }
    if (wildcards && visit.node->plus != nullptr) push(Visit{visit.node->plus, levels});
    if (const Node* next = child(visit.node, level)) push(Visit{next, levels});
  }

  void push(const Visit& visit) const {
    MOORING_ASSERT(visits.size() < visits.capacity());
    visits.push_back(visit);
  }

  Node root;
  boost::unordered_flat_set<Edge, EdgeHash, EdgeEqual> edges;
  std::uint64_t version = 0;
  std::size_t filters = 0;
  std::size_t entries = 0;
  std::size_t entry_bytes = 0;
  std::size_t level_heap_bytes = 0;
  mutable std::vector<Visit> visits = reserved_visits();  // the stack of match(); has room for the deepest filter

  static std::vector<Visit> reserved_visits() {
    std::vector<Visit> visits;
    visits.reserve(16);
    return visits;
  }
};

SubscriptionTrie::SubscriptionTrie() : impl_(std::make_unique<Impl>()) {}
SubscriptionTrie::~SubscriptionTrie() = default;

SubscriptionTrie::InsertResult SubscriptionTrie::insert(std::string_view filter, SubscriberId subscriber,
                                                        const SubscriptionOptions& options) {
  Node* node = impl_->find_or_add(filter);
  std::vector<Match>& entries = node->entries;
  const auto at = position_of(entries, subscriber);
  ++impl_->version;
  if (at != entries.end() && at->subscriber == subscriber) {
    at->options = options;
    return {false, entries.size()};
  }
  impl_->filters += entries.empty() ? 1 : 0;
  impl_->entry_bytes -= entries.capacity() * sizeof(Match);
  entries.insert(at, Match{subscriber, options});
  impl_->entry_bytes += entries.capacity() * sizeof(Match);
  impl_->entries += 1;
  return {true, entries.size()};
}

SubscriptionTrie::EraseResult SubscriptionTrie::erase(std::string_view filter, SubscriberId subscriber) {
  Node* node = impl_->find(filter);
  if (node == nullptr) return {};
  std::vector<Match>& entries = node->entries;
  const auto at = position_of(entries, subscriber);
  if (at == entries.end() || at->subscriber != subscriber) return {false, entries.size()};
  ++impl_->version;
  impl_->entry_bytes -= entries.capacity() * sizeof(Match);
  entries.erase(at);
  // Keep a filter's memory in proportion after most of its subscribers have gone.
  if (entries.size() < entries.capacity() / 4) entries.shrink_to_fit();
  impl_->entry_bytes += entries.capacity() * sizeof(Match);
  impl_->entries -= 1;
  const std::size_t left = entries.size();
  if (left == 0) {
    impl_->filters -= 1;
    impl_->entry_bytes -= entries.capacity() * sizeof(Match);
    std::vector<Match>().swap(entries);
    impl_->drop_unused(node);
  }
  return {true, left};
}

void SubscriptionTrie::match(std::string_view topic, std::vector<Match>& out) const {
  const Impl& impl = *impl_;
  const bool wildcards_at_root = topic.empty() || topic.front() != '$';
  impl.visit_children(Impl::Visit{&impl.root, mqtt::LevelIterator(topic)}, wildcards_at_root, out);
  while (!impl.visits.empty()) {
    const Impl::Visit visit = impl.visits.back();
    impl.visits.pop_back();
    impl.visit_children(visit, true, out);
  }
}

std::size_t SubscriptionTrie::subscribers_of(std::string_view filter) const {
  const Node* node = impl_->find(filter);
  return node == nullptr ? 0 : node->entries.size();
}

std::size_t SubscriptionTrie::filter_count() const {
  return impl_->filters;
}
std::size_t SubscriptionTrie::entry_count() const {
  return impl_->entries;
}
std::uint64_t SubscriptionTrie::version() const {
  return impl_->version;
}
std::size_t SubscriptionTrie::node_count() const {
  return impl_->edges.size();
}

std::size_t SubscriptionTrie::memory_bytes() const {
  // The table keeps one byte of metadata beside each place; its size is at most 8/7 of its room.
  const std::size_t table = impl_->edges.bucket_count() * (sizeof(Edge) + 1);
  return sizeof(Impl) + impl_->edges.size() * sizeof(Node) + table + impl_->entry_bytes + impl_->level_heap_bytes +
         impl_->visits.capacity() * sizeof(Impl::Visit);
}

}  // namespace mooring::routing
