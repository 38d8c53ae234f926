// Caller: on whose behalf a request of the admin API is made. Decided before the request is worked on; a value.
#pragma once

#include <string>

#include "registry/api_tokens.h"

namespace mooring::api {

struct Caller {
  registry::Role role = registry::Role::kViewer;
  std::string account;        // an account that signed in itself: it may care for its own tickets and nothing else
  std::string password_hash;  // that the account's password was checked against
  std::string label;          // for people: "token ci", "account back-end", "user admin"
  std::string user = {};      // of the console, signed in with a session
  std::string address = {};   // of the peer; empty: this machine, over the data folder

  bool is_account() const { return !account.empty(); }
  bool at_least(registry::Role wanted) const { return !is_account() && role >= wanted; }

  // Whoever can open the data folder could change the registry's file as well.
  static Caller local_operator() { return {registry::Role::kAdmin, {}, {}, "the local operator"}; }
  static Caller of_token(const registry::ApiToken& token) { return {token.role, {}, {}, "token " + token.name}; }
  static Caller of_user(std::string name, registry::Role role) {
    std::string label = "user " + name;
    return {role, {}, {}, std::move(label), std::move(name)};
  }
  static Caller of_account(std::string name, std::string password_hash) {
    std::string label = "account " + name;
    return {registry::Role::kViewer, std::move(name), std::move(password_hash), std::move(label)};
  }
};

}  // namespace mooring::api
