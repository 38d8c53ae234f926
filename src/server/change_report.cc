#include "server/change_report.h"

#include <algorithm>
#include <optional>

namespace mooring::server {
namespace {

using Kind = registry::Change::Kind;
using journal::Action;

std::optional<Action> action_of(Kind kind) {
  switch (kind) {
    case Kind::kDeviceEnabled:
      return Action::kEnabled;
    case Kind::kDeviceDisabled:
      return Action::kDisabled;
    case Kind::kDeviceDeleted:
      return Action::kDeleted;
    default:
      return std::nullopt;
  }
}

}  // namespace

void report_changes(std::span<const registry::Change> changes, journal::DeviceLog& log) {
  const bool whole_product =
      std::ranges::any_of(changes, [](const registry::Change& change) { return change.kind == Kind::kProductDeleted; });
  for (const registry::Change& change : changes) {
    const auto action = action_of(change.kind);
    if (!action || (whole_product && *action == Action::kDeleted)) continue;
    log.record({.device = change.key, .action = *action, .reason = std::string(to_text(*action))});
  }
}

}  // namespace mooring::server
