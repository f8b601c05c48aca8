#include "platform/process/landlock.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth::process {
namespace {

// include/uapi/linux/landlock.h; Debian 12's header knows versions 1 and 2 only.
constexpr std::uint64_t kExecute = 1ULL << 0;
constexpr std::uint64_t kWriteFile = 1ULL << 1;
constexpr std::uint64_t kReadFile = 1ULL << 2;
constexpr std::uint64_t kReadFolder = 1ULL << 3;
// Removing and making entries of all kinds: bits 4 to 12. Version 2: moving between folders.
constexpr std::uint64_t kChangeFolder = 0x1ff0;
constexpr std::uint64_t kRefer = 1ULL << 13;
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kScopeAbstractSockets = 1ULL << 0;
constexpr std::uint64_t kScopeSignals = 1ULL << 1;
constexpr int kReferVersion = 2;
constexpr int kTruncateVersion = 3;
constexpr int kNetworkVersion = 4;
constexpr int kScopeVersion = 6;

struct PathRule {
  std::uint64_t access;
  std::int32_t parent;
} __attribute__((packed));

}  // namespace

int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

LandlockPlan plan_landlock(const LandlockRules& rules, int version) {
  LandlockPlan plan;
  if (version <= 0) return plan;
  const std::uint64_t write_file = kWriteFile | (version >= kTruncateVersion ? kTruncate : 0);
  const std::uint64_t write_folder =
      write_file | kChangeFolder | (version >= kReferVersion ? kRefer : 0);
  const std::uint64_t read_file = rules.restrict_reading ? kExecute | kReadFile : 0;
  const std::uint64_t read_folder = rules.restrict_reading ? read_file | kReadFolder : 0;
  plan.read_access = read_folder;
  plan.attributes.push_back(write_folder | read_folder);
  if (version >= kNetworkVersion) plan.attributes.push_back(0);  // the network is not bound here
  if (version >= kScopeVersion) plan.attributes.push_back(kScopeAbstractSockets | kScopeSignals);
  for (const std::string& path : rules.writable) {
    plan.rules.push_back({path, write_folder | read_folder, write_file | read_file});
  }
  if (!rules.restrict_reading) return plan;
  for (const std::string& path : rules.readable) {
    plan.rules.push_back({path, read_folder, read_file});
  }
  return plan;
}

bool apply_landlock(const LandlockPlan& plan) {
  if (plan.attributes.empty()) return true;
  const long ruleset = ::syscall(SYS_landlock_create_ruleset, plan.attributes.data(),
                                 plan.attributes.size() * sizeof(std::uint64_t), 0);
  if (ruleset < 0) return false;
  bool done = true;
  for (const LandlockPlan::Rule& rule : plan.rules) {
    const int path = ::open(rule.path.c_str(), O_PATH | O_CLOEXEC);
    if (path < 0) continue;
    struct stat status{};
    const bool is_folder = ::fstat(path, &status) == 0 && S_ISDIR(status.st_mode);
    const PathRule attributes{is_folder ? rule.access_folder : rule.access_file, path};
    done = done && ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
                             &attributes, 0) == 0;
    ::close(path);
  }
  done = done && ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  const int number = errno;
  ::close(static_cast<int>(ruleset));
  errno = number;
  return done;
}

}  // namespace hearth::process
