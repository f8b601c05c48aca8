// What a jailed process sees and may do: its root made of pieces of the host (or a tree that is a
// whole root), its mounts, its rights. Used for functions, the fork server and build steps.
//
// plan_jail() lays everything out before a fork; enter_jail() is called between fork and exec and
// makes only system calls. All mounts are private to the jail and leave nothing behind.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hearth::process {

struct Bind {
  std::string source;  // on the host
  std::string target;  // absolute, within the jail
  bool writable = false;
};

// One step of laying out a root, in order.
struct Mount {
  // kTouch, kFolder, kSymlink and kFile prepare a place: an empty file, an empty folder, a link to
  // `source`, a file with the content `source`; with the folders above them.
  enum class Kind {
    kReadOnly,
    kWritable,
    kOverlay,
    kTmpfs,
    kProc,
    kDevice,
    kTouch,
    kFolder,
    kSymlink,
    kFile
  } kind = Kind::kReadOnly;
  std::string source;     // on the host; of an overlay: the lower folder
  std::string target;     // on the host, below the root; of an overlay: the upper folder too
  std::string options{};  // of a tmpfs; of an overlay: its work folder
};

struct Jail {
  // kFresh: `root` is an empty folder; a tmpfs is mounted over it, which gets binds, links, files,
  // /proc and /tmp, and is read-only then. kTree: `root` is a folder with a root file system, which
  // stays as writable as it is; only `mounts` are made in it.
  enum class Root { kFresh, kTree } root_kind = Root::kFresh;
  std::string root;
  std::vector<Bind> binds;                                 // in order; missing sources are left out
  std::vector<std::pair<std::string, std::string>> links;  // target, path: made before the binds
  std::vector<std::pair<std::string, std::string>> files;  // path, content: small generated files
  std::vector<Mount> mounts;                               // after all others
  std::string tmp_bytes = "64m";                           // size of the tmpfs on /tmp
  std::string hostname = "function";
  bool network = true;  // the machine's; otherwise none, not even a loopback

  // kNone: no capability, as the user `uid`. kPackageManager: root of the jail, with what
  // installing needs (owning and replacing files). kAll: only for the fork server, whose children
  // give them up.
  enum class Rights { kNone, kPackageManager, kAll } rights = Rights::kNone;
  // Run as this user when the daemon is root; otherwise the daemon's own user, mapped to it.
  std::uint32_t uid = 65532;
};

struct JailPlan {
  Jail::Root root_kind = Jail::Root::kFresh;
  Jail::Rights rights = Jail::Rights::kNone;
  std::string root;
  std::string hostname;
  std::string uid_map;
  std::string gid_map;
  std::uint32_t uid = 0;
  std::vector<Mount> mounts;
  bool new_user = false;
  std::uint64_t namespaces = 0;  // clone flags
};

// `new_user`: in a user namespace, which gives the right to all this to a daemon without it.
JailPlan plan_jail(const Jail& jail, bool new_user);

enum class JailStep { kUserMap, kPrivateMounts, kRoot, kMount, kPivot, kRights };
struct JailFailure {
  JailStep step = JailStep::kUserMap;
  int index = 0;  // of the mount
};
std::string describe(const JailPlan& plan, const JailFailure& failure);

// Both in the child. False: `failure` says where, errno why.
bool enter_jail(const JailPlan& plan, JailFailure& failure);
// After enter_jail, when all that needs rights is done.
bool give_up_rights(const JailPlan& plan);

// The pieces of the host that programs need to run: /usr, /lib*, /bin, parts of /etc, …
std::vector<Bind> host_binds();

}  // namespace hearth::process
