// How many connections there may be, over all loops, and each connection's place among them. Touched when a connection
// begins and ends only; any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace mooring::gateway {

struct ConnectionBudget {
  std::atomic<std::size_t> open{0};
  std::atomic<std::size_t> max{0};  // 0 = no limit
  std::atomic<std::uint64_t> refused{0};
};

// Counts in `open` from its making to its end, wherever that is: also on the way from one loop to another.
class ConnectionPlace {
 public:
  ConnectionPlace() = default;  // counts nowhere
  explicit ConnectionPlace(ConnectionBudget& budget) : budget_(&budget) {
    budget.open.fetch_add(1, std::memory_order_relaxed);
  }
  ConnectionPlace(ConnectionPlace&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
  ConnectionPlace& operator=(ConnectionPlace&&) = delete;
  ~ConnectionPlace() { give_back(); }
  void give_back() {
    if (budget_ != nullptr) std::exchange(budget_, nullptr)->open.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  ConnectionBudget* budget_ = nullptr;
};

}  // namespace mooring::gateway
