// The tools of the languages on this machine, for images that stand on its files: where they are
// and which folders a build must see to use them. Only a tool's own folder is named, never one that
// is, or holds, somebody's home or the daemon's state.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::builder {

struct HostTools {
  std::vector<std::string> path;                          // folders for PATH, the tools' own first
  std::vector<std::filesystem::path> places;              // theirs, outside of the system folders
  std::map<std::string, std::filesystem::path> programs;  // links in kToolLinks: name → program
  std::string python;                                     // real path, empty when there is none
  std::string identity;                                   // changes when a tool is replaced
  std::vector<std::string> left_out;                      // sentences: which tool, why, what to do
};

// Where a build finds `programs`; on `path` behind the tools' own folders.
inline constexpr std::string_view kToolLinks = "/run/hearth/bin";

// `inner` is `outer` or lies below it.
bool is_within(const std::filesystem::path& inner, const std::filesystem::path& outer);

// /usr, /bin, /lib…: what every build sees.
bool is_system_path(const std::filesystem::path& path);

// Whether `folder` is one of `guarded`, holds one, or is a folder of many users' things (/opt).
bool exposes(const std::filesystem::path& folder,
             const std::vector<std::filesystem::path>& guarded);

// `state`: folders of the daemon. With them: the home folder and those that programs share in it.
std::vector<std::filesystem::path> guarded_folders(const std::vector<std::filesystem::path>& state);

// Blocking: asks python3, node and go where they are (they may stand behind a version manager's
// shim).
HostTools find_host_tools(std::string_view search_path,
                          const std::vector<std::filesystem::path>& guarded);

}  // namespace hearth::builder
