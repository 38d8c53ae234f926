#include "session/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <string>

namespace mooring::session {
namespace {

mqtt::MessageRef message(std::string_view payload) {
  return mqtt::Message::create("/pk/dn/user/get", base::as_bytes(payload), 1, false);
}

std::string payload_of(const InFlight& in_flight) {
  return std::string(base::as_text(in_flight.message->payload()));
}

TEST(Session, KeyOfADevice) {
  EXPECT_EQ(device_session_key("pk", "dn", 0), std::string("d\0pk\0dn", 7));
  EXPECT_EQ(device_session_key("pk", "dn", 0x0102f3ffU), std::string("d\0pk\0dn\0\x01\x02\xf3\xff", 12));
  EXPECT_NE(device_session_key("ab", "c", 1), device_session_key("a", "bc", 1));
}

TEST(Session, AnIdleSessionIsSmall) {
  EXPECT_LE(sizeof(Session), 112U);
}

TEST(Session, Subscriptions) {
  Session session("k", {});
  EXPECT_FALSE(session.has_state());
  EXPECT_TRUE(session.subscribe("a", 0));
  EXPECT_FALSE(session.subscribe("a", 0));
  EXPECT_TRUE(session.subscribe("a", 1));
  EXPECT_TRUE(session.subscribe("b", 1));
  EXPECT_TRUE(session.has_state());
  ASSERT_NE(session.find_subscription("a"), nullptr);
  EXPECT_EQ(session.find_subscription("a")->qos, 1);
  EXPECT_EQ(session.find_subscription("c"), nullptr);

  Session other("k", {});
  other.restore(session.record());
  EXPECT_EQ(other.subscriptions(), session.subscriptions());
  EXPECT_EQ(other.record().key, "k");
  EXPECT_TRUE(other.unsubscribe("a"));
  EXPECT_FALSE(other.unsubscribe("a"));
  EXPECT_EQ(other.subscriptions().size(), 1U);
}

TEST(Session, WindowThenQueue) {
  Session session("k", {.max_in_flight = 2});
  EXPECT_EQ(session.admit(message("1"), 1, true), 1);
  EXPECT_EQ(session.admit(message("2"), 1, true), 2);
  EXPECT_EQ(session.admit(message("3"), 1, true), 0);
  EXPECT_EQ(session.next_to_send(), nullptr);
  EXPECT_FALSE(session.acknowledge(3));
  EXPECT_TRUE(session.acknowledge(2));
  // Room in the window, but what waits goes first.
  EXPECT_EQ(session.admit(message("4"), 1, true), 0);
  const InFlight* next = session.next_to_send();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(payload_of(*next), "3");
  EXPECT_EQ(next->packet_id, 3);
  EXPECT_EQ(session.next_to_send(), nullptr);
  EXPECT_EQ(session.queued_count(), 1U);
  EXPECT_TRUE(session.acknowledge(1));
  EXPECT_FALSE(session.acknowledge(1));
  ASSERT_NE(next = session.next_to_send(), nullptr);
  EXPECT_EQ(payload_of(*next), "4");
  EXPECT_EQ(session.queued_bytes(), 0U);
}

TEST(Session, ResendsInOrderBeforeAnythingNew) {
  Session session("k", {.max_in_flight = 3});
  for (const char* text : {"1", "2", "3", "4"}) session.admit(message(text), 1, true);
  session.acknowledge(2);
  session.connection_lost();
  EXPECT_EQ(session.admit(message("5"), 1, false), 0);
  EXPECT_EQ(session.next_to_send(), nullptr) << "what is in flight goes out again first";

  std::string order;
  while (const InFlight* next = session.next_to_resend()) order += payload_of(*next);
  while (const InFlight* next = session.next_to_send()) order += payload_of(*next);
  EXPECT_EQ(order, "134");
  EXPECT_EQ(session.in_flight_count(), 3U);
  EXPECT_EQ(session.queued_count(), 1U);
}

TEST(Session, AnAcknowledgementMayArriveBeforeTheResend) {
  Session session("k", {});
  session.admit(message("1"), 1, true);
  session.admit(message("2"), 1, true);
  session.connection_lost();
  EXPECT_TRUE(session.acknowledge(1));
  const InFlight* next = session.next_to_resend();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(payload_of(*next), "2");
  EXPECT_EQ(session.next_to_resend(), nullptr);
}

TEST(Session, BoundsOfTheQueue) {
  const std::uint64_t size_bytes = message("x")->memory_bytes();
  Session by_count("k", {.max_queued_messages = 2});
  EXPECT_EQ(by_count.admit(message("x"), 1, false), 0);
  EXPECT_EQ(by_count.admit(message("x"), 1, false), 0);
  EXPECT_EQ(by_count.admit(message("x"), 1, false), std::nullopt);
  Session by_bytes("k", {.max_queued_bytes = 2 * size_bytes});
  EXPECT_EQ(by_bytes.admit(message("x"), 1, false), 0);
  EXPECT_EQ(by_bytes.admit(message("xx"), 1, false), std::nullopt);
  EXPECT_EQ(by_bytes.admit(message("x"), 1, false), 0);
  EXPECT_EQ(by_bytes.queued_bytes(), 2 * size_bytes);
  Session none("k", {.max_queued_messages = 0});
  EXPECT_EQ(none.admit(message("x"), 1, false), std::nullopt);
  EXPECT_FALSE(none.has_state());
}

TEST(Session, DiscardKeepsSubscriptions) {
  Session session("k", {.max_in_flight = 1});
  session.subscribe("a", 1);
  session.admit(message("1"), 1, true);
  session.admit(message("2"), 1, true);
  session.discard_messages();
  EXPECT_EQ(session.in_flight_count() + session.queued_count(), 0U);
  EXPECT_EQ(session.subscriptions().size(), 1U);
  EXPECT_EQ(session.admit(message("3"), 1, true), 2) << "identifiers go on: a late PUBACK must not hit";
}

TEST(Session, PacketIdsSkipThoseInUse) {
  Session session("k", {.max_in_flight = 3});
  EXPECT_EQ(session.admit(message("old"), 1, true), 1);
  EXPECT_EQ(session.admit(message("old"), 1, true), 2);
  std::uint32_t expected = 3;
  for (int i = 0; i < 70'000; ++i) {
    const auto id = session.admit(message("x"), 1, true);
    ASSERT_EQ(id, expected);
    ASSERT_TRUE(session.acknowledge(*id));
    expected = expected == 65'535 ? 3 : expected + 1;
  }
}

TEST(Session, TheWholeRangeOfPacketIds) {
  Session session("k", {.max_in_flight = 65'535, .max_queued_messages = 10});
  const auto one = message("x");
  session.set_max_in_flight(300);
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 300; ++i) ids.insert(session.admit(one, 1, true).value_or(0));
  EXPECT_EQ(ids.size(), 300U);
  EXPECT_FALSE(ids.contains(0));
  EXPECT_EQ(session.admit(one, 1, true), 0);
}

// What a client would see, against the rules: every message in order the first time, none lost, none invented.
TEST(Session, RandomTraffic) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    Session session("k", {.max_in_flight = 4, .max_queued_messages = 20});
    bool connected = true;
    int admitted = 0;
    int next_new = 0;                                 // the number that must be carried next for the first time
    std::vector<std::pair<std::uint16_t, int>> open;  // carried, not acknowledged, in order
    const auto carry_new = [&](const InFlight& packet) {
      ASSERT_EQ(std::stoi(payload_of(packet)), next_new);
      for (const auto& [id, number] : open) ASSERT_NE(id, packet.packet_id);
      open.emplace_back(packet.packet_id, next_new++);
    };
    for (int step = 0; step < 2000; ++step) {
      const int action = std::uniform_int_distribution(0, 99)(random);
      if (action < 45) {
        const auto id = session.admit(message(std::to_string(admitted)), 1, connected);
        if (id && *id != 0) carry_new(InFlight{message(std::to_string(admitted)), *id, 1, true});
        if (id) admitted += 1;
        if (!id) {
          ASSERT_EQ(session.queued_count(), 20U);
        }
      } else if (action < 90 && connected && !open.empty()) {
        const auto index = std::uniform_int_distribution<std::size_t>(0, open.size() - 1)(random);
        ASSERT_TRUE(session.acknowledge(open[index].first));
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
        while (const InFlight* next = session.next_to_send()) carry_new(*next);
      } else if (action >= 97 && connected) {
        session.connection_lost();
        connected = false;
      } else if (!connected) {
        connected = true;
        for (const auto& [id, number] : open) {
          const InFlight* next = session.next_to_resend();
          ASSERT_NE(next, nullptr);
          ASSERT_EQ(next->packet_id, id);
          ASSERT_EQ(std::stoi(payload_of(*next)), number);
        }
        ASSERT_EQ(session.next_to_resend(), nullptr);
        while (const InFlight* next = session.next_to_send()) carry_new(*next);
      }
      ASSERT_LE(session.in_flight_count(), 4U);
      ASSERT_EQ(session.in_flight_count(), open.size());
      ASSERT_EQ(static_cast<std::size_t>(admitted - next_new), session.queued_count());
    }
  }
}

}  // namespace
}  // namespace mooring::session
