#define CPPHTTPLIB_OPENSSL_SUPPORT
#include "cli/http_client.h"

#include <fmt/format.h>
#include <httplib.h>

#include "cli/http_connection.h"
#include "platform/base/text.h"
#include "platform/http/client.h"

namespace hearth::cli {
namespace {

Error transport_error(httplib::Error error, const std::string& url, bool timed_out) {
  if (timed_out)
    return {Code::kDeadlineExceeded, fmt::format("{} did not answer in time", url), {}};
  return {
      Code::kUnavailable, fmt::format("no answer from {}: {}", url, httplib::to_string(error)), {}};
}

}  // namespace

struct HttpClient::State {
  std::string url;
  Result<http::Url> parsed;
  std::unique_ptr<httplib::ClientImpl> client;  // none when the URL is not one
};

std::string HttpReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (base::equal_ignoring_case(key, name)) return value;
  }
  return {};
}

HttpClient::HttpClient(const std::string& url, const std::string& ca_pem)
    : state_(std::make_unique<State>(State{url, http::parse_url(url), nullptr})) {
  if (!state_->parsed) return;
  state_->client = make_http_client(*state_->parsed, ca_pem);
  state_->client->set_keep_alive(true);
  state_->client->set_url_encode(false);
  state_->client->set_connection_timeout(5);
  state_->client->set_tcp_nodelay(true);
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::call(HttpCall call) {
  if (!state_->parsed) return fail(state_->parsed.error());
  httplib::Request request;
  request.method = call.method;
  request.path = call.target;
  request.body = std::move(call.body);
  for (const auto& [name, value] : call.headers) request.headers.emplace(name, value);
  HttpReply reply;
  bool ended_by_us = false;
  const auto take_head = [&reply](const httplib::Response& response) {
    reply.status = response.status;
    reply.reason = response.reason;
    for (const auto& [name, value] : response.headers) reply.headers.emplace_back(name, value);
  };
  request.response_handler = [&](const httplib::Response& response) {
    take_head(response);
    return true;
  };
  request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t,
                                 std::uint64_t) {
    const std::string_view piece(bytes, size);
    if (!call.on_bytes || reply.status >= 400) {
      reply.body.append(piece);
      return true;
    }
    ended_by_us = !call.on_bytes(piece);
    return !ended_by_us;
  };
  state_->client->set_read_timeout(call.timeout);
  state_->client->set_write_timeout(call.timeout);
  const auto begin = std::chrono::steady_clock::now();
  const httplib::Result result = state_->client->send(request);
  // Without a body (204, HEAD) the library shows the head here only.
  if (result && reply.status == 0) take_head(*result);
  if (result || ended_by_us) return reply;
  // The library has one word, "read", for a silent peer and a closed connection.
  const bool timed_out = result.error() == httplib::Error::Read &&
                         std::chrono::steady_clock::now() - begin >= call.timeout;
  return fail(transport_error(result.error(), state_->url, timed_out));
}

}  // namespace hearth::cli
