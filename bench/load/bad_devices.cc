#include "bad_devices.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <deque>
#include <queue>
#include <string>
#include <utility>

#include "process_stats.h"
#include "run.h"

namespace mooring::bench {
namespace {

constexpr double kTriesApartS = 2;
constexpr std::int64_t kLookNs = 5'000'000;  // for the word to begin or to end
constexpr int kWaitS = 10;                   // for a process to end

std::int64_t ns(double seconds) {
  return std::llround(seconds * 1e9);
}
bool in_bursts(const BadDevicesOptions& options, std::uint32_t number) {
  const std::uint32_t place_in_process = (number - options.good) / options.processes;
  return options.tries > 0 && place_in_process % 2 == 0;
}
std::uint32_t bad_count(const BadDevicesOptions& options) {
  return options.run.connections - options.good;
}
// They do not all begin at once: that would be another scenario.
double first_try_s(const BadDevicesOptions& options, std::uint32_t number) {
  return options.every_s * (number - options.good) / bad_count(options);
}
// Of process `place`, for its devices in their order: each device has the address that its number in the fleet gives
// it.
std::vector<std::string> sources_of(const BadDevicesOptions& options, std::uint32_t place) {
  const std::vector<std::string>& all = options.run.sources;
  std::vector<std::string> own;
  for (std::size_t i = 0; i < all.size(); ++i) {
    own.push_back(all[(options.good + place + i * options.processes) % all.size()]);
  }
  return own;
}
double until_next_s(const BadDevicesOptions& options, std::uint32_t number, std::uint32_t tried) {
  if (!in_bursts(options, number)) return options.every_s;
  return tried % options.tries == 0 ? options.pause_s : kTriesApartS;
}

}  // namespace

struct BadDevices::Shared {
  struct Part {  // of one process
    std::atomic<bool> ready{false};
    std::uint64_t attempts = 0;
    std::uint64_t refused = 0;
    std::uint64_t turned_away = 0;
    std::uint64_t closed = 0;
    std::uint64_t accepted = 0;
    double cpu_s = 0;
    std::int64_t longest_ns = 0;
    std::array<std::uint64_t, Histogram::kBuckets> answers{};
  };
  std::atomic<std::int64_t> begin_ns{INT64_MAX};
  std::atomic<std::int64_t> end_ns{INT64_MAX};
  std::array<Part, kMaxBadProcesses> parts{};

  class Process;
};

// What one process does.
class BadDevices::Shared::Process final : public Run {
 public:
  Process(const BadDevicesOptions& options, Shared& shared, std::uint32_t place)
      : Run(options.run, "bad"), bad_(options), shared_(shared), part_(shared.parts[place]), place_(place) {}

 private:
  struct Due {
    std::int64_t at_ns;
    std::uint32_t connection;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };
  struct Device {
    std::uint32_t number = 0;  // in the fleet
    std::uint32_t tried = 0;
    std::int64_t started_ns = 0;
  };

  base::Result<> plan() override {
    const auto& fleet = identities().fleet();
    for (std::uint32_t i = bad_.good + place_; i < fleet.size(); i += bad_.processes) {
      wrong_.push_back(fleet[i].sign_in);
      wrong_.back().password.assign(fleet[i].sign_in.password.size(), '0');
      add_connection(wrong_.back(), {}, true);
      devices_.push_back({i});
    }
    return {};
  }

  void begin() override { part_.ready = true; }

  void turn() override {
    if (now() >= shared_.end_ns) return stop();
    if (due_.empty() && now() < shared_.begin_ns) return;
    if (!std::exchange(begun_, true)) begin_trying();
    while (under_way_ < bad_.at_once && !due_.empty() && due_.top().at_ns <= now()) {
      const std::uint32_t number = due_.top().connection;
      due_.pop();
      ++under_way_;
      devices_[number].started_ns = now();
      ++devices_[number].tried;
      ++part_.attempts;
      connections()[number]->open();
    }
  }
  std::int64_t wake_ns() const override {
    const bool may_try = under_way_ < bad_.at_once && !due_.empty();
    return std::min(now() + kLookNs, may_try ? due_.top().at_ns : kNever);
  }

  void begin_trying() {
    part_.cpu_s = -own_cpu_s();
    for (std::uint32_t i = 0; i < devices_.size(); ++i) {
      due_.push({shared_.begin_ns + ns(first_try_s(bad_, devices_[i].number)), i});
    }
  }

  // Run hears nothing of these: to be refused is not to be lost.
  void on_open(Connection& connection) override {
    ++part_.accepted;
    --under_way_;
    connection.close();
  }
  void on_lost(Connection& connection, std::string_view) override {
    switch (connection.connack_code()) {
      case 3:
        ++part_.turned_away;
        break;
      case 4:
        ++part_.refused;
        break;
      default:
        ++part_.closed;
    }
    --under_way_;
    const Device& device = devices_[connection.number()];
    answers_.add(now() - device.started_ns);
    const std::int64_t next = device.started_ns + ns(until_next_s(bad_, device.number, device.tried));
    due_.push({std::max(now(), next), connection.number()});
  }

  void stop() override {
    if (std::exchange(ended_, true)) return;
    if (begun_) part_.cpu_s += own_cpu_s();
    part_.longest_ns = answers_.max_ns();
    std::copy(answers_.counts().begin(), answers_.counts().end(), part_.answers.begin());
    finish();
  }
  void report(ResultLine&) override {}
  bool succeeded() const override { return true; }

  const BadDevicesOptions& bad_;
  Shared& shared_;
  Part& part_;
  const std::uint32_t place_;
  std::deque<SignIn> wrong_;
  std::vector<Device> devices_;  // by connection
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Histogram answers_;
  std::uint32_t under_way_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

base::Result<std::unique_ptr<BadDevices>> BadDevices::start(const BadDevicesOptions& options) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return base::fail(base::Errc::kIo, "no memory to share with other processes");
  std::unique_ptr<BadDevices> made(new BadDevices(new (memory) Shared));
  std::fflush(stdout);
  for (std::uint32_t place = 0; place < options.processes; ++place) {
    const pid_t maker = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return base::fail(base::Errc::kIo, "no further process");
    if (pid > 0) {
      made->processes_.push_back(pid);
      continue;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != maker || std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(1);
    ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + options.nice);
    BadDevicesOptions own = options;
    own.run.quiet = true;
    own.run.sources = sources_of(options, place);
    ::_exit(Shared::Process(own, *made->shared_, place).run());
  }
  return made;
}

BadDevices::~BadDevices() {
  for (const pid_t pid : processes_) {
    if (pid == 0) continue;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ::munmap(shared_, sizeof(Shared));
}

bool BadDevices::ready() const {
  return std::all_of(shared_->parts.begin(), shared_->parts.begin() + static_cast<std::ptrdiff_t>(processes_.size()),
                     [](const Shared::Part& part) { return part.ready.load(); });
}

void BadDevices::begin(std::int64_t now_ns) {
  shared_->begin_ns = now_ns;
}

void BadDevices::end(std::int64_t now_ns) {
  shared_->end_ns = now_ns;
}

BadDevicesReport BadDevices::finish() {
  BadDevicesReport sum;
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    pid_t ended = 0;
    for (int k = 0; k < kWaitS * 100 && ended == 0; ++k) {
      ended = ::waitpid(processes_[i], nullptr, WNOHANG);
      if (ended == 0) ::usleep(10'000);
    }
    if (ended != processes_[i]) continue;  // the destructor ends it
    processes_[i] = 0;
    const Shared::Part& part = shared_->parts[i];
    sum.attempts += part.attempts;
    sum.refused += part.refused;
    sum.turned_away += part.turned_away;
    sum.closed += part.closed;
    sum.accepted += part.accepted;
    sum.cpu_s += part.cpu_s;
    sum.answers.merge(part.answers, part.longest_ns);
  }
  return sum;
}

std::uint64_t BadDevices::intended_tries(const BadDevicesOptions& options, double seconds) {
  std::uint64_t sum = 0;
  for (std::uint32_t number = options.good; number < options.run.connections; ++number) {
    double at_s = first_try_s(options, number);
    for (std::uint32_t tried = 1; at_s < seconds; ++tried) {
      ++sum;
      at_s += until_next_s(options, number, tried);
    }
  }
  return sum;
}

}  // namespace mooring::bench
