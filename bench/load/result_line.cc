#include "result_line.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdio>

namespace mooring::bench {

void ResultLine::add(std::string_view name, std::string_view text) {
  add_raw(name, boost::json::serialize(boost::json::string_view(text.data(), text.size())));
}

void ResultLine::add(std::string_view name, double value) {
  add_raw(name, fmt::format("{}", std::round(value * 10'000) / 10'000));
}

void ResultLine::add_raw(std::string_view name, std::string_view json) {
  members_ += fmt::format("{}\"{}\":{}", members_.empty() ? "" : ",", name, json);
}

void ResultLine::print() const {
  fmt::print("{{{}}}\n", members_);
  std::fflush(stdout);
}

}  // namespace mooring::bench
