#include "metrics/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mooring::metrics {
namespace {

using testing::HasSubstr;

TEST(Families, values_of_one_name_stand_together_under_one_help) {
  Families families;
  families.counter("a_total", "How many", 3, {{"kind", "x"}});
  families.gauge("b", "Now", 1.5);
  families.counter("a_total", "How many", 4, {{"kind", "y\"z"}});
  EXPECT_EQ(families.text(),
            "# HELP a_total How many\n# TYPE a_total counter\na_total{kind=\"x\"} 3\na_total{kind=\"y\\\"z\"} 4\n"
            "# HELP b Now\n# TYPE b gauge\nb 1.5\n");
}

TEST(Families, a_histogram_counts_up_and_is_in_seconds) {
  Histogram times;
  for (const std::int64_t ms : {1, 2, 3, 100'000}) times.observe(ms);
  Families families;
  families.histogram("t_seconds", "Time", times);
  const std::string text = families.text();
  EXPECT_THAT(text, HasSubstr("t_seconds_count 4\nt_seconds_sum 100.006\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"0.002\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"5\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(Families, work_that_is_timed_by_itself_has_finer_intervals) {
  FineHistogram times;
  times.observe(70);
  times.observe(1500, 2);
  Families families;
  families.histogram("t_seconds", "Time", times);
  const std::string text = families.text();
  EXPECT_THAT(text, HasSubstr("t_seconds_count 3\nt_seconds_sum 0.00307\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"0.0001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"0.0025\"} 3\n"));
}

}  // namespace
}  // namespace mooring::metrics
