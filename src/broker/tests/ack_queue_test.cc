#include "broker/ack_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mooring::broker {
namespace {

using mqtt::PacketType;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int> flushed(AckQueue& queue) {
  std::vector<int> out;
  queue.flush([&](const AckQueue::Ack& ack) { out.push_back(ack.packet_id); });
  return out;
}

TEST(AckQueue, KeepsTheOrderOfThePublishPackets) {
  AckQueue queue;
  const auto first = queue.open(PacketType::kPuback, 11);
  const auto second = queue.open(PacketType::kPubrec, 12);
  const auto third = queue.open(PacketType::kPuback, 13);
  queue.decide(second, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), IsEmpty());
  queue.decide(first, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), ElementsAre(11, 12));
  EXPECT_EQ(queue.size(), 1U);
  queue.decide(third, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), ElementsAre(13));
  EXPECT_TRUE(queue.empty());
}

TEST(AckQueue, WhatIsWithdrawnHoldsUpNobody) {
  AckQueue queue;
  const auto first = queue.open(PacketType::kPuback, 11);
  const auto second = queue.open(PacketType::kPuback, 12);
  queue.decide(second, ReasonCode::kSuccess);
  queue.withdraw(first);
  std::vector<int> sent;
  queue.flush([&](const AckQueue::Ack& ack) {
    if (!ack.withdrawn) sent.push_back(ack.packet_id);
  });
  EXPECT_THAT(sent, ElementsAre(12));
  EXPECT_TRUE(queue.empty());
  queue.withdraw(second);
  EXPECT_TRUE(queue.empty()) << "too late";
}

TEST(AckQueue, CarriesTypeAndReason) {
  AckQueue queue;
  queue.decide(queue.open(PacketType::kPubrec, 7), ReasonCode::kQuotaExceeded);
  queue.flush([](const AckQueue::Ack& ack) {
    EXPECT_EQ(ack.type, PacketType::kPubrec);
    EXPECT_EQ(ack.packet_id, 7);
    EXPECT_EQ(ack.reason, ReasonCode::kQuotaExceeded);
  });
  EXPECT_TRUE(queue.empty());
}

TEST(AckQueue, AnAnswerThatComesTwiceIsHarmless) {
  AckQueue queue;
  const auto first = queue.open(PacketType::kPuback, 1);
  queue.decide(first, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), ElementsAre(1));
  queue.decide(first, ReasonCode::kSuccess);
  const auto second = queue.open(PacketType::kPuback, 2);
  queue.decide(first, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), IsEmpty());
  queue.decide(second, ReasonCode::kSuccess);
  EXPECT_THAT(flushed(queue), ElementsAre(2));
}

}  // namespace
}  // namespace mooring::broker
