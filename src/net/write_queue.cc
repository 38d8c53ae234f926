#include "net/write_queue.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace mooring::net {

namespace {
constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kHeaderBytes = 40;
}  // namespace

struct WriteBlock {
  WriteBlock* next = nullptr;
  const std::uint8_t* shared = nullptr;  // not null: refers to bytes of `owner`
  void* owner = nullptr;
  void (*release)(void*) = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint8_t data[kBlockBytes - kHeaderBytes];

  const std::uint8_t* bytes() const { return shared != nullptr ? shared : data; }
  std::size_t room() const { return shared != nullptr ? 0 : sizeof data - end; }
};

BlockPool::~BlockPool() {
  while (spare_ != nullptr) {
    WriteBlock* next = spare_->next;
    delete spare_;
    spare_ = next;
  }
}

WriteBlock* BlockPool::take() {
  if (spare_ == nullptr) return new WriteBlock;
  WriteBlock* block = spare_;
  spare_ = block->next;
  --spare_count_;
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void BlockPool::give_back(WriteBlock* block) {
  if (block->shared != nullptr) {
    block->release(block->owner);
    block->shared = nullptr;
  }
  if (spare_count_ >= kMaxSpare) {
    delete block;
    return;
  }
  block->next = spare_;
  spare_ = block;
  ++spare_count_;
}

WriteQueue::~WriteQueue() {
  MOORING_ASSERT(head_ == nullptr);
}

void WriteQueue::push(WriteBlock* block) {
  if (tail_ != nullptr) {
    tail_->next = block;
  } else {
    head_ = block;
  }
  tail_ = block;
}

void WriteQueue::append(BlockPool& pool, base::ByteView bytes) {
  while (!bytes.empty()) {
    if (tail_ == nullptr || tail_->room() == 0) push(pool.take());
    const std::size_t part = std::min(tail_->room(), bytes.size());
    std::memcpy(tail_->data + tail_->end, bytes.data(), part);
    tail_->end += static_cast<std::uint32_t>(part);
    size_ += part;
    bytes = bytes.subspan(part);
  }
}

std::uint8_t* WriteQueue::reserve(BlockPool& pool, std::size_t bytes) {
  MOORING_ASSERT(bytes <= kMaxReserve);
  if (tail_ == nullptr || tail_->room() < bytes) push(pool.take());
  return tail_->data + tail_->end;
}

void WriteQueue::commit(std::size_t bytes) {
  tail_->end += static_cast<std::uint32_t>(bytes);
  size_ += bytes;
}

void WriteQueue::append_shared(BlockPool& pool, base::ByteView bytes, void* owner, void (*release)(void*)) {
  MOORING_ASSERT(!bytes.empty() && bytes.size() <= 0xFFFFFFFF);
  WriteBlock* block = pool.take();
  block->shared = bytes.data();
  block->owner = owner;
  block->release = release;
  block->begin = 0;
  block->end = static_cast<std::uint32_t>(bytes.size());
  push(block);
  size_ += bytes.size();
}

std::size_t WriteQueue::gather(std::span<iovec> out) const {
  std::size_t count = 0;
  for (WriteBlock* block = head_; block != nullptr && count < out.size(); block = block->next) {
    if (block->begin == block->end) continue;
    // writev does not write through iov_base; its type just cannot say so.
    out[count].iov_base = const_cast<std::uint8_t*>(block->bytes() + block->begin);
    out[count].iov_len = block->end - block->begin;
    ++count;
  }
  return count;
}

void WriteQueue::consume(BlockPool& pool, std::size_t bytes) {
  MOORING_ASSERT(bytes <= size_);
  size_ -= bytes;
  while (head_ != nullptr) {
    const std::size_t held = head_->end - head_->begin;
    if (bytes < held) {
      head_->begin += static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= held;
    WriteBlock* done = head_;
    head_ = done->next;
    if (head_ == nullptr) tail_ = nullptr;
    pool.give_back(done);
    if (bytes == 0 && size_ > 0) return;
  }
}

void WriteQueue::clear(BlockPool& pool) {
  while (head_ != nullptr) {
    WriteBlock* next = head_->next;
    pool.give_back(head_);
    head_ = next;
  }
  tail_ = nullptr;
  size_ = 0;
}

}  // namespace mooring::net
