#include "emulator/builder/host_view.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/builder/tree_path.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 8> kSystemFolders = {"/usr",   "/bin",   "/sbin",   "/lib",
                                                       "/lib32", "/lib64", "/libx32", "/nix"};
// What programs look up. Not the folders around them: /etc/ssl/private, /etc/pki/tls/private.
// On NixOS links lead to /etc/static.
constexpr auto kEtc =
    std::to_array<const char*>({"alternatives",     "ca-certificates", "ca-certificates.conf",
                                "crypto-policies",  "debian_version",  "gai.conf",
                                "host.conf",        "hosts",           "ld.so.cache",
                                "ld.so.conf",       "ld.so.conf.d",    "localtime",
                                "lsb-release",      "mime.types",      "networks",
                                "nsswitch.conf",    "os-release",      "pki/ca-trust/extracted",
                                "pki/tls/cert.pem", "pki/tls/certs",   "pki/tls/openssl.cnf",
                                "protocols",        "python3",         "resolv.conf",
                                "services",         "ssl/cert.pem",    "ssl/certs",
                                "ssl/openssl.cnf",  "timezone",        "static/ssl/certs"});
constexpr std::array<const char*, 6> kDevices = {"null",   "zero",    "full",
                                                 "random", "urandom", "tty"};
// Of the whole machine, and root of a build is its root when the daemon is: a program named in
// /proc/sys/kernel/core_pattern would run outside (the read-only paths of the OCI runtime's
// default).
constexpr std::array<const char*, 5> kKernelSettings = {"sys", "sysrq-trigger", "irq", "bus", "fs"};
// Where pip, npm, Go and git look for settings: in the home folder, for the machine, and below a
// tool's own folder.
constexpr std::array<std::string_view, 3> kHomeSettings = {".config/pip/pip.conf", ".npmrc",
                                                           ".config/go/env"};
constexpr std::array<const char*, 4> kMachineSettings = {"/etc/pip.conf", "/etc/xdg/pip/pip.conf",
                                                         "/etc/npmrc", "/etc/gitconfig"};
constexpr std::array<std::string_view, 2> kToolSettings = {"etc/npmrc", "pip.conf"};
constexpr std::size_t kSettingsBytesMax = 1024 * 1024;

Error not_a_folder(const fs::path& place) {
  return {Code::kPreconditionFailed,
          fmt::format("the image has {}, which is no folder: a RUN gets files of this machine "
                      "there, so copy it to another place",
                      place.string()),
          {}};
}

// Everybody may read it: no key.
bool is_public_file(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         (status.st_mode & S_IROTH) != 0;
}

// What the daemon's variables name, wherever it lies: no keys, and no folder of more than that.
std::vector<fs::path> named_paths(const std::vector<fs::path>& guarded) {
  std::vector<std::string> names(kCertificateVariables.begin(), kCertificateVariables.end());
  names.emplace_back("PIP_FIND_LINKS");
  std::vector<fs::path> out;
  for (const std::string& name : names) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    for (const std::string_view word : base::split(value, ' ')) {
      fs::path path = fs::path(word).lexically_normal();
      if (!path.has_filename()) path = path.parent_path();
      if (!path.is_absolute() || is_system_path(path)) continue;
      std::error_code error;
      const bool is_own_folder = fs::is_directory(path, error) && !exposes(path, guarded);
      if (is_own_folder || is_public_file(path)) out.push_back(std::move(path));
    }
  }
  return out;
}

}  // namespace

std::vector<fs::path> shown_host_paths(const std::vector<fs::path>& guarded) {
  std::vector<fs::path> out(kSystemFolders.begin(), kSystemFolders.end());
  for (const char* name : kEtc) out.push_back(fs::path("/etc") / name);
  // Debian's python3.11 and the like: its sitecustomize.py is a link into it.
  std::error_code error;
  for (const auto& item : fs::directory_iterator("/etc", error)) {
    if (item.path().filename().string().starts_with("python3.")) out.push_back(item.path());
  }
  std::ranges::move(named_paths(guarded), std::back_inserter(out));
  return out;
}

Result<std::unique_ptr<HostView>> HostView::prepare(const HostTools& tools, Options options) {
  std::unique_ptr<HostView> view(new HostView(std::move(options)));
  const bool host_backed = view->options_.host_backed;
  if (host_backed) {
    HEARTH_CHECK_OK(view->add_memory_folders());
    HEARTH_CHECK_OK(view->add_host_folders(tools));
  }
  HEARTH_CHECK_OK(view->add_kernel_folders());
  if (!host_backed) {
    HEARTH_CHECK_OK(view->add_resolver());
    return view;
  }
  HEARTH_CHECK_OK(view->add_home(tools));
  HEARTH_CHECK_OK(view->add_settings(tools));
  view->hide_folders();
  return view;
}

HostView::~HostView() {
  // Only what is still empty goes: a folder that got content belongs to the image now. The command
  // may have put links in the way.
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
    remove_empty_in(options_.tree, path->string());
  }
}

void HostView::add(process::Mount::Kind kind, fs::path source, const fs::path& below_root) {
  mounts_.push_back({kind, source.string(), options_.tree / below_root.relative_path()});
}

// Makes the folder and its parents in the tree. A link of the image in the way is no place to
// mount on: it could lead out of the tree.
Status HostView::add_folder(const fs::path& below_root) {
  fs::path walked;
  for (const fs::path& part : below_root.relative_path()) {
    walked /= part;
    const fs::path place = options_.tree / walked;
    struct stat status{};
    if (::lstat(place.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) continue;
      return fail(not_a_folder("/" / walked));
    }
    if (::mkdir(place.c_str(), 0755) != 0) return fail(system_error(errno, place.string()));
    made_.push_back(walked);
  }
  return {};
}

// Shows a file. One of the image's own at the place stays.
Status HostView::add_file(const fs::path& source, const fs::path& below_root) {
  HEARTH_CHECK_OK(add_folder(below_root.parent_path()));
  const fs::path place = options_.tree / below_root.relative_path();
  const base::UniqueFd made(
      ::open(place.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!made) return errno == EEXIST ? Status() : fail(system_error(errno, place.string()));
  made_.push_back(below_root.relative_path());
  add(process::Mount::Kind::kReadOnly, source, below_root);
  return {};
}

// Before all that is shown below them: what is mounted later covers it.
Status HostView::add_memory_folders() {
  in_memory_ = {"/run"};
  // /tmp is not part of a host-backed image, unless the image put something there.
  std::error_code error;
  const bool owns_tmp = fs::exists(fs::symlink_status(options_.tree / "tmp", error));
  if (!owns_tmp) in_memory_.emplace_back("/tmp");
  for (const fs::path& folder : in_memory_) {
    HEARTH_CHECK_OK(add_folder(folder));
    add(process::Mount::Kind::kTmpfs, {}, folder);
  }
  return {};
}

Status HostView::add_host_folders(const HostTools& tools) {
  std::vector<fs::path> paths = shown_host_paths(options_.guarded);
  std::ranges::copy(tools.places, std::back_inserter(paths));
  std::ranges::sort(paths);  // a folder comes before what lies in it, and shows that
  for (const fs::path& path : paths) HEARTH_CHECK_OK(add_host_path(path));
  return add_accounts();
}

// The image's own files come first: a file or link of it stays, with a folder of it the machine's
// is merged.
Status HostView::add_host_path(const fs::path& host) {
  std::error_code error;
  const bool shown =
      std::ranges::any_of(shown_, [&](const fs::path& path) { return is_within(host, path); });
  if (shown || !fs::exists(host, error)) return {};
  if (is_in_memory(host)) {
    add_in_memory(host);
    return {};
  }
  fs::path walked;
  for (const fs::path& part : host.parent_path().relative_path()) {
    walked /= part;
    if (fs::is_symlink(fs::symlink_status(options_.tree / walked, error))) return {};
  }
  const fs::path place = options_.tree / host.relative_path();
  const fs::file_status own = fs::symlink_status(place, error);
  if (fs::is_symlink(own)) return {};
  shown_.push_back(host);
  if (!fs::is_directory(host, error)) return add_file(fs::canonical(host, error), host);
  if (fs::is_directory(own)) return add_overlay(host);
  const bool is_top_link =
      fs::is_symlink(fs::symlink_status(host, error)) && host.parent_path() == host.root_path();
  if (is_top_link && !fs::exists(own)) return add_link(host);
  HEARTH_CHECK_OK(add_folder(host));
  add(process::Mount::Kind::kReadOnly, fs::canonical(host, error), host);
  return {};
}

bool HostView::is_in_memory(const fs::path& path) const {
  return std::ranges::any_of(in_memory_,
                             [&](const fs::path& folder) { return is_within(path, folder); });
}

// Its place is made in the tmpfs, which covers what the tree has there.
void HostView::add_in_memory(const fs::path& host) {
  using Kind = process::Mount::Kind;
  std::error_code error;
  shown_.push_back(host);
  add(fs::is_directory(host, error) ? Kind::kFolder : Kind::kTouch, {}, host);
  add(Kind::kReadOnly, fs::canonical(host, error), host);
}

// The image has files here: its tree lies over the host's and takes what is written.
Status HostView::add_overlay(const fs::path& host) {
  std::error_code error;
  process::Mount overlay{.kind = process::Mount::Kind::kOverlay,
                         .source = fs::canonical(host, error),
                         .target = options_.tree / host.relative_path(),
                         .options = options_.scratch / fmt::format("overlay-{}", mounts_.size())};
  HEARTH_CHECK_OK(base::make_private_directory(overlay.options));
  if ((overlay.target + overlay.source).find_first_of(",:\\") != std::string::npos) {
    return fail(Code::kInvalid, "the work folder's path has a character mount(2) can't take");
  }
  mounts_.push_back(std::move(overlay));
  return {};
}

// As on this machine: /bin -> usr/bin.
Status HostView::add_link(const fs::path& host) {
  std::error_code error;
  fs::create_symlink(fs::read_symlink(host), options_.tree / host.relative_path(), error);
  if (error) return fail(Code::kInternal, fmt::format("{}: {}", host.string(), error.message()));
  made_.push_back(host.relative_path());
  return {};
}

// Root and nobody: this machine's users are none of a build's business.
Status HostView::add_accounts() {
  struct Account {
    const char* place;
    const char* content;
  };
  static constexpr std::array<Account, 2> kAccounts = {
      {{"etc/passwd",
        "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
       {"etc/group", "root:x:0:\nnogroup:x:65534:\n"}}};
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(options_.tree / "etc", error))) return {};
  for (const Account& account : kAccounts) {
    const fs::path source = options_.scratch / fs::path(account.place).filename();
    HEARTH_CHECK_OK(base::write_file_atomically(source, account.content, 0644));
    HEARTH_CHECK_OK(add_file(source, account.place));
  }
  return {};
}

Status HostView::add_kernel_folders() {
  using Kind = process::Mount::Kind;
  HEARTH_CHECK_OK(add_folder("proc"));
  HEARTH_CHECK_OK(add_folder("dev"));
  add(Kind::kProc, {}, "proc");
  for (const char* name : kKernelSettings) {
    const fs::path place = fs::path("proc") / name;
    std::error_code error;
    if (fs::exists("/" / place, error)) add(Kind::kReadOnly, options_.tree / place, place);
  }
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
  return {};
}

// The image's own root has no resolver of this machine.
Status HostView::add_resolver() {
  std::error_code error;
  const fs::path host = fs::canonical("/etc/resolv.conf", error);
  if (error || fs::is_symlink(fs::symlink_status(options_.tree / "etc", error))) return {};
  const fs::file_status own = fs::symlink_status(options_.tree / "etc/resolv.conf", error);
  if (!fs::exists(own)) return add_file(host, "etc/resolv.conf");
  if (fs::is_regular_file(own)) add(process::Mount::Kind::kReadOnly, host, "etc/resolv.conf");
  return {};
}

Status HostView::add_home(const HostTools& tools) {
  using Kind = process::Mount::Kind;
  const std::string home = is_in_memory("/tmp") ? "/tmp" : "/run/home";
  env_["HOME"] = home;
  add(Kind::kFolder, {}, home);
  add_home_settings(home);
  for (const auto& [name, program] : tools.programs) {
    add(Kind::kSymlink, program, fs::path(kToolLinks) / name);
  }
  return add_caches(home);
}

void HostView::add_home_settings(const fs::path& home) {
  const char* own_home = std::getenv("HOME");
  if (own_home == nullptr) return;
  for (const std::string_view file : kHomeSettings) {
    const fs::path source = fs::path(own_home) / file;
    std::error_code error;
    if (!fs::is_regular_file(source, error) || !may_show(source)) continue;
    add(process::Mount::Kind::kTouch, {}, home / file);
    add(process::Mount::Kind::kReadOnly, source, home / file);
  }
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

Status HostView::add_settings(const HostTools& tools) {
  for (const char* path : kMachineSettings) {
    std::error_code error;
    if (fs::is_regular_file(path, error) && may_show(path)) HEARTH_CHECK_OK(add_host_path(path));
  }
  // npm's `globalconfig` is PREFIX/etc/npmrc, pip's `site` PREFIX/pip.conf: seen already.
  std::vector<fs::path> prefixes = {"/usr", "/usr/local"};
  std::ranges::copy(tools.places, std::back_inserter(prefixes));
  const fs::path empty = options_.scratch / "empty";
  HEARTH_CHECK_OK(base::write_file_atomically(empty, "", 0644));
  for (const fs::path& prefix : prefixes) {
    for (const std::string_view name : kToolSettings) {
      const fs::path path = prefix / name;
      std::error_code error;
      if (!fs::is_regular_file(path, error) || may_show(path)) continue;
      add(process::Mount::Kind::kReadOnly, empty, path);
    }
  }
  return {};
}

// Also where a system folder holds the daemon's state.
void HostView::hide_folders() {
  std::error_code error;
  for (const fs::path& folder : options_.state) {
    if (is_system_path(folder) && fs::is_directory(folder, error)) {
      add(process::Mount::Kind::kTmpfs, {}, folder);
    }
  }
}

bool HostView::may_show(const fs::path& settings) {
  if (options_.credentials == HostCredentials::kPass) return true;
  const auto text = base::read_file(settings, kSettingsBytesMax);
  if (text && !holds_credentials(*text)) return true;
  withheld_.push_back(settings.string());
  return false;
}

}  // namespace hearth::builder
