#include "lives.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <utility>

#include "process_stats.h"

namespace mooring::bench {

void add_lives_options(CLI::App& command, LivesOptions& options) {
  command.add_option("--rate", options.per_second, "Begun a second; 0: as fast as they go")
      ->check(CLI::Range(0.0, 1e6));
  command.add_option("--count", options.count, "End after so many; 0: after --seconds");
}

Lives::Lives(const RunOptions& options, const LivesOptions& lives, Words words)
    : Run(options, words.scenario), lives_(lives), words_(std::move(words)) {}

Connection& Lives::add_life(const SignIn& sign_in, Subscription subscription) {
  Connection& connection = add_connection(sign_in, std::move(subscription), true);
  free_.push_back(connection.number());
  due_ns_.push_back(0);
  return connection;
}

void Lives::begin() {
  if (lives_.count > 0 || options().warm_up_s == 0) begin_measuring();
}

void Lives::turn() {
  wake_ns_ = now() + kSecond / 20;
  const auto since = [this](std::int64_t from) { return static_cast<double>(now() - from) / 1e9; };
  if (!measuring_ && !stopping_ && since(begun_at()) >= options().warm_up_s) begin_measuring();
  if (measuring_ && since(measured_from_ns_) >= options().duration_s) stop();
  for (const std::uint32_t number : std::exchange(ended_, {})) free_.push_back(number);
  while (may_begin()) begin_life();
  if (stopping_ && on_the_way_ == 0) finish();
  if (stopping_ && since(stopped_at_ns_) > options().grace_s) fail(words_.many + " do not come to an end");
}

bool Lives::may_begin() {
  if (stopping_ || free_.empty() || on_the_way_ >= lives_.at_once) return false;
  if (lives_.count > 0 && begun_ == lives_.count) return false;
  if (lives_.per_second == 0) return true;
  wake_ns_ = std::min(wake_ns_, due_ns());
  return due_ns() <= now();
}

std::int64_t Lives::due_ns() const {
  return begun_at() + std::llround(static_cast<double>(begun_) * 1e9 / lives_.per_second);
}

void Lives::begin_life() {
  const std::uint32_t number = free_.front();
  free_.pop_front();
  due_ns_[number] = lives_.per_second > 0 ? due_ns() : now();
  ++begun_;
  ++on_the_way_;
  open_later(*connections()[number]);
}

void Lives::on_open(Connection& connection) {
  Run::on_open(connection);
  born(connection);
}

void Lives::end_life(const Connection& connection) {
  --on_the_way_;
  if (measuring_) {
    ++lived_;
    spans_.add(now() - due_ns_[connection.number()]);
  }
  ended_.push_back(connection.number());
  if (++finished_ == lives_.count) stop();
}

void Lives::begin_measuring() {
  measuring_ = true;
  measured_from_ns_ = now();
  server_cpu_s_ = -process_cpu_s(options().server_pid);
  load_cpu_s_ = -own_cpu_s();
}

void Lives::stop() {
  if (std::exchange(stopping_, true)) return;
  measuring_ = false;
  stopped_at_ns_ = now();
  measured_ns_ = now() - measured_from_ns_;
  server_cpu_s_ += process_cpu_s(options().server_pid);
  load_cpu_s_ += own_cpu_s();
}

std::string Lives::progress() const {
  return fmt::format("{} {}", finished_, words_.many);
}

void Lives::report(ResultLine& line) {
  const double seconds = static_cast<double>(measured_ns_) / 1e9;
  const auto lives = static_cast<double>(lived_);
  if (lives_.per_second > 0) line.add("ratePerSecond", lives_.per_second);
  line.add("seconds", seconds);
  line.add(words_.many, lived_);
  line.add(words_.many + "PerSecond", std::llround(seconds > 0 ? lives / seconds : 0));
  line.add("loadCpuSeconds", load_cpu_s_);
  if (options().server_pid > 0) {
    line.add("serverCpuSeconds", server_cpu_s_);
    line.add("serverCpuMicrosecondsPer" + words_.capital, lived_ > 0 ? server_cpu_s_ * 1e6 / lives : 0);
    line.add("loadToServerCpu", server_cpu_s_ > 0 ? load_cpu_s_ / server_cpu_s_ : 0);
    line.add("serverResidentBytes", process_memory(options().server_pid).resident_bytes);
  }
  line.add(words_.one + "P50Us", spans_.quantile_us(0.5));
  line.add(words_.one + "P99Us", spans_.quantile_us(0.99));
  line.add(words_.one + "MaxUs", spans_.max_us());
}

}  // namespace mooring::bench
