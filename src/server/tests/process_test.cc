#include "server/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace mooring::server {
namespace {

// What the kernel says of this process; 0: nothing.
std::uint64_t table_size() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("FDSize:")) return std::stoull(line.substr(7));
  }
  return 0;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// The table never shrinks: small sizes first.
TEST(Process, DescriptorsAreReservedWithinTheLimitAndNoneIsLeftOpen) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_LT(table_size(), 1000U);
  const std::size_t open_before = open_descriptors();

  reserve_descriptors(0);
  EXPECT_LT(table_size(), 1000U);
  reserve_descriptors(1000);
  EXPECT_GE(table_size(), std::min<rlim_t>(1000, before.rlim_cur));
  EXPECT_LE(table_size(), 1024U);

  rlimit small = before;
  small.rlim_cur = std::min<rlim_t>(2000, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  reserve_descriptors(UINT64_MAX);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GE(table_size(), small.rlim_cur);
  EXPECT_LE(table_size(), 2048U);
  EXPECT_EQ(open_descriptors(), open_before);
}

}  // namespace
}  // namespace mooring::server
