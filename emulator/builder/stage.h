// A stage in the making: configuration, layers, build arguments; and what the instructions that
// only change the configuration do to it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emulator/builder/dockerfile.h"
#include "emulator/builder/layer_cache.h"
#include "emulator/builder/substitute.h"
#include "platform/oci/manifest.h"

namespace hearth::builder {

inline constexpr std::string_view kStandardPathText =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Of one variable with its name, as the kernel takes it (MAX_ARG_STRLEN): no program could be
// started with a longer one.
inline constexpr std::size_t kVariableBytesMax = 128 * 1024;
// Of a stage's arguments and environment together; of its labels, ports and volumes. A build holds
// those of all its stages.
inline constexpr std::size_t kVariablesBytesMax = 1024 * 1024;
inline constexpr std::size_t kLabelsBytesMax = 1024 * 1024;

struct StageState {
  oci::ImageConfig config;
  std::vector<Layer> layers;
  bool host_backed = false;
  std::string key;                     // of the cache: everything so far that made a layer
  Variables args;                      // ARG in effect
  bool has_own_cmd = false;            // a CMD of this stage, not of what it is built from
  std::set<std::string> working_dirs;  // that WORKDIR made
  std::set<std::string> folders;       // known folders of the image, absolute
  bool has_base = false;               // stands on an image of the registry
  bool has_unknown_files = false;      // a base or a RUN brought files that no instruction names
  std::filesystem::path tree;          // where the layers are unpacked when a step needs them
  std::size_t unpacked = 0;            // how many are

  // What words of instructions may refer to: arguments, over them the environment.
  Variables variables() const;
  Variables environment() const;
  std::string env_value(std::string_view name) const;
  void set_env(const std::vector<std::pair<std::string, std::string>>& values);
  // An absolute path for a path of an instruction; a trailing '/' is kept.
  std::string absolute(std::string_view path) const;
  // With its parents; the path is absolute. How many it had to look at: those that were not known
  // yet, and one more.
  std::size_t add_folder(std::string_view path);
};

struct ArgumentSources {
  const std::map<std::string, std::string>& given;  // --build-arg
  const Variables& global;                          // ARG before the first FROM
  char escape = '\\';
};

bool makes_layer(Keyword keyword);
// ENV, ARG, LABEL, EXPOSE, USER, CMD, ENTRYPOINT, VOLUME, STOPSIGNAL, SHELL, HEALTHCHECK,
// MAINTAINER. kTooLarge when that makes the stage larger than the bounds above.
Status apply_metadata(const Instruction& item, const ArgumentSources& sources, StageState& stage);

}  // namespace hearth::builder
