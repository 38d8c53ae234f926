// Fleet: opens many clients on one loop, a bounded number at a time, and runs a scenario with them. The base class of
// every scenario: it opens, then calls begin(), on_message(), tick(); the scenario calls finish().
//
// A run ends by itself: opening and the scenario have a deadline each. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "client.h"
#include "device_list.h"
#include "measure.h"
#include "net/loop.h"
#include "net/timer_wheel.h"
#include "target.h"

namespace mooring::bench {

inline constexpr std::uint32_t kMaxConnections = 200'000;

struct FleetOptions {
  std::string url;
  std::string ca_file;  // empty: the server's certificate is not checked
  std::string device_file;
  std::uint32_t connections = 100;
  std::uint32_t opening_at_once = 200;
  std::uint32_t open_timeout_s = 120;
  std::uint32_t duration_s = 10;
  std::uint32_t grace_s = 10;  // for what is still on its way after the duration
  pid_t server_pid = 0;        // 0: nothing is known of the server
  bool quiet = false;
};

class Fleet : protected ClientOwner, private net::Timer {
 public:
  // Runs everything. Exit status: 0, or 1 when a connection or a message was lost.
  int run();

 protected:
  Fleet(const FleetOptions& options, std::string scenario);
  ~Fleet();

  virtual std::string topic_of(const Device& device) const = 0;
  virtual std::uint8_t qos() const { return 0; }
  virtual bool keeps_session() const { return false; }  // clean session 0, for the devices
  virtual void before_opening() {}
  virtual void begin() = 0;                            // every client is ready
  virtual void tick(std::int64_t since_begin_ms) = 0;  // about every 50 ms after begin()
  virtual void report(ResultLine& line) = 0;
  virtual bool succeeded() const = 0;  // besides no lost connection
  virtual void end() { finish(); }     // the scenario is over, also because no connection is left

  void on_client_ready(Client& client) override;
  void on_client_message(Client&, const mqtt::Publish&) override {}
  void on_client_acknowledged(Client&) override {}
  void on_client_lost(Client& client, std::string_view why) override;

  // A further client, such as a publisher; begin() waits for it too.
  Client& add_client(const Target& target, const SignIn& sign_in, std::string topic, std::uint8_t qos);
  void finish();  // the run is over; the result is printed
  void close_all();
  void note(const std::string& text) const;

  const Target& target() const { return target_; }
  const FleetOptions& options() const { return options_; }
  const std::vector<Device>& devices() const { return devices_; }
  std::vector<std::unique_ptr<Client>>& clients() { return clients_; }
  std::uint32_t lost() const { return lost_; }

 private:
  static constexpr base::MonoMs kTickMs = 50;
  static constexpr base::MonoMs kProgressMs = 1'000;

  bool prepare();
  void open_more();
  void on_timer(base::MonoMs now) override;
  void show_progress(base::MonoMs now);
  void print_result();

  FleetOptions options_;
  std::string scenario_;
  Target target_;
  std::vector<Device> devices_;
  std::unique_ptr<net::Loop> loop_;
  std::vector<std::unique_ptr<Client>> clients_;  // before the loop ends
  std::size_t next_to_open_ = 0;
  std::uint32_t ready_ = 0;
  std::uint32_t lost_ = 0;
  bool begun_ = false;
  bool finished_ = false;
  std::string first_loss_;
  base::MonoMs opened_at_ms_ = 0;
  base::MonoMs begun_at_ms_ = 0;
  base::MonoMs progress_at_ms_ = 0;
  double open_s_ = 0;
  double open_server_cpu_s_ = 0;
};

}  // namespace mooring::bench
