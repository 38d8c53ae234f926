#include "device_transfer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <unordered_map>

#include "api/device_csv.h"
#include "base/percent.h"
#include "base/text.h"
#include "client_options.h"
#include "registry_output.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;
constexpr std::size_t kBatchRows = 2000;
constexpr std::size_t kRefusalsKept = 100;  // in the report
constexpr std::size_t kRefusalsShown = 20;  // to a person
constexpr std::size_t kRowFieldBytesMax = 256;

struct TransferOptions : CommonOptions {
  std::string file;
  std::string product_key;
  bool dry_run = false;
};

std::string why() {
  return std::strerror(errno);
}

// The whole file, or standard input for "-".
Result<std::string> read_file(const std::string& name) {
  const bool standard = name == "-";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(standard ? stdin : std::fopen(name.c_str(), "rbe"),
                                                             standard ? [](std::FILE*) { return 0; } : std::fclose);
  if (!file) return fail(Errc::kIo, fmt::format("cannot open {}: {}", name, why()));
  std::string content;
  std::string buffer(1 << 16, '\0');
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    content.append(buffer, 0, size);
    if (content.size() > kFileBytesMax) return fail(Errc::kLimitExceeded, fmt::format("{} is above 1 GiB", name));
  }
  if (std::ferror(file.get()) != 0) return fail(Errc::kIo, fmt::format("cannot read {}: {}", name, why()));
  return content;
}

// One line on a terminal that is rewritten; nothing elsewhere.
class Progress {
 public:
  explicit Progress(std::size_t whole) : whole_(whole), shown_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(std::size_t position, std::uint64_t rows) const {
    if (!shown_) return;
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = whole_ == 0 ? kWidth : position * kWidth / whole_;
    fmt::print(stderr, "\r[{}{}] {} rows", std::string(filled, '#'), std::string(kWidth - filled, ' '), rows);
    std::fflush(stderr);
  }

 private:
  std::size_t whole_;
  bool shown_;
};

class DeviceImport {
 public:
  DeviceImport(const TransferOptions& options, AdminClient& client) : options_(options), client_(client) {}

  Result<> run(std::string_view text) {
    auto reader = api::DeviceCsvReader::open(text);
    if (!reader) return tl::unexpected(reader.error());
    const Progress progress(text.size());
    for (;;) {
      auto row = reader->next();
      if (!row) return tl::unexpected(row.error());
      if (!*row) return send();
      ++rows_;
      take(std::move(**row));
      if (batch_.size() < kBatchRows) continue;
      if (auto ok = send(); !ok) return ok;
      progress.at(reader->position(), rows_);
    }
  }

  std::uint64_t refused() const { return refused_; }
  std::uint64_t rows() const { return rows_; }

  void print() {
    // Refusals of this program and of the server came in turns.
    std::ranges::sort(refusals_, {},
                      [](const boost::json::value& refusal) { return number(refusal.as_object(), "line"); });
    options_.json ? print_report() : print_text();
  }

 private:
  void refuse(std::size_t line, std::string_view product_key, std::string_view device_name, std::string reason) {
    ++refused_;
    if (refusals_.size() >= kRefusalsKept) return;
    refusals_.push_back(boost::json::object{{"line", line},
                                            {"productKey", base::printable(product_key, 64)},
                                            {"deviceName", base::printable(device_name, 80)},
                                            {"reason", std::move(reason)}});
  }

  void take(api::DeviceCsvReader::Row row) {
    registry::ImportRow& device = row.device;
    for (const std::string* field : {&device.product_key, &device.device_name, &device.device_secret, &device.iot_id}) {
      if (field->size() <= kRowFieldBytesMax && base::is_utf8(*field)) continue;
      refuse(row.line, device.product_key, device.device_name, "a value is too long or not UTF-8");
      return;
    }
    // Nicknames are for people only; spreadsheets write them in encodings of their own.
    if (device.nickname && (device.nickname->size() > registry::kTitleBytesMax || !base::is_utf8(*device.nickname))) {
      device.nickname.reset();
      ++nicknames_left_out_;
    }
    const Seen now{row.line, std::hash<std::string>()(device.device_secret)};
    const auto [seen, first] = seen_.try_emplace({device.product_key, device.device_name}, now);
    if (!first && seen->second.secret_hash != now.secret_hash) {
      refuse(row.line, device.product_key, device.device_name,
             fmt::format("line {} gives this device another secret", seen->second.line));
      return;
    }
    lines_.push_back(row.line);
    batch_.push_back(to_json(device));
  }

  static boost::json::value to_json(const registry::ImportRow& device) {
    boost::json::object json{
        {"productKey", device.product_key}, {"deviceName", device.device_name}, {"deviceSecret", device.device_secret}};
    if (device.nickname) json["nickname"] = *device.nickname;
    if (!device.iot_id.empty()) json["iotId"] = device.iot_id;
    if (!device.enabled) json["status"] = "DISABLE";
    return json;
  }

  Result<> send() {
    if (batch_.empty()) return {};
    boost::json::object body{{"dryRun", options_.dry_run}};
    body["rows"] = std::move(batch_);
    batch_ = boost::json::array();
    const auto report = call(client_, "POST", "devices:import", body);
    if (!report) {
      return fail(report.error().code, fmt::format("{} ({} rows were imported before; repeat the import to continue)",
                                                   report.error().message, created_ + unchanged_ + changed_));
    }
    add(report->as_object());
    lines_.clear();
    return {};
  }

  void add(const boost::json::object& report) {
    created_ += number(report, "created");
    unchanged_ += number(report, "unchanged");
    changed_ += number(report, "changed");
    for (const boost::json::value& product : report.at("productsCreated").as_array()) {
      products_.insert(product.as_string().c_str());
    }
    for (const boost::json::value& refusal : report.at("refusals").as_array()) {
      const boost::json::object& object = refusal.as_object();
      refuse(lines_.at(number(object, "row")), text_of(object, "productKey"), text_of(object, "deviceName"),
             text_of(object, "reason"));
    }
  }

  static std::uint64_t number(const boost::json::object& object, const char* name) {
    return object.at(name).to_number<std::uint64_t>();
  }

  void print_report() const {
    print_json(boost::json::object{{"file", options_.file},
                                   {"dryRun", options_.dry_run},
                                   {"rows", rows_},
                                   {"created", created_},
                                   {"unchanged", unchanged_},
                                   {"changed", changed_},
                                   {"refused", refused_},
                                   {"refusals", refusals_},
                                   {"nicknamesLeftOut", nicknames_left_out_},
                                   {"productsCreated", boost::json::array(products_.begin(), products_.end())}});
  }

  void print_text() const {
    fmt::print("{}{} rows: {} created, {} unchanged, {} changed, {} refused\n",
               options_.dry_run ? "trial run, nothing was changed; " : "", rows_, created_, unchanged_, changed_,
               refused_);
    if (!products_.empty()) fmt::print("products created: {}\n", fmt::join(products_, " "));
    if (nicknames_left_out_ > 0) {
      fmt::print("{} nicknames were left out: too long or not UTF-8\n", nicknames_left_out_);
    }
    for (std::size_t i = 0; i < std::min(refusals_.size(), kRefusalsShown); ++i) {
      const boost::json::object& refusal = refusals_[i].as_object();
      fmt::print("line {}: {}\n", text_of(refusal, "line"), text_of(refusal, "reason"));
    }
    if (refused_ > kRefusalsShown) fmt::print("... and {} more\n", refused_ - kRefusalsShown);
  }

  struct Seen {
    std::size_t line;
    std::size_t secret_hash;
  };
  const TransferOptions& options_;
  AdminClient& client_;
  std::unordered_map<base::DeviceKey, Seen, base::DeviceKeyHash, base::DeviceKeyEqual> seen_;
  boost::json::array batch_;
  std::vector<std::size_t> lines_;  // of the rows in batch_
  boost::json::array refusals_;
  std::set<std::string> products_;
  std::uint64_t rows_ = 0, created_ = 0, unchanged_ = 0, changed_ = 0, refused_ = 0, nicknames_left_out_ = 0;
};

Result<> run_import(const TransferOptions& options, AdminClient& client, const std::string& text) {
  DeviceImport import(options, client);
  if (auto done = import.run(text); !done) {
    return fail(done.error().code, fmt::format("{}: {}", options.file, done.error().message));
  }
  import.print();
  if (import.refused() == 0) return {};
  return fail(Errc::kUnavailable,
              fmt::format("{}: {} of {} rows were refused", options.file, import.refused(), import.rows()));
}

Result<> write_devices(const TransferOptions& options, AdminClient& client, std::FILE* out) {
  std::string header = api::csv_line({"ProductKey", "DeviceName", "DeviceSecret", "NickName", "IotId", "Status"});
  std::fwrite(header.data(), 1, header.size(), out);
  std::string target = "devices:export?limit=5000";
  if (!options.product_key.empty()) target += "&productKey=" + base::percent_encoded(options.product_key);
  const auto done = for_each_page(client, target, [&](const boost::json::array& items) -> Result<> {
    std::string lines;
    for (const boost::json::value& item : items) {
      const boost::json::object& device = item.as_object();
      lines +=
          api::csv_line({text_of(device, "productKey"), text_of(device, "deviceName"), text_of(device, "deviceSecret"),
                         text_of(device, "nickname"), text_of(device, "iotId"), text_of(device, "status")});
    }
    if (std::fwrite(lines.data(), 1, lines.size(), out) == lines.size()) return {};
    return fail(Errc::kIo, fmt::format("cannot write: {}", why()));
  });
  if (!done) return done;
  if (std::fflush(out) != 0) return fail(Errc::kIo, fmt::format("cannot write: {}", why()));
  return {};
}

// The file holds secrets, so only its owner may read it; it appears under its name when it is complete.
Result<> write_file(const TransferOptions& options, AdminClient& client) {
  const std::string partial = options.file + ".partial";
  ::unlink(partial.c_str());
  const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Errc::kIo, fmt::format("cannot write {}: {}", partial, why()));
  std::FILE* file = ::fdopen(fd, "w");
  auto done = write_devices(options, client, file);
  if (std::fclose(file) != 0 && done) done = fail(Errc::kIo, fmt::format("cannot write {}: {}", partial, why()));
  if (done && ::rename(partial.c_str(), options.file.c_str()) != 0) {
    done = fail(Errc::kIo, fmt::format("cannot write {}: {}", options.file, why()));
  }
  if (!done) ::unlink(partial.c_str());
  return done;
}

Result<> export_json(const TransferOptions& options, AdminClient& client) {
  ListPrinter printer(true, {});
  std::string target = "devices:export?limit=5000";
  if (!options.product_key.empty()) target += "&productKey=" + base::percent_encoded(options.product_key);
  const auto done = for_each_page(client, target, [&](const boost::json::array& items) -> Result<> {
    printer.add(items);
    return {};
  });
  if (done) printer.finish();
  return done;
}

Result<> run_export(const TransferOptions& options, AdminClient& client) {
  if (options.json) return export_json(options, client);
  if (options.file.empty() || options.file == "-") return write_devices(options, client, stdout);
  return write_file(options, client);
}

}  // namespace

void add_transfer_commands(CLI::App& device, int& exit_status) {
  auto taken = std::make_shared<TransferOptions>();
  CLI::App* import = device.add_subcommand("import", "Import devices with their secrets from a CSV file");
  add_common_options(*import, *taken);
  import->add_option("file", taken->file, "CSV file with at least ProductKey, DeviceName, DeviceSecret; - is stdin")
      ->required();
  import->add_flag("--dry-run", taken->dry_run, "Report only, change nothing");
  import->footer("Can be run twice. Exit status 1 if a row was refused; all others are imported.");
  import->callback([taken, &exit_status] {
    // Before anything else: a file that cannot be read must not leave an empty data folder behind.
    const auto text = read_file(taken->file);
  exit_status = !text ? report_failure(text.error())
                      : run_with_client(*taken, DataFolder::kCreateIfMissing,
                                        [&](AdminClient& client) { return run_import(*taken, client, *text); });
});

auto given = std::make_shared<TransferOptions>();
CLI::App* exported = device.add_subcommand("export", "Export devices with their secrets as CSV");
add_common_options(*exported, *given);
exported->add_option("--product-key", given->product_key, "Only of this product");
exported->add_option("file", given->file, "File to write; default stdout")->excludes("--json");
exported->callback([given, &exit_status] {
  exit_status =
      run_with_client(*given, DataFolder::kMustExist, [&](AdminClient& client) { return run_export(*given, client); });
});
}  // namespace mooring::app

}  // namespace mooring::app
