// Device lists as CSV files: the import and export format of the command line and the console.
//
// Reading follows RFC 4180 (quoted fields, doubled quotes, line breaks inside quotes) and forgives what spreadsheets
// and the cloud console do: UTF-8 byte order mark, CRLF or LF, header names in any order and case, further columns,
// empty lines, a tab in front of a value. Pure functions over memory; one thread per reader.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"

namespace mooring::api {

inline constexpr std::size_t kCsvFieldBytesMax = 4096;
inline constexpr std::size_t kCsvColumnsMax = 256;

// Splits CSV text into records, one per call.
class CsvReader {
 public:
  // `text` must outlive the reader. A byte order mark is skipped.
  explicit CsvReader(std::string_view text);
  struct Record {
    std::size_t line = 0;  // 1-based line on which it begins
    std::vector<std::string> fields;
  };
  // The next record that is not blank; nothing at the end. kInvalidArgument names the line: a quote that is never
  // closed, a field or a record that is too long.
  base::Result<std::optional<Record>> next();
  std::size_t position() const { return position_; }  // bytes read so far

 private:
  base::Result<> read_quoted(std::string& field);
  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
};

// Rows of a device list by the names in its header.
class DeviceCsvReader {
 public:
  // Reads the header; kInvalidArgument tells which of ProductKey, DeviceName, DeviceSecret is missing.
  static base::Result<DeviceCsvReader> open(std::string_view text);
  struct Row {
    std::size_t line = 0;
    registry::ImportRow device;
  };
  base::Result<std::optional<Row>> next();
  std::size_t position() const { return reader_.position(); }

 private:
  explicit DeviceCsvReader(CsvReader reader) : reader_(reader) {}
  base::Result<> read_header(const std::vector<std::string>& names);
  static std::string take(const std::vector<std::string>& fields, int column);

  CsvReader reader_;
  int product_key_ = -1, device_name_ = -1, device_secret_ = -1, nickname_ = -1, iot_id_ = -1, status_ = -1;
};

// One CSV line with its line feed; fields are quoted where needed.
std::string csv_line(const std::vector<std::string_view>& fields);

}  // namespace mooring::api
