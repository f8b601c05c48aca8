// What `hearth up` can be told, by flag, environment or configuration file.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace hearth::cli {

struct UpFlags {
  std::string state;
  std::string listen = "127.0.0.1";
  std::vector<std::string> hosts;
  int port = -1;  // -1: not given
  int api_port = -1;
  int s3_port = -1;
  int registry_port = -1;
  bool ephemeral = false;
  bool dev = false;
  bool no_sandbox = false;
  bool detach = false;
  std::string config;
  std::string ready_file;
  std::string controllers = "*";
  std::string languages;
  std::string cache;
  std::string build = "native";
  std::string kaniko_executor;
  bool build_host_credentials = false;
  std::string gcs_endpoint;
  std::string s3_access_key = "hearth";
  std::string s3_secret_key = "hearth-secret";
  std::map<std::string, std::string> s3_credentials;  // more of them: access key → secret
  std::string log_format = "auto";
  std::string log_level = "info";
  bool access_log = false;
};

// Answers for "--port" whether flag or environment set it.
using IsGiven = std::function<bool(const std::string&)>;

// Sets what the file at flags.config says and neither flag nor environment did. kInvalid names
// file, line, column and key; an unknown key also the nearest one.
Status apply_config_file(UpFlags& flags, const IsGiven& is_given);

// The names in a list of controllers.
std::vector<std::string> controller_names(const std::string& list);

// Looks through what flags, environment and file said together, before anything starts; puts the
// address for "localhost". kInvalid names the flag and what it may be.
Status check_flags(UpFlags& flags);

// The keys whose values differ, and of them those that a running daemon can't take over.
struct ChangedKeys {
  std::vector<std::string> taken_over;
  std::vector<std::string> need_restart;
};
ChangedKeys changed_keys(const UpFlags& before, const UpFlags& after);

}  // namespace hearth::cli
