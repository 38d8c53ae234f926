// Replies: collects what a group of operations has to answer, and posts it as one task for each executor.
//
// Answers to one executor come in the order they were added; successive appended items of one listener come in one
// call, kPortion at most. Not thread-safe. Executors and listeners must outlive the posted tasks.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "session/ports.h"

namespace mooring::storage {

class Replies {
 public:
  // So many answers, or appended items, are given at a time, or a sixteenth of those that wait if that is more; the
  // rest by a task that follows. A commit may have thousands, and whoever has a message on that loop would wait for all
  // of what comes of them. A loop that takes in more than a portion in each turn has a backlog that stops growing.
  static constexpr std::size_t kPortion = 64;
  static constexpr std::size_t kShareAtOnce = 16;

  // What was posted and not given yet, by executor: a later group's answers come behind. Outlives no task: it holds
  // nothing itself.
  class Backlog {
    friend class Replies;
    struct Lane;
    std::map<base::Executor*, std::weak_ptr<Lane>> lanes_;
  };

  void done(base::Executor& to, session::SessionStore::Done call, base::Result<> result);
  void task(base::Executor& to, base::Task task);
  void appended(base::Executor& to, session::AppendListener& listener, session::QueueItemRef item);
  void append_failed(base::Executor& to, session::AppendListener& listener, session::QueueItemRef item,
                     const base::Error& error);

  bool empty() const { return all_.empty(); }
  // Posts everything and is empty then. `gate`, if given, is asked on the executor right before the answers are given;
  // when it says no they are dropped.
  void post(const std::function<bool()>& gate = nullptr);
  // The same in portions.
  void post(Backlog& backlog);

 private:
  struct Appended {
    session::AppendListener* listener = nullptr;
    std::vector<session::QueueItemRef> items;
    std::shared_ptr<const base::Error> error;  // nothing: they are written
  };
  using Answer = std::variant<base::Task, Appended>;
  using Answers = std::vector<Answer>;

  static void give(Answer& answer);
  static std::size_t size_of(const Answer& answer);
  static void give_portion(const std::shared_ptr<Backlog::Lane>& lane, base::Executor& executor);
  Answers& answers_of(base::Executor& executor);
  Appended& run_of(base::Executor& to, session::AppendListener& listener, const base::Error* error);

  std::vector<std::pair<base::Executor*, Answers>> all_;
};

}  // namespace mooring::storage
