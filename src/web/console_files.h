// ConsoleFiles: the web console as it was built into the program, under /console/. Immutable after construction; any
// thread. Addresses that are no file show the console's page, which finds its own way; nothing outside of this server
// is ever loaded (Content-Security-Policy).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "http/message.h"

namespace mooring::web {

class ConsoleFiles {
 public:
  // What tools/pack_files made; it must outlive this. Not well-formed: as if there were no files.
  explicit ConsoleFiles(std::string_view bundle);
  static bool is_for_console(std::string_view path) { return path == "/console" || path.starts_with("/console/"); }
  http::Response answer(const http::Request& request) const;

 private:
  struct File {
    std::string etag;
    std::string_view plain;
    std::string_view compressed;  // gzip; empty: not worth it
  };
  const File* find(std::string_view name) const;

  std::map<std::string, File, std::less<>> files_;
};

// The console of this program.
std::string_view console_bundle();

}  // namespace mooring::web
