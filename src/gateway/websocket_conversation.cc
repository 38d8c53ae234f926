#include "gateway/websocket_conversation.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "ws/frame_encoder.h"

namespace mooring::gateway {

WebSocketConversation::WebSocketConversation(Transport& transport, const ws::FrameDecoder::Options& options)
    : transport_(transport), decoder_(options) {}

std::size_t WebSocketConversation::receive(base::MutableBytes input) {
  if (auto held = std::move(held_)) {
    const std::size_t taken = on_payload(held->bytes, held->text);
    if (taken < held->bytes.size()) {
      held->bytes.erase(held->bytes.begin(), held->bytes.begin() + static_cast<std::ptrdiff_t>(taken));
      held_ = std::move(held);
      return 0;
    }
    if (held->end) on_payload_end(held->text);
    decoder_.resume();
  }
  return decoder_.receive(input, *this);
}

void WebSocketConversation::on_data(base::MutableBytes piece, bool text) {
  const std::size_t taken = on_payload(piece, text);
  if (taken == piece.size()) return;
  held_.reset(new Held{{piece.begin() + static_cast<std::ptrdiff_t>(taken), piece.end()}, text});
  decoder_.pause();
}

void WebSocketConversation::on_message_end(bool text) {
  if (held_ != nullptr) {
    held_->end = true;
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
