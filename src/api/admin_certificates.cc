// X.509 operations of the admin API: private authorities, device certificates, revocations.
#include <boost/json/array.hpp>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "crypto/client_certificate.h"

namespace mooring::api {
namespace {

// A fingerprint in the address, as people write them.
ApiResult<std::string> fingerprint_at(const AdminRequest& request, std::size_t segment) {
  auto fingerprint = crypto::parse_fingerprint(request.path[segment]);
  if (!fingerprint) return refuse(fingerprint.error());
  return std::move(*fingerprint);
}

ApiResult<std::string> needed_text(const boost::json::object& object, std::string_view name) {
  auto text = read_text(object, name);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return refuse(400, "bad_request", "'" + std::string(name) + "' is missing");
  return std::move(**text);
}

ApiResult<Reply> show(AdminContext& context, const std::string& fingerprint, int status) {
  const auto authority = context.registry.get_authority(fingerprint);
  if (!authority) return refuse(authority.error());
  boost::json::object body = to_json(*authority);
  body["certificate"] = authority->certificate_pem;
  return Reply{std::move(body), status};
}

// The certificate to bind: whole, or its fingerprint alone.
ApiResult<registry::BoundCertificate> read_binding(const boost::json::object& object) {
  const auto pem = read_text(object, "certificate");
  if (!pem) return tl::unexpected(pem.error());
  const auto print = read_text(object, "fingerprint");
  if (!print) return tl::unexpected(print.error());
  if (pem->has_value() == print->has_value()) {
    return refuse(400, "bad_request", "either 'certificate' or 'fingerprint' must be given");
  }
  registry::BoundCertificate wanted;
  if (*print) {
    auto fingerprint = crypto::parse_fingerprint(**print);
    if (!fingerprint) return refuse(fingerprint.error());
    wanted.fingerprint = std::move(*fingerprint);
    return wanted;
  }
  const auto certificate = crypto::read_device_certificate_pem(**pem);
  if (!certificate) return refuse(certificate.error());
  wanted.fingerprint = certificate->fingerprint;
  wanted.subject = certificate->subject;
  wanted.not_after_ms = certificate->not_after_ms;
  return wanted;
}

Reply revoked(std::string_view name, const std::string& value, bool is_revoked) {
  return Reply{
      boost::json::object{{boost::json::string_view(name.data(), name.size()), value}, {"revoked", is_revoked}}};
}

}  // namespace

ApiResult<Reply> list_authorities(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"limit"}); !ok) return tl::unexpected(ok.error());
  const auto all = context.registry.list_authorities();
  if (!all) return refuse(all.error());
  boost::json::array items;
  for (const registry::Authority& authority : *all) items.push_back(to_json(authority));
  return Reply{boost::json::object{{"items", std::move(items)}}};
}

ApiResult<Reply> add_authority(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"certificate", "productKey"});
  if (!object) return tl::unexpected(object.error());
  const auto pem = needed_text(*object, "certificate");
  if (!pem) return tl::unexpected(pem.error());
  const auto product_key = read_text(*object, "productKey");
  if (!product_key) return tl::unexpected(product_key.error());
  const auto authority = crypto::read_private_authority(*pem);
  if (!authority) return refuse(authority.error());
  registry::Authority wanted;
  wanted.fingerprint = authority->certificate.fingerprint;
  wanted.certificate_pem = authority->pem;
  wanted.subject = authority->certificate.subject;
  wanted.product_key = product_key->value_or("");
  wanted.not_before_ms = authority->certificate.not_before_ms;
  wanted.not_after_ms = authority->certificate.not_after_ms;
  if (const auto added = context.registry.add_authority(wanted, context.settings.authorities); !added)
    return refuse(added.error());
  return show(context, wanted.fingerprint, 201);
}

ApiResult<Reply> show_authority(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  return show(context, *fingerprint, 200);
}

ApiResult<Reply> remove_authority(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  if (auto ok = context.registry.remove_authority(*fingerprint); !ok) return refuse(ok.error());
  return Reply{boost::json::object{{"fingerprint", *fingerprint}, {"removed", true}}};
}

ApiResult<Reply> import_revocation_list(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  const auto object = parse_object(request.body, {"list"});
  if (!object) return tl::unexpected(object.error());
  const auto pem = needed_text(*object, "list");
  if (!pem) return tl::unexpected(pem.error());
  const auto authority = context.registry.get_authority(*fingerprint);
  if (!authority) return refuse(authority.error());
  const auto list = crypto::read_revocation_list(*pem, authority->certificate_pem);
  if (!list) return refuse(list.error());
  auto done = context.registry.import_revocations(*fingerprint, list->issued_ms, list->next_ms, list->serials);
  if (!done) return refuse(done.error());
  return show(context, *fingerprint, 200);
}

ApiResult<Reply> revoke_serial(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  const auto object = parse_object(request.body, {"serial"});
  if (!object) return tl::unexpected(object.error());
  const auto text = needed_text(*object, "serial");
  if (!text) return tl::unexpected(text.error());
  const auto serial = crypto::parse_serial(*text);
  if (!serial) return refuse(serial.error());
  if (auto ok = context.registry.revoke_serial(*fingerprint, *serial); !ok) return refuse(ok.error());
  return revoked("serial", *serial, true);
}

ApiResult<Reply> revoke_certificate(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  if (auto ok = context.registry.revoke_certificate(*fingerprint); !ok) return refuse(ok.error());
  return revoked("fingerprint", *fingerprint, true);
}

ApiResult<Reply> reinstate_certificate(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 1);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  if (auto ok = context.registry.lift_revocation(*fingerprint); !ok) return refuse(ok.error());
  return revoked("fingerprint", *fingerprint, false);
}

ApiResult<Reply> bind_certificate(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"certificate", "fingerprint"});
  if (!object) return tl::unexpected(object.error());
  auto wanted = read_binding(*object);
  if (!wanted) return tl::unexpected(wanted.error());
  wanted->device = {request.path[1], request.path[3]};
  const auto bound = context.registry.bind_certificate(*wanted);
  if (!bound) return refuse(bound.error());
  return Reply{to_json(*bound), 201};
}

ApiResult<Reply> unbind_certificate(AdminContext& context, const AdminRequest& request) {
  const auto fingerprint = fingerprint_at(request, 5);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  const base::DeviceKey key{request.path[1], request.path[3]};
  if (auto ok = context.registry.unbind_certificate(key, *fingerprint); !ok) return refuse(ok.error());
  return Reply{boost::json::object{{"fingerprint", *fingerprint}, {"unbound", true}}};
}

}  // namespace mooring::api
