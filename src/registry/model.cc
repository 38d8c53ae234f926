#include "registry/model.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace mooring::registry {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<Profile, 2> kProfiles{{{Profile::kAliyun, "aliyun"}, {Profile::kMqtt, "mqtt"}}};
constexpr Names<DynamicRegistration, 3> kDynamicRegistrations{
    {{DynamicRegistration::kOff, "off"},
     {DynamicRegistration::kOn, "on"},
     {DynamicRegistration::kOnWithoutPreregistration, "on-without-preregistration"}}};
constexpr Names<AuthType, 2> kAuthTypes{{{AuthType::kSecret, "secret"}, {AuthType::kX509, "x509"}}};
constexpr Names<FirstUse, 3> kFirstUses{
    {{FirstUse::kOff, "off"}, {FirstUse::kExisting, "existing"}, {FirstUse::kCreate, "create"}}};
constexpr Names<TopicRight, 3> kTopicRights{
    {{TopicRight::kPublish, "pub"}, {TopicRight::kSubscribe, "sub"}, {TopicRight::kAll, "all"}}};
constexpr Names<AccountRight, 3> kAccountRights{
    {{AccountRight::kPublish, "publish"}, {AccountRight::kSubscribe, "subscribe"}, {AccountRight::kAll, "all"}}};
constexpr Names<DeviceStatus, 4> kDeviceStatuses{{{DeviceStatus::kUnactive, "UNACTIVE"},
                                                  {DeviceStatus::kOnline, "ONLINE"},
                                                  {DeviceStatus::kOffline, "OFFLINE"},
                                                  {DeviceStatus::kDisable, "DISABLE"}}};

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "unknown";
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (base::iequals(name, text)) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(Profile profile) {
  return name_of(kProfiles, profile);
}
std::string_view to_text(DynamicRegistration dynamic_registration) {
  return name_of(kDynamicRegistrations, dynamic_registration);
}
std::string_view to_text(AuthType auth_type) {
  return name_of(kAuthTypes, auth_type);
}
std::string_view to_text(FirstUse first_use) {
  return name_of(kFirstUses, first_use);
}
std::string_view to_text(TopicRight right) {
  return name_of(kTopicRights, right);
}
std::string_view to_text(DeviceStatus status) {
  return name_of(kDeviceStatuses, status);
}
std::string_view to_text(AccountRight right) {
  return name_of(kAccountRights, right);
}

std::optional<Profile> profile_from_text(std::string_view text) {
  return value_of(kProfiles, text);
}
std::optional<DynamicRegistration> dynamic_registration_from_text(std::string_view text) {
  return value_of(kDynamicRegistrations, text);
}
std::optional<AuthType> auth_type_from_text(std::string_view text) {
  return value_of(kAuthTypes, text);
}
std::optional<FirstUse> first_use_from_text(std::string_view text) {
  return value_of(kFirstUses, text);
}
std::optional<TopicRight> topic_right_from_text(std::string_view text) {
  return value_of(kTopicRights, text);
}
std::optional<DeviceStatus> device_status_from_text(std::string_view text) {
  return value_of(kDeviceStatuses, text);
}
std::optional<AccountRight> account_right_from_text(std::string_view text) {
  return value_of(kAccountRights, text);
}

}  // namespace mooring::registry
