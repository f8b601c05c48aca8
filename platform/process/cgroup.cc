#include "platform/process/cgroup.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::process {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMount = "/sys/fs/cgroup";
constexpr const char* kUnified = "unified";
constexpr const char* kHierarchies[] = {"memory", "pids", "cpu"};
// The weight of a whole processor: version 1 counts 1024, version 2 counts 100 for it.
constexpr std::uint64_t kSharesOfOne = 1024;
constexpr std::uint64_t kWeightOfOne = 100;
// All functions together against the rest of the machine, so that a group of many is not starved
// by a single process beside it.
constexpr std::uint64_t kSharesOfAll = 16 * kSharesOfOne;
constexpr std::uint64_t kWeightOfAll = 16 * kWeightOfOne;

// cgroupfs takes one write and no truncation.
bool write_value(const fs::path& file, std::string_view value) {
  const base::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

std::string read_text(const fs::path& file) {
  return base::read_file(file, 64 * 1024).value_or(std::string());
}

// This process's place in each hierarchy: /proc/self/cgroup has "4:memory:/path" lines, version 2
// an empty name.
std::map<std::string, std::string> own_places() {
  std::map<std::string, std::string> out;
  const std::string text = read_text("/proc/self/cgroup");
  for (const std::string_view line : base::split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string path(line.substr(second + 1));
    for (const std::string_view name :
         base::split(line.substr(first + 1, second - first - 1), ',')) {
      out[std::string(name)] = path;
    }
  }
  return out;
}

bool has_word(const std::string& text, std::string_view word) {
  for (const std::string_view line : base::split(text, '\n')) {
    const auto words = base::split(line, ' ');
    if (std::ranges::find(words, word) != words.end()) return true;
  }
  return false;
}

// Groups below go first; what is not empty stays.
void remove_group(const fs::path& folder) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder, error)) {
    if (item.is_directory(error)) remove_group(item.path());
  }
  ::rmdir(folder.c_str());
}

// "prefix-PID" of processes that have ended.
void remove_stale(const fs::path& parent, const std::string& prefix) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(parent, error)) {
    const std::string name = item.path().filename();
    if (!name.starts_with(prefix + "-")) continue;
    int pid = 0;
    std::from_chars(name.data() + prefix.size() + 1, name.data() + name.size(), pid);
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) remove_group(item.path());
  }
}

bool make_folder(const fs::path& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

}  // namespace

Cgroup::~Cgroup() {
  tasks_.clear();
  for (const fs::path& folder : folders_) ::rmdir(folder.c_str());
}

bool Cgroup::enter(bool is_inside) const {
  if (clone_fd_ && !is_inside) {
    const int procs = ::openat(clone_fd_.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0) return false;
    const bool entered = ::write(procs, "0", 1) == 1;
    ::close(procs);
    return entered;
  }
  for (const base::UniqueFd& file : tasks_) {
    if (::write(file.get(), "0", 1) != 1) return false;
  }
  return true;
}

bool Cgroup::out_of_memory() const {
  if (memory_events_.empty()) return false;
  const std::string text = read_text(memory_events_);
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.starts_with("oom_kill ")) return line != "oom_kill 0";
  }
  return false;
}

Result<CgroupTree> CgroupTree::make(const std::string& prefix) {
  CgroupTree tree;
  const std::string name = fmt::format("{}-{}", prefix, ::getpid());
  std::error_code error;
  Status unified = fail(Code::kUnavailable, "no hierarchy below /sys/fs/cgroup may be written");
  if (fs::exists(fs::path(kMount) / "cgroup.controllers", error)) {
    unified = tree.open_unified(name);
    if (unified) remove_stale(tree.folders_.front().path.parent_path(), prefix);
  } else {
    tree.open_hierarchies(name);
    for (const Folder& folder : tree.folders_) remove_stale(folder.path.parent_path(), prefix);
  }
  if (!tree.folders_.empty()) return tree;
  return fail(unified.error());
}

CgroupTree::~CgroupTree() {
  for (const Folder& folder : folders_) remove_group(folder.path);
}

// Controllers pass to children only from a group without processes of its own
// (Documentation/admin-guide/cgroup-v2.rst, "no internal process constraint"): when this process
// is alone in its group it moves aside.
Status CgroupTree::open_unified(const std::string& name) {
  const fs::path own = fs::path(kMount) / own_places()[""].substr(1);
  const std::string offered = read_text(own / "cgroup.controllers");
  std::string wanted;
  for (const char* controller : kHierarchies) {
    if (has_word(offered, controller)) wanted += fmt::format(" +{}", controller);
  }
  if (wanted.empty()) return fail(Code::kUnavailable, "no controller is delegated to this group");
  wanted.erase(0, 1);
  if (!write_value(own / "cgroup.subtree_control", wanted)) {
    const std::string alone = fmt::format("{}\n", ::getpid());
    const fs::path aside = own / (name + "-daemon");
    if (read_text(own / "cgroup.procs") != alone || !make_folder(aside) ||
        !write_value(aside / "cgroup.procs", "0") ||
        !write_value(own / "cgroup.subtree_control", wanted)) {
      return fail(Code::kUnavailable,
                  fmt::format("the group {} is not delegated to this process", own.string()));
    }
  }
  const fs::path folder = own / name;
  if (!make_folder(folder) || !write_value(folder / "cgroup.subtree_control", wanted)) {
    return fail(system_error(errno, "making " + folder.string()));
  }
  version_ = 2;
  folders_.push_back({kUnified, folder});
  for (const char* controller : kHierarchies) {
    if (has_word(offered, controller)) controllers_.emplace_back(controller);
  }
  (void)write_value(folder / "cpu.weight", std::to_string(kWeightOfAll));
  return {};
}

void CgroupTree::open_hierarchies(const std::string& name) {
  const auto places = own_places();
  for (const char* controller : kHierarchies) {
    const auto place = places.find(controller);
    if (place == places.end()) continue;
    const fs::path folder = fs::path(kMount) / controller / place->second.substr(1) / name;
    if (!make_folder(folder) || ::access((folder / "tasks").c_str(), W_OK) != 0) continue;
    folders_.push_back({controller, folder});
    controllers_.emplace_back(controller);
  }
  version_ = folders_.empty() ? 0 : 1;
  for (const Folder& folder : folders_) {
    if (folder.hierarchy == "cpu") {
      (void)write_value(folder.path / "cpu.shares", std::to_string(kSharesOfAll));
    }
  }
}

std::vector<std::string> CgroupTree::controllers() const { return controllers_; }

std::vector<std::pair<std::string, std::string>> CgroupTree::writes(
    const CgroupLimits& limits) const {
  std::vector<std::pair<std::string, std::string>> out;
  const auto has = [this](std::string_view name) {
    return std::ranges::find(controllers_, name) != controllers_.end();
  };
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  if (limits.memory_bytes > 0 && has("memory")) {
    if (version_ == 2) {
      out.emplace_back("unified/memory.max", number(limits.memory_bytes));
      out.emplace_back("unified/memory.swap.max", "0");
    } else {
      // With swap: the same, so none. Where swap isn't accounted the file is missing. It may never
      // be below the limit without swap, so it makes way first.
      out.emplace_back("memory/memory.memsw.limit_in_bytes", "-1");
      out.emplace_back("memory/memory.limit_in_bytes", number(limits.memory_bytes));
      out.emplace_back("memory/memory.memsw.limit_in_bytes", number(limits.memory_bytes));
    }
  }
  if (limits.processes > 0 && has("pids")) {
    out.emplace_back(version_ == 2 ? "unified/pids.max" : "pids/pids.max",
                     number(limits.processes));
  }
  if (limits.cpu_milli > 0 && has("cpu")) {
    const std::uint64_t one = version_ == 2 ? kWeightOfOne : kSharesOfOne;
    const std::uint64_t weight =
        std::clamp<std::uint64_t>(limits.cpu_milli * one / 1000, 2, 10'000);
    out.emplace_back(version_ == 2 ? "unified/cpu.weight" : "cpu/cpu.shares", number(weight));
  }
  return out;
}

std::vector<std::string> CgroupTree::entrances() const {
  std::vector<std::string> out;
  out.reserve(folders_.size());
  for (const Folder& folder : folders_) {
    out.push_back(folder.hierarchy + (version_ == 2 ? "/cgroup.procs" : "/tasks"));
  }
  return out;
}

std::string CgroupTree::memory_events() const {
  if (std::ranges::find(controllers_, "memory") == controllers_.end()) return {};
  return version_ == 2 ? "unified/memory.events" : "memory/memory.oom_control";
}

Result<Cgroup> CgroupTree::make_group(const std::string& name, const CgroupLimits& limits) const {
  Cgroup out;
  std::map<std::string, fs::path> by_hierarchy;
  for (const Folder& folder : folders_) {
    const fs::path path = folder.path / name;
    if (::mkdir(path.c_str(), 0755) != 0) return fail(system_error(errno, path.string()));
    out.folders_.push_back(path);
    by_hierarchy[folder.hierarchy] = path;
    if (version_ == 2) {
      out.clone_fd_ = base::UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    } else {
      out.tasks_.emplace_back(::open((path / "tasks").c_str(), O_WRONLY | O_CLOEXEC));
    }
  }
  const auto path_of = [&](const std::string& file) {
    const auto slash = file.find('/');
    return by_hierarchy[file.substr(0, slash)] / file.substr(slash + 1);
  };
  for (const auto& [file, value] : writes(limits)) {
    if (!write_value(path_of(file), value) && errno != ENOENT) {
      return fail(system_error(errno, "limiting " + path_of(file).string()));
    }
  }
  if (const std::string events = memory_events(); !events.empty()) {
    out.memory_events_ = path_of(events);
  }
  return out;
}

Result<std::vector<CgroupTree::Folder>> CgroupTree::make_folders(const std::string& name) const {
  std::vector<Folder> out;
  for (const Folder& folder : folders_) {
    const fs::path path = folder.path / name;
    if (!make_folder(path)) return fail(system_error(errno, path.string()));
    if (version_ == 2) {
      (void)write_value(path / "cgroup.subtree_control", "+" + base::join(controllers_, " +"));
    }
    out.push_back({folder.hierarchy, path});
  }
  return out;
}

void CgroupTree::remove_folders(const std::string& name) const {
  for (const Folder& folder : folders_) remove_group(folder.path / name);
}

}  // namespace hearth::process
