// Fuzzes what a stranger's HTTP request to the devices' interface reaches: the fields of its body, as a form and as
// JSON, the decisions about them, and tokens.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "auth/device_http.h"
#include "auth/server_token.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "deviceapi/answers.h"
#include "deviceapi/request_fields.h"

namespace {

using namespace mooring;
constexpr base::WallMs kNow = 1'700'000'000'000;

void check_fields(const auth::HttpFields& fields) {
  MOORING_ASSERT(fields.size() <= deviceapi::kFieldsMax);
  if (const auto registration = auth::begin_http_registration(fields)) {
    MOORING_ASSERT(registration->random.size() <= auth::kRandomBytesMax && !registration->device.device_name.empty());
    MOORING_ASSERT(auth::check_registration(*registration, "no input can hold a code made with this").has_value());
  }
  auth::CredentialRecord record;
  record.device_secret = "nor one made with this";
  for (const auto service : {auth::HttpService::kPreauth, auth::HttpService::kLogin}) {
    const auto sign_in = auth::begin_http_sign_in(service, fields, kNow);
    if (sign_in) MOORING_ASSERT(auth::finish_http_sign_in(service, *sign_in, &record).has_value());
  }
}

void check_token(std::string_view text) {
  const auto claim = auth::parse_token(text);
  if (!claim) return;
  MOORING_ASSERT(auth::looks_like_token(text) && text.size() <= auth::kTokenBytesMax);
  MOORING_ASSERT(!claim->device.product_key.empty() && !claim->device.device_name.empty());
  auth::CredentialRecord record;
  record.device_secret = "a secret";
  MOORING_ASSERT(auth::check_publish_token(*claim, std::string(64, 'k'), &record, kNow).has_value());
}

void check_place(std::string_view text) {
  http::Request request;
  request.fields = {{"Host", std::string(text)}};
  const deviceapi::MqttPlace place = deviceapi::mqtt_place(request, true, "", 0);
  MOORING_ASSERT(place.host.find_first_of("\"\\ \r\n/") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  if (const auto fields = deviceapi::read_form(text)) check_fields(*fields);
  if (const auto fields = deviceapi::read_json(text)) check_fields(*fields);
  check_token(text);
  check_place(text);
  return 0;
}
