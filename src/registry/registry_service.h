// RegistryService: the registry for event loops. Asks never block; answers come back as tasks on the asker's executor.
//
// It owns the Registry and its threads: one writer, which does every change in the order asked, some readers, and one
// for reports: whoever reads lists, or searches, or has a loop asked, does not keep those waiting who sign in. All
// member functions may be called from any thread. Presence is gathered for a moment and written in batches, in the
// order of the calls: a storm of reconnects costs a few transactions, and who comes and goes within a moment one row.
// Changes and reports do not see less for that: what was recorded before one of them was asked is written before it
// runs, unless that takes more than 100 ms from when a report was asked. Every queue is bounded: what does not fit is
// answered with kUnavailable (or false), never dropped silently.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/executor.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "registry/registry.h"

namespace mooring::registry {

struct ServiceOptions {
  std::size_t reader_threads = 2;
  std::size_t lookups_max = 50'000;    // find_credential, find_account and read operations waiting
  std::size_t reports_max = 64;        // reports waiting: seconds of work, more would be answered too late
  std::size_t changes_max = 1'000;     // write operations waiting
  std::size_t presence_max = 200'000;  // record_online and record_offline events waiting
  int presence_gather_ms = 200;        // how long an event may wait for company
  int rest_after_ms = 1'000;           // without work; then the registry lets its caches go, and again after the next
};

// Figures for metrics; a consistent snapshot is not promised.
struct ServiceCounters {
  std::uint64_t lookups = 0;
  std::uint64_t refused = 0;  // answered with kUnavailable because a queue was full
  std::uint64_t presence_events = 0;
  std::uint64_t presence_batches = 0;
  std::uint64_t presence_dropped = 0;  // full, or the write failed
  std::size_t reads_waiting = 0;
  std::size_t reports_waiting = 0;
  std::size_t writes_waiting = 0;
  std::size_t presence_waiting = 0;
  std::uint64_t rests = 0;
};

class RegistryService {
 public:
  using CredentialCallback = base::UniqueFunction<void(base::Result<Credential>)>;

  explicit RegistryService(std::unique_ptr<Registry> registry, const ServiceOptions& options = {});
  ~RegistryService();  // stop()
  RegistryService(const RegistryService&) = delete;
  RegistryService& operator=(const RegistryService&) = delete;

  // Before start(). Listeners run on the writer thread, after the commit; see ChangeListener.
  void on_change(ChangeListener listener);
  void start();
  // Finishes what is queued, writes gathered presence, ends the threads. Later asks are answered with kUnavailable.
  void stop();

  // `reply_to` must stay alive until the callback ran there or the service has stopped.
  void find_credential(base::DeviceKey key, base::Executor& reply_to, CredentialCallback callback);

  using AccountCallback = base::UniqueFunction<void(base::Result<std::optional<Account>>)>;
  void find_account(std::string name, base::Executor& reply_to, AccountCallback callback);

  // `connection` tells connections of one device apart (PresenceEvent). False: too many events are waiting, and
  // this one was dropped and counted.
  bool record_online(base::DeviceKey key, base::WallMs at_ms, std::uint64_t connection, std::string address,
                     SdkFacts facts, std::string browser_origin = {});
  bool record_offline(base::DeviceKey key, base::WallMs at_ms, std::uint64_t connection);

  // Runs `operation` (Result<T>(Registry&)) on the writer thread; for run_read, a quick look-up, on a reader thread;
  // for run_report, whatever may take longer, on the thread for it. The last two must only read. Then `done`
  // (void(Result<T>)) on `reply_to`.
  template <class T>
  void run(base::UniqueFunction<base::Result<T>(Registry&)> operation, base::Executor& reply_to,
           base::UniqueFunction<void(base::Result<T>)> done) {
    submit(Lane::kWrite, wrap<T>(std::move(operation), reply_to, std::move(done)));
  }
  template <class T>
  void run_read(base::UniqueFunction<base::Result<T>(Registry&)> operation, base::Executor& reply_to,
                base::UniqueFunction<void(base::Result<T>)> done) {
    submit(Lane::kRead, wrap<T>(std::move(operation), reply_to, std::move(done)));
  }
  template <class T>
  void run_report(base::UniqueFunction<base::Result<T>(Registry&)> operation, base::Executor& reply_to,
                  base::UniqueFunction<void(base::Result<T>)> done) {
    submit(Lane::kReport, wrap<T>(std::move(operation), reply_to, std::move(done)));
  }

  // For start-up and tests: it may be called on any thread (registry.h), but the caller waits. Listeners of a change
  // are called on the caller's thread.
  Registry& registry();
  ServiceCounters counters() const;

 private:
  enum class Lane : std::uint8_t { kRead, kReport, kWrite };
  // Called exactly once: with the registry, or with null and the reason why it was not run.
  using Job = base::UniqueFunction<void(Registry*, base::Error)>;
  struct Impl;

  template <class T>
  static Job wrap(base::UniqueFunction<base::Result<T>(Registry&)> operation, base::Executor& reply_to,
                  base::UniqueFunction<void(base::Result<T>)> done) {
    return [operation = std::move(operation), &reply_to, done = std::move(done)](Registry* registry,
                                                                                 base::Error error) mutable {
      base::Result<T> result =
          registry != nullptr ? operation(*registry) : base::Result<T>(tl::unexpected<base::Error>(std::move(error)));
      reply_to.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    };
  }
  void submit(Lane lane, Job job);

  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::registry
