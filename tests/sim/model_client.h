// ModelClient: an honest MQTT client with a memory of its own, as the standards want it: it repeats what was not
// acknowledged when it finds its session again, and hands each QoS 2 message to its application once. What it has to
// answer waits until work() is called: sinks do not call back, and a client may be slow.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/world.h"

namespace mooring::sim {

class ModelClient {
 public:
  // A message that it published with QoS 1 or 2.
  struct Sent {
    enum class Fate : std::uint8_t { kOpen, kReleased, kDone, kRefused, kUnknown };
    std::string topic;
    std::string payload;
    std::uint8_t qos = 1;
    std::uint16_t packet_id = 0;
    Fate fate = Fate::kOpen;
  };
  struct Heard {
    std::string topic;
    std::string payload;
    std::uint8_t qos = 0;
    bool retain = false;
  };

  ModelClient(World& world, std::string name, mqtt::Version version, bool keeps);

  void connect(bool clean = false);
  void disconnect(broker::OfflineReason reason = broker::OfflineReason::kDeviceDisconnect);
  void lost();  // the server was killed
  bool online() const { return now != nullptr && now->online(); }
  bool connecting() const { return now != nullptr && now->waiting(); }

  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos, bool retain = false);
  void subscribe(const World::Filters& filters);
  void unsubscribe(const std::string& filter);
  // Does what a client has to do at once after CONNACK, and then answers at most `count` packets. True: there was
  // something to do.
  bool work(std::size_t count = SIZE_MAX);
  std::size_t open_count() const { return open_.size(); }
  bool has_room() const { return open_.size() < 60; }

  const std::string name;
  const mqtt::Version version;
  const bool keeps;
  AccountOptions options;
  TestClient* now = nullptr;
  std::deque<Sent> sent;
  std::vector<Heard> heard;  // by the application
  std::function<void(const Heard&)> on_heard;

 private:
  struct Todo {
    mqtt::PacketType type;  // of the answer
    std::uint16_t packet_id;
  };
  void on_delivery(const Delivery& delivery);
  void on_ack(const SentAck& ack);
  void resume();
  void end(std::uint16_t packet_id, Sent::Fate fate);
  std::uint16_t free_id();

  World& world_;
  bool clean_ = false;            // of the present connection
  bool resumed_ = false;          // has done its part after CONNACK
  std::deque<std::size_t> open_;  // into `sent`, in the order sent
  std::uint16_t last_id_ = 0;
  std::set<std::uint16_t> received_;  // QoS 2 identifiers that are not released
  std::set<std::uint16_t> in_use_;    // by the server, on this connection
  std::deque<Todo> todo_;
};

}  // namespace mooring::sim
