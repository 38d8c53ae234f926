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

void read_element(base::ByteView payload, std::size_t& at, std::uint8_t options_mask, SubscribeEntry& out) {
  out.filter = read_checked_string(payload, at);
  MOORING_ASSERT(at < payload.size());
  const unsigned options = payload[at++] & options_mask;
  out.qos = static_cast<std::uint8_t>(options & 3);
  out.no_local = (options & 4) != 0;
  out.retain_as_published = (options & 8) != 0;
  out.retain_handling = static_cast<RetainHandling>(options >> 4 & 3);
}

void read_element(base::ByteView payload, std::size_t& at, std::uint8_t, std::string_view& out) {
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
    case ProtocolErrorReason::kProtocolError:
      return "protocol error";
    case ProtocolErrorReason::kTopicAlias:
      return "invalid topic alias";
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

std::string_view to_string(ReasonCode code) {
  switch (code) {
    case ReasonCode::kSuccess:
      return "success";
    case ReasonCode::kGrantedQos1:
      return "granted QoS 1";
    case ReasonCode::kGrantedQos2:
      return "granted QoS 2";
    case ReasonCode::kDisconnectWithWill:
      return "disconnect with will message";
    case ReasonCode::kNoMatchingSubscribers:
      return "no matching subscribers";
    case ReasonCode::kNoSubscriptionExisted:
      return "no subscription existed";
    case ReasonCode::kContinueAuthentication:
      return "continue authentication";
    case ReasonCode::kReAuthenticate:
      return "re-authenticate";
    case ReasonCode::kUnspecifiedError:
      return "unspecified error";
    case ReasonCode::kMalformedPacket:
      return "malformed packet";
    case ReasonCode::kProtocolError:
      return "protocol error";
    case ReasonCode::kImplementationSpecificError:
      return "implementation specific error";
    case ReasonCode::kUnsupportedProtocolVersion:
      return "unsupported protocol version";
    case ReasonCode::kClientIdentifierNotValid:
      return "client identifier not valid";
    case ReasonCode::kBadUserNameOrPassword:
      return "bad user name or password";
    case ReasonCode::kNotAuthorized:
      return "not authorized";
    case ReasonCode::kServerUnavailable:
      return "server unavailable";
    case ReasonCode::kServerBusy:
      return "server busy";
    case ReasonCode::kBanned:
      return "banned";
    case ReasonCode::kServerShuttingDown:
      return "server shutting down";
    case ReasonCode::kBadAuthenticationMethod:
      return "bad authentication method";
    case ReasonCode::kKeepAliveTimeout:
      return "keep alive timeout";
    case ReasonCode::kSessionTakenOver:
      return "session taken over";
    case ReasonCode::kTopicFilterInvalid:
      return "topic filter invalid";
    case ReasonCode::kTopicNameInvalid:
      return "topic name invalid";
    case ReasonCode::kPacketIdentifierInUse:
      return "packet identifier in use";
    case ReasonCode::kPacketIdentifierNotFound:
      return "packet identifier not found";
    case ReasonCode::kReceiveMaximumExceeded:
      return "receive maximum exceeded";
    case ReasonCode::kTopicAliasInvalid:
      return "topic alias invalid";
    case ReasonCode::kPacketTooLarge:
      return "packet too large";
    case ReasonCode::kMessageRateTooHigh:
      return "message rate too high";
    case ReasonCode::kQuotaExceeded:
      return "quota exceeded";
    case ReasonCode::kAdministrativeAction:
      return "administrative action";
    case ReasonCode::kPayloadFormatInvalid:
      return "payload format invalid";
    case ReasonCode::kRetainNotSupported:
      return "retain not supported";
    case ReasonCode::kQosNotSupported:
      return "QoS not supported";
    case ReasonCode::kUseAnotherServer:
      return "use another server";
    case ReasonCode::kServerMoved:
      return "server moved";
    case ReasonCode::kSharedSubscriptionsNotSupported:
      return "shared subscriptions not supported";
    case ReasonCode::kConnectionRateExceeded:
      return "connection rate exceeded";
    case ReasonCode::kMaximumConnectTime:
      return "maximum connect time";
    case ReasonCode::kSubscriptionIdentifiersNotSupported:
      return "subscription identifiers not supported";
    case ReasonCode::kWildcardSubscriptionsNotSupported:
      return "wildcard subscriptions not supported";
  }
  return "unknown";
}

}  // namespace mooring::mqtt
