// Private to the module: what changes leave behind in the audit log.
#pragma once

#include <string_view>

#include "api/admin_operations.h"

namespace mooring::api {

// The body as JSON for the log: secrets hidden, lists as their number, and nothing that is longer than an entry may be.
std::string audit_text(const boost::json::value& body);

// One entry; that it could not be written is an error of the change.
ApiResult<void> record_audit(AdminContext& context, registry::AuditEntry entry);
registry::AuditEntry audit_entry(const Caller& caller, std::string_view method, std::string_view pattern,
                                 const std::vector<std::string>& path);

}  // namespace mooring::api
