#include "client.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>
#include <cstring>
#include <random>
#include <utility>

#include "base/text.h"
#include "crypto/random.h"
#include "mqtt/encode.h"
#include "ws/frame_encoder.h"
#include "ws/handshake.h"

namespace mooring::bench {
namespace {

constexpr mqtt::Version kVersion = mqtt::Version::k311;

// Masks guard proxies against scripts (RFC 6455 section 10.3). Here both ends are ours, so a fast generator will do.
ws::MaskKey next_mask() {
  static std::minstd_rand generator{std::random_device{}()};
  const auto value = static_cast<std::uint32_t>(generator());
  ws::MaskKey key;
  std::memcpy(key.data(), &value, key.size());
  return key;
}

}  // namespace

Client::Client(net::Loop& loop, const Target& target, const SignIn& sign_in, std::string topic, std::uint8_t qos,
               std::uint32_t number, ClientOwner& owner)
    : loop_(loop),
      target_(target),
      sign_in_(sign_in),
      topic_(std::move(topic)),
      owner_(owner),
      frames_({.role = ws::Role::kClient}),
      mqtt_(kVersion),
      number_(number),
      qos_(qos) {}

Client::~Client() {
  release();
}

// ---- opening --------------------------------------------------------------------------------------------------------

void Client::open() {
  auto socket = Socket::connect(target_.address);
  if (!socket) return lose(socket.error().message);
  socket_ = std::move(*socket);
  state_ = State::kConnecting;
  const auto watched = loop_.watch(socket_.fd(), *this, net::Loop::Watch::kEdge);
  if (!watched) lose(watched.error().message);
}

void Client::on_ready(std::uint32_t epoll_events) {
  if (state_ == State::kConnecting && (epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connecting();
  if (state_ == State::kTls) advance_tls();
  if (state_ < State::kUpgrade || state_ == State::kClosed) return;
  read_all();
  if (state_ != State::kClosed) flush();
}

void Client::finish_connecting() {
  if (const int error = socket_.connect_error(); error != 0) {
    return lose(fmt::format("connect: {}", std::strerror(error)));
  }
  if (!target_.tls) return start_protocol();
  if (!socket_.start_tls(target_.tls.get())) return lose("TLS cannot be set up");
  state_ = State::kTls;
}

void Client::advance_tls() {
  switch (socket_.handshake()) {
    case Socket::Handshake::kDone:
      return start_protocol();
    case Socket::Handshake::kAgain:
      return;
    case Socket::Handshake::kFailed:
      return lose(fmt::format("TLS handshake: {}", socket_.handshake_failure()));
  }
}

void Client::start_protocol() {
  if (!target_.websocket) return send_connect();
  upgrade_key_ = ws::make_key(crypto::system_random());
  const auto request =
      ws::build_request({.host = target_.authority, .path = "/mqtt", .subprotocol = "mqtt", .key = upgrade_key_});
  if (!request) return lose(request.error().message);
  state_ = State::kUpgrade;
  append(base::as_bytes(*request));
}

void Client::read_upgrade(base::MutableBytes bytes) {
  upgrade_received_.append(base::as_text(bytes));
  const auto opened = ws::read_response(
      upgrade_received_, {.host = target_.authority, .path = "/mqtt", .subprotocol = "mqtt", .key = upgrade_key_});
  if (!opened) return lose(opened.error().message);
  if (!*opened) return;
  base::Bytes rest(upgrade_received_.begin() + static_cast<std::ptrdiff_t>((*opened)->head_bytes),
                   upgrade_received_.end());
  upgrade_key_ = {};
  upgrade_received_ = {};
  send_connect();
  if (!rest.empty()) take(rest);
}

void Client::send_connect() {
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

void Client::on_connack(const mqtt::Connack& packet) {
  if (packet.code != mqtt::ConnackCode::kAccepted) {
    return lose(fmt::format("CONNECT refused with code {}", static_cast<int>(packet.code)));
  }
  if (topic_.empty()) return become_ready();
  send_subscribe();
}

void Client::send_subscribe() {
  const mqtt::SubscribeEntry entry{topic_, qos_};
  base::Bytes packet;
  const auto encoded = mqtt::append_subscribe(packet, kVersion, ++last_packet_id_, {&entry, 1});
  if (!encoded) return lose(encoded.error().message);
  state_ = State::kSubscribe;
  send(packet);
}

void Client::on_suback(const mqtt::Suback& packet) {
  if (packet.codes.empty() || packet.codes[0] != qos_) return lose("SUBSCRIBE refused");
  become_ready();
}

void Client::become_ready() {
  state_ = State::kReady;
  owner_.on_client_ready(*this);
}

// ---- in and out -----------------------------------------------------------------------------------------------------

void Client::read_all() {
  const base::MutableBytes buffer = loop_.read_buffer();
  while (state_ != State::kClosed) {
    const net::IoResult result = socket_.read(buffer);
    if (result.status == net::IoStatus::kAgain) return;
    if (result.status == net::IoStatus::kEof) return lose("the server closed the connection");
    if (result.status == net::IoStatus::kError) return lose("the connection broke");
    take(buffer.first(result.bytes));
    // Edge-triggered: less than asked for means that a plain socket is empty, and the next bytes are a new event.
    if (!target_.tls && result.bytes < buffer.size()) return;
  }
}

void Client::take(base::MutableBytes bytes) {
  if (state_ == State::kUpgrade) return read_upgrade(bytes);
  if (target_.websocket) {
    frames_.receive(bytes, *this);
  } else {
    mqtt_.receive(bytes, *this);
  }
}

void Client::publish(std::string_view topic, base::ByteView payload, std::uint8_t qos) {
  if (state_ != State::kReady) return;
  mqtt::Publish message;
  message.topic = topic;
  message.payload = payload;
  message.qos = qos;
  if (qos > 0) {
    last_packet_id_ = last_packet_id_ == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(last_packet_id_ + 1);
    message.packet_id = last_packet_id_;
  }
  base::Bytes packet;
  const auto encoded = mqtt::append_publish(packet, kVersion, message);
  if (!encoded) return lose(encoded.error().message);
  send(packet);
}

void Client::send(base::ByteView packet) {
  if (!target_.websocket) return append(packet);
  std::array<std::uint8_t, ws::kMaxClientHeaderBytes> header;
  const ws::MaskKey key = next_mask();
  const std::size_t header_bytes = ws::encode_masked_header(header.data(), ws::Opcode::kBinary, packet.size(), key);
  append(base::ByteView(header).first(header_bytes));
  append(packet);
  if (state_ != State::kClosed) ws::apply_mask(base::MutableBytes(out_).last(packet.size()), key);
}

void Client::send_control(ws::Opcode opcode, base::ByteView payload) {
  std::array<std::uint8_t, ws::kMaxControlFrameBytes> frame;
  const std::size_t bytes = ws::encode_control(frame.data(), opcode, payload, next_mask());
  append(base::ByteView(frame).first(bytes));
}

void Client::append(base::ByteView bytes) {
  if (state_ == State::kClosed) return;
  if (out_.size() + bytes.size() > kMaxWaitingBytes) return lose("too many bytes wait to be sent");
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  loop_.call_at_turn_end(*this);
}

void Client::flush() {
  std::size_t written = 0;
  while (written < out_.size()) {
    const net::IoResult result = socket_.write(base::ByteView(out_).subspan(written));
    if (result.status == net::IoStatus::kAgain) break;
    if (result.status != net::IoStatus::kOk) return lose("the connection broke");
    written += result.bytes;
  }
  if (written == out_.size()) {
    out_ = {};  // an idle connection holds no buffer here either
  } else {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(written));
  }
}

void Client::close() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kReady) {
    send(mqtt::encode_disconnect(kVersion).view());
    flush();
  }
  release();
}

void Client::lose(std::string_view why) {
  if (state_ == State::kClosed) return;
  const std::string text = base::printable(why);
  release();
  owner_.on_client_lost(*this, text);
}

void Client::release() {
  if (socket_.fd() >= 0) {
    loop_.unwatch(socket_.fd());
    socket_.close();
  }
  frames_.stop();
  mqtt_.close();
  out_ = {};
  state_ = State::kClosed;
}

// ---- WebSocket and MQTT events --------------------------------------------------------------------------------------

void Client::on_data(base::MutableBytes piece, bool) {
  if (state_ != State::kClosed) mqtt_.receive(piece, *this);
}

void Client::on_ping(base::ByteView payload) {
  if (state_ != State::kClosed) send_control(ws::Opcode::kPong, payload);
}

void Client::on_close(std::optional<std::uint16_t> code, std::string_view reason) {
  lose(fmt::format("the server closed with {} {}", code.value_or(0), reason));
}

void Client::on_error(ws::CloseCode, std::string_view why) {
  lose(why);
}

void Client::on_publish(const mqtt::Publish& packet) {
  if (state_ != State::kReady) return;
  if (packet.qos > 0) {
    const auto type = packet.qos == 1 ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec;
    send(mqtt::encode_ack(kVersion, type, packet.packet_id).view());
  }
  owner_.on_client_message(*this, packet);
}

void Client::on_puback(const mqtt::Ack&) {
  if (state_ == State::kReady) owner_.on_client_acknowledged(*this);
}
void Client::on_pubrec(const mqtt::Ack& packet) {
  if (state_ == State::kReady) send(mqtt::encode_ack(kVersion, mqtt::PacketType::kPubrel, packet.packet_id).view());
}
void Client::on_pubrel(const mqtt::Ack& packet) {
  if (state_ == State::kReady) send(mqtt::encode_ack(kVersion, mqtt::PacketType::kPubcomp, packet.packet_id).view());
}
void Client::on_pubcomp(const mqtt::Ack&) {
  if (state_ == State::kReady) owner_.on_client_acknowledged(*this);
}

void Client::on_protocol_error(const mqtt::ProtocolError& error) {
  lose(error.text);
}

}  // namespace mooring::bench
