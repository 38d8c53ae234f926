#include "gateway/opening_line.h"

#include <utility>

namespace mooring::gateway {

bool OpeningLine::may_go_on(net::LoopClient& client, LinePlace place) {
  const bool is_held = held_ && (place == LinePlace::kFresh || place == LinePlace::kBegun);
  const bool first = serving_ || (empty() && !is_held);
  if (first && !spent()) {
    spent_ += kStepCost;
    return true;
  }
  if (!static_cast<base::ListHook<net::AgainTag>&>(client).linked()) line_of(place).push_back(client);
  wait_for_next_turn();
  return false;
}

OpeningLine::Line& OpeningLine::line_of(LinePlace place) {
  switch (place) {
    case LinePlace::kFresh:
      return fresh_;
    case LinePlace::kBegun:
      return begun_;
    case LinePlace::kSignedIn:
      return signed_in_;
    case LinePlace::kEnded:
      break;
  }
  return ended_;
}

void OpeningLine::hold(bool held) {
  held_ = held;
  if (!held && !empty()) wait_for_next_turn();
}

bool OpeningLine::end_one() {
  net::LoopClient* const next = ended_.pop_front();
  if (next == nullptr) return false;
  const bool was_serving = std::exchange(serving_, true);
  const std::uint32_t before = spent() ? std::exchange(spent_, 0) : 0;
  next->on_again();
  spent_ += before;
  serving_ = was_serving;
  return true;
}

void OpeningLine::on_again() {
  serve(std::exchange(overdue_, false) || !held_);
  if (!empty()) wait_for_next_turn();
}

// Those who are not held may have used up this turn.
void OpeningLine::on_timer(base::MonoMs) {
  overdue_ = true;
  wait_for_next_turn();
}

void OpeningLine::serve(bool openings_too) {
  serving_ = true;
  while (!spent()) {
    net::LoopClient* const next = take_next(openings_too);
    if (next == nullptr) break;
    next->on_again();
  }
  serving_ = false;
}

net::LoopClient* OpeningLine::take_next(bool openings_too) {
  constexpr int kKinds = 3;
  for (int kind = 0; kind < kKinds; ++kind) {
    net::LoopClient* next = nullptr;
    switch (asked_++ % kKinds) {
      case 0:
        next = ended_.pop_front();
        break;
      case 1:
        next = signed_in_.pop_front();
        break;
      default:
        if (openings_too) next = take_opening();
        break;
    }
    if (next != nullptr) return next;
  }
  return nullptr;
}

net::LoopClient* OpeningLine::take_opening() {
  if (nobody_opens()) return nullptr;
  const bool fresh_next = begun_.empty() || (++opened_ % kFreshEvery == 0 && !fresh_.empty());
  return fresh_next ? fresh_.pop_front() : begun_.pop_front();
}

void OpeningLine::wait_for_next_turn() {
  if (!held_) cancel();
  if (!held_ || overdue_ || !only_openings()) loop_.call_again(*this);
  if (held_ && !overdue_ && !nobody_opens() && !scheduled()) loop_.timers().schedule(*this, loop_.now_ms() + kHeldMs);
}

bool OpeningLine::spent() {
  if (turn_ != loop_.turn()) {
    turn_ = loop_.turn();
    spent_ = 0;
  }
  return spent_ >= kCostPerTurn;
}

}  // namespace mooring::gateway
