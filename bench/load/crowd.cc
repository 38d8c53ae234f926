#include "crowd.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <utility>

#include "process_stats.h"

namespace mooring::bench {
namespace {

constexpr std::int64_t kLookNs = 5'000'000;  // at the board
constexpr int kReadyWithinS = 30;
constexpr int kWaitS = 10;  // for a process to end
// CONNACK codes, MQTT 3.1.1 section 3.2.2.3.
constexpr std::uint8_t kNotNow = 3;
constexpr std::uint8_t kBadUserNameOrPassword = 4;

// Of process `place`, for its devices in their order: each device has the address that its number in the fleet gives
// it.
std::vector<std::string> sources_of(const CrowdOptions& options, std::uint32_t place) {
  const std::vector<std::string>& all = options.run.sources;
  std::vector<std::string> own;
  for (std::size_t i = 0; i < all.size(); ++i) {
    own.push_back(all[(options.measured + place + i * options.processes) % all.size()]);
  }
  return own;
}

}  // namespace

void add_crowd_options(CLI::App& command, CrowdOptions& options, const std::string& prefix) {
  command.add_option("--" + prefix + "-processes", options.processes, "Processes that these devices are divided among")
      ->check(CLI::Range(1U, kMaxCrowdProcesses))
      ->capture_default_str();
  command
      .add_option("--" + prefix + "-at-once", options.at_once, "Tries under way at most, of each of these processes")
      ->check(CLI::Range(1U, kMaxConnections))
      ->capture_default_str();
  command
      .add_option("--" + prefix + "-nice", options.nice, "How much those step back where processors are short (nice)")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
}

// ---- in each process ------------------------------------------------------------------------------------------------

CrowdMember::CrowdMember(const CrowdOptions& options, CrowdBoard& board, std::uint32_t place, std::string scenario)
    : Run(options.run, std::move(scenario)),
      measured_(options.measured),
      processes_(options.processes),
      last_round_(options.rounds - 1),
      place_(place),
      board_(board),
      part_(board.parts[place]) {}

base::Result<> CrowdMember::plan() {
  const auto& fleet = identities().fleet();
  for (std::uint32_t i = measured_ + place_; i < fleet.size(); i += processes_) add_device(fleet[i], i);
  return {};
}

void CrowdMember::turn() {
  const CrowdBoard::Round& round = board_.rounds[round_];
  if (!begun_) {
    if (now() < round.begin_ns) return;
    begun_ = true;
    counts().cpu_s = -own_cpu_s();
    begin_round(round.begin_ns);
  }
  if (now() < round.end_ns) return work();
  finish_round();
  if (round_ == last_round_) return finish();
  ++round_;
}

std::int64_t CrowdMember::wake_ns() const {
  return std::min(now() + kLookNs, begun_ ? next_work_ns() : kNever);
}

void CrowdMember::finish_round() {
  end_round();
  CrowdBoard::Counts& own = counts();
  own.cpu_s += own_cpu_s();
  own.longest_ns = waits_.max_ns();
  std::copy(waits_.counts().begin(), waits_.counts().end(), own.waits.begin());
  waits_ = {};
  begun_ = false;
}

void CrowdMember::stop() {
  if (begun_) finish_round();
  finish();
}

void CrowdMember::count_opened(const Connection& connection, std::int64_t waited_ns) {
  if (connection.tls_resumed()) ++counts().resumed;
  ++counts().accepted;
  count_wait(waited_ns);
}

void CrowdMember::count_lost(const Connection& connection) {
  switch (connection.connack_code()) {
    case kNotNow:
      ++counts().turned_away;
      break;
    case kBadUserNameOrPassword:
      ++counts().refused;
      break;
    default:
      ++counts().closed;
  }
}

// ---- their maker ----------------------------------------------------------------------------------------------------

base::Result<std::unique_ptr<Crowd>> Crowd::start(const CrowdOptions& options, const RunMember& run_member) {
  void* const memory = ::mmap(nullptr, sizeof(CrowdBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return base::fail(base::Errc::kIo, "no memory to share with other processes");
  std::unique_ptr<Crowd> made(new Crowd(new (memory) CrowdBoard));
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
    CrowdOptions own = options;
    own.run.quiet = true;
    own.run.sources = sources_of(options, place);
    ::_exit(run_member(own, *made->board_, place));
  }
  for (int k = 0; k < kReadyWithinS * 100; ++k) {
    if (made->all_ready()) return made;
    if (made->one_ended()) break;  // it has said why
    ::usleep(10'000);
  }
  return base::fail(base::Errc::kUnavailable, "a process for other devices did not get ready");
}

Crowd::~Crowd() {
  for (const pid_t pid : processes_) {
    if (pid == 0) continue;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ::munmap(board_, sizeof(CrowdBoard));
}

bool Crowd::one_ended() {
  for (pid_t& process : processes_) {
    if (::waitpid(process, nullptr, WNOHANG) != process) continue;
    process = 0;
    return true;
  }
  return false;
}

bool Crowd::all_ready() const {
  return std::all_of(board_->parts.begin(), board_->parts.begin() + static_cast<std::ptrdiff_t>(processes_.size()),
                     [](const CrowdBoard::Part& part) { return part.ready.load(); });
}

std::uint64_t Crowd::accepted() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < processes_.size(); ++i) sum += board_->parts[i].rounds[round_].accepted;
  return sum;
}

bool Crowd::end_process(pid_t& process) {
  pid_t ended = 0;
  for (int k = 0; k < kWaitS * 100 && ended == 0; ++k) {
    ended = ::waitpid(process, nullptr, WNOHANG);
    if (ended == 0) ::usleep(10'000);
  }
  if (ended != process) return false;  // the destructor ends it
  process = 0;
  return true;
}

std::vector<CrowdReport> Crowd::finish() {
  for (; round_ < kMaxCrowdRounds; ++round_) {  // what was left of the rounds
    CrowdBoard::Round& round = board_->rounds[round_];
    if (round.begin_ns == INT64_MAX) round.begin_ns = 0;
    round.end_ns = 0;
  }
  std::vector<CrowdReport> sums(kMaxCrowdRounds);
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (!end_process(processes_[i])) continue;
    for (std::size_t round = 0; round < kMaxCrowdRounds; ++round) {
      const CrowdBoard::Counts& counts = board_->parts[i].rounds[round];
      CrowdReport& sum = sums[round];
      sum.attempts += counts.attempts;
      sum.accepted += counts.accepted;
      sum.resumed += counts.resumed;
      sum.refused += counts.refused;
      sum.turned_away += counts.turned_away;
      sum.closed += counts.closed;
      sum.lost += counts.lost;
      sum.cpu_s += counts.cpu_s;
      sum.waits.merge(counts.waits, counts.longest_ns);
    }
  }
  return sums;
}

}  // namespace mooring::bench
