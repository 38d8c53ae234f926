#include "mqtt/server_connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "mqtt/decode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {
namespace {

// What MQTT 3.1 calls "not used" in the flags of a packet type is not looked at in 3.1.
bool flags_are_valid(Version version, PacketType type, std::uint8_t flags) {
  const bool strict = version != Version::k31;
  switch (type) {
    case PacketType::kSubscribe:
      return strict ? flags == 2 : (flags & 6) == 2;
    case PacketType::kUnsubscribe:
      return strict ? flags == 2 || flags == 0 : (flags & 4) == 0;
    default:
      return !strict || flags == 0;
  }
}

const ProtocolError* check_qos(std::uint8_t flags, std::uint8_t max_qos) {
  const std::uint8_t qos = flags >> 1 & 3;
  if (qos > kMaxQos) return &errors::kQos3;
  return qos > max_qos ? &errors::kQosNotSupported : nullptr;
}

const ProtocolError* check_length(const FixedHeader& header, const Limits& limits) {
  const auto unless = [](bool good, const ProtocolError& error) { return good ? nullptr : &error; };
  switch (header.type) {
    case PacketType::kConnect:
      return unless(header.packet_bytes() <= limits.max_connect_bytes, errors::kTooLarge);
    case PacketType::kPuback:
      return unless(header.remaining_length == 2, errors::kPacketLength);
    case PacketType::kPingreq:
    case PacketType::kDisconnect:
      return unless(header.remaining_length == 0, errors::kPacketLength);
    default:
      return unless(header.packet_bytes() <= limits.max_packet_bytes, errors::kTooLarge);
  }
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

std::size_t ServerConnection::receive(base::ByteView in, ServerConnectionEvents& events) {
  std::size_t used = 0;
  while (runs() && used < in.size()) {
    const base::ByteView rest = in.subspan(used);
    if (skip_left_bytes_ > 0) {
      used += skip_payload(rest, events);
    } else if (!partial_.empty()) {
      used += take_into_partial(rest, events);
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
      return check_qos(flags, limits_->max_qos);
    case PacketType::kPuback:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
    case PacketType::kPingreq:
    case PacketType::kDisconnect:
      return flags_are_valid(version_, type, flags) ? nullptr : &errors::kHeaderFlags;
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return &errors::kQos2Packet;
    case PacketType::kConnect:
      return &errors::kSecondConnect;
    case PacketType::kConnack:
    case PacketType::kSuback:
    case PacketType::kUnsuback:
    case PacketType::kPingresp:
      return &errors::kWrongDirection;
    case PacketType::kAuth:
      break;
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
  if (header.type == PacketType::kPublish) return examine_publish(have, header);
  if (const ProtocolError* error = check_length(header, *limits_)) return Step::failed(*error);
  return Step::packet(header.packet_bytes(), have.size());
}

ServerConnection::Step ServerConnection::examine_publish(base::ByteView have, const FixedHeader& header) const {
  const Step whole = Step::packet(header.packet_bytes(), have.size());
  if (header.remaining_length <= limits_->max_payload_bytes) return whole;

  // The payload may be too large: its size is known as soon as that of the topic is.
  const std::size_t max_bytes = std::max(limits_->max_discarded_payload_bytes, limits_->max_payload_bytes);
  const std::size_t packet_id_bytes = (header.flags >> 1 & 3) > 0 ? 2 : 0;
  std::size_t head_bytes = header.header_bytes + 2;
  if (header.remaining_length > 2 + kMaxStringBytes + packet_id_bytes + max_bytes) {
    return Step::failed(errors::kPayloadTooLarge);
  }
  if (head_bytes > header.packet_bytes()) return whole;
  if (have.size() < head_bytes) return Step::need(head_bytes);
  head_bytes += static_cast<std::size_t>(have[head_bytes - 2] << 8 | have[head_bytes - 1]) + packet_id_bytes;
  if (head_bytes > header.packet_bytes()) return Step::failed(errors::kTruncated);

  const std::size_t payload_bytes = header.packet_bytes() - head_bytes;
  if (payload_bytes <= limits_->max_payload_bytes) return whole;
  if (payload_bytes > max_bytes) return Step::failed(errors::kPayloadTooLarge);
  if (have.size() < head_bytes) return Step::need(head_bytes);
  return {Step::Kind::kSkip, head_bytes, payload_bytes, nullptr};
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
  const auto publish = decode_publish(version_, header.flags, partial_.view().subspan(header.header_bytes));
  if (!publish) return fail(*publish.error(), events);
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
  const auto publish = decode_publish(version_, header.flags, head.view().subspan(header.header_bytes));
  MOORING_ASSERT(publish.has_value());
  ++packets_received_;
  events.on_oversized_publish({publish->topic, publish->qos, publish->packet_id, skip_total_bytes_});
  return skipped;
}

void ServerConnection::dispatch(base::ByteView packet, ServerConnectionEvents& events) {
  ++packets_received_;
  FixedHeader header;
  read_fixed_header(packet, header);
  const base::ByteView body = packet.subspan(header.header_bytes);
  const auto deliver = [&](const auto& decoded, auto on_packet) {
    if (!decoded) return fail(*decoded.error(), events);
    (events.*on_packet)(*decoded);
  };
  using Events = ServerConnectionEvents;
  switch (header.type) {
    case PacketType::kConnect:
      return handle_connect(body, events);
    case PacketType::kPublish:
      return deliver(decode_publish(version_, header.flags, body), &Events::on_publish);
    case PacketType::kPuback:
      return deliver(decode_packet_id(body), &Events::on_puback);
    case PacketType::kSubscribe:
      return deliver(decode_subscribe(version_, body), &Events::on_subscribe);
    case PacketType::kUnsubscribe:
      return deliver(decode_unsubscribe(body), &Events::on_unsubscribe);
    case PacketType::kPingreq:
      return events.on_pingreq();
    case PacketType::kDisconnect:
      return handle_disconnect(events);
    default:
      MOORING_ASSERT(false);  // check_first_byte() lets nothing else through
  }
}

void ServerConnection::handle_connect(base::ByteView body, ServerConnectionEvents& events) {
  const auto connect = decode_connect(body);
  if (!connect) return fail(*connect.error(), events);
  version_ = connect->version;
  state_ = State::kAwaitAccept;
  events.on_connect(*connect);
}

void ServerConnection::handle_disconnect(ServerConnectionEvents& events) {
  close();
  events.on_disconnect();
}

void ServerConnection::fail(const ProtocolError& error, ServerConnectionEvents& events) {
  close();
  events.on_protocol_error(error);
}

}  // namespace mooring::mqtt
