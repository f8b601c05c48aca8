#include "platform/process/jail.h"

#include <filesystem>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace hearth::process {
namespace {

namespace fs = std::filesystem;

// The fresh root's own content: places first, so that nothing is written once binds are there.
class FreshRoot {
 public:
  explicit FreshRoot(const Jail& jail) : root_(jail.root) {
    for (const char* path : {"/proc", "/tmp", "/dev", "/app"}) add(Mount::Kind::kFolder, "", path);
    std::vector<Mount> binds;
    std::error_code error;
    for (const Bind& bind : jail.binds) {
      if (!fs::exists(bind.source, error)) continue;
      const bool is_folder = fs::is_directory(bind.source, error);
      add(is_folder ? Mount::Kind::kFolder : Mount::Kind::kTouch, "", bind.target);
      binds.push_back({bind.writable ? Mount::Kind::kWritable : Mount::Kind::kReadOnly, bind.source,
                       root_ + bind.target});
    }
    for (const auto& [target, path] : jail.links) add(Mount::Kind::kSymlink, target, path);
    for (const auto& [path, content] : jail.files) add(Mount::Kind::kFile, content, path);
    mounts_.insert(mounts_.end(), binds.begin(), binds.end());
    add(Mount::Kind::kProc, "", "/proc");
    add(Mount::Kind::kTmpfs, "", "/tmp");
    mounts_.back().options = "mode=1777,size=" + jail.tmp_bytes;
  }
  std::vector<Mount> take() { return std::move(mounts_); }

 private:
  void add(Mount::Kind kind, const std::string& source, const std::string& path) {
    mounts_.push_back({kind, source, root_ + path});
  }
  std::string root_;
  std::vector<Mount> mounts_;
};

std::string overlay_options(const Mount& mount, bool new_user) {
  return fmt::format("lowerdir={},upperdir={},workdir={}{}", mount.source, mount.target,
                     mount.options, new_user ? ",userxattr" : "");
}

}  // namespace

JailPlan plan_jail(const Jail& jail, bool new_user) {
  JailPlan plan{.root_kind = jail.root_kind,
                .rights = jail.rights,
                .root = jail.root,
                .hostname = jail.hostname,
                .uid = jail.uid,
                .new_user = new_user};
  const std::uint32_t inside = jail.rights == Jail::Rights::kNone ? jail.uid : 0;
  plan.uid_map = fmt::format("{} {} 1\n", inside, ::geteuid());
  plan.gid_map = fmt::format("{} {} 1\n", inside, ::getegid());
  plan.namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (new_user) plan.namespaces |= CLONE_NEWUSER;
  if (!jail.network) plan.namespaces |= CLONE_NEWNET;
  if (jail.root_kind == Jail::Root::kFresh) plan.mounts = FreshRoot(jail).take();
  for (const Mount& mount : jail.mounts) {
    plan.mounts.push_back(mount);
    if (mount.kind == Mount::Kind::kOverlay) {
      plan.mounts.back().options = overlay_options(mount, new_user);
    }
  }
  return plan;
}

std::string describe(const JailPlan& plan, const JailFailure& failure) {
  switch (failure.step) {
    case JailStep::kUserMap:
      return "mapping the user";
    case JailStep::kPrivateMounts:
      return "making mounts private";
    case JailStep::kRoot:
      return "making the root";
    case JailStep::kMount:
      return "mounting " + plan.mounts.at(static_cast<std::size_t>(failure.index)).target;
    case JailStep::kPivot:
      return "entering the root";
    case JailStep::kRights:
      return "giving up rights";
  }
  return {};
}

std::vector<Bind> host_binds() {
  std::vector<Bind> out;
  for (const char* path : {"/usr",
                           "/bin",
                           "/sbin",
                           "/lib",
                           "/lib32",
                           "/lib64",
                           "/libx32",
                           "/etc/alternatives",
                           "/etc/ssl",
                           "/etc/ca-certificates",
                           "/etc/ca-certificates.conf",
                           "/etc/ld.so.cache",
                           "/etc/ld.so.conf",
                           "/etc/ld.so.conf.d",
                           "/etc/localtime",
                           "/etc/timezone",
                           "/etc/mime.types",
                           "/etc/services",
                           "/etc/protocols",
                           "/etc/nsswitch.conf",
                           "/etc/resolv.conf",
                           "/etc/host.conf",
                           "/etc/gai.conf",
                           "/etc/python3.11",
                           "/etc/python3",
                           "/dev/null",
                           "/dev/zero",
                           "/dev/full",
                           "/dev/random",
                           "/dev/urandom"}) {
    out.push_back({path, path, std::string_view(path).starts_with("/dev/")});
  }
  return out;
}

}  // namespace hearth::process
