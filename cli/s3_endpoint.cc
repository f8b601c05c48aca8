#include "cli/s3_endpoint.h"

#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace hearth::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace

void add_s3_endpoint_flags(CLI::App& command, S3EndpointFlags& flags) {
  command
      .add_option("--endpoint", flags.endpoint,
                  "Another store ($AWS_ENDPOINT_URL_S3); the daemon's when left out")
      ->type_name("URL");
  command.add_option("--access-key", flags.access_key,
                     "With another store: else $AWS_ACCESS_KEY_ID");
  command.add_option("--secret-key", flags.secret_key,
                     "With another store: else $AWS_SECRET_ACCESS_KEY");
  command.add_option("--region", flags.region, "Region ($AWS_REGION); us-east-1 when left out");
  add_state_flag(command, flags.target);
}

S3Endpoint store_of(const Daemon& daemon) {
  return {.url = daemon.s3, .credentials = {daemon.s3_access_key, daemon.s3_secret_key, ""}};
}

Result<S3Endpoint> find_s3_endpoint(const S3EndpointFlags& flags) {
  S3Endpoint out{.url = first_of({flags.endpoint, environment("AWS_ENDPOINT_URL_S3"),
                                  environment("AWS_ENDPOINT_URL")})};
  s3::Credentials& keys = out.credentials;
  if (out.url.empty()) {
    HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
    out = store_of(daemon);
  } else {
    out.region =
        first_of({environment("AWS_REGION"), environment("AWS_DEFAULT_REGION"), out.region});
    keys = {environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"),
            environment("AWS_SESSION_TOKEN")};
  }
  if (!flags.access_key.empty()) keys = {flags.access_key, flags.secret_key, ""};
  out.region = first_of({flags.region, out.region});
  if (!out.url.starts_with("http://") && !out.url.starts_with("https://")) {
    return fail(
        Code::kBadRequest,
        fmt::format("the endpoint \"{}\" does not begin with http:// or https://", out.url));
  }
  if (keys.access_key.empty() || keys.secret_key.empty()) {
    return fail(Code::kBadRequest,
                fmt::format("no keys for {}: give --access-key and --secret-key, or set "
                            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                            out.url));
  }
  return out;
}

Result<S3Client> connect_s3(const S3EndpointFlags& flags) {
  HEARTH_TRY(endpoint, find_s3_endpoint(flags));
  return S3Client(std::move(endpoint));
}

}  // namespace hearth::cli
