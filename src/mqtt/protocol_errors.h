// Every violation the decoders can find, with the text that goes to the log and the reason code that MQTT 5 is told.
// One constant each, so that passing one on is passing a pointer. Clauses are those of MQTT 3.1.1 where both versions
// have the rule. Malformed is what cannot be read, a protocol error what can, but may not be there (MQTT 5
// section 1.2).
#pragma once

#include <array>

#include "mqtt/packet.h"

namespace mooring::mqtt::errors {

using Reason = ProtocolErrorReason;
using Code = ReasonCode;

inline constexpr std::array<std::uint8_t, 4> kRefusalV3{0x20, 0x02, 0x00, 0x01};

constexpr ProtocolError make(Reason reason, Code code, std::string_view text, base::ByteView reply = {}) {
  return {reason, text, reply, code};
}
constexpr ProtocolError malformed(std::string_view text) {
  return make(Reason::kMalformedPacket, Code::kMalformedPacket, text);
}
constexpr ProtocolError protocol_error(std::string_view text) {
  return make(Reason::kProtocolError, Code::kProtocolError, text);
}

// Fixed header
inline constexpr ProtocolError kRemainingLength = malformed("remaining length has more than four bytes");
inline constexpr ProtocolError kHeaderFlags = malformed("invalid fixed header flags [MQTT-2.2.2-2]");
inline constexpr ProtocolError kPacketLength = malformed("remaining length does not fit the packet type");
inline constexpr ProtocolError kReservedType =
    make(Reason::kUnexpectedPacket, Code::kMalformedPacket, "reserved packet type");
inline constexpr ProtocolError kWrongDirection =
    make(Reason::kUnexpectedPacket, Code::kProtocolError, "packet type of the other direction");
inline constexpr ProtocolError kQos2Packet =
    make(Reason::kUnexpectedPacket, Code::kProtocolError, "QoS 2 acknowledgement, though QoS 2 is not offered");
inline constexpr ProtocolError kTooLarge =
    make(Reason::kPacketTooLarge, Code::kPacketTooLarge, "packet exceeds the limit for its type");
inline constexpr ProtocolError kPayloadTooLarge =
    make(Reason::kPacketTooLarge, Code::kPacketTooLarge, "payload exceeds what is read and discarded");

// All packets
inline constexpr ProtocolError kTruncated = malformed("packet ends inside a field");
inline constexpr ProtocolError kTrailingBytes = malformed("bytes after the last field");
inline constexpr ProtocolError kString = malformed("string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2]");
inline constexpr ProtocolError kPacketId =
    make(Reason::kMalformedPacket, Code::kProtocolError, "packet identifier 0 [MQTT-2.3.1-1]");

// Properties of MQTT 5
inline constexpr ProtocolError kPaddedLength =
    malformed("remaining length has more bytes than it needs [MQTT-1.5.5-1]");
inline constexpr ProtocolError kPropertyLength =
    malformed("property length is invalid or beyond the packet [MQTT-1.5.5-1]");
inline constexpr ProtocolError kPropertyNotAllowed = malformed("unknown property, or not one of this packet");
inline constexpr ProtocolError kPropertyTruncated =
    malformed("properties end inside a value, or a value is not of its type");
inline constexpr ProtocolError kPropertyTwice = protocol_error("property given twice");
inline constexpr ProtocolError kPropertyDirection =
    protocol_error("property that this side must not send [MQTT-3.3.4-6, MQTT-3.14.2-2]");
inline constexpr ProtocolError kPropertyValue = protocol_error("property value is not allowed");
inline constexpr ProtocolError kResponseTopic =
    protocol_error("response topic is empty or has a wildcard [MQTT-3.3.2-14]");
inline constexpr ProtocolError kAuthenticationData =
    protocol_error("authentication data without authentication method");
inline constexpr ProtocolError kNoAuthenticationMethod = protocol_error("AUTH without authentication method");
inline constexpr ProtocolError kReasonCode = protocol_error("reason code is not one of this packet");
inline constexpr ProtocolError kPropertiesTooLarge =
    make(Reason::kPacketTooLarge, Code::kPacketTooLarge, "properties exceed the limit");

// CONNECT
inline constexpr ProtocolError kNotConnect =
    make(Reason::kNotConnect, Code::kProtocolError, "first packet is not CONNECT [MQTT-3.1.0-1]");
inline constexpr ProtocolError kSecondConnect =
    make(Reason::kSecondConnect, Code::kProtocolError, "second CONNECT [MQTT-3.1.0-2]");
inline constexpr ProtocolError kProtocolName = make(Reason::kUnsupportedVersion, Code::kUnsupportedProtocolVersion,
                                                    "unknown protocol name [MQTT-3.1.2-1]", kRefusalV3);
inline constexpr ProtocolError kProtocolLevel = make(Reason::kUnsupportedVersion, Code::kUnsupportedProtocolVersion,
                                                     "unsupported protocol level [MQTT-3.1.2-2]", kRefusalV3);
inline constexpr ProtocolError kReservedConnectFlag = malformed("reserved connect flag is set [MQTT-3.1.2-3]");
inline constexpr ProtocolError kWillFlags = malformed("will QoS or retain without will [MQTT-3.1.2-11, -13, -15]");
inline constexpr ProtocolError kWillQos = malformed("will QoS 3 [MQTT-3.1.2-14]");
inline constexpr ProtocolError kWillTopic =
    make(Reason::kInvalidTopic, Code::kTopicNameInvalid, "will topic is not a valid topic name [MQTT-4.7.3-1]");
inline constexpr ProtocolError kPasswordAlone = malformed("password without user name [MQTT-3.1.2-22]");

// PUBLISH
inline constexpr ProtocolError kQos3 = malformed("QoS 3 [MQTT-3.3.1-4]");
inline constexpr ProtocolError kQosNotSupported =
    make(Reason::kQosNotSupported, Code::kQosNotSupported, "PUBLISH with a QoS that is not offered");
inline constexpr ProtocolError kDupQos0 = malformed("DUP with QoS 0 [MQTT-3.3.1-2]");
inline constexpr ProtocolError kTopic = make(Reason::kInvalidTopic, Code::kTopicNameInvalid,
                                             "topic is empty or has a wildcard [MQTT-4.7.3-1, MQTT-3.3.2-2]");
inline constexpr ProtocolError kRetainNotSupported = make(Reason::kProtocolError, Code::kRetainNotSupported,
                                                          "PUBLISH with retain, which is not offered [MQTT-3.2.2-14]");
inline constexpr ProtocolError kNoTopic = protocol_error("no topic and no topic alias");
inline constexpr ProtocolError kTopicAliasZero =
    make(Reason::kTopicAlias, Code::kTopicAliasInvalid, "topic alias 0 [MQTT-3.3.2-8]");
inline constexpr ProtocolError kTopicAliasTooLarge =
    make(Reason::kTopicAlias, Code::kTopicAliasInvalid, "topic alias above the maximum [MQTT-3.3.2-9]");
inline constexpr ProtocolError kTopicAliasUnknown =
    make(Reason::kTopicAlias, Code::kProtocolError, "topic alias that stands for nothing yet [MQTT-3.3.2-12]");

// DISCONNECT
inline constexpr ProtocolError kSessionExpiry = protocol_error("session expiry in DISCONNECT after none in CONNECT");

// SUBSCRIBE, UNSUBSCRIBE
inline constexpr ProtocolError kNoFilters =
    make(Reason::kMalformedPacket, Code::kProtocolError, "no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2]");
inline constexpr ProtocolError kFilter =
    make(Reason::kInvalidFilter, Code::kTopicFilterInvalid, "invalid topic filter [MQTT-4.7.1-2, -3, MQTT-4.7.3-1]");
inline constexpr ProtocolError kRequestedQos =
    make(Reason::kMalformedPacket, Code::kProtocolError, "invalid requested QoS byte [MQTT-3-8.3-4]");
inline constexpr ProtocolError kSubscriptionOptions = malformed("reserved subscription option is set [MQTT-3.8.3-5]");
inline constexpr ProtocolError kRetainHandling = protocol_error("retain handling 3");
inline constexpr ProtocolError kSharedFilter =
    make(Reason::kInvalidFilter, Code::kTopicFilterInvalid, "invalid shared subscription [MQTT-4.8.2-1, -2]");
inline constexpr ProtocolError kSharedNoLocal = protocol_error("No Local on a shared subscription [MQTT-3.8.3-4]");

// Server to client
inline constexpr ProtocolError kNotConnack =
    make(Reason::kUnexpectedPacket, Code::kProtocolError, "first packet is not CONNACK [MQTT-3.2.0-1]");
inline constexpr ProtocolError kSecondConnack = make(Reason::kUnexpectedPacket, Code::kProtocolError, "second CONNACK");
inline constexpr ProtocolError kConnackFlags = malformed("invalid CONNACK flags [MQTT-3.2.2-4]");
inline constexpr ProtocolError kReturnCode =
    make(Reason::kMalformedPacket, Code::kProtocolError, "unknown return code");

}  // namespace mooring::mqtt::errors
