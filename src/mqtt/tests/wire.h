// For the tests: packets written byte by byte, and connections fed with them in every kind of cut.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "mqtt/client_connection.h"
#include "mqtt/encode.h"
#include "mqtt/property_block.h"
#include "mqtt/server_connection.h"
#include "mqtt/topic.h"

namespace mooring::mqtt::testing {

using base::Bytes;
using base::ByteView;

inline Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::uint8_t>(value));
  return out;
}
// Byte by byte: GCC 12 takes the range insert of a vector, inlined at -O3, for an access out of bounds.
inline void append(Bytes& out, ByteView bytes) {
  for (const std::uint8_t byte : bytes) out.push_back(byte);
}
inline Bytes raw(std::string_view text) {
  Bytes out;
  append(out, base::as_bytes(text));
  return out;
}
inline Bytes u16(std::size_t value) {
  return bytes({static_cast<int>(value >> 8), static_cast<int>(value & 0xFF)});
}
inline Bytes str(std::string_view text) {
  Bytes out = u16(text.size());
  append(out, base::as_bytes(text));
  return out;
}
inline Bytes cat(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) append(out, part);
  return out;
}
// A packet with the right remaining length.
inline Bytes packet(int first_byte, std::initializer_list<Bytes> parts) {
  const Bytes body = cat(parts);
  Bytes out = bytes({first_byte});
  std::size_t length = body.size();
  do {
    out.push_back(static_cast<std::uint8_t>((length & 0x7F) | (length > 0x7F ? 0x80 : 0)));
    length >>= 7;
  } while (length > 0);
  append(out, body);
  return out;
}
inline Bytes u32(std::uint32_t value) {
  return cat({u16(value >> 16), u16(value & 0xFFFF)});
}
// Properties of MQTT 5 with their length, which must be below 128.
inline Bytes props(std::initializer_list<Bytes> properties = {}) {
  const Bytes block = cat(properties);
  EXPECT_LT(block.size(), 128U);
  return cat({bytes({static_cast<int>(block.size())}), block});
}
// CONNECT up to the payload: name, level, flags, keep alive 60.
inline Bytes connect_head(std::string_view name, int level, int flags) {
  return cat({str(name), bytes({level, flags, 0, 60})});
}
inline Bytes connect(Version version = Version::k311) {
  if (version == Version::k5) return packet(0x10, {connect_head("MQTT", 5, 2), props(), str("c")});
  const bool old = version == Version::k31;
  return packet(0x10, {connect_head(old ? "MQIsdp" : "MQTT", old ? 3 : 4, 2), str("c")});
}
inline constexpr Version kBoth[] = {Version::k31, Version::k311};
inline constexpr Version kAll[] = {Version::k31, Version::k311, Version::k5};

// The reason code is for MQTT 5 only.
inline std::string error_line(const ProtocolError& error, Version version) {
  return fmt::format("error {}: {}{}{}", to_string(error.reason), error.text,
                     error.reply.empty() ? "" : " reply " + base::to_hex(error.reply),
                     version == Version::k5 ? fmt::format(" 0x{:02x}", static_cast<int>(error.code)) : "");
}
// " name=value" for every property; what is not text in hexadecimal.
inline std::string property_text(ByteView block) {
  std::string out;
  PropertyReader reader(block);
  for (Property p; reader.next(p);) {
    out += fmt::format(" {:02x}=", static_cast<int>(p.id));
    switch (p.type) {
      case PropertyType::kString:
        out += p.text;
        break;
      case PropertyType::kStringPair:
        out += fmt::format("{}:{}", p.text, p.value);
        break;
      case PropertyType::kBinary:
        out += base::to_hex(p.binary);
        break;
      default:
        out += fmt::format("{}", p.number);
    }
  }
  return out;
}
inline std::string ack_line(std::string_view name, const Ack& ack) {
  return fmt::format("{} {}{}", name, ack.packet_id,
                     ack.reason == ReasonCode::kSuccess ? "" : fmt::format(" {}", to_string(ack.reason)));
}
inline std::string disconnect_line(const Disconnect& d) {
  std::string line = "disconnect";
  if (d.reason != ReasonCode::kSuccess) line += fmt::format(" {}", to_string(d.reason));
  if (d.session_expiry_s) line += fmt::format(" expiry{}", *d.session_expiry_s);
  if (!d.reason_string.empty()) line += fmt::format(" [{}]", d.reason_string);
  if (!d.server_reference.empty()) line += fmt::format(" to {}", d.server_reference);
  return line;
}
inline std::string auth_line(const Auth& a) {
  return fmt::format("auth {} {} {}", to_string(a.reason), a.authentication_method.value_or("(none)"),
                     base::to_hex(a.authentication_data));
}
inline std::string publish_line(const Publish& p) {
  const std::string payload =
      p.payload.size() > 40 ? fmt::format("({} bytes)", p.payload.size()) : std::string(base::as_text(p.payload));
  return fmt::format("publish {} qos{} retain{} dup{} id{} [{}]{}", p.topic, p.qos, static_cast<int>(p.retain),
                     static_cast<int>(p.dup), p.packet_id, payload, property_text(p.properties));
}

// Writes a line for every event and accepts every CONNECT.
class ServerRecorder final : public ServerConnectionEvents {
 public:
  explicit ServerRecorder(ServerConnection& connection) : connection_(connection) {}

  std::vector<std::string> lines;
  bool accepts = true;
  std::function<void()> after_each;  // called inside every handler
  std::function<void(const Connect&)> on_connect_packet;
  std::function<void(const Publish&)> on_publish_packet;

  void on_connect(const Connect& c) override {
    std::string line = fmt::format("connect {} [{}] clean{} keep{}", to_string(c.version), c.client_id,
                                   static_cast<int>(c.clean_session), c.keep_alive_s);
    if (c.username) line += fmt::format(" user[{}]", *c.username);
    if (c.password) line += fmt::format(" password[{}]", base::as_text(*c.password));
    if (c.will) {
      line += fmt::format(" will[{}][{}] qos{} retain{}", c.will->topic, base::as_text(c.will->payload), c.will->qos,
                          static_cast<int>(c.will->retain));
      line += property_text(c.will->properties);
    }
    if (!c.properties.empty()) line += " properties" + property_text(c.properties);
    if (on_connect_packet) on_connect_packet(c);
    if (accepts) connection_.accept_connect();
    add(line);
  }
  void on_publish(const Publish& p) override {
    if (on_publish_packet) on_publish_packet(p);
    add(publish_line(p));
  }
  void on_oversized_publish(const OversizedPublish& p) override {
    add(fmt::format("oversized {} qos{} id{} {} bytes", p.topic, p.qos, p.packet_id, p.payload_bytes));
  }
  void on_puback(const Ack& ack) override { add(ack_line("puback", ack)); }
  void on_pubrec(const Ack& ack) override { add(ack_line("pubrec", ack)); }
  void on_pubrel(const Ack& ack) override { add(ack_line("pubrel", ack)); }
  void on_pubcomp(const Ack& ack) override { add(ack_line("pubcomp", ack)); }
  void on_subscribe(const Subscribe& s) override {
    std::string line = fmt::format("subscribe id{} ({})", s.packet_id, s.entries.size());
    for (const SubscribeEntry& entry : s.entries) {
      line += fmt::format(" {}:{}", entry.filter, entry.qos);
      if (entry.no_local) line += " no-local";
      if (entry.retain_as_published) line += " as-published";
      if (entry.retain_handling != RetainHandling::kSend) {
        line += fmt::format(" handling{}", static_cast<int>(entry.retain_handling));
      }
    }
    if (s.subscription_id != 0) line += fmt::format(" subscription{}", s.subscription_id);
    add(line);
  }
  void on_unsubscribe(const Unsubscribe& u) override {
    std::string line = fmt::format("unsubscribe id{} ({})", u.packet_id, u.filters.size());
    for (const std::string_view filter : u.filters) line += fmt::format(" {}", filter);
    add(line);
  }
  void on_pingreq() override { add("pingreq"); }
  void on_disconnect(const Disconnect& d) override { add(disconnect_line(d)); }
  void on_auth(const Auth& a) override { add(auth_line(a)); }
  void on_protocol_error(const ProtocolError& error) override { add(error_line(error, connection_.version())); }

 private:
  void add(std::string line) {
    lines.push_back(std::move(line));
    if (after_each) after_each();
  }

  ServerConnection& connection_;
};

class ClientRecorder final : public ClientConnectionEvents {
 public:
  explicit ClientRecorder(Version version = Version::k311) : version_(version) {}

  std::vector<std::string> lines;

  void on_connack(const Connack& c) override {
    const int code = version_ == Version::k5 ? static_cast<int>(c.reason) : static_cast<int>(c.code);
    lines.push_back(fmt::format("connack {} present{}", code, static_cast<int>(c.session_present)));
  }
  void on_publish(const Publish& p) override { lines.push_back(publish_line(p)); }
  void on_puback(const Ack& ack) override { lines.push_back(ack_line("puback", ack)); }
  void on_pubrec(const Ack& ack) override { lines.push_back(ack_line("pubrec", ack)); }
  void on_pubrel(const Ack& ack) override { lines.push_back(ack_line("pubrel", ack)); }
  void on_pubcomp(const Ack& ack) override { lines.push_back(ack_line("pubcomp", ack)); }
  void on_suback(const Suback& s) override {
    lines.push_back(fmt::format("suback id{} {}", s.packet_id, base::to_hex(s.codes)));
  }
  void on_unsuback(const Unsuback& u) override {
    lines.push_back(
        fmt::format("unsuback {}{}", u.packet_id, u.codes.empty() ? "" : fmt::format(" {}", base::to_hex(u.codes))));
  }
  void on_pingresp() override { lines.push_back("pingresp"); }
  void on_disconnect(const Disconnect& d) override { lines.push_back(disconnect_line(d)); }
  void on_auth(const Auth& a) override { lines.push_back(auth_line(a)); }
  void on_protocol_error(const ProtocolError& error) override { lines.push_back(error_line(error, version_)); }

 private:
  Version version_;
};

// Calls feed(piece) with `in` cut in pieces of the sizes given by next_size().
template <class NextSize, class Feed>
void cut(ByteView in, NextSize next_size, Feed feed) {
  while (!in.empty()) {
    const std::size_t size = std::min(in.size(), next_size());
    // A copy of exact size, so that the sanitizers see every byte read too far.
    const Bytes piece(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(size));
    feed(piece);
    in = in.subspan(size);
  }
}

// Runs `run(next_size)` with the input whole, in single bytes and in random cuts; all must give the same lines.
template <class Run>
std::vector<std::string> same_for_all_cuts(Run run) {
  const std::vector<std::string> whole = run([] { return std::size_t{1} << 30; });
  EXPECT_EQ(run([] { return std::size_t{1}; }), whole) << "in single bytes";
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::minstd_rand random(seed);
    const auto next_size = [&] { return 1 + random() % (seed % 2 == 0 ? 7U : 60U); };
    EXPECT_EQ(run(next_size), whole) << "cut with seed " << seed;
  }
  return whole;
}

// What a server makes of the stream `in`.
inline std::vector<std::string> serve(const Bytes& in, const Limits& limits = {}) {
  return same_for_all_cuts([&](auto next_size) {
    ServerConnection connection(limits);
    ServerRecorder events(connection);
    cut(in, next_size, [&](const Bytes& piece) { EXPECT_EQ(connection.receive(piece, events), piece.size()); });
    return events.lines;
  });
}

// What a client makes of the stream `in`.
inline std::vector<std::string> consume(const Bytes& in, Version version = Version::k311,
                                        std::size_t max_packet_bytes = ClientConnection::kDefaultMaxPacketBytes,
                                        std::uint16_t topic_alias_maximum = 0) {
  return same_for_all_cuts([&](auto next_size) {
    ClientConnection connection(version, max_packet_bytes, topic_alias_maximum);
    ClientRecorder events(version);
    cut(in, next_size, [&](const Bytes& piece) { connection.receive(piece, events); });
    return events.lines;
  });
}

// What a server makes of `in` after an accepted CONNECT; empty when it says nothing.
inline std::string after_connect(const Bytes& in, Version version = Version::k311, const Limits& limits = {}) {
  const std::vector<std::string> lines = serve(cat({connect(version), in}), limits);
  EXPECT_LE(lines.size(), 2U);
  return lines.size() < 2 ? std::string() : lines[1];
}

inline std::string first_line(const std::vector<std::string>& lines) {
  EXPECT_EQ(lines.size(), 1U);
  return lines.empty() ? std::string() : lines[0];
}

}  // namespace mooring::mqtt::testing
