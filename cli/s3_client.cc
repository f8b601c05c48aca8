#include "cli/s3_client.h"

#include <fmt/format.h>

#include "platform/base/clock.h"
#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::cli {
namespace {

constexpr std::chrono::minutes kTimeout{5};

Code code_of(int status) {
  if (status == 404) return Code::kNotFound;
  if (status == 401 || status == 403) return Code::kForbidden;
  if (status == 409) return Code::kConflict;
  if (status == 400) return Code::kBadRequest;
  return status >= 500 ? Code::kUnavailable : Code::kInternal;
}

Error error_of(const HttpReply& reply, const S3Location& location) {
  const auto document = s3::parse_error_document(reply.body);
  const std::string_view code = document ? s3::s3_code(*document) : std::string_view();
  const std::string where = location.bucket.empty() ? "the store" : location.text();
  if (reply.status == 404 && code != "NoSuchBucket") {
    return {Code::kNotFound, fmt::format("{}: no such object", where), {}};
  }
  if (code == "NoSuchBucket") {
    return {Code::kNotFound,
            fmt::format("no bucket \"{}\"; `hearth s3 mb s3://{}` makes it", location.bucket,
                        location.bucket),
            {}};
  }
  const std::string words = document ? fmt::format("{}: {}", code, document->message)
                                     : fmt::format("{} {}", reply.status, reply.reason);
  return {code_of(reply.status), fmt::format("{}: {}", where, words), {}};
}

std::string unquoted(std::string etag) {
  std::erase(etag, '"');
  return etag;
}

}  // namespace

S3Client::S3Client(S3Endpoint endpoint)
    : endpoint_(std::move(endpoint)),
      host_(endpoint_.url.substr(endpoint_.url.find("://") + 3)),
      http_(endpoint_.url) {
  if (const auto slash = host_.find('/'); slash != host_.npos) host_.erase(slash);
}

std::string S3Client::target_of(const S3Location& location, const std::string& query) const {
  std::string target = "/" + base::percent_encode(location.bucket);
  if (!location.key.empty()) target += "/" + base::percent_encode(location.key, true);
  return query.empty() ? target : target + "?" + query;
}

Result<HttpReply> S3Client::send(Call call) {
  http::RequestHead head{
      .method = call.method, .target = target_of(call.location, call.query), .headers = {}};
  head.headers.add("Host", host_);
  for (const auto& [name, value] : call.headers) head.headers.add(name, value);
  s3::sign(head, endpoint_.credentials, endpoint_.region, base::sha256_hex(call.body),
           base::SystemClock().wall());
  HttpCall out{.method = head.method,
               .target = head.target,
               .body = std::move(call.body),
               .timeout = kTimeout,
               .on_bytes = std::move(call.on_bytes)};
  for (const auto field : head.headers) out.headers.emplace_back(field.name, field.value);
  HEARTH_TRY(reply, http_.call(std::move(out)));
  if (reply.status / 100 != 2) return fail(error_of(reply, call.location));
  // Copies and completed uploads may fail after the head: then the body says so.
  if (s3::parse_error_document(reply.body)) return fail(error_of(reply, call.location));
  return reply;
}

Result<std::vector<s3::ListedBucket>> S3Client::buckets() {
  HEARTH_TRY(reply, send({}));
  return s3::parse_bucket_list(reply.body);
}

Status S3Client::make_bucket(const std::string& bucket) {
  HEARTH_CHECK_OK(send({.method = "PUT", .location = {bucket, ""}}));
  return {};
}

Status S3Client::remove_bucket(const std::string& bucket) {
  HEARTH_CHECK_OK(send({.method = "DELETE", .location = {bucket, ""}}));
  return {};
}

Status S3Client::list(const S3Location& prefix, std::string_view delimiter,
                      const std::function<Status(const s3::ListPage&)>& visit) {
  std::string token;
  do {
    std::string query = "list-type=2&prefix=" + base::percent_encode(prefix.key);
    if (!delimiter.empty()) query += "&delimiter=" + base::percent_encode(delimiter);
    if (!token.empty()) query += "&continuation-token=" + base::percent_encode(token);
    HEARTH_TRY(reply, send({.location = {prefix.bucket, ""}, .query = std::move(query)}));
    HEARTH_TRY(page, s3::parse_list_page(reply.body));
    HEARTH_CHECK_OK(visit(page));
    token = page.next_token;
  } while (!token.empty());
  return {};
}

Result<std::vector<s3::ListedObject>> S3Client::list_all(const S3Location& prefix) {
  std::vector<s3::ListedObject> out;
  HEARTH_CHECK_OK(list(prefix, "", [&out](const s3::ListPage& page) -> Status {
    out.insert(out.end(), page.objects.begin(), page.objects.end());
    return {};
  }));
  return out;
}

Result<s3::ListedObject> S3Client::head(const S3Location& object) {
  HEARTH_TRY(reply, send({.method = "HEAD", .location = object}));
  return s3::ListedObject{
      .key = object.key,
      .etag = unquoted(reply.header("ETag")),
      .size = base::parse_int<std::uint64_t>(reply.header("Content-Length")).value_or(0)};
}

Status S3Client::get(const S3Location& object,
                     const std::function<bool(std::string_view)>& on_bytes) {
  HEARTH_CHECK_OK(send({.location = object, .on_bytes = on_bytes}));
  return {};
}

Status S3Client::put(const S3Location& object, std::string bytes, std::string_view content_type) {
  HEARTH_CHECK_OK(send({.method = "PUT",
                        .location = object,
                        .headers = {{"Content-Type", std::string(content_type)}},
                        .body = std::move(bytes)}));
  return {};
}

Status S3Client::copy(const S3Location& from, const S3Location& to) {
  HEARTH_CHECK_OK(send(
      {.method = "PUT", .location = to, .headers = {{"x-amz-copy-source", target_of(from, "")}}}));
  return {};
}

Status S3Client::remove(const S3Location& object) {
  HEARTH_CHECK_OK(send({.method = "DELETE", .location = object}));
  return {};
}

Result<std::string> S3Client::begin_upload(const S3Location& object,
                                           std::string_view content_type) {
  HEARTH_TRY(reply, send({.method = "POST",
                          .location = object,
                          .query = "uploads=",
                          .headers = {{"Content-Type", std::string(content_type)}}}));
  return s3::parse_upload_id(reply.body);
}

Result<S3Part> S3Client::put_part(const S3Location& object, const std::string& upload, int number,
                                  std::string bytes) {
  HEARTH_TRY(
      reply,
      send({.method = "PUT",
            .location = object,
            .query = fmt::format("partNumber={}&uploadId={}", number, base::percent_encode(upload)),
            .body = std::move(bytes)}));
  return S3Part{number, reply.header("ETag")};
}

Status S3Client::complete_upload(const S3Location& object, const std::string& upload,
                                 const std::vector<S3Part>& parts) {
  s3::XmlWriter xml("CompleteMultipartUpload");
  for (const S3Part& part : parts) {
    xml.open("Part").element("PartNumber", std::int64_t{part.number});
    xml.element("ETag", part.etag).close();
  }
  HEARTH_CHECK_OK(send({.method = "POST",
                        .location = object,
                        .query = "uploadId=" + base::percent_encode(upload),
                        .body = xml.finish()}));
  return {};
}

Status S3Client::abort_upload(const S3Location& object, const std::string& upload) {
  HEARTH_CHECK_OK(send({.method = "DELETE",
                        .location = object,
                        .query = "uploadId=" + base::percent_encode(upload)}));
  return {};
}

std::string S3Client::presign(std::string_view method, const S3Location& object,
                              std::chrono::seconds expires) const {
  const std::string scheme = endpoint_.url.substr(0, endpoint_.url.find("://") + 3);
  return scheme + host_ +
         s3::presign(method, host_, target_of(object, ""), endpoint_.credentials, endpoint_.region,
                     expires, base::SystemClock().wall());
}

}  // namespace hearth::cli
