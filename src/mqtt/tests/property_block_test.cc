// Properties: MQTT 5 section 2.2.2.
#include "mqtt/property_block.h"

#include "mqtt/protocol_errors.h"
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

// A good value of this type, encoded behind the identifier.
Bytes example(int id) {
  const auto type = property_type(static_cast<PropertyId>(id));
  const bool is_topic = static_cast<PropertyId>(id) == PropertyId::kResponseTopic;
  switch (type) {
    case PropertyType::kByte:
    case PropertyType::kVariableByteInteger:
      return bytes({id, 1});
    case PropertyType::kTwoByteInteger:
      return cat({bytes({id}), u16(300)});
    case PropertyType::kFourByteInteger:
      return cat({bytes({id}), u32(70'000)});
    case PropertyType::kString:
      return cat({bytes({id}), str(is_topic ? "a/b" : "text")});
    case PropertyType::kBinary:
      return cat({bytes({id}), str("\xFF")});
    case PropertyType::kStringPair:
      return cat({bytes({id}), str("name"), str("value")});
    case PropertyType::kNone:
      break;
  }
  return bytes({id, 1});
}

const ProtocolError* check(const Bytes& block, PropertyPlace place, Sender sender = Sender::kServer) {
  return check_properties(block, place, sender);
}

constexpr PropertyPlace kPlaces[] = {
    PropertyPlace::kWill,   PropertyPlace::kConnect,    PropertyPlace::kConnack,  PropertyPlace::kPublish,
    PropertyPlace::kPuback, PropertyPlace::kPubrec,     PropertyPlace::kPubrel,   PropertyPlace::kPubcomp,
    PropertyPlace::kSuback, PropertyPlace::kSubscribe,  PropertyPlace::kUnsuback, PropertyPlace::kUnsubscribe,
    PropertyPlace::kAuth,   PropertyPlace::kDisconnect,
};

// Table 2-4, a letter for each place: W will, C CONNECT, A CONNACK, P PUBLISH, a PUBACK to PUBCOMP, S SUBSCRIBE,
// s SUBACK, U UNSUBSCRIBE, u UNSUBACK, D DISCONNECT, T AUTH.
char letter(PropertyPlace place) {
  switch (place) {
    case PropertyPlace::kWill:
      return 'W';
    case PropertyPlace::kConnect:
      return 'C';
    case PropertyPlace::kConnack:
      return 'A';
    case PropertyPlace::kPublish:
      return 'P';
    case PropertyPlace::kSubscribe:
      return 'S';
    case PropertyPlace::kSuback:
      return 's';
    case PropertyPlace::kUnsubscribe:
      return 'U';
    case PropertyPlace::kUnsuback:
      return 'u';
    case PropertyPlace::kDisconnect:
      return 'D';
    case PropertyPlace::kAuth:
      return 'T';
    default:
      return 'a';
  }
}
std::string_view places_of(int id) {
  switch (id) {
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x08:
    case 0x09:
      return "WP";
    case 0x0B:
      return "PS";
    case 0x11:
      return "CAD";
    case 0x15:
    case 0x16:
      return "CAT";
    case 0x17:
    case 0x19:
      return "C";
    case 0x18:
      return "W";
    case 0x1C:
      return "AD";
    case 0x1F:
      return "AasuDT";
    case 0x21:
    case 0x22:
    case 0x27:
      return "CA";
    case 0x23:
      return "P";
    case 0x26:
      return "WCAPaSsUuDT";
    case 0x12:
    case 0x13:
    case 0x1A:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2A:
      return "A";
    default:
      return "";
  }
}

TEST(Properties, EachAtItsPlacesOnly_2_2_2_2) {
  for (int id = 0; id < 256; ++id) {
    for (const PropertyPlace place : kPlaces) {
      if (id == 0x11 && place == PropertyPlace::kDisconnect) continue;  // depends on the sender
      const bool allowed = places_of(id).find(letter(place)) != std::string_view::npos;
      const ProtocolError* error = check(example(id), place);
      EXPECT_EQ(error, allowed ? nullptr : &errors::kPropertyNotAllowed) << id << " at " << letter(place);
    }
  }
}

TEST(Properties, UserPropertiesMayRepeatNothingElse) {
  for (int id = 1; id <= 0x2A; ++id) {
    for (const PropertyPlace place : kPlaces) {
      if (check(example(id), place) != nullptr) continue;
      const bool may_repeat = id == 0x26 || (id == 0x0B && place == PropertyPlace::kPublish);
      const ProtocolError* error = check(cat({example(id), example(0x26), example(id)}), place);
      EXPECT_EQ(error, may_repeat ? nullptr : &errors::kPropertyTwice) << id << " at " << letter(place);
    }
  }
  EXPECT_EQ(errors::kPropertyTwice.code, ReasonCode::kProtocolError);
}

TEST(Properties, Directions_3_3_4_6_and_3_14_2_2) {
  EXPECT_EQ(check(example(0x0B), PropertyPlace::kPublish, Sender::kClient), &errors::kPropertyDirection);
  EXPECT_EQ(check(example(0x0B), PropertyPlace::kPublish, Sender::kServer), nullptr);
  EXPECT_EQ(check(example(0x0B), PropertyPlace::kSubscribe, Sender::kClient), nullptr);
  EXPECT_EQ(check(example(0x11), PropertyPlace::kDisconnect, Sender::kServer), &errors::kPropertyDirection);
  EXPECT_EQ(check(example(0x11), PropertyPlace::kDisconnect, Sender::kClient), nullptr);
}

TEST(Properties, EveryTruncationIsMalformed) {
  for (int id = 1; id <= 0x2A; ++id) {
    const Bytes whole = example(id);
    for (const PropertyPlace place : kPlaces) {
      if (check(whole, place) != nullptr) continue;
      for (std::size_t size = 1; size < whole.size(); ++size) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(check(part, place), &errors::kPropertyTruncated) << id << " cut at " << size;
      }
    }
  }
  EXPECT_EQ(errors::kPropertyTruncated.code, ReasonCode::kMalformedPacket);
}

TEST(Properties, BytesAreZeroOrOne) {
  for (const int id : {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A}) {
    for (const PropertyPlace place : kPlaces) {
      if (check(example(id), place) != nullptr) continue;
      EXPECT_EQ(check(bytes({id, 0}), place), nullptr);
      EXPECT_EQ(check(bytes({id, 2}), place), &errors::kPropertyValue);
      EXPECT_EQ(check(bytes({id, 255}), place), &errors::kPropertyValue);
    }
  }
  EXPECT_EQ(errors::kPropertyValue.code, ReasonCode::kProtocolError);
}

TEST(Properties, NumbersThatAreNotZero) {
  EXPECT_EQ(check(bytes({0x21, 0, 0}), PropertyPlace::kConnect), &errors::kPropertyValue);
  EXPECT_EQ(check(bytes({0x27, 0, 0, 0, 0}), PropertyPlace::kConnect), &errors::kPropertyValue);
  EXPECT_EQ(check(bytes({0x0B, 0}), PropertyPlace::kSubscribe), &errors::kPropertyValue);
  EXPECT_EQ(check(bytes({0x23, 0, 0}), PropertyPlace::kPublish), &errors::kTopicAliasZero);
  EXPECT_EQ(errors::kTopicAliasZero.code, ReasonCode::kTopicAliasInvalid);
  // Others may be.
  EXPECT_EQ(check(bytes({0x22, 0, 0}), PropertyPlace::kConnect), nullptr);
  EXPECT_EQ(check(bytes({0x13, 0, 0}), PropertyPlace::kConnack), nullptr);
  EXPECT_EQ(check(bytes({0x11, 0, 0, 0, 0}), PropertyPlace::kConnect), nullptr);
}

TEST(Properties, VariableByteIntegerIsShortest_1_5_5_1) {
  EXPECT_EQ(check(bytes({0x0B, 0x81, 0x00}), PropertyPlace::kSubscribe), &errors::kPropertyTruncated);
  EXPECT_EQ(check(bytes({0x0B, 0x80, 0x80, 0x80, 0x80, 0x01}), PropertyPlace::kSubscribe), &errors::kPropertyTruncated);
  EXPECT_EQ(check(bytes({0x0B, 0xFF, 0xFF, 0xFF, 0x7F}), PropertyPlace::kSubscribe), nullptr);
}

TEST(Properties, StringsAreUtf8WithoutNul_1_5_4) {
  using namespace std::string_view_literals;
  for (const std::string_view bad : {"a\0"sv, "\xFF"sv, "\xED\xA0\x80"sv}) {
    EXPECT_EQ(check(cat({bytes({0x03}), str(bad)}), PropertyPlace::kPublish), &errors::kString);
    EXPECT_EQ(check(cat({bytes({0x26}), str(bad), str("v")}), PropertyPlace::kPublish), &errors::kString);
    EXPECT_EQ(check(cat({bytes({0x26}), str("n"), str(bad)}), PropertyPlace::kPublish), &errors::kString);
    EXPECT_EQ(check(cat({bytes({0x09}), str(bad)}), PropertyPlace::kPublish), nullptr);  // binary
  }
  EXPECT_EQ(check(cat({bytes({0x26}), str(""), str("")}), PropertyPlace::kPublish), nullptr);
}

TEST(Properties, ResponseTopicIsATopicName_3_3_2_14) {
  for (const std::string_view bad : {"", "+", "a/#"}) {
    EXPECT_EQ(check(cat({bytes({0x08}), str(bad)}), PropertyPlace::kPublish), &errors::kResponseTopic);
    EXPECT_EQ(check(cat({bytes({0x08}), str(bad)}), PropertyPlace::kWill), &errors::kResponseTopic);
  }
  EXPECT_EQ(errors::kResponseTopic.code, ReasonCode::kProtocolError);
}

TEST(Properties, CheckStopsAtTheFirstViolation) {
  const Bytes block = cat({example(0x26), bytes({0x01, 2}), example(0x26)});
  PropertyCheck reader(block, PropertyPlace::kPublish, Sender::kClient);
  Property property;
  EXPECT_TRUE(reader.next(property));
  EXPECT_EQ(property.text, "name");
  EXPECT_FALSE(reader.next(property));
  EXPECT_FALSE(reader.next(property));
  EXPECT_EQ(reader.error(), &errors::kPropertyValue);
}

TEST(Properties, AppendedAreReadBack) {
  Bytes block;
  append_property(block, PropertyId::kPayloadFormatIndicator, 1);
  append_property(block, PropertyId::kTopicAlias, 513);
  append_property(block, PropertyId::kMessageExpiryInterval, 0x01020304);
  append_property(block, PropertyId::kSubscriptionIdentifier, 268'435'455);
  append_property(block, PropertyId::kContentType, "text/plain");
  append_property(block, PropertyId::kCorrelationData, base::as_bytes("\x01\xFF"));
  append_user_property(block, "name", "value");
  EXPECT_EQ(base::to_hex(block),
            "0101"
            "230201"
            "0201020304"
            "0bffffff7f"
            "03000a746578742f706c61696e"
            "09000201ff"
            "2600046e616d65000576616c7565");
  EXPECT_EQ(property_text(block), " 01=1 23=513 02=16909060 0b=268435455 03=text/plain 09=01ff 26=name:value");
  EXPECT_EQ(check(block, PropertyPlace::kPublish), nullptr);

  EXPECT_EQ(find_property(block, PropertyId::kTopicAlias)->number, 513U);
  EXPECT_EQ(base::to_hex(find_property(block, PropertyId::kTopicAlias)->encoded), "230201");
  EXPECT_FALSE(find_property(block, PropertyId::kResponseTopic));
  EXPECT_FALSE(find_property({}, PropertyId::kResponseTopic));
}

TEST(Properties, ForwardedInTheirOrder_3_3_2_17) {
  Bytes block;
  append_user_property(block, "b", "1");
  append_property(block, PropertyId::kTopicAlias, 7);
  append_property(block, PropertyId::kCorrelationData, base::as_bytes("x"));
  append_property(block, PropertyId::kMessageExpiryInterval, 60);
  append_property(block, PropertyId::kResponseTopic, "r");
  append_user_property(block, "a", "2");
  append_property(block, PropertyId::kContentType, "c");
  append_user_property(block, "b", "1");
  append_property(block, PropertyId::kPayloadFormatIndicator, 1);
  Bytes out = bytes({0xAA});
  forwarded_properties(block, out);
  EXPECT_EQ(out.front(), 0xAA);
  EXPECT_EQ(property_text(ByteView(out).subspan(1)), " 26=b:1 09=78 08=r 26=a:2 03=c 26=b:1 01=1");

  Bytes will;
  append_property(will, PropertyId::kWillDelayInterval, 5);
  out.clear();
  forwarded_properties(will, out);
  forwarded_properties({}, out);
  EXPECT_TRUE(out.empty());
}

TEST(ReasonCodes, HaveNames) {
  EXPECT_EQ(to_string(ReasonCode::kSuccess), "success");
  EXPECT_EQ(to_string(ReasonCode::kSessionTakenOver), "session taken over");
  EXPECT_EQ(to_string(ReasonCode::kWildcardSubscriptionsNotSupported), "wildcard subscriptions not supported");
  EXPECT_EQ(to_string(static_cast<ReasonCode>(0xFF)), "unknown");
}

}  // namespace
}  // namespace mooring::mqtt::testing
