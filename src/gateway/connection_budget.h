// How many connections there may be, over all loops, and each connection's place among them. Touched when a connection
// begins and ends only; any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  // Nothing: there is none left. Loops that ask at the same time do not get more than there are.
  static std::optional<ConnectionPlace> within(ConnectionBudget& budget) {
    const std::size_t max = budget.max.load(std::memory_order_relaxed);
    std::size_t open = budget.open.load(std::memory_order_relaxed);
    do {
      if (max != 0 && open >= max) return std::nullopt;
    } while (!budget.open.compare_exchange_weak(open, open + 1, std::memory_order_relaxed));
    ConnectionPlace place;
    place.budget_ = &budget;
    return place;
  }
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
