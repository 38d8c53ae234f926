// Listener: a listening socket on one loop. Every loop has its own socket on the same address (SO_REUSEPORT), so the
// kernel spreads new connections over the loops and nothing is handed around.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_function.h"
#include "net/loop.h"
#include "net/socket_address.h"
#include "net/timer_wheel.h"
#include "net/unique_fd.h"

namespace mooring::net {

// Binds and listens. The first socket of an address is opened with `share` false once to find out whether another
// program has the port (SO_REUSEPORT would let two programs of one user take it together without a word).
base::Result<UniqueFd> open_listener(const SocketAddress& address, bool share);
// A Unix socket that only its owner may connect to; an old socket file in its place is removed.
base::Result<UniqueFd> open_local_listener(const std::string& path);
base::Result<SocketAddress> bound_address(const UniqueFd& fd);

class Listener final : public LoopClient, private Timer {
 public:
  // Called on the loop for each accepted connection: non-blocking, close-on-exec, TCP_NODELAY.
  using OnAccept = base::UniqueFunction<void(UniqueFd, const SocketAddress& peer)>;

  Listener(Loop& loop, UniqueFd fd, OnAccept on_accept);
  ~Listener() override;
  base::Result<> start();
  void stop();  // closes the socket; queued connections are refused by the kernel
  void on_ready(std::uint32_t epoll_events) override;

 private:
  // When the process is out of descriptors: give up one kept in reserve, accept and close, so that the backlog does
  // not keep the loop spinning. If another thread was quicker to take the reserve, those who wait have to go on
  // waiting.
  void shed_one();
  void tell_shed();
  void pause();
  void on_timer(base::MonoMs now) override;

  Loop& loop_;
  UniqueFd fd_;
  UniqueFd reserve_;
  std::uint64_t shed_ = 0;  // not told yet
  base::MonoMs tell_from_ms_ = 0;
  OnAccept on_accept_;
};

}  // namespace mooring::net
