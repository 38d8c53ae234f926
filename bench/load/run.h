// Run: opens many connections with a poller, a bounded number at a time, and runs a scenario with them. The base class
// of every scenario: it opens what plan() added, then calls begin(), turn() and the calls of ConnectionOwner; the
// scenario calls finish().
//
// A run ends by itself: opening has a deadline, and every scenario a duration and a time of grace. Ctrl-C ends it early
// with what was measured until then. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connection.h"
#include "identities.h"
#include "poller.h"
#include "result_line.h"
#include "run_options.h"
#include "target.h"

namespace mooring::bench {

class Run : protected ConnectionOwner {
 public:
  // Runs everything and prints the result. Exit status: 0, or 1 when anything went wrong.
  int run();

 protected:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  static constexpr std::int64_t kNever = INT64_MAX;

  Run(const RunOptions& options, std::string scenario);
  ~Run() = default;

  virtual base::Result<> plan() = 0;                       // adds the connections; identities() and target() are there
  virtual void begin() = 0;                                // everything that was opened is open
  virtual void turn() {}                                   // once in each turn after begin()
  virtual void stop() = 0;                                 // Ctrl-C: come to an end
  virtual std::int64_t wake_ns() const { return kNever; }  // when turn() is wanted at the latest
  virtual std::string progress() const { return "running"; }
  virtual void report(ResultLine& line) = 0;
  virtual bool succeeded() const = 0;  // besides no lost connection
  virtual void lost_after_begin(Connection&) {}

  void on_open(Connection& connection) override;
  void on_message(Connection&, const Delivery&) override {}
  void on_acknowledged(Connection&, std::uint16_t) override {}
  void on_pong(Connection&) override {}
  void on_lost(Connection& connection, std::string_view why) override;

  // A connection; it is opened at the beginning unless `later`. Its number is its place in connections(). The sign-in
  // must outlive the run.
  Connection& add_connection(const SignIn& sign_in, Subscription subscription, bool later = false);
  // A back end's connection: an account's, or the operator's if there is a data folder.
  Connection& add_back_end(Subscription subscription);
  void open_later(Connection& connection) { to_open_.push_back(connection.number()); }
  void close(Connection& connection);  // may be opened again
  void finish() { finished_ = true; }
  void fail(std::string why);  // finish, with the reason on stderr and in the result

  const RunOptions& options() const { return options_; }
  const Identities& identities() const { return *identities_; }
  const Target& target() const { return target_; }
  Poller& poller() { return *poller_; }
  std::int64_t now() const { return poller_->now(); }
  std::int64_t begun_at() const { return begun_at_ns_; }
  const std::vector<std::unique_ptr<Connection>>& connections() const { return connections_; }
  std::uint32_t lost() const { return lost_; }
  std::uint32_t opening() const { return opening_; }

 private:
  static constexpr std::int64_t kTick = kSecond / 20;

  base::Result<> prepare();
  Connection& add(const Target& target, const SignIn& sign_in, Subscription subscription, bool later);
  void open_more();
  void tick();
  void show_progress();
  void print_result();

  RunOptions options_;
  std::string scenario_;
  Target target_;
  Target operator_target_;
  std::vector<net::SocketAddress> sources_;
  std::unique_ptr<Identities> identities_;
  std::deque<SignIn> back_ends_;
  std::unique_ptr<Poller> poller_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<bool> open_;  // by number
  std::deque<std::uint32_t> to_open_;
  std::vector<std::uint32_t> refused_;  // before begin(), with "not now"; tried again at the next tick
  std::uint32_t planned_ = 0;
  std::uint32_t opening_ = 0;
  std::uint32_t opened_ = 0;
  std::uint32_t lost_ = 0;
  std::uint64_t retried_ = 0;
  bool begun_ = false;
  bool finished_ = false;
  bool stopped_ = false;
  std::string first_failure_;
  std::int64_t started_at_ns_ = 0;
  std::int64_t begun_at_ns_ = 0;
  std::int64_t ticked_at_ns_ = 0;
  std::int64_t shown_at_ns_ = 0;
  double open_s_ = 0;
  double open_server_cpu_s_ = 0;
};

}  // namespace mooring::bench
