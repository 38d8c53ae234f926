// CONNACK: MQTT 3.1.1 section 3.2, MQTT 3.1 section 3.2, MQTT 5 section 3.2.
#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/encode_properties.h"
#include "mqtt/fixed_header.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

base::Bytes encode_properties(const ConnackProperties& properties) {
  MOORING_ASSERT(properties.receive_maximum != 0 && properties.maximum_qos <= kMaxQos);
  MOORING_ASSERT(properties.authentication_method || properties.authentication_data.empty());
  using Id = PropertyId;
  PropertyWriter writer;
  writer.optional_number(Id::kSessionExpiryInterval, properties.session_expiry_s);
  writer.number_unless(65'535, Id::kReceiveMaximum, properties.receive_maximum);
  writer.number_unless(kMaxQos, Id::kMaximumQos, properties.maximum_qos);
  writer.number_unless(1, Id::kRetainAvailable, properties.retain_available ? 1 : 0);
  writer.number_unless(0, Id::kMaximumPacketSize, properties.maximum_packet_bytes);
  writer.text_unless_empty(Id::kAssignedClientIdentifier, properties.assigned_client_identifier);
  writer.number_unless(0, Id::kTopicAliasMaximum, properties.topic_alias_maximum);
  writer.text_unless_empty(Id::kReasonString, properties.reason_string);
  writer.number_unless(1, Id::kWildcardSubscriptionAvailable, properties.wildcard_subscription_available ? 1 : 0);
  writer.number_unless(1, Id::kSubscriptionIdentifierAvailable, properties.subscription_identifiers_available ? 1 : 0);
  writer.number_unless(1, Id::kSharedSubscriptionAvailable, properties.shared_subscription_available ? 1 : 0);
  writer.optional_number(Id::kServerKeepAlive, properties.server_keep_alive_s);
  writer.text_unless_empty(Id::kResponseInformation, properties.response_information);
  writer.text_unless_empty(Id::kServerReference, properties.server_reference);
  writer.authentication(properties.authentication_method, properties.authentication_data);
  return writer.take();
}

}  // namespace

SmallPacket encode_connack(Version version, ConnackCode code, bool session_present) {
  MOORING_ASSERT(version != Version::k5);
  const bool present = session_present && code == ConnackCode::kAccepted && version != Version::k31;
  return {{0x20, 0x02, static_cast<std::uint8_t>(present ? 1 : 0), static_cast<std::uint8_t>(code)}, 4};
}

void append_connack5(base::Bytes& out, ReasonCode reason, bool session_present, const ConnackProperties& properties) {
  MOORING_ASSERT(is_reason_of(PacketType::kConnack, Sender::kServer, static_cast<std::uint8_t>(reason)));
  const base::Bytes block = encode_properties(properties);
  append_fixed_header(out, PacketType::kConnack, 0, 2 + variable_integer_bytes(block.size()) + block.size());
  ByteWriter writer(out);
  writer.u8(session_present && reason == ReasonCode::kSuccess ? 1 : 0);
  writer.u8(static_cast<std::uint8_t>(reason));
  writer.property_block(block);
}

}  // namespace mooring::mqtt
