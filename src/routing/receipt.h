// Receipt: when is a published message safe with everybody who wants it? The publisher's acknowledgement waits for that
// (an acknowledged QoS 1 or 2 message is stored, or has been acknowledged by every receiver whose session outlives its
// connection).
//
// A receipt starts with one share, the publisher's own. Every loop the message goes to, and every session in which it
// still waits for its commit or its acknowledgement, holds a further one. Whoever is done settles its share, from any
// thread; the last one calls all_settled(). Shares are never settled twice and all of them are settled in the end, also
// when a session or a loop goes away: a receipt must not wait for ever.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/assert.h"

namespace mooring::routing {

// What became of a message, added up over the shares.
struct ReceiptTotals {
  std::uint32_t receivers = 0;  // sessions that took it
  std::uint32_t refused = 0;    // sessions that had no room for it, or whose store failed
  bool failed = false;          // the store did not take it: the message must not be acknowledged as stored
};

class Receipt {
 public:
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // Before a share is handed to somebody else; the caller holds a share itself.
  void expect(std::uint32_t shares = 1) { open_.fetch_add(shares, std::memory_order_relaxed); }

  // Adds to the totals; the caller holds a share.
  void count(const ReceiptTotals& more) {
    if (more.receivers != 0) receivers_.fetch_add(more.receivers, std::memory_order_relaxed);
    if (more.refused != 0) refused_.fetch_add(more.refused, std::memory_order_relaxed);
    if (more.failed) failed_.store(true, std::memory_order_relaxed);
  }

  void settle() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    all_settled({receivers_.load(std::memory_order_relaxed), refused_.load(std::memory_order_relaxed),
                 failed_.load(std::memory_order_relaxed)});
  }

 protected:
  Receipt() = default;
  virtual ~Receipt() = default;
  // Once, on the thread that settled last.
  virtual void all_settled(const ReceiptTotals& totals) = 0;

 private:
  friend class ReceiptRef;
  std::atomic<std::uint32_t> references_{0};
  std::atomic<std::uint32_t> open_{1};
  std::atomic<std::uint32_t> receivers_{0};
  std::atomic<std::uint32_t> refused_{0};
  std::atomic<bool> failed_{false};
};

class ReceiptRef {
 public:
  ReceiptRef() = default;
  explicit ReceiptRef(Receipt* receipt) : receipt_(receipt) { add(); }
  ReceiptRef(const ReceiptRef& other) : receipt_(other.receipt_) { add(); }
  ReceiptRef(ReceiptRef&& other) noexcept : receipt_(std::exchange(other.receipt_, nullptr)) {}
  ReceiptRef& operator=(ReceiptRef other) noexcept {
    std::swap(receipt_, other.receipt_);
    return *this;
  }
  ~ReceiptRef() {
    if (receipt_ != nullptr && receipt_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete receipt_;
  }

  explicit operator bool() const { return receipt_ != nullptr; }
  Receipt& operator*() const { return *receipt_; }
  Receipt* operator->() const { return receipt_; }
  Receipt* get() const { return receipt_; }

 private:
  void add() {
    if (receipt_ != nullptr) receipt_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  Receipt* receipt_ = nullptr;
};

}  // namespace mooring::routing
