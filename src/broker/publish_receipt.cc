#include "broker/publish_receipt.h"

namespace mooring::broker {

void Transaction::add(session::StoreOperation operation, base::Executor& loop, Told told) {
  const std::lock_guard lock(mutex_);
  operations_.push_back(std::move(operation));
  parties_.push_back({&loop, std::move(told)});
}

void Transaction::add(base::Executor& loop, Told told) {
  const std::lock_guard lock(mutex_);
  parties_.push_back({&loop, std::move(told)});
}

// With every share settled nobody else is here any more.
void Transaction::all_settled(const routing::ReceiptTotals& totals) {
  if (operations_.empty() || totals.failed || totals.receivers == 0) {
    finish(totals, !totals.failed);
    return;
  }
  store_.write(std::move(operations_), home_, [self = routing::ReceiptRef(this), this, totals](base::Result<> written) {
    finish(totals, written.has_value());
  });
}

// The publisher's PUBREC before what becomes of the message, where both are one client.
void Transaction::finish(routing::ReceiptTotals totals, bool stored) {
  totals.failed = !stored;
  PublishReceipt::all_settled(totals);
  for (Party& party : parties_) {
    party.loop->post([told = std::move(party.told), stored]() mutable { told(stored); });
  }
  parties_.clear();
}

}  // namespace mooring::broker
