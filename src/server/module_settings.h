// What each module is told of the options. Pure functions, any thread.
#pragma once

#include <string>

#include "api/admin_service.h"
#include "api/session_book.h"
#include "auth/connect_limiter.h"
#include "auth/sign_in.h"
#include "doctor/case.h"
#include "gateway/connection.h"
#include "journal/device_journal.h"
#include "journal/flight.h"
#include "routing/retained_messages.h"
#include "server/options.h"
#include "session/ports.h"
#include "storage/rocks_session_store.h"

namespace mooring::server {

storage::Durability durability_of(DurabilityMode mode);
api::AdminSettings admin_settings(const Options& options);
api::SessionTimes session_times(const Options& options);
routing::RetainedMessages::Limits retained_limits(const Options& options);
journal::JournalLimits journal_limits(const Options& options);
journal::FlightLimits flight_limits(const Options& options, session::LoopId loops);  // of each of so many loops
doctor::Policy doctor_policy(const Options& options);
auth::ConnectLimiter::Limits sign_in_limits(const Options& options);
auth::SignInPolicy sign_in_policy(const Options& options, const std::string& token_key);
gateway::ConnectionLimits connection_limits(const Options& options);

}  // namespace mooring::server
