// PropertyWriter: makes the property block of a packet from fields and from a block. Inside the encoders.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "mqtt/property_block.h"

namespace mooring::mqtt {

class PropertyWriter {
 public:
  void number(PropertyId id, std::uint32_t value);
  // Not if it is what the property's absence means.
  void number_unless(std::uint32_t absent, PropertyId id, std::uint32_t value);
  template <class Number>
  void optional_number(PropertyId id, const std::optional<Number>& value) {
    if (value) number(id, *value);
  }
  void text_unless_empty(PropertyId id, std::string_view text);
  // The data only if there is a method, as it must be.
  void authentication(std::optional<std::string_view> method, base::ByteView data);
  // What a checked block has besides the properties written so far.
  void rest_of(base::ByteView checked_block);

  base::Bytes take() { return std::move(block_); }

 private:
  void mark(PropertyId id) { written_ |= std::uint64_t{1} << static_cast<unsigned>(id); }

  base::Bytes block_;
  std::uint64_t written_ = 0;  // a bit for each identifier
};

// The text of a violation, for those who hand a block to an encoder; null if the block is good.
const char* find_property_fault(base::ByteView block, PropertyPlace place, Sender sender);

}  // namespace mooring::mqtt
