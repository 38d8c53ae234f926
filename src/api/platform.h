// Platform: what administration can learn and ask of a running server beyond its connections (SessionControl). The
// server implements it. Called on a registry thread; may wait briefly for the loops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace mooring::api {

inline constexpr std::size_t kSessionsShownMax = 100;
inline constexpr std::size_t kSubscriptionsShownMax = 1000;  // of each session

struct ListenerFacts {
  std::string address;
  std::uint16_t port = 0;
  std::string tls;  // auto, required, off
  bool legacy_tls = false;
};

struct ServerFacts {
  std::string version;
  base::WallMs started_ms = 0;
  std::string region;
  std::string instance_id;
  std::string public_host;
  std::uint32_t public_port = 0;
  std::size_t threads = 0;
  std::string limits_profile;
  std::string durability;
  std::vector<ListenerFacts> listeners;
  std::uint64_t connections = 0, sessions = 0, subscriptions = 0, retained_messages = 0;
};

struct CertificateFacts {
  std::string name;  // of the file
  std::string subject;
  std::string issuer;
  std::string key_type;
  std::string fingerprint;
  std::vector<std::string> names;
  base::WallMs not_before_ms = 0;
  base::WallMs not_after_ms = 0;
};
struct CertificatesFacts {
  bool built_in = false;
  std::optional<CertificateFacts> root;
  std::string root_pem;
  std::vector<CertificateFacts> items;
};

struct OptionFacts {
  std::string key;
  std::string value;          // as the file writes it
  std::string default_value;  // likewise
  std::string source;         // "default", "mooring.toml:12", "--set"
  bool reloadable = false;
  std::string description;
};

struct SubscriptionFacts {
  std::string filter;
  unsigned qos = 0;
  bool automatic = false;
};
struct SessionFacts {
  std::string client_id;
  bool connected = false;
  std::string transport;  // empty while not connected
  std::string address;
  std::string protocol;
  bool clean_session = false;
  std::uint32_t keep_alive_s = 0;
  base::WallMs offline_since_ms = 0;
  std::uint32_t expiry_s = 0;
  std::uint64_t queued_messages = 0, queued_bytes = 0, in_flight = 0;
  std::vector<SubscriptionFacts> subscriptions;
  std::uint64_t more_subscriptions = 0;
};
struct SessionsFacts {
  std::vector<SessionFacts> items;
  std::uint64_t more = 0;
  bool complete = true;  // false: a loop did not answer in time
};

class Platform {
 public:
  virtual ~Platform() = default;
  virtual ServerFacts server() = 0;
  virtual CertificatesFacts certificates() = 0;
  virtual std::vector<OptionFacts> configuration() = 0;
  virtual std::string configuration_file() = 0;  // empty: none
  virtual SessionsFacts sessions_of_device(const base::DeviceKey& device) = 0;
  virtual SessionsFacts sessions_of_account(const std::string& account) = 0;
  // As the platform itself, to whoever has subscribed. kInvalidArgument: no topic name, or longer than may be.
  virtual base::Result<> publish(const std::string& topic, const std::string& payload, unsigned qos, bool retain) = 0;
};

}  // namespace mooring::api
