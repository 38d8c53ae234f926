// Counts sign-ins per device and refusals per address, so that devices that displace each other or keep failing are
// answered cheaply. Source: connection.md section 7 ("CONNECT per device"), 4.5 row 3, 17 row 21 and 29.
//
// Thread-safe (small locks, connect path only). Fixed memory: 48 bytes a slot; when the slots of a bucket are all in
// use the one that was idle longest is forgotten. Counting is by five-second cells: within any 60 s never more than the
// limit, and an event is forgotten after 65 s at the latest. Limits count per minute; 0 = off.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"

namespace mooring::auth {

// Events per key in the last minute. Keys are kept as a keyed hash only.
class MinuteCounter {
 public:
  // `slots` is rounded up to whole shards; it bounds memory and the number of keys that are told apart.
  MinuteCounter(std::size_t slots, base::Random& random);
  ~MinuteCounter();

  // `now_ms` may lag a little behind earlier calls (other threads); it never counts backwards.
  void count(std::initializer_list<std::string_view> key, base::MonoMs now_ms);
  std::uint32_t events(std::initializer_list<std::string_view> key, base::MonoMs now_ms) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ConnectLimiter {
 public:
  struct Limits {
    std::uint32_t connects_per_device_per_minute = 5;
    std::uint32_t refusals_per_address_per_minute = 20;
    std::uint32_t connects_per_second = 500;  // of all devices together
  };
  static constexpr std::size_t kDefaultSlots = 32768;

  ConnectLimiter(Limits limits, base::Random& random, std::size_t slots = kDefaultSlots);

  void set_limits(Limits limits);  // for a reload; counts are kept

  // Row 3: counts a CONNECT of any device; true when this second had its share already.
  bool over_rate(base::MonoMs now_ms);

  // Row 3: ask before, count when the sign-in was accepted.
  bool device_over_limit(const base::DeviceKeyView& device, base::MonoMs now_ms) const;
  void count_accepted(const base::DeviceKeyView& device, base::MonoMs now_ms);

  // Addresses as text without port. IPv6 counts by its first 64 bits, mapped IPv4 as IPv4.
  bool address_over_limit(std::string_view address, base::MonoMs now_ms) const;
  void count_refused(std::string_view address, base::MonoMs now_ms);

 private:
  std::atomic<std::uint32_t> device_limit_;
  std::atomic<std::uint32_t> address_limit_;
  std::atomic<std::uint32_t> rate_limit_;
  std::atomic<std::uint64_t> this_second_{0};  // the second in the upper 32 bits, its CONNECTs below
  MinuteCounter devices_;
  MinuteCounter addresses_;
};

}  // namespace mooring::auth
