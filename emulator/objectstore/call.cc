#include "emulator/objectstore/call.h"

#include <algorithm>
#include <memory>

#include "emulator/objectstore/errors.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/names.h"

namespace hearth::objectstore {
namespace {

constexpr std::size_t kDropPieceBytes = 64 * 1024;
constexpr std::uint64_t kDropBytesMax = 64 * 1024 * 1024;

// "photos" of "photos.s3.localhost" below "s3.localhost"; empty for path style.
std::string bucket_of_host(const std::string& host, std::string_view domain) {
  if (domain.empty() || !host.ends_with(domain) || host.size() <= domain.size() + 1) return {};
  const std::string_view name = std::string_view(host).substr(0, host.size() - domain.size() - 1);
  return host[name.size()] == '.' ? std::string(name) : std::string();
}

}  // namespace

Call::Call(http::Exchange& exchange, std::string request_id)
    : exchange_(exchange), request_id_(std::move(request_id)) {}

Status Call::route(std::string_view domain) {
  const auto invalid = [] {
    return s3::s3_fail("InvalidURI", "Couldn't parse the specified URI.");
  };
  auto path = base::percent_decode(request().path());
  auto query = http::parse_query(request().query());
  if (!path || !path->starts_with('/') || !query) return invalid();
  query_ = std::move(*query);
  path->erase(0, 1);
  bucket_ = bucket_of_host(request().host(), domain);
  if (!bucket_.empty()) {
    key_ = std::move(*path);
  } else {
    const auto slash = path->find('/');
    bucket_ = path->substr(0, slash);
    if (slash != std::string::npos) key_ = path->substr(slash + 1);
  }
  if (bucket_.empty() && !key_.empty()) return invalid();
  if (!key_.empty()) return s3::check_key(key_);
  return {};
}

std::string Call::resource() const {
  if (bucket_.empty()) return "/";
  return key_.empty() ? "/" + bucket_ : "/" + bucket_ + "/" + key_;
}

std::optional<std::string_view> Call::parameter_of(std::string_view name) const {
  const auto it = std::ranges::find(query_, name, &http::QueryParameter::name);
  if (it == query_.end()) return std::nullopt;
  return it->value;
}

std::string_view Call::parameter(std::string_view name) const {
  return parameter_of(name).value_or(std::string_view());
}

Task<Result<std::size_t>> Call::read_body(char* data, std::size_t size) {
  body_begun_ = true;
  auto got = co_await exchange_.read(data, size);
  if (got) body_bytes_read_ += *got;
  co_return got;
}

Task<void> Call::drop_body() {
  if (!exchange_.has_body() || (headers().contains("expect") && !body_begun_)) co_return;
  const auto scrap = std::make_unique_for_overwrite<char[]>(kDropPieceBytes);
  for (std::uint64_t dropped = 0; dropped < kDropBytesMax;) {
    const auto got = co_await exchange_.read(scrap.get(), kDropPieceBytes);
    if (!got || *got == 0) co_return;
    dropped += *got;
  }
}

http::ResponseHead Call::head(int status) const {
  http::ResponseHead out{.status = status, .headers = {}};
  out.headers.add("x-amz-request-id", request_id_);
  out.headers.add("Server", "hearth");
  return out;
}

Task<Status> Call::respond(int status, std::string body) {
  const http::ResponseHead answer = head(status);
  co_return co_await exchange_.respond(answer, body);
}

Task<Status> Call::respond_xml(std::string document) {
  http::ResponseHead answer = head(200);
  answer.headers.add("Content-Type", "application/xml");
  co_return co_await exchange_.respond(answer, document);
}

Task<Status> Call::respond_error(Error error) {
  const WireError wire = wire_error(error);
  http::ResponseHead answer = head(wire.status);
  answer.headers.add("Content-Type", "application/xml");
  if (wire.status == 503) answer.headers.add("Retry-After", "1");
  if (wire.status == 416) {
    const std::string_view size = s3::s3_extra(error, "ActualObjectSize");
    answer.headers.add("Content-Range", "bytes */" + std::string(size));
  }
  std::string document;
  if (method() != "HEAD") document = error_document(error, resource(), request_id_);
  co_return co_await exchange_.respond(answer, document);
}

}  // namespace hearth::objectstore
