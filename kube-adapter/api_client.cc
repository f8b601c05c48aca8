#include "kube-adapter/api_client.h"

#include <fmt/format.h>

#include "platform/async/timer.h"
#include "platform/base/file.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"

namespace hearth::kube_adapter {
namespace {

constexpr std::size_t kTokenBytesMax = 64 * 1024;
constexpr std::size_t kErrorBytesMax = 64 * 1024;
constexpr std::chrono::seconds kTokenFileInterval{60};

double random_fraction() {
  return static_cast<double>(static_cast<unsigned char>(base::random_bytes(1)[0])) / 256.0;
}

// OpenSSL's words for a certificate that it does not believe.
constexpr std::string_view kNotBelieved = "certificate verify failed";

Failure unanswered(Error error, const ClusterAccess& access) {
  // Half a body, or one that is no HTTP: the connection is as good as broken.
  if (error.code == Code::kBadRequest) error.code = Code::kUnavailable;
  if (error.message.contains(kNotBelieved)) {
    const std::string trusting =
        access.context.empty() ? "the kubeconfig" : fmt::format("context \"{}\"", access.context);
    error.message += fmt::format(
        "; the certificate of {} was not issued by the authority that {} trusts, or not for this "
        "name or time: a cluster that was made anew needs its kubeconfig fetched again",
        access.server.authority(), trusting);
  }
  return {0, std::move(error), std::nullopt};
}

bool is_cancelled(const Failure& failure) { return failure.error.code == Code::kCancelled; }

// 299 - "text"
std::vector<std::string> warnings_of(const http::Headers& headers) {
  std::vector<std::string> out;
  for (const auto field : headers) {
    if (!base::equal_ignoring_case(field.name, "warning")) continue;
    const auto begin = field.value.find('"');
    const auto end = field.value.rfind('"');
    if (begin == field.value.npos || end <= begin) continue;
    std::string text(field.value.substr(begin + 1, end - begin - 1));
    text = base::replace_all(std::move(text), "\\\"", "\"");
    out.push_back(base::replace_all(std::move(text), "\\\\", "\\"));
  }
  return out;
}

}  // namespace

// What one request has behind it.
struct ApiClient::Attempts {
  Repeat repeat = Repeat::kAllowed;
  int made = 0;
  bool logged_in_again = false;
};

Result<std::unique_ptr<ApiClient>> ApiClient::create(async::Loop& loop, const base::Clock& clock,
                                                     ClusterAccess access,
                                                     ApiClientOptions options) {
  auto tls = http::TlsContext::client(
      access.ca_pem, access.client_certificate_pem, access.client_key_pem,
      access.skip_tls_verify ? http::PeerCheck::kNone : http::PeerCheck::kVerify);
  if (!tls) {
    return fail(with_context(tls.error(), fmt::format("context \"{}\"", access.context)));
  }
  auto client = std::unique_ptr<ApiClient>(
      new ApiClient(loop, clock, std::move(access), options, std::move(*tls)));
  HEARTH_CHECK_OK(client->read_token());
  return client;
}

ApiClient::ApiClient(async::Loop& loop, const base::Clock& clock, ClusterAccess access,
                     ApiClientOptions options, http::TlsContext tls)
    : loop_(loop),
      clock_(clock),
      access_(std::move(access)),
      options_(options),
      tls_(std::move(tls)),
      http_(loop, &tls_),
      token_(access_.token) {}

ApiClient::~ApiClient() = default;

Status ApiClient::read_token() {
  if (access_.token_file.empty()) return {};
  token_read_ = clock_.monotonic();
  auto text = base::read_file(access_.token_file, kTokenBytesMax);
  if (!text) {
    return fail(with_context(text.error(), "tokenFile " + access_.token_file.string()));
  }
  const std::string_view token = base::trim(*text);
  if (token.empty() || !http::is_field_value(token)) {
    return fail(Code::kInvalid,
                fmt::format("tokenFile {}: holds no token", access_.token_file.string()));
  }
  token_ = token;
  return {};
}

http::Headers ApiClient::headers_for(const ApiRequest& request) {
  const http::Url& server = access_.server;
  http::Headers headers;
  http::Url shown = server;
  if (shown.host.contains(':')) shown.host = "[" + shown.host + "]";
  headers.add("Host", shown.authority());
  headers.add("User-Agent", "hearth-operator/" HEARTH_VERSION " (linux)");
  headers.add("Accept", "application/json");
  if (!request.body.empty()) headers.add("Content-Type", request.content_type);
  if (!access_.token_file.empty() && clock_.monotonic() - token_read_ > kTokenFileInterval) {
    // A file that can't be read just now: the old token may still do.
    (void)read_token();
  }
  // As kubectl: what is secret never travels in the clear.
  if (!token_.empty() && server.scheme == "https") {
    headers.add("Authorization", "Bearer " + token_);
  }
  return headers;
}

http::Url ApiClient::url_for(const std::string& target) const {
  http::Url url = access_.server;
  if (!access_.tls_server_name.empty()) url.host = access_.tls_server_name;
  if (url.target.ends_with('/')) url.target.pop_back();
  url.target += target;
  return url;
}

Task<std::expected<ApiAnswer, Failure>> ApiClient::try_send(const ApiRequest& request) {
  http::RequestOptions options;
  options.timeout = options_.request_timeout;
  options.total_timeout = options_.request_timeout;
  options.response_bytes_max = request.response_bytes_max;
  options.connect_to = endpoint();
  options.resend = request.repeat == Repeat::kAllowed ? http::Resend::kOnce : http::Resend::kNever;
  auto response = co_await http_.request(request.method, url_for(request.target),
                                         headers_for(request), request.body, options);
  if (!response) co_return std::unexpected(unanswered(response.error(), access_));
  if (response->head.status / 100 != 2) {
    co_return std::unexpected(failure_of(response->head.status, response->body,
                                         response->head.headers.get_or("retry-after", "")));
  }
  auto body = base::parse_json(response->body);
  if (!body) {
    Error error = with_context(body.error(), "the answer to " + request.method);
    co_return std::unexpected(
        unanswered({Code::kUnavailable, std::move(error.message), {}}, access_));
  }
  co_return ApiAnswer{std::move(*body), warnings_of(response->head.headers)};
}

Task<std::expected<std::unique_ptr<http::ClientConnection>, Failure>> ApiClient::try_open(
    const ApiRequest& request) {
  const http::Url url = url_for(request.target);
  const bool secure = url.scheme == "https";
  auto stream = co_await http::Stream::connect(loop_, endpoint(), options_.connect_timeout,
                                               secure ? &tls_ : nullptr, url.host);
  if (!stream) co_return std::unexpected(unanswered(stream.error(), access_));
  auto connection = std::make_unique<http::ClientConnection>(loop_, std::move(*stream));
  connection->stream().expire_after(options_.request_timeout);
  const http::RequestHead head{
      .method = "GET", .target = url.target, .headers = headers_for(request)};
  const Status sent = co_await connection->send(head, {});
  if (!sent) co_return std::unexpected(unanswered(sent.error(), access_));
  auto answer = co_await connection->read_head();
  if (!answer) co_return std::unexpected(unanswered(answer.error(), access_));
  if (answer->status == 200) co_return connection;
  const std::string retry_after(answer->headers.get_or("retry-after", ""));
  auto text = co_await connection->read_all(kErrorBytesMax);
  co_return std::unexpected(
      failure_of(answer->status, text ? std::string_view(*text) : std::string_view(), retry_after));
}

// Waits until the request may be sent again; the error to end with when it may not.
Task<Status> ApiClient::before_next(Attempts& attempts, const Failure& failure) {
  const bool can_log_in = failure.status == 401 && !access_.token_file.empty();
  if (can_log_in && !std::exchange(attempts.logged_in_again, true)) co_return read_token();
  const auto delay = retry_delay(failure, attempts.repeat, attempts.made++, random_fraction());
  if (!delay) co_return fail(failure.error);
  if (!co_await async::sleep_for(*delay)) co_return fail(Code::kCancelled, "request cancelled");
  co_return Status();
}

Task<Result<ApiAnswer>> ApiClient::send(ApiRequest request) {
  Attempts attempts{.repeat = request.repeat};
  while (true) {
    auto answer = co_await try_send(request);
    if (answer) co_return std::move(*answer);
    // A cancelled task can't wait for anything more.
    if (is_cancelled(answer.error())) co_return fail(answer.error().error);
    HEARTH_CO_CHECK_OK(co_await before_next(attempts, answer.error()));
  }
}

Task<Result<std::unique_ptr<http::ClientConnection>>> ApiClient::open_stream(std::string target) {
  const ApiRequest request{.target = std::move(target)};
  Attempts attempts;
  while (true) {
    auto connection = co_await try_open(request);
    if (connection) co_return std::move(*connection);
    if (is_cancelled(connection.error())) co_return fail(connection.error().error);
    HEARTH_CO_CHECK_OK(co_await before_next(attempts, connection.error()));
  }
}

}  // namespace hearth::kube_adapter
