// What devices and built-in services say to each other: requests read tolerantly, answers written for parsers that only
// search text. Source: platform.md sections 2.2 to 2.4.
//
// I/O-free, any thread. Any bytes are safe to read; the bounds are named here.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/device_http.h"
#include "base/bytes.h"
#include "base/ids.h"

namespace mooring::things {

inline constexpr std::size_t kRequestBytesMax = 64 * 1024;
inline constexpr std::size_t kRequestIdBytesMax = 512;    // one SDK puts a topic into it
inline constexpr std::size_t kRequestItemsMax = 100;      // more are as good as malformed
inline constexpr std::size_t kRequestFieldsMax = 32;      // of one object; likewise
inline constexpr std::size_t kBesideListBytesMax = 4096;  // of what stands beside a list, for every item gets it

// A request whose parameters are one object or a list of objects with plain values.
struct Request {
  std::string id;            // as text, whatever it was; empty: none
  bool wants_answer = true;  // sys.ack
  bool is_list = false;      // there was a list, also one of a single object
  // The fields of each object, as text. Of an object with a list in it: those of the list's objects, each with what
  // stands beside the list (platform.md 7.3: signMethod).
  std::vector<auth::HttpFields> items;
};

// `list`: the member of the parameters that may hold a list ("deviceList"). Nothing: it is not understood (460).
std::optional<Request> read_request(base::ByteView payload, std::string_view list);

// The device that an object names; nothing: a name is missing or too long.
std::optional<base::DeviceKey> device_of(const auth::HttpFields& fields);

// Answers and messages, compact, with the keys of the envelope before what a device may have named. `data` and `params`
// are JSON.
struct Answer {
  int code = 200;
  std::string_view id;
  std::string_view message = "success";
  std::string_view method = {};  // empty: left out
  std::string_view data = "{}";
};
std::string to_json(const Answer& answer);
// A message of the platform to a device. `id` is digits.
std::string to_message(std::string_view id, std::string_view method, std::string_view params);

std::string quoted(std::string_view text);                              // with its quotes
std::string to_json(const base::DeviceKey& device);                     // {"productKey":"..","deviceName":".."}
std::string to_json(std::span<const base::DeviceKey> devices);          // a list of these
std::string topology_change(int status, const base::DeviceKey& child);  // params of thing/topo/change
std::string session_error(std::string_view id, int code, std::string_view message, const base::DeviceKey& child);

// What follows the names of a device: "login" of "/ext/session/pk/dn/login" with the tree "/ext/session/". Empty: there
// is nothing, or the topic is not in this tree.
std::string_view behind_names(std::string_view topic, std::string_view tree);

// "thing.topo.add" of "/sys/pk/dn/thing/topo/add"; empty: not below /sys/.
std::string method_of(std::string_view topic);

}  // namespace mooring::things
