// The kubeconfig file of this daemon.
#pragma once

#include <string>

#include "platform/base/json.h"

namespace hearth::apiserver {

struct KubeconfigValues {
  std::string name;    // of cluster, user and context: "hearth"
  std::string server;  // https://127.0.0.1:6443
  std::string ca_pem;
  std::string token;
};

// YAML text of a whole kubeconfig.
std::string kubeconfig_text(const KubeconfigValues& values);

// `existing` with our entries added or replaced and the current context set; all else is kept.
// kConflict when an entry of that name points at another server and `force` is off.
Result<std::string> merge_kubeconfig(const std::string& existing, const std::string& ours,
                                     bool force);

}  // namespace hearth::apiserver
