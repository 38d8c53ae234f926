// Passwords of commands: given, or from stdin, so that they do not show in the list of processes.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace mooring::app {

// The first line of stdin without its end; on a terminal it is asked for and not shown. Reads not a byte beyond the
// line, so that what follows is left for others. kInvalidArgument: the line is empty or longer than 1,024 bytes.
base::Result<std::string> read_password();

struct PasswordOptions {
  std::string given;
  bool from_stdin = false;
};
// --password, with its help, and --password-stdin, of which at most one may be given.
void add_password_options(CLI::App& command, PasswordOptions& options, const char* help);
// Puts the password into the body of a call, if there is one. Errors: those of read_password().
base::Result<> add_password(const PasswordOptions& options, boost::json::object& body);

}  // namespace mooring::app
