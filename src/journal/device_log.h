// DeviceLog: where every module reports what happened to a device. The port only; the journal behind it is
// device_journal.h.
//
//   log.record({.device = key, .action = Action::kThrottled, .code = 9324, .name = "publish-rate",
//               .reason = "Rate limit:30,current qps:41", .subject = topic});
//
// record() never blocks and never fails: it hands the event to a thread of its own through a bounded queue. Repeats of
// one kind are merged there, so a storm costs a counter. Whoever reports something that a peer can repeat at will and
// fast (denied topics, dropped messages) should report the first few one by one and then in sums, with `count`.
//
// Never pass it a secret. Text of the peer (subject, claimed names) goes in as it came: it is made printable and cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace mooring::journal {

// What happened. The words of to_text() are stable: they appear in the command line, the API and the stored log.
enum class Action : std::uint8_t {
  kOnline = 1,
  kOffline,
  kRefused,          // a CONNECT that was not accepted
  kPublishDenied,    // topic not permitted (9236)
  kSubscribeDenied,  // likewise, or another bound of subscriptions
  kDiscarded,        // a message that was read and thrown away (9320, 9321)
  kThrottled,        // over a rate limit (9324)
  kRegistered,       // dynamic registration: a secret or token was issued
  kRegistrationRefused,
  kPreauthenticated,  // an iotToken was issued over HTTPS
  kWarned,            // accepted, though something is odd: securemode, an Origin beside a device secret
  kEnabled,
  kDisabled,
  kDeleted,
  kSystem,  // the journal itself: what it could not keep
  kTicket,  // a ticket of the device signed in
};
std::string_view to_text(Action action);
std::optional<Action> parse_action(std::string_view word);

// How the peer came.
enum class Channel : std::uint8_t { kNone, kTcp, kTls, kWs, kWss, kHttp, kHttps };
std::string_view to_text(Channel channel);  // "tcp", ...; "" for kNone
constexpr Channel mqtt_channel(bool tls, bool websocket) {
  if (websocket) return tls ? Channel::kWss : Channel::kWs;
  return tls ? Channel::kTls : Channel::kTcp;
}

// Codes of connection.md 9.2 and 9.3 that several modules report.
inline constexpr std::uint16_t kCodeOk = 200;
inline constexpr std::uint16_t kCodeEnded = 400;  // displaced by the same triple, deleted, disabled
inline constexpr std::uint16_t kCodeBadParameter = 460;
inline constexpr std::uint16_t kCodeInternal = 500;
inline constexpr std::uint16_t kCodeTooSlow = 1901;
inline constexpr std::uint16_t kCodeWriteFailed = 1902;
inline constexpr std::uint16_t kCodeTopicFormat = 1903;
inline constexpr std::uint16_t kCodePacketType = 1951;
inline constexpr std::uint16_t kCodeProductUnknown = 5005;
inline constexpr std::uint16_t kCodeDeviceUnknown = 6100;
inline constexpr std::uint16_t kCodeDeviceDisabled = 6208;
inline constexpr std::uint16_t kCodeNameIllegal = 6280;
inline constexpr std::uint16_t kCodeRegistrationOff = 6288;
inline constexpr std::uint16_t kCodeAlreadyActivated = 6289;
inline constexpr std::uint16_t kCodeBadSignature = 6600;
inline constexpr std::uint16_t kCodeTopicDenied = 9236;
inline constexpr std::uint16_t kCodePayloadIllegal = 9320;
inline constexpr std::uint16_t kCodeParameterIllegal = 9321;
inline constexpr std::uint16_t kCodeThrottled = 9324;

// An HTTP request of a device: where it went, and its fields but for the code that signs them.
struct HttpAttempt {
  std::string path;
  std::vector<std::pair<std::string, std::string>> fields;  // by name
};

// A refused sign-in as it came, for the doctor; see examiner.h. Holds the code the client sent, so it is never stored,
// and overwritten when it goes.
struct SignInAttempt {
  SignInAttempt() = default;
  SignInAttempt(const SignInAttempt&) = delete;
  SignInAttempt& operator=(const SignInAttempt&) = delete;
  ~SignInAttempt();
  std::size_t memory_bytes() const;
  void cut_password(std::size_t bytes);  // overwrites what is behind so many, where it is a secret itself

  std::string user_name;
  std::string client_id;
  std::string password;
  std::unique_ptr<HttpAttempt> http;  // null: it was a CONNECT, or a handshake
  std::string psk_identity;           // of a TLS-PSK handshake, which has nothing else
  bool has_user_name = false;
  bool has_password = false;
  std::uint16_t keep_alive_s = 0;
  std::uint8_t protocol_level = 4;
  bool clean_session = false;
  bool tls = false;
  bool websocket = false;
};

struct Event {
  base::DeviceKey device;  // as claimed; both empty when the peer named none
  Action action = Action::kSystem;
  std::uint16_t code = kCodeOk;
  std::string_view name = {};  // stable and static: "wrong-signature"; for programs, and to tell repeats
  std::string reason = {};     // one sentence or the text of connection.md 9.2
  std::string subject = {};    // what it is about: the topic, the filter
  Channel channel = Channel::kNone;
  std::string address = {};  // of the peer, with port if known
  std::string facts = {};    // of the session, for people: "MQTT 3.1.1, keep alive 60 s, sdk-c-3.2.0"
  std::uint32_t count = 1;   // events that this one stands for
  std::uint8_t answer = 0;   // what the peer was told, of a refusal: CONNACK or reason code
  bool known = true;         // false: nobody has checked yet whether there is such a device
  base::WallMs at_ms = 0;    // 0: now
  std::unique_ptr<SignInAttempt> attempt = {};  // of a refused sign-in that the doctor may look at
};

class DeviceLog {
 public:
  virtual ~DeviceLog() = default;
  // Any thread. Events of one thread keep their order.
  virtual void record(Event event) = 0;
};

// Whether the n-th repetition of something (counted from 1) is to be reported now, and for how many: the first ten by
// themselves, then every hundredth for a hundred. 0: not now.
constexpr std::uint32_t repeats_to_report(std::uint64_t n) {
  if (n <= 10) return 1;
  return n % 100 == 10 ? 100 : 0;
}

}  // namespace mooring::journal
