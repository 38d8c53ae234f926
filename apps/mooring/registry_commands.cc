#include "registry_commands.h"

#include <CLI/CLI.hpp>

#include "account_commands.h"
#include "authority_commands.h"
#include "device_commands.h"
#include "product_commands.h"
#include "ticket_commands.h"
#include "token_commands.h"
#include "user_commands.h"

namespace mooring::app {

void add_registry_commands(CLI::App& app, int& exit_status) {
  add_product_commands(app, exit_status);
  add_device_commands(app, exit_status);
  add_account_commands(app, exit_status);
  add_ticket_commands(app, exit_status);
  add_token_commands(app, exit_status);
  add_user_commands(app, exit_status);
  add_authority_commands(app, exit_status);
}

}  // namespace mooring::app
