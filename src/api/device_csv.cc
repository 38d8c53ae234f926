#include "api/device_csv.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace mooring::api {
namespace {

using base::Errc;
using base::fail;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(const std::vector<std::string>& fields) {
  return fields.size() == 1 && base::trim(fields[0]).empty();
}

// "Product Key", "product_key" and "ProductKey" are one name.
std::string plain_name(std::string_view text) {
  std::string name;
  for (const char c : base::to_lower(base::trim(text))) {
    if (c != ' ' && c != '_' && c != '-') name.push_back(c);
  }
  return name;
}

}  // namespace

CsvReader::CsvReader(std::string_view text) : text_(text) {
  if (text_.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

// At an opening quote; leaves the position behind the closing one.
base::Result<> CsvReader::read_quoted(std::string& field) {
  const std::size_t begin_line = line_;
  for (++position_; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c == '"') {
      if (position_ + 1 >= text_.size() || text_[position_ + 1] != '"') {
        ++position_;
        return {};
      }
      ++position_;  // a doubled quote stands for one
    }
    if (c == '\n') ++line_;
    field.push_back(c);
    if (field.size() > kCsvFieldBytesMax) break;
  }
  const bool too_long = field.size() > kCsvFieldBytesMax;
  return fail(Errc::kInvalidArgument, too_long ? fmt::format("line {}: a field is too long", begin_line)
                                               : fmt::format("line {}: a quote is not closed", begin_line));
}

base::Result<std::optional<CsvReader::Record>> CsvReader::next() {
  while (position_ < text_.size()) {
    Record record{line_, {std::string()}};
    while (position_ < text_.size() && text_[position_] != '\n') {
      const char c = text_[position_];
      if (c == '"' && record.fields.back().empty()) {
        if (auto ok = read_quoted(record.fields.back()); !ok) return tl::unexpected(ok.error());
        continue;
      }
      ++position_;
      if (c == ',') {
        record.fields.emplace_back();
      } else if (c != '\r' || (position_ < text_.size() && text_[position_] != '\n')) {
        record.fields.back().push_back(c);
      }
      if (record.fields.back().size() > kCsvFieldBytesMax || record.fields.size() > kCsvColumnsMax) {
        return fail(Errc::kInvalidArgument, fmt::format("line {}: a field or the row is too long", record.line));
      }
    }
    if (position_ < text_.size()) ++position_;  // the line feed
    ++line_;
    if (!is_blank(record.fields)) return record;
  }
  return std::optional<Record>();
}

base::Result<> DeviceCsvReader::read_header(const std::vector<std::string>& names) {
  struct Column {
    std::string_view name;
    int* index;
  };
  const std::array<Column, 8> columns{{{"productkey", &product_key_},
                                       {"devicename", &device_name_},
                                       {"devicesecret", &device_secret_},
                                       {"nickname", &nickname_},
                                       {"remark", &nickname_},
                                       {"iotid", &iot_id_},
                                       {"status", &status_},
                                       {"devicestatus", &status_}}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = plain_name(names[i]);
    for (const Column& column : columns) {
      if (column.name == name && *column.index < 0) *column.index = static_cast<int>(i);
    }
  }
  std::string missing;
  if (product_key_ < 0) missing += " ProductKey";
  if (device_name_ < 0) missing += " DeviceName";
  if (device_secret_ < 0) missing += " DeviceSecret";
  if (missing.empty()) return {};
  return fail(Errc::kInvalidArgument,
              fmt::format("the header line lacks{}; it must name at least ProductKey, DeviceName "
                          "and DeviceSecret, separated by commas",
                          missing));
}

base::Result<DeviceCsvReader> DeviceCsvReader::open(std::string_view text) {
  DeviceCsvReader reader{CsvReader(text)};
  auto header = reader.reader_.next();
  if (!header) return tl::unexpected(header.error());
  if (!*header) return fail(Errc::kInvalidArgument, "the file is empty");
  if (auto ok = reader.read_header((*header)->fields); !ok) return tl::unexpected(ok.error());
  return reader;
}

std::string DeviceCsvReader::take(const std::vector<std::string>& fields, int column) {
  if (column < 0 || static_cast<std::size_t>(column) >= fields.size()) return {};
  return std::string(base::trim(fields[static_cast<std::size_t>(column)]));
}

base::Result<std::optional<DeviceCsvReader::Row>> DeviceCsvReader::next() {
  auto record = reader_.next();
  if (!record) return tl::unexpected(record.error());
  if (!*record) return std::optional<Row>();
  const std::vector<std::string>& fields = (*record)->fields;
  Row row;
  row.line = (*record)->line;
  row.device.product_key = take(fields, product_key_);
  row.device.device_name = take(fields, device_name_);
  row.device.device_secret = take(fields, device_secret_);
  row.device.iot_id = take(fields, iot_id_);
  if (nickname_ >= 0) row.device.nickname = take(fields, nickname_);
  const std::string status = base::to_lower(take(fields, status_));
  row.device.enabled = status != "disable" && status != "disabled";
  return row;
}

std::string csv_line(const std::vector<std::string_view>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i != 0) line += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string_view::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (const char c : fields[i]) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\n";
}

}  // namespace mooring::api
