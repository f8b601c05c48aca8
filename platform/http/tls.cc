#include "platform/http/tls.h"

#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>

namespace hearth::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::buffer;

// HTTP/1.1 is all we speak: say so to clients that would rather have h2.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
  static constexpr unsigned char kProtocol[] = "\x08http/1.1";
  if (SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kProtocol,
                            sizeof kProtocol - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  return SSL_TLSEXT_ERR_OK;
}

void use_identity(ssl::context& context, const std::string& certificate, const std::string& key) {
  context.use_certificate_chain(buffer(certificate));
  context.use_private_key(buffer(key), ssl::context::pem);
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<ssl::context> context) : context_(std::move(context)) {}
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext::~TlsContext() = default;

ssl::context& TlsContext::native() const {
  if (std::exchange(wants_system_store_, false)) {
    // A store that can't be read is an empty one: the handshake then says what is not trusted.
    boost::system::error_code ignored;
    context_->set_default_verify_paths(ignored);
  }
  return *context_;
}

Result<TlsContext> TlsContext::server(const std::string& certificate_pem,
                                      const std::string& key_pem,
                                      const std::string& client_ca_pem) {
  try {
    auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
    context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                         ssl::context::no_tlsv1_1);
    use_identity(*context, certificate_pem, key_pem);
    if (!client_ca_pem.empty()) {
      context->add_certificate_authority(buffer(client_ca_pem));
      context->set_verify_mode(ssl::verify_peer);
    }
    SSL_CTX_set_alpn_select_cb(context->native_handle(), select_alpn, nullptr);
    // Client certificates need a session context, or resumption fails the handshake.
    SSL_CTX_set_session_id_context(context->native_handle(),
                                   reinterpret_cast<const unsigned char*>("hearth"), 6);
    return TlsContext(std::move(context));
  } catch (const std::exception& e) {
    return fail(Code::kInvalid, std::string("TLS server: ") + e.what());
  }
}

Result<TlsContext> TlsContext::client(const std::string& ca_pem, const std::string& certificate_pem,
                                      const std::string& key_pem, PeerCheck check) {
  try {
    auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
    context->set_verify_mode(check == PeerCheck::kVerify ? ssl::verify_peer : ssl::verify_none);
    if (!ca_pem.empty()) context->add_certificate_authority(buffer(ca_pem));
    if (!certificate_pem.empty()) use_identity(*context, certificate_pem, key_pem);
    TlsContext out(std::move(context));
    out.wants_system_store_ = ca_pem.empty() && check == PeerCheck::kVerify;
    return out;
  } catch (const std::exception& e) {
    return fail(Code::kInvalid, std::string("TLS client: ") + e.what());
  }
}

}  // namespace hearth::http
