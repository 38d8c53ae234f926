// The MQTT control packets as values. Names and clauses are those of MQTT 3.1.1 (OASIS, 2014); where MQTT 3.1 differs
// the decoder's comment says so.
//
// Lifetime: every string_view and ByteView points into the bytes the packet was decoded from. A handler that needs a
// field after it returned copies it.
// Thread: plain values, no shared state.
// MQTT 5 packets will use the same structs with their properties added; Version already names it.
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

inline constexpr std::uint8_t kSubackFailure = 0x80;  // return code of a refused filter (table 3.9)
inline constexpr std::uint8_t kMaxQos = 2;
inline constexpr std::size_t kMaxStringBytes = 65'535;           // a string has a two byte length (1.5.3)
inline constexpr std::size_t kMaxRemainingLength = 268'435'455;  // four length bytes (2.2.3)
inline constexpr std::size_t kMaxFixedHeaderBytes = 5;

struct Will {
  std::string_view topic;
  base::ByteView payload;
  std::uint8_t qos = 0;
  bool retain = false;
};

struct Connect {
  Version version = Version::k311;
  // May be empty and may have any length that fits: whether that is allowed is the business of whoever signs clients in
  // (the answer has its place in the order of checks).
  std::string_view client_id;
  std::optional<std::string_view> username;
  std::optional<base::ByteView> password;
  std::uint16_t keep_alive_s = 0;
  bool clean_session = true;
  std::optional<Will> will;
  base::ByteView body;  // what decode_connect() got: a copy of it gives the packet again, later
};

struct Publish {
  std::string_view topic;  // a valid topic name
  base::ByteView payload;
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_id = 0;  // 0 if, and only if, qos is 0
};

// A PUBLISH whose payload was larger than allowed and has been skipped without being kept.
struct OversizedPublish {
  std::string_view topic;
  std::uint8_t qos = 0;
  std::uint16_t packet_id = 0;  // 0 if, and only if, qos is 0
  std::size_t payload_bytes = 0;
};

struct SubscribeEntry {
  std::string_view filter;  // a valid topic filter
  std::uint8_t qos = 0;     // requested: 0, 1 or 2
};

namespace detail {
// Reads the element at `at` of a list the decoder has checked, and moves `at` behind it.
void read_element(base::ByteView payload, std::size_t& at, SubscribeEntry& out);
void read_element(base::ByteView payload, std::size_t& at, std::string_view& out);
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
    Iterator(base::ByteView payload, std::size_t left) : payload_(payload), left_(left) { load(); }
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
      if (left_ > 0) detail::read_element(payload_, at_, element_);
    }

    base::ByteView payload_;
    std::size_t at_ = 0;
    std::size_t left_ = 0;
    Element element_{};
  };

  PayloadList() = default;
  PayloadList(base::ByteView payload, std::size_t size) : payload_(payload), size_(size) {}  // for the decoders

  Iterator begin() const { return Iterator(payload_, size_); }
  Iterator end() const { return Iterator(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  base::ByteView payload_;
  std::size_t size_ = 0;
};

struct Subscribe {
  std::uint16_t packet_id = 0;  // never 0
  PayloadList<SubscribeEntry> entries;
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;            // never 0
  PayloadList<std::string_view> filters;  // valid topic filters
};

struct Connack {
  ConnackCode code = ConnackCode::kAccepted;
  bool session_present = false;  // always false in MQTT 3.1
};

struct Suback {
  std::uint16_t packet_id = 0;
  base::ByteView codes;  // one per filter: the granted QoS or kSubackFailure
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
};

struct ProtocolError {
  ProtocolErrorReason reason = ProtocolErrorReason::kMalformedPacket;
  std::string_view text;  // static storage; a phrase for the log, with the clause where there is one
  base::ByteView reply;   // static storage; to be sent before closing, empty = close without a word
};

// "malformed packet", ...: for logs and metric labels; static storage.
std::string_view to_string(ProtocolErrorReason reason);
std::string_view to_string(PacketType type);
std::string_view to_string(Version version);  // "3.1", "3.1.1", "5.0"

}  // namespace mooring::mqtt
