#include "gateway/gateway.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace mooring::gateway {
namespace {

// The registry's thread always has the next one; its answers are sign-ins that the loop finishes in one turn.
constexpr std::size_t kLookUpsUnderWay = 32;

// Suites that only old firmware still needs: RSA key exchange, or CBC.
bool is_legacy_cipher(std::string_view name) {
  const bool forward_secret = name.starts_with("TLS_") || name.starts_with("ECDHE-") || name.starts_with("DHE-") ||
                              name.find("PSK") != std::string_view::npos;
  const bool authenticated = name.find("GCM") != std::string_view::npos ||
                             name.find("CHACHA20") != std::string_view::npos ||
                             name.find("CCM") != std::string_view::npos;
  return !forward_secret || !authenticated;
}

}  // namespace

Gateway::Gateway(net::Loop& loop, MqttServices& mqtt, HttpServices& http, ConnectionBudget& budget, LoopSwitch& others)
    : loop_(loop), mqtt_(mqtt), http_(http), budget_(budget), others_(others), openings_(loop) {
  loop_.after_each_turn([this](base::MonoMs now) {
    mqtt_.deliveries.turn_ended(now);
    mqtt_.counters.turn_ms.observe(now - loop_.now_ms());
  });
  mqtt_.sign_in.watch_look_ups([this](std::size_t under_way) { openings_.hold(under_way >= kLookUpsUnderWay); });
}

Gateway::~Gateway() {
  loop_.after_each_turn({});
  mqtt_.sign_in.watch_look_ups({});
  while (Connection* connection = connections_.pop_front()) delete connection;
}

base::Result<> Gateway::listen(net::UniqueFd fd, std::shared_ptr<ListenerContext> context) {
  Door door;
  door.context = std::move(context);
  door.listener = std::make_unique<net::Listener>(
      loop_, std::move(fd),
      [this, shared = door.context.get()](net::UniqueFd accepted, const net::SocketAddress& peer) {
        accept(std::move(accepted), peer, *shared);
      });
  if (auto started = door.listener->start(); !started) return started;
  doors_.push_back(std::move(door));
  return {};
}

void Gateway::stop_listening() {
  for (Door& door : doors_) door.listener->stop();
}

void Gateway::set_tls_contexts(
    const std::function<std::shared_ptr<const net::TlsContext>(const ListenerContext&)>& choose) {
  for (Door& door : doors_) {
    if (door.context->tls_context != nullptr) door.context->tls_context = choose(*door.context);
  }
}

void Gateway::set_connection_limits(const ConnectionLimits& limits) {
  for (Door& door : doors_) door.context->limits = limits;
}

bool Gateway::is_full() const {
  const std::size_t max = budget_.max.load(std::memory_order_relaxed);
  return max != 0 && budget_.open.load(std::memory_order_relaxed) >= max;
}

void Gateway::accept(net::UniqueFd fd, const net::SocketAddress& peer, const ListenerContext& context) {
  // Whose peer has gone needs no place any more.
  if (is_full()) openings_.end_one();
  // The local socket is how an operator looks into a full server.
  std::optional<ConnectionPlace> place =
      context.local_socket ? ConnectionPlace(budget_) : ConnectionPlace::within(budget_);
  if (!place) {
    const std::uint64_t refused = budget_.refused.fetch_add(1, std::memory_order_relaxed) + 1;
    if (refused % 1000 == 1) {
      base::log_warn("gateway", "connection refused: limits.max_connections is reached ({} refused so far)", refused);
    }
    return;
  }
  ++mqtt_.counters.accepted;
  auto* connection = new Connection(loop_, *this, context, std::move(fd), peer, std::move(*place));
  connections_.push_back(*connection);
  connection->start();
}

void Gateway::send_away(Connection& connection, session::LoopId loop) {
  static_cast<base::ListHook<ConnectionListTag>&>(connection).unlink();
  base::log_debug("gateway", "{}: goes on on loop {}", connection.peer().address.to_text(), loop);
  others_.send(loop, std::unique_ptr<Connection>(&connection));
}

void Gateway::adopt(std::unique_ptr<Connection> arriving) {
  const auto door = std::find_if(doors_.begin(), doors_.end(), [&](const Door& known) {
    return known.context->number == arriving->listener_number();
  });
  if (door == doors_.end()) {  // an optional address that could be opened on some loops only
    base::log_error("gateway", "a connection is dropped: its home loop does not know its listener");
    return;
  }
  Connection& connection = *arriving.release();
  connections_.push_back(connection);
  connection.arrive(loop_, *this, *door->context);
  if (stopping_) {
    connection.shut_down();
  } else {
    connection.go_on(mqtt_);
  }
}

void Gateway::find_psk_key(std::string_view identity, const PeerFacts& peer, PskFound found) {
  mqtt_.sign_in.find_psk_key(identity, peer.address.host(), std::move(found));
}

void Gateway::psk_failed(std::string_view identity, PskVerdict verdict, const PeerFacts& peer) {
  journal::Event event = psk_refusal(identity, verdict, peer.address.to_text());
  const bool turned_away = verdict == PskVerdict::kTurnedAway;
  if (!turned_away || mqtt_.turned_away.count(loop_.now_ms()) <= kTurnedAwayLinesPerSecond) {
    base::log_info("gateway", "{}: TLS-PSK: {}: {}; identity '{}'", event.address, event.name, event.reason,
                   base::printable(identity, 128));
  }
  if (!turned_away && verdict != PskVerdict::kUnavailable) mqtt_.sign_in.psk_refused(identity, peer.address.host());
  if (verdict != PskVerdict::kBrokenOff) mqtt_.log.record(std::move(event));
}

void Gateway::handshake_ended(const net::Stream& stream, bool succeeded) {
  metrics::LoopCounters& counters = mqtt_.counters;
  if (!succeeded) {
    ++counters.handshakes_failed;
    return;
  }
  const std::string_view version = stream.tls_version();
  const auto known = std::find(metrics::kTlsVersionNames.begin(), metrics::kTlsVersionNames.end(), version);
  ++counters.handshakes[known == metrics::kTlsVersionNames.end()
                            ? 0
                            : static_cast<std::size_t>(known - metrics::kTlsVersionNames.begin())];
  if (stream.tls_resumed()) ++counters.handshakes_resumed;
  if (is_legacy_cipher(stream.tls_cipher())) ++counters.handshakes_legacy;
}

bool Gateway::may_shake_hands(const PeerFacts& peer) {
  return mqtt_.sign_in.may_shake_hands(peer.address.host());
}

bool Gateway::may_go_on(Connection& connection, LinePlace place) {
  return openings_.may_go_on(connection, place);
}

void Gateway::count_handshake_step(bool first) {
  openings_.count(first ? OpeningLine::kFirstHandshakeStepCost : OpeningLine::kHandshakeStepCost);
}

void Gateway::closed(Connection& connection) {
  static_cast<base::ListHook<ConnectionListTag>&>(connection).unlink();
  loop_.destroy_later(std::unique_ptr<net::LoopClient>(&connection));
}

void Gateway::shut_down() {
  stop_listening();
  stopping_ = true;
  // A connection may leave the list while it says goodbye; the others are put back in order.
  base::IntrusiveList<Connection, ConnectionListTag> all;
  all.splice_back(connections_);
  while (Connection* connection = all.pop_front()) {
    connections_.push_back(*connection);
    connection->shut_down();
  }
}

std::unique_ptr<Conversation> Gateway::make_mqtt(Transport& transport, const ListenerContext&) {
  return std::make_unique<MqttConversation>(transport, mqtt_, false);
}

std::unique_ptr<Conversation> Gateway::make_http(Transport& transport, const ListenerContext& context) {
  return std::make_unique<HttpConversation>(transport, http_, context.trusted_proxies);
}

}  // namespace mooring::gateway
