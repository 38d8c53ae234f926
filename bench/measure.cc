#include "measure.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace mooring::bench {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

ProcessMemory process_memory(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  ProcessMemory memory;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kib = 0;
    words >> name >> kib;
    if (name == "VmRSS:") memory.resident_bytes = kib * 1024;
    if (name == "RssAnon:") memory.anonymous_bytes = kib * 1024;
  }
  return memory;
}

double process_cpu_seconds(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t name_end = text.rfind(')');  // the name may hold blanks
  if (name_end == std::string::npos) return 0;
  std::istringstream words(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) words >> skipped;
  double user = 0;
  double system = 0;
  words >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void write_stamp(base::MutableBytes payload, const Stamp& stamp) {
  static_assert(sizeof(Stamp) == kStampBytes);
  std::memcpy(payload.data(), &stamp, kStampBytes);
}

Stamp read_stamp(base::ByteView payload) {
  Stamp stamp;
  if (payload.size() >= kStampBytes) std::memcpy(&stamp, payload.data(), kStampBytes);
  return stamp;
}

void DelayHistogram::add(std::int64_t delay_ns) {
  max_ns_ = std::max(max_ns_, delay_ns);
  const double octaves = std::log2(static_cast<double>(std::max<std::int64_t>(delay_ns, 1)));
  ++counts_[std::min(counts_.size() - 1, static_cast<std::size_t>(octaves * kStepsPerOctave))];
  ++total_;
}

double DelayHistogram::quantile_ms(double share) const {
  const double wanted = share * static_cast<double>(total_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen > 0 && static_cast<double>(seen) >= wanted) {
      return std::min(max_ms(), std::exp2(static_cast<double>(i + 1) / kStepsPerOctave) / 1e6);
    }
  }
  return max_ms();
}

bool Sequence::take(std::uint64_t number) {
  if (number < next) {
    ++disordered;
    return false;
  }
  lost += number - next;
  const bool expected = number == next;
  next = number + 1;
  return expected;
}

void DeliveryMeter::begin() {
  running_ = true;
  began_ns_ = now_ns();
  server_cpu_s_ = -process_cpu_seconds(server_);
  load_cpu_s_ = -own_cpu_seconds();
}

void DeliveryMeter::end() {
  if (!running_) return;
  running_ = false;
  wall_s_ = static_cast<double>(now_ns() - began_ns_) / 1e9;
  server_cpu_s_ += process_cpu_seconds(server_);
  load_cpu_s_ += own_cpu_seconds();
}

void DeliveryMeter::add(const Stamp& stamp, std::int64_t received_ns) {
  ++deliveries_;
  delays_.add(received_ns - stamp.sent_ns);
}

void DeliveryMeter::report(ResultLine& line) const {
  const auto count = static_cast<double>(deliveries_);
  line.add("deliveries", deliveries_);
  line.add("seconds", wall_s_);
  line.add("deliveriesPerSecond", std::llround(wall_s_ > 0 ? count / wall_s_ : 0));
  line.add("serverCpuSeconds", server_cpu_s_);
  line.add("deliveriesPerServerCpuSecond", std::llround(server_cpu_s_ > 0 ? count / server_cpu_s_ : 0));
  line.add("serverCpuMicrosecondsPerDelivery", count > 0 ? server_cpu_s_ * 1e6 / count : 0);
  line.add("loadCpuSeconds", load_cpu_s_);
  line.add("delayP50Ms", delays_.quantile_ms(0.5));
  line.add("delayP99Ms", delays_.quantile_ms(0.99));
  line.add("delayMaxMs", delays_.max_ms());
}

void ResultLine::add(std::string_view name, std::string_view text) {
  add_raw(name, boost::json::serialize(boost::json::string_view(text.data(), text.size())));
}

void ResultLine::add(std::string_view name, double value) {
  add_raw(name, fmt::format("{}", std::round(value * 1000) / 1000));
}

void ResultLine::add_raw(std::string_view name, std::string_view json) {
  members_ += fmt::format("{}\"{}\":{}", members_.empty() ? "" : ",", name, json);
}

void ResultLine::print() const {
  fmt::print("{{{}}}\n", members_);
  std::fflush(stdout);
}

}  // namespace mooring::bench
