// Refusals that say themselves what is wrong: one row each.
#include <algorithm>
#include <array>

#include "doctor/claims.h"

namespace mooring::doctor {
namespace {

struct Row {
  std::string_view refusal;  // which is the name of the finding, too
  std::string_view text;
  std::string_view advice;
};

constexpr std::array kRows{
    Row{"registration-needs-tls", "The device tried to register over a connection that is not encrypted.",
        "Connect with TLS (or wss): the answer holds a secret. Where TLS ends in front of the server, set "
        "auth.require_tls = false."},
    Row{"registration-without-random", "The registration carries no random.",
        "Add random=... to the client identifier, and sign it."},
    Row{"registration-activated", "The device was online already, and a registration would give its name to another.",
        "Keep the secret that it got the first time. To let it register again: mooring device reset"},
    Row{"registration-disabled-device", "The device is disabled.", "Enable it: mooring device enable"},
    Row{"registration-name", "The device name breaks the rules for names.",
        "Use 1 to 64 letters, digits and - _ @ . : in device names."},
    Row{"registration-product-full", "The product has as many devices as registration may make.",
        "Raise limits.registered_devices_per_product, or delete devices."},
    Row{"registration-tokens-full", "All token pairs of this device name are in use.",
        "Give each physical device a name of its own, or let it begin anew: mooring device reset"},
    Row{"wrong-token", "Client identifier and device token are no pair that was issued to this device.",
        "Send both exactly as the registration answered them: the clientId before the first '|', the deviceToken as "
        "the password. If they are lost, reset the device (mooring device reset) and register again."},
    Row{"wrong-iot-token", "The iotToken is wrong, has expired after seven days, or belongs to another iotId.",
        "Ask /auth/devicename for a new one, and send the iotId of the same answer as the user name."},
    Row{"id2-unavailable", "The device asks for ID2, which needs the vendor's chip service.",
        "Let it sign in with its device secret or a certificate."},
    Row{"certificate-required", "The device signed, but its product admits client certificates only.",
        "Connect with the device's certificate and an empty password, or change the product: --auth-type"},
    Row{"certificate-untrusted", "The certificate does not come from an authority that is known here.",
        "Add the authority: mooring authority add. The device has to send its intermediate certificates, too."},
    Row{"certificate-not-yet-valid", "The certificate, or one of its chain, is not valid yet.",
        "Check the clock of whoever issues certificates, and that of this server."},
    Row{"certificate-expired", "The certificate, or one of its chain, has expired.",
        "Issue a new one and bind it: mooring device bind-certificate"},
    Row{"certificate-revoked", "The certificate, or one of its chain, is revoked.",
        "If that was a mistake: mooring authority reinstate. Else issue a new one."},
    Row{"certificate-unbound", "The certificate is good, but bound to no device.",
        "Bind it: mooring device bind-certificate. Or let the product bind at first use (mooring product update "
        "--first-use)."},
    Row{"certificate-of-other-device", "The certificate is bound to another device.",
        "Give every device a certificate of its own, or sign in as the device that this one is bound to."},
    Row{"other-psk-identity", "The TLS-PSK identity of the connection is that of another device.",
        "Use one and the same device for the TLS-PSK identity and for the CONNECT."},
    Row{"http-token-missing", "The request carries no token.",
        "Send the token that /auth answered in the header 'password'."},
    Row{"http-token-unknown",
        "The token was not issued by this server, or is void: the device was disabled, deleted, reset or got another "
        "secret since.",
        "Ask /auth for a new one, and send it exactly as it was answered."},
    Row{"http-token-expired", "The token has expired after seven days.",
        "Ask /auth for a new one when code 20001 comes."},
    Row{"http-needs-tls", "The request was not encrypted.",
        "Use https. Where TLS ends in front of the server, set auth.require_tls = false."},
    Row{"ticket-form", "The user name begins with ticket:, but is no ticket's, or the password is empty.",
        "Send user name and password exactly as mooring ticket mint printed them."},
    Row{"ticket-unknown", "There is no such ticket: it never was, or ended long ago.",
        "Mint a new one: mooring ticket mint"},
    Row{"ticket-secret", "The password is not the ticket's secret.",
        "Send the password exactly as mooring ticket mint printed it."},
    Row{"ticket-expired", "The ticket has expired.",
        "Mint a new one in time, or one that lives longer: mooring ticket mint --lifetime"},
    Row{"ticket-revoked", "The ticket was revoked.",
        "Mint a new one if its holder may still come: mooring ticket mint"},
    Row{"ticket-not-from-page", "The ticket is for web pages of certain origins, but was used by something else.",
        "Use it in a page over ws or wss, or mint one without --origin."},
    Row{"ticket-origin", "The ticket was used by a page of another origin than those that it is for.",
        "Mint it with --origin and the page's scheme, host and port, as the browser says them."},
    Row{"ticket-client-id", "The ticket is for another client identifier.",
        "Send the client identifier that it was minted for, or mint it with a prefix."},
    Row{"ticket-holder", "The device or account that the ticket is for is disabled or gone.",
        "Enable or create it, and mint a new ticket."},
};

}  // namespace

std::vector<Mistake> explain_plainly(std::string_view refusal) {
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) { return one.refusal == refusal; });
  if (row == kRows.end()) return {};
  return {{std::string(row->refusal), std::string(row->text), std::string(row->advice)}};
}

}  // namespace mooring::doctor
