// SUBSCRIBE and UNSUBSCRIBE: what is granted, what is stored before the answer, and the routes that follow.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "broker/pending_answers.h"
#include "mqtt/topic.h"
#include "routing/device_topic.h"
#include "session/automatic_topics.h"

namespace mooring::broker {
namespace {

using mqtt::ReasonCode;

ReasonCode granted(std::uint8_t qos) {
  return static_cast<ReasonCode>(qos);
}

}  // namespace

void Broker::subscribe(Client& client, const mqtt::Subscribe& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  auto pending = std::make_shared<PendingSuback>();
  pending->client = home.client;
  pending->packet_id = packet.packet_id;
  bool changed = false;
  bool new_interest = false;
  bool of_dependents = false;
  std::size_t index = 0;
  const std::uint64_t request = ++subscribe_number_;
  const std::size_t earlier = home.awaited.size();
  const bool recorded = home.device_scope || home.session->durable();
  const auto await = [&](AwaitedFilter filter, bool differs) {
    // Of an earlier SUBSCRIBE that is not stored either: what it found is what there was.
    const auto known =
        std::find_if(home.awaited.begin(), home.awaited.begin() + static_cast<std::ptrdiff_t>(earlier),
                     [&](const AwaitedFilter& one) { return one.wanted.filter == filter.wanted.filter; });
    if (known != home.awaited.begin() + static_cast<std::ptrdiff_t>(earlier)) {
      filter.before = known->before;
      filter.automatic = known->automatic;
      differs = true;
    }
    filter.request = request;
    if (differs && recorded) home.awaited.push_back(std::move(filter));
  };
  for (const mqtt::SubscribeEntry& entry : packet.entries) {
    // What one packet may ask for counts for all together.
    const std::size_t most = client.info.rules->max_filters_per_subscribe;
    const bool of_dependent = (most == 0 || index < most) && dependent_of(client, entry.filter) != Dependents::kNobody;
    of_dependents |= of_dependent;
    const ReasonCode code =
        of_dependent ? ReasonCode::kUnspecifiedError : admit_filter(client, entry, packet.subscription_id, index);
    ++index;
    pending->codes.push_back(code);
    pending->of_dependent.push_back(of_dependent);
    if (mqtt::is_error(code)) continue;
    if (const auto automatic = automatic_number(home, entry, packet.subscription_id)) {
      const bool joined = home.session->join_automatic(*automatic);  // false: it was there all along
      changed |= joined;
      await({0, {std::string(entry.filter)}, {}, automatic}, joined);
      continue;
    }
    session::SubscriptionRecord wanted{std::string(entry.filter), static_cast<std::uint8_t>(code), entry.no_local,
                                       entry.retain_as_published, packet.subscription_id};
    const session::SubscriptionRecord* known = home.session->find_subscription(entry.filter);
    const bool is_new = known == nullptr;
    AwaitedFilter awaited{0, wanted, is_new ? std::nullopt : std::optional(*known), {}};
    const bool wants_retained = entry.retain_handling == mqtt::RetainHandling::kSend ||
                                (entry.retain_handling == mqtt::RetainHandling::kSendIfNew && is_new);
    if (wants_retained && client.info.rules->retain_available && !mqtt::parse_shared_filter(entry.filter)) {
      pending->replays.push_back({wanted, {}});
    }
    const bool differs = home.session->subscribe(wanted);
    await(std::move(awaited), differs);
    if (!differs) continue;
    changed = true;
    new_interest |= add_route(home, wanted);
  }
  if (of_dependents) subscribe_dependents(client, packet, pending);
  if (new_interest) {
    ++pending->waits;
    parts_.bus.sync([this, pending] { finish_suback(pending); });
  }
  // A device relies on its subscriptions for ever (connection.md 6.3).
  if (wants_record(home) && (changed || !home.session->is_saved())) {
    ++pending->waits;
    save_then(client, [this, pending, request](LocalSession* still, Client* waiting, bool saved) {
      pending->stored = saved;
      const bool may_be_stored = still != nullptr && settle_awaited(*still, request, saved);
      if (may_be_stored && waiting != nullptr) {
        save_without_refused(*waiting, pending);
        return;
      }
      if (may_be_stored) save_now(*still);
      if (waiting != nullptr) finish_suback(pending);
    });
  }
  // What the client says next is answered after this.
  pending->holds_input = pending->waits > 1;
  if (pending->holds_input) hold_input(client);
  finish_suback(pending);
}

void Broker::finish_suback(const std::shared_ptr<PendingSuback>& pending) {
  if (--pending->waits > 0) return;
  const std::shared_ptr<Client> client = pending->client.lock();
  if (client == nullptr || !client->connected() || client->session == nullptr) return;
  if (pending->holds_input) release_input(*client);
  for (std::size_t i = 0; i < pending->codes.size() && !pending->stored; ++i) {
    if (!pending->of_dependent[i]) pending->codes[i] = ReasonCode::kUnspecifiedError;
  }
  client->sink->send_suback(pending->packet_id, pending->codes);
  if (!pending->stored || pending->replays.empty()) return;
  for (RetainedReplay& replay : pending->replays) {
    // It may have lost the permission meanwhile.
    const bool still = client->session->session->find_subscription(replay.subscription.filter) != nullptr;
    if (still) client->replays.push(std::move(replay));
  }
  pump_replays(*client);
}

// A save that was under way carries what has been refused. The refusal is told when another one has followed it.
void Broker::save_without_refused(Client& client, const std::shared_ptr<PendingSuback>& pending) {
  save_then(client, [this, pending](LocalSession* still, Client* waiting, bool saved) {
    if (!saved && still != nullptr) save_later(still->session->number());
    if (waiting != nullptr) finish_suback(pending);
  });
}

// The store has answered the SUBSCRIBE. What it refused is taken back, unless a later one asks for the same: then that
// one's answer decides. True: a save under way meanwhile carries what was taken back, and another one has to follow it.
bool Broker::settle_awaited(LocalSession& home, std::uint64_t request, bool stored) {
  std::vector<AwaitedFilter> own;
  std::vector<AwaitedFilter> others;
  for (AwaitedFilter& filter : home.awaited) (filter.request == request ? own : others).push_back(std::move(filter));
  home.awaited = std::move(others);
  bool took_back = false;
  for (auto filter = own.rbegin(); filter != own.rend(); ++filter) {
    bool asked_again = false;
    for (AwaitedFilter& later : home.awaited) {
      if (later.wanted.filter != filter->wanted.filter) continue;
      asked_again = true;
      if (!stored) continue;
      later.automatic.reset();
      later.before = filter->automatic ? std::nullopt : std::optional(filter->wanted);
    }
    if (stored || asked_again) continue;
    take_back(home, *filter);
    took_back = true;
  }
  if (!took_back) return false;
  if (home.client == nullptr && home.device_scope && !home.session->has_state()) {
    end_session(home);
    return false;
  }
  return home.saves_under_way > 0;
}

void Broker::take_back(LocalSession& home, const AwaitedFilter& refused) {
  const std::string& filter = refused.wanted.filter;
  if (refused.automatic) {
    home.session->leave_automatic(*refused.automatic);
  } else if (refused.before) {
    if (home.session->subscribe(*refused.before)) add_route(home, *refused.before);
  } else if (home.session->unsubscribe(filter)) {
    drop_route(home, filter);
  }
}

// It was unsubscribed: nothing of it is to come back.
void Broker::forget_awaited(LocalSession& home, std::string_view filter) {
  std::erase_if(home.awaited, [&](const AwaitedFilter& one) { return one.wanted.filter == filter; });
}

// A device asks for what it has automatically, or had: that is not another subscription, and not counted. With options
// that the automatic one does not have it is.
std::optional<std::size_t> Broker::automatic_number(const LocalSession& home, const mqtt::SubscribeEntry& entry,
                                                    std::uint32_t subscription_id) {
  if (!home.reached_unasked || !home.session->is_automatic()) return std::nullopt;
  if (subscription_id != 0 || entry.no_local || entry.retain_as_published) return std::nullopt;
  if (home.session->find_subscription(entry.filter) != nullptr) return std::nullopt;
  return session::automatic_filter_number(home.device(), entry.filter);
}

// The granted QoS, or why not. Refused filters leave the connection open (connection.md 13).
ReasonCode Broker::admit_filter(Client& client, const mqtt::SubscribeEntry& entry, std::uint32_t subscription_id,
                                std::size_t index) {
  const ClientRules& rules = *client.info.rules;
  const session::Session& state = *client.session->session;
  const auto refuse = [&](ReasonCode code, std::uint16_t log_code, std::string_view code_name, std::string_view why) {
    ++counters_.refused_filters;
    if (++client.refused_filters <= 20 || client.refused_filters % 1000 == 0)
      base::log_info("broker", "{}: subscription to '{}' refused: {}", client.label(),
                     base::printable(entry.filter, 160), why);
    report_repeat(client, client.refused_filters,
                  {Incident::Kind::kSubscribeDenied, log_code, code_name, why, entry.filter});
    return code;
  };
  if (rules.max_filters_per_subscribe != 0 && index >= rules.max_filters_per_subscribe) {
    return refuse(ReasonCode::kQuotaExceeded, 9321, "too-many-filters", "too many filters in one SUBSCRIBE");
  }
  const auto shared = mqtt::parse_shared_filter(entry.filter);
  if (shared && !rules.shared_available) {
    return refuse(ReasonCode::kSharedSubscriptionsNotSupported, 9321, "shared-subscription",
                  "shared subscriptions are not available");
  }
  const std::size_t levels = mqtt::level_count(entry.filter);
  if (rules.max_filter_levels != 0 && levels > rules.max_filter_levels) {
    return refuse(ReasonCode::kTopicFilterInvalid, 9321, "too-many-levels", "too many levels");
  }
  if (!client.replays.takes(entry.filter.size())) {
    return refuse(ReasonCode::kQuotaExceeded, 9321, "too-many-replays",
                  "too many subscriptions still wait for their retained messages");
  }
  switch (client.authorizer->may_subscribe(shared ? shared->filter : entry.filter)) {
    case Authorizer::Verdict::kAllowed:
      break;
    case Authorizer::Verdict::kNotPermitted:
      return refuse(ReasonCode::kNotAuthorized, 9236, "not-permitted", "topic not permitted (9236)");
    case Authorizer::Verdict::kTooLong:
      return refuse(ReasonCode::kTopicFilterInvalid, 9321, "topic-too-long", "topic too long or too many levels");
  }
  const bool too_many =
      (rules.max_subscriptions != 0 && state.subscriptions().size() >= rules.max_subscriptions) ||
      (rules.max_subscription_levels != 0 && state.subscription_levels() + levels > rules.max_subscription_levels) ||
      (rules.max_subscription_bytes != 0 &&
       state.subscription_bytes() + entry.filter.size() > rules.max_subscription_bytes);
  if (too_many && state.find_subscription(entry.filter) == nullptr &&
      !automatic_number(*client.session, entry, subscription_id)) {
    return refuse(ReasonCode::kQuotaExceeded, 9321, "too-many-subscriptions", "too many subscriptions");
  }
  return granted(std::min(entry.qos, rules.max_qos));
}

void Broker::unsubscribe(Client& client, const mqtt::Unsubscribe& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  auto pending = std::make_shared<PendingUnsuback>();
  pending->client = home.client;
  pending->packet_id = packet.packet_id;
  bool changed = false;
  bool of_dependents = false;
  ReplayQueue::Filters ended;
  for (const std::string_view filter : packet.filters) {
    if (dependent_of(client, filter) != Dependents::kNobody) {
      pending->codes.push_back(ReasonCode::kUnspecifiedError);
      of_dependents = true;
      continue;
    }
    const bool own = home.session->unsubscribe(filter);
    const bool automatic = leave_automatic(home, filter);
    if (!home.awaited.empty()) forget_awaited(home, filter);
    pending->codes.push_back(own || automatic ? ReasonCode::kSuccess : ReasonCode::kNoSubscriptionExisted);
    changed |= own || automatic;
    if (!own) continue;
    drop_route(home, filter);
    if (!client.replays.empty()) ended.insert(filter);
  }
  if (!ended.empty()) client.replays.drop(ended);
  if (of_dependents) unsubscribe_dependents(client, packet, pending);
  const bool recorded = home.recorded.any || wants_record(home);
  if (recorded && (changed || client.saves_under_way > 0)) {
    // Even if the store fails: the subscription ends now, and the record is stored as soon as that is possible.
    ++pending->waits;
    save_then(client, [this, pending](LocalSession* still, Client* waiting, bool saved) {
      if (!saved && still != nullptr) save_later(still->session->number());
      if (waiting != nullptr) finish_unsuback(pending);
    });
  }
  pending->holds_input = pending->waits > 1;
  if (pending->holds_input) hold_input(client);
  finish_unsuback(pending);
}

void Broker::finish_unsuback(const std::shared_ptr<PendingUnsuback>& pending) {
  if (--pending->waits > 0) return;
  const std::shared_ptr<Client> client = pending->client.lock();
  if (client == nullptr || !client->connected() || client->session == nullptr) return;
  client->sink->send_unsuback(pending->packet_id, pending->codes);
  if (pending->holds_input) release_input(*client);
}

bool Broker::leave_automatic(LocalSession& home, std::string_view filter) {
  if (!home.is_device || !home.session->is_automatic()) return false;
  const auto number = session::automatic_filter_number(home.device(), filter);
  return number && home.session->leave_automatic(*number);
}

void Broker::save_then(Client& client, SavedDone done) {
  LocalSession& home = *client.session;
  const session::Session& state = *home.session;
  ++client.saves_under_way;
  note_save(home);
  parts_.store.save(state.record(), state.epoch(), parts_.executor,
                    [this, number = state.number(), revision = state.revision(),
                     weak = std::weak_ptr<Client>(home.client), done = std::move(done)](base::Result<> saved) mutable {
                      const std::shared_ptr<Client> waiting = weak.lock();
                      if (waiting != nullptr) --waiting->saves_under_way;
                      LocalSession* const found = note_saved(number, revision, saved.has_value());
                      if (!saved) base::log_error("broker", "a subscription was not stored: {}", saved.error().message);
                      const bool here = waiting != nullptr && waiting->connected() && waiting->session != nullptr;
                      done(found, here ? waiting.get() : nullptr, saved.has_value());
                    });
}

bool Broker::is_own_filter(const LocalSession& home, std::string_view filter) const {
  if (!home.is_device) return false;
  const auto owner = routing::device_of_topic(filter);
  return owner && *owner == home.device();
}

// True: other loops have to learn of it.
bool Broker::add_route(LocalSession& home, const session::SubscriptionRecord& subscription) {
  if (is_own_filter(home, subscription.filter)) return false;  // found by the device key: docs/adr/0006
  const routing::SubscriptionOptions options{subscription.qos, subscription.no_local, subscription.retain_as_published,
                                             subscription.subscription_id};
  if (mqtt::parse_shared_filter(subscription.filter)) return join_share(home, subscription.filter, options);
  const auto inserted = local_trie_.insert(subscription.filter, home.id, options);
  if (!inserted.new_entry || inserted.subscribers_of_filter != 1) return false;
  parts_.bus.add_interest(subscription.filter);
  return true;
}

void Broker::drop_route(LocalSession& home, std::string_view filter) {
  if (is_own_filter(home, filter)) return;
  if (mqtt::parse_shared_filter(filter)) {
    leave_share(home, filter);
    return;
  }
  const auto erased = local_trie_.erase(filter, home.id);
  if (erased.existed && erased.subscribers_of_filter == 0) parts_.bus.drop_interest(filter);
}

}  // namespace mooring::broker
