#include "server/statistics.h"

#include <algorithm>
#include <utility>

namespace mooring::server {

struct Statistics::Round {
  base::MonoMs began_ms = 0;
  std::size_t open = 0;
  LoopReport sum;
  std::vector<LoopView> loops;
  std::vector<std::int64_t> delays_ms;
};

Statistics::Statistics(const Parts& parts)
    : parts_(parts), started_ms_(parts.main.loop().clock().wall_ms()), self_(std::make_shared<Statistics*>(this)) {}

Statistics::~Statistics() = default;

void Statistics::start() {
  last_loops_.resize(parts_.workers.size());
  on_timer(parts_.main.loop().clock().mono_ms());
}

void Statistics::on_timer(base::MonoMs now) {
  parts_.main.loop().timers().schedule(*this, now + kIntervalMs);
  auto round = std::make_shared<Round>();
  round->began_ms = now;
  round->open = parts_.workers.size();
  round->loops.resize(parts_.workers.size());
  for (std::size_t i = 0; i < parts_.workers.size(); ++i) {
    LoopWorker* worker = parts_.workers[i];
    worker->loop().post([worker, i, &home = parts_.main.loop(), round, self = std::weak_ptr<Statistics*>(self_)] {
      const base::MonoMs here_ms = home.clock().mono_ms();
      home.post([report = worker->report(), i, here_ms, round, self] {
        round->sum += report;
        round->loops[i] = view_of(report);
        round->delays_ms.push_back(here_ms - round->began_ms);
        const auto alive = self.lock();
        if (--round->open == 0 && alive != nullptr) (*alive)->take(*round);
      });
    });
  }
}

// All loops have answered.
void Statistics::take(Round& round) {
  StatisticsSnapshot next;
  next.at_ms = parts_.main.loop().clock().wall_ms();
  next.sum = round.sum;
  next.refusals = parts_.log.refusals();
  next.connections = parts_.budget.open.load(std::memory_order_relaxed);
  const std::int64_t passed = std::max<std::int64_t>(round.began_ms - last_round_ms_, 1);
  next.loops = std::move(round.loops);
  for (std::size_t i = 0; i < next.loops.size(); ++i) {
    const std::int64_t worked = next.loops[i].busy_ms - last_loops_[i].busy_ms;
    next.loops[i].busy_share = std::clamp(static_cast<double>(worked) / static_cast<double>(passed), 0.0, 1.0);
  }
  last_round_ms_ = round.began_ms;
  last_loops_ = next.loops;
  for (const std::int64_t delay : round.delays_ms) loop_delay_ms_.observe(delay);
  next.loop_delay_ms = loop_delay_ms_;
  std::string text = sample_text(next);
  parts_.hub.tell_statistics(text);
  parts_.system_topics.take(next.sum);
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(next);
  samples_.push_back(std::move(text));
  if (samples_.size() > kSamplesKept) samples_.pop_front();
}

std::string Statistics::samples(std::size_t seconds) const {
  const std::lock_guard lock(mutex_);
  std::string out = R"({"interval":1,"items":[)";
  const std::size_t first = samples_.size() - std::min(samples_.size(), seconds);
  for (std::size_t i = first; i < samples_.size(); ++i) {
    if (i > first) out += ',';
    out += samples_[i];
  }
  return out + "]}";
}

Statistics::Totals Statistics::totals() const {
  const std::lock_guard lock(mutex_);
  return {snapshot_.connections, snapshot_.sum.sessions, snapshot_.sum.subscriptions, parts_.retained.size()};
}

SharedFigures Statistics::shared_figures() const {
  SharedFigures shared;
  shared.started_ms = started_ms_;
  shared.connections_refused = parts_.budget.refused.load(std::memory_order_relaxed);
  shared.retained_messages = parts_.retained.size();
  shared.store = parts_.store.stats();
  shared.registry = parts_.registry.counters();
  shared.passwords_waiting = parts_.passwords.waiting();
  shared.api_passwords_waiting = parts_.api_passwords.waiting();
  shared.log = parts_.journal.counters();
  return shared;
}

std::string Statistics::prometheus_text() const {
  const SharedFigures shared = shared_figures();
  const std::lock_guard lock(mutex_);
  return server::prometheus_text(snapshot_, shared);
}

}  // namespace mooring::server
