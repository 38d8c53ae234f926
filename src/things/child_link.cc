#include "things/child_link.h"

#include "base/text.h"

namespace mooring::things {
namespace {

constexpr std::uint8_t kAllOptions = 0x3F;  // MQTT 5 section 3.8.3.1; what MQTT 3.x lacks is 0 there

void append_to(base::Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

OwnedPublish::OwnedPublish(const mqtt::Publish& packet)
    : fields_(packet),
      topic_bytes_(static_cast<std::uint32_t>(packet.topic.size())),
      payload_bytes_(static_cast<std::uint32_t>(packet.payload.size())),
      response_bytes_(static_cast<std::uint32_t>(packet.response_topic.size())) {
  storage_.reserve(packet.topic.size() + packet.payload.size() + packet.response_topic.size() +
                   packet.properties.size());
  append_to(storage_, packet.topic);
  append_to(storage_, base::as_text(packet.payload));
  append_to(storage_, packet.response_topic);
  append_to(storage_, base::as_text(packet.properties));
  fields_.topic = {};
  fields_.payload = {};
  fields_.response_topic = {};
  fields_.properties = {};
}

mqtt::Publish OwnedPublish::packet() const {
  mqtt::Publish out = fields_;
  base::ByteView rest(storage_);
  const auto take = [&rest](std::size_t bytes) {
    const base::ByteView part = rest.first(bytes);
    rest = rest.subspan(bytes);
    return part;
  };
  out.topic = base::as_text(take(topic_bytes_));
  out.payload = take(payload_bytes_);
  out.response_topic = base::as_text(take(response_bytes_));
  out.properties = rest;
  return out;
}

void OwnedFilters::append(std::string_view filter) {
  payload_.push_back(static_cast<std::uint8_t>(filter.size() >> 8));
  payload_.push_back(static_cast<std::uint8_t>(filter.size() & 0xFF));
  append_to(payload_, filter);
  ++count_;
}

OwnedFilters::OwnedFilters(std::span<const mqtt::SubscribeEntry> entries) {
  for (const mqtt::SubscribeEntry& entry : entries) {
    append(entry.filter);
    payload_.push_back(static_cast<std::uint8_t>(entry.qos | (entry.no_local ? 4U : 0U) |
                                                 (entry.retain_as_published ? 8U : 0U) |
                                                 (static_cast<unsigned>(entry.retain_handling) << 4)));
  }
}

OwnedFilters::OwnedFilters(std::span<const std::string_view> filters) {
  for (const std::string_view filter : filters) append(filter);
}

mqtt::PayloadList<mqtt::SubscribeEntry> OwnedFilters::entries() const {
  return {payload_, count_, kAllOptions};
}

mqtt::PayloadList<std::string_view> OwnedFilters::filters() const {
  return {payload_, count_, 0};
}

}  // namespace mooring::things
