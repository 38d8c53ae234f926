// Fuzzer of the ws module: the frame decoder in both roles, the encoder and both sides of the handshake.
//
// The first byte of an input chooses the part, see LLVMFuzzerTestOneInput. A broken promise ends the process.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "ws/frame_decoder.h"
#include "ws/frame_encoder.h"
#include "ws/handshake.h"

namespace {

using namespace mooring;

void require(bool promise) {
  if (!promise) std::abort();
}

// What came out, independent of how the stream was cut.
struct Outcome {
  std::string log;  // events, with the payload of neighbouring pieces joined
  std::uint64_t payload_bytes = 0;
  bool over = false;

  bool operator==(const Outcome&) const = default;
};

class Watcher : public ws::Events {
 public:
  // `pause_after`: pauses in every n-th event, 0 for never.
  explicit Watcher(unsigned pause_after) : pause_after_(pause_after) {}
  void watch(ws::FrameDecoder& decoder) { decoder_ = &decoder; }

  void on_data(base::MutableBytes piece, bool text) override {
    require(!piece.empty());
    if (!in_data_) outcome.log += text ? "[text]" : "[binary]";
    in_data_ = true;
    outcome.log += base::as_text(piece);
    outcome.payload_bytes += piece.size();
    std::fill(piece.begin(), piece.end(), std::uint8_t{0xEE});  // ours to change
    count();
    if (text) text_so_far_ += outcome.log.substr(outcome.log.size() - piece.size());
  }
  void on_message_end(bool text) override {
    if (text) require(base::is_utf8(text_so_far_));
    text_so_far_.clear();
    event(text ? "[end text]" : "[end binary]", {});
  }
  void on_ping(base::ByteView payload) override { control("[ping]", payload); }
  void on_pong(base::ByteView payload) override { control("[pong]", payload); }
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
    require(!code || ws::is_sendable_close_code(*code));
    require(base::is_utf8(reason));
    control("[close " + std::to_string(code.value_or(0)) + "]", base::as_bytes(reason));
    outcome.over = true;
  }
  void on_error(ws::CloseCode code, std::string_view why) override {
    require(ws::is_sendable_close_code(ws::to_number(code)) && !why.empty());
    event("[error " + std::to_string(ws::to_number(code)) + "]", base::as_bytes(why));
    outcome.over = true;
  }

  Outcome outcome;

 private:
  void control(const std::string& name, base::ByteView payload) {
    require(payload.size() <= ws::kMaxControlPayloadBytes);
    outcome.payload_bytes += payload.size();
    event(name, payload);
  }
  void event(const std::string& name, base::ByteView payload) {
    require(!outcome.over);
    in_data_ = false;
    outcome.log += name;
    outcome.log += base::as_text(payload);
    count();
  }
  void count() {
    if (pause_after_ != 0 && ++events_ % pause_after_ == 0) decoder_->pause();
  }

  unsigned pause_after_;
  unsigned events_ = 0;
  bool in_data_ = false;
  std::string text_so_far_;
  ws::FrameDecoder* decoder_ = nullptr;
};

// Small repeatable numbers for cuts, taken from the input itself.
class Numbers {
 public:
  explicit Numbers(base::ByteView seed) {
    for (const std::uint8_t byte : seed) state_ = (state_ ^ byte) * 1099511628211U;
  }
  std::size_t up_to(std::size_t most) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33) % (most + 1);
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

// Feeds `wire` in steps of at most `step` bytes, each in a block of its own.
Outcome decode(const ws::FrameDecoder::Options& options, base::ByteView wire, std::size_t step, Numbers numbers,
               unsigned pause_after) {
  ws::FrameDecoder decoder(options);
  Watcher watcher(pause_after);
  watcher.watch(decoder);
  while (!wire.empty()) {
    const std::size_t size = std::min(wire.size(), step <= 1 ? 1 : 1 + numbers.up_to(step - 1));
    base::Bytes piece(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    base::MutableBytes rest = piece;
    while (!rest.empty()) {
      const std::size_t used = decoder.receive(rest, watcher);
      require(used <= rest.size());
      require(used == rest.size() || decoder.paused());
      rest = rest.subspan(used);
      decoder.resume();
    }
    wire = wire.subspan(size);
  }
  require(watcher.outcome.over == decoder.finished());
  return watcher.outcome;
}

void fuzz_decoder(std::uint8_t choice, base::ByteView wire) {
  ws::FrameDecoder::Options options;
  options.role = (choice & 1) != 0 ? ws::Role::kClient : ws::Role::kServer;
  options.accept_text = (choice & 2) != 0;
  if ((choice & 4) != 0) options.max_frame_bytes = 200;
  if ((choice & 8) != 0) options.max_message_bytes = 300;
  if ((choice & 16) != 0) options.max_empty_fragments = 2;
  const Numbers numbers(wire);
  const Outcome whole = decode(options, wire, wire.size(), Numbers({}), 0);
  require(whole.payload_bytes <= wire.size());
  require(decode(options, wire, 1, numbers, 0) == whole);
  require(decode(options, wire, 7, numbers, 0) == whole);
  require(decode(options, wire, wire.size() / 2 + 1, numbers, 0) == whole);
  require(decode(options, wire, wire.size(), numbers, 1) == whole);
  require(decode(options, wire, 20, numbers, 3) == whole);
}

// A message of the input's bytes, cut into fragments with pings between them, comes back as it went in.
void fuzz_round_trip(std::uint8_t choice, base::ByteView message) {
  ws::FrameDecoder::Options options;
  options.role = (choice & 1) != 0 ? ws::Role::kClient : ws::Role::kServer;
  options.max_empty_fragments = 1000;
  const bool masked = options.role == ws::Role::kServer;
  Numbers numbers(message);
  base::Bytes wire;
  base::ByteView left = message;
  bool first = true, last = false;
  while (!last) {
    const base::ByteView part = left.first(numbers.up_to(left.size()));
    left = left.subspan(part.size());
    last = left.empty();
    const ws::Opcode opcode = first ? ws::Opcode::kBinary : ws::Opcode::kContinuation;
    first = false;
    ws::MaskKey key;
    for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(numbers.up_to(255));
    std::uint8_t header[ws::kMaxClientHeaderBytes];
    const std::size_t header_size = masked ? ws::encode_masked_header(header, opcode, part.size(), key, last)
                                           : ws::encode_header(header, opcode, part.size(), last);
    require(header_size == ws::header_bytes(part.size(), masked));
    wire.insert(wire.end(), header, header + header_size);
    const std::size_t at = wire.size();
    wire.insert(wire.end(), part.begin(), part.end());
    if (masked) ws::apply_mask(base::MutableBytes(wire).subspan(at), key);
  }
  const Outcome outcome = decode(options, wire, wire.size(), numbers, 0);
  std::string expected = message.empty() ? "" : "[binary]" + std::string(base::as_text(message));
  expected += "[end binary]";
  require(outcome.log == expected);
  require(decode(options, wire, 9, numbers, 2) == outcome);
}

// Lines "name: value" into fields.
std::vector<ws::HeaderField> to_headers(std::string_view text) {
  std::vector<ws::HeaderField> headers;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    headers.push_back({line.substr(0, colon), line.substr(colon + 1)});
  }
  return headers;
}

void fuzz_server_handshake(std::uint8_t choice, std::string_view text) {
  const std::vector<ws::HeaderField> headers = to_headers(text);
  const ws::UpgradeRequest request{(choice & 1) != 0 ? "POST" : "GET", 1, (choice & 2) != 0 ? 0 : 1, headers};
  const auto result = ws::check_upgrade(request);
  const std::string response = result ? ws::build_response(*result) : ws::build_response(result.error());
  if (result) {
    require(ws::is_upgrade(request));
    require(result->accept_key.size() == 28);
    const auto& known = ws::kMqttSubprotocols;
    require(result->subprotocol.empty() || std::find(known.begin(), known.end(), result->subprotocol) != known.end());
    // Our own client is content with it, once it has offered what was chosen.
    std::string key;
    for (const ws::HeaderField& header : headers) {
      if (base::iequals(header.name, "Sec-WebSocket-Key")) key = base::trim(header.value);
    }
    const auto opened = ws::read_response(response, {"h", "/", result->subprotocol, key});
    require(opened && *opened && (*opened)->head_bytes == response.size());
  } else {
    require(result.error().status >= 400 && result.error().status < 500);
    require(base::is_utf8(result.error().message));
    require(result.error().message.find_first_of("\r\n") == std::string::npos);
  }
  require(response.find("\r\n\r\n") != std::string::npos);
}

void fuzz_client_handshake(std::string_view text) {
  const ws::ClientRequest request{"h", "/", "mqtt", "dGhlIHNhbXBsZSBub25jZQ=="};
  const auto whole = ws::read_response(text, request);
  if (whole && *whole) require((*whole)->head_bytes <= text.size());
  // More bytes never turn a refusal of the head or an acceptance around.
  const auto half = ws::read_response(text.substr(0, text.size() / 2), request);
  if (!half) require(!whole);
  if (half && *half) require(whole && *whole && (*whole)->head_bytes == (*half)->head_bytes);

  const auto built = ws::build_request({text, "/", "", "k"});
  if (built) require(built->find("\r\n\r\n") == built->size() - 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const base::ByteView rest(data + 1, size - 1);
  switch (choice >> 5) {
    case 0:
    case 1:
    case 2:
    case 3:
      fuzz_decoder(choice, rest);
      break;
    case 4:
    case 5:
      fuzz_round_trip(choice, rest);
      break;
    case 6:
      fuzz_server_handshake(choice, base::as_text(rest));
      break;
    default:
      fuzz_client_handshake(base::as_text(rest));
      break;
  }
  return 0;
}
