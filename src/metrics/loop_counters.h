// What one event loop counts: plain numbers that belong to its thread. Copied by a task on that loop, and summed up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mooring::metrics {

// How a client speaks MQTT, as indexes.
enum class Channel : std::uint8_t { kTcp, kTls, kWs, kWss };
inline constexpr std::array<const char*, 4> kChannelNames{"tcp", "tls", "ws", "wss"};
constexpr Channel channel_of(bool tls, bool websocket) {
  return static_cast<Channel>((websocket ? 2 : 0) + (tls ? 1 : 0));
}

enum class TlsVersion : std::uint8_t { kOlder, k12, k13 };
inline constexpr std::array<const char*, 3> kTlsVersionNames{"older", "TLSv1.2", "TLSv1.3"};

// Times in milliseconds, which is what a loop's clock tells.
struct Histogram {
  static constexpr std::array<std::int64_t, 12> kBoundsMs{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000};
  std::array<std::uint64_t, kBoundsMs.size() + 1> counts{};  // of each interval; the last one is above every bound
  std::uint64_t sum_ms = 0;

  void observe(std::int64_t ms) {
    std::size_t i = 0;
    while (i < kBoundsMs.size() && ms > kBoundsMs[i]) ++i;
    ++counts[i];
    sum_ms += ms > 0 ? static_cast<std::uint64_t>(ms) : 0;
  }
  Histogram& operator+=(const Histogram& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum_ms += other.sum_ms;
    return *this;
  }
  bool operator==(const Histogram&) const = default;
};

struct LoopCounters {
  std::array<std::uint64_t, 4> connected{};  // by channel: signed in now
  std::array<std::uint64_t, 4> connects{};   // by channel: CONNECTs that were accepted
  std::uint64_t refused_connects = 0;
  // By QoS: PUBLISH packets that came from clients or went to them, and the bytes of their payloads.
  std::array<std::uint64_t, 3> messages_in{}, messages_out{}, bytes_in{}, bytes_out{};
  std::array<std::uint64_t, 3> handshakes{};  // of TLS, by version
  std::uint64_t handshakes_resumed = 0;
  std::uint64_t handshakes_legacy = 0;  // with RSA key exchange or CBC
  std::uint64_t handshakes_failed = 0;
  Histogram connect_ms;  // from CONNECT to CONNACK, of accepted ones

  LoopCounters& operator+=(const LoopCounters& other);
};

namespace detail {
template <std::size_t N>
void add(std::array<std::uint64_t, N>& to, const std::array<std::uint64_t, N>& more) {
  for (std::size_t i = 0; i < N; ++i) to[i] += more[i];
}
}  // namespace detail

inline LoopCounters& LoopCounters::operator+=(const LoopCounters& other) {
  detail::add(connected, other.connected);
  detail::add(connects, other.connects);
  refused_connects += other.refused_connects;
  detail::add(messages_in, other.messages_in);
  detail::add(messages_out, other.messages_out);
  detail::add(bytes_in, other.bytes_in);
  detail::add(bytes_out, other.bytes_out);
  detail::add(handshakes, other.handshakes);
  handshakes_resumed += other.handshakes_resumed;
  handshakes_legacy += other.handshakes_legacy;
  handshakes_failed += other.handshakes_failed;
  connect_ms += other.connect_ms;
  return *this;
}

}  // namespace mooring::metrics
