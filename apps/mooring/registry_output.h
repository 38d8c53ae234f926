// What the registry commands share: their common options, calls of the admin API, and output for people.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin_client.h"
#include "base/result.h"
#include "remote_client.h"

namespace CLI {
class App;
}

namespace mooring::app {

struct CommonOptions {
  std::string data = "./mooring-data";
  RemoteServer remote;  // its URL is empty: the data folder
  bool json = false;
};
void add_common_options(CLI::App& command, CommonOptions& options);

// One call; an answer that is an error becomes an Error with the server's message (kInvalidArgument for wrong input).
base::Result<boost::json::value> call(AdminClient& client, std::string_view method, const std::string& target,
                                      const boost::json::value& body = nullptr);
// The items of a list, page by page; `target` has a query already ("...?limit=100"), unless the list has
// one page. Ends at the first error.
base::Result<> for_each_page(AdminClient& client, const std::string& target,
                             const std::function<base::Result<>(const boost::json::array& items)>& take);

std::string product_path(std::string_view product_key);
std::string device_path(std::string_view product_key, std::string_view device_name);

// A member as text: texts as they are, null as "-", a missing one as "".
std::string text_of(const boost::json::object& object, std::string_view name);

// Rows in columns as wide as their widest cell; prints to stdout.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Prints what was gathered and forgets it; the titles only the first time.
  void print();

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

// "name: value" lines for one product or device.
void print_members(const boost::json::object& object);
void print_json(const boost::json::value& value);
// The answer about one object, as its command was asked to print it; or why there is none.
base::Result<> print_answer(const CommonOptions& options, const base::Result<boost::json::value>& answer);

// The items of a list as one JSON array on stdout, or as a table.
class ListPrinter {
 public:
  ListPrinter(bool json, std::vector<std::string> columns);
  void add(const boost::json::array& items);
  void finish();

 private:
  bool json_;
  std::vector<std::string> columns_;
  Table table_;
  bool empty_ = true;
};

// A whole list, printed page by page as above. `target` as of for_each_page().
base::Result<> print_list(AdminClient& client, const std::string& target, bool json, std::vector<std::string> columns);

// Runs a command's body on an open client; prints its failure; the exit status.
int run_with_client(const CommonOptions& options, DataFolder folder,
                    const std::function<base::Result<>(AdminClient&)>& body);

}  // namespace mooring::app
