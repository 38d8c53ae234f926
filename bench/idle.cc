// idle: many devices sign in, subscribe and stay. What a connection costs the server in memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "measure.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

class Idle final : public Fleet {
 public:
  explicit Idle(const FleetOptions& options) : Fleet(options, "idle") {}

 private:
  std::string topic_of(const Device& device) const override {
    return fmt::format("/{}/{}/user/get", device.key.product_key, device.key.device_name);
  }
  void before_opening() override { before_ = process_memory(options().server_pid); }
  void begin() override { opened_ = process_memory(options().server_pid); }
  void tick(std::int64_t since_begin_ms) override {
    if (since_begin_ms >= std::int64_t{options().duration_s} * 1000) finish();
  }
  bool succeeded() const override { return true; }

  void report(ResultLine& line) override {
    const ProcessMemory held = process_memory(options().server_pid);
    line.add("heldSeconds", options().duration_s);
    line.add("serverResidentBytesBefore", before_.resident_bytes);
    line.add("serverResidentBytesOpened", opened_.resident_bytes);
    line.add("serverResidentBytesHeld", held.resident_bytes);
    line.add("residentBytesPerConnection", per_connection(held.resident_bytes - before_.resident_bytes));
    line.add("userBytesPerConnection", per_connection(held.anonymous_bytes - before_.anonymous_bytes));
  }
  std::int64_t per_connection(std::int64_t bytes) const { return bytes / std::int64_t{options().connections}; }

  ProcessMemory before_;
  ProcessMemory opened_;
};

}  // namespace

void add_idle_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<FleetOptions>();
  CLI::App* command = app.add_subcommand("idle", "Hold many connections; memory per connection");
  add_fleet_options(*command, *options);
  command->callback([options, &exit_status] { exit_status = Idle(*options).run(); });
}

}  // namespace mooring::bench
