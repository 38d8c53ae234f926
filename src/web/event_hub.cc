#include "web/event_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <utility>

#include "base/utc_time.h"

namespace mooring::web {
namespace {

constexpr std::int64_t kBeatMs = 250;
constexpr std::uint32_t kBeatsPerCheck = 20;    // of who may go on
constexpr std::uint32_t kBeatsPerComment = 60;  // so that proxies keep the connection, and a dead peer shows
constexpr std::size_t kPieceBytes = 16 * 1024;  // of events that go together: what is left out is little at a time

std::string event_text(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}
std::string gap_text(std::uint64_t events) {
  return event_text("gap", fmt::format("{{\"dropped\":{}}}", events));
}

// Empty: nothing that readers of devices are told.
std::string_view status_after(journal::Action action) {
  if (action == journal::Action::kOnline) return "ONLINE";
  return action == journal::Action::kOffline ? "OFFLINE" : "";
}

// Likewise.
std::string_view word_of(registry::Change::Kind kind) {
  using Kind = registry::Change::Kind;
  switch (kind) {
    case Kind::kDeviceEnabled:
      return "enabled";
    case Kind::kDeviceDisabled:
      return "disabled";
    case Kind::kDeviceChanged:
      return "changed";
    case Kind::kDeviceReset:
      return "reset";
    case Kind::kDeviceDeleted:
      return "deleted";
    default:
      return "";
  }
}

// Entries of a page of the log, each with its revision, in the order of these.
std::vector<std::pair<std::int64_t, std::string>> log_events(const boost::json::value& page) {
  std::vector<std::pair<std::int64_t, std::string>> out;
  for (const boost::json::value& entry : page.at("items").as_array()) {
    const auto revision = entry.at("revision").to_number<std::int64_t>();
    out.emplace_back(revision, fmt::format("id: {}\n{}", revision, event_text("log", boost::json::serialize(entry))));
  }
  std::ranges::sort(out, {}, &std::pair<std::int64_t, std::string>::first);
  return out;
}

}  // namespace

// What goes to readers at once, and how many events are in it.
struct EventHub::Piece {
  std::string text;
  std::uint64_t events = 0;
};

// Belongs to the loop of its connection, but for what is marked.
class EventHub::Reader final : public http::ResponseStream, public std::enable_shared_from_this<Reader> {
 public:
  Reader(EventHub& hub, Wanted what, std::string who, base::Executor& loop, std::function<bool()> may_go_on)
      : wanted(std::move(what)),
        caller(std::move(who)),
        log_revision(wanted.log_after > 0 ? wanted.log_after : -1),
        may_go_on_(std::move(may_go_on)),
        hub_(hub),
        executor_(loop) {}

  void start(http::EventSink& sink) override {
    sink_ = &sink;
    sink_->write("retry: 2000\n\n");
  }
  void ended() override {
    sink_ = nullptr;
    hub_.forget(*this);
  }

  // Any thread, as the next four.
  void send(std::shared_ptr<const Piece> piece) {
    if (posted_.load(std::memory_order_relaxed) >= kPostedMax) {
      miss(piece->events);
      return;
    }
    posted_.fetch_add(1, std::memory_order_relaxed);
    executor_.post([self = shared_from_this(), piece = std::move(piece)] {
      self->posted_.fetch_sub(1, std::memory_order_relaxed);
      self->write(*piece);
    });
  }
  void miss(std::uint64_t events) { missed_.fetch_add(events, std::memory_order_relaxed); }
  bool has_missed() const { return missed_.load(std::memory_order_relaxed) > 0; }
  void finish() {
    executor_.post([self = shared_from_this()] {
      if (self->sink_ != nullptr) self->sink_->finish();
    });
  }

  bool wants(const base::DeviceKey& device) const {
    return (wanted.product_key.empty() || wanted.product_key == device.product_key) &&
           (wanted.device_name.empty() || wanted.device_name == device.device_name);
  }
  bool may_go_on() const { return may_go_on_(); }
  base::Executor& executor() { return executor_; }

  // The body of an answer about the log: an event for each entry.
  void take_log(const std::optional<std::string>& body) {
    boost::json::error_code error;
    const boost::json::value page = body ? boost::json::parse(*body, error) : boost::json::value();
    if (error || !page.is_object() || !page.as_object().contains("items")) {
      log_failed.store(true, std::memory_order_relaxed);
    } else {
      tell_log(page);
    }
    reading_log.store(false, std::memory_order_release);
  }

  const Wanted wanted;
  const std::string caller;
  // Any thread.
  std::atomic<bool> log_changed{true};
  std::atomic<bool> reading_log{false};
  std::atomic<bool> log_failed{false};
  std::atomic<std::int64_t> log_revision;   // -1: not known yet
  std::atomic<std::uint64_t> log_early{0};  // events that came while it was not

 private:
  void tell_log(const boost::json::value& page) {
    const auto revision = page.at("revision").to_number<std::int64_t>();
    const std::int64_t seen = log_revision.exchange(revision);
    if (seen < 0) {
      // What was there before is for the reader to ask, and it may have asked before the latest came.
      if (const std::uint64_t early = log_early.exchange(0); early > 0) write({gap_text(early), early});
      return;
    }
    // More than a page, or the log began anew.
    if (page.as_object().contains("nextCursor") || seen > revision) write({gap_text(1), 1});
    for (auto& [number, text] : log_events(page)) write({std::move(text), 1});
  }
  void write(const Piece& piece) {
    if (sink_ == nullptr) return;
    if (sink_->unsent_bytes() + piece.text.size() >= kUnsentBytesMax) {
      miss(piece.events);
      return;
    }
    if (const std::uint64_t missed = missed_.exchange(0, std::memory_order_relaxed); missed > 0) {
      sink_->write(gap_text(missed));
    }
    if (!piece.text.empty()) sink_->write(piece.text);
  }

  const std::function<bool()> may_go_on_;
  EventHub& hub_;
  base::Executor& executor_;
  http::EventSink* sink_ = nullptr;
  std::atomic<std::uint32_t> posted_{0};
  std::atomic<std::uint64_t> missed_{0};
};

EventHub::EventHub(net::Loop& main, ReadLog read_log) : main_(main), read_log_(std::move(read_log)) {
  main_.timers().schedule(*this, main_.clock().mono_ms() + kBeatMs);
}

EventHub::~EventHub() = default;

std::shared_ptr<http::ResponseStream> EventHub::open(Wanted wanted, std::string caller, base::Executor& loop,
                                                     std::function<bool()> may_go_on) {
  const std::lock_guard lock(mutex_);
  const auto own = std::ranges::count_if(readers_, [&](const auto& reader) { return reader->caller == caller; });
  if (readers_.size() >= kReadersMax || static_cast<std::size_t>(own) >= kReadersPerCallerMax) return nullptr;
  if (wanted.devices || wanted.log) device_readers_.fetch_add(1, std::memory_order_relaxed);
  auto reader = std::make_shared<Reader>(*this, std::move(wanted), std::move(caller), loop, std::move(may_go_on));
  readers_.push_back(reader);
  return reader;
}

void EventHub::forget(const Reader& reader) {
  const std::lock_guard lock(mutex_);
  const auto gone = std::erase_if(readers_, [&](const auto& one) { return one.get() == &reader; });
  if (gone > 0 && (reader.wanted.devices || reader.wanted.log)) device_readers_.fetch_sub(1, std::memory_order_relaxed);
}

std::vector<std::shared_ptr<EventHub::Reader>> EventHub::readers() {
  const std::lock_guard lock(mutex_);
  return readers_;
}

void EventHub::tell_statistics(const std::string& sample) {
  std::shared_ptr<const Piece> piece;
  for (const auto& reader : readers()) {
    if (!reader->wanted.statistics) continue;
    if (piece == nullptr) piece = std::make_shared<const Piece>(Piece{event_text("statistics", sample), 1});
    reader->send(piece);
  }
}

void EventHub::note_device(DeviceNote note) {
  if (!has_device_readers() || note.device.device_name.empty()) return;
  const std::string_view status = status_after(note.action);
  const std::lock_guard lock(mutex_);
  for (const auto& reader : readers_) {
    if (!reader->wanted.log || !reader->wants(note.device)) continue;
    // The answer that begins the log may or may not have it.
    if (reader->log_revision.load() < 0) reader->log_early.fetch_add(1);
    reader->log_changed.store(true, std::memory_order_release);
  }
  if (status.empty()) return;
  const base::WallMs at_ms = note.at_ms != 0 ? note.at_ms : main_.clock().wall_ms();
  add({std::move(note.device), status, {}, at_ms, std::move(note.address)});
}

// Of devices that go with their product readers learn by a gap: there may be a hundred thousand of them.
void EventHub::note_changes(std::span<const registry::Change> changes) {
  if (!has_device_readers()) return;
  using Kind = registry::Change::Kind;
  const bool whole_product = std::ranges::count(changes, Kind::kProductDeleted, &registry::Change::kind) > 0;
  const base::WallMs now = main_.clock().wall_ms();
  const std::lock_guard lock(mutex_);
  for (const registry::Change& change : changes) {
    const std::string_view word = word_of(change.kind);
    const bool deleted = change.kind == Kind::kDeviceDeleted;
    if (word.empty() || (!deleted && !change.status)) continue;
    if (whole_product && deleted) {
      ++device_events_missed_;
    } else {
      add({change.key, deleted ? std::string_view("DELETED") : registry::to_text(*change.status), word, now, {}});
    }
  }
}

void EventHub::add(DeviceEvent event) {
  if (device_events_.size() >= kDeviceEventsMax) {
    ++device_events_missed_;
  } else {
    device_events_.push_back(std::move(event));
  }
}

void EventHub::on_timer(base::MonoMs now) {
  main_.timers().schedule(*this, now + kBeatMs);
  const auto all = readers();
  ++beats_;
  tell_devices(all);
  // Empty: only for the gap that goes before it.
  const auto comment = std::make_shared<const Piece>(Piece{beats_ % kBeatsPerComment == 0 ? ":\n\n" : "", 0});
  for (const auto& reader : all) {
    if (!comment->text.empty() || reader->has_missed()) reader->send(comment);
    if (beats_ % kBeatsPerCheck == 0 && !reader->may_go_on()) {
      reader->finish();
      continue;
    }
    if (!reader->wanted.log || reader->reading_log.load(std::memory_order_acquire)) continue;
    const bool again = beats_ % kBeatsPerCheck == 0 && reader->log_failed.exchange(false);
    if (!reader->log_changed.exchange(false, std::memory_order_acquire) && !again) continue;
    reader->reading_log.store(true, std::memory_order_relaxed);
    read_log_({reader->wanted.product_key, reader->wanted.device_name},
              std::max<std::int64_t>(reader->log_revision.load(std::memory_order_relaxed), 0), reader->executor(),
              [reader](const std::optional<std::string>& body) { reader->take_log(body); });
  }
}

void EventHub::tell_devices(const std::vector<std::shared_ptr<Reader>>& readers) {
  std::vector<DeviceEvent> events;
  std::uint64_t missed = 0;
  {
    const std::lock_guard lock(mutex_);
    events.swap(device_events_);
    missed = std::exchange(device_events_missed_, 0);
  }
  if (events.empty() && missed == 0) return;
  // Most readers want the same: the console asks for all devices on one page, and for one device on another.
  std::map<std::pair<std::string_view, std::string_view>, std::vector<std::shared_ptr<const Piece>>> pieces;
  for (const auto& reader : readers) {
    if (!reader->wanted.devices) continue;
    const auto [made, is_new] = pieces.try_emplace({reader->wanted.product_key, reader->wanted.device_name});
    if (is_new) made->second = pieces_for(*reader, events);
    for (const auto& piece : made->second) reader->send(piece);
    if (missed > 0) reader->miss(missed);  // the newest are missing
  }
}

std::vector<std::shared_ptr<const EventHub::Piece>> EventHub::pieces_for(const Reader& reader,
                                                                         const std::vector<DeviceEvent>& events) {
  std::vector<std::shared_ptr<const Piece>> pieces;
  Piece piece;
  const auto finish = [&] { pieces.push_back(std::make_shared<const Piece>(std::exchange(piece, {}))); };
  for (const DeviceEvent& event : events) {
    if (!reader.wants(event.device)) continue;
    boost::json::object json{{"productKey", event.device.product_key},
                             {"deviceName", event.device.device_name},
                             {"status", event.status},
                             {"time", base::utc_time(event.at_ms)}};
    if (!event.change.empty()) json["change"] = event.change;
    if (!event.address.empty()) json["address"] = event.address;
    piece.text += event_text("device", boost::json::serialize(json));
    ++piece.events;
    if (piece.text.size() >= kPieceBytes) finish();
  }
  if (piece.events > 0) finish();
  return pieces;
}

}  // namespace mooring::web
