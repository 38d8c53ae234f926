#include "server/live_platform.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "base/log.h"
#include "crypto/certificate.h"
#include "mqtt/packet.h"
#include "mqtt/topic.h"
#include "server/option_table.h"

namespace mooring::server {
namespace {

constexpr auto kAnswerWait = std::chrono::seconds(2);

std::string text_of(ListenerTls tls) {
  switch (tls) {
    case ListenerTls::kAuto:
      return "auto";
    case ListenerTls::kRequired:
      return "required";
    case ListenerTls::kOff:
      return "off";
  }
  return "auto";
}

api::CertificateFacts facts_of(std::string name, const crypto::CertificateInfo& info) {
  api::CertificateFacts facts;
  facts.name = std::move(name);
  facts.subject = info.subject;
  facts.issuer = info.issuer;
  facts.key_type = info.key_type;
  facts.fingerprint = info.sha256_fingerprint;
  facts.names = info.dns_names;
  facts.not_before_ms = info.not_before_ms;
  facts.not_after_ms = info.not_after_ms;
  facts.names.insert(facts.names.end(), info.ip_addresses.begin(), info.ip_addresses.end());
  return facts;
}

api::SessionFacts facts_of(broker::SessionView&& view) {
  api::SessionFacts facts;
  facts.client_id = std::move(view.client_id);
  facts.connected = view.connected;
  if (view.connected) {
    facts.transport = view.websocket ? (view.tls ? "wss" : "ws") : (view.tls ? "tls" : "tcp");
    facts.protocol = mqtt::version_name(view.version);
  }
  facts.address = std::move(view.address);
  facts.clean_session = view.clean_session;
  facts.keep_alive_s = view.keep_alive_s;
  facts.offline_since_ms = view.since_ms;
  facts.expiry_s = view.expiry_s;
  facts.queued_messages = view.queued_messages;
  facts.queued_bytes = view.queued_bytes;
  facts.in_flight = view.in_flight;
  facts.more_subscriptions = view.more_subscriptions;
  for (broker::SessionView::Subscription& one : view.subscriptions) {
    facts.subscriptions.push_back({std::move(one.filter), one.qos, one.automatic});
  }
  return facts;
}

}  // namespace

LivePlatform::LivePlatform(const Statistics& statistics, std::vector<LoopWorker*> workers, const base::Clock& clock)
    : statistics_(statistics), workers_(std::move(workers)), started_ms_(clock.wall_ms()) {}

void LivePlatform::set_options(const Options& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
}

void LivePlatform::set_listeners(const std::vector<RunningListener>& listeners) {
  const std::lock_guard lock(mutex_);
  listeners_ = listeners;
}

void LivePlatform::set_certificates(const Certificates& certificates) {
  api::CertificatesFacts facts;
  facts.built_in = certificates.built_in();
  facts.root_pem = certificates.root_pem();
  if (const auto root = crypto::parse_certificate(facts.root_pem); !facts.root_pem.empty() && root) {
    facts.root = facts_of(certificates.root_file().filename().string(), *root);
  }
  for (const auto& [name, pem] : certificates.server_certificates()) {
    if (const auto info = crypto::parse_certificate(pem)) facts.items.push_back(facts_of(name, *info));
  }
  const std::lock_guard lock(mutex_);
  certificates_ = std::move(facts);
}

api::ServerFacts LivePlatform::server() {
  api::ServerFacts facts;
  const Statistics::Totals totals = statistics_.totals();
  facts.version = MOORING_VERSION;
  facts.started_ms = started_ms_;
  facts.threads = workers_.size() - 1;  // one loop is for administration
  facts.connections = totals.connections;
  facts.sessions = totals.sessions;
  facts.subscriptions = totals.subscriptions;
  facts.retained_messages = totals.retained_messages;
  const std::lock_guard lock(mutex_);
  facts.region = options_.server.region;
  facts.instance_id = options_.server.instance_id;
  facts.public_host = options_.server.public_host;
  facts.public_port = options_.server.public_port;
  facts.limits_profile = options_.limits.profile == LimitsProfile::kOpen ? "open" : "aliyun";
  facts.durability = options_.durability.mode == DurabilityMode::kDisk      ? "disk"
                     : options_.durability.mode == DurabilityMode::kProcess ? "process"
                                                                            : "memory";
  for (const RunningListener& one : listeners_) {
    facts.listeners.push_back({one.address.host(), one.address.port(), text_of(one.tls), one.legacy_tls});
  }
  return facts;
}

api::CertificatesFacts LivePlatform::certificates() {
  const std::lock_guard lock(mutex_);
  return certificates_;
}

std::vector<api::OptionFacts> LivePlatform::configuration() {
  const std::lock_guard lock(mutex_);
  const Options defaults;
  std::vector<api::OptionFacts> out;
  const auto add = [&](const OptionRow& row, std::string key, const std::string& origin_key, std::size_t listener) {
    const auto origin = options_.origins.find(origin_key);
    out.push_back({std::move(key), value_as_toml(row, options_, listener), value_as_toml(row, defaults),
                   origin == options_.origins.end() ? "default" : origin->second, row.reload == Reload::kYes,
                   std::string(row.text)});
  };
  for (const OptionRow& row : option_table()) {
    if (!is_listener_row(row)) {
      add(row, std::string(row.name), std::string(row.name), 0);
      continue;
    }
    for (std::size_t i = 0; i < options_.listeners.size(); ++i) {
      const std::string key =
          "listener[" + std::to_string(i) + "]." + std::string(row.name.substr(kListenerPrefix.size()));
      add(row, key, key, i);
    }
  }
  return out;
}

std::string LivePlatform::configuration_file() {
  const std::lock_guard lock(mutex_);
  return options_.sources.config_file.value_or(std::string());
}

api::SessionsFacts LivePlatform::ask_loops(Question question) {
  struct Round {
    std::mutex mutex;
    std::size_t open = 0;
    api::SessionsFacts found;
    std::promise<void> done;
  };
  auto round = std::make_shared<Round>();
  round->open = workers_.size();
  auto done = round->done.get_future();
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, round, question] {
      api::SessionsFacts here;
      question(worker->broker(), here);
      const std::lock_guard lock(round->mutex);
      for (api::SessionFacts& one : here.items) round->found.items.push_back(std::move(one));
      round->found.more += here.more;
      if (--round->open == 0) round->done.set_value();
    });
  }
  const bool complete = done.wait_for(kAnswerWait) == std::future_status::ready;
  const std::lock_guard lock(round->mutex);
  api::SessionsFacts found = std::move(round->found);
  found.complete = complete;
  if (found.items.size() > api::kSessionsShownMax) {
    found.more += found.items.size() - api::kSessionsShownMax;
    found.items.resize(api::kSessionsShownMax);
  }
  return found;
}

api::SessionsFacts LivePlatform::sessions_of_device(const base::DeviceKey& device) {
  return ask_loops([device](broker::Broker& broker, api::SessionsFacts& found) {
    if (auto view = broker.describe_device(device, api::kSubscriptionsShownMax)) {
      found.items.push_back(facts_of(std::move(*view)));
    }
  });
}

api::SessionsFacts LivePlatform::sessions_of_account(const std::string& account) {
  return ask_loops([account](broker::Broker& broker, api::SessionsFacts& found) {
    std::size_t more = 0;
    for (auto& view : broker.describe_account(account, api::kSessionsShownMax, api::kSubscriptionsShownMax, more)) {
      found.items.push_back(facts_of(std::move(view)));
    }
    found.more += more;
  });
}

base::Result<> LivePlatform::publish(const std::string& topic, const std::string& payload, unsigned qos, bool retain) {
  if (!mqtt::is_valid_topic_name(topic) || topic.starts_with('$')) {
    return base::fail(base::Errc::kInvalidArgument,
                      "'topic' must be the name of a topic, without wildcards and not "
                      "beginning with $");
  }
  {
    const std::lock_guard lock(mutex_);
    if (payload.size() > options_.mqtt.account_payload_bytes) {
      return base::fail(base::Errc::kInvalidArgument, "the payload is over mqtt.account_payload_bytes");
    }
  }
  LoopWorker& main = *workers_.back();
  main.loop().post([&main, topic, payload, qos, retain] {
    main.broker().publish_internal(topic, payload, static_cast<std::uint8_t>(qos), retain);
  });
  return {};
}

}  // namespace mooring::server
