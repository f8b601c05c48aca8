// From a function and its source to what is built: the context's files, their archive, the content
// hash and the image's name.
#pragma once

#include <string>

#include "platform/lambda/function.h"
#include "platform/lambda/language.h"
#include "platform/lambda/source.h"

namespace hearth::lambda {

struct BuildSettings {
  std::string push_registry = "localhost:5001";
  std::string pull_registry = "localhost:5001";
  std::string base_registry;  // prefix of base images; empty: as the language says
};

struct BuildPlan {
  std::string context_tar_gz;  // reproducible: same input, same bytes
  std::string hash;            // SHA-256 of the context, hex
  std::string push_image;      // {push registry}/{namespace}/{name}:{first 12 of hash}
  std::string pull_image;
};

// kInvalid: unknown language, template error. kNotFound: no main file. kTooLarge: over the limits.
Result<BuildPlan> plan_build(const std::string& ns, const std::string& name,
                             const FunctionSpec& spec, const Languages& languages,
                             SourceTree source, const BuildSettings& settings);

}  // namespace hearth::lambda
