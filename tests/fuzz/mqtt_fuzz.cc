// Fuzzer of the mqtt module: both protocol machines in all versions, the encoders and the topic functions. Every input
// is read whole and in pieces, which must make no difference, and what came out of it is encoded again and must be read
// as the same.
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
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/property_block.h"
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

// The properties of a checked block in the order of their identifiers; those that repeat stay in the order they have.
std::string sorted_properties(base::ByteView block) {
  std::vector<std::string> all;
  mqtt::PropertyReader reader(block);
  for (mqtt::Property property; reader.next(property);) {
    if (property.type == mqtt::PropertyType::kString || property.type == mqtt::PropertyType::kStringPair) {
      require_string(property.text);
      require_string(property.value);
    }
    all.emplace_back(base::as_text(property.encoded));
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a[0] < b[0]; });
  std::string out;
  for (const std::string& each : all) out += each;
  require(out.size() == block.size());
  return out;
}

// What the fast path writes for a subscriber is read back as the packet it was made from.
void check_head(const mqtt::Publish& packet) {
  base::Bytes forwarded;
  mqtt::forwarded_properties(packet.properties, forwarded);
  mqtt::MessageFields fields;
  fields.properties = forwarded;
  const mqtt::MessageRef message = mqtt::Message::create(packet.topic, packet.payload, fields);
  std::vector<std::uint32_t> subscription_ids;
  mqtt::PropertyReader reader(packet.properties);
  for (mqtt::Property property; reader.next(property);) {
    if (property.id == mqtt::PropertyId::kSubscriptionIdentifier) subscription_ids.push_back(property.number);
  }
  mqtt::PublishExtras extras;
  extras.message_expiry_s = packet.message_expiry_s;
  const auto alias = mqtt::find_property(packet.properties, mqtt::PropertyId::kTopicAlias);
  if (alias) extras.topic_alias = static_cast<std::uint16_t>(alias->number);
  extras.subscription_ids = subscription_ids;

  const mqtt::Publish5Head head(*message, packet.qos, packet.dup, packet.retain, packet.packet_id, extras);
  base::Bytes wire(head.bytes());
  head.write(wire.data());
  append(wire, message->payload());
  require(wire.size() == head.packet_bytes());
  mqtt::FixedHeader header;
  require(mqtt::read_fixed_header(wire, header) == mqtt::HeaderState::kComplete && header.shortest);
  require(header.packet_bytes() == wire.size());
  std::uint16_t read_alias = 0;
  mqtt::Publish read;
  const base::ByteView body = base::ByteView(wire).subspan(header.header_bytes);
  require(!mqtt::decode_publish(mqtt::Version::k5, mqtt::Sender::kServer, header.flags, body, read, read_alias));
  require(read_alias == extras.topic_alias);
  require(read.topic == packet.topic && base::as_text(read.payload) == base::as_text(packet.payload));
  require(read.qos == packet.qos && read.dup == packet.dup && read.retain == packet.retain);
  require(read.packet_id == packet.packet_id);
  require(sorted_properties(read.properties) == sorted_properties(packet.properties));
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
  outcome.field(sorted_properties(packet.properties));
  outcome.number(packet.payload_format);
  outcome.field(packet.response_topic);
  outcome.number(packet.user_property_count);
  const std::size_t at = outcome.reencoded.size();
  require(mqtt::append_publish(outcome.reencoded, version, packet).has_value());
  if (version == mqtt::Version::k5) return check_head(packet);
  require(packet.properties.empty());
  check_layout(packet, base::ByteView(outcome.reencoded).subspan(at));
}

void log_error(const mqtt::ProtocolError& error, Outcome& outcome) {
  outcome.begin("error");
  require(!error.text.empty());
  require(mqtt::is_error(error.code) && mqtt::to_string(error.code) != "unknown");
  outcome.error = std::string(mqtt::to_string(error.reason)) + ": " + std::string(error.text) +
                  base::to_hex(error.reply) + std::string(mqtt::to_string(error.code));
}

void log_ack(std::string_view name, mqtt::PacketType type, const mqtt::Ack& packet, mqtt::Version version,
             Outcome& outcome) {
  outcome.begin(name);
  outcome.number(packet.packet_id);
  outcome.field(mqtt::to_string(packet.reason));
  require(packet.packet_id != 0 && mqtt::to_string(packet.reason) != "unknown");
  require(version == mqtt::Version::k5 || packet.reason == mqtt::ReasonCode::kSuccess);
  append(outcome.reencoded, mqtt::encode_ack(version, type, packet.packet_id, packet.reason).view());
}

void log_disconnect(const mqtt::Disconnect& packet, mqtt::Version version, Outcome& outcome) {
  outcome.begin("disconnect");
  outcome.field(mqtt::to_string(packet.reason));
  outcome.field(packet.reason_string);
  if (packet.session_expiry_s) outcome.number(*packet.session_expiry_s);
  require_string(packet.reason_string);
  require_string(packet.server_reference);
  if (version == mqtt::Version::k5) {
    mqtt::append_disconnect(outcome.reencoded, packet.reason, packet.reason_string, packet.session_expiry_s);
  } else {
    append(outcome.reencoded, mqtt::encode_disconnect(version).view());
  }
}

void log_auth(const mqtt::Auth& packet, Outcome& outcome) {
  outcome.begin("auth");
  outcome.field(mqtt::to_string(packet.reason));
  outcome.field(packet.authentication_method.value_or("(none)"));
  outcome.field(packet.authentication_data);
  outcome.field(packet.reason_string);
  mqtt::append_auth(outcome.reencoded, packet);
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
      outcome.field(sorted_properties(packet.will->properties));
      require(mqtt::is_valid_topic_name(packet.will->topic));
    }
    outcome.field(sorted_properties(packet.properties));
    outcome.number(packet.session_expiry_s);
    outcome.number(packet.receive_maximum);
    require(packet.receive_maximum != 0);
    require(packet.version == mqtt::Version::k5 || packet.properties.empty());
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
  void on_puback(const mqtt::Ack& packet) override { on_ack("puback", mqtt::PacketType::kPuback, packet); }
  void on_pubrec(const mqtt::Ack& packet) override { on_ack("pubrec", mqtt::PacketType::kPubrec, packet); }
  void on_pubrel(const mqtt::Ack& packet) override { on_ack("pubrel", mqtt::PacketType::kPubrel, packet); }
  void on_pubcomp(const mqtt::Ack& packet) override { on_ack("pubcomp", mqtt::PacketType::kPubcomp, packet); }
  void on_subscribe(const mqtt::Subscribe& packet) override {
    outcome.begin("subscribe");
    outcome.number(packet.packet_id);
    std::vector<mqtt::SubscribeEntry> entries;
    for (const mqtt::SubscribeEntry& entry : packet.entries) {
      outcome.field(entry.filter);
      outcome.number(entry.qos);
      outcome.number((entry.no_local ? 1U : 0U) + (entry.retain_as_published ? 2U : 0U));
      outcome.number(static_cast<std::size_t>(entry.retain_handling));
      require(mqtt::is_valid_filter(entry.filter) && entry.qos <= mqtt::kMaxQos);
      require(entry.retain_handling <= mqtt::RetainHandling::kDoNotSend);
      require_shared(entry.filter);
      entries.push_back(entry);
    }
    outcome.number(packet.subscription_id);
    require(!entries.empty() && entries.size() == packet.entries.size());
    const auto written =
        mqtt::append_subscribe(outcome.reencoded, version_, packet.packet_id, entries, packet.subscription_id);
    require(written.has_value());
    count();
  }
  void on_unsubscribe(const mqtt::Unsubscribe& packet) override {
    outcome.begin("unsubscribe");
    outcome.number(packet.packet_id);
    std::vector<std::string_view> filters;
    for (const std::string_view filter : packet.filters) {
      outcome.field(filter);
      require_shared(filter);
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
  void on_disconnect(const mqtt::Disconnect& packet) override {
    log_disconnect(packet, version_, outcome);
    require(connection_.closed());
    count();
  }
  void on_auth(const mqtt::Auth& packet) override {
    log_auth(packet, outcome);
    count();
  }
  void on_protocol_error(const mqtt::ProtocolError& error) override {
    log_error(error, outcome);
    require(connection_.closed());
  }

  Outcome outcome;

 private:
  void on_ack(std::string_view name, mqtt::PacketType type, const mqtt::Ack& packet) {
    log_ack(name, type, packet, version_, outcome);
    count();
  }
  void require_shared(std::string_view filter) const {
    if (version_ != mqtt::Version::k5 || !mqtt::is_shared_filter(filter)) return;
    const auto shared = mqtt::parse_shared_filter(filter);
    require(shared && mqtt::is_valid_filter(shared->filter) && !mqtt::has_wildcard(shared->group));
  }
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
    outcome.number(packet.session_present ? 1 : 0);
    if (version_ == mqtt::Version::k5) return log_connack5(packet);
    outcome.number(static_cast<std::size_t>(packet.code));
    append(outcome.reencoded, mqtt::encode_connack(version_, packet.code, packet.session_present).view());
  }
  void on_publish(const mqtt::Publish& packet) override { log_publish(packet, version_, outcome); }
  void on_puback(const mqtt::Ack& packet) override { on_ack("puback", mqtt::PacketType::kPuback, packet); }
  void on_pubrec(const mqtt::Ack& packet) override { on_ack("pubrec", mqtt::PacketType::kPubrec, packet); }
  void on_pubrel(const mqtt::Ack& packet) override { on_ack("pubrel", mqtt::PacketType::kPubrel, packet); }
  void on_pubcomp(const mqtt::Ack& packet) override { on_ack("pubcomp", mqtt::PacketType::kPubcomp, packet); }
  void on_suback(const mqtt::Suback& packet) override {
    outcome.begin("suback");
    outcome.number(packet.packet_id);
    outcome.field(packet.codes);
    mqtt::append_suback(outcome.reencoded, version_, packet.packet_id, packet.codes);
  }
  void on_unsuback(const mqtt::Unsuback& packet) override {
    outcome.begin("unsuback");
    outcome.number(packet.packet_id);
    outcome.field(packet.codes);
    mqtt::append_unsuback(outcome.reencoded, version_, packet.packet_id, packet.codes);
  }
  void on_pingresp() override {
    outcome.begin("pingresp");
    append(outcome.reencoded, mqtt::encode_pingresp().view());
  }
  void on_disconnect(const mqtt::Disconnect& packet) override { log_disconnect(packet, version_, outcome); }
  void on_auth(const mqtt::Auth& packet) override { log_auth(packet, outcome); }
  void on_protocol_error(const mqtt::ProtocolError& error) override { log_error(error, outcome); }

  Outcome outcome;

 private:
  void on_ack(std::string_view name, mqtt::PacketType type, const mqtt::Ack& packet) {
    log_ack(name, type, packet, version_, outcome);
  }
  void log_connack5(const mqtt::Connack& packet) {
    const mqtt::ConnackProperties& p = packet.properties;
    outcome.field(mqtt::to_string(packet.reason));
    outcome.number(p.session_expiry_s.value_or(0));
    outcome.number(p.receive_maximum);
    outcome.number(p.maximum_qos);
    outcome.number((p.retain_available ? 1U : 0U) + (p.wildcard_subscription_available ? 2U : 0U) +
                   (p.subscription_identifiers_available ? 4U : 0U) + (p.shared_subscription_available ? 8U : 0U));
    outcome.number(p.maximum_packet_bytes);
    outcome.number(p.topic_alias_maximum);
    if (p.server_keep_alive_s) outcome.number(*p.server_keep_alive_s);
    for (const std::string_view text :
         {p.assigned_client_identifier, p.reason_string, p.response_information, p.server_reference}) {
      outcome.field(text);
      require_string(text);
    }
    outcome.field(p.authentication_method.value_or("(none)"));
    outcome.field(p.authentication_data);
    mqtt::append_connack5(outcome.reencoded, packet.reason, packet.session_present, p);
  }

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
  if ((choice & 16) != 0) {
    limits.retain_available = false;
    limits.topic_alias_maximum = 3;
  }
  base::Bytes wire;
  if ((choice & 12) != 0) {
    constexpr mqtt::Version kVersions[] = {mqtt::Version::k31, mqtt::Version::k311, mqtt::Version::k5};
    mqtt::Connect connect;
    connect.version = kVersions[(choice >> 2 & 3) - 1];
    connect.session_expiry_s = (choice & 64) != 0 ? 5 : 0;
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
  mqtt::Limits generous;
  generous.max_qos = 2;
  generous.topic_alias_maximum = 65'535;
  const Outcome again = serve(generous, whole.reencoded, whole.reencoded.size(), 0);
  require(again.error.empty() && whole.log.starts_with(again.log));
  require(whole.log.size() == again.log.size() + (whole.error.empty() ? 0 : std::string_view("\nerror ").size()));
}

struct ClientSettings {
  mqtt::Version version;
  std::size_t max_bytes;
  std::uint16_t topic_alias_maximum;
};

Outcome consume(const ClientSettings& settings, base::ByteView wire, std::size_t step) {
  mqtt::ClientConnection connection(settings.version, settings.max_bytes, settings.topic_alias_maximum);
  ClientWatcher watcher(settings.version);
  cut(wire, step, [&](base::ByteView piece) { connection.receive(piece, watcher); });
  require(connection.closed() || watcher.outcome.error.empty());
  return watcher.outcome;
}

void fuzz_client(std::uint8_t choice, base::ByteView input) {
  ClientSettings settings{};
  settings.version = (choice & 8) != 0   ? mqtt::Version::k5
                     : (choice & 1) != 0 ? mqtt::Version::k31
                                         : mqtt::Version::k311;
  settings.max_bytes = (choice & 2) != 0 ? 100 : mqtt::ClientConnection::kDefaultMaxPacketBytes;
  settings.topic_alias_maximum = (choice & 16) != 0 ? 3 : 0;
  base::Bytes wire;
  if ((choice & 4) != 0) {
    if (settings.version == mqtt::Version::k5) {
      mqtt::append_connack5(wire, mqtt::ReasonCode::kSuccess, false, {});
    } else {
      append(wire, mqtt::encode_connack(settings.version, mqtt::ConnackCode::kAccepted).view());
    }
  }
  append(wire, input);

  const Outcome whole = consume(settings, wire, wire.size());
  require(consume(settings, wire, 1) == whole);
  require(consume(settings, wire, 7) == whole);
  require(consume(settings, wire, wire.size() / 2 + 1) == whole);

  settings.max_bytes = mqtt::ClientConnection::kDefaultMaxPacketBytes;  // a topic takes more room than its alias
  const Outcome again = consume(settings, whole.reencoded, whole.reencoded.size());
  require(again.error.empty() && whole.log.starts_with(again.log));
}

// Makes MQTT 5 packets whose lengths are right and whose fields mostly are, so that the fuzzer spends its time behind
// the first checks. Reads what to make from the input; when that ends, zeros.
class PacketMaker {
 public:
  explicit PacketMaker(base::ByteView program) : program_(program) {}

  base::Bytes make() {
    base::Bytes out;
    for (int i = 0; i < 12 && !program_.empty(); ++i) make_packet(out);
    return out;
  }

 private:
  std::uint8_t next() {
    if (program_.empty()) return 0;
    const std::uint8_t byte = program_[0];
    program_ = program_.subspan(1);
    return byte;
  }
  void u16(std::size_t value, base::Bytes& out) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value & 0xFF));
  }
  void variable(std::size_t value, base::Bytes& out) {
    do {
      out.push_back(static_cast<std::uint8_t>((value & 0x7F) | (value > 0x7F ? 0x80 : 0)));
      value >>= 7;
    } while (value > 0);
  }
  void string(base::Bytes& out) {
    constexpr std::string_view kWords[] = {"", "a", "a/b", "$share/g/a", "+", "#", "$share/g", "topic"};
    const std::uint8_t choice = next();
    std::string text(kWords[choice & 7]);
    for (int i = choice >> 3 & 3; i > 0; --i) text += static_cast<char>(next());
    u16(text.size(), out);
    append(out, base::as_bytes(text));
  }
  void property(base::Bytes& out) {
    const std::uint8_t id = next() % 0x2B;
    out.push_back(id);
    switch (mqtt::property_type(static_cast<mqtt::PropertyId>(id))) {
      case mqtt::PropertyType::kFourByteInteger:
        u16(next(), out);
        [[fallthrough]];
      case mqtt::PropertyType::kTwoByteInteger:
        return u16(next() & 7, out);
      case mqtt::PropertyType::kVariableByteInteger:
        return variable(std::size_t{next()} * 3, out);
      case mqtt::PropertyType::kStringPair:
        string(out);
        [[fallthrough]];
      case mqtt::PropertyType::kString:
      case mqtt::PropertyType::kBinary:
        return string(out);
      default:
        out.push_back(next() & 3);
    }
  }
  void properties(base::Bytes& out) {
    base::Bytes block;
    for (int i = next() & 7; i > 0; --i) property(block);
    variable(block.size(), out);
    append(out, block);
  }
  // One letter for each field: s string, i packet identifier, p properties, b any byte, c connect's beginning, r a few
  // bytes to the end.
  void field(char kind, base::Bytes& out) {
    switch (kind) {
      case 's':
        return string(out);
      case 'i':
        return u16(next() & 15, out);
      case 'p':
        return properties(out);
      case 'c':
        return append(out, base::as_bytes(std::string_view("\x00\x04MQTT\x05", 7)));
      case 'r':
        for (int i = next() & 31; i > 0; --i) out.push_back(next());
        return;
      default:
        out.push_back(next());
    }
  }
  static std::string_view fields_of(std::uint8_t first_byte) {
    switch (first_byte >> 4) {
      case 1:
        return "cbipspssss";
      case 2:
        return "bbp";
      case 3:
        return (first_byte & 6) != 0 ? "sipr" : "spr";
      case 4:
      case 5:
      case 6:
      case 7:
        return "ibp";
      case 8:
        return "ipsbsbsb";
      case 9:
      case 11:
        return "ipbbb";
      case 10:
        return "ipss";
      case 14:
      case 15:
        return "bp";
      default:
        return "";
    }
  }
  void make_packet(base::Bytes& out) {
    const std::uint8_t first_byte = next();
    std::string_view fields = fields_of(first_byte);
    // Some packets may end early.
    const std::uint8_t cut_off = next();
    if ((cut_off & 0xF0) == 0) fields = fields.substr(0, fields.size() - std::min<std::size_t>(fields.size(), cut_off));
    base::Bytes body;
    for (const char kind : fields) field(kind, body);
    out.push_back(first_byte);
    variable(body.size(), out);
    append(out, body);
  }

  base::ByteView program_;
};

void fuzz_made_packets(std::uint8_t choice, base::ByteView program) {
  const base::Bytes wire = PacketMaker(program).make();
  if ((choice & 8) != 0) return fuzz_client(static_cast<std::uint8_t>(choice | 8), wire);
  // With CONNECT in front, or whatever was made.
  const auto server_choice = static_cast<std::uint8_t>((choice & 4) != 0 ? choice | 12 : choice & ~12);
  fuzz_server(server_choice, wire);
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
      fuzz_client(choice, rest);
      break;
    case 5:
      fuzz_made_packets(choice, rest);
      break;
    default:
      fuzz_topics(base::as_text(rest));
      break;
  }
  return 0;
}
