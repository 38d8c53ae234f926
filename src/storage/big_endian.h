// Big-endian numbers in stored bytes, and a reader that never goes beyond its end. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mooring::storage {

inline void put_number(std::string& out, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xFF));
}

// Once something was missing, everything reads as zero or empty, and ok() is false.
class StoredReader {
 public:
  explicit StoredReader(std::string_view bytes) : left_(bytes) {}

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : text(bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view text(std::size_t bytes) {
    if (!ok_ || left_.size() < bytes) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  std::string_view rest() { return text(left_.size()); }
  std::size_t left() const { return left_.size(); }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace mooring::storage
