// Calls of a store that wait for the answer, and what else its tests share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "session/ports.h"
#include "storage/tests/waiting_executor.h"

namespace mooring::storage {

class ManualClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_ms_; }
  base::WallMs wall_ms() const override { return now_ms_; }
  void advance(base::WallMs ms) { now_ms_ += ms; }

 private:
  std::atomic<base::WallMs> now_ms_{1'700'000'000'000};
};

// Remembers what it hears; may be asked from any thread.
class Listener final : public session::AppendListener {
 public:
  void on_appended(std::span<const session::QueueItemRef> items) override {
    const std::lock_guard lock(mutex_);
    calls_ += 1;
    heard_on_ = std::this_thread::get_id();
    for (const auto& item : items) appended_.push_back(item->sequence);
    changed_.notify_all();
  }
  void on_append_failed(std::span<const session::QueueItemRef> items, const base::Error& error) override {
    const std::lock_guard lock(mutex_);
    error_ = error;
    for (const auto& item : items) failed_.push_back(item->sequence);
    changed_.notify_all();
  }

  void wait_for(std::size_t items) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return appended_.size() + failed_.size() >= items; });
  }
  std::vector<std::uint64_t> appended() const { return locked(appended_); }
  std::vector<std::uint64_t> failed() const { return locked(failed_); }
  base::Error error() const { return locked(error_); }
  std::size_t calls() const { return locked(calls_); }
  std::thread::id heard_on() const { return locked(heard_on_); }

 private:
  template <class T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> appended_;  // sequences
  std::vector<std::uint64_t> failed_;
  base::Error error_;
  std::size_t calls_ = 0;
  std::thread::id heard_on_;
};

inline mqtt::MessageRef message_of(std::string_view topic, std::string_view payload, base::WallMs expires_at_ms = 0) {
  mqtt::MessageFields fields;
  fields.qos = 1;
  fields.expires_at_ms = expires_at_ms;
  return mqtt::Message::create(topic, base::as_bytes(payload), fields);
}

inline session::QueueItemRef item_of(session::SessionNumber number, std::uint64_t sequence,
                                     const mqtt::MessageRef& message) {
  return std::make_shared<session::QueueItem>(number, sequence, message);
}
inline session::QueueItemRef item_of(session::SessionNumber number, std::uint64_t sequence) {
  return item_of(number, sequence, message_of("t/" + std::to_string(number), "payload " + std::to_string(sequence)));
}

// What a call with one answer brings.
template <class T, class Call>
T answer_of(Call&& call) {
  std::promise<T> answer;
  call([&answer](T value) { answer.set_value(std::move(value)); });
  return answer.get_future().get();
}

inline base::Result<> save(session::SessionStore& store, base::Executor& executor, session::SessionRecord record,
                           session::Epoch epoch) {
  return answer_of<base::Result<>>([&](auto done) { store.save(std::move(record), epoch, executor, std::move(done)); });
}
inline base::Result<> erase(session::SessionStore& store, base::Executor& executor, const session::SessionKey& key,
                            session::SessionNumber number, session::Epoch epoch) {
  return answer_of<base::Result<>>([&](auto done) { store.erase(key, number, epoch, executor, std::move(done)); });
}
inline base::Result<> write(session::SessionStore& store, base::Executor& executor,
                            std::vector<session::StoreOperation> operations) {
  return answer_of<base::Result<>>([&](auto done) { store.write(std::move(operations), executor, std::move(done)); });
}
inline base::Result<> save_retained(session::SessionStore& store, base::Executor& executor,
                                    const mqtt::MessageRef& message, bool removed = false) {
  return answer_of<base::Result<>>(
      [&](auto done) { store.save_retained(message, removed, executor, std::move(done)); });
}
inline base::Result<session::SessionStore::Page> read(session::SessionStore& store, base::Executor& executor,
                                                      session::SessionNumber number, std::uint64_t from_sequence = 0,
                                                      std::size_t max_messages = 1'000'000,
                                                      std::size_t max_bytes = 1U << 30) {
  return answer_of<base::Result<session::SessionStore::Page>>(
      [&](auto done) { store.read(number, from_sequence, max_messages, max_bytes, executor, std::move(done)); });
}
inline base::Result<session::QueueSize> measure(session::SessionStore& store, base::Executor& executor,
                                                session::SessionNumber number) {
  return answer_of<base::Result<session::QueueSize>>(
      [&](auto done) { store.measure(number, executor, std::move(done)); });
}

inline std::vector<std::uint64_t> sequences_of(const base::Result<session::SessionStore::Page>& page) {
  std::vector<std::uint64_t> sequences;
  if (page) {
    for (const auto& stored : page->messages) sequences.push_back(stored.sequence);
  }
  return sequences;
}
inline std::vector<std::uint64_t> stored_sequences(session::SessionStore& store, base::Executor& executor,
                                                   session::SessionNumber number) {
  return sequences_of(read(store, executor, number));
}

inline std::map<session::SessionKey, session::SessionRecord> all_sessions(session::SessionStore& store) {
  std::map<session::SessionKey, session::SessionRecord> found;
  const auto read_all = store.for_each_session([&found](session::SessionRecord&& record, session::Epoch) {
    const session::SessionKey key = record.key;
    found[key] = std::move(record);
  });
  return read_all ? found : std::map<session::SessionKey, session::SessionRecord>();
}
inline std::set<std::pair<session::SessionNumber, std::uint16_t>> all_received(session::SessionStore& store) {
  std::set<std::pair<session::SessionNumber, std::uint16_t>> found;
  const auto read_all = store.for_each_received(
      [&found](session::SessionNumber number, std::uint16_t packet_id) { found.emplace(number, packet_id); });
  return read_all ? found : std::set<std::pair<session::SessionNumber, std::uint16_t>>();
}
inline std::map<std::string, std::string> all_retained(session::SessionStore& store) {
  std::map<std::string, std::string> found;
  const auto read_all = store.for_each_retained([&found](const mqtt::MessageRef& message) {
    found[std::string(message->topic())] = base::as_text(message->payload());
  });
  return read_all ? found : std::map<std::string, std::string>();
}

}  // namespace mooring::storage
