// Message: one application message, immutable once made, shared by every session it goes to.
//
// One allocation holds the counter, the length-prefixed topic as it goes onto the wire, the payload, and behind it the
// MQTT 5 properties that go on to subscribers, so that sending it to one more subscriber costs a copy of bytes and no
// encoding. Topic and payload lie side by side because that is the body of the most frequent packet, QoS 0 of MQTT 3.x.
// MessageRef counts references atomically: messages cross loops. The bytes never change, so reading needs no lock. Who
// holds the only reference is alone, and may lend the memory to the next message (create_in).
// Limits: topic at most 65,535 bytes (MQTT 3.1.1 section 1.5.3), payload at most 268,435,455 bytes (section 2.2.3).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace mooring::mqtt {

class MessageRef;

// What a message is besides its topic and payload.
struct MessageFields {
  std::uint8_t qos = 0;  // the publisher's quality of service
  bool retain = false;   // its retain flag
  // Moment at which it is worth nothing any more (MQTT 5 3.3.2.3.3); 0 = never.
  base::WallMs expires_at_ms = 0;
  // Number of the publisher's session, for No Local (MQTT 5 3.8.3.1); 0 = the server itself.
  std::uint64_t publisher = 0;
  bool from_platform = false;  // by the server itself or the local operator, who reach devices unasked
  // When it was published, by the machine's monotonic clock and cut to 32 bits, to see how long it takes; 0 = unknown.
  std::uint32_t published_ms = 0;
  // Encoded properties that are forwarded, without their length (3.3.2.3): payload format, content type, response
  // topic, correlation data, user properties, in the order received [MQTT-3.3.2-17]. See forwarded_properties().
  base::ByteView properties{};
};

class Message {
 public:
  static MessageRef create(std::string_view topic, base::ByteView payload, const MessageFields& fields);
  static MessageRef create(std::string_view topic, base::ByteView payload, std::uint8_t qos, bool retain);
  // The same in the memory of `spare`, if nobody else holds that message and the new one fits.
  static MessageRef create_in(MessageRef spare, std::string_view topic, base::ByteView payload,
                              const MessageFields& fields);

  std::string_view topic() const { return {reinterpret_cast<const char*>(storage()) + 2, topic_bytes_}; }
  base::ByteView payload() const { return {storage() + 2 + topic_bytes_, payload_bytes_}; }
  // Two bytes of length, then the topic: MQTT's own encoding of a string.
  base::ByteView wire_topic() const { return {storage(), std::size_t{2} + topic_bytes_}; }
  // wire_topic() and payload() in one piece: the body of a QoS 0 PUBLISH of MQTT 3.x.
  base::ByteView wire_body() const { return {storage(), std::size_t{2} + topic_bytes_ + payload_bytes_}; }
  base::ByteView properties() const { return {storage() + 2 + topic_bytes_ + payload_bytes_, property_bytes_}; }
  std::uint8_t qos() const { return qos_; }
  bool retain() const { return retain_; }
  base::WallMs expires_at_ms() const { return expires_at_ms_; }
  std::uint64_t publisher() const { return publisher_; }
  bool from_platform() const { return from_platform_; }
  std::uint32_t published_ms() const { return published_ms_; }
  // Whether its memory is worth keeping for another one, and small enough.
  bool is_small() const { return room_ <= kSmallRoom; }
  // What holding it costs, for bounds on queues.
  std::size_t memory_bytes() const { return sizeof(Message) + 2 + topic_bytes_ + payload_bytes_ + property_bytes_; }

  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  friend class MessageRef;
  static constexpr std::size_t kRoomUnitBytes = 16;  // as the allocator has it
  static constexpr std::uint16_t kSmallRoom = 64;    // 1 KiB

  static std::size_t storage_bytes(std::string_view topic, base::ByteView payload, const MessageFields& fields) {
    MOORING_ASSERT(topic.size() <= 0xFFFF && payload.size() <= 268'435'455 && fields.properties.size() <= 268'435'455);
    return 2 + topic.size() + payload.size() + fields.properties.size();
  }

  Message(std::string_view topic, base::ByteView payload, const MessageFields& fields, std::size_t room)
      : payload_bytes_(static_cast<std::uint32_t>(payload.size())),
        property_bytes_(static_cast<std::uint32_t>(fields.properties.size())),
        published_ms_(fields.published_ms),
        expires_at_ms_(fields.expires_at_ms),
        publisher_(fields.publisher),
        topic_bytes_(static_cast<std::uint16_t>(topic.size())),
        qos_(fields.qos),
        retain_(fields.retain),
        from_platform_(fields.from_platform),
        room_(static_cast<std::uint16_t>(room < 0xFFFF ? room : 0xFFFF)) {
    std::uint8_t* out = storage();
    out[0] = static_cast<std::uint8_t>(topic.size() >> 8);
    out[1] = static_cast<std::uint8_t>(topic.size() & 0xFF);
    if (!topic.empty()) std::memcpy(out + 2, topic.data(), topic.size());
    if (!payload.empty()) std::memcpy(out + 2 + topic.size(), payload.data(), payload.size());
    if (!fields.properties.empty()) copy_properties(out + 2 + topic.size() + payload.size(), fields.properties);
  }
  ~Message() = default;

  // Apart, because GCC 12 believes under AddressSanitizer that an empty block is copied behind the end.
  [[gnu::noinline]] static void copy_properties(std::uint8_t* to, base::ByteView properties) {
    std::memcpy(to, properties.data(), properties.size());
  }

  std::uint8_t* storage() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* storage() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t payload_bytes_;
  std::uint32_t property_bytes_;
  std::uint32_t published_ms_;
  base::WallMs expires_at_ms_;
  std::uint64_t publisher_;
  std::uint16_t topic_bytes_;
  std::uint8_t qos_;
  bool retain_;
  bool from_platform_;
  std::uint16_t room_;  // of its storage, in units; 0xFFFF: that or more
};
static_assert(sizeof(Message) == 40);

class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) { add(); }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ != nullptr && is_last()) {
      message_->~Message();
      ::operator delete(const_cast<Message*>(message_));
    }
  }

  explicit operator bool() const { return message_ != nullptr; }
  // Nobody else holds the message.
  bool is_only() const { return message_ != nullptr && message_->references_.load(std::memory_order_acquire) == 1; }
  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }

 private:
  friend class Message;
  explicit MessageRef(const Message* made) : message_(made) {}  // the first reference
  // Gives this reference back. Who holds the only one is alone: nobody could make another, so nothing has to be
  // counted.
  bool is_last() const {
    return message_->references_.load(std::memory_order_acquire) == 1 ||
           message_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  void add() {
    if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  const Message* message_ = nullptr;
};

inline MessageRef Message::create(std::string_view topic, base::ByteView payload, const MessageFields& fields) {
  const std::size_t room = (storage_bytes(topic, payload, fields) + kRoomUnitBytes - 1) / kRoomUnitBytes;
  void* memory = ::operator new(sizeof(Message) + room * kRoomUnitBytes);
  return MessageRef(::new (memory) Message(topic, payload, fields, room));
}

inline MessageRef Message::create_in(MessageRef spare, std::string_view topic, base::ByteView payload,
                                     const MessageFields& fields) {
  if (!spare.is_only()) return create(topic, payload, fields);
  const std::size_t bytes = storage_bytes(topic, payload, fields);
  const std::size_t room_bytes = spare->room_ * kRoomUnitBytes;
  // Much larger memory would be held with it and not be counted: memory_bytes() says what the content needs.
  if (bytes > room_bytes || room_bytes > 2 * bytes + 64) return create(topic, payload, fields);
  Message* const old = const_cast<Message*>(std::exchange(spare.message_, nullptr));
  const std::size_t room = old->room_;
  old->~Message();
  return MessageRef(::new (static_cast<void*>(old)) Message(topic, payload, fields, room));
}

inline MessageRef Message::create(std::string_view topic, base::ByteView payload, std::uint8_t qos, bool retain) {
  MessageFields fields;
  fields.qos = qos;
  fields.retain = retain;
  return create(topic, payload, fields);
}

}  // namespace mooring::mqtt
