#include <set>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/flag_values.h"
#include "cli/up_flags.h"
#include "platform/base/ip_address.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

const std::vector<std::string> kControllers{"function", "serving", "jobs", "eventing"};

Status check_controllers(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name == "*" || name == "none") {
      if (names.size() == 1) continue;
      return fail(Code::kInvalid, fmt::format("--controllers: {} stands alone", name));
    }
    if (std::ranges::find(kControllers, name) != kControllers.end()) continue;
    const auto near = base::nearest(name, kControllers);
    return fail(Code::kInvalid,
                fmt::format("--controllers: no controller \"{}\"; {}*, none, or a list of {}", name,
                            near ? fmt::format("did you mean \"{}\"? It is ", *near) : "it is ",
                            base::join(kControllers, ",")));
  }
  return {};
}

Status check_ports(const UpFlags& flags) {
  const std::pair<const char*, int> ports[] = {{"--port", flags.port},
                                               {"--api-port", flags.api_port},
                                               {"--s3-port", flags.s3_port},
                                               {"--registry-port", flags.registry_port}};
  std::map<int, const char*> seen;
  for (const auto& [flag, port] : ports) {
    if (port <= 0) continue;
    const auto [it, is_new] = seen.emplace(port, flag);
    if (is_new) continue;
    return fail(Code::kInvalid, fmt::format("{} and {} are both {}: each needs a port of its own",
                                            it->second, flag, port));
  }
  return {};
}

// A missing executor must be known at start, not at the first build.
Status check_builder(const UpFlags& flags) {
  if (flags.build != "kaniko") return {};
  if (flags.kaniko_executor.empty()) {
    return fail(Code::kInvalid,
                "--build=kaniko needs Kaniko's executor: name it with --kaniko-executor FILE or "
                "kanikoExecutor in the configuration (it is /kaniko/executor of Kaniko's image)");
  }
  if (::access(flags.kaniko_executor.c_str(), X_OK) != 0) {
    return fail(Code::kInvalid, fmt::format("--kaniko-executor: {} is no program that can be run",
                                            flags.kaniko_executor));
  }
  return {};
}

Status check_hosts(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (base::is_dns_subdomain(base::lower(name))) continue;
    return fail(
        Code::kInvalid,
        fmt::format("--host: \"{}\" is no DNS name; give it without scheme, port and \"*\": "
                    "what is below it is meant, too",
                    name));
  }
  return {};
}

Status check_credentials(const UpFlags& flags) {
  if (flags.s3_access_key.empty() || flags.s3_secret_key.empty()) {
    return fail(Code::kInvalid, "--s3-access-key and --s3-secret-key can't be empty");
  }
  for (const auto& [access, secret] : flags.s3_credentials) {
    if (!access.empty() && !secret.empty()) continue;
    return fail(Code::kInvalid,
                fmt::format("s3Credentials: key and secret of \"{}\" can't be empty", access));
  }
  return {};
}

}  // namespace

std::vector<std::string> controller_names(const std::string& list) {
  std::vector<std::string> out;
  for (const std::string_view name : base::split(list, ',')) {
    out.emplace_back(base::trim(name));
  }
  return out;
}

Status check_flags(UpFlags& flags) {
  if (flags.listen == "localhost") flags.listen = "127.0.0.1";
  if (!base::is_ip_address(flags.listen)) {
    return fail(Code::kInvalid,
                fmt::format("--listen: \"{}\" is no IP address; 127.0.0.1 is for this machine "
                            "only, 0.0.0.0 for all of its networks",
                            flags.listen));
  }
  HEARTH_CHECK_OK(check_hosts(flags.hosts));
  HEARTH_CHECK_OK(check_ports(flags));
  HEARTH_CHECK_OK(check_controllers(controller_names(flags.controllers)));
  HEARTH_CHECK_OK(check_credentials(flags));
  HEARTH_CHECK_OK(check_url("--gcs-endpoint", flags.gcs_endpoint));
  if (!flags.languages.empty() && ::access(flags.languages.c_str(), R_OK | X_OK) != 0) {
    return fail(Code::kInvalid,
                fmt::format("--languages: {} is no folder that can be read", flags.languages));
  }
  return check_builder(flags);
}

}  // namespace hearth::cli
