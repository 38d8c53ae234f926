#include "net/write_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace mooring::net {
namespace {

std::string drain(WriteQueue& queue, BlockPool& pool, std::mt19937& random) {
  std::string out;
  while (!queue.empty()) {
    std::array<iovec, 4> pieces;
    const std::size_t count = queue.gather(pieces);
    std::string seen;
    for (std::size_t i = 0; i < count; ++i) {
      seen.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    const std::size_t taken = 1 + random() % seen.size();
    out.append(seen, 0, taken);
    queue.consume(pool, taken);
  }
  return out;
}

TEST(WriteQueue, KeepsEveryByteInOrderOverPartialWrites) {
  std::mt19937 random(7);
  BlockPool pool;
  for (int round = 0; round < 200; ++round) {
    WriteQueue queue;
    std::string expected;
    int released = 0;
    int shared = 0;
    std::vector<std::string> owned(30);
    for (int i = 0; i < 30; ++i) {
      std::string& piece = owned[static_cast<std::size_t>(i)];
      piece.assign(1 + random() % 6000, static_cast<char>('a' + i % 26));
      expected += piece;
      if (i % 3 == 0) {
        ++shared;
        queue.append_shared(pool, base::as_bytes(piece), &released, [](void* owner) { ++*static_cast<int*>(owner); });
      } else {
        queue.append(pool, base::as_bytes(piece));
      }
    }
    EXPECT_EQ(queue.size(), expected.size());
    EXPECT_EQ(drain(queue, pool, random), expected);
    EXPECT_EQ(released, shared);
  }
}

TEST(WriteQueue, ReservedBytesFollowAppendedOnes) {
  BlockPool pool;
  WriteQueue queue;
  queue.append(pool, base::as_bytes(std::string(4000, 'x')));
  std::uint8_t* room = queue.reserve(pool, 512);
  room[0] = 'y';
  queue.commit(1);
  std::mt19937 random(3);
  EXPECT_EQ(drain(queue, pool, random), std::string(4000, 'x') + "y");
  queue.clear(pool);
}

TEST(WriteQueue, ClearReleasesWhatItRefersTo) {
  BlockPool pool;
  WriteQueue queue;
  int released = 0;
  const std::string text = "shared";
  queue.append_shared(pool, base::as_bytes(text), &released, [](void* owner) { ++*static_cast<int*>(owner); });
  queue.clear(pool);
  EXPECT_EQ(released, 1);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace mooring::net
