// Options: everything an operator can set, as plain values, and the way from configuration file and command line to
// them.
//
// The fields' initialisers are the defaults. One table (option_table.cc) has a row per option: name, allowed values,
// text, whether it can be reloaded, and the field. The file reader, --set, `mooring check`, the documentation page and
// the default file all come from that table; a new option is a field here and a row there.
//
// Plain values: copy freely, any thread. In every limit 0 means "no limit" where the row of the table allows 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace mooring::server {

// The order of the words in each enumeration is the order of the words in its row of the option table.
enum class ListenerTls : std::uint8_t { kAuto, kRequired, kOff };
enum class LimitsProfile : std::uint8_t { kAliyun, kOpen };
enum class DurabilityMode : std::uint8_t { kDisk, kProcess, kMemory };
enum class TlsVersion : std::uint8_t { k10, k11, k12, k13 };
enum class KeepAliveOverMax : std::uint8_t { kReject, kClamp };
enum class SubscriptionScope : std::uint8_t { kDevice, kStandard };

struct ServerOptions {
  std::string region = "cn-shanghai";
  std::string instance_id = "iot-local";
  std::string data;               // a folder; after loading never empty (see default_data_dir)
  std::uint32_t threads = 0;      // event loops; 0 = one for each core
  std::string public_host;        // what devices are told to connect to; empty = the host they asked
  std::uint32_t public_port = 0;  // likewise; 0 = the port they asked
};

// One [[listener]] of the file, or one --listen.
struct ListenerOptions {
  std::string address = ":443";   // as written: [HOST:]PORT
  std::string host;               // set by loading, without brackets; empty = all addresses, IPv4 and IPv6
  std::uint16_t port = 443;       // set by loading; 0 = pick one
  std::string anonymous_account;  // empty = none
  ListenerTls tls = ListenerTls::kAuto;
  bool legacy_tls = true;
  bool client_certificates = true;
  bool proxy_protocol = false;
  std::vector<std::string> trusted_proxies;  // addresses and networks ("10.0.0.0/8"), valid after loading
};

struct ConnectOptions {
  std::uint32_t timeout_ms = 10'000;         // one budget for all steps, from accept to the end of CONNECT
  std::uint32_t close_timeout_ms = 5'000;    // for the peer's answer to a close
  std::vector<std::string> allowed_origins;  // of WebSocket upgrades; empty = every origin (connection.md 2.3)
};

struct MqttOptions {
  // Of CONNECT, before it is known who connects: an account's may have a client identifier of 65,535 bytes.
  std::uint32_t max_connect_bytes = 262'144;
  std::uint32_t max_packet_bytes = 1'114'112;       // 1 MiB of discarded payload and 64 KiB of topic and header
  std::uint32_t max_payload_bytes = 262'144;        // what is delivered (connection.md 7)
  std::uint32_t discard_payload_bytes = 1'048'576;  // up to here read, discarded and acknowledged
  std::uint32_t max_in_flight = 100;                // unacknowledged QoS 1 messages, in each direction
  std::uint32_t max_queued_messages = 1'000;        // for each session
  std::uint64_t max_queued_bytes = 4'194'304;       // for each session
  std::uint32_t account_payload_bytes = 4'194'304;  // what accounts and products of profile `mqtt` may send
  std::uint32_t max_message_age_s = 604'800;        // of messages that wait for a session
  std::uint32_t max_retained_messages = 1'000'000;
  std::uint64_t max_retained_bytes = 268'435'456;
};

struct SessionOptions {
  std::uint32_t max_expiry_s = 604'800;  // of accounts' sessions, after their connection
  SubscriptionScope subscription_scope = SubscriptionScope::kDevice;
};

// Limits of connection.md section 7 and of the server itself.
struct LimitsOptions {
  LimitsProfile profile = LimitsProfile::kAliyun;
  std::uint32_t connects_per_second = 500;  // the original's limit for an account; 0 with profile `open`
  std::uint32_t connects_per_device_per_minute = 5;
  std::uint32_t registered_devices_per_product = 100'000;  // registration makes no more once there are so many
  std::uint32_t refusals_per_address_per_minute = 20;
  std::uint32_t qos0_publishes_per_device_per_second = 30;
  std::uint32_t qos1_publishes_per_device_per_second = 10;
  std::uint32_t publishes_per_second = 10'000;  // of all devices; 0 with profile `open`
  std::uint32_t deliveries_per_device_per_second = 50;
  std::uint32_t deliveries_per_second = 2'000;  // to all devices; 0 with profile `open`
  std::uint32_t bytes_per_second_per_connection = 1'048'576;
  std::uint32_t subscriptions_per_device = 100;
  std::uint32_t children_per_gateway = 1'500;  // online on its connection, and in its topology
  std::uint32_t child_logins_per_gateway_per_second = 200;
  std::uint32_t sessions_per_account = 100'000;  // that outlive their connection
  std::uint32_t subscriptions_per_account_session = 10'000;
  std::uint32_t filters_per_subscribe = 8;
  std::uint32_t topic_bytes = 128;
  std::uint32_t topic_slashes = 7;  // custom topics
  std::uint32_t ticket_lifetime_s = 86'400;
  std::uint32_t authorities = 10;  // private ones, of X.509 devices
  std::uint32_t tickets_per_holder = 1'000;
  std::uint32_t sessions_per_ticket = 10;
  std::uint32_t max_connections = 100'000;
  std::uint64_t outgoing_bytes_per_connection = 2'097'152;
  std::uint32_t stalled_output_timeout_ms = 30'000;  // a peer that reads nothing for so long is disconnected
  std::uint32_t http_head_bytes = 16'384;
};

struct AuthOptions {
  bool require_tls = true;  // for registration and the devices' HTTP interface
  bool strict_secure_mode = false;
  std::uint32_t keep_alive_min_s = 30;
  std::uint32_t keep_alive_max_s = 1'200;
  KeepAliveOverMax keep_alive_over_max = KeepAliveOverMax::kReject;
};

struct DurabilityOptions {
  DurabilityMode mode = DurabilityMode::kDisk;
};

struct DeviceLogOptions {
  std::uint32_t max_age_s = 2'592'000;  // 30 days
  std::uint32_t entries_per_device = 500;
  std::uint64_t max_bytes = 1'073'741'824;  // of the file
  std::uint32_t strangers = 10'000;         // rows about devices that do not exist
};

struct FlightOptions {
  std::uint64_t max_bytes = 67'108'864;    // of all records; 0: nothing is recorded
  std::uint32_t bytes_per_client = 2'048;  // of packets
  std::uint32_t payload_bytes = 0;         // of each PUBLISH
};

struct AuditOptions {
  std::uint64_t max_entries = 100'000;
  std::uint32_t max_age_days = 365;
};

struct ConsoleOptions {
  std::uint32_t session_idle_s = 3'600;
  std::uint32_t session_max_s = 43'200;
};

struct TlsOptions {
  std::vector<std::string> certificate;  // PEM files, paired with `key` by position; empty = built-in authority
  std::vector<std::string> key;
  std::vector<std::string> names;  // for the built-in authority's certificate; empty = this machine's names
  TlsVersion minimum_version = TlsVersion::k12;
  bool psk = true;
  std::uint32_t client_chain_bytes = 16'384;
  std::uint32_t expiry_warning_days = 30;  // of authorities and device certificates
};

struct LogOptions {
  base::LogLevel level = base::LogLevel::kInfo;
  base::LogFormat format = base::LogFormat::kText;
};

// What the command line says about options. Kept, so that a reload starts from the same place.
struct OptionSources {
  std::optional<std::string> config_file;
  std::vector<std::string> sets;     // "section.key=value"; "listener.key=value" is meant for every listener
  std::vector<std::string> listens;  // "[HOST:]PORT"; when there are any they replace the listeners of the file
  std::optional<std::string> data;
  std::optional<std::uint32_t> threads;
};

struct Options {
  ServerOptions server;
  std::vector<ListenerOptions> listeners{1};  // never empty after loading
  ConnectOptions connect;
  MqttOptions mqtt;
  SessionOptions session;
  LimitsOptions limits;
  AuthOptions auth;
  DurabilityOptions durability;
  DeviceLogOptions device_log;
  FlightOptions flight;
  AuditOptions audit;
  ConsoleOptions console;
  TlsOptions tls;
  LogOptions log;

  OptionSources sources;
  // Where the value of an option came from, for every option that does not have its built-in default:
  // "mqtt.max_in_flight" or "listener[0].tls" to "mooring.toml:12", "--set", "--listen", "limits.profile".
  std::map<std::string, std::string, std::less<>> origins;
};

// One thing that is wrong, for a person: `where` is "mooring.toml:12", "--set" or another word of the command line.
struct OptionProblem {
  std::string where;
  std::string message;  // names the key, the value and what is allowed; suggests the key that was meant
};

// Reads the file and the command line: default < file < --listen, --data, --threads < --set. Reports every problem, not
// only the first. Does file input for the configuration file alone; opens none of the files named in it.
tl::expected<Options, std::vector<OptionProblem>> load_options(const OptionSources& sources);

// "mooring.toml:12: unknown option ..." and so on, one line each.
std::string describe(const std::vector<OptionProblem>& problems);

// Where a value came from, "default" if nobody set it. `name` as in Options::origins.
std::string_view origin_of(const Options& options, std::string_view name);

// What a reload changed. `reloadable` says whether a running server takes the new value or needs a restart.
struct OptionChange {
  std::string name;
  bool reloadable = false;
};
std::vector<OptionChange> changed_options(const Options& before, const Options& after);

// `from` with the reloadable values of `to` taken over; the others (and the list of listeners) stay.
Options with_reloadable(const Options& from, const Options& to);

struct ListenAddress {
  std::string host;  // empty = all addresses, IPv4 and IPv6
  std::uint16_t port = 0;
};
// "443", ":443", "192.0.2.1:443", "localhost:443", "[::1]:443".
base::Result<ListenAddress> parse_listen_address(std::string_view text);

// The data folder when nobody names one: the state directory the service manager hands over (STATE_DIRECTORY, normally
// /var/lib/mooring), else ./mooring-data.
std::string default_data_dir();

std::string option_table_markdown();  // `mooring config docs`
std::string default_config_file();    // `mooring config default`: every option, commented out, with its text

}  // namespace mooring::server
