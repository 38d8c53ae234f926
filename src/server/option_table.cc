#include "server/option_table.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <string>

#include "base/text.h"
#include "broker/rate.h"
#include "registry/names.h"

namespace mooring::server {
namespace {

using std::string_view;

template <auto Section, auto Member>
OptionField at(Options& options, std::size_t) {
  return &(options.*Section.*Member);
}

template <auto Member>
OptionField each(Options& options, std::size_t listener) {
  return &(options.listeners[listener].*Member);
}

constexpr auto kListenerTlsWords = std::to_array<string_view>({"auto", "required", "off"});
constexpr auto kProfileWords = std::to_array<string_view>({"aliyun", "open"});
constexpr auto kDurabilityWords = std::to_array<string_view>({"disk", "process", "memory"});
constexpr auto kTlsVersionWords = std::to_array<string_view>({"1.0", "1.1", "1.2", "1.3"});
constexpr auto kOverMaxWords = std::to_array<string_view>({"reject", "clamp"});
constexpr auto kScopeWords = std::to_array<string_view>({"device", "standard"});
constexpr auto kLogLevelWords = std::to_array<string_view>({"debug", "info", "warn", "error", "off"});
constexpr auto kLogFormatWords = std::to_array<string_view>({"text", "json"});

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint32_t kMaxPacketBytes = 268'435'460;  // the largest that MQTT can express, header included

constexpr OptionRange range(std::uint64_t low, std::uint64_t high) {
  return {low, high, false};
}
constexpr OptionRange range_or_none(std::uint64_t low, std::uint64_t high) {
  return {low, high, true};
}

base::Result<> check_address(string_view text) {
  const auto address = parse_listen_address(text);
  if (!address) return tl::unexpected(address.error());
  return {};
}

// What host names and API answers can carry.
base::Result<> check_label(string_view text) {
  constexpr string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (text.empty() || text.size() > 63 || text.find_first_not_of(kAllowed) != text.npos) {
    return base::fail(base::Errc::kInvalidArgument, "1 to 63 letters, digits, '-' and '_' are allowed");
  }
  return {};
}

// A name or an address, as it stands in JSON; an empty text means none.
base::Result<> check_host(string_view text) {
  constexpr string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  if (text.size() > 253 || text.find_first_not_of(kAllowed) != text.npos) {
    return base::fail(base::Errc::kInvalidArgument, "a host name or address of at most 253 characters is wanted");
  }
  return {};
}

bool is_ip_address(const std::string& text, int& bits) {
  in6_addr buffer{};
  if (inet_pton(AF_INET, text.c_str(), &buffer) == 1) {
    bits = 32;
    return true;
  }
  bits = 128;
  return inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

base::Result<> check_network(string_view text) {
  const std::size_t slash = text.find('/');
  int bits = 0;
  bool good = is_ip_address(std::string(text.substr(0, slash)), bits);
  if (good && slash != text.npos) {
    const string_view length = text.substr(slash + 1);
    int value = -1;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), value);
    good = error == std::errc() && end == length.data() + length.size() && value >= 0 && value <= bits;
  }
  if (!good) {
    return base::fail(base::Errc::kInvalidArgument,
                      "an IP address or a network such as \"10.0.0.0/8\" or \"fd00::/8\" is allowed");
  }
  return {};
}

base::Result<> check_account(string_view text) {
  if (text.empty()) return {};  // none
  return registry::check_account_name(text);
}

base::Result<> check_not_empty(string_view text) {
  if (text.empty()) return base::fail(base::Errc::kInvalidArgument, "it must not be empty");
  return {};
}

using O = Options;
using ServerO = ServerOptions;
using ListenerO = ListenerOptions;
using ConnectO = ConnectOptions;
using MqttO = MqttOptions;
using LimitsO = LimitsOptions;
using AuthO = AuthOptions;
using TlsO = TlsOptions;
constexpr Reload kReload = Reload::kYes;
constexpr Reload kRestart = Reload::kNo;

// clang-format off
const OptionRow kRows[] = {
  {.name = "server.region", .field = at<&O::server, &ServerO::region>, .reload = kRestart,
   .text = "Region name that appears in host names, API answers and connect lines", .check = check_label},
  {.name = "server.instance_id", .field = at<&O::server, &ServerO::instance_id>, .reload = kRestart,
   .text = "Instance name that appears in host names, API answers and connect lines", .check = check_label},
  {.name = "server.data", .field = at<&O::server, &ServerO::data>, .reload = kRestart,
   .text = "Folder with everything that must be backed up; one server at a time uses it",
   .default_text = "\"./mooring-data\", as a service \"/var/lib/mooring\"", .check = check_not_empty},
  {.name = "server.threads", .field = at<&O::server, &ServerO::threads>, .reload = kRestart,
   .text = "Number of event loops; 0 means one for each core", .range = range(0, 1024), .default_text = "cores"},
  {.name = "server.public_host", .field = at<&O::server, &ServerO::public_host>, .reload = kReload,
   .text = "Host name that devices are told to connect to when they ask over HTTP (pre-authentication, bootstrap)",
   .default_text = "the one they asked", .check = check_host},
  {.name = "server.public_port", .field = at<&O::server, &ServerO::public_port>, .reload = kReload,
   .text = "Port that devices are told likewise; 0 means the one they asked", .range = range(0, 65'535),
   .default_text = "the one they asked"},

  {.name = "listener.address", .field = each<&ListenerO::address>, .reload = kRestart,
   .text = "[HOST:]PORT to listen on; without a host all addresses, IPv4 and IPv6; IPv6 in brackets; port 0 picks one",
   .check = check_address},
  {.name = "listener.anonymous_account", .field = each<&ListenerO::anonymous_account>, .reload = kRestart,
   .text = "Account as which connections without user name act, for test benches and closed networks",
   .default_text = "none", .check = check_account},
  {.name = "listener.tls", .field = each<&ListenerO::tls>, .reload = kRestart,
   .text = "Whether connections may use TLS (auto: by their first bytes), must, or cannot", .words = kListenerTlsWords},
  {.name = "listener.legacy_tls", .field = each<&ListenerO::legacy_tls>, .reload = kRestart,
   .text = "Offer TLS 1.2 with RSA key exchange and CBC to old firmware that sends no SNI and no ALPN"},
  {.name = "listener.client_certificates", .field = each<&ListenerO::client_certificates>, .reload = kRestart,
   .text = "Ask TLS clients for a certificate, without requiring one, while there are private authorities"},
  {.name = "listener.proxy_protocol", .field = each<&ListenerO::proxy_protocol>, .reload = kRestart,
   .text = "Expect a PROXY protocol header, version 1 or 2, from the trusted proxies"},
  {.name = "listener.trusted_proxies", .field = each<&ListenerO::trusted_proxies>, .reload = kRestart,
   .text = "Addresses and networks whose PROXY and forwarded-for headers are believed", .check = check_network},

  {.name = "connect.timeout_ms", .field = at<&O::connect, &ConnectO::timeout_ms>, .reload = kReload,
   .text = "Time for everything up to the end of CONNECT (TLS, HTTP head, upgrade, packet) together, in milliseconds",
   .range = range(100, 600'000)},
  {.name = "connect.close_timeout_ms", .field = at<&O::connect, &ConnectO::close_timeout_ms>, .reload = kReload,
   .text = "Time for the peer to answer when a connection is being closed, in milliseconds",
   .range = range(10, 60'000)},
  {.name = "connect.allowed_origins", .field = at<&O::connect, &ConnectO::allowed_origins>, .reload = kReload,
   .text = "Values of the Origin header with which browsers may open WebSockets; an empty list allows every origin",
   .check = check_not_empty},

  {.name = "mqtt.max_connect_bytes", .field = at<&O::mqtt, &MqttO::max_connect_bytes>, .reload = kReload,
   .text = "Largest CONNECT packet that is read, in bytes; client identifier, user name, password and will may have up "
           "to 65,535 bytes each",
   .range = range(2 * kKiB, 512 * kKiB)},
  {.name = "mqtt.max_packet_bytes", .field = at<&O::mqtt, &MqttO::max_packet_bytes>, .reload = kReload,
   .text = "Largest MQTT packet that is read, in bytes; a larger one closes the connection",
   .range = range(kKiB, kMaxPacketBytes)},
  {.name = "mqtt.max_payload_bytes", .field = at<&O::mqtt, &MqttO::max_payload_bytes>, .reload = kReload,
   .text = "Largest payload that is delivered, in bytes; a larger one is discarded, acknowledged and logged",
   .range = range(1, kMaxPacketBytes)},
  {.name = "mqtt.discard_payload_bytes", .field = at<&O::mqtt, &MqttO::discard_payload_bytes>, .reload = kReload,
   .text = "Largest payload that is discarded without closing the connection, in bytes",
   .range = range(1, kMaxPacketBytes)},
  {.name = "mqtt.max_in_flight", .field = at<&O::mqtt, &MqttO::max_in_flight>, .reload = kReload,
   .text = "QoS 1 messages that may be unacknowledged in each direction of a connection", .range = range(1, 65'535)},
  {.name = "mqtt.max_queued_messages", .field = at<&O::mqtt, &MqttO::max_queued_messages>, .reload = kReload,
   .text = "Messages that wait for one session, offline or slow", .range = range(1, 1'000'000)},
  {.name = "mqtt.max_queued_bytes", .field = at<&O::mqtt, &MqttO::max_queued_bytes>, .reload = kReload,
   .text = "Bytes of messages that wait for one session, offline or slow", .range = range(kKiB, 4 * kGiB)},

  {.name = "mqtt.account_payload_bytes", .field = at<&O::mqtt, &MqttO::account_payload_bytes>, .reload = kReload,
   .text = "Largest payload that accounts and devices of products with profile mqtt may send, in bytes; a larger one "
           "closes the connection",
   .range = range(1, kMaxPacketBytes)},
  {.name = "mqtt.max_message_age_s", .field = at<&O::mqtt, &MqttO::max_message_age_s>, .reload = kReload,
   .text = "How long a message waits for an offline session, in seconds; a publisher may set a shorter time",
   .range = range_or_none(1, 315'360'000)},
  {.name = "mqtt.max_retained_messages", .field = at<&O::mqtt, &MqttO::max_retained_messages>, .reload = kReload,
   .text = "Retained messages that are kept", .range = range_or_none(1, 100'000'000)},
  {.name = "mqtt.max_retained_bytes", .field = at<&O::mqtt, &MqttO::max_retained_bytes>, .reload = kReload,
   .text = "Memory for retained messages, in bytes", .range = range_or_none(kMiB, 1024 * kGiB)},

  {.name = "session.max_expiry_s", .field = at<&O::session, &SessionOptions::max_expiry_s>, .reload = kReload,
   .text = "How long the session of an account outlives its connection at most, in seconds (MQTT 5: Session Expiry "
           "Interval; MQTT 3.x: every session with clean session 0)",
   .range = range(1, 4'294'967'294)},
  {.name = "session.subscription_scope", .field = at<&O::session, &SessionOptions::subscription_scope>,
   .reload = kRestart,
   .text = "Whether subscriptions belong to the device until it unsubscribes, as devices expect, or to the session, as "
           "the MQTT standard says",
   .words = kScopeWords},

  {.name = "limits.profile", .field = at<&O::limits, &LimitsO::profile>, .reload = kReload,
   .text = "Set of defaults: all limits of the original platform, or those without its caps for a whole account",
   .words = kProfileWords},
  {.name = "limits.connects_per_second", .field = at<&O::limits, &LimitsO::connects_per_second>, .reload = kReload,
   .text = "CONNECT packets accepted in a second from all devices together", .range = range_or_none(1, 10'000'000),
   .open_default = 0},
  {.name = "limits.connects_per_device_per_minute", .field = at<&O::limits, &LimitsO::connects_per_device_per_minute>,
   .reload = kReload, .text = "CONNECT packets accepted in a minute from one device",
   .range = range_or_none(1, 1'000'000)},
  {.name = "limits.registered_devices_per_product",
   .field = at<&O::limits, &LimitsO::registered_devices_per_product>,
   .reload = kReload,
   .text = "Devices of a product beyond which none is made by registration without pre-registration",
   .range = range_or_none(1, 100'000'000)},
  {.name = "limits.refusals_per_address_per_minute",
   .field = at<&O::limits, &LimitsO::refusals_per_address_per_minute>, .reload = kReload,
   .text = "Refused CONNECT packets in a minute from one address before it has to wait",
   .range = range_or_none(1, 1'000'000)},
  {.name = "limits.qos0_publishes_per_device_per_second",
   .field = at<&O::limits, &LimitsO::qos0_publishes_per_device_per_second>, .reload = kReload,
   .text = "QoS 0 messages that one device may publish in a second; those beyond are dropped and logged",
   .range = range_or_none(1, broker::kMaxRatePerSecond)},
  {.name = "limits.qos1_publishes_per_device_per_second",
   .field = at<&O::limits, &LimitsO::qos1_publishes_per_device_per_second>, .reload = kReload,
   .text = "QoS 1 messages that one device may publish in a second; those beyond are dropped, logged and not "
           "acknowledged",
   .range = range_or_none(1, broker::kMaxRatePerSecond)},
  {.name = "limits.publishes_per_second", .field = at<&O::limits, &LimitsO::publishes_per_second>, .reload = kReload,
   .text = "Messages that all devices together may publish in a second", .range = range_or_none(1, 100'000'000),
   .open_default = 0},
  {.name = "limits.deliveries_per_device_per_second",
   .field = at<&O::limits, &LimitsO::deliveries_per_device_per_second>, .reload = kReload,
   .text = "Messages of accounts to topics of one device in a second; those beyond are refused as if its queue were "
           "full",
   .range = range_or_none(1, broker::kMaxRatePerSecond)},
  {.name = "limits.deliveries_per_second", .field = at<&O::limits, &LimitsO::deliveries_per_second>,
   .reload = kReload, .text = "Messages of accounts to topics of all devices together in a second",
   .range = range_or_none(1, 100'000'000), .open_default = 0},
  {.name = "limits.bytes_per_second_per_connection",
   .field = at<&O::limits, &LimitsO::bytes_per_second_per_connection>, .reload = kReload,
   .text = "Bytes that are read in a second from one connection of a device; what comes faster waits, nothing is "
           "dropped",
   .range = range_or_none(16 * kKiB, kGiB)},
  {.name = "limits.subscriptions_per_device", .field = at<&O::limits, &LimitsO::subscriptions_per_device>,
   .reload = kReload, .text = "Subscriptions of one device, automatic ones not counted",
   .range = range_or_none(1, 1'000'000)},
  {.name = "limits.children_per_gateway", .field = at<&O::limits, &LimitsO::children_per_gateway>, .reload = kReload,
   .text = "Child devices in the topology of one gateway, and online on its connection",
   .range = range(1, 2'000)},
  {.name = "limits.child_logins_per_gateway_per_second",
   .field = at<&O::limits, &LimitsO::child_logins_per_gateway_per_second>, .reload = kReload,
   .text = "Child devices that one gateway may sign in in a second", .range = range_or_none(1, 10'000)},
  {.name = "limits.sessions_per_account", .field = at<&O::limits, &LimitsO::sessions_per_account>, .reload = kReload,
   .text = "Sessions of one account that outlive their connection; a CONNECT for a further one is refused",
   .range = range_or_none(1, 10'000'000)},
  {.name = "limits.subscriptions_per_account_session",
   .field = at<&O::limits, &LimitsO::subscriptions_per_account_session>, .reload = kReload,
   .text = "Subscriptions of one session of an account", .range = range_or_none(1, 1'000'000)},
  {.name = "limits.filters_per_subscribe", .field = at<&O::limits, &LimitsO::filters_per_subscribe>, .reload = kReload,
   .text = "Filters of one SUBSCRIBE that are considered; those after them are refused",
   .range = range_or_none(1, 65'535)},
  {.name = "limits.topic_bytes", .field = at<&O::limits, &LimitsO::topic_bytes>, .reload = kReload,
   .text = "Length of a topic or filter, in bytes of UTF-8", .range = range_or_none(1, 65'535)},
  {.name = "limits.topic_slashes", .field = at<&O::limits, &LimitsO::topic_slashes>, .reload = kReload,
   .text = "Slashes in a custom topic", .range = range_or_none(1, 65'535)},
  {.name = "limits.ticket_lifetime_s", .field = at<&O::limits, &LimitsO::ticket_lifetime_s>, .reload = kReload,
   .text = "Longest life of a ticket, in seconds; without a wish it lives an hour", .range = range(1, 31'622'400)},
  {.name = "limits.tickets_per_holder", .field = at<&O::limits, &LimitsO::tickets_per_holder>, .reload = kReload,
   .text = "Tickets of one device or account that are valid at a time", .range = range(1, 1'000'000)},
  {.name = "limits.sessions_per_ticket", .field = at<&O::limits, &LimitsO::sessions_per_ticket>, .reload = kReload,
   .text = "Sessions of one ticket that outlive their connection, if the ticket allows any; each event loop allows one "
           "at least",
   .range = range(1, 10'000)},
  {.name = "limits.authorities", .field = at<&O::limits, &LimitsO::authorities>, .reload = kReload,
   .text = "Private authorities whose certificates devices may sign in with", .range = range(1, 100)},
  {.name = "limits.max_connections", .field = at<&O::limits, &LimitsO::max_connections>, .reload = kReload,
   .text = "Connections open at a time; further ones are closed at once", .range = range_or_none(1, 100'000'000)},
  {.name = "limits.outgoing_bytes_per_connection", .field = at<&O::limits, &LimitsO::outgoing_bytes_per_connection>,
   .reload = kReload,
   .text = "Bytes that wait to be sent on one connection; while they do, nothing more is read from it",
   .range = range(16 * kKiB, 4 * kGiB)},
  {.name = "limits.stalled_output_timeout_ms", .field = at<&O::limits, &LimitsO::stalled_output_timeout_ms>,
   .reload = kReload, .text = "Time after which a peer that takes none of the bytes waiting for it is disconnected, in "
                              "milliseconds",
   .range = range(100, 3'600'000)},
  {.name = "limits.http_head_bytes", .field = at<&O::limits, &LimitsO::http_head_bytes>, .reload = kReload,
   .text = "Size of an HTTP request line with all header fields, in bytes", .range = range(kKiB, kMiB)},

  {.name = "auth.require_tls", .field = at<&O::auth, &AuthO::require_tls>, .reload = kReload,
   .text = "Dynamic registration and the devices' HTTP interface (/auth, /topic) are served over TLS only; false where "
           "TLS ends in front of the server"},
  {.name = "auth.strict_secure_mode", .field = at<&O::auth, &AuthO::strict_secure_mode>, .reload = kReload,
   .text = "Refuse a CONNECT whose securemode does not fit the transport, instead of logging a warning"},
  {.name = "auth.keep_alive_min_s", .field = at<&O::auth, &AuthO::keep_alive_min_s>, .reload = kReload,
   .text = "Shortest keep alive a device may ask for, in seconds; 0 also allows none", .range = range(0, 65'535)},
  {.name = "auth.keep_alive_max_s", .field = at<&O::auth, &AuthO::keep_alive_max_s>, .reload = kReload,
   .text = "Longest keep alive a device may ask for, in seconds", .range = range(1, 65'535)},
  {.name = "auth.keep_alive_over_max", .field = at<&O::auth, &AuthO::keep_alive_over_max>, .reload = kReload,
   .text = "What happens to a longer keep alive: the CONNECT is refused, or the longest takes its place",
   .words = kOverMaxWords},

  {.name = "durability.mode", .field = at<&O::durability, &DurabilityOptions::mode>, .reload = kRestart,
   .text = "What an acknowledged message survives: power loss, a crash of the process, or neither",
   .words = kDurabilityWords},

  {.name = "device_log.max_age_s", .field = at<&O::device_log, &DeviceLogOptions::max_age_s>, .reload = kReload,
   .text = "How long entries of the device log are kept, in seconds", .range = range_or_none(60, 315'360'000)},
  {.name = "device_log.entries_per_device", .field = at<&O::device_log, &DeviceLogOptions::entries_per_device>,
   .reload = kReload, .text = "Entries of the device log that are kept for one device, the newest ones",
   .range = range_or_none(10, 1'000'000)},
  {.name = "device_log.max_bytes", .field = at<&O::device_log, &DeviceLogOptions::max_bytes>, .reload = kReload,
   .text = "Size of the device log's file, in bytes; when it is reached the oldest entries go",
   .range = range_or_none(kMiB, 1024 * kGiB)},
  {.name = "device_log.strangers", .field = at<&O::device_log, &DeviceLogOptions::strangers>, .reload = kReload,
   .text = "Rows about refused peers whose device does not exist", .range = range_or_none(100, 10'000'000)},

  {.name = "audit.max_entries", .field = at<&O::audit, &AuditOptions::max_entries>, .reload = kReload,
   .text = "Entries of the audit log; the oldest go", .range = range_or_none(100, 10'000'000)},
  {.name = "audit.max_age_days", .field = at<&O::audit, &AuditOptions::max_age_days>, .reload = kReload,
   .text = "How long entries of the audit log are kept, in days", .range = range_or_none(1, 3'650)},

  {.name = "console.session_idle_s", .field = at<&O::console, &ConsoleOptions::session_idle_s>, .reload = kReload,
   .text = "After so many seconds without a request somebody who signed in to the console must do so again",
   .range = range(2, 2'592'000)},
  {.name = "console.session_max_s", .field = at<&O::console, &ConsoleOptions::session_max_s>, .reload = kReload,
   .text = "Likewise, whatever they did meanwhile", .range = range(2, 2'592'000)},

  {.name = "flight.max_bytes", .field = at<&O::flight, &FlightOptions::max_bytes>, .reload = kReload,
   .text = "Memory for the last packets of all clients, in bytes; 0 switches the record off",
   .range = range(0, 1024 * kGiB)},
  {.name = "flight.bytes_per_client", .field = at<&O::flight, &FlightOptions::bytes_per_client>, .reload = kReload,
   .text = "Memory for the last packets of one client, in bytes; about 64 for each packet",
   .range = range(256, 32'768)},
  {.name = "flight.payload_bytes", .field = at<&O::flight, &FlightOptions::payload_bytes>, .reload = kReload,
   .text = "How much of each payload is recorded, in bytes", .range = range(0, 64)},

  {.name = "tls.certificate", .field = at<&O::tls, &TlsO::certificate>, .reload = kReload,
   .text = "PEM file with the certificate chain, or a list of them (RSA and ECDSA); watched for changes",
   .default_text = "built-in authority", .check = check_not_empty},
  {.name = "tls.key", .field = at<&O::tls, &TlsO::key>, .reload = kReload,
   .text = "PEM file with the private key, or a list in the order of the certificates",
   .default_text = "built-in authority", .check = check_not_empty},
  {.name = "tls.names", .field = at<&O::tls, &TlsO::names>, .reload = kRestart,
   .text = "DNS names and addresses in the certificate of the built-in authority",
   .default_text = "localhost, the host name, 127.0.0.1, ::1 and the machine's addresses", .check = check_not_empty},
  {.name = "tls.minimum_version", .field = at<&O::tls, &TlsO::minimum_version>, .reload = kRestart,
   .text = "Lowest version of TLS that is accepted; 1.0 and 1.1 are unsafe", .words = kTlsVersionWords},
  {.name = "tls.psk", .field = at<&O::tls, &TlsO::psk>, .reload = kReload,
   .text = "Offer TLS-PSK with device secrets, up to TLS 1.2, on listeners with legacy_tls"},
  {.name = "tls.client_chain_bytes", .field = at<&O::tls, &TlsO::client_chain_bytes>, .reload = kReload,
   .text = "Size of the certificate chain that a TLS client may send, in bytes", .range = range(4 * kKiB, 256 * kKiB)},
  {.name = "tls.expiry_warning_days", .field = at<&O::tls, &TlsO::expiry_warning_days>, .reload = kReload,
   .text = "Days before the end of a private authority or of device certificates from which on the log warns daily",
   .range = range(0, 3650)},

  {.name = "log.level", .field = at<&O::log, &LogOptions::level>, .reload = kReload,
   .text = "Least important lines that are logged", .words = kLogLevelWords},
  {.name = "log.format", .field = at<&O::log, &LogOptions::format>,
   .text = "`text`, or `json`: each line an object with time, level, component and message; no welcome is printed",
   .words = kLogFormatWords},
};
// clang-format on

std::string toml_text(string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

struct TypeNameOf {
  string_view operator()(const bool*) const { return "flag"; }
  string_view operator()(const std::uint32_t*) const { return "number"; }
  string_view operator()(const std::uint64_t*) const { return "number"; }
  string_view operator()(const std::string*) const { return "text"; }
  string_view operator()(const std::vector<std::string>*) const { return "list of texts"; }
  template <class Enumeration>
  string_view operator()(const Enumeration*) const {
    return "word";
  }
};

struct TomlOf {
  const OptionRow& row;
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::uint32_t* value) const { return std::to_string(*value); }
  std::string operator()(const std::uint64_t* value) const { return std::to_string(*value); }
  std::string operator()(const std::string* value) const { return toml_text(*value); }
  std::string operator()(const std::vector<std::string>* value) const {
    std::string out;
    for (const std::string& item : *value) out += (out.empty() ? "" : ", ") + toml_text(item);
    return '[' + out + ']';
  }
  template <class Enumeration>
  std::string operator()(const Enumeration* value) const {
    return toml_text(row.words[static_cast<std::size_t>(*value)]);
  }
};

}  // namespace

std::span<const OptionRow> option_table() {
  return kRows;
}

string_view type_name(const OptionRow& row) {
  Options options;
  return std::visit(TypeNameOf{}, row.field(options, 0));
}

std::string allowed_values(const OptionRow& row) {
  const string_view type = type_name(row);
  if (type == "flag") return "true or false";
  if (type == "number") {
    return fmt::format("{} to {}{}", row.range.low, row.range.high,
                       row.range.zero_is_none ? ", or 0 for no limit" : "");
  }
  std::string out;
  for (const string_view word : row.words) out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", word);
  return out;
}

std::string value_as_toml(const OptionRow& row, const Options& options, std::size_t listener) {
  Options copy = options;  // rows give out fields of a mutable Options; this path is for people, not for speed
  return std::visit(TomlOf{row}, row.field(copy, listener));
}

}  // namespace mooring::server
