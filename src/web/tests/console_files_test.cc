#include "web/console_files.h"

#include <gtest/gtest.h>

namespace mooring::web {
namespace {

constexpr char kBundle[] = "assets/app-1a2b.js aa-9 9 3\nindex.html bb-6 6 0\n\nconsole()GZ!<html>";

http::Request ask(std::string target, std::vector<http::Field> fields = {}, std::string method = "GET") {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.fields = std::move(fields);
  return request;
}

std::string field(const http::Response& response, std::string_view name) {
  for (const http::Field& one : response.fields) {
    if (one.name == name) return one.value;
  }
  return {};
}

TEST(ConsoleFiles, files_come_with_their_type_and_how_long_they_last) {
  const ConsoleFiles files{kBundle};
  const auto page = files.answer(ask("/console/"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<html>");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(field(page, "Cache-Control"), "no-cache");
  EXPECT_NE(field(page, "Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  const auto script = files.answer(ask("/console/assets/app-1a2b.js?x=1"));
  EXPECT_EQ(script.body, "console()");
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_NE(field(script, "Cache-Control").find("immutable"), std::string::npos);
  EXPECT_EQ(files.answer(ask("/console/products/pk")).body, "<html>") << "the page finds its own way";
  EXPECT_EQ(files.answer(ask("/console/assets/app-old.js")).status, 404);
  EXPECT_EQ(files.answer(ask("/console/../index.html")).body, "<html>");
}

TEST(ConsoleFiles, compressed_where_that_is_taken_and_worth_it) {
  const ConsoleFiles files{kBundle};
  const auto script = files.answer(ask("/console/assets/app-1a2b.js", {{"Accept-Encoding", "br, gzip"}}));
  EXPECT_EQ(script.body, "GZ!");
  EXPECT_EQ(field(script, "Content-Encoding"), "gzip");
  EXPECT_NE(field(script, "ETag"), field(files.answer(ask("/console/assets/app-1a2b.js")), "ETag"));
  for (const auto& [accept, taken] : {std::pair{"gzip;q=0", false},
                                      {"br;q=1, gzip ; q=0.000", false},
                                      {"gzip;q=0.001", true},
                                      {"GZIP", true},
                                      {"x-gzip", false},
                                      {"", false}}) {
    EXPECT_EQ(files.answer(ask("/console/assets/app-1a2b.js", {{"Accept-Encoding", accept}})).body,
              taken ? "GZ!" : "console()")
        << accept;
  }
  const auto page = files.answer(ask("/console/", {{"Accept-Encoding", "gzip"}}));
  EXPECT_EQ(page.body, "<html>");
  EXPECT_EQ(field(page, "Content-Encoding"), "");
}

TEST(ConsoleFiles, who_has_a_file_already_is_told_so) {
  const ConsoleFiles files{kBundle};
  const std::string tag = field(files.answer(ask("/console/")), "ETag");
  ASSERT_FALSE(tag.empty());
  const auto again = files.answer(ask("/console/", {{"If-None-Match", "\"x\", " + tag}}));
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.body.empty());
  EXPECT_EQ(files.answer(ask("/console/", {{"If-None-Match", "\"x\""}})).status, 200);
}

TEST(ConsoleFiles, other_ways_of_asking) {
  const ConsoleFiles files{kBundle};
  const auto moved = files.answer(ask("/console"));
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(field(moved, "Location"), "/console/");
  EXPECT_EQ(files.answer(ask("/console/", {}, "POST")).status, 405);
  EXPECT_FALSE(ConsoleFiles::is_for_console("/consoles"));
}

TEST(ConsoleFiles, a_program_without_console_says_so) {
  for (const char* bundle : {"", "\n", "a b 10 0\n\nshort", "no end"}) {
    const auto page = ConsoleFiles{bundle}.answer(ask("/console/"));
    EXPECT_EQ(page.status, 200) << bundle;
    EXPECT_NE(page.body.find("without the console"), std::string::npos) << bundle;
  }
}

}  // namespace
}  // namespace mooring::web
