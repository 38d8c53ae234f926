#include "traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "process_stats.h"

namespace mooring::bench {
namespace {

constexpr std::size_t kMaxUnsentBytes = 256 * 1024;  // of one connection; more of what is due waits its turn
constexpr std::uint32_t kMaxSequence = UINT32_MAX - kMaxWindow;
constexpr std::int64_t kMillisecond = 1'000'000;

}  // namespace

std::size_t Traffic::add_group(std::string name, const Pace& pace) {
  Group group;
  group.name = std::move(name);
  group.pace = pace;
  group.first_flow = static_cast<std::uint32_t>(flows_.size());
  groups_.push_back(std::move(group));
  return groups_.size() - 1;
}

base::Result<> Traffic::add_flow(std::size_t group_number, Connection& publisher, std::string topic,
                                 std::uint32_t first_receiver, std::uint32_t receivers) {
  Group& group = groups_[group_number];
  const Pace& pace = group.pace;
  auto publication = Publication::make(topic, pace.payload_bytes, pace.qos, publisher.framing());
  if (!publication) return tl::unexpected(publication.error());
  Flow flow;
  flow.publisher = &publisher;
  flow.topic = std::move(topic);
  flow.publication = std::move(*publication);
  flow.group = static_cast<std::uint32_t>(group_number);
  flow.first_receiver = first_receiver;
  flow.receivers = receivers;
  flow.first_track = sequences_.add_tracks(receivers);
  flow.first_slot = slots_.size();
  if (by_window(group)) slots_.resize(slots_.size() + pace.window);
  group.by_ping = receivers == 0 && pace.qos == 0;
  ++group.flows;
  prepare_publisher(flow, pace);
  flows_.push_back(std::move(flow));
  return {};
}

base::Result<> Traffic::add_echoes(std::size_t group, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const Identity& device = identities().fleet()[i];
    Connection& both = add_connection(device.sign_in, {device.echo, groups_[group].pace.qos});
    const auto added = add_flow(group, both, device.echo, both.number(), 1);
    if (!added) return added;
  }
  return {};
}

void Traffic::prepare_publisher(const Flow& flow, const Pace& pace) {
  const std::uint32_t number = flow.publisher->number();
  if (publishers_.size() <= number) publishers_.resize(number + 1);
  Publisher& publisher = publishers_[number];
  publisher.pinging_flow = static_cast<std::uint32_t>(flows_.size());
  if (pace.qos == 0) return;
  // Twice as large as what can be unacknowledged, because packet identifiers leave out 0.
  std::size_t unacknowledged = pace.window;
  if (by_window(groups_[flow.group])) unacknowledged += publisher.ring.size() / 2;
  publisher.ring.resize(std::max(publisher.ring.size(), std::bit_ceil(2 * unacknowledged)));
}

// ---- phases ---------------------------------------------------------------------------------------------------------

void Traffic::begin() {
  schedule_from_ns_ = last_progress_ns_ = now();
  publishers_.resize(connections().size());
  bool counted = false;
  for (Group& group : groups_) {
    if (group.pace.messages > 0) counted = true;
    for (std::uint32_t i = 0; i < group.flows; ++i) {
      // What does not divide evenly goes to the first ones.
      const std::uint64_t messages = group.pace.messages;
      const std::uint64_t share = messages / group.flows + (i < messages % group.flows ? 1 : 0);
      const std::uint64_t limit = messages == 0 ? kMaxSequence : share;
      flows_[group.first_flow + i].limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, kMaxSequence));
    }
  }
  if (counted || options().warm_up_s == 0) begin_measuring();
  for (const Group& group : groups_) {
    if (!by_window(group)) continue;
    for (std::uint32_t i = 0; i < group.flows; ++i) fill_window(group.first_flow + i);
  }
}

void Traffic::begin_measuring() {
  measuring_ = true;
  measured_from_ns_ = now();
  server_cpu_s_ = -process_cpu_s(options().server_pid);
  load_cpu_s_ = -own_cpu_s();
}

void Traffic::end_measuring() {
  if (!measuring_ || measured_) return;
  measuring_ = false;
  measured_ = true;
  poller().refresh();
  measured_ns_ = now() - measured_from_ns_;
  server_cpu_s_ += process_cpu_s(options().server_pid);
  load_cpu_s_ += own_cpu_s();
}

// Everybody who publishes with QoS 0 and is not heard asks the server whether it has come that far.
void Traffic::begin_stopping() {
  stopping_ = true;
  for (const Group& group : groups_) {
    for (std::uint32_t i = 0; group.by_ping && i < group.flows; ++i) ping(group.first_flow + i);
  }
}

void Traffic::stop() {
  end_measuring();
  if (!stopping_) begin_stopping();
}

void Traffic::turn() {
  wake_ns_ = now() + 50 * kMillisecond;
  const auto seconds = [](double s) { return std::llround(s * 1e9); };
  if (!measuring_ && !measured_ && now() - begun_at() >= seconds(options().warm_up_s)) begin_measuring();
  if (measuring_ && now() - measured_from_ns_ >= seconds(options().duration_s)) stop();
  if (!stopping_) {
    for (Group& group : groups_) {
      if (!by_window(group)) keep_rate(group);
    }
    if (everything_sent()) begin_stopping();
  }
  if (stopping_ && deliveries_missing_ == 0 && answers_missing_ == 0) {
    end_measuring();
    return finish();
  }
  if (now() - last_progress_ns_ > std::int64_t{options().grace_s} * kSecond) {
    end_measuring();
    fail(fmt::format("nothing came for {} s; {} deliveries and {} answers are missing", options().grace_s,
                     deliveries_missing_, answers_missing_));
  }
}

bool Traffic::everything_sent() const {
  for (const Group& group : groups_) {
    if (group.pace.messages == 0) return false;
    for (std::uint32_t i = 0; i < group.flows; ++i) {
      const Flow& flow = flows_[group.first_flow + i];
      if (flow.next < flow.limit) return false;
    }
  }
  return true;
}

void Traffic::lost_after_begin(Connection&) {
  fail("a connection was lost");
  end_measuring();
}

// ---- sending --------------------------------------------------------------------------------------------------------

void Traffic::publish(std::uint32_t number, std::int64_t intended) {
  Flow& flow = flows_[number];
  Group& group = groups_[flow.group];
  Publisher& publisher = publishers_[flow.publisher->number()];
  if (group.pace.qos > 0) remember(number, publisher);
  flow.publisher->publish(flow.publication, publisher.last_packet_id, {number, flow.next, intended});
  ++flow.next;
  deliveries_missing_ += flow.receivers;
  if (measuring_) ++group.published;
}

void Traffic::remember(std::uint32_t number, Publisher& publisher) {
  if (++publisher.last_packet_id == 0) publisher.last_packet_id = 1;
  publisher.ring[publisher.last_packet_id & (publisher.ring.size() - 1)] = {number, flows_[number].next,
                                                                            publisher.last_packet_id};
  ++publisher.unacknowledged;
  ++answers_missing_;
}

void Traffic::fill_window(std::uint32_t number) {
  Flow& flow = flows_[number];
  const Group& group = groups_[flow.group];
  if (group.by_ping) return send_burst(number);
  while (!stopping_ && flow.next < flow.limit) {
    std::uint32_t& slot = slots_[flow.first_slot + flow.next % group.pace.window];
    if (slot > 0) return;
    slot = flow.receivers + (group.pace.qos > 0 ? 1 : 0);
    publish(number, now());
  }
}

void Traffic::send_burst(std::uint32_t number) {
  Flow& flow = flows_[number];
  if (stopping_ || flow.pinged) return;
  for (std::uint32_t i = 0; i < groups_[flow.group].pace.window && flow.next < flow.limit; ++i) publish(number, now());
  ping(number);
}

void Traffic::ping(std::uint32_t number) {
  if (std::exchange(flows_[number].pinged, true)) return;
  ++answers_missing_;
  flows_[number].publisher->ping();
}

void Traffic::settle(std::uint32_t number, std::uint32_t sequence) {
  const Flow& flow = flows_[number];
  const Group& group = groups_[flow.group];
  if (!by_window(group)) return;
  std::uint32_t& slot = slots_[flow.first_slot + sequence % group.pace.window];
  if (slot > 0 && --slot == 0) fill_window(number);
}

std::int64_t Traffic::intended_ns(const Group& group, std::uint64_t number) const {
  return schedule_from_ns_ + std::llround(static_cast<double>(number) * 1e9 / group.pace.per_second);
}

void Traffic::keep_rate(Group& group) {
  std::erase_if(waiting_, [this](std::uint32_t number) { return send_due(number); });
  while (intended_ns(group, group.due) <= now()) {
    const std::uint32_t number = group.first_flow + static_cast<std::uint32_t>(group.due % group.flows);
    ++group.due;
    if (!flows_[number].waits && !send_due(number)) {
      flows_[number].waits = true;
      waiting_.push_back(number);
    }
  }
  wake_ns_ = std::min(wake_ns_, intended_ns(group, group.due));
}

// Whether nothing that is due is left.
bool Traffic::send_due(std::uint32_t number) {
  Flow& flow = flows_[number];
  const Group& group = groups_[flow.group];
  const std::uint64_t place = number - group.first_flow;
  while (flow.next < flow.limit) {
    const std::uint64_t message = std::uint64_t{flow.next} * group.flows + place;
    if (message >= group.due) break;
    if (!may_send(flow, group.pace)) return false;
    publish(number, intended_ns(group, message));
  }
  flow.waits = false;
  return true;
}

bool Traffic::may_send(const Flow& flow, const Pace& pace) const {
  if (pace.qos > 0 && publishers_[flow.publisher->number()].unacknowledged >= pace.window) return false;
  return flow.publisher->unsent_bytes() < kMaxUnsentBytes;
}

// ---- receiving ------------------------------------------------------------------------------------------------------

bool Traffic::is_sound(const Flow& flow, const Connection& connection, const Delivery& message,
                       std::uint32_t sequence) const {
  if (connection.number() - flow.first_receiver >= flow.receivers || sequence >= flow.next) return false;
  const Pace& pace = groups_[flow.group].pace;
  if (message.payload.size() != pace.payload_bytes || message.qos != pace.qos || message.topic != flow.topic) {
    return false;
  }
  // All filler: it equals itself, moved by one byte.
  const base::ByteView filler = message.payload.subspan(kStampBytes);
  return filler.empty() ||
         (filler[0] == kFiller && std::memcmp(filler.data(), filler.data() + 1, filler.size() - 1) == 0);
}

void Traffic::on_message(Connection& connection, const Delivery& message) {
  Stamp stamp;
  if (message.payload.size() >= kStampBytes) stamp = read_stamp(message.payload);
  if (message.payload.size() < kStampBytes || stamp.flow >= flows_.size() ||
      !is_sound(flows_[stamp.flow], connection, message, stamp.sequence)) {
    ++damaged_;
    return;
  }
  const Flow& flow = flows_[stamp.flow];
  const std::uint32_t track = flow.first_track + (connection.number() - flow.first_receiver);
  if (sequences_.take(track, stamp.sequence) == Sequences::Arrival::kAgain) return;
  last_progress_ns_ = now();
  --deliveries_missing_;
  if (measuring_) {
    Group& group = groups_[flow.group];
    ++group.deliveries;
    group.delays.add(now() - stamp.intended_ns);
    delivered(now() - stamp.intended_ns);
  }
  settle(stamp.flow, stamp.sequence);
}

void Traffic::on_acknowledged(Connection& connection, std::uint16_t packet_id) {
  Publisher& publisher = publishers_[connection.number()];
  Unacknowledged* const entry =
      publisher.ring.empty() ? nullptr : &publisher.ring[packet_id & (publisher.ring.size() - 1)];
  if (packet_id == 0 || entry == nullptr || entry->packet_id != packet_id) {
    ++damaged_;
    return;
  }
  entry->packet_id = 0;
  --publisher.unacknowledged;
  --answers_missing_;
  last_progress_ns_ = now();
  settle(entry->flow, entry->sequence);
}

void Traffic::on_pong(Connection& connection) {
  const std::uint32_t number = publishers_[connection.number()].pinging_flow;
  if (!std::exchange(flows_[number].pinged, false)) {
    ++damaged_;
    return;
  }
  --answers_missing_;
  last_progress_ns_ = now();
  if (by_window(groups_[flows_[number].group])) send_burst(number);
}

// ---- results --------------------------------------------------------------------------------------------------------

std::uint64_t Traffic::lost_messages() const {
  std::uint64_t lost = 0;
  for (const Flow& flow : flows_) {
    for (std::uint32_t i = 0; i < flow.receivers; ++i) {
      lost += flow.next - sequences_.next(flow.first_track + i);
    }
  }
  return lost + sequences_.missing();
}

bool Traffic::succeeded() const {
  return measured_ && damaged_ == 0 && lost_messages() == 0 && answers_missing_ == 0 && sequences_.disordered() == 0 &&
         sequences_.duplicated() == 0;
}

std::string Traffic::progress() const {
  std::uint64_t published = 0;
  std::uint64_t deliveries = 0;
  for (const Group& group : groups_) {
    published += group.published;
    deliveries += group.deliveries;
  }
  if (!measuring_) return stopping_ ? "waiting for the rest" : "warming up";
  return fmt::format("{:.0f} s, {} published, {} delivered", static_cast<double>(now() - measured_from_ns_) / 1e9,
                     published, deliveries);
}

void Traffic::report(ResultLine& line) {
  std::uint64_t published = 0;
  std::uint64_t deliveries = 0;
  for (const Group& group : groups_) {
    report_group(line, group, groups_.size() > 1 ? group.name : std::string());
    published += group.published;
    deliveries += group.deliveries;
  }
  const double seconds = static_cast<double>(measured_ns_) / 1e9;
  const auto per = [](double what, std::uint64_t count) { return count > 0 ? what / static_cast<double>(count) : 0; };
  line.add("seconds", seconds);
  line.add("published", published);
  if (deliveries > 0) {
    line.add("deliveries", deliveries);
    line.add("deliveriesPerSecond", std::llround(seconds > 0 ? static_cast<double>(deliveries) / seconds : 0));
  }
  line.add("publishedPerSecond", std::llround(seconds > 0 ? static_cast<double>(published) / seconds : 0));
  line.add("loadCpuSeconds", load_cpu_s_);
  if (options().server_pid > 0) {
    line.add("serverCpuSeconds", server_cpu_s_);
    if (deliveries > 0) line.add("serverCpuMicrosecondsPerDelivery", per(server_cpu_s_ * 1e6, deliveries));
    line.add("serverCpuMicrosecondsPerPublished", per(server_cpu_s_ * 1e6, published));
    line.add("loadToServerCpu", server_cpu_s_ > 0 ? load_cpu_s_ / server_cpu_s_ : 0);
    const ProcessMemory memory = process_memory(options().server_pid);
    line.add("serverResidentBytes", memory.resident_bytes);
    line.add("serverProportionalBytes", memory.proportional_bytes);
  }
  line.add("lost", lost_messages());
  line.add("disordered", sequences_.disordered());
  line.add("duplicated", sequences_.duplicated());
  line.add("damaged", damaged_);
  line.add("unanswered", answers_missing_);
}

void Traffic::report_group(ResultLine& line, const Group& group, const std::string& prefix) const {
  const auto name = [&prefix](std::string_view member) {
    std::string text = prefix + std::string(member);
    if (!prefix.empty()) text[prefix.size()] = static_cast<char>(std::toupper(member[0]));
    return text;
  };
  line.add(name("qos"), group.pace.qos);
  line.add(name("payloadBytes"), group.pace.payload_bytes);
  line.add(name("window"), group.pace.window);
  if (!by_window(group)) line.add(name("ratePerSecond"), group.pace.per_second);
  if (!prefix.empty()) {
    line.add(name("published"), group.published);
    line.add(name("deliveries"), group.deliveries);
  }
  if (group.delays.total() == 0) return;
  line.add(name("delayP50Us"), group.delays.quantile_us(0.5));
  line.add(name("delayP90Us"), group.delays.quantile_us(0.9));
  line.add(name("delayP99Us"), group.delays.quantile_us(0.99));
  line.add(name("delayP999Us"), group.delays.quantile_us(0.999));
  line.add(name("delayMaxUs"), group.delays.max_us());
}

}  // namespace mooring::bench
