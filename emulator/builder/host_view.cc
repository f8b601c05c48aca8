#include "emulator/builder/host_view.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/builder/command.h"
#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> kSystemFolders = {
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix"};
constexpr std::array<std::string_view, 6> kStandardPath = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
constexpr std::array<const char*, 6> kDevices = {"null",   "zero",    "full",
                                                 "random", "urandom", "tty"};
constexpr std::array<std::string_view, 3> kHomeFiles = {".config/pip/pip.conf", ".npmrc",
                                                        ".config/go/env"};

bool is_system_path(const fs::path& path) {
  const std::string text = path.string();
  return std::ranges::any_of(kSystemFolders, [&](std::string_view name) {
    return text.starts_with("/" + std::string(name) + "/") || text == "/" + std::string(name);
  });
}

fs::path find_tool(std::string_view search_path, std::string_view name) {
  for (const std::string_view folder : base::split(search_path, ':')) {
    const fs::path file = fs::path(folder) / name;
    std::error_code error;
    if (file.is_absolute() && ::access(file.c_str(), X_OK) == 0 &&
        fs::is_regular_file(file, error)) {
      return file;
    }
  }
  return {};
}

// What `python3` on that path really is: a shim only knows when it runs.
fs::path real_python(const fs::path& tool, std::string_view search_path) {
  Command ask;
  ask.isolation = Command::Isolation::kNone;
  ask.argv = {tool.string(), "-c", "import os, sys; print(os.path.realpath(sys.prefix))"};
  ask.env = {fmt::format("PATH={}", search_path)};
  if (const char* home = std::getenv("HOME")) ask.env.push_back(fmt::format("HOME={}", home));
  ask.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string prefix;
  ask.output = [&](std::string_view line) { prefix = line; };
  const auto outcome = run_command(ask);
  if (!outcome || outcome->kind != CommandOutcome::Kind::kExited || outcome->code != 0) return {};
  const fs::path python = fs::path(prefix) / "bin/python3";
  std::error_code error;
  return fs::exists(python, error) ? python : tool;
}

// The folder that holds a tool's own files: above its bin/.
fs::path prefix_of(const fs::path& tool) {
  const fs::path folder = tool.parent_path();
  return folder.filename() == "bin" ? folder.parent_path() : folder;
}

void add_tool(HostTools& out, const fs::path& tool) {
  if (tool.empty()) return;
  std::error_code error;
  const fs::path real = fs::canonical(tool, error);
  if (error) return;
  struct stat status{};
  ::stat(real.c_str(), &status);
  out.identity += fmt::format("{}:{}:{};", real.string(), status.st_size, status.st_mtim.tv_sec);
  const std::string folder = tool.parent_path().string();
  const bool standard = std::ranges::find(kStandardPath, folder) != kStandardPath.end();
  if (!standard && std::ranges::find(out.path, folder) == out.path.end()) {
    out.path.push_back(folder);
  }
  for (const fs::path& file : {tool, real}) {
    const fs::path prefix = prefix_of(file);
    if (is_system_path(file) || prefix == "/") continue;
    if (std::ranges::find(out.prefixes, prefix) == out.prefixes.end()) {
      out.prefixes.push_back(prefix);
    }
  }
}

bool passes(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kNames = {"GOPROXY",
                                                              "GOSUMDB",
                                                              "GOFLAGS",
                                                              "GONOSUMDB",
                                                              "GOPRIVATE",
                                                              "GOTOOLCHAIN",
                                                              "SSL_CERT_FILE",
                                                              "SSL_CERT_DIR",
                                                              "NODE_EXTRA_CA_CERTS",
                                                              "REQUESTS_CA_BUNDLE",
                                                              "CURL_CA_BUNDLE",
                                                              "ALL_PROXY"};
  if (name.starts_with("PIP_")) return name != "PIP_TARGET" && name != "PIP_USER";
  const std::string lower = base::lower(name);
  return lower.starts_with("npm_config_") || lower == "http_proxy" || lower == "https_proxy" ||
         lower == "no_proxy" || std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

std::map<std::string, std::string> passed_environment() {
  std::map<std::string, std::string> out;
  for (char** item = environ; *item != nullptr; ++item) {
    const std::string_view text(*item);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !passes(text.substr(0, equals))) continue;
    out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

HostTools find_host_tools(std::string_view search_path) {
  HostTools out;
  if (fs::path python = find_tool(search_path, "python3"); !python.empty()) {
    python = real_python(python, search_path);
    out.python = python.string();
    add_tool(out, python);
  }
  for (const char* name : {"node", "npm", "go"}) add_tool(out, find_tool(search_path, name));
  for (const std::string_view folder : kStandardPath) out.path.emplace_back(folder);
  return out;
}

Result<std::unique_ptr<HostView>> HostView::prepare(const HostTools& tools, Options options) {
  std::unique_ptr<HostView> view(new HostView(std::move(options)));
  if (view->options_.host_backed) {
    HEARTH_CHECK_OK(view->add_system_folders());
    HEARTH_CHECK_OK(view->add_prefixes(tools));
  }
  HEARTH_CHECK_OK(view->add_kernel_folders());
  if (view->options_.host_backed) HEARTH_CHECK_OK(view->add_home(tools));
  return view;
}

HostView::~HostView() {
  std::error_code error;
  // Only what is still empty goes: a folder that got content belongs to the image now.
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) fs::remove(*path, error);
}

void HostView::add(process::Mount::Kind kind, fs::path source, const fs::path& below_root) {
  mounts_.push_back({kind, source.string(), options_.tree / below_root.relative_path()});
}

// Makes the folder and its parents in the tree. A link of the image in the way is no place to
// mount on: it could lead out of the tree.
Status HostView::add_folder(const fs::path& below_root) {
  fs::path walked = options_.tree;
  for (const fs::path& part : below_root.relative_path()) {
    walked /= part;
    struct stat status{};
    if (::lstat(walked.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) continue;
      return fail(Code::kUnavailable,
                  fmt::format("the image has {}, which is no folder", below_root.string()));
    }
    if (::mkdir(walked.c_str(), 0755) != 0) return fail(system_error(errno, walked.string()));
    made_.push_back(walked);
  }
  return {};
}

Status HostView::add_system_folders() {
  for (const std::string_view name : kSystemFolders) {
    HEARTH_CHECK_OK(add_system_folder(std::string(name)));
  }
  return {};
}

Status HostView::add_system_folder(const std::string& name) {
  const fs::path host = fs::path("/") / name;
  const fs::path place = options_.tree / name;
  std::error_code error;
  if (!fs::exists(host, error)) return {};
  const fs::file_status own = fs::symlink_status(place, error);
  if (fs::is_symlink(own)) return {};
  if (fs::is_directory(own)) {
    // The image has files here: its tree lies over the host's and takes what is written.
    process::Mount overlay{.kind = process::Mount::Kind::kOverlay,
                           .source = fs::canonical(host, error),
                           .target = place,
                           .options = options_.scratch / ("overlay-" + name)};
    HEARTH_CHECK_OK(base::make_private_directory(overlay.options));
    if ((overlay.target + overlay.source).find_first_of(",:\\") != std::string::npos) {
      return fail(Code::kInvalid, "the work folder's path has a character mount(2) can't take");
    }
    mounts_.push_back(std::move(overlay));
    return {};
  }
  if (fs::is_symlink(fs::symlink_status(host, error))) {
    fs::create_symlink(fs::read_symlink(host), place, error);
    if (error) return fail(Code::kInternal, error.message());
    made_.push_back(place);
    return {};
  }
  HEARTH_CHECK_OK(add_folder(name));
  add(process::Mount::Kind::kReadOnly, host, name);
  return {};
}

Status HostView::add_prefixes(const HostTools& tools) {
  for (const fs::path& prefix : tools.prefixes) {
    HEARTH_CHECK_OK(add_folder(prefix));
    add(process::Mount::Kind::kReadOnly, prefix, prefix);
  }
  return {};
}

Status HostView::add_kernel_folders() {
  using Kind = process::Mount::Kind;
  HEARTH_CHECK_OK(add_folder("proc"));
  HEARTH_CHECK_OK(add_folder("dev"));
  add(Kind::kProc, {}, "proc");
  add(Kind::kTmpfs, {}, "dev");
  for (const char* name : kDevices) {
    if (::access((fs::path("/dev") / name).c_str(), F_OK) == 0) {
      add(Kind::kDevice, fs::path("/dev") / name, fs::path("dev") / name);
    }
  }
  add(Kind::kSymlink, "/proc/self/fd", "dev/fd");
  add(Kind::kSymlink, "/proc/self/fd/0", "dev/stdin");
  add(Kind::kSymlink, "/proc/self/fd/1", "dev/stdout");
  add(Kind::kSymlink, "/proc/self/fd/2", "dev/stderr");
  add(Kind::kFolder, {}, "dev/shm");
  if (options_.host_backed) return {};
  // The image's own root has no resolver of this machine.
  std::error_code error;
  const fs::path resolver = options_.tree / "etc/resolv.conf";
  const fs::file_status own = fs::symlink_status(resolver, error);
  if (fs::is_symlink(own) || !fs::exists("/etc/resolv.conf", error)) return {};
  if (!fs::exists(own)) {
    HEARTH_CHECK_OK(add_folder("etc"));
    HEARTH_CHECK_OK(base::write_file_atomically(resolver, "", 0644));
    made_.push_back(resolver);
  }
  add(Kind::kReadOnly, fs::canonical("/etc/resolv.conf"), "etc/resolv.conf");
  return {};
}

Status HostView::add_home(const HostTools& tools) {
  using Kind = process::Mount::Kind;
  std::error_code error;
  HEARTH_CHECK_OK(add_folder("run"));
  add(Kind::kTmpfs, {}, "run");
  // /tmp is not part of a host-backed image, unless the image put something there.
  const bool owns_tmp = fs::exists(options_.tree / "tmp", error);
  if (!owns_tmp) {
    HEARTH_CHECK_OK(add_folder("tmp"));
    add(Kind::kTmpfs, {}, "tmp");
  }
  const std::string home = owns_tmp ? "/run/home" : "/tmp";
  env_["HOME"] = home;
  add(Kind::kFolder, {}, home);
  if (const char* own_home = std::getenv("HOME")) {
    for (const std::string_view file : kHomeFiles) {
      const fs::path source = fs::path(own_home) / file;
      if (!fs::is_regular_file(source, error)) continue;
      add(Kind::kTouch, {}, fs::path(home) / file);
      add(Kind::kReadOnly, source, fs::path(home) / file);
    }
  }
  // Images call it "python"; many hosts have only python3.
  if (!tools.python.empty()) add(Kind::kSymlink, tools.python, "run/hearth/bin/python");
  return add_caches(home);
}

Status HostView::add_caches(const std::string& home) {
  struct Cache {
    const char* variable;
    const char* name;
  };
  static constexpr std::array<Cache, 4> kCaches = {{{"PIP_CACHE_DIR", "pip"},
                                                    {"npm_config_cache", "npm"},
                                                    {"GOCACHE", "go-build"},
                                                    {"GOMODCACHE", "go-mod"}}};
  for (const Cache& cache : kCaches) {
    const fs::path source = options_.caches / cache.name;
    HEARTH_CHECK_OK(base::make_private_directory(source));
    const std::string place = fmt::format("{}/.cache/{}", home, cache.name);
    add(process::Mount::Kind::kFolder, {}, place);
    add(process::Mount::Kind::kWritable, source, place);
    env_[cache.variable] = place;
  }
  return {};
}

}  // namespace hearth::builder
