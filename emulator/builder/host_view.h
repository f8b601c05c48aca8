// What a RUN sees of this machine. A host-backed image: interpreters and libraries read-only, of
// /etc what programs need (never keys and passwords), the package managers' caches and settings.
// An image with a root file system of its own: devices, /proc and the resolver.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/builder/host_tools.h"
#include "emulator/builder/passed_environment.h"
#include "platform/base/result.h"
#include "platform/process/jail.h"

namespace hearth::builder {

// Prepares a stage's tree as the root of a RUN: places to mount on, which exist until destruction
// only, so that they are no part of the image.
class HostView {
 public:
  struct Options {
    std::filesystem::path tree;
    std::filesystem::path scratch;               // an empty folder on the same file system
    std::filesystem::path caches;                // kept between builds
    bool host_backed = true;                     // false: the tree is a whole root file system
    std::vector<std::filesystem::path> state;    // the daemon's folders: empty where they'd be seen
    std::vector<std::filesystem::path> guarded;  // guarded_folders()
    HostCredentials credentials = HostCredentials::kWithhold;
  };
  // kPreconditionFailed when the image has something else where a folder is needed.
  static Result<std::unique_ptr<HostView>> prepare(const HostTools& tools, Options options);
  ~HostView();
  HostView(const HostView&) = delete;
  HostView& operator=(const HostView&) = delete;

  const std::vector<process::Mount>& mounts() const { return mounts_; }
  // HOME, caches; to be added to the image's own environment.
  const std::map<std::string, std::string>& env() const { return env_; }
  // Settings of package managers that hold credentials and are not shown.
  const std::vector<std::string>& withheld() const { return withheld_; }

 private:
  explicit HostView(Options options) : options_(std::move(options)) {}
  Status add_memory_folders();
  Status add_host_folders(const HostTools& tools);
  Status add_host_path(const std::filesystem::path& host);
  bool is_in_memory(const std::filesystem::path& path) const;
  void add_in_memory(const std::filesystem::path& host);
  Status add_overlay(const std::filesystem::path& host);
  Status add_link(const std::filesystem::path& host);
  Status add_accounts();
  Status add_kernel_folders();
  Status add_resolver();
  Status add_home(const HostTools& tools);
  Status add_caches(const std::string& home);
  // Settings of the machine and of tools, which lie below what is mounted or are added.
  Status add_settings(const HostTools& tools);
  void add_home_settings(const std::filesystem::path& home);
  void hide_folders();
  bool may_show(const std::filesystem::path& settings);
  Status add_folder(const std::filesystem::path& below_root);
  Status add_file(const std::filesystem::path& source, const std::filesystem::path& below_root);
  void add(process::Mount::Kind kind, std::filesystem::path source,
           const std::filesystem::path& below_root);

  Options options_;
  std::vector<process::Mount> mounts_;
  std::map<std::string, std::string> env_;
  std::vector<std::string> withheld_;
  std::vector<std::filesystem::path> in_memory_;  // each is a tmpfs
  std::vector<std::filesystem::path> shown_;      // of this machine, at their own place
  std::vector<std::filesystem::path> made_;       // below the root, in order of creation
};

// What every host-backed RUN sees if it is there: system folders, parts of /etc, and the files and
// folders that the daemon's variables name (certificates, packages), unless one is `guarded`.
std::vector<std::filesystem::path> shown_host_paths(
    const std::vector<std::filesystem::path>& guarded);

}  // namespace hearth::builder
