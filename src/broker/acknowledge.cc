// Acknowledgements: those a client gets for what it published, when it is safe, and those it gives for what it got.
#include <utility>

#include "base/log.h"
#include "broker/broker.h"
#include "broker/publish_receipt.h"

namespace mooring::broker {
namespace {

constexpr std::size_t kMaxRetries = 100'000;

using mqtt::PacketType;
using mqtt::ReasonCode;

// Of a message that no store has failed to take.
ReasonCode verdict(const routing::ReceiptTotals& totals) {
  if (totals.failed || (totals.receivers == 0 && totals.refused > 0)) return ReasonCode::kQuotaExceeded;
  return totals.receivers == 0 ? ReasonCode::kNoMatchingSubscribers : ReasonCode::kSuccess;
}

}  // namespace

// ---- For what the client published ----------------------------------------------------------------------------------

// The receipt of a QoS 1 message is made when somebody has to be waited for, and its PUBACK gets a place among those
// that wait; the receipt of QoS 2 is there from the beginning.
routing::Receipt& Broker::receipt_of(Flow& flow) {
  if (!flow.receipt) {
    const std::uint64_t ack = flow.from->acks.open(PacketType::kPuback, flow.puback_id);
    flow.receipt = routing::ReceiptRef(new PublishReceipt(
        parts_.executor, [this, weak = std::weak_ptr<Client>(flow.from->session->client),
                          ack](const routing::ReceiptTotals& totals) { on_published(weak, ack, totals); }));
  }
  return *flow.receipt;
}

// This loop has done its part: the publisher's own share, or the one that came with the message.
void Broker::finish(Flow& flow) {
  if (flow.receipt) {
    flow.receipt->count(flow.totals);
    flow.receipt->settle();
  } else if (flow.puback_id != 0) {
    answer_publish(*flow.from, 1, flow.puback_id, verdict(flow.totals));
  }
}

void Broker::on_published(const std::weak_ptr<Client>& weak, std::uint64_t ack, const routing::ReceiptTotals& totals) {
  const std::shared_ptr<Client> client = weak.lock();
  if (client == nullptr || !client->connected() || client->session == nullptr) return;
  if (totals.failed && !client->speaks_v5()) {
    // MQTT 3.x has no word for "not stored", and to acknowledge later messages would break their order when the client
    // repeats this one, which it does when it connects again.
    end_connection(*client->session, CloseCause::kStoreFailed);
    return;
  }
  decide(*client, ack, verdict(totals));
}

// A QoS 2 message of session `number` is stored with everybody, or nowhere.
void Broker::on_taken(const std::weak_ptr<Client>& weak, session::SessionNumber number, std::uint16_t packet_id,
                      std::uint64_t ack, const routing::ReceiptTotals& totals) {
  const std::shared_ptr<Client> client = weak.lock();
  const bool here = client != nullptr && client->connected() && client->session != nullptr;
  LocalSession* home = find(number);
  if (home == nullptr) return;  // it ended, or began anew
  session::Session& state = *home->session;
  const bool v5 = client != nullptr && client->speaks_v5();
  if (totals.failed) {
    state.erase_received(packet_id);
    // Nobody, or another connection, which may have repeated the message: it cannot be told either.
    if (home->client != nullptr && !(here && v5)) {
      end_connection(*home, CloseCause::kStoreFailed);
    } else if (here) {
      decide(*client, ack, ReasonCode::kQuotaExceeded);
    }
    return;
  }
  const ReasonCode reason = verdict(totals);
  if (mqtt::is_error(reason) && here && v5) {
    state.erase_received(packet_id);
    if (state.durable()) {
      parts_.store.write({{session::StoreOperation::Kind::kEraseReceived, number, packet_id, nullptr}}, parts_.executor,
                         [](base::Result<>) {});
    }
  } else {
    state.set_received(packet_id, session::Session::Received::kTaken);
  }
  if (here) {
    decide(*client, ack, reason);
  } else if (home->client != nullptr) {
    // The client has come back meanwhile and repeated the message, or will.
    home->client->sink->send_ack(PacketType::kPubrec, packet_id, ReasonCode::kSuccess);
  }
}

void Broker::decide(Client& client, std::uint64_t ack, ReasonCode reason) {
  client.acks.decide(ack, reason);
  send_ready_acks(client);
}

void Broker::send_ready_acks(Client& client) {
  client.acks.flush([&](const AckQueue::Ack& ready) {
    if (!ready.withdrawn) {
      send_answer(client, ready.type, ready.packet_id, ready.reason);
    } else if (ready.type == PacketType::kPuback) {
      count_acknowledged(client);
    }
  });
  regulate_input(client);
}

void Broker::send_answer(Client& client, PacketType type, std::uint16_t packet_id, ReasonCode reason) {
  client.sink->send_ack(type, packet_id, reason);
  // A refused QoS 2 message is over; others go on until PUBCOMP (MQTT 5 section 4.9).
  if (type == PacketType::kPuback || mqtt::is_error(reason)) count_acknowledged(client);
}

// MQTT 3.x knows no Receive Maximum: with too much unacknowledged no more is read (connection.md 6.2).
void Broker::regulate_input(Client& client) {
  const std::size_t limit = client.info.rules->max_received_in_flight;
  if (client.speaks_v5() || !client.connected()) return;
  if (!client.input_paused && client.acks.size() >= limit) {
    client.input_paused = true;
    hold_input(client);
  } else if (client.input_paused && client.acks.size() <= limit / 2) {
    client.input_paused = false;
    release_input(client);
  }
}

void Broker::hold_input(Client& client) {
  if (++client.input_holds == 1 && client.connected()) client.sink->pause_input();
}

void Broker::release_input(Client& client) {
  if (--client.input_holds == 0 && client.connected()) client.sink->resume_input();
}

void Broker::count_acknowledged(Client& client) {
  if (client.unacknowledged > 0) --client.unacknowledged;
}

// PUBREL.
void Broker::released(Client& client, const mqtt::Ack& packet) {
  if (client.session == nullptr) return;
  session::Session& state = *client.session->session;
  using Received = session::Session::Received;
  const auto known = state.received(packet.packet_id);
  if (!known) {
    client.sink->send_ack(PacketType::kPubcomp, packet.packet_id, ReasonCode::kPacketIdentifierNotFound);
    return;
  }
  if (*known == Received::kPending) return;  // its PUBREC is on the way
  if (!state.durable()) {
    state.erase_received(packet.packet_id);
    count_acknowledged(client);
    client.sink->send_ack(PacketType::kPubcomp, packet.packet_id, ReasonCode::kSuccess);
    return;
  }
  // The identifier is free for another message once PUBCOMP is out, so it must be forgotten for good before. One that
  // comes again on another connection is answered there: its sender has not seen the first answer.
  state.set_received(packet.packet_id, Received::kReleasing);
  erase_received(state.number(), packet.packet_id, client.session->client);
}

void Broker::erase_received(session::SessionNumber number, std::uint16_t packet_id, std::weak_ptr<Client> asked) {
  parts_.store.write({{session::StoreOperation::Kind::kEraseReceived, number, packet_id, nullptr}}, parts_.executor,
                     [this, number, packet_id, asked = std::move(asked)](base::Result<> written) {
                       LocalSession* home = find(number);
                       if (home == nullptr) return;
                       if (!written) {
                         retry_later([this, number, packet_id, asked] { erase_received(number, packet_id, asked); });
                         return;
                       }
                       session::Session& state = *home->session;
                       if (state.received(packet_id) == session::Session::Received::kReleasing) {
                         state.erase_received(packet_id);
                       }
                       const std::shared_ptr<Client> client = asked.lock();
                       if (client == nullptr || !client->connected()) return;
                       count_acknowledged(*client);
                       client->sink->send_ack(PacketType::kPubcomp, packet_id, ReasonCode::kSuccess);
                     });
}

// ---- For what the client got ----------------------------------------------------------------------------------------

// PUBACK. An error in it is an acknowledgement all the same (MQTT 5 section 4.4).
void Broker::acknowledged(Client& client, const mqtt::Ack& packet) {
  if (client.session == nullptr) return;
  if (client.dependents != nullptr && client.dependents->acknowledged(packet)) return;
  LocalSession& home = *client.session;
  auto removed = home.session->acknowledge(packet.packet_id);
  if (!removed.found) return;
  remove_stored(home, removed);
  spares_.give(std::move(removed.message));
  resume_delivery(client);
}

// PUBREC.
void Broker::received(Client& client, const mqtt::Ack& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  session::Session& state = *home.session;
  if (mqtt::is_error(packet.reason)) {
    const auto removed = state.reject(packet.packet_id);
    if (!removed.found) return;
    if (removed.from_store) remove_outgoing(home.session->number(), removed.sequence);
    resume_delivery(client);
    return;
  }
  std::uint64_t sequence = 0;
  switch (state.release(packet.packet_id, sequence)) {
    case session::Session::Release::kUnknown:
      client.sink->send_ack(PacketType::kPubrel, packet.packet_id, ReasonCode::kPacketIdentifierNotFound);
      return;
    case session::Session::Release::kNow:
      client.sink->send_ack(PacketType::kPubrel, packet.packet_id, ReasonCode::kSuccess);
      return;
    case session::Session::Release::kStore:
      release_outgoing(state.number(), sequence);
      return;
    case session::Session::Release::kUnderWay:
      return;
  }
}

// PUBREL goes out when it is on disk that the client has the message: else a crash could deliver it again.
void Broker::release_outgoing(session::SessionNumber number, std::uint64_t sequence) {
  parts_.store.write({{session::StoreOperation::Kind::kRelease, number, sequence, nullptr}}, parts_.executor,
                     [this, number, sequence](base::Result<> written) {
                       LocalSession* home = find(number);
                       if (home == nullptr) return;
                       if (!written) {
                         retry_later([this, number, sequence] { release_outgoing(number, sequence); });
                         return;
                       }
                       const auto packet_id = home->session->released(sequence);
                       if (home->client == nullptr) return;
                       if (packet_id) {
                         home->client->sink->send_ack(PacketType::kPubrel, *packet_id, ReasonCode::kSuccess);
                       }
                       send_waiting(*home);
                     });
}

// PUBCOMP.
void Broker::completed(Client& client, const mqtt::Ack& packet) {
  if (client.session == nullptr) return;
  LocalSession& home = *client.session;
  const auto removed = home.session->complete(packet.packet_id);
  if (!removed.found) return;
  if (removed.from_store) remove_outgoing(home.session->number(), removed.sequence);
  resume_delivery(client);
}

// QoS 2: with an answer, see Session::left().
void Broker::remove_outgoing(session::SessionNumber number, std::uint64_t sequence) {
  parts_.store.write({{session::StoreOperation::Kind::kRemove, number, sequence, nullptr}}, parts_.executor,
                     [this, number, sequence](base::Result<> written) {
                       LocalSession* home = find(number);
                       if (home == nullptr) return;
                       if (!written) {
                         retry_later([this, number, sequence] { remove_outgoing(number, sequence); });
                         return;
                       }
                       home->session->left(sequence);
                       if (home->client != nullptr) send_waiting(*home);
                     });
}

// While the store fails; each entry belongs to a message of a bounded session.
void Broker::retry_later(base::UniqueFunction<void()> call) {
  if (retries_.size() < kMaxRetries) retries_.push_back(std::move(call));
}

}  // namespace mooring::broker
