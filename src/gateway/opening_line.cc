#include "gateway/opening_line.h"

namespace mooring::gateway {

bool OpeningLine::may_go_on(net::LoopClient& client, bool has_begun) {
  const bool first = serving_ || (empty() && !held_);
  if (first && !spent()) {
    spent_ += kStepCost;
    return true;
  }
  if (!static_cast<base::ListHook<net::AgainTag>&>(client).linked()) (has_begun ? begun_ : fresh_).push_back(client);
  wait_for_next_turn();
  return false;
}

void OpeningLine::hold(bool held) {
  held_ = held;
  if (!held && !empty()) wait_for_next_turn();
}

void OpeningLine::on_again() {
  if (!held_) serve();
  if (!empty()) wait_for_next_turn();
}

void OpeningLine::on_timer(base::MonoMs) {
  serve();
  if (!empty()) wait_for_next_turn();
}

void OpeningLine::serve() {
  serving_ = true;
  while (!spent()) {
    const bool fresh_next = begun_.empty() || (++served_ % kFreshEvery == 0 && !fresh_.empty());
    net::LoopClient* next = fresh_next ? fresh_.pop_front() : begun_.pop_front();
    if (next == nullptr) break;
    next->on_again();
  }
  serving_ = false;
}

void OpeningLine::wait_for_next_turn() {
  if (!held_) {
    cancel();
    loop_.call_again(*this);
  } else if (!scheduled()) {
    loop_.timers().schedule(*this, loop_.now_ms() + kHeldMs);
  }
}

bool OpeningLine::spent() {
  if (turn_ != loop_.turn()) {
    turn_ = loop_.turn();
    spent_ = 0;
  }
  return spent_ >= kCostPerTurn;
}

}  // namespace mooring::gateway
