// Properties of MQTT 5 (section 2.2.2): reading and writing the block that follows a packet's variable header.
//
// A block is handled without the length in front of it. PropertyReader and what builds upon it read blocks that a
// decoder has checked, or that append_property() wrote; PropertyCheck is what the decoders check with. Nothing here
// allocates except the append functions. Everything read points into the block. Free functions and values, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {

// The values are the identifiers on the wire (table 2-4).
enum class PropertyId : std::uint8_t {
  kPayloadFormatIndicator = 0x01,
  kMessageExpiryInterval = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionIdentifier = 0x0B,
  kSessionExpiryInterval = 0x11,
  kAssignedClientIdentifier = 0x12,
  kServerKeepAlive = 0x13,
  kAuthenticationMethod = 0x15,
  kAuthenticationData = 0x16,
  kRequestProblemInformation = 0x17,
  kWillDelayInterval = 0x18,
  kRequestResponseInformation = 0x19,
  kResponseInformation = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardSubscriptionAvailable = 0x28,
  kSubscriptionIdentifierAvailable = 0x29,
  kSharedSubscriptionAvailable = 0x2A,
};

enum class PropertyType : std::uint8_t {
  kNone,  // no such property
  kByte,
  kTwoByteInteger,
  kFourByteInteger,
  kVariableByteInteger,
  kString,
  kBinary,
  kStringPair,
};
PropertyType property_type(PropertyId id);

struct Property {
  PropertyId id{};
  PropertyType type = PropertyType::kNone;
  std::uint32_t number = 0;  // of the four numeric types
  std::string_view text;     // of kString; the name of a kStringPair
  std::string_view value;    // of a kStringPair
  base::ByteView binary;     // of kBinary
  base::ByteView encoded;    // identifier and value as they are in the block
};

// Walks a checked block:
//   PropertyReader reader(publish.properties);
//   for (Property property; reader.next(property);) ...
class PropertyReader {
 public:
  explicit PropertyReader(base::ByteView checked_block) : rest_(checked_block) {}
  // False at the end; `out` is then unchanged. A block that was not checked is a broken invariant.
  bool next(Property& out);

 private:
  base::ByteView rest_;
};

// The first property of this identifier in a checked block.
std::optional<Property> find_property(base::ByteView checked_block, PropertyId id);

// Appends to `out` those properties of a checked PUBLISH or will block that a server forwards with the message: payload
// format indicator, content type, response topic, correlation data, user properties; in the order received
// [MQTT-3.3.2-4, -15, -16, -17, -18, -20]. A message without properties costs a comparison.
void forwarded_properties(base::ByteView checked_block, base::Bytes& out);

// ---- Writing --------------------------------------------------------------------------------------------------------
// Type and range must suit the identifier; strings are UTF-8 of at most 65,535 bytes. MOORING_ASSERT guards types and
// lengths.

void append_property(base::Bytes& out, PropertyId id, std::uint32_t number);
void append_property(base::Bytes& out, PropertyId id, std::string_view text);
void append_property(base::Bytes& out, PropertyId id, base::ByteView binary);
void append_user_property(base::Bytes& out, std::string_view name, std::string_view value);

// ---- Checking -------------------------------------------------------------------------------------------------------

// Who sent a packet: some properties and reason codes are for one direction only.
enum class Sender : std::uint8_t { kClient, kServer };

// Where a block stands. The values of packets are those of PacketType.
enum class PropertyPlace : std::uint8_t {
  kWill = 0,
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kUnsuback = 11,
  kDisconnect = 14,
  kAuth = 15,
};

// Walks a block that came from outside and checks every property before it is given out: the identifier is allowed at
// this place and the value has its type (else malformed, 2.2.2.2), nothing but user properties and, from a server,
// subscription identifiers of a PUBLISH comes twice (else a protocol error), and the value obeys the rules of the
// property. Rules between properties are left to the caller.
//   PropertyCheck check(block, PropertyPlace::kConnect, Sender::kClient);
//   for (Property property; check.next(property);) ...
//   if (check.error() != nullptr) ...
class PropertyCheck {
 public:
  PropertyCheck(base::ByteView block, PropertyPlace place, Sender sender)
      : rest_(block), place_(place), sender_(sender) {}
  // False at the end and at the first violation.
  bool next(Property& out);
  // Static storage; null if there was no violation.
  const ProtocolError* error() const { return error_; }

 private:
  bool fail(const ProtocolError& error);

  base::ByteView rest_;
  std::uint64_t seen_ = 0;  // a bit for each identifier
  const ProtocolError* error_ = nullptr;
  PropertyPlace place_;
  Sender sender_;
};

// The same for a block whose values nobody needs.
const ProtocolError* check_properties(base::ByteView block, PropertyPlace place, Sender sender);

}  // namespace mooring::mqtt
