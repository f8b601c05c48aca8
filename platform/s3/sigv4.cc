#include "platform/s3/sigv4.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminal = "aws4_request";
constexpr std::chrono::seconds kPresignedExpiresMax{604'800};  // seven days
constexpr std::size_t kCachedKeysMax = 64;

bool is_signature(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Surrounding blanks go, runs of blanks inside become one.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : base::trim(value)) {
    if (c == ' ' && out.ends_with(' ')) continue;
    out.push_back(c);
  }
  return out;
}

std::string encode_parameter(std::string_view text) {
  // Undecodable text stays as it is: its signature cannot match anyway.
  return base::percent_encode(base::percent_decode(text, true).value_or(std::string(text)));
}

void append_headers(std::string& out, const http::Headers& headers,
                    const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    out.append(name).push_back(':');
    bool first = true;
    for (const auto field : headers) {
      if (!base::equal_ignoring_case(field.name, name)) continue;
      if (!first) out.push_back(',');
      out += canonical_value(field.value);
      first = false;
    }
    out.push_back('\n');
  }
}

Error malformed(bool presigned, std::string message) {
  return s3_error(presigned ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed",
                  std::move(message));
}

// "AKID/20130524/us-east-1/s3/aws4_request"; access keys may contain slashes.
Status parse_credential(std::string_view text, Authorization& out) {
  const auto parts = base::split(text, '/');
  if (parts.size() < 5 || parts.back() != kTerminal || parts[parts.size() - 4].size() != 8) {
    return fail(malformed(out.presigned,
                          "The authorization is malformed; the Credential is mal-formed; expecting "
                          "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."));
  }
  const std::size_t at = parts.size() - 4;
  out.day = parts[at];
  out.region = parts[at + 1];
  out.service = parts[at + 2];
  out.access_key = text.substr(0, static_cast<std::size_t>(parts[at].data() - text.data()) - 1);
  return {};
}

bool has_duplicates(std::vector<std::string> names) {
  std::ranges::sort(names);
  return std::ranges::adjacent_find(names) != names.end();
}

// A name stands for all fields of that name: listed again it would only make the canonical request
// longer, by what an outsider likes.
Status parse_signed_headers(std::string_view text, Authorization& out) {
  const auto names = base::split(text, ';');
  if (names.size() > limits::kHeadersMax) {
    return fail(malformed(out.presigned, "SignedHeaders has more names than a request may have."));
  }
  for (const std::string_view name : names) {
    if (name.empty()) return fail(malformed(out.presigned, "SignedHeaders is malformed."));
    out.signed_headers.push_back(base::lower(name));
  }
  if (has_duplicates(out.signed_headers)) {
    return fail(malformed(out.presigned, "SignedHeaders has a name twice."));
  }
  if (std::ranges::find(out.signed_headers, "host") == out.signed_headers.end()) {
    return s3_fail("AccessDenied",
                   "There were headers present in the request which were not signed",
                   {{"HeadersNotSigned", "host"}});
  }
  return {};
}

Status parse_time(std::string_view text, Authorization& out) {
  const auto time = parse_timestamp(text);
  if (!time) {
    return s3_fail("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  }
  out.timestamp = text;
  out.signed_at = *time;
  if (out.day != text.substr(0, 8)) {
    return fail(malformed(out.presigned,
                          "Invalid credential date. Date is not the same as "
                          "X-Amz-Date."));
  }
  return {};
}

Result<std::optional<Authorization>> parse_header_form(const http::RequestHead& head,
                                                       std::string_view value) {
  Authorization out;
  if (!value.starts_with(kAlgorithm)) {
    return s3_fail("InvalidRequest",
                   "The authorization mechanism you have provided is not supported. Please use "
                   "AWS4-HMAC-SHA256.");
  }
  std::string_view credential, headers, signature;
  for (std::string_view part : base::split(value.substr(kAlgorithm.size()), ',')) {
    part = base::trim(part);
    if (part.starts_with("Credential=")) credential = part.substr(11);
    if (part.starts_with("SignedHeaders=")) headers = part.substr(14);
    if (part.starts_with("Signature=")) signature = part.substr(10);
  }
  HEARTH_CHECK_OK(parse_credential(credential, out));
  HEARTH_CHECK_OK(parse_signed_headers(headers, out));
  if (!is_signature(signature)) return fail(malformed(false, "The Signature is malformed."));
  out.signature = signature;
  std::string time(head.headers.get_or("x-amz-date", ""));
  if (time.empty()) {
    // A signer may use Date alone.
    const auto date = base::parse_http_date(head.headers.get_or("date", ""));
    if (date) time = format_timestamp(*date);
  }
  HEARTH_CHECK_OK(parse_time(time, out));
  const auto hash = head.headers.get("x-amz-content-sha256");
  if (!hash) {
    return s3_fail("InvalidRequest",
                   "Missing required header for this request: "
                   "x-amz-content-sha256");
  }
  out.payload_hash = *hash;
  return out;
}

Status parse_expires(std::string_view text, Authorization& out) {
  const auto seconds = base::parse_int<std::int64_t>(text);
  if (!seconds) return fail(malformed(true, "X-Amz-Expires should be a number"));
  if (*seconds < 0) return fail(malformed(true, "X-Amz-Expires must be non-negative"));
  if (*seconds > kPresignedExpiresMax.count()) {
    return fail(malformed(true,
                          "X-Amz-Expires must be less than a week (in seconds); that is, the "
                          "given X-Amz-Expires must be less than 604800 seconds"));
  }
  out.expires = std::chrono::seconds(*seconds);
  return {};
}

Result<std::optional<Authorization>> parse_query_form(
    const http::RequestHead& head, const std::vector<http::QueryParameter>& query) {
  Authorization out;
  out.presigned = true;
  const auto value = [&](std::string_view name) -> std::string_view {
    const auto it = std::ranges::find_if(query, [&](const http::QueryParameter& parameter) {
      return base::equal_ignoring_case(parameter.name, name);
    });
    return it == query.end() ? std::string_view() : std::string_view(it->value);
  };
  for (const std::string_view name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature",
                                      "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"}) {
    if (value(name).empty()) {
      return fail(malformed(true,
                            "Query-string authentication version 4 requires the "
                            "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
                            "X-Amz-SignedHeaders, and X-Amz-Expires parameters."));
    }
  }
  if (value("X-Amz-Algorithm") != kAlgorithm) {
    return fail(malformed(true, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
  }
  HEARTH_CHECK_OK(parse_credential(value("X-Amz-Credential"), out));
  HEARTH_CHECK_OK(parse_signed_headers(value("X-Amz-SignedHeaders"), out));
  HEARTH_CHECK_OK(parse_expires(value("X-Amz-Expires"), out));
  HEARTH_CHECK_OK(parse_time(value("X-Amz-Date"), out));
  out.signature = value("X-Amz-Signature");
  // Some presigners fix the payload's hash in the query, some in a signed header.
  out.payload_hash = value("X-Amz-Content-Sha256");
  if (out.payload_hash.empty() &&
      std::ranges::find(out.signed_headers, "x-amz-content-sha256") != out.signed_headers.end()) {
    out.payload_hash = head.headers.get_or("x-amz-content-sha256", kUnsignedPayload);
  }
  if (out.payload_hash.empty()) out.payload_hash = kUnsignedPayload;
  return out;
}

Status check_scope(const Authorization& authorization, std::string_view region) {
  if (authorization.service != "s3") {
    return fail(malformed(authorization.presigned,
                          fmt::format("The authorization is malformed; incorrect service \"{}\". "
                                      "This endpoint belongs to \"s3\".",
                                      authorization.service)));
  }
  if (authorization.region == region) return {};
  Error error = malformed(
      authorization.presigned,
      fmt::format("The authorization is malformed; the region '{}' is wrong; expecting '{}'",
                  authorization.region, region));
  error.fields.push_back({"Region", std::string(kExtraReason), std::string(region)});
  return fail(std::move(error));
}

Status check_time(const Authorization& authorization, base::WallTime now) {
  const base::WallTime at = authorization.signed_at;
  if (authorization.presigned) {
    if (at > now + kClockSkewMax) {
      return s3_fail("AccessDenied", "Request is not valid yet",
                     {{"ServerTime", base::format_rfc3339(now)}});
    }
    if (now > at + authorization.expires) {
      return s3_fail("AccessDenied", "Request has expired",
                     {{"X-Amz-Expires", std::to_string(authorization.expires.count())},
                      {"Expires", base::format_rfc3339(at + authorization.expires)},
                      {"ServerTime", base::format_rfc3339(now)}});
    }
    return {};
  }
  if (at > now + kClockSkewMax || at < now - kClockSkewMax) {
    return s3_fail("RequestTimeTooSkewed",
                   "The difference between the request time and the current time is too large.",
                   {{"RequestTime", authorization.timestamp},
                    {"ServerTime", base::format_rfc3339(now)},
                    {"MaxAllowedSkewMilliseconds", "900000"}});
  }
  return {};
}

// Whoever could add an x-amz- header on the way could change what the request means.
Status check_signed_headers(const http::RequestHead& head, const Authorization& authorization) {
  for (const auto field : head.headers) {
    const std::string name = base::lower(field.name);
    if (!name.starts_with("x-amz-")) continue;
    if (authorization.presigned && name == "x-amz-content-sha256") continue;
    if (std::ranges::find(authorization.signed_headers, name) ==
        authorization.signed_headers.end()) {
      return s3_fail("AccessDenied",
                     "There were headers present in the request which were not signed",
                     {{"HeadersNotSigned", name}});
    }
  }
  return {};
}

}  // namespace

std::string canonical_uri(std::string_view path) {
  if (path.empty()) return "/";
  return base::percent_encode(base::percent_decode(path).value_or(std::string(path)), true);
}

std::string canonical_query(std::string_view query, std::string_view without) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string_view part : base::split(query, '&')) {
    if (part.empty()) continue;
    const auto at = part.find('=');
    const std::string_view value = at == part.npos ? std::string_view() : part.substr(at + 1);
    std::string name = encode_parameter(part.substr(0, at));
    if (!without.empty() && base::equal_ignoring_case(name, without)) continue;
    parameters.emplace_back(std::move(name), encode_parameter(value));
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string canonical_request(const http::RequestHead& head,
                              const std::vector<std::string>& signed_headers,
                              std::string_view payload_hash) {
  std::string out = head.method;
  out.append("\n").append(canonical_uri(head.path()));
  out.append("\n").append(canonical_query(head.query(), "X-Amz-Signature")).append("\n");
  append_headers(out, head.headers, signed_headers);
  out.append("\n").append(base::join(signed_headers, ";"));
  out.append("\n").append(payload_hash);
  return out;
}

std::string string_to_sign(std::string_view timestamp, std::string_view scope,
                           std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, timestamp, scope, base::sha256_hex(canonical));
}

std::string signing_key(std::string_view secret, std::string_view day, std::string_view region,
                        std::string_view service) {
  std::string key = "AWS4";
  key.append(secret);
  for (const std::string_view part : {day, region, service, kTerminal}) {
    key = base::hmac_sha256(key, part);
  }
  return key;
}

std::string format_timestamp(base::WallTime time) {
  std::string out;
  for (const char c : base::format_rfc3339(time)) {
    if (c != '-' && c != ':') out.push_back(c);
  }
  return out;
}

std::optional<base::WallTime> parse_timestamp(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  return base::parse_rfc3339(fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2),
                                         text.substr(6, 2), text.substr(9, 2), text.substr(11, 2),
                                         text.substr(13, 2)));
}

const std::string& SigningKeyCache::get(const std::string& access_key, std::string_view secret,
                                        std::string_view day, std::string_view region,
                                        std::string_view service) {
  std::string name = fmt::format("{}/{}/{}/{}", access_key, day, region, service);
  auto it = keys_.find(name);
  if (it == keys_.end()) {
    if (keys_.size() >= kCachedKeysMax) keys_.clear();
    it = keys_.emplace(std::move(name), signing_key(secret, day, region, service)).first;
  }
  return it->second;
}

std::string Authorization::scope() const {
  return fmt::format("{}/{}/{}/{}", day, region, service, kTerminal);
}

Result<std::optional<Authorization>> parse_authorization(const http::RequestHead& head) {
  const auto header = head.headers.get("authorization");
  const bool in_query = head.query().find("X-Amz-") != std::string_view::npos ||
                        head.query().find("Signature=") != std::string_view::npos;
  if (!header && !in_query) return std::nullopt;
  if (header && head.query().find("X-Amz-Signature=") != std::string_view::npos) {
    return s3_fail("InvalidArgument",
                   "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                   "Signature query string parameter or the Authorization header should be "
                   "specified");
  }
  if (header) return parse_header_form(head, *header);
  const auto query = http::parse_query(head.query());
  if (!query) return s3_fail("InvalidURI", "Couldn't parse the specified URI.");
  return parse_query_form(head, *query);
}

Result<std::string> verify(const http::RequestHead& head, const Authorization& authorization,
                           const VerifyOptions& options, SigningKeyCache& cache) {
  HEARTH_CHECK_OK(check_scope(authorization, options.region));
  HEARTH_CHECK_OK(check_time(authorization, options.now));
  HEARTH_CHECK_OK(check_signed_headers(head, authorization));
  const std::string& key = cache.get(authorization.access_key, options.secret, authorization.day,
                                     authorization.region, authorization.service);
  const std::string canonical =
      canonical_request(head, authorization.signed_headers, authorization.payload_hash);
  const std::string to_sign =
      string_to_sign(authorization.timestamp, authorization.scope(), canonical);
  const std::string expected = base::hex(base::hmac_sha256(key, to_sign));
  if (base::equal_constant_time(expected, authorization.signature)) return key;
  return s3_fail("SignatureDoesNotMatch",
                 "The request signature we calculated does not match the signature you provided. "
                 "Check your key and signing method.",
                 {{"AWSAccessKeyId", authorization.access_key},
                  {"StringToSign", to_sign},
                  {"SignatureProvided", authorization.signature},
                  {"CanonicalRequest", canonical}});
}

void sign(http::RequestHead& head, const Credentials& credentials, std::string_view region,
          std::string_view payload_hash, base::WallTime now) {
  const std::string timestamp = format_timestamp(now);
  head.headers.set("x-amz-date", timestamp);
  head.headers.set("x-amz-content-sha256", payload_hash);
  if (!credentials.session_token.empty()) {
    head.headers.set("x-amz-security-token", credentials.session_token);
  }
  std::vector<std::string> names;
  for (const auto field : head.headers) {
    std::string name = base::lower(field.name);
    const bool counts = name == "host" || name == "content-type" || name == "content-md5" ||
                        name == "range" || name.starts_with("x-amz-");
    if (counts && std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  const std::string day = timestamp.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/{}", day, region, kTerminal);
  const std::string to_sign =
      string_to_sign(timestamp, scope, canonical_request(head, names, payload_hash));
  const std::string key = signing_key(credentials.secret_key, day, region, "s3");
  head.headers.set("Authorization",
                   fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                               credentials.access_key, scope, base::join(names, ";"),
                               base::hex(base::hmac_sha256(key, to_sign))));
}

std::string presign(std::string_view method, std::string_view host, std::string_view target,
                    const Credentials& credentials, std::string_view region,
                    std::chrono::seconds expires, base::WallTime now) {
  const std::string timestamp = format_timestamp(now);
  const std::string day = timestamp.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/{}", day, region, kTerminal);
  http::RequestHead head{
      .method = std::string(method), .target = std::string(target), .headers = {}};
  head.headers.add("host", host);
  head.target += fmt::format(
      "{}X-Amz-Algorithm={}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={}&"
      "X-Amz-SignedHeaders=host",
      target.contains('?') ? '&' : '?', kAlgorithm,
      base::percent_encode(credentials.access_key + "/" + scope), timestamp, expires.count());
  if (!credentials.session_token.empty()) {
    head.target += "&X-Amz-Security-Token=" + base::percent_encode(credentials.session_token);
  }
  const std::string to_sign =
      string_to_sign(timestamp, scope, canonical_request(head, {"host"}, kUnsignedPayload));
  const std::string key = signing_key(credentials.secret_key, day, region, "s3");
  return head.target + "&X-Amz-Signature=" + base::hex(base::hmac_sha256(key, to_sign));
}

}  // namespace hearth::s3
