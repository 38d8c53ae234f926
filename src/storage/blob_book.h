// BlobBook: messages that several sessions share, stored once with a count of the items that refer to them.
//
// A message whose payload is larger than kMinPayloadBytes becomes a blob when one group writes it for kMinItems or
// more; later groups join in while it is among the kRecent last ones. At count 0 the blob goes. A blob expires as its
// message does, and so do the items; a blob that is not there is a message that has expired.
//
// Used by the committer only. A group begins with begin_group(), then items are told, then finish_group() puts blobs
// and counts into the batch; end_group() says whether the batch was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "session/ports.h"
#include "storage/key_codec.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

class BlobBook {
 public:
  static constexpr std::size_t kMinItems = 4;
  static constexpr std::size_t kMinPayloadBytes = 256;
  static constexpr std::size_t kRecent = 16;
  static constexpr std::size_t kMaxRecentBytes = 64U << 10;  // larger ones are not kept in memory for later groups

  // `first_id`: above all that were ever used. See find().
  BlobBook(const RocksDatabase& database, BlobId first_id, std::uint64_t live)
      : database_(database), next_id_(first_id), live_(live) {}

  struct Found {
    BlobId newest = 0;
    std::uint64_t live = 0;
  };
  static base::Result<Found> find(const RocksDatabase& database);  // blocks; reads the counts only

  void begin_group();
  void expect(const mqtt::MessageRef& message);  // an item of this message may follow
  // The blob for a new item; nothing: it carries its message itself.
  std::optional<BlobId> add_item(const session::QueueItem& item);
  // The item is removed, or written anew without its message. Looks it up, unless there are no blobs at all. When that
  // fails the blob stays for good: better than to lose what others refer to.
  void drop_item(session::SessionNumber number, std::uint64_t sequence);
  // The same for an item whose value is known.
  void drop_known_item(session::SessionNumber number, std::uint64_t sequence, std::string_view value);
  base::Result<> finish_group(RocksDatabase::Batch& batch);  // fails when a count that must grow cannot be read
  void end_group(bool written);

  std::uint64_t live() const { return live_; }

 private:
  using ItemKey = std::pair<session::SessionNumber, std::uint64_t>;
  struct Change {
    std::int64_t by = 0;
    mqtt::MessageRef created;        // null: it is there already
    base::WallMs expires_at_ms = 0;  // of a created one: its items'
  };
  struct Recent {
    mqtt::MessageRef message;
    BlobId id = 0;
  };

  base::Result<> apply(BlobId id, const Change& change, RocksDatabase::Batch& batch);
  const Recent* recent_of(const mqtt::Message& message) const;

  const RocksDatabase& database_;
  BlobId next_id_;
  std::uint64_t live_;  // at least as many as there are
  std::deque<Recent> recent_;

  // Of the group under way.
  std::unordered_map<const mqtt::Message*, std::size_t> expected_;
  std::unordered_map<const mqtt::Message*, BlobId> created_;
  std::map<BlobId, Change> changes_;
  std::map<ItemKey, BlobId> added_;    // items
  std::map<ItemKey, BlobId> dropped_;  // items that were stored before
  std::vector<BlobId> gone_;
};

}  // namespace mooring::storage
