// How a session record lies in the database. Big-endian numbers.
//
//   key    2 bytes partition (of the session key: later machines share the partitions out), then the session key
//   value  1 byte version, 8 bytes epoch, 4 bytes count, then for each subscription: 1 byte QoS, 2 bytes length, filter
//
// Pure functions, any thread. Decoding takes any bytes and never reads beyond them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "session/ports.h"

namespace mooring::storage {

// The partition is part of the format: FNV-1a of the session key, folded to 16 bits.
std::string encode_record_key(std::string_view session_key);

// Filters of more than 65,535 bytes cannot be; the caller has refused them long before.
std::string encode_record(const session::SessionRecord& record, session::Epoch epoch);

struct StoredRecord {
  session::Epoch epoch = 0;
  session::SessionRecord record;
};
base::Result<StoredRecord> decode_record(std::string_view session_key, std::string_view value);  // Errc::kCorrupt

// Only the epoch: what a write is compared with.
base::Result<session::Epoch> decode_record_epoch(std::string_view value);

std::string encode_number(std::uint64_t number);
base::Result<std::uint64_t> decode_number(std::string_view value);

}  // namespace mooring::storage
