#include "server/system_topics.h"

#include <utility>

namespace mooring::server {

SystemTopics::SystemTopics(LoopWorker& main, const storage::RocksSessionStore& store,
                           const routing::RetainedMessages& retained)
    : main_(main), store_(store), retained_(retained), started_ms_(main.loop().clock().mono_ms()) {}

void SystemTopics::start() {
  tell("version", MOORING_VERSION);
}

void SystemTopics::take(const LoopReport& sum) {
  if (rounds_++ % kRoundsPerPublication == 0) publish(sum);
}

void SystemTopics::publish(const LoopReport& sum) {
  const broker::BrokerCounters& counters = sum.counters;
  const storage::RocksSessionStore::Stats store = store_.stats();
  tell("uptime", std::to_string((main_.loop().clock().mono_ms() - started_ms_) / 1000));
  tell("clients/connected", std::to_string(counters.connected));
  tell("sessions/count", std::to_string(sum.sessions));
  tell("subscriptions/count", std::to_string(sum.subscriptions));
  tell("retained messages/count", std::to_string(retained_.size()));
  tell("publish/messages/received", std::to_string(counters.published));
  tell("publish/messages/sent", std::to_string(counters.delivered));
  tell("publish/messages/refused", std::to_string(counters.refused_publishes));
  tell("publish/messages/throttled/up", std::to_string(counters.throttled_publishes));
  tell("publish/messages/throttled/down", std::to_string(counters.throttled_deliveries));
  tell("publish/messages/dropped/congested", std::to_string(counters.dropped_congested));
  tell("publish/messages/dropped/queue_full", std::to_string(counters.dropped_queue_full));
  tell("publish/messages/dropped/offline", std::to_string(counters.dropped_offline));
  tell("publish/messages/dropped/expired", std::to_string(counters.dropped_expired));
  tell("subscriptions/refused", std::to_string(counters.refused_filters));
  tell("store/messages/written", std::to_string(store.appended));
  tell("store/messages/spared", std::to_string(store.withdrawn));
  tell("store/commits", std::to_string(store.groups));
  tell("store/syncs", std::to_string(store.syncs));
  tell("store/failures", std::to_string(store.failed));
  tell("store/healthy", store.healthy ? "1" : "0");
}

void SystemTopics::tell(const std::string& topic, std::string value) {
  std::string& told = told_[topic];
  if (told == value) return;
  main_.broker().publish_internal("$SYS/broker/" + topic, value, 0, true);
  told = std::move(value);
}

}  // namespace mooring::server
