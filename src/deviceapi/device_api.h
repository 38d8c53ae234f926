// DeviceApi: what devices ask over HTTP (connection.md sections 11 and 12). One per loop, called on it; everything that
// is not /auth, /auth/... or /topic/... goes to the next handler.
//
//   POST /auth/register/device   a device secret, for a device that knows its product's secret
//   POST /auth/devicename        iotId and iotToken, to sign in over MQTT with
//   POST /auth/bootstrap         where to connect
//   POST /auth                   a token for publishing
//   POST /topic/${topic}         publishes the body with QoS 1, answered when the message is safe
//
// Errors are answered with HTTP status 200 and a JSON code; a wrong path or method with the status for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "auth/device_http.h"
#include "auth/permissions.h"
#include "auth/server_token.h"
#include "base/clock.h"
#include "deviceapi/call_report.h"
#include "deviceapi/publish_port.h"
#include "gateway/device_sign_in.h"
#include "http/handler.h"

namespace mooring::deviceapi {

// connection.md section 7.
inline constexpr std::size_t kPublishBytesMax = 131'072;
// What is read of a publish, so that one which is too long gets its code.
inline constexpr std::size_t kPublishBodyBytesMax = 262'144;
inline constexpr std::string_view kPublishPrefix = "/topic/";

struct DeviceApiSettings {
  bool require_tls = true;
  std::string public_host;        // empty: the host the device asked
  std::uint16_t public_port = 0;  // 0: the port it asked
  auth::TopicLimits topic_limits;
};

class DeviceApi final : public http::Handler {
 public:
  struct Parts {
    gateway::DeviceSignIn& sign_in;
    PublishPort& publisher;
    const base::Clock& clock;
    http::Handler& next;
    journal::DeviceLog& log;
    std::uint16_t loop = 0;
  };
  explicit DeviceApi(const Parts& parts) : parts_(parts) {}

  std::optional<std::size_t> body_bytes_max(const http::Request& head,
                                            const http::RequestSource& source) const override;
  // An expired token gets no room for a large body, but its code.
  std::optional<http::Response> too_large(const http::Request& head, const http::RequestSource& source) override;
  void handle(http::Request request, const http::RequestSource& source, http::Respond respond) override;
  void set_settings(DeviceApiSettings settings) { settings_ = std::move(settings); }

 private:
  // A request on its way to its answer.
  struct Call : CallReport {
    http::Respond respond;
    std::string who{};  // the device that it names, as CONNECT would have it; not proven
  };

  void serve(http::Request request, const http::RequestSource& source, Call call);
  void register_device(const http::Request& request, Call call);
  void sign_in(const http::Request& request, bool tls, Call call);
  void on_found(const auth::HttpSignIn& sign_in, const gateway::CachedCredential& credential, const std::string& host,
                std::uint16_t port, Call& call);
  void bootstrap(const http::Request& request, bool tls, Call call);
  void publish(http::Request request, base::Executor& executor, Call call);
  void on_publisher_found(const gateway::CachedCredential& credential, const std::string& token, DevicePublish message,
                          base::Executor& executor, Call call);
  bool turned_away(const base::DeviceKeyView& device, Call& call);
  // The token of a publish, if this server issued it.
  std::optional<auth::TokenClaim> sealed_token(const http::Request& head) const;
  void refuse(const auth::HttpRefusal& refusal, Call& call);
  std::uint64_t new_message_id();

  const Parts parts_;
  DeviceApiSettings settings_;
  std::uint64_t last_message_id_ = 0;
};

}  // namespace mooring::deviceapi
