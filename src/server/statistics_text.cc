#include "server/statistics_text.h"

#include <array>
#include <boost/json.hpp>
#include <initializer_list>
#include <numeric>

#include "base/utc_time.h"
#include "metrics/families.h"

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

LoopView view_of(const LoopReport& report) {
  LoopView view;
  view.busy_ms = report.busy_ms;
  for (const auto& of_transport : report.gateway.connections) view.connections += total(of_transport);
  view.accepted = report.gateway.accepted;
  view.wake_ups = report.wake_ups;
  view.arrivals = report.arrivals;
  return view;
}

std::string sample_text(const StatisticsSnapshot& snapshot) {
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

namespace {

// A value without labels.
struct Figure {
  const char* name;
  const char* help;
  std::uint64_t value;
};
void add_counters(metrics::Families& families, std::initializer_list<Figure> figures) {
  for (const Figure& one : figures) families.counter(one.name, one.help, static_cast<double>(one.value));
}
void add_gauges(metrics::Families& families, std::initializer_list<Figure> figures) {
  for (const Figure& one : figures) families.gauge(one.name, one.help, static_cast<double>(one.value));
}

void write_connections(metrics::Families& families, const metrics::ConnectionCounts& connections,
                       std::uint64_t refused) {
  for (std::size_t i = 0; i < connections.size(); ++i) {
    for (std::size_t k = 0; k < connections[i].size(); ++k) {
      families.gauge("mooring_connections", "Open connections, by what they speak and how far they are.",
                     static_cast<double>(connections[i][k]),
                     {{"transport", metrics::kTransportNames[i]}, {"state", metrics::kConnectionStateNames[k]}});
    }
  }
  add_counters(families, {{"mooring_connections_refused_total", "Connections over limits.max_connections.", refused}});
}

void write_clients(metrics::Families& families, const LoopReport& sum) {
  const metrics::LoopCounters& gateway = sum.gateway;
  for (std::size_t i = 0; i < metrics::kChannelNames.size(); ++i) {
    families.gauge("mooring_clients", "MQTT clients that are signed in.", static_cast<double>(gateway.connected[i]),
                   {{"transport", metrics::kChannelNames[i]}});
  }
  add_gauges(families, {{"mooring_devices_online", "Devices that are signed in.", sum.counters.devices_connected}});
  for (std::size_t i = 0; i < metrics::kChannelNames.size(); ++i) {
    families.counter("mooring_connects_total", "CONNECTs that were accepted.", static_cast<double>(gateway.connects[i]),
                     {{"transport", metrics::kChannelNames[i]}});
  }
  add_counters(families, {{"mooring_connects_refused_total", "CONNECTs that were refused.", gateway.refused_connects}});
  families.histogram("mooring_connect_seconds", "From CONNECT to CONNACK, of those that were accepted.",
                     gateway.connect_ms);
  add_gauges(families, {{"mooring_sessions", "MQTT sessions, with a connection and without.", sum.sessions},
                        {"mooring_subscriptions", "Subscriptions of all sessions.", sum.subscriptions}});
}

void write_refusals(metrics::Families& families, const StatisticsSnapshot& snapshot) {
  for (const auto& [name, count] : snapshot.refusals) {
    families.counter("mooring_sign_ins_refused_total", "Refused sign-ins and registrations, by cause.",
                     static_cast<double>(count), {{"cause", name}});
  }
}

void write_by_qos(metrics::Families& families, const char* name, const char* help,
                  const std::array<std::uint64_t, 3>& in, const std::array<std::uint64_t, 3>& out) {
  for (std::size_t qos = 0; qos < in.size(); ++qos) {
    families.counter(name, help, static_cast<double>(in[qos]), {{"direction", "in"}, {"qos", std::to_string(qos)}});
    families.counter(name, help, static_cast<double>(out[qos]), {{"direction", "out"}, {"qos", std::to_string(qos)}});
  }
}

void write_messages(metrics::Families& families, const LoopReport& sum) {
  const metrics::LoopCounters& gateway = sum.gateway;
  write_by_qos(families, "mooring_messages_total", "PUBLISH packets from clients (in) and to them (out).",
               gateway.messages_in, gateway.messages_out);
  write_by_qos(families, "mooring_message_bytes_total", "Bytes of their payloads.", gateway.bytes_in,
               gateway.bytes_out);
  for (const auto& [reason, count] : drops(sum.counters)) {
    families.counter("mooring_messages_dropped_total", "Messages that did not reach somebody, by reason.",
                     static_cast<double>(count), {{"reason", reason}});
  }
  families.histogram("mooring_delivery_seconds",
                     "From a PUBLISH that was read to its writing to a subscriber who was there.", gateway.delivery_ms);
  add_gauges(families,
             {{"mooring_messages_waiting", "Messages of QoS 1 and 2 that wait for their clients.", sum.queued.messages},
              {"mooring_message_bytes_waiting", "What holding them costs.", sum.queued.bytes}});
  add_counters(families, {{"mooring_subscribes_refused_total", "Topic filters that were refused.",
                           sum.counters.refused_filters}});
}

void write_tls(metrics::Families& families, const metrics::LoopCounters& gateway) {
  for (std::size_t i = 0; i < metrics::kTlsVersionNames.size(); ++i) {
    families.counter("mooring_tls_handshakes_total", "TLS handshakes that succeeded, by version.",
                     static_cast<double>(gateway.handshakes[i]), {{"version", metrics::kTlsVersionNames[i]}});
  }
  add_counters(families,
               {{"mooring_tls_handshakes_resumed_total", "Those of them that resumed an earlier session.",
                 gateway.handshakes_resumed},
                {"mooring_tls_handshakes_legacy_total", "Those of them with RSA key exchange or a CBC cipher.",
                 gateway.handshakes_legacy},
                {"mooring_tls_handshakes_failed_total", "TLS handshakes that failed.", gateway.handshakes_failed}});
}

void write_loops(metrics::Families& families, const StatisticsSnapshot& snapshot) {
  for (std::size_t i = 0; i < snapshot.loops.size(); ++i) {
    const LoopView& loop = snapshot.loops[i];
    const metrics::Families::Labels labels{{"loop", std::to_string(i)}};
    families.counter("mooring_loop_busy_seconds_total", "Time that an event loop worked; its rate is its utilisation.",
                     static_cast<double>(loop.busy_ms) / 1000.0, labels);
    families.gauge("mooring_loop_connections", "Open connections of an event loop.",
                   static_cast<double>(loop.connections), labels);
    families.counter("mooring_loop_accepted_total",
                     "Connections that an event loop accepted; most go on on the home loop of their session.",
                     static_cast<double>(loop.accepted), labels);
    families.counter("mooring_loop_wakeups_total", "How often other threads called an event loop.",
                     static_cast<double>(loop.wake_ups), labels);
    families.counter("mooring_loop_remote_messages_total", "Messages that other event loops sent to this one.",
                     static_cast<double>(loop.arrivals.messages), labels);
    families.counter("mooring_loop_remote_batches_total", "In how many batches they and changes of interest came.",
                     static_cast<double>(loop.arrivals.batches), labels);
  }
  families.histogram("mooring_loop_delay_seconds", "How long a task waited for its loop, asked once a second.",
                     snapshot.loop_delay_ms);
  families.histogram("mooring_loop_turn_seconds",
                     "How long turns of the event loops took: what comes meanwhile waits for the rest of one.",
                     snapshot.sum.gateway.turn_ms);
}

void write_store(metrics::Families& families, const storage::RocksSessionStore::Stats& store) {
  families.histogram("mooring_store_commit_seconds", "Time of the session store's commits.", store.commit_us);
  add_counters(
      families,
      {{"mooring_store_syncs_total", "Commits that waited for the disk.", store.syncs},
       {"mooring_store_messages_written_total", "Messages and records written by the session store.", store.appended},
       {"mooring_store_messages_spared_total", "Messages acknowledged before they had to be written.", store.withdrawn},
       {"mooring_store_failures_total", "Writes that the session store refused.", store.failed}});
  add_gauges(
      families,
      {{"mooring_store_queue_length", "Calls that wait for the session store.", store.queued},
       {"mooring_store_message_bytes", "About what stored messages occupy on the disk.", store.queue_bytes},
       {"mooring_disk_free_bytes", "What is free on the disk of the data folder.", store.disk_free_bytes},
       {"mooring_store_healthy", "1 when the last write of the session store went well.", store.healthy ? 1U : 0U}});
}

void write_registry(metrics::Families& families, const registry::ServiceCounters& registry) {
  add_counters(families,
               {{"mooring_registry_lookups_total", "Look-ups of the registry.", registry.lookups},
                {"mooring_registry_refused_total", "Asks of the registry that found its queue full.", registry.refused},
                {"mooring_registry_presence_events_total", "Comings and goings of devices for the registry.",
                 registry.presence_events},
                {"mooring_registry_presence_dropped_total", "Those of them that could not be recorded.",
                 registry.presence_dropped}});
  const std::pair<const char*, std::size_t> queues[]{{"reads", registry.reads_waiting},
                                                     {"reports", registry.reports_waiting},
                                                     {"changes", registry.writes_waiting},
                                                     {"presence", registry.presence_waiting}};
  for (const auto& [name, waiting] : queues) {
    families.gauge("mooring_registry_queue_length", "What waits for the registry.", static_cast<double>(waiting),
                   {{"queue", name}});
  }
}

void write_passwords(metrics::Families& families, const SharedFigures& shared) {
  const std::pair<const char*, std::uint64_t> queues[]{{"mqtt", shared.passwords_waiting},
                                                       {"api", shared.api_passwords_waiting}};
  for (const auto& [name, waiting] : queues) {
    families.gauge("mooring_passwords_waiting", "Passwords that wait to be compared.", static_cast<double>(waiting),
                   {{"for", name}});
  }
}

void write_log(metrics::Families& families, const journal::JournalCounters& log) {
  add_counters(families,
               {{"mooring_device_log_events_total", "Events that were reported to the device log.", log.recorded},
                {"mooring_device_log_dropped_total", "Those of them that found its queue full.", log.dropped},
                {"mooring_device_log_lost_total", "Those of them that the disk refused.", log.lost}});
}

}  // namespace

std::string prometheus_text(const StatisticsSnapshot& snapshot, const SharedFigures& shared) {
  metrics::Families families;
  families.gauge("mooring_build_info", "Always 1; the version is a label.", 1, {{"version", MOORING_VERSION}});
  families.gauge("process_start_time_seconds", "When the server started, in seconds since 1970.",
                 static_cast<double>(shared.started_ms) / 1000.0);
  write_connections(families, snapshot.sum.gateway.connections, shared.connections_refused);
  write_clients(families, snapshot.sum);
  write_refusals(families, snapshot);
  write_messages(families, snapshot.sum);
  add_gauges(families, {{"mooring_retained_messages", "Retained messages.", shared.retained_messages}});
  write_tls(families, snapshot.sum.gateway);
  write_loops(families, snapshot);
  write_store(families, shared.store);
  write_registry(families, shared.registry);
  write_passwords(families, shared);
  write_log(families, shared.log);
  return families.text();
}

}  // namespace mooring::server
