// OpeningLine: connections that are being opened stand in line for their steps (first bytes, TLS handshake, HTTP head,
// CONNECT, and the first reads behind the sign-in: SUBSCRIBE), so that however many begin at once, a message waits for
// a few steps of a loop turn and not for all of them. So do those whose peer has gone.
//
// Whoever has begun goes before those who have not, so that what was spent on a connection is not lost to its deadline;
// apart from that it is first come, first served. One place of kFreshEvery is for those who have not, or peers that
// begin and never end could keep them out. Who is being opened, who has signed in and who ends take turns. Lives on its
// loop. A client may be destroyed while it stands in line.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "net/loop.h"
#include "net/timer_wheel.h"

namespace mooring::gateway {

enum class LinePlace : std::uint8_t { kFresh, kBegun, kSignedIn, kEnded };

class OpeningLine final : private net::LoopClient, private net::Timer {
 public:
  // What a step costs, in about 40 us. The first step of a handshake has the key exchange and the signature.
  static constexpr std::uint32_t kStepCost = 1;
  static constexpr std::uint32_t kHandshakeStepCost = 2;
  static constexpr std::uint32_t kFirstHandshakeStepCost = 8;
  static constexpr std::uint32_t kCostPerTurn = 16;
  // When they are held: who needs nothing of what is waited for gets through all the same, a turn's share so often.
  static constexpr base::MonoMs kHeldMs = 32;
  static constexpr std::uint32_t kFreshEvery = 8;

  explicit OpeningLine(net::Loop& loop) : loop_(loop) {}

  // Whether `client` may go on now. If not, its on_again() is called when it is its turn; it asks again then.
  bool may_go_on(net::LoopClient& client, LinePlace place);
  // More than kStepCost, which may_go_on() has counted.
  void count(std::uint32_t cost) { spent_ += cost; }
  // Others have enough to do for those who were let through: what they answer comes back to the loop in one turn. Who
  // has signed in, or ends, does not wait for them.
  void hold(bool held);
  // The first of those that end goes on now, whatever the turn has had. False: there is none.
  bool end_one();

 private:
  using Line = base::IntrusiveList<net::LoopClient, net::AgainTag>;

  void on_ready(std::uint32_t) override {}
  void on_again() override;
  void on_timer(base::MonoMs) override;
  Line& line_of(LinePlace place);
  bool nobody_opens() const { return begun_.empty() && fresh_.empty(); }
  bool only_openings() const { return signed_in_.empty() && ended_.empty(); }
  bool empty() const { return nobody_opens() && only_openings(); }
  bool spent();
  void serve(bool openings_too);
  net::LoopClient* take_next(bool openings_too);
  net::LoopClient* take_opening();
  void wait_for_next_turn();

  net::Loop& loop_;
  Line begun_;
  Line fresh_;
  Line signed_in_;
  Line ended_;
  std::uint64_t turn_ = 0;
  std::uint32_t spent_ = 0;  // in that turn
  std::uint32_t asked_ = 0;   // whose turn it is
  std::uint32_t opened_ = 0;  // steps of openings
  bool serving_ = false;  // the client that asks is the one that was called
  bool held_ = false;
  bool overdue_ = false;  // held for kHeldMs: the next turn is theirs as well
};

}  // namespace mooring::gateway
