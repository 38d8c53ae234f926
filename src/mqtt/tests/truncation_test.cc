// Every packet of every version, cut short in every place and with every byte changed: a violation or something else
// that is allowed, never a crash.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Limits all_limits() {
  Limits limits;
  limits.max_qos = 2;
  limits.topic_alias_maximum = 10;
  return limits;
}

Bytes user_property() {
  return cat({bytes({0x26}), str("n"), str("v")});
}
Bytes connect_full() {
  return packet(0x10, {connect_head("MQTT", 5, 0xF6),
                       props({bytes({0x11, 0, 0, 0, 1}), bytes({0x21, 0, 1}), bytes({0x27, 0, 0, 1, 0}),
                              bytes({0x22, 0, 1}), bytes({0x19, 1}), bytes({0x17, 0}), bytes({0x15}), str("m"),
                              bytes({0x16}), str("d"), user_property()}),
                       str("client"),
                       props({bytes({0x18, 0, 0, 0, 1}), bytes({0x01, 1}), bytes({0x02, 0, 0, 0, 1}), bytes({0x03}),
                              str("c"), bytes({0x08}), str("r"), bytes({0x09}), str("d"), user_property()}),
                       str("w/t"), str("gone"), str("user"), str("pw")});
}
Bytes reason_properties() {
  return props({bytes({0x1F}), str("why"), user_property()});
}
std::vector<Bytes> packets_of_clients(Version version) {
  const bool is_v5 = version == Version::k5;
  const auto properties = [&](std::initializer_list<Bytes> list) { return is_v5 ? props(list) : Bytes(); };
  const Bytes reason = is_v5 ? cat({bytes({0x00}), reason_properties()}) : Bytes();
  std::vector<Bytes> out = {
      packet(0x34, {str("a/b"), u16(1),
                    properties({bytes({0x01, 1}), bytes({0x02, 0, 0, 0, 1}), bytes({0x23, 0, 1}), bytes({0x08}),
                                str("r"), bytes({0x09}), str("d"), user_property(), bytes({0x03}), str("c")}),
                    raw("payload")}),
      packet(0x40, {u16(1), reason}),
      packet(0x50, {u16(1), reason}),
      packet(0x62, {u16(1), reason}),
      packet(0x70, {u16(1), reason}),
      packet(0x82, {u16(1), properties({bytes({0x0B, 0x80, 0x01}), user_property()}), str("a/#"), bytes({1}),
                    str("$share/g/a"), bytes({2})}),
      packet(0xA2, {u16(1), properties({user_property()}), str("a/#"), str("b")}),
      packet(0xC0, {}),
      packet(0xE0, {reason}),
  };
  if (is_v5) out.push_back(packet(0xF0, {bytes({0x19}), props({bytes({0x15}), str("m"), bytes({0x16}), str("d")})}));
  return out;
}
std::vector<Bytes> packets_of_servers(Version version) {
  const bool is_v5 = version == Version::k5;
  const auto properties = [&](std::initializer_list<Bytes> list) { return is_v5 ? props(list) : Bytes(); };
  const Bytes reason = is_v5 ? cat({bytes({0x00}), reason_properties()}) : Bytes();
  std::vector<Bytes> out = {
      packet(0x32, {str("a/b"), u16(1), properties({bytes({0x0B, 1}), bytes({0x0B, 2}), user_property()}), raw("x")}),
      packet(0x40, {u16(1), reason}),
      packet(0x50, {u16(1), reason}),
      packet(0x62, {u16(1), reason}),
      packet(0x70, {u16(1), reason}),
      packet(0x90, {u16(1), properties({bytes({0x1F}), str("why")}), bytes({0, 1, 2, 0x80})}),
      packet(0xB0, {u16(1), properties({bytes({0x1F}), str("why")}), is_v5 ? bytes({0, 0x11}) : Bytes()}),
      packet(0xD0, {}),
  };
  if (is_v5) {
    out.push_back(packet(0xE0, {bytes({0x8B}), props({bytes({0x1C}), str("there"), user_property()})}));
    out.push_back(packet(0xF0, {bytes({0x18}), props({bytes({0x15}), str("m"), bytes({0x16}), str("d")})}));
  }
  return out;
}
std::vector<Bytes> connacks(Version version) {
  if (version != Version::k5) return {bytes({0x20, 2, 0, 0})};
  return {packet(0x20, {bytes({1, 0}), props({bytes({0x11, 0, 0, 0, 1}), bytes({0x24, 1}), bytes({0x12}), str("id"),
                                              bytes({0x13, 0, 1}), bytes({0x1C}), str("s"), user_property()})})};
}

// What is left of a packet with `body_bytes` bytes behind the fixed header, which says so.
Bytes shortened(const Bytes& whole, std::size_t body_bytes) {
  const Bytes body(whole.begin() + 2, whole.begin() + 2 + static_cast<std::ptrdiff_t>(body_bytes));
  return packet(whole[0], {body});
}

// PUBACK to PUBCOMP of MQTT 5 may end behind the packet identifier and behind the reason code.
bool is_short_ack(int first_byte, std::size_t body_bytes) {
  return first_byte >= 0x40 && first_byte < 0x80 && (body_bytes == 2 || body_bytes == 3);
}

// `run(bytes)` gives the lines; the packet itself must be good.
template <class Run>
void try_everything(const Bytes& whole, Run run) {
  ASSERT_LT(whole[1], 128) << "one byte of remaining length";
  const std::vector<std::string> good = run(whole);
  ASSERT_FALSE(good.empty());
  EXPECT_NE(good.back().substr(0, 5), "error") << good.back();
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    const std::vector<std::string> lines = run(shortened(whole, size));
    EXPECT_LE(lines.size(), good.size());
    if (!is_short_ack(whole[0], size)) {
      EXPECT_NE(lines.back(), good.back()) << base::to_hex(whole) << " to " << size;
    }
    // Without its end announced it is merely incomplete.
    const Bytes part(whole.begin(), whole.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(run(part).size(), good.size() - 1);
  }
  for (std::size_t at = 1; at < whole.size(); ++at) {
    for (int value = 0; value < 256; value += 5) {
      Bytes changed = whole;
      changed[at] = static_cast<std::uint8_t>(value);
      run(changed);
    }
  }
}

// One input of exact size and one in single bytes: cheaper than serve().
std::vector<std::string> serve_twice(const Bytes& in, const Limits& limits = all_limits()) {
  const auto run = [&](std::size_t step) {
    ServerConnection connection(limits);
    ServerRecorder events(connection);
    cut(
        in, [&] { return step; },
        [&](const Bytes& piece) { EXPECT_EQ(connection.receive(piece, events), piece.size()); });
    return events.lines;
  };
  const std::vector<std::string> whole = run(in.size());
  EXPECT_EQ(run(1), whole);
  return whole;
}
std::vector<std::string> consume_twice(const Bytes& in, Version version) {
  const auto run = [&](std::size_t step) {
    ClientConnection connection(version, 1000, 10);
    ClientRecorder events(version);
    cut(
        in, [&] { return step; }, [&](const Bytes& piece) { connection.receive(piece, events); });
    return events.lines;
  };
  const std::vector<std::string> whole = run(in.size());
  EXPECT_EQ(run(1), whole);
  return whole;
}

TEST(Truncation, PacketsOfClients) {
  for (const Version version : kAll) {
    for (const Bytes& each : packets_of_clients(version)) {
      try_everything(each, [&](const Bytes& in) { return serve_twice(cat({connect(version), in})); });
    }
  }
}

// What comes most is read in one go when it is whole: that must make no difference, least of all at the limits.
TEST(Truncation, PublishAndPubackWholeOrInPieces) {
  Limits limits;
  limits.max_payload_bytes = 200;
  limits.max_discarded_payload_bytes = 300;
  limits.topic_alias_maximum = 1;
  for (const Version version : kAll) {
    const Bytes none = version == Version::k5 ? props() : Bytes();
    for (int flags = 0; flags < 16; ++flags) {
      const Bytes id = (flags & 6) == 0 ? Bytes() : u16(7);
      for (const std::size_t payload_bytes : {0U, 100U, 126U, 190U, 199U, 200U, 201U, 300U, 301U}) {
        for (const std::string topic : {"", "t", "a/topic/of/16-ch", "a/topic/of/17-cha", "a/wildcard/behind/16/#",
                                        "a/topic/that/is\xC3\xA4/not/ASCII", "a/topic/that/is\xFF/not/UTF-8"}) {
          const Bytes publish = packet(0x30 | flags, {str(topic), id, none, Bytes(payload_bytes, 'p')});
          serve_twice(cat({connect(version), publish, publish, packet(0xC0, {})}), limits);
        }
      }
      for (const int value : {0, 1, 0x100, 0xFFFF}) {
        const Bytes puback = packet(0x40 | flags, {u16(static_cast<std::size_t>(value))});
        serve_twice(cat({connect(version), puback, puback, packet(0xC0, {})}), limits);
      }
      // Lengths written longer than necessary, and one that says more than there is.
      serve_twice(cat({connect(version), bytes({0x40 | flags, 0x82, 0, 0, 1, 0xC0, 0})}), limits);
      serve_twice(cat({connect(version), bytes({0x30 | flags, 0x85, 0, 0, 1, 't', 'p', 'p', 0xC0, 0})}), limits);
      serve_twice(cat({connect(version), bytes({0x30 | flags, 2, 0, 1, 't', 0xC0, 0})}), limits);
    }
  }
}

TEST(Truncation, PacketsOfServers) {
  for (const Version version : kAll) {
    for (const Bytes& each : packets_of_servers(version)) {
      const Bytes first = version == Version::k5 ? bytes({0x20, 3, 0, 0, 0}) : bytes({0x20, 2, 0, 0});
      try_everything(each, [&](const Bytes& in) { return consume_twice(cat({first, in}), version); });
    }
    for (const Bytes& each : connacks(version)) {
      try_everything(each, [&](const Bytes& in) { return consume_twice(in, version); });
    }
  }
}

TEST(Truncation, Connect5) {
  const Bytes whole = connect_full();
  ASSERT_EQ(first_line(serve_twice(whole)).substr(0, 11), "connect 5.0");
  const std::size_t header_bytes = whole.size() - 2 < 128 ? 2 : 3;
  const Bytes body(whole.begin() + static_cast<std::ptrdiff_t>(header_bytes), whole.end());
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Bytes part(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(first_line(serve_twice(packet(0x10, {part}))).substr(0, 23), "error malformed packet:") << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; value += 3) {
      Bytes changed = whole;
      changed[at] = static_cast<std::uint8_t>(value);
      serve_twice(changed);
    }
  }
}

}  // namespace
}  // namespace mooring::mqtt::testing
