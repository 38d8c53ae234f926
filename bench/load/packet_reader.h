// PacketReader: MQTT 3.1.1 packets out of what a server sends, over WebSocket or directly. Own code on purpose: the
// server's decoders are what is being measured, and this one has to cost less.
//
// Bytes go in cut anywhere. A packet that lies whole in its piece is handed on where it lies; only one that is cut is
// copied. Belongs to one connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "ws/opcode.h"

namespace mooring::bench {

class PacketReader {
 public:
  static constexpr std::size_t kMaxPacketBytes = 2 * 1024 * 1024;

  explicit PacketReader(bool websocket) : websocket_(websocket) {}

  // Handler, called in the order of arrival until it says that it has closed:
  //   void on_packet(std::uint8_t first_byte, base::ByteView body);
  //   void on_ping(base::ByteView payload);  void on_close();  void on_violation(std::string_view why);
  //   bool closed() const;
  template <class Handler>
  void receive(base::ByteView in, Handler& handler) {
    if (!websocket_) return receive_mqtt(in, handler);
    while (!in.empty() && !handler.closed()) {
      if (payload_left_ == 0) {
        const std::size_t used = read_header(in, handler);
        in = in.subspan(used);
        continue;
      }
      const auto piece = in.first(std::min<std::uint64_t>(payload_left_, in.size()));
      payload_left_ -= piece.size();
      if (is_control()) {
        receive_control(piece, handler);
      } else {
        receive_mqtt(piece, handler);
      }
      in = in.subspan(piece.size());
    }
  }

 private:
  // Size of the packet that begins here; nothing while its length is not known, kBadLength when it is malformed.
  static constexpr std::size_t kBadLength = ~std::size_t{0};
  static std::size_t packet_bytes(base::ByteView have) {
    std::size_t remaining = 0;
    for (std::size_t i = 1; i < have.size(); ++i) {
      if (i > 4) return kBadLength;
      remaining |= std::size_t{have[i] & 0x7FU} << (7 * (i - 1));
      if ((have[i] & 0x80U) == 0) return 1 + i + remaining > kMaxPacketBytes ? kBadLength : 1 + i + remaining;
    }
    return 0;
  }
  template <class Handler>
  static void dispatch(base::ByteView packet, Handler& handler) {
    std::size_t head = 2;
    while ((packet[head - 1] & 0x80U) != 0) ++head;
    handler.on_packet(packet[0], packet.subspan(head));
  }

  template <class Handler>
  void receive_mqtt(base::ByteView in, Handler& handler) {
    while (!in.empty() && !handler.closed()) {
      if (!partial_.empty()) {
        in = in.subspan(complete_partial(in, handler));
        continue;
      }
      const std::size_t bytes = packet_bytes(in);
      if (bytes == kBadLength) return handler.on_violation("a packet is too long");
      if (bytes == 0 || bytes > in.size()) {
        partial_.assign(in.begin(), in.end());
        return;
      }
      dispatch(in.first(bytes), handler);
      in = in.subspan(bytes);
    }
  }

  template <class Handler>
  std::size_t complete_partial(base::ByteView in, Handler& handler) {
    const std::size_t bytes = packet_bytes(partial_);
    if (bytes == kBadLength) {
      handler.on_violation("a packet is too long");
      return in.size();
    }
    const std::size_t taken = bytes == 0 ? 1 : std::min(bytes - partial_.size(), in.size());
    partial_.insert(partial_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(taken));
    if (partial_.size() == packet_bytes(partial_)) {
      base::Bytes packet;
      packet.swap(partial_);
      dispatch(packet, handler);
    }
    return taken;
  }

  // Takes header bytes until the header is complete.
  template <class Handler>
  std::size_t read_header(base::ByteView in, Handler& handler) {
    std::size_t used = 0;
    while (used < in.size()) {
      header_[header_have_++] = in[used++];
      if (header_have_ < 2) continue;
      const std::uint8_t length = header_[1] & 0x7FU;
      const std::size_t needed = length < 126 ? 2 : length == 126 ? 4 : 10;
      if (header_have_ < needed) continue;
      header_have_ = 0;
      payload_left_ = length;
      if (needed > 2) {
        payload_left_ = 0;
        for (std::size_t i = 2; i < needed; ++i) payload_left_ = payload_left_ << 8 | header_[i];
      }
      if ((header_[1] & 0x80U) != 0) handler.on_violation("a frame of the server is masked");
      if ((header_[0] & 0x70U) != 0) handler.on_violation("a frame has reserved bits");
      if (opcode() == ws::Opcode::kText) handler.on_violation("a text frame");
      if (is_control() && payload_left_ > control_.size()) handler.on_violation("a control frame is too long");
      control_have_ = 0;
      if (is_control() && payload_left_ == 0 && !handler.closed()) receive_control({}, handler);
      return used;
    }
    return used;
  }

  template <class Handler>
  void receive_control(base::ByteView piece, Handler& handler) {
    std::copy(piece.begin(), piece.end(), control_.begin() + control_have_);
    control_have_ += piece.size();
    if (payload_left_ > 0) return;
    if (opcode() == ws::Opcode::kPing) handler.on_ping(base::ByteView(control_).first(control_have_));
    if (opcode() == ws::Opcode::kClose) handler.on_close();
  }

  ws::Opcode opcode() const { return static_cast<ws::Opcode>(header_[0] & 0x0FU); }
  bool is_control() const { return (header_[0] & 0x08U) != 0; }

  std::uint64_t payload_left_ = 0;  // of the present frame
  base::Bytes partial_;             // a packet that is cut
  std::array<std::uint8_t, 10> header_{};
  std::array<std::uint8_t, 125> control_{};
  std::size_t header_have_ = 0;
  std::size_t control_have_ = 0;
  bool websocket_;
};

}  // namespace mooring::bench
