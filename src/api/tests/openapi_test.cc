// The OpenAPI document against the table of addresses: each describes all of the other.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "api/admin_service.h"

namespace mooring::api {
namespace {

const boost::json::value& document() {
  static const boost::json::value parsed = [] {
    const std::string_view text = AdminService::openapi_document();
    return boost::json::parse({text.data(), text.size()});
  }();
  return parsed;
}

std::string_view text_of(const boost::json::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

// "/products/{productKey}" as "products/*".
std::string pattern_of(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path.substr(1)) {
    if (c == '{') out += '*';
    if (c == '{' || c == '}') {
      inside = c == '{';
    } else if (!inside) {
      out += c;
    }
  }
  return out;
}

std::map<std::string, boost::json::object> described() {
  std::map<std::string, boost::json::object> out;
  for (const auto& path : document().at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      std::string name(operation.key());
      for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      out[name + ' ' + pattern_of(path.key())] = operation.value().as_object();
    }
  }
  return out;
}

TEST(OpenApiTest, every_address_is_described_and_every_description_has_an_address) {
  const auto operations = described();
  std::set<std::string> routes;
  for (const AdminService::RouteInfo& route : AdminService::routes()) {
    const std::string name = std::string(route.method) + ' ' + std::string(route.path);
    routes.insert(name);
    const auto found = operations.find(name);
    ASSERT_NE(found, operations.end()) << name << " is not described";
    const boost::json::object& operation = found->second;
    EXPECT_EQ(text_of(operation.at("x-role")), route.is_public ? "public" : registry::to_text(route.least_role))
        << name;
    EXPECT_EQ(operation.contains("x-accounts"), route.for_accounts && !route.is_public) << name;
    EXPECT_EQ(operation.contains("security"), route.is_public) << name;
  }
  for (const auto& [name, operation] : operations) {
    EXPECT_TRUE(routes.contains(name) || operation.contains("x-planned")) << name << " does not exist";
  }
}

void collect_references(const boost::json::value& value, std::set<std::string>& out) {
  if (value.is_array()) {
    for (const boost::json::value& item : value.as_array()) collect_references(item, out);
  } else if (value.is_object()) {
    for (const auto& member : value.as_object()) {
      if (member.key() == "$ref") {
        out.insert(std::string(text_of(member.value())));
      } else {
        collect_references(member.value(), out);
      }
    }
  }
}

TEST(OpenApiTest, every_reference_leads_somewhere) {
  std::set<std::string> references;
  collect_references(document(), references);
  EXPECT_GT(references.size(), 20U);
  for (const std::string& reference : references) {
    boost::json::error_code error;
    document().find_pointer(reference.substr(1), error);
    EXPECT_FALSE(error) << reference;
  }
}

TEST(OpenApiTest, operations_have_names_of_their_own) {
  std::set<std::string> names;
  for (const auto& [name, operation] : described()) {
    EXPECT_TRUE(names.insert(std::string(text_of(operation.at("operationId")))).second) << name;
    EXPECT_TRUE(operation.at("responses").as_object().contains("default")) << name;
  }
}

}  // namespace
}  // namespace mooring::api
