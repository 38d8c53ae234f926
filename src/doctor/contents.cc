#include "doctor/contents.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mooring::doctor {
namespace {

using Style = FormVariant::Style;

constexpr std::string_view kSdkTimestamp = "2524608000000";

std::string to_upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

// Every order of these letters but the right one. With a timestamp there are 23, without 5.
std::vector<std::string_view> wrong_orders(bool with_timestamp) {
  static constexpr std::array<std::string_view, 24> kOrders{
      "cdpt", "cdtp", "cpdt", "cptd", "ctdp", "ctpd", "dcpt", "dctp", "dpct", "dptc", "dtcp", "dtpc",
      "pcdt", "pctd", "pdct", "pdtc", "ptcd", "ptdc", "tcdp", "tcpd", "tdcp", "tdpc", "tpcd", "tpdc"};
  std::vector<std::string_view> out;
  for (const std::string_view order : kOrders) {
    if (order == "cdpt" || (!with_timestamp && order.back() != 't')) continue;
    out.push_back(order);
  }
  return out;
}

std::string spelled(std::string_view order, bool with_timestamp) {
  std::string out;
  for (const char field : order) {
    if (field == 't' && !with_timestamp) continue;
    if (!out.empty()) out += ", ";
    out += field == 'c' ? "clientId" : field == 'd' ? "deviceName" : field == 'p' ? "productKey" : "timestamp";
  }
  return out;
}

}  // namespace

std::vector<BaseVariant> base_variants(const SignedParts& parts, const base::DeviceKey& device) {
  const std::string base(parts.base);
  const std::string& pk = device.product_key;
  const std::string& dn = device.device_name;
  std::vector<BaseVariant> out;
  out.push_back({base, {}});
  const auto add = [&](std::string other, std::string name, std::string text, std::string advice) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const BaseVariant& one) { return one.base == other; });
    if (!known) out.push_back({std::move(other), {std::move(name), std::move(text), std::move(advice)}});
  };
  add(std::string(parts.client_id), "client-id-with-parameters",
      "The whole client identifier was signed, with the parameters between the pipes.",
      "Sign only what stands before the first '|' of the client identifier.");
  if (parts.client_id.ends_with('|')) {
    add(std::string(parts.client_id.substr(0, parts.client_id.size() - 1)), "client-id-with-parameters",
        "The client identifier was signed with its parameters.",
        "Sign only what stands before the first '|' of the client identifier.");
  }
  add(base + "|", "client-id-with-pipe", "The pipe behind the client identifier was signed, too.",
      "Sign only what stands before the first '|'.");
  const auto other_base = [&](std::string other, const char* shown) {
    add(std::move(other), "other-client-id",
        std::string("The signed clientId is ") + shown + ", but the CONNECT carries another one before the first '|'.",
        std::string("Send ") + shown + " before the first '|' of the client identifier, or sign what is sent there.");
  };
  other_base(pk + "." + dn, "productKey.deviceName");
  other_base(dn, "the bare device name");
  other_base(pk + "&" + dn, "productKey&deviceName");
  other_base(dn + "&" + pk, "deviceName&productKey");
  other_base(dn + "." + pk, "deviceName.productKey");
  other_base(pk, "the product key");
  other_base(pk + dn, "product key and device name without a point");
  for (const std::string& prefix : {pk + ".", pk + "&", dn + ".", dn + "&"}) {
    if (base.starts_with(prefix)) other_base(base.substr(prefix.size()), "what follows the prefix");
  }
  other_base(pk + "." + base, "productKey and a point before the client identifier that was sent");
  add("", "client-id-empty", "The clientId was signed as an empty text.",
      "Put what stands before the first '|' behind the word clientId in the signed text.");
  add(base::to_lower(base), "client-id-case", "The clientId was signed in lower case, but sent otherwise.",
      "Send and sign the client identifier in the same case.");
  add(to_upper(base), "client-id-case", "The clientId was signed in upper case, but sent otherwise.",
      "Send and sign the client identifier in the same case.");
  add(std::string(base::trim(base)), "client-id-with-blank", "The client identifier was sent with a blank or line end.",
      "Send and sign the same text.");
  return out;
}

std::vector<TimestampVariant> timestamp_variants(const SignedParts& parts) {
  std::vector<TimestampVariant> out;
  out.push_back({parts.timestamp, {}});
  if (parts.timestamp) {
    out.push_back({std::nullopt,
                   {"timestamp-not-signed", "The CONNECT carries a timestamp, but it was not signed.",
                    "Append \"timestamp\" and its value to the signed text, or leave timestamp out of the client "
                    "identifier."}});
    out.push_back({std::string(),
                   {"timestamp-without-value", "The word timestamp was signed without its value.",
                    "Append the value that the client identifier carries."}});
    if (*parts.timestamp != kSdkTimestamp) {
      out.push_back({std::string(kSdkTimestamp),
                     {"other-timestamp", "Another timestamp was signed (2524608000000) than was sent.",
                      "Sign the very text that stands behind timestamp= in the client identifier."}});
    }
    if (parts.timestamp->size() == 13) {
      out.push_back({parts.timestamp->substr(0, 10),
                     {"other-timestamp", "The timestamp was signed in seconds, but sent in milliseconds.",
                      "Sign the very text that stands behind timestamp= in the client identifier."}});
    }
    if (parts.timestamp->size() == 10) {
      out.push_back({*parts.timestamp + "000",
                     {"other-timestamp", "The timestamp was signed in milliseconds, but sent in seconds.",
                      "Sign the very text that stands behind timestamp= in the client identifier."}});
    }
  } else {
    out.push_back({std::string(kSdkTimestamp),
                   {"timestamp-not-sent", "A timestamp was signed (2524608000000), but the CONNECT carries none.",
                    "Add timestamp=2524608000000 to the client identifier, or do not sign it."}});
    out.push_back({std::string(),
                   {"timestamp-not-sent", "The word timestamp was signed, but the CONNECT carries none.",
                    "Leave it out of the signed text, or send timestamp= in the client identifier."}});
  }
  return out;
}

std::vector<NamesVariant> names_variants(const base::DeviceKey& device) {
  std::vector<NamesVariant> out;
  out.push_back({device, {}});
  const auto add = [&](base::DeviceKey names, std::string name, std::string text, std::string advice) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const NamesVariant& one) { return one.names == names; });
    if (!known) out.push_back({std::move(names), {std::move(name), std::move(text), std::move(advice)}});
  };
  add({device.device_name, device.product_key}, "signed-names-swapped",
      "In the signed text product key and device name have changed places.",
      "Sign ...deviceName<device name>productKey<product key>...");
  const std::string same = "Sign the names in exactly the case in which they are sent and registered.";
  add({base::to_lower(device.product_key), base::to_lower(device.device_name)}, "signed-names-case",
      "The names were signed in lower case.", same);
  add({to_upper(device.product_key), to_upper(device.device_name)}, "signed-names-case",
      "The names were signed in upper case.", same);
  add({device.product_key, base::to_lower(device.device_name)}, "signed-names-case",
      "The device name was signed in lower case.", same);
  add({base::to_lower(device.product_key), device.device_name}, "signed-names-case",
      "The product key was signed in lower case.", same);
  add({device.product_key, device.device_name + "&" + device.product_key}, "signed-user-name",
      "The whole user name was signed as deviceName.", "Sign the bare device name behind the word deviceName.");
  return out;
}

std::vector<FormVariant> form_variants(const SignedParts& parts) {
  std::vector<FormVariant> out;
  out.push_back({Style::kKeyed, "cdpt", {}, {}});
  const std::string right =
      "Sign clientId, deviceName, productKey and, if it is sent, timestamp in this order, each word "
      "directly followed by its value.";
  for (const std::string_view order : wrong_orders(parts.timestamp.has_value())) {
    out.push_back(
        {Style::kKeyed,
         order,
         {},
         {"field-order", "The fields were signed in the order " + spelled(order, parts.timestamp.has_value()) + ".",
          right}});
  }
  out.push_back(
      {Style::kValues, "cdpt", {}, {"values-only", "Only the values were signed, without their names.", right}});
  out.push_back({Style::kLowerKeys,
                 "cdpt",
                 {},
                 {"field-name-case",
                  "The names of the fields were signed in lower case (clientid, devicename, productkey).", right}});
  out.push_back({Style::kQuery,
                 "cdpt",
                 {},
                 {"field-separators", "The fields were signed with '=' and '&' between them, like a query.", right}});
  out.push_back({Style::kColons,
                 "cdpt",
                 {},
                 {"field-separators", "The fields were signed with '=' and ',' between them.", right}});
  const std::string more_advice =
      "Only clientId, deviceName, productKey and timestamp are signed; leave every other parameter out.";
  if (!parts.sign_method.empty()) {
    const std::string more = "signmethod" + std::string(parts.sign_method);
    out.push_back({Style::kKeyedWithMore,
                   "cdpt",
                   more,
                   {"other-parameters-signed", "The parameter signmethod was signed, too.", more_advice}});
    if (!parts.secure_mode.empty()) {
      out.push_back(
          {Style::kKeyedWithMore,
           "cdpt",
           "securemode" + std::string(parts.secure_mode) + more,
           {"other-parameters-signed", "The parameters securemode and signmethod were signed, too.", more_advice}});
    }
  }
  if (!parts.secure_mode.empty()) {
    out.push_back({Style::kKeyedWithMore,
                   "cdpt",
                   "securemode" + std::string(parts.secure_mode),
                   {"other-parameters-signed", "The parameter securemode was signed, too.", more_advice}});
  }
  return out;
}

std::string signed_text(const BaseVariant& base, const TimestampVariant& timestamp, const NamesVariant& names,
                        const FormVariant& form) {
  std::string out;
  const auto field = [&](std::string_view name, std::string_view value) {
    switch (form.style) {
      case Style::kKeyed:
      case Style::kKeyedWithMore:
        out.append(name).append(value);
        break;
      case Style::kLowerKeys:
        out.append(base::to_lower(name)).append(value);
        break;
      case Style::kValues:
        out.append(value);
        break;
      case Style::kQuery:
      case Style::kColons:
        if (!out.empty()) out += form.style == Style::kQuery ? '&' : ',';
        out.append(name).append("=").append(value);
        break;
    }
  };
  for (const char letter : form.order) {
    if (letter == 'c') field("clientId", base.base);
    if (letter == 'd') field("deviceName", names.names.device_name);
    if (letter == 'p') {
      field("productKey", names.names.product_key);
      if (form.style == Style::kKeyedWithMore) out += form.more;
    }
    if (letter == 't' && timestamp.timestamp) field("timestamp", *timestamp.timestamp);
  }
  return out;
}

}  // namespace mooring::doctor
