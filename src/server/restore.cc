#include "server/restore.h"

#include <set>
#include <utility>

#include "base/log.h"
#include "registry/names.h"
#include "server/loop_worker.h"

namespace mooring::server {

base::Result<std::vector<std::string>> restore_sessions(storage::RocksSessionStore& store,
                                                        routing::RetainedMessages& retained,
                                                        std::span<LoopWorker* const> homes) {
  const auto loops = static_cast<session::LoopId>(homes.size());
  std::size_t sessions = 0;
  std::set<std::string> tickets;
  auto done = store.for_each_session([&](session::SessionRecord&& record, session::Epoch) {
    LoopWorker& home = *homes[session::home_loop(session::identity_of(record.key), loops)];
    const broker::ClientRules& rules = home.rules_of(record);
    if (const auto account = session::account_of_key(record.key);
        account && account->starts_with(registry::kTicketNamePrefix)) {
      tickets.emplace(account->substr(registry::kTicketNamePrefix.size()));
    }
    home.broker().restore(std::move(record), rules);
    ++sessions;
  });
  if (!done) return tl::unexpected(done.error());
  done = store.for_each_received([&](session::SessionNumber number, std::uint16_t packet_id) {
    for (LoopWorker* home : homes) home->broker().restore_received(number, packet_id);
  });
  if (!done) return tl::unexpected(done.error());
  done = store.for_each_retained([&](const mqtt::MessageRef& message) { retained.set(message, {}); });
  if (!done) return tl::unexpected(done.error());
  if (sessions > 0 || retained.size() > 0) {
    base::log_info("server", "{} sessions and {} retained messages restored", sessions, retained.size());
  }
  return std::vector<std::string>(tickets.begin(), tickets.end());
}

}  // namespace mooring::server
