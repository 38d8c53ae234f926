// PublishReceipt: the receipt of a message that a client published with QoS 1 or 2. When all its shares are settled,
// `done` is called on the publisher's loop.
//
// Transaction: the receipt of a QoS 2 message. What its receivers' sessions and the publisher's session have to store
// is collected from all loops and written together, all or nothing; otherwise a crash in between could lose the message
// or deliver it twice when the publisher repeats it.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "routing/receipt.h"
#include "session/ports.h"

namespace mooring::broker {

class PublishReceipt : public routing::Receipt {
 public:
  using Done = base::UniqueFunction<void(const routing::ReceiptTotals&)>;
  PublishReceipt(base::Executor& home, Done done) : home_(home), done_(std::move(done)) {}

 protected:
  void all_settled(const routing::ReceiptTotals& totals) override {
    home_.post([done = std::move(done_), totals]() mutable { done(totals); });
  }

  base::Executor& home_;
  Done done_;
};

class Transaction final : public PublishReceipt {
 public:
  Transaction(session::SessionStore& store, base::Executor& home, Done done)
      : PublishReceipt(home, std::move(done)), store_(store) {}

  // By a holder of a share, on its loop. `told` is called there with the outcome.
  using Told = base::UniqueFunction<void(bool stored)>;
  void add(session::StoreOperation operation, base::Executor& loop, Told told);
  void add(base::Executor& loop, Told told);  // nothing to store, but the outcome matters

 private:
  void all_settled(const routing::ReceiptTotals& totals) override;
  void finish(routing::ReceiptTotals totals, bool stored);

  struct Party {
    base::Executor* loop;
    Told told;
  };
  session::SessionStore& store_;
  std::mutex mutex_;  // guards what follows until all is settled
  std::vector<session::StoreOperation> operations_;
  std::vector<Party> parties_;
};

}  // namespace mooring::broker
