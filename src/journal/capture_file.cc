#include "journal/capture_file.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace mooring::journal {
namespace {

constexpr std::uint16_t kServerPort = 1883;
constexpr std::uint32_t kSegmentMax = 60'000;  // an IP packet has at most 65,535 bytes
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kPush = 0x08, kAck = 0x10;

// pcapng is written in the byte order of its magic number, networks in big endian.
void little(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
void big(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}
void text(std::string& out, std::string_view value, std::size_t length) {
  big(out, length, 2);
  out.append(value);
}
std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) / 4 * 4, '\0');
  return bytes;
}

void block(std::string& out, std::uint32_t type, const std::string& body) {
  const std::uint64_t length = body.size() + 12;
  little(out, type, 4);
  little(out, length, 4);
  out += body;
  little(out, length, 4);
}

void option(std::string& out, std::uint16_t code, std::string_view value) {
  little(out, code, 2);
  little(out, value.size(), 2);
  out += padded(std::string(value));
}

std::uint16_t checksum(std::string_view header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) {
    sum += static_cast<std::uint32_t>(static_cast<unsigned char>(header[i])) << 8 |
           static_cast<unsigned char>(header[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::string variable(std::uint32_t value) {
  std::string out;
  do {
    out.push_back(static_cast<char>((value & 0x7F) | (value > 0x7F ? 0x80 : 0)));
    value >>= 7;
  } while (value != 0);
  return out;
}

// A packet's remaining length, from the length of the whole.
std::uint32_t remaining(std::uint32_t bytes) {
  for (std::uint32_t length_bytes = 1; length_bytes <= 4; ++length_bytes) {
    const std::uint32_t rest = bytes > length_bytes ? bytes - 1 - length_bytes : 0;
    if (variable(rest).size() == length_bytes) return rest;
  }
  return 0;
}

class Capture {
 public:
  explicit Capture(std::string_view title) {
    std::string section;
    little(section, 0x1A2B3C4D, 4);
    little(section, 1, 2);
    little(section, 0, 2);
    little(section, ~0ULL, 8);  // length not given
    option(section, 1, title);  // opt_comment
    option(section, 4, "mooring");
    option(section, 0, {});
    block(out_, 0x0A0D0D0A, section);
    std::string interface;
    little(interface, 101, 2);  // LINKTYPE_RAW: IP without a link layer
    little(interface, 0, 2);
    little(interface, 262'144, 4);
    option(interface, 2, "mqtt");
    option(interface, 0, {});
    block(out_, 1, interface);
  }

  void add(const FlightEntry& entry) {
    if (entry.direction == Direction::kEnd) {
      if (open_) segment(false, entry.at_ms, kFin | kAck, {}, 0);
      open_ = false;
      return;
    }
    const std::uint8_t type = entry.first_byte >> 4;
    if (type == 1) begin(entry);
    packet(entry, entry.at_ms);
    if (entry.count > 1) packet(entry, entry.last_ms);  // merged pings: the first and the last
  }

  std::string take() { return std::move(out_); }

 private:
  void begin(const FlightEntry& connect) {
    open_ = true;
    version_ = connect.result & 0x7F;
    client_six_ = false;
    client_.assign("\xC0\x00\x02\x02", 4);  // 192.0.2.2 until told better
    client_port_ = static_cast<std::uint16_t>(40'000 + ++connections_ % 20'000);
    take_address(connect.payload);
    client_next_ = server_next_ = 1000;
    segment(true, connect.at_ms, kSyn, {}, 0);
    segment(false, connect.at_ms, kSyn | kAck, {}, 0);
    segment(true, connect.at_ms, kAck, {}, 0);
  }

  // "192.0.2.7:1234", "[2001:db8::1]:1234", with or without port.
  void take_address(std::string_view address) {
    std::string_view host = address;
    std::string_view port;
    if (address.starts_with('[')) {
      const std::size_t end = std::min(address.find(']'), address.size());
      host = address.substr(1, end - 1);
      if (end + 2 <= address.size()) port = address.substr(end + 2);
    } else if (std::count(address.begin(), address.end(), ':') == 1) {
      host = address.substr(0, address.find(':'));
      port = address.substr(address.find(':') + 1);
    }
    const std::string name(host);
    unsigned char bytes[16];
    if (::inet_pton(AF_INET, name.c_str(), bytes) == 1) {
      client_.assign(reinterpret_cast<const char*>(bytes), 4);
    } else if (::inet_pton(AF_INET6, name.c_str(), bytes) == 1) {
      client_.assign(reinterpret_cast<const char*>(bytes), 16);
      client_six_ = true;
    }
    std::uint16_t number = 0;
    std::from_chars(port.data(), port.data() + port.size(), number);
    if (number != 0) client_port_ = number;
  }

  void packet(const FlightEntry& entry, base::WallMs at_ms) {
    const std::string known = known_bytes(entry);
    const std::uint32_t whole = std::max<std::uint32_t>(entry.bytes, static_cast<std::uint32_t>(known.size()));
    const bool from_client = entry.direction == Direction::kIn;
    segment(from_client, at_ms, kPush | kAck, known, std::min(whole, kSegmentMax));
    for (std::uint32_t sent = kSegmentMax; sent < whole; sent += kSegmentMax) {
      segment(from_client, at_ms, kAck, {}, std::min(whole - sent, kSegmentMax));
    }
  }

  // The beginning of the packet, as far as it is known.
  std::string known_bytes(const FlightEntry& entry) const {
    std::string out;
    out.push_back(static_cast<char>(entry.first_byte));
    const std::uint32_t rest = remaining(entry.bytes);
    out += variable(rest);
    const std::size_t head = out.size();
    const bool five = version_ == 5;
    const bool whole_topic = entry.topic.size() == entry.topic_bytes;
    switch (entry.first_byte >> 4) {
      case 1:  // CONNECT: without its credentials
        text(out, version_ == 3 ? "MQIsdp" : "MQTT", version_ == 3 ? 6 : 4);
        big(out, version_, 1);
        big(out, (entry.result & 0x80 ? 0x02 : 0x00) | 0xC0, 1);
        big(out, entry.packet_id, 2);
        if (!five) text(out, entry.topic, entry.topic_bytes);
        break;
      case 2:  // CONNACK
        big(out, 0, 1);
        big(out, entry.result, 1);
        break;
      case 3:                                                  // PUBLISH
        if (std::size_t{2} + entry.topic_bytes > rest) break;  // MQTT 5: an alias stood for it
        text(out, entry.topic, entry.topic_bytes);
        if (!whole_topic) break;
        if ((entry.first_byte & 0x06) != 0) big(out, entry.packet_id, 2);
        if (!five) out += entry.payload;
        break;
      case 8:   // SUBSCRIBE
      case 10:  // UNSUBSCRIBE
        big(out, entry.packet_id, 2);
        if (five) break;
        text(out, entry.topic, entry.topic_bytes);
        if (whole_topic && entry.first_byte >> 4 == 8) big(out, entry.result, 1);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        big(out, entry.packet_id, 2);
        if (rest > 2) big(out, entry.result, 1);
        break;
      case 9:
        big(out, entry.packet_id, 2);
        if (!five) big(out, entry.result, 1);
        break;
      case 14:
        if (rest > 0) big(out, entry.result, 1);
        break;
      default:
        break;
    }
    out.resize(std::min<std::size_t>(out.size(), head + rest));
    return out;
  }

  // One TCP segment with `length` bytes, of which the first ones are known.
  void segment(bool from_client, base::WallMs at_ms, std::uint8_t flags, std::string_view known, std::uint32_t length) {
    std::uint32_t& next = from_client ? client_next_ : server_next_;
    const std::uint32_t other = from_client ? server_next_ : client_next_;
    std::string tcp;
    big(tcp, from_client ? client_port_ : kServerPort, 2);
    big(tcp, from_client ? kServerPort : client_port_, 2);
    big(tcp, next, 4);
    big(tcp, (flags & kAck) != 0 ? other : 0, 4);
    big(tcp, 5 << 4, 1);
    big(tcp, flags, 1);
    big(tcp, 64'000, 2);
    big(tcp, 0, 4);  // no checksum: not all that it covers is known
    next += length + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);

    const std::string server = client_six_ ? std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)
                                           : std::string("\xC0\x00\x02\x01", 4);
    std::string ip;
    const std::uint32_t tcp_bytes = static_cast<std::uint32_t>(tcp.size()) + length;
    if (client_six_) {
      big(ip, 0x6000'0000, 4);
      big(ip, tcp_bytes, 2);
      big(ip, 6, 1);
      big(ip, 64, 1);
    } else {
      big(ip, 0x4500, 2);
      big(ip, 20 + tcp_bytes, 2);
      big(ip, ++ip_number_, 2);
      big(ip, 0x4000, 2);
      big(ip, 64, 1);
      big(ip, 6, 1);
      big(ip, 0, 2);
    }
    ip += from_client ? client_ : server;
    ip += from_client ? server : client_;
    if (!client_six_) {
      const std::uint16_t sum = checksum(ip);
      ip[10] = static_cast<char>(sum >> 8);
      ip[11] = static_cast<char>(sum);
    }
    const std::uint64_t original = ip.size() + tcp_bytes;
    std::string bytes = ip + tcp;
    bytes += known;

    std::string body;
    const auto time_us = static_cast<std::uint64_t>(at_ms) * 1000;
    little(body, 0, 4);
    little(body, time_us >> 32, 4);
    little(body, time_us & 0xFFFF'FFFF, 4);
    little(body, bytes.size(), 4);
    little(body, original, 4);
    body += padded(std::move(bytes));
    block(out_, 6, body);
  }

  std::string out_;
  std::string client_{"\xC0\x00\x02\x02", 4};
  bool client_six_ = false;
  bool open_ = true;  // the record may begin in the middle of a connection
  std::uint8_t version_ = 4;
  std::uint16_t client_port_ = 40'000;
  std::uint16_t ip_number_ = 0;
  std::uint32_t client_next_ = 1000;
  std::uint32_t server_next_ = 1000;
  unsigned connections_ = 0;
};

}  // namespace

std::string capture_file(std::span<const FlightEntry> entries, std::string_view title) {
  Capture capture(title);
  for (const FlightEntry& entry : entries) capture.add(entry);
  return capture.take();
}

}  // namespace mooring::journal
