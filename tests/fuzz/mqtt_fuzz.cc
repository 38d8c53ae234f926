// Fuzzer of the mqtt module: both protocol machines, the encoders and the topic functions.
//
// The first byte of an input chooses the part, see LLVMFuzzerTestOneInput. A broken promise ends the process.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "mqtt/client_connection.h"
#include "mqtt/encode.h"
#include "mqtt/server_connection.h"
#include "mqtt/topic.h"

namespace {

using namespace mooring;

void require(bool promise) {
  if (!promise) std::abort();
}

void append(base::Bytes& out, base::ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// What came out, independent of how the stream was cut.
struct Outcome {
  std::string log;
  std::string error;      // at most one, at the end
  base::Bytes reencoded;  // the packets of the log, written by our own encoders
  bool all_reencoded = true;

  bool operator==(const Outcome&) const = default;
  void field(std::string_view text) { (log += text) += '\x1F'; }
  void field(base::ByteView bytes) { field(base::as_text(bytes)); }
  void number(std::size_t value) { field(std::to_string(value)); }
  void begin(std::string_view name) {
    require(error.empty());
    (log += '\n') += name;
    log += ' ';
  }
};

void require_string(std::string_view text) {
  require(base::is_utf8(text) && text.find('\0') == std::string_view::npos);
}

// The parts of a PublishLayout put together are what append_publish() writes.
void check_layout(const mqtt::Publish& packet, base::ByteView expected) {
  const mqtt::PublishLayout layout(packet.topic.size(), packet.payload.size());
  base::Bytes block(layout.block_bytes());
  layout.write_block(block, packet.topic, packet.payload);
  base::Bytes parts;
  append(parts, layout.header(packet.qos, packet.dup, packet.retain).view());
  append(parts, layout.topic_part(block));
  if (packet.qos > 0) append(parts, mqtt::encode_packet_id(packet.packet_id).view());
  append(parts, layout.payload(block));
  require(std::equal(parts.begin(), parts.end(), expected.begin(), expected.end()));
  require(layout.packet_bytes(packet.qos) == expected.size());
}

void log_publish(const mqtt::Publish& packet, mqtt::Version version, Outcome& outcome) {
  outcome.begin("publish");
  outcome.field(packet.topic);
  outcome.field(packet.payload);
  outcome.number(packet.qos);
  outcome.number((packet.retain ? 1U : 0U) + (packet.dup ? 2U : 0U));
  outcome.number(packet.packet_id);
  require(mqtt::is_valid_topic_name(packet.topic));
  require((packet.qos > 0) == (packet.packet_id != 0) && (packet.qos > 0 || !packet.dup));
  const std::size_t at = outcome.reencoded.size();
  require(mqtt::append_publish(outcome.reencoded, version, packet).has_value());
  check_layout(packet, base::ByteView(outcome.reencoded).subspan(at));
}

void log_error(const mqtt::ProtocolError& error, Outcome& outcome) {
  outcome.begin("error");
  require(!error.text.empty());
  outcome.error =
      std::string(mqtt::to_string(error.reason)) + ": " + std::string(error.text) + base::to_hex(error.reply);
}

class ServerWatcher final : public mqtt::ServerConnectionEvents {
 public:
  // Pauses in every `pause_after`-th event, 0 for never.
  ServerWatcher(mqtt::ServerConnection& connection, const mqtt::Limits& limits, unsigned pause_after)
      : connection_(connection), limits_(limits), pause_after_(pause_after) {}

  void on_connect(const mqtt::Connect& packet) override {
    require(outcome.log.empty());
    outcome.begin("connect");
    outcome.field(mqtt::to_string(packet.version));
    outcome.field(packet.client_id);
    require_string(packet.client_id);
    outcome.number(packet.keep_alive_s);
    outcome.number(packet.clean_session ? 1 : 0);
    if (packet.username) {
      outcome.field("user");
      outcome.field(*packet.username);
      require_string(*packet.username);
    }
    if (packet.password) {
      outcome.field("password");
      outcome.field(*packet.password);
    }
    if (packet.will) {
      outcome.field("will");
      outcome.field(packet.will->topic);
      outcome.field(packet.will->payload);
      outcome.number(packet.will->qos);
      outcome.number(packet.will->retain ? 1 : 0);
      require(mqtt::is_valid_topic_name(packet.will->topic));
    }
    version_ = packet.version;
    require(connection_.awaits_accept() && connection_.version() == version_);
    require(mqtt::append_connect(outcome.reencoded, packet).has_value());
    connection_.accept_connect();
    count();
  }
  void on_publish(const mqtt::Publish& packet) override {
    require(packet.qos <= limits_.max_qos && packet.payload.size() <= limits_.max_payload_bytes);
    log_publish(packet, version_, outcome);
    count();
  }
  void on_oversized_publish(const mqtt::OversizedPublish& packet) override {
    outcome.begin("oversized");
    outcome.field(packet.topic);
    outcome.number(packet.qos);
    outcome.number(packet.packet_id);
    outcome.number(packet.payload_bytes);
    require(mqtt::is_valid_topic_name(packet.topic));
    require(packet.payload_bytes > limits_.max_payload_bytes);
    require(packet.payload_bytes <= limits_.max_discarded_payload_bytes);
    outcome.all_reencoded = false;
    count();
  }
  void on_puback(std::uint16_t packet_id) override {
    outcome.begin("puback");
    outcome.number(packet_id);
    append(outcome.reencoded, mqtt::encode_puback(version_, packet_id).view());
    count();
  }
  void on_subscribe(const mqtt::Subscribe& packet) override {
    outcome.begin("subscribe");
    outcome.number(packet.packet_id);
    std::vector<mqtt::SubscribeEntry> entries;
    for (const mqtt::SubscribeEntry& entry : packet.entries) {
      outcome.field(entry.filter);
      outcome.number(entry.qos);
      require(mqtt::is_valid_filter(entry.filter) && entry.qos <= mqtt::kMaxQos);
      entries.push_back(entry);
    }
    require(!entries.empty() && entries.size() == packet.entries.size());
    require(mqtt::append_subscribe(outcome.reencoded, version_, packet.packet_id, entries).has_value());
    count();
  }
  void on_unsubscribe(const mqtt::Unsubscribe& packet) override {
    outcome.begin("unsubscribe");
    outcome.number(packet.packet_id);
    std::vector<std::string_view> filters;
    for (const std::string_view filter : packet.filters) {
      outcome.field(filter);
      filters.push_back(filter);
    }
    require(!filters.empty() && filters.size() == packet.filters.size());
    require(mqtt::append_unsubscribe(outcome.reencoded, version_, packet.packet_id, filters).has_value());
    count();
  }
  void on_pingreq() override {
    outcome.begin("pingreq");
    append(outcome.reencoded, mqtt::encode_pingreq().view());
    count();
  }
  void on_disconnect() override {
    outcome.begin("disconnect");
    append(outcome.reencoded, mqtt::encode_disconnect(version_).view());
    require(connection_.closed());
    count();
  }
  void on_protocol_error(const mqtt::ProtocolError& error) override {
    log_error(error, outcome);
    require(connection_.closed());
  }

  Outcome outcome;

 private:
  void count() {
    if (pause_after_ != 0 && ++events_ % pause_after_ == 0) connection_.pause();
  }

  mqtt::ServerConnection& connection_;
  const mqtt::Limits& limits_;
  unsigned pause_after_;
  unsigned events_ = 0;
  mqtt::Version version_ = mqtt::Version::k311;
};

class ClientWatcher final : public mqtt::ClientConnectionEvents {
 public:
  explicit ClientWatcher(mqtt::Version version) : version_(version) {}

  void on_connack(const mqtt::Connack& packet) override {
    outcome.begin("connack");
    outcome.number(static_cast<std::size_t>(packet.code));
    outcome.number(packet.session_present ? 1 : 0);
    append(outcome.reencoded, mqtt::encode_connack(version_, packet.code, packet.session_present).view());
  }
  void on_publish(const mqtt::Publish& packet) override { log_publish(packet, version_, outcome); }
  void on_puback(std::uint16_t packet_id) override {
    outcome.begin("puback");
    outcome.number(packet_id);
    append(outcome.reencoded, mqtt::encode_puback(version_, packet_id).view());
  }
  void on_suback(const mqtt::Suback& packet) override {
    outcome.begin("suback");
    outcome.number(packet.packet_id);
    outcome.field(packet.codes);
    mqtt::append_suback(outcome.reencoded, version_, packet.packet_id, packet.codes);
  }
  void on_unsuback(std::uint16_t packet_id) override {
    outcome.begin("unsuback");
    outcome.number(packet_id);
    append(outcome.reencoded, mqtt::encode_unsuback(version_, packet_id).view());
  }
  void on_pingresp() override {
    outcome.begin("pingresp");
    append(outcome.reencoded, mqtt::encode_pingresp().view());
  }
  void on_protocol_error(const mqtt::ProtocolError& error) override { log_error(error, outcome); }

  Outcome outcome;

 private:
  mqtt::Version version_;
};

// Small repeatable numbers for cuts, taken from the input itself.
class Numbers {
 public:
  explicit Numbers(base::ByteView seed) {
    for (const std::uint8_t byte : seed) state_ = (state_ ^ byte) * 1099511628211U;
  }
  std::size_t up_to(std::size_t most) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33) % (most + 1);
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

// Calls feed(piece) with pieces of at most `step` bytes, each in a block of its own.
template <class Feed>
void cut(base::ByteView wire, std::size_t step, Feed feed) {
  Numbers numbers(wire);
  while (!wire.empty()) {
    const std::size_t size = std::min(wire.size(), step <= 1 ? 1 : 1 + numbers.up_to(step - 1));
    const base::Bytes piece(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    feed(piece);
    wire = wire.subspan(size);
  }
}

Outcome serve(const mqtt::Limits& limits, base::ByteView wire, std::size_t step, unsigned pause_after) {
  mqtt::ServerConnection connection(limits);
  ServerWatcher watcher(connection, limits, pause_after);
  std::size_t received = 0;
  cut(wire, step, [&](base::ByteView piece) {
    received += piece.size();
    while (!piece.empty()) {
      const std::size_t used = connection.receive(piece, watcher);
      require(used <= piece.size());
      require(used == piece.size() || connection.paused());
      require(connection.buffered_bytes() <= std::max<std::size_t>(64, 2 * received));
      piece = piece.subspan(used);
      connection.resume();
    }
  });
  require(connection.closed() || watcher.outcome.error.empty());
  return watcher.outcome;
}

void fuzz_server(std::uint8_t choice, base::ByteView input) {
  mqtt::Limits limits;
  if ((choice & 1) != 0) {
    limits.max_connect_bytes = 60;
    limits.max_packet_bytes = 50;
    limits.max_payload_bytes = 20;
    limits.max_discarded_payload_bytes = 100;
  }
  if ((choice & 2) != 0) limits.max_qos = 2;
  base::Bytes wire;
  if ((choice & 12) != 0) {
    mqtt::Connect connect;
    connect.version = (choice & 4) != 0 ? mqtt::Version::k31 : mqtt::Version::k311;
    require(mqtt::append_connect(wire, connect).has_value());
  }
  append(wire, input);

  const Outcome whole = serve(limits, wire, wire.size(), 0);
  require(serve(limits, wire, 1, 0) == whole);
  require(serve(limits, wire, 7, 0) == whole);
  require(serve(limits, wire, wire.size() / 2 + 1, 0) == whole);
  require(serve(limits, wire, wire.size(), 1) == whole);
  require(serve(limits, wire, 20, 3) == whole);

  if (!whole.all_reencoded) return;
  const Outcome again = serve(mqtt::Limits{.max_qos = 2}, whole.reencoded, whole.reencoded.size(), 0);
  require(again.error.empty() && whole.log.starts_with(again.log));
  require(whole.log.size() == again.log.size() + (whole.error.empty() ? 0 : std::string_view("\nerror ").size()));
}

Outcome consume(mqtt::Version version, std::size_t max_bytes, base::ByteView wire, std::size_t step) {
  mqtt::ClientConnection connection(version, max_bytes);
  ClientWatcher watcher(version);
  cut(wire, step, [&](base::ByteView piece) { connection.receive(piece, watcher); });
  require(connection.closed() == !watcher.outcome.error.empty());
  return watcher.outcome;
}

void fuzz_client(std::uint8_t choice, base::ByteView input) {
  const mqtt::Version version = (choice & 1) != 0 ? mqtt::Version::k31 : mqtt::Version::k311;
  const std::size_t max_bytes = (choice & 2) != 0 ? 100 : mqtt::ClientConnection::kDefaultMaxPacketBytes;
  base::Bytes wire;
  if ((choice & 4) != 0) append(wire, mqtt::encode_connack(version, mqtt::ConnackCode::kAccepted).view());
  append(wire, input);

  const Outcome whole = consume(version, max_bytes, wire, wire.size());
  require(consume(version, max_bytes, wire, 1) == whole);
  require(consume(version, max_bytes, wire, 7) == whole);
  require(consume(version, max_bytes, wire, wire.size() / 2 + 1) == whole);

  const Outcome again = consume(version, max_bytes, whole.reencoded, whole.reencoded.size());
  require(again.error.empty() && whole.log.starts_with(again.log));
}

// A topic that `filter` selects: wildcards replaced by `word`, and when `deep` something in the place of #.
std::string example_of(std::string_view filter, std::string_view word, bool deep) {
  std::string topic;
  mqtt::LevelIterator levels(filter);
  bool first = true;
  for (std::string_view level; levels.next(level); first = false) {
    if (level == "#" && !deep && !first) break;
    if (!first) topic += '/';
    topic += level == "+" || level == "#" ? word : level;
  }
  return topic;
}

void check_filter_and_topic(std::string_view filter, std::string_view topic) {
  require(mqtt::covers(filter, topic) == mqtt::matches(filter, topic));
  if (!mqtt::has_wildcard(filter)) require(mqtt::matches(filter, topic) == (filter == topic));
}

void check_two_filters(std::string_view outer, std::string_view inner, std::string_view topic) {
  require(mqtt::covers(outer, outer));
  if (!mqtt::is_valid_topic_name(topic)) topic = "t";
  const bool covered = mqtt::covers(outer, inner);
  if (covered && mqtt::matches(inner, topic)) require(mqtt::matches(outer, topic));

  // A word that neither filter names, so that only a wildcard selects it.
  bool all_selected = true;
  std::string unknown = "u";
  while (outer.find(unknown) != std::string_view::npos || inner.find(unknown) != std::string_view::npos) unknown += 'u';
  for (const std::string& word : {unknown, std::string("$") + unknown, std::string("t")}) {
    for (const bool deep : {false, true}) {
      const std::string example = example_of(inner, word, deep);
      if (!mqtt::is_valid_topic_name(example) || !mqtt::matches(inner, example)) continue;
      if (covered) require(mqtt::matches(outer, example));
      all_selected = all_selected && mqtt::matches(outer, example);
    }
  }
  // Not covered means that there is a witness: one of these, or a topic deeper than all levels of outer.
  const std::string deepest = example_of(inner, unknown, true);
  if (inner.ends_with('#') && mqtt::is_valid_topic_name(deepest)) {
    std::string deeper = deepest;
    for (std::size_t i = 0; i <= mqtt::level_count(outer); ++i) deeper += "/u";
    all_selected = all_selected && mqtt::matches(outer, deeper);
  }
  // With longer filters the witness could be too long for a topic.
  if (outer.size() + inner.size() < 400) require(covered == all_selected);
}

// Three lines: filter, filter, topic.
void fuzz_topics(std::string_view text) {
  const auto next_line = [&] {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  const std::string_view a = next_line();
  const std::string_view b = next_line();
  const std::string_view topic = next_line();
  for (const std::string_view each : {a, b, topic}) {
    require(mqtt::is_valid_topic_name(each) == (mqtt::is_valid_filter(each) && !mqtt::has_wildcard(each)));
  }
  if (mqtt::is_valid_filter(a) && mqtt::is_valid_topic_name(topic)) check_filter_and_topic(a, topic);
  if (mqtt::is_valid_filter(a) && mqtt::is_valid_filter(b)) {
    check_two_filters(a, b, topic);
    check_two_filters(b, a, topic);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const base::ByteView rest(data + 1, size - 1);
  switch (choice >> 5) {
    case 0:
    case 1:
    case 2:
    case 3:
      fuzz_server(choice, rest);
      break;
    case 4:
    case 5:
      fuzz_client(choice, rest);
      break;
    default:
      fuzz_topics(base::as_text(rest));
      break;
  }
  return 0;
}
