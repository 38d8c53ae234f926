// Connections that have just signed in, whose peer has gone, or that are late, when they are many at once. The
// conversation wants nothing but to be there.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "gateway/connection.h"
#include "gateway/opening_line.h"
#include "net/loop.h"

namespace mooring::gateway {
namespace {

constexpr int kMany = 100;
constexpr int kTurnsToReadAll = 3;

// What the conversations of a test were told, all together.
struct Told {
  std::map<std::uint64_t, int> read_in_turn, ended_in_turn, late_in_turn;
  base::MonoMs deadline_ms = 0;  // of all of them; 0: none
};

class Calm final : public Conversation {
 public:
  Calm(Transport& transport, Told& told) : transport_(transport), told_(told) {}
  std::size_t receive(base::MutableBytes input) override {
    ++told_.read_in_turn[transport_.loop().turn()];
    transport_.established();
    return input.size();
  }
  void transport_ended(TransportEnd) override { ++told_.ended_in_turn[transport_.loop().turn()]; }
  base::MonoMs deadline() const override { return told_.deadline_ms; }
  void on_deadline(base::MonoMs) override {
    ++told_.late_in_turn[transport_.loop().turn()];
    transport_.abort();
  }
  void shut_down() override { transport_.finish(); }

 private:
  Transport& transport_;
  Told& told_;
};

// As Gateway is, as far as connections notice.
class Owner final : public ConnectionOwner, public Told {
 public:
  explicit Owner(net::Loop& loop) : line(loop), loop_(loop) {}
  ~Owner() override {
    while (Connection* connection = connections.pop_front()) delete connection;
  }
  std::unique_ptr<Conversation> make_mqtt(Transport& transport, const ListenerContext&) override {
    return std::make_unique<Calm>(transport, *this);
  }
  std::unique_ptr<Conversation> make_http(Transport&, const ListenerContext&) override { return nullptr; }
  void send_away(Connection&, session::LoopId) override { FAIL(); }
  bool may_go_on(Connection& connection, LinePlace place) override {
    if (!endless || place != LinePlace::kSignedIn) return line.may_go_on(connection, place);
    if (!static_cast<base::ListHook<net::AgainTag>&>(connection).linked()) waiting_.push_back(connection);
    return false;
  }
  void closed(Connection& connection) override {
    ++closed_in_turn[loop_.turn()];
    static_cast<base::ListHook<ConnectionListTag>&>(connection).unlink();
    loop_.destroy_later(std::unique_ptr<net::LoopClient>(&connection));
    if (connections.empty()) loop_.stop();
  }

  OpeningLine line;
  base::IntrusiveList<Connection, ConnectionListTag> connections;
  std::map<std::uint64_t, int> closed_in_turn;
  bool endless = false;  // the line of those who have signed in

 private:
  net::Loop& loop_;
  base::IntrusiveList<net::LoopClient, net::AgainTag> waiting_;
};

// Calls once, in so many milliseconds.
class Later final : public net::Timer {
 public:
  Later(net::Loop& loop, base::MonoMs in_ms, std::function<void()> call) : call_(std::move(call)) {
    loop.timers().schedule(*this, loop.now_ms() + in_ms);
  }
  void on_timer(base::MonoMs) override { call_(); }

 private:
  std::function<void()> call_;
};

class InLine : public testing::Test {
 protected:
  struct Pair {
    Connection* connection = nullptr;
    net::UniqueFd peer;
  };
  Pair& open() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    Pair& made = pairs_.emplace_back();
    made.peer = net::UniqueFd(pair[1]);
    made.connection = new Connection(*loop_, owner_, context_, net::UniqueFd(pair[0]), {}, ConnectionPlace(budget_));
    owner_.connections.push_back(*made.connection);
    made.connection->start();
    return made;
  }
  void all_say_more() {
    owner_.read_in_turn.clear();
    for (const Pair& pair : pairs_) say(pair);
  }
  // When all that was said has been read. Turns alone pass quickly while nothing is to be done.
  void when_read(std::function<void()> then) {
    loop_->post([this, then = std::move(then)]() mutable {
      if (total(owner_.read_in_turn) >= kMany) {
        then();
      } else {
        when_read(std::move(then));
      }
    });
  }
  static void say(const Pair& to) { EXPECT_EQ(::send(to.peer.get(), "\x10", 1, 0), 1); }
  // Signed in, all of them. Then `then`, and turns until nobody is left.
  void open_many_and(std::function<void()> then) {
    for (int i = 0; i < kMany; ++i) say(open());
    when_read(std::move(then));
    loop_->run();
  }
  // In a later turn: a burst is read in parts.
  void after_turns(int turns, std::function<void()> then) {
    loop_->post([this, turns, then = std::move(then)]() mutable {
      if (turns == 0) {
        then();
      } else {
        after_turns(turns - 1, std::move(then));
      }
    });
  }
  void hang_up() {
    for (Pair& pair : pairs_) pair.peer.reset();
  }
  static int total(const std::map<std::uint64_t, int>& turns) {
    int sum = 0;
    for (const auto& [turn, count] : turns) sum += count;
    return sum;
  }
  static int most(const std::map<std::uint64_t, int>& turns) {
    int found = 0;
    for (const auto& [turn, count] : turns) found = std::max(found, count);
    return found;
  }

  std::unique_ptr<net::Loop> loop_ = *net::Loop::create();
  ConnectionBudget budget_;
  ListenerContext context_;
  Owner owner_{*loop_};
  std::vector<Pair> pairs_;
};

// A whole fleet that has just come in subscribes, all at once.
TEST_F(InLine, FirstReadsAreAFewInATurn) {
  constexpr int kFirst = 4;
  int rounds = 0;
  std::function<void()> round = [&] {
    if (rounds > 0 && rounds <= kFirst) {
      EXPECT_LE(most(owner_.read_in_turn), static_cast<int>(OpeningLine::kCostPerTurn)) << rounds;
    }
    if (rounds == kFirst + 1) {
      EXPECT_GT(most(owner_.read_in_turn), static_cast<int>(OpeningLine::kCostPerTurn)) << "they are as all others now";
      return hang_up();
    }
    ++rounds;
    all_say_more();
    when_read(round);
  };
  open_many_and(round);
  EXPECT_EQ(rounds, kFirst + 1);
}

TEST_F(InLine, FirstReadsDoNotWaitForWhatOpeningsWaitFor) {
  open_many_and([this] {
    owner_.line.hold(true);
    all_say_more();
    when_read([this] {
      const std::uint64_t turns = owner_.read_in_turn.rbegin()->first - owner_.read_in_turn.begin()->first + 1;
      EXPECT_LE(turns, 2 * kMany / OpeningLine::kCostPerTurn);
      hang_up();
    });
  });
}

// Somebody who did send is not taken for one who did not, however long the line is.
TEST_F(InLine, WhatWaitsIsReadBeforeADeadlineIsMissed) {
  std::optional<Later> then;
  open_many_and([&] {
    owner_.deadline_ms = loop_->now_ms() + 500;
    for (const Pair& pair : pairs_) pair.connection->established();  // asks for the deadline
    owner_.endless = true;
    all_say_more();
    then.emplace(*loop_, 200, [this] { EXPECT_EQ(total(owner_.read_in_turn), 0); });
  });
  EXPECT_EQ(total(owner_.read_in_turn), kMany);
  EXPECT_EQ(total(owner_.late_in_turn), kMany) << "it was no answer";
}

// A message to somebody who has gone shows that, before the kernel is asked.
TEST_F(InLine, WhatWaitsIsReadBeforeTheEndThatAWriteShows) {
  open_many_and([this] {
    owner_.endless = true;
    all_say_more();
    after_turns(kTurnsToReadAll, [this] {
      EXPECT_EQ(total(owner_.read_in_turn), 0);
      hang_up();
      for (const Pair& pair : pairs_) pair.connection->write(base::as_bytes("news"));
    });
  });
  EXPECT_EQ(total(owner_.read_in_turn), kMany);
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
}

// Who has gone while it stood in line for a read makes room like all others that have gone.
TEST_F(InLine, AnEndIsFoundWhereTheReadStood) {
  open_many_and([this] {
    owner_.line.hold(true);
    all_say_more();
    after_turns(1, [this] {
      ASSERT_LT(total(owner_.read_in_turn), kMany) << "most are in line";
      hang_up();
      after_turns(kTurnsToReadAll, [this] {
        const int before = total(owner_.ended_in_turn);
        ASSERT_LT(before, kMany);
        EXPECT_TRUE(owner_.line.end_one());
        EXPECT_EQ(total(owner_.ended_in_turn), before + 1);
      });
    });
  });
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
}

TEST_F(InLine, EndsOfManyAreToldAFewInATurn) {
  open_many_and([this] { hang_up(); });
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
  EXPECT_LE(most(owner_.ended_in_turn), static_cast<int>(OpeningLine::kCostPerTurn));
  EXPECT_EQ(budget_.open, 0U);
}

TEST_F(InLine, EndsDoNotWaitForWhatOpeningsWaitFor) {
  open_many_and([this] {
    owner_.line.hold(true);
    hang_up();
  });
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
  const std::uint64_t turns = owner_.ended_in_turn.rbegin()->first - owner_.ended_in_turn.begin()->first + 1;
  EXPECT_LE(turns, 2 * kMany / OpeningLine::kCostPerTurn);
}

TEST_F(InLine, AnEndThatIsNeededNowIsToldNowAndOnce) {
  open_many_and([this] {
    hang_up();
    after_turns(kTurnsToReadAll, [this] {
      const int before = total(owner_.ended_in_turn);
      ASSERT_LT(before, kMany);
      EXPECT_TRUE(pairs_.back().connection->tell_end());
      EXPECT_EQ(total(owner_.ended_in_turn), before + 1);
      EXPECT_FALSE(pairs_.back().connection->tell_end());
      EXPECT_TRUE(owner_.line.end_one());
      EXPECT_EQ(total(owner_.ended_in_turn), before + 2);
    });
  });
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
}

// As when one message is for all of them.
TEST_F(InLine, WhoseGoingAWriteShowsStandsInLine) {
  open_many_and([this] {
    hang_up();
    for (const Pair& pair : pairs_) pair.connection->write(base::as_bytes("news"));
  });
  EXPECT_EQ(total(owner_.ended_in_turn), kMany);
  EXPECT_LE(most(owner_.ended_in_turn), static_cast<int>(OpeningLine::kCostPerTurn));
}

TEST_F(InLine, WhoseEndStandsInLineTakesNoMore) {
  open_many_and([this] {
    EXPECT_FALSE(pairs_.back().connection->congested());
    hang_up();
    after_turns(kTurnsToReadAll, [this] { EXPECT_TRUE(pairs_.back().connection->congested()); });
  });
}

TEST_F(InLine, WhoIsThereHasNoEndToTell) {
  open_many_and([this] {
    EXPECT_FALSE(pairs_.front().connection->tell_end());
    EXPECT_EQ(total(owner_.ended_in_turn), 0);
    hang_up();
  });
}

TEST_F(InLine, AShutdownMeanwhileEndsEverybodyOnce) {
  open_many_and([this] {
    hang_up();
    after_turns(1, [this] {
      ASSERT_LT(total(owner_.ended_in_turn), kMany);
      base::IntrusiveList<Connection, ConnectionListTag> all;
      all.splice_back(owner_.connections);
      while (Connection* connection = all.pop_front()) {
        owner_.connections.push_back(*connection);
        connection->shut_down();
      }
    });
  });
  EXPECT_EQ(total(owner_.closed_in_turn), kMany);
  EXPECT_LE(total(owner_.ended_in_turn), kMany);
  EXPECT_EQ(budget_.open, 0U);
}

TEST_F(InLine, EndsOfTheLocalSocketStandInNoLine) {
  context_.local_socket = true;
  open_many_and([this] { hang_up(); });
  EXPECT_EQ(most(owner_.ended_in_turn), kMany);
}

// They stand in line when their time is over, all at once, and each costs what an end costs.
TEST_F(InLine, OpeningsThatAreLateEndAFewInATurn) {
  context_.limits.setup_timeout_ms = OpeningLine::kHeldMs / 2;  // before the first of them get through
  owner_.line.hold(true);
  for (int i = 0; i < kMany; ++i) open();
  for (const Pair& pair : pairs_) say(pair);
  const Later later(*loop_, 200, [this] { owner_.line.hold(false); });
  loop_->run();
  EXPECT_EQ(total(owner_.closed_in_turn), kMany);
  EXPECT_LE(most(owner_.closed_in_turn), static_cast<int>(OpeningLine::kCostPerTurn));
}

TEST_F(InLine, OpeningsThatSaidNothingAndAreLateEndAFewInATurn) {
  context_.limits.setup_timeout_ms = 50;
  for (int i = 0; i < kMany; ++i) open();  // all are late in one turn
  owner_.line.hold(true);                  // which concerns nobody who is late
  const base::MonoMs begin = loop_->clock().mono_ms();
  loop_->run();
  EXPECT_EQ(total(owner_.closed_in_turn), kMany);
  EXPECT_LE(most(owner_.closed_in_turn), static_cast<int>(OpeningLine::kCostPerTurn));
  EXPECT_LT(loop_->clock().mono_ms() - begin, 50 + kMany / OpeningLine::kCostPerTurn * OpeningLine::kHeldMs);
}

}  // namespace
}  // namespace mooring::gateway
