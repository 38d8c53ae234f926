// The keys of the database. Big-endian numbers, so that keys sort by them. Each key but a blob's begins with a
// partition of two bytes: later machines share the partitions out. Pure functions, any thread.
//
//   session   partition of the session key, session key
//   queue     partition of the session number, number (8), sequence (8)
//   received  partition of the session number, number (8), packet identifier (2)
//   retained  partition of the topic, topic
//   blob      'c' (its count) or 'm' (its message), id (8)
//   meta      "drop", number (8): the queue of that number is being removed; and names of single values
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "session/ports.h"

namespace mooring::storage {

using BlobId = std::uint64_t;

// The partition is part of the format: FNV-1a, folded to 16 bits.
std::string partitioned_key(std::string_view text);

inline constexpr std::size_t kSessionPrefixBytes = 2 + 8;
// What the keys of one session's queue, and of its received identifiers, begin with.
std::string session_prefix(session::SessionNumber number);
std::string queue_key(session::SessionNumber number, std::uint64_t sequence);
std::string received_key(session::SessionNumber number, std::uint16_t packet_id);
std::string blob_count_key(BlobId id);
std::string blob_message_key(BlobId id);
std::string drop_key(session::SessionNumber number);

// The first key behind all that begin with `prefix`; empty: there is none.
std::string end_of(std::string_view prefix);

// 0 of keys that are too short.
session::SessionNumber number_in(std::string_view queue_or_received_key);
std::uint64_t sequence_in(std::string_view queue_key);
std::uint16_t packet_id_in(std::string_view received_key);
std::uint64_t id_in(std::string_view blob_or_drop_key);  // the last 8 bytes

}  // namespace mooring::storage
