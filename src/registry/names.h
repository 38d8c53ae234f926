// Rules for keys, names, secrets, topic classes (connection.md sections 1 and 13) and accounts, and the making of new
// ones.
// Pure functions, any thread. Messages never repeat a secret.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "registry/model.h"

namespace mooring::registry {

base::Result<> check_product_key(std::string_view product_key);  // 1-20 letters and digits
// 1-64 of A-Z a-z 0-9 - _ @ . : ; wider than the 4-32 that the cloud issues, because a fleet that moves keeps its
// names.
base::Result<> check_device_name(std::string_view device_name);
// 1-64 printable ASCII characters without blanks; `what` names it in the message.
base::Result<> check_secret(std::string_view secret, std::string_view what);
base::Result<> check_title(std::string_view title, std::string_view what);  // at most 128 bytes of UTF-8, no controls
base::Result<> check_iot_id(std::string_view iot_id);                       // 1-64 letters and digits
// Levels of letters, digits and `_` under `user/` (or the legacy update, get, ...), wildcards only with right `sub`,
// `#` last only.
base::Result<> check_topic_class(const TopicClass& topic_class);
base::Result<> check_topic_classes(const std::vector<TopicClass>& topic_classes);  // each, at most 50, no suffix twice
// "user/echo:all" -> class; checked.
base::Result<TopicClass> parse_topic_class(std::string_view text);

// What the MQTT user name of a ticket begins with.
inline constexpr std::string_view kTicketNamePrefix = "ticket:";
// 1-64 characters of UTF-8, not beginning with kTicketNamePrefix. Without '&', because that is how a user name says
// that it is a device's ("dn&pk"), without
// '|', which ends a device's client identifier, and without control characters, so that a line of a log stays one.
base::Result<> check_account_name(std::string_view name);
// At most 100, none twice; every filter is a text of 1 to 65,535 bytes. Whether it is a filter by the rules of MQTT is
// for the caller to find out: this module does not know them.
base::Result<> check_account_permissions(const std::vector<AccountPermission>& permissions);
// "publish:a/+/b" -> right and filter; the filter may have colons of its own.
base::Result<AccountPermission> parse_account_permission(std::string_view text);
std::string to_text(const AccountPermission& permission);  // the same text

// Keys, secrets and the like come from crypto/random.h; these two have a shape of their own.
std::string new_device_name(base::Random& random);  // 20 letters and digits
// 30 letters and digits; ids made later sort later, which keeps their index append-only while a fleet is imported.
std::string new_iot_id(base::Random& random, base::WallMs now_ms);

}  // namespace mooring::registry
