#include "server/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <numeric>
#include <utility>

#include "base/utc_time.h"

namespace mooring::server {
namespace {

template <class Numbers>
std::uint64_t total(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}

std::vector<std::pair<const char*, std::uint64_t>> drops(const broker::BrokerCounters& counters) {
  return {{"congested", counters.dropped_congested},     {"queue_full", counters.dropped_queue_full},
          {"offline", counters.dropped_offline},         {"expired", counters.dropped_expired},
          {"rate_up", counters.throttled_publishes},     {"rate_down", counters.throttled_deliveries},
          {"not_permitted", counters.refused_publishes}, {"store_failed", counters.store_failures}};
}

}  // namespace

struct Statistics::Round {
  base::MonoMs began_ms = 0;
  std::size_t open = 0;
  LoopReport sum;
  std::vector<std::int64_t> busy_ms;
  std::vector<std::int64_t> delays_ms;
};

Statistics::Statistics(const Parts& parts)
    : parts_(parts), started_ms_(parts.main.loop().clock().wall_ms()), self_(std::make_shared<Statistics*>(this)) {}

Statistics::~Statistics() = default;

void Statistics::start() {
  last_loops_.resize(parts_.workers.size());
  on_timer(parts_.main.loop().clock().mono_ms());
}

void Statistics::on_timer(base::MonoMs now) {
  parts_.main.loop().timers().schedule(*this, now + kIntervalMs);
  auto round = std::make_shared<Round>();
  round->began_ms = now;
  round->open = parts_.workers.size();
  round->busy_ms.resize(parts_.workers.size());
  for (std::size_t i = 0; i < parts_.workers.size(); ++i) {
    LoopWorker* worker = parts_.workers[i];
    worker->loop().post([worker, i, &home = parts_.main.loop(), round, self = std::weak_ptr<Statistics*>(self_)] {
      const base::MonoMs here_ms = home.clock().mono_ms();
      home.post([report = worker->report(), i, here_ms, round, self] {
        round->sum += report;
        round->busy_ms[i] = report.busy_ms;
        round->delays_ms.push_back(here_ms - round->began_ms);
        const auto alive = self.lock();
        if (--round->open == 0 && alive != nullptr) (*alive)->take(*round);
      });
    });
  }
}

// All loops have answered.
void Statistics::take(Round& round) {
  Snapshot next;
  next.at_ms = parts_.main.loop().clock().wall_ms();
  next.sum = round.sum;
  next.refusals = parts_.log.refusals();
  next.connections = parts_.budget.open.load(std::memory_order_relaxed);
  const std::int64_t passed = std::max<std::int64_t>(round.began_ms - last_round_ms_, 1);
  for (std::size_t i = 0; i < round.busy_ms.size(); ++i) {
    const std::int64_t worked = round.busy_ms[i] - last_loops_[i].busy_ms;
    next.loops.push_back(
        {round.busy_ms[i], std::clamp(static_cast<double>(worked) / static_cast<double>(passed), 0.0, 1.0)});
  }
  last_round_ms_ = round.began_ms;
  last_loops_ = next.loops;
  for (const std::int64_t delay : round.delays_ms) loop_delay_ms_.observe(delay);
  next.loop_delay_ms = loop_delay_ms_;
  std::string text = sample_text(next);
  parts_.hub.tell_statistics(text);
  parts_.system_topics.take(next.sum);
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(next);
  samples_.push_back(std::move(text));
  if (samples_.size() > kSamplesKept) samples_.pop_front();
}

std::string Statistics::sample_text(const Snapshot& snapshot) {
  const metrics::LoopCounters& gateway = snapshot.sum.gateway;
  boost::json::object refusals, dropped;
  for (const auto& [name, count] : snapshot.refusals) refusals[name] = count;
  for (const auto& [name, count] : drops(snapshot.sum.counters)) dropped[name] = count;
  boost::json::array busy;
  for (const LoopView& loop : snapshot.loops) busy.push_back(loop.busy_share);
  const boost::json::object sample{{"time", base::utc_time(snapshot.at_ms)},
                                   {"connections", snapshot.connections},
                                   {"devicesOnline", snapshot.sum.counters.devices_connected},
                                   {"sessions", snapshot.sum.sessions},
                                   {"subscriptions", snapshot.sum.subscriptions},
                                   {"messagesIn", total(gateway.messages_in)},
                                   {"messagesOut", total(gateway.messages_out)},
                                   {"bytesIn", total(gateway.bytes_in)},
                                   {"bytesOut", total(gateway.bytes_out)},
                                   {"connects", total(gateway.connects)},
                                   {"refusals", std::move(refusals)},
                                   {"dropped", std::move(dropped)},
                                   {"loopBusy", std::move(busy)}};
  return boost::json::serialize(sample);
}

std::string Statistics::samples(std::size_t seconds) const {
  const std::lock_guard lock(mutex_);
  std::string out = R"({"interval":1,"items":[)";
  const std::size_t first = samples_.size() - std::min(samples_.size(), seconds);
  for (std::size_t i = first; i < samples_.size(); ++i) {
    if (i > first) out += ',';
    out += samples_[i];
  }
  return out + "]}";
}

Statistics::Totals Statistics::totals() const {
  const std::lock_guard lock(mutex_);
  return {snapshot_.connections, snapshot_.sum.sessions, snapshot_.sum.subscriptions, parts_.retained.size()};
}

namespace {

void write_connections(metrics::Families& families, const metrics::ConnectionCounts& connections,
                       const gateway::ConnectionBudget& budget) {
  for (std::size_t i = 0; i < connections.size(); ++i) {
    for (std::size_t k = 0; k < connections[i].size(); ++k) {
      families.gauge("mooring_connections", "Open connections, by what they speak and how far they are.",
                     static_cast<double>(connections[i][k]),
                     {{"transport", metrics::kTransportNames[i]}, {"state", metrics::kConnectionStateNames[k]}});
    }
  }
  families.counter("mooring_connections_refused_total", "Connections over limits.max_connections.",
                   static_cast<double>(budget.refused.load(std::memory_order_relaxed)));
}

void write_clients(metrics::Families& families, const LoopReport& sum) {
  const metrics::LoopCounters& gateway = sum.gateway;
  for (std::size_t i = 0; i < metrics::kChannelNames.size(); ++i) {
    families.gauge("mooring_clients", "MQTT clients that are signed in.", static_cast<double>(gateway.connected[i]),
                   {{"transport", metrics::kChannelNames[i]}});
  }
  families.gauge("mooring_devices_online", "Devices that are signed in.",
                 static_cast<double>(sum.counters.devices_connected));
  for (std::size_t i = 0; i < metrics::kChannelNames.size(); ++i) {
    families.counter("mooring_connects_total", "CONNECTs that were accepted.", static_cast<double>(gateway.connects[i]),
                     {{"transport", metrics::kChannelNames[i]}});
  }
  families.counter("mooring_connects_refused_total", "CONNECTs that were refused.",
                   static_cast<double>(gateway.refused_connects));
  families.histogram("mooring_connect_seconds", "From CONNECT to CONNACK, of those that were accepted.",
                     gateway.connect_ms);
  families.gauge("mooring_sessions", "MQTT sessions, with a connection and without.",
                 static_cast<double>(sum.sessions));
  families.gauge("mooring_subscriptions", "Subscriptions of all sessions.", static_cast<double>(sum.subscriptions));
}

void write_messages(metrics::Families& families, const LoopReport& sum) {
  const metrics::LoopCounters& gateway = sum.gateway;
  const auto by_qos = [&](const char* name, const char* help, const auto& in, const auto& out) {
    for (std::size_t qos = 0; qos < in.size(); ++qos) {
      families.counter(name, help, static_cast<double>(in[qos]), {{"direction", "in"}, {"qos", std::to_string(qos)}});
      families.counter(name, help, static_cast<double>(out[qos]), {{"direction", "out"}, {"qos", std::to_string(qos)}});
    }
  };
  by_qos("mooring_messages_total", "PUBLISH packets from clients (in) and to them (out).", gateway.messages_in,
         gateway.messages_out);
  by_qos("mooring_message_bytes_total", "Bytes of their payloads.", gateway.bytes_in, gateway.bytes_out);
  for (const auto& [reason, count] : drops(sum.counters)) {
    families.counter("mooring_messages_dropped_total", "Messages that did not reach somebody, by reason.",
                     static_cast<double>(count), {{"reason", reason}});
  }
  families.histogram("mooring_delivery_seconds",
                     "From a PUBLISH that was read to its writing to a subscriber who was there.", gateway.delivery_ms);
  families.gauge("mooring_messages_waiting", "Messages of QoS 1 and 2 that wait for their clients.",
                 static_cast<double>(sum.queued.messages));
  families.gauge("mooring_message_bytes_waiting", "What holding them costs.", static_cast<double>(sum.queued.bytes));
  families.counter("mooring_subscribes_refused_total", "Topic filters that were refused.",
                   static_cast<double>(sum.counters.refused_filters));
}

void write_tls(metrics::Families& families, const metrics::LoopCounters& gateway) {
  for (std::size_t i = 0; i < metrics::kTlsVersionNames.size(); ++i) {
    families.counter("mooring_tls_handshakes_total", "TLS handshakes that succeeded, by version.",
                     static_cast<double>(gateway.handshakes[i]), {{"version", metrics::kTlsVersionNames[i]}});
  }
  families.counter("mooring_tls_handshakes_resumed_total", "Those of them that resumed an earlier session.",
                   static_cast<double>(gateway.handshakes_resumed));
  families.counter("mooring_tls_handshakes_legacy_total", "Those of them with RSA key exchange or a CBC cipher.",
                   static_cast<double>(gateway.handshakes_legacy));
  families.counter("mooring_tls_handshakes_failed_total", "TLS handshakes that failed.",
                   static_cast<double>(gateway.handshakes_failed));
}

void write_store(metrics::Families& families, const storage::RocksSessionStore::Stats& store) {
  families.histogram("mooring_store_commit_seconds", "Time of the session store's commits.", store.commit_us);
  families.counter("mooring_store_syncs_total", "Commits that waited for the disk.", static_cast<double>(store.syncs));
  families.counter("mooring_store_messages_written_total", "Messages and records written by the session store.",
                   static_cast<double>(store.appended));
  families.counter("mooring_store_messages_spared_total", "Messages acknowledged before they had to be written.",
                   static_cast<double>(store.withdrawn));
  families.counter("mooring_store_failures_total", "Writes that the session store refused.",
                   static_cast<double>(store.failed));
  families.gauge("mooring_store_queue_length", "Calls that wait for the session store.",
                 static_cast<double>(store.queued));
  families.gauge("mooring_store_message_bytes", "About what stored messages occupy on the disk.",
                 static_cast<double>(store.queue_bytes));
  families.gauge("mooring_disk_free_bytes", "What is free on the disk of the data folder.",
                 static_cast<double>(store.disk_free_bytes));
  families.gauge("mooring_store_healthy", "1 when the last write of the session store went well.",
                 store.healthy ? 1 : 0);
}

void write_registry(metrics::Families& families, const registry::ServiceCounters& registry) {
  families.counter("mooring_registry_lookups_total", "Look-ups of the registry.",
                   static_cast<double>(registry.lookups));
  families.counter("mooring_registry_refused_total", "Asks of the registry that found its queue full.",
                   static_cast<double>(registry.refused));
  families.counter("mooring_registry_presence_events_total", "Comings and goings of devices for the registry.",
                   static_cast<double>(registry.presence_events));
  families.counter("mooring_registry_presence_dropped_total", "Those of them that could not be recorded.",
                   static_cast<double>(registry.presence_dropped));
  const std::pair<const char*, std::size_t> queues[]{{"reads", registry.reads_waiting},
                                                     {"reports", registry.reports_waiting},
                                                     {"changes", registry.writes_waiting},
                                                     {"presence", registry.presence_waiting}};
  for (const auto& [name, waiting] : queues) {
    families.gauge("mooring_registry_queue_length", "What waits for the registry.", static_cast<double>(waiting),
                   {{"queue", name}});
  }
}

void write_log(metrics::Families& families, const journal::JournalCounters& log) {
  families.counter("mooring_device_log_events_total", "Events that were reported to the device log.",
                   static_cast<double>(log.recorded));
  families.counter("mooring_device_log_dropped_total", "Those of them that found its queue full.",
                   static_cast<double>(log.dropped));
  families.counter("mooring_device_log_lost_total", "Those of them that the disk refused.",
                   static_cast<double>(log.lost));
}

}  // namespace

std::string Statistics::prometheus_text() const {
  metrics::Families families;
  const std::lock_guard lock(mutex_);
  families.gauge("mooring_build_info", "Always 1; the version is a label.", 1, {{"version", MOORING_VERSION}});
  families.gauge("process_start_time_seconds", "When the server started, in seconds since 1970.",
                 static_cast<double>(started_ms_) / 1000.0);
  write_connections(families, snapshot_.sum.gateway.connections, parts_.budget);
  write_clients(families, snapshot_.sum);
  for (const auto& [name, count] : snapshot_.refusals) {
    families.counter("mooring_sign_ins_refused_total", "Refused sign-ins and registrations, by cause.",
                     static_cast<double>(count), {{"cause", name}});
  }
  write_messages(families, snapshot_.sum);
  families.gauge("mooring_retained_messages", "Retained messages.", static_cast<double>(parts_.retained.size()));
  write_tls(families, snapshot_.sum.gateway);
  for (std::size_t i = 0; i < snapshot_.loops.size(); ++i) {
    families.counter("mooring_loop_busy_seconds_total", "Time that an event loop worked; its rate is its utilisation.",
                     static_cast<double>(snapshot_.loops[i].busy_ms) / 1000.0, {{"loop", std::to_string(i)}});
  }
  families.histogram("mooring_loop_delay_seconds", "How long a task waited for its loop, asked once a second.",
                     snapshot_.loop_delay_ms);
  write_store(families, parts_.store.stats());
  write_registry(families, parts_.registry.counters());
  for (const auto& [name, checker] : {std::pair{"mqtt", &parts_.passwords}, std::pair{"api", &parts_.api_passwords}}) {
    families.gauge("mooring_passwords_waiting", "Passwords that wait to be compared.",
                   static_cast<double>(checker->waiting()), {{"for", name}});
  }
  write_log(families, parts_.journal.counters());
  return families.text();
}

}  // namespace mooring::server
