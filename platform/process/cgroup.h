// Control groups: bounds of memory and processes and a share of the processors, one group an
// instance. Version 2 where its controllers are given to us, else version 1, whose hierarchies are
// taken one by one. Where neither may be written there is no CgroupTree, and callers fall back to
// rlimits.
//
// A group is made ahead (mkdir costs 0.1 ms); a process enters it between fork and exec: in
// version 2 by clone3 itself, in version 1 by writing 0 to `tasks`, which moves one thread and is
// a hundred times cheaper than `cgroup.procs`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::process {

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;  // 0: unlimited
  std::uint64_t processes = 0;     // tasks, so threads count; 0: unlimited
  std::uint64_t cpu_milli = 0;     // a weight against others; no quota. 0: the kernel's default
};

// One group with its own limits; removed at the end of its life, when nothing is left in it.
class Cgroup {
 public:
  Cgroup(Cgroup&&) = default;
  Cgroup& operator=(Cgroup&&) = delete;
  ~Cgroup();

  // Between fork and exec; only system calls. The caller becomes a member, if it isn't one by
  // clone3 already.
  bool enter(bool is_inside) const;
  // Version 2: for clone3; -1 otherwise.
  int clone_fd() const { return clone_fd_.get(); }
  // Whether the kernel ended a member because the group's memory was used up.
  bool out_of_memory() const;

 private:
  friend class CgroupTree;
  Cgroup() = default;
  std::vector<std::filesystem::path> folders_;
  std::vector<base::UniqueFd> tasks_;  // version 1
  base::UniqueFd clone_fd_;
  std::filesystem::path memory_events_;
};

class CgroupTree {
 public:
  // Makes `name` below this process's own groups. kUnavailable names what is missing. Groups that
  // an ended daemon left behind (`name` is prefix-PID) are removed.
  static Result<CgroupTree> make(const std::string& prefix);
  CgroupTree(CgroupTree&&) = default;
  CgroupTree& operator=(CgroupTree&&) = delete;
  ~CgroupTree();  // removes it; nothing may be left in it

  Result<Cgroup> make_group(const std::string& name, const CgroupLimits& limits) const;

  int version() const { return version_; }
  // "memory", "pids", "cpu": those that take effect.
  std::vector<std::string> controllers() const;

  // For the fork server, which makes groups itself below `name`, in a folder a hierarchy.
  struct Folder {
    std::string hierarchy;  // "memory"; "unified" in version 2
    std::filesystem::path path;
  };
  Result<std::vector<Folder>> make_folders(const std::string& name) const;
  void remove_folders(const std::string& name) const;
  // Files to write for the limits, "memory/memory.limit_in_bytes": hierarchy, then the file.
  std::vector<std::pair<std::string, std::string>> writes(const CgroupLimits& limits) const;
  // Files to write 0 to, and the one that counts ends by the memory limit.
  std::vector<std::string> entrances() const;
  std::string memory_events() const;

 private:
  CgroupTree() = default;
  Status open_unified(const std::string& name);
  void open_hierarchies(const std::string& name);
  int version_ = 0;
  std::vector<Folder> folders_;
  std::vector<std::string> controllers_;
};

}  // namespace hearth::process
