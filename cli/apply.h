// Applying one object as `hearth apply` does, for commands that make manifests themselves.
#pragma once

#include <string>

#include "cli/kinds.h"
#include "cli/manifests.h"

namespace hearth::cli {

struct ApplyOptions {
  std::string ns;  // of manifests that name none
  bool dry_run = false;
};

struct Applied {
  Kind kind;
  std::string ns;
  std::string name;
};

// Creates or updates, and prints what it did.
Result<Applied> apply_one(ApiClient& api, Kinds& kinds, const ApplyOptions& options,
                          const Manifest& manifest);

}  // namespace hearth::cli
