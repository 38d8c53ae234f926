// Private to the module: one function per operation of the admin API; the router of admin_service.cc calls them with a
// path that fits.
#pragma once

#include "api/admin_json.h"
#include "api/admin_request.h"
#include "api/admin_service.h"
#include "api/diagnostics.h"

namespace mooring::api {

struct AdminContext {
  registry::Registry& registry;
  SessionControl* sessions;  // null while no server runs
  const Caller& caller;
  const AdminSettings& settings;
  Diagnostics diagnostics;
  LiveParts live;

  // A viewer sees no secrets; a product's is for administrators, for whoever has it can make devices.
  Secrets device_secrets() const { return visible_to(registry::Role::kOperator); }
  Secrets product_secrets() const { return visible_to(registry::Role::kAdmin); }

 private:
  Secrets visible_to(registry::Role role) const { return caller.at_least(role) ? Secrets::kShow : Secrets::kHide; }
};
using Operation = ApiResult<Reply> (*)(AdminContext&, const AdminRequest&);

// products
ApiResult<Reply> list_products(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> create_product(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_product(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> update_product(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> delete_product(AdminContext& context, const AdminRequest& request);

// devices
ApiResult<Reply> list_devices(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> list_all_devices(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> export_devices(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> create_devices(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> update_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> delete_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> enable_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> disable_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> kick_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> reset_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> renew_secret(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> connect_device(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> import_devices_csv(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> import_devices(AdminContext& context, const AdminRequest& request);

// X.509
ApiResult<Reply> list_authorities(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> add_authority(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_authority(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> remove_authority(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> import_revocation_list(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> revoke_serial(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> revoke_certificate(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> reinstate_certificate(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> bind_certificate(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> unbind_certificate(AdminContext& context, const AdminRequest& request);

// accounts
ApiResult<Reply> list_accounts(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> create_account(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_account(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> update_account(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> delete_account(AdminContext& context, const AdminRequest& request);

// tickets
ApiResult<Reply> list_tickets(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> mint_ticket(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_ticket(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> revoke_ticket(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> revoke_tickets(AdminContext& context, const AdminRequest& request);

// the running server
ApiResult<Reply> show_server(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> server_certificates(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> server_configuration(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> device_session(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> account_sessions(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> publish(AdminContext& context, const AdminRequest& request);

// people, and what was changed by whom
ApiResult<Reply> list_users(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> create_user(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> show_user(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> update_user(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> delete_user(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> list_audit(AdminContext& context, const AdminRequest& request);

// tokens
ApiResult<Reply> list_tokens(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> create_token(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> revoke_token(AdminContext& context, const AdminRequest& request);

// what happened
ApiResult<Reply> device_log(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> device_doctor(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> device_flight(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> account_flight(AdminContext& context, const AdminRequest& request);
ApiResult<Reply> list_refusals(AdminContext& context, const AdminRequest& request);

}  // namespace mooring::api
