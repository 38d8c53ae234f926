// idle: many devices sign in, subscribe and stay. What a connection costs the server in memory.
#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "process_stats.h"
#include "run.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

class Idle final : public Run {
 public:
  explicit Idle(const RunOptions& options) : Run(options, "idle") {}

 private:
  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) add_connection(device.sign_in, {device.down, 0});
    before_ = process_memory(options().server_pid);
    return {};
  }
  void begin() override {
    opened_ = process_memory(options().server_pid);
    cpu_s_ = -process_cpu_s(options().server_pid);
  }
  void turn() override {
    if (static_cast<double>(now() - begun_at()) >= options().duration_s * 1e9) stop();
  }
  void stop() override {
    held_ = process_memory(options().server_pid);
    cpu_s_ += process_cpu_s(options().server_pid);
    finish();
  }
  bool succeeded() const override { return true; }

  void report(ResultLine& line) override {
    line.add("seconds", options().duration_s);
    line.add("serverCpuSeconds", cpu_s_);
    line.add("serverResidentBytesBefore", before_.resident_bytes);
    line.add("serverResidentBytesOpened", opened_.resident_bytes);
    line.add("serverResidentBytes", held_.resident_bytes);
    line.add("residentBytesPerConnection", per_connection(held_.resident_bytes - before_.resident_bytes));
    line.add("proportionalBytesPerConnection", per_connection(held_.proportional_bytes - before_.proportional_bytes));
    line.add("userBytesPerConnection", per_connection(held_.anonymous_bytes - before_.anonymous_bytes));
  }
  std::int64_t per_connection(std::int64_t bytes) const {
    return std::llround(static_cast<double>(bytes) / static_cast<double>(connections().size()));
  }

  ProcessMemory before_;
  ProcessMemory opened_;
  ProcessMemory held_;
  double cpu_s_ = 0;
};

}  // namespace

void add_idle_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("idle", "N connections that subscribe and stay: memory for each");
  add_run_options(*command, *options, "Connections");
  command->callback([options, &exit_status] { exit_status = Idle(*options).run(); });
}

}  // namespace mooring::bench
