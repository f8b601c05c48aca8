// Signature version 4 over request heads: what claims a signature is parsed without harm and never
// verifies by chance; what we sign and presign verifies, and does not when it is changed.
#include <algorithm>

#include "platform/base/text.h"
#include "platform/http/head_parser.h"
#include "platform/s3/sigv4.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

constexpr std::string_view kSecret = "a secret that no seed was signed with";
const s3::Credentials kCredentials{.access_key = "AKIDEXAMPLE/with/slashes",
                                   .secret_key = std::string(kSecret),
                                   .session_token = {}};
const base::WallTime kNow{std::chrono::seconds(1'795'230'245)};
const s3::VerifyOptions kOptions{.secret = kSecret, .region = "us-east-1", .now = kNow};

bool verifies(const http::RequestHead& head) {
  const auto claim = s3::parse_authorization(head);
  if (!claim) {
    fuzz::require_reason(claim.error());
    return false;
  }
  if (!*claim) return false;
  s3::SigningKeyCache cache;
  const auto key = s3::verify(head, **claim, kOptions, cache);
  if (!key) fuzz::require_reason(key.error());
  return key.has_value();
}

// The query alone can make a request ambiguous or malformed; then signing can't help.
bool is_plain(std::string_view query) {
  const auto parameters = http::parse_query(query);
  return parameters && !query.contains("Signature=") &&
         std::ranges::none_of(*parameters, [](const http::QueryParameter& parameter) {
           return base::lower(parameter.name).starts_with("x-amz-") ||
                  parameter.name == "Signature";
         });
}

void check_signing(http::RequestHead head) {
  head.headers.remove("authorization");
  head.headers.remove("x-amz-security-token");
  if (head.headers.count("host") != 1 || !is_plain(head.query())) return;
  s3::sign(head, kCredentials, kOptions.region, s3::kUnsignedPayload, kNow);
  require(verifies(head), "what we sign verifies");
  http::RequestHead other = head;
  other.method += "X";
  require(!verifies(other), "a signature holds for one method");
  other = head;
  other.target += other.query().empty() && !other.target.contains('?') ? "?x=1" : "&x=1";
  require(!verifies(other), "a signature holds for one target");
}

void check_presigning(const http::RequestHead& head) {
  if (head.headers.count("host") != 1 || !is_plain(head.query())) return;
  http::RequestHead signed_head;
  signed_head.method = head.method;
  signed_head.headers.add("Host", *head.headers.get("host"));
  signed_head.target = s3::presign(head.method, *head.headers.get("host"), head.target,
                                   kCredentials, kOptions.region, std::chrono::seconds(60), kNow);
  require(verifies(signed_head), "what we presign verifies");
  signed_head.method += "X";
  require(!verifies(signed_head), "a presigned URL holds for one method");
}

void check_parts(const http::RequestHead& head) {
  const std::string canonical = s3::canonical_query(head.query());
  require(s3::canonical_query(canonical) == canonical, "a canonical query is canonical");
  (void)s3::canonical_uri(head.path());
  for (const auto field : head.headers) {
    const auto time = s3::parse_timestamp(field.value);
    // Far years become the last moment that there is, a leap second the first one after it.
    const bool is_near = field.value >= "1700" && field.value < "2260";
    if (time && is_near && field.value.substr(13, 2) != "60") {
      require(s3::format_timestamp(*time) == field.value, "a timestamp keeps its text");
    }
  }
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  http::RequestHead head;
  const auto parsed = http::parse_request_head(fuzz::view(data, size), head);
  if (!parsed || !*parsed) return 0;
  fuzz::require(!verifies(head), "no input verifies by chance");
  check_parts(head);
  check_presigning(head);
  check_signing(std::move(head));
  return 0;
}
