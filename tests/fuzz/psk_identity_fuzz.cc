// Fuzzes the identity of a TLS-PSK handshake, which a stranger sends before anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "auth/psk_identity.h"
#include "auth/sign_in.h"
#include "base/assert.h"
#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mooring;
  const std::string_view text = base::as_text({data, size});
  const auto identity = auth::parse_psk_identity(text);
  const auto named = auth::device_of_psk_identity(text);
  MOORING_ASSERT(!named || (!named->product_key.empty() && !named->device_name.empty()));
  if (!identity) return 0;
  const base::DeviceKeyView device = identity->device;
  MOORING_ASSERT(named && *named == device);
  MOORING_ASSERT(size <= auth::kMaxPskIdentityBytes);
  MOORING_ASSERT(!device.product_key.empty() && !device.device_name.empty());
  MOORING_ASSERT(device.product_key.size() + device.device_name.size() + identity->timestamp.size() < size);
  const std::string key = auth::psk_key(*identity, "a secret");
  MOORING_ASSERT(key.size() == 2 * crypto::size_bytes(identity->method));
  return 0;
}
