// ChildLink: the way between a gateway's connection and its children, which live on home loops of their own
// (docs/adr/0018). One for each gateway connection, shared by both sides.
//
// Each side posts tasks to the other's loop, so order is kept in each direction. What is under way is counted in bytes
// on both ways: those two numbers and two flags are all that the loops share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "broker/client.h"
#include "broker/ports.h"
#include "mqtt/message.h"
#include "mqtt/packet.h"

namespace mooring::things {

class Children;

// Of a child within its link; one is never used twice.
using ChildNumber = broker::Dependents::Number;

struct ChildLink {
  static constexpr std::size_t kDownBytesMax = 1 << 20;  // of messages towards the gateway; then children are congested
  static constexpr std::size_t kUpBytesMax = 1 << 20;    // of messages from it; then its connection is not read

  ChildLink(std::uint64_t its_number, base::Executor& gateway_loop, const broker::Client& gateway_client)
      : number(its_number),
        loop(gateway_loop),
        gateway(gateway_client.info),
        gateway_address(gateway_client.peer_address()),
        gateway_names(std::make_shared<const base::DeviceKey>(gateway_client.device().copy())) {}

  const std::uint64_t number;  // unique in the process
  base::Executor& loop;        // of the gateway's connection
  const broker::ClientTraits gateway;
  const std::string gateway_address;
  const std::shared_ptr<const base::DeviceKey> gateway_names;  // for its children

  Children* children = nullptr;  // on `loop` only; null once the connection has ended

  std::atomic<std::size_t> down_bytes{0};
  std::atomic<std::size_t> up_bytes{0};
  std::atomic<bool> congested{false};  // the gateway does not read
  std::atomic<bool> waits{false};      // a child was told that it is congested, and has to be told when no more
  std::atomic<bool> held{false};       // the gateway's connection is not read because of up_bytes
};
using ChildLinkRef = std::shared_ptr<ChildLink>;

// Names a child on its home loop.
struct ChildId {
  std::uint64_t link = 0;
  ChildNumber number = 0;
  bool operator==(const ChildId&) const = default;
};
struct ChildIdHash {
  std::size_t operator()(const ChildId& id) const {
    return static_cast<std::size_t>((id.link * 0x9E37'79B9'7F4A'7C15ULL) ^ (std::uint64_t{id.number} << 17));
  }
};

// What comes from a child's home loop.
struct ChildOutput {
  enum class Kind : std::uint8_t {
    kChecked,  // `code`: whether its proof holds
    kJoined,   // `code`: 200 when it is online
    kPublish,  // towards it
    kAck,      // of what it published
    kDropped,  // likewise, but it is not to be acknowledged
    kSuback,   // `packet_id` and `codes`; also of an UNSUBSCRIBE
    kClosed,   // the server ended it
  };
  Kind kind;
  ChildNumber child = 0;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_id = 0;
  mqtt::ReasonCode reason = mqtt::ReasonCode::kSuccess;
  broker::CloseCause cause = broker::CloseCause::kKicked;
  int code = 0;
  mqtt::MessageRef message = {};
  std::vector<std::uint32_t> subscription_ids = {};
  std::vector<mqtt::ReasonCode> codes = {};
};

// A PUBLISH on its way to the child's home loop.
class OwnedPublish {
 public:
  explicit OwnedPublish(const mqtt::Publish& packet);
  mqtt::Publish packet() const;  // valid as long as this
  std::size_t bytes() const { return sizeof(*this) + storage_.size(); }

 private:
  mqtt::Publish fields_;  // without views
  std::uint32_t topic_bytes_ = 0;
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t response_bytes_ = 0;
  base::Bytes storage_;
};

// Filters on their way; a packet like the one that came.
class OwnedFilters {
 public:
  explicit OwnedFilters(std::span<const mqtt::SubscribeEntry> entries);
  explicit OwnedFilters(std::span<const std::string_view> filters);
  mqtt::PayloadList<mqtt::SubscribeEntry> entries() const;
  mqtt::PayloadList<std::string_view> filters() const;
  std::size_t size() const { return count_; }

 private:
  void append(std::string_view filter);
  std::size_t count_ = 0;
  base::Bytes payload_;
};

}  // namespace mooring::things
