// Tickets in the SQLite registry.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "crypto/secret_hash.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kColumns =
    "id, secret_hash, coalesce(product_key, ''), coalesce(device_name, ''), coalesce(account, ''), side, origins, "
    "client_id, client_id_is_prefix, session_s, minted_by, created_ms, expires_ms, revoked_ms";
// Origins hold no blanks.
constexpr char kBetweenOrigins = ' ';

base::Result<> invalid(std::string message) {
  return base::fail(base::Errc::kInvalidArgument, std::move(message));
}

std::string joined(const std::vector<std::string>& origins) {
  return fmt::format("{}", fmt::join(origins, " "));
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kBetweenOrigins), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Ticket ticket_of(const Query& row) {
  Ticket ticket;
  ticket.id = row.text(0);
  ticket.secret_hash = row.text(1);
  ticket.device = {row.text(2), row.text(3)};
  ticket.account = row.text(4);
  ticket.side = static_cast<TicketSide>(row.integer(5));
  ticket.origins = split(row.text(6));
  ticket.client_id = row.text(7);
  ticket.client_id_is_prefix = row.integer(8) != 0;
  ticket.session_s = static_cast<std::uint32_t>(row.integer(9));
  ticket.minted_by = row.text(10);
  ticket.created_ms = row.integer(11);
  ticket.expires_ms = row.integer(12);
  ticket.revoked_ms = row.integer(13);
  return ticket;
}

void load_permissions(SqliteConnection& connection, Ticket& ticket) {
  Query query(connection, "SELECT rights, topic_filter FROM ticket_permission WHERE ticket = ? ORDER BY position",
              ticket.id);
  while (query.step()) {
    ticket.permissions.push_back({static_cast<AccountRight>(query.integer(0)), query.text(1)});
  }
}

std::optional<Ticket> load_ticket(SqliteConnection& connection, std::string_view id) {
  static const std::string select = fmt::format("SELECT {} FROM ticket WHERE id = ?", kColumns);
  Query query(connection, select, id);
  if (!query.step()) return std::nullopt;
  Ticket ticket = ticket_of(query);
  load_permissions(connection, ticket);
  return ticket;
}

base::Error no_such_ticket(std::string_view id) {
  return {base::Errc::kNotFound, fmt::format("there is no ticket '{}'", base::printable(id, 40))};
}

// The rows of one holder, as the end of a statement; either way with three parameters in front.
constexpr std::string_view kOfDevice = "?3 = '' AND product_key = ?1 AND device_name = ?2";
constexpr std::string_view kOfAccount = "?1 = '' AND ?2 = '' AND account = ?3";
std::string_view rows_of(const TicketHolder& holder) {
  if (!holder.account.empty()) return kOfAccount;
  return holder.device.device_name.empty() ? "?1 = '' AND ?2 = '' AND ?3 = ''" : kOfDevice;
}

// What is dead is kept to explain refusals, but not for long and not in any number.
void forget_dead(SqliteConnection& connection, const TicketHolder& holder, base::WallMs now_ms) {
  Query(connection, "DELETE FROM ticket WHERE expires_ms <= ?", now_ms - kDeadTicketKeptMs).run();
  static const auto of = [](std::string_view rows) {
    return fmt::format(
        "DELETE FROM ticket WHERE id IN (SELECT id FROM ticket WHERE {} AND (revoked_ms <> 0 OR expires_ms <= ?4) "
        "ORDER BY expires_ms DESC LIMIT -1 OFFSET ?5)",
        rows);
  };
  static const std::string of_device = of(kOfDevice);
  static const std::string of_account = of(kOfAccount);
  Query(connection, holder.account.empty() ? of_device : of_account, holder.device.product_key,
        holder.device.device_name, holder.account, now_ms, kDeadTicketsKept)
      .run();
}

std::size_t count_live(SqliteConnection& connection, const TicketHolder& holder, base::WallMs now_ms) {
  static const auto of = [](std::string_view rows) {
    return fmt::format("SELECT count(*) FROM ticket WHERE {} AND revoked_ms = 0 AND expires_ms > ?4", rows);
  };
  static const std::string of_device = of(kOfDevice);
  static const std::string of_account = of(kOfAccount);
  Query query(connection, holder.account.empty() ? of_device : of_account, holder.device.product_key,
              holder.device.device_name, holder.account, now_ms);
  query.step();
  return static_cast<std::size_t>(query.integer(0));
}

void insert(SqliteConnection& connection, const Ticket& ticket) {
  // An empty text stands for NULL, which says to what the ticket is bound.
  Query(connection,
        "INSERT INTO ticket (id, secret_hash, product_key, device_name, account, side, origins, client_id, "
        "client_id_is_prefix, session_s, minted_by, created_ms, expires_ms) "
        "VALUES (?, ?, nullif(?, ''), nullif(?, ''), nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?)",
        ticket.id, ticket.secret_hash, ticket.device.product_key, ticket.device.device_name, ticket.account,
        ticket.side, joined(ticket.origins), ticket.client_id, ticket.client_id_is_prefix, ticket.session_s,
        ticket.minted_by, ticket.created_ms, ticket.expires_ms)
      .run();
  std::int64_t position = 0;
  for (const AccountPermission& permission : ticket.permissions) {
    Query(connection, "INSERT INTO ticket_permission (ticket, position, rights, topic_filter) VALUES (?, ?, ?, ?)",
          ticket.id, position++, permission.right, permission.filter)
        .run();
  }
}

base::Result<> check_holder(SqliteConnection& connection, const TicketHolder& holder) {
  if (!holder.account.empty()) {
    if (Query(connection, "SELECT 1 FROM account WHERE name = ?", holder.account).step()) return {};
    return base::fail(base::Errc::kNotFound,
                      fmt::format("there is no account '{}'", base::printable(holder.account, 80)));
  }
  if (auto device = load_device(connection, holder.device); !device) return tl::unexpected(device.error());
  return {};
}

std::size_t revoke_all(SqliteConnection& connection, const TicketHolder& holder, base::WallMs now_ms,
                       std::vector<Change>& changes) {
  static const auto of = [](std::string_view rows) {
    return fmt::format("SELECT id FROM ticket WHERE {} AND revoked_ms = 0 AND expires_ms > ?4", rows);
  };
  static const std::string of_device = of(kOfDevice);
  static const std::string of_account = of(kOfAccount);
  std::vector<std::string> ids;
  {
    Query query(connection, holder.account.empty() ? of_device : of_account, holder.device.product_key,
                holder.device.device_name, holder.account, now_ms);
    while (query.step()) ids.push_back(query.text(0));
  }
  for (std::string& id : ids) {
    Query(connection, "UPDATE ticket SET revoked_ms = ? WHERE id = ?", now_ms, id).run();
    changes.push_back({Change::Kind::kTicketRevoked, {}, {}, std::move(id)});
  }
  return ids.size();
}

}  // namespace

base::Result<> check_ticket(const Ticket& ticket) {
  if (ticket.id.size() != kTicketIdCharacters || ticket.secret_hash.size() != crypto::kSecretHashBytes) {
    return invalid("the ticket has no id or its secret is not given as a hash");
  }
  const bool names_device = !ticket.device.product_key.empty() && !ticket.device.device_name.empty();
  if (names_device == !ticket.account.empty()) return invalid("a ticket is bound either to a device or to an account");
  if (ticket.side == TicketSide::kDevice && !names_device) return invalid("only a device's ticket speaks as a device");
  if (ticket.permissions.size() > kTicketPermissionsMax) {
    return base::fail(base::Errc::kLimitExceeded,
                      fmt::format("a ticket has at most {} permissions", kTicketPermissionsMax));
  }
  if (auto ok = check_account_permissions(ticket.permissions); !ok) return ok;
  std::size_t bytes = 0;
  for (const AccountPermission& permission : ticket.permissions) bytes += permission.filter.size();
  if (bytes > kTicketPermissionBytesMax) {
    return base::fail(base::Errc::kLimitExceeded,
                      fmt::format("the filters of a ticket have at most {} bytes", kTicketPermissionBytesMax));
  }
  if (ticket.origins.size() > kTicketOriginsMax) {
    return base::fail(base::Errc::kLimitExceeded, fmt::format("a ticket has at most {} origins", kTicketOriginsMax));
  }
  for (const std::string& origin : ticket.origins) {
    const bool visible = std::ranges::all_of(origin, [](char c) { return c > ' ' && c < 0x7f; });
    if (origin.empty() || origin.size() > kTicketOriginBytesMax || !visible) return invalid("an origin is not a URL");
  }
  if (ticket.client_id.size() > kTicketClientIdBytesMax || !base::is_utf8(ticket.client_id)) {
    return invalid(fmt::format("a client id has at most {} bytes of UTF-8", kTicketClientIdBytesMax));
  }
  return check_title(ticket.minted_by, "name of who minted the ticket");
}

base::Result<Ticket> SqliteRegistry::create_ticket(const NewTicket& wanted) {
  if (auto ok = check_ticket(wanted.ticket); !ok) return tl::unexpected(ok.error());
  if (wanted.lifetime_s == 0) return base::fail(base::Errc::kInvalidArgument, "a ticket lives for a second or longer");
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<Ticket> {
    const TicketHolder holder{wanted.ticket.device, wanted.ticket.account};
    if (auto ok = check_holder(connection, holder); !ok) return tl::unexpected(ok.error());
    const base::WallMs now = clock_.wall_ms();
    forget_dead(connection, holder, now);
    if (count_live(connection, holder, now) >= wanted.live_max) {
      return base::fail(base::Errc::kLimitExceeded,
                        fmt::format("there are {} live tickets of this {} already (limits.tickets_per_holder); revoke "
                                    "some, or give them shorter lives",
                                    wanted.live_max, holder.account.empty() ? "device" : "account"));
    }
    Ticket ticket = wanted.ticket;
    ticket.created_ms = now;
    ticket.expires_ms = now + std::int64_t{wanted.lifetime_s} * 1000;
    ticket.revoked_ms = 0;
    insert(connection, ticket);
    return ticket;
  });
}

base::Result<std::optional<Ticket>> SqliteRegistry::find_ticket(std::string_view id) {
  return read(
      [&](SqliteConnection& connection) -> base::Result<std::optional<Ticket>> { return load_ticket(connection, id); });
}

base::Result<TicketCredential> SqliteRegistry::find_ticket_credential(std::string_view id) {
  return read([&](SqliteConnection& connection) -> base::Result<TicketCredential> {
    TicketCredential found;
    found.ticket = load_ticket(connection, id);
    // Looked for also when there is no ticket, so that it takes as long.
    const base::DeviceKey device = found.ticket ? found.ticket->device : base::DeviceKey{};
    if (!found.ticket || found.ticket->of_device()) found.device = load_credential(connection, products_, device);
    if (found.ticket && !found.ticket->of_device()) found.account = load_account(connection, found.ticket->account);
    return found;
  });
}

base::Result<std::vector<Ticket>> SqliteRegistry::list_tickets(const TicketHolder& holder, std::string_view after,
                                                               std::size_t limit, bool all) {
  if (auto ok = check_page({{}, limit}); !ok) return tl::unexpected(ok.error());
  static const auto of = [](std::string_view rows) {
    return fmt::format(
        "SELECT {} FROM ticket WHERE {} AND id > ?4 AND (?5 OR (revoked_ms = 0 AND expires_ms > ?6)) ORDER BY id "
        "LIMIT ?7",
        kColumns, rows);
  };
  static const std::string of_device = of(kOfDevice);
  static const std::string of_account = of(kOfAccount);
  static const std::string of_all = of(rows_of({}));
  const std::string& sql = !holder.account.empty()              ? of_account
                           : !holder.device.device_name.empty() ? of_device
                                                                : of_all;
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<Ticket>> {
    std::vector<Ticket> tickets;
    Query query(connection, sql, holder.device.product_key, holder.device.device_name, holder.account, after, all,
                clock_.wall_ms(), limit);
    while (query.step()) tickets.push_back(ticket_of(query));
    for (Ticket& ticket : tickets) load_permissions(connection, ticket);
    return tickets;
  });
}

base::Result<Ticket> SqliteRegistry::revoke_ticket(std::string_view id) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Ticket> {
    auto ticket = load_ticket(connection, id);
    if (!ticket) return tl::unexpected(no_such_ticket(id));
    if (ticket->revoked_ms != 0) return std::move(*ticket);
    ticket->revoked_ms = clock_.wall_ms();
    Query(connection, "UPDATE ticket SET revoked_ms = ? WHERE id = ?", ticket->revoked_ms, id).run();
    changes.push_back({Change::Kind::kTicketRevoked, {}, {}, ticket->id});
    return std::move(*ticket);
  });
}

base::Result<std::size_t> SqliteRegistry::revoke_tickets(const TicketHolder& holder) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<std::size_t> {
    if (auto ok = check_holder(connection, holder); !ok) return tl::unexpected(ok.error());
    return revoke_all(connection, holder, clock_.wall_ms(), changes);
  });
}

void tell_of_tickets(SqliteConnection& connection, std::string_view product_key, std::string_view device_name,
                     base::WallMs now_ms, std::vector<Change>& changes) {
  Query query(connection,
              "SELECT id FROM ticket WHERE product_key = ?1 AND (?2 = '' OR device_name = ?2) AND revoked_ms = 0 AND "
              "expires_ms > ?3",
              product_key, device_name, now_ms);
  while (query.step()) changes.push_back({Change::Kind::kTicketRevoked, {}, {}, query.text(0)});
}

std::size_t revoke_account_tickets(SqliteConnection& connection, std::string_view account, base::WallMs now_ms,
                                   std::vector<Change>& changes) {
  return revoke_all(connection, {{}, std::string(account)}, now_ms, changes);
}

}  // namespace mooring::registry
