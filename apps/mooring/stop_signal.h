// StopSignal: SIGINT and SIGTERM as a file descriptor, so that a command that waits can end in order.
#pragma once

namespace mooring::app {

// From its construction on the two signals no longer end the process; they make fd() readable. Construct one, before
// any thread is started; it restores the signals when it goes.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  int fd() const { return fd_; }
  bool raised() const;  // does not consume the signal

  // Waits until `timeout_ms` have passed or the signal came; negative: for ever.
  void sleep(int timeout_ms) const;

 private:
  int fd_ = -1;
};

}  // namespace mooring::app
