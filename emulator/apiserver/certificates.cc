#include "emulator/apiserver/certificates.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "platform/base/c_handle.h"
#include "platform/base/file.h"
#include "platform/base/ip_address.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"

namespace hearth::apiserver {
namespace {

using Key = base::CHandle<EVP_PKEY, EVP_PKEY_free>;
using Certificate = base::CHandle<X509, X509_free>;
using Bio = base::CHandle<BIO, BIO_free>;

constexpr long kLifeSeconds = 10L * 365 * 86'400;
// A clock that was ahead at the first start, and is set right, must not make them invalid.
constexpr long kBackdatedSeconds = 86'400;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Identity to_pem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_bio.get(), certificate);
  const Bio key_bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_bio.get()), text_of(key_bio.get())};
}

struct Subject {
  std::string organisation;
  std::string common_name;
  bool is_authority = false;
  std::string usage;              // extendedKeyUsage
  std::string alternative_names;  // subjectAltName
};

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* name, const Subject& subject) {
  const auto add = [&](const char* field, const std::string& text) {
    if (text.empty()) return;
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(text.data()),
                               static_cast<int>(text.size()), -1, 0);
  };
  add("O", subject.organisation);
  add("CN", subject.common_name);
}

// Signed by `issuer`, or by itself when that is null.
Identity make_identity(const Subject& subject, X509* issuer, EVP_PKEY* issuer_key) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  const std::string serial = base::random_bytes(8);
  std::uint64_t number = 0;
  for (const char c : serial) number = (number << 8) | static_cast<unsigned char>(c);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kBackdatedSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLifeSeconds);
  X509_set_pubkey(certificate.get(), key.get());
  set_name(X509_get_subject_name(certificate.get()), subject);
  X509* signer = issuer != nullptr ? issuer : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
  add_extension(certificate.get(), signer, NID_basic_constraints,
                subject.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(
      certificate.get(), signer, NID_key_usage,
      subject.is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  add_extension(certificate.get(), signer, NID_subject_key_identifier, "hash");
  // All our authorities have one name. Without this a client that trusts another one finds out by
  // a broken signature, and no error of a TLS library says what that means.
  add_extension(certificate.get(), signer, NID_authority_key_identifier, "keyid");
  add_extension(certificate.get(), signer, NID_ext_key_usage, subject.usage);
  add_extension(certificate.get(), signer, NID_subject_alt_name, subject.alternative_names);
  X509_sign(certificate.get(), issuer_key != nullptr ? issuer_key : key.get(), EVP_sha256());
  return to_pem(certificate.get(), key.get());
}

Certificate parse_certificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Key parse_key(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// RFC 5280: addresses and names are entries of different kinds; what is neither is left out.
std::string alternative_names(const std::vector<std::string>& names) {
  std::string out =
      "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
      "DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:::1";
  for (const std::string& name : names) {
    if (name == "127.0.0.1" || name == "::1") continue;
    if (base::is_ip_address(name))
      out += ",IP:" + name;
    else if (base::is_dns_subdomain(name))
      out += ",DNS:" + name;
  }
  return out;
}

Status store(const std::filesystem::path& directory, const char* name, const Identity& identity) {
  const std::string base = directory / name;
  HEARTH_CHECK_OK(base::write_file_atomically(base + ".key", identity.key_pem, 0600));
  return base::write_file_atomically(base + ".crt", identity.certificate_pem, 0600);
}

Result<Identity> load(const std::filesystem::path& directory, const char* name) {
  const std::string base = directory / name;
  HEARTH_TRY(certificate, base::read_file(base + ".crt"));
  HEARTH_TRY(key, base::read_file(base + ".key"));
  return Identity{std::move(certificate), std::move(key)};
}

}  // namespace

Result<Certificates> load_or_create_certificates(const std::filesystem::path& directory,
                                                 const std::vector<std::string>& names) {
  HEARTH_CHECK_OK(base::make_private_directory(directory));
  Certificates out;
  if (auto authority = load(directory, "ca")) {
    out.authority = std::move(*authority);
  } else {
    out.authority = make_identity({"Hearth", "hearth-ca", true, "", ""}, nullptr, nullptr);
    HEARTH_CHECK_OK(store(directory, "ca", out.authority));
  }
  const Certificate issuer = parse_certificate(out.authority.certificate_pem);
  const Key issuer_key = parse_key(out.authority.key_pem);
  if (!issuer || !issuer_key) {
    return fail(Code::kCorrupt, "the certificate authority in " + directory.string() +
                                    " can't be read; remove the folder to make a new one");
  }
  // The server's own certificate is made at every start: its address may change, and nobody pins
  // it.
  out.server = make_identity({"Hearth", "hearth", false, "serverAuth", alternative_names(names)},
                             issuer.get(), issuer_key.get());
  if (auto administrator = load(directory, "admin")) {
    out.administrator = std::move(*administrator);
  } else {
    out.administrator =
        make_identity({"system:masters", "kubernetes-admin", false, "clientAuth", ""}, issuer.get(),
                      issuer_key.get());
    HEARTH_CHECK_OK(store(directory, "admin", out.administrator));
  }
  return out;
}

}  // namespace hearth::apiserver
