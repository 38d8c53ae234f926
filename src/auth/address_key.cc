#include "auth/address_key.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace mooring::auth {

std::string_view address_key(std::string_view address, std::array<char, 16>& storage) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (address.size() >= sizeof terminated) return address;
  std::copy(address.begin(), address.end(), terminated);
  unsigned char v6[16];
  if (::inet_pton(AF_INET6, terminated, v6) != 1) return address;
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::memcmp(v6, kMapped, sizeof kMapped) == 0) {
    char v4[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, v6 + sizeof kMapped, v4, sizeof v4);
    const std::size_t size = std::strlen(v4);
    std::copy_n(v4, size, storage.begin());
    return {storage.data(), size};
  }
  std::memcpy(storage.data(), v6, 8);
  return {storage.data(), 8};
}

}  // namespace mooring::auth
