// What one event loop counts: plain numbers that belong to its thread. Copied by a task on that loop, and summed up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "metrics/histogram.h"

namespace mooring::metrics {

// How a client speaks MQTT, as indexes.
enum class Channel : std::uint8_t { kTcp, kTls, kWs, kWss };
inline constexpr std::array<const char*, 4> kChannelNames{"tcp", "tls", "ws", "wss"};
constexpr Channel channel_of(bool tls, bool websocket) {
  return static_cast<Channel>((websocket ? 2 : 0) + (tls ? 1 : 0));
}

enum class TlsVersion : std::uint8_t { kOlder, k12, k13 };
inline constexpr std::array<const char*, 3> kTlsVersionNames{"older", "TLSv1.2", "TLSv1.3"};

// What an open connection is known to speak, and how far it is. Before its first bytes it is taken for `tcp`.
enum class Transport : std::uint8_t { kTcp, kTls, kWs, kWss, kHttp, kHttps };
inline constexpr std::array<const char*, 6> kTransportNames{"tcp", "tls", "ws", "wss", "http", "https"};
enum class ConnectionState : std::uint8_t {
  kOpening,  // until the sign-in, or the end of the first HTTP head
  kActive,
  kClosing,  // our last bytes are leaving, or the peer's end is awaited
};
inline constexpr std::array<const char*, 3> kConnectionStateNames{"opening", "active", "closing"};
using ConnectionCounts = std::array<std::array<std::uint64_t, kConnectionStateNames.size()>, kTransportNames.size()>;

struct LoopCounters {
  std::uint64_t accepted = 0;                // connections that the kernel gave to this loop
  ConnectionCounts connections{};            // open now, by transport and state
  std::array<std::uint64_t, 4> connected{};  // by channel: signed in now
  std::array<std::uint64_t, 4> connects{};   // by channel: CONNECTs that were accepted
  std::uint64_t refused_connects = 0;
  // By QoS: PUBLISH packets that came from clients or went to them, and the bytes of their payloads.
  std::array<std::uint64_t, 3> messages_in{}, messages_out{}, bytes_in{}, bytes_out{};
  std::array<std::uint64_t, 3> handshakes{};  // of TLS, by version
  std::uint64_t handshakes_resumed = 0;
  std::uint64_t handshakes_legacy = 0;  // with RSA key exchange or CBC
  std::uint64_t handshakes_failed = 0;
  Histogram connect_ms;   // from CONNECT to CONNACK, of accepted ones
  Histogram delivery_ms;  // from a PUBLISH that was read to the end of the turn in which it went to a subscriber;
                          // filled in by whoever copies (gateway/delivery_times.h)
  Histogram turn_ms;      // how long turns took: whoever has a message waits for what is left of one

  LoopCounters& operator+=(const LoopCounters& other);
};

namespace detail {
template <std::size_t N>
void add(std::array<std::uint64_t, N>& to, const std::array<std::uint64_t, N>& more) {
  for (std::size_t i = 0; i < N; ++i) to[i] += more[i];
}
}  // namespace detail

inline LoopCounters& LoopCounters::operator+=(const LoopCounters& other) {
  accepted += other.accepted;
  for (std::size_t i = 0; i < connections.size(); ++i) detail::add(connections[i], other.connections[i]);
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
  delivery_ms += other.delivery_ms;
  turn_ms += other.turn_ms;
  return *this;
}

}  // namespace mooring::metrics
