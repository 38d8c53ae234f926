#include "mqtt/property_block.h"

#include <array>

#include "base/assert.h"
#include "mqtt/byte_reader.h"
#include "mqtt/byte_writer.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

constexpr std::size_t kLastId = 0x2A;

struct Rule {
  PropertyType type = PropertyType::kNone;
  std::uint16_t places = 0;  // a bit for each PropertyPlace
};

constexpr std::uint16_t bit(PropertyPlace place) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(place));
}

// Table 2-4 of the standard.
constexpr std::array<Rule, kLastId + 1> make_rules() {
  using Id = PropertyId;
  using Place = PropertyPlace;
  using Type = PropertyType;
  constexpr std::uint16_t kMessage = bit(Place::kPublish) | bit(Place::kWill);
  constexpr std::uint16_t kConnect = bit(Place::kConnect);
  constexpr std::uint16_t kConnack = bit(Place::kConnack);
  constexpr std::uint16_t kBoth = kConnect | kConnack;
  constexpr std::uint16_t kAnswers = kConnack | bit(Place::kPuback) | bit(Place::kPubrec) | bit(Place::kPubrel) |
                                     bit(Place::kPubcomp) | bit(Place::kSuback) | bit(Place::kUnsuback) |
                                     bit(Place::kDisconnect) | bit(Place::kAuth);
  std::array<Rule, kLastId + 1> rules{};
  const auto set = [&](Id id, Type type, unsigned places) {
    rules[static_cast<std::size_t>(id)] = {type, static_cast<std::uint16_t>(places)};
  };
  set(Id::kPayloadFormatIndicator, Type::kByte, kMessage);
  set(Id::kMessageExpiryInterval, Type::kFourByteInteger, kMessage);
  set(Id::kContentType, Type::kString, kMessage);
  set(Id::kResponseTopic, Type::kString, kMessage);
  set(Id::kCorrelationData, Type::kBinary, kMessage);
  set(Id::kSubscriptionIdentifier, Type::kVariableByteInteger, bit(Place::kPublish) | bit(Place::kSubscribe));
  set(Id::kSessionExpiryInterval, Type::kFourByteInteger, kBoth | bit(Place::kDisconnect));
  set(Id::kAssignedClientIdentifier, Type::kString, kConnack);
  set(Id::kServerKeepAlive, Type::kTwoByteInteger, kConnack);
  set(Id::kAuthenticationMethod, Type::kString, kBoth | bit(Place::kAuth));
  set(Id::kAuthenticationData, Type::kBinary, kBoth | bit(Place::kAuth));
  set(Id::kRequestProblemInformation, Type::kByte, kConnect);
  set(Id::kWillDelayInterval, Type::kFourByteInteger, bit(Place::kWill));
  set(Id::kRequestResponseInformation, Type::kByte, kConnect);
  set(Id::kResponseInformation, Type::kString, kConnack);
  set(Id::kServerReference, Type::kString, kConnack | bit(Place::kDisconnect));
  set(Id::kReasonString, Type::kString, kAnswers);
  set(Id::kReceiveMaximum, Type::kTwoByteInteger, kBoth);
  set(Id::kTopicAliasMaximum, Type::kTwoByteInteger, kBoth);
  set(Id::kTopicAlias, Type::kTwoByteInteger, bit(Place::kPublish));
  set(Id::kMaximumQos, Type::kByte, kConnack);
  set(Id::kRetainAvailable, Type::kByte, kConnack);
  set(Id::kUserProperty, Type::kStringPair, 0xFFFF);
  set(Id::kMaximumPacketSize, Type::kFourByteInteger, kBoth);
  set(Id::kWildcardSubscriptionAvailable, Type::kByte, kConnack);
  set(Id::kSubscriptionIdentifierAvailable, Type::kByte, kConnack);
  set(Id::kSharedSubscriptionAvailable, Type::kByte, kConnack);
  return rules;
}
constexpr std::array<Rule, kLastId + 1> kRules = make_rules();

Rule rule_of(std::uint8_t id) {
  return id <= kLastId ? kRules[id] : Rule{};
}

bool read_number(ByteReader& reader, PropertyType type, std::uint32_t& out) {
  std::uint8_t byte = 0;
  std::uint16_t two_bytes = 0;
  switch (type) {
    case PropertyType::kByte:
      if (!reader.read_u8(byte)) return false;
      out = byte;
      return true;
    case PropertyType::kTwoByteInteger:
      if (!reader.read_u16(two_bytes)) return false;
      out = two_bytes;
      return true;
    case PropertyType::kFourByteInteger:
      return reader.read_u32(out);
    default:
      return reader.read_variable(out);
  }
}

// `out.id` and `out.type` are set already; reads the value.
bool read_value(ByteReader& reader, Property& out) {
  switch (out.type) {
    case PropertyType::kNone:
      return false;
    case PropertyType::kString:
      return reader.read_string(out.text);
    case PropertyType::kStringPair:
      return reader.read_string(out.text) && reader.read_string(out.value);
    case PropertyType::kBinary:
      return reader.read_binary(out.binary);
    default:
      return read_number(reader, out.type, out.number);
  }
}

bool is_forwarded(PropertyId id) {
  switch (id) {
    case PropertyId::kPayloadFormatIndicator:
    case PropertyId::kContentType:
    case PropertyId::kResponseTopic:
    case PropertyId::kCorrelationData:
    case PropertyId::kUserProperty:
      return true;
    default:
      return false;
  }
}

const ProtocolError* check_number(const Property& property) {
  switch (property.id) {
    case PropertyId::kReceiveMaximum:
    case PropertyId::kMaximumPacketSize:
    case PropertyId::kSubscriptionIdentifier:
      return property.number == 0 ? &errors::kPropertyValue : nullptr;
    case PropertyId::kTopicAlias:
      return property.number == 0 ? &errors::kTopicAliasZero : nullptr;
    default:
      // Every property of one byte says yes or no, the maximum QoS included.
      return property.type == PropertyType::kByte && property.number > 1 ? &errors::kPropertyValue : nullptr;
  }
}

const ProtocolError* check_value(const Property& property) {
  switch (property.type) {
    case PropertyType::kStringPair:
      return is_valid_string(property.text) && is_valid_string(property.value) ? nullptr : &errors::kString;
    case PropertyType::kString:
      if (!is_valid_string(property.text)) return &errors::kString;
      if (property.id != PropertyId::kResponseTopic) return nullptr;
      return is_valid_topic_name(property.text) ? nullptr : &errors::kResponseTopic;
    case PropertyType::kBinary:
    case PropertyType::kNone:
      return nullptr;
    default:
      return check_number(property);
  }
}

bool may_repeat(PropertyId id, PropertyPlace place) {
  return id == PropertyId::kUserProperty ||
         (id == PropertyId::kSubscriptionIdentifier && place == PropertyPlace::kPublish);
}

bool is_from_the_wrong_side(PropertyId id, PropertyPlace place, Sender sender) {
  if (sender == Sender::kClient) {
    return id == PropertyId::kSubscriptionIdentifier && place == PropertyPlace::kPublish;
  }
  return id == PropertyId::kSessionExpiryInterval && place == PropertyPlace::kDisconnect;
}

}  // namespace

PropertyType property_type(PropertyId id) {
  return rule_of(static_cast<std::uint8_t>(id)).type;
}

bool PropertyReader::next(Property& out) {
  if (rest_.empty()) return false;
  Property found;
  found.id = static_cast<PropertyId>(rest_[0]);
  found.type = property_type(found.id);
  ByteReader reader(rest_.subspan(1));
  const bool complete = read_value(reader, found);
  MOORING_ASSERT(complete);
  found.encoded = rest_.first(rest_.size() - reader.rest().size());
  rest_ = reader.rest();
  out = found;
  return true;
}

std::optional<Property> find_property(base::ByteView checked_block, PropertyId id) {
  PropertyReader reader(checked_block);
  for (Property property; reader.next(property);) {
    if (property.id == id) return property;
  }
  return std::nullopt;
}

void forwarded_properties(base::ByteView checked_block, base::Bytes& out) {
  PropertyReader reader(checked_block);
  for (Property property; reader.next(property);) {
    if (is_forwarded(property.id)) ByteWriter(out).raw(property.encoded);
  }
}

void append_property(base::Bytes& out, PropertyId id, std::uint32_t number) {
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(id));
  switch (property_type(id)) {
    case PropertyType::kByte:
      MOORING_ASSERT(number <= 0xFF);
      return writer.u8(static_cast<std::uint8_t>(number));
    case PropertyType::kTwoByteInteger:
      MOORING_ASSERT(number <= 0xFFFF);
      return writer.u16(static_cast<std::uint16_t>(number));
    case PropertyType::kFourByteInteger:
      return writer.u32(number);
    case PropertyType::kVariableByteInteger:
      return writer.variable(number);
    default:
      MOORING_ASSERT(false);  // not a number
  }
}

void append_property(base::Bytes& out, PropertyId id, std::string_view text) {
  MOORING_ASSERT(property_type(id) == PropertyType::kString);
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(id));
  writer.string(text);
}

void append_property(base::Bytes& out, PropertyId id, base::ByteView binary) {
  MOORING_ASSERT(property_type(id) == PropertyType::kBinary);
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(id));
  writer.binary(binary);
}

void append_user_property(base::Bytes& out, std::string_view name, std::string_view value) {
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(PropertyId::kUserProperty));
  writer.string(name);
  writer.string(value);
}

bool PropertyCheck::next(Property& out) {
  if (rest_.empty() || error_ != nullptr) return false;
  const std::uint8_t id = rest_[0];
  const Rule rule = rule_of(id);
  if ((rule.places & bit(place_)) == 0) return fail(errors::kPropertyNotAllowed);
  Property found;
  found.id = static_cast<PropertyId>(id);
  found.type = rule.type;
  if (is_from_the_wrong_side(found.id, place_, sender_)) return fail(errors::kPropertyDirection);
  const std::uint64_t mask = std::uint64_t{1} << id;
  if ((seen_ & mask) != 0 && !may_repeat(found.id, place_)) return fail(errors::kPropertyTwice);
  seen_ |= mask;

  ByteReader reader(rest_.subspan(1));
  if (!read_value(reader, found)) return fail(errors::kPropertyTruncated);
  if (const ProtocolError* error = check_value(found)) return fail(*error);
  found.encoded = rest_.first(rest_.size() - reader.rest().size());
  rest_ = reader.rest();
  out = found;
  return true;
}

bool PropertyCheck::fail(const ProtocolError& error) {
  error_ = &error;
  return false;
}

const ProtocolError* check_properties(base::ByteView block, PropertyPlace place, Sender sender) {
  PropertyCheck check(block, place, sender);
  for (Property property; check.next(property);) {
  }
  return check.error();
}

}  // namespace mooring::mqtt
