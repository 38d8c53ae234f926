// Who the connections of a run sign in as, and which topics are theirs.
//
// With a CSV file of devices: devices with their signature, topics /PK/DN/user/...; back ends are accounts. Without one
// everybody is the same account, or nobody, with topics PREFIX/NUMBER/...
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "connection.h"
#include "run_options.h"

namespace mooring::bench {

struct Identity {
  SignIn sign_in;
  std::string up;    // it publishes, a back end subscribes
  std::string down;  // a back end publishes, it subscribes
  std::string echo;  // it does both
};

inline constexpr std::size_t kMaxDeviceFileBytes = 256 * 1024 * 1024;

class Identities {
 public:
  // `secure`: for transport under TLS, which the signature of a device names. kInvalidArgument when the file has fewer
  // devices than are needed.
  static base::Result<Identities> make(const RunOptions& options, bool secure);

  const std::vector<Identity>& fleet() const { return fleet_; }
  SignIn back_end(std::uint32_t number) const;
  const std::string& broadcast() const { return broadcast_; }  // a back end publishes, the whole fleet subscribes
  const std::string& all_up() const { return all_up_; }        // filter for every `up` of the fleet

 private:
  base::Result<> add_devices(const RunOptions& options, bool secure);
  void add_numbered(const RunOptions& options);

  std::vector<Identity> fleet_;
  std::string broadcast_;
  std::string all_up_;
  std::string prefix_;
  std::string account_;
  std::string password_;
};

}  // namespace mooring::bench
