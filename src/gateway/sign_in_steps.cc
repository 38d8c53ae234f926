// From CONNECT to CONNACK: sign-in, session, answer.
#include <fmt/format.h>

#include <utility>

#include "auth/client_id.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/random.h"
#include "gateway/authorizers.h"
#include "gateway/certificate_sign_in.h"
#include "gateway/mqtt_conversation.h"
#include "gateway/refused_attempt.h"
#include "gateway/session_identity.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace mooring::gateway {
namespace {
constexpr std::size_t kAssignedIdCharacters = 22;    // 130 bits: nobody guesses another's
constexpr std::size_t kHeaderAllowanceBytes = 1024;  // properties, beside topic and payload

// connection.md 9.2 and 9.3: what the device log calls a refusal.
std::uint16_t log_code(auth::RefusalReason reason) {
  using Reason = auth::RefusalReason;
  switch (reason) {
    case Reason::kRateLimited:
      return journal::kCodeThrottled;
    case Reason::kRegistrationUnknownProduct:
      return journal::kCodeProductUnknown;
    case Reason::kRegistrationOff:
      return journal::kCodeRegistrationOff;
    case Reason::kRegistrationActivated:
      return journal::kCodeAlreadyActivated;
    case Reason::kRegistrationNotPreregistered:
    case Reason::kUnknownDevice:
      return journal::kCodeDeviceUnknown;
    case Reason::kWrongSignature:
    case Reason::kWrongPassword:
    case Reason::kRegistrationSignature:
    case Reason::kWrongToken:
    case Reason::kWrongIotToken:
    case Reason::kNoSecret:
    case Reason::kOtherPskIdentity:
    case Reason::kCertificateMissing:
    case Reason::kCertificateRequired:
    case Reason::kCertificateUntrusted:
    case Reason::kCertificateNotYetValid:
    case Reason::kCertificateExpired:
    case Reason::kCertificateRevoked:
    case Reason::kCertificateUnbound:
    case Reason::kCertificateOfOtherDevice:
    case Reason::kTicketUnknown:
    case Reason::kTicketSecret:
    case Reason::kTicketExpired:
    case Reason::kTicketRevoked:
    case Reason::kTicketNotFromPage:
    case Reason::kTicketOrigin:
    case Reason::kTicketClientId:
      return journal::kCodeBadSignature;
    case Reason::kRegistrationDisabledDevice:
    case Reason::kDeviceDisabled:
    case Reason::kTicketHolder:
      return journal::kCodeDeviceDisabled;
    case Reason::kUnavailable:
      return journal::kCodeInternal;
    case Reason::kRegistrationName:
      return journal::kCodeNameIllegal;
    default:
      return journal::kCodeBadParameter;
  }
}
std::string facts_of(const PendingConnect& connect) {
  return fmt::format("{}, keep alive {} s, clean session {}, client {}", mqtt::version_name(connect.version),
                     connect.keep_alive_s, connect.clean_session ? 1 : 0, base::printable(connect.client_id, 100));
}

// Null: it said nothing.
std::unique_ptr<const broker::ClientFacts> facts_of(auth::DeviceFacts&& said) {
  std::string& module = said.module_id.empty() ? said.partner_id : said.module_id;
  if (said.language.empty() && said.sdk_version.empty() && said.system.empty() && module.empty()) return nullptr;
  return std::unique_ptr<const broker::ClientFacts>(new broker::ClientFacts{
      std::move(said.language), std::move(said.sdk_version), std::move(said.system), std::move(module)});
}
}  // namespace

void MqttConversation::on_connect(const mqtt::Connect& packet) {
  last_packet_ms_ = transport_.loop().now_ms();
  const std::uint64_t arrival = services_->broker.arrival();
  const auto home = home_elsewhere(packet);
  if (!home) {
    sign_in(packet, arrival);
    return;
  }
  if (was_refused_lately(packet)) {       // most of a storm: not worth the way to another loop
    mqtt::Connect without_will = packet;  // which would be copied for nothing
    without_will.will.reset();
    connect_ = std::make_unique<PendingConnect>(without_will, arrival);
    refuse(auth::Refusal::of(auth::RefusalReason::kRateLimited));
    return;
  }
  // This is deep inside of receive(): only what must be kept is kept here. At most Limits::max_connect_bytes.
  moving_.reset(new MovingConnect{{packet.body.begin(), packet.body.end()}, arrival});
  transport_.move_to(*home);
}

bool MqttConversation::was_refused_lately(const mqtt::Connect& packet) const {
  if (!packet.username || packet.authentication_method) return false;
  const std::string address = transport_.peer().address.host();
  auth::ConnectAttempt attempt;
  attempt.user_name = packet.username;
  attempt.password = packet.password;
  attempt.peer_address = address;
  return services_->sign_in.refused_lately(attempt);
}

std::optional<session::LoopId> MqttConversation::home_elsewhere(const mqtt::Connect& packet) const {
  if (services_->loops == 0 || transport_.peer().local_socket) return std::nullopt;
  const std::string identity = session_identity(packet);
  if (identity.empty()) return std::nullopt;
  const session::LoopId home = session::home_loop(identity, services_->loops);
  return home != services_->loop ? std::optional(home) : std::nullopt;
}

void MqttConversation::arrived(MqttServices& services) {
  services_ = &services;
  machine_.set_limits(services.stranger_limits);
  const auto moved = std::move(moving_);
  mqtt::Version version{};
  const auto packet = mqtt::decode_connect(moved->body, version);
  MOORING_ASSERT(packet.has_value());  // it was decoded before
  sign_in(*packet, moved->arrival);
}

void MqttConversation::sign_in(const mqtt::Connect& packet, std::uint64_t arrival) {
  connect_ = std::make_unique<PendingConnect>(packet, arrival);
  client_max_packet_bytes_ = packet.maximum_packet_bytes;
  const PeerFacts& peer = transport_.peer();
  if (packet.authentication_method) {
    refuse(mqtt::ReasonCode::kBadAuthenticationMethod, mqtt::ConnackCode::kNotAuthorized, "enhanced-authentication",
           "no enhanced authentication is offered");
    return;
  }
  if (peer.local_socket) {
    sign_in_operator(packet);
    return;
  }
  const std::string address = peer.address.host();
  auth::ConnectAttempt attempt;
  attempt.protocol_level = static_cast<std::uint8_t>(packet.version);
  attempt.client_id = packet.client_id;
  attempt.user_name = packet.username;
  attempt.password = packet.password;
  attempt.keep_alive_s = packet.keep_alive_s;
  attempt.clean_session = packet.clean_session;
  attempt.tls = peer.tls;
  attempt.websocket = writer_.websocket();
  attempt.peer_address = address;
  attempt.psk_identity = transport_.psk_identity();
  attempt.now_ms = services_->clock.wall_ms();
  // Who has a certificate to show sends an empty password (connection.md 11).
  std::optional<auth::PresentedCertificate> shown;
  if (peer.tls && packet.password && packet.password->empty()) {
    if (const auto certificate = transport_.peer_certificate()) shown = presented(*certificate);
    if (shown) attempt.certificate = &*shown;
  }
  const bool anonymous = !packet.username && peer.anonymous_account != nullptr;
  const bool ticket = TicketSignIn::is_for_ticket(attempt);
  const bool account = anonymous || AccountSignIn::is_for_account(attempt);
  DeviceSignIn& devices = services_->sign_in;
  attempt.rate_limited = ticket || account ? devices.turned_away(attempt) : devices.rate_limited(attempt);
  if (!attempt.rate_limited) connect_->body.assign(packet.body.begin(), packet.body.end());
  if ((ticket || account) && !attempt.psk_identity.empty()) {  // a pre-shared key is for its device alone
    refuse(auth::Refusal::of(auth::RefusalReason::kOtherPskIdentity));
  } else if (ticket) {
    sign_in_ticket(attempt);
  } else if (account) {
    sign_in_account(attempt, anonymous);
  } else {
    sign_in_device(attempt);
  }
}

void MqttConversation::sign_in_device(const auth::ConnectAttempt& attempt) {
  services_->sign_in.authenticate(
      attempt, [self = std::weak_ptr<MqttConversation*>(self_)](tl::expected<SignInResult, auth::Refusal> result) {
        if (const auto alive = self.lock()) (*alive)->on_signed_in(std::move(result));
      });
}

void MqttConversation::on_signed_in(tl::expected<SignInResult, auth::Refusal> result) {
  if (!result) {
    refuse(result.error());
    return;
  }
  auth::SignedIn& device = result->signed_in;
  if (result->registration) {
    on_registered(device.device, *result->registration);
    return;
  }
  if (device.identifies) {
    on_identified(device.device);
    return;
  }
  if (device.secure_mode_mismatch) {
    base::log_info("gateway", "{}/{}: securemode does not fit the transport ({}); accepted", device.device.product_key,
                   device.device.device_name, transport_.peer().tls ? "TLS" : "plain");
    services_->log.record({.device = device.device,
                           .action = journal::Action::kWarned,
                           .code = journal::kCodeBadParameter,
                           .name = "securemode-mismatch",
                           .reason = transport_.peer().tls ? "securemode announces a plain connection, but TLS is used"
                                                           : "securemode announces TLS, but the connection is plain",
                           .channel = journal::mqtt_channel(transport_.peer().tls, writer_.websocket()),
                           .address = transport_.peer().address.to_text()});
  }
  const bool standard = result->product->profile == registry::Profile::kMqtt;
  authorizer_ =
      std::make_unique<DeviceAuthorizer>(device.device, result->product, device.ext_bits, services_->topic_limits);
  connect_->granted_keep_alive_s = device.keep_alive_s;
  // The SDK drops the connection when it is told that there is a session (connection.md 6.4).
  connect_->hides_session = speaks_v5() && device.facts.sdk_version.starts_with("sdk-c-4");
  if (device.base_client_id.empty() && speaks_v5()) {
    connect_->client_id = device.device.device_name;
    connect_->assigned = true;
  }

  broker::ClientInfo info;
  if (const auto& origin = transport_.peer().origin) {
    info.browser_origin = origin;
    if (services_->sign_in.cache().note_browser(device.device)) {
      base::log_warn(
          "gateway",
          "{}/{}: its secret is used by a page of {}, so everybody who opens that page has it; mint a ticket "
          "for the page instead (mooring ticket mint)",
          device.device.product_key, device.device.device_name, base::printable(*origin, 128));
      services_->log.record({.device = device.device,
                             .action = journal::Action::kWarned,
                             .code = journal::kCodeOk,
                             .name = "secret-in-a-page",
                             .reason = "The device's secret is used by a page; mint a ticket for it instead",
                             .subject = *origin,
                             .channel = journal::mqtt_channel(transport_.peer().tls, writer_.websocket()),
                             .address = transport_.peer().address.to_text()});
    }
  }
  info.kind = broker::ClientKind::kDevice;
  info.iot_id = std::move(result->iot_id);
  info.certificate = std::move(result->certificate);
  connect_->facts = facts_of(std::move(device.facts));
  info.wants_notify = (device.ext_bits & auth::kExtNotify) != 0;
  info.custom_rrpc = (device.ext_bits & auth::kExtCustomRrpc) != 0;
  info.auto_subscribe = device.auto_subscribe;
  session::SessionKey key =
      session::device_session_key(device.device.product_key, device.device.device_name, result->life);
  attach(std::move(info), std::move(key), standard ? services_->standard_device : services_->device);
}

void MqttConversation::sign_in_account(const auth::ConnectAttempt& attempt, bool anonymous) {
  auto done = [self = std::weak_ptr<MqttConversation*>(self_)](
                  tl::expected<std::shared_ptr<const AccountRules>, auth::Refusal> result) {
    if (const auto alive = self.lock()) (*alive)->on_account_signed_in(std::move(result));
  };
  if (anonymous) {
    services_->account_sign_in.admit(*transport_.peer().anonymous_account, attempt, std::move(done));
  } else {
    services_->account_sign_in.authenticate(attempt, std::move(done));
  }
}

void MqttConversation::on_account_signed_in(tl::expected<std::shared_ptr<const AccountRules>, auth::Refusal> result) {
  if (!result) {
    refuse(result.error());
    return;
  }
  if (connect_->lacks_client_id()) {
    refuse(auth::Refusal::of(auth::RefusalReason::kClientIdMissing));
    return;
  }
  const AccountRules& account = **result;
  if (connect_->client_id.empty()) {
    connect_->client_id = make_client_id();
    connect_->assigned = true;
  }
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kAccount;
  session::SessionKey key = session::account_session_key(account.name, account.life, connect_->client_id);
  authorizer_ = std::make_unique<AccountAuthorizer>(std::move(*result));
  attach(std::move(info), std::move(key), services_->account);
}

// One whose home is here: the client may come back with it.
std::string MqttConversation::make_client_id() const {
  for (;;) {
    std::string id = "auto-" + crypto::random_alphanumeric(crypto::system_random(), kAssignedIdCharacters);
    if (services_->loops == 0 || session::home_loop(id, services_->loops) == services_->loop) return id;
  }
}

void MqttConversation::refuse(const auth::Refusal& refusal, const base::DeviceKey& holder) {
  const bool told = refusal.reason != auth::RefusalReason::kRateLimited ||
                    services_->turned_away.count(transport_.loop().now_ms()) <= kTurnedAwayLinesPerSecond;
  if (told) log_refusal(refusal);
  answer_refusal(static_cast<mqtt::ReasonCode>(refusal.reason_v5), static_cast<mqtt::ConnackCode>(refusal.connack_v3));
  record_refusal(log_code(refusal.reason), speaks_v5() ? refusal.reason_v5 : refusal.connack_v3, refusal.name,
                 refusal.text, holder);
}

void MqttConversation::log_refusal(const auth::Refusal& refusal) const {
  base::log_info("gateway", "CONNECT refused with code {} ({}): {}; user '{}' from {}",
                 speaks_v5() ? refusal.reason_v5 : refusal.connack_v3, refusal.name, refusal.text, connect_->user_name,
                 transport_.peer().address.to_text());
}

void MqttConversation::refuse(mqtt::ReasonCode reason, mqtt::ConnackCode code, std::string_view name,
                              std::string_view text) {
  base::log_info("gateway", "CONNECT refused: {}; user '{}' from {}", text, connect_->user_name,
                 transport_.peer().address.to_text());
  answer_refusal(reason, code);
  record_refusal(journal::kCodeBadParameter,
                 static_cast<std::uint8_t>(speaks_v5() ? static_cast<unsigned>(reason) : static_cast<unsigned>(code)),
                 name, text);
}

// After the answer: nothing of this shows in the time that the peer sees.
void MqttConversation::record_refusal(std::uint16_t code, std::uint8_t answer, std::string_view name,
                                      std::string_view reason, const base::DeviceKey& holder) {
  journal::Event event;
  event.action = name.starts_with("registration-") ? journal::Action::kRegistrationRefused : journal::Action::kRefused;
  event.code = code;
  event.answer = answer;
  event.name = name;
  event.reason = reason;
  if (!holder.device_name.empty()) {
    event.device = holder;
    event.subject = connect_->user_name;
  } else if (const auto device = auth::device_of_user_name(connect_->user_name)) {
    event.device = {std::string(device->product_key), std::string(device->device_name)};
  } else {
    event.device.device_name = connect_->user_name;
  }
  event.channel = journal::mqtt_channel(transport_.peer().tls, writer_.websocket());
  event.address = transport_.peer().address.to_text();
  // Of one that is turned away unread nothing more is told: it has to stay cheap.
  if (!connect_->body.empty()) {
    event.facts = facts_of(*connect_);
    event.attempt = refused_attempt(*connect_, transport_.peer(), writer_.websocket());
  }
  event.known = false;
  services_->log.record(std::move(event));
}

void MqttConversation::answer_refusal(mqtt::ReasonCode reason, mqtt::ConnackCode code) {
  ++services_->counters.refused_connects;
  if (speaks_v5()) {
    base::Bytes packet;
    mqtt::append_connack5(packet, reason, false, {});
    writer_.packet(packet);
  } else {
    writer_.packet(mqtt::encode_connack(machine_.version(), code).view());
  }
  machine_.close();
  writer_.finish(ws::CloseCode::kPolicyViolation, "CONNECT refused");
}

// Whoever can open the data folder's socket owns the installation.
void MqttConversation::sign_in_operator(const mqtt::Connect&) {
  authorizer_ = std::make_unique<OperatorAuthorizer>();
  connect_->clean_session = true;
  connect_->wanted_expiry_s = 0;
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kOperator;
  session::SessionKey key = std::string("o") + '\0' + std::to_string(services_->loop) + '.' +
                            std::to_string(services_->next_operator_number++);
  attach(std::move(info), std::move(key), services_->local_operator);
}

// False: the CONNECT was refused for its will.
bool MqttConversation::take_will() {
  if (connect_->will == nullptr) return true;
  const broker::ClientRules& rules = *client_->info.rules;
  const session::WillRecord& will = *connect_->will;
  // connection.md 8 and 17 row 15: in MQTT 3.x a will that cannot be is accepted and forgotten.
  if (speaks_v5() && will.retain && !rules.retain_available) {
    refuse(mqtt::ReasonCode::kRetainNotSupported, mqtt::ConnackCode::kNotAuthorized, "will-retain",
           "the will is to be retained");
    return false;
  }
  if (speaks_v5() && will.qos > rules.max_qos) {
    refuse(mqtt::ReasonCode::kQosNotSupported, mqtt::ConnackCode::kNotAuthorized, "will-qos", "the will has QoS 2");
    return false;
  }
  if (!rules.wills_available) return true;
  if (authorizer_->may_publish(will.topic) != broker::Authorizer::Verdict::kAllowed) {
    refuse(mqtt::ReasonCode::kNotAuthorized, mqtt::ConnackCode::kNotAuthorized, "will-topic",
           "the will's topic is not permitted");
    return false;
  }
  client_->will = std::move(connect_->will);
  return true;
}

void MqttConversation::attach(broker::ClientInfo info, session::SessionKey key, const Standing& standing) {
  keep_alive_limit_ms_ = connect_->granted_keep_alive_s * 1500U;
  info.version = connect_->version;
  info.peer_address = transport_.peer().address.host();
  info.tls = transport_.peer().tls;
  info.websocket = writer_.websocket();
  info.keep_alive_s = connect_->granted_keep_alive_s;
  info.clean_session = connect_->clean_session;
  info.session_expiry_s = connect_->session_expiry_s(standing.rules);
  info.receive_maximum = connect_->receive_maximum;
  info.max_packet_bytes = client_max_packet_bytes_;
  info.arrival = connect_->arrival;
  info.rules = &standing.rules;
  machine_.set_limits(standing.packets);
  client_ = std::make_shared<broker::Client>(info, key, static_cast<broker::ClientSink&>(*this), *authorizer_);
  if (!take_will()) {
    client_->sink = nullptr;
    return;
  }
  client_->facts = std::move(connect_->facts);
  client_->last_activity_ms = services_->clock.wall_ms();
  services_->broker.attach(client_, [self = std::weak_ptr<MqttConversation*>(self_),
                                     &standing](tl::expected<broker::AttachResult, broker::AttachError> result) {
    if (const auto alive = self.lock()) (*alive)->on_attached(std::move(result), standing);
  });
}

void MqttConversation::on_attached(tl::expected<broker::AttachResult, broker::AttachError> result,
                                   const Standing& standing) {
  if (!result) {
    client_->sink = nullptr;
    machine_.close();
    if (result.error() == broker::AttachError::kUnavailable) {
      refuse(auth::Refusal::of(auth::RefusalReason::kUnavailable));
    } else if (result.error() == broker::AttachError::kTooManySessions) {
      refuse(mqtt::ReasonCode::kQuotaExceeded, mqtt::ConnackCode::kServerUnavailable, "too-many-sessions",
             "the account has too many lasting sessions (limits.sessions_per_account)");
    } else {
      writer_.finish(ws::CloseCode::kPolicyViolation, "taken over by a newer connection");
    }
    return;
  }
  accepted_ = true;
  counted_ = true;
  ++services_->counters.connected[static_cast<std::size_t>(channel())];
  ++services_->counters.connects[static_cast<std::size_t>(channel())];
  services_->counters.connect_ms.observe(transport_.loop().now_ms() - last_packet_ms_);
  self_.reset();
  last_packet_ms_ = transport_.loop().now_ms();  // the keep-alive clock starts with CONNACK
  const bool present = result->session_present && !connect_->hides_session;
  if (speaks_v5()) {
    if (connect_->topic_alias_maximum > 0) {
      aliases_ = std::make_unique<OutgoingAliases>();
      aliases_->set_maximum(connect_->topic_alias_maximum);
    }
    // Devices are told what is delivered (connection.md 8), though more is read and discarded.
    const std::size_t largest = standing.packets.max_discarded_payload_bytes > standing.packets.max_payload_bytes
                                    ? standing.packets.max_payload_bytes + mqtt::kMaxStringBytes + kHeaderAllowanceBytes
                                    : mqtt::max_publish_packet_bytes(standing.packets);
    base::Bytes packet;
    mqtt::append_connack5(
        packet, mqtt::ReasonCode::kSuccess, present,
        connect_->announce(standing.rules, static_cast<std::uint32_t>(largest), standing.packets.topic_alias_maximum));
    open_flight(packet);
    writer_.packet(packet);
  } else {
    const mqtt::SmallPacket packet = mqtt::encode_connack(machine_.version(), mqtt::ConnackCode::kAccepted, present);
    open_flight(packet.view());
    writer_.packet(packet.view());
  }
  connect_.reset();
  machine_.accept_connect();
  base::log_debug("gateway", "{} online", who());
  transport_.limit_input(standing.max_input_bytes_per_s);
  transport_.established();
  transport_.input_wanted();
}

}  // namespace mooring::gateway
