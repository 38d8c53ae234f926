// FrameDecoder: WebSocket frames out of a byte stream (RFC 6455 section 5), without I/O and without copies.
//
// Bytes go in as they were read from the socket, cut anywhere; events come out. Data payload is unmasked where it lies
// and handed on piece by piece as it arrives, so no message is ever collected here. Only a control frame that is cut
// in two is kept, in a block that lives no longer than that frame.
//
// Belongs to one connection and its loop; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "ws/close_code.h"
#include "ws/opcode.h"
#include "ws/utf8_check.h"

namespace mooring::ws {

// What a FrameDecoder found. Views are valid during the call only. A handler may call pause(), resume() and stop() of
// the decoder; it must neither call receive() nor destroy the decoder.
class Events {
 public:
  virtual ~Events() = default;

  // The next part of a message, never empty. Unmasked, and the handler's to change. `text`: the part of a text
  // message, its bytes so far being well-formed UTF-8 (a character may be cut at the end of the piece).
  virtual void on_data(base::MutableBytes piece, bool text) = 0;
  // The message is complete; an empty message is this call alone.
  virtual void on_message_end(bool text) = 0;
  // A ping wants a pong with the same payload (section 5.5.2). At most 125 bytes.
  virtual void on_ping(base::ByteView payload) = 0;
  virtual void on_pong(base::ByteView payload) = 0;
  // The peer closes; answer with a close frame unless one was sent already (section 5.5.1). `code` is missing when the
  // frame was empty, otherwise valid on the wire; `reason` is UTF-8 from outside: base::printable before logging.
  virtual void on_close(std::optional<std::uint16_t> code, std::string_view reason) = 0;
  // The peer broke a rule or a limit: close with `code`. `why` is one of our own fixed sentences.
  virtual void on_error(CloseCode code, std::string_view why) = 0;
};

class FrameDecoder {
 public:
  struct Options {
    // Both limits are checked when the header is read, before any payload is taken: 1009. A message limit counts all
    // its fragments. The default is no limit, for MQTT the packet decoder behind sets its own.
    std::uint64_t max_message_bytes = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max_frame_bytes = std::numeric_limits<std::uint64_t>::max();
    // Fragments without payload, other than the last of a message, that may follow each other: then 1008.
    std::uint32_t max_empty_fragments = 64;
    // Of the end that decodes: a server demands masked frames, a client refuses them.
    Role role = Role::kServer;
    // false: a text frame is an error, 1003 (MQTT 3.1.1 section 6). true: text has to be UTF-8, 1007.
    bool accept_text = false;
  };

  explicit FrameDecoder(const Options& options) : options_(options) {}

  // Decodes `in`, changing it (unmasking), and reports to `events`. Returns how many bytes were used: all of them,
  // unless a handler called pause(); the rest must be given again after resume(). Once finished() all input is
  // swallowed silently.
  std::size_t receive(base::MutableBytes in, Events& events);

  // From within a handler: receive() returns after the current piece or control frame. What belongs to that piece
  // still follows: on_message_end if it was the last, on_error if its text goes wrong. While paused, receive() takes
  // nothing.
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  bool paused() const { return paused_; }

  // No event comes any more. For an owner that has closed the connection for its own reasons.
  void stop();

  // After on_close, on_error or stop().
  bool finished() const { return phase_ == Phase::kFinished; }

 private:
  enum class Phase : std::uint8_t { kFirstByte, kSecondByte, kLength16, kLength64, kMask, kPayload, kFinished };
  enum class Message : std::uint8_t { kNone, kBinary, kText };
  struct ControlPayload;
  struct FreeControlPayload {
    void operator()(ControlPayload* payload) const;
  };

  std::size_t take_whole_message(base::MutableBytes in, Events& events);
  void read_header_byte(std::uint8_t byte, Events& events);
  void read_first_byte(std::uint8_t byte, Events& events);
  void read_second_byte(std::uint8_t byte, Events& events);
  void read_length_byte(std::uint8_t byte, Events& events);
  void length_complete(Events& events);
  bool admit_data_frame(Events& events);
  std::size_t read_mask(base::ByteView in, Events& events);
  void header_complete(Events& events);

  std::size_t read_payload(base::MutableBytes in, Events& events);
  void read_data(base::MutableBytes piece, Events& events);
  void read_control(base::MutableBytes piece, Events& events);
  void unmask(base::MutableBytes piece);
  void end_data_frame(Events& events);
  void end_control_frame(base::ByteView payload, Events& events);
  void end_close_frame(base::ByteView payload, Events& events);
  void fail(CloseCode code, std::string_view why, Events& events);

  Opcode opcode() const { return static_cast<Opcode>(first_byte_ & 0x0F); }
  bool is_final() const { return (first_byte_ & 0x80) != 0; }

  Options options_;
  std::uint64_t payload_left_bytes_ = 0;  // of this frame; while its length is read, the length so far
  std::uint64_t message_bytes_ = 0;       // announced by the frames of the present message
  std::unique_ptr<ControlPayload, FreeControlPayload> control_;  // a control frame that is cut in two
  std::uint32_t empty_fragments_ = 0;                            // in a row
  MaskKey mask_{};                      // turned so that its first byte belongs to the next payload byte
  std::uint8_t first_byte_ = 0;         // FIN and opcode of this frame
  std::uint8_t header_left_bytes_ = 0;  // of the extended length or the mask
  Phase phase_ = Phase::kFirstByte;
  Message message_ = Message::kNone;
  Utf8Check utf8_;
  bool paused_ = false;
};

// 100,000 idle connections each have one.
static_assert(sizeof(FrameDecoder) <= 64);

}  // namespace mooring::ws
