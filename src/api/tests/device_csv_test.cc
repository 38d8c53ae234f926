#include "api/device_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mooring::api {
namespace {

using testing::ElementsAre;

std::vector<std::vector<std::string>> records(std::string_view text) {
  std::vector<std::vector<std::string>> all;
  CsvReader reader(text);
  for (auto record = reader.next(); record && *record; record = reader.next()) {
    all.push_back((*record)->fields);
  }
  return all;
}

TEST(CsvReader, follows_rfc_4180) {
  EXPECT_THAT(
      records("a,b,c\r\n\"x,1\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n,,\n"),
      ElementsAre(ElementsAre("a", "b", "c"), ElementsAre("x,1", "say \"hi\"", "two\nlines"), ElementsAre("", "", "")));
}

TEST(CsvReader, forgives_byte_order_mark_blank_lines_and_a_missing_last_line_feed) {
  EXPECT_THAT(records("\xef\xbb\xbf\"a\",b\n\n  \r\nc,d"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d")));
  EXPECT_THAT(records("a\r"), ElementsAre(ElementsAre("a")));
  EXPECT_TRUE(records("").empty());
  EXPECT_TRUE(records("\xef\xbb\xbf").empty());
}

TEST(CsvReader, names_the_line_of_a_fault) {
  CsvReader reader("a\nb\n\"open,\n\n");
  reader.next();
  reader.next();
  const auto fault = reader.next();
  ASSERT_FALSE(fault);
  EXPECT_NE(fault.error().message.find("line 3"), std::string::npos) << fault.error().message;
}

TEST(CsvReader, bounds_fields_and_columns) {
  EXPECT_FALSE(CsvReader(std::string(kCsvFieldBytesMax + 1, 'x')).next());
  EXPECT_FALSE(CsvReader("\"" + std::string(kCsvFieldBytesMax + 1, 'x') + "\"").next());
  EXPECT_FALSE(CsvReader(std::string(kCsvColumnsMax + 1, ',')).next());
  EXPECT_TRUE(CsvReader(std::string(kCsvColumnsMax - 1, ',')).next());
}

TEST(CsvReader, counts_lines_inside_quotes) {
  CsvReader reader("\"a\nb\"\nc\n");
  EXPECT_EQ((*reader.next())->line, 1U);
  EXPECT_EQ((*reader.next())->line, 3U);
}

TEST(DeviceCsv, finds_columns_in_any_order_and_case) {
  auto reader = DeviceCsvReader::open(
      "\xef\xbb\xbf"
      "Remark,devicesecret,DEVICENAME,Extra,Product Key,IotId,Status\r\n"
      "Kitchen,s1,dev1,?,pk,iot1,DISABLE\r\n"
      "\t,\ts2\t,dev2,?,pk,,ONLINE\r\n"
      "short,s3,dev3\r\n");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto first = **reader->next();
  EXPECT_EQ(first.line, 2U);
  EXPECT_EQ(first.device.product_key, "pk");
  EXPECT_EQ(first.device.device_name, "dev1");
  EXPECT_EQ(first.device.device_secret, "s1");
  EXPECT_EQ(first.device.nickname, "Kitchen");
  EXPECT_EQ(first.device.iot_id, "iot1");
  EXPECT_FALSE(first.device.enabled);
  const auto second = **reader->next();
  EXPECT_EQ(second.device.device_secret, "s2");
  EXPECT_EQ(second.device.nickname, "");
  EXPECT_TRUE(second.device.enabled);
  const auto third = **reader->next();  // columns that are not there are empty; the registry refuses the row
  EXPECT_EQ(third.device.product_key, "");
  EXPECT_FALSE(reader->next()->has_value());
}

TEST(DeviceCsv, without_a_nickname_column_there_is_no_nickname) {
  auto reader = DeviceCsvReader::open("ProductKey,DeviceName,DeviceSecret\npk,dev1,s1\n");
  ASSERT_TRUE(reader);
  EXPECT_FALSE((**reader->next()).device.nickname);
}

TEST(DeviceCsv, says_which_column_is_missing) {
  const auto missing = DeviceCsvReader::open("DeviceName,Secret\n");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("ProductKey DeviceSecret"), std::string::npos) << missing.error().message;
  EXPECT_FALSE(DeviceCsvReader::open(""));
}

TEST(DeviceCsv, written_lines_read_back) {
  const std::string line = csv_line({"plain", "a,b", "say \"hi\"", "two\nlines", ""});
  EXPECT_THAT(records(line), ElementsAre(ElementsAre("plain", "a,b", "say \"hi\"", "two\nlines", "")));
}

}  // namespace
}  // namespace mooring::api
