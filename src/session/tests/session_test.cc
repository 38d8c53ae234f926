#include "session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace mooring::session {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

mqtt::MessageRef message(std::string_view payload, std::uint8_t qos = 1) {
  return mqtt::Message::create("/pk/dn/user/get", base::as_bytes(payload), qos, false);
}

std::string text_of(const mqtt::MessageRef& message) {
  return message ? std::string(base::as_text(message->payload())) : "released";
}

// Counts its shares: none may be settled twice, all of them have to be in the end.
class CountedReceipt final : public routing::Receipt {
 public:
  explicit CountedReceipt(int& ends) : ends_(ends) {}
  std::optional<routing::ReceiptTotals> totals;

 private:
  void all_settled(const routing::ReceiptTotals& all) override {
    ++ends_;
    totals = all;
  }
  int& ends_;
};

// The publisher's side of one message: its own share is given back at once, so that the receipt ends with the
// session's.
struct Publisher {
  int ends = 0;
  routing::ReceiptRef receipt{new CountedReceipt(ends)};

  routing::ReceiptRef share() {
    receipt->expect();
    return receipt;
  }
  void own_part_done() { receipt->settle(); }
  bool failed() const { return static_cast<CountedReceipt&>(*receipt).totals->failed; }
};

Delivery delivery(const mqtt::MessageRef& what, std::uint8_t qos = 1) {
  return {what, qos};
}

// A durable session with the store it needs, written down in the simplest way.
class Harness {
 public:
  explicit Harness(SessionLimits limits = {}, std::uint64_t sequence = 0) : session("k", 7, sequence, limits) {
    session.set_durable(true);
  }

  std::uint64_t give(const std::string& text, std::uint8_t qos = 1, routing::ReceiptRef receipt = {}) {
    const auto what = message(text, qos);
    const auto admission = session.admit(delivery(what, qos));
    if (!admission.accepted) return 0;
    auto item = std::make_shared<QueueItem>(7, admission.sequence, what);
    item->qos = qos;
    waiting.push_back(item);
    session.storing(item, std::move(receipt));
    return admission.sequence;
  }

  void commit_one() {
    const QueueItemRef item = waiting.front();
    waiting.pop_front();
    if (!item->take()) return;
    disk[item->sequence] = {item->sequence, item->message, item->qos, item->retain, false, {}};
    session.stored(item->sequence);
  }
  void commit() {
    while (!waiting.empty()) commit_one();
  }
  void fail_one() {
    const QueueItemRef item = waiting.front();
    waiting.pop_front();
    if (item->take()) session.store_failed(item->sequence);
  }

  SessionStore::Page page_from(std::uint64_t from, std::size_t size = 100) const {
    SessionStore::Page page;
    for (auto at = disk.lower_bound(from); at != disk.end(); ++at) {
      if (page.messages.size() == size) {
        page.at_end = false;
        break;
      }
      page.messages.push_back(at->second);
    }
    return page;
  }
  bool read_page(std::size_t size = 100) {
    const auto from = session.page_wanted();
    if (!from) return false;
    session.page_requested();
    session.add_page(page_from(*from, size));
    return true;
  }

  // What goes out now: the payload with its packet identifier; "again" with DUP.
  std::vector<std::string> send() {
    std::vector<std::string> out;
    while (Outgoing* next = session.next_to_send()) {
      last_id = next->packet_id();
      ids[text_of(next->message)] = last_id;
      out.push_back((next->progress == Outgoing::Progress::kSent ? "again " : "") + text_of(next->message));
      session.sent_next();
    }
    return out;
  }
  std::vector<std::string> send_all() {
    std::vector<std::string> out = send();
    while (read_page()) {
      for (std::string& text : send()) out.push_back(std::move(text));
    }
    return out;
  }
  bool acknowledge(const std::string& text) {
    const auto removed = session.acknowledge(ids.at(text));
    if (removed.from_store) disk.erase(removed.sequence);
    return removed.found;
  }

  Session session;
  std::deque<QueueItemRef> waiting;
  std::map<std::uint64_t, StoredMessage> disk;
  std::map<std::string, std::uint16_t> ids;
  std::uint16_t last_id = 0;
};

// A session that keeps nothing, as the broker uses it.
std::uint64_t give(Session& session, const std::string& text, std::uint8_t qos = 1) {
  return session.admit(delivery(message(text, qos), qos)).sequence;
}
std::vector<std::string> send(Session& session) {
  std::vector<std::string> out;
  while (Outgoing* next = session.next_to_send()) {
    out.push_back(text_of(next->message));
    session.sent_next();
  }
  return out;
}

TEST(Session, TheAccountInAKey) {
  EXPECT_EQ(account_of_key(account_session_key("one", 7, "c")), "one");
  EXPECT_EQ(account_of_key(account_session_key("one", 7, "")), "one");
  EXPECT_EQ(account_of_key(device_session_key("pk", "dn", 7)), std::nullopt);
  EXPECT_EQ(account_of_key(""), std::nullopt);
}

TEST(Session, KeysOfDevicesAndAccounts) {
  EXPECT_EQ(device_session_key("pk", "dn", 0), std::string("d\0pk\0dn", 7));
  EXPECT_EQ(device_of_key(device_session_key("pk", "dn", 0)), base::DeviceKeyView("pk", "dn"));
  EXPECT_EQ(device_of_key(device_session_key("pk", "dn", 0x00ff0000U)), base::DeviceKeyView("pk", "dn"));
  for (const std::string_view other : {"", "d", "dev", "account"}) EXPECT_EQ(device_of_key(other), std::nullopt);
  EXPECT_EQ(device_of_key(std::string_view("d\0pk", 4)), std::nullopt);
  EXPECT_EQ(device_of_key(account_session_key("pk", 7, "dn")), std::nullopt);
  EXPECT_EQ(device_session_key("pk", "dn", 0x0102f3ffU), std::string("d\0pk\0dn\0\x01\x02\xf3\xff", 12));
  EXPECT_NE(device_session_key("ab", "c", 1), device_session_key("a", "bc", 1));
  EXPECT_EQ(account_session_key("lab", 0x0102f3ffU, "c1"), std::string("a\0lab\0\x01\x02\xf3\xff", 10) + "c1");
  EXPECT_EQ(client_id_of_account_key("lab", account_session_key("lab", 0, "c1")), "c1");
}

TEST(Session, AnIdleSessionIsSmall) {
  EXPECT_LE(sizeof(Session), 384U);
}

TEST(Session, Subscriptions) {
  Session session("k", 7, 0, {});
  EXPECT_FALSE(session.has_state());
  EXPECT_TRUE(session.is_saved());
  EXPECT_TRUE(session.subscribe({"a", 0}));
  EXPECT_FALSE(session.subscribe({"a", 0}));
  EXPECT_TRUE(session.subscribe({"a", 1}));
  EXPECT_TRUE(session.subscribe({"b", 1, true, true, 5}));
  EXPECT_TRUE(session.has_state());
  EXPECT_FALSE(session.is_saved());
  const std::uint64_t revision = session.revision();
  session.saved(revision - 1);
  EXPECT_FALSE(session.is_saved());
  session.saved(revision);
  session.saved(revision - 1);
  EXPECT_TRUE(session.is_saved()) << "an older answer takes nothing back";
  ASSERT_NE(session.find_subscription("a"), nullptr);
  EXPECT_EQ(session.find_subscription("a")->qos, 1);
  EXPECT_EQ(session.find_subscription("c"), nullptr);

  Session other(session.record(), 100, {});
  EXPECT_EQ(other.subscriptions(), session.subscriptions());
  EXPECT_EQ(other.key(), "k");
  EXPECT_EQ(other.number(), 7U);
  EXPECT_TRUE(other.unsubscribe("a"));
  EXPECT_FALSE(other.unsubscribe("a"));
  EXPECT_EQ(other.subscriptions().size(), 1U);
}

// From some number on they are found by an index, and keep no order.
TEST(Session, ManySubscriptions) {
  Session session("k", 7, 0, {});
  const auto filter = [](int i) { return "f/" + std::to_string(i); };
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(session.subscribe({filter(i), 0}));
  EXPECT_EQ(session.subscription_levels(), 400U);
  EXPECT_EQ(session.subscription_bytes(), 10 * 3U + 90 * 4U + 100 * 5U);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(session.subscribe({filter(i), 0}));
  EXPECT_TRUE(session.subscribe({filter(77), 1}));
  EXPECT_EQ(session.find_subscription(filter(77))->qos, 1);

  Session other(session.record(), 100, {});
  EXPECT_EQ(other.subscription_levels(), 400U);
  for (int i = 0; i < 200; i += 2) EXPECT_TRUE(other.unsubscribe(filter(i)));
  EXPECT_FALSE(other.unsubscribe(filter(0)));
  EXPECT_EQ(other.subscriptions().size(), 100U);
  EXPECT_EQ(other.subscription_levels(), 200U);
  for (int i = 1; i < 200; i += 2) {
    const SubscriptionRecord* found = other.find_subscription(filter(i));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->filter, filter(i));
    EXPECT_TRUE(other.unsubscribe(found->filter)) << "a view of its own";
  }
  EXPECT_EQ(other.subscription_levels(), 0U);
  EXPECT_EQ(other.subscription_bytes(), 0U);
  EXPECT_FALSE(other.has_state());
  EXPECT_TRUE(other.subscribe({"a", 0}));
  EXPECT_NE(other.find_subscription("a"), nullptr);
}

TEST(Session, TheRecordHoldsWhatSurvives) {
  Session session("k", 9, 0, {});
  session.set_durable(true);
  session.expiry_s = 60;
  session.offline_since_ms = 12345;
  session.will = std::make_unique<WillRecord>(WillRecord{"t", {1, 2}, {}, 1, true, 30, 40});
  Session other(session.record(), 100, {});
  EXPECT_EQ(other.expiry_s, 60U);
  EXPECT_EQ(other.offline_since_ms, 12345);
  ASSERT_NE(other.will, nullptr);
  EXPECT_EQ(*other.will, *session.will);
  EXPECT_TRUE(other.durable());
  session.expiry_s = 0;
  EXPECT_FALSE(Session(session.record(), 100, {}).durable());
}

TEST(Session, PacketIdentifiersFollowFromTheSequence) {
  EXPECT_EQ(packet_id_of(0), 1);
  EXPECT_EQ(packet_id_of(65'534), 65'535);
  EXPECT_EQ(packet_id_of(65'535), 1);
  Session session("k", 1, 123'456'789, {});
  const std::uint64_t first = give(session, "1");
  EXPECT_GE(first, 123'456'789U);
  EXPECT_EQ(packet_id_of(first), 1);
  EXPECT_EQ(give(session, "2"), first + 1);
}

TEST(Session, WindowThenWaiting) {
  Session session("k", 1, 0, {.max_in_flight = 2});
  session.connection_made();
  for (const char* text : {"1", "2", "3"}) EXPECT_NE(give(session, text), 0U);
  EXPECT_THAT(send(session), ElementsAre("1", "2"));
  EXPECT_EQ(session.in_flight_count(), 2U);
  EXPECT_EQ(session.queued_count(), 1U);
  EXPECT_FALSE(session.has_room());
  EXPECT_FALSE(session.acknowledge(3).found) << "never sent";
  EXPECT_TRUE(session.acknowledge(2).found);
  give(session, "4");  // room in the window, but what waits goes first
  EXPECT_THAT(send(session), ElementsAre("3"));
  EXPECT_TRUE(session.acknowledge(1).found);
  EXPECT_FALSE(session.acknowledge(1).found) << "twice";
  EXPECT_THAT(send(session), ElementsAre("4"));
  EXPECT_EQ(session.queued_count(), 0U);
  EXPECT_EQ(session.queued_bytes(), 0U);
}

TEST(Session, SentAgainInOrderBeforeAnythingNew) {
  Harness it({.max_in_flight = 3});
  it.session.connection_made();
  for (const char* text : {"1", "2", "3", "4"}) it.give(text);
  EXPECT_THAT(it.send(), ElementsAre("1", "2", "3"));
  EXPECT_TRUE(it.acknowledge("2"));
  it.commit();
  const std::uint16_t id = it.ids["3"];
  it.session.connection_lost();
  EXPECT_EQ(it.session.in_flight_count(), 0U);
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), ElementsAre("again 1", "again 3", "4"));
  EXPECT_EQ(it.ids["3"], id);
}

TEST(Session, BoundsInMessagesAndBytes) {
  Session session("k", 1, 0, {.max_in_flight = 1, .max_queued_messages = 2});
  session.connection_made();
  give(session, "1");
  send(session);
  EXPECT_NE(give(session, "2"), 0U);
  EXPECT_NE(give(session, "3"), 0U);
  EXPECT_EQ(give(session, "4"), 0U);
  session.acknowledge(1);
  EXPECT_THAT(send(session), ElementsAre("2"));
  EXPECT_NE(give(session, "5"), 0U);

  const std::string large(1000, 'x');
  Session bytes("k", 1, 0, {.max_in_flight = 1, .max_queued_messages = 100, .max_queued_bytes = 2500});
  bytes.connection_made();
  EXPECT_NE(give(bytes, std::string(9000, 'y')), 0U) << "what is sent at once waits for nobody";
  send(bytes);
  EXPECT_NE(give(bytes, large), 0U);
  EXPECT_NE(give(bytes, large), 0U);
  EXPECT_EQ(give(bytes, large), 0U);
}

// A client that reads everything and acknowledges nothing.
TEST(Session, TheWindowIsBoundedInBytes) {
  Session session("k", 1, 0, {.max_in_flight = 100, .max_queued_messages = 100, .max_queued_bytes = 3000});
  session.connection_made();
  const std::string large(1200, 'x');
  const auto give_two = [&] { return give(session, large) != 0 && give(session, large) != 0; };
  EXPECT_TRUE(give_two());
  EXPECT_EQ(send(session).size(), 2U);
  EXPECT_TRUE(give_two());
  EXPECT_EQ(send(session).size(), 0U);
  EXPECT_FALSE(session.has_room());
  EXPECT_EQ(give(session, large), 0U);
  EXPECT_TRUE(session.acknowledge(1).found);
  EXPECT_EQ(send(session).size(), 1U);
  EXPECT_TRUE(session.acknowledge(2).found);
  EXPECT_EQ(send(session).size(), 1U);
  EXPECT_TRUE(session.acknowledge(3).found);
  EXPECT_TRUE(session.acknowledge(4).found);
  EXPECT_TRUE(session.has_room());
  EXPECT_NE(give(session, std::string(9000, 'y')), 0U) << "one message goes, however large";
  EXPECT_EQ(send(session).size(), 1U);
  session.connection_lost();
  session.connection_made();
  EXPECT_EQ(send(session).size(), 1U) << "the bytes of an ended connection do not count";
}

// It has its place at once; those behind it do not overtake it.
TEST(Session, AHeldMessageKeepsItsPlace) {
  Session session("k", 1, 0, {});
  session.connection_made();
  const auto hold = [&](const std::string& text) {
    const mqtt::MessageRef sent = message(text);
    Delivery held = delivery(sent);
    held.held = true;
    return session.admit(held).sequence;
  };
  give(session, "1");
  const std::uint64_t second = hold("2");
  const std::uint64_t third = hold("3");
  give(session, "4");
  EXPECT_THAT(send(session), ElementsAre("1"));
  session.let_go(third, true);
  EXPECT_THAT(send(session), IsEmpty());
  session.let_go(second, false);
  EXPECT_THAT(send(session), ElementsAre("2", "4"));
  session.let_go(second, true);  // on its way: it is not taken back
  session.let_go(999, true);
  EXPECT_EQ(session.in_flight_count(), 3U);
}

TEST(Session, QosTwoIsReleasedAndThenComplete) {
  Harness it;
  it.session.connection_made();
  const std::uint64_t sequence = it.give("a", 2);
  EXPECT_THAT(it.send(), IsEmpty()) << "not before it is stored";
  it.commit();
  EXPECT_THAT(it.send(), ElementsAre("a"));
  const std::uint16_t id = it.last_id;
  EXPECT_FALSE(it.session.acknowledge(id).found) << "PUBACK is for QoS 1";
  EXPECT_FALSE(it.session.complete(id).found) << "not released yet";
  std::uint64_t to_write = 0;
  EXPECT_EQ(it.session.release(id, to_write), Session::Release::kStore);
  EXPECT_EQ(to_write, sequence);
  EXPECT_EQ(it.session.release(id, to_write), Session::Release::kUnderWay);
  EXPECT_EQ(it.session.released(sequence), id);
  EXPECT_EQ(it.session.release(id, to_write), Session::Release::kNow);
  EXPECT_EQ(it.session.in_flight_count(), 1U);
  const auto removed = it.session.complete(id);
  EXPECT_TRUE(removed.found);
  EXPECT_TRUE(removed.from_store);
  EXPECT_EQ(it.session.release(id, to_write), Session::Release::kUnknown);
  EXPECT_EQ(it.session.in_flight_count(), 0U);
}

TEST(Session, AnIdentifierIsNotUsedAgainBeforeItsMessageHasLeftTheStore) {
  Harness it;
  const std::uint64_t sequence = it.give("a", 2);
  it.commit();
  SessionRecord record = it.session.record();
  Session session(record, sequence + 1, {});  // the same identifiers again
  session.connection_made();
  session.page_requested();
  session.add_page(it.page_from(0));
  ASSERT_NE(session.next_to_send(), nullptr);
  session.sent_next();
  const auto admission = session.admit(delivery(message("b")));
  ASSERT_EQ(packet_id_of(admission.sequence), packet_id_of(sequence));
  EXPECT_EQ(session.next_to_send(), nullptr);
  EXPECT_TRUE(session.reject(packet_id_of(sequence)).from_store);
  EXPECT_EQ(session.next_to_send(), nullptr) << "a crash now would bring the old one back";
  session.left(sequence);
  ASSERT_NE(session.next_to_send(), nullptr);
  EXPECT_EQ(session.next_to_send()->sequence, admission.sequence);
}

TEST(Session, QosTwoThatTheClientRejects) {
  Session session("k", 1, 0, {});
  session.connection_made();
  give(session, "a", 2);
  EXPECT_THAT(send(session), ElementsAre("a"));
  EXPECT_TRUE(session.reject(1).found);
  EXPECT_FALSE(session.reject(1).found);
  give(session, "b", 1);
  send(session);
  EXPECT_FALSE(session.reject(2).found) << "QoS 1";
}

TEST(Session, QosTwoWithoutAStore) {
  Session session("k", 1, 0, {});
  session.connection_made();
  give(session, "a", 2);
  send(session);
  std::uint64_t sequence = 0;
  EXPECT_EQ(session.release(1, sequence), Session::Release::kNow);
  const auto removed = session.complete(1);
  EXPECT_TRUE(removed.found);
  EXPECT_FALSE(removed.from_store);
}

TEST(Session, ConnectionLostWhileAReleaseIsWritten) {
  Harness it;
  it.session.connection_made();
  const std::uint64_t sequence = it.give("a", 2);
  it.commit();
  it.send();
  std::uint64_t to_write = 0;
  EXPECT_EQ(it.session.release(it.last_id, to_write), Session::Release::kStore);
  it.session.connection_lost();
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), IsEmpty()) << "neither PUBLISH nor PUBREL before it is known what is on disk";
  EXPECT_EQ(it.session.released(sequence), std::nullopt) << "goes when its turn comes";
  EXPECT_THAT(it.send(), ElementsAre("released"));
}

TEST(Session, ReleasedStaysReleasedOnDisk) {
  Harness it;
  it.session.connection_made();
  const std::uint64_t sequence = it.give("a", 2);
  it.commit();
  it.send();
  std::uint64_t to_write = 0;
  it.session.release(it.last_id, to_write);
  it.disk[sequence] = {sequence, message(""), 2, false, true, {}};
  it.session.released(sequence);
  it.session.connection_lost();
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), ElementsAre("released"));
  EXPECT_TRUE(it.session.complete(it.last_id).found);
}

TEST(Session, AbsentClientsMessagesStayOnDisk) {
  Harness it({.max_in_flight = 10});
  it.session.connection_made();
  it.give("1");
  it.send();
  it.commit();
  it.session.connection_lost();
  for (const char* text : {"2", "3"}) it.give(text);
  it.commit();
  EXPECT_TRUE(it.session.has_backlog());
  EXPECT_EQ(it.session.page_wanted(), std::nullopt) << "nobody reads";
  it.session.connection_made();
  EXPECT_THAT(it.send(), IsEmpty()) << "nothing of it is in memory";
  EXPECT_THAT(it.send_all(), ElementsAre("again 1", "2", "3"));
  EXPECT_FALSE(it.session.has_backlog());
  it.give("4");
  EXPECT_THAT(it.send(), ElementsAre("4"));
}

TEST(Session, NothingIsParkedBeforeItIsCommitted) {
  Harness it;
  it.session.connection_made();
  it.give("1");
  it.send();
  it.session.connection_lost();
  it.give("2");
  it.session.connection_made();
  EXPECT_THAT(it.send(), ElementsAre("again 1"));
  EXPECT_EQ(it.session.page_wanted(), std::nullopt) << "what is asked for is not on disk";
  it.commit();
  EXPECT_THAT(it.send_all(), ElementsAre("2"));
}

TEST(Session, PagesOfALongBacklogKeepTheOrder) {
  Harness it({.max_in_flight = 100, .max_queued_messages = 10'000, .max_queued_bytes = 100 << 20});
  std::vector<std::string> expected;
  for (int i = 0; i < 700; ++i) {
    expected.push_back(std::to_string(i));
    it.give(expected.back());
  }
  it.commit();
  EXPECT_EQ(it.session.queued_count(), 700U);
  it.session.connection_made();
  std::vector<std::string> got;
  int next = 700;
  while (got.size() < expected.size()) {
    for (std::string& text : it.send_all()) {
      it.acknowledge(text);
      got.push_back(std::move(text));
    }
    if (next < 760) {  // more comes meanwhile
      expected.push_back(std::to_string(next++));
      it.give(expected.back());
      it.commit();
    }
  }
  EXPECT_EQ(got, expected);
  EXPECT_FALSE(it.session.has_backlog());
  EXPECT_EQ(it.session.queued_count(), 0U);
  EXPECT_EQ(it.session.queued_bytes(), 0U);
  EXPECT_TRUE(it.disk.empty());
}

TEST(Session, SlowConnectedClientsMessagesGoToDisk) {
  Harness it({.max_in_flight = 1, .max_queued_messages = 1000, .max_queued_bytes = 100 << 20});
  it.session.connection_made();
  std::vector<std::string> expected;
  for (int i = 0; i < 600; ++i) {
    expected.push_back(std::to_string(i));
    it.give(expected.back());
  }
  EXPECT_TRUE(it.session.has_backlog());
  it.commit();
  std::vector<std::string> got;
  while (got.size() < expected.size()) {
    const auto sent = it.send_all();
    ASSERT_EQ(sent.size(), 1U);
    it.acknowledge(sent[0]);
    got.push_back(sent[0]);
  }
  EXPECT_EQ(got, expected);
}

// The page was read before message 1 was written, and arrives when it is: message 2 must wait for it.
TEST(Session, APageMayMissWhatWasCommittedMeanwhile) {
  Harness it;
  it.give("0");
  it.commit();
  const std::uint64_t first = it.give("1", 2);
  it.give("2");
  it.waiting.front().swap(it.waiting.back());
  it.commit_one();  // 2
  it.session.connection_made();
  const auto from = it.session.page_wanted();
  ASSERT_TRUE(from);
  it.session.page_requested();
  SessionStore::Page page = it.page_from(*from);
  ASSERT_EQ(page.messages.size(), 2U);
  it.commit_one();  // 1
  ASSERT_TRUE(it.disk.contains(first));
  it.session.add_page(std::move(page));
  EXPECT_THAT(it.send_all(), ElementsAre("0", "1", "2"));
}

TEST(Session, PagesWaitForWhatIsNotCommitted) {
  Harness it;
  it.give("1", 2);
  for (int i = 2; i < 9; ++i) it.give(std::to_string(i));
  std::rotate(it.waiting.begin(), it.waiting.begin() + 1, it.waiting.end());
  for (int i = 2; i < 9; ++i) it.commit_one();
  it.session.connection_made();
  EXPECT_FALSE(it.read_page(3)) << "reading now would give nothing";
  it.commit();
  EXPECT_THAT(it.send_all(), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8"));
}

TEST(Session, APageOfAnEarlierConnectionIsNotUsed) {
  Harness it;
  it.give("1");
  it.commit();
  it.session.connection_made();
  ASSERT_TRUE(it.session.page_wanted());
  it.session.page_requested();
  EXPECT_EQ(it.session.page_wanted(), std::nullopt) << "one at a time";
  it.session.connection_lost();
  it.session.connection_made();
  it.session.add_page(it.page_from(0));
  EXPECT_THAT(it.send_all(), ElementsAre("1"));
}

TEST(Session, AFailedPageIsAskedForAgain) {
  Harness it;
  it.give("1");
  it.commit();
  it.session.connection_made();
  it.session.page_requested();
  it.session.page_failed();
  EXPECT_THAT(it.send_all(), ElementsAre("1"));
}

TEST(Session, ARestartWhileAPageIsReadDoesNotWaitForIt) {
  Harness it;
  it.give("1");
  it.commit();
  it.session.connection_made();
  it.session.page_requested();
  it.session.connection_lost();
  it.session.restart(8, true);
  it.disk.clear();
  it.give("2");
  it.commit();
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), ElementsAre("2"));
}

TEST(Session, WhatExpiredOnDiskIsNotCountedForEver) {
  Harness it({.max_in_flight = 10, .max_queued_messages = 3});
  for (const char* text : {"1", "2", "3"}) it.give(text);
  it.commit();
  EXPECT_EQ(it.give("4"), 0U);
  it.disk.clear();
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), IsEmpty());
  EXPECT_EQ(it.session.queued_count(), 0U);
  EXPECT_NE(it.give("5"), 0U);
  EXPECT_THAT(it.send(), ElementsAre("5"));
}

TEST(Session, AfterARestartEverythingMayHaveBeenSentBefore) {
  Harness before;
  before.give("1");
  before.give("2", 2);
  before.commit();
  SessionRecord record = before.session.record();
  record.subscriptions = {{"a", 1}};
  Session session(record, 1'000'000, {});
  EXPECT_TRUE(session.needs_measuring());
  session.measuring();
  EXPECT_FALSE(session.needs_measuring());
  session.measured({2, 500, 1});
  EXPECT_EQ(session.queued_count(), 2U);
  EXPECT_EQ(session.queued_bytes(), 500U);
  session.connection_made();
  const auto from = session.page_wanted();
  ASSERT_TRUE(from);
  session.page_requested();
  session.add_page(before.page_from(*from));
  std::vector<Outgoing::Progress> progress;
  while (Outgoing* next = session.next_to_send()) {
    progress.push_back(next->progress);
    session.sent_next();
  }
  EXPECT_THAT(progress, ElementsAre(Outgoing::Progress::kSent, Outgoing::Progress::kSent));
  const auto admission = session.admit(delivery(message("3")));
  EXPECT_GE(admission.sequence, 1'000'000U);
  EXPECT_EQ(session.next_to_send(), nullptr) << "the first one has its identifier";
  EXPECT_TRUE(session.acknowledge(packet_id_of(admission.sequence)).found);
  ASSERT_NE(session.next_to_send(), nullptr);
  EXPECT_EQ(session.next_to_send()->progress, Outgoing::Progress::kWaiting);
}

TEST(Session, AMessageThatCouldNotBeStoredIsNotSent) {
  Harness it({.max_in_flight = 1});
  it.session.connection_made();
  it.give("1");
  it.give("2");
  it.give("3", 2);
  EXPECT_THAT(it.send(), ElementsAre("1"));
  it.fail_one();  // sent already
  it.fail_one();
  it.fail_one();
  EXPECT_EQ(it.session.queued_count(), 0U);
  EXPECT_TRUE(it.session.acknowledge(it.ids["1"]).found);
  EXPECT_THAT(it.send(), IsEmpty());
  it.give("4");
  EXPECT_THAT(it.send(), ElementsAre("4"));
}

TEST(Session, AFailureForAnAbsentClient) {
  Harness it({.max_queued_messages = 1});
  it.give("1");
  it.fail_one();
  EXPECT_EQ(it.session.queued_count(), 0U);
  it.give("2");
  it.commit();
  it.session.connection_made();
  EXPECT_THAT(it.send_all(), ElementsAre("2"));
}

TEST(SessionReceipt, SettledByTheCommit) {
  Harness it;
  it.session.connection_made();
  Publisher publisher;
  it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.send();
  EXPECT_EQ(publisher.ends, 0);
  it.commit();
  EXPECT_EQ(publisher.ends, 1);
  EXPECT_FALSE(publisher.failed());
  it.acknowledge("1");
  EXPECT_EQ(publisher.ends, 1);
}

TEST(SessionReceipt, SettledByTheAcknowledgementThatComesFirst) {
  Harness it;
  it.session.connection_made();
  Publisher publisher;
  it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.send();
  const auto removed = it.session.acknowledge(it.last_id);
  EXPECT_TRUE(removed.found);
  EXPECT_FALSE(removed.from_store) << "it was never written";
  EXPECT_EQ(publisher.ends, 1);
  EXPECT_FALSE(publisher.failed());
  it.commit();
  EXPECT_TRUE(it.disk.empty()) << "withdrawn";
}

TEST(SessionReceipt, AcknowledgedWhileItIsWritten) {
  Harness it;
  it.session.connection_made();
  Publisher publisher;
  const std::uint64_t sequence = it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.send();
  ASSERT_TRUE(it.waiting.front()->take());
  EXPECT_TRUE(it.session.acknowledge(it.last_id).from_store);
  EXPECT_EQ(publisher.ends, 1);
  it.session.stored(sequence);
  EXPECT_EQ(publisher.ends, 1);
}

TEST(SessionReceipt, AcknowledgedWhileItFails) {
  Harness it;
  it.session.connection_made();
  Publisher publisher;
  const std::uint64_t sequence = it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.send();
  ASSERT_TRUE(it.waiting.front()->take());
  it.session.acknowledge(it.last_id);
  it.session.store_failed(sequence);
  EXPECT_EQ(publisher.ends, 1);
  EXPECT_FALSE(publisher.failed()) << "the receiver has it";
}

TEST(SessionReceipt, SettledAsFailed) {
  for (const bool connected : {false, true}) {
    Harness it;
    if (connected) it.session.connection_made();
    Publisher publisher;
    it.give("1", 1, publisher.share());
    publisher.own_part_done();
    it.fail_one();
    EXPECT_EQ(publisher.ends, 1);
    EXPECT_TRUE(publisher.failed());
  }
}

TEST(SessionReceipt, SettledWhenMessagesAreDiscarded) {
  Harness it;
  Publisher publisher;
  it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.session.discard_messages();
  EXPECT_EQ(publisher.ends, 1);
  it.commit();
  EXPECT_TRUE(it.disk.empty());
  EXPECT_EQ(publisher.ends, 1);
}

TEST(SessionReceipt, SettledWhenTheSessionBeginsAnew) {
  Harness it;
  Publisher publisher;
  it.session.subscribe({"a", 1});
  it.give("1", 1, publisher.share());
  publisher.own_part_done();
  it.session.restart(8, false);
  EXPECT_EQ(publisher.ends, 1);
  EXPECT_EQ(it.session.number(), 8U);
  EXPECT_FALSE(it.session.subscriptions().empty());
  it.session.restart(9, true);
  EXPECT_FALSE(it.session.has_state());
}

TEST(SessionReceipt, SettledWhenTheSessionIsDestroyed) {
  Publisher publisher;
  {
    Harness it;
    it.give("1", 1, publisher.share());
    publisher.own_part_done();
    EXPECT_EQ(publisher.ends, 0);
  }
  EXPECT_EQ(publisher.ends, 1);
}

TEST(SessionReceipt, SettledWhenAMessageIsDropped) {
  Harness it;
  it.session.connection_made();
  Publisher publisher;
  it.give("1", 1, publisher.share());
  publisher.own_part_done();
  ASSERT_NE(it.session.next_to_send(), nullptr);
  EXPECT_TRUE(it.session.drop_next().found);
  EXPECT_EQ(publisher.ends, 1);
  EXPECT_EQ(it.session.queued_count(), 0U);
}

TEST(Session, ReceivedIdentifiers) {
  Session session("k", 1, 0, {});
  EXPECT_EQ(session.received(5), std::nullopt);
  session.set_received(5, Session::Received::kPending);
  session.set_received(6, Session::Received::kTaken);
  EXPECT_EQ(session.received(5), Session::Received::kPending);
  session.set_received(5, Session::Received::kReleasing);
  EXPECT_EQ(session.received(5), Session::Received::kReleasing);
  EXPECT_EQ(session.received_count(), 2U);
  EXPECT_TRUE(session.has_state());
  session.erase_received(5);
  session.erase_received(5);
  session.erase_received(6);
  EXPECT_EQ(session.received_count(), 0U);
  session.set_received(7, Session::Received::kTaken);
  session.restart(2, true);
  EXPECT_EQ(session.received_count(), 0U);
}

// One message is never acknowledged; 65,535 messages later its identifier would come again [MQTT-2.2.1-4].
TEST(Session, AnIdentifierInUseIsNotGivenAgain) {
  Session session("k", 1, 0, {.max_in_flight = 10});
  session.connection_made();
  give(session, "first");
  EXPECT_THAT(send(session), ElementsAre("first"));
  for (int i = 0; i < 65'534; ++i) {
    const std::uint64_t sequence = give(session, "x");
    ASSERT_EQ(send(session).size(), 1U);
    ASSERT_TRUE(session.acknowledge(packet_id_of(sequence)).found);
  }
  give(session, "same identifier");
  EXPECT_THAT(send(session), IsEmpty());
  session.acknowledge(1);
  EXPECT_THAT(send(session), ElementsAre("same identifier"));
}

// Against a list: every message in order, none lost, none twice without a lost connection.
TEST(Session, RandomTraffic) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    Harness it({.max_in_flight = 4, .max_queued_messages = 2000, .max_queued_bytes = 1U << 30});
    std::vector<std::string> given;
    std::vector<std::string> open;  // sent on this connection
    std::set<std::string> acknowledged;
    std::size_t first_sent = 0;
    bool connected = false;
    std::optional<SessionStore::Page> page;
    const auto send_now = [&] {
      for (std::string text : it.send()) {
        const bool again = text.starts_with("again ");
        if (again) text = text.substr(6);
        EXPECT_FALSE(acknowledged.contains(text));
        open.push_back(text);
        if (!again) {
          ASSERT_LT(first_sent, given.size());
          EXPECT_EQ(text, given[first_sent]);
          ++first_sent;
        }
      }
    };
    for (int step = 0; step < 600; ++step) {
      if (chance(45)) {
        given.push_back(std::to_string(given.size()));
        ASSERT_NE(it.give(given.back()), 0U);
      } else if (chance(10)) {
        connected ? it.session.connection_lost() : it.session.connection_made();
        connected = !connected;
        open.clear();
      } else if (chance(40)) {
        if (!it.waiting.empty()) it.commit_one();
      } else if (chance(50) && !open.empty()) {
        const std::size_t at = random() % open.size();
        ASSERT_TRUE(it.acknowledge(open[at]));
        acknowledged.insert(open[at]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (page) {
        it.session.add_page(std::move(*page));
        page.reset();
      }
      if (const auto from = it.session.page_wanted(); from && chance(50)) {
        it.session.page_requested();
        page = it.page_from(*from, 1 + random() % 5);
      }
      if (connected) send_now();
      ASSERT_LE(it.session.in_flight_count(), 4U);
    }
    if (page) it.session.add_page(std::move(*page));
    if (!connected) it.session.connection_made();
    it.commit();
    for (std::size_t round = 0; acknowledged.size() < given.size() && round < 5000; ++round) {
      it.read_page(7);
      send_now();
      for (const std::string& text : std::exchange(open, {})) {
        ASSERT_TRUE(it.acknowledge(text));
        acknowledged.insert(text);
      }
    }
    EXPECT_EQ(acknowledged.size(), given.size());
    EXPECT_TRUE(it.disk.empty());
    EXPECT_EQ(it.session.queued_count(), 0U);
    EXPECT_EQ(it.session.queued_bytes(), 0U);
    if (testing::Test::HasFailure()) return;
  }
}

// A gateway's children get their messages on its connection.
TEST(SessionIdentifiers, AreNotUsedWhileTheyAreLent) {
  Session session("key", 1, 10, {});
  session.connection_made();
  std::set<std::uint16_t> lent;
  for (int i = 0; i < 100; ++i) lent.insert(session.lend_packet_id());
  EXPECT_EQ(lent.size(), 100U);
  int waited = 0;
  for (int i = 0; i < 70'000; ++i) {
    ASSERT_TRUE(session.admit(delivery(message("x"))).accepted);
    Outgoing* next = session.next_to_send();
    while (next == nullptr) {  // it wants one that is lent
      ++waited;
      ASSERT_FALSE(lent.empty());
      session.return_packet_id(*lent.begin());
      lent.erase(lent.begin());
      next = session.next_to_send();
    }
    ASSERT_FALSE(lent.contains(next->packet_id()));
    const std::uint16_t id = next->packet_id();
    session.sent_next();
    ASSERT_TRUE(session.acknowledge(id).found);
  }
  EXPECT_EQ(waited, 100);
}

TEST(SessionIdentifiers, AreNotLentWhileTheyAreUsed) {
  constexpr std::uint16_t kFirstUsed = 250, kLastUsed = 260;
  SessionLimits limits;
  limits.max_in_flight = 100;
  Session session("key", 1, 10, limits);
  session.connection_made();
  const mqtt::MessageRef one = message("x");
  for (int i = 0; i < 33'000; ++i) {  // half the way round: what is lent begins where these began
    ASSERT_TRUE(session.admit(delivery(one)).accepted);
    Outgoing* next = session.next_to_send();
    ASSERT_NE(next, nullptr);
    const std::uint16_t id = next->packet_id();
    session.sent_next();
    if (id >= kFirstUsed && id <= kLastUsed) continue;
    ASSERT_TRUE(session.acknowledge(id).found);
  }
  EXPECT_EQ(session.in_flight_count(), 11U);
  std::set<std::uint16_t> lent;
  for (int i = 0; i < 100; ++i) lent.insert(session.lend_packet_id());
  EXPECT_EQ(lent.size(), 100U);
  EXPECT_TRUE(lent.contains(kFirstUsed - 1));
  EXPECT_TRUE(lent.contains(kLastUsed + 1));
  for (std::uint16_t id = kFirstUsed; id <= kLastUsed; ++id) EXPECT_FALSE(lent.contains(id));
  session.connection_lost();
  EXPECT_EQ(session.lent_count(), 0U);
}

}  // namespace
}  // namespace mooring::session
