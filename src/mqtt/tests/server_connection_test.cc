// The order of things on one connection: accepting, pausing, ending, memory.
#include "mqtt/server_connection.h"

#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

const std::string kConnectLine = "connect 3.1.1 [c] clean1 keep60";

class ServerConnectionTest : public ::testing::Test {
 protected:
  std::size_t feed(const Bytes& in) { return connection.receive(in, events); }
  void connect_client() { ASSERT_EQ(feed(mqtt::testing::connect()), mqtt::testing::connect().size()); }

  Limits limits;
  ServerConnection connection{limits};
  ServerRecorder events{connection};
  const Bytes ping = packet(0xC0, {});
};

TEST_F(ServerConnectionTest, NothingIsParsedBeforeTheConnectIsAccepted) {
  events.accepts = false;
  const Bytes first = mqtt::testing::connect();
  EXPECT_EQ(feed(cat({first, ping, ping})), first.size());
  EXPECT_TRUE(connection.awaits_accept());
  EXPECT_EQ(feed(ping), 0U);
  EXPECT_EQ(events.lines, std::vector<std::string>{kConnectLine});

  connection.accept_connect();
  EXPECT_FALSE(connection.awaits_accept());
  EXPECT_EQ(feed(cat({ping, ping})), 4U);
  EXPECT_EQ(events.lines, (std::vector<std::string>{kConnectLine, "pingreq", "pingreq"}));
}

TEST_F(ServerConnectionTest, ManyPacketsInOneInput) {
  const Bytes in =
      cat({mqtt::testing::connect(), ping, packet(0x30, {str("a"), raw("1")}), packet(0x40, {u16(3)}),
           packet(0x82, {u16(4), str("a"), bytes({1})}), packet(0xA2, {u16(5), str("a")}), packet(0xE0, {})});
  const std::vector<std::string> expected = {kConnectLine,
                                             "pingreq",
                                             "publish a qos0 retain0 dup0 id0 [1]",
                                             "puback 3",
                                             "subscribe id4 (1) a:1",
                                             "unsubscribe id5 (1) a",
                                             "disconnect"};
  EXPECT_EQ(serve(in), expected);
}

TEST_F(ServerConnectionTest, PauseInAHandlerStopsBehindThatPacket) {
  connect_client();
  events.after_each = [&] { connection.pause(); };
  EXPECT_EQ(feed(cat({ping, ping})), 2U);
  EXPECT_TRUE(connection.paused());
  EXPECT_EQ(feed(ping), 0U);
  connection.resume();
  EXPECT_EQ(feed(ping), 2U);
  EXPECT_EQ(events.lines.size(), 3U);
}

TEST_F(ServerConnectionTest, PauseInsideAPacketKeepsItsBeginning) {
  connect_client();
  EXPECT_EQ(feed(bytes({0xC0})), 1U);
  connection.pause();
  EXPECT_EQ(feed(bytes({0x00})), 0U);
  connection.resume();
  EXPECT_EQ(feed(bytes({0x00})), 1U);
  EXPECT_EQ(events.lines.back(), "pingreq");
}

TEST_F(ServerConnectionTest, PauseByThePacketThatWasCompleted) {
  connect_client();
  events.after_each = [&] { connection.pause(); };
  EXPECT_EQ(feed(bytes({0xC0})), 1U);
  EXPECT_EQ(feed(cat({bytes({0x00}), ping})), 1U);
}

TEST_F(ServerConnectionTest, NothingFollowsDisconnect_3_14_4_2) {
  connect_client();
  EXPECT_EQ(feed(cat({packet(0xE0, {}), ping})), 4U);
  EXPECT_TRUE(connection.closed());
  EXPECT_EQ(feed(ping), 2U);
  EXPECT_EQ(events.lines, (std::vector<std::string>{kConnectLine, "disconnect"}));
}

TEST_F(ServerConnectionTest, OneErrorEndsIt) {
  connect_client();
  const Bytes bad = packet(0x00, {});
  EXPECT_EQ(feed(cat({bad, bad, ping})), 6U);
  EXPECT_EQ(feed(bad), bad.size());
  EXPECT_TRUE(connection.closed());
  EXPECT_EQ(events.lines.size(), 2U);
}

TEST_F(ServerConnectionTest, CloseInAHandler) {
  connect_client();
  events.after_each = [&] { connection.close(); };
  EXPECT_EQ(feed(cat({ping, ping})), 4U);
  EXPECT_EQ(events.lines.size(), 2U);
}

TEST_F(ServerConnectionTest, CloseInAHandlerOfAPacketThatCameInPieces) {
  connect_client();
  events.after_each = [&] { connection.close(); };
  const Bytes in = packet(0x30, {str("topic"), raw("payload")});
  cut(
      in, [] { return std::size_t{1}; }, [&](const Bytes& piece) { EXPECT_EQ(feed(piece), 1U); });
  EXPECT_EQ(events.lines.back(), "publish topic qos0 retain0 dup0 id0 [payload]");
  EXPECT_EQ(connection.buffered_bytes(), 0U);
}

TEST_F(ServerConnectionTest, AcceptAfterCloseIsNothing) {
  events.accepts = false;
  connect_client();
  connection.close();
  connection.accept_connect();
  EXPECT_TRUE(connection.closed());
}

TEST_F(ServerConnectionTest, RefusalOfAVersionEndsIt) {
  EXPECT_EQ(feed(packet(0x10, {connect_head("MQTT", 6, 2), str("c")})), 15U);
  EXPECT_TRUE(connection.closed());
}

TEST_F(ServerConnectionTest, CountsWholePackets) {
  connect_client();
  EXPECT_EQ(connection.packets_received(), 1U);
  EXPECT_EQ(feed(bytes({0xC0})), 1U);
  EXPECT_EQ(connection.packets_received(), 1U);
  EXPECT_EQ(feed(bytes({0x00})), 1U);
  EXPECT_EQ(connection.packets_received(), 2U);
}

TEST_F(ServerConnectionTest, AnnouncedSizeCostsNothing) {
  connect_client();
  const Bytes head = cat({bytes({0x30, 0x80, 0x80, 0x10}), str("t")});  // announces 262,144 bytes
  EXPECT_EQ(feed(head), head.size());
  EXPECT_LE(connection.buffered_bytes(), 64U);
  EXPECT_EQ(feed(Bytes(1000, 'x')), 1000U);
  EXPECT_LE(connection.buffered_bytes(), 2 * 1007U);
}

TEST_F(ServerConnectionTest, WholePacketsAreNotKept) {
  connect_client();
  const Bytes in = packet(0x30, {str("t"), Bytes(5000, 'x')});
  EXPECT_EQ(feed(in), in.size());
  EXPECT_EQ(connection.buffered_bytes(), 0U);
}

TEST_F(ServerConnectionTest, LimitsMayChangeInsideAPacket) {
  connect_client();
  const Bytes in = packet(0x32, {str("t"), u16(9), Bytes(300, 'x')});
  const std::ptrdiff_t half = 150;
  EXPECT_EQ(feed(Bytes(in.begin(), in.begin() + half)), 150U);
  Limits lower;
  lower.max_payload_bytes = 100;
  connection.set_limits(lower);
  const Bytes rest = cat({Bytes(in.begin() + half, in.end()), ping});
  EXPECT_EQ(feed(rest), rest.size());
  EXPECT_EQ(events.lines, (std::vector<std::string>{kConnectLine, "oversized t qos1 id9 300 bytes", "pingreq"}));
}

TEST_F(ServerConnectionTest, KnowsItsVersion) {
  ASSERT_EQ(feed(mqtt::testing::connect(Version::k31)), mqtt::testing::connect(Version::k31).size());
  EXPECT_EQ(connection.version(), Version::k31);
}

}  // namespace
}  // namespace mooring::mqtt::testing
