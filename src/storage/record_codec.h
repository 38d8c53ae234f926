// The bytes of a stored session record. Big-endian numbers. Its key is partitioned_key() of the session key.
//
//   version 2   version (1), epoch (8), number (8), expiry (4), offline since (8), flags (1), count (4), then for each
//               subscription: options (1), subscription identifier (4), length (2), filter; then the will: options (1),
//               delay (4), message expiry (4), length (2) and topic, length (4) and properties, length (4) and payload;
//               then which automatic subscriptions were left (8). Flags: bit 0 keeps messages, bit 1 a will follows,
//               bit 2 automatic subscriptions follow, bit 3 a device of profile `mqtt`. Options: bits 0 and 1 QoS; of a
//               subscription bit 2 no local, bit 3 retain as published; of a will bit 2 retain
//   version 1   read only: version (1), epoch (8), count (4), then for each subscription: QoS (1), length (2), filter
//
// Pure functions, any thread. Decoding takes any bytes and never reads beyond them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "session/ports.h"

namespace mooring::storage {

// Filters and will topics of more than 65,535 bytes cannot be; the caller has refused them long before.
std::string encode_record(const session::SessionRecord& record, session::Epoch epoch);

struct StoredRecord {
  session::Epoch epoch = 0;
  session::SessionRecord record;  // of version 1: number 0, everything new at its default
};
base::Result<StoredRecord> decode_record(std::string_view session_key, std::string_view value);  // Errc::kCorrupt

// Only the epoch: what a write is compared with.
base::Result<session::Epoch> decode_record_epoch(std::string_view value);

std::string encode_number(std::uint64_t number);
base::Result<std::uint64_t> decode_number(std::string_view value);

}  // namespace mooring::storage
