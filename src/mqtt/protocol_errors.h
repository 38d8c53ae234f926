// Every violation the decoders can find, with the text that goes to the log. One constant each, so that passing one on
// is passing a pointer.
#pragma once

#include <array>

#include "mqtt/packet.h"

namespace mooring::mqtt::errors {

using Reason = ProtocolErrorReason;

inline constexpr std::array<std::uint8_t, 4> kRefusalV3{0x20, 0x02, 0x00, 0x01};
inline constexpr std::array<std::uint8_t, 5> kRefusalV5{0x20, 0x03, 0x00, 0x84, 0x00};

// Fixed header
inline constexpr ProtocolError kRemainingLength{
    Reason::kMalformedPacket, "remaining length has more than four bytes", {}};
inline constexpr ProtocolError kHeaderFlags{Reason::kMalformedPacket, "invalid fixed header flags [MQTT-2.2.2-2]", {}};
inline constexpr ProtocolError kPacketLength{
    Reason::kMalformedPacket, "remaining length does not fit the packet type", {}};
inline constexpr ProtocolError kReservedType{Reason::kUnexpectedPacket, "reserved packet type", {}};
inline constexpr ProtocolError kWrongDirection{Reason::kUnexpectedPacket, "packet type of the other direction", {}};
inline constexpr ProtocolError kQos2Packet{
    Reason::kUnexpectedPacket, "QoS 2 acknowledgement, though QoS 2 is not offered", {}};
inline constexpr ProtocolError kTooLarge{Reason::kPacketTooLarge, "packet exceeds the limit for its type", {}};
inline constexpr ProtocolError kPayloadTooLarge{
    Reason::kPacketTooLarge, "payload exceeds what is read and discarded", {}};

// All packets
inline constexpr ProtocolError kTruncated{Reason::kMalformedPacket, "packet ends inside a field", {}};
inline constexpr ProtocolError kTrailingBytes{Reason::kMalformedPacket, "bytes after the last field", {}};
inline constexpr ProtocolError kString{
    Reason::kMalformedPacket, "string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2]", {}};
inline constexpr ProtocolError kPacketId{Reason::kMalformedPacket, "packet identifier 0 [MQTT-2.3.1-1]", {}};

// CONNECT
inline constexpr ProtocolError kNotConnect{Reason::kNotConnect, "first packet is not CONNECT [MQTT-3.1.0-1]", {}};
inline constexpr ProtocolError kSecondConnect{Reason::kSecondConnect, "second CONNECT [MQTT-3.1.0-2]", {}};
inline constexpr ProtocolError kProtocolName{Reason::kUnsupportedVersion, "unknown protocol name [MQTT-3.1.2-1]",
                                             kRefusalV3};
inline constexpr ProtocolError kProtocolLevel{Reason::kUnsupportedVersion, "unsupported protocol level [MQTT-3.1.2-2]",
                                              kRefusalV3};
inline constexpr ProtocolError kVersion5{Reason::kUnsupportedVersion, "MQTT 5 is not supported", kRefusalV5};
inline constexpr ProtocolError kReservedConnectFlag{
    Reason::kMalformedPacket, "reserved connect flag is set [MQTT-3.1.2-3]", {}};
inline constexpr ProtocolError kWillFlags{
    Reason::kMalformedPacket, "will QoS or retain without will [MQTT-3.1.2-11, -13, -15]", {}};
inline constexpr ProtocolError kWillQos{Reason::kMalformedPacket, "will QoS 3 [MQTT-3.1.2-14]", {}};
inline constexpr ProtocolError kWillTopic{
    Reason::kInvalidTopic, "will topic is not a valid topic name [MQTT-4.7.3-1]", {}};
inline constexpr ProtocolError kPasswordAlone{
    Reason::kMalformedPacket, "password without user name [MQTT-3.1.2-22]", {}};

// PUBLISH
inline constexpr ProtocolError kQos3{Reason::kMalformedPacket, "QoS 3 [MQTT-3.3.1-4]", {}};
inline constexpr ProtocolError kQosNotSupported{Reason::kQosNotSupported, "PUBLISH with a QoS that is not offered", {}};
inline constexpr ProtocolError kDupQos0{Reason::kMalformedPacket, "DUP with QoS 0 [MQTT-3.3.1-2]", {}};
inline constexpr ProtocolError kTopic{
    Reason::kInvalidTopic, "topic is empty or has a wildcard [MQTT-4.7.3-1, MQTT-3.3.2-2]", {}};

// SUBSCRIBE, UNSUBSCRIBE
inline constexpr ProtocolError kNoFilters{
    Reason::kMalformedPacket, "no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2]", {}};
inline constexpr ProtocolError kFilter{
    Reason::kInvalidFilter, "invalid topic filter [MQTT-4.7.1-2, -3, MQTT-4.7.3-1]", {}};
inline constexpr ProtocolError kRequestedQos{Reason::kMalformedPacket, "invalid requested QoS byte [MQTT-3-8.3-4]", {}};

// Server to client
inline constexpr ProtocolError kNotConnack{Reason::kUnexpectedPacket, "first packet is not CONNACK [MQTT-3.2.0-1]", {}};
inline constexpr ProtocolError kSecondConnack{Reason::kUnexpectedPacket, "second CONNACK", {}};
inline constexpr ProtocolError kConnackFlags{Reason::kMalformedPacket, "invalid CONNACK flags [MQTT-3.2.2-4]", {}};
inline constexpr ProtocolError kReturnCode{Reason::kMalformedPacket, "unknown return code", {}};

}  // namespace mooring::mqtt::errors
