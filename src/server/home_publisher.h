// HomePublisher: brings a message that came over HTTP to the broker of its device's home loop, and the outcome back.
#pragma once

#include <utility>
#include <vector>

#include "deviceapi/publish_port.h"
#include "server/loop_worker.h"
#include "session/ports.h"

namespace mooring::server {

class HomePublisher final : public deviceapi::PublishPort {
 public:
  // The loops that are homes, by id, before any of them runs. They outlive every publish().
  void set_homes(std::vector<LoopWorker*> homes) { homes_ = std::move(homes); }

  void publish(deviceapi::DevicePublish message, base::Executor& reply_to, Done done) override {
    const auto home = session::device_home_loop(message.device.product_key, message.device.device_name,
                                                static_cast<session::LoopId>(homes_.size()));
    LoopWorker* worker = homes_.at(home);
    worker->loop().post([worker, message = std::move(message), &reply_to, done = std::move(done)]() mutable {
      auto answer = [&reply_to, done = std::move(done)](deviceapi::PublishOutcome outcome) mutable {
        reply_to.post([done = std::move(done), outcome]() mutable { done(outcome); });
      };
      if (worker->broker().detached_over_rate(message.device, message.topic, worker->device_rules(message.standard))) {
        answer(deviceapi::PublishOutcome::kThrottled);
        return;
      }
      worker->broker().publish_detached(
          {message.device, message.topic, base::as_bytes(message.payload), message.hears_itself},
          [answer = std::move(answer)](bool safe) mutable {
            answer(safe ? deviceapi::PublishOutcome::kSafe : deviceapi::PublishOutcome::kFailed);
          });
    });
  }

 private:
  std::vector<LoopWorker*> homes_;
};

}  // namespace mooring::server
