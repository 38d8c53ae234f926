// Whom a message reaches: permission of its publisher, the session of the topic's device, the tries.
#include <algorithm>

#include "broker/broker.h"
#include "mqtt/topic.h"
#include "routing/device_topic.h"
#include "session/automatic_topics.h"

namespace mooring::broker {

// Sets way_; false: not permitted.
bool Broker::find_route(Client& client, std::string_view topic) {
  const RouteCache::Stamp stamp{filters_version(), client.authorizer->revision()};
  if (recall_route(client.number, topic, stamp, client.last_route)) return true;
  if (client.authorizer->may_publish(topic) != Authorizer::Verdict::kAllowed) return false;
  if (const RequestKind request = request_of(client, topic); request != kNoRequest) {
    route_.clear();
    large_route_.publisher = 0;
    route_.request = request;
    keep_route(client.number, topic, stamp, {});
    return true;
  }
  const Origin origin{client.session->session->number(), client.info.kind == ClientKind::kOperator};
  const RouteCache::Home home = match(topic, origin);
  if (client.session->routed == route_number_ && !may_hear_itself(client, topic)) {
    std::erase_if(route_.targets, [&](const Route::Target& target) { return target.session == client.session; });
  }
  keep_route(client.number, topic, stamp, home);
  return true;
}

// Products of profile `mqtt` are plain MQTT: nothing answers their devices.
RequestKind Broker::request_of(const Client& client, std::string_view topic) const {
  if (parts_.requests == nullptr || !client.is_device() || client.info.rules->standard_device) return kNoRequest;
  return parts_.requests->kind_of(topic);
}

// Of a message that another loop sent here.
void Broker::find_remote_route(const mqtt::Message& message) {
  const auto publisher = RouteCache::remote_publisher(message.publisher(), message.from_platform());
  const RouteCache::Stamp stamp{filters_version(), 0};
  RouteCache::Place place = 0;
  if (recall_route(publisher, message.topic(), stamp, place)) return;
  const RouteCache::Home home = match(message.topic(), {message.publisher(), message.from_platform()});
  route_.loops.clear();   // the publisher's loop has told them,
  route_.shares.clear();  // and chosen
  keep_route(publisher, message.topic(), stamp, home);
}

std::uint64_t Broker::filters_version() const {
  return local_trie_.version() + share_trie_.version() + remote_trie_.version();
}

bool Broker::recall_route(RouteCache::Publisher publisher, std::string_view topic, const RouteCache::Stamp& stamp,
                          RouteCache::Place& place) {
  const RouteCache::Entry* const known = route_cache_.find(publisher, topic, stamp, place);
  if (known != nullptr && is_current(known->home())) {
    way_ = known->view();
    return true;
  }
  const LargeRoute& large = large_route_;
  if (large.publisher != publisher || large.topic != topic || large.stamp != stamp || !is_current(large.home)) {
    return false;
  }
  way_ = RouteView::of(route_);
  return true;
}

// route_ is the one to take, and the one to take next time.
void Broker::keep_route(RouteCache::Publisher publisher, std::string_view topic, const RouteCache::Stamp& stamp,
                        const RouteCache::Home& home) {
  way_ = RouteView::of(route_);
  if (route_cache_.put(publisher, topic, stamp, home, route_)) return;
  large_route_.publisher = publisher;
  large_route_.stamp = stamp;
  large_route_.home = home;
  large_route_.topic.assign(topic);
}

bool Broker::is_current(const RouteCache::Home& home) const {
  if (home.slot == RouteCache::Home::kNoDevice) return true;
  if (device_versions_.of(home.slot) != home.version) return false;
  return home.session == nullptr || (home.session->session->revision() == home.revision &&
                                     (home.session->client ? home.session->client->number : 0) == home.client);
}

// A device's own publish comes back only on a topic that it may subscribe to as such: its "/user/#" does not make it
// hear what it reports (connection.md 13).
bool Broker::may_hear_itself(const Client& from, std::string_view topic) const {
  return !from.is_device() || from.authorizer->may_subscribe(topic) == Authorizer::Verdict::kAllowed;
}

// Fills route_, which way_ then is; who changes it sets way_ again. What of it hangs on the session of the topic's
// device is told in the answer.
RouteCache::Home Broker::match(std::string_view topic, const Origin& origin) {
  ++route_number_;
  route_.clear();
  large_route_.publisher = 0;
  const auto device = routing::device_of_topic(topic);
  RouteCache::Home home;
  if (device) {
    home = find_home(*device);
    if (home.session != nullptr) match_device(*home.session, topic, origin);
    match_home_loop(*device);
  }
  match_filters(topic, origin);
  way_ = RouteView::of(route_);
  return home;
}

RouteCache::Home Broker::find_home(const base::DeviceKeyView& device) const {
  RouteCache::Home home;
  home.slot = DeviceVersions::slot_of(base::DeviceKeyHash{}(device));
  home.version = device_versions_.of(home.slot);
  const auto found = devices_.find(device);
  if (found == devices_.end()) return home;
  home.session = found->get();
  home.revision = home.session->session->revision();
  if (home.session->client != nullptr) home.client = home.session->client->number;
  return home;
}

// A topic of the device itself.
void Broker::match_device(LocalSession& home, std::string_view topic, const Origin& origin) {
  const session::Session& state = *home.session;
  // What an earlier connection subscribed is nothing for one that did not announce it (connection.md 4.2).
  if (home.client != nullptr && !home.client->info.custom_rrpc && topic.starts_with(routing::kCustomRrpcPrefix)) return;
  for (const session::SubscriptionRecord& own : state.subscriptions()) {
    if (!mqtt::matches(own.filter, topic)) continue;
    if (own.no_local && origin.publisher == state.number()) continue;
    add_target(home, {own.qos, own.no_local, own.retain_as_published, own.subscription_id}, true);
  }
  if (!home.reached_unasked) return;
  constexpr routing::SubscriptionOptions kUnasked{1, false, false, 0};
  // Of what it publishes itself a device hears only what it asked for.
  if (state.is_automatic() && origin.publisher != state.number()) {
    const auto number = session::automatic_topic_number(home.device(), topic);
    if (number && state.has_automatic(*number)) add_target(home, kUnasked, true);
  }
  if (origin.platform && session::is_pushed_topic(home.device(), topic)) add_target(home, kUnasked, true);
}

// The loop on which the device's session is, or would be.
void Broker::match_home_loop(const base::DeviceKeyView& device) {
  const auto home = parts_.home_loops > 1
                        ? session::device_home_loop(device.product_key, device.device_name, parts_.home_loops)
                        : session::LoopId{0};
  if (home != parts_.loop) route_.loops.push_back(home);
}

void Broker::match_filters(std::string_view topic, const Origin& origin) {
  if (local_trie_.entry_count() > 0) {
    matches_.clear();
    local_trie_.match(topic, matches_);
    for (const routing::Match& match : matches_) {
      LocalSession& home = *by_id_[match.subscriber];
      if (match.options.no_local && origin.publisher == home.session->number()) continue;  // [MQTT-3.8.3-3]
      add_target(home, match.options, false);
    }
  }
  if (share_trie_.entry_count() > 0) {
    matches_.clear();
    share_trie_.match(topic, matches_);
    for (const routing::Match& match : matches_) route_.shares.push_back(match.subscriber);
  }
  if (remote_trie_.entry_count() > 0) {
    matches_.clear();
    remote_trie_.match(topic, matches_);
    for (const routing::Match& match : matches_) {
      const auto loop = static_cast<routing::LoopId>(match.subscriber);
      if (std::find(route_.loops.begin(), route_.loops.end(), loop) == route_.loops.end()) route_.loops.push_back(loop);
    }
  }
}

// Overlapping filters of one session count once, at the highest QoS, with the identifiers of all of them
// [MQTT-3.3.4-2, -4].
void Broker::add_target(LocalSession& home, const routing::SubscriptionOptions& options, bool own_topic) {
  Route::Target* target = nullptr;
  if (home.routed != route_number_) {
    home.routed = route_number_;
    home.target = static_cast<std::uint32_t>(route_.targets.size());
    target = &route_.targets.emplace_back(
        Route::Target{&home, options.qos, options.retain_as_published, own_topic, Route::kNoId});
  } else {
    target = &route_.targets[home.target];
    target->qos = std::max(target->qos, options.qos);
    target->retain_as_published |= options.retain_as_published;
  }
  if (options.subscription_id == 0) return;
  route_.subscription_ids.push_back({options.subscription_id, target->first_id});
  target->first_id = static_cast<std::uint32_t>(route_.subscription_ids.size() - 1);
}

}  // namespace mooring::broker
