#include "cli/port_holder.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListenState = "0A";

// Whether a socket at this address (hexadecimal, each word in the machine's order) is in the way of
// one at 127.0.0.1.
bool takes_loopback(const std::string& address) {
  return address.find_first_not_of('0') == address.npos || address.ends_with("0100007F");
}

// Inodes of the sockets that listen at the port, from /proc/net/tcp and tcp6:
// "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode".
void add_listeners(const char* file, std::uint16_t port, PortScope scope,
                   std::set<std::string>& inodes) {
  std::ifstream lines(file);
  const std::string suffix = fmt::format(":{:04X}", port);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
        inode;
    if (state != kListenState || !local.ends_with(suffix)) continue;
    if (scope == PortScope::kAnyAddress || takes_loopback(local.substr(0, local.find(':')))) {
      inodes.insert(inode);
    }
  }
}

bool owns_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unreadable;
    const std::string target = fs::read_symlink(it->path(), unreadable).string();
    if (!target.starts_with("socket:[")) continue;
    if (inodes.contains(target.substr(8, target.size() - 9))) return true;
  }
  return false;
}

std::string program_of(const fs::path& process) {
  std::ifstream comm(process / "comm");
  std::string name;
  std::getline(comm, name);
  return name;
}

}  // namespace

std::string PortHolder::text() const {
  if (pid == 0) return "a process of another user";
  return program.empty() ? fmt::format("process {}", pid)
                         : fmt::format("process {} ({})", pid, program);
}

std::optional<PortHolder> port_holder(std::uint16_t port, PortScope scope) {
  std::set<std::string> inodes;
  add_listeners("/proc/net/tcp", port, scope, inodes);
  add_listeners("/proc/net/tcp6", port, scope, inodes);
  if (inodes.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const auto pid = base::parse_int<int>(it->path().filename().string());
    if (pid && owns_one_of(it->path(), inodes)) return PortHolder{*pid, program_of(it->path())};
  }
  return PortHolder{};
}

}  // namespace hearth::cli
