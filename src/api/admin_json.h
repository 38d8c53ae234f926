// Private to the module: products, devices and accounts as JSON.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/clock.h"
#include "registry/registry.h"

namespace mooring::api {

enum class Secrets { kShow, kHide };

boost::json::object to_json(const registry::Product& product, Secrets secrets);
boost::json::object to_json(const registry::Device& device, Secrets secrets);
boost::json::object to_json(const registry::Account& account);                     // without the password's hash
boost::json::object to_json(const registry::Ticket& ticket, base::WallMs now_ms);  // without the secret's hash
boost::json::object to_json(const registry::ApiToken& token);                      // likewise
boost::json::object to_json(const registry::Authority& authority);                 // without the PEM text
boost::json::object to_json(const registry::BoundCertificate& certificate);
// "2026-11-22T08:30:00.000Z"; null for 0.
boost::json::value time_json(base::WallMs time_ms);

}  // namespace mooring::api
