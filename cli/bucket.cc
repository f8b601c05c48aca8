#include "cli/bucket.h"

#include <fmt/format.h>

#include "platform/base/clock.h"
#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/s3/sigv4.h"
#include "platform/s3/xml.h"

namespace hearth::cli {

Bucket::Bucket(const Daemon& daemon, std::string name)
    : client_(daemon.s3),
      name_(std::move(name)),
      host_(daemon.s3.substr(daemon.s3.find("://") + 3)),
      access_key_(daemon.s3_access_key),
      secret_key_(daemon.s3_secret_key) {}

Result<HttpReply> Bucket::send(const std::string& method, const std::string& key,
                               const std::string& query, std::string body) {
  http::RequestHead head{.method = method, .target = "/" + name_, .headers = {}};
  if (!key.empty()) head.target += "/" + base::percent_encode(key, true);
  if (!query.empty()) head.target += "?" + query;
  head.headers.add("Host", host_);
  s3::sign(head, {access_key_, secret_key_, {}}, "us-east-1", base::sha256_hex(body),
           base::SystemClock().wall());
  HttpCall call{.method = method, .target = head.target, .headers = {}, .body = std::move(body)};
  for (const auto field : head.headers) call.headers.emplace_back(field.name, field.value);
  HEARTH_TRY(reply, client_.call(std::move(call)));
  if (reply.status / 100 == 2 || reply.status == 404) return reply;
  if (reply.status == 409 && method == "PUT" && key.empty()) return reply;  // it is ours already
  const auto error = s3::parse_error_document(reply.body);
  return fail(Code::kInternal, fmt::format("s3://{}/{}: {} {}", name_, key, reply.status,
                                           error ? error->message : reply.reason));
}

Status Bucket::put(const std::string& key, std::string bytes) {
  HEARTH_TRY(first, send("PUT", key, "", bytes));
  if (first.status != 404) return {};
  HEARTH_CHECK_OK(send("PUT", "", "", ""));
  HEARTH_TRY(second, send("PUT", key, "", std::move(bytes)));
  if (second.status == 404) {
    return fail(Code::kInternal, fmt::format("the bucket {} could not be made", name_));
  }
  return {};
}

Result<std::vector<std::string>> Bucket::list(const std::string& prefix) {
  HEARTH_TRY(reply, send("GET", "", "list-type=2&prefix=" + base::percent_encode(prefix), ""));
  std::vector<std::string> out;
  if (reply.status == 404) return out;
  HEARTH_TRY(page, s3::parse_list_page(reply.body));
  for (s3::ListedObject& object : page.objects) out.push_back(std::move(object.key));
  return out;
}

Status Bucket::remove(const std::string& key) {
  HEARTH_CHECK_OK(send("DELETE", key, "", ""));
  return {};
}

}  // namespace hearth::cli
