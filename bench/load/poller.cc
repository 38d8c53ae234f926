#include "poller.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace mooring::bench {

using base::Errc;
using base::Result;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<std::unique_ptr<Poller>> Poller::create() {
  std::unique_ptr<Poller> poller(new Poller);
  poller->epoll_ = net::UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!poller->epoll_) return base::fail(Errc::kIo, fmt::format("epoll: {}", std::strerror(errno)));
  prctl(PR_SET_TIMERSLACK, 1);  // a fixed rate needs its times kept; the default would add up to 50 us
  return poller;
}

Result<> Poller::watch(int fd, Pollable& pollable) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &pollable;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return base::fail(Errc::kIo, fmt::format("epoll: {}", std::strerror(errno)));
}

void Poller::wait(std::int64_t until_ns) {
  const std::int64_t left_ns = std::max<std::int64_t>(0, until_ns - bench::now_ns());
  const timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_pwait2(epoll_.get(), events.data(), events.size(), &timeout, nullptr);
  refresh();
  for (int i = 0; i < count; ++i) {
    static_cast<Pollable*>(events[i].data.ptr)->on_ready(events[i].events);
  }
}

void Poller::end_turn() {
  ending_.swap(turn_end_);
  for (Pollable* pollable : ending_) {
    pollable->wants_turn_end_ = false;
    pollable->on_turn_end();
  }
  ending_.clear();
}

}  // namespace mooring::bench
