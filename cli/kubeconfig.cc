// hearth kubeconfig: the daemon's kubeconfig, printed or merged into the user's own.
#include "emulator/apiserver/kubeconfig.h"

#include <cstdlib>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/exit_code.h"
#include "cli/state_location.h"
#include "platform/base/file.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

struct KubeconfigFlags {
  Target target;
  bool merge = false;
  bool force = false;
};

// kubectl writes to the first file of $KUBECONFIG, too.
fs::path user_kubeconfig() {
  if (const char* list = std::getenv("KUBECONFIG"); list != nullptr && *list != '\0') {
    const std::string text(list);
    return text.substr(0, text.find(':'));
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : ".") / ".kube" / "config";
}

// kubectl's own lock: FILE.lock, made exclusively, removed at the end.
class ConfigLock {
 public:
  static Result<ConfigLock> take(const fs::path& config) {
    const std::string path = config.string() + ".lock";
    const base::UniqueFd made(::open(path.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (made) return ConfigLock(path);
    if (errno != EEXIST) return fail(system_error(errno, path));
    return fail(Code::kConflict, fmt::format("{} is locked by another program; when none runs, "
                                             "remove {}",
                                             config.string(), path));
  }
  ConfigLock(ConfigLock&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ConfigLock(const ConfigLock&) = delete;
  ~ConfigLock() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  explicit ConfigLock(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Status merge(const std::string& ours, bool force) {
  fs::path file = user_kubeconfig();
  std::error_code error;
  // A link stays a link: what it points to is written.
  if (fs::is_symlink(file, error)) file = fs::weakly_canonical(file, error);
  if (file.has_parent_path() && !fs::exists(file.parent_path(), error)) {
    HEARTH_CHECK_OK(base::make_private_directory(file.parent_path()));
  }
  HEARTH_TRY(lock, ConfigLock::take(file));
  std::string existing;
  if (fs::exists(file, error)) {
    HEARTH_TRY(text, base::read_file(file));
    existing = std::move(text);
  }
  auto merged = existing.empty() ? Result<std::string>(ours)
                                 : apiserver::merge_kubeconfig(existing, ours, force);
  if (!merged) return fail(with_context(merged.error(), file.string()));
  HEARTH_CHECK_OK(base::write_file_atomically(file, *merged, 0600));
  std::cerr << fmt::format("merged into {}; the current context is \"hearth\"\n", file.string());
  return {};
}

Status run(const KubeconfigFlags& flags) {
  const fs::path ours = flags.target.state_folder() / "kubeconfig";
  std::error_code error;
  if (!fs::exists(ours, error)) {
    return fail(Code::kUnavailable,
                fmt::format("there is no kubeconfig in {}: start the daemon with `hearth up`",
                            ours.parent_path().string()));
  }
  HEARTH_TRY(text, base::read_file(ours));
  if (flags.merge) return merge(text, flags.force);
  std::cout << text;
  return {};
}

}  // namespace

void register_kubeconfig(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<KubeconfigFlags>();
  CLI::App* kubeconfig = app.add_subcommand("kubeconfig", "Print the kubeconfig, or merge it");
  CLI::Option* merge_flag = kubeconfig->add_flag(
      "--merge", flags->merge, "Write it into $KUBECONFIG's first file or ~/.kube/config");
  kubeconfig->add_flag("--force", flags->force, "Replace another cluster named \"hearth\"")
      ->needs(merge_flag);
  add_state_flag(*kubeconfig, flags->target);
  kubeconfig->footer(
      "Examples:\n"
      "  hearth kubeconfig > hearth.kubeconfig\n"
      "  hearth kubeconfig --merge && kubectl get lambdafunctions");
  kubeconfig->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
