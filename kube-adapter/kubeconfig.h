// Where a cluster is and how to log in there: kubeconfig files and the service account of a pod, as
// kubectl reads them.
//
// Supported: token, tokenFile, client certificate, CA, insecure-skip-tls-verify, tls-server-name.
// What is there but not supported (exec, auth-provider, passwords, impersonation, proxies) is an
// error that names it: nobody logs in as someone else by accident.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"
#include "platform/http/client.h"

namespace hearth::kube_adapter {

inline constexpr std::string_view kInClusterContext = "in-cluster";

struct ClusterAccess {
  std::string context;  // its name; kInClusterContext inside a pod
  http::Url server;     // the target is the path that all requests begin with
  std::string tls_server_name;
  bool skip_tls_verify = false;
  std::string ca_pem;  // empty: the system's authorities
  std::string client_certificate_pem;
  std::string client_key_pem;
  std::string token;
  std::filesystem::path token_file;  // wins over `token`; it may be rewritten at any time
  std::string ns = "default";
};

struct KubeconfigChoice {
  std::string file;     // empty: $KUBECONFIG (a list), else ~/.kube/config
  std::string context;  // empty: the current one
};

// Files, then the pod that we may be in. kNotFound when there is neither, or no such context (the
// message lists those there are); kInvalid names file and field; kUnsupported names the plugin.
Result<ClusterAccess> load_cluster_access(const KubeconfigChoice& choice);

// The parts of it.

// Merges the files: the first one that names a cluster, user or context wins, as does the first
// current-context. Missing files are skipped; relative paths in a file begin at its folder.
Result<Json> merge_kubeconfigs(const std::vector<std::filesystem::path>& files);
// What `context` (empty: the current one) of a merged kubeconfig says; reads the files it names.
Result<ClusterAccess> resolve_context(const Json& kubeconfig, const std::string& context);
// A pod's service account: token, ca.crt and namespace below `folder`.
Result<ClusterAccess> in_cluster_access(const std::string& host, const std::string& port,
                                        const std::filesystem::path& folder);

}  // namespace hearth::kube_adapter
