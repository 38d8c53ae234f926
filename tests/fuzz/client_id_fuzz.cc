// Fuzzes what a stranger's CONNECT reaches before anybody is signed in: the client identifier's grammar and the
// decision about it. The input's first two bytes choose version, transport and keep alive; the rest is client
// identifier, user name and password, separated by zero bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "auth/client_id.h"
#include "auth/sign_in.h"
#include "base/assert.h"

namespace {

using namespace mooring;

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_parse(std::string_view text) {
  const auto id = auth::parse_client_id(text);
  if (!id) return;
  MOORING_ASSERT(text.starts_with(id->base));
  MOORING_ASSERT(inside(id->timestamp.value_or(""), text));
  MOORING_ASSERT(inside(id->network, text));
  const auth::DeviceFacts facts = id->facts();
  MOORING_ASSERT(facts.network.size() <= auth::kMaxFactBytes && facts.language.size() <= auth::kMaxFactBytes);
}

std::string_view take(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

void check_sign_in(std::uint8_t first, std::uint8_t second, std::string_view rest) {
  auth::ConnectAttempt attempt;
  attempt.protocol_level = first % 8;
  attempt.tls = (first & 8) != 0;
  attempt.websocket = (first & 16) != 0;
  attempt.keep_alive_s = static_cast<std::uint16_t>(second * 8);
  attempt.client_id = take(rest);
  attempt.user_name = take(rest);
  attempt.password = base::as_bytes(rest);
  auto pending = auth::begin(attempt, {});
  if (!pending) return;
  MOORING_ASSERT(!pending->device.product_key.empty() && !pending->device.device_name.empty());
  if (pending->registration) {
    MOORING_ASSERT(pending->registration->device == pending->device);
    MOORING_ASSERT(auth::check_registration(*pending->registration, "nor a registration with this").has_value());
    return;
  }
  auth::CredentialRecord record;
  record.device_secret = "no input can hold a code made with this";
  // A secret that the fuzzer does not know: whatever it sends must be refused.
  const int code = pending->proof == auth::Proof::kIotToken ? 3 : 4;
  const auto signed_in = auth::finish(std::move(*pending), {}, &record);
  MOORING_ASSERT(!signed_in && signed_in.error().connack_v3 == code);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  check_parse(text);
  if (size >= 2) check_sign_in(data[0], data[1], text.substr(2));
  return 0;
}
