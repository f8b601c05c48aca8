// Manifests from files, folders and standard input: YAML or JSON, several documents each, Lists
// taken apart.
#pragma once

#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/resource/object.h"

namespace hearth::cli {

struct Manifest {
  std::string origin;  // the file's name, for errors
  Json object;
};

// `paths`: files, folders (their *.yaml, *.yml and *.json, not deeper) or "-". kInvalid names the
// file, kNotFound when there is none.
Result<std::vector<Manifest>> load_manifests(const std::vector<std::string>& paths);

// The manifest's namespace, `fallback` when it has none, nothing for what has no namespace.
std::string namespace_for(const Manifest& manifest, const resource::Type& type,
                          const std::string& fallback);

}  // namespace hearth::cli
