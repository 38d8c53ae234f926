#include "storage/replies.h"

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

void Replies::post(const std::function<bool()>& gate) {
  for (auto& [executor, answers] : all_) {
    executor->post([list = std::move(answers), gate]() mutable {
      if (!gate || gate()) give(list);
    });
  }
  all_.clear();
}

void Replies::give(Answers& answers) {
  for (Answer& answer : answers) {
    if (auto* task = std::get_if<base::Task>(&answer)) {
      (*task)();
      continue;
    }
    const auto& run = std::get<Appended>(answer);
    if (run.error == nullptr) {
      run.listener->on_appended(run.items);
    } else {
      run.listener->on_append_failed(run.items, *run.error);
    }
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
  if (last != nullptr && last->listener == &listener && same(last->error, error)) return *last;
  Appended run{&listener, {}, error == nullptr ? nullptr : std::make_shared<const base::Error>(*error)};
  return std::get<Appended>(answers.emplace_back(std::move(run)));
}

}  // namespace mooring::storage
