#include "server/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
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

int highest_open() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = static_cast<int>(limit.rlim_cur) - 1; fd > 2; --fd) {
    if (::fcntl(fd, F_GETFD) != -1) return fd;
  }
  return 2;
}

TEST(Process, ReservedDescriptorsHaveTheirPlaceAndNoneIsLeftOpen) {
  raise_descriptor_limit();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const std::uint64_t wanted = std::min<std::uint64_t>(limit.rlim_cur, 1000);
  const int open_before = highest_open();
  reserve_descriptors(wanted);
  EXPECT_GE(table_size(), wanted);
  EXPECT_EQ(highest_open(), open_before);
}

TEST(Process, NoMoreIsReservedThanTheLimitAllows) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::min<rlim_t>(2000, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  reserve_descriptors(100'000'000);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GE(table_size(), small.rlim_cur);
  EXPECT_LE(table_size(), 4096U) << "a power of two";
}

TEST(Process, NothingIsReservedForNobody) {
  reserve_descriptors(0);
  EXPECT_GT(table_size(), 0U);
}

}  // namespace
}  // namespace mooring::server
