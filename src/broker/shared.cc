// Shared subscriptions: "$share/group/filter" (MQTT 5 section 4.8.2). Each group has one entry in the trie, under its
// inner filter; who of its members gets a message is chosen when the message comes.
#include <algorithm>

#include "broker/broker.h"
#include "mqtt/topic.h"

namespace mooring::broker {

namespace {

std::string_view inner_filter(const routing::SharedGroup& group) {
  return mqtt::parse_shared_filter(group.share())->filter;
}

}  // namespace

Broker::Share& Broker::share_of(std::string_view share) {
  if (Share* known = find_share(share)) return *known;
  auto owned = std::make_unique<Share>(Share{routing::SharedGroup(std::string(share)), 0});
  Share& made = *owned;
  if (free_shares_.empty()) {
    made.index = static_cast<std::uint32_t>(share_by_index_.size());
    share_by_index_.push_back(&made);
  } else {
    made.index = free_shares_.back();
    free_shares_.pop_back();
    share_by_index_[made.index] = &made;
  }
  share_trie_.insert(inner_filter(made.group), made.index, {});
  shares_[std::string(share)] = std::move(owned);
  return made;
}

Broker::Share* Broker::find_share(std::string_view share) {
  const auto found = shares_.find(std::string(share));
  return found == shares_.end() ? nullptr : found->second.get();
}

void Broker::drop_share_if_empty(Share& share) {
  if (!share.group.empty()) return;
  share_trie_.erase(inner_filter(share.group), share.index);
  share_by_index_[share.index] = nullptr;
  free_shares_.push_back(share.index);
  const std::string name = share.group.share();
  shares_.erase(name);
}

bool Broker::join_share(LocalSession& home, std::string_view filter, const routing::SubscriptionOptions& options) {
  Share& share = share_of(filter);
  if (!share.group.add({home.id, options, home.client != nullptr})) return false;
  parts_.bus.set_share(filter, share.group.local_count());
  return true;
}

void Broker::leave_share(LocalSession& home, std::string_view filter) {
  Share* share = find_share(filter);
  if (share == nullptr) return;
  if (share->group.remove(home.id)) parts_.bus.set_share(filter, share->group.local_count());
  drop_share_if_empty(*share);
}

void Broker::set_shares_online(LocalSession& home, bool online) {
  if (shares_.empty()) return;
  for (const session::SubscriptionRecord& subscription : home.session->subscriptions()) {
    if (!mqtt::parse_shared_filter(subscription.filter)) continue;
    Share* share = find_share(subscription.filter);
    if (share != nullptr && share->group.set_online(home.id, online)) {
      parts_.bus.set_share(subscription.filter, share->group.local_count());
    }
  }
}

bool Broker::is_ready(routing::SubscriberId id) const {
  const LocalSession& home = *by_id_[id];
  return home.client != nullptr && !home.client->sink->congested() && home.session->has_room();
}

// `hops` 0: published here.
void Broker::deliver_to_share(Share& share, Flow& flow, unsigned hops) {
  const auto ready = [this](routing::SubscriberId id) { return is_ready(id); };
  const auto choice = hops == 0 ? share.group.choose(ready) : share.group.choose_for_remote(ready, hops);
  using Where = routing::SharedGroup::Choice::Where;
  if (choice.where == Where::kNobody) {
    ++counters_.dropped_offline;
    return;
  }
  if (choice.where == Where::kLoop) {
    if (flow.is_awaited()) receipt_of(flow).expect();
    parts_.bus.publish_to_share(flow.message, flow.receipt, choice.loop, share.group.share(), hops + 1);
    return;
  }
  const mqtt::Message& message = *flow.message;
  session::Delivery delivery{flow.message};
  delivery.qos = std::min(message.qos(), choice.member.options.qos);
  delivery.retain = message.retain() && choice.member.options.retain_as_published;
  const std::uint32_t id = choice.member.options.subscription_id;
  if (id != 0) delivery.subscription_ids = {&id, 1};
  deliver(*by_id_[choice.member.session], flow, delivery);
}

void Broker::on_remote_share_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt,
                                     std::string_view share, unsigned hops) {
  Flow flow;
  flow.message = message;
  flow.receipt = std::move(receipt);
  if (Share* known = find_share(share)) deliver_to_share(*known, flow, hops);
  finish(flow);
}

void Broker::on_remote_share(routing::LoopId loop, std::string_view share, routing::ShareCount count) {
  if (count.all == 0 && find_share(share) == nullptr) return;
  Share& known = share_of(share);
  known.group.set_remote(loop, count);
  drop_share_if_empty(known);
}

}  // namespace mooring::broker
