// mooring-curves: what subscriptions cost, as their number grows. One JSON line for each size.
//
//   mooring-curves [SUBSCRIPTIONS...]     default: 1000 10000 100000 1000000
//
// The subscriptions are those of back ends of a fleet, each with another filter: half of them name one topic of a
// device, the others stand for a property of all devices of a product or for everything of one device. A topic is
// matched by two filters at every size, so that the curve shows the table and not the answer.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "routing/subscription_trie.h"

namespace {

using Clock = std::chrono::steady_clock;
using mooring::routing::Match;
using mooring::routing::SubscriptionTrie;

constexpr std::size_t kTopics = 4096;  // more than caches hold of a large trie, the same for all sizes
constexpr std::size_t kRounds = 50;
constexpr std::size_t kDevicesPerProduct = 1000;

double ns_between(Clock::time_point begin, Clock::time_point end, std::size_t count) {
  return std::chrono::duration<double, std::nano>(end - begin).count() / static_cast<double>(count);
}

std::string device_prefix(std::size_t device) {
  return "/a1Product" + std::to_string(device / kDevicesPerProduct) + "/device" + std::to_string(device);
}

// Four to a device: two plain, one that ends in '#'; the fourth is the product's own, by its number within the device.
std::string filter(std::size_t number) {
  const std::size_t device = number / 4;
  switch (number % 4) {
    case 0:
      return device_prefix(device) + "/user/update";
    case 1:
      return device_prefix(device) + "/user/alarm";
    case 2:
      return device_prefix(device) + "/#";
    default:
      return "/a1Product" + std::to_string(device / kDevicesPerProduct) + "/+/user/property" +
             std::to_string(device % kDevicesPerProduct);
  }
}

struct Figures {
  double insert_ns = 0;
  double match_ns = 0;
  double matches = 0;
  double erase_ns = 0;
  double bytes = 0;
};

Figures measure(std::size_t count) {
  Figures out;
  SubscriptionTrie trie;
  std::vector<std::string> filters;
  filters.reserve(count);
  for (std::size_t i = 0; i < count; ++i) filters.push_back(filter(i));
  std::mt19937_64 random(count);
  std::shuffle(filters.begin(), filters.end(), random);

  auto begin = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    trie.insert(filters[i], static_cast<mooring::routing::SubscriberId>(i), {1, false, false, 0});
  }
  out.insert_ns = ns_between(begin, Clock::now(), count);
  out.bytes = static_cast<double>(trie.memory_bytes()) / static_cast<double>(count);

  std::vector<std::string> topics;
  for (std::size_t i = 0; i < kTopics; ++i) topics.push_back(device_prefix(random() % (count / 4)) + "/user/update");
  std::vector<Match> matches;
  std::size_t found = 0;
  begin = Clock::now();
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (const std::string& topic : topics) {
      matches.clear();
      trie.match(topic, matches);
      found += matches.size();
    }
  }
  out.match_ns = ns_between(begin, Clock::now(), kRounds * kTopics);
  out.matches = static_cast<double>(found) / static_cast<double>(kRounds * kTopics);

  begin = Clock::now();
  for (std::size_t i = 0; i < count; ++i) trie.erase(filters[i], static_cast<mooring::routing::SubscriberId>(i));
  out.erase_ns = ns_between(begin, Clock::now(), count);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> sizes;
  for (int i = 1; i < argc; ++i) {
    const long long size = std::atoll(argv[i]);
    if (size < 1000 || size > 10'000'000) {
      std::fprintf(stderr, "mooring-curves takes numbers of subscriptions from 1000 to 10000000, not '%s'\n", argv[i]);
      return 2;
    }
    sizes.push_back(static_cast<std::size_t>(size));
  }
  if (sizes.empty()) sizes = {1'000, 10'000, 100'000, 1'000'000};
  for (const std::size_t size : sizes) {
    const Figures figures = measure(size);
    std::printf(
        "{\"subscriptions\":%zu,\"bytesPerSubscription\":%.1f,\"insertNs\":%.0f,\"eraseNs\":%.0f,\"matchNs\":%.0f,"
        "\"matchesPerTopic\":%.2f}\n",
        size, figures.bytes, figures.insert_ns, figures.erase_ns, figures.match_ns, figures.matches);
    std::fflush(stdout);
  }
  return 0;
}
