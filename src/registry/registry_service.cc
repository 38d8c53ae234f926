#include "registry/registry_service.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/threads.h"

namespace mooring::registry {
namespace {

constexpr std::size_t kPresenceBatchMax = 4000;  // events of one transaction: bounds how long a change waits behind it
constexpr auto kReportPatience = std::chrono::milliseconds(100);

base::Error busy() {
  return {base::Errc::kUnavailable, "too many registry operations are waiting"};
}
base::Error stopped() {
  return {base::Errc::kUnavailable, "the registry is shut down"};
}

}  // namespace

struct RegistryService::Impl {
  using SteadyTime = std::chrono::steady_clock::time_point;

  Impl(std::unique_ptr<Registry> owned, const ServiceOptions& chosen) : registry(std::move(owned)), options(chosen) {}

  struct Waiting {
    Job job;
    SteadyTime asked_at;
    std::uint64_t presence_before = 0;  // events that were recorded before it was asked
  };
  // What waits for one kind of thread.
  struct Queue {
    std::condition_variable wanted;
    std::deque<Waiting> jobs;
  };

  Queue& queue_of(Lane lane) { return lane == Lane::kRead ? reads : lane == Lane::kReport ? reports : writes; }
  std::size_t most_of(Lane lane) const {
    return lane == Lane::kRead     ? options.lookups_max
           : lane == Lane::kReport ? options.reports_max
                                   : options.changes_max;
  }
  bool enqueue(Lane lane, Job& job);
  bool add_presence(PresenceEvent event);
  void read_loop(Queue& queue);
  void write_loop();
  bool wait_for_writing(std::unique_lock<std::mutex>& lock);
  void rest_if_idle(std::unique_lock<std::mutex>& lock);
  void want_presence();
  void await_presence(std::unique_lock<std::mutex>& lock, const Waiting& report);
  std::vector<PresenceEvent> take_presence();
  Job take_change(std::uint64_t presence_after);
  void write_presence(const std::vector<PresenceEvent>& events);
  void stop();

  std::unique_ptr<Registry> registry;
  const ServiceOptions options;
  std::vector<ChangeListener> listeners;

  std::mutex mutex;  // of everything up to `stopping`
  Queue reads;
  Queue reports;
  Queue writes;                                     // and presence
  std::deque<std::vector<PresenceEvent>> presence;  // in batches: all but the last are full
  std::size_t presence_waiting = 0;                 // events
  std::vector<PresenceEvent> spare_batch;           // empty: the room of one that was written
  SteadyTime presence_since;
  bool presence_wanted = false;      // somebody waits until it is written
  std::uint64_t presence_ended = 0;  // events that were written, or could not be
  std::condition_variable presence_written;
  std::uint64_t jobs_done = 0;    // of all threads
  std::uint64_t jobs_seen = 0;    // when somebody looked whether there is nothing to do
  std::uint64_t jobs_rested = 0;  // when the registry rested last
  bool started = false;
  bool stopping = false;

  std::mutex stop_mutex;
  std::vector<std::thread> threads;

  std::atomic<std::uint64_t> lookups{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> presence_events{0};
  std::atomic<std::uint64_t> presence_batches{0};
  std::atomic<std::uint64_t> presence_dropped{0};
  std::atomic<std::uint64_t> rests{0};
};

bool RegistryService::Impl::enqueue(Lane lane, Job& job) {
  base::Error why;
  {
    const std::lock_guard lock(mutex);
    Queue& queue = queue_of(lane);
    if (stopping) {
      why = stopped();
    } else if (queue.jobs.size() >= most_of(lane)) {
      why = busy();
    } else {
      queue.jobs.push_back({std::move(job), std::chrono::steady_clock::now(), presence_events});
      queue.wanted.notify_one();
      if (lane == Lane::kReport) want_presence();
      return true;
    }
  }
  ++refused;
  job(nullptr, std::move(why));
  return false;
}

bool RegistryService::Impl::add_presence(PresenceEvent event) {
  const std::lock_guard lock(mutex);
  if (stopping || presence_waiting >= options.presence_max) {
    ++presence_dropped;
    return false;
  }
  if (presence.empty()) presence_since = std::chrono::steady_clock::now();
  if (presence.empty() || presence.back().size() == kPresenceBatchMax) {
    presence.push_back(std::exchange(spare_batch, {}));
  }
  presence.back().push_back(std::move(event));
  ++presence_waiting;
  // The writer has to know of the first, to begin its wait, and of a full batch, to end it.
  if (presence_waiting == 1 || presence_waiting == kPresenceBatchMax) writes.wanted.notify_one();
  ++presence_events;
  return true;
}

// The writer begins while the report may still wait for its turn.
void RegistryService::Impl::want_presence() {
  if (presence.empty()) return;
  presence_wanted = true;
  writes.wanted.notify_one();
}

// Until what was recorded before the report was asked is in the registry.
void RegistryService::Impl::await_presence(std::unique_lock<std::mutex>& lock, const Waiting& report) {
  presence_written.wait_until(lock, report.asked_at + kReportPatience,
                              [&] { return stopping || presence_ended >= report.presence_before; });
}

void RegistryService::Impl::read_loop(Queue& queue) {
  std::unique_lock lock(mutex);
  for (;;) {
    queue.wanted.wait(lock, [&] { return stopping || !queue.jobs.empty(); });
    if (queue.jobs.empty()) return;
    Waiting next = std::move(queue.jobs.front());
    queue.jobs.pop_front();
    if (&queue == &reports) await_presence(lock, next);
    lock.unlock();
    next.job(registry.get(), {});
    next.job = nullptr;
    lock.lock();
    ++jobs_done;
  }
}

// Waits until there is something to write; false: nothing left and stopping.
bool RegistryService::Impl::wait_for_writing(std::unique_lock<std::mutex>& lock) {
  const auto due_at_once = [this] {
    return stopping || !writes.jobs.empty() || presence_waiting >= kPresenceBatchMax ||
           (presence_wanted && !presence.empty());
  };
  for (;;) {
    if (due_at_once()) return !(writes.jobs.empty() && presence.empty());
    if (presence.empty()) {
      const bool wanted = writes.wanted.wait_for(lock, std::chrono::milliseconds(options.rest_after_ms),
                                                 [&] { return due_at_once() || !presence.empty(); });
      if (!wanted) rest_if_idle(lock);
    } else if (!writes.wanted.wait_until(lock, presence_since + std::chrono::milliseconds(options.presence_gather_ms),
                                         due_at_once)) {
      return true;
    }
  }
}

// The pages of a fleet that has come stay in memory until others need the room: while nobody comes they are of no use.
void RegistryService::Impl::rest_if_idle(std::unique_lock<std::mutex>& lock) {
  const bool idle = jobs_done == jobs_seen;
  jobs_seen = jobs_done;
  if (!idle || jobs_rested == jobs_done) return;
  jobs_rested = jobs_done;
  ++rests;
  lock.unlock();
  registry->rest();
  lock.lock();
}

std::vector<PresenceEvent> RegistryService::Impl::take_presence() {
  if (presence.empty()) return {};
  std::vector<PresenceEvent> events = std::move(presence.front());
  presence.pop_front();
  presence_waiting -= events.size();
  if (presence.empty()) presence_wanted = false;
  return events;
}

// The next change, or none while events that were recorded before it wait for another batch: one of an earlier life of
// a device must not come to a later one. These are at most presence_max, whatever is recorded meanwhile.
RegistryService::Job RegistryService::Impl::take_change(std::uint64_t presence_after) {
  if (writes.jobs.empty() || writes.jobs.front().presence_before > presence_after) return nullptr;
  Job job = std::move(writes.jobs.front().job);
  writes.jobs.pop_front();
  return job;
}

void RegistryService::Impl::write_presence(const std::vector<PresenceEvent>& events) {
  if (events.empty()) return;
  if (auto ok = registry->record_presence(events); !ok) {
    presence_dropped += events.size();
    base::log_warn("registry", "presence of {} connections was not recorded: {}", events.size(), ok.error().message);
    return;
  }
  ++presence_batches;
}

void RegistryService::Impl::write_loop() {
  std::unique_lock lock(mutex);
  while (wait_for_writing(lock)) {
    std::vector<PresenceEvent> events = take_presence();
    Job job = take_change(presence_ended + events.size());
    lock.unlock();
    write_presence(events);
    if (!events.empty()) {
      const std::size_t count = events.size();
      events.clear();  // before the lock: thousands of texts take a while to free
      lock.lock();
      presence_ended += count;
      spare_batch = std::move(events);
      lock.unlock();
      presence_written.notify_one();
    }
    if (job) job(registry.get(), {});
    job = nullptr;
    lock.lock();
    ++jobs_done;
  }
}

void RegistryService::Impl::stop() {
  const std::lock_guard once(stop_mutex);
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    // Without threads nobody will run what was queued.
    if (!started) {
      for (Queue* queue : {&reads, &reports, &writes}) {
        for (Waiting& waiting : queue->jobs) left.push_back(std::move(waiting.job));
        queue->jobs.clear();
      }
    }
  }
  for (Queue* queue : {&reads, &reports, &writes}) queue->wanted.notify_all();
  presence_written.notify_all();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (Job& job : left) job(nullptr, stopped());
}

RegistryService::RegistryService(std::unique_ptr<Registry> registry, const ServiceOptions& options)
    : impl_(std::make_unique<Impl>(std::move(registry), options)) {
  MOORING_ASSERT(impl_->registry != nullptr);
  impl_->registry->set_change_listener([impl = impl_.get()](std::span<const Change> changes) {
    for (const ChangeListener& listener : impl->listeners) listener(changes);
  });
}

RegistryService::~RegistryService() {
  stop();
}

void RegistryService::on_change(ChangeListener listener) {
  MOORING_ASSERT(!impl_->started);
  impl_->listeners.push_back(std::move(listener));
}

void RegistryService::start() {
  {
    const std::lock_guard lock(impl_->mutex);
    MOORING_ASSERT(!impl_->started && !impl_->stopping);
    impl_->started = true;
  }
  const auto begin = [this](const char* name, auto run) {
    impl_->threads.emplace_back([impl = impl_.get(), name, run] {
      base::name_thread(name);
      run(*impl);
    });
  };
  begin("registry writes", [](Impl& impl) { impl.write_loop(); });
  for (std::size_t i = 0; i < std::max<std::size_t>(impl_->options.reader_threads, 1); ++i) {
    begin("registry reads", [](Impl& impl) { impl.read_loop(impl.reads); });
  }
  begin("reports", [](Impl& impl) {
    base::step_back();  // nobody signs in through them
    impl.read_loop(impl.reports);
  });
}

void RegistryService::stop() {
  impl_->stop();
}

void RegistryService::submit(Lane lane, Job job) {
  impl_->enqueue(lane, job);
}

void RegistryService::find_credential(base::DeviceKey key, base::Executor& reply_to, CredentialCallback callback) {
  ++impl_->lookups;
  run_read<Credential>([key = std::move(key)](Registry& registry) { return registry.find_credential(key); }, reply_to,
                       std::move(callback));
}

void RegistryService::find_account(std::string name, base::Executor& reply_to, AccountCallback callback) {
  ++impl_->lookups;
  run_read<std::optional<Account>>([name = std::move(name)](Registry& registry) { return registry.find_account(name); },
                                   reply_to, std::move(callback));
}

bool RegistryService::record_online(base::DeviceKey key, base::WallMs at_ms, std::uint64_t connection,
                                    std::string address, SdkFacts facts, std::string browser_origin) {
  return impl_->add_presence(
      {std::move(key), true, at_ms, connection, std::move(address), std::move(facts), std::move(browser_origin)});
}

bool RegistryService::record_offline(base::DeviceKey key, base::WallMs at_ms, std::uint64_t connection) {
  return impl_->add_presence({std::move(key), false, at_ms, connection, {}, {}});
}

Registry& RegistryService::registry() {
  return *impl_->registry;
}

ServiceCounters RegistryService::counters() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->lookups,
          impl_->refused,
          impl_->presence_events,
          impl_->presence_batches,
          impl_->presence_dropped,
          impl_->reads.jobs.size(),
          impl_->reports.jobs.size(),
          impl_->writes.jobs.size(),
          impl_->presence_waiting,
          impl_->rests};
}

}  // namespace mooring::registry
