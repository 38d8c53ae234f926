#include "server/deleted_sessions.h"

#include <atomic>
#include <memory>
#include <utility>

#include "base/log.h"
#include "session/ports.h"

namespace mooring::server {

// One round: the devices that were forgotten are confirmed when the last one was answered for.
struct DeletedSessions::Batch {
  std::size_t waiting = 0;
  bool failed = false;
  Devices forgotten;
};

void DeletedSessions::drain() {
  home_.loop().post([this] {
    if (busy_) {
      asked_again_ = true;
      return;
    }
    busy_ = true;
    fetch();
  });
}

void DeletedSessions::fetch() {
  asked_again_ = false;
  // On the writer's thread although it only reads: there a deletion that is visible has also been told to the loops.
  registry_.run<Devices>(
      [](registry::Registry& registry) { return registry.deleted_devices(kBatchDevices); }, home_.loop(),
      [this](base::Result<Devices> devices) {
        if (!devices) {
          base::log_error("server", "cannot read which devices were deleted: {}", devices.error().message);
          retry_later();
        } else if (!devices->empty()) {
          wait_for_loops(std::move(*devices));
        } else if (asked_again_) {
          fetch();
        } else {
          busy_ = false;
        }
      });
}

// Until every loop has closed the connections of these devices. Otherwise one could be told that it was displaced, or
// a sign-in under way could store the session again.
void DeletedSessions::wait_for_loops(Devices devices) {
  struct Round {
    std::atomic<std::size_t> left{0};
    Devices devices;
  };
  auto round = std::make_shared<Round>();
  round->left = workers_.size();
  round->devices = std::move(devices);
  for (LoopWorker* worker : workers_) {
    worker->loop().post([this, round] {
      if (round->left.fetch_sub(1) != 1) return;
      home_.loop().post([this, round] { forget(std::move(round->devices)); });
    });
  }
}

void DeletedSessions::forget(Devices devices) {
  auto batch = std::make_shared<Batch>();
  batch->waiting = devices.size();
  for (registry::DeletedDevice& device : devices) {
    const session::SessionKey key =
        session::device_session_key(device.key.product_key, device.key.device_name, device.life);
    home_.broker().forget_session(key, [this, batch, device = std::move(device)](bool erased) mutable {
      if (erased) {
        batch->forgotten.push_back(std::move(device));
      } else {
        batch->failed = true;
      }
      if (--batch->waiting == 0) confirm(*batch);
    });
  }
}

void DeletedSessions::confirm(Batch& batch) {
  registry_.run<void>([devices = std::move(batch.forgotten)](
                          registry::Registry& registry) { return registry.confirm_deleted(devices); },
                      home_.loop(),
                      [this, failed = batch.failed](base::Result<> confirmed) {
                        if (!confirmed)
                          base::log_error("server", "cannot confirm deletions: {}", confirmed.error().message);
                        if (failed || !confirmed) {
                          retry_later();
                        } else {
                          fetch();
                        }
                      });
}

void DeletedSessions::retry_later() {
  home_.loop().timers().schedule(*this, home_.loop().now_ms() + kRetryMs);
}

void DeletedSessions::on_timer(base::MonoMs) {
  fetch();
}

}  // namespace mooring::server
