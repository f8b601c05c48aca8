#include "emulator/builder/host_tools.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/builder/command.h"
#include "platform/base/text.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> kSystemFolders = {"usr",   "bin",   "sbin",   "lib",
                                                            "lib32", "lib64", "libx32", "nix"};
constexpr std::array<std::string_view, 6> kStandardPath = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
// Filesystem Hierarchy Standard §3: nobody's own.
constexpr std::array<std::string_view, 15> kSharedFolders = {
    "/",     "/boot", "/dev", "/etc", "/home", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/srv", "/sys",  "/tmp",   "/var"};

// What Homebrew's programs use of its folder, which holds the data of services too.
constexpr std::array<std::string_view, 5> kHomebrewPlaces = {
    "Cellar", "lib", "opt", "etc/ca-certificates", "etc/openssl@3/cert.pem"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The folder that holds a tool's own files: above its bin/.
fs::path prefix_of(const fs::path& tool) {
  const fs::path folder = tool.parent_path();
  return folder.filename() == "bin" ? folder.parent_path() : folder;
}

class ToolFinder {
 public:
  ToolFinder(std::string_view search_path, const std::vector<fs::path>& guarded)
      : search_path_(search_path), guarded_(guarded) {}

  HostTools find() {
    find_first("python3", [this](const fs::path& tool) { return take_python(tool); });
    find_first("node", [this](const fs::path& tool) { return take_node(tool); });
    find_first("npm", [this](const fs::path& tool) { return take_npm(tool); });
    find_first("go", [this](const fs::path& tool) { return take_go(tool); });
    out_.path.emplace_back(kToolLinks);
    for (const std::string_view folder : kStandardPath) out_.path.emplace_back(folder);
    return std::move(out_);
  }

 private:
  // The first on the path that can be shown.
  template <typename Take>
  void find_first(std::string_view name, Take take) {
    for (const std::string_view folder : base::split(search_path_, ':')) {
      const fs::path file = fs::path(folder) / name;
      std::error_code error;
      if (!file.is_absolute() || ::access(file.c_str(), X_OK) != 0 ||
          !fs::is_regular_file(file, error)) {
        continue;
      }
      if (take(file)) return;
      out_.left_out.push_back(fmt::format(
          "{} is not shown to builds, because its folder may hold more than the tool: install it "
          "in a folder of its own, or put another {} first on the daemon's PATH",
          file.string(), name));
    }
  }

  // The last line of what a tool prints. A shim only knows when it runs.
  std::string ask(const fs::path& tool, std::vector<std::string> arguments) const {
    Command command;
    command.isolation = Command::Isolation::kNone;
    command.argv = std::move(arguments);
    command.argv.insert(command.argv.begin(), tool.string());
    command.env = {fmt::format("PATH={}", search_path_)};
    if (const char* home = std::getenv("HOME")) command.env.push_back(fmt::format("HOME={}", home));
    command.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string answer;
    command.output = [&](std::string_view line) { answer = line; };
    const auto outcome = run_command(command);
    const bool ended = outcome && outcome->kind == CommandOutcome::Kind::kExited;
    return ended && outcome->code == 0 ? answer : std::string();
  }

  // Where the tool really is, `answer` being what it says itself.
  static fs::path real_path(const fs::path& tool, const fs::path& answer) {
    std::error_code error;
    fs::path real = fs::canonical(answer.is_absolute() && is_there(answer) ? answer : tool, error);
    return error ? tool : real;
  }

  void identify(const fs::path& real) {
    struct stat status{};
    ::stat(real.c_str(), &status);
    out_.identity += fmt::format("{}:{}:{};", real.string(), status.st_size, status.st_mtim.tv_sec);
  }

  void add_to_path(const fs::path& folder) {
    const std::string text = folder.string();
    const bool standard = std::ranges::find(kStandardPath, text) != kStandardPath.end();
    if (!standard && std::ranges::find(out_.path, text) == out_.path.end()) {
      out_.path.push_back(text);
    }
  }

  bool is_shown(const fs::path& file) const {
    return is_system_path(file) || std::ranges::any_of(out_.places, [&](const fs::path& place) {
             return is_within(file, place);
           });
  }

  bool show(const fs::path& place) {
    if (is_shown(place)) return true;
    if (exposes(place, guarded_)) return false;
    out_.places.push_back(place);
    return true;
  }

  // In Homebrew's folder loader and libraries lie beside the Cellar with the tools.
  void show_homebrew(const fs::path& real) {
    fs::path cellar = real;
    while (cellar.has_relative_path() && cellar.filename() != "Cellar") {
      cellar = cellar.parent_path();
    }
    if (!cellar.has_relative_path()) return;
    for (const std::string_view name : kHomebrewPlaces) {
      if (const fs::path place = cellar.parent_path() / name; is_there(place)) show(place);
    }
  }

  // A virtual environment has its own files and those of the Python that it was made of.
  bool take_python(const fs::path& tool) {
    const std::string prefix =
        ask(tool, {"-c", "import os, sys; print(os.path.realpath(sys.prefix))"});
    const fs::path named = fs::path(prefix) / "bin/python3";
    const fs::path python = !prefix.empty() && is_there(named) ? named : tool;
    const fs::path real = real_path(python, python);
    const std::vector<fs::path> before = out_.places;
    for (const fs::path& file : {python, real}) {
      if (is_system_path(file) || show(prefix_of(file))) continue;
      out_.places = before;
      return false;
    }
    show_homebrew(real);
    out_.python = python.string();
    out_.programs["python"] = python;
    add_to_path(python.parent_path());
    identify(real);
    return true;
  }

  // Its folder when it is one of an installation, else the program alone, which needs no other.
  bool take_node(const fs::path& tool) {
    fs::path real = real_path(tool, {});
    if (!is_system_path(real)) real = real_path(tool, ask(tool, {"-p", "process.execPath"}));
    const fs::path prefix = prefix_of(real);
    const bool installed =
        is_there(prefix / "lib/node_modules") || is_there(prefix / "include/node");
    if (installed && show(prefix)) {
      add_to_path(real.parent_path());
    } else if (!is_shown(real)) {
      out_.places.push_back(real);
    }
    show_homebrew(real);
    if (is_system_path(tool)) add_to_path(tool.parent_path());
    out_.programs["node"] = real;
    identify(real);
    return true;
  }

  bool take_npm(const fs::path& tool) {
    fs::path real = real_path(tool, {});
    if (!is_system_path(real)) {
      fs::path package = real.parent_path();
      while (package.has_relative_path() && package.filename() != "npm") {
        package = package.parent_path();
      }
      if (!is_there(package / "package.json")) {  // a shim: the one that came with node
        const auto node = out_.programs.find("node");
        if (node == out_.programs.end()) return false;
        package = prefix_of(node->second) / "lib/node_modules/npm";
        real = package / "bin/npm-cli.js";
      }
      if (!is_there(real) || !show(package)) return false;
    }
    if (is_system_path(tool)) add_to_path(tool.parent_path());
    out_.programs["npm"] = real;
    if (const fs::path npx = real.parent_path() / "npx-cli.js"; is_there(npx)) {
      out_.programs["npx"] = npx;
    }
    identify(real);
    return true;
  }

  // Its installation: `go` alone can do nothing.
  bool take_go(const fs::path& tool) {
    fs::path real = real_path(tool, {});
    if (!is_system_path(real)) {
      if (const std::string root = ask(tool, {"env", "GOROOT"}); !root.empty()) {
        real = real_path(tool, fs::path(root) / "bin/go");
      }
      const fs::path root = prefix_of(real);
      if (!is_system_path(real) && (!is_there(root / "src") || !show(root))) return false;
      show_homebrew(real);
      add_to_path(real.parent_path());
    }
    if (is_system_path(tool)) add_to_path(tool.parent_path());
    out_.programs["go"] = real;
    identify(real);
    return true;
  }

  std::string_view search_path_;
  const std::vector<fs::path>& guarded_;
  HostTools out_;
};

}  // namespace

bool is_within(const fs::path& inner, const fs::path& outer) {
  const auto [at, rest] = std::ranges::mismatch(outer, inner);
  return at == outer.end();
}

bool is_system_path(const fs::path& path) {
  return std::ranges::any_of(kSystemFolders, [&](std::string_view name) {
    return is_within(path, "/" + std::string(name));
  });
}

bool exposes(const fs::path& folder, const std::vector<fs::path>& guarded) {
  const bool shared = std::ranges::find(kSharedFolders, folder.string()) != kSharedFolders.end();
  return shared || folder.parent_path() == "/home" ||
         std::ranges::any_of(guarded, [&](const fs::path& one) { return is_within(one, folder); });
}

std::vector<fs::path> guarded_folders(const std::vector<fs::path>& state) {
  std::vector<fs::path> named = state;
  std::vector<std::string> homes;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    homes.emplace_back(home);
  }
  if (const passwd* user = ::getpwuid(::geteuid())) homes.emplace_back(user->pw_dir);
  for (const std::string& home : homes) {
    named.emplace_back(home);
    for (const char* name : {".local/share", ".local/state", ".config", ".cache", ".ssh"}) {
      named.push_back(fs::path(home) / name);
    }
  }
  std::vector<fs::path> out;
  for (const fs::path& path : named) {
    std::error_code error;
    const fs::path real = fs::weakly_canonical(path, error);
    for (const fs::path& one : {path.lexically_normal(), error ? path : real}) {
      if (!one.empty()) out.push_back(one.has_filename() ? one : one.parent_path());
    }
  }
  return out;
}

HostTools find_host_tools(std::string_view search_path, const std::vector<fs::path>& guarded) {
  return ToolFinder(search_path, guarded).find();
}

}  // namespace hearth::builder
