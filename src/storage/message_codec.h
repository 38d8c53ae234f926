// The bytes of stored messages. Big-endian numbers. All values begin alike, so that what has expired can be told
// without knowing more: version (1, now 1), flags (1), moment of expiry (8, milliseconds since 1970; 0: never).
//
//   body      flags (1: bits 0 and 1 the publisher's QoS, bit 2 its retain flag), publisher (8), the publisher's moment
//             of expiry (8), length (2) and topic, length (4) and properties, payload
//   item      flags: bits 0 and 1 QoS of the delivery, bit 2 its retain flag, bit 3 released, bit 4 the body is a blob.
//             Then count (2) and subscription identifiers (4 each), then the body; or the blob's id (8) and what its
//             message costs in memory (8); or nothing when released: the client has the content, only PUBREL is due
//   retained  flags 0, then the body; a blob's message likewise
//   count     flags 0, then how many items refer to the blob (4)
//
// Pure functions, any thread. Decoding takes any bytes and never reads beyond them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mqtt/message.h"
#include "session/ports.h"
#include "storage/key_codec.h"

namespace mooring::storage {

struct StoredItem {
  session::StoredMessage stored;  // message is null when it is a blob's
  base::WallMs expires_at_ms = 0;
  std::optional<BlobId> blob;
  std::size_t memory_bytes = 0;  // of the message
};

std::string encode_item(const session::QueueItem& item);
std::string encode_item(const session::QueueItem& item, BlobId blob);
std::string encode_released();
base::Result<StoredItem> decode_item(std::uint64_t sequence, std::string_view value);  // Errc::kCorrupt
std::optional<BlobId> blob_in_item(std::string_view value);

// Of a retained message and of a blob's.
std::string encode_message(const mqtt::Message& message, base::WallMs expires_at_ms);
base::Result<mqtt::MessageRef> decode_message(std::string_view value);  // Errc::kCorrupt

std::string encode_count(std::uint32_t count, base::WallMs expires_at_ms);
struct StoredCount {
  std::uint32_t count = 0;
  base::WallMs expires_at_ms = 0;
};
base::Result<StoredCount> decode_count(std::string_view value);  // Errc::kCorrupt

// Of any of the values above. Damaged ones have not expired.
bool has_expired(std::string_view value, base::WallMs now_ms);

// What a released message is read back as.
mqtt::MessageRef released_message();

}  // namespace mooring::storage
