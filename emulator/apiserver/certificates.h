// The daemon's own certificate authority: made once per state folder, P-256, ten years; server and
// administrator certificates are signed by it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace hearth::apiserver {

struct Identity {
  std::string certificate_pem;
  std::string key_pem;
};

struct Certificates {
  Identity authority;
  Identity server;         // localhost, 127.0.0.1, ::1, kubernetes[.default[.svc[.cluster.local]]]
  Identity administrator;  // O=system:masters, CN=kubernetes-admin
};

// Reads them from `directory` or makes and stores them (files 0600). The server's is valid for
// loopback, "localhost", the cluster's names and `names` (addresses and DNS names).
Result<Certificates> load_or_create_certificates(const std::filesystem::path& directory,
                                                 const std::vector<std::string>& names);

}  // namespace hearth::apiserver
