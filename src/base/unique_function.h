// UniqueFunction: std::function without the demand that the target be copyable (std::move_only_function is C++23).
// Targets of up to 48 bytes that move without throwing are stored in place: no allocation.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace mooring::base {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): mirrors std::function

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> && std::is_invocable_r_v<R, F&, Args...>)
      UniqueFunction(F&& target) {  // NOLINT(google-explicit-constructor): mirrors std::function
    using Target = std::decay_t<F>;
    if constexpr (fits_in_place<Target>()) {
      ::new (static_cast<void*>(storage_)) Target(std::forward<F>(target));
      table_ = &kInPlace<Target>;
    } else {
      ::new (static_cast<void*>(storage_)) Target*(new Target(std::forward<F>(target)));
      table_ = &kOnHeap<Target>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  explicit operator bool() const { return table_ != nullptr; }
  R operator()(Args... args) { return table_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct Table {
    R (*call)(void*, Args&&...);
    void (*move_to)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class Target>
  static constexpr bool fits_in_place() {
    return sizeof(Target) <= sizeof(storage_) && alignof(Target) <= alignof(std::max_align_t) &&
           std::is_nothrow_move_constructible_v<Target>;
  }

  template <class Target>
  static constexpr Table kInPlace{
      [](void* self, Args&&... args) -> R { return (*static_cast<Target*>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        ::new (to) Target(std::move(*static_cast<Target*>(from)));
        static_cast<Target*>(from)->~Target();
      },
      [](void* self) noexcept { static_cast<Target*>(self)->~Target(); }};

  template <class Target>
  static constexpr Table kOnHeap{
      [](void* self, Args&&... args) -> R { return (**static_cast<Target**>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { ::new (to) Target*(*static_cast<Target**>(from)); },
      [](void* self) noexcept { delete *static_cast<Target**>(self); }};

  void take(UniqueFunction& other) noexcept {
    if (other.table_ == nullptr) return;
    other.table_->move_to(other.storage_, storage_);
    table_ = std::exchange(other.table_, nullptr);
  }
  void reset() noexcept {
    if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(storage_);
  }

  alignas(std::max_align_t) std::byte storage_[48];
  const Table* table_ = nullptr;
};

}  // namespace mooring::base
