#include "gateway/websocket_conversation.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "ws/frame_encoder.h"

namespace mooring::gateway {

WebSocketConversation::WebSocketConversation(Transport& transport, const ws::FrameDecoder::Options& options)
    : transport_(transport), decoder_(options) {}

std::size_t WebSocketConversation::receive(base::MutableBytes input) {
  if (!held_.empty()) {
    base::Bytes held = std::move(held_);
    held_.clear();
    const std::size_t taken = on_payload(held, held_text_);
    if (taken < held.size()) {
      held_.assign(held.begin() + static_cast<std::ptrdiff_t>(taken), held.end());
      return 0;
    }
    if (std::exchange(held_end_, false)) on_payload_end(held_text_);
    decoder_.resume();
  }
  return decoder_.receive(input, *this);
}

void WebSocketConversation::on_data(base::MutableBytes piece, bool text) {
  const std::size_t taken = on_payload(piece, text);
  if (taken == piece.size()) return;
  held_.assign(piece.begin() + static_cast<std::ptrdiff_t>(taken), piece.end());
  held_text_ = text;
  decoder_.pause();
}

void WebSocketConversation::on_message_end(bool text) {
  if (!held_.empty()) {
    held_end_ = true;
    return;
  }
  on_payload_end(text);
}

void WebSocketConversation::on_ping(base::ByteView payload) {
  std::uint8_t* out = transport_.reserve(ws::kMaxControlFrameBytes);
  transport_.commit(ws::encode_control(out, ws::Opcode::kPong, payload));
}

void WebSocketConversation::on_close(std::optional<std::uint16_t> code, std::string_view) {
  std::uint8_t* out = transport_.reserve(ws::kMaxControlFrameBytes);
  transport_.commit(ws::encode_close(out, code, {}));
  on_closed(TransportEnd::kPeerClosed);
  transport_.finish();
}

void WebSocketConversation::on_error(ws::CloseCode code, std::string_view why) {
  base::log_info("gateway", "{}: WebSocket closed with {}: {}", peer().address.to_text(), ws::to_number(code), why);
  on_closed(TransportEnd::kBroken);
  close(code, why);
}

void WebSocketConversation::close(ws::CloseCode code, std::string_view reason) {
  std::uint8_t* out = transport_.reserve(ws::kMaxControlFrameBytes);
  transport_.commit(ws::encode_close(out, code, reason));
  decoder_.stop();
  transport_.finish();
}

void WebSocketConversation::shut_down() {
  on_closed(TransportEnd::kShutdown);
  close(ws::CloseCode::kGoingAway, "the server stops");
}

}  // namespace mooring::gateway
