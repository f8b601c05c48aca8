#define CPPHTTPLIB_OPENSSL_SUPPORT
#include "cli/http_connection.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include <httplib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>

#include "platform/http/client.h"

namespace hearth::cli {
namespace {

using std::chrono::milliseconds;

milliseconds timeout_of(time_t seconds, time_t microseconds) {
  return std::chrono::seconds(seconds) +
         std::chrono::ceil<milliseconds>(std::chrono::microseconds(microseconds));
}

// httplib has one of its own but doesn't show it.
class TlsStream final : public httplib::Stream {
 public:
  TlsStream(int fd, SSL* ssl, milliseconds read_timeout, milliseconds write_timeout)
      : fd_(fd), ssl_(ssl), read_timeout_(read_timeout), write_timeout_(write_timeout) {}

  bool is_readable() const override {
    return SSL_pending(ssl_) > 0 || wait_for(POLLIN, read_timeout_);
  }
  bool is_writable() const override { return wait_for(POLLOUT, write_timeout_); }

  ssize_t read(char* data, std::size_t size) override {
    while (is_readable()) {
      ERR_clear_error();
      const int got = SSL_read(ssl_, data, length_of(size));
      if (got > 0) return got;
      const int error = SSL_get_error(ssl_, got);
      if (error == SSL_ERROR_ZERO_RETURN) return 0;
      if (error != SSL_ERROR_WANT_READ) return -1;  // else: a part of a record, or a ticket
    }
    return -1;
  }

  ssize_t write(const char* data, std::size_t size) override {
    while (is_writable()) {
      ERR_clear_error();
      const int put = SSL_write(ssl_, data, length_of(size));
      if (put > 0) return put;
      if (SSL_get_error(ssl_, put) != SSL_ERROR_WANT_WRITE) return -1;
    }
    return -1;
  }

  // Servers ask for these; a client's stream needs none.
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  int socket() const override { return fd_; }

 private:
  static int length_of(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
  }

  bool wait_for(short events, milliseconds timeout) const {
    constexpr milliseconds kLongest{std::numeric_limits<int>::max()};
    pollfd entry{fd_, events, 0};
    int ready = 0;
    do ready = ::poll(&entry, 1, static_cast<int>(std::min(timeout, kLongest).count()));
    while (ready < 0 && errno == EINTR);
    return ready > 0;
  }

  int fd_;
  SSL* ssl_;
  milliseconds read_timeout_;
  milliseconds write_timeout_;
};

// Goes on reading from a peer that no longer listens.
class AnswerStream final : public httplib::Stream {
 public:
  explicit AnswerStream(httplib::Stream& inner) : inner_(inner) {}

  bool is_readable() const override { return inner_.is_readable(); }
  // write() knows better.
  bool is_writable() const override { return true; }
  ssize_t read(char* data, std::size_t size) override { return inner_.read(data, size); }

  ssize_t write(const char* data, std::size_t size) override {
    const ssize_t put = deaf_ ? -1 : inner_.write(data, size);
    deaf_ = put < 0;
    return deaf_ ? static_cast<ssize_t>(size) : put;
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    inner_.get_remote_ip_and_port(ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    inner_.get_local_ip_and_port(ip, port);
  }
  int socket() const override { return inner_.socket(); }

 private:
  httplib::Stream& inner_;
  bool deaf_ = false;
};

using Exchange = std::function<bool(httplib::Stream&)>;

class PlainClient final : public httplib::ClientImpl {
 public:
  using ClientImpl::ClientImpl;

 private:
  bool process_socket(const Socket& socket, Exchange exchange) override {
    return httplib::detail::process_client_socket(
        socket.sock, read_timeout_sec_, read_timeout_usec_, write_timeout_sec_, write_timeout_usec_,
        [&exchange](httplib::Stream& plain) {
          AnswerStream stream(plain);
          return exchange(stream);
        });
  }
};

class TlsClient final : public httplib::SSLClient {
 public:
  using SSLClient::SSLClient;

 private:
  bool process_socket(const Socket& socket, Exchange exchange) override {
    TlsStream tls(socket.sock, socket.ssl, timeout_of(read_timeout_sec_, read_timeout_usec_),
                  timeout_of(write_timeout_sec_, write_timeout_usec_));
    AnswerStream stream(tls);
    return exchange(stream);
  }
};

// Owned by the client that takes it.
X509_STORE* store_of(const std::string& pem) {
  X509_STORE* store = X509_STORE_new();
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  BIO_free(bio);
  return store;
}

}  // namespace

std::unique_ptr<httplib::ClientImpl> make_http_client(const http::Url& url,
                                                      const std::string& ca_pem) {
  if (url.scheme != "https") return std::make_unique<PlainClient>(url.host, url.port);
  auto client = std::make_unique<TlsClient>(url.host, url.port);
  if (!ca_pem.empty()) client->set_ca_cert_store(store_of(ca_pem));
  return client;
}

}  // namespace hearth::cli
