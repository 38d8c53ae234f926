#include "session/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace mooring::session {
namespace {

TEST(Ring, BehavesLikeADeque) {
  std::mt19937 random(3);
  Ring<int> ring;
  std::deque<int> model;
  for (int step = 0; step < 20'000; ++step) {
    const int action = std::uniform_int_distribution(0, 9)(random);
    if (action < 5 || model.empty()) {
      ring.push_back(step);
      model.push_back(step);
    } else if (action < 8) {
      ASSERT_EQ(ring.pop_front(), model.front());
      model.pop_front();
    } else {
      const auto index = std::uniform_int_distribution<std::size_t>(0, model.size() - 1)(random);
      ring.erase(index);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(index));
    }
    ASSERT_EQ(ring.size(), model.size());
    for (std::size_t i = 0; i < model.size(); i += 7) ASSERT_EQ(ring[i], model[i]);
  }
}

TEST(Ring, DropsWhatLeaves) {
  Ring<std::shared_ptr<int>> ring;
  const auto first = std::make_shared<int>(1);
  const auto second = std::make_shared<int>(2);
  ring.push_back(first);
  ring.push_back(second);
  ring.erase(1);
  EXPECT_EQ(second.use_count(), 1);
  ring.pop_front();
  EXPECT_EQ(first.use_count(), 1);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace mooring::session
