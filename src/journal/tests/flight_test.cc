#include "journal/flight.h"

#include <gtest/gtest.h>

#include <cstring>

#include "journal/capture_file.h"

namespace mooring::journal {
namespace {

FlightPacket publish(std::string_view topic, base::ByteView payload = {}) {
  return {Direction::kIn, 0x32, 100, 7, 0, topic, payload};
}

TEST(FlightTest, KeepsTheLastPacketsWithinItsBytes) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  ASSERT_NE(flight, nullptr);
  for (int i = 0; i < 1000; ++i) flight->note(publish("/pk/dn/user/update/" + std::to_string(i)), 1000 + i);
  const auto entries = flight->read(0);
  EXPECT_GE(entries.size(), 24U);
  EXPECT_EQ(entries.back().topic, "/pk/dn/user/update/999");
  EXPECT_EQ(entries.back().at_ms, 1999);
  EXPECT_EQ(entries.back().packet_id, 7);
  EXPECT_EQ(entries.back().bytes, 102U);  // with the fixed header
  for (std::size_t i = 1; i < entries.size(); ++i) EXPECT_EQ(entries[i].at_ms, entries[i - 1].at_ms + 1);
  EXPECT_LE(recorder.used_bytes(), 2048U + 150U);
  recorder.close(*flight);
  EXPECT_EQ(recorder.read("d1").size(), entries.size());
}

// Records of every size, in every size of ring: what is read is always the end of what was written.
TEST(FlightTest, TheRingLosesNothingButTheOldest) {
  for (const std::uint32_t bytes : {256U, 300U, 511U, 2048U, 32'768U}) {
    FlightRecorder recorder({1 << 20, bytes, 64});
    Flight* flight = recorder.open("d1");
    std::uint32_t seed = bytes;
    const auto random = [&](std::uint32_t below) {
      seed = seed * 1'664'525U + 1'013'904'223U;
      return (seed >> 8) % below;
    };
    std::vector<std::pair<std::string, std::string>> written;
    for (int i = 0; i < 3000; ++i) {
      written.emplace_back(std::string(random(97), static_cast<char>('a' + i % 26)),
                           std::string(random(2) * random(65), static_cast<char>('A' + i % 26)));
      flight->note({Direction::kIn, 0x40, static_cast<std::uint32_t>(i), 0, 0, written.back().first,
                    base::as_bytes(written.back().second)},
                   i);
      const auto entries = flight->read(1000);
      ASSERT_FALSE(entries.empty());
      ASSERT_LE(entries.size(), written.size());
      std::size_t kept = 0;
      for (std::size_t k = 0; k < entries.size(); ++k) {
        const std::size_t at = written.size() - entries.size() + k;
        ASSERT_EQ(entries[k].bytes, at + (at < 128 ? 2 : 3));
        ASSERT_EQ(entries[k].at_ms, static_cast<base::WallMs>(at) + 1000);
        ASSERT_EQ(entries[k].topic, written[at].first);
        ASSERT_EQ(entries[k].payload, written[at].second);
        kept += Flight::kHeaderBytes + entries[k].topic.size() + entries[k].payload.size();
      }
      ASSERT_LE(kept, bytes);
      if (entries.size() < written.size()) {
        ASSERT_GT(kept, bytes < 2048 ? 0U : bytes / 2);
      }
    }
    recorder.close(*flight);
  }
}

TEST(FlightTest, AnIdleClientStaysSmall) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  flight->note({Direction::kIn, 0x10, 118, 60, 4, "pk.dn", base::as_bytes("192.0.2.7:50000")}, 0);
  flight->note({Direction::kOut, 0x20, 2, 0, 0, {}, {}}, 1);
  for (int i = 0; i < 5000; ++i) {
    flight->note_ping(60'000 * (i + 1));
  }
  const auto entries = flight->read(0);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[2].first_byte, 0xC0);
  EXPECT_EQ(entries[3].first_byte, 0xD0);
  EXPECT_EQ(entries[2].count, 5000U);
  EXPECT_EQ(entries[2].at_ms, 60'000);
  EXPECT_EQ(entries[2].last_ms, 60'000LL * 5000);
  EXPECT_EQ(entries[3].count, 5000U);
  EXPECT_LE(recorder.used_bytes(), 300U);
  recorder.close(*flight);
}

TEST(FlightTest, LongTopicsAreCutAndPayloadsLeftOut) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  const std::string topic(60'000, 't');
  flight->note(publish(topic, recorder.payload_to_note(topic, base::as_bytes("secret"))), 1);
  const auto entries = flight->read(0);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].topic.size(), Flight::kTopicBytes);
  EXPECT_EQ(entries[0].topic_bytes, 60'000U);
  EXPECT_TRUE(entries[0].payload.empty());
  recorder.close(*flight);
}

TEST(FlightTest, WhatFollowsACutTopicIsWhole) {
  FlightRecorder recorder({1 << 20, 2048, 64});
  Flight* flight = recorder.open("d1");
  for (const std::size_t bytes : {95U, 96U, 97U, 65'535U}) {
    flight->note(publish(std::string(bytes, 't'), base::as_bytes("payload")), 1);
  }
  flight->note(publish("next"), 2);
  const auto entries = flight->read(0);
  ASSERT_EQ(entries.size(), 5U);
  const std::size_t kSizes[] = {95, 96, 97, 65'535};
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    EXPECT_EQ(entries[i].topic, std::string(std::min(kSizes[i], Flight::kTopicBytes), 't'));
    EXPECT_EQ(entries[i].topic_bytes, kSizes[i]);
    EXPECT_EQ(entries[i].payload, "payload");
  }
  EXPECT_EQ(entries[4].topic, "next");
  recorder.close(*flight);
}

TEST(FlightTest, PayloadsThatHoldSecretsAreNeverKept) {
  FlightRecorder recorder({1 << 20, 2048, 16});
  Flight* flight = recorder.open("d1");
  const auto note = [&](std::string_view topic, std::string_view payload) {
    flight->note(publish(topic, recorder.payload_to_note(topic, base::as_bytes(payload))), 1);
  };
  note("/pk/dn/user/update", "0123456789abcdefghij");
  note("/ext/register", R"({"deviceSecret":"x"})");
  note("/pk/dn/thing/lifecycle", R"({"deviceSecret":"x"})");
  note("/sys/pk/dn/thing/proxy/provisioning/product_register_reply", R"({"deviceSecret":"x"})");
  const auto entries = flight->read(0);
  EXPECT_EQ(entries[0].payload, "0123456789abcdef");
  EXPECT_TRUE(entries[1].payload.empty());
  EXPECT_TRUE(entries[2].payload.empty());
  EXPECT_TRUE(entries[3].payload.empty());
  recorder.close(*flight);
}

TEST(FlightTest, AResultIsFilledInLater) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  flight->set_last_result(1);  // nothing there yet
  flight->note(publish("a"), 1);
  flight->set_last_result(0x87);
  EXPECT_EQ(flight->read(0)[0].result, 0x87);
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
}

// A packet has 129 or 131 bytes, never 130: its length takes one byte more from 128 on.
TEST(FlightTest, TheLengthOfAPacketIsKeptAsItWasWritten) {
  FlightRecorder recorder({1 << 20, 2048, 0});
  Flight* flight = recorder.open("d1");
  const std::pair<std::uint32_t, std::uint32_t> kSizes[] = {{0, 2},           {127, 129},       {128, 131},
                                                            {16'383, 16'386}, {16'384, 16'388}, {2'097'152, 2'097'157}};
  for (const auto& [body, whole] : kSizes) flight->note({Direction::kIn, 0x82, body, 1, 1, "t", {}}, 1);
  flight->note({Direction::kEnd, 0, 0, 0, 0, "over", {}}, 2);
  const auto entries = flight->read(0);
  ASSERT_EQ(entries.size(), std::size(kSizes) + 1);
  for (std::size_t i = 0; i < std::size(kSizes); ++i) EXPECT_EQ(entries[i].bytes, kSizes[i].second);
  EXPECT_EQ(entries.back().bytes, 0U);
  recorder.close(*flight);
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
