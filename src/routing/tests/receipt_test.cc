#include "routing/receipt.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace mooring::routing {
namespace {

struct Seen {
  int settled = 0;
  int destroyed = 0;
  std::optional<ReceiptTotals> totals;
};

class TestReceipt final : public Receipt {
 public:
  explicit TestReceipt(Seen& seen) : seen_(seen) {}
  ~TestReceipt() override { seen_.destroyed += 1; }

 private:
  void all_settled(const ReceiptTotals& totals) override {
    seen_.settled += 1;
    seen_.totals = totals;
  }
  Seen& seen_;
};

TEST(Receipt, TheLastShareSettlesIt) {
  Seen seen;
  {
    const ReceiptRef receipt(new TestReceipt(seen));
    receipt->expect(2);
    receipt->count({2, 1, false});
    receipt->settle();
    receipt->count({1, 0, true});
    receipt->settle();
    EXPECT_EQ(seen.settled, 0);
    receipt->settle();
    EXPECT_EQ(seen.settled, 1);
  }
  EXPECT_EQ(seen.destroyed, 1);
  ASSERT_TRUE(seen.totals);
  EXPECT_EQ(seen.totals->receivers, 3U);
  EXPECT_EQ(seen.totals->refused, 1U);
  EXPECT_TRUE(seen.totals->failed);
}

TEST(Receipt, FromManyThreads) {
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kShares = 2000;  // of each thread, handed on in between
  Seen seen;
  {
    const ReceiptRef receipt(new TestReceipt(seen));
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < kThreads; ++i) {
      receipt->expect();
      threads.emplace_back([mine = receipt] {
        for (std::uint32_t share = 0; share < kShares; ++share) {
          mine->expect();
          const ReceiptRef copy = mine;
          copy->count({1, 0, false});
          copy->settle();
        }
        mine->settle();
      });
    }
    receipt->settle();
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(seen.settled, 1);
  EXPECT_EQ(seen.destroyed, 1);
  ASSERT_TRUE(seen.totals);
  EXPECT_EQ(seen.totals->receivers, kThreads * kShares);
}

}  // namespace
}  // namespace mooring::routing
