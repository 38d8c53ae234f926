// What a run measures: the server process from outside (/proc), deliveries and their delay, and the line of results.
#pragma once

#include <sys/types.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace mooring::bench {

std::int64_t now_ns();  // of a clock that never goes back

// A process as the kernel accounts for it. Zeros when there is no such process or it may not be looked at.
struct ProcessMemory {
  std::int64_t resident_bytes = 0;   // VmRSS
  std::int64_t anonymous_bytes = 0;  // RssAnon: heap and stacks, without program text and mapped files
};
ProcessMemory process_memory(pid_t pid);
double process_cpu_seconds(pid_t pid);  // user and system; the kernel counts in steps of 10 ms
double own_cpu_seconds();

// One JSON object with its members in the order they were added.
class ResultLine {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, const char* text) { add(name, std::string_view(text)); }
  void add(std::string_view name, bool value) { add_raw(name, value ? "true" : "false"); }
  void add(std::string_view name, double value);  // rounded to three digits behind the point
  template <std::integral Integer>
  void add(std::string_view name, Integer value) {
    add_raw(name, std::to_string(value));
  }
  void print() const;  // on stdout

 private:
  void add_raw(std::string_view name, std::string_view json);
  std::string members_;
};

// Payload of a message that is counted: sequence number and time of sending, filled up.
inline constexpr std::size_t kStampBytes = 16;
struct Stamp {
  std::uint64_t sequence = 0;
  std::int64_t sent_ns = 0;
};
void write_stamp(base::MutableBytes payload, const Stamp& stamp);
Stamp read_stamp(base::ByteView payload);

// Delays in buckets an eighth of an octave wide.
class DelayHistogram {
 public:
  void add(std::int64_t delay_ns);
  double quantile_ms(double share) const;  // upper edge of the bucket
  double max_ms() const { return static_cast<double>(max_ns_) / 1e6; }

 private:
  static constexpr int kStepsPerOctave = 8;
  std::array<std::uint64_t, 64 * kStepsPerOctave> counts_{};
  std::uint64_t total_ = 0;
  std::int64_t max_ns_ = 0;
};

// Deliveries to one receiver of numbered messages of one sender.
struct Sequence {
  std::uint64_t next = 0;
  std::uint64_t lost = 0;        // numbers skipped
  std::uint64_t disordered = 0;  // numbers that came again or too late

  // Whether it was the one expected.
  bool take(std::uint64_t number);
};

// Deliveries of a whole run and what they cost, from begin() to end().
class DeliveryMeter {
 public:
  explicit DeliveryMeter(pid_t server) : server_(server) {}
  void begin();
  void end();  // only the first counts
  void add(const Stamp& stamp, std::int64_t received_ns);
  std::uint64_t deliveries() const { return deliveries_; }
  void report(ResultLine& line) const;

 private:
  pid_t server_;
  bool running_ = false;
  std::uint64_t deliveries_ = 0;
  std::int64_t began_ns_ = 0;
  double wall_s_ = 0;
  double server_cpu_s_ = 0;
  double load_cpu_s_ = 0;
  DelayHistogram delays_;
};

}  // namespace mooring::bench
