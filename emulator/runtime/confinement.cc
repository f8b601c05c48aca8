#include "emulator/runtime/confinement.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/text.h"
#include "platform/telemetry/log.h"

namespace hearth::runtime {
namespace {

constexpr telemetry::Log kLog("confinement");
constexpr const char* kForkServerGroup = "python";
// A process maps far more than it uses: its address space is no measure of its memory. Without
// control groups this bound stops a runaway at least.
constexpr std::uint64_t kAddressSpaceSlack = 1024ULL * 1024 * 1024;

bool same(const process::CgroupLimits& a, const process::CgroupLimits& b) {
  return a.memory_bytes == b.memory_bytes && a.processes == b.processes &&
         a.cpu_milli == b.cpu_milli;
}

std::string path_in_jail(const process::CgroupTree::Folder& folder) {
  return "/cgroup/" + folder.hierarchy;
}

}  // namespace

Confinement::Confinement(ConfinementOptions options) : options_(std::move(options)) {
  auto groups = process::CgroupTree::make("hearth");
  if (groups) {
    groups_.emplace(std::move(*groups));
  } else {
    missing_.emplace_back("control groups");
    kLog.warn("control_groups_withheld",
              {{"error", groups.error().message}, {"instead", "rlimits"}});
  }
  if (!options_.sandbox) return;
  landlock_ = process::landlock_version();
  if (landlock_ == 0) missing_.emplace_back("landlock");
  if (process::has_seccomp()) {
    whole_filter_ = process::make_seccomp_filter(process::SeccompPart::kWhole);
    fork_server_filter_ = process::make_seccomp_filter(process::SeccompPart::kForkServer);
  } else {
    missing_.emplace_back("seccomp");
  }
  if (!missing_.empty()) {
    kLog.warn("confinement_degraded", {{"missing", base::join(missing_, ", ")}});
  }
}

process::LandlockRules Confinement::rules(bool jailed, std::vector<std::string> readable) const {
  if (jailed) return {.writable = {"/tmp", "/dev"}};
  for (const process::Bind& bind : process::host_binds()) readable.push_back(bind.source);
  for (const char* path : {"/proc", "/etc/passwd", "/etc/group", "/etc/hosts"}) {
    readable.emplace_back(path);
  }
  return {.writable = {options_.scratch.string(), "/dev/null", "/dev/zero", "/dev/full"},
          .restrict_reading = true,
          .readable = std::move(readable)};
}

void Confinement::apply(process::SpawnRequest& request, std::uint64_t memory_bytes,
                        std::vector<std::string> readable) const {
  if (!groups_) {
    request.limits.processes = kInstanceTasksMax;
    if (memory_bytes > 0) request.limits.address_space = memory_bytes + kAddressSpaceSlack;
  }
  if (whole_filter_) request.seccomp = &*whole_filter_;
  if (landlock_ > 0) request.landlock = rules(request.jail.has_value(), std::move(readable));
}

void Confinement::add_rlimits(Json& limits, std::uint64_t memory_bytes) const {
  if (groups_) return;
  limits["nproc"] = kInstanceTasksMax;
  if (memory_bytes > 0) limits["as"] = memory_bytes + kAddressSpaceSlack;
}

std::unique_ptr<process::Cgroup> Confinement::take_group(const process::CgroupLimits& limits) {
  if (!groups_) return nullptr;
  if (!prepared_ || !same(prepared_limits_, limits)) {
    prepared_limits_ = limits;
    prepared_.reset();
    prepare_group();
  }
  if (!prepared_) return nullptr;
  auto out = std::make_unique<process::Cgroup>(std::move(*prepared_));
  prepared_.reset();
  return out;
}

void Confinement::prepare_group() {
  if (!groups_ || prepared_) return;
  auto made = groups_->make_group(fmt::format("instance-{}", ++groups_made_), prepared_limits_);
  if (made)
    prepared_.emplace(std::move(*made));
  else
    kLog.warn("control_group_failed", {{"error", made.error().message}});
}

const process::SeccompFilter* Confinement::fork_server_filter() const {
  return fork_server_filter_ ? &*fork_server_filter_ : nullptr;
}

Json Confinement::fork_server_limits(const process::CgroupLimits& limits) const {
  Json out = Json::array();
  if (!groups_) return out;
  for (const auto& [file, value] : groups_->writes(limits)) out.push_back({file, value});
  return out;
}

std::vector<process::Bind> Confinement::fork_server_binds() const {
  std::vector<process::Bind> out;
  if (!groups_) return out;
  const auto folders = groups_->make_folders(kForkServerGroup);
  if (!folders) return out;
  for (const auto& folder : *folders) {
    out.push_back({folder.path.string(), path_in_jail(folder), true});
  }
  return out;
}

void Confinement::clear_fork_server_groups() const {
  if (groups_) groups_->remove_folders(kForkServerGroup);
}

Json Confinement::for_fork_server(bool jailed) const {
  Json out = Json::object();
  if (whole_filter_) {
    const auto code = process::make_seccomp_filter(process::SeccompPart::kForkServerChild);
    out["filter"] = base::base64(std::string_view(reinterpret_cast<const char*>(code.data()),
                                                  code.size() * sizeof(sock_filter)));
  }
  if (landlock_ > 0) {
    const auto plan = process::plan_landlock(rules(jailed, {}), landlock_);
    Json list = Json::array();
    for (const auto& rule : plan.rules) {
      list.push_back({rule.path, rule.access_folder, rule.access_file});
    }
    out["landlock"] = {{"attributes", plan.attributes},
                       {"rules", std::move(list)},
                       {"read_access", plan.read_access}};
  }
  if (!groups_) return out;
  Json folders = Json::object();
  if (const auto made = groups_->make_folders(kForkServerGroup)) {
    for (const auto& folder : *made) {
      folders[folder.hierarchy] = jailed ? path_in_jail(folder) : folder.path.string();
    }
  }
  out["groups"] = {{"folders", std::move(folders)},
                   {"entrances", groups_->entrances()},
                   {"events", groups_->memory_events()}};
  return out;
}

}  // namespace hearth::runtime
