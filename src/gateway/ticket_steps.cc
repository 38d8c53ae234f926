// The conversation of a ticket: sign-in, and the end of the ticket.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/mqtt_conversation.h"

namespace mooring::gateway {

void MqttConversation::sign_in_ticket(const auth::ConnectAttempt& attempt) {
  services_->ticket_sign_in.authenticate(
      attempt, transport_.peer().origin.get(),
      [self = std::weak_ptr<MqttConversation*>(self_)](tl::expected<TicketSignedIn, TicketRefused> result) {
        if (const auto alive = self.lock()) (*alive)->on_ticket_signed_in(std::move(result));
      });
}

void MqttConversation::on_ticket_signed_in(tl::expected<TicketSignedIn, TicketRefused> result) {
  if (!result) {
    refuse(result.error().refusal, result.error().device);
    return;
  }
  if (connect_->lacks_client_id()) {
    refuse(auth::Refusal::of(auth::RefusalReason::kClientIdMissing));
    return;
  }
  if (connect_->client_id.empty()) {
    connect_->client_id = make_client_id();
    connect_->assigned = true;
  }
  if (result->of_device) {
    services_->log.record({.device = result->authorizer->device(),
                           .action = journal::Action::kTicket,
                           .name = "ticket",
                           .reason = "signed in with a ticket",
                           .subject = result->name,
                           .channel = journal::mqtt_channel(transport_.peer().tls, writer_.websocket()),
                           .address = transport_.peer().address.to_text()});
  }
  ticket_ = std::make_unique<TicketLife>();
  // On the clock of the timers: a wall clock that jumps neither ends a ticket early nor keeps it.
  const base::WallMs left_ms = std::max<base::WallMs>(1, result->ends_ms - services_->clock.wall_ms());
  ticket_->ends_at_ms = transport_.loop().now_ms() + left_ms;
  ticket_->session_s = result->session_s;
  connect_->expiry_max_s = std::min(result->session_s, static_cast<std::uint32_t>(left_ms / 1000));
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kAccount;
  session::SessionKey key = session::account_session_key(result->name, 0, connect_->client_id);
  authorizer_ = std::move(result->authorizer);
  attach(std::move(info), std::move(key), result->of_device ? services_->device_ticket : services_->account_ticket);
}

// Nothing of a ticket outlives it.
void MqttConversation::limit_session_to_ticket() {
  const base::MonoMs left_ms = std::max<base::MonoMs>(0, ticket_->ends_at_ms - transport_.loop().now_ms());
  const std::uint32_t most_s = std::min(ticket_->session_s, static_cast<std::uint32_t>(left_ms / 1000));
  client_->session_expiry_s = std::min(client_->session_expiry_s, most_s);
}

void MqttConversation::end_ticket() {
  base::log_info("gateway", "{}: closed: the ticket has expired", who());
  detach(broker::OfflineReason::kKicked);
  end(mqtt::ReasonCode::kMaximumConnectTime, ws::CloseCode::kPolicyViolation, "the ticket has expired");
}

}  // namespace mooring::gateway
