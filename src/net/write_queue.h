// WriteQueue: bytes on their way to one socket. Small pieces are copied together into pooled blocks, so that a turn's
// packets leave in one write; large ones are only referred to. An empty queue holds no memory.
// One thread at a time; the pool belongs to the loop. A queue may go on with the pool of another loop: its blocks then
// end up there.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace mooring::net {

struct WriteBlock;

// Spare blocks of one loop. Keeps at most kMaxSpare of them; the rest goes back to the allocator.
class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();
  WriteBlock* take();
  void give_back(WriteBlock* block);

 private:
  static constexpr std::size_t kMaxSpare = 1024;
  WriteBlock* spare_ = nullptr;
  std::size_t spare_count_ = 0;
};

class WriteQueue {
 public:
  WriteQueue() = default;
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;
  ~WriteQueue();

  void append(BlockPool& pool, base::ByteView bytes);  // copies
  // Room for at least `bytes` (at most kMaxReserve) contiguous bytes to write into; commit() says how many were used.
  static constexpr std::size_t kMaxReserve = 1'280;
  std::uint8_t* reserve(BlockPool& pool, std::size_t bytes);
  void commit(std::size_t bytes);
  // Refers to bytes that stay valid until `release(owner)` is called, which happens once they are written or dropped.
  void append_shared(BlockPool& pool, base::ByteView bytes, void* owner, void (*release)(void*));

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // The first pieces, as many as fit into `out`; returns how many.
  std::size_t gather(std::span<iovec> out) const;
  void consume(BlockPool& pool, std::size_t bytes);
  void clear(BlockPool& pool);

 private:
  void push(WriteBlock* block);
  WriteBlock* head_ = nullptr;
  WriteBlock* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mooring::net
