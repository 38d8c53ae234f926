// Topology: which child devices belong to which gateway (platform.md section 7); values, and the port behind which that
// is stored. Blocking operations, any thread; errors as in registry.h.
//
// A child has one gateway at most. The relation goes when either of the two devices is deleted. Which devices are
// gateways is not said anywhere: a device is one as soon as it has a child. Whether a gateway may have a child is
// proven before (auth/child_sign_in.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "registry/model.h"

namespace mooring::registry {

inline constexpr std::size_t kChildrenPerCallMax = 50;  // of add, remove and register calls

// A child whose secret its gateway asks for (platform.md 7.1).
struct ChildRegistration {
  base::DeviceKey key;
  std::string iot_id;
  std::string device_secret;  // a secret: for the gateway, not for the log
};

enum class RegistrationOutcome : std::uint8_t;

// All or nothing: with an outcome that is not kIssued the first child that has it is told, and nothing was issued.
struct ChildrenRegistration {
  RegistrationOutcome outcome;
  base::DeviceKey refused;
  std::vector<ChildRegistration> children;  // in the order asked
};

class Topology {
 public:
  virtual ~Topology() = default;
  // All or nothing. Who is its child already stays that; a child of another gateway leaves that one. kNotFound: one of
  // the devices does not exist; kInvalidArgument: the gateway is among its own children, or too many at once;
  // kLimitExceeded: it would have more than `children_max` (0: no limit).
  virtual base::Result<> add_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children,
                                      std::size_t children_max) = 0;
  // All or nothing. kNotFound: one of them is no child of this gateway.
  virtual base::Result<> remove_children(const base::DeviceKey& gateway, std::span<const base::DeviceKey> children) = 0;
  // In key order, behind `after` (empty names: from the first on), at most `limit` (1 to kPageRowsMax).
  virtual base::Result<std::vector<base::DeviceKey>> list_children(const base::DeviceKey& gateway,
                                                                   const base::DeviceKey& after, std::size_t limit) = 0;
  // Absence, of the child as well, is an answer, not an error.
  virtual base::Result<std::optional<base::DeviceKey>> find_gateway(const base::DeviceKey& child) = 0;
  // The gateway asks for secrets for children of its. Each gets a new one, and is the gateway's child from then on: one
  // that nobody has a secret or token for yet, one that was reset, and the gateway's own child until it was online.
  // A secret that is in use is never told. kOtherGateway: it belongs to another one; kActivated: somebody has a secret
  // for it. Errors: as add_children.
  virtual base::Result<ChildrenRegistration> register_children(const base::DeviceKey& gateway,
                                                               std::span<const base::DeviceKey> children,
                                                               std::size_t children_max) = 0;
};

}  // namespace mooring::registry
