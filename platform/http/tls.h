// TLS settings: certificates and trust, from PEM text.
#pragma once

#include <memory>
#include <string>

#include "platform/base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace hearth::http {

enum class PeerCheck { kVerify, kNone };

class TlsContext {
 public:
  ~TlsContext();
  TlsContext(TlsContext&&) noexcept;

  // A server that asks for (but does not demand) client certificates signed by `client_ca_pem`.
  static Result<TlsContext> server(const std::string& certificate_pem, const std::string& key_pem,
                                   const std::string& client_ca_pem = {});
  // A client that trusts `ca_pem` only, or the system's store when it is empty. kNone: any server
  // is believed, for those who asked for it by name (insecure-skip-tls-verify).
  static Result<TlsContext> client(const std::string& ca_pem,
                                   const std::string& certificate_pem = {},
                                   const std::string& key_pem = {},
                                   PeerCheck check = PeerCheck::kVerify);

  // For one loop. The system's store of certificates is read by the first call: that takes longer
  // than all else at start, and many never speak TLS to the world.
  boost::asio::ssl::context& native() const;

 private:
  explicit TlsContext(std::unique_ptr<boost::asio::ssl::context> context);
  std::unique_ptr<boost::asio::ssl::context> context_;
  mutable bool wants_system_store_ = false;
};

}  // namespace hearth::http
