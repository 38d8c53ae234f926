#include "broker/route_cache.h"

#include <algorithm>
#include <cstring>

namespace mooring::broker {
namespace {

constexpr std::size_t kWays = 2;

std::uint64_t word_at(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Of 8 bytes at a time; the last 8 of a longer text overlap those before them. Somebody who makes topics collide only
// takes the cache away from himself and two others.
std::uint64_t hash_of(std::uint64_t seed, std::string_view text) {
  constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15;
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  std::uint64_t hash = (seed + text.size()) * kOdd;
  const auto add = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kOdd;
    hash ^= hash >> 29;
  };
  if (text.size() >= kStep) {
    const char* const last = text.data() + text.size() - kStep;
    for (const char* at = text.data(); at < last; at += kStep) add(word_at(at));
    add(word_at(last));
  } else {
    std::uint64_t word = 0;
    for (const char c : text) word = (word << 8) | static_cast<unsigned char>(c);
    add(word);
  }
  return hash ^ (hash >> 32);
}

}  // namespace

RouteCache::RouteCache() : entries_(kSets * kWays) {
  static_assert(sizeof(Entry) == 256);
}

std::size_t RouteCache::set_of(Publisher publisher, std::string_view topic) {
  return hash_of(publisher, topic) % kSets * kWays;
}

const RouteCache::Entry* RouteCache::look_for(Publisher publisher, std::string_view topic, Place& place) const {
  const std::size_t set = set_of(publisher, topic);
  for (std::size_t at = set; at < set + kWays; ++at) {
    if (!entries_[at].is_of(publisher, topic)) continue;
    place = static_cast<Place>(at);
    return &entries_[at];
  }
  return nullptr;
}

bool RouteCache::put(Publisher publisher, std::string_view topic, const Stamp& stamp, const Home& home,
                     const Route& route) {
  if (!Entry::has_room_for(topic, route)) return false;
  Entry* const set = &entries_[set_of(publisher, topic)];
  // The one it had, or the one that has nothing, or one or the other.
  Entry* entry = std::find_if(set, set + kWays, [&](const Entry& known) { return known.is_of(publisher, topic); });
  if (entry == set + kWays) {
    entry = std::find_if(set, set + kWays, [](const Entry& known) { return known.publisher_ == 0; });
  }
  if (entry == set + kWays) entry = set + ++puts_ % kWays;

  entry->publisher_ = publisher;
  entry->stamp_ = stamp;
  entry->home_ = home;
  std::copy(route.targets.begin(), route.targets.end(), entry->targets_.begin());
  entry->target_count_ = static_cast<std::uint8_t>(route.targets.size());
  std::copy(route.subscription_ids.begin(), route.subscription_ids.end(), entry->ids_.begin());
  entry->id_count_ = static_cast<std::uint8_t>(route.subscription_ids.size());
  std::copy(route.loops.begin(), route.loops.end(), entry->loops_.begin());
  entry->loop_count_ = static_cast<std::uint8_t>(route.loops.size());
  entry->has_share_ = !route.shares.empty();
  if (entry->has_share_) entry->share_ = route.shares.front();
  entry->request_ = route.request;
  std::memcpy(entry->topic_.data(), topic.data(), topic.size());
  entry->topic_bytes_ = static_cast<std::uint8_t>(topic.size());
  return true;
}

bool RouteCache::Entry::has_room_for(std::string_view topic, const Route& route) {
  return topic.size() <= kMaxTopicBytes && route.targets.size() <= kMaxTargets &&
         route.subscription_ids.size() <= kMaxIds && route.loops.size() <= kMaxLoops && route.shares.size() <= 1;
}

}  // namespace mooring::broker
