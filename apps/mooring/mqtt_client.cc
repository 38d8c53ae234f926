#include "mqtt_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "crypto/random.h"
#include "mqtt/encode.h"
#include "ws/frame_encoder.h"
#include "ws/handshake.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

constexpr std::size_t kReadBytes = 64 * 1024;

struct Scheme {
  std::string_view name;
  bool websocket;
  bool tls;
  std::uint16_t port;
};
constexpr Scheme kSchemes[] = {{"mqtt", false, false, 1883}, {"mqtts", false, true, 8883}, {"ws", true, false, 80},
                               {"wss", true, true, 443},     {"tcp", false, false, 1883},  {"tls", false, true, 8883}};

const Scheme* find_scheme(std::string_view name) {
  const auto* scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                    [&](const Scheme& known) { return base::iequals(known.name, name); });
  return scheme == std::end(kSchemes) ? nullptr : scheme;
}

tl::unexpected<base::Error> bad_url(std::string_view text, std::string_view why) {
  return base::fail(Errc::kInvalidArgument, fmt::format("\"{}\": {}; write mqtt, mqtts, ws or wss://HOST[:PORT][/PATH]",
                                                        base::printable(text), why));
}

ws::MaskKey fresh_mask() {
  ws::MaskKey key;
  crypto::system_random().fill(key);
  return key;
}

base::MonoMs now_ms() {
  return base::system_clock().mono_ms();
}

}  // namespace

std::string ClientUrl::authority() const {
  return host.find(':') == host.npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<ClientUrl> parse_client_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  const Scheme* scheme = find_scheme(text.substr(0, colon));
  if (colon == text.npos || scheme == nullptr) return bad_url(text, "the scheme is missing or unknown");
  ClientUrl url{std::string(text), scheme->websocket, scheme->tls, {}, scheme->port};
  std::string_view rest = text.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  if (slash < rest.size()) url.path = (rest[slash] == '/' ? "" : "/") + std::string(rest.substr(slash));
  if (authority.find('@') != authority.npos) return bad_url("...", "user name and password are options of their own");

  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == authority.npos) return bad_url(text, "the bracket is not closed");
  const std::size_t port_at = authority.find(':', bracket);
  url.host = std::string(bracket > 0 ? authority.substr(1, bracket - 1) : authority.substr(0, port_at));
  if (url.host.empty()) return bad_url(text, "the host is missing");
  if (port_at != authority.npos) {
    const std::string_view port = authority.substr(port_at + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return bad_url(text, "the port is not a number from 1 to 65535 (an IPv6 address needs brackets)");
    }
  } else if (bracket > 0 && bracket + 1 != authority.size()) {
    return bad_url(text, "after the address only a port may follow");
  }
  return url;
}

std::string_view explain(mqtt::ConnackCode code) {
  switch (code) {
    case mqtt::ConnackCode::kAccepted:
      return "accepted";
    case mqtt::ConnackCode::kUnacceptableProtocolVersion:
      return "code 1, the server does not speak this version of MQTT";
    case mqtt::ConnackCode::kIdentifierRejected:
      return "code 2, the client identifier or the keep alive is not allowed (form, length, securemode, signmethod; "
             "keep "
             "alive 30 to 1200 s)";
    case mqtt::ConnackCode::kServerUnavailable:
      return "code 3, not now: too many connects of this device or address in the last minute, or the server has a "
             "problem; try again later";
    case mqtt::ConnackCode::kBadUserNameOrPassword:
      return "code 4, user name or password is wrong: unknown account, product or device, or another password or"
             " secret";
    case mqtt::ConnackCode::kNotAuthorized:
      return "code 5, not allowed: the device is disabled, the security mode does not fit the transport, or the "
             "listener's account for connections without a name does not exist";
  }
  return "an unknown code";
}

// ---- opening and closing
// ----------------------------------------------------------------------------------------------

MqttClient::MqttClient(const ClientSettings& settings, MessageHandler on_message)
    : settings_(settings), on_message_(std::move(on_message)), mqtt_(mqtt::Version::k311), buffer_(kReadBytes) {}

Result<std::unique_ptr<MqttClient>> MqttClient::open(const ClientSettings& settings, const StopSignal& stop,
                                                     MessageHandler on_message) {
  std::unique_ptr<MqttClient> client(new MqttClient(settings, std::move(on_message)));
  StreamTarget target;
  target.unix_socket = settings.unix_socket;
  target.ca_file = settings.ca_file;
  target.insecure = settings.insecure;
  if (settings.url) {
    target.host = settings.url->host;
    target.port = settings.url->port;
    target.tls = settings.url->tls;
  }
  auto stream = ClientStream::open(target, stop);
  if (!stream) return tl::unexpected(stream.error());
  client->stream_ = std::move(*stream);
  if (settings.url && settings.url->websocket) {
    const auto upgraded = client->upgrade();
    if (!upgraded) return tl::unexpected(upgraded.error());
  }
  const auto signed_in = client->sign_in();
  if (!signed_in) return tl::unexpected(signed_in.error());
  return client;
}

Result<> MqttClient::upgrade() {
  const std::string authority = settings_.url->authority();
  const std::string key = ws::make_key(crypto::system_random());
  const ws::ClientRequest request{.host = authority, .path = settings_.url->path, .subprotocol = "mqtt", .key = key};
  const auto text = ws::build_request(request);
  if (!text) return tl::unexpected(text.error());
  const auto sent = stream_->write(base::as_bytes(*text));
  if (!sent) return sent;

  const base::MonoMs deadline = now_ms() + kAnswerTimeoutMs;
  std::string received;
  for (;;) {
    const auto opened = ws::read_response(received, request);
    if (!opened) return base::fail(Errc::kIo, opened.error().message);
    if (*opened) {
      received.erase(0, (*opened)->head_bytes);
      break;
    }
    const base::MonoMs left_ms = deadline - now_ms();
    if (left_ms <= 0) return base::fail(Errc::kIo, "the server did not answer the WebSocket upgrade");
    const auto count = stream_->read(buffer_, static_cast<int>(left_ms));
    if (!count) return tl::unexpected(count.error());
    received.append(base::as_text(base::ByteView(buffer_).first(*count)));
  }
  websocket_.emplace(ws::FrameDecoder::Options{.role = ws::Role::kClient});
  base::Bytes rest(received.begin(), received.end());
  feed(rest);
  return {};
}

Result<> MqttClient::sign_in() {
  mqtt::Connect connect;
  connect.client_id = settings_.client_id;
  connect.clean_session = settings_.clean_session;
  connect.keep_alive_s = settings_.keep_alive_s;
  if (settings_.username) connect.username = *settings_.username;
  if (settings_.password) connect.password = base::as_bytes(*settings_.password);
  base::Bytes packet;
  const auto encoded = mqtt::append_connect(packet, connect);
  if (!encoded) return encoded;
  const auto sent = send(packet);
  if (!sent) return sent;
  const auto answered = wait_until([this] { return connack_.has_value(); }, "CONNECT");
  if (!answered && !connack_) return answered;
  if (*connack_ == mqtt::ConnackCode::kAccepted) return answered;
  const bool later = *connack_ == mqtt::ConnackCode::kServerUnavailable;
  return base::fail(later ? Errc::kUnavailable : Errc::kPermissionDenied,
                    fmt::format("the server refused the connection: {}", explain(*connack_)));
}

void MqttClient::disconnect() {
  if (!send(mqtt::encode_disconnect(mqtt::Version::k311).view())) return;
  if (websocket_) send_close(ws::to_number(ws::CloseCode::kNormal));
  stream_->finish_writing();
  const base::MonoMs deadline = now_ms() + kCloseTimeoutMs;
  for (base::MonoMs left = kCloseTimeoutMs; left > 0; left = deadline - now_ms()) {
    if (!stream_->read(buffer_, static_cast<int>(left))) break;
  }
  lose(Errc::kUnavailable, "closed");
}

// ---- what a command does
// ----------------------------------------------------------------------------------------------

Result<> MqttClient::subscribe(const std::vector<std::string>& filters, std::uint8_t qos) {
  std::vector<mqtt::SubscribeEntry> entries;
  for (const std::string& filter : filters) entries.push_back({filter, qos});
  base::Bytes packet;
  const auto encoded = mqtt::append_subscribe(packet, mqtt::Version::k311, next_packet_id(), entries);
  if (!encoded) return encoded;
  suback_codes_.reset();
  if (const auto sent = send(packet); !sent) return sent;
  const auto answered = wait_until([this] { return suback_codes_.has_value(); }, "SUBSCRIBE");
  if (!answered && !suback_codes_) return answered;
  std::string refused;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    if (i < suback_codes_->size() && (*suback_codes_)[i] != mqtt::kSubackFailure) continue;
    refused += fmt::format("{}{}", refused.empty() ? "" : ", ", base::printable(filters[i]));
  }
  if (refused.empty()) return answered;
  return base::fail(Errc::kPermissionDenied, fmt::format("the server refused the subscription to {}", refused));
}

Result<> MqttClient::publish(std::string_view topic, std::string_view payload, std::uint8_t qos) {
  const auto room = wait_until([this] { return unacknowledged_.size() < kMaxUnacknowledged; }, "PUBLISH");
  if (!room) return room;
  mqtt::Publish message{.topic = topic, .payload = base::as_bytes(payload), .qos = qos};
  if (qos > 0) message.packet_id = next_packet_id();
  base::Bytes packet;
  const auto encoded = mqtt::append_publish(packet, mqtt::Version::k311, message);
  if (!encoded) return encoded;
  if (qos > 0) unacknowledged_.insert(message.packet_id);
  return send(packet);
}

Result<> MqttClient::wait_for_acknowledgements() {
  return wait_until([this] { return unacknowledged_.empty(); }, "PUBLISH");
}

Result<> MqttClient::step(int timeout_ms) {
  if (const auto alive = keep_alive(); !alive) return alive;
  const int ping_in_ms = settings_.keep_alive_s > 0 ? settings_.keep_alive_s * 1000 / 2 : timeout_ms;
  const auto read = read_once(timeout_ms < 0 ? ping_in_ms : std::min(timeout_ms, ping_in_ms));
  return read ? keep_alive() : read;
}

// ---- reading and writing
// ----------------------------------------------------------------------------------------------

Result<> MqttClient::wait_until(const std::function<bool()>& done, std::string_view what) {
  const base::MonoMs deadline = now_ms() + kAnswerTimeoutMs;
  while (!done()) {
    const base::MonoMs left_ms = deadline - now_ms();
    if (left_ms <= 0) return base::fail(Errc::kUnavailable, fmt::format("the server did not answer the {}", what));
    if (const auto stepped = step(static_cast<int>(left_ms)); !stepped) return stepped;
  }
  return {};
}

Result<> MqttClient::read_once(int timeout_ms) {
  if (lost_) return tl::unexpected(*lost_);
  const auto count = stream_->read(buffer_, timeout_ms);
  if (!count) {
    lose(count.error().code, count.error().message);
    return tl::unexpected(*lost_);
  }
  feed(base::MutableBytes(buffer_).first(*count));
  // An answer that came with the close must still be seen by whoever waits for it: the loss is told by the next call.
  return {};
}

void MqttClient::feed(base::MutableBytes bytes) {
  if (websocket_) {
    websocket_->receive(bytes, *this);
  } else {
    mqtt_.receive(bytes, *this);
  }
}

Result<> MqttClient::keep_alive() {
  if (settings_.keep_alive_s == 0 || !connack_ || lost_) return {};
  const base::MonoMs now = now_ms();
  if (ping_sent_ms_ != 0 && now - ping_sent_ms_ > kAnswerTimeoutMs) {
    lose(Errc::kUnavailable, "the server does not answer any more");
    return tl::unexpected(*lost_);
  }
  if (ping_sent_ms_ != 0 || now - last_sent_ms_ < settings_.keep_alive_s * 1000 / 2) return {};
  ping_sent_ms_ = now;
  return send(mqtt::encode_pingreq().view());
}

Result<> MqttClient::send(base::ByteView packet) {
  if (lost_) return tl::unexpected(*lost_);
  last_sent_ms_ = now_ms();
  base::Bytes frame;
  if (websocket_) {
    const ws::MaskKey key = fresh_mask();
    std::array<std::uint8_t, ws::kMaxClientHeaderBytes> header{};
    const std::size_t size = ws::encode_masked_header(header.data(), ws::Opcode::kBinary, packet.size(), key);
    frame.reserve(size + packet.size());
    frame.assign(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
    frame.insert(frame.end(), packet.begin(), packet.end());
    ws::apply_mask(base::MutableBytes(frame).subspan(size), key);
    packet = frame;
  }
  const auto sent = stream_->write(packet);
  if (!sent) lose(sent.error().code, sent.error().message);
  return sent;
}

void MqttClient::lose(Errc code, std::string why) {
  if (!lost_) lost_ = base::Error{code, std::move(why)};
  mqtt_.close();
}

std::uint16_t MqttClient::next_packet_id() {
  do {
    last_packet_id_ = static_cast<std::uint16_t>(last_packet_id_ == 0xFFFF ? 1 : last_packet_id_ + 1);
  } while (unacknowledged_.contains(last_packet_id_));
  return last_packet_id_;
}

// ---- MQTT events
// ------------------------------------------------------------------------------------------------------

void MqttClient::on_connack(const mqtt::Connack& packet) {
  connack_ = packet.code;
}

void MqttClient::acknowledge(mqtt::PacketType type, std::uint16_t packet_id) {
  static_cast<void>(send(mqtt::encode_ack(mqtt::Version::k311, type, packet_id).view()));
}

void MqttClient::on_publish(const mqtt::Publish& packet) {
  // A QoS 2 message that was taken comes again only because the server did not hear so.
  const bool taken = received_.contains(packet.packet_id) || on_message_(packet);
  if (!taken || packet.qos == 0) return;
  if (packet.qos == 2) received_.insert(packet.packet_id);
  acknowledge(packet.qos == 1 ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec, packet.packet_id);
}

void MqttClient::on_puback(const mqtt::Ack& packet) {
  unacknowledged_.erase(packet.packet_id);
}
void MqttClient::on_pubrec(const mqtt::Ack& packet) {
  acknowledge(mqtt::PacketType::kPubrel, packet.packet_id);
}
void MqttClient::on_pubrel(const mqtt::Ack& packet) {
  received_.erase(packet.packet_id);
  acknowledge(mqtt::PacketType::kPubcomp, packet.packet_id);
}
void MqttClient::on_pubcomp(const mqtt::Ack& packet) {
  unacknowledged_.erase(packet.packet_id);
}

void MqttClient::on_suback(const mqtt::Suback& packet) {
  suback_codes_.emplace(packet.codes.begin(), packet.codes.end());
}

void MqttClient::on_pingresp() {
  ping_sent_ms_ = 0;
}

void MqttClient::on_protocol_error(const mqtt::ProtocolError& error) {
  lose(Errc::kIo, fmt::format("the server sent something that is not MQTT: {}", error.text));
}

// ---- WebSocket events
// -------------------------------------------------------------------------------------------------

void MqttClient::on_data(base::MutableBytes piece, bool) {
  mqtt_.receive(piece, *this);
}

void MqttClient::on_message_end(bool) {}

void MqttClient::on_ping(base::ByteView payload) {
  send_pong(payload);
}

void MqttClient::on_pong(base::ByteView) {}

void MqttClient::on_close(std::optional<std::uint16_t> code, std::string_view reason) {
  if (!lost_) send_close(code);
  lose(Errc::kUnavailable,
       fmt::format("the server closed the WebSocket: {} {}", code.value_or(1005), base::printable(reason)));
}

void MqttClient::on_error(ws::CloseCode code, std::string_view why) {
  if (!lost_) send_close(ws::to_number(code));
  lose(Errc::kIo, fmt::format("the server broke the WebSocket protocol: {}", why));
}

void MqttClient::send_pong(base::ByteView payload) {
  if (lost_) return;
  std::array<std::uint8_t, ws::kMaxControlFrameBytes> frame{};
  const std::size_t size = ws::encode_control(frame.data(), ws::Opcode::kPong, payload, fresh_mask());
  const auto sent = stream_->write(base::ByteView(frame).first(size));
  if (!sent) lose(sent.error().code, sent.error().message);
}

void MqttClient::send_close(std::optional<std::uint16_t> code) {
  std::array<std::uint8_t, ws::kMaxControlFrameBytes> frame{};
  const std::size_t size = ws::encode_close(frame.data(), code, {}, fresh_mask());
  static_cast<void>(stream_->write(base::ByteView(frame).first(size)));
}

}  // namespace mooring::app
