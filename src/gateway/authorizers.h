// Authorizers: what a device, an account, and the operator of the local socket may publish and subscribe to.
#pragma once

#include <memory>
#include <string>

#include "auth/permissions.h"
#include "broker/ports.h"
#include "gateway/account_cache.h"
#include "gateway/credential_cache.h"

namespace mooring::gateway {

// A device of profile `aliyun`: connection.md section 13. Follows changes of its product's topic classes.
class DeviceAuthorizer final : public broker::Authorizer {
 public:
  // `product`: the device's.
  DeviceAuthorizer(const base::DeviceKeyView& device, std::shared_ptr<const ProductRules> product,
                   std::uint32_t ext_bits, auth::TopicLimits limits);
  Verdict may_publish(std::string_view topic) const override;
  Verdict may_subscribe(std::string_view filter) const override;
  std::uint64_t revision() const override { return product_->revision; }

 private:
  auth::DevicePermissions permissions() const {
    return {{product_->product_key, device_name_}, *product_->classes, ext_bits_, limits_};
  }

  const std::shared_ptr<const ProductRules> product_;
  const std::string device_name_;
  const std::uint32_t ext_bits_;
  const auth::TopicLimits limits_;
};

// Follows changes of the account's permissions.
class AccountAuthorizer final : public broker::Authorizer {
 public:
  explicit AccountAuthorizer(std::shared_ptr<const AccountRules> account) : account_(std::move(account)) {}
  Verdict may_publish(std::string_view topic) const override;
  Verdict may_subscribe(std::string_view filter) const override;
  std::uint64_t revision() const override { return account_->revision; }

 private:
  const std::shared_ptr<const AccountRules> account_;
};

class OperatorAuthorizer final : public broker::Authorizer {
 public:
  Verdict may_publish(std::string_view) const override { return Verdict::kAllowed; }
  Verdict may_subscribe(std::string_view) const override { return Verdict::kAllowed; }
  std::uint64_t revision() const override { return 0; }
};

}  // namespace mooring::gateway
