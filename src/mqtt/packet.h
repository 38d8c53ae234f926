// The MQTT control packets as values. Names and clauses are those of MQTT 3.1.1 (OASIS, 2014); where MQTT 3.1 differs
// the decoder's comment says so.
//
// Lifetime: every string_view and ByteView points into the bytes the packet was decoded from. A handler that needs a
// field after it returned copies it.
// Thread: plain values, no shared state.
// MQTT 5 (OASIS, 2019) uses the same structs: properties that a packet does not carry have the value the standard gives
// for their absence, so that 3.x packets look like MQTT 5 packets without properties.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace mooring::mqtt {

// The values are the protocol levels on the wire (3.1.2.2).
enum class Version : std::uint8_t { k31 = 3, k311 = 4, k5 = 5 };
constexpr std::string_view version_name(Version version) {
  return version == Version::k5 ? "MQTT 5" : version == Version::k31 ? "MQTT 3.1" : "MQTT 3.1.1";
}

// The values are those of the fixed header (table 2.1; kAuth: MQTT 5).
enum class PacketType : std::uint8_t {
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
  kPingreq = 12,
  kPingresp = 13,
  kDisconnect = 14,
  kAuth = 15,
};

// Return codes of CONNACK in MQTT 3.x (table 3.1).
enum class ConnackCode : std::uint8_t {
  kAccepted = 0,
  kUnacceptableProtocolVersion = 1,
  kIdentifierRejected = 2,
  kServerUnavailable = 3,
  kBadUserNameOrPassword = 4,
  kNotAuthorized = 5,
};

inline constexpr std::uint8_t kSubackFailure = 0x80;  // return code of a refused filter in MQTT 3.x (table 3.9)

// Reason codes of MQTT 5 (section 2.4). Names are the standard's; kSuccess is also "normal disconnection" and "granted
// QoS 0". Which code may stand in which packet is checked by the decoders and asserted by the encoders.
enum class ReasonCode : std::uint8_t {
  kSuccess = 0x00,
  kGrantedQos1 = 0x01,
  kGrantedQos2 = 0x02,
  kDisconnectWithWill = 0x04,
  kNoMatchingSubscribers = 0x10,
  kNoSubscriptionExisted = 0x11,
  kContinueAuthentication = 0x18,
  kReAuthenticate = 0x19,
  kUnspecifiedError = 0x80,
  kMalformedPacket = 0x81,
  kProtocolError = 0x82,
  kImplementationSpecificError = 0x83,
  kUnsupportedProtocolVersion = 0x84,
  kClientIdentifierNotValid = 0x85,
  kBadUserNameOrPassword = 0x86,
  kNotAuthorized = 0x87,
  kServerUnavailable = 0x88,
  kServerBusy = 0x89,
  kBanned = 0x8A,
  kServerShuttingDown = 0x8B,
  kBadAuthenticationMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kSessionTakenOver = 0x8E,
  kTopicFilterInvalid = 0x8F,
  kTopicNameInvalid = 0x90,
  kPacketIdentifierInUse = 0x91,
  kPacketIdentifierNotFound = 0x92,
  kReceiveMaximumExceeded = 0x93,
  kTopicAliasInvalid = 0x94,
  kPacketTooLarge = 0x95,
  kMessageRateTooHigh = 0x96,
  kQuotaExceeded = 0x97,
  kAdministrativeAction = 0x98,
  kPayloadFormatInvalid = 0x99,
  kRetainNotSupported = 0x9A,
  kQosNotSupported = 0x9B,
  kUseAnotherServer = 0x9C,
  kServerMoved = 0x9D,
  kSharedSubscriptionsNotSupported = 0x9E,
  kConnectionRateExceeded = 0x9F,
  kMaximumConnectTime = 0xA0,
  kSubscriptionIdentifiersNotSupported = 0xA1,
  kWildcardSubscriptionsNotSupported = 0xA2,
};
constexpr bool is_error(ReasonCode code) {
  return static_cast<std::uint8_t>(code) >= 0x80;
}
inline constexpr std::uint8_t kMaxQos = 2;
inline constexpr std::size_t kMaxStringBytes = 65'535;           // a string has a two byte length (1.5.3)
inline constexpr std::size_t kMaxRemainingLength = 268'435'455;  // four length bytes (2.2.3)
inline constexpr std::size_t kMaxFixedHeaderBytes = 5;

inline constexpr std::uint32_t kNeverExpires = 0xFFFF'FFFF;  // session expiry interval (MQTT 5 3.1.2.11.2)

struct Will {
  std::string_view topic{};
  base::ByteView payload{};
  std::uint8_t qos = 0;
  bool retain = false;
  // MQTT 5 (3.1.3.2)
  std::uint32_t delay_s = 0;
  std::optional<std::uint32_t> message_expiry_s{};
  // As in Publish::properties.
  base::ByteView properties{};
};

struct Connect {
  Version version = Version::k311;
  // May be empty and may have any length that fits: whether that is allowed is the business of whoever signs clients in
  // (the answer has its place in the order of checks).
  std::string_view client_id{};
  std::optional<std::string_view> username{};
  std::optional<base::ByteView> password{};
  std::uint16_t keep_alive_s = 0;
  bool clean_session = true;  // MQTT 5: clean start
  std::optional<Will> will{};
  // MQTT 5 (3.1.2.11)
  std::uint32_t session_expiry_s = 0;
  std::uint16_t receive_maximum = 65'535;  // never 0
  std::uint32_t maximum_packet_bytes = 0;  // 0: no limit of the client's (0 on the wire is a protocol error)
  std::uint16_t topic_alias_maximum = 0;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<std::string_view> authentication_method{};
  base::ByteView authentication_data{};
  base::ByteView properties{};  // the whole block, checked
  base::ByteView body{};        // what decode_connect() got: a copy of it gives the packet again, later
};

struct Publish {
  std::string_view topic{};  // a valid topic name
  base::ByteView payload{};
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_id = 0;  // 0 if, and only if, qos is 0
  // MQTT 5 (3.3.2.3). Topic aliases are resolved before a handler sees the packet.
  std::uint8_t payload_format = 0;       // 1: the client says that the payload is UTF-8
  std::uint8_t user_property_count = 0;  // 255: or more
  std::optional<std::uint32_t> message_expiry_s{};
  std::string_view response_topic{};  // empty: none
  // The whole block as received, checked, without its length: property_block.h reads it; Message::create() keeps what
  // has to be forwarded. May hold message expiry, topic alias and subscription identifiers, too.
  base::ByteView properties{};
};
// One is made for every message that comes in; above this the compiler clears it with a slow instruction.
static_assert(sizeof(Publish) <= 80);

// A PUBLISH whose payload was larger than allowed and has been skipped without being kept.
struct OversizedPublish {
  std::string_view topic{};
  std::uint8_t qos = 0;
  std::uint16_t packet_id = 0;  // 0 if, and only if, qos is 0
  std::size_t payload_bytes = 0;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP. In MQTT 3.x the reason is kSuccess.
struct Ack {
  std::uint16_t packet_id = 0;  // never 0
  ReasonCode reason = ReasonCode::kSuccess;
};

enum class RetainHandling : std::uint8_t { kSend = 0, kSendIfNew = 1, kDoNotSend = 2 };

struct SubscribeEntry {
  std::string_view filter{};  // a valid topic filter; may begin with "$share/", then a valid group and filter follow
  std::uint8_t qos = 0;       // requested: 0, 1 or 2
  // MQTT 5 (3.8.3.1); the values below are the meaning of MQTT 3.x
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::kSend;
};

namespace detail {
// Reads the element at `at` of a list the decoder has checked, and moves `at` behind it.
void read_element(base::ByteView payload, std::size_t& at, std::uint8_t options_mask, SubscribeEntry& out);
void read_element(base::ByteView payload, std::size_t& at, std::uint8_t options_mask, std::string_view& out);
}  // namespace detail

// The elements of a checked SUBSCRIBE or UNSUBSCRIBE payload, read in place: nothing is allocated however many there
// are. Use it in a range-for; size() is at least 1.
template <class Element>
class PayloadList {
 public:
  class Iterator {
   public:
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = const Element&;
    using pointer = const Element*;

    Iterator() = default;
    Iterator(base::ByteView payload, std::size_t left, std::uint8_t options_mask)
        : payload_(payload), left_(left), options_mask_(options_mask) {
      load();
    }
    reference operator*() const { return element_; }
    pointer operator->() const { return &element_; }
    Iterator& operator++() {
      --left_;
      load();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    void load() {
      if (left_ > 0) detail::read_element(payload_, at_, options_mask_, element_);
    }

    base::ByteView payload_{};
    std::size_t at_ = 0;
    std::size_t left_ = 0;
    std::uint8_t options_mask_ = 0;
    Element element_{};
  };

  PayloadList() = default;
  // For the decoders. `options_mask`: the bits of an entry's option byte that mean something in this version.
  PayloadList(base::ByteView payload, std::size_t size, std::uint8_t options_mask)
      : payload_(payload), size_(size), options_mask_(options_mask) {}

  Iterator begin() const { return Iterator(payload_, size_, options_mask_); }
  Iterator end() const { return Iterator(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  base::ByteView payload_{};
  std::size_t size_ = 0;
  std::uint8_t options_mask_ = 0;
};

struct Subscribe {
  std::uint16_t packet_id = 0;  // never 0
  PayloadList<SubscribeEntry> entries;
  std::uint32_t subscription_id = 0;  // MQTT 5: 1 to 268,435,455; 0: none
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;            // never 0
  PayloadList<std::string_view> filters;  // valid topic filters
};

// DISCONNECT. In MQTT 3.x: kSuccess and nothing else.
struct Disconnect {
  ReasonCode reason = ReasonCode::kSuccess;
  std::optional<std::uint32_t> session_expiry_s{};
  std::string_view reason_string{};     // empty: none
  std::string_view server_reference{};  // empty: none; only servers send it
};

struct Auth {
  ReasonCode reason = ReasonCode::kSuccess;
  std::optional<std::string_view> authentication_method{};
  base::ByteView authentication_data{};
  std::string_view reason_string{};  // empty: none
};

// What CONNACK of MQTT 5 announces (3.2.2.3). The values below are what their absence means; they are then not sent.
// User properties are not kept.
struct ConnackProperties {
  std::optional<std::uint32_t> session_expiry_s{};  // only when it differs from what the client asked for
  std::uint16_t receive_maximum = 65'535;
  std::uint8_t maximum_qos = 2;  // 2 is not sent
  bool retain_available = true;
  std::uint32_t maximum_packet_bytes = 0;         // 0: not sent
  std::string_view assigned_client_identifier{};  // empty: not sent
  std::uint16_t topic_alias_maximum = 0;
  std::string_view reason_string{};  // empty: not sent
  bool wildcard_subscription_available = true;
  bool subscription_identifiers_available = true;
  bool shared_subscription_available = true;
  std::optional<std::uint16_t> server_keep_alive_s{};
  std::string_view response_information{};  // empty: not sent
  std::string_view server_reference{};      // empty: not sent
  std::optional<std::string_view> authentication_method{};
  base::ByteView authentication_data{};  // needs a method
};

struct Connack {
  ConnackCode code = ConnackCode::kAccepted;  // MQTT 3.x
  ReasonCode reason = ReasonCode::kSuccess;   // MQTT 5
  bool session_present = false;               // always false in MQTT 3.1
  ConnackProperties properties;               // MQTT 5
  bool accepted() const { return code == ConnackCode::kAccepted && reason == ReasonCode::kSuccess; }
};

struct Suback {
  std::uint16_t packet_id = 0;
  base::ByteView codes{};  // one per filter: the granted QoS, or kSubackFailure (MQTT 5: a ReasonCode)
};

struct Unsuback {
  std::uint16_t packet_id = 0;
  base::ByteView codes{};  // one ReasonCode per filter; empty in MQTT 3.x
};

// Why a connection has to end. Coarse enough for a counter each; the text tells the rest.
enum class ProtocolErrorReason : std::uint8_t {
  kMalformedPacket,
  kPacketTooLarge,
  kNotConnect,          // the first packet is another one (MQTT-3.1.0-1)
  kSecondConnect,       // (MQTT-3.1.0-2)
  kUnsupportedVersion,  // protocol name or level
  kQosNotSupported,     // a well-formed PUBLISH above Limits::max_qos
  kInvalidTopic,        // empty or with a wildcard
  kInvalidFilter,
  kUnexpectedPacket,  // a type that this side never sends, or not in this state
  kProtocolError,     // MQTT 5: well-formed, but not allowed (section 4.13.1), e.g. a property given twice
  kTopicAlias,        // MQTT 5: alias 0, above the maximum, or unknown
};

struct ProtocolError {
  ProtocolErrorReason reason = ProtocolErrorReason::kMalformedPacket;
  std::string_view text{};  // static storage; a phrase for the log, with the clause where there is one
  // Static storage; to be sent before closing, whatever the version. Empty: in MQTT 5 answer with `code`, CONNACK
  // before the connection is accepted and DISCONNECT after; in MQTT 3.x close without a word.
  base::ByteView reply{};
  ReasonCode code = ReasonCode::kMalformedPacket;
};

// "malformed packet", ...: for logs and metric labels; static storage.
std::string_view to_string(ProtocolErrorReason reason);
std::string_view to_string(PacketType type);
std::string_view to_string(Version version);  // "3.1", "3.1.1", "5.0"
std::string_view to_string(ReasonCode code);  // the standard's name, lower case: "session taken over"

}  // namespace mooring::mqtt
