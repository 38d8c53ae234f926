// WebSocketConversation: frames in, control frames answered, closing done properly; what the messages mean is up to the
// derived class: MQTT packets for devices, an echo for ws_echo. RFC 6455; sending is one frame per message.
#pragma once

#include <cstdint>
#include <memory>

#include "gateway/transport.h"
#include "ws/frame_decoder.h"

namespace mooring::gateway {

class WebSocketConversation : public Conversation, private ws::Events {
 public:
  WebSocketConversation(Transport& transport, const ws::FrameDecoder::Options& options);

  std::size_t receive(base::MutableBytes input) override;
  void shut_down() override;

 protected:
  // A piece of a message; returns how many bytes were taken. Leaving some stops the input until input_wanted().
  virtual std::size_t on_payload(base::MutableBytes piece, bool text) = 0;
  virtual void on_payload_end(bool text) = 0;
  // The peer closed (kPeerClosed) or broke a rule (kBroken); the close frame is on its way. Last call.
  virtual void on_closed(TransportEnd end) = 0;

  // Sends a close frame and ends the connection.
  void close(ws::CloseCode code, std::string_view reason);
  Transport& transport() { return transport_; }
  const PeerFacts& peer() const { return transport_.peer(); }

 private:
  void on_data(base::MutableBytes piece, bool text) final;
  void on_message_end(bool text) final;
  void on_ping(base::ByteView payload) final;
  void on_pong(base::ByteView) final {}
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) final;
  void on_error(ws::CloseCode code, std::string_view why) final;

  Transport& transport_;
  ws::FrameDecoder decoder_;
  // The part of a piece that was not taken.
  struct Held {
    base::Bytes bytes;  // at most one piece
    bool text = false;
    bool end = false;  // the message ended with it
  };
  std::unique_ptr<Held> held_;
};

}  // namespace mooring::gateway
