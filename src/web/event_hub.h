// EventHub: live events for the console and for scripts, as server-sent events (WHATWG HTML section 9.2).
//
//   event: statistics   each second: what the server does, as GET /api/v1/statistics shows it
//   event: device       a device came or went, or was enabled, disabled, changed, reset or deleted
//   event: log          a new or changed entry of one device's log; its id is the entry's revision
//   event: gap          so many events were left out for this reader
//
// Readers never slow anybody down: whoever tells something posts a shared text to the reader's loop and forgets it.
// What a reader has not taken yet is bounded in tasks and bytes; beyond it is told, as soon as it takes something, how
// many events are missing. While nobody listens, telling costs one load of an atomic. The log of a device goes on from
// the revision that a reader has seen (Last-Event-ID), without loss and without repeating, as far as one page reaches;
// all else is not repeated: after a gap or a reconnect the reader asks anew.
//
// note_device() and note_changes() may be called on any thread, open() on any loop, the rest on the main loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "http/handler.h"
#include "journal/device_log.h"
#include "net/loop.h"
#include "registry/registry.h"

namespace mooring::web {

class EventHub final : private net::Timer {
 public:
  static constexpr std::size_t kReadersMax = 256;
  static constexpr std::size_t kReadersPerCallerMax = 16;
  static constexpr std::size_t kUnsentBytesMax = 256 * 1024;
  static constexpr std::uint32_t kPostedMax = 64;
  static constexpr std::size_t kDeviceEventsMax = 2000;  // of one beat; more are a gap

  struct Wanted {
    bool statistics = true;
    bool devices = false;
    bool log = false;            // of one device
    std::string product_key;     // empty: of all
    std::string device_name;     // likewise
    std::int64_t log_after = 0;  // the last revision of the log that was seen; 0: only what comes from now on
  };
  // What the hub needs of a journal::Event.
  struct DeviceNote {
    base::DeviceKey device;
    journal::Action action;
    base::WallMs at_ms = 0;  // 0: now
    std::string address;
  };
  // What is new or has changed in a device's log since a revision, as GET .../log answers it. Called on the main loop;
  // `done` comes on the executor with the body, or with nothing.
  using LogDone = base::UniqueFunction<void(std::optional<std::string> body)>;
  using ReadLog = std::function<void(const base::DeviceKey& device, std::int64_t after_revision,
                                     base::Executor& executor, LogDone done)>;

  EventHub(net::Loop& main, ReadLog read_log);
  ~EventHub() override;

  void stop() { cancel(); }  // before the main loop ends

  // Null: there are too many readers. `may_go_on` is asked now and then on the main loop; false ends the stream.
  std::shared_ptr<http::ResponseStream> open(Wanted wanted, std::string caller, base::Executor& loop,
                                             std::function<bool()> may_go_on);
  void tell_statistics(const std::string& sample);
  // Whether note_device() would have somebody to tell.
  bool has_device_readers() const { return device_readers_.load(std::memory_order_relaxed) > 0; }
  void note_device(DeviceNote note);  // behind its record in the device log
  void note_changes(std::span<const registry::Change> changes);

 private:
  class Reader;
  struct Piece;
  struct DeviceEvent {
    base::DeviceKey device;
    std::string_view status;
    std::string_view change;  // empty: it came or went
    base::WallMs at_ms;
    std::string address;
  };
  void add(DeviceEvent event);  // under mutex_
  void on_timer(base::MonoMs now) override;
  void tell_devices(const std::vector<std::shared_ptr<Reader>>& readers);
  static std::vector<std::shared_ptr<const Piece>> pieces_for(const Reader& reader,
                                                              const std::vector<DeviceEvent>& events);
  void forget(const Reader& reader);
  std::vector<std::shared_ptr<Reader>> readers();

  net::Loop& main_;
  const ReadLog read_log_;
  std::atomic<std::size_t> device_readers_{0};  // of devices or of a log
  std::mutex mutex_;                            // of the rest
  std::vector<std::shared_ptr<Reader>> readers_;
  std::vector<DeviceEvent> device_events_;  // since the last beat
  std::uint64_t device_events_missed_ = 0;
  std::uint32_t beats_ = 0;
};

}  // namespace mooring::web
