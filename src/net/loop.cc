#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace mooring::net {
namespace {
constexpr std::size_t kReadBufferBytes = 64 * 1024;
// Of a burst a part at a time: what is read is then still in the processor's cache when the answers are written.
constexpr int kEventsAtOnce = 64;
constexpr int kEventsPerTurn = 512;
}  // namespace

struct Loop::PostedTask {
  base::Task run;
  PostedTask* next = nullptr;
};

base::Result<std::unique_ptr<Loop>> Loop::create(const base::Clock& clock) {
  std::unique_ptr<Loop> loop(new Loop(clock));
  loop->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  loop->wake_ = UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!loop->epoll_ || !loop->wake_) {
    return base::fail(base::Errc::kIo, std::string("cannot create an event loop: ") + std::strerror(errno));
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // marks the wake-up descriptor
  if (::epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->wake_.get(), &event) != 0) {
    return base::fail(base::Errc::kIo, std::string("cannot watch the wake-up descriptor: ") + std::strerror(errno));
  }
  return loop;
}

Loop::Loop(const base::Clock& clock)
    : clock_(clock), now_ms_(clock.mono_ms()), timers_(now_ms_), read_buffer_(kReadBufferBytes) {}

Loop::~Loop() {
  drop_posted();
  retired_.clear();
}

void Loop::post(base::Task task) {
  auto* node = new PostedTask{std::move(task), nullptr};
  PostedTask* head = posted_.load(std::memory_order_relaxed);
  do {
    node->next = head;
  } while (!posted_.compare_exchange_weak(head, node, std::memory_order_release, std::memory_order_relaxed));
  // Only the first task of a batch wakes the loop: run_posted() takes the whole stack at once.
  if (head == nullptr) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }
}

void Loop::stop() {
  post([this] { running_ = false; });
}

base::Result<> Loop::watch(int fd, LoopClient& client, Watch mode) {
  epoll_event event{};
  event.events = mode == Watch::kEdge ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN;
  event.data.ptr = &client;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return base::fail(base::Errc::kIo, std::string("cannot watch a socket: ") + std::strerror(errno));
  }
  return {};
}

void Loop::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::call_at_turn_end(LoopClient& client) {
  if (!static_cast<base::ListHook<TurnEndTag>&>(client).linked()) turn_end_.push_back(client);
}

void Loop::call_first_at_turn_end(LoopClient& client) {
  if (!static_cast<base::ListHook<TurnEndTag>&>(client).linked()) turn_end_.push_front(client);
}

void Loop::call_again(LoopClient& client) {
  if (!static_cast<base::ListHook<AgainTag>&>(client).linked()) again_.push_back(client);
}

void Loop::forget_calls(LoopClient& client) {
  static_cast<base::ListHook<TurnEndTag>&>(client).unlink();
  static_cast<base::ListHook<AgainTag>&>(client).unlink();
}

void Loop::destroy_later(std::unique_ptr<LoopClient> client) {
  forget_calls(*client);
  retired_.push_back(std::move(client));
}

void Loop::run() {
  now_ms_ = clock_.mono_ms();  // what was done before, as restoring sessions, is not work of the loop
  while (running_) {
    wait_and_dispatch();
    if (turn_events_ == 0) run_again();  // who has more than a share of a burst waits for the end of it
    run_posted();
    timers_.advance(now_ms_);
    end_turn();
  }
}

void Loop::wait_and_dispatch() {
  if (turn_events_ == 0) ++turn_;
  std::array<epoll_event, kEventsAtOnce> events;
  const bool work_left = !again_.empty() || posted_.load(std::memory_order_relaxed) != nullptr;
  const base::MonoMs turn_ended_ms = clock_.mono_ms();
  busy_ms_ += turn_ended_ms - now_ms_;
  if (turn_ended_) turn_ended_(turn_ended_ms);
  const int timeout_ms = work_left ? 0 : timers_.wait_ms(turn_ended_ms);
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsAtOnce, timeout_ms);
  turn_events_ = count == kEventsAtOnce && turn_events_ + count < kEventsPerTurn ? turn_events_ + count : 0;
  now_ms_ = clock_.mono_ms();
  run_posted();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      ++wake_ups_;  // never read: each write is an edge, and its counter does not run over
    } else {
      static_cast<LoopClient*>(event.data.ptr)->on_ready(event.events);
    }
  }
}

void Loop::run_again() {
  base::IntrusiveList<LoopClient, AgainTag> now;
  now.splice_back(again_);
  while (LoopClient* client = now.pop_front()) client->on_again();
}

void Loop::run_posted() {
  if (posted_.load(std::memory_order_relaxed) == nullptr) return;
  PostedTask* newest = posted_.exchange(nullptr, std::memory_order_acquire);
  PostedTask* oldest = nullptr;
  while (newest != nullptr) {  // the stack is newest first; tasks run in the order posted
    PostedTask* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    const std::unique_ptr<PostedTask> task(oldest);
    oldest = oldest->next;
    task->run();
  }
}

void Loop::end_turn() {
  // Destroying one may retire another, or make others write (a device's farewell).
  do {
    while (LoopClient* client = turn_end_.pop_front()) client->on_turn_end();
    std::vector<std::unique_ptr<LoopClient>> now = std::move(retired_);
    retired_.clear();
    now.clear();
  } while (!turn_end_.empty() || !retired_.empty());
}

void Loop::drop_posted() {
  PostedTask* task = posted_.exchange(nullptr, std::memory_order_acquire);
  while (task != nullptr) {
    const std::unique_ptr<PostedTask> gone(task);
    task = task->next;
  }
}

}  // namespace mooring::net
