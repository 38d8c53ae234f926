#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mooring::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Message, what_is_not_modified_has_neither_length_nor_type) {
  Response response;
  response.status = 304;
  response.fields.push_back({"ETag", "\"a\""});
  const std::string bytes = serialize(response, true, false);
  EXPECT_THAT(bytes, testing::StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_THAT(bytes, HasSubstr("ETag: \"a\"\r\n"));
  EXPECT_THAT(bytes, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(bytes, Not(HasSubstr("Content-Type:")));
  EXPECT_THAT(bytes, testing::EndsWith("\r\n\r\n"));
}

TEST(Message, a_head_has_the_length_of_what_it_leaves_out) {
  Response response;
  response.body = "four";
  EXPECT_THAT(serialize(response, false, true), HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(serialize(response, false, true), Not(HasSubstr("four")));
  EXPECT_THAT(serialize(response, false, false), testing::EndsWith("\r\n\r\nfour"));
}

}  // namespace
}  // namespace mooring::http
