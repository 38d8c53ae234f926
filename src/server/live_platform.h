// LivePlatform: what the admin API shows and asks of the running server. Thread-safe; the questions wait for the loops,
// at most two seconds.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "api/platform.h"
#include "server/certificates.h"
#include "server/listeners.h"
#include "server/loop_worker.h"
#include "server/options.h"
#include "server/statistics.h"

namespace mooring::server {

class LivePlatform final : public api::Platform {
 public:
  // `statistics` and the workers outlive it.
  LivePlatform(const Statistics& statistics, std::vector<LoopWorker*> workers, const base::Clock& clock);

  // On the main thread, at start and when something of it changed.
  void set_options(const Options& options);
  void set_listeners(const std::vector<RunningListener>& listeners);
  void set_certificates(const Certificates& certificates);

  api::ServerFacts server() override;
  api::CertificatesFacts certificates() override;
  std::vector<api::OptionFacts> configuration() override;
  std::string configuration_file() override;
  api::SessionsFacts sessions_of_device(const base::DeviceKey& device) override;
  api::SessionsFacts sessions_of_account(const std::string& account) override;
  base::Result<> publish(const std::string& topic, const std::string& payload, unsigned qos, bool retain) override;

 private:
  using Question = std::function<void(broker::Broker&, api::SessionsFacts&)>;
  api::SessionsFacts ask_loops(Question question);

  const Statistics& statistics_;
  const std::vector<LoopWorker*> workers_;
  const base::WallMs started_ms_;
  std::mutex mutex_;  // of all below
  Options options_;
  std::vector<RunningListener> listeners_;
  api::CertificatesFacts certificates_;
};

}  // namespace mooring::server
