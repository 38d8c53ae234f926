// What a connection speaks, from its first bytes (connection.md 2.2). I/O-free.
#pragma once

#include "base/bytes.h"

namespace mooring::gateway {

enum class FirstBytes {
  kMore,     // cannot tell yet
  kTls,      // a ClientHello record
  kMqtt,     // a CONNECT packet
  kHttp,     // one of the methods we know
  kUnknown,  // close
};

// The longest input it may ask for before it decides.
inline constexpr std::size_t kFirstBytesMax = 8;

FirstBytes classify_first_bytes(base::ByteView input);

}  // namespace mooring::gateway
