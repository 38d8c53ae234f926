#include "crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <utility>

#include "base/text.h"
#include "crypto/x509_fields.h"

namespace mooring::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

constexpr base::WallMs kDayMs = 86'400'000;
constexpr int kRootDays = 20 * 365;
constexpr int kServerDays = 397;                 // what browsers admit
constexpr std::size_t kMaxCommonNameChars = 64;  // X.520 ub-common-name
constexpr int kSerialBits = 127;                 // positive, unpredictable

Result<KeyPtr> read_key(std::string_view pem) {
  const BioPtr bio = memory_of(pem);
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!key) return refused("the text is no private key in PEM form, or the key is encrypted", Errc::kInvalidArgument);
  return key;
}

Result<std::string> write_certificate(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return refused("the certificate cannot be written");
  return take_text(bio.get());
}

bool set_time(ASN1_TIME* field, base::WallMs at_ms) {
  return ASN1_TIME_set(field, static_cast<std::time_t>(at_ms / 1000)) != nullptr;
}

bool set_serial(X509* certificate) {
  const NumberPtr number(BN_new());
  if (!number || BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1) return false;
  const IntegerPtr serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  return serial && X509_set_serialNumber(certificate, serial.get()) == 1;
}

bool add_name(X509_NAME* subject, const char* field, std::string_view text) {
  return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// What root and server certificates have in common. Clocks of devices and servers differ: valid from a day back.
bool fill_common(X509* certificate, EVP_PKEY* key, base::WallMs now_ms, base::WallMs not_after_ms) {
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_time(X509_getm_notBefore(certificate), now_ms - kDayMs) &&
         set_time(X509_getm_notAfter(certificate), not_after_ms) && X509_set_pubkey(certificate, key) == 1;
}

// The key's own hash tells the roots of several installations apart in a client's list.
std::string short_key_id(EVP_PKEY* key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return {};
  const bool done = EVP_Digest(der, static_cast<std::size_t>(length), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  return done && size >= 4 ? base::to_hex(base::ByteView(digest.data(), 4)) : std::string();
}

std::string alternative_names(const ServerNames& names) {
  std::string out;
  const auto add = [&out](std::string_view kind, const std::string& value) {
    if (!out.empty()) out += ',';
    out.append(kind).append(value);
  };
  for (const std::string& dns : names.dns_names) add("DNS:", dns);
  for (const std::string& ip : names.ip_addresses) add("IP:", ip);
  return out;
}

// Very old clients look at the common name only, so it repeats the first name.
std::string common_name(const ServerNames& names) {
  const std::string& first = names.dns_names.empty() ? names.ip_addresses.front() : names.dns_names.front();
  return first.size() <= kMaxCommonNameChars ? first : std::string("Mooring server");
}

bool is_dns_label(std::string_view label) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), fits);
}

// A host name in lower case, "*" allowed as its first label.
bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  if (name.starts_with("*.")) name.remove_prefix(2);
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!is_dns_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::string address_text(const unsigned char* bytes, int size) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = size == 4 ? AF_INET : AF_INET6;
  if (size != 4 && size != 16) return {};
  return ::inet_ntop(family, bytes, text, sizeof text) != nullptr ? std::string(text) : std::string();
}

// Canonical text of an IP address, brackets allowed; empty for anything else.
std::string canonical_address(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::string terminated(text);
  unsigned char bytes[16];
  if (::inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return address_text(bytes, 4);
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return address_text(bytes, 16);
  return {};
}

void sort_unique(std::vector<std::string>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

void read_alternative_names(X509* certificate, CertificateInfo& info) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const ASN1_STRING* value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    const unsigned char* data = ASN1_STRING_get0_data(value);
    const int size = ASN1_STRING_length(value);
    if (name->type == GEN_DNS) {
      info.dns_names.push_back(base::to_lower({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)}));
    } else {
      info.ip_addresses.push_back(address_text(data, size));
    }
  }
}

bool fill_server_extensions(X509* certificate, X509* root, const ServerNames& names, bool rsa) {
  // RSA key exchange, which old firmware needs, is "key encipherment".
  const char* usage = rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";
  return add_extension(certificate, root, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, root, NID_key_usage, usage) &&
         add_extension(certificate, root, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, root, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, root, NID_authority_key_identifier, "keyid") &&
         add_extension(certificate, root, NID_subject_alt_name, alternative_names(names).c_str());
}

}  // namespace

Result<ServerNames> parse_server_names(const std::vector<std::string>& names) {
  if (names.size() > kMaxServerNames) {
    return fail(Errc::kLimitExceeded, "a certificate takes at most " + std::to_string(kMaxServerNames) + " names");
  }
  ServerNames out;
  for (const std::string& name : names) {
    const std::string address = canonical_address(name);
    std::string dns = base::to_lower(name);
    if (!address.empty()) {
      out.ip_addresses.push_back(address);
    } else if (is_dns_name(dns)) {
      out.dns_names.push_back(std::move(dns));
    } else {
      return fail(Errc::kInvalidArgument, "'" + base::printable(name) + "' is neither a host name nor an IP address");
    }
  }
  if (out.dns_names.empty() && out.ip_addresses.empty()) {
    return fail(Errc::kInvalidArgument, "a server certificate needs at least one name or address");
  }
  sort_unique(out.dns_names);
  sort_unique(out.ip_addresses);
  return out;
}

Result<std::string> make_private_key(KeyType type) {
  char curve[] = "P-256";
  const KeyPtr key(type == KeyType::kRsa2048 ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return refused("a private key cannot be made");
  }
  return take_text(bio.get());
}

Result<std::string> make_root_certificate(std::string_view key_pem, base::WallMs now_ms) {
  const auto key = read_key(key_pem);
  if (!key) return tl::unexpected(key.error());
  const CertificatePtr certificate(X509_new());
  if (!certificate || !fill_common(certificate.get(), key->get(), now_ms, now_ms + kRootDays * kDayMs)) {
    return refused("the root certificate cannot be made");
  }
  X509* const root = certificate.get();
  X509_NAME* const subject = X509_get_subject_name(root);
  if (!add_name(subject, "CN", "Mooring Root CA " + short_key_id(key->get())) || !add_name(subject, "O", "Mooring") ||
      X509_set_issuer_name(root, subject) != 1 ||
      !add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(root, root, NID_subject_key_identifier, "hash") ||
      X509_sign(root, key->get(), EVP_sha256()) == 0) {
    return refused("the root certificate cannot be made");
  }
  return write_certificate(root);
}

Result<std::string> make_server_certificate(std::string_view key_pem, const ServerNames& names,
                                            const CertificatePair& root, base::WallMs now_ms) {
  if (names.dns_names.empty() && names.ip_addresses.empty()) {
    return fail(Errc::kInvalidArgument, "a server certificate needs at least one name or address");
  }
  const auto key = read_key(key_pem);
  const auto root_key = read_key(root.key_pem);
  const auto issuer = read_certificate(root.certificate_pem);
  if (!key || !root_key) return tl::unexpected(!key ? key.error() : root_key.error());
  if (!issuer) return tl::unexpected(issuer.error());
  const base::WallMs root_end_ms = read_time(X509_get0_notAfter(issuer->get()));
  if (root_end_ms <= now_ms) return fail(Errc::kInvalidArgument, "the root certificate has expired");
  const CertificatePtr certificate(X509_new());
  X509* const server = certificate.get();
  if (!certificate || !fill_common(server, key->get(), now_ms, std::min(now_ms + kServerDays * kDayMs, root_end_ms)) ||
      !add_name(X509_get_subject_name(server), "CN", common_name(names)) ||
      X509_set_issuer_name(server, X509_get_subject_name(issuer->get())) != 1 ||
      !fill_server_extensions(server, issuer->get(), names, EVP_PKEY_is_a(key->get(), "RSA") == 1) ||
      X509_sign(server, root_key->get(), EVP_sha256()) == 0) {
    return refused("the server certificate cannot be made");
  }
  return write_certificate(server);
}

Result<CertificateInfo> parse_certificate(std::string_view certificate_pem) {
  const auto certificate = read_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  X509* const x509 = certificate->get();
  CertificateInfo info;
  info.subject = name_text(X509_get_subject_name(x509));
  read_alternative_names(x509, info);
  info.not_before_ms = read_time(X509_get0_notBefore(x509));
  info.not_after_ms = read_time(X509_get0_notAfter(x509));
  info.sha256_fingerprint = fingerprint_with_colons(x509);
  info.issuer = name_text(X509_get_issuer_name(x509));
  if (const EVP_PKEY* key = X509_get0_pubkey(x509); key != nullptr) {
    if (const char* type = EVP_PKEY_get0_type_name(key); type != nullptr) info.key_type = type;
  }
  info.is_authority = X509_check_ca(x509) == 1;
  ERR_clear_error();
  return info;
}

Result<> check_key_matches(std::string_view certificate_pem, std::string_view key_pem) {
  const auto certificate = read_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto key = read_key(key_pem);
  if (!key) return tl::unexpected(key.error());
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    return refused("the private key does not belong to the certificate", Errc::kInvalidArgument);
  }
  return {};
}

Result<> check_issued_by(std::string_view certificate_pem, std::string_view root_pem) {
  const auto certificate = read_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto root = read_certificate(root_pem);
  if (!root) return tl::unexpected(root.error());
  EVP_PKEY* const key = X509_get0_pubkey(root->get());
  if (key == nullptr || X509_verify(certificate->get(), key) != 1) {
    return refused("the certificate was not signed by this authority", Errc::kInvalidArgument);
  }
  return {};
}

}  // namespace mooring::crypto
