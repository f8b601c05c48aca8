// A Knative Revision as the rooms that run it need it. Pure parsing; defaults of Knative Serving.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "emulator/serving/decider.h"
#include "platform/base/json.h"

namespace hearth::serving {

struct RevisionSpec {
  std::string ns;
  std::string name;
  std::string uid;
  std::string configuration;
  std::string service;
  std::string container;
  std::string image;
  std::string image_digest;  // "host/repository@sha256:…", from the status; empty: not resolved yet
  std::vector<std::string> command;
  std::vector<std::string> args;
  Json env = Json::array();  // as written, valueFrom unresolved
  std::int64_t concurrency = 0;
  std::chrono::seconds timeout{300};
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_milli = 0;
  std::string working_dir;
  std::uint16_t port = 8080;
  std::string probe_path;  // of the readiness probe's HTTP GET; empty: TCP
  std::int64_t initial_scale = 1;
  DeciderSettings scaling;
  std::chrono::seconds retention{0};

  std::string key() const { return ns + "/" + name; }
};

RevisionSpec parse_revision(const Json& revision);

}  // namespace hearth::serving
