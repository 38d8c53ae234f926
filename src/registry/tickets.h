// Tickets: short-lived credentials for browsers, bound to a device or an account; values, and the port behind which
// they are stored. Blocking operations, any thread; errors as in registry.h.
//
// A ticket goes with what it is bound to: deleted with its device or account, revoked when its account gets another
// password. A revoked or expired one is remembered for a while, so that a refusal can be explained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "registry/model.h"

namespace mooring::registry {

inline constexpr std::size_t kTicketIdCharacters = 16;
inline constexpr std::size_t kTicketOriginsMax = 20;
inline constexpr std::size_t kTicketOriginBytesMax = 256;
inline constexpr std::size_t kTicketClientIdBytesMax = 256;
inline constexpr std::size_t kTicketPermissionsMax = 50;
inline constexpr std::size_t kTicketPermissionBytesMax = 16 * 1024;  // all filters of one together
inline constexpr std::size_t kDeadTicketsKept = 100;                 // of one device or account
inline constexpr std::int64_t kDeadTicketKeptMs = 24 * 3600 * 1000;  // after its expiry

// In whose place a device's ticket speaks.
enum class TicketSide : std::uint8_t {
  kApp = 0,     // sees what the device does, sends what the device receives
  kDevice = 1,  // the same topics as the device
};

struct Ticket {
  std::string id;
  std::string secret_hash;  // crypto/secret_hash.h
  base::DeviceKey device;   // empty names: an account's ticket
  std::string account;      // empty: a device's ticket
  TicketSide side = TicketSide::kApp;
  std::vector<AccountPermission> permissions;  // empty: all that the holder may
  std::vector<std::string> origins;            // of browsers; empty: every origin and every transport
  std::string client_id;                       // empty: any
  bool client_id_is_prefix = false;
  std::uint32_t session_s = 0;  // how long a session may outlive its connection; 0: not at all
  std::string minted_by;        // for people
  base::WallMs created_ms = 0;
  base::WallMs expires_ms = 0;
  base::WallMs revoked_ms = 0;  // 0: not revoked

  bool of_device() const { return account.empty(); }
};

// Who a ticket is bound to: a device, or an account. Both empty: everybody, in lists.
struct TicketHolder {
  base::DeviceKey device;
  std::string account;
};

struct NewTicket {
  Ticket ticket;  // without times
  std::uint32_t lifetime_s = 3600;
  std::size_t live_max = 1000;  // of one holder; more are refused with kLimitExceeded
};

// All that a sign-in needs, read at once.
struct TicketCredential {
  std::optional<Ticket> ticket;    // nothing: no such ticket
  Credential device;               // of a device's ticket
  std::optional<Account> account;  // of an account's ticket
};

class Tickets {
 public:
  virtual ~Tickets() = default;
  // kNotFound: no such device or account.
  virtual base::Result<Ticket> create_ticket(const NewTicket& ticket) = 0;
  // Absence is an answer, not an error.
  virtual base::Result<std::optional<Ticket>> find_ticket(std::string_view id) = 0;
  virtual base::Result<TicketCredential> find_ticket_credential(std::string_view id) = 0;
  // In the order of their ids, after `after`, at most `limit` (1 to kPageRowsMax). Without `all` only those that are
  // alive.
  virtual base::Result<std::vector<Ticket>> list_tickets(const TicketHolder& holder, std::string_view after,
                                                         std::size_t limit, bool all) = 0;
  // kNotFound; one that was revoked before stays as it is.
  virtual base::Result<Ticket> revoke_ticket(std::string_view id) = 0;
  // All of one holder; how many were alive.
  virtual base::Result<std::size_t> revoke_tickets(const TicketHolder& holder) = 0;
};

base::Result<> check_ticket(const Ticket& ticket);

}  // namespace mooring::registry
