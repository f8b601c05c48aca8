// RUN: a command in the unpacked stage; what it changed becomes the layer.
#include <algorithm>

#include <fmt/format.h>

#include "emulator/builder/build_job.h"
#include "emulator/builder/snapshot.h"
#include "emulator/builder/tree_path.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/process/landlock.h"
#include "platform/process/seccomp_filter.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLastLines = 20;
// 1980-01-01: the earliest time that wheels (zip files) can carry. Python writes hash-based .pyc
// files when it is set, which makes them equal from run to run.
constexpr std::string_view kSourceDateEpoch = "315532800";

using Log = std::function<void(std::string_view)>;

Result<bool> wants_network(const Instruction& item, const Log& log) {
  bool network = true;
  for (const auto& [name, value] : item.flags) {
    if (name == "network" && (value == "default" || value == "none")) {
      network = value == "default";
    } else if (name == "mount" && value.contains("type=cache")) {
      // Without it the command does the same work, only slower.
      log("--mount=type=cache is ignored: package caches are kept anyway");
    } else {
      return fail(Code::kInvalid, fmt::format("--{}={} is not supported", name, value));
    }
  }
  return network;
}

// Does the command leave it to pip where to install? Site packages of the host are read-only.
bool installs_with_pip(std::string_view text) {
  if (!text.contains("pip install") && !text.contains("pip3 install")) return false;
  for (const std::string_view own : {"--target", " -t ", "--prefix", "--user", "--root", "venv"}) {
    if (text.contains(own)) return false;
  }
  return true;
}

// The folder of `pip install --target folder`; empty when the text names none.
std::string pip_target_flag(std::string_view text) {
  const auto words = base::split(text, ' ');
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--target=")) return std::string(words[i].substr(9));
    const bool named = words[i] == "--target" || words[i] == "-t";
    if (named && i + 1 < words.size()) return std::string(words[i + 1]);
  }
  return {};
}

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '.' || c == '_' || c == '-';
}

// Replaces the folder where it stands as a path of its own or begins one.
std::string map_folder(std::string_view text, std::string_view folder, std::string_view real) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool starts = at == 0 || !is_path_character(text[at - 1]);
    const std::size_t end = at + folder.size();
    if (starts && folder.size() > 1 && text.substr(at).starts_with(folder) &&
        (end == text.size() || text[end] == '/' || !is_path_character(text[end]))) {
      out += real;
      at = end;
    } else {
      out += text[at++];
    }
  }
  return out;
}

// A command without a jail.
std::string_view what_holds() {
  const bool has_landlock = process::landlock_version() > 0;
  if (!process::has_seccomp()) return has_landlock ? "landlock alone" : "nothing";
  return has_landlock ? "landlock and the system call filter alone"
                      : "the system call filter alone";
}

std::vector<std::string> as_list(const std::map<std::string, std::string>& env) {
  std::vector<std::string> out;
  out.reserve(env.size());
  for (const auto& [name, value] : env) out.push_back(fmt::format("{}={}", name, value));
  return out;
}

}  // namespace

Result<BuildJob::Step> BuildJob::plan_run(const Instruction& item) {
  HEARTH_TRY(network, wants_network(item, [this](std::string_view line) { log(line); }));
  CacheKey key;
  key.add(stage().key).add("RUN").add(stage().config.working_dir).add(network ? "net" : "no net");
  for (const std::string& word : run_arguments(item)) key.add(word);
  for (const auto& [name, value] : stage().variables()) key.add(name).add(value);
  // Another interpreter may give another result.
  if (stage().host_backed) key.add(tools_.identity);
  Step step{.key = key.finish()};
  step.modes = stage().host_backed ? oci::ModePolicy::kNormalise : oci::ModePolicy::kKeep;
  step.fills_tree = true;
  stage().has_unknown_files = true;
  step.fill = [this, item, is_networked = network](oci::LayerWriter& writer) {
    return fill_run(item, is_networked, writer);
  };
  return step;
}

Status BuildJob::fill_run(const Instruction& item, bool network, oci::LayerWriter& writer) {
  StageState& state = stage();
  HEARTH_CHECK_OK(unpack(state));
  const std::string folder = state.config.working_dir.empty() ? "/" : state.config.working_dir;
  HEARTH_CHECK_OK(make_folder_in(state.tree, folder));
  HEARTH_TRY(before, take_snapshot(state.tree, checkpoint()));
  last_lines_.clear();
  Command command{.root = state.tree,
                  .argv = run_arguments(item),
                  .working_dir = folder,
                  .network = network,
                  .deadline = request_.started + request_.timeout};
  command.is_cancelled = [this] { return request_.cancelled && request_.cancelled->load(); };
  command.output = [this](std::string_view line) {
    last_lines_.emplace_back(line);
    if (last_lines_.size() > kLastLines) last_lines_.pop_front();
    log(line);
  };
  HEARTH_TRY(outcome, execute(item, command));
  HEARTH_CHECK_OK(outcome_error(outcome));
  HEARTH_CHECK_OK(compile_packages(item, std::move(command)));
  HEARTH_TRY(after, take_snapshot(state.tree, checkpoint()));
  return add_difference(before, after, state.tree, checkpoint(), writer);
}

std::string BuildJob::pip_target(const Instruction& item) const {
  const StageState& state = *states_.at(order_[stage_at_]);
  if (!state.host_backed || tools_.python.empty()) return {};
  if (!installs_with_pip(item.text)) {
    return item.text.contains("pip") ? pip_target_flag(item.text) : std::string();
  }
  const std::string own_path = state.env_value("PYTHONPATH");
  std::string first(std::string_view(own_path).substr(0, own_path.find(':')));
  if (!first.empty()) return first;
  return state.config.working_dir.empty() ? "/app" : state.config.working_dir;
}

// pip compiles in a folder with a random name, which stays in the .pyc files. So it doesn't compile
// here; this does, with the packages at their place: equal bytes from equal packages, and nothing
// for an import to check.
Status BuildJob::compile_packages(const Instruction& item, Command command) {
  const std::string target = pip_target(item);
  if (target.empty()) return {};
  std::string folder = stage().absolute(target);
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  command.argv = {tools_.python,    "-m",  "compileall", "-q", "--invalidation-mode",
                  "unchecked-hash", folder};
  // Packages may carry files that are no valid Python (templates): what compiles is compiled.
  HEARTH_TRY(outcome, execute(item, std::move(command)));
  if (outcome.kind == CommandOutcome::Kind::kExited) return {};
  return outcome_error(outcome);
}

// Isolated, or not at all: only the machine's answer of before the first build lets a step run
// without a jail. What fails here afterwards may be the doing of whoever wrote the Dockerfile.
Result<CommandOutcome> BuildJob::execute(const Instruction& item, Command command) {
  command.env = as_list(run_environment(item));
  say_withheld(passed_environment(options_.credentials).withheld);
  if (stage().host_backed) {
    for (const std::string& sentence : tools_.left_out) say(sentence);
  }
  if (machine_.isolation_withheld.empty()) return execute_isolated(std::move(command));
  if (!stage().host_backed) {
    return fail(Code::kUnavailable,
                fmt::format("RUN on a base image needs namespaces, which this machine withholds "
                            "({})",
                            machine_.isolation_withheld));
  }
  say(fmt::format(
      "WARNING: without isolation, because of this machine: {}. RUN is held by {}, and absolute "
      "paths outside of WORKDIR are this machine's",
      machine_.isolation_withheld, what_holds()));
  return execute_in_tree(item, std::move(command));
}

Result<CommandOutcome> BuildJob::execute_isolated(Command command) {
  const fs::path scratch = folder_ / fmt::format("scratch-{}", ++folders_made_);
  HEARTH_CHECK_OK(base::make_private_directory(scratch));
  HEARTH_TRY(view, HostView::prepare(tools_, {.tree = command.root,
                                              .scratch = scratch,
                                              .caches = options_.caches,
                                              .host_backed = stage().host_backed,
                                              .state = machine_.state,
                                              .guarded = machine_.guarded,
                                              .credentials = options_.credentials}));
  say_withheld(view->withheld());
  command.mounts = view->mounts();
  // What the image sets itself comes first in a look-up by name: getenv takes the first.
  for (const auto& [name, value] : view->env()) {
    if (stage().env_value(name).empty()) command.env.push_back(fmt::format("{}={}", name, value));
  }
  return run_command(command);
}

Result<CommandOutcome> BuildJob::execute_in_tree(const Instruction& item, Command command) {
  const std::string image_folder = command.working_dir;
  HEARTH_TRY(real_folder, make_folder_in(command.root, image_folder));
  const std::string real = real_folder.string();
  command.isolation = Command::Isolation::kNone;
  command.working_dir = real;
  for (std::string& word : command.argv) word = map_folder(word, image_folder, real);
  const fs::path home = folder_ / "home";
  HEARTH_CHECK_OK(base::make_private_directory(home / "tmp"));
  command.files = files_of_tree(home);
  auto env = run_environment(item);
  for (auto& [name, value] : env) {
    if (name != "PATH") value = map_folder(value, image_folder, real);
  }
  env.try_emplace("HOME", home.string());
  env.try_emplace("TMPDIR", (home / "tmp").string());
  command.env = as_list(env);
  return run_command(command);
}

// What a jail would show, for a command without one.
process::LandlockRules BuildJob::files_of_tree(const fs::path& home) {
  process::LandlockRules out{
      .writable = {stage().tree.string(), home.string(), "/dev/null", "/dev/zero", "/dev/full",
                   "/dev/tty"},
      .restrict_reading = true,
      .readable = {"/dev/random", "/dev/urandom", "/etc/passwd", "/etc/group", "/proc"}};
  for (const fs::path& path : shown_host_paths(machine_.guarded))
    out.readable.push_back(path.string());
  for (const fs::path& path : tools_.places) out.readable.push_back(path.string());
  return out;
}

void BuildJob::say_withheld(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    say(
        fmt::format("{} is withheld from RUN, because it holds credentials: "
                    "`hearth up --build-host-credentials` passes it",
                    name));
  }
}

std::map<std::string, std::string> BuildJob::run_environment(const Instruction& item) const {
  const StageState& state = *states_.at(order_[stage_at_]);
  std::map<std::string, std::string> out = passed_environment(options_.credentials).variables;
  out["SOURCE_DATE_EPOCH"] = kSourceDateEpoch;
  for (const auto& [name, value] : state.variables()) out[name] = value;
  if (!state.host_backed) {
    out.try_emplace("PATH", std::string(kStandardPathText));
    out.try_emplace("HOME", "/root");
    return out;
  }
  // The image's own folders first, then the tools', then the usual ones.
  std::vector<std::string> path;
  for (const std::string_view folder : base::split(out["PATH"], ':')) {
    const auto usual = base::split(kStandardPathText, ':');
    if (std::ranges::find(usual, folder) == usual.end()) path.emplace_back(folder);
  }
  std::ranges::copy(tools_.path, std::back_inserter(path));
  out["PATH"] = base::join(path, ":");
  if (const std::string target = pip_target(item); !target.empty()) {
    if (installs_with_pip(item.text)) out["PIP_TARGET"] = target;
    out["PIP_NO_COMPILE"] = "0";  // pip's documentation: a false value turns compiling off
  }
  return out;
}

std::vector<std::string> BuildJob::run_arguments(const Instruction& item) const {
  const StageState& state = *states_.at(order_[stage_at_]);
  std::vector<std::string> out;
  if (item.json && item.words[0].contains('/')) return item.words;
  if (item.json) {
    // A program by name: the shell looks it up on the image's PATH.
    out = {"/bin/sh", "-c", "exec \"$0\" \"$@\""};
    std::ranges::copy(item.words, std::back_inserter(out));
    return out;
  }
  out = state.config.shell;
  if (out.empty()) out = {"/bin/sh", "-c"};
  out.push_back(item.text);
  return out;
}

Status BuildJob::outcome_error(const CommandOutcome& outcome) const {
  using Kind = CommandOutcome::Kind;
  if (outcome.kind == Kind::kExited && outcome.code == 0) return {};
  std::string tail;
  for (const std::string& line : last_lines_) tail += "\n" + line;
  if (states_.at(order_[stage_at_])->host_backed) {
    for (const std::string& sentence : tools_.left_out) tail += "\n" + sentence;
  }
  switch (outcome.kind) {
    case Kind::kTimedOut:
      return fail(Code::kDeadlineExceeded,
                  fmt::format("the build took longer than {} s{}", request_.timeout.count(), tail));
    case Kind::kCancelled:
      return fail(Code::kCancelled, "the build was cancelled");
    case Kind::kSignalled:
      return fail(Code::kPreconditionFailed,
                  fmt::format("ended by signal {}{}", outcome.code, tail));
    case Kind::kExited:
      break;
  }
  return fail(Code::kPreconditionFailed, fmt::format("exit code {}{}", outcome.code, tail));
}

}  // namespace hearth::builder
