#include "storage/replies.h"

#include <algorithm>

namespace mooring::storage {
namespace {

bool same(const std::shared_ptr<const base::Error>& left, const base::Error* right) {
  if (left == nullptr || right == nullptr) return left == nullptr && right == nullptr;
  return left->code == right->code && left->message == right->message;
}

}  // namespace

void Replies::done(base::Executor& to, session::SessionStore::Done call, base::Result<> result) {
  task(to, [done = std::move(call), value = std::move(result)]() mutable { done(std::move(value)); });
}

void Replies::task(base::Executor& to, base::Task task) {
  answers_of(to).emplace_back(std::move(task));
}

void Replies::appended(base::Executor& to, session::AppendListener& listener, session::QueueItemRef item) {
  run_of(to, listener, nullptr).items.push_back(std::move(item));
}

void Replies::append_failed(base::Executor& to, session::AppendListener& listener, session::QueueItemRef item,
                            const base::Error& error) {
  run_of(to, listener, &error).items.push_back(std::move(item));
}

// Held by the tasks that serve it, and by nobody else: with a loop's last tasks go the answers that it was not given.
struct Replies::Backlog::Lane {
  // On its executor.
  std::deque<Answer> waiting;  // not empty: a task follows
  std::size_t size = 0;        // of them all together
};

void Replies::post(const std::function<bool()>& gate) {
  for (auto& [executor, answers] : all_) {
    executor->post([list = std::move(answers), gate]() mutable {
      if (gate && !gate()) return;
      for (Answer& answer : list) give(answer);
    });
  }
  all_.clear();
}

void Replies::post(Backlog& backlog) {
  for (auto& [executor, answers] : all_) {
    std::weak_ptr<Backlog::Lane>& known = backlog.lanes_[executor];
    std::shared_ptr<Backlog::Lane> lane = known.lock();
    if (lane == nullptr) known = lane = std::make_shared<Backlog::Lane>();
    executor->post([lane = std::move(lane), list = std::move(answers), to = executor]() mutable {
      const bool is_served = !lane->waiting.empty();
      for (Answer& answer : list) {
        lane->size += size_of(answer);
        lane->waiting.push_back(std::move(answer));
      }
      if (!is_served) give_portion(lane, *to);
    });
  }
  all_.clear();
}

void Replies::give_portion(const std::shared_ptr<Backlog::Lane>& lane, base::Executor& executor) {
  const std::size_t portion = std::max(kPortion, lane->size / kShareAtOnce);
  for (std::size_t given = 0; given < portion && !lane->waiting.empty();) {
    Answer answer = std::move(lane->waiting.front());
    given += size_of(answer);
    lane->size -= size_of(answer);
    give(answer);
    lane->waiting.pop_front();  // behind the call: what comes meanwhile must not begin to serve
  }
  if (!lane->waiting.empty()) executor.post([lane, &executor] { give_portion(lane, executor); });
}

std::size_t Replies::size_of(const Answer& answer) {
  const auto* run = std::get_if<Appended>(&answer);
  return run == nullptr ? 1 : run->items.size();
}

void Replies::give(Answer& answer) {
  if (auto* task = std::get_if<base::Task>(&answer)) return (*task)();
  const auto& run = std::get<Appended>(answer);
  if (run.error == nullptr) {
    run.listener->on_appended(run.items);
  } else {
    run.listener->on_append_failed(run.items, *run.error);
  }
}

Replies::Answers& Replies::answers_of(base::Executor& executor) {
  for (auto& [known, answers] : all_) {
    if (known == &executor) return answers;
  }
  return all_.emplace_back(&executor, Answers()).second;
}

Replies::Appended& Replies::run_of(base::Executor& to, session::AppendListener& listener, const base::Error* error) {
  Answers& answers = answers_of(to);
  auto* last = answers.empty() ? nullptr : std::get_if<Appended>(&answers.back());
  const bool fits = last != nullptr && last->items.size() < kPortion;
  if (fits && last->listener == &listener && same(last->error, error)) return *last;
  Appended run{&listener, {}, error == nullptr ? nullptr : std::make_shared<const base::Error>(*error)};
  return std::get<Appended>(answers.emplace_back(std::move(run)));
}

}  // namespace mooring::storage
