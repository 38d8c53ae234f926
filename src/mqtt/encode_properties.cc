#include "mqtt/encode_properties.h"

#include "mqtt/byte_writer.h"

namespace mooring::mqtt {

void PropertyWriter::number(PropertyId id, std::uint32_t value) {
  append_property(block_, id, value);
  mark(id);
}

void PropertyWriter::number_unless(std::uint32_t absent, PropertyId id, std::uint32_t value) {
  if (value != absent) number(id, value);
}

void PropertyWriter::text_unless_empty(PropertyId id, std::string_view text) {
  if (text.empty()) return;
  append_property(block_, id, text);
  mark(id);
}

void PropertyWriter::authentication(std::optional<std::string_view> method, base::ByteView data) {
  if (!method) return;
  append_property(block_, PropertyId::kAuthenticationMethod, *method);
  mark(PropertyId::kAuthenticationMethod);
  if (data.empty()) return;
  append_property(block_, PropertyId::kAuthenticationData, data);
  mark(PropertyId::kAuthenticationData);
}

void PropertyWriter::rest_of(base::ByteView checked_block) {
  PropertyReader reader(checked_block);
  for (Property property; reader.next(property);) {
    const std::uint64_t mask = std::uint64_t{1} << static_cast<unsigned>(property.id);
    if ((written_ & mask) == 0) ByteWriter(block_).raw(property.encoded);
  }
}

const char* find_property_fault(base::ByteView block, PropertyPlace place, Sender sender) {
  const ProtocolError* error = check_properties(block, place, sender);
  return error == nullptr ? nullptr : error->text.data();  // made from a literal, so it ends with a NUL
}

}  // namespace mooring::mqtt
