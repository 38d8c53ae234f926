// Children on their gateway's connection, with brokers of several loops: docs/adr/0018, platform.md 7.3 and 7.5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "crypto/random.h"
#include "registry/tests/registry_fixture.h"
#include "sim/world.h"
#include "things/child_hosts.h"
#include "things/children.h"
#include "things/services.h"

namespace mooring::sim {
namespace {

using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::string_view kSecret = "the secret of every child";

class NoLog final : public journal::DeviceLog {
 public:
  void record(journal::Event) override {}
};

// Never asked: what is to be known of the children is in every loop's cache.
registry::RegistryService& no_registry() {
  static registry::SqliteFixture fixture;
  static registry::RegistryService service(fixture.open());
  return service;
}

auth::ChildSignIn proof_of(const std::string& name, bool clean_session = true, std::string_view secret = kSecret) {
  auth::ChildSignIn child;
  child.device = device_key(name);
  child.clean_session = clean_session;
  child.content = "what " + name + " signs";
  child.mac = crypto::hmac(child.method, secret, {child.content});
  return child;
}

// Gateway "gate1" with the children "kid1" to "kid5", whatever loops are their homes.
class Family {
 public:
  explicit Family(World& in) : world(in), limiter_({0, 0, 0}, crypto::system_random()) {
    std::vector<things::ChildHosts::Place> places;
    for (std::size_t loop = 0; loop < world.loop_count(); ++loop) {
      sign_ins_.push_back(std::make_unique<gateway::DeviceSignIn>(no_registry(), limiter_, world.executor(loop),
                                                                  world.clock, auth::SignInPolicy{}));
      for (int number = 1; number <= 5; ++number) know("kid" + std::to_string(number), *sign_ins_.back());
      hosts.push_back(std::make_unique<things::ChildHost>(
          things::ChildHost::Parts{world.broker(loop),
                                   *sign_ins_.back(),
                                   {world.rules, world.standard_device_rules, topics_},
                                   world.executor(loop),
                                   world.clock}));
      places.push_back({&world.executor(loop), hosts.back().get()});
    }
    places_.set_homes(std::move(places));
    connect();
  }

  // From now on it is a plain MQTT device.
  void know_as_plain(const std::string& kid) {
    know(kid, *sign_ins_[world.home_of(kid)], "gate1", registry::Profile::kMqtt);
  }
  std::size_t in_flight(const std::string& name) const {
    return world.home_broker(name).describe_device(device_key(name), 0)->in_flight;
  }

  void connect(mqtt::Version version = mqtt::Version::k311) {
    gate = &world.connected("gate1", {.version = version});
    adopt();
  }
  // What the gateway's first request about a child does.
  void adopt() {
    const std::size_t loop = world.home_of("gate1");
    auto made = std::make_unique<things::Children>(
        things::ChildrenParts{world.broker(loop), *sign_ins_[loop], world.executor(loop), world.clock, log_, places_,
                              limits},
        *gate->client, ++links_);
    children = made.get();
    world.broker(loop).set_dependents(*gate->client, std::move(made));
  }
  // The code; 0: no answer yet.
  std::shared_ptr<int> log_in(std::vector<auth::ChildSignIn> proofs) {
    auto code = std::make_shared<int>(0);
    world.home_broker("gate1");  // its turn begins
    children->log_in(std::move(proofs), [code](int answer, const base::DeviceKey&) { *code = answer; });
    return code;
  }
  int logged_in(std::vector<auth::ChildSignIn> proofs) {
    const auto code = log_in(std::move(proofs));
    world.settle();
    return *code;
  }
  things::ChildHost& home_of(const std::string& kid) { return *hosts[world.home_of(kid)]; }
  std::size_t hosted() const {
    std::size_t count = 0;
    for (const auto& host : hosts) count += host->size();
    return count;
  }
  // Codes on /ext/error, in order.
  std::vector<std::string> errors() const {
    std::vector<std::string> out;
    for (const std::string& text : gate->payloads("/ext/error/pk/gate1")) out.push_back(text.substr(8, 3));
    return out;
  }

  World& world;
  things::ServiceLimits limits;
  TestClient* gate = nullptr;
  things::Children* children = nullptr;
  std::vector<std::unique_ptr<things::ChildHost>> hosts;

  static void know(const std::string& name, gateway::DeviceSignIn& sign_in, const std::string& owner = "gate1",
                   registry::Profile profile = registry::Profile::kAliyun) {
    registry::Product product;
    product.product_key = kProduct;
    product.profile = profile;
    registry::Credential credential;
    credential.product = std::make_shared<const registry::Product>(std::move(product));
    credential.device.emplace();
    credential.device->device_secret = kSecret;
    credential.device->iot_id = "iot-" + name;
    credential.device->gateway = device_key(owner);
    sign_in.cache().put(device_key(name), credential, sign_in.cache().generation());
  }

 private:
  NoLog log_;
  auth::ConnectLimiter limiter_;
  auth::TopicLimits topics_;
  std::vector<std::unique_ptr<gateway::DeviceSignIn>> sign_ins_;
  things::ChildHosts places_;
  std::uint64_t links_ = 0;
};

TEST(Children, AreDevicesLikeAllOthersToTheirBrokers) {
  in_many_worlds([](World& world) {
    Family family(world);
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"/pk/#", 1}, {"/as/mqtt/status/#", 1}});
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200);
    EXPECT_EQ(world.presence.events.back(), "kid1 online");
    EXPECT_THAT(watcher.payloads("/as/mqtt/status/pk/kid1"), testing::SizeIs(1));
    world.publish(*family.gate, device_topic("kid1", "update"), "said", 0);
    world.publish(*family.gate, device_topic("kid1", "get"), "not its right", 0);
    world.settle();
    EXPECT_THAT(watcher.payloads("/pk/kid1"), ElementsAre("said"));
    EXPECT_TRUE(family.children->log_out({device_key("kid1")}) == std::nullopt);
    EXPECT_EQ(family.children->log_out({device_key("kid1")}), device_key("kid1"));
    world.settle();
    EXPECT_EQ(world.presence.events.back(), "kid1 offline: Device disconnect");
    EXPECT_EQ(family.hosted(), 0U);
    EXPECT_THAT(family.errors(), IsEmpty());
  });
}

TEST(Children, SubscribeAndListenOverTheConnection) {
  in_many_worlds([](World& world) {
    Family family(world);
    TestClient& gate = *family.gate;
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2")}), 200);
    const auto id = world.subscribe(gate, {{device_topic("kid1", "get"), 1},
                                           {device_topic("kid2", "update"), 1},
                                           {device_topic("gate1", "get"), 1},
                                           {device_topic("kid2", "get"), 0}});
    world.settle();
    EXPECT_THAT(gate.codes(id), ElementsAre(1, 0x80, 1, 0));
    TestClient& admin = world.connected_operator(0);
    world.publish(admin, device_topic("kid1", "get"), "first", 1);
    world.publish(admin, device_topic("kid2", "get"), "second", 1);
    world.publish(admin, device_topic("gate1", "get"), "own", 1);
    world.settle();
    EXPECT_THAT(gate.payloads("/pk/"), UnorderedElementsAre("first", "second", "own"));
    std::set<std::uint16_t> ids;
    for (const Delivery& delivery : gate.got) ids.insert(delivery.packet_id);
    EXPECT_EQ(ids.size(), 3U) << "one connection, one set of identifiers";
    const auto in_flight = [&](const char* name) {
      return world.home_broker(name).describe_device(device_key(name), 0)->in_flight;
    };
    EXPECT_EQ(in_flight("kid1") + in_flight("kid2") + in_flight("gate1"), 3U);
    for (const std::uint16_t one : ids) world.acknowledge(gate, one);
    world.settle();
    EXPECT_EQ(in_flight("kid1") + in_flight("kid2") + in_flight("gate1"), 0U);
    world.unsubscribe(gate, device_topic("kid1", "get"));
    world.settle();
    EXPECT_EQ(gate.unsubacks.size(), 1U);
    world.publish(admin, device_topic("kid1", "get"), "nobody listens", 1);
    world.settle();
    EXPECT_EQ(gate.payloads("/pk/").size(), 3U);
  });
}

TEST(Children, AcknowledgementsComeInTheOrderOfTheConnection) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2"), proof_of("kid3")}), 200);
    std::vector<std::uint16_t> sent;
    for (int i = 0; i < 40; ++i) {
      const std::string name = world.chance(25) ? "gate1" : "kid" + std::to_string(1 + world.pick(3));
      sent.push_back(world.publish(*family.gate, device_topic(name, "update"), "x", 1));
      if (world.chance(30)) world.run(world.pick(6));
    }
    world.settle();
    EXPECT_EQ(family.gate->pubacks, sent);
  });
}

TEST(Children, OfAConnectionThatEndsGoOffline) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2")}), 200);
    const auto late = family.log_in({proof_of("kid3")});  // still on its way
    world.run(world.pick(8));
    world.disconnect(*family.gate, broker::OfflineReason::kConnectionReset);
    world.settle();
    EXPECT_EQ(family.hosted(), 0U);
    for (const char* name : {"kid1", "kid2", "kid3"}) EXPECT_FALSE(world.presence.is_online[name]) << name;
    EXPECT_THAT(world.presence.events, testing::Contains("kid1 offline: gateway offline"));
    family.connect();
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid3")}), 200);
  });
}

TEST(Children, ABatchSignsInWholeOrNotAtAll) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2", true, "another secret")}), 6287);
    EXPECT_EQ(family.hosted(), 0U);
    EXPECT_FALSE(world.presence.is_online["kid1"]);
    family.limits.children_per_gateway = 2;
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2"), proof_of("kid3")}), 428);
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2")}), 200);
    EXPECT_EQ(family.logged_in({proof_of("kid3")}), 428);
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200) << "it is online here";
    EXPECT_EQ(family.hosted(), 2U);
    const auto first = family.log_in({proof_of("kid1"), proof_of("kid2")});
    world.settle();
    EXPECT_EQ(*first, 200);
  });
}

TEST(Children, AnotherConnectionOfTheDeviceDisplacesThem) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200);
    TestClient& direct = world.connected("kid1");
    EXPECT_TRUE(direct.online());
    EXPECT_THAT(family.errors(), ElementsAre("427"));
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200);
    EXPECT_EQ(direct.closed, broker::CloseCause::kTakenOver);
    EXPECT_THAT(family.errors(), ElementsAre("427"));
    EXPECT_EQ(family.hosted(), 1U);
  });
}

// Who asks for a child of somebody else changes nothing for it.
TEST(Children, StayKnownWhenAnotherGatewayIsRefusedThem) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200);
    TestClient& other = world.connected("gate2");
    auto links = std::make_shared<things::ChildLink>(99, world.executor(world.home_of("gate2")), *other.client);
    world.home_broker("kid1");
    family.home_of("kid1").join(links, 1, proof_of("kid1"), world.home_broker("kid1").arrival());
    world.settle();
    EXPECT_TRUE(world.presence.is_online["kid1"]);
    EXPECT_EQ(family.hosted(), 1U);
    family.home_of("kid1").topology_gone(device_key("kid1"), device_key("gate1"));
    world.settle();
    EXPECT_FALSE(world.presence.is_online["kid1"]);
    EXPECT_EQ(family.hosted(), 0U);
  });
}

TEST(Children, TheGatewayIsToldWhyTheServerEndedOne) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2"), proof_of("kid3"), proof_of("kid4")}), 200);
    const std::pair<const char*, broker::CloseCause> ends[] = {{"kid1", broker::CloseCause::kDisabled},
                                                               {"kid2", broker::CloseCause::kDeleted},
                                                               {"kid3", broker::CloseCause::kKicked}};
    for (const auto& [name, cause] : ends) {
      // One that is published right now stays without an answer, and holds up nobody.
      world.publish(*family.gate, device_topic(name, "update"), "x", 1);
      EXPECT_TRUE(world.home_broker(name).close_device(device_key(name), cause));
      world.settle();
    }
    world.home_broker("kid4");
    family.home_of("kid4").topology_gone(device_key("kid4"), device_key("another gateway"));
    world.settle();
    EXPECT_TRUE(world.presence.is_online["kid4"]);
    family.home_of("kid4").topology_gone(device_key("kid4"), device_key("gate1"));
    world.settle();
    EXPECT_THAT(family.errors(), ElementsAre("522", "521", "520", "640"));
    EXPECT_EQ(world.presence.events.back(), "kid4 offline: Removed from the gateway");
    const auto own = world.publish(*family.gate, device_topic("gate1", "update"), "x", 1);
    world.settle();
    ASSERT_FALSE(family.gate->pubacks.empty());
    EXPECT_EQ(family.gate->pubacks.back(), own);
    EXPECT_EQ(family.hosted(), 0U);
  });
}

TEST(Children, AMessageWaitsForTheirNextLogin) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    world.subscribed(*family.gate, {{device_topic("kid1", "get"), 1}});
    EXPECT_EQ(family.children->log_out({device_key("kid1")}), std::nullopt);
    world.settle();
    TestClient& admin = world.connected_operator(0);
    world.publish(admin, device_topic("kid1", "get"), "while away", 1);
    world.settle();
    EXPECT_THAT(family.gate->payloads("/pk/"), IsEmpty());
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    EXPECT_THAT(family.gate->payloads("/pk/"), ElementsAre("while away"));
    // Not acknowledged: it comes again on the gateway's next connection, until it is.
    world.disconnect(*family.gate, broker::OfflineReason::kConnectionReset);
    world.settle();
    family.connect();
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    ASSERT_THAT(family.gate->payloads("/pk/"), ElementsAre("while away"));
    EXPECT_TRUE(family.gate->got.back().dup);
    world.acknowledge(*family.gate, family.gate->got.back().packet_id);
    world.settle();
    EXPECT_EQ(family.children->log_out({device_key("kid1")}), std::nullopt);
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    EXPECT_THAT(family.gate->payloads("/pk/"), ElementsAre("while away"));
  });
}

// A gateway logs its child out right behind the child's last message.
TEST(Children, WhatTheyPublishedLastIsAcknowledged) {
  in_many_worlds([](World& world) {
    Family family(world);
    AccountOptions lasting;
    lasting.clean_session = false;
    lasting.session_expiry_s = 600;
    TestClient& watcher = world.connected_account("watcher", lasting);
    world.subscribed(watcher, {{device_topic("kid1", "update"), 1}});
    EXPECT_EQ(family.logged_in({proof_of("kid1"), proof_of("kid2")}), 200);
    world.store.hold();
    const auto last = world.publish(*family.gate, device_topic("kid1", "update"), "last", 1);
    const auto own = world.publish(*family.gate, device_topic("gate1", "update"), "own", 1);
    world.run(world.pick(10));
    world.home_broker("gate1");
    EXPECT_EQ(family.children->log_out({device_key("kid1"), device_key("kid2")}), std::nullopt);
    EXPECT_EQ(family.children->log_out({device_key("kid1")}), device_key("kid1"));
    world.publish(*family.gate, device_topic("kid1", "update"), "too late", 0);
    world.run(world.pick(10));
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 429) << "it still signs out";
    world.store.go_on();
    world.settle();
    EXPECT_THAT(family.gate->pubacks, ElementsAre(last, own));
    EXPECT_THAT(watcher.payloads("/pk/kid1"), ElementsAre("last"));
    EXPECT_EQ(family.hosted(), 0U);
    EXPECT_THAT(family.errors(), IsEmpty());
    EXPECT_EQ(family.logged_in({proof_of("kid1")}), 200);
  });
}

TEST(Children, MessagesOfQos2ReachThemWithQos1AndEnd) {
  in_many_worlds([](World& world) {
    Family family(world);
    family.know_as_plain("kid2");
    EXPECT_EQ(family.logged_in({proof_of("kid1", false), proof_of("kid2", false)}), 200);
    world.subscribed(*family.gate, {{device_topic("kid1", "get"), 1}, {device_topic("kid2", "get"), 2}});
    TestClient& admin = world.connected_operator(0);
    for (int i = 0; i < 5; ++i) {
      for (const char* name : {"kid1", "kid2"}) {
        world.publish(admin, device_topic(name, "get"), std::to_string(i), 2);
        world.settle();
        ASSERT_FALSE(family.gate->got.empty());
        EXPECT_EQ(family.gate->got.back().qos, 1) << name;
        world.acknowledge(*family.gate, family.gate->got.back().packet_id);
        world.settle();
        EXPECT_EQ(family.in_flight(name), 0U) << name;
      }
    }
    EXPECT_THAT(family.gate->payloads("/pk/kid2"), ElementsAre("0", "1", "2", "3", "4"));
  });
}

// It was connected itself, and lost its connection behind PUBREC.
TEST(Children, WhatTheyReceivedOnAConnectionOfTheirOwnIsOver) {
  in_many_worlds([](World& world) {
    Family family(world);
    family.know_as_plain("kid1");
    TestClient& direct = world.connected("kid1", {.rules = &world.standard_device_rules});
    world.subscribed(direct, {{device_topic("kid1", "get"), 2}});
    TestClient& admin = world.connected_operator(0);
    world.publish(admin, device_topic("kid1", "get"), "received", 2);
    world.settle();
    ASSERT_EQ(direct.got.size(), 1U);
    world.pubrec(direct, direct.got.back().packet_id);
    world.settle();
    world.disconnect(direct, broker::OfflineReason::kConnectionReset);
    world.settle();
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    EXPECT_THAT(family.gate->payloads("/pk/"), IsEmpty());
    EXPECT_EQ(family.in_flight("kid1"), 0U);
    EXPECT_THAT(family.gate->acks, IsEmpty());
  });
}

TEST(Children, UnsubscribeIsAnsweredBeforeTheNextPacketIsRead) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    world.subscribed(*family.gate, {{device_topic("kid1", "get"), 1}});
    EXPECT_FALSE(family.gate->paused);
    world.store.hold();
    world.unsubscribe(*family.gate, device_topic("kid1", "get"));
    world.settle();
    EXPECT_TRUE(family.gate->paused);
    EXPECT_THAT(family.gate->unsubacks, IsEmpty());
    world.store.go_on();
    world.settle();
    EXPECT_FALSE(family.gate->paused);
    EXPECT_EQ(family.gate->unsubacks.size(), 1U);
  });
}

TEST(Children, ShareTheReceiveMaximumOfTheirGateway) {
  in_many_worlds([](World& world) {
    Family family(world);
    world.disconnect(*family.gate);
    world.settle();
    constexpr std::uint16_t kMost = 6;
    family.gate = &world.connected("gate1", {.version = mqtt::Version::k5, .receive_maximum = kMost});
    TestClient& admin = world.connected_operator(0);
    world.subscribed(*family.gate, {{device_topic("gate1", "get"), 1}});
    for (int i = 0; i < 10; ++i) world.publish(admin, device_topic("gate1", "get"), "own", 1);
    world.settle();
    EXPECT_EQ(family.gate->got.size(), kMost);
    family.adopt();  // its first child comes when its window is full
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    world.subscribed(*family.gate, {{device_topic("kid1", "get"), 1}});
    for (int i = 0; i < 10; ++i) world.publish(admin, device_topic("kid1", "get"), "child's", 1);
    world.settle();
    EXPECT_EQ(family.gate->got.size(), kMost);
    std::size_t acknowledged = 0;
    while (acknowledged < family.gate->got.size()) {
      world.acknowledge(*family.gate, family.gate->got[acknowledged++].packet_id);
      world.settle();
      ASSERT_LE(family.gate->got.size() - acknowledged, kMost);
    }
    EXPECT_EQ(family.gate->payloads("/pk/gate1").size(), 10U);
    EXPECT_EQ(family.gate->payloads("/pk/kid1").size(), 10U);
  });
}

TEST(Children, OfAGatewayThatDoesNotReadWait) {
  in_many_worlds([](World& world) {
    Family family(world);
    EXPECT_EQ(family.logged_in({proof_of("kid1", false)}), 200);
    world.subscribed(*family.gate, {{device_topic("kid1", "get"), 1}});
    TestClient& admin = world.connected_operator(0);
    world.publish(admin, device_topic("kid1", "get"), "0", 1);
    world.settle();
    family.gate->full = true;
    for (int i = 1; i <= 5; ++i) {
      world.publish(admin, device_topic("kid1", "get"), std::to_string(i), 1);
      world.settle();
    }
    EXPECT_THAT(family.gate->payloads("/pk/"), ElementsAre("0"));
    world.resume(*family.gate);
    world.settle();
    EXPECT_THAT(family.gate->payloads("/pk/"), ElementsAre("0", "1", "2", "3", "4", "5"));
  });
}

// ---- Requests -------------------------------------------------------------------------------------------------------

struct Asking {
  explicit Asking(World& in)
      : world(in),
        limiter({0, 0, 0}, crypto::system_random()),
        sign_in(no_registry(), limiter, in.executor(0), in.clock, auth::SignInPolicy{}),
        services({0,
                  in.broker(0),
                  sign_in,
                  {in.rules, in.standard_device_rules, topics},
                  no_registry(),
                  in.executor(0),
                  in.clock,
                  log,
                  places}) {
    places.set_homes({{&in.executor(0), &services.host()}});
    Family::know("kid1", sign_in);
    Family::know("kid2", sign_in);
    Family::know("stranger", sign_in, "another gateway");
    gate = &in.connected("gate1");
  }
  // The answer to a request.
  std::string ask(const std::string& topic, const std::string& payload) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = base::as_bytes(payload);
    const broker::RequestKind kind = services.kind_of(topic);
    EXPECT_NE(kind, broker::kNoRequest) << topic;
    world.broker(0);  // its turn begins
    services.on_request(*gate->client, kind, packet);
    world.settle();
    const auto answers = gate->payloads(topic + "_reply");
    return answers.empty() ? std::string() : answers.back();
  }
  static std::string login(const std::string& name, const std::string& more = "") {
    const std::string signed_text = "clientIdc|_ss=1|deviceName" + name + "productKeypk";
    const crypto::Mac mac = crypto::hmac(crypto::HmacMethod::kSha256, kSecret, {signed_text});
    return R"({"productKey":"pk","deviceName":")" + name +
           R"(","clientId":"c|_ss=1|","signMethod":"hmacSha256","sign":")" + base::to_hex(mac.view()) + "\"" + more +
           "}";
  }

  World& world;
  NoLog log;
  auth::ConnectLimiter limiter;
  auth::TopicLimits topics;
  gateway::DeviceSignIn sign_in;
  things::ChildHosts places;
  things::Services services;
  TestClient* gate = nullptr;
};

TEST(ChildRequests, AreKnownByTheirTopics) {
  World world(1, 1);
  const Asking asking(world);
  for (const char* rest : {"login", "logout", "batch_login", "batch_logout"}) {
    EXPECT_NE(asking.services.kind_of("/ext/session/pk/gate1/combine/" + std::string(rest)), broker::kNoRequest);
  }
  for (const char* rest : {"thing/topo/add", "thing/topo/delete", "thing/topo/get", "thing/sub/register",
                           "thing/sub/unregister", "thing/proxy/provisioning/product_register"}) {
    EXPECT_NE(asking.services.kind_of("/sys/pk/gate1/" + std::string(rest)), broker::kNoRequest);
  }
  for (const char* topic :
       {"/sys/pk/gate1/thing/topo/add_reply", "/sys/pk/gate1/thing/topo", "/sys/pk/thing/topo/add", "/sys/", "",
        "/ext/session/pk/gate1/combine", "/ext/session/pk/gate1/combine/login/x", "/pk/gate1/thing/topo/add",
        "/sys/pk/gate1/thing/event/property/post", "/ext/session/pk/gate1/x/combine/login"}) {
    EXPECT_EQ(asking.services.kind_of(topic), broker::kNoRequest) << topic;
  }
}

TEST(ChildRequests, SignInAndOut) {
  World world(1, 1);
  Asking asking(world);
  const std::string session = "/ext/session/pk/gate1/combine/";
  EXPECT_EQ(asking.ask(session + "login", R"({"id":"7","params":)" + Asking::login("kid1") + "}"),
            R"({"code":200,"id":"7","message":"success","data":{"productKey":"pk","deviceName":"kid1"}})");
  EXPECT_TRUE(world.presence.is_online["kid1"]);
  EXPECT_TRUE(world.broker(0).client_of(device_key("kid1"))->info.auto_subscribe);
  EXPECT_EQ(asking.ask(session + "batch_login",
                       R"({"id":8,"params":{"deviceList":[)" + Asking::login("kid2", R"(,"timestamp":"1")") + "]}}"),
            R"({"code":6287,"id":"8","message":"the signature is wrong","data":{}})");
  EXPECT_EQ(asking.ask(session + "batch_login", R"({"id":9,"params":{"deviceList":[)" + Asking::login("kid2") + "]}}"),
            R"({"code":200,"id":"9","message":"success","data":[{"productKey":"pk","deviceName":"kid2"}]})");
  EXPECT_EQ(asking.ask(session + "logout", R"({"params":{"productKey":"pk","deviceName":"kid1"}})"),
            R"({"code":200,"id":"","message":"success","data":{"productKey":"pk","deviceName":"kid1"}})");
  EXPECT_FALSE(world.presence.is_online["kid1"]);
  EXPECT_EQ(asking.ask(session + "logout", R"({"id":"10","params":{"productKey":"pk","deviceName":"kid1"}})"),
            R"({"code":520,"id":"10","message":"the child device has no session on this connection","data":{}})");
  EXPECT_EQ(asking.ask(session + "login", "no JSON"),
            R"({"code":460,"id":"","message":"a parameter is missing, malformed or too many","data":{}})");
}

TEST(ChildRequests, TheGatewayHearsOfItsChildren) {
  World world(1, 1);
  Asking asking(world);
  asking.ask("/ext/session/pk/gate1/combine/login", R"({"id":"1","params":)" + Asking::login("kid1") + "}");
  asking.services.on_foreign_topic(*asking.gate->client, {"pk", "kid2"});
  asking.services.on_foreign_topic(*asking.gate->client, {"pk", "stranger"});
  world.settle();
  const auto errors = asking.gate->payloads("/ext/error/pk/gate1");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0], R"({"code":520,"id":"1","message":"the child device has no session on this connection",)"
                       R"("data":{"productKey":"pk","deviceName":"kid2"}})");
  asking.services.child_changed(device_key("gate1"), device_key("kid1"), things::Services::ChildChange::kDisabled);
  asking.services.child_changed(device_key("nobody"), device_key("kid1"), things::Services::ChildChange::kDisabled);
  world.settle();
  EXPECT_THAT(asking.gate->payloads("/sys/pk/kid1/thing/disable"), testing::SizeIs(1));
  EXPECT_THAT(asking.gate->payloads("/sys/pk/gate1/thing/topo/change"),
              ElementsAre(R"({"id":"2","version":"1.0","method":"thing.topo.change",)"
                          R"("params":{"status":8,"subList":[{"productKey":"pk","deviceName":"kid1"}]}})"));
  asking.services.topology_gone(device_key("kid1"), device_key("gate1"));
  world.settle();
  EXPECT_FALSE(world.presence.is_online["kid1"]);
}

// Whatever happens in whatever order, nobody is online who should not be, and nothing blocks the connection.
TEST(Children, InAnyOrder) {
  for_each_seed(40, [](std::uint64_t seed) {
    World world(seed, 1 + seed % 4);
    Family family(world);
    TestClient& admin = world.connected_operator(0);
    std::vector<TestClient*> direct;
    const auto kid = [&] { return "kid" + std::to_string(1 + world.pick(5)); };
    for (int round = 0; round < 250; ++round) {
      switch (world.pick(11)) {
        case 0: {
          std::vector<auth::ChildSignIn> proofs;
          std::set<std::string> names;
          for (std::size_t i = 0; i <= world.pick(3); ++i) names.insert(kid());
          for (const std::string& name : names) proofs.push_back(proof_of(name, world.chance(50)));
          family.log_in(std::move(proofs));
          break;
        }
        case 1:
          world.home_broker("gate1");
          family.children->log_out({device_key(kid())});
          break;
        case 2:
        case 3:
          world.publish(*family.gate, device_topic(world.chance(20) ? "gate1" : kid(), "update"), "x",
                        world.chance(70) ? 1 : 0);
          break;
        case 4:
          world.publish(admin, device_topic(kid(), "get"), "x", 1);
          break;
        case 5:
          world.subscribe(*family.gate, {{device_topic(kid(), "get"), 1}, {device_topic("gate1", "get"), 1}});
          break;
        case 6:
          for (std::size_t i = 0; i < family.gate->got.size(); ++i) {
            const std::uint16_t id = family.gate->got[i].packet_id;
            if (id != 0 && world.chance(50)) world.acknowledge(*family.gate, id);
          }
          break;
        case 7:
          if (world.chance(30)) direct.push_back(&world.connect(kid()));
          break;
        case 8: {
          const std::string name = kid();
          if (world.chance(30)) {
            world.home_broker(name).close_device(device_key(name), broker::CloseCause::kKicked);
          } else if (world.chance(30)) {
            world.home_broker(name);
            family.home_of(name).topology_gone(device_key(name), device_key("gate1"));
          }
          break;
        }
        case 9:
          if (!world.chance(15)) break;
          world.disconnect(*family.gate, broker::OfflineReason::kConnectionReset);
          world.run(world.pick(10));
          family.connect(world.chance(50) ? mqtt::Version::k311 : mqtt::Version::k5);
          break;
        default:
          world.run(world.pick(20));
          break;
      }
    }
    world.settle();
    const auto own = world.publish(*family.gate, device_topic("gate1", "update"), "last", 1);
    world.settle();
    ASSERT_FALSE(family.gate->acks.empty());
    EXPECT_EQ(family.gate->acks.back().packet_id, own) << "something holds up the acknowledgements";
    EXPECT_FALSE(family.gate->paused);
    world.disconnect(*family.gate);
    for (TestClient* one : direct) {
      if (one->online()) world.disconnect(*one);
    }
    world.settle();
    EXPECT_EQ(family.hosted(), 0U);
    for (const auto& [name, online] : world.presence.is_online) EXPECT_FALSE(online) << name;
  });
}

}  // namespace
}  // namespace mooring::sim
