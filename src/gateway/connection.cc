#include "gateway/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "gateway/first_bytes.h"
#include "net/proxy_protocol.h"

namespace mooring::gateway {
namespace {

constexpr int kReadsPerTurn = 4;  // then the other connections of the loop have their turn
constexpr int kWritesPerTurn = 16;
// SUBSCRIBE, and what else a device sends as soon as it is in: where a whole fleet comes at once, so do these.
constexpr std::uint8_t kFirstReads = 4;
constexpr std::size_t kSharedFromBytes = 2048;  // below, copying is cheaper than another piece of a writev
constexpr std::uint32_t kLingerBytesMax = 256 * 1024;
// Answers beyond the outgoing bound (acknowledgements, pongs) before no more is read from a peer that reads nothing.
constexpr std::size_t kAnswerSlackBytes = 64 * 1024;

}  // namespace

Connection::Connection(net::Loop& loop, ConnectionOwner& owner, const ListenerContext& context, net::UniqueFd fd,
                       const net::SocketAddress& peer, ConnectionPlace place)
    : loop_(&loop),
      owner_(&owner),
      context_(&context),
      stream_(std::move(fd)),
      stage_(Stage::kFirstBytes),
      place_(std::move(place)),
      setup_deadline_ms_(loop.now_ms() + context.limits.setup_timeout_ms) {
  peer_.address = peer;
  peer_.local_socket = context.local_socket;
  if (!context.anonymous_account.empty()) peer_.anonymous_account = &context.anonymous_account;
  if (context.proxy_protocol) stage_ = Stage::kProxyHeader;
}

Connection::~Connection() {
  if (loop_ != nullptr) {
    out_.clear(loop_->blocks());
  } else {  // on its way to a loop that has ended
    net::BlockPool nobodys;
    out_.clear(nobodys);
  }
}

void Connection::count_as(metrics::Transport transport, metrics::ConnectionState state) {
  metrics::ConnectionCounts* counts = owner_->connection_counts();
  if (counts == nullptr) return;
  uncount();
  counted_transport_ = transport;
  counted_state_ = state;
  counted_ = true;
  ++(*counts)[static_cast<std::size_t>(transport)][static_cast<std::size_t>(state)];
}

void Connection::uncount() {
  if (!std::exchange(counted_, false)) return;
  --(*owner_->connection_counts())[static_cast<std::size_t>(counted_transport_)]
                                  [static_cast<std::size_t>(counted_state_)];
}

void Connection::start() {
  count_as(counted_transport_, counted_state_);
  if (auto watched = loop_->watch(stream_.fd(), *this, net::Loop::Watch::kEdge); !watched) {
    base::log_error("gateway", "{}", watched.error().message);
    close_now();
    return;
  }
  schedule_timer();
}

void Connection::on_ready(std::uint32_t epoll_events) {
  if (stage_ == Stage::kClosed) return;
  if ((epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer_ended_ = true;
  if ((epoll_events & EPOLLOUT) != 0) {
    writable_ = true;
    if (!out_.empty() || stage_ == Stage::kFinishing) loop_->call_at_turn_end(*this);
    // A handshake may have been waiting for room.
    if (stage_ == Stage::kTlsHandshake) readable_ = true;
  }
  advance();
}

void Connection::on_again() {
  if (is_opening() && loop_->now_ms() >= setup_deadline_ms_) return too_late();
  if (!out_.empty() && writable_) loop_->call_at_turn_end(*this);
  advance();
}

bool Connection::input_blocked() const {
  const bool conversation_is_full = conversation_ != nullptr && backlog_ != nullptr;
  return conversation_is_full || input_pause_until_ms_ != 0 ||
         out_.size() >= context_->limits.outgoing_bytes + kAnswerSlackBytes;
}

void Connection::advance() {
  if (move_to_) return;
  if (std::exchange(input_wanted_, false) && conversation_ != nullptr && stage_ == Stage::kConversation) {
    if (const auto held = std::move(backlog_)) {
      feed(*held);
    } else {
      conversation_->receive({});  // it may hold a part of its input itself (WebSocketConversation)
    }
    if (saw_end_ && stage_ == Stage::kConversation) end_of_input();
  }
  if (end_waits_ != PeerEnd::kNone) return on_peer_end(end_waits_);
  int reads = kReadsPerTurn;
  bool had_turn = false;
  while (readable_ && !move_to_ && stage_ != Stage::kClosed && (stage_ == Stage::kLingering || !input_blocked())) {
    if (reads-- == 0) {
      loop_->call_again(*this);
      return;
    }
    if (!(had_turn && established_) && must_wait()) return;  // each step of an opening; what has signed in asks once
    had_turn = true;
    if (!step()) return;
  }
  // There will be no room: nothing leaves any more.
  if (broken_ && stage_ == Stage::kConversation && input_blocked()) on_peer_end(PeerEnd::kBroken);
}

// The local socket is how an operator looks into a server that is busy.
bool Connection::must_wait() {
  const bool opening = is_opening();
  if (!opening && (first_reads_ == 0 || peer_ended_)) return false;  // ends are told in line, and read at once
  if (peer_.local_socket || stage_ > Stage::kConversation) return false;
  if (opening) return !owner_->may_go_on(*this, stage_ > Stage::kFirstBytes ? LinePlace::kBegun : LinePlace::kFresh);
  return !owner_->may_go_on(*this, LinePlace::kSignedIn);
}

bool Connection::step() {
  switch (stage_) {
    case Stage::kProxyHeader:
      return step_proxy_header();
    case Stage::kFirstBytes:
      return step_first_bytes();
    case Stage::kTlsHandshake:
      return step_handshake();
    case Stage::kPskLookup:
      return false;
    case Stage::kConversation:
    case Stage::kFinishing:
    case Stage::kLingering:
      return step_read();
    case Stage::kClosed:
      return false;
  }
  return false;
}

bool Connection::step_proxy_header() {
  std::array<std::uint8_t, net::kMaxProxyHeaderBytes> first{};
  const net::IoResult got = stream_.peek(first);
  if (got.status == net::IoStatus::kAgain) {
    readable_ = false;
    return false;
  }
  if (got.status != net::IoStatus::kOk) {
    end(TransportEnd::kPeerClosed, "closed before a PROXY header");
    return false;
  }
  const net::ProxyHeader header = net::parse_proxy_header(base::ByteView(first).first(got.bytes));
  if (header.status == net::ProxyHeader::Status::kMore && !peer_ended_) {
    readable_ = false;  // the rest raises another edge
    return false;
  }
  const bool trusted = context_->trusted_proxies.empty() ||
                       std::any_of(context_->trusted_proxies.begin(), context_->trusted_proxies.end(),
                                   [&](const net::AddressBlock& block) { return block.contains(peer_.address); });
  if (header.status != net::ProxyHeader::Status::kDone || !trusted) {
    end(TransportEnd::kBroken, trusted ? "this listener expects a PROXY header (listener.proxy_protocol); none came"
                                       : "a PROXY header from an address outside listener.trusted_proxies");
    return false;
  }
  [[maybe_unused]] const net::IoResult taken = stream_.read(base::MutableBytes(first).first(header.header_bytes));
  if (header.has_source) peer_.address = header.source;
  peer_.proxied = true;
  stage_ = Stage::kFirstBytes;
  return true;
}

bool Connection::step_first_bytes() {
  std::array<std::uint8_t, 1> first{};
  const net::IoResult got = stream_.peek(first);
  if (got.status == net::IoStatus::kAgain) {
    readable_ = false;
    return false;
  }
  if (got.status != net::IoStatus::kOk) {
    end(TransportEnd::kPeerClosed, "closed before the first byte");
    return false;
  }
  const bool is_tls = classify_first_bytes(first) == FirstBytes::kTls;
  const bool tls_possible = context_->tls != ListenerContext::Tls::kOff && context_->tls_context != nullptr;
  if (is_tls && !tls_possible) {
    end(TransportEnd::kBroken, "TLS on a listener with tls = \"off\"");
    return false;
  }
  if (!is_tls && context_->tls == ListenerContext::Tls::kRequired) {
    end(TransportEnd::kBroken, "plain bytes on a listener with tls = \"required\"");
    return false;
  }
  if (is_tls && peer_ended_) {
    end(TransportEnd::kPeerClosed, "gave up before its turn");
    return false;
  }
  if (is_tls && !owner_->may_shake_hands(peer_)) {
    end(TransportEnd::kBroken, "too many refused sign-ins from this address (limits.refusals_per_address_per_minute)");
    return false;
  }
  if (is_tls) {
    stream_.start_tls(*context_->tls_context);
    peer_.tls = true;
    count_as(metrics::Transport::kTls, metrics::ConnectionState::kOpening);
    stage_ = Stage::kTlsHandshake;
  } else {
    stage_ = Stage::kConversation;
  }
  return true;
}

bool Connection::step_handshake() {
  owner_->count_handshake_step(!std::exchange(handshake_begun_, true));
  switch (stream_.handshake()) {
    case net::Stream::Handshake::kDone:
      base::log_debug("gateway", "{}: {} {}{}", peer_.address.to_text(), stream_.tls_version(), stream_.tls_cipher(),
                      stream_.tls_resumed() ? ", resumed" : "");
      owner_->handshake_ended(stream_, true);
      stage_ = Stage::kConversation;
      return true;
    case net::Stream::Handshake::kAgain:
      readable_ = false;
      if (peer_ended_) end(TransportEnd::kPeerClosed, "closed during the TLS handshake");
      return false;
    case net::Stream::Handshake::kWantsPsk:
      look_up_psk();
      return stage_ == Stage::kTlsHandshake;
    case net::Stream::Handshake::kFailed:
      handshake_failed();
      return false;
  }
  return false;
}

// The alert has been sent. The connection ends before anything is told or counted, whatever the identity was.
void Connection::handshake_failed() {
  const std::string psk(stream_.psk_identity());
  const char* const why = stream_.tls_failure();
  if (psk_verdict_ == PskVerdict::kKey && stream_.broken_off()) psk_verdict_ = PskVerdict::kBrokenOff;
  owner_->handshake_ended(stream_, false);
  end(TransportEnd::kBroken, "TLS handshake failed");
  base::log_info("gateway", "{}: TLS handshake failed: {}", peer_.address.to_text(), why);
  if (!psk.empty()) owner_->psk_failed(psk, psk_verdict_, peer_);
}

void Connection::look_up_psk() {
  stage_ = Stage::kPskLookup;
  awaits_psk_ = std::make_shared<Connection*>(this);
  owner_->find_psk_key(stream_.psk_identity(), peer_, [self = std::weak_ptr<Connection*>(awaits_psk_)](PskKey found) {
    if (const auto alive = self.lock()) (*alive)->psk_found(std::move(found));
  });
}

void Connection::psk_found(PskKey found) {
  if (stage_ != Stage::kPskLookup) return;
  awaits_psk_.reset();
  psk_verdict_ = found.verdict;
  stream_.set_psk_key(base::as_bytes(found.key));
  crypto::cleanse(found.key);
  stage_ = Stage::kTlsHandshake;
  readable_ = true;
  loop_->call_again(*this);
}

bool Connection::step_read() {
  const base::MutableBytes buffer = loop_->read_buffer();
  const net::IoResult got = stream_.read(buffer);
  switch (got.status) {
    case net::IoStatus::kAgain:
      readable_ = false;
      if (broken_) on_peer_end(PeerEnd::kBroken);
      return false;
    case net::IoStatus::kEof:
      on_peer_end(PeerEnd::kClosed);
      return false;
    case net::IoStatus::kError:
      on_peer_end(PeerEnd::kBroken);
      return false;
    case net::IoStatus::kOk:
      break;
  }
  if (first_reads_ != 0) --first_reads_;
  if (input_per_s_ != nullptr && *input_per_s_ != 0) count_input(got.bytes);
  // A short read of a plain socket means it is empty; TLS may still hold records.
  if (!stream_.encrypted() && got.bytes < buffer.size() && !peer_ended_) readable_ = false;
  if (stage_ != Stage::kConversation) {
    lingered_bytes_ += static_cast<std::uint32_t>(got.bytes);
    if (lingered_bytes_ > kLingerBytesMax) close_now();
    return stage_ != Stage::kClosed;
  }
  if (conversation_ == nullptr && backlog_ != nullptr) {  // the first bytes did not suffice to tell what this is
    const auto first = std::move(backlog_);
    first->insert(first->end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.bytes));
    feed(*first);
  } else {
    feed(buffer.first(got.bytes));
  }
  return true;
}

// Everything that it sent has been read. Where a network fails thousands end at once: those stand in line, too.
void Connection::on_peer_end(PeerEnd how) {
  readable_ = false;
  const bool has_line = established_ && stage_ == Stage::kConversation && !peer_.local_socket;
  if (end_waits_ == PeerEnd::kNone) {
    end_waits_ = broken_ ? PeerEnd::kBroken : how;
    // It may have stood there for a read; now it belongs to those who end.
    if (has_line) static_cast<base::ListHook<net::AgainTag>&>(*this).unlink();
  }
  if (has_line && !owner_->may_go_on(*this, LinePlace::kEnded)) return;
  tell_end();
  if (input_wanted_ && stage_ == Stage::kConversation) loop_->call_again(*this);  // an answer is owed
}

bool Connection::tell_end() {
  if (broken_ && stage_ == Stage::kConversation) end_waits_ = PeerEnd::kBroken;
  const PeerEnd how = std::exchange(end_waits_, PeerEnd::kNone);
  if (how == PeerEnd::kNone) return false;
  if (how == PeerEnd::kBroken) {
    end(TransportEnd::kBroken, "");
  } else {
    end_of_input();
  }
  return stage_ > Stage::kConversation;
}

// The peer sends no more. What it is owed still leaves: an HTTP client may well have closed its side already.
void Connection::end_of_input() {
  readable_ = false;
  const bool seen_before = std::exchange(saw_end_, true);
  if (stage_ == Stage::kConversation && conversation_ != nullptr) {
    if (conversation_->owes_answer()) return;
    stage_ = Stage::kFinishing;
    conversation_->transport_ended(TransportEnd::kPeerClosed);
  } else if (seen_before && stage_ == Stage::kFinishing) {
    return;
  }
  if (stage_ == Stage::kFinishing && !out_.empty()) {
    start_finishing();
    return;
  }
  close_now();
}

void Connection::feed(base::MutableBytes input) {
  // A conversation may be replaced in the middle of its input (the upgrade to WebSocket).
  while (!input.empty() && stage_ == Stage::kConversation) {
    if (conversation_ == nullptr && !choose_conversation(input)) {
      if (stage_ == Stage::kConversation) keep(input);
      return;
    }
    const Conversation* before = conversation_.get();
    const std::size_t taken = conversation_->receive(input);
    input = input.subspan(taken);
    if (taken == 0 && conversation_.get() == before) break;
  }
  if (!input.empty() && stage_ == Stage::kConversation) keep(input);
}

void Connection::keep(base::ByteView input) {
  backlog_ = std::make_unique<base::Bytes>(input.begin(), input.end());
}

// False: it cannot be told yet, or the connection was ended.
bool Connection::choose_conversation(base::ByteView first) {
  switch (classify_first_bytes(first.first(std::min(first.size(), kFirstBytesMax)))) {
    case FirstBytes::kMqtt:
      if (!context_->may_speak_mqtt) break;
      conversation_ = owner_->make_mqtt(*this, *context_);
      return true;
    case FirstBytes::kHttp:
      conversation_ = owner_->make_http(*this, *context_);
      count_as(peer_.tls ? metrics::Transport::kHttps : metrics::Transport::kHttp, metrics::ConnectionState::kOpening);
      return true;
    case FirstBytes::kMore:
      return false;
    case FirstBytes::kTls:  // within TLS
    case FirstBytes::kUnknown:
      break;
  }
  end(TransportEnd::kBroken, "the first bytes are neither TLS, HTTP nor an MQTT CONNECT");
  return false;
}

// ---- output ----

void Connection::write(base::ByteView bytes) {
  if (out_.empty()) last_progress_ms_ = loop_->now_ms();
  out_.append(loop_->blocks(), bytes);
  loop_->call_at_turn_end(*this);
}

std::uint8_t* Connection::reserve(std::size_t bytes) {
  if (out_.empty()) last_progress_ms_ = loop_->now_ms();
  loop_->call_at_turn_end(*this);
  return out_.reserve(loop_->blocks(), bytes);
}

void Connection::commit(std::size_t bytes) {
  out_.commit(bytes);
}

void Connection::write_shared(base::ByteView bytes, const mqtt::MessageRef& owner) {
  if (bytes.size() < kSharedFromBytes) {
    write(bytes);
    return;
  }
  if (out_.empty()) last_progress_ms_ = loop_->now_ms();
  out_.append_shared(loop_->blocks(), bytes, new mqtt::MessageRef(owner),
                     [](void* held) { delete static_cast<mqtt::MessageRef*>(held); });
  loop_->call_at_turn_end(*this);
}

void Connection::on_turn_end() {
  replaced_.reset();
  if (stage_ == Stage::kClosed) return;
  flush();
  if (!move_to_) return;
  if (stage_ == Stage::kConversation) {
    leave();
  } else {
    move_to_.reset();  // it ends here
  }
}

void Connection::flush() {
  // Noted before writing: what was told that we are congested waits for output_drained(), however fast this goes.
  if (out_.size() >= context_->limits.outgoing_bytes) over_bound_ = true;
  bool progress = false;
  int writes = kWritesPerTurn;
  while (!out_.empty() && writable_) {
    if (writes-- == 0) {
      leave_line();  // which is for reading
      loop_->call_again(*this);
      break;
    }
    std::array<iovec, 16> pieces;
    const std::size_t count = out_.gather(pieces);
    const net::IoResult sent = stream_.write(std::span<const iovec>(pieces).first(count));
    if (sent.status == net::IoStatus::kAgain) {
      writable_ = false;
    } else if (sent.status == net::IoStatus::kOk) {
      out_.consume(loop_->blocks(), sent.bytes);
      progress = true;
    } else {  // a message that thousands hear may find as many of them gone
      writable_ = false;
      write_failed();
      return;
    }
  }
  after_flush(progress);
}

// What the peer sent before it went may be unread: it stands in line, or the kernel has not told of it yet. The end
// shows behind that.
void Connection::write_failed() {
  broken_ = true;
  peer_ended_ = true;
  if (end_waits_ != PeerEnd::kNone) return;
  if (!established_ || stage_ != Stage::kConversation || input_blocked()) return on_peer_end(PeerEnd::kBroken);
  readable_ = true;
  leave_line();
  loop_->call_again(*this);
}

void Connection::after_flush(bool progress) {
  if (progress) last_progress_ms_ = loop_->now_ms();
  if (out_.empty() && stage_ == Stage::kFinishing) {
    stream_.say_end();
    if (saw_end_) {  // the FIN goes with close()
      close_now();
      return;
    }
    stream_.shutdown_write();
    stage_ = Stage::kLingering;
    setup_deadline_ms_ = loop_->now_ms() + context_->limits.close_timeout_ms;
    schedule_timer();
    if (readable_) loop_->call_again(*this);
    return;
  }
  if (over_bound_ && out_.size() <= context_->limits.outgoing_bytes / 2) {
    over_bound_ = false;
    if (conversation_ != nullptr && stage_ == Stage::kConversation) conversation_->output_drained();
  }
  // Reading may have stopped for want of room.
  if (readable_ && !input_blocked()) loop_->call_again(*this);
  if (!out_.empty() && !writable_) schedule_timer();
}

// ---- moving ----

void Connection::move_to(session::LoopId loop) {
  MOORING_ASSERT(stage_ == Stage::kConversation && !established_);
  move_to_ = loop;
  loop_->call_at_turn_end(*this);
}

// At the end of a turn, so that nothing of this loop is on the call stack but the loop itself. From send_away() on
// another thread may use or destroy this.
void Connection::leave() {
  const session::LoopId target = *move_to_;
  move_to_.reset();
  loop_->unwatch(stream_.fd());
  net::Loop::forget_calls(*this);
  cancel();
  uncount();
  loop_ = nullptr;
  std::exchange(owner_, nullptr)->send_away(*this, target);
}

void Connection::arrive(net::Loop& loop, ConnectionOwner& owner, const ListenerContext& context) {
  MOORING_ASSERT(loop_ == nullptr && stage_ == Stage::kConversation);
  loop_ = &loop;
  owner_ = &owner;
  context_ = &context;
  peer_.anonymous_account = context.anonymous_account.empty() ? nullptr : &context.anonymous_account;
  start();  // the socket tells anew what is ready; of what TLS holds decrypted readable_ tells still
  if (stage_ == Stage::kClosed) return;
  if (readable_) loop_->call_again(*this);
  if (!out_.empty() && writable_) loop_->call_at_turn_end(*this);
}

void Connection::go_on(MqttServices& services) {
  if (stage_ == Stage::kConversation) conversation_->arrived(services);
}

// ---- life ----

void Connection::set_client_address(std::string_view address) {
  if (auto parsed = net::SocketAddress::parse(address, 0)) peer_.address = *parsed;
}

void Connection::set_origin(std::string origin) {
  peer_.origin = std::make_shared<const std::string>(std::move(origin));
}

void Connection::input_wanted() {
  input_wanted_ = true;
  loop_->call_again(*this);
}

void Connection::limit_input(const std::uint32_t& bytes_per_second) {
  input_per_s_ = &bytes_per_second;
  input_credit_ = static_cast<std::int32_t>(bytes_per_second);
  input_counted_ms_ = loop_->now_ms();
}

// connection.md 7, "Bandwidth per connection": what comes too fast waits in the socket, and with that at the peer.
void Connection::count_input(std::size_t bytes) {
  const base::MonoMs now = loop_->now_ms();
  const std::int64_t passed_ms = std::min<std::int64_t>(now - input_counted_ms_, 60'000);
  const std::int64_t per_s = *input_per_s_;
  const std::int64_t refill = passed_ms * per_s / 1000;
  // Time that gave no whole byte yet is counted again.
  if (refill > 0) input_counted_ms_ = now;
  const std::int64_t credit = std::min<std::int64_t>(input_credit_ + refill, per_s);
  input_credit_ = static_cast<std::int32_t>(credit - static_cast<std::int64_t>(bytes));
  if (input_credit_ >= 0) return;
  input_pause_until_ms_ = now + 1 - std::int64_t{input_credit_} * 1000 / per_s;
  schedule_timer();
}

void Connection::established() {
  if (stage_ != Stage::kConversation) return;
  if (!std::exchange(established_, true)) first_reads_ = kFirstReads;
  count_as(counted_transport_, metrics::ConnectionState::kActive);
  schedule_timer();
  leave_line();
}

// Whoever has just signed in, or is on its way out, leaves its place in line (opening_line.h), where its calls for the
// next turn would be lost.
void Connection::leave_line() {
  auto& place = static_cast<base::ListHook<net::AgainTag>&>(*this);
  if (!place.linked()) return;
  place.unlink();
  loop_->call_again(*this);
}

void Connection::replace_conversation(std::unique_ptr<Conversation> next) {
  MOORING_ASSERT(replaced_ == nullptr);
  if (std::exchange(established_, false)) {
    setup_deadline_ms_ = loop_->now_ms() + context_->limits.setup_timeout_ms;
    schedule_timer();
  }
  replaced_ = std::exchange(conversation_, std::move(next));
  count_as(peer_.tls ? metrics::Transport::kWss : metrics::Transport::kWs, metrics::ConnectionState::kOpening);
  loop_->call_at_turn_end(*this);
}

void Connection::schedule_timer() {
  base::MonoMs next = 0;
  const auto consider = [&next](base::MonoMs at) {
    if (at != 0 && (next == 0 || at < next)) next = at;
  };
  if (!established_ || stage_ == Stage::kLingering) consider(setup_deadline_ms_);
  if (!out_.empty() && !writable_) consider(last_progress_ms_ + context_->limits.stalled_timeout_ms);
  if (established_ && conversation_ != nullptr && stage_ == Stage::kConversation) consider(conversation_->deadline());
  consider(input_pause_until_ms_);
  if (next == 0) {
    cancel();
  } else {
    loop_->timers().schedule(*this, next);
  }
}

void Connection::on_timer(base::MonoMs now) {
  if (input_pause_until_ms_ != 0 && now >= input_pause_until_ms_) {
    input_pause_until_ms_ = 0;
    loop_->call_again(*this);
  }
  if (stage_ == Stage::kLingering) {
    if (now >= setup_deadline_ms_) {
      close_now();
      return;
    }
  } else if (!established_ && now >= setup_deadline_ms_) {
    return too_late();
  } else if (!out_.empty() && !writable_ && now >= last_progress_ms_ + context_->limits.stalled_timeout_ms) {
    end(TransportEnd::kStalled, "reads nothing");
    return;
  } else if (established_ && conversation_ != nullptr && conversation_->deadline() != 0 &&
             now >= conversation_->deadline()) {
    if (!read_what_waits()) conversation_->on_deadline(now);
  }
  if (stage_ != Stage::kClosed) schedule_timer();
}

// A deadline is for a peer that sends nothing, not for one whose bytes stand in line. False: there are none.
bool Connection::read_what_waits() {
  if (first_reads_ == 0 || !readable_ || input_blocked()) return false;
  first_reads_ = 0;
  leave_line();
  advance();
  return true;
}

// Of those who came at once thousands are late at once: they stand in line with those who end, whom nothing holds.
void Connection::too_late() {
  const bool has_line = is_opening() && !peer_.local_socket;
  if (has_line) static_cast<base::ListHook<net::AgainTag>&>(*this).unlink();
  if (has_line && !owner_->may_go_on(*this, LinePlace::kEnded)) return;
  end(TransportEnd::kTimeout, "did not sign in within the time limit (connect.timeout_ms)");
}

void Connection::shut_down() {
  if (stage_ == Stage::kConversation && conversation_ != nullptr) {
    conversation_->shut_down();
  } else if (stage_ != Stage::kFinishing && stage_ != Stage::kLingering && stage_ != Stage::kClosed) {
    close_now();
  }
}

void Connection::finish() {
  if (stage_ != Stage::kConversation) return;
  start_finishing();
}

void Connection::start_finishing() {
  stage_ = Stage::kFinishing;
  count_as(counted_transport_, metrics::ConnectionState::kClosing);
  backlog_.reset();
  // The whole way out has one time limit, stalled peers included.
  established_ = false;
  setup_deadline_ms_ = loop_->now_ms() + context_->limits.close_timeout_ms;
  schedule_timer();
  loop_->call_at_turn_end(*this);
  leave_line();
}

void Connection::abort() {
  close_now();
}

void Connection::end(TransportEnd how, const char* why) {
  if (why[0] != '\0' && stage_ < Stage::kConversation) {
    base::log_debug("gateway", "{}: closed: {}", peer_.address.to_text(), why);
  }
  if (conversation_ != nullptr && stage_ == Stage::kConversation) {
    stage_ = Stage::kFinishing;  // nothing is handed to the conversation any more
    conversation_->transport_ended(how);
  }
  close_now();
}

void Connection::close_now() {
  if (stage_ == Stage::kClosed) return;
  stage_ = Stage::kClosed;
  cancel();
  stream_.close();  // epoll forgets a socket that is closed (epoll(7))
  out_.clear(loop_->blocks());
  place_.give_back();
  uncount();
  owner_->closed(*this);
}

}  // namespace mooring::gateway
