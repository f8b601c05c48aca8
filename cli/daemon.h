// The running daemon as its state folder describes it: endpoints.json (written by `hearth up` once
// everything answers, 0600) and kubeconfig.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

#include "platform/base/json.h"
#include "platform/base/result.h"

namespace hearth::cli {

struct Daemon {
  pid_t pid = 0;
  std::filesystem::path state;
  std::string gateway;   // http://127.0.0.1:8080
  std::string api;       // https://127.0.0.1:6443
  std::string s3;        // http://127.0.0.1:9000
  std::string registry;  // 127.0.0.1:5001
  std::string s3_access_key;
  std::string s3_secret_key;
  std::filesystem::path kubeconfig;
  std::string ca_pem;
  std::string token;
};

std::filesystem::path endpoints_file(const std::filesystem::path& state);

// The process that holds the state folder's lock, when there is one.
std::optional<pid_t> running_daemon(const std::filesystem::path& state);

// kUnavailable when no daemon uses the folder, or when it has not come up yet.
Result<Daemon> find_daemon(const std::filesystem::path& state);

}  // namespace hearth::cli
