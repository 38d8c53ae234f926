// Children: the child devices on one gateway's connection, as that connection sees them (docs/adr/0018). Belongs to the
// gateway's client and its loop. Carries packets between the connection and the children's home loops (child_host.h),
// signs children in and out, and tells the gateway what became of them on /ext/error (platform.md 7.3, 7.5).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "auth/child_sign_in.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/rate.h"
#include "gateway/device_sign_in.h"
#include "journal/device_log.h"
#include "things/child_hosts.h"
#include "things/child_link.h"

namespace mooring::things {

struct ServiceLimits {
  std::size_t children_per_gateway = 1'500;  // online on its connection, and in its topology; 0: no limit
  std::uint32_t child_logins_per_s = 200;    // of one gateway; 0: no limit
};
inline constexpr std::size_t kBatchMax = 50;             // platform.md 7.3
inline constexpr std::size_t kTopologyItemsMax = 30;     // of one request
inline constexpr std::uint32_t kRequestsAtOnceMax = 32;  // of one connection, that wait for the registry
inline constexpr std::uint32_t kLoginsAtOnceMax = 256;   // likewise; SDKs sign all their children in one by one at once
inline constexpr std::uint32_t kTopologyRequestsPerS = 20;  // of one connection; registrations among them

// What the children of all connections of a loop share.
struct ChildrenParts {
  broker::Broker& broker;
  gateway::DeviceSignIn& sign_in;
  base::Executor& loop;
  const base::Clock& clock;
  journal::DeviceLog& log;
  const ChildHosts& hosts;
  const ServiceLimits& limits;  // a reload changes them
};

class Children final : public broker::Dependents {
 public:
  Children(const ChildrenParts& parts, broker::Client& client, std::uint64_t link_number);
  ~Children() override;

  // broker::Dependents
  Number owner_of(std::string_view topic) const override;
  void publish(Number child, const mqtt::Publish& packet, std::uint64_t ack) override;
  void subscribe(Number child, std::span<const mqtt::SubscribeEntry> entries, std::uint32_t subscription_id,
                 Answered answered) override;
  void unsubscribe(Number child, std::span<const std::string_view> filters, Answered answered) override;
  bool acknowledged(const mqtt::Ack& packet) override;
  void resume() override;
  void end() override;

  // From the children's home loops.
  void take(std::vector<ChildOutput> outputs);
  void read_again();

  // Signs in all or none of them; `done` comes later with 200 or the code of the first that failed, and which it was.
  // At most kBatchMax. Not after the connection has ended.
  using LoginDone = base::UniqueFunction<void(int code, const base::DeviceKey& child)>;
  void log_in(std::vector<auth::ChildSignIn> children, LoginDone done);
  // All or none: nothing, or one that is not online here.
  std::optional<base::DeviceKey> log_out(const std::vector<base::DeviceKey>& children);

  // The gateway itself takes them out of its topology: it need not be told.
  void set_leaving(const std::vector<base::DeviceKey>& children, bool leaving);
  bool is_leaving(const base::DeviceKey& child) const { return leaving_.contains(child); }
  void push_error(int code, const base::DeviceKey& child);

  std::size_t size() const { return children_.size(); }

  broker::TokenBucket login_rate;
  broker::TokenBucket topology_rate;
  const std::shared_ptr<std::uint32_t> requests_under_way = std::make_shared<std::uint32_t>(0);
  const std::shared_ptr<std::uint32_t> logins_under_way = std::make_shared<std::uint32_t>(0);  // and logouts

 private:
  struct Login;
  struct Child {
    base::DeviceKey device;
    session::LoopId home = 0;
    std::shared_ptr<Login> login;  // null: it is online
    bool logged_out = false;       // and goes when what it published is acknowledged
  };
  // A PUBLISH of a child that is not acknowledged yet.
  struct PendingAck {
    Number child;
    std::uint16_t packet_id;
    std::uint64_t ack;
  };
  struct PendingFilters {
    Number child;
    std::uint16_t packet_id;
    std::size_t count;
    Answered answered;
  };
  // A message of QoS 1 to a child, under an identifier of the gateway's connection.
  struct Relayed {
    Number child;
    std::uint16_t packet_id;  // of the child's session
  };

  const Child* find(Number number) const;
  template <class Call>
  void post(const Child& child, Call call) const {
    parts_.hosts.post(child.home, std::move(call));
  }
  ChildId id_of(Number number) const { return {link_->number, number}; }
  Number add_child(const base::DeviceKey& device, const std::shared_ptr<Login>& login);
  void remove_child(Number number);
  void sign_out(Number number);
  bool is_owed_acks(Number number) const;
  bool listens(Number number) const;
  bool is_settled(Number number) const { return find(number)->login == nullptr && !find(number)->logged_out; }
  void drop_waiting(Number number);

  void take_one(ChildOutput& output);
  void deliver(ChildOutput& output);
  void deliver_waiting();
  void send(const ChildOutput& output, std::uint8_t qos, std::uint16_t packet_id);
  void answer(const ChildOutput& output, std::optional<mqtt::ReasonCode> reason);
  void answer_filters(const ChildOutput& output);
  void on_closed(const ChildOutput& output);
  void acknowledge_at_home(Number child, std::uint16_t packet_id);
  void tell_if_room();
  std::uint16_t new_token();

  // logins.cc
  void check_all(const std::shared_ptr<Login>& login);
  void join_all(const std::shared_ptr<Login>& login);
  void on_checked(const ChildOutput& output);
  void on_joined(const ChildOutput& output);
  void fail(Login& login, int code, const base::DeviceKey& child);
  void finish(const std::shared_ptr<Login>& login);

  const ChildrenParts parts_;
  broker::Client& client_;  // owns this
  const ChildLinkRef link_;
  boost::unordered_flat_map<Number, Child> children_;
  boost::unordered_flat_map<base::DeviceKey, Number, base::DeviceKeyHash, base::DeviceKeyEqual> by_device_;
  struct Check {
    std::shared_ptr<Login> login;
    std::size_t index;  // of the child in it
  };
  boost::unordered_flat_map<Number, Check> checks_;  // proofs that are being checked
  std::unordered_set<base::DeviceKey, base::DeviceKeyHash, base::DeviceKeyEqual> leaving_;
  std::vector<PendingAck> acks_;         // in the order of the packets
  std::vector<PendingFilters> filters_;  // SUBSCRIBE and UNSUBSCRIBE
  std::deque<ChildOutput> waiting_;      // for an identifier; counted in ChildLink::down_bytes
  boost::unordered_flat_map<std::uint16_t, Relayed> relayed_;
  Number last_number_ = kNobody;
  std::uint16_t last_token_ = 0;
  std::uint64_t errors_told_ = 0;
  bool holds_input_ = false;
};

}  // namespace mooring::things
