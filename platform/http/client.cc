#include "platform/http/client.h"

#include <map>
#include <vector>

#include <fmt/format.h>
#include <poll.h>

#include "platform/async/loop.h"
#include "platform/base/grow.h"
#include "platform/base/text.h"
#include "platform/http/head_writer.h"
#include "platform/http/tls.h"

namespace hearth::http {
namespace {

constexpr std::size_t kIdlePerAuthorityMax = 32;

// A connection that rested no longer than this is not asked whether it still lives: that is a
// system call a request, and request() tries again anew when the first try meets a dead connection.
constexpr auto kTrustedRest = std::chrono::milliseconds(20);

bool closed_by_peer(int fd) {
  pollfd entry{fd, POLLIN | POLLRDHUP, 0};
  // Readable while idle means closed, or bytes that belong to no request.
  return ::poll(&entry, 1, 0) != 0;
}

}  // namespace

std::string Url::authority() const {
  const bool own_port = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
  return own_port ? host : host + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  const auto scheme_end = text.find("://");
  if (scheme_end == text.npos) {
    return fail(Code::kInvalid, fmt::format("\"{}\" is no absolute URL", text));
  }
  url.scheme = base::lower(text.substr(0, scheme_end));
  if (url.scheme != "http" && url.scheme != "https") {
    return fail(Code::kInvalid, fmt::format("scheme \"{}\" is neither http nor https", url.scheme));
  }
  url.port = url.scheme == "http" ? 80 : 443;
  text.remove_prefix(scheme_end + 3);
  const auto target_at = text.find_first_of("/?#");
  std::string_view authority = text.substr(0, target_at);
  if (target_at != text.npos) {
    const std::string_view target = text.substr(target_at);
    url.target = std::string(target.substr(0, target.find('#')));
    if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  }
  if (authority.contains('@')) return fail(Code::kInvalid, "a URL with user and password");
  const auto port_at = authority.rfind(':');
  if (port_at != authority.npos && !authority.ends_with(']')) {
    const auto port = base::parse_int<std::uint16_t>(authority.substr(port_at + 1));
    if (!port) return fail(Code::kInvalid, fmt::format("bad port in \"{}\"", authority));
    url.port = *port;
    authority = authority.substr(0, port_at);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  url.host = base::lower(authority);
  if (url.host.empty() || url.target.find_first_of(" \r\n") != std::string::npos) {
    return fail(Code::kInvalid, "URL without a host, or with a space");
  }
  return url;
}

ClientConnection::ClientConnection(async::Loop&, std::unique_ptr<Stream> stream)
    : stream_(std::move(stream)), reader_(*stream_, buffer_) {}

Task<Status> ClientConnection::send(const RequestHead& head, std::string_view body) {
  was_head_ = head.method == "HEAD";
  keep_alive_ = false;
  out_.assign(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_fields(out_, head.headers);
  if (!body.empty() || (head.method != "GET" && head.method != "HEAD")) {
    append_field(out_, "Content-Length", fmt::format_int(body.size()).c_str());
  }
  out_ += "\r\n";
  co_return co_await stream_->write(out_, body);
}

Task<Result<ResponseHead>> ClientConnection::read_head() {
  constexpr std::size_t kReadBytes = 16 * 1024;
  ResponseHead head;
  while (true) {
    if (!buffer_.empty()) {
      HEARTH_CO_TRY(parsed, parse_response_head(buffer_, was_head_, head));
      if (parsed) {
        buffer_.erase(0, parsed->bytes);
        if (head.status / 100 == 1 && head.status != 101) continue;
        keep_alive_ = parsed->keep_alive;
        reader_.start(parsed->framing);
        co_return head;
      }
    }
    const std::size_t before = buffer_.size();
    base::grow(buffer_, kReadBytes);
    auto got = co_await stream_->read_some(buffer_.data() + before, kReadBytes);
    buffer_.resize(before + (got ? *got : 0));
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(Code::kUnavailable, "peer closed before it answered");
  }
}

Task<Result<std::size_t>> ClientConnection::read_body(char* data, std::size_t size) {
  co_return co_await reader_.read(data, size);
}

Task<Result<std::string>> ClientConnection::read_all(std::size_t bytes_max) {
  co_return co_await http::read_all(reader_, bytes_max);
}

bool ClientConnection::reusable() const {
  return keep_alive_ && reader_.done() && buffer_.empty() && stream_->is_open();
}

struct Client::Pool {
  struct Idle {
    std::unique_ptr<ClientConnection> connection;
    std::chrono::steady_clock::time_point since;
  };
  std::map<std::string, std::vector<Idle>> idle;

  // The connection that rested shortest, if one lives. `may_trust`: one that just rested is not
  // asked; whoever can't send again must not find out by failing.
  std::unique_ptr<ClientConnection> take(const std::string& key, bool may_trust);
  void keep(const std::string& key, std::unique_ptr<ClientConnection> connection);
};

std::unique_ptr<ClientConnection> Client::Pool::take(const std::string& key, bool may_trust) {
  auto& resting = idle[key];
  while (!resting.empty()) {
    Idle last = std::move(resting.back());
    resting.pop_back();
    const bool trusted = may_trust && std::chrono::steady_clock::now() - last.since < kTrustedRest;
    if (trusted || !closed_by_peer(last.connection->stream().fd()))
      return std::move(last.connection);
  }
  return nullptr;
}

void Client::Pool::keep(const std::string& key, std::unique_ptr<ClientConnection> connection) {
  auto& resting = idle[key];
  if (!connection->reusable() || resting.size() >= kIdlePerAuthorityMax) return;
  resting.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

Client::Client(async::Loop& loop, const TlsContext* tls)
    : loop_(loop), tls_(tls), pool_(std::make_unique<Pool>()) {}
Client::~Client() = default;

Task<Result<Response>> Client::request(std::string method, Url url, Headers headers,
                                       std::string body, RequestOptions options) {
  const bool secure = url.scheme == "https";
  if (secure && tls_ == nullptr) co_return fail(Code::kUnsupported, "https is not set up here");
  const Endpoint endpoint = options.connect_to.value_or(Endpoint{url.host, url.port, {}});
  const std::string key = url.scheme + "|" + endpoint.unix_path + "|" + endpoint.host + ":" +
                          std::to_string(endpoint.port);
  RequestHead head{
      .method = std::move(method), .target = url.target, .headers = std::move(headers)};
  if (!head.headers.contains("host")) head.headers.add("Host", url.authority());

  BodyPatience patience;
  if (options.total_timeout) {
    patience.end = std::chrono::steady_clock::now() + *options.total_timeout;
  }
  for (bool fresh : {false, true}) {
    std::unique_ptr<ClientConnection> connection;
    if (!fresh) connection = pool_->take(key, options.resend == Resend::kOnce);
    if (!connection) {
      fresh = true;
      HEARTH_CO_TRY(stream, co_await Stream::connect(loop_, endpoint, options.timeout,
                                                     secure ? tls_ : nullptr, url.host));
      connection = std::make_unique<ClientConnection>(loop_, std::move(stream));
    }
    connection->stream().expire_after(options.timeout);
    connection->be_patient(patience);
    const Status sent = co_await connection->send(head, body);
    auto response_head =
        sent ? co_await connection->read_head() : Result<ResponseHead>(fail(sent.error()));
    if (!response_head) {
      const bool again = !fresh && options.resend == Resend::kOnce;
      if (again && response_head.error().code == Code::kUnavailable) continue;
      co_return fail(response_head.error());
    }
    HEARTH_CO_TRY(text, co_await connection->read_all(options.response_bytes_max));
    connection->stream().never_expire();
    pool_->keep(key, std::move(connection));
    co_return Response{std::move(*response_head), std::move(text)};
  }
  co_return fail(Code::kUnavailable, "peer closed before it answered");
}

}  // namespace hearth::http
