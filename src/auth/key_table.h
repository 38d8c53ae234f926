// KeyTable: when something was last seen, and how often within a second, for keys that strangers can make up. Fixed
// memory: 16 bytes a slot, taken from the system when first used; when the eight slots of a key's bucket are in use the
// one that was idle longest is forgotten. Keys are hashes under a secret (crypto/keyed_hash.h), never 0. Thread-safe,
// small locks; for the connect path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"

namespace mooring::auth {

class KeyTable {
 public:
  explicit KeyTable(std::size_t slots);  // rounded up to whole buckets
  ~KeyTable();

  void mark(std::uint64_t key, base::MonoMs now_ms);
  void forget(std::uint64_t key);
  // Whether it was marked within the last `window_ms`; whole seconds, so up to one longer.
  bool marked_within(std::uint64_t key, base::MonoMs now_ms, base::MonoMs window_ms) const;
  // Counts it; how often that happened in the present second, this time included.
  std::uint32_t count(std::uint64_t key, base::MonoMs now_ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::auth
