// How a ticket is used: its MQTT user name is "ticket:" and its id, its password is its secret. No account may have
// such a name (registry/names.h).
#pragma once

#include <string>
#include <string_view>

#include "registry/names.h"
#include "registry/tickets.h"

namespace mooring::api {

inline constexpr std::size_t kTicketSecretCharacters = 32;  // 190 bits

inline std::string ticket_user_name(std::string_view id) {
  return std::string(registry::kTicketNamePrefix) + std::string(id);
}

}  // namespace mooring::api
