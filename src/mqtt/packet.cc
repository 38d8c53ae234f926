#include "mqtt/packet.h"

#include "base/assert.h"
#include "mqtt/byte_reader.h"

namespace mooring::mqtt {
namespace detail {
namespace {

std::string_view read_checked_string(base::ByteView payload, std::size_t& at) {
  ByteReader reader(payload.subspan(at));
  std::string_view text;
  const bool complete = reader.read_string(text);
  MOORING_ASSERT(complete);
  at += 2 + text.size();
  return text;
}

}  // namespace

void read_element(base::ByteView payload, std::size_t& at, SubscribeEntry& out) {
  out.filter = read_checked_string(payload, at);
  MOORING_ASSERT(at < payload.size());
  out.qos = payload[at++] & 3;
}

void read_element(base::ByteView payload, std::size_t& at, std::string_view& out) {
  out = read_checked_string(payload, at);
}

}  // namespace detail

std::string_view to_string(ProtocolErrorReason reason) {
  switch (reason) {
    case ProtocolErrorReason::kMalformedPacket:
      return "malformed packet";
    case ProtocolErrorReason::kPacketTooLarge:
      return "packet too large";
    case ProtocolErrorReason::kNotConnect:
      return "first packet is not CONNECT";
    case ProtocolErrorReason::kSecondConnect:
      return "second CONNECT";
    case ProtocolErrorReason::kUnsupportedVersion:
      return "unsupported protocol version";
    case ProtocolErrorReason::kQosNotSupported:
      return "QoS not supported";
    case ProtocolErrorReason::kInvalidTopic:
      return "invalid topic";
    case ProtocolErrorReason::kInvalidFilter:
      return "invalid topic filter";
    case ProtocolErrorReason::kUnexpectedPacket:
      return "unexpected packet";
  }
  return "unknown";
}

std::string_view to_string(PacketType type) {
  switch (type) {
    case PacketType::kConnect:
      return "CONNECT";
    case PacketType::kConnack:
      return "CONNACK";
    case PacketType::kPublish:
      return "PUBLISH";
    case PacketType::kPuback:
      return "PUBACK";
    case PacketType::kPubrec:
      return "PUBREC";
    case PacketType::kPubrel:
      return "PUBREL";
    case PacketType::kPubcomp:
      return "PUBCOMP";
    case PacketType::kSubscribe:
      return "SUBSCRIBE";
    case PacketType::kSuback:
      return "SUBACK";
    case PacketType::kUnsubscribe:
      return "UNSUBSCRIBE";
    case PacketType::kUnsuback:
      return "UNSUBACK";
    case PacketType::kPingreq:
      return "PINGREQ";
    case PacketType::kPingresp:
      return "PINGRESP";
    case PacketType::kDisconnect:
      return "DISCONNECT";
    case PacketType::kAuth:
      return "AUTH";
  }
  return "unknown";
}

std::string_view to_string(Version version) {
  switch (version) {
    case Version::k31:
      return "3.1";
    case Version::k311:
      return "3.1.1";
    case Version::k5:
      return "5.0";
  }
  return "unknown";
}

}  // namespace mooring::mqtt
