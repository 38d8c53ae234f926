#include "mqtt/server_connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "mqtt/decode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/receive_publish.h"

namespace mooring::mqtt {
namespace {

// What MQTT 3.1 calls "not used" in the flags of a packet type is not looked at in 3.1.
bool flags_are_valid(Version version, PacketType type, std::uint8_t flags, const Limits& limits) {
  const bool strict = version != Version::k31;
  switch (type) {
    case PacketType::kSubscribe:
    case PacketType::kPubrel:
      return strict ? flags == 2 : (flags & 6) == 2;
    case PacketType::kUnsubscribe:
      if (!strict) return (flags & 4) == 0;
      return flags == 2 || (flags == 0 && version == Version::k311 && limits.tolerates_unsubscribe_flags);
    default:
      return !strict || flags == 0;
  }
}

const ProtocolError* check_publish_flags(Version version, std::uint8_t flags, const Limits& limits) {
  const std::uint8_t qos = flags >> 1 & 3;
  if (qos > kMaxQos) return &errors::kQos3;
  if (qos > limits.max_qos) return &errors::kQosNotSupported;
  const bool refused = version == Version::k5 && (flags & 1) != 0 && !limits.retain_available;
  return refused ? &errors::kRetainNotSupported : nullptr;
}

const ProtocolError* check_length(Version version, const FixedHeader& header, const Limits& limits) {
  const auto unless = [](bool good, const ProtocolError& error) { return good ? nullptr : &error; };
  switch (header.type) {
    case PacketType::kConnect:
      return unless(header.packet_bytes() <= limits.max_connect_bytes, errors::kTooLarge);
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      if (version == Version::k5) break;
      return unless(header.remaining_length == 2, errors::kPacketLength);
    case PacketType::kPingreq:
      return unless(header.remaining_length == 0, errors::kPacketLength);
    case PacketType::kDisconnect:
      if (version == Version::k5) break;
      return unless(header.remaining_length == 0, errors::kPacketLength);
    default:
      break;
  }
  return unless(header.packet_bytes() <= limits.max_packet_bytes, errors::kTooLarge);
}

enum class LengthState : std::uint8_t { kIncomplete, kComplete, kMalformed };

// The length of the properties, which begins at `have[at]` and may reach up to `end`; `at` is then behind it.
LengthState read_property_length(base::ByteView have, std::size_t end, std::size_t& at, std::size_t& out) {
  const std::size_t most = std::min(end, at + 4);
  out = 0;
  for (unsigned shift = 0; at < most; shift += 7) {
    if (at >= have.size()) return LengthState::kIncomplete;
    const std::uint8_t byte = have[at++];
    out |= std::size_t{byte & 0x7FU} << shift;
    if ((byte & 0x80) == 0) return byte == 0 && shift > 0 ? LengthState::kMalformed : LengthState::kComplete;
  }
  return LengthState::kMalformed;
}

}  // namespace

// What can be said about a packet whose first bytes are known.
struct ServerConnection::Step {
  enum class Kind : std::uint8_t {
    kNeed,   // look again when there are `bytes` bytes
    kWhole,  // the packet is the first `bytes` bytes
    kSkip,   // an oversized PUBLISH: its head is the first `bytes` bytes, `payload_bytes` to skip follow
    kError,
  };
  Kind kind = Kind::kNeed;
  std::size_t bytes = 0;
  std::size_t payload_bytes = 0;
  const ProtocolError* error = nullptr;

  static Step need(std::size_t bytes) { return {Kind::kNeed, bytes, 0, nullptr}; }
  static Step failed(const ProtocolError& error) { return {Kind::kError, 0, 0, &error}; }
  static Step packet(std::size_t packet_bytes, std::size_t have_bytes) {
    return {have_bytes < packet_bytes ? Kind::kNeed : Kind::kWhole, packet_bytes, 0, nullptr};
  }
};

namespace {

constexpr std::size_t kPropertyLengthBytes = 4;

std::size_t most_payload_bytes(const Limits& limits) {
  return std::max(limits.max_discarded_payload_bytes, limits.max_payload_bytes);
}

}  // namespace

std::size_t max_publish_packet_bytes(const Limits& limits) {
  return kMaxFixedHeaderBytes + 2 + kMaxStringBytes + 2 + kPropertyLengthBytes + limits.max_packet_bytes +
         most_payload_bytes(limits);
}

std::size_t ServerConnection::receive(base::ByteView in, ServerConnectionEvents& events) {
  std::size_t used = 0;
  while (runs() && used < in.size()) {
    const base::ByteView rest = in.subspan(used);
    if (skip_left_bytes_ > 0) {
      used += skip_payload(rest, events);
    } else if (!partial_.empty()) {
      used += take_into_partial(rest, events);
    } else if (const std::size_t frequent_bytes = take_frequent(rest, events); frequent_bytes != 0) {
      used += frequent_bytes;
    } else {
      used += take(rest, events);
    }
  }
  return closed() ? in.size() : used;
}

void ServerConnection::accept_connect() {
  if (closed()) return;
  MOORING_ASSERT(state_ == State::kAwaitAccept);
  state_ = State::kOpen;
}

void ServerConnection::close() {
  state_ = State::kClosed;
  partial_.clear();
}

const ProtocolError* ServerConnection::check_first_byte(std::uint8_t first_byte) const {
  const PacketType type = packet_type(first_byte);
  const std::uint8_t flags = packet_flags(first_byte);
  if (state_ == State::kAwaitConnect) {
    if (type != PacketType::kConnect) return &errors::kNotConnect;
    return flags == 0 ? nullptr : &errors::kHeaderFlags;
  }
  switch (type) {
    case PacketType::kPublish:
      return check_publish_flags(version_, flags, *limits_);
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      if (limits_->max_qos < 2) return &errors::kQos2Packet;
      [[fallthrough]];
    case PacketType::kPuback:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
    case PacketType::kPingreq:
    case PacketType::kDisconnect:
      return flags_are_valid(version_, type, flags, *limits_) ? nullptr : &errors::kHeaderFlags;
    case PacketType::kConnect:
      return &errors::kSecondConnect;
    case PacketType::kConnack:
    case PacketType::kSuback:
    case PacketType::kUnsuback:
    case PacketType::kPingresp:
      return &errors::kWrongDirection;
    case PacketType::kAuth:
      if (version_ != Version::k5) break;
      return flags == 0 ? nullptr : &errors::kHeaderFlags;
  }
  return &errors::kReservedType;
}

// Finds errors in the order of the bytes, so that they do not depend on how the input is cut.
ServerConnection::Step ServerConnection::examine(base::ByteView have) const {
  if (const ProtocolError* error = check_first_byte(have[0])) return Step::failed(*error);
  FixedHeader header;
  switch (read_fixed_header(have, header)) {
    case HeaderState::kIncomplete:
      return Step::need(have.size() + 1);
    case HeaderState::kMalformed:
      return Step::failed(errors::kRemainingLength);
    case HeaderState::kComplete:
      break;
  }
  if (!header.shortest && version_ == Version::k5) return Step::failed(errors::kPaddedLength);
  if (header.type == PacketType::kPublish) return examine_publish(have, header);
  if (const ProtocolError* error = check_length(version_, header, *limits_)) return Step::failed(*error);
  return Step::packet(header.packet_bytes(), have.size());
}

// Of this remaining length a PUBLISH is within all limits, whatever is in it.
std::size_t ServerConnection::harmless_publish_bytes() const {
  return version_ == Version::k5 ? std::min(limits_->max_payload_bytes, limits_->max_packet_bytes)
                                 : limits_->max_payload_bytes;
}

ServerConnection::Step ServerConnection::examine_publish(base::ByteView have, const FixedHeader& header) const {
  if (header.remaining_length <= harmless_publish_bytes()) return Step::packet(header.packet_bytes(), have.size());
  return examine_large_publish(have, header);
}

// The payload may be too large: its size is known as soon as those of the topic and the properties are.
ServerConnection::Step ServerConnection::examine_large_publish(base::ByteView have, const FixedHeader& header) const {
  const bool has_properties = version_ == Version::k5;
  const Step whole = Step::packet(header.packet_bytes(), have.size());
  const std::size_t end = header.packet_bytes();
  const std::size_t max_bytes = most_payload_bytes(*limits_);
  const std::size_t packet_id_bytes = (header.flags >> 1 & 3) > 0 ? 2 : 0;
  const std::size_t most_property_bytes = has_properties ? kPropertyLengthBytes + limits_->max_packet_bytes : 0;
  if (header.remaining_length > 2 + kMaxStringBytes + packet_id_bytes + most_property_bytes + max_bytes) {
    return Step::failed(errors::kPayloadTooLarge);
  }
  std::size_t head_bytes = header.header_bytes + 2;
  if (head_bytes > end) return whole;
  if (have.size() < head_bytes) return Step::need(head_bytes);
  head_bytes += static_cast<std::size_t>(have[head_bytes - 2] << 8 | have[head_bytes - 1]) + packet_id_bytes;
  if (head_bytes > end) return Step::failed(errors::kTruncated);

  if (has_properties) {
    if (const auto step = pass_properties(have, end, head_bytes)) return *step;
  }
  const std::size_t payload_bytes = end - head_bytes;
  if (payload_bytes <= limits_->max_payload_bytes) return whole;
  if (payload_bytes > max_bytes) return Step::failed(errors::kPayloadTooLarge);
  if (have.size() < head_bytes) return Step::need(head_bytes);
  return {Step::Kind::kSkip, head_bytes, payload_bytes, nullptr};
}

// Moves `head_bytes` behind the properties; gives a step if they cannot be passed yet, or at all.
std::optional<ServerConnection::Step> ServerConnection::pass_properties(base::ByteView have, std::size_t end,
                                                                        std::size_t& head_bytes) const {
  if (have.size() <= head_bytes && head_bytes < end) return Step::need(head_bytes + 1);
  std::size_t property_bytes = 0;
  const LengthState state = read_property_length(have, end, head_bytes, property_bytes);
  if (state == LengthState::kIncomplete) return Step::need(have.size() + 1);
  if (state == LengthState::kMalformed || property_bytes > end - head_bytes) {
    return Step::failed(errors::kPropertyLength);
  }
  if (property_bytes > limits_->max_packet_bytes) return Step::failed(errors::kPropertiesTooLarge);
  head_bytes += property_bytes;
  return std::nullopt;
}

const ProtocolError* ServerConnection::read_publish(std::uint8_t flags, base::ByteView body, Publish& out) {
  return receive_publish(version_, Sender::kClient, flags, body, limits_->topic_alias_maximum, aliases_, out);
}

inline void ServerConnection::handle_publish(std::uint8_t flags, base::ByteView body, ServerConnectionEvents& events) {
  Publish publish;
  const ProtocolError* const error =  // as read_publish(), within this function
      receive_publish(version_, Sender::kClient, flags, body, limits_->topic_alias_maximum, aliases_, publish);
  if (error != nullptr) return fail(*error, events);
  events.on_publish(publish);
}

// PUBLISH and PUBACK that lie whole in `in` and have nothing that needs a closer look, which is nearly all that comes:
// what take() does, in one go. Returns its bytes; 0: it is something else, or wrong, and nothing has been done.
std::size_t ServerConnection::take_frequent(base::ByteView in, ServerConnectionEvents& events) {
  FixedHeader header;
  if (state_ != State::kOpen || read_fixed_header(in, header) != HeaderState::kComplete) return 0;
  if (header.packet_bytes() > in.size() || !header.shortest) return 0;
  const base::ByteView body = in.subspan(header.header_bytes, header.remaining_length);
  if (header.type == PacketType::kPublish) {
    const bool may_be_wrong = check_publish_flags(version_, header.flags, *limits_) != nullptr;
    if (may_be_wrong || body.size() > harmless_publish_bytes()) return 0;
    count_packet(body.size());
    handle_publish(header.flags, body, events);
    return header.packet_bytes();
  }
  if (header.type != PacketType::kPuback || header.flags != 0 || body.size() != 2) return 0;
  const auto packet_id = static_cast<std::uint16_t>(body[0] << 8 | body[1]);
  if (packet_id == 0 || header.packet_bytes() > limits_->max_packet_bytes) return 0;
  count_packet(body.size());
  events.on_puback({packet_id, ReasonCode::kSuccess});
  return header.packet_bytes();
}

// A packet begins at the first byte of `in`.
std::size_t ServerConnection::take(base::ByteView in, ServerConnectionEvents& events) {
  const Step step = examine(in);
  switch (step.kind) {
    case Step::Kind::kWhole:
      dispatch(in.first(step.bytes), events);
      return step.bytes;
    case Step::Kind::kSkip:
      partial_.append(in.first(step.bytes), step.bytes);
      start_skipping(step, events);
      return step.bytes;
    case Step::Kind::kNeed:
      partial_.append(in, step.bytes);
      return in.size();
    case Step::Kind::kError:
      break;
  }
  fail(*step.error, events);
  return in.size();
}

// The packet whose beginning is in partial_ goes on at the first byte of `in`.
std::size_t ServerConnection::take_into_partial(base::ByteView in, ServerConnectionEvents& events) {
  std::size_t used = 0;
  Step step = examine(partial_.view());
  while (step.kind == Step::Kind::kNeed) {
    const std::size_t taken = std::min(in.size() - used, step.bytes - partial_.size_bytes());
    if (taken == 0) return used;
    partial_.append(in.subspan(used, taken), step.bytes);
    used += taken;
    step = examine(partial_.view());
  }
  if (step.kind == Step::Kind::kSkip) {
    start_skipping(step, events);
  } else if (step.kind == Step::Kind::kWhole) {
    // Taken out first: the handler may close the connection, which frees partial_.
    const PartialPacket packet = std::exchange(partial_, PartialPacket());
    dispatch(packet.view(), events);
  } else {
    fail(*step.error, events);
  }
  return used;
}

// partial_ holds the head of an oversized PUBLISH, and some of its payload if the limits were lowered meanwhile.
void ServerConnection::start_skipping(const Step& step, ServerConnectionEvents& events) {
  const std::size_t payload_bytes_held = partial_.size_bytes() - step.bytes;
  partial_.truncate(step.bytes);
  FixedHeader header;
  read_fixed_header(partial_.view(), header);
  Publish publish;
  const ProtocolError* error = read_publish(header.flags, partial_.view().subspan(header.header_bytes), publish);
  if (error != nullptr) return fail(*error, events);
  skip_total_bytes_ = static_cast<std::uint32_t>(step.payload_bytes);
  skip_left_bytes_ = static_cast<std::uint32_t>(step.payload_bytes - payload_bytes_held);
}

std::size_t ServerConnection::skip_payload(base::ByteView in, ServerConnectionEvents& events) {
  const std::size_t skipped = std::min<std::size_t>(in.size(), skip_left_bytes_);
  skip_left_bytes_ -= static_cast<std::uint32_t>(skipped);
  if (skip_left_bytes_ > 0) return skipped;

  const PartialPacket head = std::exchange(partial_, PartialPacket());
  FixedHeader header;
  read_fixed_header(head.view(), header);
  Publish publish;
  const ProtocolError* error = read_publish(header.flags, head.view().subspan(header.header_bytes), publish);
  count_packet(header.remaining_length);
  if (error == nullptr) {
    events.on_oversized_publish({publish.topic, publish.qos, publish.packet_id, skip_total_bytes_});
  } else {
    fail(*error, events);  // limits lowered meanwhile have taken the alias away
  }
  return skipped;
}

void ServerConnection::count_packet(std::size_t body_bytes) {
  ++packets_received_;
  body_bytes_ = static_cast<std::uint32_t>(body_bytes);
}

void ServerConnection::dispatch(base::ByteView packet, ServerConnectionEvents& events) {
  FixedHeader header;
  read_fixed_header(packet, header);
  const base::ByteView body = packet.subspan(header.header_bytes);
  count_packet(body.size());
  const auto deliver = [&](const auto& decoded, auto on_packet) {
    if (!decoded) return fail(*decoded.error(), events);
    (events.*on_packet)(*decoded);
  };
  using Events = ServerConnectionEvents;
  switch (header.type) {
    case PacketType::kConnect:
      return handle_connect(header, body, events);
    case PacketType::kPublish:
      return handle_publish(header.flags, body, events);
    case PacketType::kPuback:
      return deliver(decode_ack(version_, header.type, body), &Events::on_puback);
    case PacketType::kPubrec:
      return deliver(decode_ack(version_, header.type, body), &Events::on_pubrec);
    case PacketType::kPubrel:
      return deliver(decode_ack(version_, header.type, body), &Events::on_pubrel);
    case PacketType::kPubcomp:
      return deliver(decode_ack(version_, header.type, body), &Events::on_pubcomp);
    case PacketType::kSubscribe:
      return deliver(decode_subscribe(version_, body), &Events::on_subscribe);
    case PacketType::kUnsubscribe:
      return deliver(decode_unsubscribe(version_, body), &Events::on_unsubscribe);
    case PacketType::kPingreq:
      return events.on_pingreq();
    case PacketType::kDisconnect:
      return handle_disconnect(body, events);
    case PacketType::kAuth:
      return deliver(decode_auth(Sender::kClient, body), &Events::on_auth);
    default:
      MOORING_ASSERT(false);  // check_first_byte() lets nothing else through
  }
}

void ServerConnection::handle_connect(const FixedHeader& header, base::ByteView body, ServerConnectionEvents& events) {
  const auto connect = decode_connect(body, version_);
  if (!header.shortest && version_ == Version::k5) return fail(errors::kPaddedLength, events);
  if (!connect) return fail(*connect.error(), events);
  has_session_expiry_ = connect->session_expiry_s != 0;
  state_ = State::kAwaitAccept;
  events.on_connect(*connect);
}

void ServerConnection::handle_disconnect(base::ByteView body, ServerConnectionEvents& events) {
  const auto disconnect = decode_disconnect(version_, Sender::kClient, body);
  if (!disconnect) return fail(*disconnect.error(), events);
  // Who asked for no session to be kept cannot change his mind at the end (MQTT 5 3.14.2.2.2).
  const bool sets_expiry = disconnect->session_expiry_s.value_or(0) != 0;
  if (sets_expiry && !has_session_expiry_) return fail(errors::kSessionExpiry, events);
  close();
  events.on_disconnect(*disconnect);
}

void ServerConnection::fail(const ProtocolError& error, ServerConnectionEvents& events) {
  close();
  events.on_protocol_error(error);
}

}  // namespace mooring::mqtt
