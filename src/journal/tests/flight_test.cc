#include "journal/flight.h"

#include <gtest/gtest.h>

#include <cstring>

#include "journal/capture_file.h"

namespace mooring::journal {
namespace {

FlightPacket publish(std::string_view topic, std::string_view payload = {}) {
  return {Direction::kIn, 0x32, 100, 7, 0, topic, base::as_bytes(payload)};
}

TEST(FlightTest, KeepsTheLastPacketsWithinItsBytes) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  ASSERT_NE(flight, nullptr);
  for (int i = 0; i < 1000; ++i) flight->note(publish("/pk/dn/user/update/" + std::to_string(i)), 1000 + i);
  const auto entries = flight->read();
  EXPECT_GE(entries.size(), 24U);
  EXPECT_EQ(entries.back().topic, "/pk/dn/user/update/999");
  EXPECT_EQ(entries.back().at_ms, 1999);
  EXPECT_EQ(entries.back().packet_id, 7);
  for (std::size_t i = 1; i < entries.size(); ++i) EXPECT_EQ(entries[i].at_ms, entries[i - 1].at_ms + 1);
  EXPECT_LE(recorder.used_bytes(), 2048U + 400U);
  recorder.close(*flight);
  EXPECT_EQ(recorder.read("d1").size(), entries.size());
}

TEST(FlightTest, AnIdleClientStaysSmall) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  flight->note({Direction::kIn, 0x10, 120, 60, 4, "pk.dn", base::as_bytes("192.0.2.7:50000")}, 0);
  flight->note({Direction::kOut, 0x20, 4, 0, 0, {}, {}}, 1);
  for (int i = 0; i < 5000; ++i) {
    flight->note({Direction::kIn, 0xC0, 2, 0, 0, {}, {}}, 60'000 * (i + 1));
    flight->note({Direction::kOut, 0xD0, 2, 0, 0, {}, {}}, 60'000 * (i + 1));
  }
  const auto entries = flight->read();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[2].count, 5000U);
  EXPECT_EQ(entries[2].at_ms, 60'000);
  EXPECT_EQ(entries[2].last_ms, 60'000LL * 5000);
  EXPECT_EQ(entries[3].count, 5000U);
  EXPECT_LE(recorder.used_bytes(), 450U);
  recorder.close(*flight);
}

TEST(FlightTest, LongTopicsAreCutAndPayloadsLeftOut) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  flight->note(publish(std::string(60'000, 't'), "secret"), 1);
  const auto entries = flight->read();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].topic.size(), Flight::kTopicBytes);
  EXPECT_EQ(entries[0].topic_bytes, 60'000U);
  EXPECT_TRUE(entries[0].payload.empty());
  recorder.close(*flight);
}

TEST(FlightTest, PayloadsThatHoldSecretsAreNeverKept) {
  FlightRecorder recorder({1 << 20, 2048, 16});
  Flight* flight = recorder.open("d1");
  flight->note(publish("/pk/dn/user/update", "0123456789abcdefghij"), 1);
  flight->note(publish("/ext/register", "{\"deviceSecret\":\"x\"}"), 2);
  flight->note(publish("/pk/dn/thing/lifecycle", "{\"deviceSecret\":\"x\"}"), 3);
  const auto entries = flight->read();
  EXPECT_EQ(entries[0].payload, "0123456789abcdef");
  EXPECT_TRUE(entries[1].payload.empty());
  EXPECT_TRUE(entries[2].payload.empty());
  recorder.close(*flight);
}

TEST(FlightTest, AResultIsFilledInLater) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  flight->set_last_result(1);  // nothing there yet
  flight->note(publish("a"), 1);
  flight->set_last_result(0x87);
  EXPECT_EQ(flight->read()[0].result, 0x87);
  recorder.close(*flight);
}

TEST(FlightTest, TheSumIsBoundedAndThoseAwayLongestGoFirst) {
  FlightRecorder recorder({64 << 10, 2048, 0});
  for (int i = 0; i < 1000; ++i) {
    Flight* flight = recorder.open("d" + std::to_string(i));
    ASSERT_NE(flight, nullptr);
    for (int k = 0; k < 50; ++k) flight->note(publish("/a/rather/long/topic/name"), k);
    recorder.close(*flight);
    ASSERT_LE(recorder.used_bytes(), 64U << 10);
  }
  EXPECT_FALSE(recorder.read("d999").empty());
  EXPECT_TRUE(recorder.read("d0").empty());

  std::vector<Flight*> busy;
  for (int i = 0; i < 1000; ++i) {
    Flight* flight = recorder.open("busy" + std::to_string(i));
    if (flight == nullptr) break;
    flight->note(publish("topic"), 1);
    busy.push_back(flight);
  }
  EXPECT_GT(busy.size(), 100U);
  EXPECT_LT(busy.size(), 1000U);  // then there is none
  for (Flight* flight : busy) {
    for (int k = 0; k < 50; ++k) flight->note(publish("/a/rather/long/topic/name"), k);
  }
  EXPECT_LE(recorder.used_bytes(), 64U << 10);
  for (Flight* flight : busy) recorder.close(*flight);
  recorder.set_limits({0, 2048, 0});
  EXPECT_EQ(recorder.size(), 0U);
  EXPECT_EQ(recorder.open("x"), nullptr);
}

TEST(FlightTest, TwoConnectionsOfOneClientShareItsRecord) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* first = recorder.open("d1");
  Flight* second = recorder.open("d1");
  EXPECT_EQ(first, second);
  first->note(publish("a"), 1);
  recorder.close(*first);
  second->note({Direction::kEnd, 0, 0, 0, 1, {}, {}}, 2);
  recorder.close(*second);
  EXPECT_EQ(recorder.read("d1").size(), 2U);
  recorder.forget("d1");
  EXPECT_EQ(recorder.size(), 0U);
}

TEST(CaptureFileTest, HasABlockForEveryPacket) {
  std::vector<FlightEntry> entries(3);
  entries[0].first_byte = 0x10;
  entries[0].bytes = 60;
  entries[0].result = 4;
  entries[0].payload = "[2001:db8::7]:55000";
  entries[1].first_byte = 0x30;
  entries[1].bytes = 200'000;
  entries[1].topic = "/t";
  entries[1].topic_bytes = 2;
  entries[2].direction = Direction::kEnd;
  const std::string file = capture_file(entries, "pk/dn");
  std::size_t blocks = 0;
  for (std::size_t at = 0; at < file.size(); ++blocks) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + at + 4, 4);
    ASSERT_EQ(length % 4, 0U);
    ASSERT_LE(at + length, file.size());
    std::uint32_t again = 0;
    std::memcpy(&again, file.data() + at + length - 4, 4);
    ASSERT_EQ(again, length);
    at += length;
  }
  EXPECT_EQ(blocks, 2U + 3U + 1U + 4U + 1U);  // section, interface; handshake; CONNECT; four segments; the end
  EXPECT_LT(file.size(), 4096U);
}

}  // namespace
}  // namespace mooring::journal
