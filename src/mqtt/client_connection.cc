#include "mqtt/client_connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "mqtt/decode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/receive_publish.h"

namespace mooring::mqtt {
namespace {

bool flags_are_valid(Version version, PacketType type, std::uint8_t flags) {
  if (version == Version::k31) return type != PacketType::kPubrel || (flags & 6) == 2;
  return flags == (type == PacketType::kPubrel ? 2 : 0);
}

}  // namespace

// What can be said about a packet whose first bytes are known.
struct ClientConnection::Step {
  std::size_t bytes = 0;  // look again when there are so many
  bool whole = false;     // there are: the packet is complete
  const ProtocolError* error = nullptr;
};

void ClientConnection::receive(base::ByteView in, ClientConnectionEvents& events) {
  while (!closed() && !in.empty()) {
    in = in.subspan(partial_.empty() ? take(in, events) : take_into_partial(in, events));
  }
}

void ClientConnection::close() {
  state_ = State::kClosed;
  partial_.clear();
}

const ProtocolError* ClientConnection::check_first_byte(std::uint8_t first_byte) const {
  const PacketType type = packet_type(first_byte);
  const std::uint8_t flags = packet_flags(first_byte);
  const bool is_v5 = version_ == Version::k5;
  if (state_ == State::kAwaitConnack && type != PacketType::kConnack && !(is_v5 && type == PacketType::kAuth)) {
    return &errors::kNotConnack;
  }
  switch (type) {
    case PacketType::kConnack:
      if (state_ == State::kOpen) return &errors::kSecondConnack;
      break;
    case PacketType::kPublish:
      return (flags >> 1 & 3) > kMaxQos ? &errors::kQos3 : nullptr;
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
    case PacketType::kSuback:
    case PacketType::kUnsuback:
    case PacketType::kPingresp:
      break;
    case PacketType::kDisconnect:
      if (is_v5) break;
      return &errors::kWrongDirection;
    case PacketType::kAuth:
      if (is_v5) break;
      return &errors::kReservedType;
    case PacketType::kConnect:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
    case PacketType::kPingreq:
      return &errors::kWrongDirection;
    default:
      return &errors::kReservedType;
  }
  return flags_are_valid(version_, type, flags) ? nullptr : &errors::kHeaderFlags;
}

ClientConnection::Step ClientConnection::examine(base::ByteView have) const {
  if (const ProtocolError* error = check_first_byte(have[0])) return {0, false, error};
  FixedHeader header;
  switch (read_fixed_header(have, header)) {
    case HeaderState::kIncomplete:
      return {have.size() + 1, false, nullptr};
    case HeaderState::kMalformed:
      return {0, false, &errors::kRemainingLength};
    case HeaderState::kComplete:
      break;
  }
  if (!header.shortest && version_ == Version::k5) return {0, false, &errors::kPaddedLength};
  if (header.packet_bytes() > max_packet_bytes_) return {0, false, &errors::kTooLarge};
  if (header.type == PacketType::kPingresp && header.remaining_length != 0) return {0, false, &errors::kPacketLength};
  return {header.packet_bytes(), have.size() >= header.packet_bytes(), nullptr};
}

// A packet begins at the first byte of `in`.
std::size_t ClientConnection::take(base::ByteView in, ClientConnectionEvents& events) {
  const Step step = examine(in);
  if (step.error != nullptr) {
    fail(*step.error, events);
    return in.size();
  }
  if (!step.whole) {
    partial_.append(in, step.bytes);
    return in.size();
  }
  dispatch(in.first(step.bytes), events);
  return step.bytes;
}

// The packet whose beginning is in partial_ goes on at the first byte of `in`.
std::size_t ClientConnection::take_into_partial(base::ByteView in, ClientConnectionEvents& events) {
  std::size_t used = 0;
  Step step = examine(partial_.view());
  while (!step.whole && step.error == nullptr) {
    const std::size_t taken = std::min(in.size() - used, step.bytes - partial_.size_bytes());
    if (taken == 0) return used;
    partial_.append(in.subspan(used, taken), step.bytes);
    used += taken;
    step = examine(partial_.view());
  }
  if (step.error != nullptr) {
    fail(*step.error, events);
  } else {
    // Taken out first: the handler may close the connection, which frees partial_.
    const PartialPacket packet = std::exchange(partial_, PartialPacket());
    dispatch(packet.view(), events);
  }
  return used;
}

void ClientConnection::dispatch(base::ByteView packet, ClientConnectionEvents& events) {
  FixedHeader header;
  read_fixed_header(packet, header);
  const base::ByteView body = packet.subspan(header.header_bytes);
  const auto deliver = [&](const auto& decoded, auto on_packet) {
    if (!decoded) return fail(*decoded.error(), events);
    (events.*on_packet)(*decoded);
  };
  using Events = ClientConnectionEvents;
  switch (header.type) {
    case PacketType::kConnack:
      return handle_connack(body, events);
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
    case PacketType::kSuback:
      return deliver(decode_suback(version_, body), &Events::on_suback);
    case PacketType::kUnsuback:
      return deliver(decode_unsuback(version_, body), &Events::on_unsuback);
    case PacketType::kDisconnect:
      return handle_disconnect(body, events);
    case PacketType::kAuth:
      return deliver(decode_auth(Sender::kServer, body), &Events::on_auth);
    case PacketType::kPingresp:
      return events.on_pingresp();
    default:
      MOORING_ASSERT(false);  // check_first_byte() lets nothing else through
  }
}

void ClientConnection::handle_connack(base::ByteView body, ClientConnectionEvents& events) {
  const auto connack = decode_connack(version_, body);
  if (!connack) return fail(*connack.error(), events);
  state_ = State::kOpen;
  events.on_connack(*connack);
}

void ClientConnection::handle_publish(std::uint8_t flags, base::ByteView body, ClientConnectionEvents& events) {
  Publish publish;
  const ProtocolError* error =
      receive_publish(version_, Sender::kServer, flags, body, topic_alias_maximum_, aliases_, publish);
  if (error != nullptr) return fail(*error, events);
  events.on_publish(publish);
}

void ClientConnection::handle_disconnect(base::ByteView body, ClientConnectionEvents& events) {
  const auto disconnect = decode_disconnect(version_, Sender::kServer, body);
  if (!disconnect) return fail(*disconnect.error(), events);
  close();
  events.on_disconnect(*disconnect);
}

void ClientConnection::fail(const ProtocolError& error, ClientConnectionEvents& events) {
  close();
  events.on_protocol_error(error);
}

}  // namespace mooring::mqtt
