#include "connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>
#include <cstring>
#include <random>
#include <utility>

#include "base/text.h"
#include "crypto/random.h"
#include "mqtt/encode.h"
#include "mqtt/packet.h"
#include "ws/frame_encoder.h"
#include "ws/handshake.h"

namespace mooring::bench {
namespace {

constexpr mqtt::Version kVersion = mqtt::Version::k311;
constexpr std::string_view kPath = "/mqtt";
constexpr std::string_view kSubprotocol = "mqtt";

constexpr std::uint8_t kConnack = 0x20;
constexpr std::uint8_t kPublish = 0x30;
constexpr std::uint8_t kPuback = 0x40;
constexpr std::uint8_t kPubrec = 0x50;
constexpr std::uint8_t kPubrel = 0x62;
constexpr std::uint8_t kPubcomp = 0x70;
constexpr std::uint8_t kSuback = 0x90;
constexpr std::uint8_t kPingresp = 0xD0;

std::uint16_t read_u16(base::ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// Masks guard proxies against scripts (RFC 6455 section 10.3). Here both ends are ours, so one key for each connection
// will do; it has no zero byte, so that every byte has to be unmasked.
ws::MaskKey make_mask_key() {
  static std::minstd_rand generator{std::random_device{}()};
  ws::MaskKey key;
  for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(1 + generator() % 255);
  return key;
}

}  // namespace

Connection::Connection(Poller& poller, const Target& target, const SignIn& sign_in, Subscription subscription,
                       const net::SocketAddress* source, std::uint32_t number, bool keeps_tls_session,
                       ConnectionOwner& owner)
    : poller_(poller),
      target_(target),
      sign_in_(sign_in),
      subscription_(std::move(subscription)),
      source_(source),
      owner_(owner),
      reader_(target.websocket),
      framing_{target.websocket, make_mask_key()},
      number_(number),
      keeps_tls_session_(keeps_tls_session) {}

// ---- opening --------------------------------------------------------------------------------------------------------

void Connection::open() {
  reader_ = PacketReader(target_.websocket);
  connack_code_ = 0;
  state_ = State::kConnecting;
  auto socket = target_.local ? Socket::connect(*target_.local) : Socket::connect(target_.address, source_);
  if (!socket) return lose(socket.error().message);
  socket_ = std::move(*socket);
  const auto watched = poller_.watch(socket_.fd(), *this);
  if (!watched) lose(watched.error().message);
}

void Connection::on_ready(std::uint32_t epoll_events) {
  if (state_ == State::kConnecting && (epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connecting();
  if (state_ == State::kTls) advance_tls();
  if (state_ < State::kUpgrade) return;
  read_all();
  if (state_ != State::kClosed && (epoll_events & EPOLLOUT) != 0 && unsent_bytes() > 0) {
    poller_.call_at_turn_end(*this);
  }
}

void Connection::finish_connecting() {
  if (const int error = socket_.connect_error(); error != 0) {
    return lose(fmt::format("connect: {}", std::strerror(error)));
  }
  if (!target_.tls) return start_protocol();
  if (!socket_.start_tls(target_.tls.get(), keeps_tls_session_ ? &tls_session_ : nullptr, target_.server_name)) {
    return lose("TLS cannot be set up");
  }
  state_ = State::kTls;
}

void Connection::advance_tls() {
  switch (socket_.handshake()) {
    case Socket::Handshake::kDone:
      return start_protocol();
    case Socket::Handshake::kAgain:
      return;
    case Socket::Handshake::kFailed:
      return lose(fmt::format("TLS handshake: {}", socket_.handshake_failure()));
  }
}

void Connection::start_protocol() {
  if (!target_.websocket) return send_connect();
  upgrade_key_ = ws::make_key(crypto::system_random());
  const auto request =
      ws::build_request({.host = target_.authority, .path = kPath, .subprotocol = kSubprotocol, .key = upgrade_key_});
  if (!request) return lose(request.error().message);
  state_ = State::kUpgrade;
  const base::ByteView bytes = base::as_bytes(*request);
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  poller_.call_at_turn_end(*this);
}

void Connection::read_upgrade(base::ByteView bytes) {
  upgrade_received_.append(base::as_text(bytes));
  const auto opened = ws::read_response(
      upgrade_received_, {.host = target_.authority, .path = kPath, .subprotocol = kSubprotocol, .key = upgrade_key_});
  if (!opened) return lose(opened.error().message);
  if (!*opened) return;
  const std::string rest = upgrade_received_.substr((*opened)->head_bytes);
  upgrade_key_ = {};
  upgrade_received_ = {};
  send_connect();
  if (!rest.empty()) take(base::as_bytes(rest));
}

void Connection::send_connect() {
  mqtt::Connect connect;
  connect.client_id = sign_in_.client_id;
  connect.keep_alive_s = kKeepAliveS;
  connect.clean_session = sign_in_.clean_session;
  if (!sign_in_.username.empty()) {
    connect.username = sign_in_.username;
    connect.password = base::as_bytes(sign_in_.password);
  }
  base::Bytes packet;
  const auto encoded = mqtt::append_connect(packet, connect);
  if (!encoded) return lose(encoded.error().message);
  state_ = State::kSignIn;
  send(packet);
}

void Connection::on_connack(base::ByteView body) {
  if (state_ != State::kSignIn || body.size() != 2) return lose("a CONNACK that does not fit");
  connack_code_ = body[1];
  if (body[1] != 0) return lose(fmt::format("CONNECT refused with code {}", body[1]));
  if (!subscription_.filter.empty()) return send_subscribe();
  state_ = State::kReady;
  owner_.on_open(*this);
}

void Connection::send_subscribe() {
  const mqtt::SubscribeEntry entry{subscription_.filter, subscription_.qos};
  base::Bytes packet;
  const auto encoded = mqtt::append_subscribe(packet, kVersion, 1, {&entry, 1});
  if (!encoded) return lose(encoded.error().message);
  state_ = State::kSubscribe;
  send(packet);
}

void Connection::on_suback(base::ByteView body) {
  if (state_ != State::kSubscribe || body.size() != 3) return lose("a SUBACK that does not fit");
  if (body[2] != subscription_.qos) {
    return lose(fmt::format("SUBSCRIBE to {} answered with {}", base::printable(subscription_.filter), body[2]));
  }
  state_ = State::kReady;
  owner_.on_open(*this);
}

// ---- in and out -----------------------------------------------------------------------------------------------------

void Connection::read_all() {
  const base::MutableBytes buffer = poller_.read_buffer();
  while (state_ != State::kClosed) {
    const net::IoResult result = socket_.read(buffer);
    if (result.status == net::IoStatus::kAgain) return;
    if (result.status == net::IoStatus::kEof) return lose("the server closed the connection");
    if (result.status == net::IoStatus::kError) return lose("the connection broke");
    poller_.refresh();
    take(buffer.first(result.bytes));
    // Edge-triggered: less than asked for means that a plain socket is empty, and the next bytes are a new event.
    if (!target_.tls && result.bytes < buffer.size()) return;
  }
}

void Connection::take(base::ByteView bytes) {
  if (state_ == State::kUpgrade) return read_upgrade(bytes);
  reader_.receive(bytes, *this);
}

void Connection::send(base::ByteView packet) {
  append_framed(out_, packet, framing_);
  poller_.call_at_turn_end(*this);
}

void Connection::send_ack(std::uint8_t first_byte, std::uint16_t packet_id) {
  const std::array<std::uint8_t, 4> packet{first_byte, 2, static_cast<std::uint8_t>(packet_id >> 8),
                                           static_cast<std::uint8_t>(packet_id & 0xFF)};
  send(packet);
}

void Connection::ping() {
  send(mqtt::encode_pingreq().view());
}

void Connection::flush() {
  if (state_ <= State::kTls) return;
  while (sent_ < out_.size()) {
    const net::IoResult result = socket_.write(base::ByteView(out_).subspan(sent_));
    if (result.status == net::IoStatus::kAgain) return;  // the next EPOLLOUT goes on
    if (result.status != net::IoStatus::kOk) return lose("the connection broke");
    sent_ += result.bytes;
  }
  out_.clear();
  sent_ = 0;
}

void Connection::close() {
  if (state_ == State::kReady) {
    send(mqtt::encode_disconnect(kVersion).view());
    flush();
  }
  if (state_ == State::kClosed) return;
  socket_.close();
  release();
}

void Connection::reset() {
  if (state_ == State::kClosed) return;
  socket_.reset();
  release();
}

void Connection::lose(std::string_view why) {
  if (state_ == State::kClosed) return;
  const std::string text = base::printable(why);
  socket_.close();
  release();
  owner_.on_lost(*this, text);
}

void Connection::release() {
  out_.clear();
  sent_ = 0;
  upgrade_received_.clear();
  state_ = State::kClosed;
}

// ---- WebSocket and MQTT ---------------------------------------------------------------------------------------------

void Connection::on_ping(base::ByteView payload) {
  std::array<std::uint8_t, ws::kMaxControlFrameBytes> frame;
  const std::size_t bytes = ws::encode_control(frame.data(), ws::Opcode::kPong, payload, framing_.key);
  out_.insert(out_.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  poller_.call_at_turn_end(*this);
}

void Connection::on_packet(std::uint8_t first_byte, base::ByteView body) {
  if ((first_byte & 0xF0) == kPublish) return on_publish(first_byte, body);
  if (first_byte == kConnack) return on_connack(body);
  if (first_byte == kSuback) return on_suback(body);
  if (state_ != State::kReady) return lose("a packet before its time");
  if (first_byte == kPingresp && body.empty()) return owner_.on_pong(*this);
  if (body.size() != 2) return lose("a packet that does not fit");
  const std::uint16_t packet_id = read_u16(body, 0);
  switch (first_byte) {
    case kPuback:
    case kPubcomp:
      return owner_.on_acknowledged(*this, packet_id);
    case kPubrec:
      return send_ack(kPubrel, packet_id);
    case kPubrel:
      return send_ack(kPubcomp, packet_id);
    default:
      return lose(fmt::format("a packet that no server sends, {:#x}", first_byte));
  }
}

void Connection::on_publish(std::uint8_t first_byte, base::ByteView body) {
  const std::uint8_t qos = first_byte >> 1 & 3;
  const std::size_t id_bytes = qos > 0 ? 2 : 0;
  const std::size_t topic_bytes = body.size() >= 2 ? read_u16(body, 0) : 0xFFFF;
  if (qos > 2 || body.size() < 2 + topic_bytes + id_bytes) return lose("a PUBLISH that does not fit");
  if (qos > 0) send_ack(qos == 1 ? kPuback : kPubrec, read_u16(body, 2 + topic_bytes));
  owner_.on_message(*this, {.topic = base::as_text(body.subspan(2, topic_bytes)),
                            .payload = body.subspan(2 + topic_bytes + id_bytes),
                            .qos = qos,
                            .dup = (first_byte & 8) != 0});
}

}  // namespace mooring::bench
