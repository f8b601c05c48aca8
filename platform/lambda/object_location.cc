#include "platform/lambda/object_location.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

namespace hearth::lambda {
namespace {

using Secret = std::map<std::string, std::string>;

// The names of the operator's Secrets, and those of Google's own tools.
constexpr std::array<const char*, 4> kAccessNames{"accesskey", "access-key", "AWS_ACCESS_KEY_ID",
                                                  "GS_ACCESS_KEY_ID"};
constexpr std::array<const char*, 4> kSecretNames{"secretkey", "secret-key",
                                                  "AWS_SECRET_ACCESS_KEY", "GS_SECRET_ACCESS_KEY"};

std::string first_of(const Secret& secret, std::span<const char* const> names) {
  for (const char* name : names) {
    if (const auto it = secret.find(name); it != secret.end()) return it->second;
  }
  return {};
}

bool is_service_account(const Secret& secret) {
  return std::ranges::any_of(secret, [](const auto& item) {
    return item.second.contains("\"private_key\"") || item.second.contains("\"service_account\"") ||
           item.second.contains("\"refresh_token\"");
  });
}

Result<Credentials> credentials_of(const Source& source, const Secret& secret) {
  Credentials out{first_of(secret, kAccessNames), first_of(secret, kSecretNames)};
  if (source.secret.empty() || (!out.access_key.empty() && !out.secret_key.empty())) return out;
  if (source.type == SourceType::kGcs && is_service_account(secret)) {
    return fail(Code::kInvalid,
                fmt::format("the Secret \"{}\" holds a service account; a gcs source needs an HMAC "
                            "key: make one with `gcloud storage hmac create` and put it into "
                            "accesskey and secretkey",
                            source.secret));
  }
  std::string found;
  for (const auto& [name, value] : secret) found += (found.empty() ? "" : ", ") + name;
  return fail(Code::kInvalid,
              fmt::format("the Secret \"{}\" has no accesskey and secretkey; it has {}",
                          source.secret, found.empty() ? "no keys" : found));
}

}  // namespace

Result<ObjectLocation> object_location(const Source& source, const Secret& secret,
                                       const std::string& gcs_endpoint) {
  HEARTH_TRY(credentials, credentials_of(source, secret));
  ObjectLocation out{source.endpoint, source.region, source.bucket, source.key, credentials};
  if (source.type == SourceType::kS3) {
    out.endpoint = "https://s3." + source.region + ".amazonaws.com";
  } else if (source.type == SourceType::kGcs) {
    out.endpoint = gcs_endpoint;
    // Google takes any region in a signature.
    out.region = "us-east-1";
  }
  return out;
}

}  // namespace hearth::lambda
