#include "cli/daemon.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = 1024 * 1024;

// A crash leaves its process id in the lock file, and the id may belong to a stranger by now: only
// a process that has the lock open is the daemon.
bool has_open(pid_t pid, const fs::path& file) {
  std::error_code error;
  const fs::path wanted = fs::canonical(file, error);
  if (error) return false;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(it->path(), unreadable) == wanted) return true;
  }
  return false;
}

Status read_credentials(Daemon& daemon) {
  HEARTH_TRY(text, base::read_file(daemon.kubeconfig, kFileBytesMax));
  HEARTH_TRY(config, base::parse_yaml(text));
  const Json* clusters = base::find(config, {"clusters"});
  const Json* users = base::find(config, {"users"});
  if (clusters == nullptr || users == nullptr || clusters->empty() || users->empty()) {
    return fail(Code::kCorrupt,
                fmt::format("{} is not the kubeconfig of a daemon", daemon.kubeconfig.string()));
  }
  const auto pem = base::from_base64(
      base::string_at(clusters->at(0), {"cluster", "certificate-authority-data"}));
  daemon.ca_pem = pem ? *pem : "";
  daemon.token = base::string_at(users->at(0), {"user", "token"});
  return {};
}

}  // namespace

fs::path endpoints_file(const fs::path& state) { return state / "endpoints.json"; }

std::optional<pid_t> running_daemon(const fs::path& state) {
  const fs::path lock = state / "lock";
  const auto text = base::read_file(lock, 64);
  if (!text) return std::nullopt;
  const auto pid = base::parse_int<pid_t>(base::trim(*text));
  if (!pid || *pid <= 0 || !has_open(*pid, lock)) return std::nullopt;
  return pid;
}

Result<Daemon> find_daemon(const fs::path& state) {
  const auto pid = running_daemon(state);
  if (!pid) {
    return fail(Code::kUnavailable,
                fmt::format("the daemon is not running: start it with `hearth up`\n"
                            "  (looked in {}; --state or HEARTH_STATE names another)",
                            state.string()));
  }
  const auto text = base::read_file(endpoints_file(state), kFileBytesMax);
  if (!text) {
    return fail(Code::kUnavailable,
                fmt::format("the daemon (process {}) is starting or stopping: try again", *pid));
  }
  HEARTH_TRY(endpoints, base::parse_json(*text));
  Daemon daemon{.pid = *pid,
                .state = state,
                .gateway = base::string_at(endpoints, {"gateway"}),
                .api = base::string_at(endpoints, {"api"}),
                .s3 = base::string_at(endpoints, {"s3"}),
                .registry = base::string_at(endpoints, {"registry"}),
                .s3_access_key = base::string_at(endpoints, {"s3AccessKey"}),
                .s3_secret_key = base::string_at(endpoints, {"s3SecretKey"}),
                .kubeconfig = base::string_at(endpoints, {"kubeconfig"})};
  HEARTH_CHECK_OK(read_credentials(daemon));
  return daemon;
}

}  // namespace hearth::cli
