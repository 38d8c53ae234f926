#include "gateway/authorizers.h"

#include <utility>

namespace mooring::gateway {
namespace {

broker::Authorizer::Verdict to_verdict(auth::Permission permission) {
  switch (permission) {
    case auth::Permission::kAllowed:
      return broker::Authorizer::Verdict::kAllowed;
    case auth::Permission::kNotPermitted:
      return broker::Authorizer::Verdict::kNotPermitted;
    case auth::Permission::kTooLong:
      return broker::Authorizer::Verdict::kTooLong;
  }
  return broker::Authorizer::Verdict::kNotPermitted;
}

}  // namespace

DeviceAuthorizer::DeviceAuthorizer(const base::DeviceKeyView& device, std::shared_ptr<const ProductRules> product,
                                   std::uint32_t ext_bits, auth::TopicLimits limits)
    : product_(std::move(product)), device_name_(device.device_name), ext_bits_(ext_bits), limits_(limits) {}

broker::Authorizer::Verdict DeviceAuthorizer::may_publish(std::string_view topic) const {
  return to_verdict(permissions().may_publish(topic));
}

broker::Authorizer::Verdict DeviceAuthorizer::may_subscribe(std::string_view filter) const {
  return to_verdict(permissions().may_subscribe(filter));
}

broker::Authorizer::Verdict AccountAuthorizer::may_publish(std::string_view topic) const {
  return account_->permissions->may_publish(topic) ? Verdict::kAllowed : Verdict::kNotPermitted;
}

broker::Authorizer::Verdict AccountAuthorizer::may_subscribe(std::string_view filter) const {
  return account_->permissions->may_subscribe(filter) ? Verdict::kAllowed : Verdict::kNotPermitted;
}

}  // namespace mooring::gateway
