#include "gateway/mqtt_websocket.h"

namespace mooring::gateway {
namespace {

// A frame that could only hold a packet over the limit is refused when its header is read (1009).
ws::FrameDecoder::Options decoder_options(const MqttServices& services) {
  ws::FrameDecoder::Options options;
  options.max_frame_bytes = services.max_frame_bytes;
  // A message may carry many packets, so its size as a whole says nothing; it is never collected.
  return options;
}

}  // namespace

MqttWebSocket::MqttWebSocket(Transport& transport, MqttServices& services)
    : WebSocketConversation(transport, decoder_options(services)), mqtt_(transport, services, true) {}

}  // namespace mooring::gateway
