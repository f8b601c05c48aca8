// Manifests from files, folders and standard input: YAML or JSON, several documents each, Lists
// taken apart.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"
#include "platform/resource/object.h"

namespace hearth::cli {

struct Manifest {
  std::string origin;  // the file's name, for errors
  Json object;
  std::shared_ptr<const std::string> text;  // what it was read from; none: a program made it
  std::size_t document = 0;                 // which one of the text
  std::string prefix = {};                  // "items[2]." of a List

  // "function.yaml:12:3": where a field ("spec.source.type") of the object stands, or its nearest
  // ancestor that is there. The origin alone when there is no text.
  std::string where(std::string_view field = {}) const;
};

// `paths`: files, folders (their *.yaml, *.yml and *.json, not deeper) or "-". kInvalid names the
// file, line and column, kNotFound when there is none.
Result<std::vector<Manifest>> load_manifests(const std::vector<std::string>& paths);

// kInvalid with its place when something else than a mapping, null or nothing stands at the path.
Status check_is_mapping(const Manifest& manifest, std::initializer_list<std::string_view> path);

// The manifest's namespace, `fallback` when it has none, nothing for what has no namespace.
std::string namespace_for(const Manifest& manifest, const resource::Type& type,
                          const std::string& fallback);

}  // namespace hearth::cli
