#include "server/statistics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mooring::server {
namespace {

using testing::HasSubstr;

StatisticsSnapshot snapshot() {
  StatisticsSnapshot made;
  made.at_ms = 1'535'700'748'205;
  made.connections = 7;
  made.sum.sessions = 5;
  made.sum.counters.dropped_expired = 3;
  made.sum.gateway.messages_in = {1, 2, 4};
  made.sum.gateway.connects = {10, 0, 0, 20};
  made.sum.gateway.turn_ms.observe(3, 4);
  made.refusals = {{"wrong-signature", 9}};
  made.loops.resize(2);
  made.loops[0].busy_ms = 1500;
  made.loops[0].busy_share = 0.5;
  made.loops[0].arrivals.messages = 12;
  return made;
}

TEST(StatisticsText, ASampleSumsUpWhatThePrometheusTextSplits) {
  EXPECT_EQ(sample_text(snapshot()),
            R"({"time":"2018-08-31T07:32:28.205Z","connections":7,"devicesOnline":0,"sessions":5,"subscriptions":0,)"
            R"("messagesIn":7,"messagesOut":0,"bytesIn":0,"bytesOut":0,"connects":30,)"
            R"("refusals":{"wrong-signature":9},)"
            R"("dropped":{"congested":0,"queue_full":0,"offline":0,"expired":3,"rate_up":0,"rate_down":0,)"
            R"("not_permitted":0,"store_failed":0},"loopBusy":[5E-1,0E0]})");
}

TEST(StatisticsText, PrometheusGetsEveryPart) {
  SharedFigures shared;
  shared.started_ms = 1'000'500;
  shared.connections_refused = 11;
  shared.retained_messages = 12;
  shared.store.syncs = 13;
  shared.store.healthy = false;
  shared.registry.reads_waiting = 14;
  shared.api_passwords_waiting = 15;
  shared.log.lost = 16;
  const std::string text = prometheus_text(snapshot(), shared);
  for (const char* line : {"process_start_time_seconds 1000.5\n", "mooring_connections_refused_total 11\n",
                           "mooring_connects_total{transport=\"wss\"} 20\n",
                           "mooring_sign_ins_refused_total{cause=\"wrong-signature\"} 9\n",
                           "mooring_messages_total{direction=\"in\",qos=\"2\"} 4\n",
                           "mooring_messages_dropped_total{reason=\"expired\"} 3\n", "mooring_retained_messages 12\n",
                           "mooring_loop_busy_seconds_total{loop=\"0\"} 1.5\n", "mooring_store_syncs_total 13\n",
                           "mooring_loop_turn_seconds_bucket{le=\"0.005\"} 4\n",
                           "mooring_store_healthy 0\n", "mooring_registry_queue_length{queue=\"reads\"} 14\n",
                           "mooring_passwords_waiting{for=\"api\"} 15\n", "mooring_device_log_lost_total 16\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace mooring::server
