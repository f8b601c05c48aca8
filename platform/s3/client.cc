#include "platform/s3/client.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::s3 {
namespace {

constexpr std::size_t kListedObjectsMax = 100'000;
constexpr std::size_t kListPageBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kErrorBytesMax = 64 * 1024;

Code code_of_status(int status) {
  if (status == 404) return Code::kNotFound;
  if (status == 401 || status == 403) return Code::kForbidden;
  if (status == 412) return Code::kPreconditionFailed;
  if (status == 429 || status == 503) return Code::kUnavailable;
  if (status == 507) return Code::kStorageFull;
  return status >= 500 ? Code::kUnavailable : Code::kBadRequest;
}

Error answer_error(const http::Response& response, const std::string& bucket,
                   const std::string& key) {
  const auto document = parse_error_document(response.body);
  Error error = document.value_or(Error{});
  const std::string_view code = document ? s3_code(*document) : std::string_view();
  error.code = code_of_status(response.head.status);
  if (code == "NoSuchKey") {
    error.message = fmt::format("object \"{}\" does not exist in bucket \"{}\"", key, bucket);
  } else if (code == "NoSuchBucket") {
    error.message = fmt::format("bucket \"{}\" does not exist", bucket);
  } else {
    error.message = fmt::format(
        "s3://{}/{}: {} {}: {}", bucket, key, response.head.status, code,
        document ? document->message : std::string(http::reason_phrase(response.head.status)));
  }
  return error;
}

}  // namespace

Client::Client(http::Client& http, base::Clock& clock, ClientOptions options)
    : http_(http), clock_(clock), options_(std::move(options)) {}

Task<Result<std::string>> Client::send(Call call) {
  http::RequestHead head{.method = call.method, .target = {}, .headers = {}};
  std::string_view root = options_.endpoint.target;
  root = root.substr(0, root.find('?'));
  while (root.ends_with('/')) root.remove_suffix(1);
  head.target = fmt::format("{}/{}", root, base::percent_encode(call.bucket));
  if (!call.key.empty()) head.target += "/" + base::percent_encode(call.key, true);
  if (!call.query.empty()) head.target += "?" + call.query;
  head.headers.add("Host", options_.endpoint.authority());
  if (!call.content_type.empty()) head.headers.add("Content-Type", call.content_type);
  if (!options_.credentials.access_key.empty()) {
    sign(head, options_.credentials, options_.region, base::sha256_hex(call.body), clock_.wall());
  }
  http::Url url = options_.endpoint;
  url.target = head.target;
  http::RequestOptions options;
  options.response_bytes_max = call.response_bytes_max;
  options.connect_to = options_.connect_to;
  HEARTH_CO_TRY(response,
                co_await http_.request(call.method, std::move(url), std::move(head.headers),
                                       std::move(call.body), std::move(options)));
  if (response.head.status / 100 != 2) {
    co_return fail(answer_error(response, call.bucket, call.key));
  }
  co_return std::move(response.body);
}

Task<Result<std::string>> Client::get_object(std::string bucket, std::string key,
                                             std::size_t bytes_max) {
  // An error document must fit, however small the object may be.
  HEARTH_CO_TRY(bytes, co_await send({.method = "GET",
                                      .bucket = bucket,
                                      .key = key,
                                      .response_bytes_max = std::max(bytes_max, kErrorBytesMax)}));
  if (bytes.size() > bytes_max) {
    co_return fail(Code::kTooLarge,
                   fmt::format("s3://{}/{} is over the limit of {} bytes", bucket, key, bytes_max));
  }
  co_return bytes;
}

Task<Result<std::vector<ObjectInfo>>> Client::list(std::string bucket, std::string prefix) {
  std::vector<ObjectInfo> out;
  std::string token;
  do {
    std::string query = "list-type=2&prefix=" + base::percent_encode(prefix);
    if (!token.empty()) query += "&continuation-token=" + base::percent_encode(token);
    HEARTH_CO_TRY(body, co_await send({.method = "GET",
                                       .bucket = bucket,
                                       .query = std::move(query),
                                       .response_bytes_max = kListPageBytesMax}));
    HEARTH_CO_TRY(page, parse_list_page(body));
    for (ListedObject& object : page.objects) {
      out.push_back({std::move(object.key), std::move(object.etag), object.size});
    }
    if (out.size() > kListedObjectsMax) {
      co_return fail(Code::kTooLarge, fmt::format("s3://{}/{} holds over {} objects", bucket,
                                                  prefix, kListedObjectsMax));
    }
    token = std::move(page.next_token);
  } while (!token.empty());
  co_return out;
}

Task<Status> Client::put_object(std::string bucket, std::string key, std::string bytes,
                                std::string content_type) {
  HEARTH_CO_CHECK_OK(co_await send({.method = "PUT",
                                    .bucket = std::move(bucket),
                                    .key = std::move(key),
                                    .body = std::move(bytes),
                                    .content_type = std::move(content_type)}));
  co_return Status();
}

Task<Status> Client::delete_object(std::string bucket, std::string key) {
  const auto done =
      co_await send({.method = "DELETE", .bucket = std::move(bucket), .key = std::move(key)});
  if (!done && done.error().code != Code::kNotFound) co_return fail(done.error());
  co_return Status();
}

Task<Status> Client::create_bucket(std::string bucket) {
  const auto done = co_await send({.method = "PUT", .bucket = std::move(bucket)});
  if (!done && done.error().message.find("BucketAlreadyOwnedByYou") == std::string::npos) {
    co_return fail(done.error());
  }
  co_return Status();
}

}  // namespace hearth::s3
