// ResultLine: one JSON object on one line, with its members in the order they were added.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace mooring::bench {

class ResultLine {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, const char* text) { add(name, std::string_view(text)); }
  void add(std::string_view name, bool value) { add_raw(name, value ? "true" : "false"); }
  void add(std::string_view name, double value);  // rounded to four digits behind the point
  template <std::integral Integer>
  void add(std::string_view name, Integer value) {
    add_raw(name, std::to_string(value));
  }
  void print() const;  // on stdout

 private:
  void add_raw(std::string_view name, std::string_view json);
  std::string members_;
};

}  // namespace mooring::bench
