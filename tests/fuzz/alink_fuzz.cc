// Fuzzes what a device's request to a built-in service reaches: the JSON, the proofs in it, and what is written back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "auth/child_sign_in.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "things/alink.h"

namespace {

using namespace mooring;

void check_item(const auth::HttpFields& fields) {
  MOORING_ASSERT(fields.size() <= 2 * things::kRequestFieldsMax);
  if (const auto device = things::device_of(fields)) {
    MOORING_ASSERT(!device->product_key.empty() && !device->device_name.empty());
    // What a device named comes back as JSON that holds it.
    things::Answer answer;
    const std::string data = things::to_json(*device);
    answer.data = data;
    const std::string text = "{\"params\":" + things::to_json(answer) + "}";
    MOORING_ASSERT(things::read_request(base::as_bytes(text), "").has_value());
  }
  const auto child = auth::begin_child_sign_in(fields);
  if (!child) return;
  MOORING_ASSERT(!child->device.device_name.empty());
  auth::CredentialRecord record;
  record.device_secret = "no input can hold a code made with this";
  const base::DeviceKey gateway{"pk", "gateway"};
  MOORING_ASSERT(auth::check_child(auth::ChildProof::kLogin, *child, &record, gateway, true).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::string_view list : {"", "deviceList", "proxieds"}) {
    const auto request = things::read_request({data, size}, list);
    if (!request) continue;
    MOORING_ASSERT(request->items.size() <= things::kRequestItemsMax);
    MOORING_ASSERT(request->id.size() <= things::kRequestIdBytesMax);
    for (const auth::HttpFields& fields : request->items) check_item(fields);
  }
  const std::string_view text = base::as_text({data, size});
  MOORING_ASSERT(things::method_of(text).size() <= text.size());
  return 0;
}
