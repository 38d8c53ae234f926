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

#include "auth/key_table.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "crypto/keyed_hash.h"

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

// Who is answered without a look-up because of what came from the same address before (docs/adr/0011).
//
// An address with too many refusals in the last minute is in back-off. From it
//  * who was refused in the last minute is turned away, whoever it is;
//  * who signed in from there within a day is let through: devices behind the same address are not to pay for others;
//  * of all others so many a second are let through that a new device gets in, and guessing names does not pay.
// A TLS handshake is dear and comes before anybody says who it is: so many a second, more where somebody signed in.
// A password is dear to verify: of those who did not sign in from there so few a second, whatever else is let through.
// `who` is the user name that a device or account claims. Empty: it did not say, and is always a stranger.
class ConnectLimiter {
 public:
  struct Limits {
    std::uint32_t connects_per_device_per_minute = 5;
    std::uint32_t refusals_per_address_per_minute = 20;
    std::uint32_t connects_per_second = 500;  // of all devices together
  };
  static constexpr std::size_t kDefaultSlots = 32768;
  // From one address in back-off, in a second.
  static constexpr std::uint32_t kStrangersPerSecond = 100;
  static constexpr std::uint32_t kHandshakesOfStrangersPerSecond = 5;
  static constexpr std::uint32_t kHandshakesPerSecond = 200;
  static constexpr std::uint32_t kPasswordsOfStrangersPerSecond = 2;

  ConnectLimiter(Limits limits, base::Random& random, std::size_t slots = kDefaultSlots);

  void set_limits(Limits limits);  // for a reload; counts are kept

  // Row 3: ask before, count when the sign-in was accepted. Refused ones are not counted, so nobody can use up what
  // others need.
  bool over_rate(base::MonoMs now_ms) const;  // true when this second has had its share of devices
  bool device_over_limit(const base::DeviceKeyView& device, base::MonoMs now_ms) const;
  void count_accepted(const base::DeviceKeyView& device, base::MonoMs now_ms);
  // Of a child, which its gateway signs in: under its own limit, and the gateway's, but no CONNECT of this second.
  void count_child(const base::DeviceKeyView& device, base::MonoMs now_ms);

  // Addresses as text without port. IPv6 counts by its first 64 bits, mapped IPv4 as IPv4.
  bool address_over_limit(std::string_view address, base::MonoMs now_ms) const;
  bool turned_away(std::string_view address, std::string_view who, base::MonoMs now_ms);
  // Whether it is for a refusal of its own that this one is turned away now. Counts nothing.
  bool refused_lately(std::string_view address, std::string_view who, base::MonoMs now_ms) const;
  bool may_shake_hands(std::string_view address, base::MonoMs now_ms);
  bool may_check_password(std::string_view address, std::string_view who, base::MonoMs now_ms);
  // Refused for a mistake of the client's. True: with this one the address goes into back-off.
  bool count_refused(std::string_view address, std::string_view who, base::MonoMs now_ms);
  void remember_accepted(std::string_view address, std::string_view who, base::MonoMs now_ms);

 private:
  enum class Standing { kRefused, kKnown, kStranger };
  Standing standing(std::string_view from, std::string_view who, base::MonoMs now_ms) const;

  std::atomic<std::uint32_t> device_limit_;
  std::atomic<std::uint32_t> address_limit_;
  std::atomic<std::uint32_t> rate_limit_;
  std::atomic<std::uint64_t> this_second_{0};  // the second in the upper 32 bits, its sign-ins below
  MinuteCounter devices_;
  MinuteCounter addresses_;
  const crypto::KeyedHash hash_;
  KeyTable refused_;         // address and user name
  KeyTable accepted_;        // likewise
  KeyTable good_addresses_;  // somebody signed in from there
  KeyTable strangers_;       // addresses, in this second
  KeyTable handshakes_;      // likewise
  KeyTable passwords_;       // likewise
};

}  // namespace mooring::auth
