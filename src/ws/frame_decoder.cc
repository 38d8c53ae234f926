#include "ws/frame_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "ws/frame_encoder.h"

namespace mooring::ws {

// Section numbers below are those of RFC 6455.

namespace {
constexpr std::uint8_t kWholeBinaryMessage = 0x82;  // FIN and opcode
}

struct FrameDecoder::ControlPayload {
  std::array<std::uint8_t, kMaxControlPayloadBytes> bytes;
  std::size_t size = 0;
};

void FrameDecoder::FreeControlPayload::operator()(ControlPayload* payload) const {
  delete payload;
}

std::size_t FrameDecoder::receive(base::MutableBytes in, Events& events) {
  std::size_t used = 0;
  while (used < in.size() && !paused_ && !finished()) {
    const std::size_t whole_bytes = phase_ == Phase::kFirstByte ? take_whole_message(in.subspan(used), events) : 0;
    if (whole_bytes != 0) {
      used += whole_bytes;
    } else if (phase_ == Phase::kPayload) {
      used += read_payload(in.subspan(used), events);
    } else if (phase_ == Phase::kMask) {
      used += read_mask(in.subspan(used), events);
    } else {
      read_header_byte(in[used++], events);
    }
  }
  return finished() ? in.size() : used;
}

void FrameDecoder::stop() {
  phase_ = Phase::kFinished;
  control_.reset();
}

void FrameDecoder::fail(CloseCode code, std::string_view why, Events& events) {
  stop();
  events.on_error(code, why);
}

// A binary message of one masked frame that lies whole in `in`, as nearly all of MQTT does: what the steps below do, in
// one go. Returns its bytes; 0: it is something else, or wrong, and nothing has been done.
std::size_t FrameDecoder::take_whole_message(base::MutableBytes in, Events& events) {
  if (message_ != Message::kNone || options_.role != Role::kServer) return 0;
  std::size_t header_bytes = 2 + sizeof(MaskKey);
  if (in.size() <= header_bytes || in[0] != kWholeBinaryMessage || (in[1] & 0x80) == 0) return 0;
  std::size_t payload_bytes = in[1] & 0x7F;
  if (payload_bytes >= 126) {
    header_bytes += 2;
    if (payload_bytes == 127 || in.size() < header_bytes) return 0;
    payload_bytes = static_cast<std::size_t>(in[2] << 8 | in[3]);
    if (payload_bytes < 126) return 0;
  }
  if (payload_bytes == 0 || payload_bytes > in.size() - header_bytes) return 0;
  if (payload_bytes > options_.max_frame_bytes || payload_bytes > options_.max_message_bytes) return 0;

  MaskKey key;
  std::memcpy(key.data(), in.data() + header_bytes - key.size(), key.size());
  const base::MutableBytes payload = in.subspan(header_bytes, payload_bytes);
  apply_mask(payload, key);
  events.on_data(payload, false);
  if (!finished()) events.on_message_end(false);  // the handler may have stopped us
  return header_bytes + payload_bytes;
}

// ---- header ---------------------------------------------------------------------------------------------------------

void FrameDecoder::read_header_byte(std::uint8_t byte, Events& events) {
  switch (phase_) {
    case Phase::kFirstByte:
      return read_first_byte(byte, events);
    case Phase::kSecondByte:
      return read_second_byte(byte, events);
    case Phase::kLength16:
    case Phase::kLength64:
      return read_length_byte(byte, events);
    case Phase::kMask:
    case Phase::kPayload:
    case Phase::kFinished:
      return;
  }
}

void FrameDecoder::read_first_byte(std::uint8_t byte, Events& events) {
  first_byte_ = byte;
  phase_ = Phase::kSecondByte;
  if ((byte & 0x70) != 0) return fail(CloseCode::kProtocolError, "reserved bits set without an extension", events);
  switch (opcode()) {
    case Opcode::kContinuation:
      if (message_ == Message::kNone) fail(CloseCode::kProtocolError, "continuation frame without a message", events);
      return;
    case Opcode::kText:
    case Opcode::kBinary:
      if (message_ != Message::kNone) {
        fail(CloseCode::kProtocolError, "new message inside a fragmented one", events);
      } else if (opcode() == Opcode::kText && !options_.accept_text) {
        fail(CloseCode::kUnsupportedData, "text frame where only binary frames are allowed", events);
      }
      return;
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      if (!is_final()) fail(CloseCode::kProtocolError, "fragmented control frame", events);
      return;
  }
  fail(CloseCode::kProtocolError, "reserved opcode", events);
}

void FrameDecoder::read_second_byte(std::uint8_t byte, Events& events) {
  const bool masked = (byte & 0x80) != 0;
  if (masked != (options_.role == Role::kServer)) {  // section 5.1
    return fail(CloseCode::kProtocolError, masked ? "masked frame from a server" : "unmasked frame from a client",
                events);
  }
  const std::uint8_t length = byte & 0x7F;
  if (is_control(opcode()) && length > kMaxControlPayloadBytes) {
    return fail(CloseCode::kProtocolError, "control frame with more than 125 bytes", events);
  }
  payload_left_bytes_ = 0;
  if (length == 126) {
    phase_ = Phase::kLength16;
    header_left_bytes_ = 2;
  } else if (length == 127) {
    phase_ = Phase::kLength64;
    header_left_bytes_ = 8;
  } else {
    payload_left_bytes_ = length;
    length_complete(events);
  }
}

void FrameDecoder::read_length_byte(std::uint8_t byte, Events& events) {
  payload_left_bytes_ = payload_left_bytes_ << 8 | byte;
  if (--header_left_bytes_ != 0) return;
  if (payload_left_bytes_ >> 63 != 0) {
    return fail(CloseCode::kProtocolError, "frame length of 64 bits with the highest bit set", events);
  }
  const std::uint64_t smallest = phase_ == Phase::kLength16 ? 126 : 0x10000;  // section 5.2: the minimal form
  if (payload_left_bytes_ < smallest) {
    return fail(CloseCode::kProtocolError, "frame length written longer than necessary", events);
  }
  length_complete(events);
}

void FrameDecoder::length_complete(Events& events) {
  if (!is_control(opcode()) && !admit_data_frame(events)) return;
  if (options_.role == Role::kServer) {
    phase_ = Phase::kMask;
    header_left_bytes_ = static_cast<std::uint8_t>(mask_.size());
  } else {
    header_complete(events);
  }
}

// The limits, before a byte of payload is taken. False: failed.
bool FrameDecoder::admit_data_frame(Events& events) {
  if (payload_left_bytes_ > options_.max_frame_bytes) {
    fail(CloseCode::kMessageTooBig, "frame larger than the limit", events);
  } else if (payload_left_bytes_ > options_.max_message_bytes - message_bytes_) {  // never below zero: admitted so far
    fail(CloseCode::kMessageTooBig, "message larger than the limit", events);
  } else if (payload_left_bytes_ == 0 && !is_final() && ++empty_fragments_ > options_.max_empty_fragments) {
    fail(CloseCode::kPolicyViolation, "too many empty fragments in a row", events);
  }
  if (finished()) return false;
  if (payload_left_bytes_ != 0) empty_fragments_ = 0;
  message_bytes_ += payload_left_bytes_;
  if (opcode() == Opcode::kText) message_ = Message::kText;
  if (opcode() == Opcode::kBinary) message_ = Message::kBinary;
  return true;
}

std::size_t FrameDecoder::read_mask(base::ByteView in, Events& events) {
  const std::size_t size = std::min<std::size_t>(in.size(), header_left_bytes_);
  std::memcpy(mask_.data() + (mask_.size() - header_left_bytes_), in.data(), size);
  header_left_bytes_ = static_cast<std::uint8_t>(header_left_bytes_ - size);
  if (header_left_bytes_ == 0) header_complete(events);
  return size;
}

void FrameDecoder::header_complete(Events& events) {
  phase_ = Phase::kPayload;
  if (payload_left_bytes_ != 0) return;
  if (is_control(opcode())) {
    end_control_frame({}, events);
  } else {
    end_data_frame(events);
  }
}

// ---- payload --------------------------------------------------------------------------------------------------------

std::size_t FrameDecoder::read_payload(base::MutableBytes in, Events& events) {
  const base::MutableBytes piece =
      in.first(static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), payload_left_bytes_)));
  payload_left_bytes_ -= piece.size();
  if (options_.role == Role::kServer) unmask(piece);
  if (is_control(opcode())) {
    read_control(piece, events);
  } else {
    read_data(piece, events);
  }
  return piece.size();
}

void FrameDecoder::unmask(base::MutableBytes piece) {
  apply_mask(piece, mask_);
  if (payload_left_bytes_ == 0) return;
  std::rotate(mask_.begin(), mask_.begin() + static_cast<std::ptrdiff_t>(piece.size() % mask_.size()), mask_.end());
}

void FrameDecoder::read_data(base::MutableBytes piece, Events& events) {
  const bool text = message_ == Message::kText;
  // What precedes a bad byte is handed on, so that the outcome does not depend on how the stream was cut.
  const std::size_t good_bytes = text ? utf8_.accept(piece) : piece.size();
  if (good_bytes != 0) events.on_data(piece.first(good_bytes), text);
  if (finished()) return;  // the handler stopped us
  if (good_bytes != piece.size()) return fail(CloseCode::kInvalidPayload, "text that is not UTF-8", events);
  if (payload_left_bytes_ == 0) end_data_frame(events);
}

void FrameDecoder::end_data_frame(Events& events) {
  phase_ = Phase::kFirstByte;
  if (!is_final()) return;
  const bool text = message_ == Message::kText;
  if (text && !utf8_.complete()) {
    return fail(CloseCode::kInvalidPayload, "text that ends within a UTF-8 character", events);
  }
  message_ = Message::kNone;
  message_bytes_ = 0;
  empty_fragments_ = 0;
  events.on_message_end(text);
}

void FrameDecoder::read_control(base::MutableBytes piece, Events& events) {
  if (control_ == nullptr && payload_left_bytes_ == 0) return end_control_frame(piece, events);
  if (control_ == nullptr) control_.reset(new ControlPayload);
  std::memcpy(control_->bytes.data() + control_->size, piece.data(), piece.size());
  control_->size += piece.size();
  if (payload_left_bytes_ != 0) return;
  const auto whole = std::move(control_);
  end_control_frame({whole->bytes.data(), whole->size}, events);
}

void FrameDecoder::end_control_frame(base::ByteView payload, Events& events) {
  phase_ = Phase::kFirstByte;
  switch (opcode()) {
    case Opcode::kPing:
      return events.on_ping(payload);
    case Opcode::kPong:
      return events.on_pong(payload);
    default:
      return end_close_frame(payload, events);
  }
}

// Sections 5.5.1 and 7.4.
void FrameDecoder::end_close_frame(base::ByteView payload, Events& events) {
  if (payload.empty()) {
    stop();
    return events.on_close(std::nullopt, {});
  }
  if (payload.size() == 1) return fail(CloseCode::kProtocolError, "close frame with half a status code", events);
  const auto code = static_cast<std::uint16_t>(payload[0] << 8 | payload[1]);
  if (!is_sendable_close_code(code)) {
    return fail(CloseCode::kProtocolError, "close frame with a status code that is not allowed there", events);
  }
  const std::string_view reason = base::as_text(payload.subspan(2));
  if (!base::is_utf8(reason)) return fail(CloseCode::kInvalidPayload, "close reason that is not UTF-8", events);
  stop();
  events.on_close(code, reason);
}

}  // namespace mooring::ws
