// AWS Signature Version 4 for S3: verifying requests (Authorization header and presigned query) and
// signing them. Pure functions over the head as it was sent: no path normalisation, no rewriting of
// virtual hosts. Failures carry the S3 code a client expects (error_code.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // may be empty
};

inline constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::chrono::minutes kClockSkewMax{15};

// The parts of the algorithm, as the documentation names them.
std::string canonical_uri(std::string_view path);
// Sorted and encoded once; `without` names a parameter to leave out (X-Amz-Signature).
std::string canonical_query(std::string_view query, std::string_view without = {});
std::string canonical_request(const http::RequestHead& head,
                              const std::vector<std::string>& signed_headers,
                              std::string_view payload_hash);
std::string string_to_sign(std::string_view timestamp, std::string_view scope,
                           std::string_view canonical_request);
// The raw key of day, region and service.
std::string signing_key(std::string_view secret, std::string_view day, std::string_view region,
                        std::string_view service);
// "20261121T030405Z"
std::string format_timestamp(base::WallTime time);
std::optional<base::WallTime> parse_timestamp(std::string_view text);

// Signing keys hold for a day: four HMACs saved on each request. One loop only.
class SigningKeyCache {
 public:
  const std::string& get(const std::string& access_key, std::string_view secret,
                         std::string_view day, std::string_view region, std::string_view service);

 private:
  std::unordered_map<std::string, std::string> keys_;
};

// What a request claims about its signature.
struct Authorization {
  bool presigned = false;
  std::string access_key;
  std::string day;
  std::string region;
  std::string service;
  std::vector<std::string> signed_headers;  // lower case, in the order given
  std::string signature;
  std::string timestamp;
  base::WallTime signed_at;
  std::chrono::seconds expires{0};  // presigned
  std::string payload_hash;         // hex, UNSIGNED-PAYLOAD or STREAMING-…

  std::string scope() const;  // "day/region/service/aws4_request"
};

// nullopt: an anonymous request. Only the form is checked.
Result<std::optional<Authorization>> parse_authorization(const http::RequestHead& head);

struct VerifyOptions {
  std::string_view secret;
  std::string_view region;
  base::WallTime now;
};
// Checks scope, time and signature. Returns the signing key, which chunk signatures go on with.
Result<std::string> verify(const http::RequestHead& head, const Authorization& authorization,
                           const VerifyOptions& options, SigningKeyCache& cache);

// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and Authorization. Host must be set.
void sign(http::RequestHead& head, const Credentials& credentials, std::string_view region,
          std::string_view payload_hash, base::WallTime now);
// The target with the presigning parameters; only Host is signed.
std::string presign(std::string_view method, std::string_view host, std::string_view target,
                    const Credentials& credentials, std::string_view region,
                    std::chrono::seconds expires, base::WallTime now);

}  // namespace hearth::s3
