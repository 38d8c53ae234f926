// A connection between two loops, with a conversation that wants nothing but to move. Both loops run on the test's
// thread, one after the other.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <string>

#include "gateway/connection.h"
#include "gateway/mqtt_conversation.h"
#include "net/loop.h"

namespace mooring::gateway {
namespace {

constexpr session::LoopId kElsewhere = 1;
const std::string kHello = "\x10hello";  // begins as a CONNECT does

// Takes the first byte of its input, says what it was told to say, and wants to go.
class Mover final : public Conversation {
 public:
  Mover(Transport& transport, std::string says, bool& ended)
      : transport_(transport), says_(std::move(says)), ended_(ended) {}

  std::size_t receive(base::MutableBytes input) override {
    if (!arrived_) {
      if (std::exchange(asked_, true)) return 0;
      transport_.write(base::as_bytes(says_));
      transport_.move_to(kElsewhere);
      return 1;
    }
    transport_.write(input);  // an echo from here on
    return input.size();
  }
  void transport_ended(TransportEnd) override { ended_ = true; }
  void arrived(MqttServices&) override {
    arrived_ = true;
    transport_.established();
    transport_.input_wanted();
  }
  void shut_down() override { transport_.finish(); }

 private:
  Transport& transport_;
  const std::string says_;
  bool& ended_;
  bool asked_ = false;
  bool arrived_ = false;
};

class Owner final : public ConnectionOwner {
 public:
  Owner(net::Loop& loop, bool& ended) : loop_(loop), ended_(ended) {}
  ~Owner() override {
    while (Connection* connection = connections.pop_front()) delete connection;
  }
  std::unique_ptr<Conversation> make_mqtt(Transport& transport, const ListenerContext&) override {
    return std::make_unique<Mover>(transport, says, ended_);
  }
  std::unique_ptr<Conversation> make_http(Transport&, const ListenerContext&) override { return nullptr; }
  void send_away(Connection& connection, session::LoopId loop) override {
    EXPECT_EQ(loop, kElsewhere);
    static_cast<base::ListHook<ConnectionListTag>&>(connection).unlink();
    on_leave(std::unique_ptr<Connection>(&connection));
    loop_.stop();
  }
  void closed(Connection& connection) override {
    static_cast<base::ListHook<ConnectionListTag>&>(connection).unlink();
    loop_.destroy_later(std::unique_ptr<net::LoopClient>(&connection));
    loop_.stop();
  }

  std::string says = "first";
  std::function<void(std::unique_ptr<Connection>)> on_leave;
  base::IntrusiveList<Connection, ConnectionListTag> connections;

 private:
  net::Loop& loop_;
  bool& ended_;
};

class Moving : public testing::Test {
 protected:
  void SetUp() override {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    server_end_ = net::UniqueFd(pair[0]);
    peer_ = net::UniqueFd(pair[1]);
  }

  // Runs the first loop until the connection has left it, or has ended.
  void run_first() {
    auto* connection =
        new Connection(*first_, *first_owner_, context_, std::move(server_end_), {}, ConnectionPlace(budget_));
    first_owner_->connections.push_back(*connection);
    connection->start();
    first_->run();
  }

  // As Gateway::adopt() does, except that nobody needs the services here.
  void arrive_at_second(std::unique_ptr<Connection> moving) {
    Connection& connection = *moving.release();
    second_owner_->connections.push_back(connection);
    connection.arrive(*second_, *second_owner_, context_);
    connection.go_on(*reinterpret_cast<MqttServices*>(no_services_));
  }

  void say(const std::string& text) {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // What is there now.
  std::string heard() {
    std::string out;
    char piece[4096];
    for (ssize_t got; (got = ::recv(peer_.get(), piece, sizeof piece, 0)) > 0;)
      out.append(piece, static_cast<std::size_t>(got));
    return out;
  }
  bool peer_sees_end() {
    pollfd wanted{peer_.get(), POLLIN, 0};
    char one = 0;
    return ::poll(&wanted, 1, 0) == 1 && ::recv(peer_.get(), &one, 1, 0) == 0;
  }

  bool ended_ = false;
  ConnectionBudget budget_;
  ListenerContext context_;
  net::UniqueFd server_end_;
  net::UniqueFd peer_;
  std::unique_ptr<net::Loop> first_ = *net::Loop::create();
  std::unique_ptr<net::Loop> second_ = *net::Loop::create();
  std::unique_ptr<Owner> first_owner_ = std::make_unique<Owner>(*first_, ended_);
  std::unique_ptr<Owner> second_owner_ = std::make_unique<Owner>(*second_, ended_);
  alignas(MqttServices) std::byte no_services_[sizeof(MqttServices)] = {};  // Mover does not look at them
};

// Stops `loop` when the peer has heard what it waits for.
class Listening final : public net::LoopClient {
 public:
  Listening(net::Loop& loop, std::function<bool()> done) : loop_(loop), done_(std::move(done)) {
    loop_.call_again(*this);
  }
  void on_ready(std::uint32_t) override {}
  void on_again() override {
    if (done_()) {
      loop_.stop();
    } else {
      loop_.call_again(*this);
    }
  }

 private:
  net::Loop& loop_;
  std::function<bool()> done_;
};

TEST_F(Moving, WhatWasLeftOfTheInputIsReadOnTheOtherLoop) {
  std::unique_ptr<Connection> moving;
  first_owner_->on_leave = [&](std::unique_ptr<Connection> connection) { moving = std::move(connection); };
  say(kHello);
  run_first();
  ASSERT_NE(moving, nullptr);
  EXPECT_EQ(heard(), "first");
  say(", world");  // between two loops
  second_->post([&] { arrive_at_second(std::move(moving)); });
  std::string echo;
  const Listening listening(*second_, [&] { return (echo += heard()).size() >= 12; });
  second_->run();
  EXPECT_EQ(echo, "hello, world");
  EXPECT_EQ(budget_.open, 1U);
}

TEST_F(Moving, OutputThatDidNotFitLeavesInOrder) {
  std::string much(3'000'000, 'x');
  for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>('a' + i / 1000 % 26);
  first_owner_->says = much;
  context_.limits.outgoing_bytes = 2 * much.size();
  std::unique_ptr<Connection> moving;
  first_owner_->on_leave = [&](std::unique_ptr<Connection> connection) { moving = std::move(connection); };
  say(kHello);
  run_first();
  ASSERT_NE(moving, nullptr);
  EXPECT_GT(moving->unsent_bytes(), 0U);
  first_owner_.reset();
  first_.reset();  // the other loop does not need it
  second_->post([&] { arrive_at_second(std::move(moving)); });
  std::string all;
  const Listening listening(*second_, [&] { return (all += heard()).size() >= much.size() + 5; });
  second_->run();
  EXPECT_EQ(all, much + "hello");
}

TEST_F(Moving, APeerThatLeftMeanwhileIsNoticedOnTheOtherLoop) {
  std::unique_ptr<Connection> moving;
  first_owner_->on_leave = [&](std::unique_ptr<Connection> connection) { moving = std::move(connection); };
  say(kHello);
  run_first();
  ASSERT_NE(moving, nullptr);
  peer_.reset();
  second_->post([&] { arrive_at_second(std::move(moving)); });
  second_->run();  // until it is closed
  EXPECT_TRUE(ended_);
  EXPECT_EQ(budget_.open, 0U);
}

TEST_F(Moving, ALoopThatEndsBeforeTheArrivalEndsTheConnection) {
  first_owner_->says = std::string(3'000'000, 'x');
  first_owner_->on_leave = [&](std::unique_ptr<Connection> connection) {
    second_->post([moving = std::move(connection)]() mutable { FAIL() << "the second loop never runs"; });
  };
  say(kHello);
  run_first();
  EXPECT_EQ(budget_.open, 1U);
  first_owner_.reset();
  first_.reset();
  second_owner_.reset();
  second_.reset();
  EXPECT_EQ(budget_.open, 0U);
  heard();
  EXPECT_TRUE(peer_sees_end());
}

}  // namespace
}  // namespace mooring::gateway
