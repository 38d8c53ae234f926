#include "mqtt/receive_publish.h"

#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {
namespace {

const ProtocolError* resolve(std::uint16_t alias, std::uint16_t alias_maximum, std::unique_ptr<TopicAliases>& aliases,
                             std::string_view& topic) {
  if (alias > alias_maximum) return &errors::kTopicAliasTooLarge;
  if (topic.empty()) {
    if (aliases != nullptr) topic = aliases->find(alias);
    return topic.empty() ? &errors::kTopicAliasUnknown : nullptr;
  }
  if (aliases == nullptr) aliases = std::make_unique<TopicAliases>();
  aliases->set(alias, topic);
  return nullptr;
}

}  // namespace

const ProtocolError* receive_publish5(Sender sender, std::uint8_t flags, base::ByteView body,
                                      std::uint16_t alias_maximum, std::unique_ptr<TopicAliases>& aliases,
                                      Publish& out) {
  std::uint16_t alias = 0;
  if (const ProtocolError* error = decode_publish(Version::k5, sender, flags, body, out, alias)) return error;
  return alias == 0 ? nullptr : resolve(alias, alias_maximum, aliases, out.topic);
}

}  // namespace mooring::mqtt
