// What a RUN of a host-backed image sees of this machine: interpreters and libraries read-only, the
// package managers' configuration and caches, and a PATH that finds the same tools as the daemon.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/process/jail.h"

namespace hearth::builder {

// The tools of the languages, found once on the daemon's PATH.
struct HostTools {
  std::vector<std::string> path;                // folders for PATH, the tools' own first
  std::vector<std::filesystem::path> prefixes;  // outside of the system folders
  std::string python;                           // real path, empty when there is none
  std::string identity;                         // changes when a tool is replaced
};
// Blocking: asks python3 for its prefix (it may stand behind a version manager's shim).
HostTools find_host_tools(std::string_view search_path);

// Prepares a stage's tree as the root of a RUN: folders to mount on, which exist until destruction
// only, so that they are no part of the image.
class HostView {
 public:
  struct Options {
    std::filesystem::path tree;
    std::filesystem::path scratch;  // an empty folder on the same file system
    std::filesystem::path caches;   // kept between builds
    bool host_backed = true;        // false: the tree is a whole root file system
  };
  static Result<std::unique_ptr<HostView>> prepare(const HostTools& tools, Options options);
  ~HostView();
  HostView(const HostView&) = delete;
  HostView& operator=(const HostView&) = delete;

  const std::vector<process::Mount>& mounts() const { return mounts_; }
  // HOME, caches; to be added to the image's own environment.
  const std::map<std::string, std::string>& env() const { return env_; }

 private:
  explicit HostView(Options options) : options_(std::move(options)) {}
  Status add_system_folders();
  Status add_system_folder(const std::string& name);
  Status add_prefixes(const HostTools& tools);
  Status add_kernel_folders();
  Status add_home(const HostTools& tools);
  Status add_caches(const std::string& home);
  Status add_folder(const std::filesystem::path& below_root);
  void add(process::Mount::Kind kind, std::filesystem::path source,
           const std::filesystem::path& below_root);

  Options options_;
  std::vector<process::Mount> mounts_;
  std::map<std::string, std::string> env_;
  std::vector<std::filesystem::path> made_;  // in order of creation
};

// The daemon's variables that package managers need: proxies, registries, certificates.
std::map<std::string, std::string> passed_environment();

}  // namespace hearth::builder
