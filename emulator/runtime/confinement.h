// What holds an instance besides its jail: system call filter, landlock, control group. Made once,
// shared by all instances; says once what this machine withholds. Lives on one loop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/process/cgroup.h"
#include "platform/process/spawn.h"

namespace hearth::runtime {

struct ConfinementOptions {
  bool sandbox = true;            // false: only the control groups
  std::filesystem::path scratch;  // the only writable folder of instances without a jail
};

class Confinement {
 public:
  explicit Confinement(ConfinementOptions options);

  // Sets the filter and, by whether there is a jail, landlock's rules and address space limit.
  // `readable`: folders besides the machine's programs, for instances without a jail.
  void apply(process::SpawnRequest& request, std::uint64_t memory_bytes,
             std::vector<std::string> readable) const;
  // For instances of the fork server: what stands in for groups.
  void add_rlimits(Json& limits, std::uint64_t memory_bytes) const;
  // A group with these limits; one is kept prepared for the next. Nothing without groups.
  std::unique_ptr<process::Cgroup> take_group(const process::CgroupLimits& limits);
  // Off the path of a start: makes the group for the next one.
  void prepare_group();

  // For zygote.py (HEARTH_CONFINEMENT), and the binds that it needs in its jail.
  Json for_fork_server(bool jailed) const;
  std::vector<process::Bind> fork_server_binds() const;
  const process::SeccompFilter* fork_server_filter() const;
  Json fork_server_limits(const process::CgroupLimits& limits) const;
  // Its groups of a former run, when it was killed.
  void clear_fork_server_groups() const;

  // Mechanisms that this machine withholds.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  process::LandlockRules rules(bool jailed, std::vector<std::string> readable) const;
  ConfinementOptions options_;
  std::optional<process::SeccompFilter> whole_filter_;
  std::optional<process::SeccompFilter> fork_server_filter_;
  std::optional<process::CgroupTree> groups_;
  std::optional<process::Cgroup> prepared_;
  process::CgroupLimits prepared_limits_;
  std::uint64_t groups_made_ = 0;
  int landlock_ = 0;
  std::vector<std::string> missing_;
};

// Functions' tasks, threads included.
inline constexpr std::uint64_t kInstanceTasksMax = 512;

}  // namespace hearth::runtime
