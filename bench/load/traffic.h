// Traffic: a run in which messages flow. A scenario says who publishes what to whom (flows) and at which pace (groups);
// the rest is here: sending, checking that each message arrives once, in order and undamaged at each receiver, delays,
// and what it costs the server.
//
// Pace: a window (that many messages of a flow are on their way; one leaves when all its receivers have it and, with
// QoS 1 and 2, it was acknowledged), or a fixed rate. At a fixed rate every message has a time at which it is due, and
// its delay counts from then, also when it could not be sent in time: a server that stalls is charged for all who
// waited (no "coordinated omission").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "histogram.h"
#include "publication.h"
#include "run.h"
#include "sequence.h"

namespace mooring::bench {

inline constexpr std::uint32_t kMaxWindow = 1'024;

struct Pace {
  std::uint8_t qos = 0;
  std::uint32_t payload_bytes = 64;
  std::uint32_t window = 16;   // with a rate: unacknowledged messages of a publisher at most
  double per_second = 0;       // of the group; 0: by window
  std::uint64_t messages = 0;  // of the group; 0: as many as there is time for
};

void add_pace_options(CLI::App& command, Pace& pace);  // --qos --payload --window --rate --messages

class Traffic : public Run {
 protected:
  Traffic(const RunOptions& options, std::string scenario) : Run(options, std::move(scenario)) {}
  ~Traffic() = default;

  // `name` begins the members of its results when there is more than one group.
  std::size_t add_group(std::string name, const Pace& pace);
  // Flows of one group have to be added together. The receivers are `receivers` connections from number
  // `first_receiver` on. With QoS 0 and no receiver PINGREQ follows each window, and its answer counts for the messages
  // before it.
  base::Result<> add_flow(std::size_t group, Connection& publisher, std::string topic, std::uint32_t first_receiver,
                          std::uint32_t receivers);

  // The first `count` of the fleet, each publishing to itself.
  base::Result<> add_echoes(std::size_t group, std::uint32_t count);

  void begin() override;
  void turn() override;
  void stop() override;
  std::int64_t wake_ns() const override { return wake_ns_; }
  std::string progress() const override;
  void report(ResultLine& line) override;
  bool succeeded() const override;
  void lost_after_begin(Connection& connection) override;

  void on_message(Connection& connection, const Delivery& message) override;
  void on_acknowledged(Connection& connection, std::uint16_t packet_id) override;
  void on_pong(Connection& connection) override;

  virtual void delivered(std::int64_t /*delay_ns*/) {}  // while measured

 private:
  struct Group {
    std::string name;
    Pace pace;
    std::uint32_t first_flow = 0;
    std::uint32_t flows = 0;
    std::uint64_t due = 0;  // messages whose time has come
    bool by_ping = false;
    std::uint64_t published = 0;  // while measured
    std::uint64_t deliveries = 0;
    Histogram delays;
  };
  struct Flow {
    Connection* publisher = nullptr;
    std::string topic;
    Publication publication;
    std::uint32_t group = 0;
    std::uint32_t first_receiver = 0;
    std::uint32_t receivers = 0;
    std::uint32_t first_track = 0;
    std::size_t first_slot = 0;
    std::uint32_t next = 0;   // sequence number
    std::uint32_t limit = 0;  // messages at most
    bool waits = false;       // is among waiting_
    bool pinged = false;
  };
  struct Unacknowledged {
    std::uint32_t flow = 0;
    std::uint32_t sequence = 0;
    std::uint16_t packet_id = 0;  // 0: free
  };
  struct Publisher {  // by connection
    std::vector<Unacknowledged> ring;
    std::uint32_t pinging_flow = 0;
    std::uint32_t unacknowledged = 0;
    std::uint16_t last_packet_id = 0;
  };

  bool by_window(const Group& group) const { return group.pace.per_second == 0; }
  void prepare_publisher(const Flow& flow, const Pace& pace);
  void begin_measuring();
  void end_measuring();
  void begin_stopping();
  void publish(std::uint32_t number, std::int64_t intended_ns);
  void remember(std::uint32_t number, Publisher& publisher);
  void fill_window(std::uint32_t number);
  void send_burst(std::uint32_t number);
  void ping(std::uint32_t number);
  void settle(std::uint32_t number, std::uint32_t sequence);
  void keep_rate(Group& group);
  bool send_due(std::uint32_t number);
  bool may_send(const Flow& flow, const Pace& pace) const;
  std::int64_t intended_ns(const Group& group, std::uint64_t number) const;
  bool is_sound(const Flow& flow, const Connection& connection, const Delivery& message, std::uint32_t sequence) const;
  bool everything_sent() const;
  void report_group(ResultLine& line, const Group& group, const std::string& prefix) const;
  std::uint64_t lost_messages() const;

  std::vector<Group> groups_;
  std::vector<Flow> flows_;
  std::vector<Publisher> publishers_;
  std::vector<std::uint32_t> slots_;    // by flow and sequence modulo window: what the message still lacks
  std::vector<std::uint32_t> waiting_;  // flows that could not send what was due
  Sequences sequences_;
  std::uint64_t deliveries_missing_ = 0;
  std::uint64_t answers_missing_ = 0;  // acknowledgements and pongs
  std::uint64_t damaged_ = 0;          // not what was sent, or an acknowledgement of nothing
  std::int64_t schedule_from_ns_ = 0;
  std::int64_t last_progress_ns_ = 0;
  std::int64_t wake_ns_ = 0;
  std::int64_t measured_from_ns_ = 0;
  std::int64_t measured_ns_ = 0;
  bool measuring_ = false;
  bool measured_ = false;
  bool stopping_ = false;
  double server_cpu_s_ = 0;
  double load_cpu_s_ = 0;
};

}  // namespace mooring::bench
