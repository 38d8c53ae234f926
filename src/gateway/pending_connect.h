// PendingConnect: what a CONNECT asked for, kept until its sign-in and its session are decided. I/O-free.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "broker/client.h"
#include "mqtt/packet.h"
#include "session/ports.h"

namespace mooring::gateway {

struct PendingConnect {
  // `arrival`: Broker::arrival() when it came.
  PendingConnect(const mqtt::Connect& packet, std::uint64_t connect_arrival);
  ~PendingConnect();

  // A client may leave its identifier to the server if it does not want to find its session again [MQTT-3.1.3-8]; in
  // MQTT 5 always; MQTT 3.1 does not know that.
  bool lacks_client_id() const;
  // How long the session outlives its connection, under the rules of who signed in.
  std::uint32_t session_expiry_s(const broker::ClientRules& rules) const;
  // CONNACK of MQTT 5. `maximum_packet_bytes`: what the client may send.
  mqtt::ConnackProperties announce(const broker::ClientRules& rules, std::uint32_t maximum_packet_bytes,
                                   std::uint16_t topic_alias_maximum) const;

  mqtt::Version version;
  std::string user_name;  // for the log: printable; empty: none
  std::string client_id;
  bool assigned = false;  // client_id is the server's
  bool clean_session;
  std::uint16_t keep_alive_s;   // as asked
  std::uint32_t connect_bytes;  // behind the fixed header
  std::uint64_t arrival;
  std::uint16_t granted_keep_alive_s;  // set by the sign-in
  std::uint32_t wanted_expiry_s;
  std::uint32_t expiry_max_s = mqtt::kNeverExpires;  // set by the sign-in: a ticket's
  std::uint16_t receive_maximum;
  std::uint32_t maximum_packet_bytes;
  std::uint16_t topic_alias_maximum;
  bool hides_session = false;  // connection.md 6.4: says "no session" whatever there is
  std::unique_ptr<session::WillRecord> will;
  std::unique_ptr<const broker::ClientFacts> facts;  // of a device
  base::Bytes body;  // of the CONNECT, for the doctor, should it be refused; overwritten when it goes
};

}  // namespace mooring::gateway
