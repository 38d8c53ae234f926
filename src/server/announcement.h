// What `serve` tells: the ready line for programs on stdout, and the welcome for people on stderr.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "registry/model.h"
#include "server/first_start.h"
#include "server/listeners.h"

namespace mooring::server {

struct Announcement {
  std::vector<RunningListener> listeners;
  std::filesystem::path data;
  std::filesystem::path root_file;  // empty: own certificates are configured
  std::string root_fingerprint;
  std::vector<registry::Device> demo;   // shown with connect lines
  std::optional<FirstUser> first_user;  // of the console, made at this start
};

// "ready {...}": one line without its end.
std::string ready_line(const Announcement& announcement);
// URLs, root certificate, connect lines of the demo device. Holds the demo device's password.
std::string welcome(const Announcement& announcement);

}  // namespace mooring::server
